//! The distinct values of a collected field, for each group, as numbers.

use std::ops::Range;

use hashbrown::{HashMap, HashSet};

use super::View;
use super::dictionary::{Dictionary, MISSING};
use super::keys::{Interner, Numbering, segments};
use super::segment::{Cell, Segment};
use super::selection::{Rows, with_codes};
use crate::aggregate::Partial;
use crate::storage::{Interest, StorageError};

/// How many bits are kept at the most, all groups and fields together: 4 MB, which is about what a cache
/// holds.
const MAX_BITS: usize = 1 << 25;

/// The sets of a field, by group.
#[derive(Debug)]
pub(super) struct Sets {
    numbering: Numbering,
    interner: Interner,
    members: Members,
}

/// Which numbers are in which set.
#[derive(Debug)]
enum Members {
    /// A bit for each group and number, `width` of them for a group.
    Bits { width: usize, bits: Vec<u64> },
    /// Pairs of group and number, `group << 32 | number`.
    Pairs(HashSet<u64>),
}

impl Sets {
    /// Sets for so many groups, of one of `fields` fields; none if groups are to be added as they come.
    pub(super) fn new(view: &View, place: Option<usize>, groups: Option<usize>, fields: usize) -> Self {
        let is_coded = |segment: &Segment| matches!(segment, Segment::Codes(_) | Segment::Missing(_));
        let coded = place.is_some_and(|place| segments(view, place).all(is_coded));
        let numbering = if coded { Numbering::Codes } else { Numbering::AsTheyCome };
        let width = place.map_or(0, |place| view.columns.dictionary(place).len());
        let bits = groups
            .and_then(|groups| groups.checked_mul(width))
            .filter(|bits| coded && *bits <= MAX_BITS / fields.max(1));
        let members = match bits {
            Some(bits) => Members::Bits { width, bits: vec![0; bits.div_ceil(64)] },
            None => Members::Pairs(HashSet::new()),
        };
        Self { numbering, interner: Interner::default(), members }
    }

    /// Adds the values of some rows, each to the set of its group.
    pub(super) fn add(
        &mut self,
        segment: Option<&Segment>,
        dictionary: &Dictionary,
        rows: &Rows,
        groups: &[u32],
    ) {
        let Some(segment) = segment.filter(|segment| !matches!(segment, Segment::Missing(_))) else { return };
        match (&mut self.members, &self.numbering, segment) {
            (Members::Bits { width, bits }, _, Segment::Codes(codes)) => {
                // Those that lack the field have a bit as well, which is left out in the end.
                with_codes!(codes, code => rows.each(|place, row| {
                    set(bits, groups[place] as usize * *width + code(row) as usize);
                }));
            }
            (Members::Pairs(pairs), Numbering::Codes, Segment::Codes(codes)) => {
                with_codes!(codes, code => rows.each(|place, row| {
                    let code = code(row);
                    if code != MISSING {
                        pairs.insert(pair(groups[place], code));
                    }
                }));
            }
            (Members::Pairs(pairs), _, segment) => {
                let interner = &mut self.interner;
                rows.each(|place, row| match segment.at(row) {
                    Cell::Missing => {}
                    cell => {
                        pairs.insert(pair(groups[place], interner.number(cell, dictionary)));
                    }
                });
            }
            (Members::Bits { .. }, ..) => {}
        }
    }

    /// How many members are held one by one; what bits take is bounded anyway.
    pub(super) fn pairs(&self) -> usize {
        match &self.members {
            Members::Bits { .. } => 0,
            Members::Pairs(pairs) => pairs.len(),
        }
    }

    /// Adds the sets of another; `groups` are its groups, each with which of ours it is.
    pub(super) fn merge(
        &mut self,
        other: &Self,
        groups: &[(u32, u32)],
        interest: &Interest,
    ) -> Result<(), StorageError> {
        match (&mut self.members, &other.members) {
            (Members::Bits { width, bits }, Members::Bits { bits: others, .. }) => {
                for (place, (theirs, ours)) in groups.iter().enumerate() {
                    interest.check_at(place)?;
                    let (from, to) = (*theirs as usize * *width, *ours as usize * *width);
                    each_set(others, from..from + *width, |bit| set(bits, to + bit - from));
                }
            }
            (Members::Pairs(pairs), Members::Pairs(others)) => {
                let numbers = self.interner.translate(&other.interner);
                let group_of: HashMap<u32, u32> = groups.iter().copied().collect();
                for (place, other) in others.iter().enumerate() {
                    interest.check_at(place)?;
                    let (group, number) = unpair(*other);
                    let number = numbers.get(number as usize).copied().unwrap_or(number);
                    pairs.extend(group_of.get(&group).map(|group| pair(*group, number)));
                }
            }
            (Members::Bits { .. }, Members::Pairs(_)) | (Members::Pairs(_), Members::Bits { .. }) => {}
        }
        Ok(())
    }

    /// Adds the values of a group's set to that of a partial.
    pub(super) fn fill(
        &self,
        group: u32,
        members: &SortedPairs,
        dictionary: &Dictionary,
        partial: &mut Partial,
    ) {
        let mut add = |number: u32| {
            let cell = match self.numbering {
                Numbering::Codes => Cell::Code(number),
                Numbering::From(_) | Numbering::AsTheyCome => self.interner.cell(number as usize),
            };
            if let Some(value) = cell.value(dictionary) {
                partial.add_to_set(value);
            }
        };
        match &self.members {
            Members::Bits { width, bits } => {
                let first = group as usize * width;
                let add = |bit: usize| add(u32::try_from(bit - first).unwrap_or(MISSING));
                each_set(bits, first..first + width, add);
            }
            Members::Pairs(_) => members.of(group).for_each(add),
        }
    }

    /// The pairs by group, to be looked through group after group.
    pub(super) fn sorted_pairs(&self) -> SortedPairs {
        let Members::Pairs(pairs) = &self.members else { return SortedPairs(Vec::new()) };
        let mut sorted: Vec<u64> = pairs.iter().copied().collect();
        sorted.sort_unstable();
        SortedPairs(sorted)
    }
}

fn set(bits: &mut [u64], bit: usize) {
    bits[bit / 64] |= 1 << (bit % 64);
}

/// Calls `visit` with each bit of a range that is set.
fn each_set(bits: &[u64], range: Range<usize>, mut visit: impl FnMut(usize)) {
    let first = range.start / 64;
    for (word, bits) in (first..).zip(&bits[first..range.end.div_ceil(64)]) {
        let mut left = *bits;
        while left != 0 {
            let bit = word * 64 + left.trailing_zeros() as usize;
            if range.contains(&bit) {
                visit(bit);
            }
            left &= left - 1;
        }
    }
}

/// Pairs of group and number, sorted.
pub(super) struct SortedPairs(Vec<u64>);

impl SortedPairs {
    fn of(&self, group: u32) -> impl Iterator<Item = u32> {
        let first = self.0.partition_point(|other| *other < pair(group, 0));
        self.0[first..]
            .iter()
            .map(|pair| unpair(*pair))
            .take_while(move |(of, _)| *of == group)
            .map(|(_, number)| number)
    }
}

fn pair(group: u32, number: u32) -> u64 {
    u64::from(group) << 32 | u64::from(number)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a pair")]
fn unpair(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}
