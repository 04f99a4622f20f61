//! Which sessions are ended, a collection of its own: a document for the id of a session or the address of a
//! person. `begun_by` is in milliseconds, since dates end earlier in some programs than our times do.

use mongodb::Database;
use mongodb::bson::{DateTime, Document, doc};

use super::error;
use crate::storage::collection::SESSIONS;
use crate::storage::{SessionsEnd, StorageError};
use crate::timestamp::Timestamp;

fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.millis())
}

pub(super) async fn end(database: &Database, end: &SessionsEnd, now: Timestamp) -> Result<(), StorageError> {
    let ends = database.collection::<Document>(SESSIONS);
    ends.delete_many(doc! { "until": { "$lte": date(now) } }).await?;
    let SessionsEnd { of, begun_by, until } = end;
    let change = || doc! { "$max": { "begun_by": begun_by.millis(), "until": date(*until) } };
    let put = || ends.update_one(doc! { "_id": of }, change()).upsert(true);
    match put().await {
        // Somebody put one there since the server looked, which is then changed.
        Err(failure) if error::is_duplicate_key(&failure) => drop(put().await?),
        done => drop(done?),
    }
    Ok(())
}

pub(super) async fn ended(
    database: &Database,
    session: &str,
    person: &str,
) -> Result<Option<Timestamp>, StorageError> {
    let ends = database.collection::<Document>(SESSIONS);
    let mut found = ends.find(doc! { "_id": { "$in": [session, person] } }).await?;
    let mut latest = None;
    while found.advance().await? {
        let end = found.deserialize_current()?;
        latest = latest.max(end.get_i64("begun_by").ok().and_then(Timestamp::from_millis));
    }
    Ok(latest)
}
