//! A client of one program, and its answers.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, redirect};
use serde_json::Value as Json;

/// No answer of a test takes as long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Talks to the program on a port.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    port: u16,
}

/// A request, but for the program that it goes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(port: u16) -> anyhow::Result<Self> {
        // A connection that is kept open would outlive the program that it leads to, and nothing
        // here is to leave this machine.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { http, port })
    }

    /// Where a path of the program is.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Request { path: path.to_owned(), ..Request::default() }).await
    }

    pub(crate) async fn send(&self, request: Request) -> anyhow::Result<Answer> {
        let Request { method, path, headers, body } = request;
        let mut sent = self.http.request(method, self.address(&path));
        for (name, value) in &headers {
            sent = sent.header(HeaderName::try_from(name)?, HeaderValue::from_bytes(value.as_bytes())?);
        }
        if let Some(body) = body {
            sent = sent.body(body);
        }
        let answer = sent.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> anyhow::Result<Json> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}
