//! Files as programs and people make them: a table of cases for each kind of trouble. None is stored other
//! than it was meant without a word.

use super::*;

fn notes(table: &Table) -> Vec<String> {
    table.notes.all().map(ToString::to_string).collect()
}

/// A file that is read as these rows, with a word about it that has these parts.
#[track_caller]
fn check_told(file: impl AsRef<[u8]>, rows: &[&str], parts: &[&str]) {
    let table = read_all(file.as_ref()).unwrap_or_else(|found| panic!("{}", faults(&found)));
    assert_eq!(shown(&table).lines().collect::<Vec<_>>(), rows);
    let notes = notes(&table);
    assert_eq!(notes.len(), parts.len(), "{notes:?}");
    for (note, part) in notes.iter().zip(parts) {
        assert!(note.contains(part), "{part} in {note}");
    }
}

/// A file that is refused, with a fault that begins so and a hint with this part.
#[track_caller]
fn check_hinted(file: impl AsRef<[u8]>, fault: &str, hint: &str) {
    let found = read_all(file.as_ref()).expect_err("faults");
    let first = &found.first[0];
    assert!(first.to_string().starts_with(fault), "{first}");
    let given = first.rule.hint().unwrap_or_default();
    assert!(given.contains(hint), "{hint} in {given}");
}

#[test]
fn separators() {
    check_told("sep=;\r\naa;bb\r\n1;x\r\n", &[r#"3: aa=1 bb="x""#], &["left out: sep=;."]);
    check_told("\u{feff}\"SEP=|\"\naa|bb\n1|x,y", &[r#"3: aa=1 bb="x,y""#], &["left out"]);
    check_rows("aa|bb\n1|2", &["2: aa=1 bb=2"]);
    check_faults(
        "product;amount, in dollars\nx;1,000\ny;1,000,000\n",
        &["Row 1, column B: \"amount, in dollars\" cannot be a heading"],
    );
}

#[test]
fn blanks_around_texts() {
    check_rows("aa, bb, cc\nx, Alki, 5\n", &[r#"2: aa="x" bb="Alki" cc=5"#]);
    check_rows("aa,bb\n\u{a0}x\u{2009},\" y \"\n", &[r#"2: aa="x" bb="y""#]);
    check_rows("aa,bb\nx, \"a, b\" \n", &[r#"2: aa="x" bb="a, b""#]);
}

#[test]
fn quotes_that_programs_write() {
    let stray =
        "Row 2: something follows the quote that closes a cell of this row: “x,\"say \\\"hi\\\" ok\"”";
    check_hinted("aa,bb\nx,\"say \\\"hi\\\" ok\"\n", stray, "written twice");
    check_hinted("aa,bb\n1,\"x\"y\n", "Row 2: something follows the quote", "double quote");
    check_hinted("aa\tbb\n1\t\"open\n2\tclose\" x\n", "Row 2: something follows the quote", "double quote");
    check_hinted(
        "aa,bb\n1,2\n3,\"open\n4,5\n",
        "Row 3: a cell of this row starts with a quote",
        "double quote",
    );
    check_told(
        "aa,bb\n1,\"open\n2,close\"\n",
        &[r#"2: aa=1 bb="open\n2,close""#],
        &["begins in row 2 “open 2,close”"],
    );
    check_told("aa,bb\n1,\"a\\\"\"\"\n", &[r#"2: aa=1 bb="a\\\"""#], &["backslash before a quote"]);
}

#[test]
fn texts_for_excel() {
    check_rows("aa,bb\n=\"00123\",=\"1\"\n", &[r#"2: aa="00123" bb="1""#]);
    check_rows("aa,bb\n\"=\"\"00123\"\"\",2\n", &[r#"2: aa="00123" bb=2"#]);
    check_told("aa,bb\n=A1+1,2\n", &[r#"2: aa="=A1+1" bb=2"#], &["It is A2 “=A1+1”."]);
}

#[test]
fn lines_with_a_hash() {
    check_told("#aa,bb\n1,5\n", &["2: aa=1 bb=5"], &["headings are taken from a line that starts with #"]);
    check_told(
        "# made by us\n# aa, bb\n1,5\n",
        &["3: aa=1 bb=5"],
        &["headings are taken", "line 1 “# made by us”"],
    );
    check_told(
        "aa,bb\n#1 hit,5\n#2 hit,6\nx,7\n",
        &[r#"4: aa="x" bb=7"#],
        &[
            "2 lines that start with # are left out; quotes around their first cells would keep them. They are lines 2 “#1 hit,5” and 3 “#2 hit,6”.",
        ],
    );
    check_told("#a\rxx,bb\r1,2\r", &["3: xx=1 bb=2"], &["line 1 “#a”"]);
    check_rows("aa,bb\n\"#1\",5\n", &[r##"2: aa="#1" bb=5"##]);
}

#[test]
fn rows_that_are_no_data() {
    let title = "Row 1: “Table 1: visits” looks like a title: the first row with anything in it must name the columns, as row 3";
    check_hinted("Table 1: visits,,\n,,\naa,bb,cc\nx,1,2\n", title, "Delete what is above the headings");
    let found = read_all(b"Visits 2020\n\naa,bb\n1,2\n").expect_err("a fault");
    assert_eq!(found.total, 1);
    check_hinted(
        "Report;;\nMade by;Ann;\n;;\naa;bb;cc\n1;2;3\n",
        "Row 1: “Report” looks like a title",
        "Delete",
    );
    check_hinted("#name,city\nann,rome\n", "there are no rows to store", "#");
    check_hinted("Report,2020\nby,Ann\n\naa,bb,cc\n1,2,3\n", "Row 1: “Report” looks like a title", "Delete");
    check_told(
        "aa,bb\n1,2\naa,bb\n3,4\n",
        &["2: aa=1 bb=2", "4: aa=3 bb=4"],
        &["repeats the headings and is left out. It is row 3."],
    );
    check_told(
        "aa,bb\nx,2\nTotal:,2\n",
        &[r#"2: aa="x" bb=2"#, r#"3: aa="Total:" bb=2"#],
        &["looks like a total"],
    );
    check_told("aa,bb\n1\n3,4\n", &["2: aa=1", "3: aa=3 bb=4"], &["fewer cells than there are headings"]);
    check_rows("\n,,\naa,bb,,\n1,2,,\n", &["4: aa=1 bb=2"]);
}

#[test]
fn characters_that_no_text_has() {
    check_rows("aa,bb\r\nx,5\r\n\u{1a}", &[r#"2: aa="x" bb=5"#]);
    check_rows("aa,bb\r\nx,5\u{1a}\0\0", &[r#"2: aa="x" bb=5"#]);
    check_faults(
        "aa,bb\nx,a\0b\n",
        &["Row 2, column B \"bb\": “a\u{fffd}b” has a character that no text has (U+0000)"],
    );
    check_faults(
        "aa,bb\nx\u{1a}y,2\n",
        &["Row 2, column A \"aa\": “x\u{fffd}y” has a character that no text has (U+001A)"],
    );
    let utf16: Vec<u8> = "\u{feff}aa\tbb\r\né\t5\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check_rows(&utf16, &[r#"2: aa="é" bb=5"#]);
    check_hinted(
        b"aa,bb\ncaf\xE9,1\n",
        "Row 2: a character in this row is not UTF-8: “caf\u{fffd},1”",
        "CSV UTF-8",
    );
    check_told("aa,bb\ncaf\u{fffd},1\n", &["2: aa=\"caf\u{fffd}\" bb=1"], &["lost before"]);
}

/// What is said of the columns of a file.
#[track_caller]
fn check_hints(file: &str, expected: &[&[&str]]) {
    let preview = Preview::of(&read_all(file.as_bytes()).expect("a table"));
    for (column, parts) in preview.columns.iter().zip(expected) {
        assert_eq!(column.hints.len(), parts.len(), "{column:?}");
        for (hint, part) in column.hints.iter().zip(*parts) {
            assert!(hint.contains(part), "{part} in {hint}");
        }
    }
}

#[test]
fn texts_that_look_like_something_else() {
    check_hints(
        "aa,bb,cc,dd\n\"1,234\",01/02/2020,N/A,Alki\n\"2,345\",1.2.2020,true,007\n",
        &[
            &["look like numbers (2, as “1,234”) cannot be added up"],
            &["look like dates (2"],
            &["nothing (1", "yes and no"],
            &[],
        ],
    );
    check_hints("[{\"aa\": \"12\", \"_id\": \"12\"}]", &[&[], &["look like numbers"]]);
}

#[test]
fn json_as_programs_write_it() {
    check_told(
        "{\"data\": [{\"aa\": 1},\n{\"aa\": 2}]}",
        &["1: aa=1", "2: aa=2"],
        &["under the key “data”."],
    );
    check_told(
        "{\"total\": 1,\n\"results\": [{\"aa\": 1}]}",
        &["2: aa=1"],
        &["under the key “results”", "left out. It is under the key “total”."],
    );
    check_told("{\"export\": {\"content\": [{\"aa\": 1}]}}", &["1: aa=1"], &["“export.content”"]);
    check_faults("{\"aa\": [{}], \"bb\": [{}]}", &["Line 1: there are several lists of records: “aa”, “bb”"]);
    check_told(
        "{\"aa\": 1, \"aa\": 2}\n\n{\"aa\": 3}\n",
        &["1: aa=2", "3: aa=3"],
        &["twice in one record; the last value stands. It is in line 1 “aa”."],
    );
    check_refused(
        "[{\"aa\": {\"bb\": 1}}]",
        &Rules::default(),
        &["Line 1, column \"aa\": “{\"bb\": 1}” is an object, and no value of a record"],
    );
    check_hinted(
        "[{\"aa\": 1},]",
        "Line 1: this is not valid JSON at character 12: trailing comma",
        "Take away the comma",
    );
    check_hinted(
        "{\"aa\": 1},\n{\"aa\": 2}\n",
        "Line 1: this is not valid JSON at character 10",
        "one record and nothing behind",
    );
    check_hinted(
        "[{\"aa\": 1},\n\n {\"aa\":\n\"\\ud800\"}]",
        "Line 4: this is not valid JSON at character 8",
        "cut in two",
    );
    check_hinted("[ {\"aa\": \"\\ud800\"}]", "Line 1: this is not valid JSON at character 17", "cut in two");
}

const TABLE: &str = r#"<row r="1"><c r="A1" t="str"><v>aa</v></c><c r="B1" t="str"><v>bb</v></c></row>"#;

#[test]
fn errors_of_every_kind() {
    for error in
        ["#CALC!", "#SPILL!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#GETTING_DATA", "#N/A", "#REF!", "#NEW?"]
    {
        let rows = format!(
            "{TABLE}<row r=\"2\"><c r=\"A2\"><v>1</v></c><c r=\"B2\" t=\"e\"><f>F()</f><v>{error}</v></c></row>"
        );
        check_faults(
            xlsx(&rows),
            &[&format!("Sheet \"Data\", row 2, column B \"bb\": the cell shows the error {error}")],
        );
    }
    let alone = format!("{TABLE}<row r=\"3\"><c r=\"A3\" t=\"e\"/></row>");
    check_faults(xlsx(&alone), &["Sheet \"Data\", row 3, column A \"aa\": the cell shows the error #ERROR!"]);
}

#[test]
fn what_a_sheet_does_not_show() {
    let rows = |rest: &str| {
        format!("{TABLE}<row r=\"2\"><c r=\"$A$2\"><v>1</v></c><c r=\"$B$2\"><v>2</v></c></row>{rest}")
    };
    check_rows(xlsx(&rows("")), &["2: aa=1 bb=2"]);
    check_told(
        xlsx(&rows("<row r=\"3\" hidden=\"1\"><c r=\"A3\"><v>3</v></c></row><row r=\"4\" hidden=\"1\"/>")),
        &["2: aa=1 bb=2", "3: aa=3"],
        &["One row is hidden in the sheet"],
    );
    check_told(
        xlsx(&rows("<row r=\"3\"><c r=\"A3\"><v>3</v></c><c r=\"B3\"><f>SUM(A1)</f><v/></c></row>")),
        &["2: aa=1 bb=2", "3: aa=3"],
        &["One cell has a formula and no value"],
    );
    check_told(
        xlsx(&rows("</sheetData><mergeCells><mergeCell ref=\"$A$2:$A$3\"/></mergeCells><sheetData>")),
        &["2: aa=1 bb=2"],
        &[
            "There are merged cells: what they show is in the first of them only, and the others are empty. They are A2:A3.",
        ],
    );
}

#[test]
fn parts_under_other_names() {
    let file = xlsx(&format!("{TABLE}<row r=\"2\"><c r=\"A2\"><v>1</v></c></row>"));
    let renamed = |change: fn(&str) -> String| {
        let mut from = zip::ZipArchive::new(Cursor::new(&file)).expect("a zip");
        let mut to = ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..from.len() {
            let mut entry = from.by_index(index).expect("an entry");
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            to.start_file(change(&name), SimpleFileOptions::default()).expect("an entry");
            std::io::copy(&mut entry, &mut to).expect("its bytes");
        }
        to.finish().expect("a zip").into_inner()
    };
    for change in [
        (|name: &str| name.replace('/', "\\")) as fn(&str) -> String,
        |name| format!("/{name}"),
        |name| name.to_uppercase(),
    ] {
        check_rows(renamed(change), &["2: aa=1"]);
    }
}

#[test]
fn workbooks_that_were_made_otherwise() {
    // A chart first, a hidden sheet, and the data in a part of another name; strict, with prefixes.
    const KINDS: &str = "http://purl.oclc.org/ooxml/officeDocument/relationships";
    let entries = [
        ("_rels/.rels", format!("<Relationships><Relationship Id='a' Type='{KINDS}/officeDocument' Target='/book/main.xml'/></Relationships>")),
        (
            "book/_rels/main.xml.rels",
            format!(
                "<Relationships><Relationship Id='c' Type='{KINDS}/chartsheet' Target='chart.xml'/>\
                 <Relationship Id='h' Type='{KINDS}/worksheet' Target='hidden.xml'/>\
                 <Relationship Id='d' Type='{KINDS}/worksheet' Target='../data/sheet.xml'/>\
                 <Relationship Id='s' Type='{KINDS}/sharedStrings' Target='texts.xml'/>\
                 <Relationship Id='f' Type='{KINDS}/styles' Target='formats.xml'/></Relationships>"
            ),
        ),
        (
            "book/main.xml",
            "<x:workbook xmlns:x='m' xmlns:r='n'><x:workbookPr date1904='true'/><x:sheets><x:sheet name='Chart' r:id='c'/>\
             <x:sheet name='Lists' state='hidden' r:id='h'/><x:sheet name='A &amp; B' r:id='d'/></x:sheets></x:workbook>"
                .to_owned(),
        ),
        ("book/texts.xml", "<sst><si><t>aa</t></si><si><r><t>b</t></r><r><t>b</t></r></si></sst>".to_owned()),
        (
            "book/formats.xml",
            "<styleSheet><fonts><font><color rgb='?'/></font></fonts><cellXfs><xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='9'/></cellXfs></styleSheet>"
                .to_owned(),
        ),
        ("book/hidden.xml", "<worksheet><sheetData/></worksheet>".to_owned()),
        (
            "data/sheet.xml",
            "<x:worksheet><x:sheetData><x:row><x:c t='s'><x:v>0</x:v></x:c><x:c t='s'><x:v>1</x:v></x:c></x:row>\
             <x:row><x:c s='1'><x:v>39813</x:v></x:c><x:c s='2'><x:v>0.5</x:v></x:c></x:row></x:sheetData></x:worksheet>"
                .to_owned(),
        ),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("its text");
    }
    let file = zip.finish().expect("a zip").into_inner();
    let mut wrapped = ZipWriter::new_append(Cursor::new(file)).expect("a zip");
    wrapped.start_file("[Content_Types].xml", SimpleFileOptions::default()).expect("an entry");
    let file = wrapped.finish().expect("a zip").into_inner();
    check_told(
        &file,
        &[r#"2: aa="2013-01-01T00:00:00+00:00" bb=0.5"#],
        &[
            "another sheet, which is left out: “Lists” (hidden).",
            "shown as per cent; it is stored as it is calculated with, 50 % as 0.5. It is column B.",
        ],
    );
    assert_eq!(read_all(&file).expect("a table").sheet.as_deref(), Some("A & B"));
}
