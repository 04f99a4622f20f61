//! Whether an ID token is for us, of now, and an answer to what we asked (OpenID Connect Core 1.0, section
//! 3.1.3.7). Pure.
//!
//! **Other audiences.** A token may be for others besides us: ZITADEL always names its project. The standard
//! has us trust those, since one of them could pass its copy on to us. Nobody can here: an ID token is taken
//! from the token endpoint only, for a code that this browser brought, and has the nonce that we made for it.
//! So without a list any other is accepted, unless `azp` says that the token was made for another client; with
//! one (`oidc_audiences`), all must be on it.

use chrono::DateTime;
use serde_json::Value as Json;
use subtle::ConstantTimeEq;

use crate::admin::provider::Fault;
use crate::admin::provider::fault::{Answer, shown};

/// By how much the provider's clock and ours may differ, in seconds.
const LEEWAY: f64 = 60.0;
/// What to do about clocks.
const CLOCKS: &str = "The clocks of the provider and of this machine differ by more than a minute: the operator must set \
     the one that is wrong, best by NTP.";
/// What to do about audiences.
const AUDIENCES: &str = "Whoever set up signing in must compare BACKDROP_OAUTH_CLIENT_ID with the provider's, and name other \
     audiences that are trusted in BACKDROP_OIDC_AUDIENCES, if that is set.";

/// What a token must say.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// The only other audiences that are trusted; none if any is.
    pub(super) audiences: Option<&'a [String]>,
    /// That of the sign-in, if it is known still.
    pub(super) nonce: Option<&'a str>,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

impl Expected<'_> {
    /// Checks the claims of a token whose signature is right.
    ///
    /// # Errors
    ///
    /// The first claim that is wrong, with what it is.
    pub(super) fn check(&self, claims: &Answer) -> Result<(), Fault> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        self.check_times(claims)?;
        self.check_nonce(claims)
    }

    fn check_issuer(&self, claims: &Answer) -> Result<(), Fault> {
        let issuer = claims.required("iss")?;
        // Google's may lack the scheme, as its documentation says.
        let is_google = issuer == "accounts.google.com" && self.issuer == "https://accounts.google.com";
        if issuer == self.issuer || is_google {
            return Ok(());
        }
        let found = shown(&issuer.into());
        Err(claims
            .fault(format_args!("iss is {found}, but discovery's issuer is \"{}\"", self.issuer))
            .advising(
                "Whoever set up signing in must set BACKDROP_OAUTH_BASE_URL to the issuer of these tokens.",
            ))
    }

    fn check_audience(&self, claims: &Answer) -> Result<(), Fault> {
        let aud = claims.get("aud").ok_or_else(|| claims.fault("aud is missing"))?;
        let audiences: Vec<&str> = match aud {
            Json::String(one) => vec![one],
            Json::Array(list) => list.iter().filter_map(Json::as_str).collect(),
            _ => return Err(claims.fault("aud is neither text nor a list of texts")),
        };
        let aud = shown(aud);
        if !audiences.contains(&self.client_id) {
            let problem = format!("aud is {aud}, which lacks oauth_client_id");
            return Err(claims.fault(problem).advising(AUDIENCES));
        }
        let is_trusted =
            |other: &str| self.audiences.is_none_or(|trusted| trusted.iter().any(|trusted| trusted == other));
        if audiences.iter().any(|audience| *audience != self.client_id && !is_trusted(audience)) {
            let problem = format!("aud is {aud}, of which oidc_audiences lacks one");
            return Err(claims.fault(problem).advising(AUDIENCES));
        }
        self.check_party(claims)
    }

    /// For which client the token was made, if it says so.
    fn check_party(&self, claims: &Answer) -> Result<(), Fault> {
        let Some(azp) = claims.get("azp").filter(|azp| **azp != "") else { return Ok(()) };
        let is_named =
            |azp: &str| self.audiences.is_some_and(|trusted| trusted.iter().any(|trusted| trusted == azp));
        if azp.as_str().is_some_and(|azp| azp == self.client_id || is_named(azp)) {
            return Ok(());
        }
        Err(claims.fault(format_args!("azp is {}, another client", shown(azp))).advising(AUDIENCES))
    }

    fn check_times(&self, claims: &Answer) -> Result<(), Fault> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a float")]
        let now = self.now as f64;
        let exp = claims.get("exp").ok_or_else(|| claims.fault("exp is missing"))?;
        let exp = seconds(exp).ok_or_else(|| claims.fault(format_args!("exp is {}, no time", shown(exp))))?;
        if exp + LEEWAY <= now {
            let ago = now - exp;
            return Err(claims.fault(format_args!("exp is {ago:.0} seconds ago")).advising(CLOCKS));
        }
        for name in ["iat", "nbf"] {
            // What is no time says nothing; such a token still ends.
            let ahead = claims.get(name).and_then(seconds).map_or(0.0, |time| time - now);
            if ahead > LEEWAY {
                let problem = format!("{name} is {ahead:.0} seconds from now");
                return Err(claims.fault(problem).advising(CLOCKS));
            }
        }
        Ok(())
    }

    fn check_nonce(&self, claims: &Answer) -> Result<(), Fault> {
        let Some(expected) = self.nonce else { return Ok(()) };
        let found = claims.required("nonce")?;
        let is_ours: bool = found.as_bytes().ct_eq(expected.as_bytes()).into();
        if is_ours { Ok(()) } else { Err(claims.fault("nonce is that of another sign-in")) }
    }
}

/// A time in seconds since 1970: a number, whole or not, or one as text, or a date and time as text.
fn seconds(time: &Json) -> Option<f64> {
    if let Some(seconds) = time.as_f64() {
        return Some(seconds);
    }
    let text = time.as_str()?.trim();
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite());
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a float")]
    seconds.or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp() as f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_400_000_000;

    fn expected<'a>() -> Expected<'a> {
        Expected {
            issuer: "https://id.example.org",
            client_id: "cid",
            audiences: None,
            nonce: Some("n1"),
            now: NOW,
        }
    }

    /// A good token but for some claims; `null` takes one away.
    fn token(change: &Json) -> Answer {
        let mut claims = json!({
            "iss": "https://id.example.org", "sub": "u1", "aud": "cid", "nonce": "n1",
            "exp": NOW + 300, "iat": NOW,
        });
        let members = claims.as_object_mut().expect("an object");
        members.extend(change.as_object().expect("an object").clone());
        Answer::parse("the ID token", claims.to_string().as_bytes()).expect("an object")
    }

    #[track_caller]
    fn check(expected: Expected<'_>, change: &Json, fault: Option<&str>) {
        let found = expected.check(&token(change)).err().map(|fault| fault.to_string());
        match (&found, fault) {
            (None, None) => {}
            (Some(found), Some(fault)) if found.contains(fault) => {
                assert!(found.starts_with("the ID token: "), "{found}");
            }
            _ => panic!("{change}: {found:?}, not {fault:?}"),
        }
    }

    #[test]
    fn what_is_not_used_may_be_anything() {
        for change in [
            json!({}),
            json!({"address": "1 High Street", "email_verified": "perhaps", "updated_at": "yesterday"}),
            json!({"auth_time": "never", "amr": "pwd", "acr": 0, "birthdate": 5, "zoneinfo": []}),
            json!({"at_hash": 5, "c_hash": {}, "sid": null, "iat": null, "nbf": null, "azp": null}),
            json!({"iat": "some time ago", "nbf": {}}),
        ] {
            check(expected(), &change, None);
        }
    }

    #[test]
    fn who_a_token_is_for() {
        for (change, fault) in [
            (json!({"aud": ["cid"]}), None),
            (json!({"aud": ["project-1", "cid"], "azp": "cid"}), None),
            (json!({"aud": ["cid", "project-1"]}), None),
            (json!({"aud": ["cid", "project-1"], "azp": ""}), None),
            (json!({"aud": ["cid", 5]}), None),
            (json!({"aud": null}), Some("aud is missing")),
            (json!({"aud": 5}), Some("aud is neither text nor a list")),
            (json!({"aud": []}), Some("aud is [], which lacks oauth_client_id")),
            (json!({"aud": "other"}), Some("aud is \"other\", which lacks oauth_client_id")),
            (json!({"aud": "CID"}), Some("which lacks oauth_client_id")),
            (json!({"aud": ["project-1"], "azp": "cid"}), Some("which lacks oauth_client_id")),
            (json!({"aud": ["cid", "other"], "azp": "other"}), Some("azp is \"other\", another client")),
            (json!({"aud": "cid", "azp": "other"}), Some("azp is \"other\", another client")),
            (json!({"aud": "cid", "azp": ["cid"]}), Some("azp is")),
        ] {
            check(expected(), &change, fault);
        }
        let trusted = ["project-1".to_owned()];
        let listed = Expected { audiences: Some(&trusted), ..expected() };
        for (change, fault) in [
            (json!({}), None),
            (json!({"aud": ["cid", "project-1"]}), None),
            (json!({"aud": ["cid", "project-1"], "azp": "project-1"}), None),
            (json!({"aud": ["cid", "project-2"]}), Some("of which oidc_audiences lacks one")),
            (json!({"aud": "project-1"}), Some("which lacks oauth_client_id")),
        ] {
            check(listed, &change, fault);
        }
    }

    #[test]
    fn of_when_a_token_is() {
        for (change, fault) in [
            (json!({"exp": (NOW + 300).to_string()}), None),
            (json!({"exp": 1_400_000_000.5}), None),
            (json!({"exp": format!("{}.25", NOW + 1)}), None),
            (json!({"exp": "2014-05-13T16:53:21Z", "iat": "2014-05-13T18:53:20.5+02:00"}), None),
            (json!({"exp": NOW - 59}), None),
            (json!({"exp": NOW - 60}), Some("exp is 60 seconds ago")),
            (json!({"exp": "1399999000"}), Some("exp is 1000 seconds ago")),
            (json!({"exp": "2013-05-13T16:53:21Z"}), Some("seconds ago")),
            (json!({"exp": null}), Some("exp is missing")),
            (json!({"exp": "soon"}), Some("exp is \"soon\", no time")),
            (json!({"exp": "NaN"}), Some("no time")),
            (json!({"exp": {}}), Some("exp is {}, no time")),
            (json!({"iat": NOW + 60, "nbf": (NOW + 60).to_string()}), None),
            (json!({"iat": NOW + 61}), Some("iat is 61 seconds from now")),
            (json!({"nbf": format!("{}", NOW + 3600)}), Some("nbf is 3600 seconds from now")),
        ] {
            check(expected(), &change, fault);
        }
    }

    #[test]
    fn from_whom_and_for_what_a_token_is() {
        for (change, fault) in [
            (json!({"iss": null}), Some("iss is missing")),
            (json!({"iss": "https://id.example.org/"}), Some("but discovery's issuer is")),
            (json!({"iss": "https://evil.example.org"}), Some("iss is \"https://evil.example.org\"")),
            (json!({"nonce": null}), Some("nonce is missing")),
            (json!({"nonce": "n2"}), Some("nonce is that of another sign-in")),
            (json!({"nonce": 5}), Some("nonce is no text")),
        ] {
            check(expected(), &change, fault);
        }
        check(Expected { nonce: None, ..expected() }, &json!({"nonce": null}), None);
        let google = Expected { issuer: "https://accounts.google.com", ..expected() };
        check(google, &json!({"iss": "accounts.google.com"}), None);
        check(expected(), &json!({"iss": "accounts.google.com"}), Some("iss is"));
    }

    #[test]
    fn faults_show_no_secret() {
        let fault = expected().check(&token(&json!({"nonce": "hush"}))).expect_err("a fault");
        assert!(!fault.to_string().contains("hush") && !fault.to_string().contains("n1"), "{fault}");
    }
}
