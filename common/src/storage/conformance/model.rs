//! The plainest engine there is: a list of records in the order in which they were written, gone
//! through from the front for every question. Engines are held to what it answers.

use crate::aggregate::Partial;
use crate::period::Period;
use crate::query::{Direction, GroupQuery, RecordQuery, Selection};
use crate::record::Record;
use crate::storage::{Row, Stored};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// A record as it was written. It has an id; where none was sent, the engine's is taken over.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) record: Record,
    pub(super) updated_at: Timestamp,
}

impl Written {
    /// Every field that a client sees.
    pub(super) fn fields(&self) -> Vec<(String, Value)> {
        let mut fields = vec![("_updated_at".to_owned(), Value::Time(self.updated_at))];
        if let Some(id) = &self.record.id {
            fields.push(("_id".to_owned(), Value::from(id.as_str())));
        }
        if let Some(timestamp) = self.record.timestamp {
            fields.push(("_timestamp".to_owned(), Value::Time(timestamp)));
            for period in Period::ALL {
                fields.push((period.start_key().to_owned(), Value::Time(period.start(timestamp))));
            }
        }
        fields.extend(self.record.fields.iter().map(|(key, value)| (key.to_string(), value.clone())));
        fields
    }

    fn get(&self, field: &str) -> Option<Value> {
        self.fields().into_iter().find(|(key, _)| key == field).map(|(_, value)| value)
    }

    fn is_selected(&self, selection: &Selection) -> bool {
        let passes = selection.filters.iter().all(|filter| {
            let value = self.get(filter.field.as_str());
            filter.test.passes(value.as_ref().map(Value::as_ref))
        });
        let in_range = selection.range.is_none_or(|range| {
            self.record.timestamp.is_some_and(|timestamp| range.start <= timestamp && timestamp < range.end)
        });
        passes && in_range
    }
}

/// The records of one bucket.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) records: Vec<Written>,
}

impl Model {
    pub(super) fn store(&mut self, records: Vec<Record>, now: Timestamp) -> Stored {
        let mut stored = Stored::default();
        for record in records {
            let place =
                self.records.iter().position(|known| record.id.is_some() && known.record.id == record.id);
            match place {
                Some(place) => {
                    self.records.remove(place);
                    stored.replaced += 1;
                }
                None => stored.new += 1,
            }
            self.records.push(Written { record, updated_at: now });
        }
        stored
    }

    pub(super) fn find(&self, query: &RecordQuery) -> Vec<Written> {
        let selected = self.records.iter().filter(|written| written.is_selected(&query.selection));
        let mut found: Vec<Written> = selected.cloned().collect();
        if let Some(sort) = &query.sort {
            let key = |written: &Written| written.get(sort.field.as_str()).unwrap_or(Value::Null);
            found.sort_by(|a, b| match sort.direction {
                Direction::Ascending => key(a).cmp(&key(b)),
                Direction::Descending => key(b).cmp(&key(a)),
            });
        }
        found.truncate(query.limit.unwrap_or(usize::MAX));
        found
    }

    pub(super) fn aggregate(&self, query: &GroupQuery) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for written in self.records.iter().filter(|written| written.is_selected(&query.selection)) {
            let keys: Vec<Value> = query.keys.iter().filter_map(|key| written.get(key.as_str())).collect();
            if keys.len() < query.keys.len() || keys.contains(&Value::Null) {
                continue;
            }
            let start = query.window.and_then(|window| Some(window.period.start(written.record.timestamp?)));
            let known = rows.iter().position(|row| *row.keys == *keys && row.start == start);
            let place = known.unwrap_or_else(|| {
                rows.push(empty_row(query, &keys, start));
                rows.len() - 1
            });
            add(&mut rows[place], query, &keys, written);
        }
        rows
    }
}

fn empty_row(query: &GroupQuery, keys: &[Value], start: Option<Timestamp>) -> Row {
    let partials = query.collected_fields().iter().map(|field| Partial::new(field.wants_set)).collect();
    Row { keys: keys.into(), start, count: 0, collected: partials }
}

fn add(row: &mut Row, query: &GroupQuery, keys: &[Value], written: &Written) {
    row.count += 1;
    for (shown, key) in row.keys.iter_mut().zip(keys) {
        if matches!(key, Value::Int(_)) {
            *shown = key.clone();
        }
    }
    for (partial, collected) in row.collected.iter_mut().zip(query.collected_fields()) {
        if let Some(value) = written.get(collected.field.as_str()) {
            partial.add(value.as_ref());
        }
    }
}
