//! Records in a second that are acknowledged, and so on the disk, by batch and number of clients.

use std::time::Duration;

use anyhow::ensure;
use backdrop_bench::records::json_batch;
use backdrop_common::bucket::BucketName;
use backdrop_common::storage::{self, DatabaseUrl, StorageOptions};

use crate::load::{self, Load};
use crate::places::Places;
use crate::store::{BUCKET, Store};

/// A case: records in a request, and clients that send at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Records in a request.
    pub(crate) batch: u64,
    /// Clients.
    pub(crate) clients: u64,
}

/// What a case gave.
#[derive(Clone, Debug)]
pub(crate) struct IngestFigures {
    /// The case.
    pub(crate) case: Case,
    /// What became of its requests.
    pub(crate) load: Load,
}

impl IngestFigures {
    /// Records in a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(crate) fn rate(&self) -> f64 {
        self.load.rate() * self.case.batch as f64
    }
}

/// The cases; the last two are those that bars are about.
pub(crate) const CASES: [Case; 10] = [
    Case { batch: 1, clients: 1 },
    Case { batch: 100, clients: 1 },
    Case { batch: 500, clients: 1 },
    Case { batch: 10_000, clients: 1 },
    Case { batch: 1, clients: 16 },
    Case { batch: 100, clients: 16 },
    Case { batch: 500, clients: 16 },
    Case { batch: 10_000, clients: 16 },
    Case { batch: 500, clients: 4 },
    Case { batch: 1, clients: 64 },
];

/// Measures every case for so long, each in an empty bucket.
pub(crate) async fn measure(places: &Places, lasting: Duration) -> anyhow::Result<Vec<IngestFigures>> {
    let mut figures = Vec::new();
    for case in CASES {
        eprintln!("storing {} records a request with {} clients", case.batch, case.clients);
        let load = run(places, case, lasting).await?;
        figures.push(IngestFigures { case, load });
    }
    Ok(figures)
}

async fn run(places: &Places, case: Case, lasting: Duration) -> anyhow::Result<Load> {
    let store = Store::temporary(places).await?;
    let app = store.start_write().await?;
    let load = load::run(app.port(), requests(&store, case), 200, lasting).await?;
    app.stop().await?;
    // None without an id is ever replaced, so all that were acknowledged must be there, and no others.
    let engine = storage::open(&DatabaseUrl::Sqlite(store.database()), &StorageOptions::default()).await?;
    let found = engine.count(&BucketName::parse(BUCKET)?).await?;
    let acknowledged = load.answered * case.batch;
    ensure!(found == acknowledged, "{found} records are stored, {acknowledged} were acknowledged");
    Ok(load)
}

/// The requests of each client, which it sends again when it is through with them.
fn requests(store: &Store, Case { batch, clients }: Case) -> Vec<Vec<Vec<u8>>> {
    // Enough that none is the same for a while, few enough for the memory.
    let records = (batch * 2000).min(20_000);
    let of_client = |client: u64| {
        let first = client * records;
        let starts = (first..first + records).step_by(usize::try_from(batch).unwrap_or(1));
        starts.map(|first| store.post(&json_batch(first, batch))).collect()
    };
    (0..clients).map(of_client).collect()
}
