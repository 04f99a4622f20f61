//! The write app: records in.

#![forbid(unsafe_code)]

mod admin;
mod audit;
mod body;
pub mod command;
mod data;
mod schemas;
mod status;
pub mod upload;

use std::sync::Arc;
use std::time::Duration;

use backdrop_common::http::{
    RequestLog, StrictRequests, StrictTransport, catchers, config, with_other_methods,
};
use backdrop_common::room::Room;
use backdrop_common::settings::{PublicUrl, Settings, WebOrigin};
use backdrop_common::storage::StorageEngine;
use backdrop_common::timestamp::Timestamp;
use rocket::config::SecretKey;
use rocket::data::{Limits, ToByteUnit};
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::{Build, Config, Rocket, routes};
use secrecy::{ExposeSecret, SecretString};

use crate::admin::SignIn;
use crate::admin::provider::Timeouts;
use crate::admin::upload::{Uploads, form_limit, upload_routes};
use crate::schemas::Schemas;

/// How large a form without a file may be, in kibibytes: it may have a schema in it.
const MAX_FORM: u64 = 512;

/// What says what time it is.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the handlers share.
pub(crate) struct WriteApp {
    engine: Arc<dyn StorageEngine>,
    management_token: Option<SecretString>,
    max_body_bytes: usize,
    /// For requests that store something.
    room: Arc<Room>,
    schemas: Schemas,
    clock: Clock,
    /// Where browsers find this app.
    public_url: PublicUrl,
    /// Where people and programs find the read app.
    read_url: WebOrigin,
    /// How people sign in; none where that is not set up.
    sign_in: Option<SignIn>,
    /// For how long a token that is rotated is still taken.
    token_overlap: Duration,
    uploads: Arc<Uploads>,
}

impl WriteApp {
    fn new(settings: &Settings, engine: Arc<dyn StorageEngine>, port: u16) -> Self {
        let public_url = settings.public_url(port);
        Self {
            engine,
            management_token: settings.management_token.clone(),
            max_body_bytes: settings.max_body_bytes.get() as usize,
            room: Room::soft(settings.max_ingest_bytes.get() as usize, "requests"),
            schemas: Schemas::default(),
            clock: Arc::new(Timestamp::now),
            sign_in: SignIn::new(settings, &public_url, Timeouts::default()),
            public_url,
            read_url: settings.read_url(),
            token_overlap: Duration::from_secs(settings.token_overlap_seconds.into()),
            uploads: Arc::new(Uploads::new(settings)),
        }
    }
}

/// The app, ready to be launched on a port. Sessions outlive it if the settings have a session secret.
pub fn rocket(settings: &Settings, engine: Arc<dyn StorageEngine>, port: u16) -> Rocket<Build> {
    build(settings, WriteApp::new(settings, engine, port), port)
}

fn build(settings: &Settings, app: WriteApp, port: u16) -> Rocket<Build> {
    let mut routes = routes![
        status::health,
        status::live,
        data::post_by_name,
        data::post_by_data_type,
        data::put_by_name,
        data::put_by_data_type,
        data::patch_record,
        data::delete_record,
        data::delete_data,
    ];
    routes.extend(admin::routes());
    routes.extend(upload_routes());
    let strict_transport = StrictTransport::new(app.public_url.is_production(), settings);
    rocket::custom(rocket_config(settings, port))
        .manage(app)
        .manage(settings.trusted_proxies.clone())
        .mount("/", with_other_methods(routes))
        .mount("/_user/buckets", with_other_methods(upload_routes()))
        .mount("/", backdrop_pages::assets())
        .register("/", catchers())
        .register("/_user", admin::catchers())
        .attach(RequestLog)
        .attach(StrictRequests)
        .attach(strict_transport)
        .attach(AdHoc::on_response("headers of every answer", |_, response| {
            Box::pin(async move {
                if !response.headers().contains("Cache-Control") {
                    response.set_header(Header::new("Cache-Control", "no-cache"));
                }
            })
        }))
}

/// Rocket's configuration, with the key of the session cookies, and how large forms may be.
fn rocket_config(settings: &Settings, port: u16) -> Config {
    let limits = Limits::default()
        .limit("form", MAX_FORM.kibibytes())
        .limit("data-form", form_limit(settings.max_upload_bytes.get() as usize).bytes());
    let config = Config { limits, ..config(settings, port) };
    match settings.sign_in.as_ref().and_then(|sign_in| sign_in.session_secret.as_ref()) {
        Some(secret) => {
            Config { secret_key: SecretKey::derive_from(secret.expose_secret().as_bytes()), ..config }
        }
        None => config,
    }
}
