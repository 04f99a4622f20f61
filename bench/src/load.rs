//! Load: clients that send prepared requests one after the other, all of them at once, for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use backdrop_bench::http::Connection;
use backdrop_bench::statistics::Durations;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// How many had the answer that was expected.
    pub(crate) answered: u64,
    /// How many were told to come again later, which they did.
    pub(crate) refused: u64,
    /// How long those answers took.
    pub(crate) latencies: Durations,
}

impl Load {
    /// Answers in a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

/// How long who was refused waits at the most; as long as was asked would be no load any more.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Runs clients, each with requests of its own that it sends in turn, until the time is over. Each
/// answer must have the status.
pub(crate) async fn run(
    port: u16,
    clients: Vec<Vec<Vec<u8>>>,
    status: u16,
    lasting: Duration,
) -> anyhow::Result<Load> {
    let start = Arc::new(Barrier::new(clients.len()));
    let mut running = JoinSet::new();
    for requests in clients {
        let start = Arc::clone(&start);
        running.spawn(async move {
            let connection = Connection::open(port).await;
            // Who cannot connect must not keep the others waiting.
            start.wait().await;
            client(connection?, &requests, status, lasting).await
        });
    }
    let mut load = Load::default();
    while let Some(done) = running.join_next().await {
        let done = done.context("a client ended badly")??;
        load.took = load.took.max(done.took);
        load.answered += done.answered;
        load.refused += done.refused;
        load.latencies.extend(done.latencies);
    }
    Ok(load)
}

async fn client(
    mut connection: Connection,
    requests: &[Vec<u8>],
    status: u16,
    lasting: Duration,
) -> anyhow::Result<Load> {
    let mut load = Load::default();
    let start = Instant::now();
    for request in requests.iter().cycle() {
        if start.elapsed() >= lasting {
            break;
        }
        loop {
            let answer = connection.send(request).await?;
            if answer.status == status {
                load.latencies.push(answer.took);
                load.answered += 1;
                break;
            }
            let (429 | 503, Some(seconds)) = (answer.status, answer.retry_after) else {
                answer.expect(status)?;
                bail!("an answer that is none");
            };
            load.refused += 1;
            sleep(MAX_PAUSE.min(Duration::from_secs(seconds))).await;
        }
    }
    load.took = start.elapsed();
    Ok(load)
}
