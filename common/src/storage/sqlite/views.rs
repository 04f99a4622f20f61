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

pub(super) use self::catch_up::state;
use self::catch_up::{CaughtUp, State, Synced};
use crate::bucket::BucketName;
use crate::storage::view::{ROWS_PER_CHUNK, View};
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

    /// Drops other views, those that were not used for longest first, until `bytes` more have room.
    /// Says how many there is room for.
    fn make_room(&self, bytes: usize, own: &Arc<Slot>) -> usize {
        let mut others: Vec<Arc<Slot>> =
            self.slots().values().filter(|slot| !Arc::ptr_eq(slot, own)).cloned().collect();
        others.sort_by_key(|slot| slot.last_used.load(Ordering::Relaxed));
        let mut taken: usize = others.iter().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum();
        for other in others {
            if taken.saturating_add(bytes) <= self.limits.max_bytes {
                break;
            }
            // One that somebody has the turn at is in use, and stays.
            if let Ok(mut content) = other.content.try_lock() {
                *content = Content::Cold;
                taken -= other.bytes.swap(0, Ordering::Relaxed);
            }
        }
        self.limits.max_bytes.saturating_sub(taken)
    }
}

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
    ) -> Result<Option<View>, StorageError> {
        self.slot.last_used.store(self.views.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        // Whatever goes wrong, there is no half of a view.
        let content = std::mem::take(&mut *self.content);
        let known = self.slot.bytes.swap(0, Ordering::Relaxed);
        let synced = match self.synced(connection, bucket, content, fields) {
            Ok(synced) => synced,
            Err(error) => {
                if error.kind() == StorageErrorKind::NotFound {
                    self.views.slots().remove(bucket);
                }
                return Err(error);
            }
        };
        *self.content = synced;
        let Content::Ready(synced) = &*self.content else { return Ok(None) };
        let bytes = if synced.has_changed { synced.view.bytes() } else { known };
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
        let make_room = |bytes: usize| self.views.make_room(bytes, &self.slot);
        match synced.caught_up(connection, &state, make_room)? {
            CaughtUp::Ready(synced) => Ok(Content::Ready(synced)),
            // Others have the room just now.
            CaughtUp::NoRoom { bytes } if bytes <= limits.max_bytes => Ok(Content::Cold),
            CaughtUp::NoRoom { .. } => {
                let State { number, generation, stored_bytes, .. } = state;
                tracing::warn!(%bucket, "its columnar view has no room in view_bytes, so its records are scanned");
                Ok(Content::TooLarge { number, generation, stored_bytes })
            }
        }
    }
}
