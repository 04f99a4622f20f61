//! The audit log, a collection of its own.

use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

use super::error;
use super::layout;
use crate::audit::{AuditAction, AuditFilter, AuditLine, AuditPosition};
use crate::storage::StorageError;
use crate::storage::audit_document::{decode, encode};
use crate::storage::collection::AUDIT;
use crate::timestamp::Timestamp;

/// Makes the collection and its indexes, where they are missing.
pub(super) async fn prepare(database: &Database) -> Result<(), StorageError> {
    let index = |key: &str| doc! { "key": { key: 1, "_id": -1 }, "name": key };
    layout::create_indexes(database, AUDIT, ["by", "action", "bucket"].map(index).into()).await
}

/// The position of the last entry, if there is one.
pub(super) async fn last(database: &Database) -> Result<Option<AuditPosition>, StorageError> {
    let log = database.collection::<Document>(AUDIT);
    let last = log.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 }).await?;
    Ok(last.and_then(|last| last.get_i64("_id").ok()).map(AuditPosition))
}

/// Puts an entry at its position. Answers false if another one is there; the same one may be, since
/// a try that seemed to fail may have put it there.
pub(super) async fn put(database: &Database, line: &AuditLine) -> Result<bool, StorageError> {
    let log = database.collection::<Document>(AUDIT);
    let document = encode(line);
    let Err(failure) = log.insert_one(&document).await else { return Ok(true) };
    if !error::is_duplicate_key(&failure) {
        return Err(failure.into());
    }
    let there = log.find_one(doc! { "_id": line.position.0 }).await?;
    Ok(there.is_some_and(|there| there == document))
}

/// Puts entries at their positions, together. Answers the places in the list of those whose positions
/// are taken.
pub(super) async fn put_all(database: &Database, lines: &[AuditLine]) -> Result<Vec<usize>, StorageError> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let log = database.collection::<Document>(AUDIT);
    match log.insert_many(lines.iter().map(encode)).ordered(false).await {
        Ok(_) => Ok(Vec::new()),
        Err(failure) => error::duplicates(&failure).ok_or_else(|| failure.into()),
    }
}

/// The entries that a filter lets through, the newest first.
pub(super) async fn find(database: &Database, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
    let Ok(limit @ 1..) = i64::try_from(filter.limit.min(usize::MAX / 2)) else { return Ok(Vec::new()) };
    let log = database.collection::<Document>(AUDIT);
    let mut cursor = log.find(condition(filter)).sort(doc! { "_id": -1 }).limit(limit).await?;
    let mut lines = Vec::new();
    while cursor.advance().await? {
        lines.push(decode(&cursor.deserialize_current()?)?);
    }
    Ok(lines)
}

fn condition(filter: &AuditFilter) -> Document {
    let AuditFilter { by, action, bucket, from, to, before, limit: _ } = filter;
    let known = || doc! { "$in": AuditAction::ALL.map(AuditAction::name).to_vec() }.into();
    let mut condition = doc! { "action": action.map_or_else(known, |action| Bson::from(action.name())) };
    if let Some(by) = by {
        condition.insert("by", by);
    }
    if let Some(bucket) = bucket {
        condition.insert("bucket", bucket.as_str());
    }
    if let Some(before) = before {
        condition.insert("_id", doc! { "$lt": before.0 });
    }
    let time = |at: Timestamp| mongodb::bson::DateTime::from_millis(at.millis());
    let mut range = Document::new();
    range.extend(from.map(|from| ("$gte".to_owned(), time(from).into())));
    range.extend(to.map(|to| ("$lt".to_owned(), time(to).into())));
    if !range.is_empty() {
        condition.insert("at", range);
    }
    condition
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::bucket::BucketName;

    #[test]
    fn conditions_of_filters() {
        let all = AuditFilter {
            by: Some("ann@example.org".to_owned()),
            action: Some(AuditAction::Grant),
            bucket: BucketName::parse("foo").ok(),
            from: Timestamp::from_millis(0),
            to: Timestamp::from_millis(1000),
            before: Some(AuditPosition(9)),
            limit: 5,
        };
        assert_snapshot!(condition(&all), @r#"{ "action": "grant", "by": "ann@example.org", "bucket": "foo", "_id": { "$lt": 9 }, "at": { "$gte": DateTime("1970-01-01 0:00:00.0 +00:00:00"), "$lt": DateTime("1970-01-01 0:00:01.0 +00:00:00") } }"#);
        let known = condition(&AuditFilter::default());
        let known = known.get_document("action").and_then(|known| known.get_array("$in"));
        assert_eq!(known.expect("a list").len(), AuditAction::ALL.len(), "only what this version knows");
    }
}
