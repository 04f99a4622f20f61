//! The listener of an app: connections, each within bounds, whose requests are answered by Rocket.
//!
//! Rocket has one of its own, which waits for a head, for the first bytes of a body, for whoever reads an
//! answer and for the next request as long as a client likes; whose number of connections has no bound; and to
//! which a client that sends no more is gone. None of that can be set.

mod answer;
mod bounds;
mod connection;
mod dispatch;
mod files;
mod head;
mod socket;
mod state;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rocket::local::asynchronous::Client;
use rocket::tokio::net::{TcpListener, TcpStream};
use rocket::tokio::time::{Instant, sleep, timeout};
use rocket::tokio::{select, spawn};

pub(super) use self::bounds::Bounds;
use self::connection::Told;
pub(super) use self::connection::{Connection, Presence};
use self::dispatch::Dispatcher;
pub(super) use self::files::{connections_at_most, raise_limit};
use self::socket::{Socket, linger};
use self::state::Verdict;
use super::under_way::UnderWay;
use crate::limits::HEAD_BYTES;

/// How long to wait after the kernel has given no connection, as when there is no file left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long what a client still sends is thrown away after its last answer.
const LINGER: Duration = Duration::from_secs(2);
/// What a client is sent that took too long for a head.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\nServer: Backdrop\r\n\r\n";

/// The connections of an app.
pub(super) struct Listener {
    dispatcher: Dispatcher,
    http: Builder,
    bounds: Bounds,
    all: Mutex<All>,
    open: UnderWay,
    storing: UnderWay,
}

#[derive(Default)]
struct All {
    connections: HashMap<u64, Arc<Connection>>,
    last: u64,
    is_stopped: bool,
}

impl Listener {
    pub(super) fn new(rocket: Arc<Client>, bounds: Bounds) -> Arc<Self> {
        let mut http = Builder::new();
        // The bounds on time are ours: hyper has one time for a head and for the wait for it.
        http.half_close(true).header_read_timeout(None).max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES);
        let storing = UnderWay::new();
        Arc::new(Self {
            dispatcher: Dispatcher::new(rocket, storing.clone()),
            http,
            bounds,
            all: Mutex::default(),
            open: UnderWay::new(),
            storing,
        })
    }

    fn all(&self) -> MutexGuard<'_, All> {
        // Nothing panics while it is locked.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes connections until `stop` is done, and then ends those that there are.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) {
        let looking = spawn(Arc::clone(&self).look_again_and_again());
        select! {
            biased;
            () = stop => {}
            () = self.accept(&listener) => {}
        }
        drop(listener);
        self.stop().await;
        looking.abort();
        let _ = looking.await;
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut is_short = false;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    is_short = false;
                    self.take(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut is_short, true) {
                        tracing::error!(target: "backdrop::error", %error, "no connection can be taken");
                    }
                    self.all().close_quietest(&self.bounds);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Begins to serve a connection.
    fn take(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let stream = Arc::new(stream);
        let Some((number, connection)) = self.all().take(&stream, peer, &self.bounds) else { return };
        // What is written is to be sent at once; where that cannot be said, it is sent a little later.
        let _ = stream.set_nodelay(true);
        let (listener, entry) = (Arc::clone(self), self.open.enter());
        spawn(async move {
            listener.serve_connection(stream, connection).await;
            listener.all().connections.remove(&number);
            drop((listener, entry));
        });
    }

    /// Serves a connection until it is done, or is told to close.
    async fn serve_connection(&self, stream: Arc<TcpStream>, connection: Arc<Connection>) {
        let io = TokioIo::new(Socket::new(Arc::clone(&stream), Arc::clone(&connection)));
        let service = service_fn(|request| {
            let connection = &connection;
            async move {
                let answer = self.dispatcher.answer(request, connection).await?;
                Ok::<_, io::Error>(answer.over(Arc::clone(connection)))
            }
        });
        let mut served = pin!(self.http.serve_connection(io, service));
        let is_told = loop {
            select! {
                biased;
                told = connection.told() => match told {
                    Told::Verdict(Verdict::Close) => break true,
                    // It is polled again, and finds that there is nothing more to read.
                    Told::Verdict(Verdict::EndBody) => {}
                    Told::FinishUp => served.as_mut().graceful_shutdown(),
                },
                // What goes wrong with a connection is its client's business.
                _ = &mut served => break false,
            }
        };
        if !is_told {
            select! {
                _ = timeout(LINGER, linger(&stream)) => {}
                _ = connection.told() => {}
            }
        } else if connection.waits_for_reader() {
            // What the kernel has for whoever does not read is not kept either.
            let _ = stream.set_zero_linger();
        } else if connection.is_in_head() {
            let _ = stream.try_write(TOO_SLOW);
        }
    }

    /// Looks at all connections, for as long as the app runs.
    async fn look_again_and_again(self: Arc<Self>) {
        loop {
            let is_stopped = self.all().is_stopped;
            sleep(if is_stopped { self.bounds.look_every_at_stop } else { self.bounds.look_every }).await;
            self.look();
        }
    }

    fn look(&self) {
        let now = Instant::now();
        for connection in self.all().connections.values() {
            connection.look(now, &self.bounds);
        }
    }

    /// Ends all connections: idle ones at once, the others when their request is answered, or when that takes
    /// too long. What is stored is finished also if nobody waits for the answer.
    async fn stop(&self) {
        let now = Instant::now();
        {
            let mut all = self.all();
            all.is_stopped = true;
            all.connections.values().for_each(|connection| connection.stop(now));
        }
        let ended = async {
            self.open.done().await;
            self.storing.done().await;
        };
        let mut ended = pin!(ended);
        while now.elapsed() < self.bounds.stop_storing + self.bounds.stop {
            self.look();
            if timeout(self.bounds.look_every_at_stop, &mut ended).await.is_ok() {
                return;
            }
        }
        tracing::warn!(target: "backdrop::error", "some requests were not finished at the end");
    }
}

impl All {
    /// A new connection, in the place of one that is idle if there are too many; none if there is no room.
    fn take(
        &mut self,
        stream: &Arc<TcpStream>,
        peer: SocketAddr,
        bounds: &Bounds,
    ) -> Option<(u64, Arc<Connection>)> {
        if self.connections.len() >= bounds.connections {
            self.close_quietest(bounds);
        }
        let is_spare = self.connections.len() >= bounds.connections;
        if self.is_stopped || self.connections.len() >= bounds.connections + bounds.reserve {
            return None;
        }
        self.last += 1;
        let connection = Connection::new(stream, peer, is_spare);
        self.connections.insert(self.last, Arc::clone(&connection));
        Some((self.last, connection))
    }

    /// Closes the connection whose client was waited for the longest time, if nothing else is under way there.
    fn close_quietest(&mut self, bounds: &Bounds) {
        let now = Instant::now();
        let quiet =
            self.connections.iter().filter_map(|(number, one)| Some((one.quiet(now, bounds)?, *number)));
        let quietest = quiet.min().and_then(|(_, number)| self.connections.remove(&number));
        if let Some(quietest) = quietest {
            quietest.give_way();
        }
    }
}

/// Whether it is about one connection only that ended before it was taken.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
