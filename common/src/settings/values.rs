//! The values that were found in the file and the variables, and how each is checked.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;
use figment::{Figment, Profile};
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::InvalidSetting;
use crate::plain_file;
use crate::storage::DatabaseUrl;

const PREFIX: &str = "BACKDROP_";
const CONFIG_VARIABLE: &str = "BACKDROP_CONFIG";
const CONFIG_FILE: &str = "backdrop.toml";
/// The largest that the file may be.
const CONFIG_FILE_BYTES: usize = 1 << 20;
/// Variables that start with the prefix and are no settings: where the file is, and what tests use.
const NOT_SETTINGS: [&str; 2] = ["config", "test_"];

/// The values that were found, by name; those that are taken are settings.
pub(super) struct Values {
    figment: Figment,
    from_variables: Vec<String>,
    taken: Vec<&'static str>,
}

impl Values {
    pub(super) fn read() -> Result<Self, InvalidSetting> {
        let file = Env::var(CONFIG_VARIABLE);
        if let Some(file) = &file
            && !Path::new(file).exists()
        {
            return Err(InvalidSetting::NoSuchFile(file.clone()));
        }
        let path = file.as_deref().unwrap_or(CONFIG_FILE);
        match plain_file::read(Path::new(path), CONFIG_FILE_BYTES) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(InvalidSetting::Unreadable { file: path.to_owned(), error });
            }
            _ => {}
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

    /// The text of a setting, if it is set; from then on its name is known.
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

    pub(super) fn take<T: FromStr>(
        &mut self,
        name: &'static str,
        allowed: &'static str,
        default: T,
    ) -> Result<T, InvalidSetting> {
        Ok(self.take_optional(name, allowed)?.unwrap_or(default))
    }

    pub(super) fn take_optional<T: FromStr>(
        &mut self,
        name: &'static str,
        allowed: &'static str,
    ) -> Result<Option<T>, InvalidSetting> {
        let Some(text) = self.text(name, allowed)? else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(InvalidSetting::Value { name, allowed, given: Some(text) }),
        }
    }

    /// What was given is not shown: such a URL may hold a password.
    pub(super) fn take_database_url(&mut self, default: DatabaseUrl) -> Result<DatabaseUrl, InvalidSetting> {
        let (name, allowed) =
            ("database_url", "sqlite://FILE (as in sqlite://data/backdrop.db) or mongodb://HOST/DATABASE");
        let Some(text) = self.text(name, allowed)? else { return Ok(default) };
        text.parse().map_err(|_| InvalidSetting::Value { name, allowed, given: None })
    }

    pub(super) fn take_secret(&mut self, name: &'static str) -> Result<Option<SecretString>, InvalidSetting> {
        self.take_long_secret(name, 1, "text without white space")
    }

    /// A secret of so many characters at least.
    pub(super) fn take_long_secret(
        &mut self,
        name: &'static str,
        length: usize,
        allowed: &'static str,
    ) -> Result<Option<SecretString>, InvalidSetting> {
        let Some(text) = self.text(name, allowed)? else { return Ok(None) };
        if text.chars().count() < length || text.contains(char::is_whitespace) {
            return Err(InvalidSetting::Value { name, allowed, given: None });
        }
        Ok(Some(text.into()))
    }

    pub(super) fn take_log_filter(&mut self, default: String) -> Result<String, InvalidSetting> {
        let (name, allowed) = ("log", "a tracing filter (as in info or warn,backdrop=debug)");
        let Some(text) = self.text(name, allowed)? else { return Ok(default) };
        match EnvFilter::try_new(&text) {
            Ok(_) => Ok(text),
            Err(_) => Err(InvalidSetting::Value { name, allowed, given: Some(text) }),
        }
    }

    /// What is left. In the file that is a slip of the pen; a variable may belong to something else
    /// and is only reported.
    pub(super) fn into_unknown(self) -> Result<Vec<String>, InvalidSetting> {
        let is_known = |name: &str| self.taken.contains(&name);
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
