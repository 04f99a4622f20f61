//! One connection, as all that have to do with it see it: its socket, its listener, who answers its request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rocket::futures::FutureExt;
use rocket::tokio::io::Interest;
use rocket::tokio::net::TcpStream;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::Instant;

use super::bounds::Bounds;
use super::head::HeadScan;
use super::state::{Phase, State, Verdict};

/// A connection. Its socket is closed when its listener drops it, whoever else still has this.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Weak<TcpStream>,
    pub(super) peer: SocketAddr,
    /// Whether it is one too many, and is answered about the app's health only.
    pub(super) is_spare: bool,
    inner: Mutex<Inner>,
    told: Notify,
}

#[derive(Debug)]
struct Inner {
    state: State,
    head: HeadScan,
    verdict: Option<Told>,
}

/// What the task of a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Verdict(Verdict),
    /// The next answer is the last.
    FinishUp,
}

/// Whether a client is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is.
    There,
    /// It sends no more, and may be waiting for its answer or gone.
    SendsNoMore,
    /// The connection is broken or closed.
    Gone,
}

impl Connection {
    pub(super) fn new(socket: &Arc<TcpStream>, peer: SocketAddr, is_spare: bool) -> Arc<Self> {
        let inner = Inner { state: State::new(Instant::now()), head: HeadScan::default(), verdict: None };
        Arc::new(Self {
            socket: Arc::downgrade(socket),
            peer,
            is_spare,
            inner: Mutex::new(inner),
            told: Notify::new(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is locked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the kernel knows of the client by now.
    pub(crate) fn presence(&self) -> Presence {
        let Some(socket) = self.socket.upgrade() else { return Presence::Gone };
        let ready = socket.ready(Interest::READABLE | Interest::WRITABLE).now_or_never();
        match ready {
            Some(Err(_)) => Presence::Gone,
            Some(Ok(ready)) if ready.is_write_closed() || ready.is_error() => Presence::Gone,
            Some(Ok(ready)) if ready.is_read_closed() => Presence::SendsNoMore,
            Some(Ok(_)) | None => Presence::There,
        }
    }

    /// A request is to be answered. Whether its head said twice where the body ends.
    pub(super) fn begin_answer(&self, stores: bool) -> bool {
        let mut inner = self.inner();
        inner.state.enter(Phase::Answering { stores }, Instant::now());
        std::mem::take(&mut inner.head).is_ambiguous()
    }

    /// The answer is done, but for what the client has not taken yet.
    pub(super) fn end_answer(&self) {
        self.inner().state.enter(Phase::Idle, Instant::now());
    }

    /// Some bytes came; none is the end of what the client sends.
    pub(super) fn came(&self, bytes: &[u8]) {
        let mut inner = self.inner();
        let now = Instant::now();
        inner.state.reading.end(bytes.len(), now);
        if inner.state.phase == Phase::Idle && !bytes.is_empty() {
            inner.head = HeadScan::default();
            inner.state.enter(Phase::Head, now);
        }
        if inner.state.phase == Phase::Head {
            inner.head.look(bytes);
        }
    }

    pub(super) fn waits_to_read(&self) {
        self.inner().state.reading.begin(Instant::now());
    }

    pub(super) fn waits_to_write(&self) {
        self.inner().state.writing.begin(Instant::now());
    }

    pub(super) fn went(&self, bytes: usize) {
        self.inner().state.writing.end(bytes, Instant::now());
    }

    pub(super) fn has_ended_body(&self) -> bool {
        self.inner().state.has_ended_body()
    }

    /// Since when its client was waited for, if it may be closed for another one.
    pub(super) fn quiet(&self, now: Instant, bounds: &Bounds) -> Option<Instant> {
        self.inner().state.quiet(now, bounds)
    }

    /// Looks whether it has taken too long, and tells it if so.
    pub(super) fn look(&self, now: Instant, bounds: &Bounds) {
        let verdict = self.inner().state.verdict(now, bounds);
        if let Some(verdict) = verdict {
            self.tell(Told::Verdict(verdict));
        }
    }

    /// The app is told to end.
    pub(super) fn stop(&self, now: Instant) {
        self.inner().state.stop(now);
        self.tell(Told::FinishUp);
    }

    /// Closes it to make room for another one.
    pub(super) fn give_way(&self) {
        self.tell(Told::Verdict(Verdict::Close));
    }

    fn tell(&self, told: Told) {
        let mut inner = self.inner();
        // What is to be closed is told nothing else any more.
        if inner.verdict != Some(Told::Verdict(Verdict::Close)) {
            inner.verdict = Some(told);
        }
        drop(inner);
        self.told.notify_one();
    }

    /// Waits until there is something to be told.
    pub(super) async fn told(&self) -> Told {
        loop {
            self.told.notified().await;
            if let Some(told) = self.inner().verdict.take() {
                return told;
            }
        }
    }

    /// Whether the head of a request is cut off by a close now.
    pub(super) fn is_in_head(&self) -> bool {
        self.inner().state.phase == Phase::Head
    }

    /// Whether something that the client was sent is still on its way to it.
    pub(super) fn waits_for_reader(&self) -> bool {
        self.inner().state.writing.is_waiting()
    }
}
