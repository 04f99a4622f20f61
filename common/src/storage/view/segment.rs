//! The values of one column in one chunk, in the narrowest form that holds them.
//!
//! A segment begins as missing in every row, becomes numbers or codes with the first value, and turns
//! into codes when a value comes that its form has no room for. So mixed types and new fields cost
//! only the chunks that hold them.

use fixedbitset::FixedBitSet;

use super::dictionary::{Dictionary, MISSING, NULL};
use crate::value::{ValueRef, exact_int};

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    /// The record lacks the field.
    Missing,
    /// An explicit null.
    Null,
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A value of the column's dictionary.
    Code(u32),
}

impl Cell {
    /// The value; none if it is missing.
    pub(super) fn value(self, dictionary: &Dictionary) -> Option<ValueRef<'_>> {
        match self {
            Self::Missing => None,
            Self::Null => Some(ValueRef::Null),
            Self::Int(value) => Some(ValueRef::Int(value)),
            Self::Float(value) => Some(ValueRef::Float(value)),
            Self::Code(code) => dictionary.value(code),
        }
    }
}

/// The values of one column in one chunk.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// Missing in so many rows.
    Missing(usize),
    /// Codes of a dictionary.
    Codes(Codes),
    /// Integers, but for gaps.
    Ints(Ints),
    /// Numbers of which some are floats, but for gaps.
    Floats(Floats),
}

/// Codes, as wide as the largest of them.
#[derive(Clone, Debug)]
pub(super) enum Codes {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

/// Integers between two bounds.
#[derive(Clone, Debug)]
pub(super) struct Ints {
    pub(super) least: i64,
    pub(super) greatest: i64,
    pub(super) packed: Packed,
    pub(super) gaps: Gaps,
}

/// Integers, as what they are more than the least of them where that is narrower.
#[derive(Clone, Debug)]
pub(super) enum Packed {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    /// The integers themselves; the only form that grows.
    I64(Vec<i64>),
}

/// Numbers as floats.
#[derive(Clone, Debug)]
pub(super) struct Floats {
    pub(super) values: Vec<f64>,
    /// Which of them are integers.
    pub(super) ints: FixedBitSet,
    pub(super) gaps: Gaps,
}

/// The rows without a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    missing: FixedBitSet,
    null: FixedBitSet,
}

impl Gaps {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.null.is_empty()
    }

    /// What a row holds in place of a number, if it is a gap.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Option<Cell> {
        if self.missing.contains(row) {
            Some(Cell::Missing)
        } else if self.null.contains(row) {
            Some(Cell::Null)
        } else {
            None
        }
    }

    fn push(&mut self, row: usize, is_null: bool) {
        let gaps = if is_null { &mut self.null } else { &mut self.missing };
        gaps.grow_and_insert(row);
    }

    fn missing(rows: usize) -> Self {
        let mut gaps = Self::default();
        gaps.missing.grow(rows);
        gaps.missing.insert_range(..);
        gaps
    }

    fn bytes(&self) -> usize {
        bytes_of(&self.missing) + bytes_of(&self.null)
    }
}

fn bytes_of(bits: &FixedBitSet) -> usize {
    size_of_val(bits.as_slice())
}

impl Codes {
    fn with_capacity_of(rows: usize) -> Self {
        Self::U8(vec![0; rows])
    }

    #[inline]
    pub(super) fn at(&self, row: usize) -> u32 {
        match self {
            Self::U8(codes) => codes[row].into(),
            Self::U16(codes) => codes[row].into(),
            Self::U32(codes) => codes[row],
        }
    }

    fn push(&mut self, code: u32) {
        match self {
            Self::U8(codes) => match u8::try_from(code) {
                Ok(code) => return codes.push(code),
                Err(_) => *self = Self::U16(codes.iter().copied().map(u16::from).collect()),
            },
            Self::U16(codes) => match u16::try_from(code) {
                Ok(code) => return codes.push(code),
                Err(_) => *self = Self::U32(codes.iter().copied().map(u32::from).collect()),
            },
            Self::U32(codes) => return codes.push(code),
        }
        self.push(code);
    }

    fn len(&self) -> usize {
        match self {
            Self::U8(codes) => codes.len(),
            Self::U16(codes) => codes.len(),
            Self::U32(codes) => codes.len(),
        }
    }

    fn seal(&mut self) {
        match self {
            Self::U8(codes) => codes.shrink_to_fit(),
            Self::U16(codes) => codes.shrink_to_fit(),
            Self::U32(codes) => codes.shrink_to_fit(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::U8(codes) => codes.capacity(),
            Self::U16(codes) => codes.capacity() * 2,
            Self::U32(codes) => codes.capacity() * 4,
        }
    }
}

impl Ints {
    /// Missing in so many rows.
    fn missing(rows: usize) -> Self {
        let packed = Packed::I64(vec![0; rows]);
        Self { least: i64::MAX, greatest: i64::MIN, packed, gaps: Gaps::missing(rows) }
    }

    #[inline]
    pub(super) fn at(&self, row: usize) -> i64 {
        match &self.packed {
            Packed::U8(values) => self.least.wrapping_add(values[row].into()),
            Packed::U16(values) => self.least.wrapping_add(values[row].into()),
            Packed::U32(values) => self.least.wrapping_add(values[row].into()),
            Packed::I64(values) => values[row],
        }
    }

    fn push(&mut self, value: Option<i64>) {
        let Packed::I64(values) = &mut self.packed else { return self.unpack_and_push(value) };
        values.push(value.unwrap_or(0));
        if let Some(value) = value {
            self.least = self.least.min(value);
            self.greatest = self.greatest.max(value);
        }
    }

    fn unpack_and_push(&mut self, value: Option<i64>) {
        self.packed = Packed::I64((0..self.len()).map(|row| self.at(row)).collect());
        self.push(value);
    }

    fn len(&self) -> usize {
        match &self.packed {
            Packed::U8(values) => values.len(),
            Packed::U16(values) => values.len(),
            Packed::U32(values) => values.len(),
            Packed::I64(values) => values.len(),
        }
    }

    /// Packs the values, which are not to become more.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a gap's offset means nothing, others are in the range"
    )]
    #[expect(clippy::cast_sign_loss, reason = "what is more than the least is not negative")]
    fn seal(&mut self) {
        let Packed::I64(values) = &mut self.packed else { return };
        let range = self.greatest.wrapping_sub(self.least) as u64;
        let offsets = values.iter().map(|value| value.wrapping_sub(self.least) as u64);
        self.packed = if u8::try_from(range).is_ok() {
            Packed::U8(offsets.map(|offset| offset as u8).collect())
        } else if u16::try_from(range).is_ok() {
            Packed::U16(offsets.map(|offset| offset as u16).collect())
        } else if u32::try_from(range).is_ok() {
            Packed::U32(offsets.map(|offset| offset as u32).collect())
        } else {
            return values.shrink_to_fit();
        };
    }

    fn bytes(&self) -> usize {
        let values = match &self.packed {
            Packed::U8(values) => values.capacity(),
            Packed::U16(values) => values.capacity() * 2,
            Packed::U32(values) => values.capacity() * 4,
            Packed::I64(values) => values.capacity() * 8,
        };
        values + self.gaps.bytes()
    }
}

impl Floats {
    #[inline]
    pub(super) fn at(&self, row: usize) -> Cell {
        let value = self.values[row];
        match exact_int(value).filter(|_| self.ints.contains(row)) {
            Some(int) => Cell::Int(int),
            None => Cell::Float(value),
        }
    }

    /// Takes over integers, if floats hold all of them exactly.
    fn from_ints(ints: &Ints) -> Option<Self> {
        let len = ints.len();
        if (0..len).any(|row| ints.gaps.at(row).is_none() && exact_float(ints.at(row)).is_none()) {
            return None;
        }
        let mut floats = Self {
            values: Vec::with_capacity(len + 1),
            ints: FixedBitSet::with_capacity(len),
            gaps: ints.gaps.clone(),
        };
        for row in 0..len {
            if ints.gaps.at(row).is_some() {
                floats.values.push(0.0);
            } else {
                floats.push_int(ints.at(row));
            }
        }
        Some(floats)
    }

    /// Adds an integer that a float is exactly.
    #[expect(clippy::cast_precision_loss, reason = "checked to be exact")]
    fn push_int(&mut self, value: i64) {
        self.ints.grow_and_insert(self.values.len());
        self.values.push(value as f64);
    }
}

/// The float that is exactly an integer, if there is one.
#[expect(clippy::cast_precision_loss, reason = "checked to be exact")]
pub(super) fn exact_float(value: i64) -> Option<f64> {
    let float = value as f64;
    (exact_int(float) == Some(value)).then_some(float)
}

impl Segment {
    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Missing(rows) => *rows,
            Self::Codes(codes) => codes.len(),
            Self::Ints(ints) => ints.len(),
            Self::Floats(floats) => floats.values.len(),
        }
    }

    /// What a row holds.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Cell {
        match self {
            Self::Missing(_) => Cell::Missing,
            Self::Codes(codes) => match codes.at(row) {
                MISSING => Cell::Missing,
                NULL => Cell::Null,
                code => Cell::Code(code),
            },
            Self::Ints(ints) => ints.gaps.at(row).unwrap_or_else(|| Cell::Int(ints.at(row))),
            Self::Floats(floats) => floats.gaps.at(row).unwrap_or_else(|| floats.at(row)),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, cell: Cell, dictionary: &mut impl AddValue) {
        let row = self.len();
        match (&mut *self, cell) {
            (Self::Missing(rows), Cell::Missing) => *rows += 1,
            (Self::Codes(codes), cell) => codes.push(code_of(cell, dictionary)),
            (Self::Ints(ints), Cell::Int(value)) => ints.push(Some(value)),
            (Self::Ints(ints), Cell::Missing | Cell::Null) => {
                ints.push(None);
                ints.gaps.push(row, cell == Cell::Null);
            }
            (Self::Floats(floats), Cell::Float(value)) => floats.values.push(value),
            (Self::Floats(floats), Cell::Missing | Cell::Null) => {
                floats.values.push(0.0);
                floats.gaps.push(row, cell == Cell::Null);
            }
            (Self::Floats(floats), Cell::Int(value)) if exact_float(value).is_some() => {
                floats.push_int(value);
            }
            _ => {
                self.make_room_for(cell, dictionary);
                self.push(cell, dictionary);
            }
        }
    }

    /// Takes a form that holds what there is and another cell.
    fn make_room_for(&mut self, cell: Cell, dictionary: &mut impl AddValue) {
        *self = match (&*self, cell) {
            (Self::Missing(rows), Cell::Int(_)) => Self::Ints(Ints::missing(*rows)),
            (Self::Missing(rows), Cell::Float(_)) => Self::Floats(Floats {
                values: vec![0.0; *rows],
                ints: FixedBitSet::new(),
                gaps: Gaps::missing(*rows),
            }),
            (Self::Ints(ints), Cell::Float(_)) if let Some(floats) = Floats::from_ints(ints) => {
                Self::Floats(floats)
            }
            (other, _) => other.to_codes(dictionary),
        };
    }

    fn to_codes(&self, dictionary: &mut impl AddValue) -> Self {
        if let Self::Missing(rows) = self {
            return Self::Codes(Codes::with_capacity_of(*rows));
        }
        let mut codes = Codes::U8(Vec::with_capacity(self.len() + 1));
        for row in 0..self.len() {
            codes.push(code_of(self.at(row), dictionary));
        }
        Self::Codes(codes)
    }

    /// Adds rows that lack the field until there are so many.
    pub(super) fn pad(&mut self, rows: usize, dictionary: &mut impl AddValue) {
        match self {
            Self::Missing(have) => *have = rows.max(*have),
            _ => (self.len()..rows).for_each(|_| self.push(Cell::Missing, dictionary)),
        }
    }

    /// Takes as little memory as it can, when no rows are to come.
    pub(super) fn seal(&mut self) {
        match self {
            Self::Missing(_) => {}
            Self::Codes(codes) => codes.seal(),
            Self::Ints(ints) => ints.seal(),
            Self::Floats(floats) => floats.values.shrink_to_fit(),
        }
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Missing(_) => 0,
            Self::Codes(codes) => codes.bytes(),
            Self::Ints(ints) => ints.bytes(),
            Self::Floats(floats) => {
                floats.values.capacity() * 8 + bytes_of(&floats.ints) + floats.gaps.bytes()
            }
        }
    }
}

/// What gives values their codes.
pub(super) trait AddValue {
    /// The code of a value, which is added if it is new.
    fn add(&mut self, value: ValueRef<'_>) -> u32;
}

/// A dictionary that others may be reading is copied only for a value that it lacks.
impl AddValue for std::sync::Arc<Dictionary> {
    fn add(&mut self, value: ValueRef<'_>) -> u32 {
        self.find(value).unwrap_or_else(|| std::sync::Arc::make_mut(self).add(value))
    }
}

fn code_of(cell: Cell, dictionary: &mut impl AddValue) -> u32 {
    match cell {
        Cell::Missing => MISSING,
        Cell::Null => NULL,
        Cell::Int(value) => dictionary.add(ValueRef::Int(value)),
        Cell::Float(value) => dictionary.add(ValueRef::Float(value)),
        Cell::Code(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn segment(cells: &[Cell], dictionary: &mut Arc<Dictionary>) -> Segment {
        let mut segment = Segment::Missing(0);
        for cell in cells {
            segment.push(*cell, dictionary);
        }
        segment
    }

    /// The name of the form that some cells come to.
    fn form(segment: &Segment) -> &'static str {
        match segment {
            Segment::Missing(_) => "missing",
            Segment::Codes(Codes::U8(_)) => "codes of 8 bits",
            Segment::Codes(Codes::U16(_)) => "codes of 16 bits",
            Segment::Codes(Codes::U32(_)) => "codes of 32 bits",
            Segment::Ints(ints) => match ints.packed {
                Packed::U8(_) => "ints of 8 bits",
                Packed::U16(_) => "ints of 16 bits",
                Packed::U32(_) => "ints of 32 bits",
                Packed::I64(_) => "ints",
            },
            Segment::Floats(_) => "floats",
        }
    }

    #[track_caller]
    fn check(cells: &[Cell], expected: &str) {
        let mut dictionary = Arc::new(Dictionary::default());
        let mut segment = segment(cells, &mut dictionary);
        segment.seal();
        assert_eq!(form(&segment), expected, "{cells:?}");
    }

    #[test]
    fn the_narrowest_form() {
        use Cell::{Code, Float, Int, Missing, Null};
        check(&[Missing, Missing], "missing");
        check(&[Null], "codes of 8 bits");
        check(&[Code(2), Missing], "codes of 8 bits");
        check(&[Code(2), Code(256)], "codes of 16 bits");
        check(&[Code(300), Code(65_536)], "codes of 32 bits");
        check(&[Int(-5), Missing, Int(250)], "ints of 8 bits");
        check(&[Int(-5), Int(251)], "ints of 16 bits");
        check(&[Int(0), Int(65_536), Null], "ints of 32 bits");
        check(&[Int(i64::MIN), Int(i64::MAX)], "ints");
        check(&[Int(1), Float(0.5)], "floats");
        check(&[Float(0.5), Int(1), Missing], "floats");
        check(&[Float(0.5), Int(i64::MAX)], "codes of 8 bits");
        check(&[Int(i64::MAX), Float(0.5)], "codes of 8 bits");
        check(&[Int(1), Code(2)], "codes of 8 bits");
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            2 => Just(Cell::Missing),
            1 => Just(Cell::Null),
            4 => (-3_i64..300).prop_map(Cell::Int),
            1 => any::<i64>().prop_map(Cell::Int),
            2 => (-3_i32..9).prop_map(|halves| Cell::Float(f64::from(halves) / 2.0)),
            1 => Just(Cell::Code(2)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_there(
            cells in prop::collection::vec(cell(), 0..40),
            seal_at in 0_usize..40,
        ) {
            let mut dictionary = Arc::new(Dictionary::default());
            let text = dictionary.add(ValueRef::Text("x"));
            prop_assert_eq!(text, 2);
            let mut segment = Segment::Missing(0);
            for (row, cell) in cells.iter().enumerate() {
                if row == seal_at {
                    segment.seal();
                }
                segment.push(*cell, &mut dictionary);
            }
            segment.seal();
            prop_assert_eq!(segment.len(), cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let found = segment.at(row).value(&dictionary);
                let pushed = cell.value(&dictionary);
                // Their types too: 1 and 1.0 are equal, but only one of them is an integer.
                prop_assert_eq!(format!("{found:?}"), format!("{pushed:?}"));
            }
        }
    }
}
