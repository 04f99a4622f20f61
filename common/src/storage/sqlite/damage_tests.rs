//! Damaged copies of a database: every answer is right, or an error.

use std::fs;
use std::path::{Path, PathBuf};

use crate::audit::AuditFilter;
use crate::bucket::{BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::query::Query;
use crate::record::{Record, RecordId};
use crate::storage::conformance;
use crate::storage::{BucketSave, SqliteEngine, StorageEngine};
use crate::timestamp::Timestamp;
use crate::user::{GrantChange, User};
use crate::value::Value;

const RECORDS: i64 = 3000;
const PAGE: usize = 4096;

fn name(text: &str) -> BucketName {
    BucketName::parse(text).expect("a name")
}

/// Half of the records have ids that were sent, some are replaced, and none is in the order of time.
fn record(number: i64) -> Record {
    let minute = number.wrapping_mul(7919) % RECORDS;
    Record {
        id: (number % 2 == 0).then(|| RecordId::parse(&format!("id-{number:05}")).expect("an id")),
        timestamp: Timestamp::from_millis(1_400_000_000_000 + minute * 60_000),
        fields: vec![
            (
                "kind".into(),
                Value::from(["red", "green", "blue"][usize::try_from(number % 3).expect("0 to 2")]),
            ),
            ("size".into(), Value::Int(number % 97)),
            ("text".into(), Value::from(format!("some words about number {number}").as_str())),
        ],
    }
}

async fn database(path: &Path) {
    let engine = SqliteEngine::open(path).expect("a database");
    for bucket in ["foo", "other"] {
        let config = BucketConfig {
            data_group: Some(bucket.to_owned()),
            data_type: Some("type".to_owned()),
            ..BucketConfig::new(name(bucket))
        };
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let now = Timestamp::from_millis(1_500_000_000_000).expect("a time");
        for first in [0, RECORDS / 2, RECORDS / 4] {
            let records = (first..first + RECORDS / 2).map(record).collect();
            engine.store(&name(bucket), records, now).await.expect("stored");
        }
    }
    let user = User { email: "ann@example.org".to_owned(), buckets: vec![name("foo"), name("other")] };
    engine.save_users(vec![user]).await.expect("a user");
    engine.change_grants("ben@example.org", GrantChange::Grant(vec![name("foo")])).await.expect("another");
}

/// What some calls answer, each as a text or none for an error.
async fn answers(path: &Path) -> Vec<Option<String>> {
    let Ok(engine) = SqliteEngine::open(path) else { return vec![None; QUERIES.len() + 5] };
    let foo = name("foo");
    let mut answers = Vec::new();
    for text in QUERIES {
        answers.push(match conformance::parse_query(text, 10_000) {
            Query::Groups(query) => engine.aggregate(&foo, &query).await.ok().map(|rows| {
                let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
                rows.sort_unstable();
                rows.join("\n")
            }),
            Query::Records(query) => engine.find(&foo, &query).await.ok().and_then(|found| {
                let records: Option<Vec<_>> =
                    found.iter().map(|document| document.ok()?.to_record().ok()).collect();
                records.map(|records| format!("{records:?}"))
            }),
        });
    }
    let address = BucketAddress::DataType { data_group: "foo".to_owned(), data_type: "type".to_owned() };
    let filter = AuditFilter { limit: 9, ..AuditFilter::default() };
    answers.push(engine.bucket(&address).await.ok().map(|found| format!("{found:?}")));
    answers.push(engine.users().await.ok().map(|found| format!("{found:?}")));
    answers.push(engine.count(&foo).await.ok().map(|found| format!("{found:?}")));
    answers.push(engine.newest_timestamps().await.ok().map(|found| format!("{found:?}")));
    answers.push(engine.audit(&filter).await.ok().map(|found| format!("{found:?}")));
    answers
}

const QUERIES: [&str; 8] = [
    "limit=5",
    "filter_by=_id:id-00100",
    "sort_by=_timestamp:descending&limit=7",
    "start_at=2014-05-14T00:00:00Z&end_at=2014-05-14T01:00:00Z",
    "start_at=2014-05-13T00:00:00Z&end_at=2014-05-15T00:00:00Z&period=day",
    "group_by=kind&collect=size:sum",
    "filter_by=kind:red&sort_by=size:descending&limit=3",
    "",
];

/// A number for chance (`SplitMix64`), so that every run damages the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 20).expect("small enough") % end
    }
}

/// Damages a file in one of four ways.
fn damage(bytes: &mut [u8], case: usize, chance: &mut Chance) {
    let pages = bytes.len() / PAGE;
    match case % 4 {
        0 => bytes[chance.below(bytes.len())] ^= 1 << chance.below(8),
        1 => {
            let start = chance.below(bytes.len() - 16);
            (0..16).for_each(|place| bytes[start + place] = u8::try_from(chance.below(256)).expect("a byte"));
        }
        2 => bytes[chance.below(pages) * PAGE..][..PAGE].fill(0),
        _ => {
            let (one, other) = (chance.below(pages), chance.below(pages));
            (0..PAGE).for_each(|place| bytes.swap(one * PAGE + place, other * PAGE + place));
        }
    }
}

fn copy(folder: &Path, case: usize, bytes: &[u8]) -> PathBuf {
    let path = folder.join(format!("copy{case}.db"));
    fs::write(&path, bytes).expect("a copy");
    path
}

#[tokio::test]
async fn damage_is_never_answered_as_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backdrop.db");
    database(&path).await;
    let whole = fs::read(&path).expect("a file");
    let expected = answers(&copy(folder.path(), 0, &whole)).await;
    assert!(expected.iter().all(Option::is_some), "{expected:?}");
    let mut chance = Chance(11);
    let mut noticed = 0;
    for case in 1..=80 {
        let mut bytes = whole.clone();
        damage(&mut bytes, case, &mut chance);
        let path = copy(folder.path(), case, &bytes);
        let given = answers(&path).await;
        for (place, (given, expected)) in given.iter().zip(&expected).enumerate() {
            assert!(given.is_none() || given == expected, "copy {case}, answer {place}: {given:?}");
        }
        noticed += usize::from(given.iter().any(Option::is_none));
        fs::remove_file(path).expect("the copy");
    }
    // The rest is in what nobody asked for, and where nothing is.
    assert!(noticed > 30, "{noticed}");
}
