//! Answers as JSON, in one pass over the groups, a piece at a time.
//!
//! What rows have in common is made once: the names of columns, and where several groups list the same
//! periods, all of those as they are without data. A group copies what lies between its data from there.

mod output;

use std::ops::Range;

use serde::{Serialize, Serializer};

use super::answer::{Group, GroupAnswer, List};
use super::rows::{AnswerRow, AnswerRows, Cell};
use output::Output;

pub(super) use output::{Label, labels};

impl Serialize for GroupAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows().serialize(serializer)
    }
}

impl Serialize for AnswerRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for AnswerRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.cells())
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::List(values) => values.serialize(serializer),
            Self::Rows(rows) => rows.serialize(serializer),
        }
    }
}

impl GroupAnswer {
    /// Writes the rows as a JSON list: the bytes that serde makes of them, in less time.
    pub fn write_json(&self, json: &mut Vec<u8>) {
        JsonText::new(self).write(self, json, usize::MAX);
    }
}

/// The rows of an answer as a JSON list, of which one piece after the other is written.
pub struct JsonText {
    labels: Vec<Label>,
    periods: Option<PeriodsText>,
    is_begun: bool,
    /// The next row.
    row: usize,
}

impl JsonText {
    /// Nothing of an answer is written yet.
    pub fn new(answer: &GroupAnswer) -> Self {
        let labels = labels(&answer.columns.rows);
        Self { labels, periods: PeriodsText::new(answer), is_begun: false, row: 0 }
    }

    /// Adds rows of the answer, which has to be the same each time, until there are so many bytes or more.
    /// Says whether that was the end.
    pub fn write(&mut self, answer: &GroupAnswer, json: &mut Vec<u8>, until: usize) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) {
            json.push(b'[');
        }
        let is_end = match (&answer.list, &mut self.periods, self.labels.split_last()) {
            (List::Nested(keys, groups), Some(periods), Some((values, labels))) => {
                let left = groups.len().saturating_sub(self.row);
                json.reserve(periods.likely_length().saturating_mul(left).min(until));
                loop {
                    let Some(group) = groups.get(self.row) else { break true };
                    if !periods.is_begun() {
                        let row = answer.nested_row(keys, self.row, group);
                        Output::new(json, &answer.periods).cells(labels, row);
                        json.extend_from_slice(&values.text);
                    }
                    if !periods.write(answer, group, json, until) {
                        break false;
                    }
                    json.extend_from_slice(b"},");
                    self.row += 1;
                    if json.len() >= until && self.row < groups.len() {
                        break false;
                    }
                }
            }
            _ => self.write_rows(answer, json, until),
        };
        if is_end {
            output::close(json);
        }
        is_end
    }

    /// The comma after the last row has to be in the piece that ends the list.
    fn write_rows(&mut self, answer: &GroupAnswer, json: &mut Vec<u8>, until: usize) -> bool {
        let (rows, mut output) = (answer.rows(), Output::new(json, &answer.periods));
        for row in self.row..rows.len() {
            if output.json.len() >= until {
                self.row = row;
                return false;
            }
            output.row(&self.labels, rows.at(row));
        }
        self.row = rows.len();
        true
    }
}

/// The lists of periods of one group after the other, and what they have in common.
pub struct PeriodsText {
    labels: Vec<Label>,
    gaps: Option<Gaps>,
    /// What is next of the list that is begun.
    next: Option<Next>,
}

#[derive(Clone, Copy, Default)]
struct Next {
    period: usize,
    /// Its place among the periods that have data.
    with_data: usize,
}

/// The rows of all periods as they are without data.
struct Gaps {
    json: Vec<u8>,
    /// Where each begins, and where the last ends.
    bounds: Vec<usize>,
    /// How much of each comes after its times.
    rest: usize,
}

/// How many columns of a period say when it is; they are the first.
const TIMES: usize = 2;
/// How many gaps are written before it is looked whether the piece is large enough.
const GAPS: usize = 256;

impl PeriodsText {
    /// That of an answer whose groups have periods.
    pub fn new(answer: &GroupAnswer) -> Option<Self> {
        let List::Nested(_, groups) = &answer.list else { return None };
        let labels = labels(&answer.columns.periods);
        // They are as long as the list of one group.
        let gaps = (groups.len() > 1).then(|| Gaps::new(answer, &labels));
        Some(Self { labels, gaps, next: None })
    }

    /// How many bytes a group's list has, more or less.
    fn likely_length(&self) -> usize {
        self.gaps.as_ref().map_or(0, |gaps| gaps.json.len())
    }

    /// Whether a list is begun and not ended.
    pub fn is_begun(&self) -> bool {
        self.next.is_some()
    }

    /// Adds periods of the group of a row, as [`JsonText::write`] adds rows.
    pub fn write_row(&mut self, answer: &GroupAnswer, row: usize, json: &mut Vec<u8>, until: usize) -> bool {
        let List::Nested(_, groups) = &answer.list else { return true };
        groups.get(row).is_none_or(|group| self.write(answer, group, json, until))
    }

    /// Adds periods of a group, which has to be the same until its list is ended, until there are so many
    /// bytes or more. Says whether that was the end.
    fn write(&mut self, answer: &GroupAnswer, group: &Group, json: &mut Vec<u8>, until: usize) -> bool {
        let mut next = self.next.unwrap_or_else(|| {
            json.push(b'[');
            Next::default()
        });
        let mut output = Output::new(json, &answer.periods);
        let all = answer.periods.len();
        while next.period < all {
            // The first piece of a list has more than its bracket: by it a CSV knows whether to quote the cell.
            if next.period > 0 && output.json.len() >= until {
                self.next = Some(next);
                return false;
            }
            let with_data = group.periods.get(next.with_data);
            if let Some(with_data) = with_data.filter(|with_data| with_data.period == next.period) {
                self.write_with_data(&mut output, answer, with_data.period, with_data.tally);
                next = Next { period: next.period + 1, with_data: next.with_data + 1 };
            } else {
                let end = with_data.map_or(all, |with_data| with_data.period).min(next.period + GAPS);
                self.write_gaps(&mut output, answer, next.period..end);
                next.period = end;
            }
        }
        output::close(json);
        self.next = None;
        true
    }

    fn write_with_data(&self, output: &mut Output<'_>, answer: &GroupAnswer, period: usize, tally: usize) {
        let row = answer.period_row(&answer.columns.periods, period, Some(tally));
        match &self.gaps {
            None => output.row(&self.labels, row),
            Some(gaps) => {
                output.json.extend_from_slice(gaps.times(period));
                output.row(&self.labels[TIMES..], row);
            }
        }
    }

    fn write_gaps(&self, output: &mut Output<'_>, answer: &GroupAnswer, periods: Range<usize>) {
        if let Some(gaps) = &self.gaps {
            output.json.extend_from_slice(gaps.rows(periods));
            return;
        }
        for period in periods {
            output.row(&self.labels, answer.period_row(&answer.columns.periods, period, None));
        }
    }
}

impl Gaps {
    fn new(answer: &GroupAnswer, labels: &[Label]) -> Self {
        let row = |period| answer.period_row(&answer.columns.periods, period, None);
        let mut rest = Vec::new();
        Output::new(&mut rest, &answer.periods).row(&labels[TIMES..], row(0));
        let mut gaps = Self { json: Vec::new(), bounds: vec![0], rest: rest.len() };
        let mut output = Output::new(&mut gaps.json, &answer.periods);
        for period in 0..answer.periods.len() {
            output.cells(&labels[..TIMES], row(period));
            output.json.extend_from_slice(&rest);
            gaps.bounds.push(output.json.len());
        }
        gaps
    }

    /// Some of them, each with a comma after it.
    fn rows(&self, periods: Range<usize>) -> &[u8] {
        &self.json[self.bounds[periods.start]..self.bounds[periods.end]]
    }

    /// What the row of a period begins with, whether it has data or not.
    fn times(&self, period: usize) -> &[u8] {
        &self.json[self.bounds[period]..self.bounds[period + 1] - self.rest]
    }
}
