//! A small HTTP/1.1 client on a connection that is kept open. It does no more than a benchmark
//! needs, since it shares the processors with what it measures: requests are bytes that were made
//! before, and answers have a Content-Length or come in chunks.

mod chunks;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::chunks::Chunks;

/// What is known of an answer before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    etag: Option<String>,
    retry_after: Option<u64>,
    /// How many bytes it takes itself.
    length: usize,
    /// How the end of the body is known.
    framing: Framing,
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// It has so many bytes.
    Length(usize),
    /// It comes in chunks.
    Chunks,
}

/// What is known of an answer whose body was not kept.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// The status.
    pub status: u16,
    /// How many bytes the body had.
    pub bytes: u64,
    /// From sending the request to the last byte of the answer.
    pub took: Duration,
}

/// An answer. Its body is in the connection's buffer until the next request.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The ETag, as it was sent.
    pub etag: Option<String>,
    /// After how many seconds to try again, if it says so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: &'a [u8],
    /// From sending the request to the last byte of the answer.
    pub took: Duration,
}

impl Answer<'_> {
    /// Checks that the status is the expected one.
    ///
    /// # Errors
    ///
    /// The status and the start of the body if it is another.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        ensure!(self.status == status, "answered with {}: {shown}", self.status);
        Ok(self)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a port of this machine.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or what comes back is not as we read it.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        let start = Instant::now();
        let Head { status, etag, retry_after, length, framing } = self.begin(request).await?;
        match framing {
            Framing::Length(body) => {
                while self.buffer.len() < length + body {
                    self.read_more().await?;
                }
            }
            Framing::Chunks => {
                let (mut chunks, mut body) = (Chunks::default(), Vec::new());
                let mut read = length;
                while !chunks.feed(&self.buffer[read..], |data| body.extend_from_slice(data))? {
                    read = self.buffer.len();
                    self.read_more().await?;
                }
                self.buffer.truncate(length);
                self.buffer.append(&mut body);
            }
        }
        let took = start.elapsed();
        let body = self.buffer.get(length..).context("an answer without its body")?;
        Ok(Answer { status, etag, retry_after, body, took })
    }

    /// The same for an answer that is as large as it likes: its body is counted, not kept.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub async fn drain(&mut self, request: &[u8]) -> anyhow::Result<Drained> {
        let start = Instant::now();
        let Head { status, length, framing, .. } = self.begin(request).await?;
        let mut chunks = Chunks::default();
        let mut bytes = 0;
        self.buffer.drain(..length);
        loop {
            let is_whole = match framing {
                Framing::Length(body) => {
                    bytes += self.buffer.len() as u64;
                    bytes >= body as u64
                }
                Framing::Chunks => chunks.feed(&self.buffer, |data| bytes += data.len() as u64)?,
            };
            self.buffer.clear();
            if is_whole {
                return Ok(Drained { status, bytes, took: start.elapsed() });
            }
            self.read_more().await?;
        }
    }

    /// Sends a request and waits for the head of the answer.
    async fn begin(&mut self, request: &[u8]) -> anyhow::Result<Head> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            self.read_more().await?;
            if let Some(head) = parse_head(&self.buffer)? {
                return Ok(head);
            }
        }
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the connection was closed before the answer was whole");
        Ok(())
    }
}

/// Reads the head of an answer; none while it is not whole.
fn parse_head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.context("an answer without a status")?;
    let header = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let is_chunked = header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let framing = match header("Content-Length") {
        // These have no body, whatever the headers say.
        _ if matches!(status, 100..=199 | 204 | 304) => Framing::Length(0),
        _ if is_chunked => Framing::Chunks,
        Some(length) => Framing::Length(length.parse().context("a Content-Length that is no number")?),
        None => bail!("an answer ({status}) whose end is not known before"),
    };
    let etag = header("ETag").map(str::to_owned);
    let retry_after = header("Retry-After").and_then(|seconds| seconds.parse().ok());
    Ok(Some(Head { status, etag, retry_after, length, framing }))
}

/// The bytes of a GET; `etag` is for If-None-Match.
pub fn get(path: &str, etag: Option<&str>) -> Vec<u8> {
    let condition = etag.map(|etag| format!("If-None-Match: {etag}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{condition}\r\n").into_bytes()
}

/// The bytes of a POST of JSON.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn heads_of_answers() {
        let head = |text: &str| parse_head(text.as_bytes());
        let whole = "HTTP/1.1 200 OK\r\netag: \"x\"\r\nContent-Length: 5\r\n\r\nhello";
        let expected = Head {
            status: 200,
            etag: Some("\"x\"".into()),
            retry_after: None,
            length: 49,
            framing: Framing::Length(5),
        };
        assert_eq!(head(whole).expect("a head"), Some(expected));
        for end in [0, 10, 30, 48] {
            assert_eq!(head(&whole[..end]).expect("no fault yet"), None, "{end}");
        }
        let unchanged = head("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
        assert_eq!(unchanged.expect("a head").map(|head| head.framing), Some(Framing::Length(0)));
        let chunked = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(chunked.expect("a head").map(|head| head.framing), Some(Framing::Chunks));
        let busy = head("HTTP/1.1 503 x\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n");
        assert_eq!(busy.expect("a head").and_then(|head| head.retry_after), Some(3));
        for wrong in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "nonsense\r\n\r\n"]
        {
            assert!(head(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_of_requests() {
        assert_eq!(get("/x?y", None), b"GET /x?y HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        assert_eq!(
            get("/x", Some("\"t\"")),
            b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: \"t\"\r\n\r\n"
        );
        let post = String::from_utf8(post("/x", "secret", "[1]")).expect("UTF-8");
        assert!(post.ends_with("Content-Length: 3\r\n\r\n[1]"), "{post}");
    }

    #[tokio::test]
    async fn answers_that_come_in_pieces_and_one_after_another() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 256];
            let with_length = &["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhe", "llo"][..];
            let in_chunks = &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r",
                "\nhel\r\n2\r\nlo\r\n0\r\n",
                "\r\n",
            ];
            for pieces in [with_length, in_chunks, in_chunks, &[]] {
                assert!(stream.read(&mut request).await.expect("a request") > 0);
                for piece in pieces {
                    stream.write_all(piece.as_bytes()).await.expect("the client is there");
                    stream.flush().await.expect("the client is there");
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(port).await.expect("a connection");
        let request = get("/", None);
        let answer = connection.send(&request).await.expect("an answer").expect(200).expect("200");
        assert_eq!(answer.body, b"hello");
        let answer = connection.send(&request).await.expect("an answer");
        assert_eq!(answer.body, b"hello");
        let drained = connection.drain(&request).await.expect("an answer");
        assert_eq!((drained.status, drained.bytes), (200, 5));
        // The server goes away in the middle of the second one.
        assert!(connection.send(&request).await.is_err());
        server.await.expect("the server ended well");
    }
}
