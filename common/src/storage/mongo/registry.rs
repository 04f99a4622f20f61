//! Buckets and users, in the collections in which the original Backdrop kept them.
//!
//! Beside what [`encode_bucket`] writes, a bucket's document has two keys of this engine, which
//! no setting can have for a name: [`SEQ`], from which the order of first saving comes, and
//! [`PREPARED`], which says that the bucket's collection is there with its indexes.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

use super::error::Failure;
use super::transaction::{Existed, Scope, Transaction, Unit};
use crate::bucket::{Bucket, BucketAddress, BucketConfig, BucketName, TokenChange};
use crate::storage::collection::{BUCKETS, USERS};
use crate::storage::document::SEQ;
use crate::storage::registry_document::{
    BEARER_TOKEN, InvalidRegistryDocument, RETIRING_TOKENS, TOKEN_HASH, decode_bucket, decode_user,
    encode_bucket, encode_tokens, encode_user,
};
use crate::storage::{BucketSave, Expected, StorageError, StorageErrorKind, UnreadableBucket};
use crate::user::{GrantChange, User};

/// Says of a bucket that its collection is prepared, and how; see [`super::layout`].
pub(super) const PREPARED: &str = "-prepared";

/// How long a server may look for a configuration.
const REGISTRY_TIME: Duration = Duration::from_secs(5);

/// The bucket at an address.
pub(super) async fn bucket(
    database: &Database,
    address: &BucketAddress,
) -> Result<Option<Bucket>, StorageError> {
    let filter = match address {
        BucketAddress::Name(name) => doc! { "_id": name.as_str() },
        BucketAddress::DataType { data_group, data_type } => {
            doc! { "data_group": data_group, "data_type": data_type }
        }
    };
    let found = database.collection::<Document>(BUCKETS).find_one(filter).max_time(REGISTRY_TIME).await?;
    Ok(found.as_ref().map(decode_bucket).transpose()?)
}

/// All buckets that can be read, in the order in which they were first saved. Those that the original
/// Backdrop saved come first, by name.
pub(super) async fn buckets(database: &Database) -> Result<Vec<Bucket>, StorageError> {
    let (buckets, unreadable) = readable(database).await?;
    unreadable.iter().for_each(UnreadableBucket::log);
    Ok(buckets)
}

/// Those that cannot.
pub(super) async fn unreadable(database: &Database) -> Result<Vec<UnreadableBucket>, StorageError> {
    readable(database).await.map(|(_, unreadable)| unreadable)
}

async fn readable(database: &Database) -> Result<(Vec<Bucket>, Vec<UnreadableBucket>), StorageError> {
    let buckets = database.collection::<Document>(BUCKETS);
    let found = buckets.find(doc! {}).sort(doc! { SEQ: 1, "_id": 1 }).max_time(REGISTRY_TIME).await?;
    let decode = |document: &Document| {
        let name = document.get("_id").map(ToString::to_string).unwrap_or_default();
        Ok(decode_bucket(document).map_err(|error| UnreadableBucket::new(name, &error)))
    };
    let (mut buckets, mut unreadable) = (Vec::new(), Vec::new());
    for decoded in all(found, decode).await? {
        match decoded {
            Ok(bucket) => buckets.push(bucket),
            Err(bucket) => unreadable.push(bucket),
        }
    }
    Ok((buckets, unreadable))
}

/// All users, by email.
pub(super) async fn users(database: &Database) -> Result<Vec<User>, StorageError> {
    let users = database.collection::<Document>(USERS);
    all(users.find(doc! {}).sort(doc! { "_id": 1 }).max_time(REGISTRY_TIME).await?, decode_user).await
}

async fn all<T>(
    mut cursor: mongodb::Cursor<Document>,
    decode: impl Fn(&Document) -> Result<T, InvalidRegistryDocument>,
) -> Result<Vec<T>, StorageError> {
    let mut decoded = Vec::new();
    while cursor.advance().await? {
        decoded.push(decode(&cursor.deserialize_current()?)?);
    }
    Ok(decoded)
}

/// The error that there is no such bucket.
pub(super) fn not_found(bucket: &BucketName) -> StorageError {
    StorageError::new(StorageErrorKind::NotFound, format!("there is no bucket \"{bucket}\""))
}

/// The stored document of a bucket, as a transaction sees it.
pub(super) async fn stored_bucket(
    transaction: &mut Transaction<'_>,
    bucket: &BucketName,
) -> Result<Document, Failure> {
    let found = transaction.find_one(BUCKETS, doc! { "_id": bucket.as_str() }).await?;
    found.ok_or_else(|| not_found(bucket).into())
}

/// Sets keys of a bucket's document, and takes others away. Says whether there is such a bucket.
pub(super) async fn change_bucket(
    database: &Database,
    bucket: &BucketName,
    change: Document,
) -> Result<bool, StorageError> {
    let buckets = database.collection::<Document>(BUCKETS);
    Ok(buckets.update_one(doc! { "_id": bucket.as_str() }, change).await?.matched_count > 0)
}

/// Changes the tokens of a bucket. Says whether there is such a bucket.
pub(super) struct ChangeTokens<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) change: &'a TokenChange,
}

#[async_trait]
impl Unit for ChangeTokens<'_> {
    type Done = bool;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<bool, Failure> {
        let name = self.bucket.as_str();
        let Some(stored) = transaction.find_one(BUCKETS, doc! { "_id": name }).await? else {
            return Ok(false);
        };
        let mut tokens = decode_bucket(&stored)?.tokens;
        tokens.change(self.change);
        // Only what was read is replaced: where there are no transactions, somebody may have come in
        // between. Null finds what is missing, too.
        let mut seen = doc! { "_id": name };
        for key in [TOKEN_HASH, RETIRING_TOKENS, BEARER_TOKEN] {
            seen.insert(key, stored.get(key));
        }
        let change = doc! { "$set": encode_tokens(&tokens), "$unset": { BEARER_TOKEN: "" } };
        match transaction.update(BUCKETS, seen, change, Scope::One).await? {
            0 => Err(Failure::Conflict),
            _ => Ok(true),
        }
    }
}

/// Saves some buckets.
pub(super) struct SaveBuckets<'a> {
    pub(super) buckets: &'a [BucketSave],
    /// The first of as many numbers as there are buckets.
    pub(super) seq: i64,
}

#[async_trait]
impl Unit for SaveBuckets<'_> {
    type Done = ();

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
        let names: Vec<&str> = self.buckets.iter().map(|save| save.config.name.as_str()).collect();
        for save in self.buckets {
            // First of all, since where there are no transactions nothing is undone.
            if !matches!(save.expected, Expected::Anything) {
                let known = transaction.find_one(BUCKETS, doc! { "_id": save.config.name.as_str() }).await?;
                save.check(known.as_ref().map(decode_bucket).transpose()?.as_ref())?;
            }
            address_is_free(transaction, &save.config, &names).await?;
        }
        // Addresses are set in a second step, so that two buckets can change places in one call.
        let no_address = doc! { "$unset": { "data_group": "", "data_type": "" } };
        transaction.update(BUCKETS, doc! { "_id": { "$in": names } }, no_address, Scope::All).await?;
        for (save, seq) in self.buckets.iter().zip(self.seq..) {
            address_is_free(transaction, &save.config, &[save.config.name.as_str()]).await?;
            save_bucket(transaction, save, seq).await?;
        }
        Ok(())
    }
}

/// Looks for another bucket that has a bucket's address, other than some.
async fn address_is_free(
    transaction: &mut Transaction<'_>,
    config: &BucketConfig,
    but: &[&str],
) -> Result<(), Failure> {
    let (Some(data_group), Some(data_type)) = (&config.data_group, &config.data_type) else { return Ok(()) };
    let taken = doc! { "data_group": data_group, "data_type": data_type, "_id": { "$nin": but } };
    match transaction.find_one(BUCKETS, taken).await? {
        None => Ok(()),
        Some(other) => {
            let (name, other) = (&config.name, other.get_str("_id").unwrap_or_default());
            let message =
                format!("bucket \"{name}\": bucket \"{other}\" has the address {data_group}/{data_type}");
            Err(StorageError::new(StorageErrorKind::AlreadyExists, message).into())
        }
    }
}

async fn save_bucket(transaction: &mut Transaction<'_>, save: &BucketSave, seq: i64) -> Result<(), Failure> {
    let BucketSave { config, token, .. } = save;
    let name = config.name.as_str();
    let known = transaction.find_one(BUCKETS, doc! { "_id": name }).await?;
    let known_bucket = known.as_ref().map(decode_bucket).transpose()?;
    let mut tokens = known_bucket.map(|bucket| bucket.tokens).unwrap_or_default();
    tokens.change(token);
    let mut document = encode_bucket(config, &tokens);
    document.insert(SEQ, seq);
    for ours in [SEQ, PREPARED] {
        // What the original Backdrop saved has no number, and stays before all that have.
        match known.as_ref().map(|known| known.get(ours)) {
            Some(Some(value)) => drop(document.insert(ours, value)),
            Some(None) => drop(document.remove(ours)),
            None => {}
        }
    }
    or_conflict(transaction.update(BUCKETS, doc! { "_id": name }, document, Scope::OneOrNew).await).map(drop)
}

/// Deletes a bucket's configuration and the grants of it. Says whether it existed.
pub(super) struct DeleteBucket<'a> {
    pub(super) bucket: &'a BucketName,
    /// Whether any try found it.
    pub(super) existed: Existed,
}

#[async_trait]
impl Unit for DeleteBucket<'_> {
    type Done = bool;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<bool, Failure> {
        let name = self.bucket.as_str();
        let deleted = transaction.delete(BUCKETS, doc! { "_id": name }).await?;
        let revoked = doc! { "$pull": { "buckets": name } };
        transaction.update(USERS, doc! { "buckets": name }, revoked, Scope::All).await?;
        Ok(self.existed.or_now(deleted > 0))
    }
}

/// Saves some users.
pub(super) struct SaveUsers<'a>(pub(super) &'a [User]);

#[async_trait]
impl Unit for SaveUsers<'_> {
    type Done = ();

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
        for user in self.0 {
            for bucket in &user.buckets {
                stored_bucket(transaction, bucket).await?;
            }
        }
        for user in self.0 {
            let id = doc! { "_id": &user.email };
            transaction.update(USERS, id, encode_user(user), Scope::OneOrNew).await?;
        }
        Ok(())
    }
}

/// Changes what a user is granted, and answers the user as changed.
pub(super) struct ChangeGrants<'a> {
    pub(super) email: &'a str,
    pub(super) change: &'a GrantChange,
}

#[async_trait]
impl Unit for ChangeGrants<'_> {
    type Done = User;

    async fn run(&self, transaction: &mut Transaction<'_>) -> Result<User, Failure> {
        let (update, scope) = match self.change {
            GrantChange::Grant(buckets) => {
                for bucket in buckets {
                    stored_bucket(transaction, bucket).await?;
                }
                let granted = doc! { "buckets": { "$each": names(buckets) } };
                let new = doc! { "email": self.email };
                (doc! { "$addToSet": granted, "$setOnInsert": new }, Scope::OneOrNew)
            }
            GrantChange::Revoke(buckets) => {
                (doc! { "$pull": { "buckets": { "$in": names(buckets) } } }, Scope::One)
            }
        };
        let id = doc! { "_id": self.email };
        // One atomic change of the list, so none is lost where there are no transactions either.
        let changed = transaction.update(USERS, id.clone(), update, scope).await;
        or_conflict(changed)?;
        match transaction.find_one(USERS, id).await? {
            Some(user) => Ok(decode_user(&user)?),
            None => Err(no_user(self.email)),
        }
    }
}

fn names(buckets: &[BucketName]) -> Vec<Bson> {
    buckets.iter().map(|bucket| bucket.as_str().into()).collect()
}

fn no_user(email: &str) -> Failure {
    StorageError::new(StorageErrorKind::NotFound, format!("there is no user \"{email}\"")).into()
}

/// Somebody made a document with the same key since we looked; who looks again finds it.
fn or_conflict<T>(done: Result<T, Failure>) -> Result<T, Failure> {
    done.map_err(|failure| if failure.is_duplicate_key() { Failure::Conflict } else { failure })
}
