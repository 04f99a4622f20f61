//! From a selection to the conditions of a `$match` stage.
//!
//! Pure. Every value that a client sent stands where only a value can: none becomes an operator.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::query::{Filter, Selection, Test, TimeRange, Wanted};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// The conditions, all of which must hold.
pub(super) fn conditions(selection: &Selection) -> Vec<Document> {
    let mut conditions: Vec<Document> = selection.filters.iter().map(filter).collect();
    if let Some(TimeRange { start, end }) = selection.range {
        conditions.push(doc! { "_timestamp": { "$gte": date(start), "$lt": date(end) } });
    }
    conditions
}

/// An instant as BSON has it.
pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.millis())
}

/// The values that an id as text stands for: itself, and the `ObjectId` that the original Backdrop
/// left MongoDB to make for records without an id.
pub(super) fn ids(id: &str) -> Vec<Bson> {
    let made = ObjectId::parse_str(id).ok().filter(|made| made.to_hex() == id);
    std::iter::once(id.into()).chain(made.map(Bson::ObjectId)).collect()
}

/// The condition that a document has one of some values.
pub(super) fn is_any_of(field: &str, mut values: Vec<Bson>) -> Document {
    if values.len() == 1 {
        return doc! { field: { "$eq": values.remove(0) } };
    }
    doc! { field: { "$in": values } }
}

fn filter(filter: &Filter) -> Document {
    let field = filter.field.as_str();
    match &filter.test {
        Test::AnyOf(wanted) => {
            is_any_of(field, wanted.iter().flat_map(|wanted| values(field, wanted)).collect())
        }
        Test::AnyPrefix(prefixes) => {
            let mut ranges: Vec<Document> =
                prefixes.iter().map(|prefix| doc! { field: starting_with(prefix) }).collect();
            if ranges.len() == 1 {
                ranges.remove(0)
            } else {
                doc! { "$or": ranges }
            }
        }
    }
}

/// Everything that a spelling may mean.
fn values(field: &str, wanted: &Wanted) -> Vec<Bson> {
    match wanted {
        Wanted::Bool(value) => vec![Bson::Boolean(*value)],
        Wanted::Text { text, number, time } => {
            let mut values = if field == "_id" { ids(text) } else { vec![Bson::String(text.to_string())] };
            values.extend(number.as_ref().and_then(number_value));
            values.extend(time.map(|time| Bson::DateTime(date(time))));
            values
        }
    }
}

fn number_value(number: &Value) -> Option<Bson> {
    match number {
        Value::Int(int) => Some(Bson::Int64(*int)),
        Value::Float(float) => Some(Bson::Double(*float)),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Time(_) => None,
    }
}

/// The condition on texts that start with a prefix, as a range, which needs no escaping and finds
/// its way through an index. A range of texts holds only texts.
fn starting_with(prefix: &str) -> Document {
    match after_all_starting_with(prefix) {
        _ if prefix.is_empty() => doc! { "$type": "string" },
        Some(end) => doc! { "$gte": prefix, "$lt": end },
        None => doc! { "$gte": prefix, "$type": "string" },
    }
}

/// The least text that comes after all that start with a prefix, in the order of code points; none
/// if nothing does.
fn after_all_starting_with(prefix: &str) -> Option<String> {
    let mut text: Vec<char> = prefix.chars().collect();
    while let Some(last) = text.pop() {
        // The next code point, past the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &str, end: Option<&str>) {
        assert_eq!(after_all_starting_with(prefix).as_deref(), end, "{prefix:?}");
    }

    #[test]
    fn where_the_texts_with_a_prefix_end() {
        check("ab", Some("ac"));
        check("é", Some("ê"));
        check("a\u{d7ff}", Some("a\u{e000}"));
        check("a\u{10ffff}", Some("b"));
        check("\u{10ffff}", None);
        check("a\0", Some("a\u{1}"));
    }

    #[test]
    fn an_id_may_be_one_that_mongodb_made() {
        assert_eq!(ids("r1").len(), 1);
        assert_eq!(ids("53f1c1f5e4b0a1b2c3d4e5f6").len(), 2);
        assert_eq!(ids("53F1C1F5E4B0A1B2C3D4E5F6").len(), 1, "they are shown in lower case");
    }
}
