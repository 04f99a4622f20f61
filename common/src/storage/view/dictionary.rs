//! The distinct values of a column, each with a code.
//!
//! Codes are given out in the order in which values come, and never change: what was encoded before
//! a value was added stays true after.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::value::{Value, ValueRef};

/// The code of a record that lacks the field.
pub(super) const MISSING: u32 = 0;
/// The code of an explicit null.
pub(super) const NULL: u32 = 1;
/// The code of the first value.
pub(super) const FIRST: u32 = 2;

/// Values and their codes.
#[derive(Clone, Default)]
pub(super) struct Dictionary {
    values: Vec<Value>,
    /// Codes, found by the hash of their values.
    codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
    text_bytes: usize,
    has_equals: bool,
}

impl Dictionary {
    /// The code of a value that is known.
    pub(super) fn find(&self, value: ValueRef<'_>) -> Option<u32> {
        if value.is_null() {
            return Some(NULL);
        }
        let is_it = |code: &u32| is_same(self.of(*code), value);
        self.codes.find(self.hasher.hash_one(value), is_it).copied()
    }

    /// The codes of all values that are equal to one, as 1 and 1.0 are; null is none of them.
    pub(super) fn equals(&self, value: ValueRef<'_>) -> impl Iterator<Item = u32> {
        let alike = self.codes.iter_hash(self.hasher.hash_one(value)).copied();
        alike.filter(move |code| self.of(*code) == value)
    }

    /// The code of a value, which is added if it is new.
    pub(super) fn add(&mut self, value: ValueRef<'_>) -> u32 {
        if let Some(code) = self.find(value) {
            return code;
        }
        let hash = self.hasher.hash_one(value);
        self.has_equals |= self.codes.find(hash, |code| self.of(*code) == value).is_some();
        let code = u32::try_from(self.values.len()).map_or(u32::MAX, |place| place + FIRST);
        self.text_bytes += if let ValueRef::Text(text) = value { text.len() + ALLOCATION } else { 0 };
        self.values.push(value.to_value());
        let (values, hasher) = (&self.values, &self.hasher);
        let rehash = |code: &u32| hasher.hash_one(values[(*code - FIRST) as usize].as_ref());
        self.codes.insert_unique(hash, code, rehash);
        code
    }

    /// The value of a code; none for [`MISSING`].
    pub(super) fn value(&self, code: u32) -> Option<ValueRef<'_>> {
        match code {
            MISSING => None,
            NULL => Some(ValueRef::Null),
            code => Some(self.of(code)),
        }
    }

    /// One more than the largest code there is.
    pub(super) fn len(&self) -> usize {
        self.values.len() + FIRST as usize
    }

    /// Whether it has values that are equal though not the same, as 1 and 1.0, which a group and a
    /// set hold once.
    pub(super) fn has_equals(&self) -> bool {
        self.has_equals
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<Value>() + self.codes.allocation_size() + self.text_bytes
    }

    fn of(&self, code: u32) -> ValueRef<'_> {
        self.values[(code - FIRST) as usize].as_ref()
    }
}

/// What an allocation takes beside its bytes, about.
const ALLOCATION: usize = 16;

/// Whether two values are of one type as well as equal: sums of integers are integers, so a
/// dictionary has to tell 1 from 1.0.
fn is_same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Float(a), ValueRef::Float(b)) => a.to_bits() == b.to_bits(),
        (ValueRef::Int(_), ValueRef::Float(_)) | (ValueRef::Float(_), ValueRef::Int(_)) => false,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::Timestamp;

    #[test]
    fn every_value_has_a_code_of_its_own() {
        let values = [
            ValueRef::Text("a"),
            ValueRef::Text(""),
            ValueRef::Text("1"),
            ValueRef::Int(1),
            ValueRef::Float(1.5),
            ValueRef::Bool(true),
            ValueRef::Time(Timestamp::MIN),
        ];
        let mut dictionary = Dictionary::default();
        let codes = values.map(|value| dictionary.add(value));
        assert_eq!(codes, [2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(values.map(|value| dictionary.add(value)), codes);
        assert_eq!(values.map(|value| dictionary.find(value)), codes.map(Some));
        assert_eq!(codes.map(|code| dictionary.value(code)), values.map(Some));
        assert_eq!(dictionary.len(), 9);
        assert!(!dictionary.has_equals());
        assert_eq!(dictionary.find(ValueRef::Text("b")), None);
    }

    #[test]
    fn null_and_missing_are_two() {
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.add(ValueRef::Null), NULL);
        assert_eq!(dictionary.value(NULL), Some(ValueRef::Null));
        assert_eq!(dictionary.value(MISSING), None);
        assert_eq!(dictionary.len(), 2);
    }

    #[test]
    fn equal_numbers_keep_their_types() {
        let mut dictionary = Dictionary::default();
        let int = dictionary.add(ValueRef::Int(1));
        assert!(!dictionary.has_equals());
        let float = dictionary.add(ValueRef::Float(1.0));
        assert_ne!(int, float);
        assert!(dictionary.has_equals());
        assert!(matches!(dictionary.value(float), Some(ValueRef::Float(_))));
        let mut zeros = Dictionary::default();
        assert_ne!(zeros.add(ValueRef::Float(0.0)), zeros.add(ValueRef::Float(-0.0)));
        assert!(zeros.has_equals());
    }
}
