//! The rules of a record, and the order in which their faults are reported: schema, auto ids,
//! dates, record checks; within each by record, then by key.
//!
//! The texts are Backdrop's. `// DIFFERENCE:` marks where we leave it: there only the first fault
//! of a record was a message.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::schema::{RecordSchema, Violation, Violations};
use super::sent::{SentRecord, SentValue, whole_floats_to_ints};
use super::{Record, RecordId};
use crate::field::{ReservedKey, is_field_name};
use crate::limits::{FIELD_NAME_BYTES, RECORD_FIELDS, VALUE_BYTES};
use crate::timestamp::{InvalidTimestamp, Timestamp};
use crate::value::{Value, ValueRef};

/// A fault of a record; `Display` is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "record_")]
pub enum InvalidRecord {
    /// It violates the bucket's schema.
    #[error("record {index}{}: {}", .violation.pointer, .violation.message)]
    Schema {
        /// Its place in the request, from 0.
        index: usize,
        /// What is wrong.
        violation: Violation,
    },
    // DIFFERENCE: Backdrop listed every violation.
    /// There are more violations than are listed.
    #[error("record {index}: {more} more violations of the schema are not listed")]
    MoreViolations {
        /// Its place in the request, from 0.
        index: usize,
        /// How many.
        more: usize,
    },
    /// Fields that make the `_id` are missing.
    #[error("The following required id fields are missing: {}", .0.join(", "))]
    MissingIdFields(Vec<String>),
    /// A reserved time is no time at all.
    #[error("{}{key} must be a date in the format yyyy-MM-ddT00:00:00Z", article(.key))]
    NotADate {
        /// The reserved key.
        key: String,
    },
    /// A reserved time looks like one and does not exist.
    #[error("{given} in the {key} field is not a valid date")]
    NoSuchDate {
        /// The reserved key.
        key: String,
        /// What was sent.
        given: String,
    },
    /// A key is not well formed.
    #[error("{0} is not a valid key")]
    Key(String),
    /// A key is reserved and not one of those that a client may send.
    #[error("{0} is not a recognised internal field")]
    ReservedKey(String),
    /// A value is a list or an object, or a number that 64 bits do not hold.
    #[error("{0} has an invalid value")]
    Value(String),
    /// The second message for a bad date.
    #[error("{0} is not a valid datetime object")]
    NotADatetime(String),
    /// An `_id` is no text, is empty, or holds white space.
    #[error("_id \"{0}\" is not a valid id")]
    Id(String),
    // DIFFERENCE: Backdrop checked every record, whatever there was of faults.
    /// There were faults enough, so the rest was not looked at.
    #[error("{records} more records were not checked: {} faults are enough", MAX_FAULTS)]
    Unchecked {
        /// How many.
        records: usize,
    },
    /// A PATCH sends another `_id`.
    #[error("_id cannot be changed from \"{id}\" to \"{given}\"")]
    ChangedId {
        /// The record's.
        id: RecordId,
        /// What was sent.
        given: String,
    },
}

impl InvalidRecord {
    /// The key of the field that is at fault; none where it is the record as a whole.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Schema { violation, .. } => violation.key(),
            Self::MoreViolations { .. } | Self::MissingIdFields(_) | Self::Unchecked { .. } => None,
            Self::NotADate { key }
            | Self::NoSuchDate { key, .. }
            | Self::Key(key)
            | Self::ReservedKey(key)
            | Self::Value(key)
            | Self::NotADatetime(key) => Some(key),
            Self::Id(_) | Self::ChangedId { .. } => Some("_id"),
        }
    }
}

/// Backdrop's message has an article for `_timestamp` only.
fn article(key: &str) -> &'static str {
    if key == "_timestamp" { "the " } else { "" }
}

/// Where the records go that are checked, field by field, so that nothing has to be made of them that is
/// not needed. If there are faults, nothing that came here is of use.
pub trait RecordSink {
    /// A field of a record, other than its id and its timestamp; they come sorted by key.
    fn field(&mut self, key: &str, value: ValueRef<'_>);

    /// The end of the record, with the rest of it; see [`Record`].
    fn end(&mut self, id: Option<&RecordId>, timestamp: Option<Timestamp>);
}

/// Records as values of their own.
#[derive(Default)]
struct Records {
    records: Vec<Record>,
    fields: Vec<(Box<str>, Value)>,
}

impl RecordSink for Records {
    fn field(&mut self, key: &str, value: ValueRef<'_>) {
        self.fields.push((key.into(), value.to_value()));
    }

    fn end(&mut self, id: Option<&RecordId>, timestamp: Option<Timestamp>) {
        self.records.push(Record { id: id.cloned(), timestamp, fields: std::mem::take(&mut self.fields) });
    }
}

/// Checks the records of a request and makes them ready to store.
///
/// # Errors
///
/// Every fault of every record, in the order in which they are reported.
pub fn check_records(
    sent: &[SentRecord<'_>],
    auto_ids: &[String],
    schema: Option<&RecordSchema>,
) -> Result<Vec<Record>, Vec<InvalidRecord>> {
    let mut checks = RecordChecks::new(Records::default(), auto_ids, schema);
    for record in sent {
        checks.check(record);
    }
    checks.finish().map(|checked| checked.records)
}

/// Checks the records of a request one after the other, and hands them on as they are to be stored.
pub struct RecordChecks<'a, S> {
    sink: S,
    auto_ids: &'a [String],
    schema: Option<&'a RecordSchema>,
    /// How many were checked.
    checked: usize,
    /// How many were not, since there are faults enough.
    unchecked: usize,
    faults: Faults,
}

/// How many faults of a request are enough: the records after the one with the last of them are not
/// checked, so that a small body cannot be answered with millions of messages.
pub const MAX_FAULTS: usize = 10_000;

impl<'a, S: RecordSink> RecordChecks<'a, S> {
    /// Checks for a bucket.
    pub fn new(sink: S, auto_ids: &'a [String], schema: Option<&'a RecordSchema>) -> Self {
        Self { sink, auto_ids, schema, checked: 0, unchecked: 0, faults: Faults::default() }
    }

    /// Checks the next record.
    pub fn check(&mut self, record: &SentRecord<'_>) {
        if self.faults.len() >= MAX_FAULTS {
            self.unchecked += 1;
            return;
        }
        // DIFFERENCE: a schema does not see a record that is refused for its size alone.
        if let Some(schema) = self.schema
            && is_seen(record)
        {
            self.faults.schema(self.checked, schema.violations(record.to_json()));
        }
        self.checked += 1;
        let (auto_id, rule) = if self.auto_ids.is_empty() {
            (None, IdRule::AsSent)
        } else {
            (self.faults.auto_id(record, self.auto_ids), IdRule::Overridden)
        };
        let (id, timestamp) = self.faults.fields(record, rule, &mut self.sink);
        self.sink.end(auto_id.or(id).as_ref(), timestamp);
    }

    /// How many faults were found.
    pub fn faults(&self) -> usize {
        self.faults.len()
    }

    /// What they were handed on to.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Ends the checks, and answers what they were handed on to.
    ///
    /// # Errors
    ///
    /// Every fault of every record, in the order in which they are reported.
    pub fn finish(self) -> Result<S, Vec<InvalidRecord>> {
        let unchecked = (self.unchecked > 0).then_some(InvalidRecord::Unchecked { records: self.unchecked });
        self.faults.into_result().map(|()| self.sink).map_err(|mut faults| {
            faults.extend(unchecked);
            faults
        })
    }
}

/// Applies a PATCH to a stored record: sets the fields that were sent and keeps the others.
///
/// # Errors
///
/// Every fault of what was sent, and every violation of the schema by the merged record.
pub fn check_patch(
    id: &RecordId,
    stored: &Record,
    sent: &SentRecord<'_>,
    schema: Option<&RecordSchema>,
) -> Result<Record, Vec<InvalidRecord>> {
    let mut faults = Faults::default();
    if let Some(schema) = schema {
        faults.schema(0, merged_violations(schema, id, stored, sent));
    }
    let mut merged = stored.clone();
    let mut changes = Records::default();
    let (_, timestamp) = faults.fields(sent, IdRule::Unchanged(id), &mut changes);
    merged.timestamp = timestamp.or(merged.timestamp);
    for (key, value) in changes.fields {
        merged.set(&key, value);
    }
    faults.into_result().map(|()| merged)
}

/// The violations of the merged record. Whether the stored record's `_id` was sent or made is not
/// known, and a schema sees only what was sent, so the record may satisfy it with or without.
fn merged_violations(
    schema: &RecordSchema,
    id: &RecordId,
    stored: &Record,
    sent: &SentRecord<'_>,
) -> Violations {
    let mut merged = serde_json::Map::new();
    if let Some(timestamp) = stored.timestamp {
        merged.insert("_timestamp".to_owned(), Json::String(timestamp.to_string()));
    }
    for (key, value) in &stored.fields {
        let value = serde_json::to_value(value).unwrap_or(Json::Null);
        merged.insert(key.to_string(), whole_floats_to_ints(value));
    }
    merged.extend(sent.to_json());
    let without_id = schema.violations(merged.clone());
    if without_id.len() == 0 {
        return without_id;
    }
    merged.insert("_id".to_owned(), Json::String(id.to_string()));
    let with_id = schema.violations(merged);
    if with_id.len() < without_id.len() { with_id } else { without_id }
}

/// Whether a record is small enough for a schema to look at.
fn is_seen(record: &SentRecord<'_>) -> bool {
    let fields = record.fields();
    fields.len() <= RECORD_FIELDS + ReservedKey::ALL.len()
        && fields.iter().all(|(key, value)| {
            key.len() <= FIELD_NAME_BYTES
                && !matches!(value, SentValue::Text(text) if text.len() > VALUE_BYTES)
        })
}

/// What becomes of an `_id` that was sent.
#[derive(Clone, Copy)]
enum IdRule<'a> {
    /// It is the record's id.
    AsSent,
    /// `auto_ids` makes another; what was sent does not matter.
    Overridden,
    /// It must be this one.
    Unchanged(&'a RecordId),
}

/// Faults by the kinds that are reported one after the other.
#[derive(Default)]
struct Faults {
    schema: Vec<InvalidRecord>,
    auto_ids: Option<InvalidRecord>,
    dates: Vec<InvalidRecord>,
    record: Vec<InvalidRecord>,
}

impl Faults {
    fn len(&self) -> usize {
        self.schema.len() + usize::from(self.auto_ids.is_some()) + self.dates.len() + self.record.len()
    }

    fn schema(&mut self, index: usize, Violations { first, more }: Violations) {
        self.schema.extend(first.into_iter().map(|violation| InvalidRecord::Schema { index, violation }));
        self.schema.extend((more > 0).then_some(InvalidRecord::MoreViolations { index, more }));
    }

    /// The id made of the base64 of the values as sent, joined with dots. One message for the
    /// request, for the first record that lacks a field.
    fn auto_id(&mut self, record: &SentRecord<'_>, auto_ids: &[String]) -> Option<RecordId> {
        let missing: Vec<String> = auto_ids.iter().filter(|key| record.get(key).is_none()).cloned().collect();
        if !missing.is_empty() {
            self.auto_ids.get_or_insert(InvalidRecord::MissingIdFields(missing));
            return None;
        }
        let values: Vec<_> = auto_ids.iter().filter_map(|key| record.get(key)).map(spelling).collect();
        self.id(&STANDARD.encode(values.join(".")))
    }

    fn sent_id(&mut self, value: &SentValue<'_>) -> Option<RecordId> {
        match value {
            SentValue::Text(text) => return self.id(text),
            SentValue::Nested(_) => self.record.push(InvalidRecord::Value("_id".to_owned())),
            other => self.record.push(InvalidRecord::Id(spelling(other).into_owned())),
        }
        None
    }

    fn id(&mut self, text: &str) -> Option<RecordId> {
        let id = RecordId::parse(text);
        if id.is_none() {
            self.record.push(InvalidRecord::Id(text.to_owned()));
        }
        id
    }

    fn unchanged_id(&mut self, id: &RecordId, value: &SentValue<'_>) {
        if !matches!(value, SentValue::Text(text) if text == id.as_str()) {
            let given = spelling(value).into_owned();
            self.record.push(InvalidRecord::ChangedId { id: id.clone(), given });
        }
    }

    // DIFFERENCE: every fault of a record is a message, not only the first.
    fn fields(
        &mut self,
        sent: &SentRecord<'_>,
        rule: IdRule<'_>,
        sink: &mut impl RecordSink,
    ) -> (Option<RecordId>, Option<Timestamp>) {
        let (mut id, mut timestamp) = (None, None);
        for (key, value) in sent.fields() {
            if !is_field_name(key) {
                self.record.push(InvalidRecord::Key(key.to_string()));
            }
            let reserved = ReservedKey::parse(key);
            if reserved.is_none() && key.starts_with('_') && is_field_name(key) {
                self.record.push(InvalidRecord::ReservedKey(key.to_string()));
            }
            match reserved {
                Some(ReservedKey::Id) => match rule {
                    IdRule::AsSent => id = self.sent_id(value),
                    IdRule::Overridden => {}
                    IdRule::Unchanged(id) => self.unchanged_id(id, value),
                },
                Some(ReservedKey::Timestamp) => timestamp = self.date(key, value),
                Some(ReservedKey::StartAt | ReservedKey::EndAt) => {
                    if let Some(date) = self.date(key, value) {
                        sink.field(key, ValueRef::Time(date));
                    }
                }
                None => match stored_value(value) {
                    Some(value) => sink.field(key, value),
                    None => self.record.push(InvalidRecord::Value(key.to_string())),
                },
            }
        }
        (id, timestamp)
    }

    /// A reserved time. A bad one is two messages: one among the dates, one among the record
    /// checks.
    fn date(&mut self, key: &str, value: &SentValue<'_>) -> Option<Timestamp> {
        let fault = match value {
            SentValue::Text(text) => match Timestamp::parse(text) {
                Ok(timestamp) => return Some(timestamp),
                Err(InvalidTimestamp::NotATime) => InvalidRecord::NotADate { key: key.to_owned() },
                Err(InvalidTimestamp::NoSuchTime) => {
                    InvalidRecord::NoSuchDate { key: key.to_owned(), given: text.to_string() }
                }
            },
            _ => InvalidRecord::NotADate { key: key.to_owned() },
        };
        self.dates.push(fault);
        self.record.push(InvalidRecord::NotADatetime(key.to_owned()));
        None
    }

    fn into_result(self) -> Result<(), Vec<InvalidRecord>> {
        let mut faults = self.schema;
        faults.extend(self.auto_ids);
        faults.extend(self.dates);
        faults.extend(self.record);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// A value as sent: text as it is, everything else in its JSON spelling.
fn spelling<'a>(value: &'a SentValue<'_>) -> Cow<'a, str> {
    match value {
        SentValue::Null => "null".into(),
        SentValue::Bool(true) => "true".into(),
        SentValue::Bool(false) => "false".into(),
        SentValue::Number(text) | SentValue::Text(text) | SentValue::Nested(text) => (&**text).into(),
    }
}

/// The value to store; none for what no record may hold.
fn stored_value<'a>(value: &'a SentValue<'_>) -> Option<ValueRef<'a>> {
    match value {
        SentValue::Null => Some(ValueRef::Null),
        SentValue::Bool(value) => Some(ValueRef::Bool(*value)),
        SentValue::Text(text) => Some(ValueRef::Text(text)),
        SentValue::Number(text) => number(text),
        SentValue::Nested(_) => None,
    }
}

/// A number of 64 bits: an integer unless it is spelled with a fraction or an exponent.
fn number(text: &str) -> Option<ValueRef<'static>> {
    if text.contains(['.', 'e', 'E']) {
        // Adding zero turns -0.0 into 0.0: they are one value, which has one spelling.
        text.parse().ok().filter(|float: &f64| float.is_finite()).map(|float| ValueRef::Float(float + 0.0))
    } else {
        text.parse().ok().map(ValueRef::Int)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::sent::SentBody;

    fn sent(json: &str) -> Vec<SentRecord<'_>> {
        SentBody::parse(json.as_bytes()).expect("records").into_records()
    }

    fn messages(json: &str, auto_ids: &[&str]) -> Vec<String> {
        let auto_ids: Vec<_> = auto_ids.iter().map(ToString::to_string).collect();
        match check_records(&sent(json), &auto_ids, None) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    fn record(json: &str, auto_ids: &[&str]) -> Record {
        let auto_ids: Vec<_> = auto_ids.iter().map(ToString::to_string).collect();
        check_records(&sent(json), &auto_ids, None).expect(json).remove(0)
    }

    #[test]
    fn faults_that_are_enough() {
        let body = format!("[{}]", vec![r#"{"x": 1}"#; MAX_FAULTS + 2].join(","));
        let sent = SentBody::parse(body.as_bytes()).expect("a body").into_records();
        let faults = check_records(&sent, &[], None).expect_err("faults");
        assert_eq!(faults.len(), MAX_FAULTS + 1);
        let last = faults.last().map(ToString::to_string);
        assert_eq!(last.as_deref(), Some("2 more records were not checked: 10000 faults are enough"));
    }

    #[test]
    fn every_message() {
        let cases = [
            r#"{"foo-bar": 1}"#,
            r#"{"_": 1}"#,
            r#"{"café": 1}"#,
            r#"{"_foo": 1}"#,
            r#"{"_updated_at": 1}"#,
            r#"{"_Timestamp": "2014-01-01"}"#,
            r#"{"foo": [1]}"#,
            r#"{"foo": {}}"#,
            r#"{"foo": 9223372036854775808}"#,
            r#"{"foo": 123456789012345678901234567890}"#,
            r#"{"foo": 1e400}"#,
            r#"{"_id": "foo bar"}"#,
            r#"{"_id": ""}"#,
            r#"{"_id": "a\u00a0b"}"#,
            r#"{"_id": 5}"#,
            r#"{"_id": null}"#,
            r#"{"_id": ["foo"]}"#,
            r#"{"_timestamp": "whenever"}"#,
            r#"{"_timestamp": "2014-02-30T00:00:00Z"}"#,
            r#"{"_timestamp": 1388631845}"#,
            r#"{"_timestamp": []}"#,
            r#"{"_start_at": "whenever"}"#,
            r#"{"_end_at": "2014-13-01"}"#,
            r#"{"foo-bar": 1, "baz": [1]}"#,
            r#"{"foo-bar": [1]}"#,
            r#"[{"foo-bar": 1}, {"_timestamp": "whenever"}]"#,
            r#"{"_timestamp": "x", "_end_at": "y"}"#,
        ];
        let shown: Vec<_> =
            cases.iter().map(|json| format!("{json}\n    {}", messages(json, &[]).join("\n    "))).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn values_that_are_stored() {
        let record = record(
            r#"{"_id": "foo", "_timestamp": "2014-01-01", "_end_at": "2014-01-02", "max": 9223372036854775807,
                "min": -9223372036854775808, "whole": 2.0, "zero": -0.0, "exp": 1e2, "none": null, "yes": true, "txt": ""}"#,
            &[],
        );
        assert_eq!(record.id.as_ref().map(RecordId::as_str), Some("foo"));
        assert_eq!(record.timestamp, Timestamp::parse("2014-01-01").ok());
        let shown: Vec<_> = record.fields.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        insta::assert_snapshot!(shown.join(" "), @r#"_end_at=Time(2014-01-02T00:00:00+00:00) exp=Float(100.0) max=Int(9223372036854775807) min=Int(-9223372036854775808) none=Null txt=Text("") whole=Float(2.0) yes=Bool(true) zero=Float(0.0)"#);
    }

    #[track_caller]
    fn check_auto_id(json: &str, auto_ids: &[&str], text: &str) {
        let id = record(json, auto_ids).id.expect("an id");
        let decoded = STANDARD.decode(id.as_str()).expect("base64");
        assert_eq!(String::from_utf8(decoded).as_deref(), Ok(text));
    }

    #[test]
    fn auto_ids_are_made_of_values_as_sent() {
        let fields = ["_timestamp", "channel"];
        check_auto_id(
            r#"{"_timestamp": "2014-04-01T00:00:00Z", "channel": "web", "_id": "overridden"}"#,
            &fields,
            "2014-04-01T00:00:00Z.web",
        );
        check_auto_id(r#"{"code": 1.50}"#, &["code"], "1.50");
        check_auto_id(r#"{"code": true}"#, &["code"], "true");
        check_auto_id(r#"{"code": null}"#, &["code"], "null");
        check_auto_id(r#"{"code": "café"}"#, &["code"], "café");
    }

    #[test]
    fn faults_of_auto_ids() {
        let fields = ["_timestamp", "channel"];
        assert_eq!(
            messages(r#"[{"_timestamp": "2014-01-01", "foo-bar": 1}, {"num": 1}]"#, &fields),
            ["The following required id fields are missing: channel", "foo-bar is not a valid key"]
        );
        assert_eq!(
            messages(r#"{"num": 5}"#, &fields),
            ["The following required id fields are missing: _timestamp, channel"]
        );
        assert_eq!(messages(r#"{"code": ""}"#, &["code"]), ["_id \"\" is not a valid id"]);
        assert_eq!(messages(r#"{"code": "x", "_id": "a b"}"#, &["code"]), [""; 0]);
    }

    #[test]
    fn a_schema_sees_the_record_as_sent_and_its_messages_come_first() {
        let schema = RecordSchema::compile(&json!({
            "properties": {"count": {"type": "integer"}, "_timestamp": {"type": "string", "maxLength": 10}},
            "additionalProperties": false,
        }))
        .expect("a schema");
        let check = |json: &str| match check_records(&sent(json), &[], Some(&schema)) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        assert_eq!(check(r#"{"_timestamp": "2014-01-01", "count": 5.0}"#), [""; 0]);
        assert_eq!(
            check(r#"[{}, {"count": 5.5, "foo-bar": 1}]"#),
            [
                "record 1: Additional properties are not allowed ('foo-bar' was unexpected)",
                "record 1/count: 5.5 is not of type \"integer\"",
                "foo-bar is not a valid key",
            ]
        );
    }

    fn patch(stored: &Record, json: &str, schema: Option<&RecordSchema>) -> Result<Record, Vec<String>> {
        let id = RecordId::parse("p1").expect("an id");
        check_patch(&id, stored, &sent(json)[0], schema)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_patch_sets_what_is_sent_and_keeps_the_rest() {
        let stored = record(r#"{"_id": "p1", "_timestamp": "2014-01-01", "val": 1, "other": "kept"}"#, &[]);
        assert_eq!(
            patch(&stored, r#"{"_id": "p1", "_timestamp": "2014-02-02", "val": 2, "more": true}"#, None),
            Ok(record(
                r#"{"_id": "p1", "_timestamp": "2014-02-02", "val": 2, "other": "kept", "more": true}"#,
                &[]
            ))
        );
        assert_eq!(patch(&stored, "{}", None), Ok(stored));
    }

    #[test]
    fn faults_of_a_patch() {
        let stored = record(r#"{"_id": "p1", "val": 1}"#, &[]);
        let messages = |json| patch(&stored, json, None).expect_err(json);
        assert_eq!(messages(r#"{"a-b": 1}"#), ["a-b is not a valid key"]);
        assert_eq!(messages(r#"{"_count": 1}"#), ["_count is not a recognised internal field"]);
        assert_eq!(messages(r#"{"val": {}}"#), ["val has an invalid value"]);
        assert_eq!(messages(r#"{"_id": "other"}"#), ["_id cannot be changed from \"p1\" to \"other\""]);
        assert_eq!(messages(r#"{"_timestamp": null}"#).len(), 2);
    }

    #[test]
    fn the_merged_record_must_satisfy_the_schema() {
        let schema = |schema: Json| RecordSchema::compile(&schema).expect("a schema");
        let stored = record(r#"{"_id": "p1", "val": 1, "other": "x"}"#, &[]);
        let needs_both = schema(json!({
            "required": ["val", "other"],
            "properties": {"val": {"type": "integer"}, "other": {}},
            "additionalProperties": false,
        }));
        assert!(patch(&stored, r#"{"val": 2}"#, Some(&needs_both)).is_ok());
        assert!(patch(&stored, r#"{"val": "two"}"#, Some(&needs_both)).is_err());
        let needs_id = schema(json!({"required": ["_id"]}));
        assert!(patch(&stored, r#"{"val": 2}"#, Some(&needs_id)).is_ok());
        // The violation of the form that has the fewest is the one that the client made.
        assert_eq!(patch(&stored, r#"{"val": "two"}"#, Some(&needs_both)).expect_err("a violation").len(), 1);
        let whole = record(r#"{"_id": "p1", "val": 5.0, "other": "x"}"#, &[]);
        assert!(patch(&whole, r#"{"other": "y"}"#, Some(&needs_both)).is_ok(), "5.0 is an integer");
    }
}
