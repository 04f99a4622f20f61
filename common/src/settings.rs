//! Settings: defaults, then `backdrop.toml` (or the file in `BACKDROP_CONFIG`), then `BACKDROP_*`
//! variables. Read and checked once, at the start.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;
use figment::{Figment, Profile};
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use crate::storage::url::ReadPreference;
use crate::storage::{DatabaseUrl, StorageOptions};

const PREFIX: &str = "BACKDROP_";
const CONFIG_VARIABLE: &str = "BACKDROP_CONFIG";
const CONFIG_FILE: &str = "backdrop.toml";
/// Variables that start with the prefix and are no settings: where the file is, and what tests use.
const NOT_SETTINGS: [&str; 2] = ["config", "test_"];

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
    /// The token that deletes a bucket's data; without one nobody can.
    pub management_token: Option<SecretString>,
    /// How large a body may be, decompressed, in bytes.
    pub max_body_bytes: NonZeroU32,
    /// How many groups or periods an answer may list.
    pub max_rows: NonZeroU32,
    /// How long a MongoDB server may work on one query, in milliseconds.
    pub max_time_ms: NonZeroU32,
    /// Which members of a MongoDB replica set answer queries.
    pub read_preference: ReadPreference,
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
            management_token: None,
            max_body_bytes: number(10_485_760),
            max_rows: number(1_000_000),
            max_time_ms: number(30_000),
            read_preference: ReadPreference::Primary,
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
            management_token: values.take_secret("management_token")?,
            max_body_bytes: values.take(
                "max_body_bytes",
                "a number of bytes, 1 to 4294967295",
                defaults.max_body_bytes,
            )?,
            max_rows: values.take("max_rows", "a number of rows, 1 to 4294967295", defaults.max_rows)?,
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
            log: values.take_log_filter(defaults.log)?,
            log_format: values.take("log_format", "text or json", defaults.log_format)?,
            unknown: Vec::new(),
        };
        Ok(Self { unknown: values.into_unknown()?, ..settings })
    }

    /// What the storage engine is opened with besides its URL.
    pub fn storage_options(&self) -> StorageOptions {
        StorageOptions {
            query_timeout: Duration::from_millis(self.max_time_ms.get().into()),
            read_preference: self.read_preference,
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

/// The settings of the admin pages, which are not there yet; they are no typing errors.
const RESERVED: [&str; 5] =
    ["oauth_base_url", "oauth_client_id", "oauth_client_secret", "public_url", "session_secret"];

/// The values that were found, by name; those that are taken are settings.
struct Values {
    figment: Figment,
    from_variables: Vec<String>,
    taken: Vec<&'static str>,
}

impl Values {
    fn read() -> Result<Self, InvalidSetting> {
        let file = Env::var(CONFIG_VARIABLE);
        if let Some(file) = &file
            && !std::path::Path::new(file).is_file()
        {
            return Err(InvalidSetting::NoSuchFile(file.clone()));
        }
        // Variables stay text: figment would read a token of digits as a number.
        let variables: BTreeMap<String, String> = Env::prefixed(PREFIX)
            .iter()
            .map(|(name, value)| (name.as_str().to_lowercase(), value))
            .filter(|(name, _)| !NOT_SETTINGS.iter().any(|other| name.starts_with(other)))
            .collect();
        let from_variables = variables.keys().cloned().collect();
        let figment = Figment::new()
            .merge(Toml::file(file.as_deref().unwrap_or(CONFIG_FILE)))
            .merge(Serialized::from(variables, Profile::Default));
        Ok(Self { figment, from_variables, taken: Vec::new() })
    }

    fn text(&mut self, name: &'static str, allowed: &'static str) -> Result<Option<String>, InvalidSetting> {
        self.taken.push(name);
        let value = match self.figment.find_value(name) {
            Ok(value) => value,
            Err(error) if error.missing() => return Ok(None),
            Err(error) => return Err(InvalidSetting::File(Box::new(error))),
        };
        match value {
            Value::String(_, text) => Ok(Some(text)),
            Value::Num(_, number) => Ok(number
                .to_i128()
                .map(|int| int.to_string())
                .or_else(|| number.to_f64().map(|float| float.to_string()))),
            _ => Err(InvalidSetting::Value { name, allowed, given: None }),
        }
    }

    fn take<T: FromStr>(
        &mut self,
        name: &'static str,
        allowed: &'static str,
        default: T,
    ) -> Result<T, InvalidSetting> {
        let Some(text) = self.text(name, allowed)? else { return Ok(default) };
        text.parse().map_err(|_| InvalidSetting::Value { name, allowed, given: Some(text) })
    }

    /// What was given is not shown: such a URL may hold a password.
    fn take_database_url(&mut self, default: DatabaseUrl) -> Result<DatabaseUrl, InvalidSetting> {
        let (name, allowed) =
            ("database_url", "sqlite://FILE (as in sqlite://data/backdrop.db) or mongodb://HOST/DATABASE");
        let Some(text) = self.text(name, allowed)? else { return Ok(default) };
        text.parse().map_err(|_| InvalidSetting::Value { name, allowed, given: None })
    }

    fn take_secret(&mut self, name: &'static str) -> Result<Option<SecretString>, InvalidSetting> {
        let allowed = "text without white space";
        let Some(text) = self.text(name, allowed)? else { return Ok(None) };
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(InvalidSetting::Value { name, allowed, given: None });
        }
        Ok(Some(text.into()))
    }

    fn take_log_filter(&mut self, default: String) -> Result<String, InvalidSetting> {
        let (name, allowed) = ("log", "a tracing filter (as in info or warn,backdrop=debug)");
        let Some(text) = self.text(name, allowed)? else { return Ok(default) };
        match EnvFilter::try_new(&text) {
            Ok(_) => Ok(text),
            Err(_) => Err(InvalidSetting::Value { name, allowed, given: Some(text) }),
        }
    }

    /// What is left. In the file that is a slip of the pen; a variable may belong to something else
    /// and is only reported.
    fn into_unknown(self) -> Result<Vec<String>, InvalidSetting> {
        let is_known = |name: &str| self.taken.contains(&name) || RESERVED.contains(&name);
        let names: BTreeMap<String, Value> =
            self.figment.extract().map_err(|error| InvalidSetting::File(Box::new(error)))?;
        let mut unknown = Vec::new();
        for name in names.into_keys().filter(|name| !is_known(name)) {
            if !self.from_variables.contains(&name) {
                return Err(InvalidSetting::Unknown(name, self.taken.join(", ")));
            }
            unknown.push(format!("{PREFIX}{}", name.to_uppercase()));
        }
        Ok(unknown)
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
    fn check_refused(file: &str, variables: &[(&str, &str)], message: &str) {
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
             management_token, max_body_bytes, max_rows, max_time_ms, read_preference, log, log_format",
        );
    }

    #[test]
    fn unknown_variables_are_reported() {
        Jail::expect_with(|jail| {
            jail.set_env("BACKDROP_RAED_PORT", "1");
            jail.set_env("BACKDROP_PUBLIC_URL", "http://localhost");
            assert_eq!(Settings::load().expect("settings").unknown, ["BACKDROP_RAED_PORT"]);
            Ok(())
        });
    }
}
