//! Settings: defaults, then `backdrop.toml` (or the file in `BACKDROP_CONFIG`), then `BACKDROP_*`
//! variables. Read and checked once, at the start.

mod addresses;
mod session_secret;
mod sign_in;
mod trusted_proxies;
mod values;

pub use addresses::{InvalidOrigin, PublicUrl, WebOrigin};
pub use session_secret::SecretFileError;
pub use sign_in::{ProviderKind, ProviderUrl, SignInSettings};
pub use trusted_proxies::TrustedProxies;

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use self::values::Values;
use crate::storage::url::{DEFAULT_VIEW_BYTES, ReadPreference};
use crate::storage::{DatabaseUrl, StorageOptions};

/// Everything that an operator can set. `Debug` does not show secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buckets are kept.
    pub database_url: DatabaseUrl,
    /// The address that both apps listen on.
    pub address: IpAddr,
    /// The port of the read app.
    pub read_port: NonZeroU16,
    /// The port of the write app.
    pub write_port: NonZeroU16,
    /// How many connections an app has at once; fewer where it may have few files open.
    pub max_connections: NonZeroU32,
    /// The reverse proxies that say where a client is.
    pub trusted_proxies: TrustedProxies,
    /// The token that deletes a bucket's data; without one nobody can.
    pub management_token: Option<SecretString>,
    /// How large a body may be, decompressed, in bytes.
    pub max_body_bytes: NonZeroU32,
    /// How much memory requests that store something may take, all together, in bytes. One that is alone
    /// is taken whatever this is.
    pub max_ingest_bytes: NonZeroU32,
    /// How many groups or periods an answer may list.
    pub max_rows: NonZeroU32,
    /// How many bytes an answer of groups may have.
    pub max_answer_bytes: NonZeroU32,
    /// How much memory answers may take, all together, in bytes: what was found, and what is being sent.
    pub max_query_bytes: NonZeroU32,
    /// After how many milliseconds a query is slow, and the log says so; 0 for never.
    pub slow_query_ms: u32,
    /// How long a MongoDB server may work on one query, in milliseconds.
    pub max_time_ms: NonZeroU32,
    /// Which members of a MongoDB replica set answer queries.
    pub read_preference: ReadPreference,
    /// How much memory the columnar views of buckets may take in a process, in bytes; 0 for none.
    pub view_bytes: u64,
    /// How much memory answers may take that are kept to be given again, in bytes; 0 for none.
    pub answer_bytes: u64,
    /// Where people's browsers find the write app; see [`Settings::public_url`].
    pub public_url: Option<PublicUrl>,
    /// Where people and programs find the read app; see [`Settings::read_url`].
    pub read_url: Option<WebOrigin>,
    /// How people sign in; without this nobody can.
    pub sign_in: Option<SignInSettings>,
    /// How many files a person may upload within a minute.
    pub uploads_per_minute: NonZeroU32,
    /// How large an uploaded file may be, in bytes.
    pub max_upload_bytes: NonZeroU32,
    /// How long a bucket's old token goes on working beside its new one, in seconds.
    pub token_overlap_seconds: u32,
    /// What is logged: a filter of the `tracing` crate.
    pub log: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Names of variables that look like settings and are none.
    pub unknown: Vec<String>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text for people.
    Text,
    /// A line of JSON for programs.
    Json,
}

/// A setting that stops the start.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// The value is not one of those allowed.
    #[error("setting {name} (BACKDROP_{}) must be {allowed}{}", .name.to_uppercase(), shown(.given.as_deref()))]
    Value {
        /// The name in `backdrop.toml`.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
        /// What it is; none for a secret.
        given: Option<String>,
    },
    /// `backdrop.toml` has a name that is no setting.
    #[error("{0} is no setting; the settings are {1}")]
    Unknown(String, String),
    /// `backdrop.toml` cannot be read.
    #[error("the settings cannot be read: {0}")]
    File(Box<figment::Error>),
    /// The file is none that can be read.
    #[error("the settings cannot be read: {file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The file that `BACKDROP_CONFIG` names does not exist.
    #[error("BACKDROP_CONFIG names a file that does not exist: {0}")]
    NoSuchFile(String),
}

fn shown(given: Option<&str>) -> String {
    given.map(|given| format!(", not \"{given}\"")).unwrap_or_default()
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: DatabaseUrl::default(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            read_port: port(3038),
            write_port: port(3039),
            max_connections: number(2_048),
            trusted_proxies: TrustedProxies::default(),
            management_token: None,
            max_body_bytes: number(10_485_760),
            max_ingest_bytes: number(268_435_456),
            max_rows: number(1_000_000),
            max_answer_bytes: number(268_435_456),
            max_query_bytes: number(536_870_912),
            slow_query_ms: 1000,
            max_time_ms: number(30_000),
            read_preference: ReadPreference::Primary,
            view_bytes: DEFAULT_VIEW_BYTES,
            answer_bytes: 64 * 1024 * 1024,
            public_url: None,
            read_url: None,
            sign_in: None,
            uploads_per_minute: number(20),
            max_upload_bytes: number(1_000_000),
            token_overlap_seconds: 7 * 24 * 60 * 60,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            unknown: Vec::new(),
        }
    }
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN)
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// The first one that is wrong, with its name and what is allowed.
    pub fn load() -> Result<Self, InvalidSetting> {
        let mut values = Values::read()?;
        let defaults = Self::default();
        let settings = Self {
            database_url: values.take_database_url(defaults.database_url)?,
            address: values.take("address", "an IP address", defaults.address)?,
            read_port: values.take("read_port", "a port, 1 to 65535", defaults.read_port)?,
            write_port: values.take("write_port", "a port, 1 to 65535", defaults.write_port)?,
            max_connections: values.take(
                "max_connections",
                "a number of connections, 1 to 4294967295",
                defaults.max_connections,
            )?,
            trusted_proxies: values.take(
                "trusted_proxies",
                "a list of IP addresses and ranges, as in 10.0.0.0/8, ::1",
                defaults.trusted_proxies,
            )?,
            management_token: values.take_secret("management_token")?,
            max_body_bytes: values.take(
                "max_body_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_body_bytes,
            )?,
            max_ingest_bytes: values.take(
                "max_ingest_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_ingest_bytes,
            )?,
            max_rows: values.take("max_rows", "a number of rows, 1 to 4294967295", defaults.max_rows)?,
            max_answer_bytes: values.take(
                "max_answer_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_answer_bytes,
            )?,
            max_query_bytes: values.take(
                "max_query_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_query_bytes,
            )?,
            slow_query_ms: values.take(
                "slow_query_ms",
                "a number of milliseconds, 0 or more",
                defaults.slow_query_ms,
            )?,
            max_time_ms: values.take(
                "max_time_ms",
                "a number of milliseconds, 1 to 4294967295",
                defaults.max_time_ms,
            )?,
            read_preference: values.take(
                "read_preference",
                "primary, primaryPreferred, secondary, secondaryPreferred or nearest",
                defaults.read_preference,
            )?,
            view_bytes: values.take("view_bytes", "a number of bytes, 0 or more", defaults.view_bytes)?,
            answer_bytes: values.take(
                "answer_bytes",
                "a number of bytes, 0 or more",
                defaults.answer_bytes,
            )?,
            public_url: values.take_optional(
                "public_url",
                "https://HOST, or http://HOST of this machine (as in http://127.0.0.1:3039), without a path",
            )?,
            read_url: values.take_optional("read_url", "http://HOST or https://HOST, without a path")?,
            sign_in: SignInSettings::take(&mut values)?,
            uploads_per_minute: values.take(
                "uploads_per_minute",
                "a number of files, 1 to 4294967295",
                defaults.uploads_per_minute,
            )?,
            max_upload_bytes: values.take(
                "max_upload_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_upload_bytes,
            )?,
            token_overlap_seconds: values.take(
                "token_overlap_seconds",
                "a number of seconds, 0 to 4294967295",
                defaults.token_overlap_seconds,
            )?,
            log: values.take_log_filter(defaults.log)?,
            log_format: values.take("log_format", "text or json", defaults.log_format)?,
            unknown: Vec::new(),
        };
        settings.check_session_secret()?;
        settings.check_provider_url()?;
        Ok(Self { unknown: values.into_unknown()?, ..settings })
    }

    /// Where people's browsers find the write app, if that listens on a port: what is set, or this
    /// machine.
    pub fn public_url(&self, port: u16) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::of_this_machine(port))
    }

    /// Where people and programs find the read app: what is set, or this machine.
    pub fn read_url(&self) -> WebOrigin {
        self.read_url.clone().unwrap_or_else(|| WebOrigin::of_this_machine(self.read_port.get()))
    }

    /// Sessions outlive a restart and are shared by several apps only if the secret is set, and one that
    /// is kept in a file is nothing for production.
    fn check_session_secret(&self) -> Result<(), InvalidSetting> {
        let in_production = self.public_url.as_ref().is_some_and(PublicUrl::is_production);
        match &self.sign_in {
            Some(sign_in) if in_production && sign_in.session_secret.is_none() => {
                Err(InvalidSetting::Value {
                    name: "session_secret",
                    allowed: "set where public_url is https and people sign in: text of 32 characters or \
                              more without white space",
                    given: None,
                })
            }
            _ => Ok(()),
        }
    }

    /// What a provider says in clear, anybody on the way could say in its place; and our secret is in what it
    /// is asked.
    fn check_provider_url(&self) -> Result<(), InvalidSetting> {
        let in_production = self.public_url.as_ref().is_some_and(PublicUrl::is_production);
        match &self.sign_in {
            Some(sign_in) if in_production && !sign_in.base_url.is_out_of_reach() => {
                Err(InvalidSetting::Value {
                    name: "oauth_base_url",
                    allowed: "an https URL where public_url is https, or an http URL of this machine (as in \
                              http://127.0.0.1:3040)",
                    given: Some(sign_in.base_url.to_string()),
                })
            }
            _ => Ok(()),
        }
    }

    /// What the storage engine is opened with besides its URL.
    pub fn storage_options(&self) -> StorageOptions {
        StorageOptions {
            query_timeout: Duration::from_millis(self.max_time_ms.get().into()),
            read_preference: self.read_preference,
            view_bytes: usize::try_from(self.view_bytes).unwrap_or(usize::MAX),
        }
    }
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "the error is that of figment's Jail")]
mod tests {
    use figment::Jail;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn defaults() {
        Jail::expect_with(|_| {
            let settings = Settings::load().expect("settings");
            assert_eq!(settings.database_url.to_string(), "sqlite://data/backdrop.db");
            assert_eq!((settings.read_port, settings.write_port), (port(3038), port(3039)));
            assert_eq!(settings.address.to_string(), "127.0.0.1");
            assert_eq!(settings.max_body_bytes, number(10_485_760));
            assert!(settings.management_token.is_none());
            Ok(())
        });
    }

    #[test]
    fn variables_override_the_file_which_overrides_the_defaults() {
        Jail::expect_with(|jail| {
            jail.create_file("backdrop.toml", "read_port = 4000\nwrite_port = 4001\nlog = \"warn\"")?;
            jail.set_env("BACKDROP_WRITE_PORT", "5001");
            jail.set_env("BACKDROP_MANAGEMENT_TOKEN", "0123");
            jail.set_env("BACKDROP_TEST_MONGODB_URL", "mongodb://localhost");
            let settings = Settings::load().expect("settings");
            assert_eq!((settings.read_port, settings.write_port), (port(4000), port(5001)));
            assert_eq!(settings.log, "warn");
            let token = settings.management_token.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(token, Some("0123"));
            assert!(!format!("{settings:?}").contains("0123"), "a secret is shown");
            assert!(settings.unknown.is_empty());
            Ok(())
        });
    }

    #[test]
    fn another_file() {
        Jail::expect_with(|jail| {
            jail.create_file("other.toml", "log_format = \"json\"")?;
            jail.set_env("BACKDROP_CONFIG", "other.toml");
            assert_eq!(Settings::load().expect("settings").log_format, LogFormat::Json);
            jail.set_env("BACKDROP_CONFIG", "missing.toml");
            assert!(Settings::load().is_err());
            Ok(())
        });
    }

    #[track_caller]
    pub(super) fn check_refused(file: &str, variables: &[(&str, &str)], message: &str) {
        Jail::expect_with(|jail| {
            jail.create_file("backdrop.toml", file)?;
            for (name, value) in variables {
                jail.set_env(name, value);
            }
            assert_eq!(Settings::load().expect_err(message).to_string(), message);
            Ok(())
        });
    }

    #[test]
    fn settings_that_stop_the_start() {
        check_refused(
            "",
            &[("BACKDROP_READ_PORT", "x")],
            "setting read_port (BACKDROP_READ_PORT) must be a port, 1 to 65535, not \"x\"",
        );
        check_refused(
            "write_port = 0",
            &[],
            "setting write_port (BACKDROP_WRITE_PORT) must be a port, 1 to 65535, not \"0\"",
        );
        check_refused(
            "write_port = 70000",
            &[],
            "setting write_port (BACKDROP_WRITE_PORT) must be a port, 1 to 65535, not \"70000\"",
        );
        check_refused(
            "",
            &[("BACKDROP_DATABASE_URL", "postgres://name:secret@host/backdrop")],
            "setting database_url (BACKDROP_DATABASE_URL) must be sqlite://FILE (as in \
             sqlite://data/backdrop.db) or mongodb://HOST/DATABASE",
        );
        check_refused(
            "",
            &[("BACKDROP_LOG", "a=b=c")],
            "setting log (BACKDROP_LOG) must be a tracing filter (as in info or warn,backdrop=debug), \
             not \"a=b=c\"",
        );
        check_refused(
            "",
            &[("BACKDROP_LOG_FORMAT", "xml")],
            "setting log_format (BACKDROP_LOG_FORMAT) must be text or json, not \"xml\"",
        );
        check_refused(
            "",
            &[("BACKDROP_MANAGEMENT_TOKEN", "two words")],
            "setting management_token (BACKDROP_MANAGEMENT_TOKEN) must be text without white space",
        );
        check_refused(
            "max_body_bytes = -1",
            &[],
            "setting max_body_bytes (BACKDROP_MAX_BODY_BYTES) must be a number of bytes, 1 to 4294967295, not \"-1\"",
        );
        check_refused("address = true", &[], "setting address (BACKDROP_ADDRESS) must be an IP address");
        check_refused(
            "raed_port = 1",
            &[],
            "raed_port is no setting; the settings are database_url, address, read_port, write_port, \
             max_connections, trusted_proxies, management_token, max_body_bytes, max_ingest_bytes, max_rows, max_answer_bytes, max_query_bytes, slow_query_ms, max_time_ms, read_preference, \
             view_bytes, answer_bytes, public_url, read_url, oauth_kind, oauth_base_url, oauth_client_id, \
             oauth_client_secret, session_secret, \
             session_seconds, session_check_seconds, sign_ins_per_minute, oidc_permissions_claim, \
             oidc_signin_group, oidc_admin_group, oidc_scopes, uploads_per_minute, max_upload_bytes, \
             token_overlap_seconds, log, log_format",
        );
    }

    #[test]
    fn unknown_variables_are_reported() {
        Jail::expect_with(|jail| {
            jail.set_env("BACKDROP_RAED_PORT", "1");
            assert_eq!(Settings::load().expect("settings").unknown, ["BACKDROP_RAED_PORT"]);
            Ok(())
        });
    }
}
