//! What was counted and collected, reduced: of all groups and periods one after the other.

use std::collections::HashMap;

use super::rows::Cell;
use crate::aggregate::{Partial, Reduced};
use crate::query::{CollectMethod, GroupQuery, InvalidQuery};

/// Counts and reduced values; a tally is known by its number.
#[derive(Clone, Debug)]
pub(super) struct Tallies {
    reductions: Vec<Reduction>,
    counts: Vec<i64>,
    /// As many for each tally as there are reductions.
    values: Vec<Reduced>,
}

/// A `collect` of the query: which partial it reduces, and how.
#[derive(Clone, Copy, Debug)]
struct Reduction {
    partial: usize,
    method: CollectMethod,
}

impl Tallies {
    /// None yet, with room for so many.
    pub(super) fn new(query: &GroupQuery, capacity: usize) -> Self {
        let fields = query.collected_fields();
        let places: HashMap<_, _> = fields.iter().map(|field| &field.field).zip(0..).collect();
        let reductions = query.collect.iter().map(|collect| Reduction {
            partial: places.get(&collect.field).copied().unwrap_or_default(),
            method: collect.effective_method(),
        });
        let reductions: Vec<Reduction> = reductions.collect();
        let values = Vec::with_capacity(capacity.saturating_mul(reductions.len()));
        Self { reductions, counts: Vec::with_capacity(capacity), values }
    }

    /// Adds a tally; its number.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`] where values cannot be collected as asked.
    pub(super) fn push(&mut self, count: u64, collected: &mut [Partial]) -> Result<usize, InvalidQuery> {
        for reduction in &self.reductions {
            self.values.push(collected[reduction.partial].take(reduction.method)?);
        }
        self.counts.push(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(self.counts.len() - 1)
    }

    /// The tallies whose numbers are given, in that order.
    pub(super) fn in_order(mut self, order: &[usize]) -> Self {
        let width = self.reductions.len();
        let mut values = Vec::with_capacity(width * order.len());
        for tally in order {
            values.extend(self.values[tally * width..][..width].iter_mut().map(std::mem::take));
        }
        let counts = order.iter().map(|tally| self.counts[*tally]).collect();
        Self { reductions: self.reductions, counts, values }
    }

    /// How many tallies there are.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// All that was collected.
    pub(super) fn values(&self) -> &[Reduced] {
        &self.values
    }

    /// How many bytes the numbers and values take, without what lies elsewhere.
    pub(super) fn memory(&self) -> usize {
        self.counts.capacity() * size_of::<i64>() + self.values.capacity() * size_of::<Reduced>()
    }

    /// How many records a tally counts.
    pub(super) fn count(&self, tally: usize) -> i64 {
        self.counts[tally]
    }

    /// What it collected, by the place of the `collect` in the query.
    pub(super) fn cell(&self, tally: usize, place: usize) -> Cell<'_> {
        match &self.values[tally * self.reductions.len() + place] {
            Reduced::Value(value) => Cell::Value(value.as_ref()),
            Reduced::Set(values) => Cell::List(values),
        }
    }
}
