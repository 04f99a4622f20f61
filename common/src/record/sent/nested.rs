//! Lists and objects as a schema sees them: the beginning of each, and little of what is nested in it again. No
//! record may hold either, so a schema sees enough to say so.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use crate::record::schema::NESTED_ITEMS;

/// The beginning of a list or an object; null if it holds a number that is none of ours.
pub(super) fn beginning(json: &str) -> Json {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Nested { levels: 3 }.deserialize(&mut deserializer).unwrap_or(Json::Null)
}

/// A value, of which so many levels are shown.
#[derive(Clone, Copy)]
struct Nested {
    levels: u8,
}

impl Nested {
    fn inner(self) -> Self {
        Self { levels: self.levels - 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut shown = Vec::new();
        if self.levels > 1 {
            while shown.len() < NESTED_ITEMS
                && let Some(item) = items.next_element_seed(self.inner())?
            {
                shown.push(item);
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(shown.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut shown = Map::new();
        if self.levels > 1 {
            while shown.len() < NESTED_ITEMS
                && let Some(key) = members.next_key::<String>()?
            {
                shown.insert(key, members.next_value_seed(self.inner())?);
            }
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(shown.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_much_as_a_schema_sees() {
        let many: Vec<_> = (0..20).collect();
        for (given, seen) in [
            ("[1, -2, 2.5, \"aa\", true, null]".to_owned(), json!([1, -2, 2.5, "aa", true, null])),
            (
                r#"{"aa": 1, "bb": {"cc": [2]}, "dd": [[3]]}"#.to_owned(),
                json!({"aa": 1, "bb": {"cc": []}, "dd": [[]]}),
            ),
            (json!(many).to_string(), json!(many[..16])),
            ("[1e400]".to_owned(), Json::Null),
            (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), json!([[[]]])),
            (format!("{}5{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)), json!({"a": {"a": {}}})),
        ] {
            assert_eq!(beginning(&given), seen);
        }
    }
}
