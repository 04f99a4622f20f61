//! `migrate`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use backdrop_common::storage::{Migration, MigrationMode, StorageEngine};
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::print_line;

/// Bringing a database up to date.
#[derive(Args)]
pub struct Migrate {
    /// Say what there is to do, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

const TEMPLATE: &str = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";

impl Migrate {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let mode = if self.dry_run { MigrationMode::DryRun } else { MigrationMode::Run };
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        // The last that was told of each.
        let told = Mutex::new(BTreeMap::new());
        let report = |migration: Migration| {
            bar.set_length(migration.total);
            bar.set_position(migration.done);
            bar.set_message(migration.name);
            told.lock().unwrap_or_else(PoisonError::into_inner).insert(migration.number, migration);
        };
        let migrated = engine.migrate(mode, &report).await;
        bar.finish_and_clear();
        let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What was done before an error stays done, so it is said.
        told.values().try_for_each(|migration| print_line(&line(*migration, mode)))?;
        migrated?;
        print_line(summary(told.is_empty(), mode))
    }
}

fn line(migration: Migration, mode: MigrationMode) -> String {
    let Migration { number, name, done, total } = migration;
    let count = match mode {
        MigrationMode::DryRun => format!("{} to do", HumanCount(total)),
        MigrationMode::Run => format!("{} of {} done", HumanCount(done), HumanCount(total)),
    };
    format!("{number}\t{name}\t{count}")
}

fn summary(is_up_to_date: bool, mode: MigrationMode) -> &'static str {
    match (is_up_to_date, mode) {
        (true, _) => "the database is up to date",
        (false, MigrationMode::DryRun) => "nothing is done yet; run it without --dry-run",
        (false, MigrationMode::Run) => "the database is up to date now",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        let migration =
            Migration { number: 2, name: "give records their periods", done: 1000, total: 34_567 };
        assert_eq!(line(migration, MigrationMode::DryRun), "2\tgive records their periods\t34,567 to do");
        assert_eq!(
            line(migration, MigrationMode::Run),
            "2\tgive records their periods\t1,000 of 34,567 done"
        );
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
