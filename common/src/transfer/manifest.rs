//! `manifest.json`: what an export holds, so that a restore can tell whether all of it is there.
//!
//! While an export is under way its manifest has another name. So one that was cut off is neither
//! taken for a whole one nor for a dump of another program.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::at;
use super::folder::{self, DatabaseName};
use super::{TransferError, writer};
use crate::limits::COMMAND_FILE_BYTES;
use crate::plain_file;

/// The version of the layout. Another one is refused.
const FORMAT: u32 = 1;
const NAME: &str = "manifest.json";
const UNFINISHED: &str = "manifest.json.unfinished";

/// What an export holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    program: String,
    database: String,
    files: Vec<ManifestFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ManifestFile {
    collection: String,
    #[serde(flatten)]
    contents: Contents,
}

/// What a file holds, apart from its compression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) documents: u64,
    pub(super) bytes: u64,
    sha256: String,
}

impl Contents {
    pub(super) fn new(documents: u64, bytes: u64, digest: Sha256) -> Self {
        let hexadecimal = |mut text: String, byte: &u8| {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        };
        Self { documents, bytes, sha256: digest.finalize().iter().fold(String::new(), hexadecimal) }
    }

    /// Compares with what should be there.
    pub(super) fn check(&self, expected: &Self, path: &Path) -> Result<(), TransferError> {
        let difference = if self.documents != expected.documents {
            format!("it holds {} documents and should hold {}", self.documents, expected.documents)
        } else if self.bytes != expected.bytes {
            format!("it holds {} bytes and should hold {}", self.bytes, expected.bytes)
        } else if self.sha256 != expected.sha256 {
            "its checksum is not the one it should have".to_owned()
        } else {
            return Ok(());
        };
        Err(TransferError::Different { path: path.to_owned(), difference })
    }
}

impl Manifest {
    /// Begins an export in a folder, which is not taken for a whole one from now on.
    pub(super) fn begin(folder: &Path, database: &DatabaseName) -> Result<Self, TransferError> {
        let path = folder.join(UNFINISHED);
        writer::create(&path).map_err(at("make", &path))?;
        Ok(Self {
            format: FORMAT,
            program: format!("backdrop {}", env!("CARGO_PKG_VERSION")),
            database: database.to_string(),
            files: Vec::new(),
        })
    }

    /// Notes a file that is on the disk.
    pub(super) fn add(&mut self, collection: &str, contents: Contents) {
        self.files.push(ManifestFile { collection: collection.to_owned(), contents });
    }

    /// Ends the export: from now on it is a whole one.
    pub(super) fn finish(&self, folder: &Path) -> Result<(), TransferError> {
        let path = folder.join(UNFINISHED);
        let write = || -> io::Result<()> {
            let mut file = File::options().write(true).truncate(true).open(&path)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.sync_all()?;
            fs::rename(&path, folder.join(NAME))
        };
        write().map_err(at("write", &path))?;
        folder::sync(folder)
    }

    /// The manifest of a folder, if it has one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, TransferError> {
        if folder.join(UNFINISHED).exists() {
            return Err(TransferError::CutOff(folder.to_owned()));
        }
        let path = folder.join(NAME);
        let json = match plain_file::read(&path, COMMAND_FILE_BYTES) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("read", &path)(error)),
        };
        Self::parse(&json).map(Some).map_err(|fault| TransferError::Manifest { path, fault })
    }

    fn parse(json: &[u8]) -> Result<Self, String> {
        /// Read before the rest, which another format may have in another form.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let damaged = |error: serde_json::Error| format!("it is damaged: {error}");
        let Version { format } = serde_json::from_slice(json).map_err(damaged)?;
        if format != FORMAT {
            return Err(format!("it is of format {format}, and this version reads format {FORMAT}"));
        }
        serde_json::from_slice(json).map_err(damaged)
    }

    /// Checks that a folder has the files of these collections and no others.
    pub(super) fn check_names(&self, there: &[&str], folder: &Path) -> Result<(), TransferError> {
        let exported: Vec<&str> = self.files.iter().map(|file| file.collection.as_str()).collect();
        let (known, found): (HashSet<_>, HashSet<_>) = (exported.iter().collect(), there.iter().collect());
        let missing = exported.iter().find(|name| !found.contains(name));
        let added = there.iter().find(|name| !known.contains(name));
        let difference = match (missing, added) {
            (Some(missing), _) => {
                format!("the file of the collection {missing}, which was exported, is missing")
            }
            (None, Some(added)) => format!("the file of the collection {added} was not exported with it"),
            (None, None) => return Ok(()),
        };
        Err(TransferError::Different { path: folder.join(NAME), difference })
    }

    /// What the files should hold, by collection.
    pub(super) fn into_contents(self) -> HashMap<String, Contents> {
        self.files.into_iter().map(|file| (file.collection, file.contents)).collect()
    }
}
