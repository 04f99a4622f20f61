//! Rows as JSON, cell by cell.

use serde::Serialize;

use crate::shape::answer::Periods;
use crate::shape::columns::{Column, Part};
use crate::shape::rows::AnswerRow;
use crate::timestamp::TimestampText;

/// What is written so far, and the times that were written last.
pub(super) struct Output<'a> {
    pub(super) json: &'a mut Vec<u8>,
    times: Times<'a>,
}

/// A column's name as JSON, with what stands before and after it.
pub(in crate::shape) struct Label {
    pub(in crate::shape) text: Vec<u8>,
    pub(in crate::shape) part: Part,
}

pub(in crate::shape) fn labels(columns: &[Column]) -> Vec<Label> {
    let label = |(place, column): (usize, &Column)| {
        let mut text = vec![if place == 0 { b'{' } else { b',' }];
        value(&mut text, &column.name);
        text.push(b':');
        Label { text, part: column.part }
    };
    columns.iter().enumerate().map(label).collect()
}

impl<'a> Output<'a> {
    pub(super) fn new(json: &'a mut Vec<u8>, periods: &'a Periods) -> Self {
        Self { json, times: Times { periods, known: None } }
    }

    /// Writes a row, and a comma.
    pub(super) fn row(&mut self, labels: &[Label], row: AnswerRow<'_>) {
        self.cells(labels, row);
        self.json.extend_from_slice(b"},");
    }

    /// Writes some cells of a row.
    pub(super) fn cells(&mut self, labels: &[Label], row: AnswerRow<'_>) {
        for label in labels {
            match label.part {
                Part::Start => self.time(label, |times| times.of(row.period).0),
                Part::End => self.time(label, |times| times.of(row.period).1),
                part => {
                    let Some(cell) = row.cell(part) else { continue };
                    self.json.extend_from_slice(&label.text);
                    value(self.json, &cell);
                }
            }
        }
    }

    fn time(&mut self, label: &Label, time: impl FnOnce(&mut Times<'_>) -> TimestampText) {
        self.json.extend_from_slice(&label.text);
        self.json.push(b'"');
        self.json.extend_from_slice(time(&mut self.times).as_bytes());
        self.json.push(b'"');
    }
}

/// Closes a list, after whose last row, if there is one, is a comma.
pub(super) fn close(json: &mut Vec<u8>) {
    json.pop_if(|last| *last == b',');
    json.push(b']');
}

fn value(json: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(json, value).expect("memory takes all bytes, and columns have names");
}

/// The start and the end of the period that was written last. The next is likely to be the same or the
/// one after it.
struct Times<'a> {
    periods: &'a Periods,
    known: Option<(usize, (TimestampText, TimestampText))>,
}

impl Times<'_> {
    fn of(&mut self, period: usize) -> (TimestampText, TimestampText) {
        let end = || self.periods.end(period).text();
        let times = match self.known {
            Some((known, times)) if known == period => return times,
            Some((known, (_, start))) if known + 1 == period => (start, end()),
            _ => (self.periods.start(period).text(), end()),
        };
        self.known = Some((period, times));
        times
    }
}
