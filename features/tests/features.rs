//! Runs the feature files against the real programs over HTTP.
//!
//! `cargo test -p backdrop-features --test features -- TEXT` runs only the scenarios whose title, or
//! whose feature's title, holds the text; `-- @browser` runs those with that tag.

#![forbid(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "steps are given what was parsed by value")]

mod steps {
    mod bounds;
    mod browser;
    mod connections;
    mod explorer;
    mod given;
    mod load;
    mod operator;
    mod original;
    mod sign_in;
    mod stored;
    mod then;
    mod transfer;
    mod when;
    mod write;
}
#[path = "support/browser.rs"]
mod browser;
mod skips;
mod support;
mod table;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use cucumber::World as _;
use cucumber::event::ScenarioFinished;
use cucumber::writer::Stats as _;

use crate::skips::Skips;
use crate::support::database::Engine;
use crate::world::BackdropWorld;

/// How many lines of the programs' log are shown of a scenario that failed.
const LOG_LINES: usize = 30;
/// Each has two programs of its own, on machines with few cores.
const SCENARIOS_AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let engine = match support::program::binaries().and_then(|_| Engine::of_this_run()) {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let skips = Skips::new(engine);
    // What libtest would be given: options, of which none matters here, and a filter.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let logs = Arc::new(Mutex::new(Vec::new()));
    let ran = BackdropWorld::cucumber()
        .max_concurrent_scenarios(SCENARIOS_AT_ONCE)
        .after({
            let logs = Arc::clone(&logs);
            move |_, _, scenario, finished, world| {
                let logs = Arc::clone(&logs);
                Box::pin(async move {
                    let Some(world) = world else { return };
                    if let ScenarioFinished::StepFailed(..) = finished {
                        let log = end_of(&world.installation.log()).to_owned();
                        let log = format!("the end of the programs' log of \"{}\":\n{log}", scenario.name);
                        logs.lock().unwrap_or_else(PoisonError::into_inner).push(log);
                        world.photograph_failure(&scenario.name).await;
                    }
                    world.end().await.expect("the programs end when they are told to");
                })
            }
        })
        // What failed is told once more at the end, since of a long run that is what is seen.
        .repeat_failed()
        .fail_on_skipped()
        .with_default_cli()
        .filter_run(env!("CARGO_MANIFEST_DIR"), {
            let (only, skips) = (only.clone(), skips.clone());
            move |feature, _, scenario| {
                let tags = || feature.tags.iter().chain(&scenario.tags);
                let is_tagged = || only.strip_prefix('@').is_some_and(|only| tags().any(|tag| tag == only));
                let is_meant = feature.name.contains(&only) || scenario.name.contains(&only) || is_tagged();
                is_meant && !skips.leaves_out(scenario)
            }
        })
        .await;
    if let Err(error) = browser::end_driver().await {
        eprintln!("chromedriver does not end: {error:#}");
    }
    let scenarios = *ran.scenarios_stats();
    let failed = scenarios.failed + scenarios.skipped + ran.parsing_errors() + ran.hook_errors();
    for log in logs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        eprintln!("{log}");
    }
    println!("{} passed, {failed} failed", scenarios.passed);
    if only.is_empty() && !skips.differences().is_empty() {
        eprintln!("either listed in skips.rs or tagged, but not both: {:?}", skips.differences());
        return ExitCode::FAILURE;
    }
    if ran.execution_has_failed() || failed > 0 || scenarios.passed == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The last lines of a log.
fn end_of(log: &str) -> &str {
    let begin = log.trim_end().rmatch_indices('\n').nth(LOG_LINES - 1).map_or(0, |(at, _)| at + 1);
    &log[begin..]
}
