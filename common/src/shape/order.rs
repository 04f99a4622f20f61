//! Sorting and limiting. What is sorted are the beginnings of values, each with its place; groups are moved
//! once in the end.

use std::cmp::Ordering;

use super::answer::{GroupAnswer, List};
use super::columns::Columns;
use super::keys::GroupKeys;
use super::rows::Cell;
use crate::query::GroupSort;
use crate::value::{Beginning, ValueRef};

/// The places of groups in the order of their keys.
fn by_keys(keys: &GroupKeys) -> Vec<usize> {
    let mut order: Vec<Place> = (0..keys.len()).map(|group| (Beginning::LAST, group)).collect();
    sort_by_key(&mut order, keys, 0);
    order.into_iter().map(|(_, group)| group).collect()
}

/// What the values to be sorted begin with, and whose they are.
type Place = (Beginning, usize);

/// Sorts groups that are alike up to a key by it and those after it.
fn sort_by_key(order: &mut [Place], keys: &GroupKeys, key: usize) {
    for (beginning, group) in &mut *order {
        *beginning = Beginning::of(keys.get(*group, key));
    }
    order.sort_unstable();
    for alike in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
        if !alike[0].0.is_whole() {
            alike.sort_unstable_by(|a, b| keys.get(a.1, key).cmp(&keys.get(b.1, key)));
        }
        if key + 1 < keys.width() {
            let equal = alike.chunk_by_mut(|a, b| keys.get(a.1, key) == keys.get(b.1, key));
            equal.filter(|equal| equal.len() > 1).for_each(|equal| sort_by_key(equal, keys, key + 1));
        }
    }
}

impl GroupAnswer {
    /// Sorts groups by their keys, then rows as asked, and cuts them off after so many.
    pub(super) fn arrange(self, sort: Option<&GroupSort>, limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        let mut order = match &self.list {
            List::Groups(keys) | List::Nested(keys, _) => by_keys(keys),
            List::Flat(_, rows) if sort.is_some() || limit < rows.len() => (0..rows.len()).collect(),
            // Periods alone are in the order of time, and all of them are asked for.
            List::Flat(..) | List::Periods(_) => return self,
        };
        if let Some(sort) = sort {
            order = self.sorted(&order, sort, limit);
        }
        order.truncate(limit);
        let (list, tallies) = match self.list {
            List::Groups(keys) => (List::Groups(keys.in_order(&order)), self.tallies.in_order(&order)),
            List::Nested(keys, groups) => {
                (List::Nested(keys.in_order(&order), in_order(groups, &order)), self.tallies)
            }
            List::Flat(keys, rows) => (List::Flat(keys, in_order(rows, &order)), self.tallies),
            list @ List::Periods(_) => (list, self.tallies),
        };
        Self { tallies, list, ..self }
    }

    /// The first places in the order that is asked for; those that are equal stay as they are.
    fn sorted(&self, places: &[usize], sort: &GroupSort, limit: usize) -> Vec<usize> {
        let rows = self.rows();
        let part = Columns::part(&self.columns.rows, &sort.column);
        let cell = |rank: usize| rows.at(places[rank]).cell(part?);
        let mut order: Vec<Place> = (0..places.len()).map(|rank| (beginning(cell(rank)), rank)).collect();
        let compare = |a: &Place, b: &Place| {
            let by_cell = a.0.cmp(&b.0).then_with(|| {
                if a.0.is_whole() { Ordering::Equal } else { compare_cells(cell(a.1), cell(b.1)) }
            });
            sort.direction.apply(by_cell).then(a.1.cmp(&b.1))
        };
        if limit < order.len() {
            order.select_nth_unstable_by(limit, compare);
            order.truncate(limit);
        }
        order.sort_unstable_by(compare);
        order.into_iter().map(|(_, rank)| places[rank]).collect()
    }
}

/// A filled gap has null, or under a bare name nothing, where other rows have a set; it comes first.
fn beginning(cell: Option<Cell<'_>>) -> Beginning {
    match cell {
        None => Beginning::of(ValueRef::Null),
        Some(Cell::Value(value)) => Beginning::of(value),
        Some(Cell::List(_) | Cell::Rows(_)) => Beginning::LAST,
    }
}

/// The order of cells of the same beginning.
fn compare_cells(a: Option<Cell<'_>>, b: Option<Cell<'_>>) -> Ordering {
    match (a, b) {
        (Some(Cell::Value(a)), Some(Cell::Value(b))) => a.cmp(&b),
        (Some(Cell::List(a)), Some(Cell::List(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// Things in the order in which their places are given.
fn in_order<T: Default>(things: Vec<T>, order: &[usize]) -> Vec<T> {
    let mut things = things;
    order.iter().map(|place| std::mem::take(&mut things[*place])).collect()
}
