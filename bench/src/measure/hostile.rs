//! Requests of an enemy: what each costs the read app, what others notice of them, and the memory that large
//! answers take.

use std::time::Duration;

use anyhow::Context;
use backdrop_bench::http::{Connection, get};
use backdrop_bench::records::json_batch_of_distinct;
use backdrop_bench::statistics::Durations;
use tokio::task::JoinSet;

use super::path;
use crate::places::Places;
use crate::program::Program;
use crate::store::Store;

/// The bytes of the longest query string that is tried.
const QUERY_BYTES: usize = 60_000;
/// How often each request is sent. The kernel counts the processor's time in hundredths of a second.
const TIMES: u32 = 10;
/// How many of the costliest request run while the health is asked for.
const AT_ONCE: usize = 10;
/// How many answers of a million periods are asked for at once.
const LARGE_AT_ONCE: usize = 24;

/// What an enemy's requests cost.
#[derive(Clone, Debug)]
pub(crate) struct HostileFigures {
    /// A request each.
    pub(crate) requests: Vec<RequestFigures>,
    /// How long `/_status` took while ten of the costliest request ran.
    pub(crate) status: Durations,
    /// A raw answer of all records.
    pub(crate) raw: LargeFigures,
    /// Many answers of a million periods each, at once.
    pub(crate) periods: LargeFigures,
}

/// What one request costs.
#[derive(Clone, Debug)]
pub(crate) struct RequestFigures {
    /// What it is.
    pub(crate) name: &'static str,
    /// How it is answered.
    pub(crate) status: u16,
    /// The processor's time for one.
    pub(crate) cpu: Duration,
}

/// What large answers take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LargeFigures {
    /// How many were answered with data, and how many were told to come again.
    pub(crate) answered: usize,
    /// How many bytes all of them had.
    pub(crate) bytes: u64,
    /// From the first request to the last byte.
    pub(crate) took: Duration,
    /// How much memory the app had at the most, more than before.
    pub(crate) memory: u64,
}

/// Measures all of it on so many records, each of which has values that no other has.
pub(crate) async fn measure(places: &Places, records: u64) -> anyhow::Result<HostileFigures> {
    let (store, _) = Store::kept_of(places, "distinct", records, json_batch_of_distinct).await?;
    let raw = large(&store, vec![path("")]).await?;
    let periods =
        large(&store, (0..LARGE_AT_ONCE).map(|number| path(&million_periods(number))).collect()).await?;
    let app = store.start_read().await?;
    let mut requests = Vec::new();
    for (name, query) in queries() {
        requests.push(cost(&app, name, &query).await?);
    }
    let costliest = requests.iter().max_by_key(|figures| figures.cpu).context("no requests")?.name;
    let (_, query) = queries().into_iter().find(|(name, _)| *name == costliest).context("no such request")?;
    let status = status_beside(&app, &query).await?;
    app.stop().await?;
    Ok(HostileFigures { requests, status, raw, periods })
}

/// The requests, each as large as a query string may be.
fn queries() -> Vec<(&'static str, String)> {
    let repeated = |each: &dyn Fn(usize) -> String| {
        let mut query = String::from("group_by=num&limit=1");
        for number in 0.. {
            let parameter = each(number);
            if query.len() + parameter.len() >= QUERY_BYTES {
                break;
            }
            query.push('&');
            query.push_str(&parameter);
        }
        query
    };
    vec![
        ("filter_by, texts", repeated(&|number| format!("filter_by=uniq:text-{:08}", number * 7))),
        ("filter_by_prefix", repeated(&|number| format!("filter_by_prefix=uniq:text-{:06}", number * 7))),
        ("filter_by, integers", repeated(&|number| format!("filter_by=num:{number}"))),
        ("filter_by, floats", repeated(&|number| format!("filter_by=flo:{number}.5"))),
        ("filter_by, _timestamp", repeated(&|number| format!("filter_by=_timestamp:{}", time(number)))),
        ("filter_by, _updated_at", repeated(&|number| format!("filter_by=_updated_at:{}", time(number)))),
        (
            "filter_by, _hour_start_at",
            repeated(&|number| format!("filter_by=_hour_start_at:{}", time(number))),
        ),
        ("filter_by, many fields", repeated(&|number| format!("filter_by=field_{number}:x"))),
        ("group_by, many fields", repeated(&|number| format!("group_by=field_{number}"))),
        ("collect, many fields", repeated(&|number| format!("collect=field_{number}:sum"))),
        (
            "collect, one name of 60 kB",
            format!("group_by=num&limit=1&collect={}:sum", "a".repeat(QUERY_BYTES)),
        ),
        (
            "empty periods, one name of 60 kB",
            format!("{}&collect={}:sum", million_periods(0), "a".repeat(QUERY_BYTES)),
        ),
        ("sets of all values", "group_by=nothing&collect=uniq:set&period=year&duration=200".to_owned()),
    ]
}

/// A time as a query spells it, before all records.
fn time(number: usize) -> String {
    format!("2001-01-01T{:02}:{:02}:{:02}Z", number / 3600 % 24, number / 60 % 60, number % 60)
}

/// A query for nearly a million hours, all of them empty; each number gives another.
fn million_periods(number: usize) -> String {
    format!("period=hour&start_at=1900-01-01T00:00:00Z&end_at=2009-12-31T{number:02}:00:00Z")
}

async fn cost(app: &Program, name: &'static str, query: &str) -> anyhow::Result<RequestFigures> {
    let mut status = 0;
    let before = app.usage()?.cpu;
    for number in 0..TIMES {
        // Another limit each time, so that no kept answer is given; a connection each, since a refusal may end it.
        let query = query.replace("limit=1", &format!("limit={}", number + 1));
        status = app.connect().await?.drain(&get(&path(&query), None)).await?.status;
    }
    let cpu = app.usage()?.cpu.saturating_sub(before) / TIMES;
    Ok(RequestFigures { name, status, cpu })
}

/// Asks for the health while others ask for what costs the most, again and again.
async fn status_beside(app: &Program, query: &str) -> anyhow::Result<Durations> {
    let mut running = JoinSet::new();
    for client in 0..AT_ONCE {
        let (port, query) = (app.port(), query.to_owned());
        running.spawn(async move {
            for number in 0..TIMES as usize {
                let query = query.replace("limit=1", &format!("limit={}", 100 * (client + 1) + number));
                // Whether it is answered does not matter here.
                if let Ok(mut connection) = Connection::open(port).await {
                    let _ = connection.drain(&get(&path(&query), None)).await;
                }
            }
        });
    }
    let mut status = Durations::default();
    let mut connection = app.connect().await?;
    while !running.is_empty() {
        status.push(connection.send(&get("/_status", None)).await?.expect(200)?.took);
        while running.try_join_next().is_some() {}
    }
    Ok(status)
}

/// Asks a new app for large answers, all of them at once.
async fn large(store: &Store, paths: Vec<String>) -> anyhow::Result<LargeFigures> {
    let app = store.start_read().await?;
    app.connect().await?.send(&get("/_status", None)).await?.expect(200)?;
    app.forget_peak()?;
    let before = app.peak()?;
    let mut running = JoinSet::new();
    for path in paths {
        let mut connection = app.connect().await?;
        running.spawn(async move { connection.drain(&get(&path, None)).await });
    }
    let mut figures = LargeFigures { answered: 0, bytes: 0, took: Duration::ZERO, memory: 0 };
    while let Some(drained) = running.join_next().await {
        let drained = drained??;
        figures.answered += usize::from(drained.status == 200);
        figures.bytes += drained.bytes;
        figures.took = figures.took.max(drained.took);
    }
    figures.memory = app.peak()?.saturating_sub(before);
    app.stop().await?;
    Ok(figures)
}
