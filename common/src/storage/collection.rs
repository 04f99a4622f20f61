//! The names of the collections of a MongoDB database, and of the files of an export.

use sha2::{Digest, Sha256};

use crate::bucket::BucketName;

/// The collection of bucket configurations, as in the original Backdrop.
pub(crate) const BUCKETS: &str = "buckets";
/// The collection of users, as in the original Backdrop.
pub(crate) const USERS: &str = "users";
/// What is kept about the database itself. No bucket's name starts with an underscore.
pub(crate) const META: &str = "_backdrop";

/// The audit log. No bucket's name starts with an underscore, and none of those that get one does so
/// with this.
pub(crate) const AUDIT: &str = "_audit";

/// Which sessions are ended. Nobody needs to know that of another store, so no export has it.
pub(crate) const SESSIONS: &str = "_ended_sessions";

/// MongoDB allows 255 bytes for the names of a database and a collection together.
const MAX_LENGTH: usize = 150;

/// The collection of a bucket's records: of the same name, except where MongoDB or we have another
/// use for it. No two buckets share one.
pub(crate) fn of_bucket(bucket: &BucketName) -> String {
    let name = bucket.as_str();
    if name.len() > MAX_LENGTH {
        let digest = Sha256::digest(name);
        return digest.iter().fold("_long.".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    }
    if name == BUCKETS || name == USERS || name.starts_with("system.") {
        return format!("_{name}");
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bucket: &str, collection: &str) {
        assert_eq!(of_bucket(&BucketName::parse(bucket).expect("a name")), collection);
    }

    #[test]
    fn collections_have_the_names_of_their_buckets() {
        check("licensing_journey", "licensing_journey");
        check("Users", "Users");
        check("users", "_users");
        check("audit", "audit");
        check("buckets", "_buckets");
        check("system.users", "_system.users");
        check(&"x".repeat(150), &"x".repeat(150));
        check(&"x".repeat(151), "_long.8eb827e6964db1e28caafb07b408d441efc804c8da30e3bad83a70dd3566a88b");
    }
}
