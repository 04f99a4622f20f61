//! How many things are under way, and when none is any more.

use rocket::tokio::sync::watch;

/// Counts what is under way. Clones share the count.
#[derive(Clone)]
pub(super) struct UnderWay(watch::Sender<usize>);

/// One thing that is under way, until it is dropped.
pub(super) struct Entry(watch::Sender<usize>);

impl UnderWay {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn enter(&self) -> Entry {
        self.0.send_modify(|count| *count += 1);
        Entry(self.0.clone())
    }

    /// Waits until nothing is.
    pub(super) async fn done(&self) {
        let mut count = self.0.subscribe();
        // It cannot be closed while we have a sender.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rocket::tokio;
    use rocket::tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_waited_for() {
        let under_way = UnderWay::new();
        under_way.done().await;
        let entry = under_way.enter();
        assert!(timeout(Duration::from_secs(30), under_way.done()).await.is_err(), "not done yet");
        drop(entry);
        under_way.done().await;
    }
}
