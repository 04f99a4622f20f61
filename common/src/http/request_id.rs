//! An id for each request, which is in its answer and in every line that is logged for it.

use std::time::Instant;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Header;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Data, Response, async_trait};

use super::{ClientAddress, refusal};

/// The headers that a client may name a request with, and in which the id comes back.
const HEADERS: [&str; 2] = ["Govuk-Request-Id", "X-Request-Id"];
const MAX_LENGTH: usize = 128;

/// The id of a request: what the client called it, or a random one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request.
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| {
            let mut sent = HEADERS.into_iter().filter_map(|header| request.headers().get_one(header));
            let sent = sent.find(|id| is_id(id)).map(str::to_owned);
            Self(sent.unwrap_or_else(make_id))
        })
    }
}

/// A random id, of chance that is at hand: what the kernel is asked for takes longer than all the rest.
fn make_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// What goes into logs and headers unchanged; anything else is not taken from a client.
fn is_id(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r RequestId {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(RequestId::of(request))
    }
}

/// Returns the request id and logs a line for each request. The query string is not in it: it may
/// hold what a client should not have sent there.
pub struct RequestLog;

/// When a request came, and for which path; the path may be changed on its way.
struct Started {
    at: Instant,
    path: String,
}

impl Started {
    fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self { at: Instant::now(), path: request.uri().path().to_string() })
    }
}

#[async_trait]
impl Fairing for RequestLog {
    fn info(&self) -> Info {
        Info { name: "request log", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        Started::of(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let request_id = RequestId::of(request).as_str();
        for header in HEADERS {
            response.set_header(Header::new(header, request_id.to_owned()));
        }
        let started = Started::of(request);
        tracing::info!(
            target: "backdrop::request",
            request_id,
            method = %request.method(),
            path = started.path,
            status = response.status().code,
            address = ClientAddress::of(request).0.map(tracing::field::display),
            reason = refusal::reason(request),
            micros = u64::try_from(started.at.elapsed().as_micros()).unwrap_or(u64::MAX),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_taken_from_a_client() {
        assert!(is_id("a-1:b/c"));
        for text in ["", "two words", "line\nbreak", "ünï", &"x".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
