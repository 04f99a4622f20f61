//! Units of work: done whole or not at all where the servers have transactions, and done again when
//! something that passes got in the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use mongodb::bson::raw::{RawArrayBuf, RawDocumentBuf};
use mongodb::bson::{Bson, Document, cstr, doc, rawdoc, serialize_to_raw_document_buf};
use mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT;
use mongodb::options::{Acknowledgment, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, ClientSession, Database};

use super::error::Failure;
use crate::storage::document::damaged;
use crate::storage::{StorageError, StorageErrorKind};

/// How long a unit may take, all its tries together.
const PATIENCE: Duration = Duration::from_mins(1);
/// Commands stay below MongoDB's limits of 16 MB and 100,000 operations, though the ids are in them
/// twice and each operation needs some bytes besides.
const COMMAND_BYTES: usize = 8 << 20;
const COMMAND_OPERATIONS: usize = 10_000;

/// Work that is done whole or not at all, and may be done more than once until it is.
#[async_trait]
pub(super) trait Unit: Sync {
    /// What it answers.
    type Done: Send;

    /// Does the work. Everything goes through the transaction, and what is written again after a
    /// try that seemed to fail must lead to the same documents and the same answer.
    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Done, Failure>;
}

/// Whether any try of a unit found what it deletes: one that seemed to fail may have deleted it.
#[derive(Debug, Default)]
pub(super) struct Existed(AtomicBool);

impl Existed {
    /// Whether this try found it, or one before.
    pub(super) fn or_now(&self, now: bool) -> bool {
        self.0.fetch_or(now, Ordering::Relaxed) || now
    }
}

/// Whether units of work are transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atomicity {
    /// They are, as on replica sets and sharded clusters.
    Transactions,
    /// A single server has none, nor has a capped collection: each command is atomic by itself.
    Commands,
}

/// How long a write waits for most members to have it on their disks. It is not undone after that,
/// but done again, which leads to the same documents.
const MAJORITY_PATIENCE: Duration = Duration::from_secs(10);

/// Writes are on the disks of most members when they are acknowledged.
pub(super) fn durable() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(MAJORITY_PATIENCE).build()
}

/// Does a unit of work, again and again with pauses while it fails for reasons that pass.
pub(super) async fn perform<U: Unit>(
    database: &Database,
    atomicity: Atomicity,
    unit: &U,
) -> Result<U::Done, Failure> {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_millis(500))
        .with_max_times(14)
        .with_jitter();
    let tries = (|| attempt(database, atomicity, unit)).retry(pauses).when(Failure::is_passing);
    let Ok(done) = tokio::time::timeout(PATIENCE, tries).await else {
        let message = format!("it took longer than {} s", PATIENCE.as_secs());
        return Err(StorageError::new(StorageErrorKind::Unavailable, message).into());
    };
    done
}

async fn attempt<U: Unit>(database: &Database, atomicity: Atomicity, unit: &U) -> Result<U::Done, Failure> {
    let mut transaction = Transaction::begin(database, atomicity).await?;
    match unit.run(&mut transaction).await {
        Ok(done) => transaction.commit().await.map(|()| done),
        Err(failure) => {
            // Waited for, so that the next try does not meet the locks of this one.
            transaction.abort().await;
            Err(failure)
        }
    }
}

/// A transaction under way, or what stands for one.
pub(super) struct Transaction<'d> {
    database: &'d Database,
    session: Option<ClientSession>,
}

impl<'d> Transaction<'d> {
    async fn begin(database: &'d Database, atomicity: Atomicity) -> Result<Self, Failure> {
        if atomicity == Atomicity::Commands {
            return Ok(Self { database, session: None });
        }
        let client: &Client = database.client();
        let mut session = client.start_session().await?;
        session
            .start_transaction()
            .read_concern(ReadConcern::majority())
            .write_concern(durable())
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .await?;
        Ok(Self { database, session: Some(session) })
    }

    async fn abort(self) {
        if let Some(mut session) = self.session {
            // What cannot be told to end ends by itself.
            let _ = session.abort_transaction().await;
        }
    }

    async fn commit(self) -> Result<(), Failure> {
        let Some(mut session) = self.session else { return Ok(()) };
        let mut committed = session.commit_transaction().await;
        // Whether it was committed is not known. To ask again is safe; if that does not help, the
        // unit is done again, which leads to the same documents.
        for _ in 0..2 {
            match &committed {
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                    committed = session.commit_transaction().await;
                }
                _ => break,
            }
        }
        Ok(committed?)
    }

    /// The first document that a filter finds.
    pub(super) async fn find_one(
        &mut self,
        collection: &str,
        filter: Document,
    ) -> Result<Option<Document>, Failure> {
        let find = doc! { "find": collection, "filter": filter, "limit": 1, "singleBatch": true };
        first_of_batch(&self.run(raw(&find)?).await?)
    }

    /// Changes the documents that a filter finds. Answers how many it found.
    pub(super) async fn update(
        &mut self,
        collection: &str,
        filter: Document,
        change: Document,
        scope: Scope,
    ) -> Result<u64, Failure> {
        let update = doc! { "q": filter, "u": change, "multi": scope.multi(), "upsert": scope.upsert() };
        count(&self.write(raw(&doc! { "update": collection, "updates": [update] })?).await?)
    }

    /// Deletes the documents that a filter finds. Answers how many.
    pub(super) async fn delete(&mut self, collection: &str, filter: Document) -> Result<u64, Failure> {
        let delete = doc! { "q": filter, "limit": 0 };
        count(&self.write(raw(&doc! { "delete": collection, "deletes": [delete] })?).await?)
    }

    /// Puts documents in the place of those with their ids, or beside the others. Each id comes
    /// once. Answers how many are new.
    pub(super) async fn upsert(
        &mut self,
        collection: &str,
        documents: &[RawDocumentBuf],
    ) -> Result<usize, Failure> {
        let mut new = 0;
        let mut rest = documents;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(fitting(rest));
            new += self.upsert_some(collection, some).await?;
            rest = others;
        }
        Ok(new)
    }

    async fn upsert_some(
        &mut self,
        collection: &str,
        documents: &[RawDocumentBuf],
    ) -> Result<usize, Failure> {
        let mut updates = RawArrayBuf::new();
        for document in documents {
            let mut filter = RawDocumentBuf::new();
            if let Some(id) = document.get("_id").map_err(damaged)? {
                filter.append(cstr!("_id"), id);
            }
            updates.push(rawdoc! { "q": filter, "u": document.clone(), "upsert": true });
        }
        let command = rawdoc! { "update": collection, "updates": updates, "ordered": false };
        let said = self.write(command).await?;
        Ok(said.get_array("upserted").map_or(0, Vec::len))
    }

    /// Runs a command that writes. In a transaction, what makes it [`durable`] comes with the commit.
    async fn write(&mut self, mut command: RawDocumentBuf) -> Result<Document, Failure> {
        if self.session.is_none() {
            let concern = serialize_to_raw_document_buf(&durable()).map_err(damaged)?;
            command.append(cstr!("writeConcern"), concern);
        }
        self.run(command).await
    }

    async fn run(&mut self, command: RawDocumentBuf) -> Result<Document, Failure> {
        let action = self.database.run_raw_command(command);
        let said = match &mut self.session {
            Some(session) => action.session(session).await?,
            None => action.await?,
        };
        check_writes(&said)?;
        Ok(said)
    }
}

fn raw(command: &Document) -> Result<RawDocumentBuf, Failure> {
    Ok(RawDocumentBuf::try_from(command).map_err(damaged)?)
}

/// Which documents an update is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The first one found.
    One,
    /// The first one found; where there is none, one is made.
    OneOrNew,
    /// All that are found.
    All,
}

impl Scope {
    fn multi(self) -> bool {
        self == Self::All
    }

    fn upsert(self) -> bool {
        self == Self::OneOrNew
    }
}

/// How many of some documents go into one command.
fn fitting(documents: &[RawDocumentBuf]) -> usize {
    let mut bytes = 0;
    let mut fits = |document: &&RawDocumentBuf| {
        bytes += document.as_bytes().len();
        bytes <= COMMAND_BYTES
    };
    documents.iter().take(COMMAND_OPERATIONS).take_while(|document| fits(document)).count().max(1)
}

/// A write may fail though its command does not.
fn check_writes(said: &Document) -> Result<(), Failure> {
    let fault = |fault: &Document| {
        let code = fault.get_i32("code").unwrap_or_default();
        Failure::Write { code, message: fault.get_str("errmsg").unwrap_or_default().to_owned() }
    };
    if let Ok(faults) = said.get_array("writeErrors")
        && let Some(first) = faults.first().and_then(Bson::as_document)
    {
        return Err(fault(first));
    }
    said.get_document("writeConcernError").map_or(Ok(()), |error| Err(fault(error)))
}

fn first_of_batch(said: &Document) -> Result<Option<Document>, Failure> {
    let batch = said.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    Ok(batch.map_err(damaged)?.first().and_then(Bson::as_document).cloned())
}

/// The number of documents that a write was about.
fn count(said: &Document) -> Result<u64, Failure> {
    let count = said.get("n").and_then(|count| count.as_i64().or_else(|| count.as_i32().map(i64::from)));
    let count = count.and_then(|count| u64::try_from(count).ok());
    Ok(count.ok_or_else(|| damaged("an answer without a count"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stay_small() {
        let documents = |count: usize, bytes: usize| -> Vec<RawDocumentBuf> {
            vec![rawdoc! { "text": "x".repeat(bytes) }; count]
        };
        assert_eq!(fitting(&documents(3, 10)), 3);
        assert_eq!(fitting(&documents(COMMAND_OPERATIONS + 1, 10)), COMMAND_OPERATIONS);
        assert_eq!(fitting(&documents(5, 3 << 20)), 2);
        assert_eq!(fitting(&documents(2, 9 << 20)), 1, "one goes alone");
    }
}
