//! The columnar views of buckets that this process keeps, within a budget of memory.
//!
//! A view is made from the stored records when it is first wanted, and brought up to date whenever a query
//! is about to be answered from it, so it never shows less than was acknowledged before. SQLite stays
//! the one source of truth: a view may be dropped at any time, and is when others need its memory.

mod catch_up;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::OwnedMutexGuard;

use self::catch_up::{CaughtUp, State, Synced, state};
use crate::bucket::BucketName;
use crate::storage::view::{Helpers, ROWS_PER_CHUNK, View};
use crate::storage::{StorageError, StorageErrorKind};

/// What decides about views.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct ViewLimits {
    /// How much memory views may take, all together.
    pub(in crate::storage) max_bytes: usize,
    /// How many records a chunk holds.
    pub(in crate::storage) rows_per_chunk: usize,
    /// So many records are found faster through an index than a view is made.
    pub(in crate::storage) few: usize,
}

impl ViewLimits {
    pub(in crate::storage) fn new(max_bytes: usize) -> Self {
        /// They take about 20 ms.
        const FEW: usize = 20_000;
        Self { max_bytes, rows_per_chunk: ROWS_PER_CHUNK, few: FEW }
    }

    /// Small chunks, and views for whatever a view can answer.
    #[cfg(test)]
    pub(in crate::storage) fn for_testing() -> Self {
        Self { max_bytes: usize::MAX, rows_per_chunk: 4, few: 0 }
    }

    /// No views.
    #[cfg(test)]
    pub(in crate::storage) fn none() -> Self {
        Self::new(0)
    }
}

/// The views that are kept.
pub(super) struct Views {
    pub(super) limits: ViewLimits,
    slots: Mutex<HashMap<BucketName, Arc<Slot>>>,
    /// Counts the uses of views.
    clock: AtomicU64,
}

/// The place of a bucket's view.
#[derive(Default)]
struct Slot {
    content: Arc<tokio::sync::Mutex<Content>>,
    bytes: AtomicUsize,
    last_used: AtomicU64,
}

/// What is known of a bucket's view.
#[derive(Default)]
enum Content {
    /// There is none.
    #[default]
    Cold,
    /// It shows the bucket as it was at some moment.
    Ready(Synced),
    /// It would take more memory than there is.
    TooLarge {
        number: i64,
        generation: i64,
        /// How many bytes the bucket's records had.
        stored_bytes: i64,
    },
}

/// The right to look at a bucket's view and to bring it up to date, which one call has at a time. It is
/// to be had before a snapshot of the file is taken: so a view is never newer than the snapshot.
pub(super) struct Turn {
    views: Arc<Views>,
    slot: Arc<Slot>,
    content: OwnedMutexGuard<Content>,
}

impl Views {
    pub(super) fn new(limits: ViewLimits) -> Self {
        Self { limits, slots: Mutex::default(), clock: AtomicU64::new(0) }
    }

    /// Waits for the turn at a bucket's view: while it is made, others wait instead of making it too.
    pub(super) async fn turn(self: &Arc<Self>, bucket: &BucketName) -> Turn {
        let slot = Arc::clone(self.slots().entry(bucket.clone()).or_default());
        let content = Arc::clone(&slot.content).lock_owned().await;
        Turn { views: Arc::clone(self), slot, content }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<BucketName, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a view takes so many bytes, and drops other views, those that were not used for longest
    /// first, until there is room for it. Says how many bytes it may take.
    fn make_room(&self, bytes: usize, own: &Arc<Slot>, droppable: Droppable) -> usize {
        own.bytes.store(bytes, Ordering::Relaxed);
        let mut others: Vec<Arc<Slot>> =
            self.slots().values().filter(|slot| !Arc::ptr_eq(slot, own)).cloned().collect();
        others.sort_by_key(|slot| slot.last_used.load(Ordering::Relaxed));
        let recent = match droppable {
            Droppable::LongUnused => self.clock.load(Ordering::Relaxed).saturating_sub(RECENT),
            Droppable::Any => u64::MAX,
        };
        // Others may change meanwhile, so they are counted each time.
        let taken = || others.iter().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum::<usize>();
        for other in others.iter().filter(|other| other.last_used.load(Ordering::Relaxed) < recent) {
            if taken().saturating_add(bytes) <= self.limits.max_bytes {
                break;
            }
            // One that somebody has the turn at is in use, and stays.
            if let Ok(mut content) = other.content.try_lock() {
                *content = Content::Cold;
                other.bytes.store(0, Ordering::Relaxed);
            }
        }
        self.limits.max_bytes.saturating_sub(taken())
    }
}

/// Which views of other buckets may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Droppable {
    /// Those that none of the last queries used.
    LongUnused,
    /// All.
    Any,
}

/// How many queries are the last ones: a few pages of them.
const RECENT: u64 = 200;

/// How often a view is made anew without the field that takes most of it, before there is none.
const TRIES: usize = 3;

/// What there is of a bucket's view, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Cold,
    Ready { records: usize, bytes: usize },
    TooLarge,
}

impl Turn {
    /// What there is of the view.
    pub(super) fn known(&self) -> Known {
        match &*self.content {
            Content::Cold => Known::Cold,
            Content::Ready(synced) => Known::Ready { records: synced.view.len(), bytes: synced.view.bytes() },
            Content::TooLarge { .. } => Known::TooLarge,
        }
    }

    /// Whether a view would have to be made first.
    pub(super) fn is_cold(&self) -> bool {
        matches!(*self.content, Content::Cold)
    }

    /// So many records are found faster through an index than a view is made.
    pub(super) fn few(&self) -> usize {
        self.views.limits.few
    }

    /// The view of the bucket as it is now, with the fields that are wanted; none if it takes too much
    /// memory. Ends the turn.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::NotFound`] if the bucket is gone, and those of reading.
    pub(super) fn view(
        mut self,
        connection: &Connection,
        bucket: &BucketName,
        fields: &[&str],
        helpers: &Helpers,
    ) -> Result<Option<View>, StorageError> {
        self.slot.last_used.store(self.views.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        // Whatever goes wrong, there is no half of a view.
        let content = std::mem::take(&mut *self.content);
        let known = self.slot.bytes.swap(0, Ordering::Relaxed);
        let synced = self.synced(connection, bucket, content, fields, helpers);
        // Making it may have taken room, and not given it back.
        self.slot.bytes.store(0, Ordering::Relaxed);
        if synced.as_ref().is_err_and(|error| error.kind() == StorageErrorKind::NotFound) {
            self.views.slots().remove(bucket);
        }
        *self.content = synced?;
        let Content::Ready(synced) = &*self.content else { return Ok(None) };
        let bytes = if synced.has_changed() { synced.view.bytes() } else { known };
        self.slot.bytes.store(bytes, Ordering::Relaxed);
        let has_all = fields.iter().all(|field| synced.view.has(field));
        Ok(has_all.then(|| synced.view.clone()))
    }

    fn synced(
        &self,
        connection: &Connection,
        bucket: &BucketName,
        content: Content,
        fields: &[&str],
        helpers: &Helpers,
    ) -> Result<Content, StorageError> {
        let limits = self.views.limits;
        let state = state(connection, bucket)?;
        let synced = match content {
            Content::TooLarge { number, generation, stored_bytes }
                if (number, generation) == (state.number, state.generation)
                    && state.stored_bytes > stored_bytes / 2 =>
            {
                return Ok(Content::TooLarge { number, generation, stored_bytes });
            }
            Content::Cold | Content::TooLarge { .. } => Synced::new(&state, limits.rows_per_chunk, fields),
            Content::Ready(synced) => synced.continued(&state, limits, fields),
        };
        self.caught_up(connection, bucket, state, synced, helpers)
    }

    fn caught_up(
        &self,
        connection: &Connection,
        bucket: &BucketName,
        state: State,
        mut synced: Synced,
        helpers: &Helpers,
    ) -> Result<Content, StorageError> {
        let make_room =
            |bytes: usize, droppable: Droppable| self.views.make_room(bytes, &self.slot, droppable);
        for _ in 0..TRIES {
            match synced.caught_up(connection, &state, helpers, make_room)? {
                CaughtUp::Ready(synced) => return Ok(Content::Ready(synced)),
                // Others have the room just now.
                CaughtUp::NoRoom(synced) if synced.view.bytes() <= self.views.limits.max_bytes => {
                    return Ok(Content::Cold);
                }
                CaughtUp::NoRoom(whole) => {
                    let Some((without, field)) = whole.without_largest(&state) else { break };
                    tracing::warn!(%bucket, %field, "it has no room in view_bytes: queries for it are scanned");
                    synced = without;
                }
            }
        }
        tracing::warn!(%bucket, "its columnar view has no room in view_bytes, so its records are scanned");
        let State { number, generation, stored_bytes, .. } = state;
        Ok(Content::TooLarge { number, generation, stored_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{BucketConfig, TokenChange};
    use crate::record::Record;
    use crate::storage::{BucketSave, NewRecords, SqliteEngine, StorageEngine};
    use crate::timestamp::Timestamp;
    use crate::value::Value;

    /// A database with two buckets whose records have a small field and two large ones.
    struct Store {
        folder: tempfile::TempDir,
        buckets: [BucketName; 2],
        /// What a view takes that has all fields.
        whole: usize,
    }

    impl Store {
        async fn new() -> Self {
            let buckets = ["one", "other"].map(|name| BucketName::parse(name).expect("a name"));
            let folder = tempfile::tempdir().expect("a folder");
            let mut store = Self { folder, buckets, whole: 0 };
            let engine = store.engine(usize::MAX);
            for bucket in &store.buckets {
                let save = BucketSave::new(BucketConfig::new(bucket.clone()), TokenChange::Keep);
                engine.save_buckets(vec![save]).await.expect("a bucket");
                engine.store_new(bucket, records(3000)).await.expect("stored");
            }
            store.whole = look(&engine, &store.buckets[0], &["size"]).await.expect("a view").bytes();
            store
        }

        fn engine(&self, max_bytes: usize) -> SqliteEngine {
            let limits = ViewLimits { max_bytes, few: 0, rows_per_chunk: 512 };
            SqliteEngine::with_view_limits(&self.folder.path().join("backdrop.db"), limits)
                .expect("a database")
        }
    }

    fn records(count: i64) -> NewRecords {
        let mut records = NewRecords::new(Timestamp::MIN);
        for number in 0..count {
            let text = |name: &str| Value::from(format!("{name} {number}").as_str());
            let fields = [("size", Value::Int(number % 100)), ("text1", text("one")), ("text2", text("two"))];
            let fields = fields.map(|(key, value)| (key.into(), value)).into();
            let record = Record { id: None, timestamp: Timestamp::from_millis(number), fields };
            records.push(&record, Timestamp::MIN);
        }
        records
    }

    async fn look(engine: &SqliteEngine, bucket: &BucketName, fields: &[&str]) -> Option<View> {
        let turn = engine.views.turn(bucket).await;
        let view = |connection: &Connection| turn.view(connection, bucket, fields, &engine.helpers);
        engine.connections.read(&Arc::default(), view).expect("an answer")
    }

    async fn is_cold(engine: &SqliteEngine, bucket: &BucketName) -> bool {
        engine.views.turn(bucket).await.is_cold()
    }

    fn counted(engine: &SqliteEngine, bucket: &BucketName) -> usize {
        engine.views.slots()[bucket].bytes.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn columns_that_nobody_asked_for_go_before_views_that_others_use() {
        let store = Store::new().await;
        let engine = store.engine(store.whole * 12 / 10);
        let [one, other] = &store.buckets;
        for bucket in [one, other] {
            assert!(is_cold(&engine, bucket).await);
            assert!(look(&engine, bucket, &["size"]).await.is_some());
        }
        for bucket in [one, other] {
            assert!(!is_cold(&engine, bucket).await, "{bucket} was dropped");
        }
    }

    #[tokio::test]
    async fn views_that_nobody_used_for_long_go_first() {
        let store = Store::new().await;
        let engine = store.engine(store.whole * 12 / 10);
        let [one, other] = &store.buckets;
        assert!(look(&engine, one, &["size"]).await.is_some());
        engine.views.clock.fetch_add(RECENT + 1, Ordering::Relaxed);
        let view = look(&engine, other, &["size"]).await.expect("a view");
        assert!(view.has("text1") && view.has("text2"));
        assert!(is_cold(&engine, one).await);
    }

    #[tokio::test]
    async fn a_field_that_has_no_room_costs_other_queries_nothing() {
        let store = Store::new().await;
        let [bucket, _] = &store.buckets;
        for percent in (20..=60).step_by(5) {
            let engine = store.engine(store.whole * percent / 100);
            for fields in [&["size"][..], &["text1"], &["text2"], &["text1", "text2"]] {
                look(&engine, bucket, fields).await;
            }
            assert!(look(&engine, bucket, &["size"]).await.is_some(), "{percent} %");
        }
    }

    #[tokio::test]
    async fn what_has_no_room_at_all_is_scanned_and_takes_none() {
        let store = Store::new().await;
        let [bucket, _] = &store.buckets;
        let engine = store.engine(1000);
        assert!(look(&engine, bucket, &["size"]).await.is_none());
        assert_eq!(engine.views.turn(bucket).await.known(), Known::TooLarge);
        assert_eq!(counted(&engine, bucket), 0);
        engine.empty(bucket).await.expect("an empty bucket");
        assert!(look(&engine, bucket, &["size"]).await.is_some(), "it is small now");
    }

    #[tokio::test]
    async fn an_emptied_bucket_takes_no_room() {
        let store = Store::new().await;
        let [bucket, _] = &store.buckets;
        let engine = store.engine(usize::MAX);
        look(&engine, bucket, &["size"]).await;
        assert!(counted(&engine, bucket) > 50_000);
        engine.empty(bucket).await.expect("an empty bucket");
        look(&engine, bucket, &["size"]).await;
        assert!(counted(&engine, bucket) < 5000, "{}", counted(&engine, bucket));
    }
}
