//! JSON Schemas that records must satisfy: draft 4 unless `$schema` names another, formats checked,
//! nothing fetched from elsewhere.

use std::fmt;

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value as Json};

/// A compiled schema.
pub struct RecordSchema(Validator);

/// One violation: what is wrong and in which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The JSON pointer of the offending value; empty for the record itself.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl Violation {
    /// The key of the offending field; none for the record itself.
    pub fn key(&self) -> Option<&str> {
        // No key of a record has a character that a pointer would escape.
        self.pointer.strip_prefix('/').map(|path| path.split_once('/').map_or(path, |(key, _)| key))
    }
}

impl RecordSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// What is wrong with the schema, as text.
    pub fn compile(schema: &Json) -> Result<Self, String> {
        let options = jsonschema::options().should_validate_formats(true).offline();
        let named = schema.get("$schema").is_some();
        let options = if named { options } else { options.with_draft(Draft::Draft4) };
        options.build(schema).map(Self).map_err(|error| error.to_string())
    }

    /// Every violation of a record, those of the record as a whole first, then by key.
    pub(crate) fn violations(&self, record: Map<String, Json>) -> Vec<Violation> {
        let record = Json::Object(record);
        let violation = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: error.instance_path().to_string(),
            message: error.to_string(),
        };
        let mut violations: Vec<_> = self.0.iter_errors(&record).map(violation).collect();
        violations.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        violations
    }
}

impl fmt::Debug for RecordSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecordSchema(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Json, record: Json, messages: &[&str]) {
        let schema = RecordSchema::compile(schema).expect("a schema");
        let Json::Object(record) = record else { panic!("a record") };
        let found: Vec<_> =
            schema.violations(record).into_iter().map(|violation| violation.message).collect();
        assert_eq!(found, messages);
    }

    #[test]
    fn every_violation_is_found() {
        let schema = json!({
            "required": ["count", "kind"],
            "properties": {"count": {"type": "integer", "minimum": 1}, "day": {"format": "date"}},
        });
        check(&schema, json!({"count": 5, "kind": "x", "day": "2014-01-01"}), &[]);
        check(
            &schema,
            json!({"count": 0, "day": "today"}),
            &[
                "\"kind\" is a required property",
                "0 is less than the minimum of 1",
                "\"today\" is not a \"date\"",
            ],
        );
    }

    #[test]
    fn draft_4_unless_another_is_named() {
        // In draft 4 exclusiveMaximum is a flag of maximum; since draft 6 it is a limit of its own.
        check(
            &json!({"properties": {"nn": {"maximum": 5, "exclusiveMaximum": true}}}),
            json!({"nn": 5}),
            &["5 is greater than or equal to the maximum of 5"],
        );
        check(
            &json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"nn": {"exclusiveMaximum": 5}},
            }),
            json!({"nn": 5}),
            &["5 is greater than or equal to the maximum of 5"],
        );
    }

    #[test]
    fn schemas_that_are_none() {
        assert!(RecordSchema::compile(&json!({"type": "nonsense"})).is_err());
        assert!(RecordSchema::compile(&json!({"$ref": "https://example.com/other.json"})).is_err());
        assert!(RecordSchema::compile(&json!({"$ref": "file:///etc/hostname"})).is_err());
    }
}
