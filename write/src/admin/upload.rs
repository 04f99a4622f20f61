//! Uploads: a form, a preview of what the file holds, and one atomic store with a receipt.
//!
//! ```text
//! POST /_user/buckets/<bucket>/upload        file → look (read, check) → staged → preview
//!                                                                     └→ faults, and the form again
//! POST /_user/buckets/<bucket>/upload/store  staged → look → store → audit → receipt
//! ```
//!
//! They are at `/<bucket>/upload` too, which people remember; but not for a bucket whose address there
//! is one of the API, such as "data".

mod pages;
mod sent;
mod staged;

use std::sync::Arc;
use std::time::Duration;

use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::{Bucket, BucketConfig, BucketName};
use backdrop_common::http::ApiError;
use backdrop_common::record::schema::RecordSchema;
use backdrop_common::record::time_span;
use backdrop_common::settings::Settings;
use backdrop_common::storage::{StorageEngine, Stored};
use backdrop_common::timestamp::Timestamp;
use backdrop_pages::Page;
use rocket::tokio::sync::Semaphore;
use rocket::tokio::time::timeout;
use rocket::tokio::{spawn, task};
use rocket::{FromForm, Route, State, get, post, routes};
use uuid::Uuid;

use self::pages::Problem;
use self::sent::SentForm;
use self::staged::{Owner, StagedUploads, Taken, UploadedFile};
use super::grants::granted;
use super::limit::PerMinute;
use super::sent_form::Form;
use super::{PageError, SignedIn};
use crate::WriteApp;
use crate::audit::{Visit, record_entry};
use crate::upload::check::{Checked, Rules, check};
use crate::upload::preview::Preview;
use crate::upload::time_column::{TimeColumn, candidates, preferred};
use crate::upload::{Faults, Limits, Rule, Table, read};

pub(crate) use sent::form_limit;

/// How many files are read at a time. Each takes a processor, and some hundred megabytes at worst.
const READERS: usize = 2;
/// How long a file waits for its turn to be read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What uploads share.
pub(crate) struct Uploads {
    staged: StagedUploads,
    turns: Arc<Semaphore>,
    /// How often a person, by email address, sends files.
    tries: PerMinute<String>,
    /// How large a file may be.
    max_bytes: usize,
}

impl Uploads {
    /// Uploads as the settings have them.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            staged: StagedUploads::default(),
            turns: Arc::new(Semaphore::new(READERS)),
            tries: PerMinute::new(settings.uploads_per_minute),
            max_bytes: settings.max_upload_bytes.get() as usize,
        }
    }
}

/// What was stored of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Its name.
    file: String,
    /// How many records are new, and how many took the place of others.
    stored: Stored,
    /// The time that they span, if they have times.
    span: Option<(Timestamp, Timestamp)>,
    /// What was left out, and what else there was to say about the file.
    notes: Vec<String>,
}

/// The routes below the one of a bucket. They come after those of the API in Rocket's order:
/// `/data-sets/upload` is the data of a bucket called "upload".
pub(crate) fn upload_routes() -> Vec<Route> {
    routes![show_form, preview, store]
}

type Shown = Result<Page, PageError>;

#[get("/<bucket>/upload", rank = 20)]
async fn show_form(
    person: Result<SignedIn, PageError>,
    bucket: Result<BucketName, ApiError>,
    app: &State<WriteApp>,
) -> Shown {
    let person = person?;
    let bucket = granted(app, &person, bucket).await?;
    pages::form(person.frame(), &bucket.config, app.uploads.max_bytes, None)
}

#[post("/<bucket>/upload", rank = 20, data = "<form>")]
async fn preview(
    person: Result<SignedIn, PageError>,
    bucket: Result<BucketName, ApiError>,
    form: SentForm,
    app: &State<WriteApp>,
) -> Shown {
    let person = person?;
    let bucket = granted(app, &person, bucket).await?;
    let shown_again =
        |problem| pages::form(person.frame(), &bucket.config, app.uploads.max_bytes, Some(problem));
    // A form that was cut off may have lost its token.
    let file = match form.file {
        Ok(file) => file,
        Err(reason) => return shown_again(Problem::NoFile(reason)),
    };
    person.check_form(&form.form_token)?;
    app.uploads.tries.count(&person.email)?;
    match Reader::of(app, &bucket).await?.look(&file, Choice::Preferred).await? {
        Err(faults) => shown_again(Problem::Faults { file: file.name, faults }),
        Ok(looked) => {
            let owner = Owner { email: person.email.clone(), bucket: bucket.name().clone() };
            let staged = app.uploads.staged.stage(owner, file.clone(), (app.clock)());
            pages::preview(person.frame(), &bucket.config, &file.name, staged, &looked)
        }
    }
}

/// The form below a preview.
#[derive(FromForm)]
struct StoreForm {
    form_token: String,
    staged: String,
    /// The heading of the column that says when; empty for none.
    #[field(default = String::new())]
    time_column: String,
}

#[post("/<bucket>/upload/store", rank = 20, data = "<form>")]
async fn store(
    person: Result<SignedIn, PageError>,
    bucket: Result<BucketName, ApiError>,
    form: Result<Form<StoreForm>, rocket::form::Errors<'_>>,
    visit: Visit,
    app: &State<WriteApp>,
) -> Shown {
    let person = person?;
    let bucket = granted(app, &person, bucket).await?;
    let form = form.map_err(|_| PageError::ForeignForm)?;
    person.check_form(&form.form_token)?;
    let owner = Owner { email: person.email.clone(), bucket: bucket.name().clone() };
    let id = Uuid::parse_str(&form.staged).unwrap_or_default();
    let time_column = Some(form.time_column.clone()).filter(|heading| !heading.is_empty());
    match store_staged(app, &bucket, owner, id, time_column, visit).await? {
        Ok(receipt) => pages::receipt(person.frame(), &bucket.config, &receipt),
        Err(problem) => pages::form(person.frame(), &bucket.config, app.uploads.max_bytes, Some(problem)),
    }
}

/// Stores a file that waits, once. It goes on to its end also if nobody waits for the answer, so
/// that what is stored is always known to be.
async fn store_staged(
    app: &WriteApp,
    bucket: &Bucket,
    owner: Owner,
    id: Uuid,
    time_column: Option<String>,
    visit: Visit,
) -> Result<Result<Receipt, Problem>, PageError> {
    let reader = Reader::of(app, bucket).await?;
    let file = match app.uploads.staged.take(id, &owner, (app.clock)()) {
        Taken::File(file) => file,
        Taken::Receipt(receipt) => return Ok(Ok(receipt)),
        Taken::Busy => return Ok(Err(Problem::Busy)),
        Taken::Gone => return Ok(Err(Problem::Gone)),
    };
    let (engine, uploads, clock) =
        (Arc::clone(&app.engine), Arc::clone(&app.uploads), Arc::clone(&app.clock));
    let storing = spawn(async move {
        let stored = store_file(&*engine, &reader, &owner, file, time_column, clock()).await;
        let Ok(Ok(receipt)) = &stored else {
            uploads.staged.release(id, clock());
            return stored;
        };
        uploads.staged.stored(id, receipt.clone(), clock());
        let Stored { new, replaced } = receipt.stored;
        let detail = format!("{}: {new} new, {replaced} replaced", receipt.file);
        let entry = visit.entry(clock(), &owner.email, AuditAction::Upload, Some(&owner.bucket), &detail);
        record_entry(&*engine, entry).await;
        stored
    });
    storing.await.map_err(|_| ApiError::Internal)?
}

async fn store_file(
    engine: &dyn StorageEngine,
    reader: &Reader,
    owner: &Owner,
    file: UploadedFile,
    time_column: Option<String>,
    now: Timestamp,
) -> Result<Result<Receipt, Problem>, PageError> {
    let (records, notes) = match reader.look(&file, Choice::Column(time_column)).await? {
        Ok(looked) => (looked.checked.records, notes(&looked.table)),
        Err(faults) => return Ok(Err(Problem::Faults { file: file.name, faults })),
    };
    let span = time_span(&records);
    let stored = engine.store(&owner.bucket, records, now).await?;
    Ok(Ok(Receipt { file: file.name, stored, span, notes }))
}

/// What a person should know of a table: what is left out of it first.
fn notes(table: &Table) -> Vec<String> {
    let comment = table.has_comments.then(|| "The column comment is left out.".to_owned());
    comment.into_iter().chain(table.notes.all().map(ToString::to_string)).collect()
}

/// Which column says when.
enum Choice {
    /// The one that a person most likely means.
    Preferred,
    /// What the person chose.
    Column(Option<String>),
}

/// A file that could be read and stored.
#[derive(Debug)]
struct Looked {
    table: Table,
    preview: Preview,
    checked: Checked,
    times: Vec<TimeColumn>,
    /// The heading of the one of them that was taken.
    time_column: Option<String>,
}

/// Reads files for one bucket.
struct Reader {
    config: BucketConfig,
    schema: Option<Arc<RecordSchema>>,
    turns: Arc<Semaphore>,
    limits: Limits,
}

impl Reader {
    async fn of(app: &WriteApp, bucket: &Bucket) -> Result<Self, PageError> {
        let schema = app.schemas.of(&bucket.config).await?;
        let (config, turns) = (bucket.config.clone(), Arc::clone(&app.uploads.turns));
        Ok(Self { config, schema, turns, limits: Limits::of(app.uploads.max_bytes) })
    }

    /// Reads a file and checks its records, when it is its turn.
    async fn look(&self, file: &UploadedFile, choice: Choice) -> Result<Result<Looked, Faults>, PageError> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| PageError::TooMany { retry_after: PATIENCE.as_secs() })?;
        let turn = turn.map_err(|_| ApiError::Internal)?;
        let (config, schema, limits) = (self.config.clone(), self.schema.clone(), self.limits);
        let bytes = Arc::clone(&file.bytes);
        let looking = task::spawn_blocking(move || {
            let looked = look_through(&bytes, &config, schema.as_deref(), choice, limits);
            // Also if nobody waits for it any more, the next begins only now.
            drop(turn);
            looked
        });
        let looked = looking.await.map_err(|_| ApiError::Internal)?;
        if let Err(faults) = &looked {
            log_damage(&self.config.name, faults);
        }
        Ok(looked)
    }
}

fn look_through(
    bytes: &[u8],
    config: &BucketConfig,
    schema: Option<&RecordSchema>,
    choice: Choice,
    limits: Limits,
) -> Result<Looked, Faults> {
    let table = read(bytes, &config.upload_filters, limits)?;
    let times = candidates(&table);
    let time_column = match choice {
        Choice::Preferred => preferred(&times).map(|column| column.heading.clone()),
        Choice::Column(heading) => heading,
    };
    let rules = Rules { auto_ids: &config.auto_ids, schema, time_column: time_column.as_deref() };
    let checked = check(&table, &rules)?;
    Ok(Looked { preview: Preview::of(&table), table, checked, times, time_column })
}

/// Why a workbook cannot be read is nothing that its owner could act on.
fn log_damage(bucket: &BucketName, faults: &Faults) {
    for fault in &faults.first {
        if let Rule::Damaged(reason) = &fault.rule {
            tracing::info!(target: "backdrop::upload", %bucket, reason, "a workbook cannot be read");
        }
    }
}

#[cfg(test)]
mod tests;
