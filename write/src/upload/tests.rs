//! Files as people have them, and as nobody should.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use backdrop_common::record::schema::RecordSchema;
use backdrop_common::record::sent::SentValue;
use proptest::prelude::*;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::check::{Checked, Rules, check};
use super::preview::Preview;
use super::time_column::{candidates, preferred};
use super::*;

mod kinds;

const LIMITS: Limits = Limits { bytes: 100_000, unpacked: 100_000, cells: 1000, rows: 100 };

/// The table as text: each row with its number, each cell with its heading.
fn shown(table: &Table) -> String {
    let mut text = String::new();
    for row in &table.rows {
        let _ = write!(text, "{}:", row.number);
        for (place, column) in table.columns.iter().enumerate() {
            let _ = match row.value(place) {
                None => Ok(()),
                Some(SentValue::Number(number)) => write!(text, " {}={number}", column.heading),
                Some(SentValue::Text(value)) => write!(text, " {}={value:?}", column.heading),
                Some(other) => write!(text, " {}={other:?}", column.heading),
            };
        }
        text.push('\n');
    }
    text
}

fn faults(faults: &Faults) -> String {
    faults.first.iter().fold(String::new(), |text, fault| text + &fault.to_string() + "\n")
}

fn read_all(bytes: &[u8]) -> Result<Table, Faults> {
    read(bytes, &[], LIMITS)
}

#[track_caller]
fn check_rows(file: impl AsRef<[u8]>, rows: &[&str]) {
    let table = read_all(file.as_ref()).unwrap_or_else(|found| panic!("{}", faults(&found)));
    assert_eq!(shown(&table).lines().collect::<Vec<_>>(), rows);
}

#[track_caller]
fn check_faults(file: impl AsRef<[u8]>, expected: &[&str]) {
    let found = read_all(file.as_ref()).expect_err("faults");
    assert_eq!(faults(&found).lines().collect::<Vec<_>>(), expected);
    assert_eq!(found.total, expected.len());
}

#[test]
fn csv_cells() {
    check_rows("aa,bb\n1,two\n", &[r#"2: aa=1 bb="two""#]);
    check_rows("aa,bb\n 1.50 ,true\n007,", &[r#"2: aa=1.50 bb="true""#, r#"3: aa="007""#]);
    check_rows("\u{feff}aa;bb\r\n1;\"x;y\"\r\n", &[r#"2: aa=1 bb="x;y""#]);
    check_rows("aa\tbb\n1\t2,5", &[r#"2: aa=1 bb="2,5""#]);
    check_rows(" aa , bb \n1,\"two \"\"2\"\"\"", &[r#"2: aa=1 bb="two \"2\"""#]);
    check_rows("_id,aa\n17,17", &[r#"2: _id="17" aa=17"#]);
    check_rows("aa\n\u{1f600}", &["2: aa=\"\u{1f600}\""]);
}

#[test]
fn rows_are_numbered_as_an_editor_does() {
    check_rows(
        "# a \"comment\naa,bb\n\n1,2\n# more\n,\n\"3\n4\",5\n6,7",
        &["4: aa=1 bb=2", r#"7: aa="3\n4" bb=5"#, "9: aa=6 bb=7"],
    );
    check_rows("aa\r\n\r\n1\r\n2\r\n", &["3: aa=1", "4: aa=2"]);
    check_rows("aa\r1\r2", &["2: aa=1", "3: aa=2"]);
}

#[test]
fn what_is_for_people_only_is_left_out() {
    let table = read_all(b"aa,comment,Comment\n1,note,kept\n2,,").expect("a table");
    assert_eq!(shown(&table), "2: aa=1 Comment=\"kept\"\n3: aa=2\n");
    assert!(table.has_comments);
    assert_eq!(table.columns[1].letter.as_deref(), Some("C"));
    check_rows("aa,bb,,\n1,2,,", &["2: aa=1 bb=2"]);
}

#[test]
fn faults_of_headings() {
    check_faults(
        "Temp Max,_foo,aa,aa,x\n1,2,3,4,5",
        &[
            "Row 1, column A: \"Temp Max\" cannot be a heading",
            "Row 1, column B: \"_foo\" cannot be a heading: names that start with an underscore are Backdrop's own",
            "Row 1, column D: the heading \"aa\" is there twice; the other one is column C",
            "Row 1, column E: \"x\" cannot be a heading",
        ],
    );
    check_faults(
        "aa,,bb\n1,,2\n3,4,5\n6,7,8",
        &["Row 3, column B: there is something in this column, “4”, but it has no heading"],
    );
    let found = read_all(b"Temp Max\n1").expect_err("a fault");
    assert!(found.first[0].rule.hint().is_some_and(|hint| hint.contains("\"temp_max\" works")));
}

#[test]
fn faults_of_rows() {
    check_faults(
        "aa,bb\n1,2,3\n4,5\n6,7,,8",
        &[
            "Row 2: this row has 3 cells, but there are 2 headings; “3” is in none of their columns",
            "Row 4: this row has 4 cells, but there are 2 headings; “8” is in none of their columns",
        ],
    );
    check_faults(
        "aa,bb\n1,2\n3,\"4\n5,6\n",
        &["Row 3: a cell of this row starts with a quote that is never closed: “3,\"4 5,6”"],
    );
    check_faults(
        "# nothing\n",
        &["there are no headings: the first row with anything in it must name the columns"],
    );
    check_faults("aa,bb\n,\n", &["there are no rows to store"]);
}

#[test]
fn only_so_many_faults_are_shown() {
    let found = read_all(format!("aa\n{}", "1,2\n".repeat(80)).as_bytes()).expect_err("faults");
    assert_eq!((found.first.len(), found.total, found.hidden()), (50, 80, 30));
}

#[test]
fn more_than_is_taken() {
    let rows = |count: usize| format!("aa\n{}", "1\n".repeat(count));
    assert!(read_all(rows(100).as_bytes()).is_ok());
    check_faults(rows(101), &["there are more than 100 rows"]);
    check_faults(format!("aa{}\n{}", ",".repeat(300), ",".repeat(300)), &["there are no rows to store"]);
    let wide: Vec<_> = (0..90).map(|number| format!("key_{number}")).collect();
    check_faults(format!("{}\n{}", wide.join(","), "1\n".repeat(20)), &["there are more than 1,000 cells"]);
    let keys: Vec<_> = (0..90).map(|number| format!("{{\"key_{number}\": 1}}\n")).collect();
    check_faults(keys.concat(), &["there are more than 1,000 cells"]);
}

#[test]
fn json_of_two_kinds() {
    check_rows(
        "[{\"bb\": 1.0, \"aa\": true},\n\n{\"cc\": null}]",
        &["1: aa=Bool(true) bb=1.0", "3: cc=Null"],
    );
    check_rows("{\n\"aa\": \"x\"}", &[r#"1: aa="x""#]);
    check_rows("{\"aa\": 1}\n\n{\"aa\": 2, \"comment\": 3}\n", &["1: aa=1", "3: aa=2 comment=3"]);
}

#[test]
fn faults_of_json() {
    check_faults("[]", &["there are no rows to store"]);
    check_faults(
        "[{}, \n5]",
        &["Line 2: here should be a record (a JSON object), but there is a number: “5”"],
    );
    check_faults(
        "[{\"aa\": 1}\n{\"aa\": 2}]",
        &["Line 2: this is not valid JSON at character 1: expected `,` or `]`"],
    );
    check_faults(
        "{\"aa\": 1}\n[]\n{\"aa\": }\n",
        &[
            "Line 2: here should be a record (a JSON object), but there is a list: “[]”",
            "Line 3: this is not valid JSON at character 8: expected value",
        ],
    );
}

const WEATHER: [&str; 2] = [
    r#"2: _timestamp="2013-01-01T00:00:00+00:00" station="Alki" temp_max=12.8 is_wet=Bool(true)"#,
    r#"4: _timestamp="2013-01-02T14:30:00+00:00" station="Alki" temp_max=13 is_wet=Bool(false)"#,
];

#[test]
fn workbooks() {
    check_rows(include_bytes!("../../tests/fixtures/weather.xlsx"), &WEATHER);
    check_rows(include_bytes!("../../tests/fixtures/weather.xls"), &WEATHER);
    check_rows(include_bytes!("../../tests/fixtures/weather-1904.xlsx"), &WEATHER);
    check_rows(include_bytes!("../../tests/fixtures/weather-1904.xls"), &WEATHER);
}

#[test]
fn faults_of_workbooks() {
    let fault = ["Sheet \"Data\", row 4, column C \"temp_max\": the cell shows the error #N/A"];
    check_faults(include_bytes!("../../tests/fixtures/error.xlsx"), &fault);
    check_faults(include_bytes!("../../tests/fixtures/error.xls"), &fault);
    let unknown = read(include_bytes!("../../tests/fixtures/weather.xls"), &["foo".to_owned()], LIMITS);
    let found = unknown.expect_err("a fault");
    let message = "the bucket is set up with the upload filter \"foo\", which does not exist\n";
    assert_eq!(faults(&found), message);
}

/// A workbook with one sheet, of these rows.
fn xlsx(rows: &str) -> Vec<u8> {
    let relation = |kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let entries = [
        ("_rels/.rels", relation("officeDocument", "xl/workbook.xml")),
        ("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml")),
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">\
             <sheets><sheet name=\"Data\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
                .to_owned(),
        ),
        ("xl/sharedStrings.xml", format!("<sst><si><t>{}</t></si></sst>", "x".repeat(9000))),
        ("xl/worksheets/sheet1.xml", format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("its text");
    }
    zip.finish().expect("a zip").into_inner()
}

const HEADINGS: &str = r#"<row r="2"><c r="B2" t="str"><v>aa</v></c><c r="C2" t="str"><v>bb</v></c></row>"#;

#[test]
fn workbooks_that_do_not_start_in_the_corner() {
    let rows = format!("{HEADINGS}<row r=\"5\"><c r=\"C5\"><v>2</v></c></row>");
    let table = read_all(&xlsx(&rows)).expect("a table");
    assert_eq!(shown(&table), "5: bb=2\n");
    assert_eq!(table.columns[1].letter.as_deref(), Some("C"));
    let rows = format!("{HEADINGS}<row r=\"3\"><c r=\"A3\"><v>1</v></c><c r=\"E3\"><v>2</v></c></row>");
    check_faults(
        xlsx(&rows),
        &["Sheet \"Data\", row 3, column E: there is something in this column, “2”, but it has no heading"],
    );
}

#[test]
fn workbooks_that_nobody_should_send() {
    let shared: Vec<_> =
        (3..20).map(|row| format!("<row r=\"{row}\"><c r=\"B{row}\" t=\"s\"><v>0</v></c></row>")).collect();
    check_faults(
        xlsx(&format!("{HEADINGS}{}", shared.concat())),
        &["Sheet \"Data\": the workbook unpacks to more than 100,000 bytes"],
    );
    let backwards = format!("{HEADINGS}<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>");
    check_faults(xlsx(&backwards), &["Sheet \"Data\": the workbook cannot be read; it may be damaged"]);
    let broken = xlsx("<row r=\"1\"><c r=\"?\"><v>1</v>");
    check_faults(&broken, &["Sheet \"Data\": the workbook cannot be read; it may be damaged"]);
}

/// A row of a sheet with one cell.
fn row_with_cell(row: u32, place: &str, value: &str) -> String {
    format!("<row r=\"{row}\"><c r=\"{place}\">{value}</c></row>")
}

#[test]
fn cells_far_away() {
    let cell = |row, place: &str| xlsx(&format!("{HEADINGS}{}", row_with_cell(row, place, "<v>1</v>")));
    // Beyond the last column, and so far beyond that no computer has room for the cells before it.
    for place in ["XFE3", "ZZZZZZ3", "FXSHRXX3", "A1048577"] {
        let damaged = ["Sheet \"Data\": the workbook cannot be read; it may be damaged"];
        check_faults(cell(3, place), &damaged);
    }
    let last = "row 1048576, column XFD: there is something in this column, “1”, but it has no heading";
    let full = "Sheet \"Data\": there are more than 1,000 cells";
    check_faults(cell(1_048_576, "XFD1048576"), &[&format!("Sheet \"Data\", {last}"), full]);
    // Cells that show a colour and nothing else take no room.
    let empty: Vec<_> = (3..50).map(|row| row_with_cell(row, &format!("XFD{row}"), "")).collect();
    check_rows(
        xlsx(&format!("{HEADINGS}{}{}", empty.concat(), row_with_cell(60, "B60", "<v>1</v>"))),
        &["60: aa=1"],
    );
}

#[test]
fn every_cell_counts_that_room_is_made_for() {
    let limits = Limits { cells: 10 * 16_384, rows: 10_000, ..LIMITS };
    let text = |row: u32, place: &str, text: &str| {
        format!("<row r=\"{row}\"><c r=\"{place}{row}\" t=\"str\"><v>{text}</v></c></row>")
    };
    // Beyond the headings; below the only one, which is in the last column; and with nothing to see.
    for (heading, shown) in [("A", "x"), ("XFD", "x"), ("A", " ")] {
        let rows: Vec<_> = (2..20).map(|row| text(row, "XFD", shown)).collect();
        let file = xlsx(&format!("{}{}", text(1, heading, "aa"), rows.concat()));
        let found = read(&file, &[], limits).expect_err("a fault");
        let last = found.first.last().map(ToString::to_string);
        assert_eq!(last.as_deref(), Some("Sheet \"Data\": there are more than 163,840 cells"));
    }
}

/// The rows that one file is read as, where the same bytes are changed.
fn weather_xls_with(change: impl FnOnce(&mut Vec<u8>)) -> Result<Table, Faults> {
    let mut bytes = include_bytes!("../../tests/fixtures/weather.xls").to_vec();
    change(&mut bytes);
    read_all(&bytes)
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).expect("the part")
}

#[test]
fn old_workbooks_that_nobody_should_send() {
    // 12.8 in the column with index 2 of the row with index 1, moved far away.
    const CELL: [u8; 8] = [0x7E, 0x02, 10, 0, 1, 0, 2, 0];
    let moved = |row: u16, column: u16| {
        weather_xls_with(|bytes| {
            let at = find(bytes, &CELL);
            bytes[at + 4..at + 6].copy_from_slice(&row.to_le_bytes());
            bytes[at + 6..at + 8].copy_from_slice(&column.to_le_bytes());
        })
    };
    let far = moved(60_000, 200).expect_err("a fault");
    assert_eq!(faults(&far), "there are more than 1,000 cells\n");
    let wide = moved(1, 60_000).expect_err("a fault");
    assert_eq!(faults(&wide), "the workbook cannot be read; it may be damaged\n");
    // What a sheet says about its size does not matter.
    let size = weather_xls_with(|bytes| {
        let at = find(bytes, &[0x00, 0x02, 14, 0]);
        bytes[at + 4..at + 14].fill(0xFF);
    });
    assert_eq!(size.map(|table| table.rows.len()), Ok(2));
}

#[test]
fn what_an_old_workbook_does_not_show() {
    // Records that are put before the end of the first sheet: a hidden row and column, merged cells, an error without a name.
    let records: [&[u8]; 4] = [
        &[0x08, 0x02, 16, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0],
        &[0x7D, 0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[0xE5, 0, 10, 0, 1, 0, 1, 0, 3, 0, 1, 0, 1, 0],
        &[0x05, 0x02, 8, 0, 5, 0, 2, 0, 0, 0, 0x99, 1],
    ];
    let with = |records: &[&[u8]]| {
        let weather: &[u8] = include_bytes!("../../tests/fixtures/weather.xls");
        let mut file = cfb::CompoundFile::open(Cursor::new(weather)).expect("a file");
        let mut stream = Vec::new();
        let mut part = file.open_stream("Workbook").expect("a stream");
        std::io::Read::read_to_end(&mut part, &mut stream).expect("bytes");
        let number = |at: usize| u32::from_le_bytes(stream[at..at + 4].try_into().expect("bytes"));
        let kind = |at: usize| stream[at..at + 2].to_vec();
        let records_from = |at: usize| {
            let next = |at: &usize| {
                let length = usize::try_from(number(*at) >> 16).expect("a length");
                Some(*at + 4 + length)
            };
            std::iter::successors(Some(at), next)
        };
        let sheets: Vec<usize> = records_from(0)
            .take_while(|at| kind(*at) != [0x0A, 0])
            .filter(|at| kind(*at) == [0x85, 0])
            .collect();
        let end =
            records_from(number(sheets[0] + 4) as usize).find(|at| kind(*at) == [0x0A, 0]).expect("its end");
        // The other sheet begins further on by as much as is put before it.
        let (put, other) = (records.concat(), sheets[1] + 4);
        let moved = number(other) + u32::try_from(put.len()).expect("a length");
        stream[other..other + 4].copy_from_slice(&moved.to_le_bytes());
        stream.splice(end..end, put);
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("a file");
        file.create_stream("Workbook").and_then(|mut part| part.write_all(&stream)).expect("a stream");
        read_all(&file.into_inner().into_inner())
    };
    let table = with(&records[..3]).expect("a table");
    assert_eq!(table.rows.len(), 2);
    let notes: Vec<_> = table.notes.all().map(ToString::to_string).collect();
    for part in ["It is row 2.", "B2:B4.", "It is column B."] {
        assert!(notes.iter().any(|note| note.ends_with(part)), "{part} in {notes:?}");
    }
    let found = with(&records).expect_err("a fault");
    let error = "Sheet \"Data\", row 6, column C \"temp_max\": the cell shows the error #N/A\n";
    assert_eq!(faults(&found), error);
}

#[test]
fn no_byte_of_a_workbook_that_is_changed_makes_it_panic() {
    let weather: [&[u8]; 2] = [
        include_bytes!("../../tests/fixtures/weather.xls"),
        include_bytes!("../../tests/fixtures/weather.xlsx"),
    ];
    for bytes in weather {
        for place in (0..bytes.len()).step_by(37) {
            let mut changed = bytes.to_vec();
            changed[place] ^= 0xFF;
            let _ = read_all(&changed);
            let _ = read_all(&bytes[..place]);
        }
    }
}

fn checked(file: &str, rules: &Rules<'_>) -> Result<Checked, String> {
    let table = read_all(file.as_bytes()).map_err(|found| faults(&found))?;
    check(&table, rules).map_err(|found| faults(&found))
}

#[track_caller]
fn check_refused(file: &str, rules: &Rules<'_>, expected: &[&str]) {
    let found = checked(file, rules).expect_err("faults");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn faults_of_records_have_their_cell() {
    check_refused(
        "aa,_timestamp\n1,2013-01-01\n\n2,2013-02-30\n3,soon",
        &Rules::default(),
        &[
            "Row 4, column B \"_timestamp\": 2013-02-30 in the _timestamp field is not a valid date",
            "Row 5, column B \"_timestamp\": “soon”: the _timestamp must be a date in the format yyyy-MM-ddT00:00:00Z",
        ],
    );
    check_refused(
        "_id,aa\na b,12345678901234567890",
        &Rules::default(),
        &[
            "Row 2, column A \"_id\": _id \"a b\" is not a valid id",
            "Row 2, column B \"aa\": “12345678901234567890”: aa has an invalid value",
        ],
    );
    check_refused(
        "[{\"aa\": [1]},\n{\"b-b\": 1}]",
        &Rules::default(),
        &[
            "Line 1, column \"aa\": “[1]” is a list, and no value of a record",
            "Line 2, column \"b-b\": b-b is not a valid key",
        ],
    );
}

#[test]
fn what_a_bucket_wants() {
    let schema = json!({"required": ["kind"], "properties": {"count": {"type": "integer"}}});
    let schema = RecordSchema::compile(&schema).expect("a schema");
    let auto_ids = ["kind".to_owned()];
    let rules = Rules { auto_ids: &auto_ids, schema: Some(&schema), time_column: None };
    check_refused(
        "kind,count\nx,1\n,many",
        &rules,
        &[
            "Row 3: \"kind\" is a required property",
            "Row 3, column B \"count\": \"many\" is not of type \"integer\"",
            "Row 3: The following required id fields are missing: kind",
        ],
    );
    let same = checked("kind,count\nx,1\ny,2\nx,3\nx,4", &rules).expect("records");
    assert_eq!((same.records.len(), same.repeated, same.have_ids), (4, 2, true));
    assert!(!checked("aa\n1", &Rules::default()).expect("records").have_ids);
}

#[test]
fn the_column_that_says_when() {
    let file = "day,until,name,mixed\n2012-01-01,2012-01-02,x,2012-01-01\n2012-01-02,,y,soon\n";
    let table = read_all(file.as_bytes()).expect("a table");
    let found: Vec<_> = candidates(&table).into_iter().map(|column| (column.heading, column.empty)).collect();
    assert_eq!(found, [("day".to_owned(), 0), ("until".to_owned(), 1)]);
    let rules = Rules { time_column: Some("day"), ..Rules::default() };
    let records = checked(file, &rules).expect("records").records;
    assert_eq!(
        records[1].timestamp.map(|time| time.to_string()).as_deref(),
        Some("2012-01-02T00:00:00+00:00")
    );
    assert!(records[1].get("day").is_some(), "it stays a field");
    let wrong = Rules { time_column: Some("mixed"), ..Rules::default() };
    check_refused(
        file,
        &wrong,
        &[
            "Row 3, column D \"mixed\": “soon”: the _timestamp must be a date in the format yyyy-MM-ddT00:00:00Z",
        ],
    );
    let partly =
        "opened,until,day,closed\n2012-01-01,2012-01-02,2012-01-01,2012-01-01\n,,2012-01-02,2012-01-01\n";
    for (file, chosen) in [
        (partly, "day"),
        ("opened,until\n2012-01-01,\n,2012-01-01\n2012-01-01,2012-01-01", "opened"),
        ("opened,until\n2012-01-01,2012-01-01\n,2012-01-01\n,\n,2012-01-01", "until"),
    ] {
        let found = candidates(&read_all(file.as_bytes()).expect("a table"));
        assert_eq!(preferred(&found).map(|column| &*column.heading), Some(chosen));
    }
    assert!(candidates(&read_all(b"_timestamp,day\n2012-01-01,2012-01-01").expect("a table")).is_empty());
}

#[test]
fn what_a_person_sees() {
    let file = format!("aa,bb,cc\n1,x,\n2,2012-01-01,\nn/a,,{}\n{}", "y".repeat(100), "3,,\n".repeat(20));
    let preview = Preview::of(&read_all(file.as_bytes()).expect("a table"));
    let columns: Vec<_> = preview
        .columns
        .iter()
        .map(|column| {
            let found = column.found.iter().map(|(kind, count)| format!("{kind} {count}"));
            (found.collect::<Vec<_>>().join(", "), column.empty, column.is_mixed())
        })
        .collect();
    assert_eq!(
        columns,
        [
            ("number 22, text 1".to_owned(), 0, true),
            ("time 1, text 1".to_owned(), 21, false),
            ("text 1".to_owned(), 22, false),
        ]
    );
    assert_eq!((preview.rows.len(), preview.total, preview.rows[0].number), (10, 23, 2));
    assert_eq!(preview.rows[2].cells[2].chars().count(), 81);
}

/// Some records with many keys and many without any, which is no work if nobody visits what is not there.
#[test]
fn many_columns_with_almost_no_cells() {
    let keys: Vec<_> = (0..20_000).map(|number| format!("\"key_{number}\": \"2012-01-01\"")).collect();
    let wide: Vec<_> = keys.chunks(1_000).map(|keys| format!("{{{}}}", keys.join(", "))).collect();
    let file = format!("{}\n{}", wide.join("\n"), "{}\n".repeat(100_000));
    let limits = Limits { bytes: 1_000_000, unpacked: 1_000_000, cells: 1_000_000, rows: 200_000 };
    let table = read(file.as_bytes(), &[], limits).expect("a table");
    let preview = Preview::of(&table);
    assert_eq!(
        (preview.columns.len(), preview.hidden_columns, preview.columns[99].empty),
        (100, 19_900, 100_019)
    );
    assert!(preview.rows.iter().all(|row| row.cells.len() == 100));
    let found = candidates(&table);
    assert_eq!((found.len(), found[99].empty), (100, 100_019));
}

#[test]
fn a_row_beyond_a_bound_of_records_is_a_fault_where_it_is() {
    let headings =
        |count: usize| (0..count).map(|place| format!("h{place:04}")).collect::<Vec<_>>().join(",");
    let cells = |count: usize| vec!["1"; count].join(",");
    let limits = Limits::of(10_000_000);
    let faults = |file: &str| match read(file.as_bytes(), &[], limits) {
        Ok(table) => check(&table, &Rules::default()).err(),
        Err(faults) => Some(faults),
    };
    let message = |file: &str| faults(file).expect("faults").first[0].to_string();
    assert_eq!(faults(&format!("{}\n{}\n", headings(1_000), cells(1_000))), None);
    assert_eq!(
        message(&format!("{}\n{}\n", headings(1_001), cells(1_001))),
        "Row 2: this row has 1,001 cells with something in them, and a record has at most 1,000 fields"
    );
    assert_eq!(
        message(&format!("aa,bb\n1,2\n3,{}\n", "x".repeat(262_145))),
        format!(
            "Row 3, column B \"bb\": bb is a text of 262145 bytes, and at most 262144 are allowed: \"{}…\"",
            "x".repeat(100)
        )
    );
    assert_eq!(
        message(&format!("_id,bb\n{},2\n", "i".repeat(1_025))),
        format!(
            "Row 2, column A \"_id\": an _id has at most 1024 bytes, and \"{}…\" has 1025",
            "i".repeat(100)
        )
    );
    let texts = vec!["x".repeat(250_000); 5].join(",");
    assert!(message(&format!("{}\n{texts}\n", headings(5))).contains("and a record has at most 1,048,576"));
    assert_eq!(
        message(&format!("aa,{}\n1,2\n", "n".repeat(129))),
        format!("Row 1, column B: \"{}…\" has 129 bytes, and a heading has at most 128", "n".repeat(100))
    );
    let keys: Vec<_> = (0..1_001).map(|place| format!("\"key_{place}\": 1")).collect();
    assert_eq!(
        message(&format!("[{{\"aa\": 1}},\n{{{}}}]", keys.join(","))),
        "Line 2: this row has 1,001 cells with something in them, and a record has at most 1,000 fields"
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn no_text_panics(text in "[ab1#\",;\t\r\n\\[\\]{}:\u{feff}é-]{0,60}") {
        if let Ok(table) = read_all(text.as_bytes()) {
            let _ = Preview::of(&table);
            let _ = check(&table, &Rules::default());
        }
    }

    #[test]
    fn csv_reads_back(rows in prop::collection::vec(prop::collection::vec("[a-z\",;#\n\r é]{0,6}", 3), 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["aa", "bb", "cc"]).expect("headings");
        for row in &rows {
            // A row that starts with the mark of a comment is one.
            let cells = row.iter().map(|cell| cell.trim_start_matches('#'));
            writer.write_record(cells).expect("a row");
        }
        let file = writer.into_inner().expect("a file");
        let expected: Vec<Vec<Option<String>>> = rows
            .iter()
            .map(|row| {
                let cell = |cell: &String| {
                    Some(super::rows::trimmed(cell.trim_start_matches('#')).to_owned()).filter(|cell| !cell.is_empty())
                };
                row.iter().map(cell).collect::<Vec<_>>()
            })
            .filter(|row: &Vec<Option<String>>| row.iter().any(Option::is_some))
            .collect();
        match read_all(&file) {
            Ok(table) => {
                let value = |row: &super::table::Row, place| match row.value(place) {
                    Some(SentValue::Text(text)) => Some(text.to_string()),
                    _ => None,
                };
                let read: Vec<Vec<_>> =
                    table.rows.iter().map(|row| (0..3).map(|place| value(row, place)).collect()).collect();
                prop_assert_eq!(read, expected);
            }
            Err(_) => prop_assert!(expected.is_empty()),
        }
    }
}
