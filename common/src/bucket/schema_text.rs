//! A bucket's schema as it is kept: text, which nobody reads until records are checked.
//!
//! A configuration is looked up for each request. So its schema is copied by reference and parsed by whoever
//! needs it; a schema that cannot be read takes nothing along but the writes of its bucket.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

/// A JSON Schema in its JSON spelling. Clones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SchemaText(Arc<str>);

impl SchemaText {
    /// A schema that is stored somewhere; none if the text is no JSON object. Nothing else is looked at.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().and_then(Self::of_raw)
    }

    fn of_raw(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        text.starts_with('{').then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The schema.
    ///
    /// # Errors
    ///
    /// If it is nested deeper than what is parsed. None that is saved by this version is.
    pub fn parse(&self) -> Result<Json, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<Json> for SchemaText {
    fn from(schema: Json) -> Self {
        Self(schema.to_string().into())
    }
}

impl fmt::Debug for SchemaText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// For people: over several lines, or as it is stored if it cannot be read.
impl fmt::Display for SchemaText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parse() {
            Ok(schema) => write!(formatter, "{schema:#}"),
            Err(_) => formatter.write_str(&self.0),
        }
    }
}

/// As the object that it is.
impl Serialize for SchemaText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parse().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SchemaText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of_raw(&raw).ok_or_else(|| D::Error::custom("a schema must be a JSON object"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_back_from_its_object() {
        let schema = SchemaText::from(json!({"required": ["aa"], "type": "object"}));
        let text = serde_json::to_string(&schema).expect("JSON");
        assert_eq!(text, r#"{"required":["aa"],"type":"object"}"#);
        assert_eq!(serde_json::from_str::<SchemaText>(&text).expect("a schema"), schema);
        assert_eq!(serde_json::to_value(&schema).expect("JSON"), schema.parse().expect("JSON"));
        assert!(serde_json::from_str::<SchemaText>("[]").is_err());
        assert_eq!(serde_json::from_str::<Option<SchemaText>>("null").expect("none"), None);
    }

    #[test]
    fn its_depth_is_nothing_to_who_only_keeps_it() {
        for depth in [126, 127, 20_000, 1_000_000] {
            let text = format!("{}{{}}{}", "{\"not\":".repeat(depth), "}".repeat(depth));
            let kept = SchemaText::stored(&text).expect("a schema");
            assert_eq!(serde_json::from_str::<SchemaText>(&text).expect("a schema"), kept);
            assert_eq!(kept.parse().is_ok(), depth < 127, "{depth}");
        }
        for text in ["", "[]", "5", "{", "{}}", "nonsense"] {
            assert_eq!(SchemaText::stored(text), None, "{text}");
        }
    }
}
