//! Launching an app, and ending it when it is told to.
//!
//! Rocket gives connections a fixed time at the end, whether anything is going on or not: too short
//! for a large request, too long for an idle connection. So what is under way is counted here, and
//! the app ends as soon as nothing is.

use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::request::Request;
use rocket::tokio::sync::watch;
use rocket::tokio::time::{sleep, timeout};
use rocket::tokio::{select, spawn};
use rocket::{Build, Data, Error, Rocket, async_trait};

/// How long a request that is under way may take to end; Rocket gives connections as long.
pub(super) const GRACE_SECONDS: u32 = 60;
/// How long the last bytes of an answer may take on their way from Rocket to the socket.
const FLUSH: Duration = Duration::from_millis(200);

/// Runs an app until SIGTERM or Ctrl-C, and then until what is under way is done.
///
/// # Errors
///
/// If it cannot start, as when its port is taken.
pub async fn launch(rocket: Rocket<Build>) -> Result<(), Box<Error>> {
    let under_way = UnderWay::new();
    let rocket = rocket.attach(under_way.clone()).ignite().await?;
    let shutdown = rocket.shutdown();
    let server = spawn(rocket.launch());
    select! {
        biased;
        // It was told to end; Rocket takes no new connections any more.
        () = shutdown => under_way.done().await,
        ended = server => match ended {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Box::new(error)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
    }
    Ok(())
}

/// Counts the requests that are under way.
#[derive(Clone)]
struct UnderWay(watch::Sender<usize>);

/// One of them. It is kept with the request, which Rocket drops when the answer is sent or nobody
/// is there to receive it.
struct Entry(watch::Sender<usize>);

impl UnderWay {
    fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    fn enter(&self) -> Entry {
        self.0.send_modify(|count| *count += 1);
        Entry(self.0.clone())
    }

    async fn done(&self) {
        let mut count = self.0.subscribe();
        let none = count.wait_for(|count| *count == 0);
        let _ = timeout(Duration::from_secs(GRACE_SECONDS.into()), none).await;
        sleep(FLUSH).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[async_trait]
impl Fairing for UnderWay {
    fn info(&self) -> Info {
        Info { name: "requests under way", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        request.local_cache(|| self.enter());
    }
}

#[cfg(test)]
mod tests {
    use rocket::tokio;

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

    #[tokio::test(start_paused = true)]
    async fn but_not_for_ever() {
        let under_way = UnderWay::new();
        let _entry = under_way.enter();
        timeout(Duration::from_mins(2), under_way.done()).await.expect("an end");
    }
}
