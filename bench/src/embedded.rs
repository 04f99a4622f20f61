//! A database with one bucket, used through the storage engine alone: what the criterion benches
//! measure without HTTP.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use backdrop_common::bucket::{BucketConfig, BucketName};
use backdrop_common::query::Query;
use backdrop_common::query::args::{QueryArgs, QueryContext};
use backdrop_common::record::Record;
use backdrop_common::record::checks::check_records;
use backdrop_common::record::sent::SentBody;
use backdrop_common::storage::{self, BucketSave, DatabaseUrl, StorageEngine, StorageOptions};
use backdrop_common::timestamp::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A database that is deleted with this value.
pub struct Embedded {
    runtime: Runtime,
    folder: TempDir,
    /// The engine that writes.
    pub writer: Arc<dyn StorageEngine>,
    /// The bucket.
    pub bucket: BucketName,
}

/// Something that makes a body to POST of the records from a number on.
pub type Batches<'a> = &'a dyn Fn(u64, u64) -> String;

impl Embedded {
    /// An empty bucket, in a folder below `target/bench`, on the disk that is also built on.
    ///
    /// # Errors
    ///
    /// If the folder or the database cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        // A bench is at <target>/release/deps/<name>.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(3).context("this bench is in no target folder")?;
        let parent: PathBuf = target.join("bench");
        std::fs::create_dir_all(&parent)?;
        let folder = tempfile::Builder::new().prefix("criterion-").tempdir_in(parent)?;
        let runtime = Runtime::new()?;
        let bucket = BucketName::parse("bench_records")?;
        let writer = runtime.block_on(open(&folder))?;
        let save =
            BucketSave::new(BucketConfig::new(bucket.clone()), backdrop_common::bucket::TokenChange::Remove);
        runtime.block_on(writer.save_buckets(vec![save]))?;
        Ok(Self { runtime, folder, writer, bucket })
    }

    /// A bucket with so many records.
    ///
    /// # Errors
    ///
    /// If they cannot be stored.
    pub fn with_records(records: u64, batches: Batches<'_>) -> anyhow::Result<Self> {
        const BATCH: u64 = 10_000;
        let database = Self::new()?;
        for first in (0..records).step_by(usize::try_from(BATCH)?) {
            database.store(parse(&batches(first, BATCH.min(records - first)))?)?;
        }
        Ok(database)
    }

    /// Another engine on the same file, which knows nothing yet of the bucket.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open_again(&self) -> anyhow::Result<Arc<dyn StorageEngine>> {
        self.runtime.block_on(open(&self.folder))
    }

    /// Stores records.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    pub fn store(&self, records: Vec<Record>) -> anyhow::Result<()> {
        self.run(self.writer.store(&self.bucket, records, Timestamp::now())).map(drop)
    }

    /// Asks a query; says how many rows or records it found.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    pub fn ask(&self, engine: &dyn StorageEngine, query: &Query) -> anyhow::Result<usize> {
        match query {
            Query::Records(query) => self.run(engine.find(&self.bucket, query)).map(|found| found.len()),
            Query::Groups(query) => self.run(engine.aggregate(&self.bucket, query)).map(|rows| rows.len()),
        }
    }

    /// Waits for something that an engine does.
    ///
    /// # Errors
    ///
    /// What it fails with.
    pub fn run<T, E: Into<anyhow::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> anyhow::Result<T> {
        self.runtime.block_on(work).map_err(Into::into)
    }
}

async fn open(folder: &TempDir) -> anyhow::Result<Arc<dyn StorageEngine>> {
    let url = DatabaseUrl::Sqlite(folder.path().join("backdrop.db"));
    Ok(storage::open(&url, &StorageOptions::default()).await?)
}

/// The records of a body, checked.
///
/// # Errors
///
/// If they are none.
pub fn parse(body: &str) -> anyhow::Result<Vec<Record>> {
    let sent = SentBody::parse(body.as_bytes())?.into_records();
    check_records(&sent, &[], None).map_err(|faults| anyhow!("{faults:?}"))
}

/// A query as an engine gets it.
///
/// # Errors
///
/// If it breaks a rule.
pub fn query(query_string: &str) -> anyhow::Result<Query> {
    let context = QueryContext { raw_queries_allowed: true, now: Timestamp::MIN, max_rows: 1_000_000 };
    Ok(QueryArgs::parse(query_string)?.into_query(&context)?)
}
