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
//!          ├── sessions   which sessions are ended
//!          └── answer     finding, aggregating      → stream (records page by page)
//!                 ├── views      columnar views, kept up to date   ← storage/view
//!                 └── scan       the stored records                ← statement (query → SQL)
//!                        └── connections, layout, error
//! ```

mod answer;
mod audit;
mod census;
mod check;
mod connections;
#[cfg(test)]
mod damage_tests;
mod error;
mod file;
mod guard;
mod health;
mod identity;
mod layout;
mod records;
mod registry;
mod scan;
mod sessions;
mod sound;
mod state;
mod statement;
mod stream;
mod sums;
mod tokens;
mod turns;
mod views;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Transaction;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use self::answer::{Asked, fields_of_groups, fields_of_records, is_for_views, is_sought};
use self::connections::Connections;
use self::health::Health;
use self::sound::Sound;
use self::stream::{STREAMS, Stream};
use self::turns::{Length, Turns, deadline, not_in_time, too_slow};
pub(super) use self::views::ViewLimits;
use self::views::{Turn, Views};
use self::writer::Writer;
use super::view::Helpers;
use super::{
    BucketSave, Changed, CheckWatcher, Checked, Documents, Interest, MigrationMode, MigrationReport,
    NewRecords, RecordChange, RecordPages, Revision, Row, SessionsEnd, StorageEngine, StorageError,
    StorageErrorKind, StorageOptions, Stored, StoredRecord, UnreadableBucket, Waiting, WantedNames, pages,
};
use crate::audit::{AuditEntry, AuditFilter, AuditLine};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::{GroupQuery, Query, RecordQuery, Window};
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
    turns: Arc<Turns>,
    helpers: Arc<Helpers>,
    /// Lets in as many answers of several pages.
    streaming: Arc<Semaphore>,
    /// How long a page of those may wait to be taken.
    patience: Duration,
    views: Arc<Views>,
    health: Arc<Health>,
    /// How long a query may take.
    time_limit: Duration,
    sound: Arc<Sound>,
    #[cfg(test)]
    guard: Arc<guard::Guard>,
}

/// So few records, the first in an order that is stored, are looked up rather than queried.
const FEW_RECORDS: usize = 1000;

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
        let engine = Self::with_view_limits(path, ViewLimits::new(options.view_bytes))?;
        Ok(Self { time_limit: options.query_timeout, ..engine })
    }

    /// Opens a database file as [`SqliteEngine::open`] does, with views within some limits.
    pub(super) fn with_view_limits(path: &Path, limits: ViewLimits) -> Result<Self, StorageError> {
        let guard = connections::open(path)?;
        Ok(Self {
            writer: Arc::new(Writer::new(&guard)?),
            connections: Arc::new(Connections::new(&guard)),
            turns: Arc::new(Turns::new()),
            helpers: Arc::new(Helpers::for_this_machine()),
            streaming: Arc::new(Semaphore::new(STREAMS)),
            patience: pages::PATIENCE,
            views: Arc::new(Views::new(limits)),
            health: Arc::new(Health::start(&guard)?),
            time_limit: StorageOptions::default().query_timeout,
            sound: Arc::default(),
            #[cfg(test)]
            guard,
        })
    }

    /// Looks a few rows up in turn, for as long as somebody waits for it.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.query(Length::Short, deadline(), move |connection, _| work(connection)).await
    }

    /// The same, for work that may take so long that it looks by itself whether somebody waits. Nobody does
    /// when its time is over.
    async fn query<T: Send + 'static>(
        &self,
        length: Length,
        deadline: Instant,
        work: impl FnOnce(&rusqlite::Connection, &Interest) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.read_within(Some(self.time_limit), length, deadline, work).await
    }

    async fn read_within<T: Send + 'static>(
        &self,
        time_limit: Option<Duration>,
        length: Length,
        deadline: Instant,
        work: impl FnOnce(&rusqlite::Connection, &Interest) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let connections = Arc::clone(&self.connections);
        let waiting = Waiting::default();
        let interest = waiting.interest();
        let work = move || connections.read(&interest, |connection| work(connection, &interest));
        self.turns.run(length, deadline, time_limit, work).await
    }

    /// Answers a query about a bucket, whose view may have to be brought up to date first.
    async fn ask<T: Send + 'static>(
        &self,
        bucket: &BucketName,
        fields: &[&str],
        answer: impl FnOnce(&Asked<'_>, Option<Turn>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (bucket, helpers, deadline) = (bucket.clone(), Arc::clone(&self.helpers), deadline());
        let sound = Arc::clone(&self.sound);
        let turn = self.turn(&bucket, fields, deadline).await?;
        self.query(Length::Long, deadline, move |connection, interest| {
            answer(&Asked { connection, bucket: &bucket, helpers: &helpers, interest, sound: &sound }, turn)
        })
        .await
    }

    /// Reads in turn what is received page by page.
    async fn read_pages(
        &self,
        length: Length,
        deadline: Instant,
        work: impl FnOnce(&rusqlite::Connection, &Interest, &mut Stream) -> Result<(), StorageError>
        + Send
        + 'static,
    ) -> Result<RecordPages, StorageError> {
        let connections = Arc::clone(&self.connections);
        let waiting = Waiting::default();
        let interest = waiting.interest();
        let turn = self.turns.turn(length, deadline).await?;
        let (pages, expected) = pages::pages(self.patience);
        let mut stream = Stream::new(pages, turn, Arc::clone(&self.streaming));
        tokio::task::spawn_blocking(move || {
            let done = connections.read(&interest, |connection| {
                let done = work(connection, &interest, &mut stream);
                stream.leave_connection(connection).and(done)
            });
            stream.end(done);
        });
        let begun = timeout(self.time_limit, expected.begun(waiting)).await;
        begun.map_err(|_| too_slow(self.time_limit))?
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

#[async_trait]
impl StorageEngine for SqliteEngine {
    async fn ping(&self) -> Result<(), StorageError> {
        self.health.ping().await
    }

    async fn bucket(&self, address: &BucketAddress) -> Result<Option<Bucket>, StorageError> {
        // Every request begins with this, and to change threads would take much longer.
        if let Some(found) = self.connections.look_up(|connection| registry::bucket(connection, address)) {
            return Ok(found);
        }
        let address = address.clone();
        self.read(move |connection| registry::bucket(connection, &address)).await
    }

    async fn bucket_with_revision(
        &self,
        address: &BucketAddress,
    ) -> Result<Option<(Bucket, Option<Revision>)>, StorageError> {
        // As above, but of one snapshot.
        let look = |connection: &rusqlite::Connection| {
            let snapshot = connection.unchecked_transaction()?;
            registry::bucket_with_revision(&snapshot, address)
        };
        if let Some(found) = self.connections.look_up(look) {
            return Ok(found);
        }
        let address = address.clone();
        self.read(move |connection| registry::bucket_with_revision(connection, &address)).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StorageError> {
        self.read(|connection| Ok(registry::buckets(connection)?.0)).await
    }

    async fn unreadable_buckets(&self) -> Result<Vec<UnreadableBucket>, StorageError> {
        self.read(|connection| Ok(registry::buckets(connection)?.1)).await
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
        let (bucket, id, sound) = (bucket.clone(), id.clone(), Arc::clone(&self.sound));
        self.write(move |transaction| records::change(transaction, &bucket, &id, &*change, now, &sound)).await
    }

    async fn delete_record(&self, bucket: &BucketName, id: &RecordId) -> Result<bool, StorageError> {
        let (bucket, id, sound) = (bucket.clone(), id.clone(), Arc::clone(&self.sound));
        self.write(move |transaction| records::delete(transaction, &bucket, &id, &sound)).await
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
        let sound = Arc::clone(&self.sound);
        self.read(move |connection| records::newest_timestamps(connection, &sound)).await
    }

    async fn time_span(&self, bucket: &BucketName) -> Result<Option<(Timestamp, Timestamp)>, StorageError> {
        let (bucket, sound) = (bucket.clone(), Arc::clone(&self.sound));
        self.read(move |connection| {
            sound.ensure(connection, &bucket)?;
            records::time_span(connection, &bucket)
        })
        .await
    }

    async fn count_by_period(
        &self,
        bucket: &BucketName,
        window: Window,
    ) -> Result<Vec<(Timestamp, u64)>, StorageError> {
        let (bucket, sound) = (bucket.clone(), Arc::clone(&self.sound));
        let count = move |connection: &rusqlite::Connection, _: &Interest| {
            sound.ensure(connection, &bucket)?;
            records::count_by_period(connection, &bucket, &window)
        };
        self.query(Length::Long, deadline(), count).await
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
        let (name, query, mut room) = (bucket.clone(), query.clone(), room);
        let (helpers, sound, deadline) = (Arc::clone(&self.helpers), Arc::clone(&self.sound), deadline());
        // A few records that lie ready wait for no view, nor for those who want one.
        let are_few = !is_sought(&query) && query.limit.is_some_and(|limit| limit <= FEW_RECORDS);
        let (length, turn) = if are_few {
            (Length::Short, None)
        } else {
            (Length::Long, self.turn(&name, &fields_of_records(&query), deadline).await?)
        };
        self.read_pages(length, deadline, move |connection, interest, stream| {
            let asked = Asked { connection, bucket: &name, helpers: &helpers, interest, sound: &sound };
            let source = asked.find(&query, turn, &mut room)?;
            room.cover(source.bytes())?;
            room.shrink(source.bytes());
            stream.send(connection, names, &|visit| asked.each(&query, &source, visit))
        })
        .await
    }

    async fn aggregate(&self, bucket: &BucketName, query: &GroupQuery) -> Result<Vec<Row>, StorageError> {
        let asked = query.clone();
        self.ask(bucket, &fields_of_groups(query), move |bucket, turn| bucket.aggregate(&asked, turn)).await
    }

    async fn explain(&self, bucket: &BucketName, query: &Query) -> Result<Box<RawValue>, StorageError> {
        let asked = query.clone();
        let fields = match query {
            Query::Groups(query) => fields_of_groups(query),
            Query::Records(query) => fields_of_records(query),
        };
        let explain = move |bucket: &Asked<'_>, turn: Option<Turn>| bucket.explain(&asked, turn.as_ref());
        let explained = self.ask(bucket, &fields, explain).await?;
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
        let export =
            move |connection: &rusqlite::Connection, _: &Interest| scan::export(connection, &bucket, &pages);
        self.read_within(None, Length::Long, deadline(), export).await
    }

    async fn store_new(&self, bucket: &BucketName, mut records: NewRecords) -> Result<Stored, StorageError> {
        let (bucket, sound) = (bucket.clone(), Arc::clone(&self.sound));
        let bytes = records.bytes();
        let store =
            move |transaction: &Transaction<'_>| records::store(transaction, &bucket, &mut records, &sound);
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

    async fn end_sessions(&self, end: SessionsEnd, now: Timestamp) -> Result<(), StorageError> {
        self.write(move |transaction| sessions::end(transaction, &end, now)).await
    }

    async fn sessions_ended(&self, session: &str, person: &str) -> Result<Option<Timestamp>, StorageError> {
        // Every request of a person begins with this, as all do with their bucket.
        let look = |connection: &rusqlite::Connection| sessions::ended(connection, session, person);
        if let Some(found) = self.connections.look_up(look) {
            return Ok(found);
        }
        let (session, person) = (session.to_owned(), person.to_owned());
        self.read(move |connection| sessions::ended(connection, &session, &person)).await
    }

    async fn check(&self, watcher: CheckWatcher) -> Result<Vec<Checked>, StorageError> {
        let told = Arc::clone(&watcher);
        let (mut checked, names) = self
            .read(move |connection| {
                Ok((check::all_but_records(connection, &told)?, check::names(connection)?))
            })
            .await?;
        // Each in a snapshot of its own, so that the log can be folded into the file between them.
        for bucket in names {
            let told = Arc::clone(&watcher);
            checked.extend(self.read(move |connection| check::bucket(connection, &bucket, &told)).await?);
        }
        Ok(checked)
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
        let reading = engine.turns.of(Length::Short);
        let turns = u32::try_from(reading.available_permits()).expect("a few");
        let _turns = reading.acquire_many(turns).await.expect("all turns");
        let refused = engine.users().await.expect_err("no turn");
        assert_eq!(refused.kind(), StorageErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn all_who_wait_for_one_view_are_told_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let reading = engine.turns.of(Length::Long);
        let turns = u32::try_from(reading.available_permits()).expect("a few");
        let bucket = conformance::TestBucket::new(&engine, "foo").await;
        let _turns = reading.acquire_many(turns).await.expect("all turns");
        tokio::time::pause();
        let begun = Instant::now();
        let ask = || bucket.aggregate("group_by=kind", 10);
        for answer in <[_; 4]>::from(tokio::join!(ask(), ask(), ask(), ask())) {
            assert_eq!(answer.expect_err("no turn").kind(), StorageErrorKind::Unavailable);
        }
        assert!(begun.elapsed() <= writer::PATIENCE + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_query_that_nobody_waits_for_ends() {
        const ENDLESS: &str =
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT n FROM number";
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let reading = engine.turns.of(Length::Short);
        let turns = u32::try_from(reading.available_permits()).expect("a few");
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
        let all = tokio::time::timeout(Duration::from_secs(30), reading.acquire_many(turns)).await;
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
    async fn a_query_that_takes_too_long_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = StorageOptions { query_timeout: Duration::ZERO, ..StorageOptions::default() };
        let path = folder.path().join("backdrop.db");
        let engine = SqliteEngine::open_with(&path, &options).expect("a database");
        let ended = engine.query(Length::Long, deadline(), |_, interest| {
            while !interest.is_lost() {
                std::thread::yield_now();
            }
            Ok(())
        });
        let error = ended.await.expect_err("it takes too long");
        assert_eq!(error.kind(), StorageErrorKind::Unavailable);
        assert!(error.to_string().contains("max_time_ms (0 ms)"), "{error}");
        let reading = engine.turns.of(Length::Long);
        let turns = u32::try_from(turns::READERS_PER_PROCESSOR).expect("a few");
        drop(reading.acquire_many(turns).await.expect("its turn ends"));
    }

    #[tokio::test]
    async fn nothing_that_is_short_waits_for_queries() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        let bucket = conformance::TestBucket::new(&engine, "foo").await;
        bucket.store(r#"[{"_timestamp": "2014-01-02T03:04:05Z"}]"#).await;
        let (long, short) = (engine.turns.of(Length::Long), engine.turns.of(Length::Short));
        let turns = |turns: &tokio::sync::Semaphore| u32::try_from(turns.available_permits()).expect("a few");
        let _long = long.acquire_many(turns(long)).await.expect("all turns");
        let _view = engine.views.turn(&bucket.name).await;
        let newest = conformance::record_query("limit=1");
        assert!(!engine.find(&bucket.name, &newest).await.expect("a record").is_empty());
        assert_eq!(engine.count(&bucket.name).await.expect("a count"), 1);
        assert!(engine.time_span(&bucket.name).await.expect("times").is_some());
        let _short = short.acquire_many(turns(short)).await.expect("all turns");
        engine.ping().await.expect("it is well");
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
            let helpers = &engine.helpers;
            let asked = Asked {
                connection,
                bucket: &bucket.name,
                helpers,
                interest: &interest,
                sound: &engine.sound,
            };
            asked.aggregate(&query, Some(turn))
        });
        assert_eq!(answer.map_err(|error| error.kind()), Err(StorageErrorKind::Unavailable));
        let known = engine.views.turn(&bucket.name).await.known();
        assert!(matches!(known, views::Known::Ready { records: 3000, .. }), "{known:?}");
    }

    #[tokio::test]
    async fn one_bucket_that_cannot_be_read_takes_no_list_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder);
        for name in ["good", "broken", "torn"] {
            let bucket = conformance::TestBucket::new(&engine, name).await;
            bucket.store(r#"{"_timestamp": "2014-01-01", "_id": "one"}"#).await;
        }
        let sql = "UPDATE bucket SET config = '{' WHERE name = 'broken';
                   UPDATE bucket SET token = 'x' WHERE name = 'torn'";
        engine.write(move |transaction| Ok(transaction.execute_batch(sql)?)).await.expect("damage");
        conformance::unreadable_buckets_are_apart(&engine, &["broken", "torn"]).await;
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
