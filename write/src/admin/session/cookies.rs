//! The cookies of a session: encrypted, for this host only, out of the reach of scripts.

use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::content::LONGEST;
use super::{Lifetimes, Session};
use crate::admin::form::FormToken;
use crate::admin::provider::{Fault, IdToken, Profile, ProviderError, Tokens};
use crate::admin::sign_in::Pending;

/// Who is signed in.
const SESSION: &str = "backdrop_session";
/// What the provider is asked with; apart, and in parts, since a browser drops cookies of more than 4096 bytes.
const TOKENS: [&str; 3] = ["backdrop_tokens", "backdrop_tokens_2", "backdrop_tokens_3"];
/// A sign-in that is under way, with the beginning of its state behind it: each tab may have one.
const PENDING: &str = "backdrop_sign_in_";
/// How many may be under way; one more, and the oldest is forgotten.
const MAX_PENDING: usize = 5;
/// Whose forms this browser has open, perhaps.
const FORMS: &str = "backdrop_forms";
/// How long a person may come back to a form after they signed in, in seconds: as long as the session lasts
/// at most, and a day to sign in again.
const FORMS_SECONDS: i64 = 2 * LONGEST;
/// What a browser takes only over https, from this host, for all of its paths.
const HOST_PREFIX: &str = "__Host-";
/// How many bytes may be encrypted in a cookie, so that a browser keeps it.
const MAX_CONTENT: usize = 2_900;
/// How many bytes all tokens may have with the ID token among them, which one can do without: many reverse
/// proxies take no more than 8 KB of cookies.
const MAX_WITH_ID_TOKEN: usize = 4_800;

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
        self.joined().and_then(|content| serde_json::from_str(&content).ok()).unwrap_or_default()
    }

    /// What a person signs out of the provider with, if it was kept.
    pub(in crate::admin) fn id_token(&self) -> Option<IdToken> {
        self.tokens().id_token
    }

    /// Begins the session of somebody who has just signed in, in place of any other. Their forms have the
    /// token that they had in this browser before.
    /// It begins at a time in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// If what is known of the person is larger than a browser keeps.
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
        self.keep(tokens);
        self.write(SESSION, session, self.lifetimes.unused)
    }

    /// Keeps tokens, in as many cookies as they take. What has no room there is left out: without an ID token
    /// the provider asks whether a person means to sign out, and without any the session ends at its first
    /// check, which the log says.
    fn keep(&self, tokens: &Tokens) {
        let text = |tokens: &Tokens| serde_json::to_string(tokens).unwrap_or_default();
        let mut content = text(tokens);
        if content.len() > MAX_WITH_ID_TOKEN {
            content = text(&Tokens { id_token: None, ..tokens.clone() });
        }
        if content.len() > TOKENS.len() * MAX_CONTENT - COUNT {
            let bytes = content.len();
            tracing::error!(
                target: "backdrop::error",
                bytes,
                "the provider's tokens are too large for cookies, so a session ends at its first check: have it give \
                 refresh tokens (the scope offline_access), or put less into its tokens"
            );
            content = text(&Tokens::default());
        }
        let parts = parts(&content);
        for (name, part) in TOKENS.iter().zip(&parts) {
            self.add(name, part.clone(), self.lifetimes.unused);
        }
        self.remove_parts(parts.len());
    }

    /// What was kept in parts.
    fn joined(&self) -> Option<String> {
        let part = |name| Some(self.jar.get_private(&self.name(name))?.value().to_owned());
        let first = part(TOKENS[0])?;
        // One of an earlier version has no count.
        let Some((count, begin)) = first.split_once('|').filter(|(count, _)| count.len() == 1) else {
            return Some(first);
        };
        let count: usize = count.parse().ok()?;
        let rest = TOKENS.get(1..count)?.iter().map(|name| part(name));
        rest.collect::<Option<String>>().map(|rest| begin.to_owned() + &rest)
    }

    /// Has the browser let go of the parts that are not used any more.
    fn remove_parts(&self, used: usize) {
        for name in TOKENS.iter().skip(used) {
            if self.jar.get(&self.name(name)).is_some() {
                self.remove(name);
            }
        }
    }

    /// Has the browser keep a session for longer.
    pub(super) fn renew(&self, session: &Session) {
        // It fitted before, and only times are different.
        let _ = self.start(session, &self.tokens());
    }

    /// Ends the session.
    pub(in crate::admin) fn end(&self) {
        self.remove(SESSION);
        self.remove(TOKENS[0]);
        self.remove_parts(1);
    }

    /// Ends the session, and what outlives it.
    pub(in crate::admin) fn sign_out(&self) {
        self.end();
        self.remove(FORMS);
    }

    /// Remembers a sign-in for as long as it may take, beside those of other tabs.
    ///
    /// # Errors
    ///
    /// If it is larger than a browser keeps.
    pub(in crate::admin) fn remember(&self, pending: &Pending) -> Result<(), ProviderError> {
        let mut known = self.all_pending();
        known.sort_by_key(|(_, at)| *at);
        let too_many = (known.len() + 1).saturating_sub(MAX_PENDING);
        for (name, _) in known.iter().take(too_many) {
            self.remove(name);
        }
        self.write(&pending_name(pending.state()), pending, Pending::SECONDS)
    }

    /// The sign-in that is under way with a state.
    pub(in crate::admin) fn pending(&self, state: &str) -> Option<Pending> {
        self.read(&pending_name(state))
    }

    /// Forgets the sign-in that was under way with a state.
    pub(in crate::admin) fn forget(&self, state: &str) {
        self.remove(&pending_name(state));
    }

    /// All sign-ins that are under way, by their cookies' names, and since when; what cannot be read is as old
    /// as can be.
    fn all_pending(&self) -> Vec<(String, i64)> {
        let prefix = self.name(PENDING);
        let tags = self.jar.iter().filter_map(|cookie| Some(cookie.name().strip_prefix(&prefix)?.to_owned()));
        let names: Vec<String> = tags.map(|tag| format!("{PENDING}{tag}")).collect();
        let begun = |name: String| {
            let at = self.read::<Pending>(&name).map_or(i64::MIN, |pending| pending.begun());
            (name, at)
        };
        names.into_iter().map(begun).collect()
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.jar.get_private(&self.name(name))?.value()).ok()
    }

    fn write(&self, name: &str, content: &impl Serialize, seconds: i64) -> Result<(), ProviderError> {
        let fault = |problem: String| Fault::new("what is known of the person", problem);
        let content = serde_json::to_string(content).map_err(|error| fault(error.to_string()))?;
        if content.len() > MAX_CONTENT {
            let bytes = content.len();
            let problem =
                format!("it takes {bytes} bytes, and no cookie has room for more than {MAX_CONTENT}");
            return Err(fault(problem).into());
        }
        self.add(name, content, seconds);
        Ok(())
    }

    fn add(&self, name: &str, content: String, seconds: i64) {
        self.jar.add_private(Cookie::build(self.cookie(name, content)).max_age(Duration::seconds(seconds)));
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
        full_name(name, self.in_production)
    }
}

/// The whole name of a cookie of ours.
pub(in crate::admin) fn full_name(name: &str, in_production: bool) -> String {
    if in_production { format!("{HOST_PREFIX}{name}") } else { name.to_owned() }
}

/// The cookie of a sign-in, by what of its state may be in a name.
fn pending_name(state: &str) -> String {
    let tag = state.chars().take(8).filter(char::is_ascii_alphanumeric);
    PENDING.chars().chain(tag).collect()
}

/// How many bytes the count of parts takes.
const COUNT: usize = 2;

/// Content cut so that each part has room in a cookie, with the count of them before the first.
fn parts(content: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut room = MAX_CONTENT - COUNT;
    for character in content.chars() {
        if character.len_utf8() > room {
            parts.push(String::new());
            room = MAX_CONTENT;
        }
        room -= character.len_utf8();
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts[0] = format!("{}|{}", parts.len(), parts[0]);
    parts
}

#[cfg(test)]
mod tests {
    use oauth2::RefreshToken;
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

    /// Tokens of so many bytes: access and refresh, ID token.
    #[get("/keep/<refresh>/<id>")]
    fn keep(refresh: usize, id: usize, jar: &CookieJar<'_>) {
        let text = |bytes: usize| {
            if bytes.is_multiple_of(2) { "x".repeat(bytes) } else { "ü".repeat(bytes / 2) + "x" }
        };
        let refresh = Some(RefreshToken::new(text(refresh)));
        let tokens = Tokens { access: None, refresh, id_token: Some(IdToken(text(id))) };
        Cookies::new(jar, true, LIFETIMES).keep(&tokens);
    }

    #[get("/kept")]
    fn kept(jar: &CookieJar<'_>) -> String {
        let tokens = Cookies::new(jar, true, LIFETIMES).tokens();
        let refresh = tokens.refresh.map_or(0, |token| token.secret().len());
        format!("{refresh} {}", tokens.id_token.map_or(0, |IdToken(token)| token.len()))
    }

    #[async_test]
    async fn tokens_of_any_size_are_kept_or_left_out() {
        let client = Client::tracked(rocket::build().mount("/", routes![keep, kept])).await.expect("an app");
        for (refresh, id, expected) in [
            (8, 800, "8 800"),
            (1_201, 2_501, "1201 2501"),
            (5_000, 10, "5000 0"),
            (2_000, 2_700, "2000 2700"),
            (8_001, 1_000, "8001 0"),
            (8_600, 8_600, "8600 0"),
            (9_000, 10, "0 0"),
            (300_000, 10, "0 0"),
            (100, 9_000, "100 0"),
            (2_000, 2_000, "2000 2000"),
        ] {
            let answer = client.get(format!("/keep/{refresh}/{id}")).dispatch().await;
            for cookie in answer.headers().get("Set-Cookie") {
                let (kept, _) = cookie.split_once(';').expect("attributes");
                assert!(kept.len() <= 4_096, "{}", kept.len());
                assert!(cookie.starts_with("__Host-backdrop_tokens"), "{cookie}");
            }
            let kept = client.get("/kept").dispatch().await.into_string().await.expect("text");
            assert_eq!(kept, expected, "{refresh} {id}");
        }
    }
}
