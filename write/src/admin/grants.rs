//! Which buckets a person may see and upload to: administrators all of them, others those that they
//! are granted.

use backdrop_common::bucket::{Bucket, BucketAddress, BucketName};
use backdrop_common::http::ApiError;
use backdrop_common::storage::StorageEngine;

use super::{PageError, SignedIn};
use crate::WriteApp;

/// The buckets that a person may see, in the order in which they were first saved.
pub(crate) async fn visible(app: &WriteApp, person: &SignedIn) -> Result<Vec<Bucket>, PageError> {
    let buckets = app.engine.buckets().await?;
    if person.is_admin {
        return Ok(buckets);
    }
    let granted = grants(&*app.engine, &person.email).await?;
    Ok(buckets.into_iter().filter(|bucket| granted.contains(bucket.name())).collect())
}

/// The bucket that an address names, if the person may see it.
///
/// # Errors
///
/// [`PageError::NotFound`] if there is none or they may not: whoever may not see a bucket does not
/// learn that it exists.
pub(crate) async fn granted(
    app: &WriteApp,
    person: &SignedIn,
    bucket: Result<BucketName, ApiError>,
) -> Result<Bucket, PageError> {
    // What is no name is that of no bucket.
    let bucket = bucket.map_err(|_| PageError::NotFound)?;
    granted_to(&*app.engine, &person.email, person.is_admin, &bucket).await
}

async fn granted_to(
    engine: &dyn StorageEngine,
    email: &str,
    is_admin: bool,
    bucket: &BucketName,
) -> Result<Bucket, PageError> {
    if !is_admin && !grants(engine, email).await?.contains(bucket) {
        return Err(PageError::NotFound);
    }
    engine.bucket(&BucketAddress::Name(bucket.clone())).await?.ok_or(PageError::NotFound)
}

async fn grants(engine: &dyn StorageEngine, email: &str) -> Result<Vec<BucketName>, PageError> {
    let user = engine.users().await?.into_iter().find(|user| user.email == email);
    Ok(user.map(|user| user.buckets).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::{BucketConfig, TokenChange};
    use backdrop_common::storage::{BucketSave, SqliteEngine};
    use backdrop_common::user::GrantChange;

    use super::*;

    #[rocket::async_test]
    async fn others_see_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("db")).expect("an engine");
        let name = |text| BucketName::parse(text).expect("a name");
        let save = |bucket| BucketSave::new(BucketConfig::new(bucket), TokenChange::Keep);
        engine.save_buckets(vec![save(name("foo")), save(name("bar"))]).await.expect("buckets");
        engine.change_grants("ann@x", GrantChange::Grant(vec![name("foo")])).await.expect("a grant");
        let may =
            async |email, is_admin, bucket| match granted_to(&engine, email, is_admin, &name(bucket)).await {
                Ok(found) => found.name().as_str() == bucket,
                Err(PageError::NotFound) => false,
                Err(other) => panic!("{other}"),
            };
        assert!(may("ann@x", false, "foo").await);
        assert!(!may("ann@x", false, "bar").await);
        assert!(!may("ben@x", false, "foo").await);
        assert!(may("ben@x", true, "bar").await);
        assert!(!may("ben@x", true, "baz").await);
    }
}
