//! An installation of Backdrop: a folder and a database of its own, a log, the settings, and what can
//! be started there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::database::{Database, Engine};
use super::program::{App, Program, binaries};

/// The token that deletes a bucket's data.
pub(crate) const MANAGEMENT_TOKEN: &str = "dev-create-endpoint-token";

const LOG: &str = "programs.log";

/// A folder, a database, settings, and nothing that runs.
#[derive(Debug)]
pub(crate) struct Installation {
    database: Database,
    folder: TempDir,
    settings: BTreeMap<String, String>,
    /// How large the files of what is started may become, in bytes.
    file_limit: Option<u64>,
    /// Whether the settings say which ports to listen on, and not the command line.
    ports_are_settings: bool,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    pub(crate) succeeded: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Installation {
    pub(crate) fn new(engine: Engine) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("backdrop-test-").tempdir()?;
        let database = Database::new(engine, folder.path())?;
        let settings = [
            ("BACKDROP_DATABASE_URL", database.url()),
            ("BACKDROP_ADDRESS", "127.0.0.1".to_owned()),
            ("BACKDROP_MANAGEMENT_TOKEN", MANAGEMENT_TOKEN.to_owned()),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { database, folder, settings, file_limit: None, ports_are_settings: false })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a setting of what is started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Bounds how large files may become of what is started from now on.
    #[allow(dead_code, reason = "only the tests of faults need it")]
    pub(crate) fn limit_files(&mut self, bytes: Option<u64>) {
        self.file_limit = bytes;
    }

    /// Leaves a setting at its default.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.remove(name);
    }

    /// Gives the programs their ports by settings.
    pub(crate) fn set_ports(&mut self) {
        self.ports_are_settings = true;
    }

    /// The database, unless a scenario sets another.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// What the programs have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join(LOG)).unwrap_or_default()
    }

    /// Starts an app and waits until it answers.
    pub(crate) async fn start(&self, app: App) -> anyhow::Result<Program> {
        let command = |port: u16| {
            let mut command = self.command(app)?;
            match app.port_setting() {
                Some(setting) if self.ports_are_settings => command.env(setting, port.to_string()),
                _ => command.args(["--port", &port.to_string()]),
            };
            if app == App::Write && self.settings.contains_key("BACKDROP_OAUTH_BASE_URL") {
                command.env("BACKDROP_PUBLIC_URL", format!("http://127.0.0.1:{port}"));
            }
            let log = File::options().create(true).append(true).open(self.folder().join(LOG))?;
            command.stdout(log.try_clone()?).stderr(log);
            Ok(command)
        };
        let started = Program::start(command).await;
        started.with_context(|| format!("{}\n{}", app.binary(), self.log()))
    }

    /// Runs an app to its end, as for `backdrop-write bucket list`.
    pub(crate) async fn run(&self, app: App, arguments: &[&str], input: &str) -> anyhow::Result<Printed> {
        let mut child = self
            .command(app)?
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input may have ended already.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let printed = child.wait_with_output().await?;
        Ok(Printed {
            succeeded: printed.status.success(),
            output: String::from_utf8_lossy(&printed.stdout).into_owned(),
            errors: String::from_utf8_lossy(&printed.stderr).into_owned(),
        })
    }

    /// A program with our settings and none from outside.
    fn command(&self, app: App) -> anyhow::Result<Command> {
        let binary = binaries()?.join(app.binary());
        let mut command = match self.file_limit {
            None => Command::new(binary),
            Some(bytes) => {
                let mut command = Command::new("sh");
                // A write beyond the limit is then an error, and no signal.
                let script = format!("trap '' XFSZ; exec prlimit --fsize={bytes}: \"$@\"");
                command.args(["-c", &script, "sh"]).arg(binary);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BACKDROP_") {
                command.env_remove(name);
            }
        }
        command.envs(&self.settings).current_dir(self.folder());
        Ok(command)
    }
}
