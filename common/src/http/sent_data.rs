//! The body of a request, as it comes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use rocket::data::{DataStream, FromData, Outcome, ToByteUnit};
use rocket::request::Request;
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::time::timeout;
use rocket::{Data, async_trait};

use super::ApiError;

/// How long the body of a request that is refused is waited for, to be thrown away.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a body that does not come over the network is read at a time.
const PIECE: usize = 64 * 1024;

/// A body that nobody has begun to read, on its way from the listener to whoever does.
pub(super) struct Unread(Mutex<Option<Incoming>>);

impl Unread {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Mutex::new(Some(body)))
    }

    fn none() -> Self {
        Self(Mutex::new(None))
    }

    fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of a request. How long a client may take to send it is the listener's business: who takes too
/// long has broken it off. Rocket's own `Data` is empty for what comes over the network.
pub struct SentData<'r> {
    source: Source<'r>,
    /// How long it is, if the client said so.
    length: Option<u64>,
    came: u64,
    /// Whether the client waits for a word before it sends it.
    is_held_back: bool,
}

enum Source<'r> {
    Network(Incoming),
    Local(Box<DataStream<'r>>),
}

impl<'r> SentData<'r> {
    /// The body of a request; `data` is what Rocket has of it.
    pub fn of(request: &'r Request<'_>, data: Data<'r>) -> Self {
        let headers = request.headers();
        let source = match request.local_cache(Unread::none).take() {
            Some(body) => Source::Network(body),
            None => Source::Local(Box::new(data.open(u64::MAX.bytes()))),
        };
        Self {
            source,
            length: headers.get_one("Content-Length").and_then(|length| length.trim().parse().ok()),
            came: 0,
            is_held_back: headers
                .get_one("Expect")
                .is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue")),
        }
    }

    /// How many bytes the client says that it sends, if it does.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    ///
    /// [`ApiError::InterruptedBody`] if the body is broken off, or is not as long as the client said.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let next = match &mut self.source {
            Source::Network(body) => next_data(body).await,
            Source::Local(data) => {
                let mut bytes = Vec::with_capacity(PIECE);
                let read = data.read_buf(&mut bytes).await;
                read.map_err(|_| ApiError::InterruptedBody).map(|_| Some(Bytes::from(bytes)))
            }
        }?;
        self.is_held_back = false;
        match next.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => {
                self.came += bytes.len() as u64;
                Ok(Some(bytes))
            }
            None if self.length.is_some_and(|length| length != self.came) => Err(ApiError::InterruptedBody),
            None => Ok(None),
        }
    }

    /// Reads up to so many bytes of what nobody looks at, so that a client that is still sending gets its
    /// answer and not a broken connection. Who has asked whether to send it need not.
    pub async fn discard(mut self, max: usize) {
        if self.is_held_back {
            return;
        }
        let mut left = max;
        let discarded = async {
            while let Ok(Some(bytes)) = self.next().await {
                left = left.saturating_sub(bytes.len());
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(PATIENCE, discarded).await;
    }
}

/// The next data of a body that are not empty.
async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(ApiError::InterruptedBody),
            // What is no data is a trailer.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                Ok(_) | Err(_) => {}
            },
        }
    }
}

/// Whether the body of a request is of a media type, whatever its parameters: clients write those in many ways,
/// as in `application/json;` or `application/json; charset="utf-8"`.
pub fn is_media_type(request: &Request<'_>, expected: &str) -> bool {
    request.headers().get_one("Content-Type").is_some_and(|sent| has_media_type(sent, expected))
}

fn has_media_type(content_type: &str, expected: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(expected)
}

#[async_trait]
impl<'r> FromData<'r> for SentData<'r> {
    type Error = std::convert::Infallible;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        Outcome::Success(Self::of(request, data))
    }
}

#[cfg(test)]
mod tests {
    use rocket::http::Header;
    use rocket::local::asynchronous::Client;
    use rocket::{post, routes};

    use super::*;

    #[test]
    fn a_body_is_known_by_its_media_type() {
        for (content_type, expected) in [
            ("application/json", true),
            ("application/json;", true),
            ("application/json ;", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json;; charset=utf-8;", true),
            ("application/json; charset", true),
            ("Application/JSON; q=\"a;b\"", true),
            ("  application/json  ", true),
            ("", false),
            (";", false),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/json, text/plain", false),
            ("application/vnd.api+json", false),
            ("text/plain; application/json", false),
        ] {
            assert_eq!(has_media_type(content_type, "application/json"), expected, "{content_type}");
        }
    }

    #[post("/", data = "<data>")]
    async fn count(mut data: SentData<'_>) -> String {
        loop {
            match data.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return data.came.to_string(),
                Err(error) => return error.to_string(),
            }
        }
    }

    #[rocket::async_test]
    async fn a_body_is_as_long_as_was_said() {
        let rocket = rocket::custom(rocket::Config::debug_default()).mount("/", routes![count]);
        let client = Client::untracked(rocket).await.expect("an app");
        let interrupted = ApiError::InterruptedBody.to_string();
        for (length, sent, expected) in [
            (None, 0, "0"),
            (None, 200_000, "200000"),
            (Some("200000"), 200_000, "200000"),
            (Some("0"), 0, "0"),
            (Some("5"), 4, &*interrupted),
            (Some("5"), 0, &interrupted),
            (Some("4"), 5, &interrupted),
        ] {
            let mut request = client.post("/").body(vec![b'x'; sent]);
            if let Some(length) = length {
                request.add_header(Header::new("Content-Length", length));
            }
            let answer = request.dispatch().await.into_string().await;
            assert_eq!(answer.as_deref(), Some(expected), "{length:?} {sent}");
        }
    }
}
