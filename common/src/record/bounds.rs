//! How large a record may be. The bounds are those of `limits.rs`, and the same for everything that stores:
//! POST, PATCH, uploads and restore.
//!
//! A record's size is that of its stored form, which is BSON:
//!
//! ```text
//! document = length(4) element* NUL          element = type(1) name NUL value
//! value    = 8 bytes, 1 of a boolean, none of null; of a text length(4) bytes NUL
//! ```

use super::{Record, RecordId};
use crate::excerpt::beginning;
use crate::field::{ReservedKey, UPDATED_AT};
use crate::limits::{FIELD_NAME_BYTES, RECORD_BYTES, RECORD_FIELDS, RECORD_ID_BYTES, VALUE_BYTES};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// A bound that a record is beyond; `Display` says which, by how much, and shows no more of it than its
/// beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// The name of a field is too long.
    #[error("the name of a field has at most {FIELD_NAME_BYTES} bytes, and \"{beginning}\" has {bytes}")]
    Name {
        /// How it begins.
        beginning: String,
        /// How long it is.
        bytes: usize,
    },
    /// A text is too long.
    #[error("{key} is a text of {bytes} bytes, and at most {VALUE_BYTES} are allowed: \"{beginning}\"")]
    Text {
        /// The field.
        key: String,
        /// How the text begins.
        beginning: String,
        /// How long it is.
        bytes: usize,
    },
    /// An id is too long.
    #[error("an _id has at most {RECORD_ID_BYTES} bytes, and \"{beginning}\" has {bytes}")]
    Id {
        /// How it begins.
        beginning: String,
        /// How long it is.
        bytes: usize,
    },
    /// There are too many fields.
    #[error("it has {fields} fields besides reserved ones, and at most {RECORD_FIELDS} are allowed")]
    Fields {
        /// How many.
        fields: usize,
    },
    /// All of it is too large.
    #[error("it takes {bytes} bytes as it is stored, and at most {RECORD_BYTES} are allowed")]
    Bytes {
        /// How many.
        bytes: usize,
    },
}

impl OutOfBounds {
    /// The key of the field that is at fault; none where it is the record as a whole, or no key.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Text { key, .. } => Some(key),
            Self::Id { .. } => Some("_id"),
            Self::Name { .. } | Self::Fields { .. } | Self::Bytes { .. } => None,
        }
    }
}

/// Looks at the name of a field.
pub(super) fn name(key: &str) -> Result<(), OutOfBounds> {
    if key.len() <= FIELD_NAME_BYTES {
        return Ok(());
    }
    Err(OutOfBounds::Name { beginning: beginning(key).into_owned(), bytes: key.len() })
}

/// Looks at the value of a field.
pub(super) fn value(key: &str, value: ValueRef<'_>) -> Result<(), OutOfBounds> {
    match value {
        ValueRef::Text(text) if text.len() > VALUE_BYTES => Err(OutOfBounds::Text {
            key: beginning(key).into_owned(),
            beginning: beginning(text).into_owned(),
            bytes: text.len(),
        }),
        _ => Ok(()),
    }
}

/// Looks at an id.
pub(super) fn id(text: &str) -> Result<(), OutOfBounds> {
    if text.len() <= RECORD_ID_BYTES {
        return Ok(());
    }
    Err(OutOfBounds::Id { beginning: beginning(text).into_owned(), bytes: text.len() })
}

/// Looks at how many fields there are, reserved ones aside.
pub(super) fn fields(fields: usize) -> Result<(), OutOfBounds> {
    if fields <= RECORD_FIELDS { Ok(()) } else { Err(OutOfBounds::Fields { fields }) }
}

/// Looks at the size of the stored form.
pub(super) fn bytes(bytes: usize) -> Result<(), OutOfBounds> {
    if bytes <= RECORD_BYTES { Ok(()) } else { Err(OutOfBounds::Bytes { bytes }) }
}

/// How many bytes a field takes in the stored form.
pub(super) fn field_bytes(key: &str, value: ValueRef<'_>) -> usize {
    let value = match value {
        ValueRef::Null => 0,
        ValueRef::Bool(_) => 1,
        ValueRef::Int(_) | ValueRef::Float(_) | ValueRef::Time(_) => 8,
        ValueRef::Text(text) => 4 + text.len() + 1,
    };
    1 + key.len() + 1 + value
}

/// How many bytes the rest takes: the document, its id, its time and its time of writing.
pub(super) fn frame_bytes(id: Option<&RecordId>, timestamp: Option<Timestamp>) -> usize {
    /// What an id has for which none was sent.
    const MADE_ID: usize = 34;
    let id = id.map_or(MADE_ID, |id| id.as_str().len());
    let id = 1 + "_id".len() + 1 + 4 + id + 1;
    let time = |key: &str| 1 + key.len() + 1 + 8;
    4 + id + timestamp.map_or(0, |_| time("_timestamp")) + time(UPDATED_AT) + 1
}

impl Record {
    /// How many bytes it takes in its stored form.
    pub fn stored_bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(key, value)| field_bytes(key, value.as_ref()));
        frame_bytes(self.id.as_ref(), self.timestamp) + fields.sum::<usize>()
    }

    /// How many fields it has, reserved ones aside.
    pub(super) fn own_fields(&self) -> usize {
        let reserved = self.fields.iter().filter(|(key, _)| ReservedKey::parse(key).is_some()).count();
        self.fields.len() - reserved
    }

    /// Looks at everything in a record that comes from another store.
    ///
    /// # Errors
    ///
    /// The first bound that it is beyond.
    pub fn check_bounds(&self) -> Result<(), OutOfBounds> {
        self.id.as_ref().map_or(Ok(()), |known| id(known.as_str()))?;
        fields(self.own_fields())?;
        for (key, held) in &self.fields {
            name(key)?;
            value(key, held.as_ref())?;
        }
        bytes(self.stored_bytes())
    }

    /// Looks at a record that was changed. One that was beyond a bound before may stay so, but not go further.
    pub(super) fn check_change(&self, from: &Self) -> Result<(), OutOfBounds> {
        if self.own_fields() > from.own_fields() {
            fields(self.own_fields())?;
        }
        if self.stored_bytes() > from.stored_bytes() {
            bytes(self.stored_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checks::{InvalidRecord, MAX_FAULTS, check_patch, check_records};
    use crate::record::sent::{SentBody, SentRecord};
    use crate::value::Value;

    fn sent(json: &str) -> Vec<SentRecord<'_>> {
        SentBody::parse(json.as_bytes()).expect("records").into_records()
    }

    fn faults(json: &str, auto_ids: &[String]) -> Vec<InvalidRecord> {
        check_records(&sent(json), auto_ids, None).err().unwrap_or_default()
    }

    /// So many fields of so many letters each.
    fn fields(count: usize, letters: usize) -> String {
        let text = "x".repeat(letters);
        let fields: Vec<_> = (0..count).map(|field| format!("\"field_{field:04}\": \"{text}\"")).collect();
        fields.join(", ")
    }

    /// A record that is just within a bound, and one just beyond it with what is said of that.
    #[track_caller]
    fn check(within: &str, beyond: &str, message: &str) {
        assert_eq!(faults(within, &[]), []);
        let messages: Vec<_> = faults(beyond, &[]).iter().map(ToString::to_string).collect();
        assert_eq!(messages, [message]);
    }

    #[test]
    fn just_within_a_bound_and_just_beyond() {
        let (name, text, id) = ("n".repeat(128), "é".repeat(131_072), "i".repeat(1_024));
        check(
            &format!(r#"{{"{name}": 1}}"#),
            &format!(r#"{{"{name}n": 1}}"#),
            &format!(
                "record 0: the name of a field has at most 128 bytes, and \"{}…\" has 129",
                "n".repeat(100)
            ),
        );
        check(
            &format!(r#"{{"text": "{text}"}}"#),
            &format!(r#"[{{}}, {{"text": "{text}!"}}]"#),
            &format!(
                "record 1: text is a text of 262145 bytes, and at most 262144 are allowed: \"{}…\"",
                "é".repeat(100)
            ),
        );
        check(
            &format!(r#"{{"_id": "{id}"}}"#),
            &format!(r#"{{"_id": "{id}i"}}"#),
            &format!("record 0: an _id has at most 1024 bytes, and \"{}…\" has 1025", "i".repeat(100)),
        );
        let times =
            r#""_id": "r", "_timestamp": "2014-01-01", "_start_at": "2014-01-01", "_end_at": "2014-01-01""#;
        check(
            &format!("{{{times}, {}}}", fields(1_000, 1)),
            &format!("{{{times}, {}}}", fields(1_001, 1)),
            "record 0: it has 1001 fields besides reserved ones, and at most 1000 are allowed",
        );
    }

    #[test]
    fn the_size_of_a_record_is_that_of_its_stored_form() {
        let four = fields(4, 262_000);
        let json = |letters: usize| format!(r#"{{"_id": "r", {four}, "rest": "{}"}}"#, "x".repeat(letters));
        let record =
            |letters| check_records(&sent(&json(letters)), &[], None).map(|mut found| found.remove(0));
        let room = RECORD_BYTES - record(0).expect("a record").stored_bytes();
        let stored = record(room).expect("a record").stored_bytes();
        assert_eq!(stored, RECORD_BYTES);
        let beyond = record(room + 1).expect_err("it is too large");
        assert_eq!(
            beyond[0].to_string(),
            "record 0: it takes 1048577 bytes as it is stored, and at most 1048576 are allowed"
        );
    }

    #[test]
    fn an_id_that_is_made_has_the_same_bound() {
        let auto_ids = ["text".to_owned()];
        assert_eq!(faults(&format!(r#"{{"text": "{}"}}"#, "x".repeat(768)), &auto_ids), []);
        let faults = faults(&format!(r#"{{"text": "{}"}}"#, "x".repeat(769)), &auto_ids);
        assert!(faults[0].to_string().contains("an _id has at most 1024 bytes"), "{faults:?}");
        assert_eq!(faults.len(), 1);
    }

    #[test]
    fn a_record_has_no_more_messages_than_fields_and_none_is_long() {
        let key = |number: usize| format!("\"{number}{}\": [1]", "k".repeat(60));
        let bad = |count: usize| (0..count).map(key).collect::<Vec<_>>().join(",");
        let many = faults(&format!("{{{}}}", bad(100_000)), &[]);
        assert_eq!(many.len(), 1);
        let most = faults(&format!("{{{}}}", bad(1_000)), &[]);
        assert_eq!(most.len(), 2_000, "each has two faults");
        let records = vec![format!("{{{}}}", bad(1_000)); 20].join(",");
        assert!(faults(&format!("[{records}]"), &[]).len() <= MAX_FAULTS + 2_001);
        let long = "é \\n".repeat(100_000);
        for record in [
            format!(r#"{{"{long}": 1}}"#),
            format!(r#"{{"_id": "{long}"}}"#),
            format!(r#"{{"_timestamp": "{long}"}}"#),
            format!(r#"{{"_end_at": "2014-02-30T00:00:00.{}Z"}}"#, "0".repeat(100_000)),
            format!(r#"{{"text": "{long}"}}"#),
            format!(r#"{{"list": ["{long}"]}}"#),
            format!(r#"{{"number": {}}}"#, "1".repeat(100_000)),
        ] {
            for fault in faults(&record, &[]) {
                assert!(fault.to_string().len() < 400, "{fault}");
            }
        }
    }

    fn stored(fields: Vec<(Box<str>, Value)>) -> Record {
        Record { id: RecordId::parse("r"), timestamp: None, fields }
    }

    fn patched(record: &Record, json: &str) -> Result<Record, Vec<InvalidRecord>> {
        let id = RecordId::parse("r").expect("an id");
        check_patch(&id, record, &sent(json)[0], None)
    }

    #[test]
    fn a_patch_is_bounded_by_what_it_makes_of_the_record() {
        let numbered = |count: usize| {
            stored((0..count).map(|place| (format!("field_{place:04}").into(), Value::Int(1))).collect())
        };
        let full = numbered(1_000);
        assert!(patched(&full, r#"{"field_0000": 2, "_end_at": "2014-01-01"}"#).is_ok());
        assert!(patched(&full, r#"{"another": 1}"#).is_err());
        assert!(patched(&full, &format!("{{{}}}", fields(1_001, 1))).is_err());
        let text = |letters: usize| Value::from("x".repeat(letters).as_str());
        let large = stored((0..4).map(|place| (format!("text_{place}").into(), text(262_000))).collect());
        assert!(patched(&large, r#"{"number": 1}"#).is_ok());
        assert!(patched(&large, &format!(r#"{{"more": "{}"}}"#, "x".repeat(1_000))).is_err());
    }

    #[test]
    fn a_record_of_before_the_bounds_may_only_become_smaller() {
        let text = |letters: usize| Value::from("x".repeat(letters).as_str());
        let mut large: Vec<(Box<str>, Value)> =
            (0..1_500).map(|place| (format!("field_{place:04}").into(), Value::Int(1))).collect();
        large.extend([("huge".into(), text(3_000_000)), ("n".repeat(3_000).into(), Value::Int(1))]);
        let large = stored(large);
        for smaller in [r#"{"field_0001": 2}"#, r#"{"huge": "x"}"#, "{}"] {
            assert!(patched(&large, smaller).is_ok(), "{smaller}");
        }
        for larger in [r#"{"field_0001": "a text"}"#, r#"{"another": 1}"#] {
            assert!(patched(&large, larger).is_err(), "{larger}");
        }
    }
}
