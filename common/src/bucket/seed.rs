//! Seed files: JSON lists of bucket configurations, as Backdrop had them.

use std::collections::HashSet;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{BucketConfig, BucketName, DEFAULT_MAX_AGE_EXPECTED, SchemaText, TokenChange, UploadFormat};
use crate::field::FieldName;
use crate::record::schema::RecordSchema;
use crate::shown::beginning;
use crate::token::TokenHash;

/// One entry of a seed file: a configuration, what to do with the token, and the names in it that
/// mean nothing to us.
#[derive(Debug)]
pub struct BucketSeed {
    /// The configuration; what the entry leaves out is at its default.
    pub config: BucketConfig,
    /// Set or removed where the entry has `bearer_token`, else kept.
    pub token: TokenChange,
    /// Unknown names, which were left out.
    pub unknown: Vec<String>,
}

/// A fault of a bucket's configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBucket {
    /// The seed file is no JSON list of objects.
    #[error("the buckets must be a JSON list of objects: {0}")]
    NotAList(String),
    /// An entry is no object.
    #[error("entry {index} is not an object but {given}")]
    NotAnObject {
        /// Its place in the list, from 0.
        index: usize,
        /// What it is.
        given: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{}{setting} must be {allowed}, not {given}", place(*.index))]
    Setting {
        /// Its place in the list, from 0; none for a configuration on its own.
        index: Option<usize>,
        /// The name of the setting.
        setting: &'static str,
        /// What it may be.
        allowed: &'static str,
        /// What it is.
        given: String,
    },
    /// One half of the second address is missing.
    #[error("{}data_group and data_type come together or not at all", place(*.index))]
    HalfAddress {
        /// Its place in the list, from 0; none for a configuration on its own.
        index: Option<usize>,
    },
    /// A bucket is there twice.
    #[error("entry {index}: bucket \"{name}\" is in the list already")]
    Twice {
        /// The place of the second in the list, from 0.
        index: usize,
        /// The bucket's name.
        name: BucketName,
    },
    /// The schema is no JSON Schema.
    #[error("{}schema is not a JSON Schema: {reason}", place(*.index))]
    Schema {
        /// Its place in the list, from 0; none for a configuration on its own.
        index: Option<usize>,
        /// What is wrong with it.
        reason: String,
    },
}

const SCHEMA: &str = "schema";
const SCHEMA_ALLOWED: &str = "a JSON object or null";

impl InvalidBucket {
    /// What stands where a schema is stored is none.
    pub(crate) fn schema_is_no_object(given: &str) -> Self {
        let given = beginning(given).into_owned();
        Self::Setting { index: None, setting: SCHEMA, allowed: SCHEMA_ALLOWED, given }
    }
}

fn place(index: Option<usize>) -> String {
    index.map(|index| format!("entry {index}: ")).unwrap_or_default()
}

/// Reads a seed file: a JSON list of bucket configurations.
///
/// # Errors
///
/// The first fault found, with the place of its entry and the name of the setting.
pub fn parse_seeds(json: &str) -> Result<Vec<BucketSeed>, InvalidBucket> {
    let entries: Vec<Json> =
        serde_json::from_str(json).map_err(|error| InvalidBucket::NotAList(error.to_string()))?;
    let mut seeds: Vec<BucketSeed> = Vec::with_capacity(entries.len());
    let mut names = HashSet::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let Json::Object(settings) = entry else {
            let given = beginning(&entry.to_string()).into_owned();
            return Err(InvalidBucket::NotAnObject { index, given });
        };
        let seed = parse_seed(Some(index), settings)?;
        if !names.insert(seed.config.name.clone()) {
            return Err(InvalidBucket::Twice { index, name: seed.config.name });
        }
        seeds.push(seed);
    }
    Ok(seeds)
}

/// Reads one configuration, of a list or on its own.
///
/// # Errors
///
/// The first fault found.
pub fn parse_seed(index: Option<usize>, settings: Map<String, Json>) -> Result<BucketSeed, InvalidBucket> {
    let mut seed = SeedReader { index, settings };
    let name = seed.name()?;
    let token = seed.token()?;
    let defaults = BucketConfig::new(name.clone());
    let config = BucketConfig {
        name,
        data_group: seed.take("data_group", "text without \"/\" or null", address_part)?,
        data_type: seed.take("data_type", "text without \"/\" or null", address_part)?,
        raw_queries_allowed: seed.flag("raw_queries_allowed", defaults.raw_queries_allowed)?,
        queryable: seed.flag("queryable", defaults.queryable)?,
        published: seed.flag("published", defaults.published)?,
        realtime: seed.flag("realtime", defaults.realtime)?,
        capped_size: seed
            .take("capped_size", "a number of bytes or null", Json::as_u64)?
            .filter(|bytes| *bytes > 0),
        auto_ids: seed.take("auto_ids", "a list of field names or null", field_names)?.unwrap_or_default(),
        upload_format: seed
            .take("upload_format", "\"csv\" or \"excel\"", |value| UploadFormat::deserialize(value).ok())?
            .unwrap_or(defaults.upload_format),
        upload_filters: seed.take("upload_filters", "a list of names or null", texts)?.unwrap_or_default(),
        max_age_expected: seed.max_age_expected()?,
        schema: seed.schema()?,
    };
    if config.data_group.is_some() != config.data_type.is_some() {
        return Err(InvalidBucket::HalfAddress { index });
    }
    Ok(BucketSeed { config, token, unknown: seed.settings.keys().cloned().collect() })
}

/// Takes the known settings out of an entry; what is left is unknown.
struct SeedReader {
    index: Option<usize>,
    settings: Map<String, Json>,
}

impl SeedReader {
    /// A setting's value, if it is there and not null.
    fn take<T>(
        &mut self,
        setting: &'static str,
        allowed: &'static str,
        read: impl Fn(&Json) -> Option<T>,
    ) -> Result<Option<T>, InvalidBucket> {
        match self.settings.remove(setting) {
            None | Some(Json::Null) => Ok(None),
            Some(given) => read(&given).map(Some).ok_or_else(|| self.fault(setting, allowed, &given)),
        }
    }

    fn fault(&self, setting: &'static str, allowed: &'static str, given: &Json) -> InvalidBucket {
        let given = beginning(&given.to_string()).into_owned();
        InvalidBucket::Setting { index: self.index, setting, allowed, given }
    }

    fn flag(&mut self, setting: &'static str, default: bool) -> Result<bool, InvalidBucket> {
        Ok(self.take(setting, "true or false", Json::as_bool)?.unwrap_or(default))
    }

    fn name(&mut self) -> Result<BucketName, InvalidBucket> {
        let allowed = "a bucket name (a letter, then letters, digits, \"_\", \".\" or \"-\")";
        let read = |value: &Json| BucketName::parse(value.as_str()?).ok();
        self.take("name", allowed, read)?.ok_or_else(|| self.fault("name", allowed, &Json::Null))
    }

    fn token(&mut self) -> Result<TokenChange, InvalidBucket> {
        match self.settings.remove("bearer_token") {
            None => Ok(TokenChange::Keep),
            Some(Json::Null) => Ok(TokenChange::Remove),
            Some(Json::String(token)) if is_token(&token) => {
                Ok(TokenChange::Set(TokenHash::new(&SecretString::from(token))))
            }
            // The value is left out of the message: it may be a token with a slip of the finger.
            Some(_) => Err(InvalidBucket::Setting {
                index: self.index,
                setting: "bearer_token",
                allowed: "visible ASCII text without spaces, or null",
                given: "what it is".to_owned(),
            }),
        }
    }

    /// Null means that the age is not checked, so it differs from a missing setting.
    fn max_age_expected(&mut self) -> Result<Option<u64>, InvalidBucket> {
        if !self.settings.contains_key("max_age_expected") {
            return Ok(Some(DEFAULT_MAX_AGE_EXPECTED));
        }
        self.take("max_age_expected", "a number of seconds or null", Json::as_u64)
    }

    fn schema(&mut self) -> Result<Option<SchemaText>, InvalidBucket> {
        let schema = self.take(SCHEMA, SCHEMA_ALLOWED, |value| value.is_object().then(|| value.clone()))?;
        if let Some(schema) = &schema {
            RecordSchema::compile(schema)
                .map_err(|reason| InvalidBucket::Schema { index: self.index, reason })?;
        }
        Ok(schema.map(SchemaText::from))
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn address_part(value: &Json) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && !text.contains('/')).map(str::to_owned)
}

fn texts(value: &Json) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn field_names(value: &Json) -> Option<Vec<String>> {
    texts(value).filter(|names| names.iter().all(|name| FieldName::parse(name).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_with_a_name_only_has_the_defaults() {
        let seeds = parse_seeds(r#"[{"name": "foo"}]"#).expect("a seed");
        let name = BucketName::parse("foo").expect("a name");
        assert_eq!(seeds[0].config, BucketConfig::new(name));
        assert!(matches!(seeds[0].token, TokenChange::Keep));
    }

    #[test]
    fn a_seed_of_backdrop_is_taken_as_it_is() {
        let seeds = parse_seeds(
            r#"[{"_id": "x", "name": "foo", "data_group": "group", "data_type": "type",
                "bearer_token": "foo-bearer-token", "raw_queries_allowed": true, "realtime": true,
                "capped_size": 5040, "auto_ids": ["_timestamp", "channel"], "upload_format": "excel",
                "upload_filters": ["first_sheet"], "max_age_expected": null, "auto_id": 1}]"#,
        )
        .expect("a seed");
        let BucketSeed { config, token, unknown } = &seeds[0];
        assert_eq!(config.cap(), Some(5040));
        assert_eq!(config.auto_ids, ["_timestamp", "channel"]);
        assert_eq!(config.upload_format, UploadFormat::Excel);
        assert_eq!(config.max_age_expected, None);
        assert!(matches!(token, TokenChange::Set(hash) if hash.matches("foo-bearer-token")));
        assert_eq!(unknown, &["_id", "auto_id"]);
    }

    #[test]
    fn a_cap_is_for_realtime_buckets() {
        let seeds = parse_seeds(r#"[{"name": "foo", "capped_size": 5040}]"#).expect("a seed");
        assert_eq!(seeds[0].config.cap(), None);
    }

    #[test]
    fn schemas_that_are_too_much() {
        let nested = |depth: usize| format!("{}{{}}{}", "{\"not\":".repeat(depth - 1), "}".repeat(depth - 1));
        for (schema, fault) in [
            (nested(65), "nested more than 64 deep"),
            (nested(120), "nested more than 64 deep"),
            (nested(20_000), "recursion limit"),
            (r#"{"properties": {"aa": {"pattern": "^(?!x)"}}}"#.to_owned(), "without look-around"),
            (format!(r#"{{"enum": ["{}"]}}"#, "x".repeat(300_000)), "at most 262144 are taken"),
            (r#"{"$ref": "https://example.com/a.json"}"#.to_owned(), "nothing is fetched"),
        ] {
            let message = parse_seeds(&format!(r#"[{{"name": "foo", "schema": {schema}}}]"#));
            let message = message.expect_err("a fault").to_string();
            assert!(message.contains(fault) && message.len() < 700, "{message}");
        }
        assert!(parse_seeds(&format!(r#"[{{"name": "foo", "schema": {}}}]"#, nested(64))).is_ok());
    }

    #[test]
    fn faults_of_seeds() {
        let message = |json: &str| match parse_seeds(json) {
            Ok(_) => panic!("{json} was taken"),
            Err(fault) => format!("{json}\n  {fault}"),
        };
        let messages = [
            message("{}"),
            message("[5]"),
            message("[{}]"),
            message(r#"[{"name": "1foo"}]"#),
            message(r#"[{"name": "foo", "queryable": "yes"}]"#),
            message(r#"[{"name": "foo", "data_group": "a/b"}]"#),
            message(r#"[{"name": "foo", "data_group": "a"}]"#),
            message(r#"[{"name": "foo"}, {"name": "bar", "auto_ids": ["a-b"]}]"#),
            message(r#"[{"name": "foo"}, {"name": "bar"}, {"name": "foo"}]"#),
            message(r#"[{"name": "foo", "upload_format": "pdf"}]"#),
            message(r#"[{"name": "foo", "capped_size": -1}]"#),
            message(r#"[{"name": "foo", "max_age_expected": 1.5}]"#),
            message(r#"[{"name": "foo", "bearer_token": "two words"}]"#),
            message(r#"[{"name": "foo", "schema": {"type": "nonsense"}}]"#),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }
}
