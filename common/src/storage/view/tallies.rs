//! Counts and sums of a collected field, for each group.

use super::dictionary::Dictionary;
use super::segment::{Cell, Floats, Ints, Segment};
use super::selection::{Rows, with_codes, with_ints};
use crate::aggregate::{Partial, Sum};
use crate::value::ValueRef;

/// What is known of the values of one group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) sum: Sum,
    /// How many values are no numbers: nulls, texts and so on.
    pub(super) others: u64,
}

/// What a value of the dictionary adds to a tally.
#[derive(Clone, Copy, Debug)]
enum Addend {
    Nothing,
    Int(i64),
    Float(f64),
    Other,
}

/// The tallies of a field, by group.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) tallies: Vec<Tally>,
    /// By code, made when a segment of codes is met.
    addends: Vec<Addend>,
}

impl Tally {
    /// How many values there are.
    pub(super) fn values(&self) -> u64 {
        self.sum.numbers() + self.others
    }

    /// The same, as what engines answer with.
    pub(super) fn partial(&self) -> Partial {
        Partial { values: self.values(), sum: self.sum, set: None }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.others += other.others;
    }

    fn add(&mut self, cell: Cell) {
        match cell {
            Cell::Missing => {}
            Cell::Int(value) => self.sum.add_int(value),
            Cell::Float(value) => self.sum.add_float(value),
            Cell::Null | Cell::Code(_) => self.others += 1,
        }
    }
}

impl Tallies {
    pub(super) fn new(groups: usize) -> Self {
        Self { tallies: vec![Tally::default(); groups], addends: Vec::new() }
    }

    /// Adds the values of some rows, each to that of its group.
    pub(super) fn add(
        &mut self,
        segment: Option<&Segment>,
        dictionary: &Dictionary,
        rows: &Rows,
        groups: &[u32],
    ) {
        let tallies = &mut self.tallies[..];
        match segment {
            None | Some(Segment::Missing(_)) => {}
            Some(Segment::Ints(ints)) => add_ints(tallies, ints, rows, groups),
            Some(Segment::Floats(floats)) => add_floats(tallies, floats, rows, groups),
            Some(Segment::Codes(codes)) => {
                if self.addends.is_empty() {
                    self.addends = addends(dictionary);
                }
                let addends = &self.addends[..];
                with_codes!(codes, code => rows.each(|place, row| {
                    let tally = &mut tallies[groups[place] as usize];
                    match addends[code(row) as usize] {
                        Addend::Nothing => {}
                        Addend::Int(value) => tally.sum.add_int(value),
                        Addend::Float(value) => tally.sum.add_float(value),
                        Addend::Other => tally.others += 1,
                    }
                }));
            }
        }
    }
}

fn add_ints(tallies: &mut [Tally], ints: &Ints, rows: &Rows, groups: &[u32]) {
    if ints.gaps.is_empty() {
        with_ints!(ints, value => rows.each(|place, row| {
            tallies[groups[place] as usize].sum.add_int(value(row));
        }));
    } else {
        rows.each(|place, row| {
            let cell = ints.gaps.at(row).unwrap_or_else(|| Cell::Int(ints.at(row)));
            tallies[groups[place] as usize].add(cell);
        });
    }
}

fn add_floats(tallies: &mut [Tally], floats: &Floats, rows: &Rows, groups: &[u32]) {
    if floats.gaps.is_empty() && floats.ints.is_empty() {
        rows.each(|place, row| tallies[groups[place] as usize].sum.add_float(floats.values[row]));
    } else {
        rows.each(|place, row| {
            let cell = floats.gaps.at(row).unwrap_or_else(|| floats.at(row));
            tallies[groups[place] as usize].add(cell);
        });
    }
}

fn addends(dictionary: &Dictionary) -> Vec<Addend> {
    let codes = 0..u32::try_from(dictionary.len()).unwrap_or(u32::MAX);
    let addend = |code| match dictionary.value(code) {
        None => Addend::Nothing,
        Some(ValueRef::Int(value)) => Addend::Int(value),
        Some(ValueRef::Float(value)) => Addend::Float(value),
        Some(ValueRef::Null | ValueRef::Bool(_) | ValueRef::Text(_) | ValueRef::Time(_)) => Addend::Other,
    };
    codes.map(addend).collect()
}
