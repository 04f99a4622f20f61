//! The bars: what must be reached, what was measured, and whether that is enough.

use backdrop_bench::queries::BenchQuery;

use crate::measure::hostile::LargeFigures;
use crate::measure::ingest::Case;
use crate::measure::queries::Series;
use crate::peers::PeerKind;
use crate::results::{Results, SizeResults};

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// What must be reached.
    pub(crate) wanted: String,
    /// What was measured, if it was.
    pub(crate) measured: Option<String>,
    /// Whether it is reached; of no use where nothing was measured.
    pub(crate) is_met: bool,
}

const MILLION: u64 = 1_000_000;
const TEN_MILLION: u64 = 10_000_000;

impl Bar {
    fn new(wanted: impl Into<String>, measured: Option<(String, bool)>) -> Self {
        let is_met = measured.as_ref().is_some_and(|(_, is_met)| *is_met);
        Self { wanted: wanted.into(), measured: measured.map(|(text, _)| text), is_met }
    }

    /// `met`, `not met`, or that it was not measured.
    pub(crate) fn verdict(&self) -> &'static str {
        match (&self.measured, self.is_met) {
            (None, _) => "not measured",
            (Some(_), true) => "met",
            (Some(_), false) => "**not met**",
        }
    }
}

/// All bars, in the order of the issue.
pub(crate) fn bars(results: &Results) -> Vec<Bar> {
    let million = results.sizes.get(&MILLION);
    let ten_million = results.sizes.get(&TEN_MILLION);
    let mut bars = Vec::new();
    bars.extend(BenchQuery::ALL.map(|query| no_slower_than_duckdb(query, million)));
    let grouped = [BenchQuery::A, BenchQuery::B, BenchQuery::C, BenchQuery::D];
    bars.extend(grouped.map(|query| much_faster_than_postgres(query, million)));
    bars.extend(BenchQuery::ALL.map(|query| quick_at_ten_million(query, ten_million)));
    let fresh = million.and_then(|size| slowest(size.fresh.as_ref()?));
    bars.push(below(
        "1M, after a POST of 1,000 records: the next query < 10 ms (slowest of a to f)",
        fresh,
        10.0,
    ));
    let cold = million.and_then(|size| slowest(&size.cold.as_ref()?.first));
    bars.push(below("1M, cold: the first query < 1,500 ms (slowest of a to f)", cold, 1500.0));
    let memory = million.and_then(|size| size.memory_of_record(MILLION));
    let memory = memory.map(|bytes| (format!("{bytes:.0} bytes"), bytes <= 80.0));
    bars.push(Bar::new("1M: memory ≤ 80 bytes a record", memory));
    bars.push(ingest(results, Case { batch: 500, clients: 4 }, 50_000.0));
    bars.push(ingest(results, Case { batch: 1, clients: 64 }, 15_000.0));
    bars.push(unchanged(million));
    bars.extend(hostile(million));
    bars
}

/// What a stranger may cost.
fn hostile(size: Option<&SizeResults>) -> [Bar; 4] {
    const MEGABYTE: u64 = 1 << 20;
    /// The budget of all answers, and what the app has besides.
    const ANSWERS: u64 = 640 * MEGABYTE;
    let figures = size.and_then(|size| size.hostile.as_ref());
    let costliest = figures.and_then(|figures| figures.requests.iter().max_by_key(|request| request.cpu));
    let costliest = costliest.map(|request| {
        let text = format!("{} ms ({})", request.cpu.as_millis(), request.name);
        (text, request.cpu.as_millis() <= 100)
    });
    let status = figures.and_then(|figures| figures.status.percentile(99));
    let memory = |figures: &LargeFigures, most: u64| {
        (format!("{} MB of memory", figures.memory / MEGABYTE), figures.memory <= most)
    };
    [
        Bar::new("1M, a GET of 60 kB: ≤ 100 ms of processor (costliest)", costliest),
        below("1M, `/_status` while ten of them run: < 50 ms (p99)", status, 50.0),
        Bar::new(
            "1M, all records raw: within 50 MB of memory",
            figures.map(|figures| memory(&figures.raw, 50 * MEGABYTE)),
        ),
        Bar::new(
            "24 answers of a million hours at once: within the budget of answers",
            figures.map(|figures| memory(&figures.periods, ANSWERS)),
        ),
    ]
}

fn median(series: &Series, query: BenchQuery) -> Option<f64> {
    series.get(&query)?.median()
}

fn ours(size: Option<&SizeResults>, query: BenchQuery) -> Option<f64> {
    median(&size?.queries.as_ref()?.asked, query)
}

fn peer(size: Option<&SizeResults>, kind: PeerKind, query: BenchQuery) -> Option<f64> {
    median(&size?.queries.as_ref()?.peers.get(&kind)?.asked, query)
}

fn no_slower_than_duckdb(query: BenchQuery, size: Option<&SizeResults>) -> Bar {
    let measured = ours(size, query).zip(peer(size, PeerKind::DuckDb, query));
    let measured =
        measured.map(|(ours, theirs)| (format!("{ours:.2} ms; DuckDB {theirs:.2} ms"), ours <= theirs + 1.0));
    Bar::new(format!("1M, ({}): no slower than DuckDB with one thread + 1 ms", query.letter()), measured)
}

fn much_faster_than_postgres(query: BenchQuery, size: Option<&SizeResults>) -> Bar {
    let measured = ours(size, query).zip(peer(size, PeerKind::PostgreSql, query));
    let measured = measured.map(|(ours, theirs)| {
        let times = theirs / ours;
        (format!("{times:.1} times ({ours:.2} ms; PostgreSQL {theirs:.0} ms)"), times >= 20.0)
    });
    Bar::new(format!("1M, ({}): 20 times faster than PostgreSQL jsonb", query.letter()), measured)
}

fn quick_at_ten_million(query: BenchQuery, size: Option<&SizeResults>) -> Bar {
    below(&format!("10M, ({}): < 60 ms", query.letter()), ours(size, query), 60.0)
}

fn slowest(series: &Series) -> Option<f64> {
    series.keys().filter_map(|query| median(series, *query)).reduce(f64::max)
}

fn below(wanted: &str, millis: Option<f64>, limit: f64) -> Bar {
    Bar::new(wanted, millis.map(|millis| (format!("{millis:.2} ms"), millis < limit)))
}

fn ingest(results: &Results, case: Case, limit: f64) -> Bar {
    let figures = results.ingest.iter().find(|figures| figures.case == case);
    let measured =
        figures.map(|figures| (format!("{:.0} records/s", figures.rate()), figures.rate() >= limit));
    let Case { batch, clients } = case;
    Bar::new(format!("POSTs of {batch} records by {clients} clients: ≥ {limit:.0} records/s"), measured)
}

/// What answers without a scan costs a small part of a query that takes one.
fn unchanged(size: Option<&SizeResults>) -> Bar {
    let measured = size.and_then(|size| size.unchanged).map(|figures| {
        let no_scan = figures.cpu * 10 <= figures.cpu_of_query;
        let text = format!(
            "{:.0} answers/s; {} µs of processor each, {} µs for the query",
            figures.rate,
            figures.cpu.as_micros(),
            figures.cpu_of_query.as_micros()
        );
        (text, figures.rate >= 10_000.0 && no_scan)
    });
    Bar::new("1M, `If-None-Match`, unchanged: ≥ 10,000 answers/s, no scan", measured)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::queries::{PeerFigures, QueryFigures};
    use crate::measure::unchanged::UnchangedFigures;

    fn series(millis: u64) -> Series {
        BenchQuery::ALL.map(|query| (query, [Duration::from_millis(millis)].into_iter().collect())).into()
    }

    fn results(ours: u64, duckdb: u64, postgres: u64) -> Results {
        let peers = [(PeerKind::DuckDb, duckdb), (PeerKind::PostgreSql, postgres)];
        let peers =
            peers.map(|(kind, millis)| (kind, PeerFigures { asked: series(millis), ..Default::default() }));
        let queries = QueryFigures { asked: series(ours), peers: peers.into(), ..Default::default() };
        let size = SizeResults { queries: Some(queries), fresh: Some(series(ours)), ..Default::default() };
        Results { sizes: [(MILLION, size)].into(), ..Default::default() }
    }

    #[track_caller]
    fn check(results: &Results, start: &str, verdict: &str) {
        let bars = bars(results);
        let bar = bars.iter().find(|bar| bar.wanted.starts_with(start)).expect(start);
        assert_eq!(bar.verdict(), verdict, "{bar:?}");
    }

    #[test]
    fn what_is_met() {
        let fast = results(4, 3, 80);
        check(&fast, "1M, (a): no slower", "met");
        check(&fast, "1M, (a): 20 times", "met");
        check(&fast, "1M, after a POST", "met");
        let slow = results(10, 8, 199);
        check(&slow, "1M, (f): no slower", "**not met**");
        check(&slow, "1M, (d): 20 times", "**not met**");
        check(&slow, "1M, after a POST", "**not met**");
        check(&slow, "10M, (a)", "not measured");
        check(&slow, "POSTs of 500", "not measured");
        check(&Results::default(), "1M, (a): no slower", "not measured");
    }

    #[test]
    fn quick_answers_that_scan_are_not_enough() {
        let with = |cpu: u64| {
            let (cpu, cpu_of_query) = (Duration::from_micros(cpu), Duration::from_millis(3));
            let unchanged = UnchangedFigures { rate: 20_000.0, median: 0.5, cpu, cpu_of_query };
            let size = SizeResults { unchanged: Some(unchanged), ..Default::default() };
            Results { sizes: [(MILLION, size)].into(), ..Default::default() }
        };
        check(&with(60), "1M, `If-None-Match`", "met");
        check(&with(2000), "1M, `If-None-Match`", "**not met**");
    }
}
