//! The stylesheet, which is built into the programs.

use std::sync::LazyLock;

use rocket::http::{ContentType, Header};
use rocket::{Responder, Route, get, routes};
use sha2::{Digest, Sha256};

const STYLESHEET: &str = include_str!("../assets/backdrop.css");

/// Where the stylesheet is. The address changes with the text, so that browsers may keep it for ever.
pub fn stylesheet() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        let digest = Sha256::digest(STYLESHEET);
        let version = digest[..4].iter().fold(0_u32, |version, byte| version << 8 | u32::from(*byte));
        format!("/_assets/backdrop.css?{version:08x}")
    });
    &ADDRESS
}

/// The routes under which the files that pages refer to are found.
pub fn assets() -> Vec<Route> {
    routes![backdrop_css]
}

#[derive(Responder)]
struct Asset {
    body: &'static str,
    content_type: ContentType,
    cache_control: Header<'static>,
}

#[get("/_assets/backdrop.css")]
fn backdrop_css() -> Asset {
    Asset {
        body: STYLESHEET,
        content_type: ContentType::CSS,
        cache_control: Header::new("Cache-Control", "public, max-age=31536000, immutable"),
    }
}
