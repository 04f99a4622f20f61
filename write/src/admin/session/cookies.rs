//! The cookies of a session: encrypted, for this host only, out of the reach of scripts.

use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::content::LONGEST;
use super::{Lifetimes, Session};
use crate::admin::form::FormToken;
use crate::admin::provider::{Profile, ProviderError, Tokens};
use crate::admin::sign_in::Pending;

/// Who is signed in.
const SESSION: &str = "backdrop_session";
/// What the provider is asked with; apart, since a browser drops cookies of more than 4096 bytes.
const TOKENS: &str = "backdrop_tokens";
/// A sign-in that is under way.
const PENDING: &str = "backdrop_sign_in";
/// Whose forms this browser has open, perhaps.
const FORMS: &str = "backdrop_forms";
/// How long a person may come back to a form after they signed in, in seconds: as long as the session lasts
/// at most, and a day to sign in again.
const FORMS_SECONDS: i64 = 2 * LONGEST;
/// What a browser takes only over https, from this host, for all of its paths.
const HOST_PREFIX: &str = "__Host-";
/// How many bytes may be encrypted in a cookie, so that a browser keeps it.
const MAX_CONTENT: usize = 2_900;

/// What a person's forms in this browser are sent with. It outlives a session, so that a form that was open
/// when that ended can be sent in the next.
#[derive(Serialize, Deserialize)]
struct Forms {
    uid: String,
    token: FormToken,
}

/// The cookies of a request and of its answer.
pub(in crate::admin) struct Cookies<'r> {
    jar: &'r CookieJar<'r>,
    in_production: bool,
    lifetimes: Lifetimes,
}

impl<'r> Cookies<'r> {
    pub(in crate::admin) fn new(jar: &'r CookieJar<'r>, in_production: bool, lifetimes: Lifetimes) -> Self {
        Self { jar, in_production, lifetimes }
    }

    /// The session that was sent, if it is one of ours.
    pub(in crate::admin) fn session(&self) -> Option<Session> {
        self.read(SESSION)
    }

    pub(super) fn tokens(&self) -> Tokens {
        self.read(TOKENS).unwrap_or(Tokens { access: None, refresh: None })
    }

    /// Begins the session of somebody who has just signed in, in place of any other. Their forms have the
    /// token that they had in this browser before.
    ///
    /// # Errors
    ///
    /// If the provider's tokens are larger than a browser keeps.
    pub(in crate::admin) fn begin(
        &self,
        profile: Profile,
        tokens: &Tokens,
        now: i64,
    ) -> Result<(), ProviderError> {
        let known = self.read::<Forms>(FORMS).filter(|forms| forms.uid == profile.uid);
        let forms = known.unwrap_or_else(|| Forms { uid: profile.uid.clone(), token: FormToken::new() });
        self.start(&Session::begin(profile, forms.token.clone(), now), tokens)?;
        self.write(FORMS, &forms, FORMS_SECONDS)
    }

    /// Replaces a session.
    ///
    /// # Errors
    ///
    /// As [`Cookies::begin`].
    pub(super) fn start(&self, session: &Session, tokens: &Tokens) -> Result<(), ProviderError> {
        self.write(TOKENS, tokens, self.lifetimes.unused)?;
        self.write(SESSION, session, self.lifetimes.unused)
    }

    /// Has the browser keep a session for longer.
    pub(super) fn renew(&self, session: &Session) {
        // It fitted before, and only times are different.
        let _ = self.start(session, &self.tokens());
    }

    /// Ends the session.
    pub(in crate::admin) fn end(&self) {
        self.remove(SESSION);
        self.remove(TOKENS);
    }

    /// Ends the session, and what outlives it.
    pub(in crate::admin) fn sign_out(&self) {
        self.end();
        self.remove(FORMS);
    }

    /// Remembers a sign-in for as long as it may take.
    ///
    /// # Errors
    ///
    /// If it is larger than a browser keeps.
    pub(in crate::admin) fn remember(&self, pending: &Pending) -> Result<(), ProviderError> {
        self.write(PENDING, pending, Pending::SECONDS)
    }

    /// The sign-in that is under way.
    pub(in crate::admin) fn pending(&self) -> Option<Pending> {
        self.read(PENDING)
    }

    /// Forgets the sign-in that was under way.
    pub(in crate::admin) fn forget(&self) {
        self.remove(PENDING);
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.jar.get_private(&self.name(name))?.value()).ok()
    }

    fn write(&self, name: &str, content: &impl Serialize, seconds: i64) -> Result<(), ProviderError> {
        let content =
            serde_json::to_string(content).map_err(|error| ProviderError::Unexpected(error.to_string()))?;
        if content.len() > MAX_CONTENT {
            let bytes = content.len();
            return Err(ProviderError::Unexpected(format!(
                "its tokens take {bytes} bytes, and no cookie has room for more than {MAX_CONTENT}"
            )));
        }
        self.jar.add_private(Cookie::build(self.cookie(name, content)).max_age(Duration::seconds(seconds)));
        Ok(())
    }

    /// A browser lets go of a cookie with the prefix only if it is told so as it was told to keep it.
    fn remove(&self, name: &str) {
        self.jar.remove_private(self.cookie(name, String::new()));
    }

    fn cookie(&self, name: &str, content: String) -> Cookie<'static> {
        Cookie::build((self.name(name), content))
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.in_production)
            .path("/")
            .build()
    }

    fn name(&self, name: &str) -> String {
        if self.in_production { format!("{HOST_PREFIX}{name}") } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use rocket::local::asynchronous::Client;
    use rocket::{async_test, get, routes};

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes { unused: 14_400, checked: 300 };

    #[get("/<bytes>")]
    fn write(bytes: usize, jar: &CookieJar<'_>) -> String {
        let text = "x".repeat(bytes - 2);
        let written = Cookies::new(jar, true, LIFETIMES).write(SESSION, &text, 60);
        written.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[async_test]
    async fn a_browser_keeps_every_cookie() {
        let client = Client::tracked(rocket::build().mount("/", routes![write])).await.expect("an app");
        let answer = client.get(format!("/{MAX_CONTENT}")).dispatch().await;
        let cookie = answer.headers().get_one("Set-Cookie").expect("a cookie");
        let (kept, _) = cookie.split_once(';').expect("attributes");
        assert!(kept.len() <= 4_096, "{}", kept.len());
        let answer = client.get(format!("/{}", MAX_CONTENT + 1)).dispatch().await;
        assert!(!answer.headers().contains("Set-Cookie"));
        let error = answer.into_string().await.expect("an error");
        assert!(error.contains("2901 bytes"), "{error}");
    }
}
