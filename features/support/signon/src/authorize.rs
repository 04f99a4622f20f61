//! The page on which a person chooses who to be, and what that leads to.

use std::sync::Arc;

use askama::Template;
use backdrop_pages::Page;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Responder, State, get};
use url::{Url, form_urlencoded};

use crate::Store;
use crate::client::{is_client, loopback_url};
use crate::store::{Grant, User};

/// What a client sends a browser here with.
#[derive(FromForm)]
pub(crate) struct AuthorizeQuery {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    state: Option<String>,
    scope: Option<String>,
    nonce: Option<String>,
}

/// One that is as it should be.
struct Asked {
    redirect_uri: Url,
    code_challenge: String,
    state: Option<String>,
    nonce: Option<String>,
    openid: bool,
}

impl AuthorizeQuery {
    /// Checks it. What is wrong is said here: nobody is sent to where a stranger wants.
    fn check(&self) -> Result<Asked, &'static str> {
        if !self.client_id.as_deref().is_some_and(is_client) {
            return Err("client_id is not that of a client.");
        }
        let redirect_uri = self.redirect_uri.as_deref().and_then(loopback_url);
        let redirect_uri = redirect_uri.ok_or("redirect_uri is no address on this machine.")?;
        if self.response_type.as_deref() != Some("code") {
            return Err("response_type is not code.");
        }
        if self.code_challenge_method.as_deref() != Some("S256") {
            return Err("code_challenge_method is not S256.");
        }
        let code_challenge = self.code_challenge.clone().filter(|challenge| challenge.len() == 43);
        let scope = self.scope.as_deref().unwrap_or_default();
        Ok(Asked {
            redirect_uri,
            code_challenge: code_challenge.ok_or("code_challenge is none.")?,
            state: self.state.clone(),
            nonce: self.nonce.clone(),
            openid: scope.split(' ').any(|scope| scope == "openid"),
        })
    }

    /// The address at which somebody agrees to it; without anybody, the one at which nobody does.
    fn grant_address(&self, email: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", &self.response_type),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
            ("state", &self.state),
            ("scope", &self.scope),
            ("nonce", &self.nonce),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(email) = email {
            query.append_pair("user", email);
        }
        format!("/oauth/grant?{}", query.finish())
    }
}

#[derive(Template)]
#[template(path = "authorize.html")]
struct Choices {
    choices: Vec<Choice>,
    deny: String,
}

/// Somebody to be.
struct Choice {
    address: String,
    name: &'static str,
    about: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    title: &'static str,
    text: &'static str,
}

/// A page that says one thing.
pub(crate) fn message(status: Status, title: &'static str, text: &'static str) -> Result<Page, Status> {
    let page = Page::render(&Message { title, text }).map_err(|_| Status::InternalServerError)?;
    Ok(page.with_status(status).with_cache_control("no-store"))
}

#[get("/oauth/authorize?<query..>")]
#[expect(clippy::needless_pass_by_value, reason = "Rocket makes it a value")]
pub(crate) fn authorize(query: AuthorizeQuery, store: &State<Arc<Store>>) -> Result<Page, Status> {
    if let Err(wrong) = query.check() {
        return message(Status::BadRequest, "This is no sign-in", wrong);
    }
    let choice = |user: &User| Choice {
        address: query.grant_address(Some(user.email)),
        name: user.name,
        about: about(user),
    };
    let choices = store.lock().users.iter().map(choice).collect();
    let page = Page::render(&Choices { choices, deny: query.grant_address(None) });
    Ok(page.map_err(|_| Status::InternalServerError)?.with_cache_control("no-store"))
}

fn about(user: &User) -> String {
    let permissions =
        if user.permissions.is_empty() { "no permissions".to_owned() } else { user.permissions.join(", ") };
    let unverified = if user.email_verified { "" } else { ", address not verified" };
    format!("{} ({permissions}{unverified})", user.email)
}

/// What agreeing leads to.
#[derive(Responder)]
pub(crate) enum Granted {
    Back(Box<Redirect>),
    Wrong(Page),
}

/// Sends a person back, with a code or without. A link and no form: to where a form's answer leads, a browser
/// goes only if the page that it is on says so.
#[get("/oauth/grant?<user>&<query..>")]
#[expect(clippy::needless_pass_by_value, reason = "Rocket makes it a value")]
pub(crate) fn grant(
    user: Option<&str>,
    query: AuthorizeQuery,
    store: &State<Arc<Store>>,
) -> Result<Granted, Status> {
    let asked = match query.check() {
        Ok(asked) => asked,
        Err(wrong) => return message(Status::BadRequest, "This is no sign-in", wrong).map(Granted::Wrong),
    };
    let mut known = store.lock();
    let code = user.and_then(|email| known.user(email)).map(|user| user.email.to_owned()).map(|email| {
        known.give_code(Grant {
            email,
            redirect_uri: asked.redirect_uri.to_string(),
            code_challenge: asked.code_challenge,
            nonce: asked.nonce,
            openid: asked.openid,
        })
    });
    let mut back = asked.redirect_uri;
    match code {
        Some(code) => back.query_pairs_mut().append_pair("code", &code),
        None => back.query_pairs_mut().append_pair("error", "access_denied"),
    };
    if let Some(state) = asked.state {
        back.query_pairs_mut().append_pair("state", &state);
    }
    Ok(Granted::Back(Box::new(Redirect::to(String::from(back)))))
}
