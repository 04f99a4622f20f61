//! How large an answer is: the bytes that it takes in memory, and at most as text.

use super::answer::{FlatRow, GroupAnswer, List};
use super::columns::{Column, Part};
use super::json::{Label, labels};
use crate::aggregate::Reduced;
use crate::query::GroupQuery;
use crate::storage::Row;
use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef};

/// The start or end of a period as JSON; in the year 10000, which is the end of the last, it is longest.
const PERIOD: u64 = 29;
/// Any time as JSON.
const TIME: u64 = 40;
/// The longest number.
const NUMBER: u64 = 25;

/// How many bytes it takes at most to shape an answer from some rows: they and what becomes of them, the periods
/// of the window, and in a flat answer a place for each row.
pub fn bytes_to_shape(query: &GroupQuery, rows: &[Row]) -> usize {
    let periods = query.window.map_or(0, |window| window.len());
    let keys = u32::try_from(query.keys.len()).unwrap_or(u32::MAX);
    let combinations = if query.flatten { rows.len().saturating_pow(keys) } else { 0 };
    let flat = combinations.saturating_mul(periods).min(query.max_rows);
    let found: usize = rows.iter().map(Row::memory).sum();
    2 * found + (periods + 1) * size_of::<Timestamp>() + flat * size_of::<FlatRow>()
}

impl GroupAnswer {
    /// How many bytes it takes besides to write the periods of several groups, which are written as gaps first.
    pub fn gap_bytes(&self) -> usize {
        let List::Nested(_, groups) = &self.list else { return 0 };
        if groups.len() < 2 {
            return 0;
        }
        let gap = Width::of(&self.columns.periods, false, false).gap;
        self.periods.len() * (usize::try_from(gap).unwrap_or(usize::MAX) + size_of::<usize>())
    }

    /// How many bytes it takes in memory.
    pub fn memory(&self) -> usize {
        let list = match &self.list {
            List::Groups(keys) => keys.memory(),
            List::Nested(keys, groups) => {
                let periods = groups.iter().map(|group| size_of_val(&*group.periods)).sum::<usize>();
                keys.memory() + size_of_val(&**groups) + periods
            }
            List::Periods(with_data) => size_of_val(&**with_data),
            List::Flat(combinations, rows) => {
                let values = combinations.values().map(|values| heap(values) + size_of_val(values));
                size_of_val(&**rows) + values.sum::<usize>()
            }
        };
        let collected = self.tallies.values().iter().map(|value| match value {
            Reduced::Value(value) => text_bytes(value),
            Reduced::Set(values) => size_of_val(&**values) + heap(values),
        });
        list + self.periods.memory() + self.tallies.memory() + collected.sum::<usize>()
    }

    /// How many bytes it has at most as JSON.
    pub fn json_bytes(&self) -> u64 {
        self.text_bytes(false)
    }

    /// How many bytes it has at most as CSV.
    pub fn csv_bytes(&self) -> u64 {
        self.text_bytes(true)
    }

    /// How many bytes it has at most: names, times and what gaps show for every row, and what is different
    /// in each for those that have data. In a CSV the periods of a group are JSON whose quotes are doubled.
    fn text_bytes(&self, is_csv: bool) -> u64 {
        let rows = Width::of(&self.columns.rows, is_csv, is_csv);
        let periods = Width::of(&self.columns.periods, is_csv, false);
        let (all, count) = (self.periods.len() as u64, self.rows().len() as u64);
        let collected: u64 = self.tallies.values().iter().map(reduced_bytes).sum();
        let counts: u64 = (0..self.tallies.len()).map(|tally| int_bytes(self.tallies.count(tally))).sum();
        let all_columns = self.columns.rows.iter().chain(&self.columns.periods);
        let has_bare = all_columns.into_iter().any(|column| matches!(column.part, Part::Bare(_)));
        let tallies = counts + if has_bare { 2 * collected } else { collected };
        let keys = match &self.list {
            List::Groups(keys) | List::Nested(keys, _) => keys.all().map(value_bytes).sum(),
            List::Periods(_) => 0,
            List::Flat(combinations, _) => {
                let longest = |values: &[Value]| values.iter().map(|value| value_bytes(value.as_ref())).max();
                combinations.values().filter_map(longest).sum::<u64>().saturating_mul(count)
            }
        };
        let (of_rows, of_periods) = match &self.list {
            List::Nested(..) => (count * (rows.all + NUMBER), count.saturating_mul(all * periods.gap)),
            List::Groups(_) => (count * rows.all, 0),
            List::Periods(_) | List::Flat(..) => (count.saturating_mul(rows.gap), 0),
        };
        let bare = self.tallies.len() as u64 * rows.bare.max(periods.bare);
        let different = if is_csv { 2 * (keys + tallies) } else { keys + tallies };
        let header: u64 = labels(&self.columns.rows).iter().map(|label| name_bytes(label, true, false)).sum();
        let begin_and_end = 2 + if is_csv { header } else { 0 };
        begin_and_end + of_rows.saturating_add(of_periods).saturating_add(different) + bare
    }
}

/// How many bytes the same parts of rows have.
struct Width {
    /// A row without data: names, times, a null for each collected value.
    gap: u64,
    /// A row with all names, without times.
    all: u64,
    /// The bare names, which only rows with data have.
    bare: u64,
}

impl Width {
    fn of(columns: &[Column], doubles_quotes: bool, is_csv_row: bool) -> Self {
        let mut width = Self { gap: 3, all: 3, bare: 0 };
        for label in &labels(columns) {
            let name = name_bytes(label, doubles_quotes, is_csv_row);
            match label.part {
                Part::Bare(_) => width.bare += name,
                Part::Start | Part::End => width.gap += name + PERIOD + if doubles_quotes { 2 } else { 0 },
                Part::Collected(_) => width.gap += name + 4,
                Part::Count => width.gap += name + 1,
                Part::Key(_) | Part::GroupCount | Part::Values => width.gap += name,
            }
            width.all += name;
        }
        width
    }
}

/// In the rows of a CSV a cell has a comma, and perhaps quotes, in place of the name of its column.
fn name_bytes(label: &Label, doubles_quotes: bool, is_csv_row: bool) -> u64 {
    if is_csv_row {
        return 3;
    }
    let is_doubled = |byte: &u8| doubles_quotes && *byte == b'"';
    label.text.iter().map(|byte| 1 + u64::from(is_doubled(byte))).sum()
}

fn reduced_bytes(reduced: &Reduced) -> u64 {
    match reduced {
        Reduced::Value(value) => value_bytes(value.as_ref()),
        Reduced::Set(values) => 2 + values.iter().map(|value| value_bytes(value.as_ref()) + 1).sum::<u64>(),
    }
}

/// How many bytes a value has at most as JSON.
fn value_bytes(value: ValueRef<'_>) -> u64 {
    let escaped = |byte: u8| match byte {
        0..=0x1f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    match value {
        ValueRef::Null | ValueRef::Bool(_) => 5,
        ValueRef::Int(value) => int_bytes(value),
        ValueRef::Float(_) => NUMBER,
        ValueRef::Time(_) => TIME,
        ValueRef::Text(text) => 2 + text.bytes().map(escaped).sum::<u64>(),
    }
}

fn int_bytes(value: i64) -> u64 {
    let digits = 1 + u64::from(value.unsigned_abs().checked_ilog10().unwrap_or(0));
    digits + u64::from(value < 0)
}

fn heap(values: &[Value]) -> usize {
    values.iter().map(text_bytes).sum()
}

fn text_bytes(value: &Value) -> usize {
    if let Value::Text(text) = value { text.len() } else { 0 }
}
