//! JSON lists and lines. Rows are called by the line on which their record begins.

use std::collections::HashSet;
use std::fmt;

use backdrop_common::record::sent::{InvalidBody, SentBody};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Limits;
use super::fault::{Faults, Rule, excerpt};
use super::notes::About;
use super::table::{Flow, Table, TableBuilder};

/// How deep in objects a list of records is looked for.
const DEPTH: usize = 4;

/// Reads a list of records, or one; or the list inside of an object, as our own answers have it.
pub(crate) fn read_list(text: &str, limits: Limits) -> Result<Table, Faults> {
    let mut table = TableBuilder::of_records(limits);
    match items(text, &mut table) {
        Ok(items) => push_items(text, items, &mut table),
        Err((line, rule)) => table.fault(line, rule),
    }
    table.finish()
}

/// The records of a text, as they are written in it.
fn items<'a>(text: &'a str, table: &mut TableBuilder) -> Result<Vec<&'a RawValue>, (usize, Rule)> {
    let not_json = |error: &serde_json::Error| (error.line(), not_json(error, 0));
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| not_json(&error));
    }
    let item: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    match list_inside(item, DEPTH) {
        Inside::Nothing => Ok(vec![item]),
        Inside::Several(keys) => Err((1, Rule::SeveralLists(keys.join(", ")))),
        Inside::List { key, items, others } => {
            table.note(About::ListInside, || quoted(&key));
            for other in others {
                table.note(About::BesideList, || quoted(&other));
            }
            Ok(items)
        }
    }
}

fn quoted(key: &str) -> String {
    format!("“{}”", excerpt(key))
}

fn push_items(text: &str, items: Vec<&RawValue>, table: &mut TableBuilder) {
    let mut number = 1;
    let mut at = 0;
    for item in items {
        // An item is a part of the text, so it is as far from its beginning as its address is.
        let start = (item.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        number += text[at..start].matches('\n').count();
        at = start;
        let before = text[..start].rfind('\n').map_or(start, |end| start - end - 1);
        if push(table, number, before, item.get()).is_break() {
            return;
        }
    }
}

/// Reads a record from each line; empty ones are left out.
pub(crate) fn read_lines(text: &str, limits: Limits) -> Result<Table, Faults> {
    let mut table = TableBuilder::of_records(limits);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if push(&mut table, index + 1, 0, line).is_break() {
            break;
        }
    }
    table.finish()
}

/// Takes a record that begins on a line, behind some bytes of it.
fn push(table: &mut TableBuilder, number: usize, before: usize, json: &str) -> Flow {
    let not_a_record = |kind| Rule::NotARecord { kind, given: excerpt(json) };
    let (line, rule) = match SentBody::parse(json.as_bytes()) {
        Ok(SentBody::Record(record)) => {
            if let Some(key) = serde_json::from_str::<RepeatedKey>(json).ok().and_then(|repeated| repeated.0)
            {
                table.note(About::RepeatedKeys, || format!("{number} {}", quoted(&key)));
            }
            return table.push_record(number, &record);
        }
        Ok(SentBody::Records(_)) | Err(InvalidBody::NotARecord { .. }) => (number, not_a_record("a list")),
        Err(InvalidBody::NotRecords { given }) => (number, not_a_record(given)),
        Err(InvalidBody::NotJson(error)) => {
            let before = if error.line() > 1 { 0 } else { before };
            (number + error.line().saturating_sub(1), not_json(&error, before))
        }
        Err(InvalidBody::Empty) => (number, Rule::Empty),
    };
    table.fault(line, rule);
    Flow::Continue(())
}

/// The fault says the line, in its own way.
fn not_json(error: &serde_json::Error, before: usize) -> Rule {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
    Rule::NotJson { reason, column: before + error.column() }
}

/// What there is of lists in an object.
enum Inside<'a> {
    /// No list of records, so that it is a record itself, or none.
    Nothing,
    /// One, with the keys that are beside it.
    List { key: String, items: Vec<&'a RawValue>, others: Vec<String> },
    /// More than one, under these keys.
    Several(Vec<String>),
}

/// Looks for a list of records in an object. No record has a list for a value, so nothing is taken for
/// one that is a record.
fn list_inside(item: &RawValue, depth: usize) -> Inside<'_> {
    let Ok(Members(members)) = serde_json::from_str(item.get()) else { return Inside::Nothing };
    let keys = || members.iter().map(|(key, _)| key.clone());
    let mut lists: Vec<_> =
        members.iter().filter_map(|(key, value)| Some((key, list_of_records(value)?))).collect();
    if lists.iter().any(|(_, items)| !items.is_empty()) {
        lists.retain(|(_, items)| !items.is_empty());
    }
    match lists.len() {
        0 => {}
        1 => {
            let others = keys().filter(|key| *key != *lists[0].0).collect();
            let (key, items) =
                lists.into_iter().next().map(|(key, items)| (key.clone(), items)).unwrap_or_default();
            return Inside::List { key, items, others };
        }
        _ => return Inside::Several(lists.into_iter().map(|(key, _)| quoted(key)).collect()),
    }
    if depth == 0 {
        return Inside::Nothing;
    }
    for (name, value) in members.iter().filter(|(_, value)| value.get().starts_with('{')) {
        match list_inside(value, depth - 1) {
            Inside::Nothing => {}
            Inside::List { key, items, others } => {
                let others = keys().filter(|key| *key != **name).chain(others).collect();
                return Inside::List { key: format!("{name}.{key}"), items, others };
            }
            several @ Inside::Several(_) => return several,
        }
    }
    Inside::Nothing
}

/// The items of a list that holds objects, or nothing.
fn list_of_records(value: &RawValue) -> Option<Vec<&RawValue>> {
    let items: Vec<&RawValue> =
        value.get().starts_with('[').then(|| serde_json::from_str(value.get()).ok())??;
    items.iter().all(|item| item.get().starts_with('{')).then_some(items)
}

/// The members of an object, as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// The first key that an object has more than once.
struct RepeatedKey(Option<String>);

impl<'de> Deserialize<'de> for RepeatedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = RepeatedKey;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut keys, mut repeated) = (HashSet::new(), None);
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if keys.contains(&key) {
                        repeated = repeated.or(Some(key));
                    } else {
                        keys.insert(key);
                    }
                }
                Ok(RepeatedKey(repeated))
            }
        }
        deserializer.deserialize_map(Read)
    }
}
