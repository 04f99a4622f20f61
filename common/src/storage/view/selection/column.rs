//! A test of the values of a column.

use super::numbers::Numbers;
use super::{Rows, with_codes};
use crate::query::lookup::{Lookup, cost};
use crate::query::{Test, Wanted};
use crate::storage::view::View;
use crate::storage::view::chunk::Chunk;
use crate::storage::view::dictionary::Dictionary;
use crate::storage::view::segment::{Codes, Segment};
use crate::storage::{Interest, StorageError};

/// A test of a column, with all that can be known of it before a row is looked at.
pub(super) struct ColumnTest<'q> {
    place: usize,
    lookup: Lookup<'q>,
    numbers: Numbers,
    /// Whether a value passes, by its code.
    passes: Vec<bool>,
    /// Whether any value of the dictionary does.
    passes_any: bool,
}

impl<'q> ColumnTest<'q> {
    pub(super) fn new(
        view: &View,
        place: usize,
        test: &'q Test,
        interest: &Interest,
    ) -> Result<Self, StorageError> {
        let lookup = Lookup::new(test);
        let dictionary = view.columns.dictionary(place);
        let mut passes = vec![false; dictionary.len()];
        let passes_any = match test {
            Test::AnyOf(wanted) => mark_wanted(wanted, dictionary, &mut passes),
            Test::AnyPrefix(_) => mark_all(&lookup, dictionary, &mut passes, interest)?,
        };
        Ok(Self { place, lookup, numbers: Numbers::of(test), passes, passes_any })
    }

    pub(super) fn select(&self, chunk: &Chunk, view: &View, rows: &mut Rows) {
        match chunk.segments.get(self.place) {
            None | Some(Segment::Missing(_)) => rows.clear(),
            Some(Segment::Codes(_)) if !self.passes_any => rows.clear(),
            Some(Segment::Codes(codes)) => select_codes(codes, &self.passes, rows),
            Some(Segment::Ints(ints)) => self.numbers.select_ints(ints, rows),
            Some(Segment::Floats(floats)) if self.numbers.ints.is_empty() => {
                self.numbers.select_fractions(floats, rows);
            }
            Some(segment @ Segment::Floats(_)) => {
                let dictionary = view.columns.dictionary(self.place);
                rows.retain(|row| self.lookup.passes(segment.at(row).value(dictionary)));
            }
        }
    }
}

/// Looks each wanted value up in the dictionary, however many values that has. Says whether it has any.
fn mark_wanted(wanted: &[Wanted], dictionary: &Dictionary, passes: &mut [bool]) -> bool {
    let mut any = false;
    for value in wanted.iter().flat_map(Wanted::values) {
        cost::compared();
        for code in dictionary.equals(value) {
            passes[code as usize] = true;
            any = true;
        }
    }
    any
}

/// Looks at each value of the dictionary. Says whether any passes.
fn mark_all(
    lookup: &Lookup<'_>,
    dictionary: &Dictionary,
    passes: &mut [bool],
    interest: &Interest,
) -> Result<bool, StorageError> {
    let mut any = false;
    for (code, (place, passes)) in (0..).zip(passes.iter_mut().enumerate()) {
        interest.check_at(place)?;
        *passes = lookup.passes(dictionary.value(code));
        any |= *passes;
    }
    Ok(any)
}

fn select_codes(codes: &Codes, passes: &[bool], rows: &mut Rows) {
    with_codes!(codes, code => rows.retain(|row| passes[code(row) as usize]));
}
