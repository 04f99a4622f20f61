//! A dump that is read: its files, and what its manifest says about them if it has one.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use super::folder::{self, DatabaseName, DumpFile, FileReader};
use super::manifest::{Contents, Manifest};
use super::reader::DumpFault;
use super::{Step, TransferError, Watcher, blocking};
use crate::bucket::Bucket;
use crate::limits::{DUMP_ENTRIES, DUMP_REGISTRY_BYTES};
use crate::storage::collection::{AUDIT, BUCKETS, USERS};
use crate::storage::registry_document::{
    InvalidRegistryDocument, check_schema, decode_bucket, decode_user, parse,
};
use crate::timestamp::Timestamp;
use crate::user::User;

/// Bytes after which a [`Progress`](super::Progress) is told of them.
const REPORTED: u64 = 1 << 20;

/// A dump of one database.
pub(super) struct Dump {
    files: BTreeMap<String, DumpFile>,
    /// What its manifest says that they hold; dumps of other programs have none.
    manifest: Option<HashMap<String, Contents>>,
}

/// A file of records, or of the audit log, that was read to its end and checked.
#[derive(Clone, Debug)]
pub(super) struct VerifiedFile {
    pub(super) file: DumpFile,
    pub(super) contents: Contents,
}

impl Dump {
    pub(super) fn open(folder: &Path, database: &DatabaseName) -> Result<Self, TransferError> {
        let manifest = Manifest::read(folder)?;
        let files = folder::files(folder, database)?;
        if let Some(manifest) = &manifest {
            let there: Vec<&str> = files.keys().map(String::as_str).collect();
            manifest.check_names(&there, folder)?;
        }
        Ok(Self { files, manifest: manifest.map(Manifest::into_contents) })
    }

    /// The collections of records.
    pub(super) fn collections(&self) -> impl Iterator<Item = &str> + Clone {
        let others = [BUCKETS, USERS, AUDIT];
        self.files.keys().map(String::as_str).filter(move |collection| !others.contains(collection))
    }

    /// Whether it has a file of a collection of records.
    pub(super) fn has_records(&self, collection: &str) -> bool {
        self.files.contains_key(collection) && ![BUCKETS, USERS, AUDIT].contains(&collection)
    }

    /// The buckets that it configures, each once.
    pub(super) fn buckets(&self) -> Result<Vec<Bucket>, TransferError> {
        let names = RefCell::new(HashSet::new());
        self.registry(BUCKETS, |bytes| {
            let bucket = decode_bucket(&parse(bytes)?)?;
            if !names.borrow_mut().insert(bucket.name().clone()) {
                return Err(InvalidRegistryDocument::Twice(bucket.name().clone()));
            }
            Ok(bucket)
        })
    }

    /// Checks the schema of a bucket that it configures.
    pub(super) fn check_schema(&self, bucket: &Bucket) -> Result<(), TransferError> {
        let path = self.files.get(BUCKETS).map(|file| file.path.clone()).unwrap_or_default();
        check_schema(&bucket.config).map_err(|fault| TransferError::Schema { path, fault: fault.to_string() })
    }

    /// The users in it.
    pub(super) fn users(&self) -> Result<Vec<User>, TransferError> {
        self.registry(USERS, |bytes| decode_user(&parse(bytes)?))
    }

    fn registry<T>(
        &self,
        collection: &str,
        decode: impl Fn(&[u8]) -> Result<T, InvalidRegistryDocument>,
    ) -> Result<Vec<T>, TransferError> {
        let Some(file) = self.files.get(collection) else { return Ok(Vec::new()) };
        let mut reader = file.open()?;
        let mut read = Vec::new();
        while let Some((offset, bytes)) = reader.read().map_err(|fault| file.damaged(fault))? {
            let fault = |fault: &dyn Display| file.damaged(DumpFault::document(offset, fault));
            if offset > DUMP_REGISTRY_BYTES as u64 || read.len() == DUMP_ENTRIES {
                let most =
                    format!("more than {DUMP_ENTRIES} entries, or than {DUMP_REGISTRY_BYTES} bytes of them");
                return Err(fault(&most));
            }
            read.push(decode(bytes).map_err(|error| fault(&error))?);
        }
        self.check(collection, &reader.contents(), file)?;
        Ok(read)
    }

    /// Reads a collection of records to its end, if there is one.
    pub(super) async fn verify(
        &self,
        collection: &str,
        now: Timestamp,
        watcher: &Watcher,
    ) -> Result<Option<VerifiedFile>, TransferError> {
        let next = move |reader: &mut FileReader| Ok(reader.read_record(now)?.is_some());
        self.verify_each(collection, next, watcher).await
    }

    /// Reads the audit log to its end, if there is one.
    pub(super) async fn verify_audit(
        &self,
        watcher: &Watcher,
    ) -> Result<Option<VerifiedFile>, TransferError> {
        let next = |reader: &mut FileReader| Ok(reader.read_audit()?.is_some());
        self.verify_each(AUDIT, next, watcher).await
    }

    /// Reads a collection while `next` finds something in its file.
    async fn verify_each(
        &self,
        collection: &str,
        next: impl Fn(&mut FileReader) -> Result<bool, DumpFault> + Send + 'static,
        watcher: &Watcher,
    ) -> Result<Option<VerifiedFile>, TransferError> {
        let Some(file) = self.files.get(collection) else { return Ok(None) };
        let expected = self.expected(collection);
        watcher.begin(
            Step::Verify,
            collection,
            expected.map(|contents| contents.bytes).or_else(|| file.bytes()),
        );
        let (read, watcher) = (file.clone(), Arc::clone(watcher));
        let contents = blocking(move || read_all(&read, next, &watcher)).await?;
        self.check(collection, &contents, file)?;
        Ok(Some(VerifiedFile { file: file.clone(), contents }))
    }

    fn check(&self, collection: &str, contents: &Contents, file: &DumpFile) -> Result<(), TransferError> {
        match self.expected(collection) {
            Some(expected) => contents.check(expected, &file.path),
            None => Ok(()),
        }
    }

    fn expected(&self, collection: &str) -> Option<&Contents> {
        self.manifest.as_ref()?.get(collection)
    }
}

fn read_all(
    file: &DumpFile,
    next: impl Fn(&mut FileReader) -> Result<bool, DumpFault>,
    watcher: &Watcher,
) -> Result<Contents, TransferError> {
    let mut reader = file.open()?;
    let mut reported = 0;
    while next(&mut reader).map_err(|fault| file.damaged(fault))? {
        let bytes = reader.offset() - reported;
        if bytes >= REPORTED {
            watcher.advance(bytes);
            reported = reader.offset();
        }
    }
    Ok(reader.contents())
}
