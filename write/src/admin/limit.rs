//! How often somebody may do something within a minute.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::PageError;

/// After so many tries those who have long been quiet are forgotten.
const FORGET_EVERY: u32 = 1_000;

/// So many tries within a minute for everybody, all at once or one by one.
pub(crate) struct PerMinute<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    tries: AtomicU32,
}

impl<K: Hash + Eq + Clone> PerMinute<K> {
    pub(crate) fn new(tries: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::dashmap(Quota::per_minute(tries)), tries: AtomicU32::new(0) }
    }

    /// Counts a try of somebody.
    ///
    /// # Errors
    ///
    /// [`PageError::TooMany`] if it is one too many, with the seconds until the next.
    pub(crate) fn count(&self, who: &K) -> Result<(), PageError> {
        if self.tries.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(who).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            PageError::TooMany { retry_after: wait.as_secs() + 1 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_so_many_tries() {
        let limit = PerMinute::new(NonZeroU32::new(2).expect("a number"));
        assert!(limit.count(&"ann").is_ok());
        assert!(limit.count(&"ann").is_ok());
        let PageError::TooMany { retry_after } = limit.count(&"ann").expect_err("too many") else {
            panic!("another error");
        };
        assert!((1..=31).contains(&retry_after), "{retry_after}");
        assert!(limit.count(&"bob").is_ok());
    }
}
