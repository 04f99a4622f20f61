//! Who may write, and who may see what others do not: the `Authorization` header, judged against a
//! bucket's tokens or the management token. No error and no log line repeats what was sent.

use rocket::request::Request;
use secrecy::SecretString;

use super::{ApiError, ClientAddress};
use crate::bucket::{Bucket, BucketName};
use crate::timestamp::Timestamp;
use crate::token::is_secret;

/// The `Authorization` header of a request.
#[derive(Clone, Copy)]
pub struct Authorization<'r>(Option<&'r str>);

impl<'r> Authorization<'r> {
    /// The header of a request, if it has one.
    pub fn of(request: &'r Request<'_>) -> Self {
        Self(request.headers().get_one("Authorization"))
    }

    /// Whether it holds a token of a bucket that is valid at that time. That of a bucket without one is
    /// held by nobody.
    ///
    /// # Errors
    ///
    /// [`ApiError::MissingAuthorization`] without the header, [`ApiError::Unauthorized`] if it holds
    /// anything else.
    pub fn allows(self, bucket: &Bucket, now: Timestamp) -> Result<(), ApiError> {
        let header = self.0.ok_or(ApiError::MissingAuthorization)?;
        let allowed = token(header).is_some_and(|token| bucket.tokens.allows(token, now));
        if allowed { Ok(()) } else { Err(ApiError::Unauthorized(bucket.name().to_string())) }
    }

    /// Whether it holds the management token. Without one set, nothing does.
    ///
    /// # Errors
    ///
    /// [`ApiError::Unauthorized`] if it does not.
    pub fn is_management(self, expected: Option<&SecretString>, bucket: &str) -> Result<(), ApiError> {
        let allowed =
            self.0.and_then(token).zip(expected).is_some_and(|(token, expected)| is_secret(expected, token));
        if allowed { Ok(()) } else { Err(ApiError::Unauthorized(bucket.to_owned())) }
    }
}

/// Logs that somebody did not hold the token that they needed: who, by their address, to do what to which
/// bucket, and why; never with what they sent.
pub fn log_refused(bucket: &BucketName, reason: &ApiError, address: ClientAddress, request_id: &str) {
    tracing::warn!(
        target: "backdrop::audit",
        action = "refuse",
        %bucket,
        %reason,
        address = address.0.map(tracing::field::display),
        request_id,
    );
}

/// The token of a header, spelled as Backdrop spells it: `Bearer`, one space, the token.
fn token(header: &str) -> Option<&str> {
    header.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{BucketConfig, BucketTokens, TokenChange};
    use crate::token::TokenHash;

    fn bucket(bearer_token: Option<&str>) -> Bucket {
        let name = BucketName::parse("foo").expect("a name");
        let current = bearer_token.map(hash);
        Bucket {
            config: BucketConfig::new(name),
            tokens: BucketTokens { current, ..BucketTokens::default() },
        }
    }

    fn hash(token: &str) -> TokenHash {
        TokenHash::new(&token.to_owned().into())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn the_buckets_token_is_needed() {
        let (bucket, now) = (bucket(Some("tok-foo")), at("2014-01-01"));
        assert!(Authorization(Some("Bearer tok-foo")).allows(&bucket, now).is_ok());
        assert!(matches!(Authorization(None).allows(&bucket, now), Err(ApiError::MissingAuthorization)));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "tok-foo",
            "bearer tok-foo",
            "Basic tok-foo",
            "Bearer TOK-FOO",
            "Bearer  tok-foo",
        ] {
            let refused = Authorization(Some(header)).allows(&bucket, now).expect_err(header).to_string();
            assert_eq!(refused, "Unauthorized: Invalid bearer token for \"foo\"");
        }
    }

    #[test]
    fn a_token_that_retires_is_one_until_its_end() {
        let mut bucket = bucket(Some("tok-old"));
        let (now, until) = (at("2014-01-01"), at("2014-01-02"));
        bucket.tokens.change(&TokenChange::Rotate { hash: hash("tok-new"), now, until });
        for (header, now, allowed) in [
            ("Bearer tok-new", now, true),
            ("Bearer tok-old", now, true),
            ("Bearer tok-new", until, true),
            ("Bearer tok-old", until, false),
            ("Bearer tok-other", now, false),
        ] {
            assert_eq!(Authorization(Some(header)).allows(&bucket, now).is_ok(), allowed, "{header} {now}");
        }
    }

    #[test]
    fn nobody_holds_the_token_of_a_bucket_without_one() {
        let now = at("2014-01-01");
        for header in ["Bearer x", "Bearer ", "Bearer null"] {
            assert!(Authorization(Some(header)).allows(&bucket(None), now).is_err(), "{header}");
        }
    }

    #[test]
    fn without_a_management_token_nothing_is_one() {
        let token = SecretString::from("manage");
        assert!(Authorization(Some("Bearer manage")).is_management(Some(&token), "foo").is_ok());
        assert!(Authorization(Some("Bearer other")).is_management(Some(&token), "foo").is_err());
        assert!(Authorization(Some("Bearer ")).is_management(None, "foo").is_err());
        assert!(Authorization(None).is_management(Some(&token), "foo").is_err());
    }
}
