//! The collections of a database, their indexes, and the database's version.

use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use tracing::{info, warn};

use super::error;
use super::registry::{self, PREPARED};
use crate::bucket::{BucketAddress, BucketName};
use crate::field::UPDATED_AT;
use crate::period::Period;
use crate::storage::collection::{self, BUCKETS, META};
use crate::storage::document::SEQ;
use crate::storage::{StorageError, StorageErrorKind};

/// The version of this layout: the number of the last migration that brings a database to it.
pub(super) const VERSION: i32 = super::migrate::MIGRATIONS;

/// The document of [`META`] that has the version.
const LAYOUT: &str = "layout";

/// A collection of that name is there already.
const NAMESPACE_EXISTS: i32 = 48;

/// Checks that the database is not newer than this program.
pub(super) async fn check_version(database: &Database) -> Result<(), StorageError> {
    let version = version(database).await?;
    if version > VERSION {
        return Err(StorageError::new(
            StorageErrorKind::Internal,
            format!("the database is of version {version}; this program knows versions up to {VERSION}"),
        ));
    }
    Ok(())
}

/// The version of a database; 0 for one of the original Backdrop and for a new one.
pub(super) async fn version(database: &Database) -> Result<i32, StorageError> {
    let layout = database.collection::<Document>(META).find_one(doc! { "_id": LAYOUT }).await?;
    Ok(layout.and_then(|layout| layout.get_i32("version").ok()).unwrap_or(0))
}

/// Writes down that a database is of this version, once it is.
pub(super) async fn set_version(database: &Database) -> Result<(), StorageError> {
    let meta = database.collection::<Document>(META);
    let change = doc! { "$max": { "version": VERSION } };
    meta.update_one(doc! { "_id": LAYOUT }, change).upsert(true).await?;
    Ok(())
}

/// Makes the indexes of the configurations, and writes the version of a database in which nothing
/// is yet.
pub(super) async fn prepare_registry(database: &Database) -> Result<(), StorageError> {
    let is_new = database.collection::<Document>(BUCKETS).find_one(doc! {}).await?.is_none();
    let address = doc! {
        "key": { "data_group": 1, "data_type": 1 },
        "name": "address",
        "unique": true,
        // Every text there can be, in a form that lets a search for one of them use the index.
        "partialFilterExpression": { "data_group": { "$gt": "" } },
    };
    match create_indexes(database, BUCKETS, vec![address]).await {
        // A database of the original Backdrop may have an address twice, or an index of its own. New
        // addresses are still looked for before they are saved.
        Err(error) if error::prevents_an_index(&error) => {
            warn!(%error, "the addresses of buckets cannot be indexed");
        }
        done => done?,
    }
    if is_new { set_version(database).await } else { Ok(()) }
}

/// Makes the collection of a bucket with its indexes, where they are missing.
pub(super) async fn prepare(database: &Database, bucket: &BucketName) -> Result<(), StorageError> {
    let name = collection::of_bucket(bucket);
    let is_new = create(database, &name).await?;
    if is_new {
        create_indexes(database, &name, record_indexes()).await?;
    } else {
        // An existing collection may be large, and nobody needs to wait for its indexes: servers
        // build them while the collection is read and written.
        let (database, name) = (database.clone(), name.clone());
        tokio::spawn(async move {
            match create_indexes(&database, &name, record_indexes()).await {
                Ok(()) => info!(collection = name, "the indexes are there"),
                Err(error) => warn!(%error, collection = name, "the indexes cannot be made"),
            }
        });
    }
    registry::change_bucket(database, bucket, doc! { "$set": { PREPARED: true } }).await?;
    Ok(())
}

/// Makes a collection. Says whether it is new.
async fn create(database: &Database, name: &str) -> Result<bool, StorageError> {
    if exists(database, name).await? {
        return Ok(false);
    }
    match database.create_collection(name).await {
        Ok(()) => Ok(true),
        Err(error) if error::code(&error) == Some(NAMESPACE_EXISTS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn exists(database: &Database, name: &str) -> Result<bool, StorageError> {
    let mut found = database.list_collections().filter(doc! { "name": name }).await?;
    Ok(found.advance().await?)
}

/// Makes indexes, those that are there already excepted.
pub(super) async fn create_indexes(
    database: &Database,
    collection: &str,
    indexes: Vec<Document>,
) -> Result<(), StorageError> {
    database.run_command(doc! { "createIndexes": collection, "indexes": indexes }).await?;
    Ok(())
}

/// What queries look records up by: ranges of time and the newest first, periods, what was written
/// since; and what caps drop by.
pub(super) fn record_indexes() -> Vec<Document> {
    let by_period = Period::ALL.map(|period| doc! { period.start_key(): 1, SEQ: 1 });
    let others = [doc! { "_timestamp": -1, SEQ: 1 }, doc! { UPDATED_AT: 1, SEQ: 1 }, doc! { SEQ: 1 }];
    let named = |key: Document| {
        let parts = key.iter().map(|(field, direction)| format!("{field}_{direction}"));
        let name = parts.collect::<Vec<_>>().join("_");
        doc! { "key": key, "name": name }
    };
    by_period.into_iter().chain(others).map(named).collect()
}

/// Whether a collection lacks an index that queries want.
pub(super) async fn lacks_indexes(database: &Database, name: &str) -> Result<bool, StorageError> {
    let there = database.collection::<Document>(name).list_index_names().await?;
    let wanted = record_indexes();
    let mut wanted = wanted.iter().filter_map(|index| index.get_str("name").ok());
    Ok(wanted.any(|name| !there.iter().any(|other| other == name)))
}

/// Whether a bucket has been written to: whether its collection is there, as in the original
/// Backdrop.
pub(super) async fn is_written(database: &Database, bucket: &BucketName) -> Result<bool, StorageError> {
    require(database, bucket).await?;
    exists(database, &collection::of_bucket(bucket)).await
}

/// How many records a bucket has, as the server knows without counting them. On a sharded cluster, and
/// after a server was killed, that may be off until the server counts anew.
pub(super) async fn count(database: &Database, bucket: &BucketName) -> Result<u64, StorageError> {
    require(database, bucket).await?;
    let records = database.collection::<Document>(&collection::of_bucket(bucket));
    Ok(records.estimated_document_count().await?)
}

/// Finds the bucket.
///
/// # Errors
///
/// [`StorageErrorKind::NotFound`] if there is none.
pub(super) async fn require(database: &Database, bucket: &BucketName) -> Result<(), StorageError> {
    let found = registry::bucket(database, &BucketAddress::Name(bucket.clone())).await?;
    found.map(drop).ok_or_else(|| registry::not_found(bucket))
}

/// Empties a bucket at once, however large it is, by putting an empty collection in its place.
pub(super) async fn empty(database: &Database, bucket: &BucketName) -> Result<(), StorageError> {
    require(database, bucket).await?;
    let name = collection::of_bucket(bucket);
    // Nobody else has this name, and no bucket can.
    let fresh = format!("_empty.{}", ObjectId::new().to_hex());
    create(database, &fresh).await?;
    let done = replace(database, &fresh, &name).await;
    if done.is_err() {
        // What is left of it is empty and in nobody's way.
        let _ = database.collection::<Document>(&fresh).drop().await;
    }
    done?;
    registry::change_bucket(database, bucket, doc! { "$set": { PREPARED: true } }).await?;
    Ok(())
}

async fn replace(database: &Database, fresh: &str, name: &str) -> Result<(), StorageError> {
    create_indexes(database, fresh, record_indexes()).await?;
    let full = |name: &str| format!("{}.{name}", database.name());
    let command = doc! { "renameCollection": full(fresh), "to": full(name), "dropTarget": true };
    database.client().database("admin").run_command(command).await?;
    Ok(())
}

/// Deletes the records of a bucket with their collection.
pub(super) async fn delete_data(database: &Database, bucket: &BucketName) -> Result<(), StorageError> {
    drop_collection(database, bucket).await?;
    // Only then, so that who stores in between makes the indexes anew.
    registry::change_bucket(database, bucket, doc! { "$unset": { PREPARED: "" } }).await?;
    Ok(())
}

/// Drops the collection of a bucket, if it is there.
pub(super) async fn drop_collection(database: &Database, bucket: &BucketName) -> Result<(), StorageError> {
    Ok(database.collection::<Document>(&collection::of_bucket(bucket)).drop().await?)
}
