//! Databases with one bucket: made anew for what writes, kept between runs for what only reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use backdrop_bench::http::post;
use backdrop_bench::records::{VERSION, json_batch};
use serde_json::json;
use tempfile::TempDir;

use crate::places::Places;
use crate::program::{Program, command};

/// The name of the bucket.
pub(crate) const BUCKET: &str = "bench_records";
/// How many records a POST has that loads a bucket.
const BATCH: u64 = 10_000;
/// In a folder whose database is complete: how it was loaded.
const LOADED: &str = "loaded.json";

/// A database with its bucket.
#[derive(Debug)]
pub(crate) struct Store {
    places: Places,
    folder: PathBuf,
    token: String,
    /// The folder, if it is to be deleted at the end.
    _temporary: Option<TempDir>,
}

/// How long it took to load a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loading {
    /// The time that the POSTs took, one after the other.
    pub(crate) took: Duration,
    /// How large the database is.
    pub(crate) bytes: u64,
    /// Whether that was in an earlier run.
    pub(crate) earlier: bool,
}

impl Store {
    /// A new database that is deleted with this value.
    pub(crate) async fn temporary(places: &Places) -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("store-").tempdir_in(&places.folder)?;
        let folder = temporary.path().to_path_buf();
        Self::create(places, folder, Some(temporary)).await
    }

    async fn create(places: &Places, folder: PathBuf, temporary: Option<TempDir>) -> anyhow::Result<Self> {
        let printed = command(&places.program("backdrop-write"), &folder)
            .args(["bucket", "create", BUCKET, "--raw-queries-allowed"])
            .output()
            .await?;
        ensure!(printed.status.success(), "no bucket: {}", String::from_utf8_lossy(&printed.stderr));
        let printed = String::from_utf8(printed.stdout)?;
        let token = printed.lines().last().context("no token was shown")?.to_owned();
        Ok(Self { places: places.clone(), folder, token, _temporary: temporary })
    }

    /// The database with the first so many records, which is made if no earlier run has.
    pub(crate) async fn kept(places: &Places, records: u64) -> anyhow::Result<(Self, Loading)> {
        Self::kept_of(places, "records", records, json_batch).await
    }

    /// The same with records of another kind: `batch` makes the body with so many from a number on.
    pub(crate) async fn kept_of(
        places: &Places,
        kind: &str,
        records: u64,
        batch: fn(u64, u64) -> String,
    ) -> anyhow::Result<(Self, Loading)> {
        let folder = places.folder.join(format!("{kind}-v{VERSION}-{records}"));
        if let Ok(text) = fs::read_to_string(folder.join(LOADED)) {
            let loaded: serde_json::Value = serde_json::from_str(&text)?;
            let seconds = loaded["seconds"].as_f64().context("loaded.json has no seconds")?;
            let token = loaded["token"].as_str().context("loaded.json has no token")?.to_owned();
            let took = Duration::from_secs_f64(seconds);
            let store = Self { places: places.clone(), folder, token, _temporary: None };
            let loading = Loading { took, bytes: store.bytes()?, earlier: true };
            return Ok((store, loading));
        }
        // What an interrupted run has left is of no use.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let store = Self::create(places, folder, None).await?;
        let took = store.load(records, batch).await?;
        let loaded = json!({"seconds": took.as_secs_f64(), "token": store.token});
        fs::write(store.folder.join(LOADED), loaded.to_string())?;
        let loading = Loading { took, bytes: store.bytes()?, earlier: false };
        Ok((store, loading))
    }

    /// Posts the first so many records, and says how long the requests took.
    async fn load(&self, records: u64, batch: fn(u64, u64) -> String) -> anyhow::Result<Duration> {
        let app = self.start_write().await?;
        let mut connection = app.connect().await?;
        let mut took = Duration::ZERO;
        for first in (0..records).step_by(usize::try_from(BATCH)?) {
            let request = self.post(&batch(first, BATCH.min(records - first)));
            took += connection.send(&request).await?.expect(200)?.took;
        }
        app.stop().await?;
        Ok(took)
    }

    /// A copy that is deleted with its value. Nobody may have this one open.
    pub(crate) fn copy(&self) -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("store-").tempdir_in(&self.places.folder)?;
        let folder = temporary.path().to_path_buf();
        for file in self.files() {
            fs::copy(self.folder.join(file), folder.join(file))?;
        }
        let (places, token) = (self.places.clone(), self.token.clone());
        Ok(Self { places, folder, token, _temporary: Some(temporary) })
    }

    /// Those of the database's files that there are.
    fn files(&self) -> impl Iterator<Item = &'static str> {
        let files = ["backdrop.db", "backdrop.db-wal"];
        files.into_iter().filter(|file| self.folder.join(file).exists())
    }

    fn bytes(&self) -> anyhow::Result<u64> {
        let sizes = self.files().map(|file| Ok(fs::metadata(self.folder.join(file))?.len()));
        sizes.sum()
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("backdrop.db")
    }

    /// Starts the read app.
    pub(crate) async fn start_read(&self) -> anyhow::Result<Program> {
        self.start("backdrop-read").await
    }

    /// Starts the write app.
    pub(crate) async fn start_write(&self) -> anyhow::Result<Program> {
        self.start("backdrop-write").await
    }

    async fn start(&self, app: &str) -> anyhow::Result<Program> {
        let folder: &Path = &self.folder;
        Program::start(&self.places.program(app), folder).await
    }

    /// A request that stores records.
    pub(crate) fn post(&self, body: &str) -> Vec<u8> {
        post(&format!("/{BUCKET}"), &self.token, body)
    }
}
