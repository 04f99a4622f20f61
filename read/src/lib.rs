//! The read app: query strings in, aggregates out.

#![forbid(unsafe_code)]

mod answer;
mod answers;
mod body;
mod data;
mod explorer;
mod slow;
mod status;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use backdrop_common::http::{Clients, RequestLog, StrictRequests, catchers, config, with_other_methods};
use backdrop_common::room::Room;
use backdrop_common::settings::{Settings, WebOrigin};
use backdrop_common::storage::StorageEngine;
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Header};
use rocket::{Build, Rocket, routes};

use crate::answers::Answers;

/// What the handlers share.
pub(crate) struct ReadApp {
    engine: Arc<dyn StorageEngine>,
    max_rows: usize,
    /// How many bytes an answer of groups may have.
    max_answer_bytes: u64,
    /// Room in memory for all answers together, those that are kept among them.
    room: Arc<Room>,
    /// How long a query may take until the log says so.
    slow_query_ms: u32,
    clients: Clients,
    answers: Answers,
    /// Where programs find us, if that is set.
    read_url: Option<WebOrigin>,
}

/// The app, ready to be launched on a port.
pub fn rocket(settings: &Settings, engine: Arc<dyn StorageEngine>, port: u16) -> Rocket<Build> {
    let mut routes = routes![
        status::health,
        status::live,
        status::data_sets,
        status::buckets,
        data::by_name,
        data::by_data_type,
        data::options_by_name,
        data::options_by_data_type,
    ];
    routes.extend(backdrop_pages::assets());
    let app = ReadApp {
        engine,
        max_rows: settings.max_rows.get() as usize,
        slow_query_ms: settings.slow_query_ms,
        clients: Clients::default(),
        max_answer_bytes: settings.max_answer_bytes.get().into(),
        // So that some room is left for others.
        answers: Answers::new(settings.answer_bytes.min(u64::from(settings.max_query_bytes.get()) / 2)),
        room: Room::strict(settings.max_query_bytes.get() as usize, "answers"),
        read_url: settings.read_url.clone(),
    };
    rocket::custom(config(settings, port))
        .manage(app)
        .manage(settings.trusted_proxies.clone())
        .mount("/", with_other_methods(routes))
        .register("/", catchers())
        .attach(RequestLog)
        .attach(StrictRequests)
        .attach(AdHoc::on_response("CORS", |_, response| {
            Box::pin(async move {
                // Any page may read data: dashboards are served from elsewhere, and there are no cookies.
                if response.content_type() != Some(ContentType::HTML) {
                    response.set_header(Header::new("Access-Control-Allow-Origin", "*"));
                }
            })
        }))
}
