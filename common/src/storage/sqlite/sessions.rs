//! Which sessions are ended.

use rusqlite::{Connection, Transaction, params};

use crate::storage::{SessionsEnd, StorageError};
use crate::timestamp::Timestamp;

pub(super) fn end(
    transaction: &Transaction<'_>,
    end: &SessionsEnd,
    now: Timestamp,
) -> Result<(), StorageError> {
    let SessionsEnd { of, begun_by, until } = end;
    transaction.prepare_cached("DELETE FROM sessions_end WHERE until <= ?1")?.execute([now.millis()])?;
    transaction
        .prepare_cached(
            "INSERT INTO sessions_end (whose, begun_by, until) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
             SET begun_by = max(begun_by, excluded.begun_by), until = max(until, excluded.until)",
        )?
        .execute(params![of, begun_by.millis(), until.millis()])?;
    Ok(())
}

pub(super) fn ended(
    connection: &Connection,
    session: &str,
    person: &str,
) -> Result<Option<Timestamp>, StorageError> {
    let latest: Option<i64> = connection
        .prepare_cached("SELECT max(begun_by) FROM sessions_end WHERE whose IN (?1, ?2)")?
        .query_row([session, person], |row| row.get(0))?;
    Ok(latest.and_then(Timestamp::from_millis))
}
