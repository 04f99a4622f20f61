//! Asking the provider whether its word still holds, once for all requests of a session that come at the
//! same time: a refresh token may be good for one use only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rocket::tokio::sync::Mutex as Turn;

use super::Session;
use crate::admin::provider::{Profile, Provider, ProviderError, Tokens};

/// How many sessions are remembered.
const MAX_SESSIONS: usize = 10_000;
/// How long a provider that could not be asked is not asked again for the same session, in seconds.
const PAUSE: i64 = 15;
/// How long an answer is good for requests that were sent before it came, in seconds.
const SHARED: i64 = 60;

/// What was asked of late, by session.
#[derive(Default)]
pub(in crate::admin) struct Checks(Mutex<HashMap<String, Slot>>);

struct Slot {
    /// When it was last looked at.
    at: i64,
    last: Arc<Turn<Last>>,
}

/// What is known of a session beyond its cookies, which an answer under way may be about to replace.
#[derive(Default)]
struct Last {
    answer: Option<Asked>,
    /// The newest tokens, and since when.
    tokens: Option<(i64, Tokens)>,
}

struct Asked {
    at: i64,
    answer: Result<Word, ProviderError>,
}

/// What the provider said, and when.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) at: i64,
    pub(super) profile: Profile,
    pub(super) tokens: Tokens,
}

impl Checks {
    /// What the provider says of the person of a session.
    ///
    /// # Errors
    ///
    /// As [`Provider::check`]; of those that may pass, for a while without asking again.
    pub(super) async fn ask(
        &self,
        provider: &Provider,
        session: &Session,
        tokens: Tokens,
        now: i64,
    ) -> Result<Word, ProviderError> {
        let last = self.of(&session.id, now);
        let mut last = last.lock().await;
        if let Some(asked) = &last.answer
            && asked.holds(session, now)
        {
            return asked.answer.clone();
        }
        let tokens = match &last.tokens {
            Some((since, newer)) if *since > session.checked => newer.clone(),
            _ => tokens,
        };
        let answer = provider.check(&session.uid, &tokens).await;
        let answer = answer.map(|(profile, tokens)| Word { at: now, profile, tokens });
        if let Ok(word) = &answer {
            last.tokens = Some((now, word.tokens.clone()));
        }
        last.answer = Some(Asked { at: now, answer: answer.clone() });
        answer
    }

    fn of(&self, session: &str, now: i64) -> Arc<Turn<Last>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_SESSIONS && !slots.contains_key(session) {
            make_room(&mut slots);
        }
        let slot = slots.entry(session.to_owned()).or_insert_with(|| Slot { at: now, last: Arc::default() });
        slot.at = now;
        Arc::clone(&slot.last)
    }
}

/// Forgets the half of the sessions that was looked at longest ago.
fn make_room(slots: &mut HashMap<String, Slot>) {
    let mut times: Vec<i64> = slots.values().map(|slot| slot.at).collect();
    let (_, median, _) = times.select_nth_unstable(MAX_SESSIONS / 2);
    let median = *median;
    slots.retain(|_, slot| slot.at > median);
}

impl Asked {
    /// Whether this answers a request with a session from before it.
    fn holds(&self, session: &Session, now: i64) -> bool {
        let age = now - self.at;
        match &self.answer {
            Ok(_) => self.at > session.checked && age < SHARED,
            Err(ProviderError::Refused(_) | ProviderError::Silent(_) | ProviderError::UnverifiedEmail) => {
                self.at > session.checked
            }
            Err(_) => (0..PAUSE).contains(&age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::form::FormToken;

    #[test]
    fn the_sessions_of_longest_ago_are_forgotten() {
        let checks = Checks::default();
        for number in 0..=MAX_SESSIONS {
            checks.of(&format!("s{number}"), i64::try_from(number).expect("a number"));
        }
        let slots = checks.0.lock().expect("a lock");
        assert!(slots.len() <= MAX_SESSIONS / 2 + 1, "{}", slots.len());
        assert!(slots.contains_key(&format!("s{MAX_SESSIONS}")));
        assert!(!slots.contains_key("s0"));
    }

    #[test]
    fn they_are_forgotten_if_all_are_of_now() {
        let checks = Checks::default();
        for number in 0..=MAX_SESSIONS {
            checks.of(&format!("s{number}"), 5);
        }
        assert_eq!(checks.0.lock().expect("a lock").len(), 1);
    }

    #[test]
    fn which_answers_are_shared() {
        let profile = Profile {
            uid: "u1".to_owned(),
            name: "Ann".to_owned(),
            email: "ann@example.org".to_owned(),
            may_sign_in: true,
            is_admin: false,
        };
        let session = Session::begin(profile.clone(), FormToken::new(), 1_000_000);
        let tokens = Tokens::default();
        let word = |at| Ok(Word { at, profile: profile.clone(), tokens: tokens.clone() });
        let holds = |at, answer, now| Asked { at, answer }.holds(&session, now);
        assert!(holds(1_300, word(1_300), 1_359));
        assert!(!holds(1_300, word(1_300), 1_360), "it is too old");
        assert!(!holds(1_000, word(1_000), 1_010), "the session has it already");
        let refused = || Err(ProviderError::Refused("no".to_owned()));
        assert!(holds(1_300, refused(), 9_999));
        assert!(!holds(1_000, refused(), 1_010));
        assert!(holds(1_300, Err(ProviderError::TimedOut), 1_314));
        assert!(!holds(1_300, Err(ProviderError::TimedOut), 1_315), "it may be there again");
    }
}
