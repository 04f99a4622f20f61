//! `export` and `restore`.

use std::path::PathBuf;
use std::sync::Arc;

use backdrop_common::storage::StorageEngine;
use backdrop_common::telemetry::tell;
use backdrop_common::timestamp::Timestamp;
use backdrop_common::transfer::{
    self, DatabaseName, ExportOptions, Moved, PlannedBucket, Progress, RestoreOptions, RestorePlan,
    Selection, Step, Watcher,
};
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::print_line;

/// An export to make.
#[derive(Args)]
pub struct Export {
    /// The folder, which must be new or empty.
    dir: PathBuf,
    /// Compress the files.
    #[arg(long)]
    gzip: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// A dump to restore.
#[derive(Args)]
pub struct Restore {
    /// The folder.
    dir: PathBuf,
    /// Empty each bucket of the dump before its records are stored, instead of adding to it.
    #[arg(long)]
    drop: bool,
    /// Check the dump and say what would be done, and store nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// What of a dump is meant.
#[derive(Args)]
struct Chosen {
    /// The database, a folder in the dump.
    #[arg(long, value_name = "NAME", default_value = "backdrop")]
    db: DatabaseName,
    /// This collection only: a bucket with its configuration, "users", or "_audit". Repeatable.
    #[arg(long, value_name = "COLLECTION", value_delimiter = ',')]
    only: Vec<String>,
    /// Not this collection. Repeatable.
    #[arg(long, value_name = "COLLECTION", value_delimiter = ',')]
    exclude: Vec<String>,
}

impl Chosen {
    fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), exclude: self.exclude.clone() }
    }
}

impl Export {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let selection = self.chosen.selection();
        let options = ExportOptions { database: self.chosen.db, gzip: self.gzip, selection };
        let bar = Bar::new();
        let moved = transfer::export(engine, &self.dir, &options, &bar.watcher()).await;
        bar.clear();
        print_line(&format!("exported {} to {}", counted(&moved?), self.dir.display()))
    }
}

impl Restore {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let selection = self.chosen.selection();
        let options = RestoreOptions { database: self.chosen.db, drop: self.drop, selection };
        let bar = Bar::new();
        let plan = transfer::plan(engine, &self.dir, &options, Timestamp::now(), &bar.watcher()).await;
        bar.clear();
        let plan = plan?;
        for (email, bucket) in plan.left_out_grants() {
            tell(format_args!(
                "user {email}: there is no bucket \"{bucket}\", so the grant of it is left out"
            ));
        }
        if self.dry_run {
            return show(&plan, self.drop, &self.dir.display().to_string());
        }
        let moved = transfer::restore(engine, &plan, &bar.watcher()).await;
        bar.clear();
        print_line(&format!("restored {} from {}", counted(&moved?), self.dir.display()))
    }
}

/// Says what would be done.
fn show(plan: &RestorePlan, drop: bool, from: &str) -> anyhow::Result<()> {
    plan.buckets().iter().try_for_each(|bucket| print_line(&line(bucket, drop)))?;
    print_line(&format!("would restore {} from {from}; nothing is stored", counted(&plan.total())))
}

fn line(bucket: &PlannedBucket, drop: bool) -> String {
    let kind = match (bucket.is_new(), drop) {
        (true, _) => "new",
        (false, true) => "exists, would be emptied first",
        (false, false) => "exists",
    };
    format!("{}\t{}\t{kind}", bucket.name(), count(bucket.records(), "record"))
}

/// The audit log is not mentioned where there is none, as in dumps of other programs.
fn counted(Moved { buckets, records, users, audit_entries }: &Moved) -> String {
    let moved =
        format!("{}, {}, {}", count(*buckets, "bucket"), count(*records, "record"), count(*users, "user"));
    match audit_entries {
        0 => moved,
        1 => format!("{moved}, 1 audit entry"),
        more => format!("{moved}, {} audit entries", HumanCount(*more)),
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(number), if number == 1 { "" } else { "s" })
}

/// A bar on standard error; nothing if that is no terminal.
#[derive(Clone)]
struct Bar(ProgressBar);

const KNOWN: &str = "{msg:40!} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg:40!} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}";

impl Bar {
    fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    fn watcher(&self) -> Watcher {
        Arc::new(self.clone())
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&self, step: Step, collection: &str, bytes: Option<u64>) {
        let verb = match step {
            Step::Export => "exporting",
            Step::Verify => "checking",
            Step::Restore => "restoring",
        };
        self.0.reset();
        match bytes {
            Some(bytes) => self.0.set_length(bytes),
            None => self.0.unset_length(),
        }
        let template = if bytes.is_some() { KNOWN } else { UNKNOWN };
        self.0.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        self.0.set_message(format!("{verb} {collection}"));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_words() {
        let moved = Moved { buckets: 1, records: 34_567, users: 0, audit_entries: 0 };
        assert_eq!(counted(&moved), "1 bucket, 34,567 records, 0 users");
        let logged = |audit_entries| counted(&Moved { audit_entries, ..moved });
        assert_eq!(logged(1), "1 bucket, 34,567 records, 0 users, 1 audit entry");
        assert_eq!(logged(1000), "1 bucket, 34,567 records, 0 users, 1,000 audit entries");
    }

    #[test]
    fn templates_are_well_formed() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
