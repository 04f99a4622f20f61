//! Signing in with a certified provider that is not ours: `oidc-provider` from npm, which
//! tools/install-oidc-provider.sh installs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use backdrop_common::settings::ProviderKind;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use rocket::async_test;
use rocket::http::Status;
use url::Url;

use super::site::Site;

/// Names the folder that it is installed in; then it must be there.
const FOLDER: &str = "BACKDROP_TEST_OIDC_PROVIDER";
/// Where the app believes to be.
const PUBLIC_URL: &str = "http://127.0.0.1:3039";

/// The provider, a process that ends with this.
struct Peer {
    process: Child,
    /// It would end if nobody could read what it says.
    _output: BufReader<ChildStdout>,
    issuer: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Peer {
    /// Starts it, where it is installed or must be.
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let named = std::env::var_os(FOLDER).map(PathBuf::from);
        let folder = named.clone().unwrap_or_else(|| root.join("target/oidc-provider"));
        if named.is_none() && !folder.join("node_modules").is_dir() {
            eprintln!("skipped: run tools/install-oidc-provider.sh to test with oidc-provider");
            return None;
        }
        let mut process = Command::new("node")
            .arg(root.join("features/support/oidc-provider/server.mjs"))
            .arg(folder)
            .arg(PUBLIC_URL)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut said = output.by_ref().lines().map_while(Result::ok);
        let issuer = said.find(|line| line.starts_with("http://127.0.0.1:"));
        Some(Self { process, _output: output, issuer: issuer.expect("its address") })
    }
}

/// What a browser does at the provider: follows redirects, and keeps cookies.
struct Visitor {
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn new() -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).tls_certs_only([]).build();
        Self { client: client.expect("a client"), cookies: BTreeMap::new() }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("text").split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn cookies(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Sends a form, or asks for a page, and follows until there is a page or the way leads back to us.
    /// Answers where that is, and the page.
    async fn go(&mut self, address: &str, form: Option<String>) -> (Url, String) {
        let mut url = Url::parse(address).expect("an address");
        let mut form = form;
        for _ in 0..10 {
            if url.as_str().starts_with(PUBLIC_URL) {
                return (url, String::new());
            }
            let request = match form.take() {
                Some(form) => self
                    .client
                    .post(url.clone())
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .body(form),
                None => self.client.get(url.clone()),
            };
            let answer = request.header(COOKIE, self.cookies()).send().await.expect("an answer");
            self.keep(answer.headers());
            match answer.headers().get(LOCATION) {
                Some(to) => url = url.join(to.to_str().expect("text")).expect("an address"),
                None => return (url, answer.text().await.expect("a page")),
            }
        }
        panic!("no end of redirects at {url}");
    }
}

async fn sign_in(site: &Site, visitor: &mut Visitor) {
    let begun = site.get("/_user/sign_in?back_to=/_user/person").await;
    let (back, page) = visitor.go(&begun.location.expect("an address"), None).await;
    assert!(page.is_empty(), "{back}: {page}");
    let back = format!("{}?{}", back.path(), back.query().expect("a query"));
    let answer = site.get(&back).await;
    assert_eq!(answer.location.as_deref(), Some("/_user/person"), "{}", answer.body);
}

#[async_test]
async fn people_sign_in_stay_and_sign_out_with_a_certified_provider() {
    let Some(peer) = Peer::start() else { return };
    let issuer = peer.issuer.clone();
    let set = |settings: &mut backdrop_common::settings::Settings| {
        let sign_in = settings.sign_in.as_mut().expect("a provider");
        sign_in.base_url = issuer.parse().expect("a URL");
    };
    let site = Site::with(ProviderKind::Oidc, set).await;
    let mut visitor = Visitor::new();
    sign_in(&site, &mut visitor).await;
    // Each check takes a refresh token, and gets the next.
    for _ in 0..3 {
        let page = site.get("/_user/person").await;
        assert!(page.body.starts_with("Ann Admin ann@example.org true "), "{}", page.body);
        site.pass(301);
    }
    assert_eq!(site.get("/_user/administrator").await.status, Status::Ok);

    let elsewhere = site.get("/_user/sign_out").await.location.expect("an address");
    assert!(elsewhere.starts_with(&peer.issuer) && elsewhere.contains("id_token_hint=ey"), "{elsewhere}");
    let (asked, page) = visitor.go(&elsewhere, None).await;
    let (_, xsrf) = page.split_once("name=\"xsrf\" value=\"").unwrap_or_else(|| panic!("{asked}: {page}"));
    let form = format!("xsrf={}&logout=yes", xsrf.split('"').next().expect("a value"));
    let (back, page) = visitor.go(&format!("{}/session/end/confirm", peer.issuer), Some(form)).await;
    assert_eq!(back.path(), "/_user/signed_out", "{back}: {page}");
    assert_eq!(site.get("/_user/person").await.status, Status::SeeOther);
}
