//! Entity tags and the requests that are answered by them (RFC 9110, sections 8.8.3 and 13.1.2).

use sha2::{Digest, Sha256};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The strong entity tag of a body: equal bodies have equal tags, in every process.
pub fn etag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// Whether what a client has is still the answer: `If-None-Match` names its tag, or any.
pub fn is_fresh(if_none_match: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.split(',').map(opaque).any(|tag| tag == "*" || tag == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_body() {
        assert_eq!(etag(b"one"), etag(b"one"));
        assert_ne!(etag(b"one"), etag(b"two"));
    }

    #[test]
    fn what_if_none_match_may_say() {
        let tag = etag(b"one");
        for fresh in [tag.clone(), "*".to_owned(), format!("\"x\", W/{tag}"), format!(" {tag} ")] {
            assert!(is_fresh(&fresh, &tag), "{fresh}");
        }
        for stale in ["", "\"x\"", "none", "W/\"x\", \"y\""] {
            assert!(!is_fresh(stale, &tag), "{stale}");
        }
    }
}
