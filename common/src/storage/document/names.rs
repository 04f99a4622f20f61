//! The names of the fields that records have, which a table needs before its first row.

use std::collections::BTreeSet;

use super::{Document, TIMESTAMP, damaged};
use crate::limits::CSV_COLUMNS;
use crate::period::Period;
use crate::query::InvalidQuery;
use crate::storage::{StorageError, StorageErrorKind};

/// The names of the fields that some records have, as a client sees them, sorted.
pub type Names = BTreeSet<Box<str>>;

/// Gathers the names of record after record. Most have the fields of the one before them, so those are looked
/// at first.
#[derive(Default)]
pub struct NamesSeen {
    all: Names,
    last: Vec<Box<str>>,
    has_time: bool,
}

impl NamesSeen {
    /// Looks at a record.
    ///
    /// # Errors
    ///
    /// If it is damaged, or there are more names than a table may have columns.
    pub fn add(&mut self, document: Document<'_>) -> Result<(), StorageError> {
        for (place, element) in document.0.iter_elements().enumerate() {
            let element = element.map_err(damaged)?;
            let name = element.key().as_str();
            self.has_time |= name == TIMESTAMP && element.element_type() == bson::spec::ElementType::DateTime;
            if self.last.get(place).is_none_or(|last| **last != *name) {
                self.last.truncate(place);
                self.last.push(name.into());
                self.add_name(name)?;
            }
        }
        Ok(())
    }

    fn add_name(&mut self, name: &str) -> Result<(), StorageError> {
        if !self.all.contains(name) {
            self.all.insert(name.into());
        }
        if self.all.len() > CSV_COLUMNS {
            let error = InvalidQuery::TooManyColumns { max: CSV_COLUMNS };
            return Err(StorageError::new(StorageErrorKind::TooManyRows, error));
        }
        Ok(())
    }

    /// All names. Who has a time has the starts of its periods too.
    pub fn into_names(mut self) -> Names {
        if self.has_time {
            self.all.extend(Period::ALL.into_iter().map(|period| period.start_key().into()));
        }
        self.all
    }
}
