//! Buckets and users.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::configs::{self, Configs};
use super::tokens::StoredTokens;
use super::{layout, tokens, views};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName};
use crate::storage::{BucketSave, Revision, StorageError, StorageErrorKind, UnreadableBucket};
use crate::user::{GrantChange, User};

/// What the tables of a bucket are called after, and what the store keeps of it.
pub(super) struct BucketState {
    pub(super) number: i64,
    pub(super) cap: Option<i64>,
    pub(super) stored_bytes: i64,
}

/// The state of a bucket that a caller found before.
///
/// # Errors
///
/// [`StorageErrorKind::NotFound`] if it is gone.
pub(super) fn state(connection: &Connection, bucket: &BucketName) -> Result<BucketState, StorageError> {
    connection
        .prepare_cached("SELECT number, cap, stored_bytes FROM bucket WHERE name = ?1")?
        .query_row([bucket.as_str()], |row| {
            Ok(BucketState { number: row.get(0)?, cap: row.get(1)?, stored_bytes: row.get(2)? })
        })
        .optional()?
        .ok_or_else(|| not_found(bucket))
}

pub(super) fn not_found(bucket: &BucketName) -> StorageError {
    StorageError::new(StorageErrorKind::NotFound, format!("there is no bucket \"{bucket}\""))
}

pub(super) fn bucket(
    connection: &Connection,
    configs: &Configs,
    address: &BucketAddress,
) -> Result<Option<Bucket>, StorageError> {
    let stored = |row: &Row<'_>| stored_bucket(row, |name, config| configs.parse(name, config));
    let found = match address {
        BucketAddress::Name(name) => connection
            .prepare_cached("SELECT name, config, token, retiring FROM bucket WHERE name = ?1")?
            .query_row([name.as_str()], stored)
            .optional()?,
        BucketAddress::DataType { data_group, data_type } => connection
            .prepare_cached(
                "SELECT name, config, token, retiring FROM bucket WHERE data_group = ?1 AND data_type = ?2",
            )?
            .query_row([data_group, data_type], stored)
            .optional()?,
    };
    found.transpose()
}

pub(super) fn bucket_with_revision(
    connection: &Connection,
    configs: &Configs,
    address: &BucketAddress,
) -> Result<Option<(Bucket, Option<Revision>)>, StorageError> {
    let Some(bucket) = bucket(connection, configs, address)? else { return Ok(None) };
    let revision = views::state(connection, bucket.name())?.revision();
    Ok(Some((bucket, Some(revision))))
}

/// All buckets whose rows can be read. One that cannot be takes no other along.
pub(super) fn buckets(connection: &Connection) -> Result<Vec<Bucket>, StorageError> {
    let (buckets, unreadable) = readable(connection)?;
    unreadable.iter().for_each(UnreadableBucket::log);
    Ok(buckets)
}

pub(super) fn unreadable(connection: &Connection) -> Result<Vec<UnreadableBucket>, StorageError> {
    readable(connection).map(|(_, unreadable)| unreadable)
}

fn readable(connection: &Connection) -> Result<(Vec<Bucket>, Vec<UnreadableBucket>), StorageError> {
    let mut statement =
        connection.prepare_cached("SELECT name, config, token, retiring FROM bucket ORDER BY number")?;
    let mut rows = statement.query([])?;
    let (mut buckets, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match stored_bucket(row, |_, config| configs::parse(config))? {
            Ok(bucket) => buckets.push(bucket),
            Err(error) => unreadable.push(UnreadableBucket::new(row.get(0)?, error.cause())),
        }
    }
    Ok((buckets, unreadable))
}

/// The bucket of a row; the inner error is one of what the row holds.
fn stored_bucket(
    row: &Row<'_>,
    parse: impl Fn(&str, &str) -> Result<BucketConfig, StorageError>,
) -> rusqlite::Result<Result<Bucket, StorageError>> {
    let (name, config) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
    let tokens = StoredTokens::of(row, 2)?;
    Ok(parse(name, config).and_then(|config| Ok(Bucket { config, tokens: tokens.parse()? })))
}

pub(super) fn save_buckets(
    transaction: &Transaction<'_>,
    buckets: &[BucketSave],
) -> Result<(), StorageError> {
    // Addresses are set in a second step, so that two buckets can change places in one call.
    for save in buckets {
        let address = BucketAddress::Name(save.config.name.clone());
        save.check(bucket(transaction, &Configs::default(), &address)?.as_ref())?;
    }
    for BucketSave { config, .. } in buckets {
        transaction.execute(
            "UPDATE bucket SET data_group = NULL, data_type = NULL WHERE name = ?1",
            [config.name.as_str()],
        )?;
    }
    for save in buckets {
        save_bucket(transaction, save)?;
    }
    Ok(())
}

fn save_bucket(transaction: &Transaction<'_>, save: &BucketSave) -> Result<(), StorageError> {
    let BucketSave { config, token, .. } = save;
    let name = config.name.as_str();
    let taken: Option<String> = transaction
        .query_row(
            "SELECT name FROM bucket WHERE data_group = ?1 AND data_type = ?2 AND name <> ?3",
            params![config.data_group, config.data_type, name],
            |row| row.get(0),
        )
        .optional()?;
    if let (Some(other), Some(data_group), Some(data_type)) = (taken, &config.data_group, &config.data_type) {
        let message =
            format!("bucket \"{name}\": bucket \"{other}\" has the address {data_group}/{data_type}");
        return Err(StorageError::new(StorageErrorKind::AlreadyExists, message));
    }
    let json = serde_json::to_string(config)
        .map_err(|error| StorageError::new(StorageErrorKind::Internal, error))?;
    let cap = config.cap().map(|cap| i64::try_from(cap).unwrap_or(i64::MAX));
    let known: Option<i64> = transaction
        .query_row("SELECT number FROM bucket WHERE name = ?1", [name], |row| row.get(0))
        .optional()?;
    let values = params![name, config.data_group, config.data_type, json, cap];
    if known.is_some() {
        transaction.execute(
            "UPDATE bucket SET data_group = ?2, data_type = ?3, config = ?4, cap = ?5 WHERE name = ?1",
            values,
        )?;
    } else {
        transaction.execute(
            "INSERT INTO bucket (name, data_group, data_type, config, cap) VALUES (?1, ?2, ?3, ?4, ?5)",
            values,
        )?;
        layout::create_bucket_tables(transaction, transaction.last_insert_rowid())?;
    }
    tokens::change(transaction, &config.name, token).map(drop)
}

pub(super) fn delete_bucket(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
) -> Result<bool, StorageError> {
    let number: Option<i64> = transaction
        .query_row("DELETE FROM bucket WHERE name = ?1 RETURNING number", [bucket.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(number) = number {
        layout::drop_bucket_tables(transaction, number)?;
    }
    Ok(number.is_some())
}

pub(super) fn users(connection: &Connection) -> Result<Vec<User>, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT user.email, bucket.name FROM user
         LEFT JOIN user_bucket USING (email) LEFT JOIN bucket ON bucket.number = user_bucket.bucket
         ORDER BY user.email, user_bucket.place",
    )?;
    let grants = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut users: Vec<User> = Vec::new();
    for grant in grants {
        let (email, bucket): (String, Option<String>) = grant?;
        if users.last().is_none_or(|user| user.email != email) {
            users.push(User { email, buckets: Vec::new() });
        }
        if let (Some(user), Some(bucket)) = (users.last_mut(), bucket) {
            let bucket = BucketName::parse(&bucket)
                .map_err(|error| StorageError::new(StorageErrorKind::Internal, error))?;
            user.buckets.push(bucket);
        }
    }
    Ok(users)
}

pub(super) fn save_users(transaction: &Transaction<'_>, users: &[User]) -> Result<(), StorageError> {
    for user in users {
        transaction.execute("INSERT INTO user (email) VALUES (?1) ON CONFLICT DO NOTHING", [&user.email])?;
        transaction.execute("DELETE FROM user_bucket WHERE email = ?1", [&user.email])?;
        for (place, bucket) in user.buckets.iter().enumerate() {
            let number = state(transaction, bucket)?.number;
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            transaction.execute(
                "INSERT INTO user_bucket (email, bucket, place) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![user.email, number, place],
            )?;
        }
    }
    Ok(())
}

pub(super) fn change_grants(
    transaction: &Transaction<'_>,
    email: &str,
    change: &GrantChange,
) -> Result<User, StorageError> {
    let known = users(transaction)?.into_iter().find(|user| user.email == email);
    let mut user = match (known, change) {
        (Some(user), _) => user,
        (None, GrantChange::Grant(_)) => User { email: email.to_owned(), buckets: Vec::new() },
        (None, GrantChange::Revoke(_)) => {
            let message = format!("there is no user \"{email}\"");
            return Err(StorageError::new(StorageErrorKind::NotFound, message));
        }
    };
    user.change(change);
    save_users(transaction, std::slice::from_ref(&user))?;
    Ok(user)
}
