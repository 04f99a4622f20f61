//! The tokens of a bucket in its row: `token` has the hash of the current one, `retiring` those
//! that end by themselves, as JSON, or nothing.

use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::registry::{self, BucketRow};
use super::sums::RowSum;
use crate::bucket::{BucketName, BucketTokens, RetiringToken, TokenChange};
use crate::storage::{StorageError, StorageErrorKind};
use crate::timestamp::Timestamp;
use crate::token::TokenHash;

/// The columns as they are stored.
pub(super) struct StoredTokens {
    token: Option<String>,
    retiring: Option<String>,
}

/// An entry of the column `retiring`.
#[derive(Serialize, Deserialize)]
struct StoredRetiring {
    hash: String,
    /// In milliseconds since 1970.
    until: i64,
}

impl StoredTokens {
    /// Those of a row, which has them in two columns from that one on.
    pub(super) fn of(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(Self { token: row.get(column)?, retiring: row.get(column + 1)? })
    }

    fn new(BucketTokens { current, retiring }: &BucketTokens) -> Result<Self, StorageError> {
        let stored = |RetiringToken { hash, until }: &RetiringToken| StoredRetiring {
            hash: hash.to_text(),
            until: until.millis(),
        };
        let retiring: Vec<_> = retiring.iter().map(stored).collect();
        let json = (!retiring.is_empty()).then(|| serde_json::to_string(&retiring)).transpose();
        let json = json.map_err(|error| StorageError::new(StorageErrorKind::Internal, error))?;
        Ok(Self { token: current.as_ref().map(TokenHash::to_text), retiring: json })
    }

    /// Adds them to the checksum of their row.
    pub(super) fn add_to(&self, sum: RowSum) -> RowSum {
        sum.text(self.token.as_deref()).text(self.retiring.as_deref())
    }

    pub(super) fn parse(&self) -> Result<BucketTokens, StorageError> {
        let current = self.token.as_deref().map(hash).transpose()?;
        let retiring: Vec<StoredRetiring> = match &self.retiring {
            Some(json) => serde_json::from_str(json).map_err(|_| damaged())?,
            None => Vec::new(),
        };
        Ok(BucketTokens { current, retiring: retiring.iter().map(parse_retiring).collect::<Result<_, _>>()? })
    }
}

fn parse_retiring(
    StoredRetiring { hash: text, until }: &StoredRetiring,
) -> Result<RetiringToken, StorageError> {
    Ok(RetiringToken { hash: hash(text)?, until: Timestamp::from_millis(*until).ok_or_else(damaged)? })
}

fn hash(text: &str) -> Result<TokenHash, StorageError> {
    text.parse().map_err(|_| damaged())
}

/// Says nothing of what is stored: it may be of use to whoever guesses.
fn damaged() -> StorageError {
    StorageError::new(StorageErrorKind::Internal, "what is stored of a bucket's tokens is damaged")
}

/// Changes the tokens of a bucket. Says whether the bucket exists.
pub(super) fn change(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    change: &TokenChange,
) -> Result<bool, StorageError> {
    if registry::row(transaction, bucket)?.is_none() {
        return super::census::check_buckets(transaction).map(|()| false);
    }
    set(transaction, bucket, change).map(|()| true)
}

/// Changes the tokens of a bucket whose row is there, and gives the row its checksum.
pub(super) fn set(
    transaction: &Transaction<'_>,
    bucket: &BucketName,
    change: &TokenChange,
) -> Result<(), StorageError> {
    let stored = transaction
        .prepare_cached("SELECT token, retiring FROM bucket WHERE name = ?1")?
        .query_row([bucket.as_str()], |row| StoredTokens::of(row, 0))?;
    let replaces = matches!(change, TokenChange::Set(_) | TokenChange::Remove | TokenChange::Replace(_));
    let mut tokens = match stored.parse() {
        // What is replaced need not be read.
        Err(_) if replaces => BucketTokens::default(),
        parsed => parsed?,
    };
    tokens.change(change);
    let StoredTokens { token, retiring } = StoredTokens::new(&tokens)?;
    transaction
        .prepare_cached("UPDATE bucket SET token = ?2, retiring = ?3 WHERE name = ?1")?
        .execute(params![bucket.as_str(), token, retiring])?;
    BucketRow::seal(transaction, bucket)
}
