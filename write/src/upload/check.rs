//! Rows → records, with the same rules as everything else that is stored. They are checked one at a
//! time, so that each fault has its row.

use std::collections::HashSet;
use std::slice;

use backdrop_common::record::Record;
use backdrop_common::record::checks::{InvalidRecord, check_records};
use backdrop_common::record::schema::RecordSchema;
use backdrop_common::record::sent::{SentRecord, SentValue};

use super::fault::{Faults, Rule, excerpt};
use super::table::{Row, Table};
use super::time_column::TIMESTAMP;

/// What a bucket wants of its records, and what the person chose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// The fields whose values make the `_id`; empty for none.
    pub auto_ids: &'a [String],
    /// What every record must satisfy.
    pub schema: Option<&'a RecordSchema>,
    /// The column whose values become the `_timestamp` of a table without one.
    pub time_column: Option<&'a str>,
}

/// Records that can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// One for each row.
    pub records: Vec<Record>,
    /// How many have the id of one further up, which they will replace.
    pub repeated: usize,
    /// Whether all of them have an id, so that storing them twice is storing them once.
    pub have_ids: bool,
}

/// Checks every row.
///
/// # Errors
///
/// The faults by row, then as [`check_records`] has them.
pub fn check(table: &Table, rules: &Rules<'_>) -> Result<Checked, Faults> {
    let mut faults = Faults::new(table.sheet.clone(), table.unit);
    let mut records = Vec::with_capacity(table.rows.len());
    let time = rules.time_column.filter(|_| table.column(TIMESTAMP).is_none());
    let time = time.and_then(|heading| table.column(heading));
    for row in &table.rows {
        let mut fields = table.fields(row);
        let timestamp = time.and_then(|column| row.value(column));
        fields.extend(timestamp.map(|value| (TIMESTAMP.into(), value.clone())));
        match check_records(slice::from_ref(&SentRecord::new(fields)), rules.auto_ids, rules.schema) {
            Ok(checked) => records.extend(checked),
            Err(found) => {
                for fault in found {
                    add(&mut faults, table, row, time, fault);
                }
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut ids = HashSet::new();
    let repeated =
        records.iter().filter_map(|record| record.id.as_ref()).filter(|id| !ids.insert(*id)).count();
    let have_ids = records.iter().all(|record| record.id.is_some());
    Ok(Checked { records, repeated, have_ids })
}

fn add(faults: &mut Faults, table: &Table, row: &Row, time: Option<usize>, fault: InvalidRecord) {
    // It is the second message about a date that has one.
    if matches!(fault, InvalidRecord::NotADatetime(_)) {
        return;
    }
    let place = fault.key().and_then(|key| table.column(key).or(time.filter(|_| key == TIMESTAMP)));
    let value = place.and_then(|place| row.value(place));
    let column = || place.map(|place| table.columns[place].label());
    faults.add(Some(row.number), column, rule(fault, value));
}

/// The rule with the value that it is about, if the message would not show it.
fn rule(fault: InvalidRecord, value: Option<&SentValue<'_>>) -> Rule {
    let is_shown = !matches!(fault, InvalidRecord::NotADate { .. } | InvalidRecord::Value(_));
    match value {
        Some(SentValue::Nested(json)) => {
            let kind = if json.starts_with('[') { "a list" } else { "an object" };
            Rule::NestedValue { kind, given: excerpt(json) }
        }
        Some(SentValue::Text(text) | SentValue::Number(text)) if !is_shown => {
            Rule::Record { given: Some(excerpt(text)), fault }
        }
        Some(SentValue::Bool(value)) if !is_shown => Rule::Record { given: Some(value.to_string()), fault },
        _ => Rule::Record { fault, given: None },
    }
}
