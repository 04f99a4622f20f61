//! Signing in and out.
//!
//! ```text
//! /_user/sign_in ──▶ the provider's page ──▶ /_user/authorized?code&state ──▶ where the person came from
//! /_user/sign_out ──▶ the provider's, which may come back to /_user/signed_out
//! ```

mod back_to;

use std::net::{IpAddr, Ipv6Addr};

use backdrop_common::audit::AuditAction;
use backdrop_common::settings::{PublicUrl, Settings};
use backdrop_pages::Page;
use rocket::http::{CookieJar, Header, Status};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::Redirect;
use rocket::{Responder, State, async_trait, get, uri};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use self::back_to::BackTo;
use super::PageError;
use super::limit::PerMinute;
use super::message::Message;
use super::provider::{Challenge, Fault, Provider, ProviderError, Timeouts, plain};
use super::session::{self, Checks, Cookies, Lifetimes};
use crate::WriteApp;
use crate::audit::{Visit, record};

/// Where people are led who come from nowhere in particular.
const HOME: &str = "/_user";

/// What is needed for people to sign in.
pub(crate) struct SignIn {
    pub(super) provider: Provider,
    pub(super) lifetimes: Lifetimes,
    pub(super) checks: Checks,
    /// By address.
    tries: PerMinute<IpAddr>,
    in_production: bool,
}

impl SignIn {
    /// What is set, if anything is.
    pub(crate) fn new(settings: &Settings, public_url: &PublicUrl, timeouts: Timeouts) -> Option<Self> {
        let settings = settings.sign_in.as_ref()?;
        Some(Self {
            provider: Provider::new(settings, public_url, timeouts),
            lifetimes: Lifetimes::new(settings),
            checks: Checks::default(),
            tries: PerMinute::new(settings.sign_ins_per_minute),
            in_production: public_url.is_production(),
        })
    }

    /// The cookies of a request.
    pub(super) fn cookies<'r>(&self, jar: &'r CookieJar<'r>) -> Cookies<'r> {
        Cookies::new(jar, self.in_production, self.lifetimes)
    }
}

/// A sign-in that is under way, as it is in the cookie of whose it is.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    challenge: Challenge,
    back_to: BackTo,
    /// When it began, in seconds since 1970.
    at: i64,
}

impl Pending {
    /// How long a sign-in may take, in seconds.
    pub(super) const SECONDS: i64 = 600;

    /// What the provider sends back.
    pub(super) fn state(&self) -> &str {
        self.challenge.state.secret()
    }

    /// When it began, in seconds since 1970.
    pub(super) fn begun(&self) -> i64 {
        self.at
    }

    /// Whether an answer with this state, at this time, is the one to it.
    fn is_answered_by(&self, state: &str, now: i64) -> bool {
        let is_own: bool = self.challenge.state.secret().as_bytes().ct_eq(state.as_bytes()).into();
        is_own && (0..Self::SECONDS).contains(&(now - self.at))
    }
}

/// Leads elsewhere, for this once.
#[derive(Responder)]
pub(crate) struct LeadsTo {
    to: Redirect,
    cache_control: Header<'static>,
}

/// Leads elsewhere, and has the browser forget what it kept of the pages. Not the cookies: the browser would
/// let go of those of other programs at the same domain as well.
#[derive(Responder)]
pub(crate) struct Forgets {
    to: LeadsTo,
    clear: Header<'static>,
}

impl Forgets {
    /// Leads to an address of ours or of the provider.
    pub(super) fn new(address: String) -> Self {
        let clear = Header::new("Clear-Site-Data", "\"cache\", \"storage\"");
        Self { to: LeadsTo::new(address), clear }
    }
}

impl LeadsTo {
    fn new(address: String) -> Self {
        Self { to: Redirect::to(address), cache_control: Header::new("Cache-Control", "no-store") }
    }
}

/// What the headers of a request say of where it comes from and to which host it goes.
pub(crate) struct Headers<'r> {
    host: Option<&'r str>,
    fetch_site: Option<&'r str>,
}

#[async_trait]
impl<'r> FromRequest<'r> for Headers<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let one = |name| request.headers().get_one(name);
        Outcome::Success(Self { host: one("Host"), fetch_site: one("Sec-Fetch-Site") })
    }
}

/// The request itself, for what is looked at only if need be.
pub(crate) struct Whole<'r>(&'r Request<'r>);

#[async_trait]
impl<'r> FromRequest<'r> for Whole<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self(request))
    }
}

/// Begins to sign in. Cookies belong to a host, so whoever comes to another than the one that the provider
/// sends people back to is sent there first; `moved` says that this was done, since behind some reverse
/// proxies no request has the public host.
#[get("/_user/sign_in?<back_to>&<moved>")]
pub(crate) async fn sign_in(
    back_to: Option<&str>,
    moved: Option<&str>,
    headers: Headers<'_>,
    visit: Visit,
    jar: &CookieJar<'_>,
    app: &State<WriteApp>,
) -> Result<LeadsTo, PageError> {
    let sign_in = app.sign_in.as_ref().ok_or(PageError::NotSetUp)?;
    let back_to = back_to.and_then(BackTo::parse).unwrap_or_default();
    if moved.is_none() && headers.host.is_some_and(|host| !app.public_url.is_host(host)) {
        let here = uri!(sign_in(Some(back_to.as_str()), Some("1"))).to_string();
        return Ok(LeadsTo::new(app.public_url.join(&here)));
    }
    if let Some(address) = visit.address {
        sign_in.tries.count(&network(address))?;
    }
    let (url, challenge) = sign_in.provider.begin().await?;
    sign_in.cookies(jar).remember(&Pending { challenge, back_to, at: seconds(app) })?;
    Ok(LeadsTo::new(url.into()))
}

/// Comes back from the provider, with a code or with the reason why there is none.
#[get("/_user/authorized?<code>&<state>&<error>")]
pub(crate) async fn authorized(
    code: Option<String>,
    state: Option<&str>,
    error: Option<&str>,
    visit: Visit,
    jar: &CookieJar<'_>,
    whole: Whole<'_>,
    app: &State<WriteApp>,
) -> Result<LeadsTo, PageError> {
    let sign_in = app.sign_in.as_ref().ok_or(PageError::NotSetUp)?;
    let cookies = sign_in.cookies(jar);
    let state = state.unwrap_or_default();
    let pending = cookies.pending(state).filter(|pending| pending.is_answered_by(state, seconds(app)));
    let Some(pending) = pending else {
        // Who goes back to here has what they came for.
        let is_in = session::is_signed_in(whole.0).await;
        return if is_in { Ok(LeadsTo::new(HOME.to_owned())) } else { Err(PageError::StaleSignIn) };
    };
    cookies.forget(state);
    if let Some(error) = error {
        return Err(no_code(error));
    }
    let code = code.ok_or(PageError::StaleSignIn)?;
    let (profile, tokens) = sign_in.provider.sign_in(code, pending.challenge).await?;
    if !profile.may_sign_in {
        end_session(app, &cookies).await?;
        cookies.end();
        let detail = "the account has no permission to sign in";
        record(app, &visit, &profile.email, AuditAction::SignInRefused, None, detail).await;
        return Ok(LeadsTo::new(uri!(not_authorized()).to_string()));
    }
    let email = profile.email.clone();
    let detail = if profile.is_admin { "as an administrator" } else { "" };
    // Whatever session the browser had, this is another.
    end_session(app, &cookies).await?;
    // It begins after the last end of all of the person's sessions, by whichever clock that was.
    let ended = app.engine.sessions_ended("", &email).await?;
    let begins = (app.clock)().millis().max(ended.map_or(0, |ended| ended.millis() + 1));
    cookies.begin(profile, &tokens, begins)?;
    record(app, &visit, &email, AuditAction::SignIn, None, detail).await;
    Ok(LeadsTo::new(pending.back_to.into()))
}

/// Ends the session that a browser has, if it has one, for every instance: its cookies may be kept by somebody.
async fn end_session(app: &WriteApp, cookies: &Cookies<'_>) -> Result<(), PageError> {
    if let Some(session) = cookies.session() {
        app.engine.end_sessions(session.end(), (app.clock)()).await?;
    }
    Ok(())
}

/// What to do about a provider that knows us, but not like this.
const NO_CODE: &str = "Whoever set up signing in must compare what the provider has of Backdrop with the settings: the \
     client's id, the redirect URI (PUBLIC_URL/_user/authorized), the flow (authorization code), the scopes.";

/// Why the provider gave no code (RFC 6749, section 4.1.2.1).
fn no_code(error: &str) -> PageError {
    match error {
        "access_denied" => PageError::SignInDenied,
        "server_error" | "temporarily_unavailable" => {
            ProviderError::Unavailable(format!("the error {error}")).into()
        }
        // What else there is says that we are not set up as the provider knows us. Only the provider can
        // have sent it, but what it is need not be fit for the log.
        error => {
            let error = plain(error).unwrap_or("an error without a name");
            let problem = format!("it is {error} instead of a code");
            ProviderError::from(Fault::new("error in what the provider sent back", problem).advising(NO_CODE))
                .into()
        }
    }
}

/// What signing out leads to.
#[derive(Responder)]
pub(crate) enum SignedOut {
    Elsewhere(Box<Forgets>),
    Asked(Page),
}

/// Signs out here and at the provider. A link on another site does not: it asks.
#[get("/_user/sign_out")]
pub(crate) async fn sign_out(
    headers: Headers<'_>,
    visit: Visit,
    jar: &CookieJar<'_>,
    app: &State<WriteApp>,
) -> Result<SignedOut, PageError> {
    let sign_in = app.sign_in.as_ref().ok_or(PageError::NotSetUp)?;
    if headers.fetch_site == Some("cross-site") {
        let message = Message {
            title: "Sign out?".to_owned(),
            text: "A page of another site sent you here.".into(),
            detail: None,
            link: ("/_user/sign_out".into(), "Sign out"),
        };
        return Ok(SignedOut::Asked(message.page(Status::Ok)?));
    }
    let cookies = sign_in.cookies(jar);
    end_session(app, &cookies).await?;
    if let Some(session) = cookies.session() {
        record(app, &visit, &session.email, AuditAction::SignOut, None, "").await;
    }
    let id_token = cookies.id_token();
    cookies.sign_out();
    let address = sign_in.provider.sign_out_url(id_token.as_ref()).await;
    let address = address.unwrap_or_else(|| uri!(signed_out()).to_string());
    Ok(SignedOut::Elsewhere(Box::new(Forgets::new(address))))
}

/// Where a person is who has signed out.
#[get("/_user/signed_out")]
pub(crate) fn signed_out() -> Result<Page, PageError> {
    let message = Message {
        title: "You are signed out".to_owned(),
        text: "Nobody can use this browser to change anything in Backdrop now.".into(),
        detail: None,
        link: ("/_user/sign_in".into(), "Sign in"),
    };
    Ok(message.page(Status::Ok)?)
}

/// Where a person is who may not sign in.
#[get("/_user/not_authorized")]
pub(crate) fn not_authorized() -> Result<Page, PageError> {
    let message = Message {
        title: "You may not use Backdrop".to_owned(),
        text: "Your account has no permission to sign in here. Ask whoever manages the permissions of your \
               account, or sign out to use another one."
            .into(),
        detail: None,
        link: ("/_user/sign_out".into(), "Sign out"),
    };
    Ok(message.page(Status::Forbidden)?)
}

fn seconds(app: &WriteApp) -> i64 {
    (app.clock)().millis() / 1_000
}

/// The address of a client, or of its network where everybody has very many.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_as_its_network() {
        let network = |address: &str| network(address.parse().expect("an address")).to_string();
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn why_there_is_no_code() {
        assert!(matches!(no_code("access_denied"), PageError::SignInDenied));
        assert!(matches!(no_code("server_error"), PageError::Provider(ProviderError::Unavailable(_))));
        for (error, shown) in [
            ("invalid_scope", "invalid_scope"),
            ("unauthorized_client", "unauthorized_client"),
            ("line\nbreak", "an error without a name"),
            ("", "an error without a name"),
        ] {
            let PageError::Provider(ProviderError::Unexpected(fault)) = no_code(error) else {
                panic!("{error}")
            };
            assert!(fault.to_string().contains(&format!("it is {shown} instead of a code")), "{fault}");
        }
    }
}
