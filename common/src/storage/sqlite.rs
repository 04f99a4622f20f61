//! The embedded engine: one SQLite file in WAL mode that both apps open at the same time.
//!
//! SQLite keeps and guards the records; what is asked of them is worked out here, from columnar views
//! in memory or over the stored bytes. Reading runs on tokio's threads for what blocks, writing on a
//! thread of its own.
//!
//! ```text
//! sqlite.rs ── writer     one thread that writes, many calls to a commit
//!          ├── registry   buckets and users      ← tokens
//!          ├── records    storing, changing, deleting
//!          ├── audit      the audit log
//!          └── answer     finding, aggregating      → stream (records page by page)
//!                 ├── views      columnar views, kept up to date   ← storage/view
//!                 └── scan       the stored records                ← statement (query → SQL)
//!                        └── connections, layout, error
//! ```

mod answer;
mod audit;
mod configs;
mod connections;
mod error;
mod layout;
mod records;
mod registry;
mod scan;
mod statement;
mod stream;
mod tokens;
mod views;
mod writer;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Transaction;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use self::answer::{Asked, fields_of_groups, fields_of_records, is_for_views};
use self::configs::Configs;
use self::connections::{Connections, Interest};
use self::stream::{STREAMS, Stream};
pub(super) use self::views::ViewLimits;
use self::views::{Turn, Views};
use self::writer::{PATIENCE, Writer};
use super::{
    BucketSave, Changed, Documents, MigrationMode, MigrationReport, NewRecords, RecordChange, RecordPages,
    Revision, Row, StorageEngine, StorageError, StorageErrorKind, StorageOptions, Stored, StoredRecord,
    UnreadableBucket, WantedNames, pages,
};
use crate::audit::{AuditEntry, AuditFilter, AuditLine};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::{GroupQuery, Query, RecordQuery};
use crate::record::RecordId;
use crate::room::Reservation;
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};

/// The embedded engine. Cloning it is cheap; clones share their connections.
#[derive(Clone)]
pub struct SqliteEngine {
    connections: Arc<Connections>,
    /// Does what writes, in its order. SQLite's own lock is for other processes.
    writer: Arc<Writer>,
    /// Lets in as many readers as there is use for; more would only take memory from each other.
    reading: Arc<Semaphore>,
    /// Lets in as many answers of several pages.
    streaming: Arc<Semaphore>,
    /// How long a page of those may wait to be taken.
    patience: Duration,
    views: Arc<Views>,
    configs: Arc<Configs>,
}

/// Readers at once, for each processor: they wait for the disk at times.
const READERS_PER_PROCESSOR: usize = 4;

impl SqliteEngine {
    /// Opens a database file, making it and the folder that it is in where they do not exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or made, is of another program, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::open_with(path, &StorageOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    ///
    /// As [`SqliteEngine::open`].
    pub fn open_with(path: &Path, options: &StorageOptions) -> Result<Self, StorageError> {
        Self::with_view_limits(path, ViewLimits::new(options.view_bytes))
    }

    /// Opens a database file as [`SqliteEngine::open`] does, with views within some limits.
    pub(super) fn with_view_limits(path: &Path, limits: ViewLimits) -> Result<Self, StorageError> {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            // The writer comes first: it makes the file.
            writer: Arc::new(Writer::open(path)?),
            connections: Arc::new(Connections::new(path)),
            reading: Arc::new(Semaphore::new(processors * READERS_PER_PROCESSOR)),
            streaming: Arc::new(Semaphore::new(STREAMS)),
            patience: pages::PATIENCE,
            views: Arc::new(Views::new(limits)),
            configs: Arc::default(),
        })
    }

    /// Reads in turn, for as long as somebody waits for it.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.read_while_wanted(deadline(), move |connection, _| work(connection)).await
    }

    /// The same, for work that takes so long that it looks by itself whether somebody waits.
    async fn read_while_wanted<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&rusqlite::Connection, &Interest) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let connections = Arc::clone(&self.connections);
        let waiting = Waiting::default();
        let interest = Arc::clone(&waiting.0);
        let work = move || connections.read(&interest, |connection| work(connection, &interest));
        in_turn(&self.reading, deadline, work).await
    }

    /// Reads in turn what is received page by page.
    async fn read_pages(
        &self,
        deadline: Instant,
        work: impl FnOnce(&rusqlite::Connection, &Interest, &mut Stream) -> Result<(), StorageError>
        + Send
        + 'static,
    ) -> Result<RecordPages, StorageError> {
        let connections = Arc::clone(&self.connections);
        let waiting = Waiting::default();
        let interest = Arc::clone(&waiting.0);
        let turn = turn(&self.reading, deadline).await?;
        let (pages, expected) = pages::pages(self.patience);
        let mut stream = Stream::new(pages, turn, Arc::clone(&self.streaming));
        tokio::task::spawn_blocking(move || {
            let done = connections.read(&interest, |connection| {
                let done = work(connection, &interest, &mut stream);
                stream.leave_connection(connection).and(done)
            });
            stream.end(done);
        });
        expected.begun(waiting).await
    }

    /// The turn at a bucket's view, if a query that looks at some fields may be answered from one.
    async fn turn(
        &self,
        bucket: &BucketName,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<Option<Turn>, StorageError> {
        if self.views.limits.max_bytes == 0 || !is_for_views(fields.iter().copied()) {
            return Ok(None);
        }
        let turn = timeout_at(deadline, self.views.turn(bucket)).await;
        turn.map(Some).map_err(|_| not_in_time())
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.writer.write(0, work).await
    }
}

/// Somebody who waits for an answer. Interest in it is lost as soon as this is dropped.
#[derive(Default)]
struct Waiting(Arc<Interest>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.lose();
    }
}

/// Until when a call waits for its turns that begins now.
fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

fn not_in_time() -> StorageError {
    let message = format!("others were not done within {} s", PATIENCE.as_secs());
    StorageError::new(StorageErrorKind::Unavailable, message)
}

/// Waits for a turn.
async fn turn(turns: &Arc<Semaphore>, deadline: Instant) -> Result<OwnedSemaphorePermit, StorageError> {
    let waited = timeout_at(deadline, Arc::clone(turns).acquire_owned()).await;
    waited.map_err(|_| not_in_time())?.map_err(|_| not_in_time())
}

/// Runs blocking work when its turn comes.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    deadline: Instant,
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let turn = turn(turns, deadline).await?;
    let work = move || {
        // The turn lasts as long as the work, also if nobody waits for it any more.
        let _turn = turn;
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(StorageError::new(StorageErrorKind::Internal, panic)))
}

#[async_trait]
impl StorageEngine for SqliteEngine {
    async fn ping(&self) -> Result<(), StorageError> {
        self.read(layout::check).await.map(drop)
    }

    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError> {
        // Every request begins with this, and to change threads would take much longer.
        let look = |connection: &rusqlite::Connection| registry::bucket(connection, &self.configs, address);
        if let Some(found) = self.connections.look_up(look) {
            return Ok(found);
        }
        let (configs, address) = (Arc::clone(&self.configs), address.clone());
        self.read(move |connection| registry::bucket(connection, &configs, &address)).await
    }

    async fn bucket_with_revision(
        &self,
        address: &BucketAddress,
    ) -> Result<Option<(Bucket, Option<Revision>)>, StorageError> {
        // As above, but of one snapshot.
        let look = |connection: &rusqlite::Connection| {
            let snapshot = connection.unchecked_transaction()?;
            registry::bucket_with_revision(&snapshot, &self.configs, address)
        };
        if let Some(found) = self.connections.look_up(look) {
            return Ok(found);
        }
        let (configs, address) = (Arc::clone(&self.configs), address.clone());
        self.read(move |connection| registry::bucket_with_revision(connection, &configs, &address)).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError> {
        self.read(registry::buckets).await
    }

    async fn unreadable_buckets(&self) -> Result<Vec<UnreadableBucket>, StorageError> {
        self.read(registry::unreadable).await
    }

    async fn save_buckets(&self, buckets: Vec<BucketSave>) -> Result<(), StorageError> {
        self.write(move |transaction| registry::save_buckets(transaction, &buckets)).await
    }

    async fn change_tokens(&self, bucket: &BucketName, change: TokenChange) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| tokens::change(transaction, &bucket, &change)).await
    }

    async fn delete_bucket(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| registry::delete_bucket(transaction, &bucket)).await
    }

    async fn users(&self) -> Result<Vec<User>, StorageError> {
        self.read(registry::users).await
    }

    async fn save_users(&self, users: Vec<User>) -> Result<(), StorageError> {
        self.write(move |transaction| registry::save_users(transaction, &users)).await
    }

    async fn change_grants(&self, email: &str, change: GrantChange) -> Result<User, StorageError> {
        let email = email.to_owned();
        self.write(move |transaction| registry::change_grants(transaction, &email, &change)).await
    }

    async fn change_record(
        &self,
        bucket: &BucketName,
        id: &RecordId,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<Changed, StorageError> {
        let (bucket, id) = (bucket.clone(), id.clone());
        self.write(move |transaction| records::change(transaction, &bucket, &id, &*change, now)).await
    }

    async fn delete_record(&self, bucket: &BucketName, id: &RecordId) -> Result<bool, StorageError> {
        let (bucket, id) = (bucket.clone(), id.clone());
        self.write(move |transaction| records::delete(transaction, &bucket, &id)).await
    }

    async fn empty(&self, bucket: &BucketName) -> Result<(), StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| records::empty(transaction, &bucket)).await
    }

    async fn delete_data(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.write(move |transaction| records::delete_data(transaction, &bucket)).await
    }

    async fn newest_timestamps(&self) -> Result<Vec<(BucketConfig, Timestamp)>, StorageError> {
        self.read(records::newest_timestamps).await
    }

    async fn count(&self, bucket: &BucketName) -> Result<u64, StorageError> {
        let bucket = bucket.clone();
        self.read(move |connection| records::count(connection, &bucket)).await
    }

    async fn find_pages(
        &self,
        bucket: &BucketName,
        query: &RecordQuery,
        names: WantedNames,
        room: Reservation,
    ) -> Result<RecordPages, StorageError> {
        let (bucket, query, mut room) = (bucket.clone(), query.clone(), room);
        let deadline = deadline();
        let turn = self.turn(&bucket, &fields_of_records(&query), deadline).await?;
        self.read_pages(deadline, move |connection, interest, stream| {
            let asked = Asked { connection, bucket: &bucket, interest };
            let source = asked.find(&query, turn, &mut room)?;
            room.cover(source.bytes())?;
            room.shrink(source.bytes());
            stream.send(connection, names, &|visit| asked.each(&query, &source, visit))
        })
        .await
    }

    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError> {
        let (bucket, query) = (bucket.clone(), query.clone());
        let deadline = deadline();
        let turn = self.turn(&bucket, &fields_of_groups(&query), deadline).await?;
        self.read_while_wanted(deadline, move |connection, interest| {
            Asked { connection, bucket: &bucket, interest }.aggregate(&query, turn)
        })
        .await
    }

    async fn explain(&self, bucket: &BucketName, query: &Query) -> Result<Box<RawValue>, StorageError> {
        let (bucket, query) = (bucket.clone(), query.clone());
        let deadline = deadline();
        let fields = match &query {
            Query::Groups(query) => fields_of_groups(query),
            Query::Records(query) => fields_of_records(query),
        };
        let turn = self.turn(&bucket, &fields, deadline).await?;
        let explain = move |connection: &rusqlite::Connection, interest: &Interest| {
            Asked { connection, bucket: &bucket, interest }.explain(&query, turn.as_ref())
        };
        let explained = self.read_while_wanted(deadline, explain).await?;
        to_raw_value(&explained).map_err(|error| StorageError::new(StorageErrorKind::Internal, error))
    }

    async fn is_written(&self, bucket: &BucketName) -> Result<bool, StorageError> {
        let bucket = bucket.clone();
        self.read(move |connection| records::is_written(connection, &bucket)).await
    }

    async fn export(&self, bucket: &BucketName, pages: mpsc::Sender<Documents>) -> Result<(), StorageError> {
        let bucket = bucket.clone();
        // One snapshot for all of it. The log cannot be folded back into the file meanwhile, so it
        // grows if much is written while a large bucket is exported; it shrinks after.
        self.read(move |connection| scan::export(connection, &bucket, &pages)).await
    }

    async fn store_new(&self, bucket: &BucketName, mut records: NewRecords) -> Result<Stored, StorageError> {
        let bucket = bucket.clone();
        let bytes = records.bytes();
        let store = move |transaction: &Transaction<'_>| records::store(transaction, &bucket, &mut records);
        self.writer.write(bytes, store).await
    }

    async fn restore(&self, bucket: &BucketName, records: Vec<StoredRecord>) -> Result<Stored, StorageError> {
        let mut encoded = NewRecords::new(Timestamp::MIN);
        for StoredRecord { record, updated_at } in &records {
            encoded.push(record, *updated_at);
        }
        self.store_new(bucket, encoded).await
    }

    async fn record_audit(&self, entry: AuditEntry) -> Result<(), StorageError> {
        self.write(move |transaction| audit::record(transaction, &entry)).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
        let filter = filter.clone();
        self.read(move |connection| audit::find(connection, &filter)).await
    }

    async fn restore_audit(&self, lines: Vec<AuditLine>) -> Result<(), StorageError> {
        self.write(move |transaction| audit::restore(transaction, &lines)).await
    }

    async fn migrate(&self, _: MigrationMode, _: MigrationReport<'_>) -> Result<(), StorageError> {
        // Opening the file did all there is to do, which takes no time.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::conformance;
    use crate::storage::conformance::pages::{large_bucket, pages, rest};

    fn engine(folder: &tempfile::TempDir) -> SqliteEngine {
        SqliteEngine::open(&folder.path().join("data/backdrop.db")).expect("a database")
    }

    #[tokio::test]
    async fn conforms() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        conformance::suite(&engine).await;
    }

    #[tokio::test]
    async fn conforms_with_views_only_and_without() {
        for limits in [ViewLimits::for_testing(), ViewLimits::none()] {
            let folder = tempfile::tempdir().expect("a folder");
            let engine = SqliteEngine::with_view_limits(&folder.path().join("backdrop.db"), limits);
            conformance::suite(&engine.expect("a database")).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_whose_turn_does_not_come_is_unavailable() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let turns = u32::try_from(engine.reading.available_permits()).expect("a few");
        let _turns = engine.reading.acquire_many(turns).await.expect("all turns");
        let refused = engine.users().await.expect_err("no turn");
        assert_eq!(refused.kind(), StorageErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn all_who_wait_for_one_view_are_told_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let turns = u32::try_from(engine.reading.available_permits()).expect("a few");
        let bucket = conformance::TestBucket::new(&engine, "foo").await;
        let _turns = engine.reading.acquire_many(turns).await.expect("all turns");
        tokio::time::pause();
        let begun = Instant::now();
        let ask = || bucket.aggregate("group_by=kind", 10);
        for answer in <[_; 4]>::from(tokio::join!(ask(), ask(), ask(), ask())) {
            assert_eq!(answer.expect_err("no turn").kind(), StorageErrorKind::Unavailable);
        }
        assert!(begun.elapsed() <= PATIENCE + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_query_that_nobody_waits_for_ends() {
        const ENDLESS: &str =
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT n FROM number";
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let turns = u32::try_from(engine.reading.available_permits()).expect("a few");
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let query = engine.read(move |connection| {
            begun.send(()).expect("somebody waits for it");
            let mut endless = connection.prepare(ENDLESS)?;
            let mut rows = endless.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        tokio::select! {
            _ = query => panic!("it has no end"),
            begun = has_begun => begun.expect("it began"),
        }
        let all = tokio::time::timeout(Duration::from_secs(30), engine.reading.acquire_many(turns)).await;
        drop(all.expect("its turn ends").expect("turns"));
        engine.ping().await.expect("the next one is answered");
        assert!(engine.buckets().await.expect("the one after it as well").is_empty());
    }

    #[tokio::test]
    async fn pages_are_those_of_one_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let bucket = large_bucket(&engine, "foo").await;
        for query in ["", "sort_by=size:ascending"] {
            let mut pages = pages(&bucket, query, WantedNames::All).await.expect("pages");
            let before = bucket.find("").await.len();
            let first = pages.next().await.expect("a page").expect("records").len();
            bucket.delete("r2999").await;
            bucket.store(r#"[{"_id": "r0000", "size": -1}, {"size": 5}]"#).await;
            let (_, others) = rest(&mut pages).await.expect("records");
            assert_eq!(first + others.len(), before);
        }
    }

    /// So many answers under way that others have no place.
    #[tokio::test]
    async fn answers_under_way_leave_their_turns_to_queries_and_their_places_to_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let bucket = large_bucket(&engine, "foo").await;
        let mut under_way = Vec::new();
        for _ in 0..STREAMS {
            under_way.push(pages(&bucket, "", WantedNames::None).await.expect("pages"));
        }
        let refused = pages(&bucket, "", WantedNames::None).await.err().expect("there is no place");
        assert_eq!(refused.kind(), StorageErrorKind::Busy);
        assert_eq!(bucket.find("limit=10").await.len(), 10, "queries have turns");
        drop(under_way);
        let all = u32::try_from(STREAMS).expect("a few");
        drop(engine.streaming.acquire_many(all).await.expect("all places"));
        assert!(pages(&bucket, "", WantedNames::None).await.is_ok());
    }

    #[tokio::test]
    async fn who_takes_no_page_for_a_while_holds_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine { patience: Duration::from_millis(1), ..engine(&folder) };
        let bucket = large_bucket(&engine, "foo").await;
        let mut pages = pages(&bucket, "", WantedNames::None).await.expect("pages");
        let all = u32::try_from(STREAMS).expect("a few");
        drop(engine.streaming.acquire_many(all).await.expect("all places"));
        assert!(rest(&mut pages).await.is_err(), "it is not taken for the whole");
    }

    #[tokio::test]
    async fn what_is_sorted_is_reserved() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backdrop.db");
        let engine = SqliteEngine::with_view_limits(&path, ViewLimits::none()).expect("a database");
        let bucket = large_bucket(&engine, "foo").await;
        let room = crate::room::Room::strict(10_000_000, "answers");
        let query = conformance::record_query("sort_by=size:ascending");
        let pages = engine.find_pages(&bucket.name, &query, WantedNames::None, room.reserve()).await;
        let (_, records) = rest(&mut pages.expect("pages")).await.expect("records");
        drop(engine.streaming.acquire_many(u32::try_from(STREAMS).expect("a few")).await);
        assert_eq!((records.len(), room.bytes()), (3000, 0));
        let room = crate::room::Room::strict(10_000, "answers");
        let refused = engine.find_pages(&bucket.name, &query, WantedNames::None, room.reserve()).await.err();
        assert_eq!(refused.expect("no room").kind(), StorageErrorKind::TooManyRows);
        assert_eq!(room.bytes(), 0);
    }

    #[tokio::test]
    async fn a_view_is_finished_even_if_nobody_waits_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine =
            SqliteEngine::with_view_limits(&folder.path().join("backdrop.db"), ViewLimits::for_testing())
                .expect("a database");
        let bucket = conformance::TestBucket::new(&engine, "foo").await;
        bucket.store(&format!("[{}]", vec![r#"{"kind": "x"}"#; 3000].join(","))).await;
        let crate::query::Query::Groups(query) = conformance::parse_query("group_by=kind", 10) else {
            panic!("it asks for groups")
        };
        let (interest, turn) = (Arc::new(Interest::default()), engine.views.turn(&bucket.name).await);
        interest.lose();
        let answer = engine.connections.read(&interest, |connection| {
            Asked { connection, bucket: &bucket.name, interest: &interest }.aggregate(&query, Some(turn))
        });
        assert_eq!(answer.map_err(|error| error.kind()), Err(StorageErrorKind::Unavailable));
        let known = engine.views.turn(&bucket.name).await.known();
        assert!(matches!(known, views::Known::Ready { records: 3000, .. }), "{known:?}");
    }

    #[tokio::test]
    async fn two_engines_on_one_file_see_each_others_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = engine(&folder);
        for limits in [ViewLimits::for_testing(), ViewLimits::none()] {
            let reader = SqliteEngine::with_view_limits(&folder.path().join("data/backdrop.db"), limits);
            conformance::writes_are_seen_by_another(&writer, &reader.expect("a database")).await;
        }
    }
}
