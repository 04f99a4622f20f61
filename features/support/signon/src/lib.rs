//! A sign-in provider for development and tests: as Signonotron2 and as an OpenID provider, on the same
//! users, of whom anybody may be any. It listens on 127.0.0.1 only, and forgets everything at its end.
//!
//! ```text
//! authorize  the page with the users → a code      ← client (who may ask)
//! token      code, refresh token → tokens          ← id_token
//! person     token → user.json, userinfo
//! shape      whose answers it gives: those of providers in use
//! testing    what tests change: permissions, tokens, how the provider fails
//! ```

#![forbid(unsafe_code)]

mod authorize;
mod client;
mod discovery;
mod id_token;
mod mode;
mod person;
mod shape;
mod store;
mod testing;
mod token;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rocket::config::{Ident, LogLevel, SecretKey, Shutdown};
use rocket::{Build, Config, Rocket, routes};

pub use crate::mode::{Endpoint, Mode};
pub use crate::shape::Shape;
pub use crate::store::Store;
pub use crate::testing::Running;

/// The provider, ready to be launched on a port of 127.0.0.1; port 0 means any.
pub fn rocket(port: u16) -> Rocket<Build> {
    rocket_with(Arc::new(Store::default()), port)
}

fn rocket_with(store: Arc<Store>, port: u16) -> Rocket<Build> {
    let config = Config {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        ident: Ident::try_new("Backdrop-Signon").unwrap_or_default(),
        secret_key: SecretKey::derive_from(&rand::random::<[u8; 32]>()),
        log_level: LogLevel::Off,
        cli_colors: false,
        shutdown: Shutdown { grace: 0, mercy: 0, ..Shutdown::default() },
        ..Config::release_default()
    };
    let routes = routes![
        authorize::authorize,
        authorize::grant,
        discovery::configuration,
        discovery::jwks,
        person::user_json,
        person::user_info,
        person::sign_out,
        person::sign_out_of_session,
        token::token,
        testing::set_permissions,
        testing::revoke,
        testing::set_mode,
        testing::set_shape,
        testing::health,
    ];
    rocket::custom(config).manage(store).mount("/", routes).mount("/", backdrop_pages::assets())
}
