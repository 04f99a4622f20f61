//! Buckets and users, whose rows have checksums and are counted.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::census::{self, Census};
use super::state::BucketState;
pub(super) use super::state::not_found;
use super::sums::{RowSum, damaged};
use super::tokens::StoredTokens;
use super::{layout, tokens};
use crate::bucket::{Bucket, BucketAddress, BucketName};
use crate::storage::{BucketSave, Expected, Revision, StorageError, StorageErrorKind, UnreadableBucket};
use crate::user::{GrantChange, User};

/// The state of a bucket's records; see [`BucketState::of`].
pub(super) fn state(connection: &Connection, bucket: &BucketName) -> Result<BucketState, StorageError> {
    BucketState::of(connection, bucket)
}

/// What the row of a bucket says of it, but for the state of its records.
pub(super) struct BucketRow {
    /// The number that grants name it by.
    pub(super) number: i64,
    name: String,
    data_group: Option<String>,
    data_type: Option<String>,
    config: String,
    pub(super) tokens: StoredTokens,
}

const COLUMNS: &str = "number, name, data_group, data_type, config, token, retiring, config_sum";

impl BucketRow {
    /// Reads a row with all of [`COLUMNS`], and its checksum.
    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let read = Self {
            number: row.get(0)?,
            name: row.get(1)?,
            data_group: row.get(2)?,
            data_type: row.get(3)?,
            config: row.get(4)?,
            tokens: StoredTokens::of(row, 5)?,
        };
        Ok((read, row.get(7)?))
    }

    fn sum(&self) -> i64 {
        let sum = RowSum::default().number(Some(self.number)).text(Some(&self.name));
        let sum = sum.text(self.data_group.as_deref()).text(self.data_type.as_deref());
        self.tokens.add_to(sum.text(Some(&self.config))).stored()
    }

    fn checked((row, sum): (Self, i64)) -> Result<Self, StorageError> {
        if row.sum() == sum { Ok(row) } else { Err(damaged("the configuration of a bucket")) }
    }

    fn parse(self) -> Result<Bucket, StorageError> {
        let config = serde_json::from_str(&self.config)
            .map_err(|error| StorageError::new(StorageErrorKind::Internal, error))?;
        Ok(Bucket { config, tokens: self.tokens.parse()? })
    }

    /// Gives the row the checksum of what it says now.
    pub(super) fn seal(transaction: &Transaction<'_>, bucket: &BucketName) -> Result<(), StorageError> {
        let (row, old) = transaction
            .prepare_cached(&format!("SELECT {COLUMNS} FROM bucket WHERE name = ?1"))?
            .query_row([bucket.as_str()], Self::read)?;
        let new = row.sum();
        transaction
            .prepare_cached("UPDATE bucket SET config_sum = ?2 WHERE number = ?1")?
            .execute(params![row.number, new])?;
        census::change(transaction, |census| {
            // A row that was never sealed is new.
            census.buckets += i64::from(old == 0);
            census.bucket_sums = census.bucket_sums.wrapping_sub(old).wrapping_add(new);
        })
    }
}

pub(super) fn bucket(
    connection: &Connection,
    address: &BucketAddress,
) -> Result<Option<Bucket>, StorageError> {
    match find(connection, address)? {
        Some(row) => row.parse().map(Some),
        // Of what is damaged there may be nothing to be found.
        None => census::check_buckets(connection).map(|()| None),
    }
}

fn find(connection: &Connection, address: &BucketAddress) -> Result<Option<BucketRow>, StorageError> {
    let found = match address {
        BucketAddress::Name(name) => connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM bucket WHERE name = ?1"))?
            .query_row([name.as_str()], BucketRow::read)
            .optional()?,
        BucketAddress::DataType { data_group, data_type } => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM bucket WHERE data_group = ?1 AND data_type = ?2"
            ))?
            .query_row([data_group, data_type], BucketRow::read)
            .optional()?,
    };
    found.map(BucketRow::checked).transpose()
}

/// The row of a bucket.
pub(super) fn row(connection: &Connection, bucket: &BucketName) -> Result<Option<BucketRow>, StorageError> {
    find(connection, &BucketAddress::Name(bucket.clone()))
}

pub(super) fn bucket_with_revision(
    connection: &Connection,
    address: &BucketAddress,
) -> Result<Option<(Bucket, Option<Revision>)>, StorageError> {
    let Some(bucket) = bucket(connection, address)? else { return Ok(None) };
    let revision = state(connection, bucket.name())?.revision();
    Ok(Some((bucket, Some(revision))))
}

/// All buckets, and apart from them those that cannot be read.
pub(super) fn buckets(connection: &Connection) -> Result<(Vec<Bucket>, Vec<UnreadableBucket>), StorageError> {
    let (mut buckets, mut unreadable) = (Vec::new(), Vec::new());
    for (name, row) in rows(connection)? {
        match row.and_then(BucketRow::parse) {
            Ok(bucket) => buckets.push(bucket),
            Err(error) => {
                // That it is the store which failed goes without saying here.
                let fault = error.cause().to_string();
                unreadable.push(UnreadableBucket { name, fault });
            }
        }
    }
    Ok((buckets, unreadable))
}

/// A row with its name; instead of it an error, if it is damaged.
type NamedRow = (String, Result<BucketRow, StorageError>);

/// The rows of all buckets, none of which is missing.
fn rows(connection: &Connection) -> Result<Vec<NamedRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM bucket ORDER BY number");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([], BucketRow::read)?;
    let mut sums = 0_i64;
    let rows: Vec<NamedRow> = found
        .map(|stored| {
            let (row, sum) = stored?;
            sums = sums.wrapping_add(sum);
            Ok((row.name.clone(), BucketRow::checked((row, sum))))
        })
        .collect::<Result<_, StorageError>>()?;
    let census = census::read(connection)?;
    let is_counted = i64::try_from(rows.len()) == Ok(census.buckets);
    // One that is damaged is told of by itself.
    let is_whole = is_counted && (sums == census.bucket_sums || rows.iter().any(|(_, row)| row.is_err()));
    if is_whole { Ok(rows) } else { Err(damaged("the list of buckets")) }
}

/// Checks that every bucket is there, and is found by its name and its address.
pub(super) fn check_buckets(connection: &Connection) -> Result<(), StorageError> {
    for (_, row) in rows(connection)? {
        let row = row?;
        let name = BucketName::parse(&row.name).map_err(|_| damaged("the name of a bucket"))?;
        let address = match (&row.data_group, &row.data_type) {
            (Some(data_group), Some(data_type)) => {
                Some(BucketAddress::DataType { data_group: data_group.clone(), data_type: data_type.clone() })
            }
            _ => None,
        };
        for address in std::iter::once(BucketAddress::Name(name)).chain(address) {
            let found = find(connection, &address)?;
            if found.is_none_or(|found| found.number != row.number) {
                return Err(damaged("an index of buckets"));
            }
        }
    }
    Ok(())
}

pub(super) fn save_buckets(
    transaction: &Transaction<'_>,
    buckets: &[BucketSave],
) -> Result<(), StorageError> {
    // Addresses are set in a second step, so that two buckets can change places in one call.
    // One that cannot be read may be saved anew, unless what there is matters.
    for save in buckets.iter().filter(|save| !matches!(save.expected, Expected::Anything)) {
        let address = BucketAddress::Name(save.config.name.clone());
        save.check(bucket(transaction, &address)?.as_ref())?;
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
    let values = params![name, config.data_group, config.data_type, json];
    if known.is_some() {
        transaction.execute(
            "UPDATE bucket SET data_group = ?2, data_type = ?3, config = ?4 WHERE name = ?1",
            values,
        )?;
        BucketState { cap, ..BucketState::of(transaction, &config.name)? }.save(transaction)?;
    } else {
        transaction.execute(
            "INSERT INTO bucket (name, data_group, data_type, config) VALUES (?1, ?2, ?3, ?4)",
            values,
        )?;
        let number = transaction.last_insert_rowid();
        let tables = layout::create_bucket_tables(transaction)?;
        BucketState { cap, ..BucketState::new(number, tables) }.save(transaction)?;
    }
    tokens::set(transaction, &config.name, token)
}

pub(super) fn delete_bucket(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
) -> Result<bool, StorageError> {
    let state = match BucketState::of(transaction, bucket) {
        Err(error) if error.kind() == StorageErrorKind::NotFound => {
            return census::check_buckets(transaction).map(|()| false);
        }
        state => state?,
    };
    let granted: Vec<User> =
        users(transaction)?.into_iter().filter(|user| user.buckets.contains(bucket)).collect();
    let sql = "DELETE FROM bucket WHERE name = ?1 RETURNING config_sum";
    let sum: i64 = transaction.query_row(sql, [bucket.as_str()], |row| row.get(0))?;
    census::change(transaction, |census| {
        census.buckets -= 1;
        census.bucket_sums = census.bucket_sums.wrapping_sub(sum);
    })?;
    granted.iter().try_for_each(|user| seal_user(transaction, &user.email))?;
    layout::discard_bucket_tables(transaction, state.number, state.totals.records)?;
    Ok(true)
}

pub(super) fn users(connection: &Connection) -> Result<Vec<User>, StorageError> {
    let mut statement = connection.prepare_cached(
        "SELECT user.email, user.sum, user_bucket.bucket, bucket.name FROM user
         LEFT JOIN user_bucket USING (email) LEFT JOIN bucket ON bucket.number = user_bucket.bucket
         ORDER BY user.email, user_bucket.place",
    )?;
    let grants = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let mut users: Vec<(User, RowSum, i64)> = Vec::new();
    for grant in grants {
        let (email, stored, number, bucket): (String, i64, Option<i64>, Option<String>) = grant?;
        if users.last().is_none_or(|(user, ..)| user.email != email) {
            let sum = RowSum::default().text(Some(&email));
            users.push((User { email, buckets: Vec::new() }, sum, stored));
        }
        if let (Some((user, sum, _)), Some(number)) = (users.last_mut(), number) {
            let bucket = bucket.as_deref().map(BucketName::parse);
            user.buckets.push(bucket.and_then(Result::ok).ok_or_else(|| damaged("a grant"))?);
            *sum = std::mem::take(sum).number(Some(number));
        }
    }
    checked_users(connection, users)
}

fn checked_users(
    connection: &Connection,
    users: Vec<(User, RowSum, i64)>,
) -> Result<Vec<User>, StorageError> {
    let census = census::read(connection)?;
    let mut sums = 0_i64;
    let found: Vec<User> = users
        .into_iter()
        .map(|(user, sum, stored)| {
            sums = sums.wrapping_add(stored);
            (sum.stored() == stored).then_some(user)
        })
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("a user"))?;
    let is_whole = (i64::try_from(found.len()), sums) == (Ok(census.users), census.user_sums);
    if is_whole { Ok(found) } else { Err(damaged("the list of users")) }
}

/// Gives the row of a user the checksum of what is granted now.
pub(super) fn seal_user(transaction: &Transaction<'_>, email: &str) -> Result<(), StorageError> {
    let old: i64 =
        transaction.query_row("SELECT sum FROM user WHERE email = ?1", [email], |row| row.get(0))?;
    let mut sum = RowSum::default().text(Some(email));
    let mut statement =
        transaction.prepare_cached("SELECT bucket FROM user_bucket WHERE email = ?1 ORDER BY place")?;
    for number in statement.query_map([email], |row| row.get(0))? {
        sum = sum.number(Some(number?));
    }
    let new = sum.stored();
    transaction.execute("UPDATE user SET sum = ?2 WHERE email = ?1", params![email, new])?;
    census::change(transaction, |census| {
        census.users += i64::from(old == 0);
        census.user_sums = census.user_sums.wrapping_sub(old).wrapping_add(new);
    })
}

pub(super) fn save_users(transaction: &Transaction<'_>, users: &[User]) -> Result<(), StorageError> {
    for user in users {
        transaction.execute("INSERT INTO user (email) VALUES (?1) ON CONFLICT DO NOTHING", [&user.email])?;
        transaction.execute("DELETE FROM user_bucket WHERE email = ?1", [&user.email])?;
        for (place, bucket) in user.buckets.iter().enumerate() {
            let number = row(transaction, bucket)?.ok_or_else(|| not_found(bucket))?.number;
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            transaction.execute(
                "INSERT INTO user_bucket (email, bucket, place) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![user.email, number, place],
            )?;
        }
        seal_user(transaction, &user.email)?;
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
