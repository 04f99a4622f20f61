//! How both apps run: Rocket's configuration, and the question whether they are up.

use rocket::config::{Ident, LogLevel, Shutdown, Sig};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::request::Request;
use rocket::{Config, Data, async_trait, uri};
use serde_json::{Value as Json, json};

use super::ApiError;
use crate::settings::Settings;
use crate::storage::StorageEngine;

/// Rocket's configuration. Nothing of it comes from `Rocket.toml` or `ROCKET_*`.
pub fn config(settings: &Settings, port: u16) -> Config {
    Config {
        address: settings.address,
        port,
        ident: Ident::try_new("Backdrop").unwrap_or_default(),
        // The `log` crate's level; what is written is the filter's business.
        log_level: LogLevel::Normal,
        cli_colors: false,
        shutdown: Shutdown {
            ctrlc: true,
            signals: [Sig::Term].into(),
            // What is under way may finish; a client that only keeps its connection open does not
            // hold up the end for longer.
            grace: 5,
            mercy: 2,
            ..Shutdown::default()
        },
        ..Config::release_default()
    }
}

/// The answer of `GET /_status`.
///
/// # Errors
///
/// [`ApiError::Storage`] if the store cannot be reached.
pub async fn health(engine: &dyn StorageEngine) -> Result<Json, ApiError> {
    engine.ping().await?;
    Ok(json!({"status": "ok", "message": "app is up"}))
}

/// Makes a path unknown that ends in a slash or has two in a row. Rocket takes it for the path
/// without.
pub struct StrictPaths;

#[async_trait]
impl Fairing for StrictPaths {
    fn info(&self) -> Info {
        Info { name: "strict paths", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let path = request.uri().path();
        if path.ends_with('/') || path.contains("//") {
            // No route has this path.
            request.set_uri(uri!("/"));
        }
    }
}
