//! How both apps run: Rocket's configuration, and the question whether they are up.

use rocket::config::{Ident, LogLevel, Shutdown, Sig};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::request::Request;
use rocket::{Config, Data, async_trait, uri};
use serde_json::{Value as Json, json};

use super::ApiError;
use super::launch::GRACE_SECONDS;
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
        shutdown: Shutdown {
            ctrlc: true,
            signals: [Sig::Term].into(),
            grace: GRACE_SECONDS,
            mercy: 1,
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

/// Takes back two liberties of Rocket: a path that ends in a slash or has two in a row is unknown, not
/// the path without; and a form's field `_method` does not change the method.
pub struct StrictRequests;

/// What the body of a form starts with that Rocket reads a method from.
const METHOD_FIELD: &[u8] = b"_method=";

#[async_trait]
impl Fairing for StrictRequests {
    fn info(&self) -> Info {
        Info { name: "strict requests", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        // By now Rocket has changed the method, if it did, and only of a POST. Nothing here takes a
        // form, so whatever it was sent as, POST gets it refused.
        let is_form = request.content_type().is_some_and(|content_type| content_type.is_form());
        if is_form && data.peek(METHOD_FIELD.len()).await.starts_with(METHOD_FIELD) {
            request.set_method(Method::Post);
        }
        let path = request.uri().path();
        if path.ends_with('/') || path.contains("//") {
            // No route has this path.
            request.set_uri(uri!("/"));
        }
    }
}
