//! `backdrop-signon`: a sign-in provider for development and tests.

#![forbid(unsafe_code)]

use std::num::NonZeroU16;
use std::process::ExitCode;

use clap::Parser;

/// A sign-in provider for development and tests only: whoever reaches it may be anybody. It does as
/// Signonotron2 and as an OpenID provider, for the client "backdrop" with the secret "dev-secret", and listens
/// on 127.0.0.1 only.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on.
    #[arg(long, default_value = "3040")]
    port: NonZeroU16,
}

#[rocket::main]
async fn main() -> ExitCode {
    let port = Arguments::parse().port.get();
    eprintln!("backdrop-signon: listens at http://127.0.0.1:{port}, for development and tests only");
    match backdrop_signon::rocket(port).launch().await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backdrop-signon: the provider could not start: {error}");
            ExitCode::FAILURE
        }
    }
}
