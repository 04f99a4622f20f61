//! How both apps run: Rocket's configuration, and the question whether they are up.

use rocket::Config;
use rocket::config::{Ident, LogLevel, SecretKey};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Header;
use rocket::{Request, Response, async_trait};
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
        // Any client can send a header that says where it is; the audit log shows where it was.
        ip_header: None,
        // The `log` crate's level; what is written is the filter's business.
        log_level: LogLevel::Normal,
        cli_colors: false,
        // What is encrypted with it is read by nobody after a restart; who needs that sets another.
        secret_key: SecretKey::derive_from(&rand::random::<[u8; 32]>()),
        ..Config::release_default()
    }
}

/// The answer of `GET /_status/live`: the process answers. It asks nobody, so that an app is not started anew
/// because its store is away or busy.
pub fn liveness() -> Json {
    json!({"status": "ok", "message": "app is alive"})
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

/// Tells browsers to stay with https for a year, in every answer of an app that they reach by it.
pub struct StrictTransport(Option<&'static str>);

impl StrictTransport {
    /// For an app that is reached by https or not.
    pub fn new(is_https: bool, settings: &Settings) -> Self {
        let with_subdomains = "max-age=31536000; includeSubDomains";
        let value = if settings.hsts_subdomains { with_subdomains } else { "max-age=31536000" };
        Self(is_https.then_some(value))
    }
}

#[async_trait]
impl Fairing for StrictTransport {
    fn info(&self) -> Info {
        Info { name: "Strict-Transport-Security", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(value) = self.0 {
            response.set_header(Header::new("Strict-Transport-Security", value));
        }
    }
}
