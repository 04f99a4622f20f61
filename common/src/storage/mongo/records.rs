//! Storing, changing and deleting records.

use async_trait::async_trait;
use hashbrown::HashMap;
use mongodb::Database;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, Document, cstr, doc};

use super::error::Failure;
use super::pipeline;
use super::registry::{self, PREPARED};
use super::selection::ids;
use super::transaction::{Existed, Scope, Transaction, Unit};
use crate::bucket::BucketName;
use crate::record::{Record, RecordId};
use crate::storage::collection;
use crate::storage::document::{self, Document as StoredDocument, SEQ, damaged};
use crate::storage::registry_document::decode_bucket;
use crate::storage::{Changed, RecordChange, StorageError, Stored, StoredRecord, made_id};
use crate::timestamp::Timestamp;

/// A batch, ready to be written as often as it takes: its ids are made and its places given.
pub(super) struct Batch {
    documents: Vec<RawDocumentBuf>,
    /// Ids that came more than once; the last record of each stands.
    replaced: usize,
}

impl Batch {
    /// `seq` is the first of as many numbers as there are records.
    pub(super) fn new(records: &[StoredRecord], seq: i64) -> Self {
        let mut documents: Vec<RawDocumentBuf> = Vec::with_capacity(records.len());
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut replaced = 0;
        for (StoredRecord { record, updated_at }, seq) in records.iter().zip(seq..) {
            let Some(id) = &record.id else {
                documents.push(encode(&make_id(seq, *updated_at), record, *updated_at, seq));
                continue;
            };
            let document = encode(id.as_str(), record, *updated_at, seq);
            if let Some(place) = places.get(id.as_str()) {
                documents[*place] = document;
                replaced += 1;
            } else {
                places.insert(id.as_str(), documents.len());
                documents.push(document);
            }
        }
        Self { documents, replaced }
    }
}

fn make_id(seq: i64, now: Timestamp) -> String {
    // The low 48 bits, which is as many as such an id has room for: they tell records of one
    // millisecond apart, and come round again after nine years.
    made_id::make(seq & 0xffff_ffff_ffff, now)
}

fn encode(id: &str, record: &Record, updated_at: Timestamp, seq: i64) -> RawDocumentBuf {
    let mut document = document::encode_whole(id, record, updated_at);
    // The driver wants the name as a literal; it is `SEQ`.
    document.append(cstr!("-seq"), seq);
    document
}

/// Stores a batch.
pub(super) struct Store<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) batch: &'a Batch,
}

#[async_trait]
impl Unit for Store<'_> {
    type Done = (Stored, Target);

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Done, Failure> {
        let target = Target::find(transaction, self.bucket).await?;
        if self.batch.documents.is_empty() {
            return Ok((Stored::default(), target));
        }
        if !target.is_prepared {
            return Err(Failure::Unprepared);
        }
        let new = transaction.upsert(&target.collection, &self.batch.documents).await?;
        // A document that was only given its id as text is not new.
        let new = new.saturating_sub(self.take_over(transaction, &target).await?);
        let sent = self.batch.documents.len() + self.batch.replaced;
        Ok((Stored { new, replaced: sent - new }, target))
    }
}

impl Store<'_> {
    /// Deletes the documents whose ids MongoDB made and that are sent again now, with their ids as
    /// text. Answers how many.
    async fn take_over(&self, transaction: &mut Transaction<'_>, target: &Target) -> Result<usize, Failure> {
        let ids = self.batch.documents.iter().filter_map(|document| object_id(document));
        let ids: Vec<Bson> = ids.collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let deleted = transaction.delete(&target.collection, doc! { "_id": { "$in": ids } }).await?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}

/// The `ObjectId` that the original Backdrop would have left MongoDB to make, where a document's id
/// is the text of one.
fn object_id(document: &RawDocument) -> Option<Bson> {
    let id = document.get_str("_id").ok()?;
    ids(id).into_iter().find(|id| matches!(id, Bson::ObjectId(_)))
}

/// Changes one record.
pub(super) struct Change<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) id: &'a RecordId,
    pub(super) apply: &'a RecordChange,
    pub(super) now: Timestamp,
    pub(super) seq: i64,
}

#[async_trait]
impl Unit for Change<'_> {
    type Done = (Changed, Target);

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Done, Failure> {
        let target = Target::find(transaction, self.bucket).await?;
        let filter = doc! { "_id": { "$in": ids(self.id.as_str()) } };
        let Some(stored) = transaction.find_one(&target.collection, filter).await? else {
            return Ok((Changed::NotFound, target));
        };
        let record = match (self.apply)(&read(&stored)?) {
            Ok(record) => record,
            Err(faults) => return Ok((Changed::Refused(faults), target)),
        };
        // Only what was read is replaced: where there are no transactions, somebody may have come in
        // between.
        let seen = doc! { "_id": stored.get("_id"), SEQ: stored.get(SEQ) };
        let changed = encode(self.id.as_str(), &record, self.now, self.seq);
        let replaced = if stored.get_str("_id").is_ok() {
            let changed = Document::try_from(changed).map_err(damaged)?;
            transaction.update(&target.collection, seen, changed, Scope::One).await?
        } else {
            // An `ObjectId` becomes its text, and an id can only be changed with its document.
            transaction.upsert(&target.collection, &[changed]).await?;
            transaction.delete(&target.collection, seen).await?
        };
        if replaced == 0 {
            return Err(Failure::Conflict);
        }
        Ok((Changed::Stored, target))
    }
}

fn read(stored: &Document) -> Result<Record, Failure> {
    let bare = document::to_bare(&RawDocumentBuf::try_from(stored).map_err(damaged)?)?;
    Ok(StoredDocument::new(bare.as_bytes())?.to_record()?)
}

/// Deletes one record. Says whether it existed.
pub(super) struct Delete<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) id: &'a RecordId,
    /// Whether any try found it.
    pub(super) existed: Existed,
}

#[async_trait]
impl Unit for Delete<'_> {
    type Done = bool;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<bool, Failure> {
        let target = Target::find(transaction, self.bucket).await?;
        let filter = doc! { "_id": { "$in": ids(self.id.as_str()) } };
        let deleted = transaction.delete(&target.collection, filter).await?;
        Ok(self.existed.or_now(deleted > 0))
    }
}

/// The collection that a bucket's records are written to.
pub(super) struct Target {
    collection: String,
    is_prepared: bool,
    cap: Option<i64>,
}

impl Target {
    async fn find(transaction: &mut Transaction<'_>, bucket: &BucketName) -> Result<Self, Failure> {
        let stored = registry::stored_bucket(transaction, bucket).await?;
        let cap = decode_bucket(&stored)?.config.cap();
        Ok(Self {
            collection: collection::of_bucket(bucket),
            is_prepared: stored.contains_key(PREPARED),
            cap: cap.map(|cap| i64::try_from(cap).unwrap_or(i64::MAX)),
        })
    }

    /// Drops the records written first until the rest fit the cap. The one written last stays even
    /// if it does not fit alone: its client was told that it is stored.
    ///
    /// This comes after the transaction, in which those who write at the same time would all want to
    /// delete the same records; what it does not get to is for the next write to drop.
    ///
    /// MongoDB's own capped collections are not used for this. They cannot be part of a transaction,
    /// so a batch would not be stored whole or not at all; a record that is written again keeps its
    /// old place in them; and neither a new cap nor none at all can be given to them while others
    /// write.
    pub(super) async fn drop_oldest(&self, database: &Database) -> Result<(), StorageError> {
        let Some(cap) = self.cap else { return Ok(()) };
        let records = database.collection::<Document>(&self.collection);
        let mut first = records.aggregate(first_beyond(cap)).allow_disk_use(true).await?;
        if !first.advance().await? {
            return Ok(());
        }
        // What the original Backdrop wrote has no place in the order, and came before all that has.
        let mut dropped = vec![doc! { SEQ: Bson::Null }];
        if let Ok(seq) = first.current().get_i64(SEQ) {
            dropped.push(doc! { SEQ: { "$lte": seq } });
        }
        records.delete_many(doc! { "$or": dropped }).await?;
        Ok(())
    }
}

/// How many bytes [`SEQ`] takes: its type, its name with the zero at the end, and a number.
const SEQ_BYTES: i64 = 1 + 5 + 8;

/// The newest record that a cap has no room for, with all that are newer but the newest of all. What
/// counts is a record's bare form, as in the embedded store.
fn first_beyond(cap: i64) -> Vec<Document> {
    let size = doc! { "$subtract": [{ "$bsonSize": "$$ROOT" }, SEQ_BYTES] };
    let running = doc! { "$sum": "$size", "window": { "documents": ["unbounded", "current"] } };
    vec![
        doc! { "$project": pipeline::without_periods() },
        doc! { "$project": { SEQ: 1, "size": size } },
        doc! { "$setWindowFields": { "sortBy": { SEQ: -1 }, "output": { "kept": running } } },
        doc! { "$sort": { SEQ: -1 } },
        doc! { "$skip": 1 },
        doc! { "$match": { "kept": { "$gt": cap } } },
        doc! { "$limit": 1 },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn stored(id: Option<&str>, size: i64) -> StoredRecord {
        let id = id.and_then(RecordId::parse);
        let record = Record { id, timestamp: None, fields: vec![("size".into(), Value::Int(size))] };
        StoredRecord { record, updated_at: Timestamp::parse("2020-01-01").expect("a time") }
    }

    #[test]
    fn a_batch_has_each_id_once() {
        let records = [stored(Some("a"), 1), stored(None, 2), stored(Some("b"), 3), stored(Some("a"), 4)];
        let batch = Batch::new(&records, 70);
        assert_eq!(batch.replaced, 1);
        let shown = |document: &RawDocumentBuf| {
            let number = |key| document.get_i64(key).expect("a number");
            (number("size"), number(SEQ))
        };
        let shown: Vec<_> = batch.documents.iter().map(shown).collect();
        assert_eq!(shown, [(4, 73), (2, 71), (3, 72)], "the later stands, as written last");
    }
}
