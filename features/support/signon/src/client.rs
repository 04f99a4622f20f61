//! The one client: its id, its secret, and where it may have people sent to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rocket::request::Request;
use subtle::ConstantTimeEq;
use url::{Host, Url, form_urlencoded};

const ID: &str = "backdrop";
const SECRET: &str = "dev-secret";

/// Whether the client is known.
pub(crate) fn is_client(id: &str) -> bool {
    id == ID
}

/// Whether the client, and not somebody else, sends a request: with its secret in the header or the body.
pub(crate) fn is_authentic(request: &Request<'_>, id: Option<&str>, secret: Option<&str>) -> bool {
    let matches =
        |id: &str, secret: &str| is_client(id) && bool::from(secret.as_bytes().ct_eq(SECRET.as_bytes()));
    if let (Some(id), Some(secret)) = (id, secret) {
        return matches(id, secret);
    }
    let header = request.headers().get_one("Authorization").and_then(|header| header.strip_prefix("Basic "));
    let decoded = header.and_then(|header| STANDARD.decode(header).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.split_once(':'))
        .is_some_and(|(id, secret)| matches(&decode(id), &decode(secret)))
}

/// What OAuth 2 has form-encoded before it is in the header (RFC 6749, section 2.3.1).
fn decode(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).collect()
}

/// An address on this machine, which is where people may be sent to.
pub(crate) fn loopback_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (is_loopback && matches!(url.scheme(), "http" | "https")).then_some(url)
}
