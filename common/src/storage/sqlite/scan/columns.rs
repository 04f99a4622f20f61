//! The fields that a query looks at: where their values are kept while a record is looked at, and the
//! filters on them.

use crate::period::Period;
use crate::query::{Filter, Test};
use crate::storage::{Document, StorageError};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// The fields that a query looks at, each in a place of its own.
#[derive(Default)]
pub(super) struct Columns<'q> {
    stored: Vec<(&'q str, usize)>,
    derived: Vec<(Period, usize)>,
    timestamp: Option<usize>,
    len: usize,
}

impl<'q> Columns<'q> {
    /// The place of a field, which is added if it is new.
    pub(super) fn add(&mut self, field: &'q str) -> usize {
        let period = Period::ALL.into_iter().find(|period| period.start_key() == field);
        let known = match period {
            Some(period) => self.derived.iter().find(|(known, _)| *known == period).map(|(_, place)| *place),
            None if field == "_timestamp" => self.timestamp,
            None => self.stored.iter().find(|(known, _)| *known == field).map(|(_, place)| *place),
        };
        if let Some(place) = known {
            return place;
        }
        let place = self.len;
        self.len += 1;
        match period {
            Some(period) => self.derived.push((period, place)),
            None if field == "_timestamp" => self.timestamp = Some(place),
            None => self.stored.push((field, place)),
        }
        place
    }

    pub(super) fn needs_document(&self) -> bool {
        !self.stored.is_empty()
    }

    /// The values of a record, by place.
    pub(super) fn read<'a>(
        &self,
        timestamp: Option<Timestamp>,
        document: Option<Document<'a>>,
    ) -> Result<Values<'a>, StorageError> {
        let mut values = Values::new(self.len);
        if let Some(timestamp) = timestamp {
            if let Some(place) = self.timestamp {
                values[place] = Some(ValueRef::Time(timestamp));
            }
            for (period, place) in &self.derived {
                values[*place] = Some(ValueRef::Time(period.start(timestamp)));
            }
        }
        if let Some(document) = document.filter(|_| self.needs_document()) {
            let place_of =
                |key: &str| self.stored.iter().find(|(field, _)| *field == key).map(|(_, place)| *place);
            document.extract(place_of, |place, value| values[place] = Some(value))?;
        }
        Ok(values)
    }
}

/// The values of one record. Most queries look at few fields, so they stay on the stack.
pub(super) struct Values<'a> {
    few: [Option<ValueRef<'a>>; FEW],
    many: Vec<Option<ValueRef<'a>>>,
}

/// How many values are kept on the stack.
const FEW: usize = 8;

impl Values<'_> {
    pub(super) fn new(len: usize) -> Self {
        Self { few: [None; FEW], many: vec![None; if len > FEW { len } else { 0 }] }
    }
}

impl<'a> std::ops::Deref for Values<'a> {
    type Target = [Option<ValueRef<'a>>];

    fn deref(&self) -> &Self::Target {
        if self.many.is_empty() { &self.few } else { &self.many }
    }
}

impl std::ops::DerefMut for Values<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }
}

/// The filters of a query, with the places of their fields.
pub(super) struct Filters<'q>(Vec<(usize, &'q Test)>);

impl<'q> Filters<'q> {
    pub(super) fn new(filters: &'q [Filter], columns: &mut Columns<'q>) -> Self {
        Self(filters.iter().map(|filter| (columns.add(filter.field.as_str()), &filter.test)).collect())
    }

    pub(super) fn pass(&self, values: &Values<'_>) -> bool {
        self.0.iter().all(|(place, test)| test.passes(values[*place]))
    }
}
