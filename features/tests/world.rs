//! The state of a scenario: an installation of its own, the programs once they are needed, and what
//! they last said.
//!
//! A bucket "foo" is at `/foo` and `/data/foo/records`, takes the token `tok-foo` and allows raw
//! queries, unless the scenario sets something else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cucumber::World;
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use tokio::net::TcpStream;

use crate::browser::Browser;
use crate::support::database::Engine;
use crate::support::http::{Answer, Client, Request};
use crate::support::installation::{Installation, Printed};
use crate::support::program::{App, Program};

/// What a scenario has made and seen.
#[derive(Debug, World)]
#[world(init = Self::new)]
pub(crate) struct BackdropWorld {
    // The programs end before the database goes.
    read: Option<Program>,
    write: Option<Program>,
    signon: Option<Program>,
    browser: Option<Browser>,
    pub(crate) installation: Installation,
    buckets: Vec<Json>,
    answer: Option<Answer>,
    /// The last `ETag` of an answer.
    pub(crate) tag: Option<String>,
    pub(crate) printed: Option<Printed>,
    /// The ids of records whose posts were answered with 200.
    pub(crate) acknowledged: Vec<String>,
    /// When records were written, as an operator noted it.
    pub(crate) noted: Vec<String>,
    /// Connections that odd clients keep open.
    pub(crate) connections: Vec<TcpStream>,
    /// What an app said to such a client.
    pub(crate) said: String,
}

impl BackdropWorld {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            read: None,
            write: None,
            signon: None,
            browser: None,
            installation: Installation::new(Engine::of_this_run()?)?,
            buckets: Vec::new(),
            answer: None,
            tag: None,
            printed: None,
            acknowledged: Vec::new(),
            noted: Vec::new(),
            connections: Vec::new(),
            said: String::new(),
        })
    }

    /// A client of an app, which is started if it does not run yet.
    pub(crate) async fn client(&mut self, app: App) -> anyhow::Result<Client> {
        let program = match self.running(app).take() {
            Some(running) => running,
            None => self.installation.start(app).await?,
        };
        Client::new(self.running(app).insert(program).port())
    }

    /// Tells an app to end, and leaves the waiting to the caller.
    pub(crate) async fn terminate(&mut self, app: App) -> anyhow::Result<Program> {
        let program = self.running(app).take().context("the program does not run")?;
        program.terminate().await?;
        Ok(program)
    }

    fn running(&mut self, app: App) -> &mut Option<Program> {
        match app {
            App::Read => &mut self.read,
            App::Write => &mut self.write,
            App::Signon => &mut self.signon,
        }
    }

    /// Ends an app as a crash does.
    pub(crate) async fn kill(&mut self, app: App) -> anyhow::Result<()> {
        self.running(app).take().context("the program does not run")?.kill().await
    }

    /// The browser, which is opened if it is not yet.
    pub(crate) async fn browser(&mut self) -> anyhow::Result<&Browser> {
        let browser = match self.browser.take() {
            Some(open) => open,
            None => Browser::open(self.installation.folder()).await?,
        };
        Ok(self.browser.insert(browser))
    }

    /// Starts the provider that people sign in at, if it does not run yet, and has the write app use it.
    pub(crate) async fn start_provider(&mut self) -> anyhow::Result<()> {
        if self.signon.is_some() {
            return Ok(());
        }
        let address = self.client(App::Signon).await?.address("");
        for (name, value) in [
            ("BACKDROP_OAUTH_BASE_URL", &*address),
            ("BACKDROP_OAUTH_CLIENT_ID", "backdrop"),
            ("BACKDROP_OAUTH_CLIENT_SECRET", "dev-secret"),
        ] {
            self.installation.set(name, value);
        }
        if self.write.is_some() {
            // It is started again with these settings once it is needed.
            self.terminate(App::Write).await?.ended().await?;
        }
        Ok(())
    }

    /// Ends what runs.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        let closed = match self.browser.take() {
            Some(browser) => browser.close().await,
            None => Ok(()),
        };
        let running = [self.read.take(), self.write.take(), self.signon.take()];
        let running: Vec<_> = running.into_iter().flatten().collect();
        for program in &running {
            program.terminate().await?;
        }
        for program in running {
            program.ended().await?;
        }
        closed
    }

    /// Keeps a picture of what somebody would have seen when a step failed.
    pub(crate) async fn photograph_failure(&self, scenario: &str) {
        let Some(browser) = &self.browser else { return };
        let name = scenario.replace(|char: char| !char.is_ascii_alphanumeric(), "-");
        if let Err(error) = browser.keep_picture(&format!("failed-{name}")).await {
            eprintln!("no picture of \"{scenario}\": {error:#}");
        }
    }

    /// Sends a request and keeps the answer.
    pub(crate) async fn send(&mut self, app: App, request: Request) -> anyhow::Result<()> {
        let client = self.client(app).await?;
        let answer = client.send(request).await?;
        self.tag = answer.header("ETag").or(self.tag.take());
        self.answer = Some(answer);
        Ok(())
    }

    /// The last answer.
    pub(crate) fn answer(&self) -> anyhow::Result<&Answer> {
        self.answer.as_ref().context("nothing was asked yet")
    }

    /// What the last command printed.
    pub(crate) fn printed(&self) -> anyhow::Result<&Printed> {
        self.printed.as_ref().context("no command was run")
    }

    /// What is under `data` in the last answer.
    pub(crate) fn data(&self) -> anyhow::Result<Vec<Json>> {
        let answer = self.answer()?;
        let data = answer.json()?["data"].as_array().cloned();
        data.with_context(|| format!("no data but status {}: {}", answer.status, answer.text()))
    }

    /// What a bucket that allows raw queries holds; the last answer stays.
    pub(crate) async fn stored(&mut self, bucket: &str) -> anyhow::Result<Vec<Json>> {
        let answer = self.client(App::Read).await?.get(&format!("/{bucket}")).await?;
        ensure!(answer.status == 200, "reading {bucket}: {}", answer.text());
        Ok(answer.json()?["data"].as_array().cloned().unwrap_or_default())
    }

    /// The ids of what a bucket holds.
    pub(crate) async fn stored_ids(&mut self, bucket: &str) -> anyhow::Result<Vec<String>> {
        Ok(ids_of(&self.stored(bucket).await?))
    }

    /// Creates a bucket, with some settings of its own.
    pub(crate) async fn create_bucket(
        &mut self,
        name: &str,
        settings: &[(&str, Json)],
    ) -> anyhow::Result<()> {
        let config = json!({
            "name": name,
            "data_group": name,
            "data_type": "records",
            "bearer_token": format!("tok-{name}"),
            "raw_queries_allowed": true,
        });
        let mut config: Map<String, Json> = serde_json::from_value(config)?;
        config.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.buckets.push(Json::Object(config.clone()));
        let seed = json!([config]).to_string();
        let printed = self.installation.run(App::Write, &["bucket", "import", "-"], &seed).await?;
        ensure!(printed.succeeded, "bucket import: {}", printed.errors);
        Ok(())
    }

    /// The headers of somebody who may write to a path, and writes JSON.
    pub(crate) fn write_headers(&self, path: &str) -> Vec<(String, String)> {
        let token = self.token(path);
        let headers =
            [("Content-Type", "application/json".to_owned()), ("Authorization", format!("Bearer {token}"))];
        headers.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The token of the bucket that a path leads to.
    fn token(&self, path: &str) -> String {
        let mut segments = path.trim_start_matches('/').split('/');
        let (key, value) = match segments.next() {
            Some("data") => ("data_group", segments.next()),
            name => ("name", name),
        };
        let value = value.unwrap_or_default();
        let bucket = self.buckets.iter().find(|bucket| bucket[key] == value);
        let token = bucket.and_then(|bucket| bucket["bearer_token"].as_str());
        token.map_or_else(|| format!("tok-{value}"), str::to_owned)
    }

    /// Stores records that a scenario starts with.
    pub(crate) async fn load(&mut self, bucket: &str, records: String) -> anyhow::Result<()> {
        let path = format!("/{bucket}");
        let headers = self.write_headers(&path);
        let request = Request { method: Method::POST, path, headers, body: Some(records.into_bytes()) };
        let answer = self.client(App::Write).await?.send(request).await?;
        ensure!(answer.status == 200, "loading {bucket}: {}", answer.text());
        Ok(())
    }
}

/// The ids of records; of a record without one, an empty one.
pub(crate) fn ids_of(records: &[Json]) -> Vec<String> {
    records.iter().map(|record| record["_id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The records of a fixture.
pub(crate) fn fixture(name: &str) -> anyhow::Result<String> {
    let file = fixture_path(name);
    fs::read_to_string(&file).with_context(|| format!("no fixture {}", file.display()))
}

/// Where a fixture is.
pub(crate) fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A header that a step gives as one text.
pub(crate) fn name_and_value(header: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = header.split_once(": ").with_context(|| format!("no header: {header}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
