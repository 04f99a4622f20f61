//! Answers as CSV, a piece at a time: a header of all keys, sorted; rows that end CR LF (RFC 4180); times in ISO
//! 8601, booleans and numbers as in JSON, lists as JSON, null and missing empty. No rows, no header.

mod text;

use serde::Serialize;

use self::text::CsvText;
use crate::shape::{AnswerRow, Cell, GroupAnswer, PeriodsText};
use crate::storage::{Documents, Names, StorageError, StorageErrorKind};
use crate::value::ValueRef;

/// Groups as CSV, of which one piece after the other is written.
pub struct GroupsCsv {
    header: Vec<Box<str>>,
    periods: Option<PeriodsText>,
    is_begun: bool,
    /// The next row, and in it the next cell.
    row: usize,
    cell: usize,
    text: CsvText,
}

impl GroupsCsv {
    /// Nothing of an answer is written yet.
    pub fn new(answer: &GroupAnswer) -> Self {
        let rows = answer.rows();
        // A column that none of the rows has is left out.
        let has_any = |column: &&str| rows.iter().any(|row| row.get(column).is_some());
        let mut header: Vec<Box<str>> = answer.columns().filter(has_any).map(Box::from).collect();
        header.sort_unstable();
        let periods = PeriodsText::new(answer);
        Self { header, periods, is_begun: false, row: 0, cell: 0, text: CsvText::default() }
    }

    /// Adds rows of the answer, which has to be the same each time, until there are so many bytes or more.
    /// Says whether that was the end.
    pub fn write(&mut self, answer: &GroupAnswer, csv: &mut Vec<u8>, until: usize) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.text.header(csv, self.header.iter().map(|name| &**name));
        }
        let rows = answer.rows();
        while self.row < rows.len() && !self.header.is_empty() {
            if csv.len() >= until || !self.write_row(answer, rows.at(self.row), csv, until) {
                return false;
            }
            self.row += 1;
        }
        true
    }

    fn is_in_periods(&self) -> bool {
        self.periods.as_ref().is_some_and(PeriodsText::is_begun)
    }

    /// Writes what is left of a row. Says whether that was the end of it.
    fn write_row(
        &mut self,
        answer: &GroupAnswer,
        row: AnswerRow<'_>,
        csv: &mut Vec<u8>,
        until: usize,
    ) -> bool {
        while let Some(column) = self.header.get(self.cell) {
            if !self.is_in_periods() {
                self.text.next_cell(csv);
            }
            match (row.get(column), &mut self.periods) {
                // The periods of one group may be a large answer.
                (Some(Cell::Rows(_)), Some(periods)) => {
                    let mut json = Vec::new();
                    let is_end =
                        periods.write_row(answer, self.row, &mut json, until.saturating_sub(csv.len()));
                    self.text.add(csv, &json);
                    if !is_end {
                        return false;
                    }
                }
                (Some(cell), _) => self.text.add(csv, cell_text(cell).as_bytes()),
                (None, _) => {}
            }
            self.cell += 1;
        }
        self.text.end_row(csv);
        self.cell = 0;
        true
    }
}

/// Groups as CSV, all at once.
pub fn groups(answer: &GroupAnswer) -> Vec<u8> {
    let mut csv = Vec::new();
    GroupsCsv::new(answer).write(answer, &mut csv, usize::MAX);
    csv
}

/// Records as CSV, of which one page after the other is written.
pub struct RecordsCsv {
    names: Names,
    is_begun: bool,
    text: CsvText,
}

impl RecordsCsv {
    /// Records that have fields of these names, and no others.
    pub fn new(names: Names) -> Self {
        Self { names, is_begun: false, text: CsvText::default() }
    }

    /// Adds some records.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if one is damaged, or has a field with another name.
    pub fn write(&mut self, documents: &Documents, csv: &mut Vec<u8>) -> Result<(), StorageError> {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.text.header(csv, self.names.iter().map(|name| &**name));
        }
        for document in documents.iter() {
            let mut fields = document?.fields()?;
            fields.sort_by_key(|(key, _)| *key);
            self.write_row(&fields, csv)?;
        }
        Ok(())
    }

    /// Writes a row. The fields are sorted as the names are, so both are gone through once.
    fn write_row(&mut self, fields: &[(&str, ValueRef<'_>)], csv: &mut Vec<u8>) -> Result<(), StorageError> {
        let mut fields = fields.iter().peekable();
        for name in &self.names {
            self.text.next_cell(csv);
            let mut value = None;
            while let Some((_, same)) = fields.next_if(|(key, _)| **key == **name) {
                value = Some(same);
            }
            if let Some(value) = value {
                write_value(&mut self.text, csv, *value);
            }
        }
        self.text.end_row(csv);
        match fields.next() {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("a record with \"{key}\" came after the names of all fields were read");
                Err(StorageError::new(StorageErrorKind::Unavailable, message))
            }
        }
    }
}

fn write_value(text: &mut CsvText, csv: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Text(value) => text.add(csv, value.as_bytes()),
        value => text.add(csv, value_text(value).as_bytes()),
    }
}

fn cell_text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Value(value) => value_text(value),
        Cell::List(values) => json(&values),
        Cell::Rows(rows) => json(&rows),
    }
}

fn value_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        // The sum of floats may be past all of them; in JSON that is null.
        ValueRef::Float(value) if !value.is_finite() => String::new(),
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Time(time) => time.to_string(),
        ValueRef::Bool(_) | ValueRef::Int(_) | ValueRef::Float(_) => json(&value),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Partial;
    use crate::query::Query;
    use crate::query::args::{QueryArgs, QueryContext};
    use crate::record::Record;
    use crate::shape::shape;
    use crate::storage::document::encode;
    use crate::storage::{Interest, NamesSeen, Row};
    use crate::timestamp::Timestamp;
    use crate::value::Value;

    fn records(documents: &Documents) -> Vec<u8> {
        let (mut names, mut csv) = (NamesSeen::default(), Vec::new());
        for document in documents.iter() {
            names.add(document.expect("a record")).expect("a few names");
        }
        RecordsCsv::new(names.into_names()).write(documents, &mut csv).expect("CSV");
        csv
    }

    #[test]
    fn a_name_that_came_too_late_is_an_error() {
        let mut documents = Documents::default();
        let record = Record { id: None, timestamp: None, fields: vec![("late".into(), Value::Int(1))] };
        documents.push(&encode("a", &record, Timestamp::MIN));
        let names = Names::from(["_id".into(), "_updated_at".into()]);
        assert!(RecordsCsv::new(names).write(&documents, &mut Vec::new()).is_err());
    }

    #[test]
    fn records_with_different_fields() {
        let now = Timestamp::parse("2020-01-01").expect("a time");
        let mut documents = Documents::default();
        let mut push = |id: &str, fields: &[(&str, Value)]| {
            let fields = fields.iter().map(|(key, value)| (Box::from(*key), value.clone())).collect();
            documents.push(&encode(id, &Record { id: None, timestamp: None, fields }, now));
        };
        push("a", &[("name", Value::from("x, \"y\"\nz")), ("size", Value::Float(2.0))]);
        push("b", &[("flag", Value::Bool(true)), ("name", Value::Null)]);
        let text = String::from_utf8(records(&documents)).expect("text");
        assert_eq!(
            text,
            "_id,_updated_at,flag,name,size\r\n\
             a,2020-01-01T00:00:00+00:00,,\"x, \"\"y\"\"\nz\",2.0\r\n\
             b,2020-01-01T00:00:00+00:00,true,,\r\n"
        );
    }

    #[test]
    fn no_rows_no_header() {
        assert_eq!(records(&Documents::default()), b"");
        check_groups("group_by=kind", Vec::new(), "");
    }

    #[track_caller]
    fn check_groups(text: &str, rows: Vec<Row>, expected: &str) {
        let now = Timestamp::parse("2020-01-01").expect("a time");
        let context = QueryContext { raw_queries_allowed: true, now, max_rows: 100 };
        let query = QueryArgs::parse(text).and_then(|args| args.into_query(&context));
        let Ok(Query::Groups(query)) = query else { panic!("{text}: {query:?}") };
        let answer = shape(&query, rows, &Interest::default()).expect("an answer");
        assert_eq!(String::from_utf8(groups(&answer)).expect("text"), expected, "{text}");
        for until in [0, 1, 7, 60] {
            let (mut csv, mut all) = (GroupsCsv::new(&answer), Vec::new());
            loop {
                let mut piece = Vec::new();
                let is_end = csv.write(&answer, &mut piece, until.max(1));
                all.extend(piece);
                if is_end {
                    break;
                }
            }
            assert_eq!(String::from_utf8(all).expect("text"), expected, "{text} in pieces of {until}");
        }
    }

    #[test]
    fn groups_with_sets_gaps_and_periods() {
        let row = |kind: &str, month: &str| {
            let mut partial = Partial::new(true);
            partial.add(ValueRef::Text("x"));
            partial.add(ValueRef::Float(2.0));
            let keys = Box::new([Value::from(kind)]);
            Row { keys, start: Timestamp::parse(month).ok(), count: 2, collected: Box::new([partial]) }
        };
        let months = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
        let flat = format!("group_by=kind&collect=size&flatten=true&{months}");
        check_groups(
            &flat,
            vec![row("a", "2014-02-01")],
            "_count,_end_at,_start_at,kind,size,size:set\r\n\
             0,2014-02-01T00:00:00+00:00,2014-01-01T00:00:00+00:00,a,,\r\n\
             2,2014-03-01T00:00:00+00:00,2014-02-01T00:00:00+00:00,a,\"[2.0,\"\"x\"\"]\",\"[2.0,\"\"x\"\"]\"\r\n",
        );
        // No row has anything under the bare name.
        check_groups(
            &format!("{flat}&sort_by=_count:ascending&limit=1"),
            vec![row("a", "2014-02-01")],
            "_count,_end_at,_start_at,kind,size:set\r\n\
             0,2014-02-01T00:00:00+00:00,2014-01-01T00:00:00+00:00,a,\r\n",
        );
        check_groups(
            &format!("group_by=kind&collect=size:count&{months}").replace("03-01", "02-01"),
            vec![row("a", "2014-01-01")],
            "_count,_group_count,kind,size:count,values\r\n\
             2,1,a,2,\"[{\"\"_start_at\"\":\"\"2014-01-01T00:00:00+00:00\"\",\
             \"\"_end_at\"\":\"\"2014-02-01T00:00:00+00:00\"\",\"\"_count\"\":2,\"\"size:count\"\":2}]\"\r\n",
        );
    }
}
