//! What a session is, and whether it still holds. Pure; times are seconds since 1970.

use backdrop_common::settings::SignInSettings;
use backdrop_common::storage::SessionsEnd;
use backdrop_common::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::admin::form::FormToken;
use crate::admin::provider::Profile;

/// How long a session lasts in all, however much it is used, in seconds.
pub(super) const LONGEST: i64 = 24 * 60 * 60;
/// By how much the clocks of two machines may differ.
const SKEW: i64 = 60;

/// Somebody's session, as it is in their cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::admin) struct Session {
    /// Names the session.
    pub(super) id: String,
    /// What the provider calls the person.
    pub(super) uid: String,
    pub(super) name: String,
    pub(in crate::admin) email: String,
    pub(super) is_admin: bool,
    /// Is in its forms.
    pub(super) form_token: FormToken,
    /// When it began.
    began: i64,
    /// The same in milliseconds, by which it is known whether it was ended; 0 in a session of an earlier
    /// version.
    #[serde(default)]
    began_millis: i64,
    /// When it was last renewed by use.
    used: i64,
    /// When the provider last said all this.
    pub(super) checked: i64,
}

/// How long sessions and the provider's word last.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) struct Lifetimes {
    /// How long a session lasts without use.
    pub(super) unused: i64,
    /// How old the provider's word may be.
    pub(super) checked: i64,
}

/// Whether a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Valid,
    /// It does if the provider still says so. If that is overdue, it has been due for a whole interval.
    CheckDue {
        overdue: bool,
    },
    Expired,
}

impl Lifetimes {
    pub(in crate::admin) fn new(settings: &SignInSettings) -> Self {
        Self {
            unused: settings.session_seconds.get().into(),
            checked: settings.session_check_seconds.get().into(),
        }
    }
}

impl Session {
    /// The session of somebody who has just signed in, at a time in milliseconds since 1970.
    pub(super) fn begin(profile: Profile, form_token: FormToken, now_millis: i64) -> Self {
        let Profile { uid, name, email, may_sign_in: _, is_admin } = profile;
        let id = Uuid::new_v4().to_string();
        let now = now_millis / 1_000;
        let (began, used, checked) = (now, now, now);
        Self { id, uid, name, email, is_admin, form_token, began, began_millis: now_millis, used, checked }
    }

    /// Whether an end of the sessions that began by an instant is one of this.
    pub(super) fn is_ended_by(&self, begun_by: Option<Timestamp>) -> bool {
        begun_by.is_some_and(|begun_by| self.began_millis <= begun_by.millis())
    }

    /// The end of this session.
    pub(in crate::admin) fn end(&self) -> SessionsEnd {
        SessionsEnd { of: self.id.clone(), begun_by: Timestamp::MAX, until: over(self.began_millis) }
    }

    pub(super) fn standing(&self, now: i64, lifetimes: &Lifetimes) -> Standing {
        let of_the_future = [self.began, self.used, self.checked].iter().any(|time| *time > now + SKEW);
        if of_the_future || now - self.used >= lifetimes.unused || now - self.began >= LONGEST {
            return Standing::Expired;
        }
        let age = now - self.checked;
        if age < lifetimes.checked {
            return Standing::Valid;
        }
        Standing::CheckDue { overdue: age >= lifetimes.checked.saturating_mul(2) }
    }

    /// The session with what the provider said at some time.
    pub(super) fn checked(self, profile: Profile, at: i64, now: i64) -> Self {
        let Profile { uid, name, email, may_sign_in: _, is_admin } = profile;
        Self { uid, name, email, is_admin, used: now, checked: at, ..self }
    }

    /// The session renewed, if it was used long enough ago for that to be worth a cookie.
    pub(super) fn renewed(&self, now: i64, lifetimes: &Lifetimes) -> Option<Self> {
        (now - self.used > lifetimes.unused / 10).then(|| Self { used: now, ..self.clone() })
    }
}

/// The end of all sessions of a person that began until now.
pub(in crate::admin) fn end_of_all(email: &str, now: Timestamp) -> SessionsEnd {
    SessionsEnd { of: email.to_owned(), begun_by: now, until: over(now.millis()) }
}

/// When a session is over that began then, by any of our clocks.
fn over(began_millis: i64) -> Timestamp {
    Timestamp::from_millis(began_millis + (LONGEST + SKEW) * 1_000).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes { unused: 14_400, checked: 300 };
    const NOW: i64 = 1_000_000;

    fn session(began: i64, used: i64, checked: i64) -> Session {
        let profile = Profile {
            uid: "u1".to_owned(),
            name: "Ann".to_owned(),
            email: "ann@example.org".to_owned(),
            may_sign_in: true,
            is_admin: false,
        };
        Session {
            began: NOW - began,
            used: NOW - used,
            checked: NOW - checked,
            ..Session::begin(profile, FormToken::new(), NOW * 1_000)
        }
    }

    /// The ages of a session's beginning, its last use and its last check.
    #[track_caller]
    fn check(ages: (i64, i64, i64), expected: Standing) {
        let session = session(ages.0, ages.1, ages.2);
        assert_eq!(session.standing(NOW, &LIFETIMES), expected, "{ages:?}");
    }

    #[test]
    fn whether_a_session_holds() {
        let due = Standing::CheckDue { overdue: false };
        check((0, 0, 0), Standing::Valid);
        check((299, 299, 299), Standing::Valid);
        check((300, 300, 300), due);
        check((50_000, 10, 599), due);
        check((50_000, 10, 600), Standing::CheckDue { overdue: true });
        check((14_399, 14_399, 299), Standing::Valid);
        check((14_400, 14_400, 299), Standing::Expired);
        check((86_399, 10, 10), Standing::Valid);
        check((86_400, 10, 10), Standing::Expired);
        check((-60, -60, -60), Standing::Valid);
        check((-61, 0, 0), Standing::Expired);
        check((0, -61, 0), Standing::Expired);
        check((0, 0, -61), Standing::Expired);
    }

    #[test]
    fn use_renews_a_session_now_and_then() {
        assert_eq!(session(0, 1_440, 0).renewed(NOW, &LIFETIMES), None);
        let renewed = session(2_000, 1_441, 100).renewed(NOW, &LIFETIMES).expect("a renewed session");
        assert_eq!((renewed.began, renewed.used, renewed.checked), (NOW - 2_000, NOW, NOW - 100));
    }

    #[test]
    fn which_sessions_an_end_is_about() {
        let at = |millis| Timestamp::from_millis(millis).expect("a time");
        let session = session(0, 0, 0);
        assert!(!session.is_ended_by(None));
        assert!(!session.is_ended_by(Some(at(NOW * 1_000 - 1))), "it began after");
        assert!(session.is_ended_by(Some(at(NOW * 1_000))));
        assert!(session.is_ended_by(Some(session.end().begun_by)));
        let longest = at((NOW + LONGEST + SKEW) * 1_000);
        assert_eq!((session.end().of, session.end().until), (session.id.clone(), longest));
        let all = end_of_all("ann@example.org", at(NOW * 1_000));
        assert_eq!((all.of.as_str(), all.begun_by, all.until), ("ann@example.org", at(NOW * 1_000), longest));
        let json = serde_json::to_value(&session).expect("JSON");
        let mut of_before = json.as_object().expect("an object").clone();
        of_before.remove("began_millis");
        let of_before: Session = serde_json::from_value(of_before.into()).expect("a session");
        assert!(of_before.is_ended_by(Some(at(0))), "one of an earlier version by any");
    }

    #[test]
    fn sessions_have_names_of_their_own() {
        assert_ne!(session(0, 0, 0).id, session(0, 0, 0).id);
    }
}
