//! Replays the recorded answers of the original Backdrop; `recorded/README.md` says what they are.

#![forbid(unsafe_code)]

mod expected;
#[allow(dead_code, reason = "the feature runner needs more of it")]
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use expected::{Expected, Scope};
use support::database::Engine;
use support::http::{Answer, Client, Request};
use support::installation::Installation;
use support::program::App;

/// A file of recorded answers.
#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    settings: BTreeMap<String, String>,
    buckets: Vec<Json>,
    #[serde(default)]
    load: Vec<Load>,
    cases: Vec<Case>,
}

/// Records to post before the cases, as they were spelled.
#[derive(Deserialize)]
struct Load {
    bucket: String,
    records: Box<RawValue>,
}

/// A request and its recorded answer.
#[derive(Deserialize)]
struct Case {
    id: String,
    app: String,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_b64: Option<String>,
    expect: Expected,
    #[serde(default)]
    quirk: bool,
    quirk_scope: Option<Scope>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded")
}

/// Starts both programs on an empty database, loads a group, and sends its requests in their order.
fn replay(name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let differences = runtime.expect("a runtime").block_on(differences(name)).expect(name);
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

async fn differences(name: &str) -> anyhow::Result<Vec<String>> {
    let group: Group = serde_json::from_slice(&fs::read(folder().join(format!("{name}.json")))?)?;
    let mut installation = Installation::new(Engine::of_this_run()?)?;
    installation.set("BACKDROP_LOG", "warn");
    group.settings.iter().for_each(|(name, value)| installation.set(name, value));
    let buckets = serde_json::to_string(&group.buckets)?;
    let imported = installation.run(App::Write, &["bucket", "import", "-"], &buckets).await?;
    ensure!(imported.succeeded, "bucket import: {}{}", imported.output, imported.errors);
    let (read, write) = (installation.start(App::Read).await?, installation.start(App::Write).await?);
    let clients = Clients { read: Client::new(read.port())?, write: Client::new(write.port())? };
    clients.load(&group).await?;
    let differences = clients.play(&group.cases).await;
    for program in [read, write] {
        program.terminate().await?;
        program.ended().await?;
    }
    differences
}

/// A client of each program.
struct Clients {
    read: Client,
    write: Client,
}

impl Clients {
    async fn load(&self, group: &Group) -> anyhow::Result<()> {
        for Load { bucket, records } in &group.load {
            let config = group.buckets.iter().find(|config| config["name"] == **bucket);
            let token = config.and_then(|config| config["bearer_token"].as_str()).unwrap_or_default();
            let headers = [
                ("Content-Type", "application/json".to_owned()),
                ("Authorization", format!("Bearer {token}")),
            ];
            let answer = self
                .write
                .send(Request {
                    method: Method::POST,
                    path: format!("/{bucket}"),
                    headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
                    body: Some(records.get().as_bytes().to_vec()),
                })
                .await?;
            ensure!(answer.status == 200, "loading {bucket}: {}", answer.text());
        }
        Ok(())
    }

    async fn play(&self, cases: &[Case]) -> anyhow::Result<Vec<String>> {
        let mut tags = HashMap::new();
        let mut differences = Vec::new();
        for case in cases {
            let client = if case.app == "read" { &self.read } else { &self.write };
            let answer = client.send(case.request(&tags)?).await.with_context(|| case.id.clone())?;
            tags.insert(case.id.clone(), answer.header("ETag").unwrap_or_default());
            let found = case.differences(&answer);
            differences.extend(found.into_iter().map(|found| format!("{}: {found}", case.id)));
        }
        Ok(differences)
    }
}

impl Case {
    fn request(&self, tags: &HashMap<String, String>) -> anyhow::Result<Request> {
        let body = match (&self.body_b64, &self.body) {
            (Some(encoded), _) => Some(STANDARD.decode(encoded)?),
            (None, body) => body.as_ref().map(|body| body.clone().into_bytes()),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), with_tags(value, tags)));
        Ok(Request {
            method: Method::from_bytes(self.method.as_bytes())?,
            path: self.path.clone(),
            headers: headers.collect(),
            body,
        })
    }

    /// What is wrong with an answer.
    fn differences(&self, answer: &Answer) -> Vec<String> {
        if self.quirk && self.quirk_scope.is_none() {
            let failed = answer.status >= 500;
            return failed
                .then(|| format!("status {}: {}", answer.status, answer.text()))
                .into_iter()
                .collect();
        }
        if answer.status != self.expect.status {
            let (got, expected) = (answer.status, self.expect.status);
            return vec![format!("status {got}, expected {expected}: {}", answer.text())];
        }
        let mut differences: Vec<_> =
            self.expect.json_differences(self.quirk_scope, answer).into_iter().collect();
        if self.quirk_scope.is_none() {
            differences.extend(self.expect.text_differences(answer));
        }
        differences.extend(self.expect.header_differences(answer));
        differences
    }
}

/// Puts the tags of earlier answers into a header.
fn with_tags(value: &str, tags: &HashMap<String, String>) -> String {
    let Some((before, rest)) = value.split_once("{etag:") else { return value.to_owned() };
    let Some((id, after)) = rest.split_once('}') else { return value.to_owned() };
    let tag = tags.get(id).map_or("\"none\"", String::as_str);
    format!("{before}{tag}{}", with_tags(after, tags))
}

/// A test for each file, so that each is reported by itself.
macro_rules! groups {
    ($($group:ident)*) => {
        $(
            #[test]
            fn $group() {
                replay(stringify!($group));
            }
        )*

        const GROUPS: &[&str] = &[$(stringify!($group)),*];
    };
}

groups! {
    csv decisions ferry gaps loans mixed offsets sensors spans status_ok status_one_stale validation visibility
    write_auth write_auto_ids write_basic write_modify write_records write_times
}

#[test]
fn every_file_is_replayed() {
    let files = fs::read_dir(folder()).expect("the folder").map(|file| file.expect("a file").path());
    let groups = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    let groups: BTreeSet<_> =
        groups.filter_map(|file| file.file_stem().map(|name| name.to_string_lossy().into_owned())).collect();
    assert_eq!(groups, GROUPS.iter().map(ToString::to_string).collect());
}
