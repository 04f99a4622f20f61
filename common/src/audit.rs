//! The audit log: who did what to which bucket and when, without any secret. It is kept for what
//! people and operators do; the writes of data pipelines are in the programs' log only.

use std::net::IpAddr;

use crate::bucket::BucketName;
use crate::timestamp::Timestamp;

/// Who uses the command line.
pub const OPERATOR: &str = "operator";

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: an email address in lower case, [`OPERATOR`], or what a program held.
    pub by: String,
    /// What.
    pub action: AuditAction,
    /// To which bucket, if to one.
    pub bucket: Option<BucketName>,
    /// What exactly, in a few words for people.
    pub detail: String,
    /// From where, if over HTTP.
    pub address: Option<IpAddr>,
    /// In which request, if in one.
    pub request_id: Option<String>,
}

/// Kinds of what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say what they are")]
pub enum AuditAction {
    SignIn,
    SignInRefused,
    SignOut,
    EndSessions,
    CreateBucket,
    ChangeBucket,
    DeleteBucket,
    EmptyBucket,
    DeleteData,
    MakeToken,
    RotateToken,
    RevokeToken,
    Grant,
    Revoke,
    Upload,
}

impl AuditAction {
    /// All of them, in the order in which people are offered them.
    pub const ALL: [Self; 15] = [
        Self::SignIn,
        Self::SignInRefused,
        Self::SignOut,
        Self::EndSessions,
        Self::CreateBucket,
        Self::ChangeBucket,
        Self::DeleteBucket,
        Self::EmptyBucket,
        Self::DeleteData,
        Self::MakeToken,
        Self::RotateToken,
        Self::RevokeToken,
        Self::Grant,
        Self::Revoke,
        Self::Upload,
    ];

    /// The name under which it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::SignInRefused => "sign in refused",
            Self::SignOut => "sign out",
            Self::EndSessions => "end sessions",
            Self::CreateBucket => "create bucket",
            Self::ChangeBucket => "change bucket",
            Self::DeleteBucket => "delete bucket",
            Self::EmptyBucket => "empty bucket",
            Self::DeleteData => "delete data",
            Self::MakeToken => "make token",
            Self::RotateToken => "rotate token",
            Self::RevokeToken => "revoke token",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Upload => "upload",
        }
    }

    /// The action with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Which entries are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only what this person did.
    pub by: Option<String>,
    /// Only this.
    pub action: Option<AuditAction>,
    /// Only what was done to this bucket, which may be gone.
    pub bucket: Option<BucketName>,
    /// Only from this instant on.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub to: Option<Timestamp>,
    /// Only what was recorded before the entry at this position.
    pub before: Option<AuditPosition>,
    /// How many at the most.
    pub limit: usize,
}

/// Where in the log an entry is. Later entries have larger ones: microseconds since 1970, or the next
/// number that is free. So entries of several stores, brought together in one, are in their order.
///
/// Nothing is ever taken out of the log, so an entry is known by its position and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPosition(pub i64);

impl AuditPosition {
    /// The largest that there can be; what comes after has room enough.
    pub const MAX: Self = Self(i64::MAX / 2);

    /// That of a new entry, if that one is the last so far.
    pub fn after(last: Option<Self>, at: Timestamp) -> Self {
        let time = Self(at.millis().saturating_mul(1000).max(1));
        last.map_or(time, |last| time.max(last.next()))
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// An entry with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Where it is.
    pub position: AuditPosition,
    /// What was done.
    pub entry: AuditEntry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_known_by_their_names() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.name()), Some(action));
        }
        for other in ["", "Grant", "grant ", "levitate"] {
            assert_eq!(AuditAction::parse(other), None, "{other}");
        }
    }

    #[test]
    fn positions_only_grow() {
        let at = |text| Timestamp::parse(text).expect("a time");
        let noon = AuditPosition::after(None, at("2014-01-01T12:00"));
        assert_eq!(noon.0, at("2014-01-01T12:00").millis() * 1000);
        assert_eq!(AuditPosition::after(Some(noon), at("2014-01-01T12:00")), noon.next());
        assert_eq!(AuditPosition::after(Some(noon), at("2013-01-01")), noon.next(), "the clock went back");
        assert!(AuditPosition::after(Some(noon), at("2014-01-01T12:01")) > noon.next());
        assert_eq!(AuditPosition::after(None, Timestamp::MIN), AuditPosition(1));
        assert!(AuditPosition::after(None, Timestamp::MAX) < AuditPosition::MAX);
    }
}
