//! The fields that a query looks at: where their values are kept while a record is looked at, and the
//! filters on them.

use std::collections::HashMap;

use crate::period::Period;
use crate::query::Filter;
use crate::query::lookup::Lookup;
use crate::storage::{Document, StorageError};
use crate::timestamp::Timestamp;
use crate::value::ValueRef;

/// The fields that a query looks at, each in a place of its own.
#[derive(Default)]
pub(super) struct Columns<'q> {
    stored: Vec<(&'q str, usize)>,
    /// The places of those, to look them up where they are many.
    places: HashMap<&'q str, usize>,
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
            None => self.places.get(field).copied(),
        };
        if let Some(place) = known {
            return place;
        }
        let place = self.len;
        self.len += 1;
        match period {
            Some(period) => self.derived.push((period, place)),
            None if field == "_timestamp" => self.timestamp = Some(place),
            None => {
                self.stored.push((field, place));
                self.places.insert(field, place);
            }
        }
        place
    }

    pub(super) fn needs_document(&self) -> bool {
        !self.stored.is_empty()
    }

    /// The place of a field that is stored.
    fn place_of(&self, field: &str) -> Option<usize> {
        if self.stored.len() > FEW {
            return self.places.get(field).copied();
        }
        self.stored.iter().find(|(known, _)| *known == field).map(|(_, place)| *place)
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
                values.set(place, ValueRef::Time(timestamp));
            }
            for (period, place) in &self.derived {
                values.set(*place, ValueRef::Time(period.start(timestamp)));
            }
        }
        if let Some(document) = document.filter(|_| self.needs_document()) {
            document.extract(|field| self.place_of(field), |place, value| values.set(place, value))?;
        }
        values.settle();
        Ok(values)
    }
}

/// The values of one record. Most queries look at few fields, so they stay on the stack; of many fields only
/// those are kept that the record has.
pub(super) enum Values<'a> {
    Few([Option<ValueRef<'a>>; FEW]),
    /// Sorted by place.
    Found(Vec<(usize, ValueRef<'a>)>),
}

/// How many values are kept on the stack.
const FEW: usize = 8;

impl<'a> Values<'a> {
    fn new(len: usize) -> Self {
        if len > FEW { Self::Found(Vec::new()) } else { Self::Few([None; FEW]) }
    }

    fn set(&mut self, place: usize, value: ValueRef<'a>) {
        match self {
            Self::Few(values) => values[place] = Some(value),
            Self::Found(values) => values.push((place, value)),
        }
    }

    fn settle(&mut self) {
        if let Self::Found(values) = self {
            values.sort_unstable_by_key(|(place, _)| *place);
        }
    }

    /// The value in a place, if the record has it.
    pub(super) fn get(&self, place: usize) -> Option<ValueRef<'a>> {
        match self {
            Self::Few(values) => values[place],
            Self::Found(values) => {
                values.binary_search_by_key(&place, |(place, _)| *place).ok().map(|found| values[found].1)
            }
        }
    }

    /// Calls `visit` with each value that the record has, and its place.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, ValueRef<'a>)) {
        match self {
            Self::Few(values) => {
                let found = values.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?)));
                found.for_each(|(place, value)| visit(place, value));
            }
            Self::Found(values) => values.iter().for_each(|(place, value)| visit(*place, *value)),
        }
    }
}

/// The filters of a query, with the places of their fields.
pub(super) struct Filters<'q>(Vec<(usize, Lookup<'q>)>);

impl<'q> Filters<'q> {
    pub(super) fn new(filters: &'q [Filter], columns: &mut Columns<'q>) -> Self {
        let filters = filters.iter();
        Self(filters.map(|filter| (columns.add(filter.field.as_str()), Lookup::new(&filter.test))).collect())
    }

    pub(super) fn pass(&self, values: &Values<'_>) -> bool {
        self.0.iter().all(|(place, test)| test.passes(values.get(*place)))
    }
}
