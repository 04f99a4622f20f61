//! Reading everything, to say of each part whether it is as it was stored.

use rusqlite::{Connection, OptionalExtension};

use super::registry;
use super::sums::damaged;
use super::{audit, census, sound};
use crate::bucket::BucketName;
use crate::storage::check::{bucket_part, part};
use crate::storage::{CheckStep, CheckWatcher, Checked, StorageError, StorageErrorKind};

/// The file as SQLite sees it, and all that is no record.
pub(super) fn all_but_records(
    connection: &Connection,
    watcher: &CheckWatcher,
) -> Result<Vec<Checked>, StorageError> {
    let begin = |what: &str| watcher(CheckStep::Begin(what.to_owned(), None));
    begin("the file");
    let mut checked =
        vec![Checked { part: "the file".to_owned(), read: pages(connection)?, faults: file(connection)? }];
    begin("the buckets");
    let buckets =
        registry::check_buckets(connection).and_then(|()| Ok(registry::buckets(connection)?.0.len()));
    checked.push(part("the buckets", buckets)?);
    checked.push(part("the users", registry::users(connection).map(|users| users.len()))?);
    begin("the audit log");
    checked.push(part("the audit log", entries(connection))?);
    Ok(checked)
}

fn pages(connection: &Connection) -> Result<u64, StorageError> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(u64::try_from(pages).unwrap_or(0))
}

/// What SQLite finds by itself.
fn file(connection: &Connection) -> Result<Vec<String>, StorageError> {
    let look = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    match look().map_err(StorageError::from) {
        Ok(said) if said == ["ok"] => Ok(Vec::new()),
        Ok(said) => Ok(said),
        Err(error) if error.kind() == StorageErrorKind::Internal => Ok(vec![error.cause().to_string()]),
        Err(error) => Err(error),
    }
}

fn entries(connection: &Connection) -> Result<usize, StorageError> {
    let mut statement = connection.prepare(&format!("SELECT {} FROM audit", audit::COLUMNS))?;
    let mut rows = statement.query([])?;
    let (mut read, mut total) = (0_usize, 0_i64);
    while let Some(row) = rows.next()? {
        let (computed, stored) = audit::sums_of(row)?;
        if computed != stored {
            return Err(damaged("an entry"));
        }
        (read, total) = (read + 1, total.wrapping_add(stored));
    }
    let census = census::read(connection)?;
    let is_whole = (i64::try_from(read), total) == (Ok(census.entries), census.entry_sums);
    if is_whole { Ok(read) } else { Err(damaged("entries are missing")) }
}

/// The names of all buckets, as far as they can be read.
pub(super) fn names(connection: &Connection) -> Result<Vec<BucketName>, StorageError> {
    let mut statement = connection.prepare("SELECT name FROM bucket ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut names = Vec::new();
    while let Ok(Some(row)) = rows.next() {
        let name = row.get_ref(0)?.as_str().ok().and_then(|name| BucketName::parse(name).ok());
        names.extend(name);
    }
    Ok(names)
}

/// The records of a bucket; none if it is gone.
pub(super) fn bucket(
    connection: &Connection,
    bucket: &BucketName,
    watcher: &CheckWatcher,
) -> Result<Option<Checked>, StorageError> {
    let name = bucket_part(bucket);
    let state = match registry::state(connection, bucket) {
        Err(error) if error.kind() == StorageErrorKind::NotFound => return Ok(None),
        Err(error) => return part(&name, Err(error)).map(Some),
        Ok(state) => state,
    };
    watcher(CheckStep::Begin(name.clone(), u64::try_from(state.stored_bytes).ok()));
    let mut advance = |bytes: usize| watcher(CheckStep::Advance(u64::try_from(bytes).unwrap_or(0)));
    let mut faults = sound::faults(connection, &state, &mut advance)?;
    faults.extend(duplicates(connection, state.number)?);
    Ok(Some(Checked { part: name, read: u64::try_from(state.totals.records).unwrap_or(0), faults }))
}

/// An id that two records have.
fn duplicates(connection: &Connection, number: i64) -> Result<Option<String>, StorageError> {
    let sql = format!(
        "SELECT id FROM record_{number} NOT INDEXED WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1 LIMIT 1"
    );
    let found: Option<String> = connection.query_row(&sql, [], |row| row.get(0)).optional()?;
    Ok(found.map(|id| format!("two records have the id \"{id}\"")))
}
