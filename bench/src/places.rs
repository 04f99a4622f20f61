//! Where things are: the programs, the folder for everything that is made, the peers.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The folder of the programs of this build.
    programs: PathBuf,
    /// What is kept from one run to the next, and what is not.
    pub(crate) folder: PathBuf,
}

impl Places {
    /// Those of this build, which must be a release build with both apps.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let programs = program.parent().context("this program is in no folder")?.to_path_buf();
        let target = programs.parent().context("this program is in no target folder")?;
        let places = Self { folder: target.join("bench"), programs };
        std::fs::create_dir_all(&places.folder)?;
        for app in ["backdrop-read", "backdrop-write"] {
            let path = places.program(app);
            ensure!(path.exists(), "{} is missing; bench/run.sh builds everything", path.display());
        }
        Ok(places)
    }

    /// A program of this build.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The Python that has the peers' packages, if there is one.
    pub(crate) fn python(&self) -> Option<PathBuf> {
        Some(self.folder.join("venv/bin/python")).filter(|python| python.exists())
    }

    /// A program of a peer.
    pub(crate) fn peer(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
    }
}
