//! The keys of groups as small numbers: a row's keys and period together are one number, by which its
//! group is found.

use hashbrown::HashMap;

use super::View;
use super::chunk::Chunk;
use super::dictionary::{Dictionary, FIRST, MISSING, NULL};
use super::segment::{Cell, Codes, Segment};
use super::selection::{Rows, with_codes, with_ints};
use crate::value::ValueRef;

/// A range of integers so small that each is better counted from the least than looked up.
const SMALL_RANGE: u64 = 1 << 20;

/// How the values of a key become numbers.
#[derive(Clone, Debug)]
pub(super) enum Numbering {
    /// They are the codes of the dictionary.
    Codes,
    /// They are integers, counted from the least.
    From(i64),
    /// They are numbered as they come, by an [`Interner`].
    AsTheyCome,
}

/// A key of a query.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) place: usize,
    pub(super) numbering: Numbering,
    /// One more than the largest number.
    pub(super) radix: u64,
}

impl Key {
    pub(super) fn new(view: &View, place: usize) -> Self {
        let (mut has_codes, mut has_floats) = (false, false);
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for segment in segments(view, place) {
            match segment {
                Segment::Missing(_) => {}
                Segment::Codes(_) => has_codes = true,
                Segment::Floats(_) => has_floats = true,
                Segment::Ints(ints) => {
                    least = least.min(ints.least);
                    greatest = greatest.max(ints.greatest);
                }
            }
        }
        let range = greatest.wrapping_sub(least).cast_unsigned();
        if least > greatest && !has_floats {
            let radix = view.columns.dictionary(place).len() as u64;
            Self { place, numbering: Numbering::Codes, radix }
        } else if !has_codes && !has_floats && range < SMALL_RANGE {
            Self { place, numbering: Numbering::From(least), radix: range + 1 }
        } else {
            Self { place, numbering: Numbering::AsTheyCome, radix: view.len() as u64 + 1 }
        }
    }

    /// Whether two numbers may stand for equal values.
    pub(super) fn has_equals(&self, view: &View) -> bool {
        match self.numbering {
            Numbering::Codes => view.columns.dictionary(self.place).has_equals(),
            Numbering::From(_) => false,
            Numbering::AsTheyCome => true,
        }
    }

    /// Keeps the rows that have a value; null is none.
    pub(super) fn retain(&self, chunk: &Chunk, rows: &mut Rows) {
        match chunk.segments.get(self.place) {
            None | Some(Segment::Missing(_)) => rows.retain(|_| false),
            Some(Segment::Codes(codes)) => retain_codes(codes, rows),
            Some(Segment::Ints(ints)) if ints.gaps.is_empty() => {}
            Some(Segment::Ints(ints)) => rows.retain(|row| ints.gaps.at(row).is_none()),
            Some(Segment::Floats(floats)) if floats.gaps.is_empty() => {}
            Some(Segment::Floats(floats)) => rows.retain(|row| floats.gaps.at(row).is_none()),
        }
    }

    /// Makes `number * radix + key` of each row's number.
    pub(super) fn combine(
        &self,
        chunk: &Chunk,
        dictionary: &Dictionary,
        rows: &Rows,
        interner: &mut Interner,
        numbers: &mut [u64],
    ) {
        let radix = self.radix;
        let Some(segment) = chunk.segments.get(self.place) else { return };
        match (&self.numbering, segment) {
            (Numbering::Codes, Segment::Codes(codes)) => {
                with_codes!(codes, code => rows.each(|place, row| {
                    numbers[place] = numbers[place] * radix + u64::from(code(row));
                }));
            }
            (Numbering::From(least), Segment::Ints(ints)) => {
                with_ints!(ints, value => rows.each(|place, row| {
                    let number = value(row).wrapping_sub(*least).cast_unsigned();
                    numbers[place] = numbers[place] * radix + number;
                }));
            }
            _ => rows.each(|place, row| {
                let number = interner.number(segment.at(row), dictionary);
                numbers[place] = numbers[place] * radix + u64::from(number);
            }),
        }
    }

    /// The value that a number stands for.
    pub(super) fn value<'v>(
        &self,
        number: u64,
        dictionary: &'v Dictionary,
        interner: &Interner,
    ) -> ValueRef<'v> {
        let small = usize::try_from(number).unwrap_or(usize::MAX);
        let cell = match self.numbering {
            Numbering::Codes => Cell::Code(u32::try_from(number).unwrap_or(MISSING)),
            Numbering::From(least) => Cell::Int(least.wrapping_add(number.cast_signed())),
            Numbering::AsTheyCome => interner.cell(small),
        };
        cell.value(dictionary).unwrap_or(ValueRef::Null)
    }
}

/// The segments of a column.
pub(super) fn segments(view: &View, place: usize) -> impl Iterator<Item = &Segment> {
    view.parts.iter().filter_map(move |part| part.chunk.segments.get(place))
}

fn retain_codes(codes: &Codes, rows: &mut Rows) {
    with_codes!(codes, code => {
        // Mostly every row has a value, and to know that takes less time than to look for those.
        let mut has_gaps = false;
        rows.each(|_, row| has_gaps |= code(row) < FIRST);
        if has_gaps {
            rows.retain(|row| code(row) > NULL);
        }
    });
}

/// Numbers cells as they come.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashMap<CellKey, u32>,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum CellKey {
    Missing,
    Null,
    Int(i64),
    Float(u64),
    Code(u32),
}

impl Interner {
    /// The number of a cell. A number of the dictionary is the same as one that stands by itself.
    pub(super) fn number(&mut self, cell: Cell, dictionary: &Dictionary) -> u32 {
        let cell = match cell.value(dictionary) {
            Some(ValueRef::Int(value)) => Cell::Int(value),
            Some(ValueRef::Float(value)) => Cell::Float(value),
            _ => cell,
        };
        self.number_of(cell)
    }

    fn number_of(&mut self, cell: Cell) -> u32 {
        let key = match cell {
            Cell::Missing => CellKey::Missing,
            Cell::Null => CellKey::Null,
            Cell::Int(value) => CellKey::Int(value),
            Cell::Float(value) => CellKey::Float(value.to_bits()),
            Cell::Code(code) => CellKey::Code(code),
        };
        *self.numbers.entry(key).or_insert_with(|| {
            self.cells.push(cell);
            u32::try_from(self.cells.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn cell(&self, number: usize) -> Cell {
        self.cells.get(number).copied().unwrap_or(Cell::Missing)
    }

    /// What the numbers of another are here.
    pub(super) fn translate(&mut self, other: &Self) -> Vec<u32> {
        other.cells.iter().map(|cell| self.number_of(*cell)).collect()
    }
}
