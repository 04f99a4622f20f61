//! People, and the buckets that they are granted.

use askama::Template;
use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::BucketName;
use backdrop_common::storage::StorageErrorKind;
use backdrop_common::user::{GrantChange, User};
use backdrop_pages::Page;
use rocket::http::Status;
use rocket::{FromForm, State, get, post};

use super::notice::{Noted, Notice, Reply};
use super::sent_form::Form;
use super::{Administrator, Frame, PageError, SignedIn};
use crate::WriteApp;
use crate::audit::{self, Visit};

/// Users on the page; whoever looks for another searches.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    notice: Option<String>,
    /// What the addresses on this page contain.
    search: String,
    users: Vec<User>,
    /// How many more there are, for whom there is no room.
    more: usize,
    /// The names that can be granted.
    buckets: Vec<BucketName>,
    form: GrantForm,
    fault: Option<String>,
}

/// Grants a bucket to somebody, or takes it away.
#[derive(Clone, Default, FromForm)]
pub(crate) struct GrantForm {
    #[field(default = "")]
    form_token: String,
    #[field(default = "")]
    email: String,
    #[field(default = "")]
    bucket: String,
}

#[get("/_user/users?<q>")]
pub(crate) async fn users(
    q: Option<&str>,
    person: Result<Administrator, PageError>,
    notice: Notice,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    let Notice(notice) = notice;
    users_page(app, &person, q.unwrap_or_default(), notice, None).await
}

pub(super) async fn users_page(
    app: &WriteApp,
    person: &SignedIn,
    search: &str,
    notice: Option<String>,
    fault: Option<(GrantForm, String)>,
) -> Result<Page, PageError> {
    let search = search.trim().to_lowercase();
    let mut users = app.engine.users().await?;
    users.retain(|user| {
        user.email.contains(&search)
            || user.buckets.iter().any(|name| name.as_str().to_lowercase().contains(&search))
    });
    let more = users.len().saturating_sub(SHOWN);
    users.truncate(SHOWN);
    let buckets = app.engine.buckets().await?.into_iter().map(|bucket| bucket.config.name).collect();
    let status = if fault.is_some() { Status::BadRequest } else { Status::Ok };
    let (form, fault) = fault.map(|(form, fault)| (form, Some(fault))).unwrap_or_default();
    let page = UsersPage { frame: person.frame(), notice, search, users, more, buckets, form, fault };
    Ok(Page::render(&page)?.with_status(status))
}

#[post("/_user/users", data = "<form>")]
pub(crate) async fn grant(
    form: Form<GrantForm>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    answer(app, person?, &visit, form.into_inner(), AuditAction::Grant).await
}

#[post("/_user/users/revoke", data = "<form>")]
pub(crate) async fn revoke(
    form: Form<GrantForm>,
    person: Result<Administrator, PageError>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Result<Reply, PageError> {
    answer(app, person?, &visit, form.into_inner(), AuditAction::Revoke).await
}

/// Grants or revokes, and leads back to the page, or shows it with what is wrong.
async fn answer(
    app: &WriteApp,
    Administrator(person): Administrator,
    visit: &Visit,
    form: GrantForm,
    action: AuditAction,
) -> Result<Reply, PageError> {
    person.check_form(&form.form_token)?;
    let is_grant = action == AuditAction::Grant;
    let kind = if is_grant { GrantChange::Grant } else { GrantChange::Revoke };
    let (user, bucket) = match change(app, &form, kind).await? {
        Ok(changed) => changed,
        Err(fault) => return users_page(app, &person, "", None, Some((form, fault))).await.map(Reply::Page),
    };
    let preposition = if is_grant { "to" } else { "from" };
    let detail = format!("{preposition} {}", user.email);
    audit::record(app, visit, &person.email, action, Some(&bucket), &detail).await;
    let done = if is_grant { "is granted" } else { "is taken away" };
    Ok(Reply::Done(Noted::new("/_user/users", format!("{bucket} {done} {detail}."))))
}

/// Changes what somebody is granted; what is wrong with the form instead, for people.
async fn change(
    app: &WriteApp,
    form: &GrantForm,
    change: fn(Vec<BucketName>) -> GrantChange,
) -> Result<Result<(User, BucketName), String>, PageError> {
    let email = match User::new(form.email.trim()) {
        Ok(user) => user.email,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    let bucket = match BucketName::parse(form.bucket.trim()) {
        Ok(bucket) => bucket,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    match app.engine.change_grants(&email, change(vec![bucket.clone()])).await {
        Ok(user) => Ok(Ok((user, bucket))),
        Err(error) if error.kind() == StorageErrorKind::NotFound => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
