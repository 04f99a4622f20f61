//! Storing, changing and deleting records over HTTP.
//!
//! Checks come in this order: is there such a bucket, may the client write to it, is the body one,
//! are the records. A request is stored whole or not at all.

use std::sync::Arc;

use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::{Bucket, BucketAddress, BucketName};
use backdrop_common::http::{ApiError, Authorization, SentData, data_type_address};
use backdrop_common::record::checks::{RecordChecks, check_patch};
use backdrop_common::record::schema::RecordSchema;
use backdrop_common::record::sent::{InvalidBody, SentBody, each_record, is_empty_list};
use backdrop_common::record::{Record, RecordId};
use backdrop_common::room::Reservation;
use backdrop_common::storage::{Changed, NewRecords, RecordChange};
use backdrop_common::timestamp::Timestamp;
use rocket::http::ContentType;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{State, async_trait, delete, patch, post, put};
use serde_json::json;

use crate::WriteApp;
use crate::audit::{self, MANAGEMENT_TOKEN, Visit};
use crate::body::{Body, BodyHeaders, discard, read_json};

/// How many bytes of a body are checked in a fraction of a millisecond.
const SMALL_BODY: usize = 16 * 1024;

/// As much work of a schema is done in that time: steps for a record, for as many records as there are bytes.
const SMALL_WORK: u64 = 64 * 1024;

/// What the headers of a write say.
pub(crate) struct WriteRequest<'r> {
    authorization: Authorization<'r>,
    body: BodyHeaders<'r>,
    visit: Visit,
}

#[async_trait]
impl<'r> FromRequest<'r> for WriteRequest<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self {
            authorization: Authorization::of(request),
            body: BodyHeaders::of(request),
            visit: Visit::of(request),
        })
    }
}

type Done = Result<(ContentType, String), ApiError>;

fn ok() -> (ContentType, String) {
    (ContentType::JSON, json!({"status": "ok"}).to_string())
}

fn ok_with(message: &str) -> (ContentType, String) {
    (ContentType::JSON, json!({"status": "ok", "message": message}).to_string())
}

#[post("/<bucket>", data = "<data>")]
pub(crate) async fn post_by_name(
    bucket: Result<BucketName, ApiError>,
    request: WriteRequest<'_>,
    data: SentData<'_>,
    app: &State<WriteApp>,
) -> Done {
    store(app, bucket.map(BucketAddress::Name), &request, data).await
}

#[post("/data/<data_group>/<data_type>", data = "<data>")]
pub(crate) async fn post_by_data_type(
    data_group: &str,
    data_type: &str,
    request: WriteRequest<'_>,
    data: SentData<'_>,
    app: &State<WriteApp>,
) -> Done {
    store(app, Ok(data_type_address(data_group, data_type)), &request, data).await
}

#[put("/<bucket>", data = "<data>")]
pub(crate) async fn put_by_name(
    bucket: Result<BucketName, ApiError>,
    request: WriteRequest<'_>,
    data: SentData<'_>,
    app: &State<WriteApp>,
) -> Done {
    empty(app, bucket.map(BucketAddress::Name), &request, data).await
}

#[put("/data/<data_group>/<data_type>", data = "<data>")]
pub(crate) async fn put_by_data_type(
    data_group: &str,
    data_type: &str,
    request: WriteRequest<'_>,
    data: SentData<'_>,
    app: &State<WriteApp>,
) -> Done {
    empty(app, Ok(data_type_address(data_group, data_type)), &request, data).await
}

async fn store(
    app: &WriteApp,
    address: Result<BucketAddress, ApiError>,
    request: &WriteRequest<'_>,
    data: SentData<'_>,
) -> Done {
    let (bucket, body) = authorised_body(app, address, request, data).await?;
    let schema = app.schemas.of(&bucket.config).await?;
    let auto_ids = bucket.config.auto_ids.clone();
    let is_small = is_small(body.bytes.len(), schema.as_deref());
    let check = move || new_records(body, &auto_ids, schema.as_deref(), Timestamp::now());
    // Parsing and checking a large body takes a while, so it is done on a thread for that. Where there is
    // little to do, to change threads would be most of it.
    let (records, _room) = if is_small {
        check()?
    } else {
        rocket::tokio::task::spawn_blocking(check).await.map_err(|_| ApiError::Internal)??
    };
    let span = records.time_span();
    let stored = app.engine.store_new(bucket.name(), records).await?;
    request.visit.stored(bucket.name(), stored, span);
    Ok(ok())
}

/// Whether a body is checked so fast that nobody waits for it.
fn is_small(bytes: usize, schema: Option<&RecordSchema>) -> bool {
    bytes <= SMALL_BODY
        && schema.is_none_or(|schema| schema.cost().saturating_mul(bytes as u64) <= SMALL_WORK)
}

/// How much memory a fault takes, about, with its message on its way to the client.
const PER_FAULT: usize = 512;

/// Parses and checks a body. What comes of it is ready to be stored, and has its own room.
fn new_records(
    Body { bytes, mut room }: Body,
    auto_ids: &[String],
    schema: Option<&RecordSchema>,
    now: Timestamp,
) -> Result<(NewRecords, Reservation), ApiError> {
    let mut checks = RecordChecks::new(NewRecords::new(now), auto_ids, schema);
    let mut has_room = Ok(());
    each_record(&bytes, |record| {
        if has_room.is_ok() {
            checks.check(record);
            let faults = checks.faults().saturating_mul(PER_FAULT);
            has_room = room.cover(bytes.len() + checks.sink().memory() + faults);
        }
    })?;
    has_room?;
    let records = checks.finish().map_err(ApiError::Records)?;
    drop(bytes);
    room.shrink(records.memory());
    Ok((records, room))
}

async fn empty(
    app: &WriteApp,
    address: Result<BucketAddress, ApiError>,
    request: &WriteRequest<'_>,
    data: SentData<'_>,
) -> Done {
    let (bucket, body) = authorised_body(app, address, request, data).await?;
    if !is_empty_list(&body.bytes)? {
        return Err(ApiError::PutOfRecords);
    }
    app.engine.empty(bucket.name()).await?;
    request.visit.emptied(bucket.name());
    Ok(ok_with(&format!("{} now contains 0 records", bucket.name())))
}

#[patch("/data/<data_group>/<data_type>/<id>", data = "<data>")]
pub(crate) async fn patch_record(
    data_group: &str,
    data_type: &str,
    id: &str,
    request: WriteRequest<'_>,
    data: SentData<'_>,
    app: &State<WriteApp>,
) -> Done {
    let address = Ok(data_type_address(data_group, data_type));
    let (bucket, body) = authorised_body(app, address, &request, data).await?;
    let sent = match SentBody::parse(&body.bytes) {
        Ok(SentBody::Record(sent)) => sent.into_owned(),
        Ok(SentBody::Records(_)) | Err(InvalidBody::NotRecords { .. } | InvalidBody::NotARecord { .. }) => {
            return Err(ApiError::PatchOfNoRecord);
        }
        Err(error) => return Err(error.into()),
    };
    let id = record_id(id)?;
    let schema = app.schemas.of(&bucket.config).await?;
    let patched = id.clone();
    let change: RecordChange =
        Arc::new(move |stored: &Record| check_patch(&patched, stored, &sent, schema.as_deref()));
    match app.engine.change_record(bucket.name(), &id, change, Timestamp::now()).await? {
        Changed::Stored => {
            request.visit.record("change", bucket.name(), &id);
            Ok(ok())
        }
        Changed::NotFound => Err(ApiError::NoRecord(id.to_string())),
        Changed::Refused(faults) => Err(ApiError::Records(faults)),
    }
}

#[delete("/data/<data_group>/<data_type>/<id>")]
pub(crate) async fn delete_record(
    data_group: &str,
    data_type: &str,
    id: &str,
    request: WriteRequest<'_>,
    app: &State<WriteApp>,
) -> Done {
    let bucket = authorised(app, &data_type_address(data_group, data_type), &request).await?;
    let id = record_id(id)?;
    if !app.engine.delete_record(bucket.name(), &id).await? {
        return Err(ApiError::NoRecord(id.to_string()));
    }
    request.visit.record("delete", bucket.name(), &id);
    Ok(ok())
}

#[delete("/data-sets/<bucket>")]
pub(crate) async fn delete_data(
    bucket: Result<BucketName, ApiError>,
    request: WriteRequest<'_>,
    app: &State<WriteApp>,
) -> Done {
    let bucket = known(app, &BucketAddress::Name(bucket?)).await?;
    let name = bucket.name();
    let allowed = request.authorization.is_management(app.management_token.as_ref(), name.as_str());
    allowed.inspect_err(|reason| request.visit.refused(name, reason))?;
    if !app.engine.delete_data(name).await? {
        return Err(ApiError::NoData(name.clone()));
    }
    audit::record(app, &request.visit, MANAGEMENT_TOKEN, AuditAction::DeleteData, Some(name), "").await;
    Ok(ok_with(&format!("Deleted {name}")))
}

/// The id in a path. What is no id is that of no record.
fn record_id(id: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(id).ok_or_else(|| ApiError::NoRecord(id.to_owned()))
}

async fn known(app: &WriteApp, address: &BucketAddress) -> Result<Bucket, ApiError> {
    app.engine.bucket(address).await?.ok_or(ApiError::BucketNotFound)
}

async fn authorised(
    app: &WriteApp,
    address: &BucketAddress,
    request: &WriteRequest<'_>,
) -> Result<Bucket, ApiError> {
    let bucket = known(app, address).await?;
    let allowed = request.authorization.allows(&bucket, Timestamp::now());
    allowed.inspect_err(|reason| request.visit.refused(bucket.name(), reason))?;
    Ok(bucket)
}

/// The bucket that the client may write to, and the body. A body that nobody will look at is read
/// all the same, so that the client is there for the answer.
async fn authorised_body(
    app: &WriteApp,
    address: Result<BucketAddress, ApiError>,
    request: &WriteRequest<'_>,
    data: SentData<'_>,
) -> Result<(Bucket, Body), ApiError> {
    let bucket = match address {
        Ok(address) => authorised(app, &address, request).await,
        Err(error) => Err(error),
    };
    match bucket {
        Ok(bucket) => {
            let body = read_json(data, &request.body, app.max_body_bytes, app.room.reserve()).await?;
            Ok((bucket, body))
        }
        Err(error) => {
            discard(data, app.max_body_bytes).await;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
