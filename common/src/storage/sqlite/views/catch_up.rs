//! What happened to a bucket since its view was last up to date, read from the file: which records are
//! new, and which are gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use rusqlite::{Connection, Rows};

use super::{Droppable, ViewLimits};
use crate::bucket::BucketName;
use crate::storage::sqlite::records::check_record;
use crate::storage::sqlite::registry;
use crate::storage::sqlite::sums::{damaged, from_column, sealed};
use crate::storage::view::{Helpers, View};
use crate::storage::{Documents, StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;

/// What tells two states of a bucket's records apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage::sqlite) struct State {
    pub(in crate::storage::sqlite) number: i64,
    pub(in crate::storage::sqlite) generation: i64,
    /// The bytes of all records.
    pub(in crate::storage::sqlite) stored_bytes: i64,
    /// The largest number that a record ever had.
    pub(in crate::storage::sqlite) last_seq: i64,
    /// The first tombstone that is kept, 0 where there are none, and the last that there was.
    pub(in crate::storage::sqlite) tombstones: (i64, i64),
    /// How many records there are, and what their checksums come to.
    pub(in crate::storage::sqlite) total: (i64, i64),
}

/// The state of a bucket's records now.
pub(in crate::storage::sqlite) fn state(
    connection: &Connection,
    bucket: &BucketName,
) -> Result<State, StorageError> {
    let state = registry::state(connection, bucket)?;
    let sql = format!("SELECT min(position) FROM tombstone_{}", state.number);
    let first: Option<i64> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    Ok(State {
        number: state.number,
        generation: state.generation,
        stored_bytes: state.stored_bytes,
        last_seq: state.last_seq,
        tombstones: (first.unwrap_or(0), state.last_tombstone),
        total: (state.totals.records, state.totals.sums),
    })
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
    /// How many records it has, and what their checksums come to.
    total: (i64, i64),
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
            total: (0, 0),
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
            self.check_total(state)?;
            return Ok(CaughtUp::Ready(self));
        }
        self.has_changed = true;
        self.remove_gone(connection)?;
        if !self.add_new(connection, helpers, &make_room)? {
            return Ok(CaughtUp::NoRoom(self));
        }
        self.check_total(state)?;
        self.last_seq = state.last_seq.max(self.last_seq);
        self.last_tombstone = state.tombstones.1.max(self.last_tombstone);
        self.view.settle();
        Ok(if self.fits(&make_room) { CaughtUp::Ready(self) } else { CaughtUp::NoRoom(self) })
    }

    /// Checks that what was read of the bucket is all that there is of it.
    fn check_total(&self, state: &State) -> Result<(), StorageError> {
        if self.total == state.total {
            return Ok(());
        }
        let (records, all) = (self.total.0, state.total.0);
        Err(damaged(&format!("of {all} records in the tables {}, {records} are there", self.number)))
    }

    fn remove_gone(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let sql = format!("SELECT seq, sum FROM tombstone_{} WHERE position > ?1", self.number);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([self.last_tombstone])?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            self.view.remove(seq);
            if seq <= self.last_seq {
                let sum = from_column(row.get(1)?).ok_or_else(|| damaged("what is kept of a deletion"))?;
                let sum = i64::from(sealed(self.number, seq, sum));
                self.total = (self.total.0 - 1, self.total.1.wrapping_sub(sum));
            }
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
        let number = self.number;
        let sql = format!("SELECT seq, ts, doc, sum FROM record_{number} WHERE seq > ?1 ORDER BY seq");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([self.last_seq])?;
        let mut last_seq = self.last_seq;
        let mut read = || Batch::read(&mut rows, number, &mut last_seq);
        let first = read()?;
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
                batch = read()?;
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
        self.total = (self.total.0 + batch.total.0, self.total.1.wrapping_add(batch.total.1));
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
    /// How many there are, and what their checksums come to.
    total: (i64, i64),
}

/// How much a batch holds: so much that handing it over costs nothing beside it.
const BATCH_BYTES: usize = 1 << 19;
/// How many batches may wait for being added.
const BATCHES_AHEAD: usize = 4;

impl Batch {
    /// Reads the next ones, whose numbers grow.
    fn read(rows: &mut Rows<'_>, tables: i64, last_seq: &mut i64) -> Result<Self, StorageError> {
        let mut batch = Self::default();
        while !batch.is_full()
            && let Some(row) = rows.next()?
        {
            let (document, sum) = check_record(row, tables)?;
            let (seq, time): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
            if seq <= *last_seq {
                return Err(damaged(&format!("the order of records in the tables {tables}")));
            }
            *last_seq = seq;
            batch.total = (batch.total.0 + 1, batch.total.1.wrapping_add(i64::from(sum)));
            batch.rows.push((seq, time.and_then(Timestamp::from_millis)));
            batch.documents.push(document);
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
