//! The columns of a view: which fields there are, where they are, and which are left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chunk::Chunk;
use super::dictionary::Dictionary;
use super::segment::{AddValue, Cell, Segment};
use crate::field::UPDATED_AT;
use crate::storage::{Document, StorageError};
use crate::value::ValueRef;

/// How many columns there are for fields that nobody asked for; it is a rare bucket that has more.
const MAX_UNASKED: usize = 256;

/// What a name takes besides its column: it is in two places, of which one is a table.
const PLACE_BYTES: usize = 48;

/// The time of a record is with the chunk, not in a column.
pub(super) const TIMESTAMP: &str = "_timestamp";

/// Whether a view never has a field. (See [`View::may_have`](super::View::may_have).)
pub(super) fn is_never_kept(field: &str) -> bool {
    field == "_id"
}

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this column.
    Column(usize),
    /// No record has it.
    Nowhere,
    /// Not in the view, though records may have it.
    LeftOut,
}

/// The columns of a view. A bucket may have had very many names, and each query clones this, so clones
/// share what is as long as that.
#[derive(Clone)]
pub(super) struct Columns {
    list: Arc<Vec<Column>>,
    names: Names,
    /// Whether times of writing were asked for from the beginning.
    has_updated_at: bool,
}

/// Where the columns are, by their names.
#[derive(Clone)]
struct Names {
    places: Arc<HashMap<Arc<str>, usize>>,
    asked: Arc<HashSet<Arc<str>>>,
    /// The places of those that are kept, in their order.
    kept: Vec<usize>,
    /// How many bytes all names and their places take.
    bytes: usize,
    /// In which columns the last record had its fields: the next one likely has them there too.
    last: Vec<usize>,
}

#[derive(Clone)]
struct Column {
    field: Arc<str>,
    dictionary: Arc<Dictionary>,
    is_kept: bool,
    /// How much memory it took for each record when it was left out, in bytes.
    cost: usize,
}

impl Columns {
    pub(super) fn new(asked: HashSet<Arc<str>>) -> Self {
        let has_updated_at = asked.contains(UPDATED_AT);
        let names = Names {
            places: Arc::default(),
            asked: Arc::new(asked),
            kept: Vec::new(),
            bytes: 0,
            last: Vec::new(),
        };
        Self { list: Arc::default(), names, has_updated_at }
    }

    pub(super) fn place(&self, field: &str) -> Place {
        if is_never_kept(field) {
            return Place::LeftOut;
        }
        match self.names.places.get(field) {
            // Every record has it, but it has a column only where it was asked for from the beginning.
            None if field == UPDATED_AT => Place::LeftOut,
            None => Place::Nowhere,
            Some(place) if self.list[*place].is_kept => Place::Column(*place),
            Some(_) => Place::LeftOut,
        }
    }

    pub(super) fn dictionary(&self, place: usize) -> &Dictionary {
        &self.list[place].dictionary
    }

    pub(super) fn dictionary_mut(&mut self, place: usize) -> &mut Arc<Dictionary> {
        &mut Arc::make_mut(&mut self.list)[place].dictionary
    }

    pub(super) fn ask<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        for field in fields {
            // Anybody may ask for names that no record has, and for any number of them.
            if self.names.places.contains_key(field) && !self.names.asked.contains(field) {
                Arc::make_mut(&mut self.names.asked).insert(field.into());
            }
        }
    }

    pub(super) fn asked(&self) -> &HashSet<Arc<str>> {
        &self.names.asked
    }

    /// Forgets that fields were asked for which no record has.
    pub(super) fn forget_unknown(&mut self) {
        if self.names.asked.iter().any(|field| !self.names.places.contains_key(field)) {
            let places = Arc::clone(&self.names.places);
            Arc::make_mut(&mut self.names.asked).retain(|field| places.contains_key(field));
        }
    }

    /// The columns that are kept, each with its field.
    pub(super) fn kept(&self) -> impl Iterator<Item = (usize, &Arc<str>)> {
        self.names.kept.iter().map(|place| (*place, &self.list[*place].field))
    }

    /// The columns for fields that nobody asked for.
    pub(super) fn unasked(&self) -> impl Iterator<Item = usize> {
        self.kept().filter(|(_, field)| !self.names.asked.contains(*field)).map(|(place, _)| place)
    }

    /// Keeps a column no longer; its segments are the caller's to drop.
    pub(super) fn leave_out(&mut self, place: usize, cost: usize) {
        self.names.kept.retain(|kept| *kept != place);
        let column = &mut Arc::make_mut(&mut self.list)[place];
        column.is_kept = false;
        column.cost = cost;
        column.dictionary = Arc::default();
    }

    /// How much memory a field took for each record when it was left out.
    pub(super) fn cost_of(&self, field: &str) -> usize {
        self.names.places.get(field).map_or(0, |place| self.list[*place].cost)
    }

    /// Adds the fields of a record to the segments of a chunk, as its next row.
    pub(super) fn push(&mut self, chunk: &mut Chunk, document: Document<'_>) -> Result<(), StorageError> {
        let row = chunk.len();
        let mut position = 0;
        // Once for a record, since it costs as much as a small value.
        let list = Arc::make_mut(&mut self.list);
        for field in document.stored_fields() {
            let (key, value) = field?;
            if key == TIMESTAMP || is_never_kept(key) || key == UPDATED_AT && !self.has_updated_at {
                continue;
            }
            let place = self.names.place_of(list, key, position);
            position += 1;
            let column = &mut list[place];
            if column.is_kept {
                column.push(chunk, place, row, value);
            }
        }
        Ok(())
    }

    /// Fills up columns whose fields the last records lack.
    pub(super) fn pad(&mut self, chunk: &mut Chunk) {
        let rows = chunk.len();
        for (segment, column) in chunk.segments.iter_mut().zip(Arc::make_mut(&mut self.list)) {
            segment.pad(rows, &mut column.dictionary);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let dictionaries = self.names.kept.iter().map(|place| self.list[*place].dictionary.bytes());
        self.names.bytes + dictionaries.sum::<usize>()
    }
}

impl Names {
    /// The column of a field, which is added if it is new.
    fn place_of(&mut self, list: &mut Vec<Column>, field: &str, position: usize) -> usize {
        if let Some(place) = self.last.get(position)
            && *list[*place].field == *field
        {
            return *place;
        }
        let known = self.places.get(field).copied();
        let place = known.unwrap_or_else(|| self.add(list, field));
        self.last.truncate(position);
        self.last.push(place);
        place
    }

    fn add(&mut self, list: &mut Vec<Column>, field: &str) -> usize {
        let field: Arc<str> = field.into();
        let place = list.len();
        let is_kept = self.asked.contains(&field) || self.kept.len() < MAX_UNASKED;
        if is_kept {
            self.kept.push(place);
        }
        self.bytes += size_of::<Column>() + PLACE_BYTES + field.len();
        Arc::make_mut(&mut self.places).insert(Arc::clone(&field), place);
        list.push(Column { field, dictionary: Arc::default(), is_kept, cost: 0 });
        place
    }
}

impl Column {
    fn push(&mut self, chunk: &mut Chunk, place: usize, row: usize, value: ValueRef<'_>) {
        if chunk.segments.len() <= place {
            chunk.segments.resize_with(place + 1, || Segment::Missing(0));
        }
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Int(value) => Cell::Int(value),
            ValueRef::Float(value) => Cell::Float(value),
            ValueRef::Bool(_) | ValueRef::Text(_) | ValueRef::Time(_) => {
                Cell::Code(self.dictionary.add(value))
            }
        };
        let segment = &mut chunk.segments[place];
        segment.pad(row, &mut self.dictionary);
        if segment.len() == row {
            segment.push(cell, &mut self.dictionary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::storage::document::encode;
    use crate::timestamp::Timestamp;
    use crate::value::Value;

    #[test]
    fn a_clone_shares_the_names_however_many_there_are() {
        let fields = (0..5_000).map(|number| (format!("field_{number:04}").into(), Value::Int(1))).collect();
        let bytes = encode("id", &Record { id: None, timestamp: None, fields }, Timestamp::MIN);
        let mut columns = Columns::new(HashSet::new());
        columns.push(&mut Chunk::default(), Document::new(&bytes).expect("a document")).expect("whole");
        let clone = columns.clone();
        assert!(Arc::ptr_eq(&columns.list, &clone.list));
        assert!(Arc::ptr_eq(&columns.names.places, &clone.names.places));
        assert_eq!(clone.names.kept.len(), MAX_UNASKED);
        assert_eq!(clone.place("field_4999"), Place::LeftOut);
    }
}
