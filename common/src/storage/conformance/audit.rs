//! What a storage engine does with the audit log. Entries cannot be taken out of it again, so each
//! check asks for those of a person of its own.

use super::{at, name};
use crate::audit::{AuditAction, AuditEntry, AuditFilter, AuditLine, AuditPosition};
use crate::storage::StorageEngine;

pub(super) async fn suite(engine: &dyn StorageEngine) {
    an_entry_is_kept_whole(engine).await;
    filters_let_through_what_they_say(engine).await;
    the_log_is_read_page_by_page(engine).await;
    no_entry_of_many_at_once_is_lost(engine).await;
    entries_of_another_store_come_in_once(engine).await;
    a_taken_position_is_not_taken_again(engine).await;
}

fn entry(by: &str, at_time: &str, action: AuditAction, bucket: Option<&str>) -> AuditEntry {
    AuditEntry {
        at: at(at_time),
        by: format!("{by}@audit"),
        action,
        bucket: bucket.map(name),
        detail: "what was done".to_owned(),
        address: None,
        request_id: None,
    }
}

/// An entry that differs from others in its detail.
fn noted(by: &str, detail: &str) -> AuditEntry {
    AuditEntry { detail: detail.to_owned(), ..entry(by, "2014-01-01", AuditAction::Upload, None) }
}

fn of(by: &str) -> AuditFilter {
    AuditFilter { by: Some(format!("{by}@audit")), limit: 100, ..AuditFilter::default() }
}

async fn record(engine: &dyn StorageEngine, entry: &AuditEntry) {
    engine.record_audit(entry.clone()).await.expect("recorded");
}

async fn lines(engine: &dyn StorageEngine, filter: &AuditFilter) -> Vec<AuditLine> {
    let lines = engine.audit(filter).await.expect("entries");
    assert!(lines.is_sorted_by(|later, earlier| later.position > earlier.position), "the newest first");
    lines
}

/// The details of entries, the newest first.
async fn details(engine: &dyn StorageEngine, filter: &AuditFilter) -> String {
    let lines = lines(engine, filter).await;
    lines.iter().map(|line| line.entry.detail.as_str()).collect::<Vec<_>>().join(" ")
}

async fn an_entry_is_kept_whole(engine: &dyn StorageEngine) {
    for (number, action) in (0..).zip(AuditAction::ALL) {
        let bare = entry("whole", "2014-01-01T12:30:00.125", action, None);
        let full = AuditEntry {
            bucket: Some(name("audit.gone")),
            detail: format!("\"{number}\" é — \u{1f4a7}"),
            address: if number % 2 == 0 { "192.0.2.1" } else { "2001:db8::1" }.parse().ok(),
            request_id: Some("5b6c7d8e".to_owned()),
            ..bare.clone()
        };
        for entry in [bare, full] {
            record(engine, &entry).await;
            assert_eq!(lines(engine, &of("whole")).await[0].entry, entry);
        }
    }
    assert_eq!(lines(engine, &of("whole")).await.len(), AuditAction::ALL.len() * 2);
}

async fn filters_let_through_what_they_say(engine: &dyn StorageEngine) {
    let entries = [
        ("1", "2014-01-01T00:00:00", AuditAction::Grant, Some("audit.one")),
        ("2", "2014-01-01T00:00:00.001", AuditAction::Grant, Some("audit.two")),
        ("3", "2014-01-02T00:00:00", AuditAction::Revoke, Some("audit.one")),
        ("4", "2014-01-03T00:00:00", AuditAction::SignIn, None),
        ("5", "2013-12-31T00:00:00", AuditAction::Grant, Some("audit.one")),
    ];
    for (detail, time, action, bucket) in entries {
        let entry = AuditEntry { detail: detail.to_owned(), ..entry("filter", time, action, bucket) };
        record(engine, &entry).await;
    }
    let all = of("filter");
    let (action, bucket) = (Some(AuditAction::Grant), Some(name("audit.one")));
    let (from, to) = (Some(at("2014-01-01T00:00:00.001")), Some(at("2014-01-03")));
    let cases = [
        (all.clone(), "5 4 3 2 1"),
        (AuditFilter { action, ..all.clone() }, "5 2 1"),
        (AuditFilter { action: Some(AuditAction::Upload), ..all.clone() }, ""),
        (AuditFilter { bucket: bucket.clone(), ..all.clone() }, "5 3 1"),
        (AuditFilter { bucket: Some(name("audit.none")), ..all.clone() }, ""),
        (AuditFilter { from, ..all.clone() }, "4 3 2"),
        (AuditFilter { to, ..all.clone() }, "5 3 2 1"),
        (AuditFilter { from, to, ..all.clone() }, "3 2"),
        (AuditFilter { action, bucket: bucket.clone(), to, ..all.clone() }, "5 1"),
        (AuditFilter { limit: 2, ..all.clone() }, "5 4"),
        (AuditFilter { limit: 2, action, ..all.clone() }, "5 2"),
        (AuditFilter { limit: 0, ..all.clone() }, ""),
        (AuditFilter { limit: usize::MAX, ..all.clone() }, "5 4 3 2 1"),
        (AuditFilter { by: Some("Filter@audit".to_owned()), ..all.clone() }, ""),
        (AuditFilter { by: Some("filter".to_owned()), ..all.clone() }, ""),
        (AuditFilter { by: None, bucket: bucket.clone(), ..all }, "5 3 1"),
    ];
    for (filter, expected) in cases {
        assert_eq!(details(engine, &filter).await, expected, "{filter:?}");
    }
}

async fn the_log_is_read_page_by_page(engine: &dyn StorageEngine) {
    for detail in ["1", "2", "3", "4", "5"] {
        record(engine, &noted("page", detail)).await;
    }
    let mut filter = AuditFilter { limit: 2, ..of("page") };
    let mut pages = Vec::new();
    loop {
        let page = lines(engine, &filter).await;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.position);
        pages.push(page.iter().map(|line| line.entry.detail.clone()).collect::<String>());
        // What comes in meanwhile is on no later page.
        record(engine, &noted("page", "new")).await;
    }
    assert_eq!(pages, ["54", "32", "1"]);
    let filter =
        AuditFilter { before: Some(AuditPosition(0)), ..AuditFilter { limit: 5, ..AuditFilter::default() } };
    assert_eq!(lines(engine, &filter).await, []);
}

async fn no_entry_of_many_at_once_is_lost(engine: &dyn StorageEngine) {
    let entries: Vec<AuditEntry> = (0..12).map(|number| noted("many", &number.to_string())).collect();
    let recorded = entries.iter().map(|entry| engine.record_audit(entry.clone()));
    for done in rocket::futures::future::join_all(recorded).await {
        done.expect("recorded");
    }
    assert_eq!(lines(engine, &of("many")).await.len(), entries.len());
}

async fn entries_of_another_store_come_in_once(engine: &dyn StorageEngine) {
    let line =
        |position, detail| AuditLine { position: AuditPosition(position), entry: noted("moved", detail) };
    // Long ago, as no entry of this suite is.
    let moved = [line(1003, "third"), line(1002, "second"), line(1001, "first")];
    for _ in 0..2 {
        engine.restore_audit(moved.to_vec()).await.expect("restored");
        assert_eq!(lines(engine, &of("moved")).await, moved);
    }
    engine.restore_audit(Vec::new()).await.expect("nothing to restore");
    record(engine, &noted("moved", "later")).await;
    assert_eq!(details(engine, &of("moved")).await, "later third second first");
}

async fn a_taken_position_is_not_taken_again(engine: &dyn StorageEngine) {
    let line =
        |position, detail| AuditLine { position: AuditPosition(position), entry: noted("taken", detail) };
    let there = [line(2002, "there.2"), line(2001, "there.1")];
    engine.restore_audit(there.to_vec()).await.expect("restored");
    let moved = vec![line(2001, "moved.1"), line(2003, "moved.3"), line(2005, "moved.5")];
    for _ in 0..2 {
        engine.restore_audit(moved.clone()).await.expect("restored");
        let all = details(engine, &of("taken")).await;
        assert!(
            ["moved.5 moved.3 moved.1 there.2 there.1", "moved.5 moved.1 moved.3 there.2 there.1"]
                .contains(&all.as_str()),
            "{all}"
        );
        assert_eq!(lines(engine, &of("taken")).await[0].position, AuditPosition(2005));
    }
}
