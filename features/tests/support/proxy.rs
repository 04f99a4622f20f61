//! A way from a program to the MongoDB server that can be interrupted at any point.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, iter};

use anyhow::{Context, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes on what comes to a port of this machine. It ends, with its connections, with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: String,
    way: Arc<Way>,
    accepting: JoinHandle<()>,
}

/// How much has passed, over all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Bytes from clients to the server.
    pub(crate) sent: u64,
    /// Messages from the server to clients.
    pub(crate) replies: u64,
}

#[derive(Debug)]
struct Way {
    server: String,
    state: Mutex<State>,
    /// Every connection ends when this changes.
    cuts: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    refuses: bool,
    passed: Passed,
    cut: Option<Cut>,
}

/// When the connections are cut, once. New ones may be made at once.
#[derive(Clone, Copy, Debug)]
enum Cut {
    AfterSent(u64),
    AtReply(u64),
}

impl Proxy {
    /// Listens on a free port. The URL is that of a database on one server.
    pub(crate) async fn start(url: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (server, url) = divert(url, port)?;
        let way = Arc::new(Way { server, state: Mutex::default(), cuts: watch::Sender::new(0) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&way)));
        Ok(Self { url, way, accepting })
    }

    /// The URL of the database by way of this proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What has passed since the counting last began, which it does with each cut that is planned.
    pub(crate) fn passed(&self) -> Passed {
        self.way.state().passed
    }

    /// Begins to count, and passes everything on.
    pub(crate) fn pass_all(&self) {
        *self.way.state() = State::default();
    }

    /// Cuts all connections when so many bytes have been sent from now on.
    pub(crate) fn cut_after_sent(&self, bytes: u64) {
        *self.way.state() = State { cut: Some(Cut::AfterSent(bytes)), ..State::default() };
    }

    /// Cuts all connections instead of passing on a reply, of which the next is number 1.
    pub(crate) fn lose_reply(&self, number: u64) {
        *self.way.state() = State { cut: Some(Cut::AtReply(number)), ..State::default() };
    }

    /// Whether the cut that was planned is still to come.
    pub(crate) fn is_to_cut(&self) -> bool {
        self.way.state().cut.is_some()
    }

    /// Cuts all connections, and closes new ones as they come.
    pub(crate) fn refuse(&self) {
        *self.way.state() = State { refuses: true, ..State::default() };
        self.way.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.way.cut();
    }
}

/// The host and port of the server in a URL, and the URL with a port of this machine instead. A
/// client that knows the server's own address would go there, so it is not to look for it.
fn divert(url: &str, port: u16) -> anyhow::Result<(String, String)> {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let rest = address.strip_prefix("mongodb://").context("no mongodb:// URL")?;
    let (rest, database) = rest.rsplit_once('/').context("a URL without a database")?;
    let (user, host) = rest.rsplit_once('@').map_or(("", rest), |(user, host)| (user, host));
    ensure!(!host.contains(','), "a URL of several servers");
    let at = if user.is_empty() { "" } else { "@" };
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:27017") };
    let kept = options.split('&').filter(|option| !option.is_empty() && !option.starts_with("replicaSet="));
    let options: Vec<_> = iter::once("directConnection=true").chain(kept).collect();
    Ok((host, format!("mongodb://{user}{at}127.0.0.1:{port}/{database}?{}", options.join("&"))))
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut cut = way.cuts.subscribe();
        if way.state().refuses {
            continue;
        }
        let way = Arc::clone(&way);
        tokio::spawn(async move {
            tokio::select! {
                _ = cut.changed() => {}
                // That it ends is all that either side is told.
                _ = way.pass(client) => {}
            }
        });
    }
}

impl Way {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Passes everything on until either side closes its end.
    async fn pass(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            ended = self.pass_requests(from_client, to_server) => ended,
            ended = self.pass_replies(from_server, to_client) => ended,
        }
    }

    async fn pass_requests(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let (passing, cuts) = self.state().send(read);
            to.write_all(&buffer[..passing]).await?;
            if cuts {
                self.cut();
                return Ok(());
            }
        }
    }

    /// Passes on whole messages, which begin with their length.
    async fn pass_replies(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        loop {
            let length = from.read_u32_le().await?;
            let mut message = length.to_le_bytes().to_vec();
            message.resize(length as usize, 0);
            from.read_exact(&mut message[4..]).await?;
            if self.state().reply() {
                self.cut();
                return Ok(());
            }
            to.write_all(&message).await?;
        }
    }
}

impl State {
    /// Counts bytes that were sent. Says how many of them to pass on, and whether to cut then.
    fn send(&mut self, bytes: usize) -> (usize, bool) {
        let before = self.passed.sent;
        self.passed.sent += bytes as u64;
        match self.cut {
            Some(Cut::AfterSent(limit)) if self.passed.sent >= limit => {
                self.cut = None;
                (usize::try_from(limit - before).unwrap_or(bytes), true)
            }
            _ => (bytes, false),
        }
    }

    /// Counts a reply. Says whether to cut instead of passing it on.
    fn reply(&mut self) -> bool {
        self.passed.replies += 1;
        let cuts = matches!(self.cut, Some(Cut::AtReply(number)) if self.passed.replies == number);
        if cuts {
            self.cut = None;
        }
        cuts
    }
}
