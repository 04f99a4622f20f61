//! Where a person is sent after they have signed in: somewhere here, whoever made the link.

use rocket::http::uri::Origin;
use serde::{Deserialize, Serialize};

/// A path of ours with its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BackTo(String);

/// How long it may be, in bytes, so that it has room in a cookie.
const MAX_LENGTH: usize = 1_000;
/// Where nobody wants to be sent back to.
const SIGNING: &str = "/_user/sign";

impl BackTo {
    /// A path, if a browser takes it for one of this host: with `//` or `/\` in front it would not, and some
    /// characters it leaves out before it looks.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_local = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= MAX_LENGTH;
        let is_page = !text.starts_with(SIGNING) && Origin::parse(text).is_ok();
        (is_local && is_plain && is_page).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BackTo {
    fn default() -> Self {
        Self("/_user".to_owned())
    }
}

impl From<BackTo> for String {
    fn from(back_to: BackTo) -> Self {
        back_to.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours() {
        for local in
            ["/", "/_user", "/flights/upload?a=b&c=%2F%2F", "/_user/users/ann%40example.org", "/a//b"]
        {
            assert_eq!(BackTo::parse(local), Some(BackTo(local.to_owned())), "{local}");
        }
        for other in [
            "",
            "_user",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/a\\b",
            "/\t/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/a b",
            "/a\r\nLocation: //evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "/ünï",
            "/_user/sign_in",
            "/_user/sign_out",
            &format!("/{}", "x".repeat(1_000)),
        ] {
            assert_eq!(BackTo::parse(other), None, "{other}");
        }
    }
}
