//! The threads that queries may start beside their own: a budget for all of them together, so that dozens of
//! queries at once start no hundreds of threads. One that is alone has a thread for each processor.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads may be started.
#[derive(Debug)]
pub(in crate::storage) struct Helpers {
    free: AtomicUsize,
}

/// Threads that somebody may start. They are free again when this is dropped.
pub(in crate::storage) struct Taken<'a> {
    helpers: &'a Helpers,
    count: usize,
}

impl Helpers {
    /// One for each processor but the one that a query is on by itself.
    pub(in crate::storage) fn for_this_machine() -> Self {
        Self::new(thread::available_parallelism().map_or(0, |processors| NonZeroUsize::get(processors) - 1))
    }

    /// So many.
    pub(in crate::storage) fn new(count: usize) -> Self {
        Self { free: AtomicUsize::new(count) }
    }

    /// As many as are wanted, or as are free. Nobody waits: a query goes on without.
    pub(in crate::storage) fn take(&self, wanted: usize) -> Taken<'_> {
        let take = |free: usize| Some(free - wanted.min(free));
        // It always has an answer.
        let free = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        Taken { helpers: self, count: wanted.min(free) }
    }
}

impl Taken<'_> {
    pub(in crate::storage) fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.helpers.free.fetch_add(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_take_no_more_than_there_are() {
        let helpers = Helpers::new(3);
        let first = helpers.take(2);
        let second = helpers.take(2);
        let third = helpers.take(2);
        assert_eq!([&first, &second, &third].map(Taken::count), [2, 1, 0]);
        drop(first);
        assert_eq!(helpers.take(5).count(), 2);
        drop((second, third));
        assert_eq!(helpers.take(5).count(), 3);
    }
}
