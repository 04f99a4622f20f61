//! A query for groups, answered from a view.
//!
//! Large views are read by one thread for each processor, as far as others have not got those, chunk by chunk;
//! each has groups of its own, which are merged in the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hashbrown::HashMap;

use super::groups::{Groups, too_many, too_many_members};
use super::helpers::Helpers;
use super::plan::Plan;
use super::selection::{BLOCK, Rows};
use super::sets::{Sets, SortedPairs};
use super::{Part, View, top};
use crate::aggregate::Partial;
use crate::query::GroupQuery;
use crate::storage::{Interest, Row, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// The groups that a query asks for, by the contract of
/// [`StorageEngine::aggregate`](crate::storage::StorageEngine::aggregate); none if the view cannot tell.
///
/// # Errors
///
/// [`StorageErrorKind::TooManyRows`]; [`StorageErrorKind::Unavailable`] soon after interest is lost.
pub(in crate::storage) fn aggregate(
    view: &View,
    query: &GroupQuery,
    helpers: &Helpers,
    interest: &Interest,
) -> Result<Option<Vec<Row>>, StorageError> {
    let fields = query.collected_fields();
    let Some(plan) = Plan::new(view, query, &fields, interest)? else { return Ok(None) };
    if plan.keys.is_none() {
        return Ok(Some(Vec::new()));
    }
    let groups = add_up(view, &plan, helpers, interest)?;
    let max = query.max_rows;
    let check = |rows: usize| if rows > max { Err(too_many(max)) } else { Ok(()) };
    let shown = Shown::new(view, &plan, &groups, interest);
    if plan.keys.iter().flatten().any(|key| key.has_equals(view)) {
        let rows = shown.rows(groups.found(), plan.max_groups(view))?;
        let rows = merge_equals(rows, interest)?;
        let members: usize = rows.iter().flat_map(|row| &row.collected).map(Partial::members).sum();
        check(rows.len())?;
        return if members > max { Err(too_many_members(max)) } else { Ok(Some(rows)) };
    }
    check(groups.found().count())?;
    let wanted = top::wanted(view, &plan, &groups, query, interest)?;
    shown.rows(wanted.into_iter(), max).map(Some)
}

/// Adds up the groups of all chunks.
fn add_up<'p>(
    view: &'p View,
    plan: &'p Plan<'p>,
    helpers: &Helpers,
    interest: &Interest,
) -> Result<Groups<'p>, StorageError> {
    let parts: Vec<&Part> = view.parts.iter().filter(|part| plan.selector.may_select(&part.chunk)).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Groups<'p>, StorageError> {
        let mut groups = Groups::new(plan, view);
        let mut rows = Rows::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            for start in (0..part.chunk.len()).step_by(BLOCK) {
                interest.check()?;
                rows.reset(start..part.chunk.len().min(start + BLOCK));
                groups.add(part, &mut rows)?;
            }
        }
        Ok(groups)
    };
    // A thread for less than a chunk would take longer to start than it saves.
    let others = helpers.take(parts.len().saturating_sub(1));
    thread::scope(|scope| {
        let others: Vec<_> = (0..others.count()).map(|_| scope.spawn(work)).collect();
        let mut groups = work()?;
        for other in others {
            let other = other
                .join()
                .map_err(|_| StorageError::new(StorageErrorKind::Internal, "a thread panicked"))?;
            groups.merge(&other?, interest)?;
        }
        Ok(groups)
    })
}

/// Groups as they are shown.
struct Shown<'a> {
    view: &'a View,
    plan: &'a Plan<'a>,
    groups: &'a Groups<'a>,
    /// By collected field: the members of sets that are held as pairs.
    pairs: Vec<Option<SortedPairs>>,
    interest: &'a Interest,
}

impl<'a> Shown<'a> {
    fn new(view: &'a View, plan: &'a Plan<'_>, groups: &'a Groups<'_>, interest: &'a Interest) -> Self {
        let pairs = groups.sets.iter().map(|sets| sets.as_ref().map(Sets::sorted_pairs)).collect();
        Self { view, plan, groups, pairs, interest }
    }

    /// The rows of some groups, whose sets have so many members at the most.
    fn rows(&self, wanted: impl Iterator<Item = u32>, max_members: usize) -> Result<Vec<Row>, StorageError> {
        let (mut rows, mut members) = (Vec::new(), 0);
        for (place, group) in wanted.enumerate() {
            self.interest.check_at(place)?;
            let row = self.row(group);
            members += row.collected.iter().map(Partial::members).sum::<usize>();
            if members > max_members {
                return Err(too_many_members(self.plan.max_rows));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn row(&self, group: u32) -> Row {
        let (plan, groups) = (self.plan, self.groups);
        let (numbers, period) = plan.split(groups.number_of(group));
        let keys = plan.keys.iter().flatten().zip(numbers).zip(&groups.interners);
        let value = |((key, number), interner): ((&super::keys::Key, u64), _)| {
            key.value(number, self.view.columns.dictionary(key.place), interner).to_value()
        };
        Row {
            keys: keys.map(value).collect(),
            start: plan.periods.as_ref().map(|periods| periods.start(period)),
            count: groups.counts[group as usize],
            collected: (0..plan.collected.len()).map(|place| self.partial(group, place)).collect(),
        }
    }

    /// What is known of one collected field in a group.
    fn partial(&self, group: u32, place: usize) -> Partial {
        let (field, groups) = (self.plan.collected[place], self.groups);
        let tally = groups.tallies[place].as_ref().map(|tallies| tallies.tallies[group as usize]);
        let counted = tally.unwrap_or_default().partial();
        let mut partial = Partial { set: Partial::new(field.wants_set).set, ..counted };
        if let (Some(sets), Some(pairs), Some(column)) =
            (&groups.sets[place], &self.pairs[place], field.place)
        {
            sets.fill(group, pairs, self.view.columns.dictionary(column), &mut partial);
        }
        partial
    }
}

/// Makes one row of those whose keys are equal, as 1 and 1.0 are.
fn merge_equals(rows: Vec<Row>, interest: &Interest) -> Result<Vec<Row>, StorageError> {
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(Box<[Value]>, Option<Timestamp>), usize> = HashMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        interest.check_at(place)?;
        let place = *places.entry((row.keys.clone(), row.start)).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(row),
            Some(known) => known.merge(&row),
        }
    }
    Ok(merged)
}
