//! The results as Markdown, ready for RESULTS.md.

mod tables;

use std::fmt::Write as _;

use backdrop_bench::queries::BenchQuery;

use self::tables::thousands;
use crate::results::Results;

/// What comes after this line in a file of results was written by people, and stays.
const NOTES: &str = "## Notes";

/// The whole report.
pub(crate) fn report(results: &Results) -> String {
    let mut text =
        "# Results\n\nMade by `bench/run.sh`; what comes after \"Notes\" was written by people.\n\n"
            .to_owned();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            // A String takes whatever is written to it.
            let _ = write!(text, "## {title}\n\n{body}\n");
        }
    };
    section("Machine", tables::machine(results));
    section("Bars", tables::bar_table(results));
    for (records, size) in &results.sizes {
        if let Some(queries) = &size.queries {
            section(&format!("Queries, {} records", thousands(*records)), tables::query_table(queries));
        }
    }
    section("Growth", tables::growth(results));
    section("Cold buckets and memory", tables::cold(results));
    section("After a write", tables::fresh(results));
    section("`If-None-Match`", tables::unchanged(results));
    section("Requests of an enemy", tables::hostile(results));
    section("Storing", tables::ingest(results));
    section("How it was measured", method());
    text
}

/// What a reader must know to judge the tables.
fn method() -> String {
    let variations = BenchQuery::ALL.iter().fold(String::new(), |mut text, query| {
        let _ = writeln!(text, "- ({}) {}: {}.", query.letter(), query.description(), query.variation());
        text
    });
    include_str!("report/method.md").replace("VARIATIONS\n", &variations)
}

/// The report with the notes of the one before it.
pub(crate) fn with_notes(report: &str, before: &str) -> String {
    let notes = before.find(NOTES).map_or_else(|| format!("{NOTES}\n"), |start| before[start..].to_owned());
    format!("{report}{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_stay() {
        assert_eq!(with_notes("new\n", ""), "new\n## Notes\n");
        assert_eq!(with_notes("new\n", "old\n## Notes\n\nkept\n"), "new\n## Notes\n\nkept\n");
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let report = report(&Results::default());
        assert!(report.contains("| not measured |"));
        assert!(!report.contains("## Storing"));
        assert!(!report.contains("## Cold"));
    }
}
