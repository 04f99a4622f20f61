//! What a storage engine answers to queries.

use super::{TestBucket, at};
use crate::storage::{StorageEngine, StorageErrorKind};

pub(super) async fn suite(engine: &dyn StorageEngine) {
    filters_match_values(engine).await;
    filters_match_times(engine).await;
    a_range_has_its_start_and_not_its_end(engine).await;
    records_are_sorted_by_type_then_value(engine).await;
    records_are_sorted_by_time(engine).await;
    a_limit_keeps_the_first(engine).await;
    groups_are_by_keys(engine).await;
    groups_are_by_period(engine).await;
    whole_numbers_are_one_group(engine).await;
    groups_are_of_what_is_selected(engine).await;
    collected_values_are_counted_added_and_gathered(engine).await;
    a_query_may_have_too_many_rows(engine).await;
    sets_may_have_too_many_members(engine).await;
}

/// Asks each query and compares the ids of what it finds.
async fn check_ids(bucket: &TestBucket<'_>, cases: &[(&str, &str)]) {
    for (query, ids) in cases {
        assert_eq!(bucket.ids(query).await, *ids, "{query}");
    }
}

/// Asks each query and compares its rows, which are sorted as text.
async fn check_rows(bucket: &TestBucket<'_>, cases: &[(&str, &[&str])]) {
    for (query, rows) in cases {
        assert_eq!(bucket.rows(query).await, *rows, "{query}");
    }
}

async fn filters_match_values(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "filter.values").await;
    bucket
        .store(
            r#"[{"_id": "int", "value": 1, "kind": "number"}, {"_id": "float", "value": 1.0, "kind": "number"},
                {"_id": "half", "value": 1.5, "kind": "number"}, {"_id": "large", "value": 9007199254740993},
                {"_id": "text", "value": "1"}, {"_id": "word", "value": "o_e"}, {"_id": "words", "value": "one%*"},
                {"_id": "blank", "value": ""}, {"_id": "yes", "value": true}, {"_id": "no", "value": false},
                {"_id": "null", "value": null}, {"_id": "none"}]"#,
        )
        .await;
    let cases = [
        ("filter_by=value:1", "float int text"),
        ("filter_by=value:1.0", "float int"),
        ("filter_by=value:1.5", "half"),
        ("filter_by=value:9007199254740993", "large"),
        ("filter_by=value:9007199254740992", ""),
        ("filter_by=value:o_e", "word"),
        ("filter_by=value:O_E", ""),
        ("filter_by=value:o", ""),
        ("filter_by=value:", "blank"),
        ("filter_by=value:true", "yes"),
        ("filter_by=value:false", "no"),
        ("filter_by=value:null", ""),
        ("filter_by=nowhere:1", ""),
        ("filter_by=value:1.5&filter_by=value:true&filter_by=value:absent", "half yes"),
        (
            "filter_by=value:1&filter_by=value:true&filter_by=value:o_e&filter_by=value:absent&filter_by=value:2&\
             filter_by=value:&filter_by=value:null",
            "blank float int text word yes",
        ),
        ("filter_by=value:1&filter_by=kind:number", "float int"),
        ("filter_by=value:1&filter_by=value:1.5&filter_by=kind:number", "float half int"),
        ("filter_by=value:1&filter_by=kind:other", ""),
        ("filter_by=_id:int", "int"),
        ("filter_by=_id:int&filter_by=_id:no&filter_by=_id:absent", "int no"),
        ("filter_by=_id:int&filter_by=value:1", "int"),
        ("filter_by=_id:int&filter_by=value:2", ""),
        ("filter_by=_id:true", ""),
        ("filter_by_prefix=value:o", "word words"),
        ("filter_by_prefix=value:o_", "word"),
        ("filter_by_prefix=value:one%25", "words"),
        ("filter_by_prefix=value:o.", ""),
        ("filter_by_prefix=value:%25", ""),
        ("filter_by_prefix=value:O", ""),
        ("filter_by_prefix=value:1", "text"),
        ("filter_by_prefix=value:t", ""),
        ("filter_by_prefix=value:", "blank text word words"),
        ("filter_by_prefix=value:o_&filter_by_prefix=value:1", "text word"),
        ("filter_by_prefix=value:o&filter_by_prefix=kind:n", ""),
        ("filter_by_prefix=_id:n", "no none null"),
    ];
    check_ids(&bucket, &cases).await;
}

async fn filters_match_times(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "filter.times").await;
    bucket
        .store_at(
            r#"[{"_id": "mon", "_timestamp": "2014-03-31T10:30:00Z", "_start_at": "2014-01-01"},
                {"_id": "tue", "_timestamp": "2014-04-01T10:30:00.5Z", "kind": "2014-03-31T10:30:00Z"},
                {"_id": "sun", "_timestamp": "2014-04-06T23:59:59.999Z", "_end_at": "2014-01-01"}]"#,
            at("2020-01-01"),
        )
        .await;
    bucket.store_at(r#"{"_id": "undated"}"#, at("2020-01-02")).await;
    let cases = [
        ("filter_by=_timestamp:2014-03-31T10:30:00Z", "mon"),
        ("filter_by=_timestamp:2014-03-31T12:30:00%2B02:00", "mon"),
        ("filter_by=_timestamp:2014-03-31", ""),
        ("filter_by=_timestamp:2014-04-01T10:30:00Z", ""),
        ("filter_by=_start_at:2014-01-01T00:00:00Z", "mon"),
        ("filter_by=_end_at:2014-01-01T00:00:00Z", "sun"),
        ("filter_by=kind:2014-03-31T10:30:00Z", "tue"),
        ("filter_by=_updated_at:2020-01-01T00:00:00Z", "mon sun tue"),
        ("filter_by=_updated_at:2020-01-02T00:00:00Z", "undated"),
        ("filter_by=_hour_start_at:2014-03-31T10:00:00Z", "mon"),
        ("filter_by=_day_start_at:2014-04-06T00:00:00Z", "sun"),
        ("filter_by=_week_start_at:2014-03-31T00:00:00Z", "mon sun tue"),
        ("filter_by=_week_start_at:2014-04-07T00:00:00Z", ""),
        ("filter_by=_month_start_at:2014-04-01T00:00:00Z", "sun tue"),
        ("filter_by=_quarter_start_at:2014-01-01T00:00:00Z", "mon"),
        ("filter_by=_year_start_at:2014-01-01T00:00:00Z", "mon sun tue"),
        (
            "filter_by=_week_start_at:2014-03-31T00:00:00Z&filter_by=_month_start_at:2014-04-01T00:00:00Z",
            "sun tue",
        ),
        ("filter_by_prefix=_timestamp:2014", ""),
        ("filter_by_prefix=_week_start_at:2014", ""),
    ];
    check_ids(&bucket, &cases).await;
}

async fn a_range_has_its_start_and_not_its_end(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "range").await;
    bucket
        .store(
            r#"[{"_id": "first", "_timestamp": "2014-01-01"}, {"_id": "inside", "_timestamp": "2014-01-15T06:00"},
                {"_id": "before", "_timestamp": "2014-01-31T23:59:59.999Z"},
                {"_id": "end", "_timestamp": "2014-02-01"}, {"_id": "after", "_timestamp": "2014-02-01T00:00:00.001Z"},
                {"_id": "undated"}, {"_id": "old", "_timestamp": "1969-12-31T23:59:59Z"}]"#,
        )
        .await;
    let cases = [
        ("", "after before end first inside old undated"),
        ("start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z", "before first inside"),
        (
            "start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z&inclusive=true",
            "before end first inside",
        ),
        ("start_at=2014-01-01T00:00:01Z&end_at=2014-02-01T00:00:00Z", "before inside"),
        ("start_at=2014-01-01T01:00:00%2B01:00&end_at=2014-01-02T00:00:00Z", "first"),
        ("start_at=2014-01-01T00:00:00Z&end_at=2014-01-01T00:00:00Z", ""),
        ("start_at=2014-01-01T00:00:00Z&end_at=2014-01-01T00:00:00Z&inclusive=true", "first"),
        ("start_at=2014-02-01T00:00:00Z&end_at=2014-01-01T00:00:00Z", ""),
        ("start_at=0001-01-01T00:00:00Z&end_at=9999-12-31T23:59:59Z", "after before end first inside old"),
        ("start_at=2014-01-01T00:00:00Z&end_at=2015-01-01T00:00:00Z&filter_by=_id:end", "end"),
        ("start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z&filter_by=_id:end", ""),
    ];
    check_ids(&bucket, &cases).await;
}

async fn records_are_sorted_by_type_then_value(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "sorted").await;
    bucket
        .store(
            r#"[{"_id": "tt", "value": true}, {"_id": "bb", "value": "b"}, {"_id": "null", "value": null},
                {"_id": "two", "value": 2}, {"_id": "ff", "value": false}, {"_id": "one", "value": 1},
                {"_id": "none"}, {"_id": "float", "value": 1.0}, {"_id": "minus", "value": -1.5},
                {"_id": "digit", "value": "10"}, {"_id": "BB", "value": "B"}, {"_id": "null2", "value": null},
                {"_id": "uno", "value": 1}]"#,
        )
        .await;
    let cases = [
        ("sort_by=value:ascending", "null none null2 minus one float uno two digit BB bb ff tt"),
        ("sort_by=value:descending", "tt ff bb BB digit two one float uno minus null none null2"),
        ("sort_by=nowhere:descending&filter_by=value:1", "one float uno"),
        ("sort_by=_id:descending&filter_by=value:1", "uno one float"),
        ("sort_by=_id:ascending&filter_by=value:1", "float one uno"),
    ];
    check_ids(&bucket, &cases).await;
    bucket.store(r#"{"_id": "one", "value": 1}"#).await;
    let cases = [
        ("sort_by=value:ascending&filter_by=value:1", "float uno one"),
        ("sort_by=value:descending&filter_by=value:1", "float uno one"),
    ];
    check_ids(&bucket, &cases).await;
}

async fn records_are_sorted_by_time(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "sorted.times").await;
    bucket
        .store_at(
            r#"[{"_id": "may", "_timestamp": "2014-05-20"}, {"_id": "undated"},
                {"_id": "jan", "_timestamp": "2014-01-20"}, {"_id": "may2", "_timestamp": "2014-05-20"}]"#,
            at("2020-01-02"),
        )
        .await;
    bucket
        .store_at(
            r#"[{"_id": "may1", "_timestamp": "2014-05-19"}, {"_id": "jan2", "_timestamp": "2014-01-20"},
                {"_id": "undated2"}, {"_id": "old", "_timestamp": "1960-01-01"}]"#,
            at("2020-01-01"),
        )
        .await;
    let cases = [
        ("sort_by=_timestamp:ascending", "undated undated2 old jan jan2 may1 may may2"),
        ("sort_by=_timestamp:descending", "may may2 may1 jan jan2 old undated undated2"),
        ("sort_by=_timestamp:descending&limit=3", "may may2 may1"),
        ("sort_by=_timestamp:ascending&limit=3&filter_by_prefix=_id:may", "may1 may may2"),
        (
            "sort_by=_timestamp:descending&start_at=2014-01-01T00:00:00Z&end_at=2014-05-20T00:00:00Z",
            "may1 jan jan2",
        ),
        ("sort_by=_month_start_at:descending", "may may2 may1 jan jan2 old undated undated2"),
        ("sort_by=_year_start_at:ascending", "undated undated2 old may jan may2 may1 jan2"),
        ("sort_by=_updated_at:ascending", "may1 jan2 undated2 old may undated jan may2"),
    ];
    check_ids(&bucket, &cases).await;
}

async fn a_limit_keeps_the_first(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "limited").await;
    // More than an engine that sorts now and then keeps at once.
    let record = |number: usize| format!(r#"{{"_id": "r{number}", "size": {}}}"#, number * 7 % 3000);
    let json: Vec<_> = (0..3000).map(record).collect();
    bucket.store(&format!("[{}]", json.join(","))).await;
    let sizes = |query: String| {
        let bucket = &bucket;
        async move {
            let found = bucket.find(&query).await;
            found.iter().filter_map(|record| record["size"].as_i64()).collect::<Vec<_>>()
        }
    };
    assert_eq!(sizes("sort_by=size:ascending&limit=3".to_owned()).await, [0, 1, 2]);
    assert_eq!(sizes("sort_by=size:descending&limit=3".to_owned()).await, [2999, 2998, 2997]);
    let all: Vec<i64> = (0..3000).collect();
    for (limit, len) in [(0, 3000), (1, 1), (2999, 2999), (3000, 3000), (9999, 3000)] {
        assert_eq!(sizes(format!("limit={limit}")).await.len(), len, "{limit}");
        assert_eq!(sizes(format!("limit={limit}&sort_by=size:ascending")).await, all[..len]);
    }
    assert_eq!(sizes("limit=2&filter_by_prefix=_id:r299".to_owned()).await.len(), 2);
    let huge = format!("sort_by=size:ascending&limit={}", usize::MAX);
    assert_eq!(sizes(huge).await.len(), 3000);
}

async fn groups_are_by_keys(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "keys").await;
    assert_eq!(bucket.rows("group_by=kind").await, [""; 0], "an empty bucket has no groups");
    bucket
        .store(
            r#"[{"kind": "a", "size": 1, "open": true}, {"kind": "b", "size": 1}, {"kind": "a", "size": 1},
                {"kind": "a", "size": "1"}, {"kind": "a", "size": true}, {"kind": null, "size": 1}, {"size": 1},
                {"kind": "a", "size": null}, {"kind": "", "size": 1.5}, {"kind": "A"}, {}]"#,
        )
        .await;
    let cases: [(&str, &[&str]); 5] = [
        ("group_by=kind", &[r#"[""] 1"#, r#"["A"] 1"#, r#"["a"] 5"#, r#"["b"] 1"#]),
        ("group_by=size", &[r#"["1"] 1"#, "[1.5] 1", "[1] 5", "[true] 1"]),
        (
            "group_by=kind&group_by=size",
            &[r#"["",1.5] 1"#, r#"["a","1"] 1"#, r#"["a",1] 2"#, r#"["a",true] 1"#, r#"["b",1] 1"#],
        ),
        (
            "group_by=size&group_by=kind",
            &[r#"["1","a"] 1"#, r#"[1,"a"] 2"#, r#"[1,"b"] 1"#, r#"[1.5,""] 1"#, r#"[true,"a"] 1"#],
        ),
        ("group_by=nowhere", &[]),
    ];
    check_rows(&bucket, &cases).await;
    let rows = bucket.rows("group_by=kind&sort_by=_count:descending&limit=1").await;
    assert!(rows.contains(&r#"["a"] 5"#.to_owned()), "what the limit keeps is there, if nothing else");
}

async fn groups_are_by_period(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "periods").await;
    bucket
        .store(
            r#"[{"_timestamp": "2013-12-31T23:59:59.999Z", "kind": "a"}, {"_timestamp": "2014-01-01", "kind": "a"},
                {"_timestamp": "2014-01-06T05:30:00Z", "kind": "b"}, {"_timestamp": "2014-01-06T05:59:59Z", "kind": "a"},
                {"_timestamp": "2014-02-28T23:00:00Z"}, {"_timestamp": "2014-04-01T00:00:00Z", "kind": "a"},
                {"kind": "a"}]"#,
        )
        .await;
    let quarter = "start_at=2014-01-01T00:00:00Z&end_at=2014-04-01T00:00:00Z";
    let asked = |rest: &str| format!("{quarter}&{rest}");
    check_rows(
        &bucket,
        &[
            (&asked("period=year"), &["[] 2014-01-01 4"]),
            (&asked("period=quarter"), &["[] 2014-01-01 4"]),
            (&asked("period=month"), &["[] 2014-01-01 3", "[] 2014-02-01 1"]),
            (&asked("period=week"), &["[] 2013-12-30 1", "[] 2014-01-06 2", "[] 2014-02-24 1"]),
            (&asked("period=day"), &["[] 2014-01-01 1", "[] 2014-01-06 2", "[] 2014-02-28 1"]),
            (
                "period=hour&start_at=2014-01-06T05:00:00Z&end_at=2014-01-06T07:00:00Z",
                &["[] 2014-01-06T05:00:00+00:00 2"],
            ),
            (&asked("period=month&group_by=kind"), &[r#"["a"] 2014-01-01 2"#, r#"["b"] 2014-01-01 1"#]),
            (&asked("group_by=kind"), &[r#"["a"] 2"#, r#"["b"] 1"#]),
            // An end on a boundary adds no period.
            (&asked("period=month&inclusive=true"), &["[] 2014-01-01 3", "[] 2014-02-01 1"]),
            (&asked("group_by=kind&inclusive=true"), &[r#"["a"] 3"#, r#"["b"] 1"#]),
            // Off the boundaries only what is inside the span counts.
            (
                "period=month&start_at=2014-01-06T05:45:00Z&end_at=2014-02-28T23:00:00Z&inclusive=true",
                &["[] 2014-01-01 1", "[] 2014-02-01 1"],
            ),
            (
                "period=month&duration=2&start_at=2014-01-31T00:00:00Z",
                &["[] 2014-01-01 3", "[] 2014-02-01 1"],
            ),
            (
                "period=month&duration=3&end_at=2014-03-15T00:00:00Z",
                &["[] 2013-12-01 1", "[] 2014-01-01 3", "[] 2014-02-01 1"],
            ),
            ("period=quarter&duration=1", &["[] 2014-01-01 4"]),
            ("period=month&start_at=2014-04-01T00:00:00Z&end_at=2014-01-01T00:00:00Z", &[]),
            ("period=month&start_at=2010-01-01T00:00:00Z&end_at=2010-04-01T00:00:00Z", &[]),
        ],
    )
    .await;
}

async fn whole_numbers_are_one_group(engine: &dyn StorageEngine) {
    let records = [
        r#"{"_timestamp": "2014-01-01", "size": 1, "part": 3}"#,
        r#"{"_timestamp": "2014-01-01", "size": 1.0, "part": 3.0}"#,
        r#"{"_timestamp": "2014-01-01", "size": "1", "part": "3"}"#,
    ];
    for (bucket, order) in [("whole.first", [0, 1, 2]), ("whole.last", [2, 1, 0])] {
        let bucket = TestBucket::new(engine, bucket).await;
        for place in order {
            bucket.store(records[place]).await;
        }
        let month = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z";
        check_rows(
            &bucket,
            &[
                (
                    "group_by=size&collect=part&collect=part:count&collect=part:sum",
                    &[r#"["1"] 1 1//["3"]"#, "[1] 2 2/6.0/[3]"],
                ),
                ("group_by=size&collect=part", &[r#"["1"] 1 //["3"]"#, "[1] 2 //[3]"]),
                (&format!("group_by=size&{month}"), &[r#"["1"] 2014-01-01 1"#, "[1] 2014-01-01 2"]),
                ("group_by=size&filter_by=size:1.0", &["[1] 2"]),
            ],
        )
        .await;
    }
}

async fn groups_are_of_what_is_selected(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "selected").await;
    bucket
        .store(
            r#"[{"_id": "aa", "_timestamp": "2014-01-01", "kind": "a", "size": 1},
                {"_id": "bb", "_timestamp": "2014-01-02", "kind": "b", "size": 2},
                {"_id": "cc", "_timestamp": "2014-02-01", "kind": "a", "size": 3},
                {"_id": "dd", "kind": "a", "size": 4}]"#,
        )
        .await;
    let year = "period=year&start_at=2014-01-01T00:00:00Z&end_at=2015-01-01T00:00:00Z";
    let asked = |rest: &str| format!("{year}&{rest}");
    check_rows(
        &bucket,
        &[
            ("group_by=kind&filter_by=size:1&filter_by=size:4", &[r#"["a"] 2"#]),
            ("group_by=kind&filter_by=kind:b", &[r#"["b"] 1"#]),
            ("group_by=kind&filter_by=_id:dd", &[r#"["a"] 1"#]),
            ("group_by=kind&filter_by_prefix=kind:a&collect=size:sum", &[r#"["a"] 3 /8/"#]),
            ("group_by=kind&filter_by=_month_start_at:2014-01-01T00:00:00Z", &[r#"["a"] 1"#, r#"["b"] 1"#]),
            (&asked(""), &["[] 2014-01-01 3"]),
            (&asked("filter_by=kind:a"), &["[] 2014-01-01 2"]),
            (&asked("filter_by=_id:bb"), &["[] 2014-01-01 1"]),
            (&asked("filter_by=_id:dd"), &[]),
            (&asked("filter_by=_month_start_at:2014-02-01T00:00:00Z"), &["[] 2014-01-01 1"]),
            (&asked("filter_by=_timestamp:2014-01-02T00:00:00Z&collect=size"), &["[] 2014-01-01 1 //[2]"]),
            (&asked("filter_by=kind:absent"), &[]),
        ],
    )
    .await;
}

async fn collected_values_are_counted_added_and_gathered(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "collected").await;
    bucket
        .store(
            r#"[{"kind": "ints", "value": 3}, {"kind": "ints", "value": -1}, {"kind": "ints", "value": 3},
                {"kind": "floats", "value": 0.5}, {"kind": "floats", "value": 2},
                {"kind": "missing"}, {"kind": "missing", "value": 7}, {"kind": "nothing"},
                {"kind": "null", "value": null}, {"kind": "null", "value": 7},
                {"kind": "mixed", "value": "x"}, {"kind": "mixed", "value": true}, {"kind": "mixed", "value": 1},
                {"kind": "large", "value": 9223372036854775807}, {"kind": "large", "value": 1}]"#,
        )
        .await;
    check_rows(
        &bucket,
        &[
            (
                "group_by=kind&collect=value&collect=value:sum&collect=value:count",
                &[
                    r#"["floats"] 2 2/2.5/[0.5,2]"#,
                    r#"["ints"] 3 3/5/[-1,3]"#,
                    r#"["large"] 2 2/9.223372036854776e+18/[1,9223372036854775807]"#,
                    r#"["missing"] 2 1/7/[7]"#,
                    r#"["mixed"] 3 3//[1,"x",true]"#,
                    r#"["nothing"] 1 0/0/[]"#,
                    r#"["null"] 2 2//[null,7]"#,
                ],
            ),
            ("group_by=kind&collect=value:sum&filter_by=kind:ints", &[r#"["ints"] 3 /5/"#]),
            ("group_by=kind&collect=value:mean&filter_by=kind:ints", &[r#"["ints"] 3 /5/"#]),
            (
                "group_by=kind&collect=value:sum&collect=value:set&filter_by=kind:ints",
                &[r#"["ints"] 3 /5/[-1,3]"#],
            ),
            (
                "group_by=kind&collect=nowhere&collect=value:count&filter_by=kind:ints",
                &[r#"["ints"] 3 //[] 3//"#],
            ),
            ("group_by=value&collect=kind:set&filter_by=value:7", &[r#"[7] 2 //["missing","null"]"#]),
        ],
    )
    .await;
}

async fn a_query_may_have_too_many_rows(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "many").await;
    bucket
        .store(
            r#"[{"_timestamp": "2014-01-01", "kind": "a"}, {"_timestamp": "2014-02-01", "kind": "a"},
                {"_timestamp": "2014-02-01", "kind": "b"}, {"_timestamp": "2014-02-01", "kind": "b"},
                {"_timestamp": "2014-02-01", "kind": null}]"#,
        )
        .await;
    let months = "group_by=kind&period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
    for (query, rows) in [("group_by=kind", 2), (months, 3)] {
        let found = bucket.aggregate(query, rows).await.expect("as many rows as are allowed");
        assert_eq!(found.len(), rows, "{query}");
        let refused = bucket.aggregate(query, rows - 1).await.expect_err("too many rows");
        assert_eq!(refused.kind(), StorageErrorKind::TooManyRows, "{query}");
        // An engine that limits groups by itself never has too many of them.
        match bucket.aggregate(&format!("{query}&limit=1"), rows - 1).await {
            Ok(limited) => assert_eq!(limited.len(), 1, "{query}"),
            Err(refused) => assert_eq!(refused.kind(), StorageErrorKind::TooManyRows, "{query}"),
        }
    }
}

async fn sets_may_have_too_many_members(engine: &dyn StorageEngine) {
    let bucket = TestBucket::new(engine, "many.members").await;
    bucket
        .store(
            r#"[{"_timestamp": "2014-01-01", "kind": "a", "size": 1, "name": "x"},
                {"_timestamp": "2014-01-01", "kind": "a", "size": 1.0, "name": "x"},
                {"_timestamp": "2014-02-01", "kind": "a", "size": 2, "name": "y"},
                {"_timestamp": "2014-02-01", "kind": "b", "size": null, "name": "z"}]"#,
        )
        .await;
    let months = "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z";
    for (query, members) in [
        ("group_by=kind&collect=size:set", 3),
        ("group_by=kind&collect=name", 3),
        ("group_by=kind&collect=name&collect=size", 6),
        (&format!("{months}&collect=name:set"), 3),
        (&format!("{months}&group_by=kind&collect=name:set"), 3),
        (&format!("{months}&group_by=kind&flatten=true&collect=size:set"), 3),
    ] {
        bucket.aggregate(query, members).await.expect("as many members as are allowed");
        let refused = bucket.aggregate(query, members.div_ceil(2)).await.expect_err("too many members");
        assert_eq!(refused.kind(), StorageErrorKind::TooManyRows, "{query}");
    }
    let refused = bucket.aggregate("group_by=kind&collect=name:set", 2).await.expect_err("too many members");
    assert_eq!(
        refused.to_string(),
        "'collect' would list more than 2 distinct values in its sets; narrow the query, or count values (as in \
         collect=authority:count)"
    );
}
