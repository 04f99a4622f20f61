//! The scenarios that are about one engine only, and why.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cucumber::gherkin::Scenario;

use crate::support::database::Engine;

/// Each has the tag of the engine that it is about; with the others it is left out.
const SKIPS: &[(Engine, &str, &str)] = &[
    (Engine::Mongo, "A database of the original Backdrop", "the original kept everything in MongoDB"),
    (Engine::Sqlite, "A database in a folder that is not there yet", "it is about where the file is"),
    (
        Engine::Sqlite,
        "By default the database is in the folder where the programs are started",
        "it is about where the file is",
    ),
];

/// Leaves out what is not for an engine, and keeps account of it.
#[derive(Clone, Debug)]
pub(crate) struct Skips {
    engine: Engine,
    met: Arc<Mutex<BTreeSet<String>>>,
}

impl Skips {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, met: Arc::default() }
    }

    /// Whether a scenario is to be left out, which is said with its reason.
    pub(crate) fn leaves_out(&self, scenario: &Scenario) -> bool {
        let Some(only) = only_engine(scenario) else { return false };
        self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(scenario.name.clone());
        let reason = SKIPS.iter().find(|(engine, title, _)| *engine == only && *title == scenario.name);
        match reason {
            Some((_, title, reason)) if only != self.engine => {
                println!("left out: {title}: {reason}");
                true
            }
            _ => false,
        }
    }

    /// What is listed here and not tagged in the feature files, or tagged and not listed.
    pub(crate) fn differences(&self) -> Vec<String> {
        let listed: BTreeSet<_> = SKIPS.iter().map(|(_, title, _)| (*title).to_owned()).collect();
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.symmetric_difference(&listed).cloned().collect()
    }
}

/// The engine whose tag a scenario has.
fn only_engine(scenario: &Scenario) -> Option<Engine> {
    scenario.tags.iter().find_map(|tag| match tag.as_str() {
        "sqlite" => Some(Engine::Sqlite),
        "mongodb" => Some(Engine::Mongo),
        _ => None,
    })
}
