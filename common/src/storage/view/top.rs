//! Which groups an answer may show: where it is limited, most need not be made.

use super::View;
use super::groups::Groups;
use super::plan::Plan;
use crate::aggregate::Reduced;
use crate::query::{CollectMethod, Direction, GroupQuery};
use crate::storage::{Interest, StorageError};
use crate::value::{Value, ValueRef};

/// What an answer is sorted by first.
enum Order {
    Count,
    /// By the key in that place.
    Key(usize),
    /// By a collected field, in that place, reduced so.
    Collected(usize, CollectMethod),
}

/// The groups that an answer may show: all that come before the limit, and those that are equal to the
/// last of them. Whoever shapes the answer puts them in order.
pub(super) fn wanted(
    view: &View,
    plan: &Plan<'_>,
    groups: &Groups<'_>,
    query: &GroupQuery,
    interest: &Interest,
) -> Result<Vec<u32>, StorageError> {
    let all = || Ok(groups.found().collect());
    let Some((limit, order, direction)) = limit(query) else { return all() };
    if limit == 0 || has_invalid_sums(plan, groups) {
        return all();
    }
    let mut ordered = Vec::new();
    for (place, group) in groups.found().enumerate() {
        interest.check_at(place)?;
        let Some(value) = value(view, plan, groups, &order, group) else { return all() };
        ordered.push((value, group));
    }
    if ordered.len() > limit {
        let (_, (last, _), _) =
            ordered.select_nth_unstable_by(limit - 1, |(a, _), (b, _)| direction.apply(a.cmp(b)));
        let last = *last;
        ordered.retain(|(value, _)| direction.apply(value.cmp(&last)).is_le());
    }
    Ok(ordered.into_iter().map(|(_, group)| group).collect())
}

/// The limit and the order of a query whose groups are its rows.
fn limit(query: &GroupQuery) -> Option<(usize, Order, Direction)> {
    let limit = query.limit.filter(|_| query.window.is_none())?;
    let Some(sort) = &query.sort else { return Some((limit, Order::Key(0), Direction::Ascending)) };
    let key = query.keys.iter().position(|key| key.as_str() == sort.column);
    let order = match key {
        Some(key) => Order::Key(key),
        None if sort.column == "_count" => Order::Count,
        None => collected(query, &sort.column)?,
    };
    Some((limit, order, sort.direction))
}

fn collected(query: &GroupQuery, column: &str) -> Option<Order> {
    let collect = query.collect.iter().find(|collect| collect.column() == column)?;
    let method = collect.effective_method();
    let place = query.collected_fields().iter().position(|field| field.field == collect.field)?;
    match method {
        CollectMethod::Sum | CollectMethod::Count | CollectMethod::Mean => {
            Some(Order::Collected(place, method))
        }
        CollectMethod::Set => None,
    }
}

/// Whether a sum cannot be made, in which case the whole query is refused, whatever it is limited to.
fn has_invalid_sums(plan: &Plan<'_>, groups: &Groups<'_>) -> bool {
    let of_sums = groups.tallies.iter().zip(&plan.collected).filter(|(_, field)| field.wants_sum);
    let tallies = of_sums.filter_map(|(tallies, _)| tallies.as_ref());
    tallies.flat_map(|tallies| &tallies.tallies).any(|tally| tally.others > 0)
}

/// What a group is sorted by first.
fn value<'v>(
    view: &'v View,
    plan: &Plan<'_>,
    groups: &Groups<'_>,
    order: &Order,
    group: u32,
) -> Option<ValueRef<'v>> {
    match order {
        Order::Count => i64::try_from(groups.counts[group as usize]).ok().map(ValueRef::Int),
        Order::Key(place) => {
            let key = plan.keys.as_ref()?.get(*place)?;
            let number = *plan.split(groups.number_of(group)).0.get(*place)?;
            Some(key.value(number, view.columns.dictionary(key.place), &groups.interners[*place]))
        }
        Order::Collected(place, method) => {
            let tally = groups.tallies[*place].as_ref()?.tallies[group as usize];
            match tally.partial().reduce(*method).ok()? {
                Reduced::Value(Value::Int(value)) => Some(ValueRef::Int(value)),
                Reduced::Value(Value::Float(value)) => Some(ValueRef::Float(value)),
                Reduced::Value(Value::Null) => Some(ValueRef::Null),
                Reduced::Value(Value::Bool(_) | Value::Text(_) | Value::Time(_)) | Reduced::Set(_) => None,
            }
        }
    }
}
