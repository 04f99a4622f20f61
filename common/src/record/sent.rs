//! Records as a client sent them: parsed JSON in which nothing is rounded, guessed or checked yet.
//!
//! Numbers keep their text, because an integer past 64 bits must be refused and not rounded, and
//! because `auto_ids` are made of values "as sent".

mod nested;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

/// A value as sent.
#[derive(Clone, Debug, PartialEq)]
pub enum SentValue<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number in its JSON spelling.
    Number(Cow<'a, str>),
    /// Text.
    Text(Cow<'a, str>),
    /// A list or an object, in its JSON spelling; no record may hold one.
    Nested(Cow<'a, str>),
}

impl<'a> SentValue<'a> {
    fn from_json(json: &'a str) -> Result<Self, serde_json::Error> {
        Ok(match json.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(unescape(json)?),
            Some(b'[' | b'{') => Self::Nested(json.into()),
            _ => Self::Number(json.into()),
        })
    }

    /// The same value with its text copied.
    pub fn into_owned(self) -> SentValue<'static> {
        match self {
            Self::Null => SentValue::Null,
            Self::Bool(value) => SentValue::Bool(value),
            Self::Number(text) => SentValue::Number(text.into_owned().into()),
            Self::Text(text) => SentValue::Text(text.into_owned().into()),
            Self::Nested(text) => SentValue::Nested(text.into_owned().into()),
        }
    }

    /// The value for a schema to see. A whole number is an integer however it is spelled: `5.0`
    /// satisfies `"type": "integer"` in every draft. Of what is nested it sees the beginning.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Text(text) => Json::String(text.clone().into_owned()),
            Self::Number(text) => whole_floats_to_ints(serde_json::from_str(text).unwrap_or(Json::Null)),
            Self::Nested(text) => whole_floats_to_ints(nested::beginning(text)),
        }
    }
}

/// The text of a JSON string; borrowed where nothing in it is escaped. An escape may be well formed
/// and still mean nothing, as half of a surrogate pair does.
fn unescape(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match json.get(1..json.len() - 1) {
        Some(text) if !text.contains('\\') => Ok(text.into()),
        _ => serde_json::from_str::<String>(json).map(Cow::Owned),
    }
}

/// The same JSON with every whole number spelled as an integer.
pub(crate) fn whole_floats_to_ints(value: Json) -> Json {
    match value {
        Json::Number(number) => {
            let whole = number.as_f64().filter(|_| number.is_f64()).and_then(crate::value::exact_int);
            whole.map_or(Json::Number(number), Json::from)
        }
        Json::Array(items) => items.into_iter().map(whole_floats_to_ints).collect(),
        Json::Object(members) => {
            members.into_iter().map(|(key, value)| (key, whole_floats_to_ints(value))).collect()
        }
        other => other,
    }
}

/// A record as sent: its fields sorted by key, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SentRecord<'a> {
    fields: Vec<(Cow<'a, str>, SentValue<'a>)>,
}

impl<'a> SentRecord<'a> {
    /// Of a key that is there more than once the last stands, as in most JSON readers.
    pub fn new(mut fields: Vec<(Cow<'a, str>, SentValue<'a>)>) -> Self {
        fields.reverse();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields.dedup_by(|(later, _), (kept, _)| later == kept);
        Self { fields }
    }

    /// The same record with its texts copied.
    pub fn into_owned(self) -> SentRecord<'static> {
        let owned =
            |(key, value): (Cow<'a, str>, SentValue<'a>)| (key.into_owned().into(), value.into_owned());
        SentRecord { fields: self.fields.into_iter().map(owned).collect() }
    }

    /// The fields, sorted by key.
    pub fn fields(&self) -> &[(Cow<'a, str>, SentValue<'a>)] {
        &self.fields
    }

    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&SentValue<'a>> {
        let place = self.fields.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(&self.fields[place].1)
    }

    pub(crate) fn to_json(&self) -> Map<String, Json> {
        self.fields.iter().map(|(key, value)| (key.clone().into_owned(), value.to_json())).collect()
    }
}

/// Why a body holds no records.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "body_")]
pub enum InvalidBody {
    /// There is no body.
    #[error("Expected JSON request body but received zero bytes.")]
    Empty,
    /// It is not JSON.
    #[error("Error parsing JSON: \"{0}\"")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("Expected a record (a JSON object) or a list of records, but received {given}")]
    NotRecords {
        /// What it is.
        given: &'static str,
    },
    /// An item of the list is no record.
    #[error("Expected a list of records (JSON objects), but item {index} is {given}")]
    NotARecord {
        /// Its place in the list, from 0.
        index: usize,
        /// What it is.
        given: &'static str,
    },
}

/// A body: one record, or a list of them.
#[derive(Debug)]
pub enum SentBody<'a> {
    /// One object.
    Record(SentRecord<'a>),
    /// A list of objects.
    Records(Vec<SentRecord<'a>>),
}

impl<'a> SentBody<'a> {
    /// Parses a body.
    ///
    /// # Errors
    ///
    /// [`InvalidBody`] says what was received instead, and where in the list.
    pub fn parse(body: &'a [u8]) -> Result<Self, InvalidBody> {
        let mut records = Vec::new();
        let is_list = each_record(body, |record| records.push(record.clone()))?;
        Ok(match records.pop() {
            Some(record) if !is_list => Self::Record(record),
            last => Self::Records(records.into_iter().chain(last).collect()),
        })
    }

    /// The records, one or many.
    pub fn into_records(self) -> Vec<SentRecord<'a>> {
        match self {
            Self::Record(record) => vec![record],
            Self::Records(records) => records,
        }
    }
}

/// Parses a body, and shows each record as soon as it is parsed. Says whether they came as a list. Those
/// that were shown are of no use if the body turns out to be none.
///
/// # Errors
///
/// [`InvalidBody`] says what was received instead, and where in the list.
pub fn each_record<'a>(body: &'a [u8], show: impl FnMut(&SentRecord<'a>)) -> Result<bool, InvalidBody> {
    if body.is_empty() {
        return Err(InvalidBody::Empty);
    }
    let mut reader = Reader { body, show, record: SentRecord::default(), items: 0, not_a_record: None };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let top = Place { reader: &mut reader, depth: Depth::Top }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    match (top, reader.not_a_record) {
        (Item::Record, _) => Ok(false),
        (Item::List, None) => Ok(true),
        (Item::List, Some((index, given))) => Err(InvalidBody::NotARecord { index, given }),
        (Item::Other(given), _) => Err(InvalidBody::NotRecords { given }),
    }
}

/// What is kept while a body is parsed.
struct Reader<'a, F> {
    /// The whole of it, for the places of what is wrong.
    body: &'a [u8],
    show: F,
    /// The last record; the next one is put in its place.
    record: SentRecord<'a>,
    /// How many items of the list were parsed.
    items: usize,
    /// The first of them that is no record, and what it is.
    not_a_record: Option<(usize, &'static str)>,
}

impl<F> Reader<'_, F> {
    /// The fault of a value, with its place in the body: the value was parsed alone.
    fn placed(&self, json: &str, error: &serde_json::Error) -> String {
        // A value is a part of the body, so it is as far from its beginning as its address is.
        let start = (json.as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
        let before = &self.body[..self.body.len().min(start + error.column())];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        // serde_json takes the place from these words.
        format!("{reason} at line {line} column {column}")
    }
}

/// Where in a body something stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Top,
    /// In the list at the top.
    InList,
    /// In a list that is in it, where nothing is a record of ours.
    Deeper,
}

/// What stands there.
enum Item {
    Record,
    List,
    Other(&'static str),
}

/// A place in a body, which is parsed with what is kept.
struct Place<'s, 'a, F> {
    reader: &'s mut Reader<'a, F>,
    depth: Depth,
}

impl<'de, F: FnMut(&SentRecord<'de>)> DeserializeSeed<'de> for Place<'_, 'de, F> {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&SentRecord<'de>)> Visitor<'de> for Place<'_, 'de, F> {
    type Value = Item;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record or a list of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut fields = std::mem::take(&mut self.reader.record.fields);
        fields.clear();
        while let Some(Key(key)) = map.next_key()? {
            let json: &'de RawValue = map.next_value()?;
            let value = SentValue::from_json(json.get())
                .map_err(|error| serde::de::Error::custom(self.reader.placed(json.get(), &error)))?;
            fields.push((key, value));
        }
        self.reader.record = SentRecord::new(fields);
        if self.depth != Depth::Deeper {
            (self.reader.show)(&self.reader.record);
        }
        Ok(Item::Record)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
        let depth = if self.depth == Depth::Top { Depth::InList } else { Depth::Deeper };
        while let Some(item) = list.next_element_seed(Place { reader: &mut *self.reader, depth })? {
            let given = match item {
                Item::Record => None,
                Item::List => Some("a list"),
                Item::Other(given) => Some(given),
            };
            if depth == Depth::InList {
                let index = self.reader.items;
                self.reader.not_a_record = self.reader.not_a_record.or(given.map(|given| (index, given)));
                self.reader.items += 1;
            }
        }
        Ok(Item::List)
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::Other("null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Item, E> {
        Ok(Item::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Item, E> {
        Ok(Item::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Item, E> {
        Ok(Item::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
        Ok(Item::Other("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Item, E> {
        Ok(Item::Other("text"))
    }
}

/// A key, borrowed where nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Key(key.into()))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Key(key.to_owned().into()))
    }
}

/// Whether the body of a PUT is the empty list; anything else of valid JSON is not.
///
/// # Errors
///
/// [`InvalidBody`] where there is no JSON.
pub fn is_empty_list(body: &[u8]) -> Result<bool, InvalidBody> {
    if body.is_empty() {
        return Err(InvalidBody::Empty);
    }
    let _: IgnoredAny = serde_json::from_slice(body)?;
    Ok(serde_json::from_slice::<[IgnoredAny; 0]>(body).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(json: &str) -> Vec<SentRecord<'_>> {
        SentBody::parse(json.as_bytes()).expect("records").into_records()
    }

    #[track_caller]
    fn check_refused(json: &str, message: &str) {
        let refused = SentBody::parse(json.as_bytes()).expect_err(json);
        assert_eq!(refused.to_string(), message);
    }

    #[test]
    fn values_keep_their_spelling() {
        let records = records(
            r#"{"an_int": 1, "exp": 1e2, "big": 123456789012345678901234567890, "text": "a\tb",
                "flag": true, "none": null, "list": [1, {"a": 2.0}]}"#,
        );
        let value = |key| records[0].get(key).expect(key);
        assert_eq!(*value("an_int"), SentValue::Number("1".into()));
        assert_eq!(*value("exp"), SentValue::Number("1e2".into()));
        assert_eq!(*value("big"), SentValue::Number("123456789012345678901234567890".into()));
        assert_eq!(*value("text"), SentValue::Text("a\tb".into()));
        assert_eq!(*value("flag"), SentValue::Bool(true));
        assert_eq!(*value("none"), SentValue::Null);
        assert_eq!(value("list").to_json().to_string(), r#"[1,{"a":2}]"#);
    }

    #[test]
    fn of_a_repeated_key_the_last_stands() {
        let records = records(r#"[{"bb": 1, "aa": 2, "bb": 3}]"#);
        let keys: Vec<_> = records[0].fields().iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["aa", "bb"]);
        assert_eq!(records[0].get("bb"), Some(&SentValue::Number("3".into())));
    }

    #[test]
    fn bodies_that_hold_no_records() {
        check_refused("", "Expected JSON request body but received zero bytes.");
        check_refused("{borked!}", "Error parsing JSON: \"key must be a string at line 1 column 2\"");
        check_refused("5", "Expected a record (a JSON object) or a list of records, but received a number");
        check_refused("[{}, \"text\"]", "Expected a list of records (JSON objects), but item 1 is text");
        check_refused("[[]]", "Expected a list of records (JSON objects), but item 0 is a list");
        assert!(SentBody::parse(br#"{"aa": NaN}"#).is_err());
        assert!(SentBody::parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(SentBody::parse(b"{\"aa\": \"\xff\"}").is_err());
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
        for json in [r#"{"aa": "\ud800abc"}"#, r#"{"_id": "\udc00"}"#, r#"{"a\ud800": 1}"#] {
            assert!(matches!(SentBody::parse(json.as_bytes()), Err(InvalidBody::NotJson(_))), "{json}");
        }
        assert_eq!(records(r#"{"aa": "\ud83d\ude00"}"#)[0].get("aa"), Some(&SentValue::Text("😀".into())));
    }

    #[test]
    fn a_fault_of_a_value_has_its_place_in_the_body() {
        for (json, line, column) in [
            ("{\"aa\": \"\\ud800abc\"}", 1, 15),
            ("[{\"aa\": 1},\n\n {\"bb\":\n\"\\ud800\", \"cc\": 1}]", 4, 8),
            ("{\"aa\": \"x\\n\",\r\n\"bb\": \"\\udc00\"}", 2, 13),
            // As those that are found without looking into a value.
            ("[{\"aa\": 1},\n{\"a\\ud800\": 1}]", 2, 10),
        ] {
            match SentBody::parse(json.as_bytes()) {
                Err(InvalidBody::NotJson(error)) => {
                    assert_eq!((error.line(), error.column()), (line, column), "{json}");
                    assert!(
                        error.to_string().ends_with(&format!("at line {line} column {column}")),
                        "{error}"
                    );
                }
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_empty_list() {
        assert_eq!(is_empty_list(b" [ ] ").ok(), Some(true));
        for other in ["{}", "[1]", "null", "[[]]", "\"\""] {
            assert_eq!(is_empty_list(other.as_bytes()).ok(), Some(false), "{other}");
        }
        assert!(is_empty_list(b"").is_err());
        assert!(is_empty_list(b"[").is_err());
    }

    proptest! {
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = SentBody::parse(&body);
            let _ = is_empty_list(&body);
        }

        #[test]
        fn no_json_panics(body in r#"[\[\]{}:,"a1.e\\u -]{0,40}"#) {
            let _ = SentBody::parse(body.as_bytes());
        }
    }
}
