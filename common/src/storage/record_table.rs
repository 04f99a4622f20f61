//! Stored records as a table for people: no more columns than somebody looks through, made in one pass over
//! the records for their names and one for their values.

use std::collections::{HashMap, HashSet};

use super::{Document, Documents, StorageError};
use crate::value::ValueRef;

/// Some records in rows, with the values that they lie with.
#[derive(Debug)]
pub struct RecordTable<'a> {
    /// The names of the columns, in order.
    pub columns: Vec<&'a str>,
    /// How many columns there are besides.
    pub hidden: usize,
    /// For each record a cell for each column; none where the record has no such field.
    pub rows: Vec<Vec<Option<ValueRef<'a>>>>,
}

impl<'a> RecordTable<'a> {
    /// The first records, with so many columns at the most. They come by their rank, then by name.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if a stored record is damaged.
    pub fn of(
        documents: &'a Documents,
        rows: usize,
        columns: usize,
        rank: impl Fn(&str) -> u8,
    ) -> Result<Self, StorageError> {
        let documents: Vec<Document<'a>> = documents.iter().take(rows).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        for document in &documents {
            for field in document.stored_fields() {
                names.insert(field?.0);
            }
        }
        let mut shown: Vec<&str> = names.into_iter().collect();
        shown.sort_unstable_by_key(|name| (rank(name), *name));
        let hidden = shown.len().saturating_sub(columns);
        shown.truncate(columns);
        let places: HashMap<&str, usize> = shown.iter().copied().zip(0..).collect();
        let rows = documents.iter().map(|document| row(*document, &places)).collect::<Result<_, _>>()?;
        Ok(Self { columns: shown, hidden, rows })
    }
}

fn row<'a>(
    document: Document<'a>,
    places: &HashMap<&str, usize>,
) -> Result<Vec<Option<ValueRef<'a>>>, StorageError> {
    let mut row = vec![None; places.len()];
    for field in document.stored_fields() {
        let (name, value) = field?;
        if let Some(place) = places.get(name) {
            row[*place] = Some(value);
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::storage::document::encode;
    use crate::timestamp::Timestamp;
    use crate::value::Value;

    fn documents(records: &[&[(&str, i64)]]) -> Documents {
        let mut documents = Documents::default();
        for fields in records {
            let fields = fields.iter().map(|(key, value)| ((*key).into(), Value::Int(*value))).collect();
            documents.push(&encode("id", &Record { id: None, timestamp: None, fields }, Timestamp::MIN));
        }
        documents
    }

    #[test]
    fn columns_come_by_rank_and_those_beyond_are_counted() {
        let documents = documents(&[&[("bb", 1), ("cc", 2)], &[("aa", 3), ("bb", 4)], &[("dd", 5)]]);
        let rank = |name: &str| u8::from(name.starts_with('_'));
        let table = RecordTable::of(&documents, 2, 3, rank).expect("a table");
        assert_eq!((table.columns, table.hidden), (vec!["aa", "bb", "cc"], 2));
        let int = |number| Some(ValueRef::Int(number));
        assert_eq!(table.rows, [vec![None, int(1), int(2)], vec![int(3), int(4), None]]);
    }
}
