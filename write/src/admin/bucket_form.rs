//! A bucket's configuration as a form: texts and ticks → an entry of a seed file → checked, by the
//! rules that seed files are checked by.

use std::slice;

use backdrop_common::bucket::seed::{InvalidBucket, parse_seed};
use backdrop_common::bucket::{BucketConfig, UploadFormat};
use backdrop_common::http::etag;
use rocket::FromForm;
use serde_json::{Map, Value as Json, json};

use crate::upload::filters;

/// What a form says, or is filled in with.
#[derive(Clone, Debug, Default, PartialEq, FromForm)]
#[expect(clippy::struct_excessive_bools, reason = "the ticks of a form, independent of each other")]
pub(crate) struct BucketForm {
    #[field(default = "")]
    pub(crate) form_token: String,
    /// Which configuration the form was filled in with, so that nobody undoes what somebody else changed in
    /// the meantime; empty for a new bucket.
    #[field(default = "")]
    pub(crate) version: String,
    #[field(default = "")]
    pub(crate) name: String,
    #[field(default = "")]
    pub(crate) data_group: String,
    #[field(default = "")]
    pub(crate) data_type: String,
    pub(crate) raw_queries_allowed: bool,
    pub(crate) queryable: bool,
    pub(crate) published: bool,
    pub(crate) realtime: bool,
    #[field(default = "")]
    pub(crate) capped_size: String,
    #[field(default = "")]
    pub(crate) auto_ids: String,
    #[field(default = "")]
    pub(crate) upload_format: String,
    #[field(default = "")]
    pub(crate) upload_filters: String,
    #[field(default = "")]
    pub(crate) max_age_expected: String,
    #[field(default = "")]
    pub(crate) schema: String,
}

/// A fault of a form, and the field that it is shown at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormFault {
    /// The name of the field.
    pub(crate) field: &'static str,
    /// What is wrong, for people.
    pub(crate) message: String,
}

impl From<InvalidBucket> for FormFault {
    fn from(invalid: InvalidBucket) -> Self {
        let field = match &invalid {
            InvalidBucket::Setting { setting, .. } => setting,
            InvalidBucket::HalfAddress { .. } => "data_group",
            InvalidBucket::Schema { .. } => "schema",
            InvalidBucket::NotAList(_) | InvalidBucket::NotAnObject { .. } | InvalidBucket::Twice { .. } => {
                "name"
            }
        };
        Self { field, message: invalid.to_string() }
    }
}

/// Names a configuration: another one has another version.
pub(crate) fn version(config: &BucketConfig) -> String {
    etag(json!(config).to_string().as_bytes()).trim_matches('"').to_owned()
}

impl BucketForm {
    /// The form of a bucket that exists.
    pub(crate) fn of(config: &BucketConfig) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let upload_format = match config.upload_format {
            UploadFormat::Csv => "csv",
            UploadFormat::Excel => "excel",
        };
        Self {
            form_token: String::new(),
            version: version(config),
            name: config.name.to_string(),
            data_group: text(&config.data_group),
            data_type: text(&config.data_type),
            raw_queries_allowed: config.raw_queries_allowed,
            queryable: config.queryable,
            published: config.published,
            realtime: config.realtime,
            capped_size: number(config.capped_size),
            auto_ids: config.auto_ids.join(", "),
            upload_format: upload_format.to_owned(),
            upload_filters: config.upload_filters.join(", "),
            max_age_expected: number(config.max_age_expected),
            schema: config.schema.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The configuration that the form describes.
    pub(crate) fn config(&self) -> Result<BucketConfig, FormFault> {
        let seed = self.seed()?;
        let config = parse_seed(None, seed)?.config;
        check_filters(&config.upload_filters)?;
        Ok(config)
    }

    fn seed(&self) -> Result<Map<String, Json>, FormFault> {
        let mut seed = Map::new();
        let mut set = |setting: &str, value: Json| seed.insert(setting.to_owned(), value);
        set("name", self.name.trim().into());
        set("data_group", text(&self.data_group));
        set("data_type", text(&self.data_type));
        set("raw_queries_allowed", self.raw_queries_allowed.into());
        set("queryable", self.queryable.into());
        set("published", self.published.into());
        set("realtime", self.realtime.into());
        set("capped_size", number(&self.capped_size));
        set("auto_ids", list(&self.auto_ids));
        set("upload_format", text(&self.upload_format));
        set("upload_filters", list(&self.upload_filters));
        set("max_age_expected", number(&self.max_age_expected));
        set("schema", schema(&self.schema)?);
        Ok(seed)
    }
}

/// A text; none of an empty field.
fn text(field: &str) -> Json {
    let text = field.trim();
    if text.is_empty() { Json::Null } else { text.into() }
}

/// A number. What is none stays text, which is refused with the rest of the rules.
fn number(field: &str) -> Json {
    field.trim().parse::<u64>().map_or_else(|_| text(field), Json::from)
}

/// A list of names with commas between them.
fn list(field: &str) -> Json {
    let names: Vec<Json> = field.split(',').map(text).filter(|name| !name.is_null()).collect();
    names.into()
}

/// Refuses a filter that there is not: otherwise every file would be, whose owners cannot help it.
fn check_filters(names: &[String]) -> Result<(), FormFault> {
    let is_unknown = |name: &&String| filters::parse(slice::from_ref(*name)).is_err();
    let Some(unknown) = names.iter().find(is_unknown) else { return Ok(()) };
    let known = filters::names().join(", ");
    let message = format!("upload_filters must be names of filters ({known}), not \"{unknown}\"");
    Err(FormFault { field: "upload_filters", message })
}

fn schema(field: &str) -> Result<Json, FormFault> {
    if field.trim().is_empty() {
        return Ok(Json::Null);
    }
    serde_json::from_str(field)
        .map_err(|error| FormFault { field: "schema", message: format!("schema must be JSON: {error}") })
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::BucketName;

    use super::*;

    fn full() -> BucketConfig {
        let name = BucketName::parse("weather").expect("a name");
        BucketConfig {
            data_group: Some("seattle".to_owned()),
            data_type: Some("weather".to_owned()),
            raw_queries_allowed: true,
            realtime: true,
            capped_size: Some(5_000),
            auto_ids: vec!["_timestamp".to_owned(), "station".to_owned()],
            upload_format: UploadFormat::Excel,
            upload_filters: vec!["first_sheet".to_owned()],
            max_age_expected: None,
            schema: Some(json!({"required": ["station"]}).into()),
            ..BucketConfig::new(name)
        }
    }

    #[test]
    fn a_form_that_nobody_changes_changes_nothing() {
        let name = BucketName::parse("plain").expect("a name");
        for config in [full(), BucketConfig::new(name)] {
            assert_eq!(BucketForm::of(&config).config(), Ok(config));
        }
    }

    #[test]
    fn versions_differ_with_the_configuration() {
        let other = BucketConfig { published: false, ..full() };
        assert_eq!(version(&full()), version(&full()));
        assert_ne!(version(&full()), version(&other));
    }

    #[track_caller]
    fn check(change: impl Fn(&mut BucketForm), field: &str, message: &str) {
        let mut form = BucketForm::of(&full());
        change(&mut form);
        let fault = form.config().expect_err(message);
        assert_eq!((fault.field, &*fault.message), (field, message));
    }

    #[test]
    fn faults_are_shown_at_their_field() {
        check(
            |form| form.name = "1st".to_owned(),
            "name",
            "name must be a bucket name (a letter, then letters, digits, \"_\", \".\" or \"-\"), not \"1st\"",
        );
        check(
            |form| form.data_type = " ".to_owned(),
            "data_group",
            "data_group and data_type come together or not at all",
        );
        check(
            |form| form.capped_size = "1 MB".to_owned(),
            "capped_size",
            "capped_size must be a number of bytes or null, not \"1 MB\"",
        );
        check(
            |form| form.max_age_expected = "-1".to_owned(),
            "max_age_expected",
            "max_age_expected must be a number of seconds or null, not \"-1\"",
        );
        check(
            |form| form.schema = "{".to_owned(),
            "schema",
            "schema must be JSON: EOF while parsing an object at line 1 column 1",
        );
        check(
            |form| form.upload_filters = "first_sheet, last_sheet".to_owned(),
            "upload_filters",
            "upload_filters must be names of filters (first_sheet), not \"last_sheet\"",
        );
    }
}
