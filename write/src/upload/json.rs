//! JSON lists and lines. Rows are called by the line on which their record begins.

use backdrop_common::record::sent::{InvalidBody, SentBody};
use serde_json::value::RawValue;

use super::Limits;
use super::fault::{Faults, Rule};
use super::table::{Flow, Table, TableBuilder};

/// Reads a list of records, or one.
pub(crate) fn read_list(text: &str, limits: Limits) -> Result<Table, Faults> {
    let mut table = TableBuilder::of_records(limits);
    let items: Vec<&RawValue> = match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(items) => items,
        // It begins with a brace, or it is not JSON, which parsing it again says.
        Err(error) if text.trim_start().starts_with('[') => {
            table.fault(error.line(), Rule::NotJson(without_place(&error)));
            return table.finish();
        }
        Err(_) => match serde_json::from_str::<&RawValue>(text) {
            Ok(item) => vec![item],
            Err(error) => {
                table.fault(error.line(), Rule::NotJson(without_place(&error)));
                return table.finish();
            }
        },
    };
    let mut number = 1;
    let mut at = 0;
    for item in items {
        // An item is a part of the text, so it is as far from its beginning as its address is.
        let start = (item.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        number += text[at..start].matches('\n').count();
        at = start;
        if push(&mut table, number, item.get()).is_break() {
            break;
        }
    }
    table.finish()
}

/// Reads a record from each line; empty ones are left out.
pub(crate) fn read_lines(text: &str, limits: Limits) -> Result<Table, Faults> {
    let mut table = TableBuilder::of_records(limits);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if push(&mut table, index + 1, line).is_break() {
            break;
        }
    }
    table.finish()
}

fn push(table: &mut TableBuilder, number: usize, json: &str) -> Flow {
    let rule = match SentBody::parse(json.as_bytes()) {
        Ok(SentBody::Record(record)) => return table.push_record(number, &record),
        Ok(SentBody::Records(_)) | Err(InvalidBody::NotARecord { .. }) => Rule::NotARecord("a list"),
        Err(InvalidBody::NotRecords { given }) => Rule::NotARecord(given),
        Err(InvalidBody::NotJson(error)) => Rule::NotJson(without_place(&error)),
        Err(InvalidBody::Empty) => Rule::Empty,
    };
    table.fault(number, rule);
    Flow::Continue(())
}

/// The fault says the place, in its own way.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(text, _)| text.to_owned())
}
