//! Users: who they are and which buckets they are granted.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::bucket::BucketName;

/// A person with an account at the sign-in provider, named by email.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The address that the provider gives, in lower case.
    pub email: String,
    /// The buckets that they may see and upload to.
    #[serde(default)]
    pub buckets: Vec<BucketName>,
}

/// A change of what a user is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantChange {
    /// Grants some buckets.
    Grant(Vec<BucketName>),
    /// Takes some away.
    Revoke(Vec<BucketName>),
}

/// A fault of a user file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUser {
    /// The file is no list of users.
    #[error("the users must be a JSON list of {{\"email\": …, \"buckets\": […]}}: {0}")]
    NotAList(String),
    /// A text is no email address.
    #[error("\"{0}\" is not an email address: text with one \"@\" and no white space")]
    Email(String),
}

impl User {
    /// A user without grants.
    ///
    /// # Errors
    ///
    /// [`InvalidUser::Email`] if the text is no address.
    pub fn new(email: &str) -> Result<Self, InvalidUser> {
        let parts = email.split_once('@');
        let valid = parts.is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !email.contains(char::is_whitespace)
        });
        if !valid {
            return Err(InvalidUser::Email(email.to_owned()));
        }
        Ok(Self { email: email.to_lowercase(), buckets: Vec::new() })
    }

    /// Grants some buckets, of which those granted already stay, or takes some away.
    pub fn change(&mut self, change: &GrantChange) {
        match change {
            GrantChange::Grant(buckets) => {
                let mut granted: HashSet<BucketName> = self.buckets.iter().cloned().collect();
                let new = buckets.iter().filter(|bucket| granted.insert((*bucket).clone()));
                self.buckets.extend(new.cloned());
            }
            GrantChange::Revoke(buckets) => {
                let revoked: HashSet<&BucketName> = buckets.iter().collect();
                self.buckets.retain(|bucket| !revoked.contains(bucket));
            }
        }
    }
}

/// Reads a user file: `[{"email": …, "buckets": […]}]`.
///
/// # Errors
///
/// The first fault found.
pub fn parse_users(json: &str) -> Result<Vec<User>, InvalidUser> {
    let users: Vec<User> =
        serde_json::from_str(json).map_err(|error| InvalidUser::NotAList(error.to_string()))?;
    users
        .into_iter()
        .map(|user| {
            let mut checked = User::new(&user.email)?;
            checked.change(&GrantChange::Grant(user.buckets));
            Ok(checked)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_their_grants() {
        let users = parse_users(
            r#"[{"email": "Ann@Example.org", "buckets": ["foo", "bar", "foo"]}, {"email": "b@c"}]"#,
        )
        .expect("users");
        assert_eq!(users[0].email, "ann@example.org");
        assert_eq!(users[0].buckets.len(), 2);
        assert!(users[1].buckets.is_empty());
        let mut user = users[0].clone();
        user.change(&GrantChange::Revoke(users[0].buckets[..1].to_vec()));
        assert_eq!(user.buckets, users[0].buckets[1..]);
    }

    #[test]
    fn faults_of_users() {
        for json in [
            "{}",
            "[{}]",
            r#"[{"email": "ann"}]"#,
            r#"[{"email": "a@b", "bucket": []}]"#,
            r#"[{"email": "a@b", "buckets": ["1foo"]}]"#,
        ] {
            assert!(parse_users(json).is_err(), "{json}");
        }
        for email in ["", "ann", "@b", "a@", "a@b@c", "a b@c"] {
            assert_eq!(User::new(email), Err(InvalidUser::Email(email.to_owned())));
        }
    }
}
