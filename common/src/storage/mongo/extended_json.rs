//! MongoDB's Extended JSON (version 2, relaxed), with keys in their order: that of a `$sort` matters.

use mongodb::bson::{Bson, Document};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Some stages as the text of a list.
///
/// # Errors
///
/// None in practice: every BSON value has its extended JSON.
pub(super) fn to_text(stages: &[Document]) -> serde_json::Result<Box<RawValue>> {
    to_raw_value(&stages.iter().map(Object).collect::<Vec<_>>())
}

struct Object<'a>(&'a Document);

struct Value<'a>(&'a Bson);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, &Value(value))?;
        }
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Bson::Document(document) => Object(document).serialize(serializer),
            Bson::Array(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Value(value))?;
                }
                list.end()
            }
            other => other.clone().into_relaxed_extjson().serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, doc};

    use super::*;

    #[test]
    fn keys_stay_in_their_order() {
        let stages = [
            doc! { "$sort": { "zz": 1, "aa": -1_i64, "mm": [null, { "b": 1.5, "a": true }] } },
            doc! { "$match": { "at": DateTime::from_millis(1000) } },
        ];
        let text = to_text(&stages).expect("JSON");
        insta::assert_snapshot!(text.get(), @r#"[{"$sort":{"zz":1,"aa":-1,"mm":[null,{"b":1.5,"a":true}]}},{"$match":{"at":{"$date":"1970-01-01T00:00:01Z"}}}]"#);
    }
}
