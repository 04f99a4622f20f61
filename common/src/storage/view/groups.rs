//! The groups of a query, added up block after block.
//!
//! Each row of a block gets the number of its group, then every column that is collected is added to
//! the groups in a loop of its own, over one array.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::keys::Interner;
use super::plan::{FORMS, Plan};
use super::selection::Rows;
use super::sets::Sets;
use super::tallies::{Tallies, Tally};
use super::{Part, View};
use crate::query::InvalidQuery;
use crate::storage::{Interest, StorageError, StorageErrorKind};

/// What was found of the groups so far, by one of those who look.
pub(super) struct Groups<'p> {
    plan: &'p Plan<'p>,
    view: &'p View,
    places: Places,
    max: usize,
    pub(super) counts: Vec<u64>,
    /// By collected field, for those of which counts or sums are wanted.
    pub(super) tallies: Vec<Option<Tallies>>,
    /// By collected field, for those of which sets are wanted.
    pub(super) sets: Vec<Option<Sets>>,
    /// By key.
    pub(super) interners: Vec<Interner>,
    /// Of the rows of a block: keys and period as a number, and the group.
    numbers: Vec<u64>,
    places_of_rows: Vec<u32>,
}

/// How the number of keys and period becomes that of a group.
enum Places {
    /// They are the same.
    Dense,
    /// Groups are numbered as they come.
    Sparse { table: HashTable<u32>, numbers: Vec<u64>, hasher: DefaultHashBuilder },
}

impl<'p> Groups<'p> {
    pub(super) fn new(plan: &'p Plan<'p>, view: &'p View) -> Self {
        let dense = plan.dense_groups(view.len());
        let groups = dense.unwrap_or(0);
        let places = match dense {
            Some(_) => Places::Dense,
            None => Places::Sparse {
                table: HashTable::new(),
                numbers: Vec::new(),
                hasher: DefaultHashBuilder::default(),
            },
        };
        let collected = || plan.collected.iter();
        Self {
            plan,
            view,
            places,
            max: plan.max_groups(view),
            counts: vec![0; groups],
            tallies: collected().map(|field| field.is_tallied().then(|| Tallies::new(groups))).collect(),
            sets: collected()
                .map(|field| field.wants_set.then(|| Sets::new(view, field.place, dense, plan.sets())))
                .collect(),
            interners: plan.keys.iter().flatten().map(|_| Interner::default()).collect(),
            numbers: Vec::new(),
            places_of_rows: Vec::new(),
        }
    }

    /// Adds the rows of a block that are selected.
    pub(super) fn add(&mut self, part: &Part, rows: &mut Rows) -> Result<(), StorageError> {
        let plan = self.plan;
        let chunk = &*part.chunk;
        plan.selector.select(part, self.view, rows);
        for key in plan.keys.iter().flatten() {
            key.retain(chunk, rows);
        }
        if rows.len() == 0 {
            return Ok(());
        }
        self.number(part, rows);
        self.place()?;
        for group in &self.places_of_rows {
            self.counts[*group as usize] += 1;
        }
        for (place, field) in plan.collected.iter().enumerate() {
            let Some(column) = field.place else { continue };
            let segment = chunk.segments.get(column);
            let dictionary = self.view.columns.dictionary(column);
            if let Some(tallies) = &mut self.tallies[place] {
                tallies.add(segment, dictionary, rows, &self.places_of_rows);
            }
            if let Some(sets) = &mut self.sets[place] {
                sets.add(segment, dictionary, rows, &self.places_of_rows);
            }
        }
        self.check_members()
    }

    /// Makes one number of the keys and the period of each row.
    fn number(&mut self, part: &Part, rows: &Rows) {
        let chunk = &*part.chunk;
        self.numbers.clear();
        self.numbers.resize(rows.len(), 0);
        for (key, interner) in self.plan.keys.iter().flatten().zip(&mut self.interners) {
            let dictionary = self.view.columns.dictionary(key.place);
            key.combine(chunk, dictionary, rows, interner, &mut self.numbers);
        }
        if let Some(periods) = &self.plan.periods {
            periods.combine(rows, &chunk.times, &mut self.numbers);
        }
    }

    /// Finds the group of each row.
    fn place(&mut self) -> Result<(), StorageError> {
        self.places_of_rows.clear();
        if let Places::Dense = self.places {
            self.places_of_rows.extend(self.numbers.iter().map(|number| low(*number)));
            return Ok(());
        }
        for place in 0..self.numbers.len() {
            let group = self.group(self.numbers[place])?;
            self.places_of_rows.push(group);
        }
        Ok(())
    }

    /// The group of a number, which is added if it is new.
    fn group(&mut self, number: u64) -> Result<u32, StorageError> {
        let Places::Sparse { table, numbers, hasher } = &mut self.places else { return Ok(low(number)) };
        let hash = hasher.hash_one(number);
        if let Some(group) = table.find(hash, |group| numbers[*group as usize] == number) {
            return Ok(*group);
        }
        if numbers.len() >= self.max {
            return Err(too_many(self.plan.max_rows));
        }
        let group = u32::try_from(numbers.len()).map_err(|_| too_many(self.plan.max_rows))?;
        numbers.push(number);
        table.insert_unique(hash, group, |group| hasher.hash_one(numbers[*group as usize]));
        self.counts.push(0);
        for tallies in self.tallies.iter_mut().flatten() {
            tallies.tallies.push(Tally::default());
        }
        Ok(group)
    }

    /// Fails if sets hold more than they may.
    fn check_members(&self) -> Result<(), StorageError> {
        let members: usize = self.sets.iter().flatten().map(Sets::pairs).sum();
        // Of equal values each has a place until the end, as equal keys have.
        if members > self.max.saturating_mul(FORMS) {
            Err(too_many_members(self.plan.max_rows))
        } else {
            Ok(())
        }
    }

    /// Adds what another one found.
    pub(super) fn merge(&mut self, other: &Self, interest: &Interest) -> Result<(), StorageError> {
        let translated: Vec<Vec<u32>> = self
            .interners
            .iter_mut()
            .zip(&other.interners)
            .map(|(ours, theirs)| ours.translate(theirs))
            .collect();
        // Each group of theirs, and which of ours it is.
        let mut groups = Vec::new();
        for (place, group) in other.found().enumerate() {
            interest.check_at(place)?;
            let number = self.translate(other.number_of(group), &translated);
            let ours = self.group(number)?;
            groups.push((group, ours));
            let (ours, theirs) = (ours as usize, group as usize);
            self.counts[ours] += other.counts[theirs];
            for (tallies, other) in self.tallies.iter_mut().flatten().zip(other.tallies.iter().flatten()) {
                tallies.tallies[ours].merge(&other.tallies[theirs]);
            }
        }
        for (sets, other) in self.sets.iter_mut().flatten().zip(other.sets.iter().flatten()) {
            sets.merge(other, &groups, interest)?;
        }
        self.check_members()
    }

    /// A number of another one as ours: values that are numbered as they come have other numbers there.
    fn translate(&self, number: u64, translated: &[Vec<u32>]) -> u64 {
        if translated.iter().all(Vec::is_empty) {
            return number;
        }
        let (keys, period) = self.plan.split(number);
        let keys = keys.into_iter().zip(translated).map(|(key, translated)| {
            let known = usize::try_from(key).ok().and_then(|key| translated.get(key));
            known.map_or(key, |known| u64::from(*known))
        });
        self.plan.join(keys, period)
    }

    /// The groups that have records.
    pub(super) fn found(&self) -> impl Iterator<Item = u32> {
        let found = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        found.map(|(group, _)| u32::try_from(group).unwrap_or(u32::MAX))
    }

    /// The number that the keys and the period of a group make.
    pub(super) fn number_of(&self, group: u32) -> u64 {
        match &self.places {
            Places::Dense => group.into(),
            Places::Sparse { numbers, .. } => numbers[group as usize],
        }
    }
}

impl Plan<'_> {
    /// The numbers of the keys, and of the period, that make a number.
    pub(super) fn split(&self, mut number: u64) -> (Vec<u64>, u64) {
        let mut take = |radix: u64| {
            let low = number % radix.max(1);
            number /= radix.max(1);
            low
        };
        let period = self.periods.as_ref().map_or(0, |periods| take(periods.len() as u64));
        let mut keys: Vec<u64> = self.keys.iter().flatten().rev().map(|key| take(key.radix)).collect();
        keys.reverse();
        (keys, period)
    }

    /// The number that some numbers of keys, and of a period, make.
    fn join(&self, keys: impl Iterator<Item = u64>, period: u64) -> u64 {
        let of_keys =
            self.keys.iter().flatten().zip(keys).fold(0, |number, (key, part)| number * key.radix + part);
        self.periods.as_ref().map_or(of_keys, |periods| of_keys * periods.len() as u64 + period)
    }
}

/// The error that the sets of an answer would have too many members.
pub(super) fn too_many_members(max: usize) -> StorageError {
    StorageError::new(StorageErrorKind::TooManyRows, InvalidQuery::TooManyMembers { max })
}

/// The error that an answer would have too many rows.
pub(super) fn too_many(max: usize) -> StorageError {
    StorageError::new(StorageErrorKind::TooManyRows, InvalidQuery::TooManyRows { max })
}

#[expect(clippy::cast_possible_truncation, reason = "a dense number is below 2 to the 22nd")]
fn low(number: u64) -> u32 {
    number as u32
}
