//! Writing everything that a store holds into a new folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::folder::{self, DatabaseName, DumpFile};
use super::manifest::{Contents, Manifest};
use super::reader::MAX_DOCUMENT;
use super::writer::{self, DumpWriter};
use super::{Moved, Selection, Step, TransferError, Watcher, blocking};
use crate::audit::AuditFilter;
use crate::bucket::{Bucket, BucketName};
use crate::excerpt::beginning;
use crate::limits::RECORD_FIELDS;
use crate::record::RecordId;
use crate::record::bounds::OutOfBounds;
use crate::storage::audit_document::encode;
use crate::storage::collection::{self, AUDIT, BUCKETS, USERS};
use crate::storage::registry_document::{encode_bucket, encode_user, to_bytes};
use crate::storage::{Document, Documents, StorageEngine, StorageError};
use crate::user::User;

/// How many pages of records wait to be written.
const PAGES_AHEAD: usize = 2;

/// How many entries of the audit log are read at once.
const AUDIT_PAGE: usize = 1_000;

/// What is exported, and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The database that the export says it is of.
    pub database: DatabaseName,
    /// Whether files are compressed.
    pub gzip: bool,
    /// Which collections are exported.
    pub selection: Selection,
}

/// What an export has, and what it could not take.
#[derive(Debug)]
pub struct Exported {
    /// How much it has.
    pub moved: Moved,
    /// Records that are larger than a record may be now, which an earlier version stored.
    pub large: Vec<LargeRecord>,
}

impl Exported {
    /// How many records it lacks.
    pub fn left_out(&self) -> usize {
        self.large.iter().filter(|record| record.is_left_out).count()
    }
}

/// A record that is larger than a record may be; `Display` says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeRecord {
    bucket: BucketName,
    /// The beginning of its id.
    id: String,
    fault: OutOfBounds,
    /// Whether no dump has room for it.
    is_left_out: bool,
}

impl fmt::Display for LargeRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, id, fault, is_left_out } = self;
        write!(formatter, "bucket \"{bucket}\", record \"{id}\": {fault}; ")?;
        if *is_left_out {
            write!(formatter, "it is left out, since a dump holds none of more than {MAX_DOCUMENT} bytes")
        } else {
            formatter.write_str("it is exported, and a restore does not take it")
        }
    }
}

/// Exports into a folder that is new or empty. Each bucket is exported as it is at one moment, one
/// after the other. A record that is too large for a dump is left out, so that the others have a backup.
///
/// # Errors
///
/// The first thing that fails. What was written until then stays, and is not taken for an export.
pub async fn export(
    engine: &dyn StorageEngine,
    folder: &Path,
    options: &ExportOptions,
    watcher: &Watcher,
) -> Result<Exported, TransferError> {
    let mut buckets = engine.buckets().await?;
    let collections: Vec<String> =
        buckets.iter().map(|bucket| collection::of_bucket(bucket.name())).collect();
    options.selection.check(collections.iter().map(String::as_str).chain([USERS, AUDIT]))?;
    buckets.retain(|bucket| options.selection.includes(&collection::of_bucket(bucket.name())));
    let users = if options.selection.includes(USERS) { Some(engine.users().await?) } else { None };

    let mut export = Export::begin(folder, options)?;
    export.buckets(&buckets)?;
    export.users(users.as_deref())?;
    for bucket in &buckets {
        if engine.is_written(bucket.name()).await? {
            export.records(engine, bucket.name(), watcher).await?;
        }
    }
    if options.selection.includes(AUDIT) {
        export.audit(engine, watcher).await?;
    }
    export.finish()
}

/// An export that is under way.
struct Export {
    folder: PathBuf,
    of_database: PathBuf,
    gzip: bool,
    manifest: Manifest,
    moved: Moved,
    large: Vec<LargeRecord>,
}

impl Export {
    fn begin(folder: &Path, options: &ExportOptions) -> Result<Self, TransferError> {
        let of_database = folder::create(folder, &options.database)?;
        let manifest = Manifest::begin(folder, &options.database)?;
        let (folder, gzip, moved) = (folder.to_owned(), options.gzip, Moved::default());
        Ok(Self { folder, of_database, gzip, manifest, moved, large: Vec::new() })
    }

    /// Makes the files of a collection, except for its documents.
    fn file(&self, collection: &str) -> Result<DumpFile, TransferError> {
        let metadata = DumpFile::of_metadata(&self.of_database, collection, self.gzip);
        writer::write_metadata(&metadata, collection)?;
        Ok(DumpFile::of_data(&self.of_database, collection, self.gzip))
    }

    fn buckets(&mut self, buckets: &[Bucket]) -> Result<(), TransferError> {
        let encode = |bucket: &Bucket| to_bytes(&encode_bucket(&bucket.config, &bucket.tokens));
        self.moved.buckets = self.documents(BUCKETS, buckets.iter().map(encode))?;
        Ok(())
    }

    fn users(&mut self, users: Option<&[User]>) -> Result<(), TransferError> {
        if let Some(users) = users {
            let encode = |user: &User| to_bytes(&encode_user(user));
            self.moved.users = self.documents(USERS, users.iter().map(encode))?;
        }
        Ok(())
    }

    fn documents(
        &mut self,
        collection: &str,
        documents: impl Iterator<Item = Vec<u8>>,
    ) -> Result<u64, TransferError> {
        let mut writer = DumpWriter::create(self.file(collection)?)?;
        for document in documents {
            writer.write(&document)?;
        }
        let contents = writer.finish()?;
        let count = contents.documents;
        self.manifest.add(collection, contents);
        Ok(count)
    }

    async fn records(
        &mut self,
        engine: &dyn StorageEngine,
        bucket: &BucketName,
        watcher: &Watcher,
    ) -> Result<(), TransferError> {
        let collection = collection::of_bucket(bucket);
        watcher.begin(Step::Export, &collection, None);
        let writer = DumpWriter::create(self.file(&collection)?)?;
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let (name, watcher) = (bucket.clone(), Arc::clone(watcher));
        let write = blocking(move || write_pages(writer, pages, &name, &watcher));
        let (sent, written) = tokio::join!(engine.export(bucket, sender), write);
        // The store first: if it failed, what was written is well and yet not all.
        sent?;
        let (contents, large) = written?;
        self.large.extend(large);
        self.moved.records += contents.documents;
        self.manifest.add(&collection, contents);
        Ok(())
    }

    /// Writes the audit log as it is now, the newest entry first. One that is empty has no file, so
    /// that what was exported from a store of an earlier version looks as it did.
    async fn audit(&mut self, engine: &dyn StorageEngine, watcher: &Watcher) -> Result<(), TransferError> {
        let mut filter = AuditFilter { limit: AUDIT_PAGE, ..AuditFilter::default() };
        let mut page = engine.audit(&filter).await?;
        if page.is_empty() {
            return Ok(());
        }
        watcher.begin(Step::Export, AUDIT, None);
        let mut writer = DumpWriter::create(self.file(AUDIT)?)?;
        while let Some(last) = page.last() {
            filter.before = Some(last.position);
            for line in &page {
                let document = to_bytes(&encode(line));
                writer.write(&document)?;
                watcher.advance(document.len() as u64);
            }
            page = engine.audit(&filter).await?;
        }
        let contents = writer.finish()?;
        self.moved.audit_entries = contents.documents;
        self.manifest.add(AUDIT, contents);
        Ok(())
    }

    fn finish(self) -> Result<Exported, TransferError> {
        folder::sync(&self.of_database)?;
        self.manifest.finish(&self.folder)?;
        Ok(Exported { moved: self.moved, large: self.large })
    }
}

fn write_pages(
    mut writer: DumpWriter,
    mut pages: mpsc::Receiver<Documents>,
    bucket: &BucketName,
    watcher: &Watcher,
) -> Result<(Contents, Vec<LargeRecord>), TransferError> {
    let mut large = Vec::new();
    while let Some(page) = pages.blocking_recv() {
        for document in page.iter() {
            let document = document?;
            let whole = document.to_whole()?;
            let is_left_out = whole.len() > MAX_DOCUMENT;
            if whole.len() > SMALL {
                large.extend(large_record(bucket, document, is_left_out)?);
            }
            if !is_left_out {
                writer.write(&whole)?;
            }
        }
        watcher.advance(page.bytes() as u64);
    }
    Ok((writer.finish()?, large))
}

/// A record of no more bytes is within every bound, but that of its names: to look at those of each record
/// would cost more than it tells.
const SMALL: usize = 4 * RECORD_FIELDS;

/// What is said of a record if it is beyond a bound.
fn large_record(
    bucket: &BucketName,
    document: Document<'_>,
    is_left_out: bool,
) -> Result<Option<LargeRecord>, StorageError> {
    let record = document.to_record()?;
    let id = beginning(record.id.as_ref().map_or("", RecordId::as_str)).into_owned();
    let fault = record.check_bounds().err();
    Ok(fault.map(|fault| LargeRecord { bucket: bucket.clone(), id, fault, is_left_out }))
}
