//! Answers as tables, as much of them as somebody can look through.

use std::collections::{BTreeMap, BTreeSet};

use backdrop_common::period::Period;
use backdrop_common::shape::{AnswerRow, AnswerRows, Cell};
use backdrop_common::storage::{Documents, StorageError};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::{Value, ValueRef};

use super::RECORDS;
use crate::answer::Found;

/// How many rows a table of groups has at the most.
const ROWS: usize = 500;
/// How many characters of a text are shown.
const CHARACTERS: usize = 300;
/// How many values of a set are shown.
const VALUES: usize = 20;

/// The tables of an answer; none if it is empty.
#[derive(Default)]
pub(crate) struct Tables(pub(crate) Vec<Table>);

/// A table as it is shown.
pub(crate) struct Table {
    pub(crate) caption: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Shown>>,
    /// What is not shown.
    pub(crate) note: Option<String>,
}

/// A column of a table.
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether it holds nothing but numbers.
    pub(crate) has_numbers: bool,
}

/// What a cell shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// There is nothing to show.
    #[default]
    Missing,
    Null,
    Number,
    Time,
    Other,
}

impl Tables {
    /// The tables of what was found.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if a stored record is damaged.
    pub(crate) fn of(found: &Found) -> Result<Self, StorageError> {
        let tables = match found {
            Found::Records(documents) => vec![records(documents)?],
            Found::Groups(answer) => groups(answer.rows()),
        };
        Ok(Self(tables.into_iter().filter(|table| !table.rows.is_empty()).collect()))
    }
}

/// The time first, then what was sent, then what Backdrop keeps besides. The starts of the periods
/// follow from the time and are left out.
fn records(documents: &Documents) -> Result<Table, StorageError> {
    let of_periods = |name: &str| Period::ALL.iter().any(|period| period.start_key() == name);
    let mut rows = Vec::new();
    for document in documents.iter().take(RECORDS) {
        let fields = document?.fields()?.into_iter().filter(|(name, _)| !of_periods(name));
        rows.push(fields.map(|(name, value)| (name, shown(value))).collect::<BTreeMap<_, _>>());
    }
    let names: BTreeSet<&str> = rows.iter().flat_map(BTreeMap::keys).copied().collect();
    let place = |name: &&str| match *name {
        "_timestamp" => 0,
        name if !name.starts_with('_') => 1,
        _ => 2,
    };
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(place);
    let note = (documents.len() > RECORDS)
        .then(|| format!("These are the first {RECORDS} records; the JSON and the CSV have all of them."));
    Ok(table("Records", &names, rows, note))
}

fn groups(rows: AnswerRows<'_>) -> Vec<Table> {
    let is_nested = rows.iter().next().is_some_and(|row| row.periods().is_some());
    let caption = if is_nested { "Groups" } else { "Rows" };
    let groups = limited(caption, rows.len(), rows.iter().map(AnswerRow::cells));
    if !is_nested {
        return vec![groups];
    }
    let periods = || rows.iter().filter_map(|row| Some((row, row.periods()?)));
    let count = periods().map(|(_, periods)| periods.len()).sum();
    let rows =
        periods().flat_map(|(group, periods)| periods.iter().map(move |row| group.keys().chain(row.cells())));
    vec![groups, limited("Periods of each group", count, rows)]
}

/// A table of as many rows as are shown, of so many.
fn limited<'a, R>(caption: &'static str, count: usize, rows: impl Iterator<Item = R>) -> Table
where
    R: Iterator<Item = (&'a str, Cell<'a>)>,
{
    let mut names: Vec<&str> = Vec::new();
    let mut shown = Vec::new();
    for row in rows.take(ROWS) {
        let mut cells = BTreeMap::new();
        // A table has no room for the periods of a group; they have a table of their own.
        for (name, cell) in row.filter(|(_, cell)| !matches!(cell, Cell::Rows(_))) {
            if !names.contains(&name) {
                names.push(name);
            }
            cells.insert(name, shown_cell(cell));
        }
        shown.push(cells);
    }
    let note = (count > ROWS).then(|| {
        format!("These are the first {ROWS} of {count} rows; the JSON and the CSV have all of them.")
    });
    table(caption, &names, shown, note)
}

fn table(
    caption: &'static str,
    names: &[&str],
    rows: Vec<BTreeMap<&str, Shown>>,
    note: Option<String>,
) -> Table {
    let mut rows = rows;
    let rows: Vec<Vec<Shown>> = rows
        .iter_mut()
        .map(|row| names.iter().map(|name| row.remove(name).unwrap_or_default()).collect())
        .collect();
    let column = |(place, name): (usize, &&str)| Column {
        name: (*name).to_owned(),
        has_numbers: rows.iter().all(|row| !matches!(row[place].kind, Kind::Time | Kind::Other)),
    };
    Table { caption, columns: names.iter().enumerate().map(column).collect(), rows, note }
}

impl Shown {
    pub(crate) fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    pub(crate) fn is_time(&self) -> bool {
        self.kind == Kind::Time
    }
}

fn shown_cell(cell: Cell<'_>) -> Shown {
    match cell {
        Cell::Value(value) => shown(value),
        Cell::List(values) => Shown { text: list(values), kind: Kind::Other },
        Cell::Rows(_) => Shown::default(),
    }
}

fn list(values: &[Value]) -> String {
    let mut texts: Vec<String> = values.iter().take(VALUES).map(|value| shown(value.as_ref()).text).collect();
    if values.len() > VALUES {
        texts.push(format!("and {} more", values.len() - VALUES));
    }
    texts.join(", ")
}

fn shown(value: ValueRef<'_>) -> Shown {
    let (text, kind) = match value {
        // The sum of floats may be past all of them; in JSON that is null.
        ValueRef::Float(value) if !value.is_finite() => ("null".to_owned(), Kind::Null),
        ValueRef::Null => ("null".to_owned(), Kind::Null),
        ValueRef::Bool(value) => (value.to_string(), Kind::Other),
        ValueRef::Int(value) => (value.to_string(), Kind::Number),
        ValueRef::Float(value) => (serde_json::to_string(&value).unwrap_or_default(), Kind::Number),
        ValueRef::Text(text) => (beginning(text), Kind::Other),
        ValueRef::Time(time) => (time_text(time), Kind::Time),
    };
    Shown { text, kind }
}

/// As much of a text as there is room for.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A time in UTC with as much of it as is not zero.
pub(super) fn time_text(time: Timestamp) -> String {
    let text = time.to_string();
    let text = text.strip_suffix("+00:00").unwrap_or(&text);
    let text = text.strip_suffix("T00:00:00").or_else(|| text.strip_suffix(":00")).unwrap_or(text);
    text.replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::{BucketConfig, BucketName, TokenChange};
    use backdrop_common::query::RecordQuery;
    use backdrop_common::record::{Record, RecordId};
    use backdrop_common::storage::{BucketSave, SqliteEngine, StorageEngine};

    use super::*;
    use crate::explorer::tests::group_answer;

    fn texts(table: &Table) -> Vec<String> {
        let names: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
        let row = |row: &Vec<Shown>| row.iter().map(|cell| &*cell.text).collect::<Vec<_>>().join(" | ");
        [names.join(" | ")].into_iter().chain(table.rows.iter().map(row)).collect()
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    /// So many records, as a store answers with them.
    async fn documents(count: usize) -> Documents {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a store");
        let name = BucketName::parse("foo").expect("a name");
        let config = BucketConfig::new(name.clone());
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let record = |index: usize| {
            let fields = [("size", Value::Int(1)), ("name", Value::from("x")), ("gone", Value::Null)];
            let fields = fields.into_iter().map(|(key, value)| (Box::from(key), value)).collect();
            Record { id: RecordId::parse(&index.to_string()), timestamp: Some(time("2014-01-02")), fields }
        };
        let records = (0..count).map(record).collect();
        engine.store(&name, records, time("2015-01-01T10:11:12")).await.expect("records");
        engine.find(&name, &RecordQuery::default()).await.expect("records")
    }

    #[rocket::async_test]
    async fn records_begin_with_their_time() {
        let tables = Tables::of(&Found::Records(documents(1).await)).expect("tables").0;
        assert_eq!(
            texts(&tables[0]),
            [
                "_timestamp | gone | name | size | _id | _updated_at",
                "2014-01-02 | null | x | 1 | 0 | 2015-01-01 10:11:12"
            ]
        );
        let numbers: Vec<bool> = tables[0].columns.iter().map(|column| column.has_numbers).collect();
        assert_eq!(numbers, [false, true, false, true, false, false]);
        assert_eq!(tables[0].note, None);
    }

    #[rocket::async_test]
    async fn no_more_records_are_shown_than_somebody_looks_through() {
        let tables = Tables::of(&Found::Records(documents(RECORDS + 1).await)).expect("tables").0;
        assert_eq!(tables[0].rows.len(), RECORDS);
        assert!(tables[0].note.as_ref().is_some_and(|note| note.contains("first 100 records")));
    }

    #[test]
    fn nothing_is_no_table() {
        assert!(Tables::of(&Found::Records(Documents::default())).expect("tables").0.is_empty());
        let nothing = group_answer("group_by=kind", &[]);
        assert!(Tables::of(&Found::Groups(nothing)).expect("tables").0.is_empty());
    }

    #[test]
    fn groups_with_periods_are_two_tables() {
        let query = "group_by=kind&period=day&collect=size:sum&start_at=2014-01-01T00:00:00Z&end_at=2014-01-03T00:00:00Z";
        let answer = group_answer(query, &[("a", "2014-01-01", 2), ("b", "2014-01-02", 3)]);
        let tables = Tables::of(&Found::Groups(answer)).expect("tables").0;
        assert_eq!(
            texts(&tables[0]),
            ["kind | _count | size:sum | _group_count", "a | 1 | 2 | 1", "b | 1 | 3 | 1"]
        );
        assert_eq!(
            texts(&tables[1]),
            [
                "kind | _start_at | _end_at | _count | size:sum",
                "a | 2014-01-01 | 2014-01-02 | 1 | 2",
                "a | 2014-01-02 | 2014-01-03 | 0 | null",
                "b | 2014-01-01 | 2014-01-02 | 0 | null",
                "b | 2014-01-02 | 2014-01-03 | 1 | 3",
            ]
        );
    }

    #[test]
    fn a_long_answer_is_cut_off_and_says_so() {
        let answer =
            group_answer("period=hour&start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z", &[]);
        let tables = Tables::of(&Found::Groups(answer)).expect("tables").0;
        assert_eq!(tables[0].rows.len(), ROWS);
        let note = tables[0].note.as_deref().expect("a note");
        assert!(note.contains("first 500 of 744 rows"), "{note}");
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(time_text(time(text)), expected);
        }
        check("2014-01-02", "2014-01-02");
        check("2014-01-02T03:00:00", "2014-01-02 03:00");
        check("2014-01-02T03:04:05", "2014-01-02 03:04:05");
        check("2014-01-02T00:00:00.250", "2014-01-02 00:00:00.250");
    }

    #[test]
    fn a_long_text_is_cut_off() {
        assert_eq!(beginning(&"é".repeat(CHARACTERS)), "é".repeat(CHARACTERS));
        assert_eq!(beginning(&"é".repeat(CHARACTERS + 1)), format!("{}…", "é".repeat(CHARACTERS)));
    }

    #[test]
    fn a_long_set_is_cut_off() {
        let values: Vec<Value> = (0..25).map(Value::Int).collect();
        assert!(list(&values).ends_with("18, 19, and 5 more"), "{}", list(&values));
    }
}
