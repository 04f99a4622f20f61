//! Answers as tables, as much of them as somebody can look through.

use std::collections::HashMap;

use backdrop_common::excerpt::excerpt;
use backdrop_common::shape::{AnswerRow, AnswerRows, Cell};
use backdrop_common::storage::{Documents, RecordTable, StorageError};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::{Value, ValueRef};

use super::RECORDS;
use crate::answer::Found;

/// How many rows a table of groups has at the most.
const ROWS: usize = 500;
/// How many columns a table has at the most.
const COLUMNS: usize = 50;
/// How many cells a table of groups has at the most.
const CELLS: usize = 10_000;
/// How many characters of a text are shown.
const CHARACTERS: usize = 300;
/// How many characters the texts of a table have together, about: where there are many cells, each shows less.
const TABLE_CHARACTERS: usize = 300_000;
/// How many characters of a text are shown at least.
const FEWEST_CHARACTERS: usize = 20;
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
    let rank = |name: &str| match name {
        "_timestamp" => 0,
        name if !name.starts_with('_') => 1,
        _ => 2,
    };
    let found = RecordTable::of(documents, RECORDS, COLUMNS, rank)?;
    let characters = characters(found.rows.len() * found.columns.len());
    let cell = |value: &Option<ValueRef<'_>>| value.map(|value| shown(value, characters)).unwrap_or_default();
    let rows = found.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let all = documents.len() > RECORDS;
    let notes = [
        all.then(|| format!("These are the first {RECORDS} records; the JSON and the CSV have all of them.")),
        more_columns(found.hidden),
    ];
    Ok(table("Records", &found.columns, rows, notes))
}

/// How many characters of a text are shown where there are so many cells.
fn characters(cells: usize) -> usize {
    (TABLE_CHARACTERS / cells.max(1)).clamp(FEWEST_CHARACTERS, CHARACTERS)
}

fn more_columns(hidden: usize) -> Option<String> {
    let columns = if hidden == 1 { "column" } else { "columns" };
    (hidden > 0)
        .then(|| format!("{hidden} more {columns} are not shown; the JSON and the CSV have all of them."))
}

fn groups(rows: AnswerRows<'_>) -> Vec<Table> {
    let is_nested = rows.iter().next().is_some_and(|row| row.periods().is_some());
    let caption = if is_nested { "Groups" } else { "Rows" };
    let groups = limited(caption, rows.len(), || rows.iter().map(AnswerRow::cells));
    if !is_nested {
        return vec![groups];
    }
    let periods = || rows.iter().filter_map(|row| Some((row, row.periods()?)));
    let count = periods().map(|(_, periods)| periods.len()).sum();
    let rows = || {
        periods().flat_map(|(group, periods)| periods.iter().map(move |row| group.keys().chain(row.cells())))
    };
    vec![groups, limited("Periods of each group", count, rows)]
}

/// A table of as many rows and columns as are shown, of so many rows.
fn limited<'a, R, I>(caption: &'static str, count: usize, rows: impl Fn() -> I) -> Table
where
    R: Iterator<Item = (&'a str, Cell<'a>)>,
    I: Iterator<Item = R>,
{
    // A table has no room for the periods of a group; they have a table of their own.
    let cells = |row: R| row.filter(|(_, cell)| !matches!(cell, Cell::Rows(_)));
    let mut names: Vec<&str> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (name, _) in rows().take(ROWS).flat_map(cells) {
        places.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        });
    }
    let hidden = names.len().saturating_sub(COLUMNS);
    names.truncate(COLUMNS);
    let most = ROWS.min(CELLS / names.len().max(1));
    let characters = characters(names.len() * count.min(most));
    let row = |row: R| {
        let mut shown = vec![Shown::default(); names.len()];
        for (name, cell) in cells(row) {
            if let Some(place) = places.get(name).and_then(|place| shown.get_mut(*place)) {
                *place = shown_cell(cell, characters);
            }
        }
        shown
    };
    let shown = rows().take(most).map(row).collect();
    let all = count > most;
    let notes = [
        all.then(|| {
            format!("These are the first {most} of {count} rows; the JSON and the CSV have all of them.")
        }),
        more_columns(hidden),
    ];
    table(caption, &names, shown, notes)
}

fn table(caption: &'static str, names: &[&str], rows: Vec<Vec<Shown>>, notes: [Option<String>; 2]) -> Table {
    let column = |(place, name): (usize, &&str)| Column {
        name: excerpt(name, CHARACTERS).into_owned(),
        has_numbers: rows.iter().all(|row| !matches!(row[place].kind, Kind::Time | Kind::Other)),
    };
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let note = (!notes.is_empty()).then(|| notes.join(" "));
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

fn shown_cell(cell: Cell<'_>, characters: usize) -> Shown {
    match cell {
        Cell::Value(value) => shown(value, characters),
        Cell::List(values) => Shown { text: list(values, characters), kind: Kind::Other },
        Cell::Rows(_) => Shown::default(),
    }
}

/// The first values of a set, as many as there is room for, and one at least.
fn list(values: &[Value], characters: usize) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut room = characters;
    for value in values.iter().take(VALUES) {
        let text = shown(value.as_ref(), characters).text;
        let length = text.chars().count();
        if length > room && !texts.is_empty() {
            break;
        }
        room = room.saturating_sub(length);
        texts.push(text);
    }
    if values.len() > texts.len() {
        texts.push(format!("and {} more", values.len() - texts.len()));
    }
    texts.join(", ")
}

fn shown(value: ValueRef<'_>, characters: usize) -> Shown {
    let (text, kind) = match value {
        // The sum of floats may be past all of them; in JSON that is null.
        ValueRef::Float(value) if !value.is_finite() => ("null".to_owned(), Kind::Null),
        ValueRef::Null => ("null".to_owned(), Kind::Null),
        ValueRef::Bool(value) => (value.to_string(), Kind::Other),
        ValueRef::Int(value) => (value.to_string(), Kind::Number),
        ValueRef::Float(value) => (serde_json::to_string(&value).unwrap_or_default(), Kind::Number),
        ValueRef::Text(text) => (excerpt(text, characters).into_owned(), Kind::Other),
        ValueRef::Time(time) => (time_text(time), Kind::Time),
    };
    Shown { text, kind }
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

    /// So many small records, as a store answers with them.
    async fn documents(count: usize) -> Documents {
        let fields = [("size", Value::Int(1)), ("name", Value::from("x")), ("gone", Value::Null)];
        stored(count, || fields.iter().map(|(key, value)| (Box::from(*key), value.clone())).collect()).await
    }

    /// So many records with some fields.
    async fn stored(count: usize, fields: impl Fn() -> Vec<(Box<str>, Value)>) -> Documents {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a store");
        let name = BucketName::parse("foo").expect("a name");
        let config = BucketConfig::new(name.clone());
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let record = |index: usize| {
            let id = RecordId::parse(&index.to_string());
            Record { id, timestamp: Some(time("2014-01-02")), fields: fields() }
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
    fn a_long_text_is_cut_off_and_its_length_said() {
        let text = |text: &str, cells: usize| shown(ValueRef::Text(text), characters(cells)).text;
        assert_eq!(text(&"é".repeat(300), 1_000), "é".repeat(300));
        assert_eq!(text(&"é".repeat(301), 1_000), format!("{}… (602 bytes)", "é".repeat(300)));
        assert_eq!(text(&"x".repeat(262_144), 5_000), format!("{}… (262144 bytes)", "x".repeat(60)));
        assert_eq!(text(&"x".repeat(21), 1_000_000), format!("{}… (21 bytes)", "x".repeat(20)));
    }

    /// How many bytes the texts of some tables have, and how many cells there are.
    fn size(tables: &[Table]) -> (usize, usize) {
        let cells = || tables.iter().flat_map(|table| table.rows.iter().flatten());
        let names = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.len());
        (cells().map(|cell| cell.text.len()).sum::<usize>() + names.sum::<usize>(), cells().count())
    }

    #[rocket::async_test]
    async fn records_take_no_more_of_a_page_however_large_they_are() {
        for (fields, letters, cells) in [(1_000, 200, 5_000), (2, 30_000, 20_000), (2_000, 10, 5_000)] {
            let field =
                |place: usize| (format!("name_{place:04}_{}", "n".repeat(100)), "é".repeat(letters / 2));
            let fields: Vec<_> = (0..fields).map(field).collect();
            let fields =
                || fields.iter().map(|(key, text)| ((&**key).into(), Value::from(&**text))).collect();
            let tables = Tables::of(&Found::Records(stored(RECORDS + 1, fields).await)).expect("tables").0;
            let (bytes, shown) = size(&tables);
            assert!(bytes < 700_000 && shown <= cells, "{bytes} bytes in {shown} cells");
        }
    }

    #[test]
    fn groups_take_no_more_of_a_page_however_many_columns_there_are() {
        let collect: Vec<String> = (0..90).map(|place| format!("collect=size_{place}")).collect();
        let query = format!(
            "group_by=kind&period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z&{}",
            collect.join("&")
        );
        let kinds: Vec<String> = (0..210).map(|kind| format!("{kind}{}", "k".repeat(5_000))).collect();
        let records: Vec<_> = kinds.iter().map(|kind| (&**kind, "2014-01-05", 1)).collect();
        let tables = Tables::of(&Found::Groups(group_answer(&query, &records))).expect("tables").0;
        let (bytes, cells) = size(&tables);
        assert!(bytes < 700_000 && cells <= 2 * CELLS, "{bytes} bytes in {cells} cells");
        let note = tables[0].note.as_deref().expect("a note");
        assert!(note.contains("first 200 of 210 rows") && note.contains("133 more columns"), "{note}");
    }

    #[test]
    fn a_long_set_is_cut_off() {
        let values: Vec<Value> = (0..25).map(Value::Int).collect();
        assert!(list(&values, 300).ends_with("18, 19, and 5 more"), "{}", list(&values, 300));
        assert_eq!(list(&values, 5), "0, 1, 2, 3, 4, and 20 more");
        assert_eq!(list(&[Value::from("text"), Value::from("more")], 2), "te… (4 bytes), and 1 more");
    }
}
