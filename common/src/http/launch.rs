//! Launching an app, and ending it when it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rocket::local::asynchronous::Client;
use rocket::tokio::net::TcpListener;
use rocket::tokio::select;
use rocket::tokio::signal::ctrl_c;
use rocket::{Build, Rocket};

use super::listener::{Bounds, Listener, connections_at_most, raise_limit};

/// Why an app does not run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing can listen on the address.
    #[error("it cannot listen on {address}: {source}")]
    Address {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it does not.
        source: io::Error,
    },
    /// It cannot be told to end.
    #[error("no signal can be waited for: {0}")]
    Signal(io::Error),
    /// What Rocket finds wrong with it.
    #[error("{0}")]
    Rocket(#[from] Box<rocket::Error>),
}

/// Runs an app, with so many connections at once, until SIGTERM or Ctrl-C, and then until what is under way is
/// done.
///
/// # Errors
///
/// If it cannot start, as when its port is taken.
pub async fn launch(rocket: Rocket<Build>, max_connections: usize) -> Result<(), LaunchError> {
    let rocket = Client::untracked(rocket).await.map_err(Box::new)?;
    let config = rocket.rocket().config();
    let address = SocketAddr::new(config.address, config.port);
    let bound = TcpListener::bind(address).await;
    let bound = bound.map_err(|source| LaunchError::Address { address, source })?;
    serve(rocket, bound, max_connections).await
}

/// Runs an app as [`launch`] does, on a listener that is there already.
///
/// # Errors
///
/// If it cannot start.
pub async fn launch_on(
    rocket: Rocket<Build>,
    bound: TcpListener,
    max_connections: usize,
) -> Result<(), LaunchError> {
    serve(Client::untracked(rocket).await.map_err(Box::new)?, bound, max_connections).await
}

async fn serve(rocket: Client, bound: TcpListener, max_connections: usize) -> Result<(), LaunchError> {
    let rocket = Arc::new(rocket);
    let config = rocket.rocket().config();
    let address = bound.local_addr().unwrap_or_else(|_| SocketAddr::new(config.address, config.port));
    let told = told_to_end().map_err(LaunchError::Signal)?;
    let connections = connections_at_most(max_connections, raise_limit());
    tracing::info!(%address, connections, "listening");
    Listener::new(Arc::clone(&rocket), Bounds::new(connections)).serve(bound, told).await;
    // With the app goes its store, whose files are then closed in order.
    if let Some(rocket) = Arc::into_inner(rocket) {
        rocket.terminate().await;
    }
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C. From now on neither ends the program by itself.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    use rocket::tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        select! {
            _ = terminate.recv() => {}
            _ = ctrl_c() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = ctrl_c().await;
    })
}
