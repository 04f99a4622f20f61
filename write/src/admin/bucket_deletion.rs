//! Deleting a bucket, or its records only. Whoever does it writes the name once more.

use askama::Template;
use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::BucketName;
use backdrop_common::http::ApiError;
use backdrop_pages::Page;
use rocket::http::Status;
use rocket::{FromForm, State, get, post};

use super::bucket_page::page_of;
use super::grants::granted;
use super::notice::{Noted, Reply};
use super::sent_form::Form;
use super::{Administrator, Frame, PageError, SignedIn, words};
use crate::WriteApp;
use crate::audit::{self, Visit};

#[derive(Template)]
#[template(path = "bucket_delete.html")]
struct DeletePage {
    frame: Frame,
    name: BucketName,
    records: String,
    fault: Option<&'static str>,
}

#[get("/_user/buckets/<name>/delete")]
pub(crate) async fn ask_before_deleting(
    name: Result<BucketName, ApiError>,
    person: Result<Administrator, PageError>,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    let bucket = granted(app, &person, name).await?;
    delete_page(app, &person, bucket.name(), None).await
}

async fn delete_page(
    app: &WriteApp,
    person: &SignedIn,
    name: &BucketName,
    fault: Option<&'static str>,
) -> Result<Page, PageError> {
    let records = words::counted(app.engine.count(name).await?, "record");
    let status = if fault.is_some() { Status::BadRequest } else { Status::Ok };
    let page = DeletePage { frame: person.frame(), name: name.clone(), records, fault };
    Ok(Page::render(&page)?.with_status(status))
}

#[derive(FromForm)]
pub(crate) struct Deletion {
    #[field(default = "")]
    form_token: String,
    /// The bucket's name once more.
    #[field(default = "")]
    name: String,
    /// Whether only its records go.
    records_only: bool,
}

#[post("/_user/buckets/<name>/delete", data = "<form>")]
pub(crate) async fn delete_bucket(
    name: Result<BucketName, ApiError>,
    form: Form<Deletion>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    let Administrator(person) = person?;
    person.check_form(&form.form_token)?;
    let bucket = granted(app, &person, name).await?;
    let name = bucket.name();
    if form.name.trim() != name.as_str() {
        return delete_page(app, &person, name, Some("That is not the bucket's name."))
            .await
            .map(Reply::Page);
    }
    let records = words::counted(app.engine.count(name).await?, "record");
    let (action, to, done) = if form.records_only {
        app.engine.empty(name).await?;
        (AuditAction::EmptyBucket, page_of(name), "The records are deleted.")
    } else {
        app.engine.delete_bucket(name).await?;
        (AuditAction::DeleteBucket, "/_user".to_owned(), "The bucket is deleted.")
    };
    audit::record(app, &visit, &person.email, action, Some(name), &records).await;
    Ok(Reply::Done(Noted::new(to, done)))
}
