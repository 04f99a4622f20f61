//! Where a query is answered from: the columnar view of the bucket, or the stored records.
//!
//! The view answers whatever looks at many records. The stored records answer what an index finds
//! at once, what the view has no room for, and what is asked for as it is stored.

use rusqlite::Connection;
use serde_json::{Map, Value as Json, json};

use super::registry;
use super::scan::{self, Source};
use super::sound::Sound;
use super::views::{Known, Turn};
use crate::bucket::BucketName;
use crate::field::FieldName;
use crate::period::Period;
use crate::query::{GroupQuery, Query, RecordQuery, Selection};
use crate::room::Reservation;
use crate::storage::view::{self, Helpers, View};
use crate::storage::{Interest, Row, StorageError};

/// A bucket at which a query is asked, on one snapshot.
pub(super) struct Asked<'a> {
    pub(super) connection: &'a Connection,
    pub(super) bucket: &'a BucketName,
    pub(super) helpers: &'a Helpers,
    pub(super) interest: &'a Interest,
    pub(super) sound: &'a Sound,
}

/// The part of all records from which on it is faster to read all than to jump to each.
const LARGE_PART: usize = 8;

impl Asked<'_> {
    pub(super) fn aggregate(&self, query: &GroupQuery, turn: Option<Turn>) -> Result<Vec<Row>, StorageError> {
        if let Some(view) = self.view_for_groups(query, turn)?
            && let Some(rows) = view::aggregate(&view, query, self.helpers, self.interest)?
        {
            return Ok(rows);
        }
        self.ensure_sound()?;
        scan::aggregate(self.connection, self.bucket, query)
    }

    /// The view, if groups are better made from it.
    fn view_for_groups(&self, query: &GroupQuery, turn: Option<Turn>) -> Result<Option<View>, StorageError> {
        let Some(turn) = turn else { return Ok(None) };
        if turn.is_cold() && query.selection.range.is_some() {
            self.ensure_sound()?;
        }
        if turn.is_cold() && self.has_few(&query.selection, turn.few())? {
            return Ok(None);
        }
        self.view(turn, &fields_of_groups(query))
    }

    /// The view as it is now. What was begun of it is finished even if nobody waits for this answer any
    /// more: otherwise clients with little patience would have it made anew for ever.
    fn view(&self, turn: Turn, fields: &[&str]) -> Result<Option<View>, StorageError> {
        self.interest.finish(|| turn.view(self.connection, self.bucket, fields, self.helpers))
    }

    /// Sees to it that what an index says of the bucket, or a part of its records, can be believed. A view
    /// is compared with the totals by itself.
    fn ensure_sound(&self) -> Result<(), StorageError> {
        self.sound.ensure(self.connection, self.bucket)
    }

    /// Where the records are that a query asks for, in the order of the answer.
    pub(super) fn find(
        &self,
        query: &RecordQuery,
        turn: Option<Turn>,
        room: &mut Reservation,
    ) -> Result<Source, StorageError> {
        self.ensure_sound()?;
        let Some(turn) = turn.filter(|_| is_sought(query)) else {
            return scan::find(self.connection, self.bucket, query, room);
        };
        let at_most = looked_at_first(query, &turn);
        if let Some(source) = scan::find_among(self.connection, self.bucket, query, at_most, room)? {
            return Ok(source);
        }
        if let Some(view) = self.view(turn, &fields_of_records(query))? {
            room.cover(view::bytes_to_find(&view, query))?;
            if let Some(seqs) = view::find(&view, query, self.interest)?
                && (query.limit.is_some() || is_best_by_number(query, seqs.len(), view.len()))
            {
                room.shrink(size_of_val(&*seqs));
                return Ok(Source::Numbers(seqs));
            }
        }
        room.shrink(0);
        scan::find(self.connection, self.bucket, query, room)
    }

    /// Calls `visit` with each of the records that were found.
    pub(super) fn each(
        &self,
        query: &RecordQuery,
        source: &Source,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        match source {
            Source::All => scan::each(self.connection, self.bucket, query, visit),
            Source::Records(documents) => documents.iter_bytes().try_for_each(visit),
            Source::Numbers(seqs) => scan::by_number(self.connection, self.bucket, seqs, |document| {
                self.interest.check()?;
                visit(document)
            }),
        }
    }

    /// What would be done to answer a query, for people who look for the reason why one is slow. Does
    /// nothing of it.
    pub(super) fn explain(&self, query: &Query, turn: Option<&Turn>) -> Result<Json, StorageError> {
        registry::state(self.connection, self.bucket)?;
        let known = turn.map(Turn::known).filter(|known| *known != Known::TooLarge);
        let (fields, uses_view, uses_scan) = match (query, turn) {
            (Query::Groups(query), Some(turn)) => {
                let is_few = turn.is_cold() && self.has_few(&query.selection, turn.few())?;
                (fields_of_groups(query), !is_few && known.is_some(), is_few || known.is_none())
            }
            (Query::Records(query), Some(_)) => {
                (fields_of_records(query), is_sought(query) && known.is_some(), true)
            }
            (_, None) => (Vec::new(), false, true),
        };
        let mut explained = Map::from_iter([("engine".to_owned(), json!("sqlite"))]);
        if uses_scan {
            explained.extend(scan::explain(self.connection, self.bucket, query)?);
        }
        if let (true, Query::Records(query), Some(turn)) = (uses_view, query, turn) {
            explained.insert("looks_at_first".to_owned(), json!(looked_at_first(query, turn)));
        }
        if let Some(known) = known.filter(|_| uses_view) {
            explained.insert("view".to_owned(), shown(known, &fields));
        }
        explained.insert("then".to_owned(), json!(scan::then(query)));
        Ok(Json::Object(explained))
    }

    /// Whether a time range has so few records that they are best read through the index.
    fn has_few(&self, selection: &Selection, few: usize) -> Result<bool, StorageError> {
        let Some(range) = selection.range else { return Ok(false) };
        Ok(scan::count_up_to(self.connection, self.bucket, range, few + 1)? <= few)
    }
}

/// Whether records are better read one by one than all of them for those that are wanted: if these are few,
/// or if others could not be let go before the last was seen.
fn is_best_by_number(query: &RecordQuery, found: usize, all: usize) -> bool {
    /// To keep so many of them for sorting takes little memory.
    const SORTED_AT_HAND: usize = 32_768;
    found <= all / LARGE_PART || (!is_stored_order(query) && found > SORTED_AT_HAND)
}

/// How many of the first records that SQLite brings are looked at before the view is asked: what is
/// common is among them.
fn looked_at_first(query: &RecordQuery, turn: &Turn) -> usize {
    /// Finding one in so many records is about as fast as finding it by the view.
    const RARE: usize = 32;
    match query.limit.filter(|_| is_stored_order(query)) {
        _ if turn.is_cold() => turn.few(),
        Some(limit) => limit.saturating_mul(RARE).min(turn.few()),
        None => 0,
    }
}

fn shown(known: Known, fields: &[&str]) -> Json {
    match known {
        Known::Ready { records, bytes } => {
            json!({"state": "ready", "records": records, "bytes": bytes, "fields": fields})
        }
        Known::Cold | Known::TooLarge => json!({"state": "cold, so it is made first", "fields": fields}),
    }
}

/// Whether records have to be sought out: without a filter, and in an order that is stored, those wanted
/// are the first.
pub(super) fn is_sought(query: &RecordQuery) -> bool {
    !(query.selection.filters.is_empty() && is_stored_order(query))
}

fn is_stored_order(query: &RecordQuery) -> bool {
    query.sort.as_ref().is_none_or(|sort| sort.field.as_str() == "_timestamp")
}

/// Whether a view can answer a query that looks at some fields.
pub(super) fn is_for_views<'q>(mut fields: impl Iterator<Item = &'q str>) -> bool {
    fields.all(View::may_have)
}

/// The fields that a query for groups looks at, but for those that follow from the time.
pub(super) fn fields_of_groups(query: &GroupQuery) -> Vec<&str> {
    let filters = query.selection.filters.iter().map(|filter| &filter.field);
    let collected = query.collect.iter().map(|collect| &collect.field);
    stored(filters.chain(&query.keys).chain(collected))
}

/// The fields that a query for records looks at, but for those that follow from the time.
pub(super) fn fields_of_records(query: &RecordQuery) -> Vec<&str> {
    let filters = query.selection.filters.iter().map(|filter| &filter.field);
    stored(filters.chain(query.sort.iter().map(|sort| &sort.field)))
}

fn stored<'q>(fields: impl Iterator<Item = &'q FieldName>) -> Vec<&'q str> {
    let is_derived = |field: &str| Period::ALL.into_iter().any(|period| period.start_key() == field);
    fields.map(FieldName::as_str).filter(|field| *field != "_timestamp" && !is_derived(field)).collect()
}
