//! Requests on their way from hyper to Rocket, whose own way from a connection to its routes is private: what
//! is public is the way of its local client, with which nothing is lost but the body. That comes along with
//! the request ([`SentData`](crate::http::SentData)), unread, so that whoever refuses it need not wait for it.

use std::io;
use std::str::{FromStr, from_utf8};
use std::sync::Arc;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use rocket::http::uri::{Host, Origin};
use rocket::http::{Cookie, Header, Method};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::tokio::spawn;
use rocket::tokio::sync::oneshot;

use super::answer::{Answer, take};
use super::connection::Connection;
use super::head::check_head;
use crate::http::client::Over;
use crate::http::error::ApiError;
use crate::http::sent_data::Unread;
use crate::http::under_way::UnderWay;

/// What an app has to say of its health, also where there is one connection too many.
const HEALTH: &str = "/_status";

/// Answers the requests of all connections.
pub(super) struct Dispatcher {
    rocket: Arc<Client>,
    /// The requests that may store something: they are finished also if nobody waits for their answer.
    storing: UnderWay,
}

impl Dispatcher {
    pub(super) fn new(rocket: Arc<Client>, storing: UnderWay) -> Self {
        Self { rocket, storing }
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// If there is no answer, which ends the connection.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<Connection>,
    ) -> io::Result<Answer> {
        let (parts, body) = request.into_parts();
        let method = Method::from_str(parts.method.as_str());
        let stores = !matches!(method, Ok(Method::Get | Method::Head | Method::Options));
        let is_ambiguous = connection.begin_answer(stores);
        if let Err(refused) = check_head(&parts, is_ambiguous) {
            return Ok(Answer::refusal(refused.status(), refused.message()).with("connection", "close"));
        }
        let (Ok(method), Some(_)) = (method, parts.uri.path_and_query()) else {
            return Ok(Answer::refusal(400, &ApiError::BadRequest.to_string()));
        };
        if connection.is_spare && !is_about_health(parts.uri.path()) {
            let busy = Answer::refusal(503, &ApiError::Busy.to_string());
            return Ok(busy.with("retry-after", "1").with("connection", "close"));
        }
        let (rocket, connection) = (Arc::clone(&self.rocket), Arc::clone(connection));
        let storing = stores.then(|| self.storing.enter());
        let (ready, answer) = oneshot::channel();
        // What was begun goes on if the client goes away; whoever need not finish looks for it.
        spawn(async move {
            let is_spare = connection.is_spare;
            let request = local(&rocket, &parts, method, body, connection);
            let response = request.dispatch().await;
            drop(storing);
            take(response, |answer| {
                let close = |answer: Answer| answer.with("connection", "close");
                let _ = ready.send(if is_spare { answer.map(close) } else { answer });
            })
            .await;
        });
        answer.await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?
    }
}

fn is_about_health(path: &str) -> bool {
    path.strip_prefix(HEALTH).is_some_and(|rest| rest.is_empty() || rest == "/live")
}

/// The request as Rocket knows it, read from what came just as Rocket does.
fn local<'c>(
    rocket: &'c Client,
    parts: &'c Parts,
    method: Method,
    body: Incoming,
    connection: Arc<Connection>,
) -> LocalRequest<'c> {
    // What hyper takes for a path and a query need not be one for `Origin::parse`; Rocket takes it all the same.
    let query = parts.uri.query().map(std::borrow::Cow::Borrowed);
    let mut request = rocket.req(method, Origin::new(parts.uri.path(), query)).remote(connection.peer);
    let host = parts.headers.get("host").and_then(|host| from_utf8(host.as_bytes()).ok());
    if let Some(host) = host.and_then(|host| Host::parse(host).ok()) {
        request.inner_mut().set_host(host);
    }
    for header in parts.headers.get_all("cookie") {
        for cookie in from_utf8(header.as_bytes()).unwrap_or_default().split(';') {
            if let Ok(cookie) = Cookie::parse_encoded(cookie.trim()) {
                request = request.cookie(cookie);
            }
        }
    }
    for (name, value) in &parts.headers {
        if let Ok(value) = from_utf8(value.as_bytes()) {
            request.inner_mut().add_header(Header::new(name.as_str(), value));
        }
    }
    if !body.is_end_stream() {
        request.inner().local_cache(|| Unread::new(body));
    }
    request.inner().local_cache(|| Over::network(connection));
    request
}
