//! Writing everything that a store holds into a new folder.

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
use crate::storage::audit_document::encode;
use crate::storage::collection::{self, AUDIT, BUCKETS, USERS};
use crate::storage::registry_document::{encode_bucket, encode_user, to_bytes};
use crate::storage::{Documents, StorageEngine};
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

/// Exports into a folder that is new or empty. Each bucket is exported as it is at one moment, one
/// after the other.
///
/// # Errors
///
/// The first thing that fails. What was written until then stays, and is not taken for an export.
pub async fn export(
    engine: &dyn StorageEngine,
    folder: &Path,
    options: &ExportOptions,
    watcher: &Watcher,
) -> Result<Moved, TransferError> {
    let unreadable = engine.unreadable_buckets().await?;
    let mut buckets = engine.buckets().await?;
    let collections: Vec<String> =
        buckets.iter().map(|bucket| collection::of_bucket(bucket.name())).collect();
    options.selection.check(collections.iter().map(String::as_str).chain([USERS, AUDIT]))?;
    buckets.retain(|bucket| options.selection.includes(&collection::of_bucket(bucket.name())));
    // Whoever restores the export would miss it.
    if let Some(bucket) = unreadable.into_iter().find(|bucket| options.selection.includes(&bucket.name)) {
        return Err(TransferError::Unreadable(bucket));
    }
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
}

impl Export {
    fn begin(folder: &Path, options: &ExportOptions) -> Result<Self, TransferError> {
        let of_database = folder::create(folder, &options.database)?;
        let manifest = Manifest::begin(folder, &options.database)?;
        let (folder, gzip, moved) = (folder.to_owned(), options.gzip, Moved::default());
        Ok(Self { folder, of_database, gzip, manifest, moved })
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
        let contents = written?;
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

    fn finish(self) -> Result<Moved, TransferError> {
        folder::sync(&self.of_database)?;
        self.manifest.finish(&self.folder)?;
        Ok(self.moved)
    }
}

fn write_pages(
    mut writer: DumpWriter,
    mut pages: mpsc::Receiver<Documents>,
    bucket: &BucketName,
    watcher: &Watcher,
) -> Result<Contents, TransferError> {
    while let Some(page) = pages.blocking_recv() {
        for document in page.iter() {
            let document = document?.to_whole()?;
            if document.len() > MAX_DOCUMENT {
                let (bucket, bytes) = (bucket.to_string(), document.len());
                return Err(TransferError::TooLarge { bucket, bytes, max: MAX_DOCUMENT });
            }
            writer.write(&document)?;
        }
        watcher.advance(page.bytes() as u64);
    }
    writer.finish()
}
