//! What tests change, over HTTP or in the process that they run in.

use std::sync::Arc;

use anyhow::Context;
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::tokio::sync::oneshot;
use rocket::tokio::task::JoinHandle;
use rocket::{Error, Ignite, Rocket, Shutdown, State, get, post};
use serde_json::json;

use crate::mode::{Answer, Endpoint, Mode};
use crate::shape::Shape;
use crate::store::Store;

/// Changes what a user may do.
#[post("/_test/users/<email>/permissions", data = "<permissions>")]
pub(crate) fn set_permissions(email: &str, permissions: &str, store: &State<Arc<Store>>) -> Status {
    let Ok(permissions) = serde_json::from_str(permissions) else { return Status::BadRequest };
    if store.set_permissions(email, permissions) { Status::NoContent } else { Status::NotFound }
}

/// Makes all tokens of a user worthless.
#[post("/_test/users/<email>/revoke")]
pub(crate) fn revoke(email: &str, store: &State<Arc<Store>>) {
    store.revoke(email);
}

/// Has an endpoint answer in another way: `discovery`, `keys`, `token` or `person`, and the name of a [`Mode`].
#[post("/_test/mode/<endpoint>", data = "<mode>")]
pub(crate) fn set_mode(endpoint: &str, mode: &str, store: &State<Arc<Store>>) -> Status {
    match (endpoint.parse(), mode.trim().parse()) {
        (Ok(endpoint), Ok(mode)) => {
            store.set_mode(endpoint, mode);
            Status::NoContent
        }
        _ => Status::BadRequest,
    }
}

/// Has it answer as another provider does, by its name in small letters: `auth0`, `cognito`, …
#[post("/_test/shape", data = "<shape>")]
pub(crate) fn set_shape(shape: &str, store: &State<Arc<Store>>) -> Status {
    let Ok(shape) = shape.trim().parse() else { return Status::BadRequest };
    store.set_shape(shape);
    Status::NoContent
}

#[get("/_status")]
pub(crate) fn health() -> Answer {
    Answer::json(&json!({"status": "ok", "message": "app is up"}))
}

impl Store {
    /// Changes what a user may do. Says whether there is such a user.
    pub fn set_permissions(&self, email: &str, permissions: Vec<String>) -> bool {
        let mut known = self.lock();
        let user = known.users.iter_mut().find(|user| user.email == email);
        user.map(|user| user.permissions = permissions).is_some()
    }

    /// Makes all tokens of a user worthless.
    pub fn revoke(&self, email: &str) {
        self.lock().revoke(email);
    }

    /// Makes all access tokens of a user worthless, but not the refresh tokens.
    pub fn expire(&self, email: &str) {
        self.lock().access.retain(|_, grant| grant.email != email);
    }

    /// Has it answer as another provider does.
    pub fn set_shape(&self, shape: Shape) {
        self.lock().shape = shape;
    }

    /// Has an endpoint answer in another way.
    pub fn set_mode(&self, endpoint: Endpoint, mode: Mode) {
        self.lock().modes.insert(endpoint, mode);
    }
}

/// A provider that runs in this process, on any port, until it is dropped.
pub struct Running {
    /// What it knows.
    pub store: Arc<Store>,
    port: u16,
    shutdown: Shutdown,
    server: JoinHandle<Result<Rocket<Ignite>, Error>>,
}

impl Running {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// If it cannot start.
    pub async fn start() -> anyhow::Result<Self> {
        let store = Arc::new(Store::default());
        let (sender, receiver) = oneshot::channel();
        let sender = std::sync::Mutex::new(Some(sender));
        let tell = AdHoc::on_liftoff("tell the port", move |rocket| {
            Box::pin(async move {
                let sender = sender.lock().ok().and_then(|mut sender| sender.take());
                if let Some(sender) = sender {
                    // Whoever asked may be gone.
                    let _ = sender.send(rocket.config().port);
                }
            })
        });
        let rocket = crate::rocket_with(Arc::clone(&store), 0).attach(tell).ignite().await?;
        let shutdown = rocket.shutdown();
        let server = rocket::tokio::spawn(rocket.launch());
        let port = receiver.await.context("the provider ended at its start")?;
        Ok(Self { store, port, shutdown, server })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it: from then on nobody answers there.
    pub async fn stop(mut self) {
        self.shutdown.clone().notify();
        // How it ended does not matter.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
        self.server.abort();
    }
}
