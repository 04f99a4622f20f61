//! How people sign in: which provider knows them, and how long its word is taken.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use secrecy::SecretString;
use url::Url;

use super::addresses::is_this_machine;
use super::values::Values;
use super::{InvalidSetting, number};

/// What an operator sets of signing in. `Debug` does not show secrets.
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// How the provider is talked to.
    pub kind: ProviderKind,
    /// Where it is; of an OpenID provider, its issuer.
    pub base_url: ProviderUrl,
    /// How it calls this installation.
    pub client_id: String,
    /// What this installation proves that with.
    pub client_secret: SecretString,
    /// What session cookies are encrypted with, by way of a derived key. There always is one in
    /// production.
    pub session_secret: Option<SecretString>,
    /// After how long without use a session ends, in seconds.
    pub session_seconds: NonZeroU32,
    /// How old what the provider said of a person may be, in seconds.
    pub session_check_seconds: NonZeroU32,
    /// How many sign-ins may begin at one address within a minute.
    pub sign_ins_per_minute: NonZeroU32,
    /// Where an OpenID provider's claims list what a person may do: names of keys, divided by dots.
    pub permissions_claim: String,
    /// What is on that list if the person may sign in.
    pub signin_group: String,
    /// What is on it if they may manage buckets and users.
    pub admin_group: String,
    /// What an OpenID provider is asked to tell: names, divided by spaces.
    pub scopes: String,
    /// Where an OpenID provider's claims have the address by which a person is known.
    pub email_claim: String,
    /// The only audiences besides us that an ID token may be for; without a list, any.
    pub audiences: Option<Vec<String>>,
}

/// How a provider is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// As to GOV.UK's Signonotron2.
    Signon,
    /// As to an OpenID provider.
    Oidc,
}

/// The address of a provider, spelled as it was set and without a slash at its end: the issuer of an OpenID
/// provider is compared as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderUrl(String);

impl SignInSettings {
    /// The settings, if there is a provider.
    pub(super) fn take(values: &mut Values) -> Result<Option<Self>, InvalidSetting> {
        let kind = values.take("oauth_kind", "signon or oidc", ProviderKind::Signon)?;
        let base_url = values.take_optional("oauth_base_url", "an http or https URL without a query")?;
        let client_id = values.take_optional::<Text>("oauth_client_id", "text")?;
        let client_secret = values.take_secret("oauth_client_secret")?;
        let allowed_secret = "text of 32 characters or more without white space";
        let session_secret = values.take_long_secret("session_secret", 32, allowed_secret)?;
        let seconds = "a number of seconds, 1 to 4294967295";
        let session_seconds = values.take("session_seconds", seconds, number(4 * 60 * 60))?;
        let session_check_seconds = values.take("session_check_seconds", seconds, number(5 * 60))?;
        let sign_ins_per_minute =
            values.take("sign_ins_per_minute", "a number of sign-ins, 1 to 4294967295", number(30))?;
        let mut text = |name, default: &str| values.take(name, "text", Text(default.to_owned()));
        let permissions_claim = text("oidc_permissions_claim", "groups")?.0;
        let signin_group = text("oidc_signin_group", "signin")?.0;
        let admin_group = text("oidc_admin_group", "admin")?.0;
        let scopes = text("oidc_scopes", "openid email profile")?.0;
        let email_claim = text("oidc_email_claim", "email")?.0;
        let audiences = values.take_optional::<Text>("oidc_audiences", "names, divided by spaces")?;
        let audiences = audiences.map(|Text(names)| names.split_whitespace().map(str::to_owned).collect());
        let (base_url, client_id, client_secret) = match (base_url, client_id, client_secret) {
            (None, None, None) => return Ok(None),
            (Some(base_url), Some(client_id), Some(client_secret)) => (base_url, client_id.0, client_secret),
            (None, _, _) => return Err(missing("oauth_base_url")),
            (_, None, _) => return Err(missing("oauth_client_id")),
            (_, _, None) => return Err(missing("oauth_client_secret")),
        };
        Ok(Some(Self {
            kind,
            base_url,
            client_id,
            client_secret,
            session_secret,
            session_seconds,
            session_check_seconds,
            sign_ins_per_minute,
            permissions_claim,
            signin_group,
            admin_group,
            scopes,
            email_claim,
            audiences,
        }))
    }

    /// Settings for a provider on this machine, with the defaults otherwise.
    pub fn for_testing(kind: ProviderKind, base_url: &str) -> Self {
        Self {
            kind,
            base_url: ProviderUrl(base_url.to_owned()),
            client_id: "backdrop".to_owned(),
            client_secret: "dev-secret".into(),
            session_secret: None,
            session_seconds: number(4 * 60 * 60),
            session_check_seconds: number(5 * 60),
            sign_ins_per_minute: number(30),
            permissions_claim: "groups".to_owned(),
            signin_group: "signin".to_owned(),
            admin_group: "admin".to_owned(),
            scopes: "openid email profile".to_owned(),
            email_claim: "email".to_owned(),
            audiences: None,
        }
    }
}

fn missing(name: &'static str) -> InvalidSetting {
    InvalidSetting::Value {
        name,
        allowed: "set too: oauth_base_url, oauth_client_id and oauth_client_secret come together",
        given: None,
    }
}

/// Text that is not empty.
struct Text(String);

impl FromStr for Text {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.trim().is_empty() { Err(()) } else { Ok(Self(text.to_owned())) }
    }
}

impl FromStr for ProviderKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "signon" => Ok(Self::Signon),
            "oidc" => Ok(Self::Oidc),
            _ => Err(()),
        }
    }
}

impl ProviderUrl {
    /// The address of a path of the provider, which starts with `/`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0.trim_end_matches('/'))
    }

    /// Whether nobody between us and the provider can listen or answer in its place.
    pub(super) fn is_out_of_reach(&self) -> bool {
        Url::parse(&self.0)
            .is_ok_and(|url| url.scheme() == "https" || url.host().is_some_and(|host| is_this_machine(&host)))
    }

    /// The address as it was set.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url = Url::parse(text).map_err(|_| ())?;
        let valid = matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if valid { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for ProviderUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "the error is that of figment's Jail")]
mod tests {
    use figment::Jail;
    use secrecy::ExposeSecret;

    use super::super::Settings;
    use super::super::tests::check_refused;

    const URL: (&str, &str) = ("BACKDROP_OAUTH_BASE_URL", "https://signon.example.org/");
    const ID: (&str, &str) = ("BACKDROP_OAUTH_CLIENT_ID", "backdrop");
    const SECRET: (&str, &str) = ("BACKDROP_OAUTH_CLIENT_SECRET", "hush-hush");
    const PUBLIC: (&str, &str) = ("BACKDROP_PUBLIC_URL", "https://backdrop.example.org");

    #[test]
    fn without_a_provider_nobody_signs_in() {
        Jail::expect_with(|jail| {
            jail.set_env(PUBLIC.0, PUBLIC.1);
            let settings = Settings::load().expect("settings");
            assert!(settings.sign_in.is_none());
            assert!(settings.with_session_secret().expect("settings").sign_in.is_none());
            Ok(())
        });
    }

    #[test]
    fn a_provider_and_the_defaults() {
        Jail::expect_with(|jail| {
            for (name, value) in [URL, ID, SECRET] {
                jail.set_env(name, value);
            }
            let settings = Settings::load().expect("settings");
            assert!(!format!("{settings:?}").contains("hush"), "a secret is shown");
            assert_eq!(settings.public_url(4000).to_string(), "http://127.0.0.1:4000");
            let sign_in = settings.sign_in.as_ref().expect("a provider");
            assert_eq!(sign_in.base_url.join("/user.json"), "https://signon.example.org/user.json");
            assert_eq!(sign_in.base_url.as_str(), URL.1);
            assert_eq!(sign_in.session_seconds.get(), 14_400);
            assert_eq!(sign_in.session_check_seconds.get(), 300);
            assert!(sign_in.session_secret.is_none() && sign_in.audiences.is_none());
            assert_eq!(sign_in.email_claim, "email");
            jail.set_env("BACKDROP_OIDC_AUDIENCES", " project-1  project-2");
            jail.set_env("BACKDROP_OIDC_EMAIL_CLAIM", "upn");
            let named = Settings::load().expect("settings").sign_in.expect("a provider");
            assert_eq!(
                named.audiences.as_deref(),
                Some(&["project-1".to_owned(), "project-2".to_owned()][..])
            );
            assert_eq!(named.email_claim, "upn");
            let made = settings.with_session_secret().expect("settings").sign_in.expect("a provider");
            assert_eq!(made.session_secret.expect("a secret").expose_secret().len(), 43);
            Ok(())
        });
    }

    #[test]
    fn a_provider_in_clear_is_of_this_machine_or_for_development() {
        for (url, public) in [
            ("https://signon.example.org", PUBLIC.1),
            ("http://127.0.0.1:3040", PUBLIC.1),
            ("http://[::1]:3040/realms/a", PUBLIC.1),
            ("http://localhost", PUBLIC.1),
            ("http://signon.example.org", "http://127.0.0.1:3039"),
        ] {
            Jail::expect_with(|jail| {
                for (name, value) in [("BACKDROP_OAUTH_BASE_URL", url), (PUBLIC.0, public), ID, SECRET] {
                    jail.set_env(name, value);
                }
                jail.set_env("BACKDROP_SESSION_SECRET", "a-secret-of-more-than-thirty-two-characters");
                assert!(Settings::load().is_ok(), "{url}");
                Ok(())
            });
        }
    }

    #[test]
    fn settings_of_signing_in_that_stop_the_start() {
        let together =
            "must be set too: oauth_base_url, oauth_client_id and oauth_client_secret come together";
        for (given, missing) in [
            (&[ID, SECRET][..], "oauth_base_url (BACKDROP_OAUTH_BASE_URL)"),
            (&[URL, SECRET][..], "oauth_client_id (BACKDROP_OAUTH_CLIENT_ID)"),
            (&[URL][..], "oauth_client_id (BACKDROP_OAUTH_CLIENT_ID)"),
            (&[URL, ID][..], "oauth_client_secret (BACKDROP_OAUTH_CLIENT_SECRET)"),
        ] {
            check_refused("", given, &format!("setting {missing} {together}"));
        }
        check_refused(
            "",
            &[URL, ID, SECRET, PUBLIC],
            "setting session_secret (BACKDROP_SESSION_SECRET) must be set where public_url is https and people \
             sign in: text of 32 characters or more without white space",
        );
        let long = ("BACKDROP_SESSION_SECRET", "a-secret-of-more-than-thirty-two-characters");
        for url in ["http://signon.example.org", "http://10.0.0.1:3040", "http://localhost.example.org"] {
            check_refused(
                "",
                &[("BACKDROP_OAUTH_BASE_URL", url), ID, SECRET, PUBLIC, long],
                &format!(
                    "setting oauth_base_url (BACKDROP_OAUTH_BASE_URL) must be an https URL where public_url is \
                     https, or an http URL of this machine (as in http://127.0.0.1:3040), not \"{url}\""
                ),
            );
        }
        check_refused(
            "",
            &[("BACKDROP_SESSION_SECRET", "of thirty-two characters, but with spaces")],
            "setting session_secret (BACKDROP_SESSION_SECRET) must be text of 32 characters or more without \
             white space",
        );
        check_refused(
            "",
            &[("BACKDROP_SESSION_SECRET", "short")],
            "setting session_secret (BACKDROP_SESSION_SECRET) must be text of 32 characters or more without \
             white space",
        );
        check_refused(
            "",
            &[("BACKDROP_OAUTH_KIND", "saml")],
            "setting oauth_kind (BACKDROP_OAUTH_KIND) must be signon or oidc, not \"saml\"",
        );
        for url in ["signon.example.org", "ftp://signon.example.org", "https://signon.example.org?a=b"] {
            check_refused(
                "",
                &[("BACKDROP_OAUTH_BASE_URL", url)],
                &format!(
                    "setting oauth_base_url (BACKDROP_OAUTH_BASE_URL) must be an http or https URL without a \
                     query, not \"{url}\""
                ),
            );
        }
        check_refused(
            "",
            &[("BACKDROP_PUBLIC_URL", "http://backdrop.example.org")],
            "setting public_url (BACKDROP_PUBLIC_URL) must be https://HOST, or http://HOST of this machine (as \
             in http://127.0.0.1:3039), without a path, not \"http://backdrop.example.org\"",
        );
        check_refused(
            "session_seconds = 0",
            &[],
            "setting session_seconds (BACKDROP_SESSION_SECONDS) must be a number of seconds, 1 to 4294967295, \
             not \"0\"",
        );
    }
}
