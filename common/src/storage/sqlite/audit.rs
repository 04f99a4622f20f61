//! The audit log: a row for each entry, under its position.

use std::net::IpAddr;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};

use super::census;
use super::sums::{self, RowSum};
use crate::audit::{AuditAction, AuditEntry, AuditFilter, AuditLine, AuditPosition};
use crate::bucket::BucketName;
use crate::storage::StorageError;
use crate::storage::document::damaged;
use crate::timestamp::Timestamp;

pub(super) const COLUMNS: &str = "position, at, who, action, bucket, detail, address, request_id, sum";

/// Adds an entry after all others.
pub(super) fn record(transaction: &Transaction<'_>, entry: &AuditEntry) -> Result<(), StorageError> {
    let last: Option<i64> =
        transaction.prepare_cached("SELECT max(position) FROM audit")?.query_row([], |row| row.get(0))?;
    insert(transaction, AuditPosition::after(last.map(AuditPosition), entry.at), entry)
}

/// Adds entries of another store, those excepted that are there.
pub(super) fn restore(transaction: &Transaction<'_>, lines: &[AuditLine]) -> Result<(), StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE position = ?1");
    let mut statement = transaction.prepare_cached(&sql)?;
    for AuditLine { position, entry } in lines {
        let mut place = *position;
        loop {
            match statement.query_row([place.0], |row| Ok(parse(row))).optional()?.transpose()? {
                None => break insert(transaction, place, entry)?,
                // Of an action that is not known here, it is no entry of these.
                Some(Some(there)) if there.entry == *entry => break,
                Some(_) => place = place.next(),
            }
        }
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    position: AuditPosition,
    entry: &AuditEntry,
) -> Result<(), StorageError> {
    // Taken apart, so that a new part is not forgotten here.
    let AuditEntry { at, by, action, bucket, detail, address, request_id } = entry;
    let sql = format!("INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let address = address.map(|address| address.to_string());
    let row = AuditRow {
        position: position.0,
        at: at.millis(),
        who: by,
        action: action.name(),
        bucket: bucket.as_ref().map(BucketName::as_str),
        detail,
        address: address.as_deref(),
        request_id: request_id.as_deref(),
    };
    let sum = row.sum();
    transaction.prepare_cached(&sql)?.execute(params![
        row.position,
        row.at,
        row.who,
        row.action,
        row.bucket,
        row.detail,
        row.address,
        row.request_id,
        sum
    ])?;
    census::change(transaction, |census| {
        census.entries += 1;
        census.entry_sums = census.entry_sums.wrapping_add(sum);
    })
}

/// An entry as its row has it.
struct AuditRow<'a> {
    position: i64,
    at: i64,
    who: &'a str,
    action: &'a str,
    bucket: Option<&'a str>,
    detail: &'a str,
    address: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl AuditRow<'_> {
    fn sum(&self) -> i64 {
        let Self { position, at, who, action, bucket, detail, address, request_id } = *self;
        let sum = RowSum::default().number(Some(position)).number(Some(at)).text(Some(who));
        let sum = sum.text(Some(action)).text(bucket).text(Some(detail));
        sum.text(address).text(request_id).stored()
    }
}

/// The checksum that the row of an entry should have, and the one that it has.
pub(super) fn sums_of(row: &Row<'_>) -> Result<(i64, i64), StorageError> {
    let text = |column| -> Result<Option<&str>, StorageError> {
        row.get_ref(column)?.as_str_or_null().map_err(damaged)
    };
    let present = |column| text(column)?.ok_or_else(|| damaged("a part of it is missing"));
    let computed = AuditRow {
        position: row.get("position")?,
        at: row.get("at")?,
        who: present("who")?,
        action: present("action")?,
        bucket: text("bucket")?,
        detail: present("detail")?,
        address: text("address")?,
        request_id: text("request_id")?,
    };
    Ok((computed.sum(), row.get("sum")?))
}

/// The entries that a filter lets through, the newest first.
pub(super) fn find(connection: &Connection, filter: &AuditFilter) -> Result<Vec<AuditLine>, StorageError> {
    let (sql, params) = statement(filter);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut lines = Vec::new();
    while lines.len() < filter.limit
        && let Some(row) = rows.next()?
    {
        lines.extend(parse(row)?);
    }
    Ok(lines)
}

/// Not limited, since what is left out of the answer does not count.
fn statement(filter: &AuditFilter) -> (String, Vec<SqlValue>) {
    let AuditFilter { by, action, bucket, from, to, before, limit: _ } = filter;
    let text = |text: &str| SqlValue::from(text.to_owned());
    let conditions = [
        ("who = ?", by.as_deref().map(text)),
        ("action = ?", action.map(|action| text(action.name()))),
        ("bucket = ?", bucket.as_ref().map(|bucket| text(bucket.as_str()))),
        ("at >= ?", from.map(|from| from.millis().into())),
        ("at < ?", to.map(|to| to.millis().into())),
        ("position < ?", before.map(|before| before.0.into())),
    ];
    let (conditions, params): (Vec<_>, Vec<_>) =
        conditions.into_iter().filter_map(|(condition, param)| Some((condition, param?))).unzip();
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    (format!("SELECT {COLUMNS} FROM audit{filter} ORDER BY position DESC"), params)
}

/// The entry of a row; none if it is of an action of a newer version.
fn parse(row: &Row<'_>) -> Result<Option<AuditLine>, StorageError> {
    let (computed, stored) = sums_of(row)?;
    if computed != stored {
        return Err(sums::damaged("an entry of the audit log"));
    }
    let Some(action) = AuditAction::parse(row.get_ref("action")?.as_str().map_err(damaged)?) else {
        return Ok(None);
    };
    let (bucket, address): (Option<String>, Option<String>) = (row.get("bucket")?, row.get("address")?);
    let entry = AuditEntry {
        at: Timestamp::from_millis(row.get("at")?).ok_or_else(|| damaged("a time out of range"))?,
        by: row.get("who")?,
        action,
        bucket: bucket.map(|name| BucketName::parse(&name)).transpose().map_err(damaged)?,
        detail: row.get("detail")?,
        address: address.map(|address| address.parse::<IpAddr>()).transpose().map_err(damaged)?,
        request_id: row.get("request_id")?,
    };
    Ok(Some(AuditLine { position: AuditPosition(row.get("position")?), entry }))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::storage::sqlite::connections::in_new_database;

    fn plan(connection: &Connection, filter: &AuditFilter) -> String {
        let (sql, params) = statement(filter);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
        let steps = statement.query_map(params_from_iter(params), |row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.expect("a plan").map(|step| step.expect("a step")).collect();
        steps.join("; ")
    }

    /// None of them sorts: a scan is from the newest on, and ends with the limit.
    #[test]
    fn how_entries_are_found() {
        let by = Some("ann@example.org".to_owned());
        let before = Some(AuditPosition(9));
        let bucket = BucketName::parse("foo").ok();
        let plans = in_new_database(|connection| {
            Ok([
                AuditFilter::default(),
                AuditFilter { before, ..AuditFilter::default() },
                AuditFilter { by: by.clone(), before, ..AuditFilter::default() },
                AuditFilter { bucket, before, ..AuditFilter::default() },
                AuditFilter { action: Some(AuditAction::Upload), ..AuditFilter::default() },
                AuditFilter {
                    by,
                    from: Some(Timestamp::MIN),
                    to: Some(Timestamp::MAX),
                    ..AuditFilter::default()
                },
                AuditFilter { to: Some(Timestamp::MAX), ..AuditFilter::default() },
            ]
            .map(|filter| plan(connection, &filter))
            .join("\n"))
        });
        assert_snapshot!(plans.expect("plans"), @"
        SCAN audit
        SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)
        SEARCH audit USING INDEX audit_who (who=? AND rowid<?)
        SEARCH audit USING INDEX audit_bucket (bucket=? AND rowid<?)
        SEARCH audit USING INDEX audit_action (action=?)
        SEARCH audit USING INDEX audit_who (who=?)
        SCAN audit
        ");
    }

    /// Gives the entries the checksums of what they say now.
    fn seal(transaction: &Transaction<'_>) -> Result<(), StorageError> {
        let mut statement = transaction.prepare(&format!("SELECT {COLUMNS} FROM audit"))?;
        let mut rows = statement.query([])?;
        let mut sums = Vec::new();
        while let Some(row) = rows.next()? {
            sums.push((sums_of(row)?.0, row.get::<_, i64>("position")?));
        }
        for sum in sums {
            transaction.execute("UPDATE audit SET sum = ?1 WHERE position = ?2", sum)?;
        }
        Ok(())
    }

    #[test]
    fn an_action_of_a_newer_version_is_left_out() {
        let entry = |detail: &str| AuditEntry {
            at: Timestamp::parse("2014-01-01").expect("a time"),
            by: "operator".to_owned(),
            action: AuditAction::Grant,
            bucket: None,
            detail: detail.to_owned(),
            address: None,
            request_id: None,
        };
        let found = in_new_database(|transaction| {
            for detail in ["first", "newer", "last"] {
                record(transaction, &entry(detail))?;
            }
            transaction.execute("UPDATE audit SET action = 'levitate' WHERE detail = 'newer'", [])?;
            seal(transaction)?;
            let found = find(transaction, &AuditFilter { limit: 2, ..AuditFilter::default() })?;
            // One that has its place comes after it.
            restore(transaction, &[AuditLine { position: found[1].position.next(), entry: entry("newer") }])?;
            assert_eq!(find(transaction, &AuditFilter { limit: 9, ..AuditFilter::default() })?.len(), 3);
            Ok(found)
        });
        let details: Vec<String> =
            found.expect("entries").into_iter().map(|line| line.entry.detail).collect();
        assert_eq!(details, ["last", "first"], "what is left out does not count");
    }
}
