//! Whether the client of a request is still there, so that nobody works on an answer that nobody
//! receives.
//!
//! Rocket tells a handler nothing of its connection but the address at its other end, so it is looked
//! up in the kernel's table of connections. Where there is none to read, every client counts as there.
//! Behind a reverse proxy the client is the proxy.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocket::request::Request;
use rocket::tokio::select;
use rocket::tokio::sync::Mutex;
use rocket::tokio::task::spawn_blocking;
use rocket::tokio::time::sleep;

use super::ApiError;

/// How long a request may take before its client is looked for, and the time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// In how many looks one after the other a client has to be missing. The table changes while it is read,
/// and a connection that is there may then be missed.
const LOOKS: u32 = 2;

/// The connection that a request came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// The port at our end.
    port: u16,
    /// The address at the other end, without the interface that a local one of IPv6 belongs to, which
    /// the table does not have.
    peer: IpAddr,
    /// The port there.
    peer_port: u16,
}

impl Client {
    /// The client of a request; none if it did not come over the network.
    pub fn of(request: &Request<'_>) -> Option<Self> {
        Some(Self::new(request.rocket().config().port, request.remote()?))
    }

    fn new(port: u16, peer: SocketAddr) -> Self {
        Self { port, peer: peer.ip(), peer_port: peer.port() }
    }
}

/// Looks for clients. Clones share what they see.
#[derive(Clone)]
pub struct Clients {
    every: Duration,
    last: Arc<Mutex<Option<Look>>>,
}

impl Default for Clients {
    fn default() -> Self {
        Self::new(LOOK_EVERY)
    }
}

impl Clients {
    fn new(every: Duration) -> Self {
        Self { every, last: Arc::default() }
    }

    /// Does some work for a client, or as much of it as is done when the client goes away.
    ///
    /// # Errors
    ///
    /// That of the work, or [`ApiError::ClientGone`].
    pub async fn while_there<T>(
        &self,
        client: Option<Client>,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let Some(client) = client else { return work.await };
        select! {
            biased;
            done = work => done,
            () = self.gone(client) => Err(ApiError::ClientGone),
        }
    }

    /// Waits until a client that is there has gone.
    async fn gone(&self, client: Client) {
        let mut missing = 0;
        while missing < LOOKS {
            sleep(self.every).await;
            missing = if self.is_missing(client).await { missing + 1 } else { 0 };
        }
    }

    /// Whether one look does not find a client. The table may be long, so whoever asks at the same time
    /// shares a look at it; who asks again after a pause is told of another one.
    async fn is_missing(&self, client: Client) -> bool {
        let (asked, every) = (Instant::now(), self.every);
        let mut last = Arc::clone(&self.last).lock_owned().await;
        let looked = spawn_blocking(move || {
            // It stays locked until it is done, also if nobody waits for it any more. No look is from
            // before a client came: that is longer ago than `every`.
            let is_new = |look: &Look| look.begun >= asked || look.begun.elapsed() < every;
            last.take_if(|look| !is_new(look));
            !last.get_or_insert_with(Look::now).has(client)
        });
        looked.await.unwrap_or(false)
    }
}

/// What the kernel's table said.
struct Look {
    begun: Instant,
    connected: HashSet<Client>,
    /// The ports that somebody listens on.
    listening: HashSet<u16>,
}

impl Look {
    fn now() -> Self {
        let mut look = Self { begun: Instant::now(), connected: HashSet::new(), listening: HashSet::new() };
        look.read();
        look
    }

    /// Whether the client may be there. A table without the port that we listen on is not the one that
    /// its connections are in.
    fn has(&self, client: Client) -> bool {
        self.connected.contains(&client) || !self.listening.contains(&client.port)
    }

    #[cfg(target_os = "linux")]
    fn read(&mut self) {
        use procfs::net::{TcpState, tcp, tcp6};

        // Either is missing where that version of IP is switched off.
        for entry in [tcp(), tcp6()].into_iter().flatten().flatten() {
            let port = entry.local_address.port();
            match entry.state {
                TcpState::Listen => {
                    self.listening.insert(port);
                }
                // Any other is that of a connection that one of both has closed.
                TcpState::Established => {
                    self.connected.insert(Client::new(port, entry.remote_address));
                }
                _ => {}
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read(&mut self) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Shutdown, TcpListener, TcpStream};

    use rocket::tokio::time::timeout;

    use super::*;

    /// A client, its end of the connection, and all that has to stay open for it.
    fn connect() -> (Client, TcpStream, (TcpListener, TcpStream)) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (accepted, peer) = listener.accept().expect("a connection");
        (Client::new(port, peer), stream, (listener, accepted))
    }

    async fn wait_until_gone(client: Client) {
        let gone =
            timeout(Duration::from_secs(20), Clients::new(Duration::from_millis(5)).gone(client)).await;
        gone.expect("it is gone");
    }

    #[tokio::test]
    async fn a_client_that_closes_is_gone() {
        let (client, stream, _open) = connect();
        assert!(Look::now().has(client));
        drop(stream);
        wait_until_gone(client).await;
    }

    #[tokio::test]
    async fn a_client_that_sends_no_more_is_gone() {
        let (client, stream, _open) = connect();
        stream.shutdown(Shutdown::Write).expect("a half-closed connection");
        wait_until_gone(client).await;
    }

    #[test]
    fn another_connection_is_no_sign_of_a_client() {
        let (client, _stream, (listener, _accepted)) = connect();
        let other = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let peer_port = other.local_addr().expect("an address").port();
        let look = Look::now();
        assert!(look.has(client));
        assert!(look.has(Client { peer_port, ..client }));
        assert!(!look.has(Client { peer_port: client.port, ..client }));
    }

    #[test]
    fn without_the_port_in_the_table_nobody_is_gone() {
        let (client, ..) = connect();
        assert!(Look::now().has(Client { port: 0, ..client }));
    }

    #[test]
    fn a_local_address_is_that_of_any_interface() {
        use std::net::{Ipv6Addr, SocketAddrV6};

        let peer = |interface| {
            let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
            Client::new(3038, SocketAddrV6::new(address, 50_000, 0, interface).into())
        };
        assert_eq!(peer(2), peer(0));
    }

    #[tokio::test]
    async fn work_that_is_done_first_is_answered() {
        let (client, _stream, _open) = connect();
        let clients = Clients::new(Duration::ZERO);
        for client in [None, Some(client)] {
            let done = clients.while_there(client, async { Ok(5) }).await;
            assert_eq!(done.expect("an answer"), 5);
        }
    }

    #[tokio::test]
    async fn work_for_a_client_that_is_gone_is_dropped() {
        let (client, stream, _open) = connect();
        drop(stream);
        let clients = Clients::new(Duration::from_millis(5));
        let endless = clients.while_there(Some(client), std::future::pending::<Result<(), ApiError>>());
        let ended = timeout(Duration::from_secs(20), endless).await.expect("it ends");
        assert!(matches!(ended, Err(ApiError::ClientGone)));
    }

    #[tokio::test]
    async fn one_look_that_misses_a_client_is_not_enough() {
        let (client, _stream, _open) = connect();
        let clients = Clients::new(Duration::from_millis(50));
        // As if it was begun a little later, so that the first to ask is told of it, and the next is not.
        let begun = Instant::now() + Duration::from_millis(10);
        let missed = Look { begun, connected: HashSet::new(), listening: HashSet::from([client.port]) };
        assert!(!missed.has(client));
        *clients.last.lock().await = Some(missed);
        let until_the_next_look = async {
            while clients.last.lock().await.as_ref().is_some_and(|look| look.begun == begun) {
                rocket::tokio::task::yield_now().await;
            }
            Ok(())
        };
        assert!(clients.while_there(Some(client), until_the_next_look).await.is_ok());
    }

    #[tokio::test]
    async fn looks_are_shared() {
        let (client, _stream, _open) = connect();
        let clients = Clients::new(Duration::from_hours(1));
        assert!(!clients.is_missing(client).await);
        let begun = async || clients.last.lock().await.as_ref().map(|look| look.begun);
        let first = begun().await;
        assert!(!clients.is_missing(client).await);
        assert_eq!(begun().await, first);
    }
}
