use proptest::prelude::*;

use super::*;
use crate::query::Query;
use crate::query::args::{QueryArgs, QueryContext};
use crate::storage::StorageErrorKind;
use crate::timestamp::Timestamp;
use crate::value::tests::any_value;
use crate::value::{Value, ValueRef};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn query(text: &str) -> GroupQuery {
    let context = QueryContext { raw_queries_allowed: true, now: at("2014-06-18"), max_rows: 100 };
    match QueryArgs::parse(text).and_then(|args| args.into_query(&context)) {
        Ok(Query::Groups(query)) => query,
        other => panic!("{text}: {other:?}"),
    }
}

/// A row of an engine: keys, month, count, and the values of the one collected field.
fn row(keys: &[Value], month: Option<u32>, count: u64, values: &[i64]) -> Row {
    let mut partial = Partial::new(true);
    for value in values {
        partial.add(ValueRef::Int(*value));
    }
    Row {
        keys: keys.into(),
        start: month.map(|month| at(&format!("2014-{month:02}-01"))),
        count,
        collected: Box::new([partial]),
    }
}

fn written(answer: &GroupAnswer) -> String {
    let mut json = Vec::new();
    answer.write_json(&mut json);
    String::from_utf8(json).expect("text")
}

fn in_pieces(answer: &GroupAnswer, until: usize) -> String {
    let (mut text, mut json) = (JsonText::new(answer), Vec::new());
    loop {
        let mut piece = Vec::new();
        let is_end = text.write(answer, &mut piece, until);
        json.extend(piece);
        if is_end {
            return String::from_utf8(json).expect("text");
        }
    }
}

/// That an answer of many rows is refused or let through by how large it is needs no more than about that.
#[test]
fn the_size_of_an_answer_is_known_before_it_is_written() {
    let check = |text: &str, rows: Vec<Row>| {
        let answer = shape(&query(text), rows, &Interest::default()).expect("an answer");
        let (json, csv) = (written(&answer).len() as u64, crate::csv_export::groups(&answer).len() as u64);
        assert!((json..json * 3 / 2 + 100).contains(&answer.json_bytes()), "{text}: {json}");
        assert!((csv..csv * 3 + 200).contains(&answer.csv_bytes()), "{text}: {csv}");
    };
    let groups = |month: Option<u32>| {
        (0..20)
            .map(|number| row(&[Value::from(format!("group {number}").as_str())], month, 5, &[7]))
            .collect()
    };
    check("group_by=kind&collect=size:sum", groups(None));
    check(&format!("group_by=kind&collect=size:sum&{MONTHS}"), groups(Some(2)));
    check(&format!("group_by=kind&collect=size:sum&flatten=true&{MONTHS}"), groups(Some(2)));
    check(
        &format!("collect=size:sum&{}", MONTHS.replace("2014-01", "2006-01")),
        vec![row(&[], Some(1), 1, &[3])],
    );
}

#[track_caller]
fn check(text: &str, rows: Vec<Row>, answer: &[&str]) {
    let shown: Vec<_> = match shape(&query(text), rows, &Interest::default()) {
        Ok(answer) => {
            assert_eq!(written(&answer), serde_json::to_string(&answer).expect("JSON"), "{text}");
            answer.rows().iter().map(|row| serde_json::to_string(&row).expect("JSON")).collect()
        }
        Err(error) => vec![error.to_string()],
    };
    let shown: Vec<_> = shown.iter().map(|row| row.replace("T00:00:00+00:00", "")).collect();
    assert_eq!(shown, answer, "{text}");
}

const MONTHS: &str = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-04-01T00:00:00Z";

#[test]
fn groups_are_sorted_by_key_then_as_asked() {
    let rows = || {
        vec![
            row(&[Value::from("b")], None, 2, &[7]),
            row(&[Value::from("a")], None, 2, &[1, 2]),
            row(&[Value::Int(10)], None, 1, &[]),
        ]
    };
    check(
        "group_by=kind&collect=size:sum",
        rows(),
        &[
            r#"{"kind":10,"_count":1,"size:sum":0}"#,
            r#"{"kind":"a","_count":2,"size:sum":3}"#,
            r#"{"kind":"b","_count":2,"size:sum":7}"#,
        ],
    );
    check(
        "group_by=kind&collect=size&sort_by=_count:descending&limit=2",
        rows(),
        &[
            r#"{"kind":"a","_count":2,"size":[1,2],"size:set":[1,2]}"#,
            r#"{"kind":"b","_count":2,"size":[7],"size:set":[7]}"#,
        ],
    );
    check(
        "group_by=kind&collect=size:mean&sort_by=size:mean:ascending&limit=1",
        rows(),
        &[r#"{"kind":10,"_count":1,"size:mean":null}"#],
    );
}

#[test]
fn gaps_between_periods_are_filled() {
    check(
        &format!("{MONTHS}&collect=size&collect=size:sum"),
        vec![row(&[], Some(2), 3, &[1, 2])],
        &[
            r#"{"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0,"size:set":null,"size:sum":null}"#,
            r#"{"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":3,"size":[1,2],"size:set":[1,2],"size:sum":3}"#,
            r#"{"_start_at":"2014-03-01","_end_at":"2014-04-01","_count":0,"size:set":null,"size:sum":null}"#,
        ],
    );
}

#[test]
fn a_group_has_its_own_values_and_those_of_its_periods() {
    check(
        &format!("{MONTHS}&group_by=kind&collect=size:sum&sort_by=_group_count:descending&limit=1"),
        vec![
            row(&[Value::from("b")], Some(1), 1, &[1]),
            row(&[Value::from("b")], Some(3), 2, &[2, 3]),
            row(&[Value::from("a")], Some(3), 9, &[9]),
        ],
        &[concat!(
            r#"{"kind":"b","_count":3,"size:sum":6,"_group_count":2,"values":["#,
            r#"{"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1,"size:sum":1},"#,
            r#"{"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0,"size:sum":null},"#,
            r#"{"_start_at":"2014-03-01","_end_at":"2014-04-01","_count":2,"size:sum":5}]}"#,
        )],
    );
}

#[test]
fn flat_rows_fill_every_combination_before_they_are_sorted_and_limited() {
    let rows = || {
        vec![
            row(&[Value::from("a"), Value::Int(1)], Some(1), 1, &[]),
            row(&[Value::from("b"), Value::Int(2)], Some(2), 5, &[]),
        ]
    };
    let two = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
    check(
        &format!("{two}&group_by=kind&group_by=size&flatten=true"),
        rows(),
        &[
            r#"{"kind":"a","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1}"#,
            r#"{"kind":"a","size":2,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
            r#"{"kind":"b","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
            r#"{"kind":"b","size":2,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":0}"#,
            r#"{"kind":"a","size":1,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
            r#"{"kind":"a","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
            r#"{"kind":"b","size":1,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":0}"#,
            r#"{"kind":"b","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":5}"#,
        ],
    );
    check(
        &format!("{two}&group_by=kind&group_by=size&flatten=true&sort_by=_count:descending&limit=2"),
        rows(),
        &[
            r#"{"kind":"b","size":2,"_start_at":"2014-02-01","_end_at":"2014-03-01","_count":5}"#,
            r#"{"kind":"a","size":1,"_start_at":"2014-01-01","_end_at":"2014-02-01","_count":1}"#,
        ],
    );
    check(&format!("{two}&group_by=kind&flatten=true"), Vec::new(), &[]);
}

/// An order in which a gap equalled every set was none, and sorting by it could panic.
#[test]
fn gaps_come_first_by_the_bare_name_that_they_lack() {
    let rows: Vec<_> = (0..30)
        .zip([1, 2, 3].into_iter().cycle())
        .map(|(key, month)| row(&[Value::Int(key)], Some(month), 1, &[key * 7 % 30]))
        .collect();
    for (direction, gaps) in [("ascending", 0..60), ("descending", 30..90)] {
        let text = format!("{MONTHS}&group_by=kind&flatten=true&collect=size&sort_by=size:{direction}");
        let answer = shape(&query(&text), rows.clone(), &Interest::default()).expect("rows");
        for (place, row) in answer.rows().iter().enumerate() {
            assert_eq!(row.get("size").is_none(), gaps.contains(&place), "{direction} {place}");
        }
        let sets = answer.rows().iter().filter_map(|row| row.get("size"));
        let mut sets: Vec<_> = sets.map(|set| serde_json::to_string(&set).expect("JSON")).collect();
        if direction == "descending" {
            sets.reverse();
        }
        let sorted: Vec<_> = (0..30).map(|value| format!("[{value}]")).collect();
        assert_eq!(sets, sorted, "{direction}");
    }
}

#[test]
fn a_whole_number_is_shown_as_an_integer_if_any_record_held_one() {
    let rows = vec![
        row(&[Value::Float(1.0)], Some(1), 1, &[]),
        row(&[Value::Int(1)], Some(2), 1, &[]),
        row(&[Value::Float(2.0)], Some(2), 1, &[]),
    ];
    let groups =
        shape(&query(&format!("{MONTHS}&group_by=size")), rows, &Interest::default()).expect("groups");
    let keys: Vec<_> = groups.rows().iter().map(|group| format!("{:?}", group.get("size"))).collect();
    assert_eq!(keys, ["Some(Value(Int(1)))", "Some(Value(Float(2.0)))"]);
}

#[test]
fn one_bad_group_refuses_the_whole_query() {
    let mut bad = row(&[Value::from("z")], None, 1, &[]);
    bad.collected[0].add(ValueRef::Null);
    let rows = vec![row(&[Value::from("a")], None, 1, &[1]), bad];
    check("group_by=kind&collect=size:sum&limit=1", rows, &["invalid collect function"]);
}

#[test]
fn answers_that_would_be_too_long() {
    let rows: Vec<_> = (0..34).map(|key| row(&[Value::Int(key)], Some(1), 1, &[])).collect();
    check(
        &format!("{MONTHS}&group_by=size"),
        rows,
        &["The query would list more than 100 groups or periods; narrow it, or group by fewer fields"],
    );
}

#[track_caller]
fn check_shift(text: &str, months: &[u32], periods: i64) {
    let rows: Vec<_> = months.iter().map(|month| row(&[], Some(*month), 1, &[])).collect();
    assert_eq!(shift(&query(text), &rows), periods, "{text} {months:?}");
}

#[test]
fn windows_move_to_where_the_data_is() {
    let after = "period=month&duration=3&start_at=2014-01-01T00:00:00Z";
    check_shift(after, &[1, 3], 0);
    check_shift(after, &[2, 3], 1);
    check_shift(after, &[3], 2);
    check_shift(after, &[], 0);
    let before = "period=month&duration=3&end_at=2014-04-01T00:00:00Z";
    check_shift(before, &[3], 0);
    check_shift(before, &[1, 2], -1);
    check_shift(before, &[1], -2);
    check_shift(&format!("{before}&flatten=true"), &[1], 0);
    check_shift(MONTHS, &[3], 0);
}

#[test]
fn rows_have_their_keys_and_their_periods() {
    let rows = vec![row(&[Value::from("a")], Some(1), 1, &[]), row(&[Value::from("b")], Some(3), 1, &[])];
    let answer = shape(&query(&format!("{MONTHS}&group_by=kind")), rows.clone(), &Interest::default())
        .expect("groups");
    let names = |row: AnswerRow<'_>| row.keys().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    for group in answer.rows().iter() {
        assert_eq!(names(group), ["kind"]);
        let periods = group.periods().expect("periods");
        assert_eq!(periods.len(), 3);
        assert!(periods.iter().all(|period| names(period).is_empty() && period.periods().is_none()));
    }
    // A field may be called as the list is, where there is none.
    let rows = vec![row(&[Value::from("a")], Some(1), 1, &[])];
    let answer = shape(&query(&format!("{MONTHS}&group_by=values&flatten=true")), rows, &Interest::default())
        .expect("rows");
    assert!(answer.rows().iter().all(|row| names(row) == ["values"] && row.periods().is_none()));
}

/// Groups that differ late or in their second key only, and come in no order.
#[test]
fn groups_of_long_keys_are_in_order() {
    let mut keys: Vec<[Value; 2]> = Vec::new();
    for first in ["", "a", "a\0", "the same beginning", "the same beginning, and more", "the same beginninh"]
    {
        keys.extend((0..9).map(|second| [Value::from(first), Value::Int(second)]));
        keys.push([Value::from(first), Value::from("z")]);
    }
    let scattered = (0..keys.len()).map(|place| &keys[place * 7 % keys.len()]);
    let rows = scattered.map(|keys| row(keys, None, 1, &[])).collect();
    let answer = shape(&query("group_by=kind&group_by=size"), rows, &Interest::default()).expect("groups");
    let found: Vec<_> =
        answer.rows().iter().map(|row| format!("{:?}", row.keys().collect::<Vec<_>>())).collect();
    let expected = keys.iter().map(|[kind, size]| {
        let cells = [("kind", Cell::Value(kind.as_ref())), ("size", Cell::Value(size.as_ref()))];
        format!("{cells:?}")
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// Queries of every form; none if a rule is broken.
fn any_query() -> impl Strategy<Value = Option<GroupQuery>> {
    let select = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
    let hours = "period=hour&start_at=9999-12-31T20:00:00Z&end_at=9999-12-31T23:59:59Z";
    let parts = [
        select(&["", MONTHS, hours, "period=year&start_at=9999-01-01T00:00:00Z&end_at=9999-12-31T00:00:00Z"]),
        select(&["", "&group_by=kind", "&group_by=kind&group_by=colour"]),
        select(&[
            "",
            "&collect=size",
            "&collect=size:sum",
            "&collect=size:mean&collect=size&collect=other:count",
        ]),
        select(&["", "&flatten=true"]),
        select(&["", "&limit=1", "&limit=5"]),
    ];
    let sort = select(&["", "_count", "kind", "size", "size:sum", "_group_count"]);
    let direction = select(&["ascending", "descending"]);
    (parts, sort, direction).prop_map(|(parts, sort, direction)| {
        let sort = if sort.is_empty() { String::new() } else { format!("&sort_by={sort}:{direction}") };
        let context = QueryContext { raw_queries_allowed: true, now: at("2014-06-18"), max_rows: 60 };
        let args = QueryArgs::parse(&format!("{}{sort}", parts.concat()));
        match args.and_then(|args| args.into_query(&context)) {
            Ok(Query::Groups(query)) => Some(query),
            Ok(Query::Records(_)) | Err(_) => None,
        }
    })
}

/// What an engine may find for a query, given some records: two keys, a number that says in which period
/// they are, and a value.
fn rows_of(query: &GroupQuery, records: &[(Value, Value, usize, Value)]) -> Vec<Row> {
    let starts: Vec<Timestamp> = query.window.iter().flat_map(Window::starts).collect();
    let mut rows: Vec<Row> = Vec::new();
    for (first, second, period, value) in records {
        let keys: Box<[Value]> = [first, second].into_iter().take(query.keys.len()).cloned().collect();
        if keys.iter().any(|key| key.as_ref().is_null()) {
            continue;
        }
        let start = starts.get(period % starts.len().max(1)).copied();
        let fields = query.collected_fields();
        let mut collected: Box<[Partial]> =
            fields.iter().map(|field| Partial::new(field.wants_set)).collect();
        for partial in &mut collected {
            partial.add(value.as_ref());
        }
        match rows.iter_mut().find(|row| row.keys == keys && row.start == start) {
            Some(row) => row.merge(&Row { keys, start, count: 1, collected }),
            None => rows.push(Row { keys, start, count: 1, collected }),
        }
    }
    rows
}

fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        20 => (-9_i64..9).prop_map(Value::Int),
        20 => (-9_i32..9).prop_map(|tenths| Value::Float(f64::from(tenths) / 10.0)),
        1 => any_value(),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_what_serde_writes(
        query in any_query(),
        records in prop::collection::vec((any_value(), any_value(), 0_usize..4, any_number()), 0..12),
    ) {
        let Some(query) = query else { return Ok(()) };
        let rows = rows_of(&query, &records);
        if let Ok(answer) = shape(&query, rows, &Interest::default()) {
            let json = written(&answer);
            prop_assert_eq!(&json, &serde_json::to_string(&answer).expect("JSON"));
            for until in [1, 50, 300] {
                prop_assert_eq!(in_pieces(&answer, until), json.as_str(), "in pieces of {}", until);
            }
            prop_assert!(json.len() as u64 <= answer.json_bytes(), "{} <= {}", json.len(), answer.json_bytes());
            let csv = crate::csv_export::groups(&answer).len() as u64;
            prop_assert!(csv <= answer.csv_bytes(), "{csv} <= {}", answer.csv_bytes());
            let shown = answer.rows().iter().map(|row| serde_json::to_string(&row).expect("JSON"));
            prop_assert_eq!(json, format!("[{}]", shown.collect::<Vec<_>>().join(",")));
        }
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_not_shaped() {
    let starts: Vec<Timestamp> =
        query(&format!("{MONTHS}&group_by=size")).window.expect("a window").starts().collect();
    for text in [
        "group_by=size",
        MONTHS,
        &format!("{MONTHS}&group_by=size"),
        &format!("{MONTHS}&group_by=size&flatten=true"),
    ] {
        let query = GroupQuery { max_rows: 10_000_000, ..query(text) };
        let row = |number: i64| Row {
            keys: query.keys.iter().map(|_| Value::Int(number)).collect(),
            start: query.window.map(|_| starts[usize::try_from(number).expect("a place") % starts.len()]),
            count: 1,
            collected: Box::default(),
        };
        let rows: Vec<Row> = (0..3 * 4096).map(row).collect();
        let whole = Interest::default();
        shape(&query, rows.clone(), &whole).expect("somebody waits");
        assert!(whole.looks() >= 4, "{text}: {} looks", whole.looks());
        for look in 1..=whole.looks() {
            let interest = Interest::lost_at(look);
            match shape(&query, rows.clone(), &interest) {
                Err(ShapeError::Unwanted(error)) => assert_eq!(error.kind(), StorageErrorKind::Unavailable),
                other => panic!("{text}: {other:?}"),
            }
            assert_eq!(interest.looks(), look, "nothing is done after that");
        }
    }
}
