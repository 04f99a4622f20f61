//! The connection to a database, and questions to it that end when nobody waits for their answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Hint, ReadConcern, ReadPreference, SelectionCriteria};
use mongodb::{Client, ClientSession, Collection, Database, ServerInfo, SessionCursor};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

use super::transaction::{Atomicity, durable};
use crate::storage::document::{self, SEQ};
use crate::storage::pages::{self, PageSender};
use crate::storage::url::{self, MongoUrl};
use crate::storage::{
    Documents, Names, NamesSeen, RecordPages, StorageError, StorageErrorKind, StorageOptions, WantedNames,
};

/// How long to look for a server that can do what is asked, where the URL does not say. The driver
/// looks for half a minute, which is longer than a client waits.
const SERVER_SELECTION: Duration = Duration::from_secs(10);
/// How long a connection may take to be made, where the URL does not say.
const CONNECT: Duration = Duration::from_secs(5);
/// How many connections there may be to each server, where the URL does not say. The driver's 10 are
/// soon taken by as many slow queries, and who waits for one waits for ever.
const POOL_SIZE: u32 = 100;
/// How many there may be to ask whether it can be reached: no look takes long.
const HEALTH_POOL_SIZE: u32 = 2;
/// How long a query that nobody waits for may go on before the servers are told once more.
const KILLED_AFTER: Duration = Duration::from_secs(1);
/// How often they are told.
const KILLS: usize = 5;

/// A database with the ways in which it is read and written.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Reads and writes what must be true now: configurations, users, everything that is written.
    pub(super) database: Database,
    /// Reads records, from the members that the operator chose.
    records: Database,
    /// For the question whether a server can be reached: over connections of its own, since queries may have
    /// taken all others.
    pub(super) health: Database,
    /// The members of a replica set, as `HOST:PORT`, where others than the primary are read from.
    members: Arc<[String]>,
    /// How long the servers may work on one query.
    pub(super) query_timeout: Duration,
    /// Whether the servers have transactions.
    pub(super) atomicity: Atomicity,
}

impl Connection {
    /// Connects, and asks what kind of servers these are.
    pub(super) async fn open(url: &MongoUrl, options: &StorageOptions) -> Result<Self, StorageError> {
        Self::with(client_options(url).await?, url.database(), options).await
    }

    pub(super) async fn with(
        client: ClientOptions,
        database: &str,
        options: &StorageOptions,
    ) -> Result<Self, StorageError> {
        let from_url = client.selection_criteria.clone();
        let mut few = client.clone();
        few.max_pool_size = Some(HEALTH_POOL_SIZE);
        few.min_pool_size = None;
        let health = Client::with_options(few)?;
        let client = Client::with_options(client)?;
        let readers = match options.read_preference {
            url::ReadPreference::Primary => from_url.unwrap_or(PRIMARY),
            url::ReadPreference::PrimaryPreferred => {
                SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None })
            }
            url::ReadPreference::Secondary => {
                SelectionCriteria::ReadPreference(ReadPreference::Secondary { options: None })
            }
            url::ReadPreference::SecondaryPreferred => {
                SelectionCriteria::ReadPreference(ReadPreference::SecondaryPreferred { options: None })
            }
            url::ReadPreference::Nearest => {
                SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None })
            }
        };
        let reads_from_primary =
            matches!(readers, SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let reads_from = |criteria| {
            mongodb::options::DatabaseOptions::builder()
                .selection_criteria(criteria)
                .read_concern(ReadConcern::majority())
                .write_concern(durable())
                .build()
        };
        let records = client.database_with_options(database, reads_from(readers));
        let health = health.database_with_options(database, reads_from(PRIMARY));
        let database = client.database_with_options(database, reads_from(PRIMARY));
        let hello = database.run_command(doc! { "hello": 1 }).await?;
        let members = if reads_from_primary {
            &[][..]
        } else {
            hello.get_array("hosts").map_or(&[][..], Vec::as_slice)
        };
        let members = members.iter().filter_map(|member| Some(member.as_str()?.to_owned())).collect();
        let is_set =
            hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid");
        let atomicity = if is_set { Atomicity::Transactions } else { Atomicity::Commands };
        Ok(Self { database, records, health, members, query_timeout: options.query_timeout, atomicity })
    }

    /// Runs a pipeline over records and gives each document of the answer to `visit`. The server
    /// stops working on it when nobody waits for the answer any more.
    pub(super) async fn read<T: Default + Send + 'static>(
        &self,
        collection: &str,
        pipeline: Vec<Document>,
        visit: impl FnMut(&mut T, &RawDocument) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let session = self.records.client().start_session().await?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let collection = self.records.collection::<Document>(collection);
        let asked = Asked { collection, pipeline, timeout: self.query_timeout, abandoned: abandoned.clone() };
        let session_id = session.id().clone();
        // In a task of its own: the driver's futures are not made to be dropped half-way.
        let task = tokio::spawn(asked.read(session, visit));
        let killer = Killer { database: self.database.clone(), members: self.members.clone(), session_id };
        let mut reading = Reading { task: Some((task, killer)), abandoned, is_done: Arc::default() };
        let answer = match &mut reading.task {
            Some((task, _)) => task.await,
            None => return Err(StorageError::new(StorageErrorKind::Internal, "a query without a task")),
        };
        reading.task = None;
        match answer {
            Ok((answer, _session)) => answer,
            Err(panic) => Err(StorageError::new(StorageErrorKind::Internal, panic)),
        }
    }

    /// Runs a pipeline over records, whose answer is received page by page. The server stops working on it
    /// when nobody receives it any more.
    pub(super) async fn pages(
        &self,
        collection: &str,
        pipeline: Vec<Document>,
        names: WantedNames,
    ) -> Result<RecordPages, StorageError> {
        let session = self.records.client().start_session().await?;
        let (abandoned, is_done) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let collection = self.records.collection::<Document>(collection);
        let asked = Asked { collection, pipeline, timeout: self.query_timeout, abandoned: abandoned.clone() };
        let session_id = session.id().clone();
        let (sender, expected) = pages::pages(pages::PATIENCE);
        let task = tokio::spawn(asked.send(session, sender, names, is_done.clone()));
        let killer = Killer { database: self.database.clone(), members: self.members.clone(), session_id };
        expected.begun(Reading { task: Some((task, killer)), abandoned, is_done }).await
    }

    /// Sends all records of a collection in the order of writing, until nobody receives them.
    pub(super) async fn export(
        &self,
        collection: &str,
        pages: &mpsc::Sender<Documents>,
        page_bytes: usize,
    ) -> Result<(), StorageError> {
        let records = self.records.collection::<RawDocumentBuf>(collection);
        // Read in the order in which they lie, in which each comes once also if it is written again
        // meanwhile, and sorted then.
        let as_they_lie = Hint::Keys(doc! { "$natural": 1 });
        let all = records.find(doc! {}).sort(doc! { SEQ: 1, "_id": 1 }).hint(as_they_lie);
        let mut cursor = all.allow_disk_use(true).await?;
        let mut page = Documents::default();
        while cursor.advance().await? {
            page.push(document::to_bare(cursor.current())?.as_bytes());
            if page.bytes() >= page_bytes && pages.send(std::mem::take(&mut page)).await.is_err() {
                return Ok(());
            }
        }
        if !page.is_empty() {
            // Whoever asked has gone, and needs no answer.
            let _ = pages.send(page).await;
        }
        Ok(())
    }
}

async fn client_options(url: &MongoUrl) -> Result<ClientOptions, StorageError> {
    let mut options = ClientOptions::parse(url.expose()).await?;
    options.app_name.get_or_insert_with(|| "backdrop".to_owned());
    options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    options.connect_timeout.get_or_insert(CONNECT);
    options.max_pool_size.get_or_insert(POOL_SIZE);
    Ok(options)
}

const PRIMARY: SelectionCriteria = SelectionCriteria::ReadPreference(ReadPreference::Primary);

/// A query that is put to the servers.
struct Asked {
    collection: Collection<Document>,
    pipeline: Vec<Document>,
    timeout: Duration,
    /// Nobody waits for the answer any more.
    abandoned: Arc<AtomicBool>,
}

impl Asked {
    /// Reads the whole answer. The session comes back with it, so that nobody else uses it while it may
    /// still be killed.
    async fn read<T: Default>(
        self,
        mut session: ClientSession,
        visit: impl FnMut(&mut T, &RawDocument) -> Result<(), StorageError>,
    ) -> (Result<T, StorageError>, ClientSession) {
        let answer = self.read_with(&mut session, visit).await;
        (answer, session)
    }

    async fn read_with<T: Default>(
        self,
        session: &mut ClientSession,
        mut visit: impl FnMut(&mut T, &RawDocument) -> Result<(), StorageError>,
    ) -> Result<T, StorageError> {
        let mut cursor = self.cursor(session).await?;
        let mut answer = T::default();
        while !self.abandoned.load(Ordering::Relaxed) && cursor.advance(session).await? {
            visit(&mut answer, cursor.current())?;
        }
        Ok(answer)
    }

    async fn cursor(&self, session: &mut ClientSession) -> Result<SessionCursor<Document>, StorageError> {
        let pipeline = self.pipeline.clone();
        let asked = self.collection.aggregate(pipeline).allow_disk_use(true).max_time(self.timeout);
        Ok(asked.session(session).await?)
    }

    /// Sends the answer page by page. The session comes back as above.
    async fn send(
        self,
        mut session: ClientSession,
        mut pages: PageSender,
        names: WantedNames,
        is_done: Arc<AtomicBool>,
    ) -> (Result<(), StorageError>, ClientSession) {
        let sent = self.send_with(&mut session, &mut pages, names).await;
        is_done.store(true, Ordering::Relaxed);
        pages.end(sent).await;
        (Ok(()), session)
    }

    async fn send_with(
        &self,
        session: &mut ClientSession,
        pages: &mut PageSender,
        names: WantedNames,
    ) -> Result<(), StorageError> {
        if names == WantedNames::All {
            let Some(names) = self.first_page_or_names(session, pages).await? else { return Ok(()) };
            pages.send_names(names).await?;
        }
        let mut cursor = self.cursor(session).await?;
        while !self.abandoned.load(Ordering::Relaxed) && cursor.advance(session).await? {
            if pages.is_full() {
                pages.send_page().await?;
            }
            pages.push(document::to_bare(cursor.current())?.as_bytes());
        }
        Ok(())
    }

    /// Fills the first page; if there is more, the names of all fields. Somebody may store a record with
    /// another one before the records are read again; whoever needs all names has to look.
    async fn first_page_or_names(
        &self,
        session: &mut ClientSession,
        pages: &mut PageSender,
    ) -> Result<Option<Names>, StorageError> {
        let (mut names, mut is_long) = (NamesSeen::default(), false);
        let mut cursor = self.cursor(session).await?;
        while !self.abandoned.load(Ordering::Relaxed) && cursor.advance(session).await? {
            let document = document::to_bare(cursor.current())?;
            names.add(document::Document::new(document.as_bytes())?)?;
            if pages.is_full() {
                is_long = true;
                pages.clear();
            }
            if !is_long {
                pages.push(document.as_bytes());
            }
        }
        Ok(is_long.then(|| names.into_names()))
    }
}

type Task<T> = JoinHandle<(Result<T, StorageError>, ClientSession)>;

/// A query under way. If it is dropped before its answer is there, the servers are told to end it.
struct Reading<T: Send + 'static> {
    task: Option<(Task<T>, Killer)>,
    abandoned: Arc<AtomicBool>,
    /// There is nothing left to end.
    is_done: Arc<AtomicBool>,
}

impl<T: Send + 'static> Drop for Reading<T> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        if self.is_done.load(Ordering::Relaxed) {
            return;
        }
        // At the end of the program there is nothing left to run it on.
        if let (Some((task, killer)), Ok(runtime)) = (self.task.take(), Handle::try_current()) {
            runtime.spawn(killer.end(task));
        }
    }
}

/// Ends what a session does on the servers.
struct Killer {
    database: Database,
    members: Arc<[String]>,
    session_id: Document,
}

impl Killer {
    /// Tells the servers until the query has ended: the first time it may not even have begun.
    async fn end<T>(self, mut task: Task<T>) {
        for _ in 0..KILLS {
            self.kill().await;
            if timeout(KILLED_AFTER, &mut task).await.is_ok() {
                return;
            }
        }
    }

    /// A replica set's member ends only what it does itself, and it is not known which one was asked.
    async fn kill(&self) {
        self.kill_at(PRIMARY).await;
        for member in self.members.iter().cloned() {
            let is_member = move |server: &ServerInfo<'_>| server.address().to_string() == member;
            self.kill_at(SelectionCriteria::Predicate(Arc::new(is_member))).await;
        }
    }

    async fn kill_at(&self, server: SelectionCriteria) {
        let command = doc! { "killSessions": [&self.session_id] };
        if let Err(error) = self.database.run_command(command).selection_criteria(server).await {
            debug!(%error, "a query that nobody waits for was not ended");
        }
    }
}
