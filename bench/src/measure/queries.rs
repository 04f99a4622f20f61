//! The queries (a) to (f) of a bucket that does not change, in turn with the peers, so that whatever
//! else the machine does hits all of them alike.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use backdrop_bench::answer::Rows;
use backdrop_bench::http::{Connection, get};
use backdrop_bench::queries::{BenchQuery, Variant};
use backdrop_bench::records::{CSV_HEADER, Sample, VERSION};
use backdrop_bench::statistics::Durations;

use super::{Variants, ask, path};
use crate::peers::{Peer, PeerKind};
use crate::places::Places;
use crate::store::Store;

/// How long each query took, every time.
pub(crate) type Series = BTreeMap<BenchQuery, Durations>;

/// The queries of one bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueryFigures {
    /// Answered by work.
    pub(crate) asked: Series,
    /// The very same query again.
    pub(crate) repeated: Series,
    /// How large the answers are, in bytes.
    pub(crate) bytes: BTreeMap<BenchQuery, usize>,
    /// What the peers took.
    pub(crate) peers: BTreeMap<PeerKind, PeerFigures>,
}

/// What a peer took.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerFigures {
    /// Its name and version.
    pub(crate) about: String,
    /// To load the data; none if that was done before.
    pub(crate) loading: Option<Duration>,
    /// For the queries.
    pub(crate) asked: Series,
}

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds at the most.
    pub(crate) rounds: usize,
    /// How long rounds may be begun, if there were three.
    pub(crate) lasting: Duration,
}

/// How often Backdrop is asked in a round; a percentile wants more figures than a median.
const OURS_IN_ROUND: usize = 7;
/// How often a query is repeated unchanged.
const REPEATS: usize = 200;

/// Measures the queries.
pub(crate) async fn measure(
    places: &Places,
    store: &Store,
    records: u64,
    kinds: &[PeerKind],
    effort: Effort,
) -> anyhow::Result<QueryFigures> {
    let mut figures = QueryFigures::default();
    let mut peers = Vec::new();
    for kind in kinds.iter().copied().filter(|kind| kind.takes(records)) {
        let mut peer = Peer::start(kind, places, records)?;
        let about = peer.about().await?;
        eprintln!("loading {records} records into {about}");
        let loading = peer.load(&csv_file(places, records)?, records).await?;
        figures.peers.insert(kind, PeerFigures { about, loading, asked: Series::new() });
        peers.push(peer);
    }
    let app = store.start_read().await?;
    let mut connection = app.connect().await?;
    check_answers(&mut connection, &mut peers, &mut figures).await?;
    rounds(&mut connection, &mut peers, effort, &mut figures).await?;
    for query in BenchQuery::ALL {
        let repeats = repeat(&mut connection, query, effort.lasting / 10).await?;
        figures.repeated.insert(query, repeats);
    }
    for peer in peers {
        peer.stop().await?;
    }
    app.stop().await?;
    Ok(figures)
}

/// Asks each query once, which also warms everybody up, and compares the answers.
async fn check_answers(
    connection: &mut Connection,
    peers: &mut [Peer],
    figures: &mut QueryFigures,
) -> anyhow::Result<()> {
    for query in BenchQuery::ALL {
        let request = get(&path(&query.query_string(Variant(0))), None);
        let answer = connection.send(&request).await?.expect(200)?;
        figures.bytes.insert(query, answer.body.len());
        let ours = Rows::of_backdrop(query, answer.body)?;
        for peer in &mut *peers {
            let theirs = Rows::of_peer(&peer.rows(query, Variant(0)).await?)?;
            let checked = ours.check_equal(&theirs);
            checked.with_context(|| {
                format!("query ({}): {} answers otherwise", query.letter(), peer.kind.name())
            })?;
        }
    }
    Ok(())
}

async fn rounds(
    connection: &mut Connection,
    peers: &mut [Peer],
    effort: Effort,
    figures: &mut QueryFigures,
) -> anyhow::Result<()> {
    let mut variants = Variants::default();
    let start = Instant::now();
    for round in 0..effort.rounds {
        if round >= 3 && start.elapsed() > effort.lasting {
            break;
        }
        for query in BenchQuery::ALL {
            for _ in 0..OURS_IN_ROUND {
                let took = ask(connection, query, variants.next()).await?;
                figures.asked.entry(query).or_default().push(took);
            }
            for peer in peers.iter_mut().filter(|peer| round % peer.kind.one_round_in() == 0) {
                let took = peer.time(query, variants.next()).await?;
                let peer = figures.peers.entry(peer.kind).or_default();
                peer.asked.entry(query).or_default().push(took);
            }
        }
    }
    Ok(())
}

/// The same query again and again, the first time not counted.
async fn repeat(
    connection: &mut Connection,
    query: BenchQuery,
    lasting: Duration,
) -> anyhow::Result<Durations> {
    let mut repeats = Durations::default();
    ask(connection, query, Variant(0)).await?;
    let start = Instant::now();
    for count in 0..REPEATS {
        if count >= 3 && start.elapsed() > lasting {
            break;
        }
        repeats.push(ask(connection, query, Variant(0)).await?);
    }
    Ok(repeats)
}

/// The same records for the peers, in a file that is kept.
fn csv_file(places: &Places, records: u64) -> anyhow::Result<PathBuf> {
    let file = places.folder.join(format!("records-v{VERSION}-{records}.csv"));
    if file.exists() {
        return Ok(file);
    }
    let partial = file.with_extension("partial");
    let mut writer = BufWriter::new(File::create(&partial)?);
    let mut lines = CSV_HEADER.to_owned();
    for index in 0..records {
        Sample::new(index).write_csv(&mut lines);
        if lines.len() > 1 << 16 {
            writer.write_all(lines.as_bytes())?;
            lines.clear();
        }
    }
    writer.write_all(lines.as_bytes())?;
    writer.flush()?;
    std::fs::rename(&partial, &file)?;
    Ok(file)
}
