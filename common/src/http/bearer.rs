//! Who may write, and who may see what others do not: the `Authorization` header, judged against a
//! bucket's token or the management token. No error and no log line repeats what was sent.

use rocket::request::Request;
use secrecy::SecretString;

use super::ApiError;
use crate::bucket::Bucket;
use crate::token::is_secret;

/// The `Authorization` header of a request.
#[derive(Clone, Copy)]
pub struct Authorization<'r>(Option<&'r str>);

impl<'r> Authorization<'r> {
    /// The header of a request, if it has one.
    pub fn of(request: &'r Request<'_>) -> Self {
        Self(request.headers().get_one("Authorization"))
    }

    /// Whether it holds the token of a bucket. That of a bucket without one is held by nobody.
    ///
    /// # Errors
    ///
    /// [`ApiError::MissingAuthorization`] without the header, [`ApiError::Unauthorized`] if it holds
    /// anything else.
    pub fn allows(self, bucket: &Bucket) -> Result<(), ApiError> {
        let header = self.0.ok_or(ApiError::MissingAuthorization)?;
        let allowed =
            token(header).zip(bucket.token.as_ref()).is_some_and(|(token, hash)| hash.matches(token));
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

/// The token of a header, spelled as Backdrop spells it: `Bearer`, one space, the token.
fn token(header: &str) -> Option<&str> {
    header.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{BucketConfig, BucketName};
    use crate::token::TokenHash;

    fn bucket(bearer_token: Option<&str>) -> Bucket {
        let name = BucketName::parse("foo").expect("a name");
        let token = bearer_token.map(|token| TokenHash::new(&token.to_owned().into()));
        Bucket { config: BucketConfig::new(name), token }
    }

    #[test]
    fn the_buckets_token_is_needed() {
        let bucket = bucket(Some("tok-foo"));
        assert!(Authorization(Some("Bearer tok-foo")).allows(&bucket).is_ok());
        assert!(matches!(Authorization(None).allows(&bucket), Err(ApiError::MissingAuthorization)));
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
            let refused = Authorization(Some(header)).allows(&bucket).expect_err(header).to_string();
            assert_eq!(refused, "Unauthorized: Invalid bearer token for \"foo\"");
        }
    }

    #[test]
    fn nobody_holds_the_token_of_a_bucket_without_one() {
        for header in ["Bearer x", "Bearer ", "Bearer null"] {
            assert!(Authorization(Some(header)).allows(&bucket(None)).is_err(), "{header}");
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
