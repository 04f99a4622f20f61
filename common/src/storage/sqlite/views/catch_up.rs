//! What happened to a bucket since its view was last up to date, read from the file: which records are
//! new, and which are gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use rusqlite::{Connection, OptionalExtension, Rows};

use super::{Droppable, ViewLimits};
use crate::bucket::BucketName;
use crate::storage::sqlite::registry::not_found;
use crate::storage::view::{Helpers, View};
use crate::storage::{Documents, Revision, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;

/// What tells two states of a bucket's records apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage::sqlite) struct State {
    pub(in crate::storage::sqlite) number: i64,
    pub(in crate::storage::sqlite) generation: i64,
    /// The bytes of all records.
    pub(in crate::storage::sqlite) stored_bytes: i64,
    /// The largest number of a record, 0 where there is none.
    pub(in crate::storage::sqlite) last_seq: i64,
    /// The first and the last tombstone that are kept, 0 where there are none.
    pub(in crate::storage::sqlite) tombstones: (i64, i64),
}

impl State {
    /// What is different if any record is.
    pub(in crate::storage::sqlite) fn revision(&self) -> Revision {
        // Numbers are never used twice, so no two states have all four in common.
        Revision([self.number, self.generation, self.last_seq, self.tombstones.1])
    }
}

/// The state of a bucket's records now.
pub(in crate::storage::sqlite) fn state(
    connection: &Connection,
    bucket: &BucketName,
) -> Result<State, StorageError> {
    let sql = "SELECT number, generation, stored_bytes FROM bucket WHERE name = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([bucket.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((number, generation, stored_bytes)) = found else { return Err(not_found(bucket)) };
    let number: i64 = number;
    // Each of the three is found at an end of its index.
    let sql = format!(
        "SELECT (SELECT max(seq) FROM record_{number}), (SELECT min(position) FROM tombstone_{number}),
                (SELECT max(position) FROM tombstone_{number})"
    );
    let or_0 = |value: Option<i64>| value.unwrap_or(0);
    connection
        .prepare_cached(&sql)?
        .query_row([], |row| {
            let last_seq = or_0(row.get(0)?);
            let tombstones = (or_0(row.get(1)?), or_0(row.get(2)?));
            Ok(State { number, generation, stored_bytes, last_seq, tombstones })
        })
        .map_err(StorageError::from)
}

/// What became of bringing a view up to date.
pub(super) enum CaughtUp {
    Ready(Synced),
    /// It takes more memory than it has got.
    NoRoom(Synced),
}

/// A view, and which state of the bucket it shows.
pub(super) struct Synced {
    pub(super) view: View,
    /// Fields that alone make the view too large.
    too_large: HashSet<Arc<str>>,
    has_changed: bool,
    number: i64,
    generation: i64,
    last_seq: i64,
    last_tombstone: i64,
}

impl Synced {
    /// The view of an empty bucket, to be brought up to date.
    pub(super) fn new(state: &State, rows_per_chunk: usize, fields: &[&str]) -> Self {
        let asked = fields.iter().map(|field| Arc::from(*field)).collect();
        Self::empty(state, View::new(rows_per_chunk, asked), HashSet::new())
    }

    fn empty(state: &State, view: View, too_large: HashSet<Arc<str>>) -> Self {
        Self {
            view,
            too_large,
            has_changed: true,
            number: state.number,
            generation: state.generation,
            last_seq: 0,
            // The view begins with what is there now, so what is gone by now does not matter.
            last_tombstone: state.tombstones.1,
        }
    }

    /// Whether the view was changed, or made, when it was last brought up to date.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// The view to go on with: this one, or an empty one where this is of no use any more.
    pub(super) fn continued(mut self, state: &State, limits: ViewLimits, fields: &[&str]) -> Self {
        let is_other = (self.number, self.generation) != (state.number, state.generation);
        let (first_tombstone, _) = state.tombstones;
        let has_missed = first_tombstone > self.last_tombstone + 1;
        if is_other || has_missed || self.view.is_worn() || self.lacks(limits.max_bytes, fields) {
            let mut asked = self.view.asked();
            asked.extend(fields.iter().map(|field| Arc::from(*field)));
            asked.retain(|field| is_other || !self.too_large.contains(field));
            let too_large = if is_other { HashSet::new() } else { self.too_large };
            return Self::empty(state, View::new(limits.rows_per_chunk, asked), too_large);
        }
        self.view.ask(fields.iter().copied());
        self.has_changed = false;
        self
    }

    /// Whether a field was left out that may have room.
    fn lacks(&self, max_bytes: usize, fields: &[&str]) -> bool {
        let is_left_out = |field: &&&str| !self.view.has(field) && !self.too_large.contains(**field);
        let left_out: Vec<&&str> = fields.iter().filter(is_left_out).collect();
        let cost: usize = left_out.iter().map(|field| self.view.cost_of(field)).sum();
        !left_out.is_empty() && self.view.bytes_of_asked().saturating_add(cost) <= max_bytes
    }

    /// An empty view to be made without the field that takes most of this one; none if no field is asked for.
    pub(super) fn without_largest(mut self, state: &State) -> Option<(Self, Arc<str>)> {
        let largest = self.view.largest_asked()?;
        let mut asked = self.view.asked();
        asked.remove(&largest);
        self.too_large.insert(Arc::clone(&largest));
        Some((Self::empty(state, self.view.emptied(asked), self.too_large), largest))
    }

    /// Brings the view up to date. `make_room` says how many bytes it may take, of which others may be dropped.
    pub(super) fn caught_up(
        mut self,
        connection: &Connection,
        state: &State,
        helpers: &Helpers,
        make_room: impl Fn(usize, Droppable) -> usize + Sync,
    ) -> Result<CaughtUp, StorageError> {
        if self.last_seq >= state.last_seq && self.last_tombstone >= state.tombstones.1 {
            return Ok(CaughtUp::Ready(self));
        }
        self.has_changed = true;
        self.remove_gone(connection)?;
        if !self.add_new(connection, helpers, &make_room)? {
            return Ok(CaughtUp::NoRoom(self));
        }
        self.last_seq = state.last_seq.max(self.last_seq);
        self.last_tombstone = state.tombstones.1.max(self.last_tombstone);
        self.view.settle();
        Ok(if self.fits(&make_room) { CaughtUp::Ready(self) } else { CaughtUp::NoRoom(self) })
    }

    fn remove_gone(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let sql = format!("SELECT seq FROM tombstone_{} WHERE position > ?1", self.number);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([self.last_tombstone])?;
        while let Some(row) = rows.next()? {
            self.view.remove(row.get(0)?);
        }
        Ok(())
    }

    /// Says whether there was room for all of it.
    ///
    /// Reading and adding take about as long as each other, so where there is much to do one thread reads
    /// while another one adds, if it may be started.
    fn add_new(
        &mut self,
        connection: &Connection,
        helpers: &Helpers,
        make_room: &(impl Fn(usize, Droppable) -> usize + Sync),
    ) -> Result<bool, StorageError> {
        let sql = format!("SELECT seq, ts, doc FROM record_{} WHERE seq > ?1 ORDER BY seq", self.number);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([self.last_seq])?;
        let first = Batch::read(&mut rows)?;
        if !first.is_full() {
            return self.add(&first, make_room);
        }
        let helper = helpers.take(1);
        if helper.count() == 0 {
            return self.add_all(first, &mut rows, make_room);
        }
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Batch>(BATCHES_AHEAD);
            let adding = scope.spawn(move || {
                for batch in receiver {
                    if !self.add(&batch, make_room)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
            let mut batch = first;
            // Whoever adds has ended early where nobody receives any more.
            while !batch.is_empty() && sender.send(batch).is_ok() {
                batch = Batch::read(&mut rows)?;
            }
            drop(sender);
            adding.join().map_err(|_| StorageError::new(StorageErrorKind::Internal, "a thread panicked"))?
        })
    }

    /// Adds a batch and those that come after it. Says whether there was room for all of it.
    fn add_all(
        &mut self,
        first: Batch,
        rows: &mut Rows<'_>,
        make_room: &impl Fn(usize, Droppable) -> usize,
    ) -> Result<bool, StorageError> {
        let mut batch = first;
        while !batch.is_empty() {
            if !self.add(&batch, make_room)? {
                return Ok(false);
            }
            batch = Batch::read(rows)?;
        }
        Ok(true)
    }

    /// Says whether there was room for all of it.
    fn add(
        &mut self,
        batch: &Batch,
        make_room: &impl Fn(usize, Droppable) -> usize,
    ) -> Result<bool, StorageError> {
        for ((seq, time), document) in batch.rows.iter().zip(batch.documents.iter()) {
            let filled = self.view.push(*seq, *time, document?)?;
            if filled && !self.fits(make_room) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the view has room. For columns that nobody asked for no view is dropped that others use.
    fn fits(&mut self, make_room: &impl Fn(usize, Droppable) -> usize) -> bool {
        [Droppable::LongUnused, Droppable::Any].into_iter().any(|droppable| {
            let room = make_room(self.view.bytes(), droppable);
            self.view.shrink_to(room)
        })
    }
}

/// Some records as they are stored, with their numbers and times.
#[derive(Default)]
struct Batch {
    rows: Vec<(i64, Option<Timestamp>)>,
    documents: Documents,
}

/// How much a batch holds: so much that handing it over costs nothing beside it.
const BATCH_BYTES: usize = 1 << 19;
/// How many batches may wait for being added.
const BATCHES_AHEAD: usize = 4;

impl Batch {
    fn read(rows: &mut Rows<'_>) -> Result<Self, StorageError> {
        let mut batch = Self::default();
        while !batch.is_full()
            && let Some(row) = rows.next()?
        {
            let time: Option<i64> = row.get(1)?;
            batch.rows.push((row.get(0)?, time.and_then(Timestamp::from_millis)));
            batch.documents.push(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?);
        }
        Ok(batch)
    }

    fn is_full(&self) -> bool {
        self.documents.bytes() >= BATCH_BYTES
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
