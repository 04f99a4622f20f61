//! Whether the client of a request is still there, so that nobody works on an answer that nobody
//! receives. Behind a reverse proxy the client is the proxy.
//!
//! A client that sends no more may wait for its answer, as `nc -N` does, or be gone: only what is sent to it
//! would show. So it is worked for a while longer. One whose connection is broken is gone at once.

use std::sync::Arc;
use std::time::Duration;

use rocket::request::Request;
use rocket::tokio::select;
use rocket::tokio::time::{Instant, sleep};

use super::ApiError;
use super::listener::{Connection, Presence};

/// How long a request may take before its client is looked for, and the time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a client is worked for that sends no more.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// What a request came over, if that was the network.
pub(super) struct Over(Option<Arc<Connection>>);

impl Over {
    pub(super) fn network(connection: Arc<Connection>) -> Self {
        Self(Some(connection))
    }
}

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connection>);

impl Client {
    /// The client of a request; none if it did not come over the network.
    pub fn of(request: &Request<'_>) -> Option<Self> {
        request.local_cache(|| Over(None)).0.clone().map(Self)
    }
}

/// Looks for clients.
#[derive(Clone, Debug)]
pub struct Clients {
    every: Duration,
    half_closed: Duration,
}

impl Default for Clients {
    fn default() -> Self {
        Self { every: LOOK_EVERY, half_closed: HALF_CLOSED }
    }
}

impl Clients {
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
        let Some(Client(connection)) = client else { return work.await };
        select! {
            biased;
            done = work => done,
            () = self.gone(|| connection.presence()) => Err(ApiError::ClientGone),
        }
    }

    /// Waits until a client that is there has gone.
    async fn gone(&self, presence: impl Fn() -> Presence) {
        let mut half_closed = None;
        loop {
            sleep(self.every).await;
            match presence() {
                Presence::There => {}
                Presence::SendsNoMore => {
                    let since: &mut Instant = half_closed.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.half_closed {
                        return;
                    }
                }
                Presence::Gone => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::tokio;
    use rocket::tokio::time::timeout;

    use super::*;

    /// For how many seconds a client is worked for that is as given.
    #[track_caller]
    fn check(presence: fn(Duration) -> Presence, expected: Option<u64>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            let clients = Clients::default();
            let gone = clients.gone(|| presence(begun.elapsed()));
            let ended = timeout(Duration::from_mins(10), gone).await.ok().map(|()| begun.elapsed().as_secs());
            assert_eq!(ended, expected, "{caller}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_there_is_worked_for() {
        check(|_| Presence::There, None).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_not() {
        check(|_| Presence::Gone, Some(0)).await;
        check(|at| if at.as_secs() < 3 { Presence::There } else { Presence::Gone }, Some(3)).await;
        check(|at| if at.as_secs() < 3 { Presence::SendsNoMore } else { Presence::Gone }, Some(3)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_no_more_is_worked_for_a_while_longer() {
        check(|_| Presence::SendsNoMore, Some(10)).await;
        check(|at| if at.as_secs() < 20 { Presence::There } else { Presence::SendsNoMore }, Some(30)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_did_not_come_over_the_network_is_always_there() {
        let done = Clients::default().while_there(None, async { Ok(5) }).await;
        assert_eq!(done.expect("an answer"), 5);
    }
}
