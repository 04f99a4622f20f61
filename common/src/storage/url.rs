//! Where buckets are kept: the URL that an operator sets, and what else an engine is opened with.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mongodb::options::{ConnectionString, HostInfo};
use secrecy::{ExposeSecret, SecretString};

/// Where buckets are kept.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://FILE`
    Sqlite(PathBuf),
    /// `mongodb://…` or `mongodb+srv://…`
    Mongo(MongoUrl),
}

/// A MongoDB connection string. Neither `Debug` nor `Display` shows the credentials in it.
#[derive(Clone, Debug)]
pub struct MongoUrl {
    url: SecretString,
    hosts: String,
    database: String,
}

/// A text is no database URL. It says nothing of the text, which may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It is of no kind that is known.
    #[error("a database URL is sqlite://FILE or mongodb://HOST/DATABASE")]
    Unknown,
    /// It has characters that nobody means.
    #[error("a database URL has no {0}; it is sqlite://FILE or mongodb://HOST/DATABASE")]
    Character(&'static str),
    /// What is behind `sqlite://` is no path of a file as it is meant here.
    #[error(
        "{0}; behind sqlite:// comes the path of a file as it is, relative (sqlite://data/backdrop.db) or absolute \
         (sqlite:///var/lib/backdrop.db), and nothing else"
    )]
    Path(&'static str),
}

/// The database of a URL that names none, as in the original Backdrop.
const DEFAULT_DATABASE: &str = "backdrop";

impl MongoUrl {
    /// The whole URL, credentials and all.
    pub(super) fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite("data/backdrop.db".into())
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        if url.chars().any(char::is_control) {
            return Err(InvalidDatabaseUrl::Character("control characters, such as line ends and tabs"));
        }
        if url.trim() != url {
            return Err(InvalidDatabaseUrl::Character("spaces before or behind it"));
        }
        match url.strip_prefix("sqlite://") {
            Some(file) => check_file(file).map(|()| Self::Sqlite(file.into())),
            None => url.parse().map(Self::Mongo),
        }
    }
}

/// What somebody wrote who means something else than a file of that name, which would be made then.
fn check_file(file: &str) -> Result<(), InvalidDatabaseUrl> {
    let is_escape = |at: usize| {
        file.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let quotes = ['"', '\'', '`'];
    let faults = [
        (file.is_empty(), "there is no path"),
        (file.contains('?'), "there are no options (?) in it"),
        (file.contains('#'), "there is no fragment (#) in it"),
        (file.match_indices('%').any(|(at, _)| is_escape(at)), "nothing in it is percent-encoded"),
        (file.starts_with(quotes) || file.ends_with(quotes), "it is not in quotes"),
        (file.starts_with('~'), "~ does not stand for a folder in it"),
        (file.contains("${") || file.starts_with('$'), "there are no variables ($) in it"),
        (file.starts_with(' '), "no space comes before the path"),
        (file.starts_with(':') || file.starts_with("file:"), "\":memory:\" and \"file:\" are no paths"),
        (
            file.ends_with(['/', '.']) || file.ends_with("-wal") || file.ends_with("-shm"),
            "it does not end like a database file",
        ),
    ];
    match faults.into_iter().find(|(is_fault, _)| *is_fault) {
        Some((_, fault)) => Err(InvalidDatabaseUrl::Path(fault)),
        None => Ok(()),
    }
}

impl FromStr for MongoUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        let parsed = ConnectionString::parse(url).map_err(|_| InvalidDatabaseUrl::Unknown)?;
        let hosts = match &parsed.host_info {
            HostInfo::HostIdentifiers(hosts) => {
                format!("mongodb://{}", hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            HostInfo::DnsRecord(host) => format!("mongodb+srv://{host}"),
            _ => return Err(InvalidDatabaseUrl::Unknown),
        };
        let database = parsed.default_database.unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        Ok(Self { url: url.into(), hosts, database })
    }
}

/// Shows the URL without credentials.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Mongo(MongoUrl { hosts, database, .. }) => write!(formatter, "{hosts}/{database}"),
        }
    }
}

/// What an engine is opened with besides its URL.
#[derive(Clone, Copy, Debug)]
pub struct StorageOptions {
    /// How long the store may work on one query (MongoDB's `maxTimeMS`).
    pub query_timeout: Duration,
    /// Which members of a replica set answer queries.
    pub read_preference: ReadPreference,
    /// How much memory the columnar views of the embedded engine may take in this process; 0 for none.
    pub view_bytes: usize,
}

/// How much memory columnar views may take where that is not set: half a gigabyte, which is enough for
/// about 15 million records.
pub const DEFAULT_VIEW_BYTES: u64 = 512 * 1024 * 1024;

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(30),
            read_preference: ReadPreference::Primary,
            view_bytes: usize::try_from(DEFAULT_VIEW_BYTES).unwrap_or(usize::MAX),
        }
    }
}

/// Which members of a replica set answer queries, as in MongoDB's connection strings. From any but
/// the primary an answer may be older than a write that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadPreference {
    /// The primary only.
    Primary,
    /// The primary, or a secondary while there is none.
    PrimaryPreferred,
    /// Secondaries only.
    Secondary,
    /// Secondaries, or the primary while there are none.
    SecondaryPreferred,
    /// Whichever answers fastest.
    Nearest,
}

impl FromStr for ReadPreference {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "primary" => Ok(Self::Primary),
            "primaryPreferred" => Ok(Self::PrimaryPreferred),
            "secondary" => Ok(Self::Secondary),
            "secondaryPreferred" => Ok(Self::SecondaryPreferred),
            "nearest" => Ok(Self::Nearest),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        let parsed: DatabaseUrl = url.parse().expect(url);
        assert_eq!(parsed.to_string(), shown);
        assert!(!format!("{parsed:?}").contains("secret"), "{parsed:?}");
    }

    #[test]
    fn urls_are_shown_without_credentials() {
        check("sqlite://data/backdrop.db", "sqlite://data/backdrop.db");
        check("mongodb://localhost", "mongodb://localhost:27017/backdrop");
        check("mongodb://ann:secret@localhost:27018/preview?w=1", "mongodb://localhost:27018/preview");
        check(
            "mongodb://ann:secret@one,two:27018/preview?replicaSet=rs",
            "mongodb://one:27017,two:27018/preview",
        );
        check("mongodb+srv://ann:secret@cluster.example.org/x", "mongodb+srv://cluster.example.org/x");
    }

    #[track_caller]
    fn check_refused(url: &str, said: &str) {
        let refused = url.parse::<DatabaseUrl>().expect_err(url).to_string();
        assert!(refused.contains(said), "{url}: {refused}");
        assert!(!refused.contains("x.db"), "{refused}");
    }

    #[test]
    fn stray_characters_in_a_url() {
        check_refused("sqlite://x.db?mode=rwc", "no options");
        check_refused("sqlite://data/x.db?", "no options");
        check_refused("sqlite://?", "no options");
        check_refused("sqlite://x.db#main", "no fragment");
        check_refused("sqlite://my%20x.db", "percent-encoded");
        check_refused("sqlite://x.db ", "spaces");
        check_refused(" sqlite://x.db", "spaces");
        check_refused("sqlite://x.db\u{a0}", "spaces");
        check_refused("sqlite:// x.db", "no space comes before");
        check_refused("sqlite://x.db\n", "control characters");
        check_refused("sqlite://x\0.db", "control characters");
        check_refused("sqlite://x\t.db", "control characters");
        check_refused("sqlite://x\u{7f}.db", "control characters");
        check_refused("sqlite://\"x.db\"", "not in quotes");
        check_refused("sqlite://'x.db'", "not in quotes");
        check_refused("sqlite://x.db\"", "not in quotes");
        check_refused("sqlite://~/x.db", "~ does not stand");
        check_refused("sqlite://$HOME/x.db", "no variables");
        check_refused("sqlite:///srv/${NAME}/x.db", "no variables");
        check_refused("sqlite://:memory:", "are no paths");
        check_refused("sqlite://file:x.db", "are no paths");
        check_refused("sqlite://data/", "does not end like");
        check_refused("sqlite://..", "does not end like");
        check_refused("sqlite://x.db-wal", "does not end like");
        check_refused("sqlite:x.db", "sqlite://FILE");
        check_refused("sqlite:/x.db", "sqlite://FILE");
        check_refused("SQLITE://x.db", "sqlite://FILE");
        check_refused("mongodb://localhost/x\n", "control characters");
        check_refused("mongodb://localhost/x ", "spaces");
    }

    #[test]
    fn files_of_unusual_names() {
        for file in
            ["/srv/my data/x.db", "x", "ünï.db", "100%.db", "a&b=c.db", "../x.db", "C:x.db", "it's.db"]
        {
            check(&format!("sqlite://{file}"), &format!("sqlite://{file}"));
        }
    }

    #[test]
    fn texts_that_are_no_url() {
        for url in ["", "sqlite://", "backdrop.db", "postgres://host/x", "mongodb://", "mongodb://host:x/y"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
