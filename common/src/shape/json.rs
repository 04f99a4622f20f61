//! Answers as JSON, in one pass over the groups.
//!
//! What rows have in common is made once: the names of columns, and where several groups list the same
//! periods, all of those as they are without data. A group copies what lies between its data from there.

mod output;

use std::ops::Range;

use serde::{Serialize, Serializer};

use super::answer::{Group, GroupAnswer, List};
use super::rows::{AnswerRow, AnswerRows, Cell};
use output::{Label, Output, labels};

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
        let labels = labels(&self.columns.rows);
        let mut output = Output::new(json, &self.periods);
        output.json.push(b'[');
        match (&self.list, labels.split_last()) {
            (List::Nested(keys, groups), Some((values, labels))) => {
                let nested = Nested::new(self, groups.len());
                output.json.reserve(nested.likely_length().saturating_mul(groups.len()));
                for (place, group) in groups.iter().enumerate() {
                    output.cells(labels, self.nested_row(keys, place, group));
                    output.json.extend_from_slice(&values.text);
                    nested.write(&mut output, group);
                    output.json.extend_from_slice(b"},");
                }
            }
            _ => self.rows().iter().for_each(|row| output.row(&labels, row)),
        }
        output.close();
    }
}

/// What the lists of periods of several groups have in common.
struct Nested<'a> {
    answer: &'a GroupAnswer,
    labels: Vec<Label>,
    gaps: Option<Gaps>,
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

impl<'a> Nested<'a> {
    fn new(answer: &'a GroupAnswer, groups: usize) -> Self {
        let labels = labels(&answer.columns.periods);
        // They are as long as the list of one group.
        let gaps = (groups > 1).then(|| Gaps::new(answer, &labels));
        Self { answer, labels, gaps }
    }

    /// How many bytes a group's list has, more or less.
    fn likely_length(&self) -> usize {
        self.gaps.as_ref().map_or(0, |gaps| gaps.json.len())
    }

    /// Writes the list of a group's periods.
    fn write(&self, output: &mut Output<'_>, group: &Group) {
        output.json.push(b'[');
        let mut next = 0;
        for with_data in &group.periods {
            let (period, tally) = (with_data.period, Some(with_data.tally));
            self.write_gaps(output, next..period);
            let row = self.answer.period_row(&self.answer.columns.periods, period, tally);
            match &self.gaps {
                None => output.row(&self.labels, row),
                Some(gaps) => {
                    output.json.extend_from_slice(gaps.times(period));
                    output.row(&self.labels[TIMES..], row);
                }
            }
            next = period + 1;
        }
        self.write_gaps(output, next..self.answer.periods.len());
        output.close();
    }

    fn write_gaps(&self, output: &mut Output<'_>, periods: Range<usize>) {
        if let Some(gaps) = &self.gaps {
            output.json.extend_from_slice(gaps.rows(periods));
            return;
        }
        for period in periods {
            let row = self.answer.period_row(&self.answer.columns.periods, period, None);
            output.row(&self.labels, row);
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
