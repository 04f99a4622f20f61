//! Where a client is: at the other end of the connection, or where a trusted proxy says.
//!
//! Any client can send the headers in which proxies say so, and a proxy adds to what it was sent. So the list is
//! read from its end: each entry was added by the one after it, and counts for as long as that one is trusted.

use std::net::{IpAddr, SocketAddr};

use rocket::async_trait;
use rocket::http::HeaderMap;
use rocket::request::{FromRequest, Outcome, Request};

use crate::settings::TrustedProxies;

/// The address of a client; none if its request did not come over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// That of the client of a request. The app manages the [`TrustedProxies`]; without them nobody is trusted.
    pub fn of(request: &Request<'_>) -> Self {
        *request.local_cache(|| {
            let peer = request.remote().map(|peer| peer.ip().to_canonical());
            let trusted = request.rocket().state::<TrustedProxies>().filter(|trusted| !trusted.is_empty());
            Self(peer.map(|peer| match trusted {
                Some(trusted) => client_address(peer, request.headers(), trusted),
                None => peer,
            }))
        })
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for ClientAddress {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// The right-most address that is no trusted proxy's. Where a list ends, or has something else than an address,
/// it is that of the last proxy. Where both headers are there and do not agree, a proxy added to one of them
/// and passed on what a client said in the other, so neither counts.
fn client_address(peer: IpAddr, headers: &HeaderMap<'_>, trusted: &TrustedProxies) -> IpAddr {
    if !trusted.contains(peer) {
        return peer;
    }
    let list = |header, parse: fn(&str) -> Option<IpAddr>| -> Vec<Option<IpAddr>> {
        headers.get(header).flat_map(|list| list.split(',')).map(parse).collect()
    };
    let (common, standard) = (list("X-Forwarded-For", parse_address), list("Forwarded", parse_element));
    let client = match (&*common, &*standard) {
        (list, []) | ([], list) => client_of(list, trusted),
        (one, other) => client_of(one, trusted).filter(|client| client_of(other, trusted) == Some(*client)),
    };
    client.unwrap_or(peer)
}

/// What a list says, if its last entry is an address.
fn client_of(list: &[Option<IpAddr>], trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut client = None;
    for entry in list.iter().rev() {
        let Some(address) = entry else { break };
        client = Some(*address);
        if !trusted.contains(*address) {
            break;
        }
    }
    client
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|ip| ip.to_canonical())
}

/// The address of an element of `Forwarded` (RFC 7239), as in `for="[2001:db8::1]:80";proto=https`.
fn parse_element(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    parse_address(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR: &str = "X-Forwarded-For";

    /// Who the client is of a proxy at 10.0.0.1, where 10.0.0.0/8 and `fd00::/8` are trusted.
    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected: &str) {
        check_from("10.0.0.1", headers, expected);
    }

    #[track_caller]
    fn check_from(peer: &str, headers: &[(&'static str, &'static str)], expected: &str) {
        let trusted = "10.0.0.0/8, fd00::/8".parse().expect("ranges");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.add_raw(*name, *value);
        }
        let address = client_address(peer.parse().expect("an address"), &map, &trusted);
        assert_eq!(address.to_string(), expected, "{headers:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        check_from("192.0.2.9", &[(FOR, "198.51.100.1")], "192.0.2.9");
        check_from("192.0.2.9", &[("Forwarded", "for=198.51.100.1")], "192.0.2.9");
        check_from("fd00::9", &[(FOR, "198.51.100.1")], "198.51.100.1");
        check(&[], "10.0.0.1");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxys_counts() {
        check(&[(FOR, "198.51.100.1")], "198.51.100.1");
        check(&[(FOR, "203.0.113.66, 198.51.100.1")], "198.51.100.1");
        check(&[(FOR, "10.9.9.9, 198.51.100.1")], "198.51.100.1");
        check(&[(FOR, "198.51.100.1, 10.0.0.7,10.0.0.8")], "198.51.100.1");
        check(&[(FOR, "10.0.0.7, 10.0.0.8")], "10.0.0.7");
        check(&[(FOR, "203.0.113.66"), (FOR, "198.51.100.1"), (FOR, "10.0.0.7")], "198.51.100.1");
    }

    #[test]
    fn addresses_as_they_are_written() {
        check(&[(FOR, "198.51.100.1:50000")], "198.51.100.1");
        check(&[(FOR, " 2001:db8::1 ")], "2001:db8::1");
        check(&[(FOR, "[2001:db8::1]")], "2001:db8::1");
        check(&[(FOR, "[2001:db8::1]:443")], "2001:db8::1");
        check(&[(FOR, "::ffff:198.51.100.1")], "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_ends_the_list() {
        for garbage in
            ["", "unknown", "_hidden", "198.51.100.1.5", "a, ", "198.51.100.1 5", "[", "\"", "1.2.3.4:x"]
        {
            check(&[(FOR, garbage)], "10.0.0.1");
        }
        check(&[(FOR, "198.51.100.1, nonsense, 10.0.0.7")], "10.0.0.7");
        check(&[(FOR, "nonsense, 198.51.100.1")], "198.51.100.1");
    }

    #[test]
    fn the_standard_header() {
        check(&[("Forwarded", "for=198.51.100.1")], "198.51.100.1");
        check(&[("Forwarded", "For=\"198.51.100.1:80\";proto=https;by=10.0.0.1")], "198.51.100.1");
        check(&[("Forwarded", "proto=https; for=\"[2001:db8::1]:80\"")], "2001:db8::1");
        check(&[("Forwarded", "for=203.0.113.66, for=198.51.100.1, for=10.0.0.7")], "198.51.100.1");
        check(&[("Forwarded", "for=\"203.0.113.66, for=198.51.100.1")], "198.51.100.1");
        check(&[("Forwarded", "for=_hidden")], "10.0.0.1");
        check(&[("Forwarded", "proto=https")], "10.0.0.1");
    }

    #[test]
    fn two_headers_that_do_not_agree_do_not_count() {
        check(&[(FOR, "198.51.100.1"), ("Forwarded", "for=198.51.100.1")], "198.51.100.1");
        check(&[(FOR, "198.51.100.1"), ("Forwarded", "for=203.0.113.66")], "10.0.0.1");
        check(&[(FOR, "203.0.113.66"), ("Forwarded", "for=198.51.100.1")], "10.0.0.1");
        check(&[(FOR, "198.51.100.1"), ("Forwarded", "nonsense")], "10.0.0.1");
    }
}
