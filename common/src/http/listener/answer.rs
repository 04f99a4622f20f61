//! Answers on their way from Rocket to hyper.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Response, StatusCode};
use rocket::local::asynchronous::LocalResponse;
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::select;
use rocket::tokio::sync::mpsc;
use serde_json::json;

use super::connection::Connection;

/// An answer up to this size is taken whole; a larger one in pieces of this size.
const PIECE: usize = 64 * 1024;

/// The body of an answer. When it is dropped, the answer is done.
pub(super) struct AnswerBody {
    content: Content,
    connection: Arc<Connection>,
}

enum Content {
    Whole(Bytes),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
}

/// What a handler answered, but for the rest of a large body.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

/// Takes an answer from Rocket: `ready` is given its head, and its body if that is small. The future goes on
/// until the whole body is taken, or nobody wants the rest.
pub(super) async fn take(mut response: LocalResponse<'_>, ready: impl FnOnce(io::Result<Answer>)) {
    let (status, headers) = match head(&response) {
        Ok(head) => head,
        Err(error) => return ready(Err(error)),
    };
    let size = if response.body().is_none() { Some(0) } else { response.body().preset_size() };
    if let Some(size) = size.filter(|size| *size <= PIECE) {
        let mut whole = Vec::with_capacity(size + 1);
        let read = response.read_to_end(&mut whole).await;
        let content = Content::Whole(whole.into());
        return ready(read.map(|_| Answer { status, headers, content }));
    }
    let (sender, pieces) = mpsc::channel(1);
    ready(Ok(Answer { status, headers, content: Content::Pieces(pieces) }));
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let read = select! {
            biased;
            () = sender.closed() => return,
            read = response.read_buf(&mut piece) => read,
        };
        let sent = match read {
            Ok(0) => return,
            Ok(_) => sender.send(Ok(piece.into())).await,
            // The connection is broken off, so that nobody takes a part for the whole.
            Err(error) => {
                tracing::warn!(target: "backdrop::error", %error, "an answer was broken off");
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The status and the headers, with the length of the body where it is known. An answer to HEAD, and one that
/// says that nothing changed, have the length of the body that they lack.
fn head(response: &LocalResponse<'_>) -> io::Result<(StatusCode, HeaderMap)> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    let status = StatusCode::from_u16(response.status().code).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut headers = HeaderMap::new();
    for header in response.headers().iter() {
        let name = HeaderName::from_bytes(header.name.as_str().as_bytes())
            .map_err(|_| io::ErrorKind::InvalidData)?;
        headers.append(name, HeaderValue::from_str(&header.value).map_err(invalid)?);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    } else if let Some(size) = response.body().preset_size() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok((status, headers))
}

impl Answer {
    /// A refusal by the listener itself, in the form of all the others.
    pub(super) fn refusal(status: u16, message: &str) -> Self {
        let body = json!({"status": "error", "message": message}).to_string();
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("content-type", "application/json"), ("cache-control", "no-cache"), ("server", "Backdrop")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            headers,
            content: Content::Whole(body.into()),
        }
    }

    /// The same answer with one more header.
    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// What is sent over a connection.
    pub(super) fn over(self, connection: Arc<Connection>) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody { content: self.content, connection });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.end_answer();
    }
}

/// It never says how long it is: hyper would leave out the length that a 304 has.
impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.get_mut().content {
            Content::Whole(whole) if whole.is_empty() => return Poll::Ready(None),
            Content::Whole(whole) => Poll::Ready(Some(Ok(std::mem::take(whole)))),
            Content::Pieces(pieces) => pieces.poll_recv(context),
        };
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
