//! `check`.

use std::sync::Arc;

use anyhow::bail;
use backdrop_common::storage::{CheckStep, Checked, StorageEngine};
use clap::Args;

use super::print_line;
use super::transfer::{Bar, count};

/// A check of the store.
#[derive(Args)]
pub struct Check {}

/// What to do about damage.
const ADVICE: &str = "restore what is damaged from a backup (docs/operate/backup.md). Until then, `backdrop-write export \
                      --exclude BUCKET` keeps the buckets that are right";

impl Check {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let bar = Bar::new();
        let shown = bar.clone();
        let checked = engine
            .check(Arc::new(move |step| match step {
                CheckStep::Begin(part, bytes) => shown.show(format!("checking {part}"), bytes),
                CheckStep::Advance(bytes) => shown.advance_by(bytes),
            }))
            .await;
        bar.clear();
        let checked = checked?;
        checked.iter().try_for_each(|part| print_line(&line(part)))?;
        let damaged = checked.iter().filter(|part| !part.faults.is_empty()).count();
        match damaged {
            0 => print_line("everything is as it was stored"),
            1 => bail!("1 part is damaged: {ADVICE}"),
            more => bail!("{more} parts are damaged: {ADVICE}"),
        }
    }
}

fn line(Checked { part, read, faults }: &Checked) -> String {
    let read = match part.as_str() {
        "the file" => count(*read, "page"),
        "the buckets" => count(*read, "bucket"),
        "the users" => count(*read, "user"),
        "the audit log" => count(*read, "line"),
        _ => count(*read, "record"),
    };
    if faults.is_empty() {
        return format!("{part}\t{read}\tright");
    }
    format!("{part}\t{read}\tDAMAGED: {}", faults.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(part: &str, read: u64, faults: &[&str], expected: &str) {
        let faults = faults.iter().map(ToString::to_string).collect();
        assert_eq!(line(&Checked { part: part.to_owned(), read, faults }), expected);
    }

    #[test]
    fn what_is_told() {
        check("bucket \"foo\"", 34_567, &[], "bucket \"foo\"\t34,567 records\tright");
        check("the audit log", 1, &[], "the audit log\t1 line\tright");
        check("the file", 9, &["one", "two"], "the file\t9 pages\tDAMAGED: one; two");
    }
}
