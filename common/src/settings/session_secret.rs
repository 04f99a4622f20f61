//! The session secret of an installation for development: made once and kept beside the database, so that
//! a restart signs nobody out.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::Settings;
use crate::storage::DatabaseUrl;
use crate::token::make_token;

/// Where it is kept if the database is no file.
const DEFAULT_FILE: &str = "data/session-secret";
/// How many characters it has at least.
const LENGTH: usize = 32;

/// The file with the secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It can be neither read nor made.
    #[error("the file for the session secret, {0}, cannot be read or made; or set session_secret")]
    Io(PathBuf, #[source] io::Error),
    /// It holds no secret.
    #[error("the file for the session secret, {0}, holds less than 32 characters; delete it")]
    Damaged(PathBuf),
}

impl Settings {
    /// The same settings with a session secret where people sign in and none is set: the one that an
    /// earlier start made, or a new one.
    ///
    /// # Errors
    ///
    /// If its file cannot be used.
    pub fn with_session_secret(mut self) -> Result<Self, SecretFileError> {
        let file = file(&self.database_url);
        if let Some(sign_in) = &mut self.sign_in
            && sign_in.session_secret.is_none()
        {
            sign_in.session_secret = Some(read_or_make(&file)?);
        }
        Ok(self)
    }
}

fn file(database: &DatabaseUrl) -> PathBuf {
    match database {
        DatabaseUrl::Sqlite(file) => file.with_extension("session-secret"),
        DatabaseUrl::Mongo(_) => DEFAULT_FILE.into(),
    }
}

fn read_or_make(file: &Path) -> Result<SecretString, SecretFileError> {
    let read = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(file).and_then(|()| fs::read_to_string(file))
        }
        read => read,
    };
    let text = read.map_err(|error| SecretFileError::Io(file.to_owned(), error))?;
    let secret = text.trim();
    if secret.len() < LENGTH {
        return Err(SecretFileError::Damaged(file.to_owned()));
    }
    Ok(secret.into())
}

/// Makes the file whole, or leaves the one that another start has made meanwhile.
fn make(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("session-secret.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&part).and_then(|mut open| {
        writeln!(open, "{}", make_token().expose_secret())?;
        open.sync_all()
    });
    let linked = written.and_then(|()| match fs::hard_link(&part, file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // If it cannot be removed, it holds what nothing uses or what the file holds as well.
    let _ = fs::remove_file(&part);
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is() {
        let file = |url: &str| file(&url.parse().expect("a URL"));
        assert_eq!(file("sqlite://data/backdrop.db"), Path::new("data/backdrop.session-secret"));
        assert_eq!(file("mongodb://localhost/backdrop"), Path::new("data/session-secret"));
    }

    #[test]
    fn it_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("new/backdrop.session-secret");
        let made = read_or_make(&file).expect("a secret");
        assert_eq!(read_or_make(&file).expect("a secret").expose_secret(), made.expose_secret());
        make(&file).expect("somebody else was first");
        assert_eq!(read_or_make(&file).expect("a secret").expose_secret(), made.expose_secret());
        assert_eq!(fs::read_dir(file.parent().expect("a folder")).expect("a folder").count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let bits = fs::metadata(&file).expect("a file").permissions().mode();
            assert_eq!(bits & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_file_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "short").expect("a file");
        assert!(matches!(read_or_make(&file), Err(SecretFileError::Damaged(_))));
        assert!(matches!(read_or_make(folder.path()), Err(SecretFileError::Io(..))));
    }
}
