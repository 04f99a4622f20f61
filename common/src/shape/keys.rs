//! The keys of all groups in one piece, so that going through many groups is going through memory in order.

use crate::value::{Value, ValueRef};

/// The keys of groups, as many for each.
#[derive(Clone, Debug)]
pub(super) struct GroupKeys {
    width: usize,
    keys: Vec<Packed>,
    texts: String,
}

#[derive(Clone, Copy, Debug)]
enum Packed {
    Text { start: usize, length: usize },
    Other(ValueRef<'static>),
}

impl GroupKeys {
    /// Those of no group yet, with room for so many of so many keys.
    pub(super) fn new(width: usize, capacity: usize) -> Self {
        let keys = Vec::with_capacity(width.saturating_mul(capacity));
        Self { width, keys, texts: String::new() }
    }

    /// Adds a group.
    pub(super) fn push(&mut self, keys: &[Value]) {
        for key in keys {
            self.push_key(key.as_ref());
        }
    }

    fn push_key(&mut self, key: ValueRef<'_>) {
        self.keys.push(match key {
            ValueRef::Text(text) => {
                self.texts.push_str(text);
                Packed::Text { start: self.texts.len() - text.len(), length: text.len() }
            }
            ValueRef::Null => Packed::Other(ValueRef::Null),
            ValueRef::Bool(value) => Packed::Other(ValueRef::Bool(value)),
            ValueRef::Int(value) => Packed::Other(ValueRef::Int(value)),
            ValueRef::Float(value) => Packed::Other(ValueRef::Float(value)),
            ValueRef::Time(value) => Packed::Other(ValueRef::Time(value)),
        });
    }

    /// How many bytes they take.
    pub(super) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<Packed>() + self.texts.capacity()
    }

    /// Everything, group by group.
    pub(super) fn all(&self) -> impl Iterator<Item = ValueRef<'_>> {
        let groups = (0..self.len()).flat_map(|group| (0..self.width).map(move |key| (group, key)));
        groups.map(|(group, key)| self.get(group, key))
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len().checked_div(self.width).unwrap_or_default()
    }

    /// How many keys each has.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A key of a group.
    pub(super) fn get(&self, group: usize, key: usize) -> ValueRef<'_> {
        match self.keys[group * self.width + key] {
            Packed::Text { start, length } => ValueRef::Text(&self.texts[start..start + length]),
            Packed::Other(value) => value,
        }
    }

    /// The groups whose places are given, in that order.
    pub(super) fn in_order(&self, order: &[usize]) -> Self {
        let mut keys = Self::new(self.width, order.len());
        if order.len() == self.len() {
            keys.texts.reserve(self.texts.len());
        }
        for group in order {
            (0..self.width).for_each(|key| keys.push_key(self.get(*group, key)));
        }
        keys
    }
}
