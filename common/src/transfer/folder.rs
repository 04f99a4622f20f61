//! The layout of a dump: which file has which collection.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::bufread::MultiGzDecoder;

use super::TransferError;
use super::error::at;
use super::reader::{DumpFault, DumpReader};
use crate::plain_file;
use crate::storage::collection::META;

const DATA: &str = ".bson";
const METADATA: &str = ".metadata.json";
const GZIP: &str = ".gz";
/// Larger than a page of a file, so that reading and unpacking take turns less often.
const BUFFER: usize = 1 << 17;

/// The name of a database, which is that of a folder in a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseName(String);

/// A text is no name of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a database name: up to 63 bytes, none of them a space or one of /\\.\"$*<>:|?")]
pub struct InvalidDatabaseName(String);

impl DatabaseName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseName {
    type Err = InvalidDatabaseName;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseName> {
        let forbidden =
            |char: char| char.is_whitespace() || char.is_control() || "/\\.\"$*<>:|?".contains(char);
        let valid = !text.is_empty() && text.len() <= 63 && !text.contains(forbidden);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidDatabaseName(text.to_owned())) }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads a file, which may be compressed.
pub(super) type FileReader = DumpReader<Box<dyn Read + Send>>;

/// The file of a collection.
#[derive(Clone, Debug)]
pub(super) struct DumpFile {
    pub(super) path: PathBuf,
    pub(super) gzip: bool,
}

impl DumpFile {
    /// The file of a collection's documents in the folder of a database.
    pub(super) fn of_data(folder: &Path, collection: &str, gzip: bool) -> Self {
        Self::named(folder, collection, DATA, gzip)
    }

    /// The file of what else is known about a collection.
    pub(super) fn of_metadata(folder: &Path, collection: &str, gzip: bool) -> Self {
        Self::named(folder, collection, METADATA, gzip)
    }

    fn named(folder: &Path, collection: &str, ending: &str, gzip: bool) -> Self {
        let gz = if gzip { GZIP } else { "" };
        Self { path: folder.join(format!("{collection}{ending}{gz}")), gzip }
    }

    /// Opens the file to read its documents.
    pub(super) fn open(&self) -> Result<FileReader, TransferError> {
        let file = plain_file::open(&self.path).map_err(at("read", &self.path))?;
        let file = BufReader::with_capacity(BUFFER, file);
        Ok(DumpReader::new(if self.gzip {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        }))
    }

    /// Says that what was read from it is damaged.
    pub(super) fn damaged(&self, fault: DumpFault) -> TransferError {
        TransferError::Damaged { path: self.path.clone(), fault }
    }

    /// How many bytes of documents it has, if that can be told without reading it.
    pub(super) fn bytes(&self) -> Option<u64> {
        if self.gzip { None } else { Some(fs::metadata(&self.path).ok()?.len()) }
    }
}

/// Makes the folders of an export: the one that is named and the one of the database in it. Their
/// contents are for their owner only.
pub(super) fn create(folder: &Path, database: &DatabaseName) -> Result<PathBuf, TransferError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(TransferError::NotEmpty(folder.to_owned()));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            owners_only().recursive(true).create(folder).map_err(at("make", folder))?;
        }
        Err(error) => return Err(at("read", folder)(error)),
    }
    let of_database = folder.join(database.as_str());
    owners_only().create(&of_database).map_err(at("make", &of_database))?;
    Ok(of_database)
}

fn owners_only() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "other systems have no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Waits until the names of the files in a folder are on the disk.
pub(super) fn sync(folder: &Path) -> Result<(), TransferError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("write", folder))
}

/// The files of a database in a dump, by collection. Those that hold no collection of Backdrop's are
/// left out.
pub(super) fn files(
    folder: &Path,
    database: &DatabaseName,
) -> Result<BTreeMap<String, DumpFile>, TransferError> {
    let of_database = folder.join(database.as_str());
    let root = folder.canonicalize().map_err(at("read", folder))?;
    if !of_database.is_dir() {
        let there = names(folder, Path::is_dir).map_err(at("read", folder))?;
        let (name, folder) = (database.to_string(), folder.to_owned());
        return Err(TransferError::NoSuchDatabase { name, folder, there });
    }
    stays_inside(&root, &of_database)?;
    let mut files = BTreeMap::new();
    for name in names(&of_database, |_| true).map_err(at("read", &of_database))? {
        let gzip = name.ends_with(GZIP);
        let Some(collection) = name.strip_suffix(GZIP).unwrap_or(&name).strip_suffix(DATA) else { continue };
        if collection == META || collection.starts_with("system.") {
            continue;
        }
        let path = of_database.join(&name);
        stays_inside(&root, &path)?;
        plain_file::open(&path).map_err(at("read", &path))?;
        if files.insert(collection.to_owned(), DumpFile { path, gzip }).is_some() {
            return Err(TransferError::Twice(of_database.join(format!("{collection}{DATA}"))));
        }
    }
    Ok(files)
}

/// Refuses links that lead out of a dump: what is there was not dumped.
fn stays_inside(root: &Path, path: &Path) -> Result<(), TransferError> {
    let real = path.canonicalize().map_err(at("read", path))?;
    if real.starts_with(root) { Ok(()) } else { Err(TransferError::LeadsElsewhere(path.to_owned())) }
}

/// The names in a folder, sorted. Those of collections are text; what is in the others' names that is none is
/// replaced, so that no collection has them.
fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if wanted(&entry.path()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
