//! Who is signed in, and what the sign-in provider does.
//!
//! The provider's users are Ann Admin, who may do everything, Olive Owner, who may sign in, Norman Nobody,
//! who may not, and Una Unverified, whose address nobody has checked; `olive@example.org` and so on.

use anyhow::ensure;
use cucumber::{given, when};
use reqwest::Method;

use super::browser::open;
use crate::browser::{Words, eventually};
use crate::support::http::Request;
use crate::support::program::App;
use crate::world::BackdropWorld;

/// What somebody is led through on the way to being signed in, and where those end who may not.
const ON_THE_WAY: [&str; 5] =
    ["/oauth/", "/_user/sign_in", "/_user/authorized", "/_user/not_authorized", "/_user/signed_out"];

#[given("a sign-in provider")]
async fn a_provider(world: &mut BackdropWorld) -> anyhow::Result<()> {
    world.start_provider().await
}

#[given(expr = "I am signed in as {string}")]
async fn signed_in(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    sign_in(world, name).await?;
    let browser = world.browser().await?;
    eventually(async || {
        let path = browser.path().await?;
        let is_in = !ON_THE_WAY.iter().any(|on_the_way| path.starts_with(on_the_way));
        ensure!(is_in, "the page is at {path} and says: {}", browser.text().await?);
        Ok(())
    })
    .await
}

/// Whether or not that is allowed.
#[when(expr = "I sign in as {string}")]
async fn sign_in(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    world.start_provider().await?;
    open(world, "/_user/sign_in".to_owned(), "write".to_owned()).await?;
    world.browser().await?.press(Words::from(&*name)).await
}

#[when(expr = "the provider takes all permissions from {string}")]
async fn take_permissions(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    let first_name = name.split(' ').next().unwrap_or_default().to_lowercase();
    tell_provider(world, &format!("users/{first_name}@example.org/permissions"), "[]").await
}

#[when("the provider fails")]
async fn provider_fails(world: &mut BackdropWorld) -> anyhow::Result<()> {
    for endpoint in ["token", "person"] {
        tell_provider(world, &format!("mode/{endpoint}"), "error").await?;
    }
    Ok(())
}

#[when("the provider works again")]
async fn provider_works(world: &mut BackdropWorld) -> anyhow::Result<()> {
    for endpoint in ["token", "person"] {
        tell_provider(world, &format!("mode/{endpoint}"), "ok").await?;
    }
    Ok(())
}

/// For sessions that the settings keep short. Asking the app would keep them for longer.
#[when("the session is over")]
async fn session_is_over(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || {
        ensure!(!browser.has_cookie("backdrop_session").await?, "the browser has its cookie still");
        Ok(())
    })
    .await
}

#[when("the form token of the page is changed")]
async fn forge_form(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let forged = world.browser().await?.forge("form_token").await?;
    ensure!(forged > 0, "no form on the page has a token");
    Ok(())
}

async fn tell_provider(world: &mut BackdropWorld, what: &str, how: &str) -> anyhow::Result<()> {
    let (path, body) = (format!("/_test/{what}"), Some(how.as_bytes().to_vec()));
    let request = Request { method: Method::POST, path, headers: Vec::new(), body };
    let answer = world.client(App::Signon).await?.send(request).await?;
    ensure!(answer.status < 300, "the provider answers {}: {}", answer.status, answer.text());
    Ok(())
}
