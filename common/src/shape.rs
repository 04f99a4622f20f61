//! From an engine's flat rows to an answer: groups sorted and limited, periods nested in them or laid
//! out flat, gaps filled.
//!
//! An answer keeps what was found and no more: keys and reduced values, and of periods those that have
//! data. Gaps and names of columns come in when rows are looked at or written.
//!
//! ```text
//! shape.rs ── gather       rows of the same keys; the values that a key has
//!         ├── answer       what an answer keeps ← columns, keys, tallies
//!         ├── order        sorting and limiting
//!         ├── rows         rows and cells, as who looks at them sees them
//!         ├── json         the same as bytes
//!         └── size         how many bytes these will be, and how many the answer takes
//! ```

mod answer;
mod columns;
mod gather;
mod json;
mod keys;
mod order;
mod rows;
mod size;
mod tallies;
#[cfg(test)]
mod tests;

use crate::aggregate::Partial;
use crate::query::{Anchor, GroupQuery, InvalidQuery, Window};
use crate::storage::interest::LOOK_EVERY;
use crate::storage::{CollectedField, Interest, Row, StorageError};

use answer::{FlatRow, Group, List, Periods, WithData};
use gather::PeriodRow;
use keys::GroupKeys;
use tallies::Tallies;

pub use answer::GroupAnswer;
pub use json::{JsonText, PeriodsText};
pub use rows::{AnswerRow, AnswerRows, Cell};
pub use size::bytes_to_shape;

/// By how many periods the window must move, so that it does not start (or end) with periods in
/// which no group has data: forward when positive. Zero for a window that was not asked for by
/// `duration`, for a flat answer, and where there is no data at all.
pub fn shift(query: &GroupQuery, rows: &[Row]) -> i64 {
    let Some(Window { period, start, end, anchor: Some(anchor) }) = query.window else { return 0 };
    if query.flatten {
        return 0;
    }
    // The smallest move of any group is the one that its outermost period asks for.
    let starts = rows.iter().filter_map(|row| row.start);
    match anchor {
        Anchor::Start => starts.min().map_or(0, |first| period.count(start, first)),
        Anchor::End => starts.max().map_or(0, |last| period.count(end, period.next(last))),
    }
}

/// Why an answer was not shaped.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// The query asks for what cannot be.
    #[error(transparent)]
    Query(#[from] InvalidQuery),
    /// Nobody waits for it any more.
    #[error(transparent)]
    Unwanted(#[from] StorageError),
}

/// Shapes the answer to a query from the rows of an engine, for as long as somebody waits for it.
///
/// # Errors
///
/// [`InvalidQuery`] where values cannot be collected as asked, or the answer would be too long.
pub fn shape(query: &GroupQuery, rows: Vec<Row>, interest: &Interest) -> Result<GroupAnswer, ShapeError> {
    let answer = match &query.window {
        None => groups(query, rows, interest),
        Some(window) if query.keys.is_empty() => periods(query, window, rows, interest),
        Some(window) if query.flatten => flat(query, window, rows, interest),
        Some(window) => nested(query, window, rows, interest),
    }?;
    interest.check()?;
    Ok(answer.arrange(query.sort.as_ref(), query.limit))
}

fn groups(query: &GroupQuery, rows: Vec<Row>, interest: &Interest) -> Result<GroupAnswer, ShapeError> {
    check_length(query, rows.len())?;
    let mut tallies = Tallies::new(query, rows.len());
    let mut keys = GroupKeys::new(query.keys.len(), rows.len());
    for (place, mut row) in rows.into_iter().enumerate() {
        interest.check_at(place)?;
        tallies.push(row.count, &mut row.collected)?;
        keys.push(&row.keys);
    }
    Ok(GroupAnswer::new(query, Periods::default(), tallies, List::Groups(keys)))
}

fn periods(
    query: &GroupQuery,
    window: &Window,
    rows: Vec<Row>,
    interest: &Interest,
) -> Result<GroupAnswer, ShapeError> {
    let periods = Periods::of(window);
    let mut tallies = Tallies::new(query, rows.len());
    let mut with_data = Vec::with_capacity(rows.len());
    for (place, mut row) in rows.into_iter().enumerate() {
        interest.check_at(place)?;
        let Some(period) = periods.find(row.start) else { continue };
        with_data.push(WithData { period, tally: tallies.push(row.count, &mut row.collected)? });
    }
    with_data.sort_unstable_by_key(|with_data| with_data.period);
    Ok(GroupAnswer::new(query, periods, tallies, List::Periods(with_data)))
}

fn nested(
    query: &GroupQuery,
    window: &Window,
    rows: Vec<Row>,
    interest: &Interest,
) -> Result<GroupAnswer, ShapeError> {
    let periods = Periods::of(window);
    let mut tallies = Tallies::new(query, rows.len());
    let gathered = gather::by_keys(rows, &periods, interest)?;
    check_length(query, gathered.len().saturating_mul(window.len()))?;
    let fields = query.collected_fields();
    let mut keys = GroupKeys::new(query.keys.len(), gathered.len());
    let mut groups = Vec::with_capacity(gathered.len());
    let mut shaped = 0;
    for group in gathered {
        // Groups are few or their periods are.
        shaped += group.rows.len();
        if shaped >= LOOK_EVERY {
            shaped = 0;
            interest.check()?;
        }
        keys.push(&group.keys);
        groups.push(nested_group(&fields, &mut tallies, group.rows)?);
    }
    Ok(GroupAnswer::new(query, periods, tallies, List::Nested(keys, groups)))
}

/// A group with what all of its periods hold together.
fn nested_group(
    fields: &[CollectedField],
    tallies: &mut Tallies,
    rows: Vec<PeriodRow>,
) -> Result<Group, InvalidQuery> {
    let mut count = 0;
    let mut total: Vec<Partial> = fields.iter().map(|field| Partial::new(field.wants_set)).collect();
    for row in &rows {
        count += row.count;
        for (partial, other) in total.iter_mut().zip(&row.collected) {
            partial.merge(other);
        }
    }
    let tally = tallies.push(count, &mut total)?;
    let mut periods = Vec::with_capacity(rows.len());
    for mut row in rows {
        let tally = tallies.push(row.count, &mut row.collected)?;
        periods.push(WithData { period: row.period, tally });
    }
    Ok(Group { tally, periods })
}

/// Every period with every combination of the values that a key has anywhere in the span.
fn flat(
    query: &GroupQuery,
    window: &Window,
    rows: Vec<Row>,
    interest: &Interest,
) -> Result<GroupAnswer, ShapeError> {
    let mut rows = rows;
    let periods = Periods::of(window);
    let (combinations, found) = gather::combinations(query.keys.len(), &mut rows, interest)?;
    check_length(query, combinations.len().saturating_mul(window.len()))?;
    let mut tallies = Tallies::new(query, rows.len());
    let all = 0..periods.len() * combinations.len();
    let mut flat: Vec<FlatRow> = all.map(|place| FlatRow { place, tally: None }).collect();
    for (place, (mut row, combination)) in rows.into_iter().zip(found).enumerate() {
        interest.check_at(place)?;
        let Some(period) = periods.find(row.start) else { continue };
        let tally = tallies.push(row.count, &mut row.collected)?;
        flat[period * combinations.len() + combination].tally = Some(tally);
    }
    Ok(GroupAnswer::new(query, periods, tallies, List::Flat(combinations, flat)))
}

fn check_length(query: &GroupQuery, rows: usize) -> Result<(), InvalidQuery> {
    let max = query.max_rows;
    if rows > max { Err(InvalidQuery::TooManyRows { max }) } else { Ok(()) }
}
