//! Heads of requests that mean two things to two programs (RFC 9112, sections 3.2 and 6.3).

use hyper::Version;
use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use rocket::http::uri::Host;

/// The names that are looked for, with the colon that has to follow at once.
const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// Looks through a head as it arrives, for both headers that say where the body ends: hyper leaves out one of
/// them before anybody sees it.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// The beginning of the line that is on its way.
    line: [u8; CODING.len()],
    length: usize,
    has_length: bool,
    has_coding: bool,
    place: Place,
}

/// Which part of what arrives is looked at.
#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Empty lines before the request line, which are left out.
    #[default]
    Before,
    Within,
    After,
}

impl HeadScan {
    /// Looks at some bytes. What comes after the empty line is no part of the head.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.place == Place::After {
                return;
            }
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                byte if self.length < self.line.len() => {
                    self.line[self.length] = byte.to_ascii_lowercase();
                    self.length += 1;
                }
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = &self.line[..self.length];
        self.place = match (line.is_empty(), &self.place) {
            (true, Place::Before) => Place::Before,
            (true, Place::Within | Place::After) => Place::After,
            (false, _) => Place::Within,
        };
        self.has_length |= line.starts_with(LENGTH);
        self.has_coding |= line.starts_with(CODING);
        self.length = 0;
    }

    /// Whether the head says twice where the body ends.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.has_length && self.has_coding
    }
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It does not say, or says twice, which host it is for.
    Host,
    /// It says twice where the body ends.
    Length,
    /// The body is coded in another way than in chunks.
    Coding,
}

impl Refused {
    /// What the client is told.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Host => "a request needs one header Host, which names a host",
            Self::Length => "a request has either the header Content-Length or Transfer-Encoding, not both",
            Self::Coding => "the only transfer coding that is supported is chunked",
        }
    }

    /// The status of that answer.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Host | Self::Length => 400,
            Self::Coding => 501,
        }
    }
}

/// Refuses a head that other programs may read in another way.
pub(super) fn check_head(parts: &Parts, is_ambiguous: bool) -> Result<(), Refused> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let is_host = |value: &hyper::http::HeaderValue| {
        value.as_bytes().is_empty() || value.to_str().is_ok_and(|host| Host::parse(host).is_ok())
    };
    let is_missing = host.is_none() && parts.version == Version::HTTP_11;
    if is_missing || second.is_some() || host.is_some_and(|host| !is_host(host)) {
        return Err(Refused::Host);
    }
    if is_ambiguous {
        return Err(Refused::Length);
    }
    let codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let is_known = codings.next().is_none_or(is_chunked) && codings.next().is_none();
    if is_known { Ok(()) } else { Err(Refused::Coding) }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn two_headers_that_say_where_a_body_ends() {
        for (head, expected) in [
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nTRANSFER-encoding:chunked\r\nX: y\r\ncontent-LENGTH:5\r\n\r\n", true),
            ("\r\n\r\nPOST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 5\n\n", true),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nTransfer-Encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nContent-Lengths: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nX: Content-Length:\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ] {
            for step in [1, 7, 1000] {
                let mut scan = HeadScan::default();
                head.as_bytes().chunks(step).for_each(|bytes| scan.look(bytes));
                assert_eq!(scan.is_ambiguous(), expected, "{head} in steps of {step}");
            }
        }
    }

    #[track_caller]
    fn check(version: Version, headers: &[(&str, &str)], expected: Result<(), Refused>) {
        let mut request = Request::builder().version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        assert_eq!(check_head(&parts, false), expected, "{headers:?}");
    }

    #[test]
    fn hosts() {
        let refused = Err(Refused::Host);
        for (headers, in_11, in_10) in [
            (vec![], refused, Ok(())),
            (vec![("Host", "x")], Ok(()), Ok(())),
            (vec![("Host", "x:80")], Ok(()), Ok(())),
            (vec![("Host", "[::1]:80")], Ok(()), Ok(())),
            (vec![("Host", "")], Ok(()), Ok(())),
            (vec![("Host", "x"), ("host", "x")], refused, refused),
            (vec![("Host", "x y")], refused, refused),
            (vec![("Host", "x/../y")], refused, refused),
            (vec![("Host", "x:port")], refused, refused),
        ] {
            check(Version::HTTP_11, &headers, in_11);
            check(Version::HTTP_10, &headers, in_10);
        }
    }

    #[test]
    fn transfer_codings() {
        for (codings, expected) in [
            ("chunked", Ok(())),
            ("Chunked", Ok(())),
            ("chunked, chunked", Err(Refused::Coding)),
            ("gzip, chunked", Err(Refused::Coding)),
            ("gzip", Err(Refused::Coding)),
            ("identity, chunked", Err(Refused::Coding)),
        ] {
            check(Version::HTTP_11, &[("Host", "x"), ("Transfer-Encoding", codings)], expected);
        }
    }
}
