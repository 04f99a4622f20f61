//! The tables of a report, a function each. One that has nothing to show is empty.

use std::fmt::Write as _;

use backdrop_bench::queries::BenchQuery;
use backdrop_bench::statistics::Durations;

use crate::bars::bars;
use crate::measure::freshness::WRITTEN;
use crate::measure::queries::{QueryFigures, Series};
use crate::measure::unchanged::CLIENTS;
use crate::results::{Results, SizeResults};

/// A table: its heading and its lines, a cell each.
struct Table {
    text: String,
}

impl Table {
    fn new(heading: &[&str]) -> Self {
        let mut table = Self { text: String::new() };
        table.line(heading.iter().map(ToString::to_string));
        table.line(heading.iter().map(|_| "---".to_owned()));
        table
    }

    fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<_> = cells.into_iter().collect();
        // A String takes whatever is written to it.
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }
}

/// The machine and the versions.
pub(super) fn machine(results: &Results) -> String {
    let mut text = String::new();
    for (name, value) in &results.machine {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

/// The bars.
pub(super) fn bar_table(results: &Results) -> String {
    let mut table = Table::new(&["bar (over HTTP, medians)", "measured", "met"]);
    for bar in bars(results) {
        let verdict = bar.verdict().to_owned();
        table.line([bar.wanted, bar.measured.unwrap_or_default(), verdict]);
    }
    table.text
}

/// The queries of one number of records, with the peers.
pub(super) fn query_table(figures: &QueryFigures) -> String {
    let mut heading = vec!["ms", "median", "p99", "asked", "bytes", "repeated: median", "p99"];
    heading.extend(figures.peers.keys().map(|kind| kind.name()));
    let mut table = Table::new(&heading);
    for query in BenchQuery::ALL {
        let (asked, repeated) = (of(&figures.asked, query), of(&figures.repeated, query));
        let mut cells = vec![named(query), median(asked), p99(asked)];
        cells.push(asked.map_or(0, Durations::len).to_string());
        cells.push(figures.bytes.get(&query).copied().unwrap_or(0).to_string());
        cells.extend([median(repeated), p99(repeated)]);
        cells.extend(figures.peers.values().map(|peer| median(of(&peer.asked, query))));
        table.line(cells);
    }
    for (kind, peer) in &figures.peers {
        let asked = of(&peer.asked, BenchQuery::A).map_or(0, Durations::len);
        let loaded = peer.loading.map_or_else(
            || "was loaded before".to_owned(),
            |loading| format!("was loaded in {:.1} s", loading.as_secs_f64()),
        );
        let _ = write!(
            table.text,
            "\n{}: {}, asked each query {asked} times, {loaded}.\n",
            kind.name(),
            peer.about
        );
    }
    table.text
}

/// What becomes of it with more records.
pub(super) fn growth(results: &Results) -> String {
    if results.sizes.is_empty() {
        return String::new();
    }
    let heading: Vec<_> = results.sizes.keys().map(|records| thousands(*records)).collect();
    let mut columns = vec!["records"];
    columns.extend(heading.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    let sizes = || results.sizes.iter();
    for query in BenchQuery::ALL {
        let of_size = |size: &SizeResults| median(size.queries.as_ref().and_then(|it| of(&it.asked, query)));
        table.line(
            [format!("{}, median ms", named(query))]
                .into_iter()
                .chain(sizes().map(|(_, size)| of_size(size))),
        );
    }
    let mut line = |name: &str, of_size: &dyn Fn(u64, &SizeResults) -> Option<f64>| {
        let cells =
            sizes().map(|(records, size)| of_size(*records, size).map_or_else(none, |it| format!("{it:.0}")));
        table.line([name.to_owned()].into_iter().chain(cells));
    };
    line("memory, bytes a record", &|records, size| size.memory_of_record(records));
    line("database, bytes a record", &|records, size| Some(float(size.loading?.bytes) / float(records)));
    line("loading by POSTs of 10,000, records/s", &|records, size| {
        Some(float(records) / size.loading?.took.as_secs_f64())
    });
    let is_earlier = |size: &SizeResults| size.loading.is_some_and(|loading| loading.earlier);
    for (records, _) in sizes().filter(|(_, size)| is_earlier(size)) {
        let _ = write!(table.text, "\n{} records were loaded in an earlier run.\n", thousands(*records));
    }
    table.text
}

/// First queries, and memory.
pub(super) fn cold(results: &Results) -> String {
    let mut table =
        Table::new(&["first query, ms", "a", "b", "c", "d", "e", "f", "memory at start", "after all fields"]);
    let mut any = false;
    for (records, size) in &results.sizes {
        let Some(cold) = &size.cold else { continue };
        let cells = BenchQuery::ALL.map(|query| median(of(&cold.first, query)));
        let mut cells: Vec<_> = [thousands(*records)].into_iter().chain(cells).collect();
        cells.extend([cold.before, cold.after].map(|bytes| format!("{:.1} MB", float(bytes) / 1e6)));
        table.line(cells);
        any = true;
    }
    if any { table.text } else { String::new() }
}

/// Queries after writes.
pub(super) fn fresh(results: &Results) -> String {
    let mut text = String::new();
    for (records, size) in &results.sizes {
        let Some(series) = &size.fresh else { continue };
        let mut table = Table::new(&["ms", "median", "p99", "asked"]);
        for query in BenchQuery::ALL {
            let durations = of(series, query);
            let asked = durations.map_or(0, Durations::len).to_string();
            table.line([named(query), median(durations), p99(durations), asked]);
        }
        let _ = write!(
            text,
            "{} records, the first query after each POST of {WRITTEN}:\n\n{}\n",
            thousands(*records),
            table.text
        );
    }
    text
}

/// `If-None-Match`.
pub(super) fn unchanged(results: &Results) -> String {
    let mut table = Table::new(&[
        "records",
        "answers/s",
        "median ms",
        "µs of processor an answer",
        "µs of processor for the query",
    ]);
    let mut any = false;
    for (records, size) in &results.sizes {
        let Some(figures) = size.unchanged else { continue };
        table.line([
            thousands(*records),
            format!("{:.0}", figures.rate),
            format!("{:.2}", figures.median),
            figures.cpu.as_micros().to_string(),
            figures.cpu_of_query.as_micros().to_string(),
        ]);
        any = true;
    }
    if any { format!("{CLIENTS} clients, query (c).\n\n{}", table.text) } else { String::new() }
}

/// Requests of an enemy, and large answers.
pub(super) fn hostile(results: &Results) -> String {
    let mut text = String::new();
    for (records, size) in &results.sizes {
        let Some(figures) = &size.hostile else { continue };
        let mut requests = Table::new(&["request of 60 kB", "status", "ms of processor"]);
        for request in &figures.requests {
            let cpu = millis(Some(request.cpu.as_secs_f64() * 1000.0));
            requests.line([request.name.to_owned(), request.status.to_string(), cpu]);
        }
        let mut large = Table::new(&["large answers", "answered", "MB", "s", "memory, MB"]);
        for (name, figures) in [("all records, raw", figures.raw), ("24 of a million hours", figures.periods)]
        {
            large.line([
                name.to_owned(),
                figures.answered.to_string(),
                format!("{:.0}", float(figures.bytes) / 1e6),
                format!("{:.2}", figures.took.as_secs_f64()),
                format!("{:.0}", float(figures.memory) / 1e6),
            ]);
        }
        let _ = write!(
            text,
            "{} records:\n\n{}\n{}\n`/_status` while ten of the costliest ran: median {} ms, p99 {} ms.\n",
            thousands(*records),
            requests.text,
            large.text,
            median(Some(&figures.status)),
            p99(Some(&figures.status)),
        );
    }
    text
}

/// Storing.
pub(super) fn ingest(results: &Results) -> String {
    if results.ingest.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "records a POST",
        "clients",
        "records/s",
        "median ms",
        "p99 ms",
        "POSTs",
        "told to wait",
    ]);
    for figures in &results.ingest {
        let latencies = Some(&figures.load.latencies);
        table.line([
            thousands(figures.case.batch),
            figures.case.clients.to_string(),
            format!("{:.0}", figures.rate()),
            median(latencies),
            p99(latencies),
            figures.load.answered.to_string(),
            figures.load.refused.to_string(),
        ]);
    }
    table.text
}

fn named(query: BenchQuery) -> String {
    format!("({}) {}", query.letter(), query.description())
}

fn of(series: &Series, query: BenchQuery) -> Option<&Durations> {
    series.get(&query)
}

fn median(durations: Option<&Durations>) -> String {
    millis(durations.and_then(Durations::median))
}

fn p99(durations: Option<&Durations>) -> String {
    millis(durations.and_then(|durations| durations.percentile(99)))
}

fn millis(millis: Option<f64>) -> String {
    millis.map_or_else(none, |millis| format!("{millis:.2}"))
}

fn none() -> String {
    "–".to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

/// A number with commas.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }
}
