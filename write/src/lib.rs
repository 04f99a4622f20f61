//! The write app: records in.

#![forbid(unsafe_code)]

mod audit;
mod body;
pub mod command;
mod data;
mod schemas;
mod status;
pub mod upload;

use std::sync::Arc;

use backdrop_common::http::{RequestLog, StrictRequests, catchers, config, with_other_methods};
use backdrop_common::settings::Settings;
use backdrop_common::storage::StorageEngine;
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::{Build, Rocket, routes};
use secrecy::SecretString;

use crate::schemas::Schemas;

/// What the handlers share.
pub(crate) struct WriteApp {
    engine: Arc<dyn StorageEngine>,
    management_token: Option<SecretString>,
    max_body_bytes: usize,
    schemas: Schemas,
}

/// The app, ready to be launched on a port.
pub fn rocket(settings: &Settings, engine: Arc<dyn StorageEngine>, port: u16) -> Rocket<Build> {
    let routes = routes![
        status::health,
        data::post_by_name,
        data::post_by_data_type,
        data::put_by_name,
        data::put_by_data_type,
        data::patch_record,
        data::delete_record,
        data::delete_data,
    ];
    let app = WriteApp {
        engine,
        management_token: settings.management_token.clone(),
        max_body_bytes: settings.max_body_bytes.get() as usize,
        schemas: Schemas::default(),
    };
    rocket::custom(config(settings, port))
        .manage(app)
        .mount("/", with_other_methods(routes))
        .register("/", catchers())
        .attach(RequestLog)
        .attach(StrictRequests)
        .attach(AdHoc::on_response("no cache", |_, response| {
            Box::pin(async move {
                response.set_header(Header::new("Cache-Control", "no-cache"));
            })
        }))
}
