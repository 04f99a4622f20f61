//! Whether an answer is still of use to anybody: what long work looks at again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{StorageError, StorageErrorKind};

/// How many values, groups or rows may be worked on between two looks, where none takes long.
pub(crate) const LOOK_EVERY: usize = 4096;

/// Whether somebody waits for an answer. Who has run out of time does not wait any more.
#[derive(Debug, Default)]
pub struct Interest {
    lost: AtomicBool,
    goes_on: AtomicBool,
    #[cfg(test)]
    looks: looks::Looks,
}

impl Interest {
    /// Nobody waits any more.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Does work that is of use to others, so that it is finished although nobody waits for this answer.
    pub(crate) fn finish<T>(&self, work: impl FnOnce() -> T) -> T {
        self.goes_on.store(true, Ordering::Relaxed);
        let done = work();
        self.goes_on.store(false, Ordering::Relaxed);
        done
    }

    /// Whether work on the answer should end.
    pub fn is_lost(&self) -> bool {
        #[cfg(test)]
        self.looks.look(&self.lost);
        self.lost.load(Ordering::Relaxed) && !self.goes_on.load(Ordering::Relaxed)
    }

    /// Fails if nobody waits for the answer any more.
    ///
    /// # Errors
    ///
    /// [`StorageErrorKind::Unavailable`].
    pub fn check(&self) -> Result<(), StorageError> {
        if self.is_lost() {
            let message = "nobody waits for the answer any more";
            return Err(StorageError::new(StorageErrorKind::Unavailable, message));
        }
        Ok(())
    }

    /// The same, now and then: for each of many things, by its place.
    ///
    /// # Errors
    ///
    /// As [`Interest::check`].
    #[inline]
    pub(crate) fn check_at(&self, place: usize) -> Result<(), StorageError> {
        if place.is_multiple_of(LOOK_EVERY) { self.check() } else { Ok(()) }
    }
}

/// Somebody who waits for an answer. Interest in it is lost as soon as this is dropped.
#[derive(Debug, Default)]
pub struct Waiting(Arc<Interest>);

impl Waiting {
    /// The interest of whoever waits, for those who work on the answer.
    pub fn interest(&self) -> Arc<Interest> {
        Arc::clone(&self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.lose();
    }
}

/// Interest that is lost at some look, and counts looks.
#[cfg(test)]
mod looks {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::Interest;

    #[derive(Debug)]
    pub(super) struct Looks {
        done: AtomicUsize,
        lost_at: usize,
    }

    impl Default for Looks {
        fn default() -> Self {
            Self { done: AtomicUsize::new(0), lost_at: usize::MAX }
        }
    }

    impl Looks {
        pub(super) fn look(&self, lost: &AtomicBool) {
            if self.done.fetch_add(1, Ordering::Relaxed) + 1 >= self.lost_at {
                lost.store(true, Ordering::Relaxed);
            }
        }
    }

    impl Interest {
        /// One that is lost just before that look, the first being 1.
        pub(crate) fn lost_at(look: usize) -> Self {
            Self { looks: Looks { lost_at: look, ..Looks::default() }, ..Self::default() }
        }

        /// How often somebody looked.
        pub(crate) fn looks(&self) -> usize {
            self.looks.done.load(Ordering::Relaxed)
        }
    }
}
