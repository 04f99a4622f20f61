//! The tokens of a bucket: the current one, and those that it took the place of and that are valid
//! for a while longer, so that whoever sends records has time to take the new one.
//!
//! Pure: the current time is an argument, and what a change means is said here for every engine.

use crate::timestamp::Timestamp;
use crate::token::TokenHash;

/// What is kept of a bucket's tokens. A bucket without any takes no writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketTokens {
    /// The hash of the token that is valid until it is changed.
    pub current: Option<TokenHash>,
    /// Those before it, in the order in which they were current. Some may have ended since.
    pub retiring: Vec<RetiringToken>,
}

/// A token that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiringToken {
    /// Its hash.
    pub hash: TokenHash,
    /// The first instant at which it is not valid any more.
    pub until: Timestamp,
}

/// What happens to the tokens of a bucket. Done again, each of these changes nothing more.
#[derive(Clone, Debug)]
pub enum TokenChange {
    /// Keeps them.
    Keep,
    /// Takes all of them away, at once: the bucket takes no more writes.
    Remove,
    /// Makes this one the only one, at once.
    Set(TokenHash),
    /// Makes this one the current one, and lets the one before it retire.
    Rotate {
        /// The new one.
        hash: TokenHash,
        /// The current time: those that have ended by then are forgotten.
        now: Timestamp,
        /// When the one before it ends.
        until: Timestamp,
    },
    /// Ends those that retire, at once.
    EndOverlap,
    /// Makes them what they are in another store.
    Replace(BucketTokens),
}

impl BucketTokens {
    /// Those of a bucket that has this one only.
    pub fn only(hash: TokenHash) -> Self {
        Self { current: Some(hash), retiring: Vec::new() }
    }

    /// Whether one of them, valid at that time, is this token. All of them are looked at, so that it
    /// takes as long whichever it is.
    pub fn allows(&self, token: &str, now: Timestamp) -> bool {
        let is_current = self.current.as_ref().is_some_and(|hash| hash.matches(token));
        let is_retiring = |allowed, RetiringToken { hash, until }: &RetiringToken| {
            (hash.matches(token) && now < *until) || allowed
        };
        self.retiring.iter().fold(is_current, is_retiring)
    }

    /// Whether a bucket with them takes no writes at that time, whatever is sent.
    pub fn allow_nothing(&self, now: Timestamp) -> bool {
        self.current.is_none() && self.retiring.iter().all(|retiring| retiring.until <= now)
    }

    /// Does what a change says.
    pub fn change(&mut self, change: &TokenChange) {
        match change {
            TokenChange::Keep => {}
            TokenChange::Remove => *self = Self::default(),
            TokenChange::Set(hash) => *self = Self::only(hash.clone()),
            TokenChange::Rotate { hash, now, until } => self.rotate(hash, *now, *until),
            TokenChange::EndOverlap => self.retiring.clear(),
            TokenChange::Replace(tokens) => self.clone_from(tokens),
        }
    }

    fn rotate(&mut self, hash: &TokenHash, now: Timestamp, until: Timestamp) {
        // What was rotated already must not retire itself.
        let before = self.current.take().filter(|before| before != hash);
        self.retiring.extend(before.map(|hash| RetiringToken { hash, until }));
        self.retiring.retain(|retiring| now < retiring.until);
        self.current = Some(hash.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn hash(text: &str) -> TokenHash {
        TokenHash::new(&text.to_owned().into())
    }

    fn rotate(text: &str, now: &str, until: &str) -> TokenChange {
        TokenChange::Rotate { hash: hash(text), now: at(now), until: at(until) }
    }

    /// Makes changes, each twice, and compares which of the tokens `a`, `b` and `c` are valid then.
    #[track_caller]
    fn check(changes: &[TokenChange], now: &str, expected: &str) {
        let mut tokens = BucketTokens::default();
        for change in changes {
            tokens.change(change);
            let once = tokens.clone();
            tokens.change(change);
            assert_eq!(tokens, once, "{change:?} done again");
        }
        let valid: String =
            ["a", "b", "c"].into_iter().filter(|token| tokens.allows(token, at(now))).collect();
        assert_eq!(valid, expected, "{changes:?} at {now}");
        assert_eq!(tokens.allow_nothing(at(now)), expected.is_empty());
        assert!(!tokens.allows("", at(now)));
    }

    #[test]
    fn which_tokens_are_valid_after_changes() {
        let set = |text| TokenChange::Set(hash(text));
        let day = "2014-01-02";
        check(&[], day, "");
        check(&[TokenChange::Keep, TokenChange::Remove, TokenChange::EndOverlap], day, "");
        check(&[set("a")], day, "a");
        check(&[set("a"), TokenChange::Keep], day, "a");
        check(&[set("a"), set("b")], day, "b");
        check(&[set("a"), TokenChange::Remove], day, "");
        check(&[set("a"), TokenChange::EndOverlap], day, "a");
        check(&[rotate("a", "2014-01-01", "2014-01-03")], day, "a");
        let tokens = BucketTokens::only(hash("b"));
        check(&[set("a"), TokenChange::Replace(tokens)], day, "b");
    }

    #[test]
    fn tokens_that_retire() {
        let rotated = [TokenChange::Set(hash("a")), rotate("b", "2014-01-01", "2014-01-03")];
        check(&rotated, "2014-01-02T23:59:59.999", "ab");
        check(&rotated, "2014-01-03", "b");
        let then = |change| [rotated[0].clone(), rotated[1].clone(), change];
        check(&then(TokenChange::EndOverlap), "2014-01-02", "b");
        check(&then(TokenChange::Remove), "2014-01-02", "");
        check(&then(TokenChange::Set(hash("c"))), "2014-01-02", "c");
        check(&then(rotate("c", "2014-01-02", "2014-01-05")), "2014-01-02", "abc");
        check(&then(rotate("c", "2014-01-02", "2014-01-05")), "2014-01-04", "bc");
        check(&then(rotate("c", "2014-01-02", "2014-01-02")), "2014-01-02", "ac");
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let mut tokens = BucketTokens::default();
        for change in [
            rotate("a", "2014-01-01", "2014-01-02"),
            rotate("b", "2014-01-01", "2014-01-02"),
            rotate("c", "2014-01-02", "2014-01-09"),
        ] {
            tokens.change(&change);
        }
        assert_eq!(tokens.retiring.len(), 1);
        assert!(tokens.retiring[0].hash.matches("b"));
    }
}
