//! Bodies: read to their end within a limit, and decompressed within the same, while there is room.

use std::io::Read;

use backdrop_common::http::{ApiError, SentData, is_media_type};
use backdrop_common::room::Reservation;
use flate2::read::MultiGzDecoder;
use rocket::request::Request;
use rocket::tokio;

/// What the headers say of a body.
pub(crate) struct BodyHeaders<'r> {
    is_json: bool,
    encoding: Option<&'r str>,
}

impl<'r> BodyHeaders<'r> {
    pub(crate) fn of(request: &'r Request<'_>) -> Self {
        Self {
            is_json: is_media_type(request, "application/json"),
            encoding: request.headers().get_one("Content-Encoding"),
        }
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// Names of encodings are case-insensitive, and `x-gzip` is `gzip` (RFC 9110, section 8.4.1).
    fn parse(name: Option<&str>) -> Result<Self, ApiError> {
        match name.unwrap_or("identity").trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            other => Err(ApiError::ContentEncoding(other.to_owned())),
        }
    }
}

/// A body, and the room that it takes.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Reservation,
}

/// Reads the JSON body of a request.
pub(crate) async fn read_json(
    data: SentData<'_>,
    headers: &BodyHeaders<'_>,
    max: usize,
    room: Reservation,
) -> Result<Body, ApiError> {
    let encoding = match Encoding::parse(headers.encoding) {
        Ok(encoding) => encoding,
        Err(error) => {
            discard(data, max).await;
            return Err(error);
        }
    };
    // What does not compress grows a little, so a body that is within the limit may come in more
    // bytes than the limit.
    let max_sent = if encoding == Encoding::Gzip { max + max / 64 + 1024 } else { max };
    if data.length().is_some_and(|length| length > (max_sent + discarded(max)) as u64) {
        // Too much even to be thrown away.
        return Err(ApiError::BodyTooLarge { max });
    }
    let sent = read(data, max_sent, max, room).await?;
    let body = match encoding {
        Encoding::Identity => sent,
        Encoding::Gzip => tokio::task::spawn_blocking(move || decompress(sent, max))
            .await
            .map_err(|_| ApiError::Internal)??,
    };
    // Backdrop looked at the length first; an empty body is told apart from a missing header.
    if !body.bytes.is_empty() && !headers.is_json {
        return Err(ApiError::ContentType);
    }
    Ok(body)
}

async fn read(
    mut data: SentData<'_>,
    max_sent: usize,
    max: usize,
    mut room: Reservation,
) -> Result<Body, ApiError> {
    let mut bytes = Vec::new();
    let refused = loop {
        let Some(piece) = data.next().await? else { return Ok(Body { bytes, room }) };
        bytes.extend_from_slice(&piece);
        if bytes.len() > max_sent {
            break ApiError::BodyTooLarge { max };
        }
        if let Err(busy) = room.cover(PER_BYTE.saturating_mul(bytes.len())) {
            break busy.into();
        }
    };
    // The rest of a body that is too large, or that there is no room for, is read to be thrown away, so
    // that a client that is still sending gets its answer and not a broken connection.
    drop((bytes, room));
    data.discard(discarded(max)).await;
    Err(refused)
}

/// How much room a byte of a body takes: as it came, as it is stored, and what the memory for either has
/// to spare. What takes more, as very small records do, is counted when it is known.
pub(crate) const PER_BYTE: usize = 4;

/// How many bytes are read of a body that is refused.
fn discarded(max: usize) -> usize {
    max.saturating_mul(4)
}

/// Reads a body that is refused unseen, within bounds.
pub(crate) async fn discard(data: SentData<'_>, max: usize) {
    data.discard(discarded(max)).await;
}

/// Decompresses, and stops where the limit is passed: a few bytes can stand for gigabytes.
fn decompress(sent: Body, max: usize) -> Result<Body, ApiError> {
    const STEP: u64 = 1 << 16;
    let Body { bytes: sent, mut room } = sent;
    let mut bytes = Vec::new();
    let mut decoder = MultiGzDecoder::new(&*sent);
    while decoder.by_ref().take(STEP).read_to_end(&mut bytes).map_err(|_| ApiError::CorruptGzip)? > 0 {
        if bytes.len() > max {
            return Err(ApiError::BodyTooLarge { max });
        }
        room.cover(PER_BYTE.saturating_mul(bytes.len()).saturating_add(sent.len()))?;
    }
    Ok(Body { bytes, room })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use backdrop_common::room::Room;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// Decompresses where there is a little room, of which another has a byte.
    fn decompress(sent: &[u8], max: usize) -> Result<Vec<u8>, ApiError> {
        let room = Room::soft(1000, "requests");
        let mut other = room.reserve();
        other.cover(1).expect("room");
        let body = Body { bytes: sent.to_vec(), room: room.reserve() };
        super::decompress(body, max).map(|body| body.bytes)
    }

    #[test]
    fn gzip_within_the_limit() {
        assert_eq!(decompress(&gzip(b"hello"), 5).expect("a body"), b"hello");
        let parts = [gzip(b"hel"), gzip(b"lo")].concat();
        assert_eq!(decompress(&parts, 5).expect("a body"), b"hello");
        assert_eq!(decompress(&gzip(b""), 5).expect("a body"), b"");
    }

    #[test]
    fn a_bomb_is_stopped() {
        let bomb = gzip(&vec![b'0'; 50_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(decompress(&bomb, 1000), Err(ApiError::BodyTooLarge { max: 1000 })));
        assert!(matches!(decompress(&bomb, 100_000), Err(ApiError::Busy)), "there is no room for so much");
        assert!(matches!(decompress(&gzip(b"hello!"), 5), Err(ApiError::BodyTooLarge { .. })));
    }

    #[test]
    fn damaged_gzip() {
        let whole = gzip(b"hello hello hello");
        let mut changed = whole.clone();
        let last = changed.len() - 6;
        changed[last] ^= 1;
        for damaged in [&b"not gzip"[..], &whole[..whole.len() - 1], &whole[..5], &changed, b""] {
            let body = decompress(damaged, 100);
            assert!(damaged.is_empty() || matches!(body, Err(ApiError::CorruptGzip)), "{damaged:?}");
        }
    }

    #[test]
    fn encodings() {
        assert_eq!(Encoding::parse(None).ok(), Some(Encoding::Identity));
        assert_eq!(Encoding::parse(Some("GZip")).ok(), Some(Encoding::Gzip));
        for other in ["br", "deflate", "gzip, gzip"] {
            assert!(matches!(Encoding::parse(Some(other)), Err(ApiError::ContentEncoding(_))), "{other}");
        }
    }
}
