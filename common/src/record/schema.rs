//! JSON Schemas that records must satisfy: draft 4 unless `$schema` names another, formats checked,
//! nothing fetched from elsewhere.
//!
//! What a schema costs is bounded when it is compiled ([`bounds`]), and what it says when a record is checked.
//! Patterns are matched by an engine that does not try again, so no text makes one expensive.

mod bounds;
mod message;

use std::fmt;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value as Json};

use crate::limits::VIOLATIONS;

/// How large the machine of a pattern may be, in bytes.
const PATTERN_BYTES: usize = 1 << 21;
/// How many items of a list, or members of an object, a schema sees where no record may hold either.
pub(crate) const NESTED_ITEMS: usize = 16;

/// A compiled schema.
pub struct RecordSchema {
    validator: Validator,
    cost: u64,
}

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

/// What is wrong with a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Violations {
    /// Those of the record as a whole first, then by key.
    pub(crate) first: Vec<Violation>,
    /// How many there are besides.
    pub(crate) more: usize,
}

impl Violations {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.more
    }
}

impl RecordSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// What is wrong with the schema, as text.
    pub fn compile(schema: &Json) -> Result<Self, String> {
        let cost = bounds::cost(schema)?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let options = jsonschema::options().should_validate_formats(true).with_pattern_options(patterns);
        let options = options.offline();
        let named = schema.get("$schema").is_some();
        let options = if named { options } else { options.with_draft(Draft::Draft4) };
        let validator = options.build(schema).map_err(|error| fault(&error))?;
        Ok(Self { validator, cost })
    }

    /// How many steps it takes to check a record, at the most, about.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The violations of a record.
    pub(crate) fn violations(&self, record: Map<String, Json>) -> Violations {
        let record = Json::Object(record);
        let mut errors: Vec<_> = self.validator.iter_errors(&record).collect();
        errors.sort_by(|a, b| a.instance_path().as_str().cmp(b.instance_path().as_str()));
        let more = errors.len().saturating_sub(VIOLATIONS);
        errors.truncate(VIOLATIONS);
        let violation = |error: &ValidationError<'_>| Violation {
            pointer: error.instance_path().to_string(),
            message: message::of(error),
        };
        Violations { first: errors.iter().map(violation).collect(), more }
    }
}

/// What is wrong with a schema.
fn fault(error: &ValidationError<'_>) -> String {
    let message = message::of(error);
    let keyword = error.schema_path().as_str().rsplit('/').next().unwrap_or_default();
    let place = error.instance_path().as_str();
    if keyword == "format" || place.ends_with("/pattern") || place.contains("/patternProperties") {
        return format!(
            "{message}; a pattern is a regular expression of up to {PATTERN_BYTES} bytes when compiled, without \
             look-around (as in (?=x) or (?!x)) and without back references (as in \\1)"
        );
    }
    message
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
        let found = schema.violations(record);
        let found: Vec<_> = found.first.into_iter().map(|violation| violation.message).collect();
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

    #[test]
    fn no_record_has_more_than_a_hundred_messages() {
        let schema =
            json!({"allOf": vec![json!({"required": ["zz"]}); 500], "properties": {"aa": {"not": {}}}});
        let schema = RecordSchema::compile(&schema).expect("a schema");
        let Json::Object(record) = json!({"aa": 1}) else { panic!("a record") };
        let found = schema.violations(record);
        assert_eq!((found.first.len(), found.more, found.len()), (100, 401, 501));
    }

    #[test]
    fn patterns_are_matched_without_trying_again() {
        for pattern in ["^(?!foo)", "(?<=a)b", r"^(?:(a|a)*)\1c$", "(?:(?:a{500}){500}){500}", "("] {
            for schema in [
                json!({"properties": {"aa": {"pattern": pattern}}}),
                json!({"patternProperties": {pattern: {}}}),
                json!({"$schema": "http://json-schema.org/draft-07/schema#", "pattern": pattern}),
            ] {
                let fault = RecordSchema::compile(&schema).expect_err(pattern);
                assert!(fault.contains("without look-around") && fault.len() < 700, "{pattern}: {fault}");
            }
        }
        check(&json!({"properties": {"aa": {"pattern": "^(a+)+$"}}}), json!({"aa": "a".repeat(5000)}), &[]);
        check(
            &json!({"properties": {"aa": {"pattern": r"^\d+$"}}}),
            json!({"aa": "x"}),
            &[r#""x" does not match "^\d+$""#],
        );
    }
}
