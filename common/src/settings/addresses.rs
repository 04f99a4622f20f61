//! The addresses under which people's browsers find the apps.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Where an app is found on the web: a scheme (http or https), a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(Url);

/// Where browsers find the write app. With https it is in production; else it is on this machine, in
/// development.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(WebOrigin);

/// A text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not https://HOST, or http://HOST where that is allowed, without a path")]
pub struct InvalidOrigin;

impl WebOrigin {
    /// A port of this machine.
    pub(super) fn of_this_machine(port: u16) -> Self {
        let url = Url::parse(&format!("http://127.0.0.1:{port}"));
        Self(url.expect("an address and a port are a URL"))
    }
}

impl FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_origin { Ok(Self(url)) } else { Err(InvalidOrigin) }
    }
}

/// Without a slash at the end.
impl fmt::Display for WebOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.origin().ascii_serialization())
    }
}

impl WebOrigin {
    /// Whether browsers reach it by https.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl PublicUrl {
    /// A port of this machine.
    pub(super) fn of_this_machine(port: u16) -> Self {
        Self(WebOrigin::of_this_machine(port))
    }

    /// Whether this is no machine to develop on, so that nothing may be easier than it is safe.
    pub fn is_production(&self) -> bool {
        self.0.is_https()
    }

    /// The whole address of a path, which starts with `/`.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether a `Host` header names this host and port.
    pub fn is_host(&self, header: &str) -> bool {
        Url::parse(&format!("{}://{header}", self.url().scheme()))
            .is_ok_and(|url| url.origin() == self.url().origin())
    }

    fn url(&self) -> &Url {
        &self.0.0
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Self(text.parse()?);
        let may_be = url.is_production() || url.url().host().is_some_and(|host| is_this_machine(&host));
        if may_be { Ok(url) } else { Err(InvalidOrigin) }
    }
}

/// Whether only this machine can be meant.
pub(super) fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, bool)>) {
        let url = text.parse::<PublicUrl>().ok();
        let found = url.as_ref().map(|url| (url.to_string(), url.is_production()));
        assert_eq!(found, expected.map(|(url, production)| (url.to_owned(), production)), "{text}");
    }

    #[test]
    fn what_is_a_public_url() {
        check("https://backdrop.example.org", Some(("https://backdrop.example.org", true)));
        check("https://backdrop.example.org:443/", Some(("https://backdrop.example.org", true)));
        check("https://localhost:8443", Some(("https://localhost:8443", true)));
        check("http://localhost:3039/", Some(("http://localhost:3039", false)));
        check("http://127.0.0.2", Some(("http://127.0.0.2", false)));
        check("http://[::1]:3039", Some(("http://[::1]:3039", false)));
        for text in [
            "",
            "localhost:3039",
            "http://backdrop.example.org",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "ftp://localhost",
            "https://example.org/backdrop",
            "https://example.org/?a=b",
            "https://example.org/#a",
            "https://ann@example.org",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn an_origin_may_be_anywhere() {
        for (text, origin) in [
            ("http://10.0.0.1:3038/", Some("http://10.0.0.1:3038")),
            ("https://read.example.org", Some("https://read.example.org")),
            ("https://example.org/read", None),
            ("file:///", None),
        ] {
            let found = text.parse::<WebOrigin>().ok().map(|origin| origin.to_string());
            assert_eq!(found.as_deref(), origin, "{text}");
        }
    }

    #[test]
    fn hosts_that_are_its_own() {
        let url: PublicUrl = "https://Backdrop.example.org".parse().expect("a URL");
        for own in ["backdrop.example.org", "BACKDROP.example.org", "backdrop.example.org:443"] {
            assert!(url.is_host(own), "{own}");
        }
        for other in ["", "example.org", "backdrop.example.org:8443", "backdrop.example.org.evil.org", "a b"]
        {
            assert!(!url.is_host(other), "{other}");
        }
        let url = PublicUrl::of_this_machine(3039);
        assert!(url.is_host("127.0.0.1:3039"));
        assert!(!url.is_host("localhost:3039"));
        assert_eq!(url.join("/_user?a=b"), "http://127.0.0.1:3039/_user?a=b");
    }
}
