//! The body of an answer: whole, as small ones are, so that they can be kept and their tag follows from their
//! bytes; or on its way.

use std::collections::VecDeque;
use std::io::{self, Cursor};
use std::sync::Arc;

use backdrop_common::http::{ApiError, etag};
use backdrop_common::room::Reservation;
use rocket::futures::stream::{Stream, try_unfold};
use rocket::tokio::task::spawn_blocking;

use crate::text::{PIECE, Text};

/// The body of an answer.
pub(crate) enum Body {
    Whole(Whole),
    OnItsWay(Box<OnItsWay>),
}

/// All of a body, and its tag. Clones share the bytes, and their room with them.
#[derive(Clone)]
pub(crate) struct Whole(Arc<Bytes>);

struct Bytes {
    content: Vec<u8>,
    etag: String,
    _room: Reservation,
}

/// The beginning of a body, and what the rest is made by.
pub(crate) struct OnItsWay {
    beginning: VecDeque<Vec<u8>>,
    text: Text,
}

/// How many bytes the pieces have that are collected.
const COLLECTED_PIECE: usize = 1 << 20;

impl Body {
    /// Makes a body whole if it has no more than so many bytes, and only begins with it otherwise.
    ///
    /// # Errors
    ///
    /// What goes wrong before the beginning is made.
    pub(crate) async fn make(mut text: Text, kept: usize) -> Result<Self, ApiError> {
        let most = text.first_piece(kept.max(PIECE));
        let (mut pieces, mut bytes) = (VecDeque::new(), 0);
        loop {
            let piece = text.next(most.min(COLLECTED_PIECE)).await?;
            bytes += piece.len();
            pieces.push_back(piece);
            text.cover(capacity(&pieces))?;
            if text.is_end() {
                let tag = text.tag();
                return Ok(Self::Whole(Whole::new(pieces, tag, text.into_room()).await?));
            }
            if bytes >= most {
                return Ok(Self::OnItsWay(Box::new(OnItsWay { beginning: pieces, text })));
            }
        }
    }
}

impl Whole {
    /// A body, which takes no more of some room than it needs.
    async fn new(
        mut pieces: VecDeque<Vec<u8>>,
        tag: Option<String>,
        mut room: Reservation,
    ) -> Result<Self, ApiError> {
        let mut bytes = pieces.pop_front().unwrap_or_default();
        let more: usize = pieces.iter().map(Vec::len).sum();
        let joined = if more > 0 { bytes.len() + more } else { 0 };
        room.cover(capacity(&pieces) + bytes.capacity() + joined)?;
        bytes.reserve_exact(more);
        for piece in pieces {
            bytes.extend(piece);
        }
        bytes.shrink_to_fit();
        room.shrink(bytes.len());
        if let Some(etag) = tag {
            return Ok(Self(Arc::new(Bytes { content: bytes, etag, _room: room })));
        }
        let tagged = move || Self(Arc::new(Bytes { etag: etag(&bytes), content: bytes, _room: room }));
        spawn_blocking(tagged).await.map_err(|_| ApiError::Internal)
    }

    /// A body that somebody has made already.
    pub(crate) fn made(bytes: Vec<u8>, room: Reservation) -> Self {
        Self(Arc::new(Bytes { etag: String::new(), content: bytes, _room: room }))
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.0.content.len()
    }

    /// Its strong tag.
    pub(crate) fn etag(&self) -> &str {
        &self.0.etag
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.0.content
    }
}

impl OnItsWay {
    /// The pieces. If something goes wrong the last is an error, which breaks the connection: whoever receives
    /// it must not take what came until then for the whole.
    pub(crate) fn into_pieces(
        self,
        request_id: String,
    ) -> impl Stream<Item = io::Result<Cursor<Vec<u8>>>> + Send + 'static {
        try_unfold((self, request_id), |(mut body, request_id)| async move {
            // The one before is sent.
            body.text.shrink(capacity(&body.beginning));
            let piece = match body.beginning.pop_front() {
                Some(piece) => piece,
                None if body.text.is_end() => return Ok(None),
                None => body.text.next(PIECE).await.map_err(|error| broken_off(&error, &request_id))?,
            };
            Ok(Some((Cursor::new(piece), (body, request_id))))
        })
    }
}

fn capacity(pieces: &VecDeque<Vec<u8>>) -> usize {
    pieces.iter().map(Vec::capacity).sum()
}

fn broken_off(error: &ApiError, request_id: &str) -> io::Error {
    tracing::error!(target: "backdrop::error", request_id, %error, "an answer was broken off");
    io::Error::other("the answer was broken off")
}
