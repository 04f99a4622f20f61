//! The database of an installation: a file in its folder, or one of its own on the server for tests.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use anyhow::{Context, bail};
use bson::{Document, doc};
use mongodb::Client;

/// Says which engine the tests run on: `sqlite`, which it is without it, or `mongodb`.
const ENGINE: &str = "BACKDROP_TEST_ENGINE";
/// Names a server as `mongodb://HOST:PORT`, options after a `?`, and no database.
const SERVER: &str = "BACKDROP_TEST_MONGODB_URL";

/// A storage engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Mongo,
}

impl Engine {
    /// The engine that this run of the tests is about.
    pub(crate) fn of_this_run() -> anyhow::Result<Self> {
        match env::var(ENGINE).as_deref() {
            Err(VarError::NotPresent) | Ok("sqlite") => Ok(Self::Sqlite),
            Ok("mongodb") => server().map(|_| Self::Mongo),
            other => bail!("{ENGINE} is {other:?}, not sqlite or mongodb"),
        }
    }
}

/// The server for tests. There is one, or the tests fail; none is left out.
fn server() -> anyhow::Result<String> {
    env::var(SERVER).with_context(|| format!("{SERVER} is not set: run tools/with-mongodb.sh cargo test …"))
}

/// Where an installation keeps its data.
#[derive(Debug)]
pub(crate) enum Database {
    File(PathBuf),
    OnServer(ServerDatabase),
}

/// A database on the server for tests, which goes with this value.
#[derive(Debug)]
pub(crate) struct ServerDatabase {
    server: String,
    name: String,
}

impl Database {
    /// The database of an installation in a folder whose name nobody else uses.
    pub(crate) fn new(engine: Engine, folder: &Path) -> anyhow::Result<Self> {
        match engine {
            Engine::Sqlite => Ok(Self::File(folder.join("backdrop.db"))),
            Engine::Mongo => {
                let name = folder.file_name().context("the folder has no name")?;
                Ok(Self::OnServer(ServerDatabase::new(&name.to_string_lossy())?))
            }
        }
    }

    /// What the setting `BACKDROP_DATABASE_URL` is.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(file) => format!("sqlite://{}", file.display()),
            Self::OnServer(database) => database.url(),
        }
    }

    /// Connects to the database as MongoDB's own tools do.
    pub(crate) async fn connect(&self) -> anyhow::Result<mongodb::Database> {
        match self {
            Self::File(_) => bail!("it is a file"),
            Self::OnServer(database) => database.connect().await,
        }
    }

    /// Makes what is stored unreadable.
    pub(crate) async fn damage(&self) -> anyhow::Result<()> {
        match self {
            Self::File(file) => fs::write(file, "this is no database")?,
            Self::OnServer(database) => {
                let buckets = database.connect().await?.collection::<Document>("buckets");
                buckets.update_many(doc! {}, doc! {"$set": {"realtime": "perhaps"}}).await?;
            }
        }
        Ok(())
    }

    /// Whether a text is anywhere in what is stored, as it is.
    pub(crate) async fn has(&self, text: &str) -> anyhow::Result<bool> {
        match self {
            Self::File(file) => files_have(file, text),
            Self::OnServer(database) => database.has(text).await,
        }
    }
}

/// Looks into the file of a database and those beside it that belong to it.
fn files_have(database: &Path, text: &str) -> anyhow::Result<bool> {
    let name = database.file_name().context("the database has no name")?.to_string_lossy();
    for file in fs::read_dir(database.parent().context("the database is in no folder")?)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(&*name) && contains(&fs::read(file.path())?, text) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

impl ServerDatabase {
    fn new(name: &str) -> anyhow::Result<Self> {
        Ok(Self { server: server()?, name: name.to_owned() })
    }

    fn url(&self) -> String {
        let options = self.server.find('?').unwrap_or(self.server.len());
        let (hosts, options) = self.server.split_at(options);
        format!("{}/{}{options}", hosts.trim_end_matches('/'), self.name)
    }

    async fn connect(&self) -> anyhow::Result<mongodb::Database> {
        Ok(Client::with_uri_str(self.url()).await?.database(&self.name))
    }

    async fn has(&self, text: &str) -> anyhow::Result<bool> {
        let database = self.connect().await?;
        for name in database.list_collection_names().await? {
            let collection = database.collection::<Document>(&name);
            let mut documents = collection.find(doc! {}).await?;
            while documents.advance().await? {
                if contains(documents.current().as_bytes(), text) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Drop for ServerDatabase {
    fn drop(&mut self) {
        // A client belongs to the runtime that it was made in, and the one of the test may be ending.
        let drop = || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Ok(self.connect().await?.drop().await?) })
        };
        let dropped = thread::scope(|scope| scope.spawn(drop).join());
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the database {} stays on the server: {dropped:?}", self.name);
        }
    }
}
