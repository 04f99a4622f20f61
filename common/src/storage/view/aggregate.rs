//! A query for groups, answered from a view.
//!
//! Large views are read by one thread for each processor, chunk by chunk; each has groups of its own,
//! which are merged in the end.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hashbrown::HashMap;

use super::groups::{Groups, too_many};
use super::plan::Plan;
use super::selection::{BLOCK, Rows};
use super::sets::{Sets, SortedPairs};
use super::{Part, View, top};
use crate::aggregate::Partial;
use crate::query::GroupQuery;
use crate::storage::{Row, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// The groups that a query asks for, by the contract of
/// [`StorageEngine::aggregate`](crate::storage::StorageEngine::aggregate); none if the view cannot tell.
///
/// # Errors
///
/// [`StorageErrorKind::TooManyRows`]; [`StorageErrorKind::Unavailable`] soon after `unwanted` becomes true.
pub(in crate::storage) fn aggregate(
    view: &View,
    query: &GroupQuery,
    unwanted: &AtomicBool,
) -> Result<Option<Vec<Row>>, StorageError> {
    let fields = query.collected_fields();
    let Some(plan) = Plan::new(view, query, &fields) else { return Ok(None) };
    if plan.keys.is_none() {
        return Ok(Some(Vec::new()));
    }
    let groups = add_up(view, &plan, unwanted)?;
    let check = |rows: usize| if rows > query.max_rows { Err(too_many(query.max_rows)) } else { Ok(()) };
    if plan.keys.iter().flatten().any(|key| key.has_equals(view)) {
        let rows = merge_equals(rows(view, &plan, &groups, groups.found()));
        return check(rows.len()).map(|()| Some(rows));
    }
    check(groups.found().count())?;
    let wanted = top::wanted(view, &plan, &groups, query);
    Ok(Some(rows(view, &plan, &groups, wanted.into_iter())))
}

/// Adds up the groups of all chunks.
fn add_up<'p>(view: &'p View, plan: &'p Plan<'p>, unwanted: &AtomicBool) -> Result<Groups<'p>, StorageError> {
    let parts: Vec<&Part> = view.parts.iter().filter(|part| plan.selector.may_select(&part.chunk)).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Groups<'p>, StorageError> {
        let mut groups = Groups::new(plan, view);
        let mut rows = Rows::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            check_wanted(unwanted)?;
            for start in (0..part.chunk.len()).step_by(BLOCK) {
                rows.reset(start..part.chunk.len().min(start + BLOCK));
                groups.add(part, &mut rows)?;
            }
        }
        Ok(groups)
    };
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // A thread for less than a chunk would take longer to start than it saves.
    let others = processors.min(parts.len()).saturating_sub(1);
    thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let mut groups = work()?;
        for other in others {
            let other = other
                .join()
                .map_err(|_| StorageError::new(StorageErrorKind::Internal, "a thread panicked"))?;
            groups.merge(&other?)?;
        }
        Ok(groups)
    })
}

/// Fails if nobody waits for the answer any more.
pub(in crate::storage) fn check_wanted(unwanted: &AtomicBool) -> Result<(), StorageError> {
    if unwanted.load(Ordering::Relaxed) {
        return Err(StorageError::new(StorageErrorKind::Unavailable, "nobody waits for the answer any more"));
    }
    Ok(())
}

/// The rows of some groups.
fn rows(view: &View, plan: &Plan<'_>, groups: &Groups<'_>, wanted: impl Iterator<Item = u32>) -> Vec<Row> {
    let pairs: Vec<Option<SortedPairs>> =
        groups.sets.iter().map(|sets| sets.as_ref().map(Sets::sorted_pairs)).collect();
    wanted.map(|group| row(view, plan, groups, &pairs, group)).collect()
}

fn row(view: &View, plan: &Plan<'_>, groups: &Groups<'_>, pairs: &[Option<SortedPairs>], group: u32) -> Row {
    let (numbers, period) = plan.split(groups.number_of(group));
    let keys = plan.keys.iter().flatten().zip(numbers).zip(&groups.interners);
    let value = |((key, number), interner): ((&super::keys::Key, u64), _)| {
        key.value(number, view.columns.dictionary(key.place), interner).to_value()
    };
    Row {
        keys: keys.map(value).collect(),
        start: plan.periods.as_ref().map(|periods| periods.start(period)),
        count: groups.counts[group as usize],
        collected: (0..plan.collected.len())
            .map(|place| partial(view, plan, groups, pairs, group, place))
            .collect(),
    }
}

/// What is known of one collected field in a group.
fn partial(
    view: &View,
    plan: &Plan<'_>,
    groups: &Groups<'_>,
    pairs: &[Option<SortedPairs>],
    group: u32,
    place: usize,
) -> Partial {
    let field = plan.collected[place];
    let tally = groups.tallies[place].as_ref().map(|tallies| tallies.tallies[group as usize]);
    let counted = tally.unwrap_or_default().partial();
    let mut partial = Partial { set: Partial::new(field.wants_set).set, ..counted };
    if let (Some(sets), Some(pairs), Some(column)) = (&groups.sets[place], &pairs[place], field.place) {
        sets.fill(group, pairs, view.columns.dictionary(column), &mut partial);
    }
    partial
}

/// Makes one row of those whose keys are equal, as 1 and 1.0 are.
fn merge_equals(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(Box<[Value]>, Option<Timestamp>), usize> = HashMap::new();
    for row in rows {
        let place = *places.entry((row.keys.clone(), row.start)).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(row),
            Some(known) => known.merge(&row),
        }
    }
    merged
}
