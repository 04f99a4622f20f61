//! Creating a bucket, and changing its configuration.

use askama::Template;
use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::{BucketConfig, BucketName, DEFAULT_MAX_AGE_EXPECTED, TokenChange};
use backdrop_common::http::ApiError;
use backdrop_common::storage::{BucketSave, Expected, StorageErrorKind};
use backdrop_common::token::{TokenHash, make_token};
use backdrop_pages::Page;
use rocket::http::Status;
use rocket::{State, get, post};

use super::bucket_form::{BucketForm, FormFault, version};
use super::bucket_page::page_of;
use super::grants::granted;
use super::notice::{Noted, Reply};
use super::sent_form::Form;
use super::tokens::NewToken;
use super::{Administrator, Frame, PageError, SignedIn};
use crate::WriteApp;
use crate::audit::{self, Visit};

#[derive(Template)]
#[template(path = "bucket_form.html")]
struct FormPage {
    frame: Frame,
    form: BucketForm,
    fault: Option<FormFault>,
    /// Whether the bucket is there already, so that its name stays.
    exists: bool,
}

impl FormPage {
    fn message(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| &*fault.message)
    }
}

fn form_page(
    person: &SignedIn,
    form: BucketForm,
    fault: Option<FormFault>,
    exists: bool,
) -> Result<Page, PageError> {
    let status = if fault.is_some() { Status::BadRequest } else { Status::Ok };
    Ok(Page::render(&FormPage { frame: person.frame(), form, fault, exists })?.with_status(status))
}

#[get("/_user/new-bucket")]
pub(crate) fn new_bucket(person: Result<Administrator, PageError>) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    let defaults = BucketForm { queryable: true, published: true, ..BucketForm::default() };
    let max_age_expected = DEFAULT_MAX_AGE_EXPECTED.to_string();
    form_page(&person, BucketForm { max_age_expected, ..defaults }, None, false)
}

#[post("/_user/buckets", data = "<form>")]
pub(crate) async fn create_bucket(
    form: Form<BucketForm>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    person.check_form(&form.form_token)?;
    let form = form.into_inner();
    let config = match form.config() {
        Ok(config) => config,
        Err(fault) => return form_page(&person, form, Some(fault), false),
    };
    let name = config.name.clone();
    let token = make_token();
    let new = BucketSave::new(config, TokenChange::Set(TokenHash::new(&token))).expecting(Expected::Nothing);
    if let Some(fault) = save(app, new).await? {
        return form_page(&person, form, Some(fault), false);
    }
    audit::record(app, &visit, &person.email, AuditAction::CreateBucket, Some(&name), "with a token").await;
    NewToken { frame: person.frame(), bucket: name, token, created: true, until: None }.page(app)
}

/// Saves a configuration; a fault if another bucket has its second address, or somebody was faster.
async fn save(app: &WriteApp, save: BucketSave) -> Result<Option<FormFault>, PageError> {
    let field = |kind| match kind {
        StorageErrorKind::AlreadyExists => Some("data_group"),
        StorageErrorKind::Changed => Some("name"),
        _ => None,
    };
    match app.engine.save_buckets(vec![save]).await {
        Ok(()) => Ok(None),
        Err(error) => match field(error.kind()) {
            Some(field) => Ok(Some(FormFault { field, message: error.to_string() })),
            None => Err(error.into()),
        },
    }
}

#[get("/_user/buckets/<name>/edit")]
pub(crate) async fn edit_bucket(
    name: Result<BucketName, ApiError>,
    person: Result<Administrator, PageError>,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    let bucket = granted(app, &person, name).await?;
    form_page(&person, BucketForm::of(&bucket.config), None, true)
}

#[post("/_user/buckets/<name>/edit", data = "<form>")]
pub(crate) async fn change_bucket(
    name: Result<BucketName, ApiError>,
    form: Form<BucketForm>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    let Administrator(person) = person?;
    person.check_form(&form.form_token)?;
    let bucket = granted(app, &person, name).await?;
    let mut form = form.into_inner();
    form.name = bucket.name().to_string();
    let config = match form.config() {
        Ok(config) => config,
        Err(fault) => return form_page(&person, form, Some(fault), true).map(Reply::Page),
    };
    if form.version != version(&bucket.config) {
        form.version = version(&bucket.config);
        let message =
            "somebody changed the bucket in the meantime. This form still has your values; compare \
                       them with the bucket's page, and save again to replace the other change"
                .to_owned();
        return form_page(&person, form, Some(FormFault { field: "version", message }), true)
            .map(Reply::Page);
    }
    let changes = changes(&bucket.config, &config);
    let expected = Expected::This(bucket.config.clone().into());
    if let Some(fault) = save(app, BucketSave::new(config, TokenChange::Keep).expecting(expected)).await? {
        return form_page(&person, form, Some(fault), true).map(Reply::Page);
    }
    audit::record(app, &visit, &person.email, AuditAction::ChangeBucket, Some(bucket.name()), &changes).await;
    Ok(Reply::Done(Noted::new(page_of(bucket.name()), "The changes are saved.")))
}

/// The names of the settings that differ.
fn changes(before: &BucketConfig, after: &BucketConfig) -> String {
    let (before, after) = (serde_json::json!(before), serde_json::json!(after));
    let names = after.as_object().into_iter().flatten().filter(|(name, value)| before[name] != **value);
    let names: Vec<&str> = names.map(|(name, _)| &**name).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed() {
        let before = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        let after = BucketConfig { published: false, auto_ids: vec!["bar".to_owned()], ..before.clone() };
        assert_eq!(changes(&before, &after), "auto_ids, published");
        assert_eq!(changes(&before, &before), "nothing");
    }
}
