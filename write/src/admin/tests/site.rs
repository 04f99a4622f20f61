//! An installation with a provider beside it, and a browser that remembers cookies.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backdrop_common::audit::AuditFilter;
use backdrop_common::settings::{ProviderKind, Settings, SignInSettings};
use backdrop_common::storage::{StorageEngine, StorageOptions, open};
use backdrop_common::timestamp::Timestamp;
use backdrop_signon::Running;
use reqwest::redirect::Policy;
use rocket::form::FromForm;
use rocket::http::{ContentType, Cookie, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, post, routes};
use tempfile::TempDir;
use url::Url;

use crate::admin::provider::Timeouts;
use crate::admin::sent_form::Form;
use crate::admin::sign_in::SignIn;
use crate::admin::{Administrator, PageError, SignedIn};
use crate::{WriteApp, build};

/// The port that the app believes to have.
const PORT: u16 = 3039;

/// An installation, its provider and one browser.
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) provider: Arc<Running>,
    pub(super) engine: Arc<dyn StorageEngine>,
    settings: Settings,
    timeouts: Timeouts,
    now: Arc<AtomicI64>,
    folder: Arc<TempDir>,
}

/// What came back, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) clear_site_data: Option<String>,
    pub(super) cookies: Vec<String>,
    pub(super) body: String,
}

#[get("/_user/person")]
fn person(person: Result<SignedIn, PageError>) -> Result<String, PageError> {
    let person = person?;
    let frame = person.frame();
    Ok(format!("{} {} {} {}", person.name, person.email, frame.is_admin, frame.form_token))
}

#[get("/_user/administrator")]
fn administrator(person: Result<Administrator, PageError>) -> Result<String, PageError> {
    Ok(person?.0.name)
}

#[derive(FromForm)]
struct Change {
    form_token: String,
}

#[post("/_user/change", data = "<form>")]
#[expect(clippy::needless_pass_by_value, reason = "Rocket makes it a value")]
fn change(person: Result<SignedIn, PageError>, form: Form<Change>) -> Result<&'static str, PageError> {
    person?.check_form(&form.form_token)?;
    Ok("changed")
}

impl Site {
    pub(super) async fn new(kind: ProviderKind) -> Self {
        Self::with(kind, |_| {}).await
    }

    /// One with other settings than the defaults.
    pub(super) async fn with(kind: ProviderKind, change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(kind, change, Timeouts::default()).await
    }

    /// One that does not wait long for its provider.
    pub(super) async fn impatient(kind: ProviderKind) -> Self {
        let total = Duration::from_secs(1);
        Self::build(kind, |_| {}, Timeouts { total, ..Timeouts::default() }).await
    }

    async fn build(kind: ProviderKind, change: impl FnOnce(&mut Settings), timeouts: Timeouts) -> Self {
        let provider = Running::start().await.expect("a provider");
        let folder = tempfile::tempdir().expect("a folder");
        let mut sign_in = SignInSettings::for_testing(kind, &provider.url());
        sign_in.session_secret = Some("a secret of more than thirty-two characters".into());
        let mut settings = Settings { sign_in: Some(sign_in), ..Settings::default() };
        change(&mut settings);
        let url = format!("sqlite://{}", folder.path().join("backdrop.db").display());
        let url = url.parse().expect("a URL");
        let options: StorageOptions = settings.storage_options();
        let engine = open(&url, &options).await.expect("an engine");
        let now = Arc::new(AtomicI64::new(Timestamp::now().millis()));
        let client = client(&settings, timeouts, &engine, &now).await;
        let (provider, folder) = (Arc::new(provider), Arc::new(folder));
        Self { client, provider, engine, settings, timeouts, now, folder }
    }

    /// Another browser; or the same app after a restart.
    pub(super) async fn another(&self) -> Client {
        client(&self.settings, self.timeouts, &self.engine, &self.now).await
    }

    /// Another browser at the same installation, with a tracker of its own cookies.
    pub(super) async fn beside(site: &Self) -> Self {
        Self {
            client: site.another().await,
            provider: Arc::clone(&site.provider),
            engine: Arc::clone(&site.engine),
            settings: site.settings.clone(),
            timeouts: site.timeouts,
            now: Arc::clone(&site.now),
            folder: Arc::clone(&site.folder),
        }
    }

    /// What the handlers of the app share.
    pub(super) fn app(&self) -> WriteApp {
        WriteApp::new(&self.settings, Arc::clone(&self.engine), PORT)
    }

    /// The same app on another store.
    pub(super) async fn with_store(&self, engine: Arc<dyn StorageEngine>) -> Client {
        client(&self.settings, self.timeouts, &engine, &self.now).await
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    /// The cookie whose name begins so.
    pub(super) fn cookie(&self, name: &str) -> Cookie<'static> {
        let cookies = self.client.cookies();
        cookies.iter().find(|cookie| cookie.name().starts_with(name)).cloned().expect("a cookie")
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        read(self.client.get(path.to_owned()).dispatch().await).await
    }

    pub(super) async fn post(&self, path: &str, form: &str) -> Answer {
        let request = self.client.post(path.to_owned()).header(ContentType::Form).body(form);
        read(request.dispatch().await).await
    }

    /// Sends the form with a file.
    pub(super) async fn upload(&self, path: &str, form_token: Option<&str>, file: &str) -> Answer {
        let token = form_token.map(|token| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n")
        });
        let file = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"weather.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n{file}\r\n--edge--"
        );
        let form_type = ContentType::new("multipart", "form-data").with_params(("boundary", "edge"));
        let body = token.unwrap_or_default() + &file;
        read(self.client.post(path.to_owned()).header(form_type).body(body).dispatch().await).await
    }

    /// Begins to sign in and agrees to it at the provider as a user, or to nothing; answers where the browser
    /// is sent then: a path of ours with its query.
    pub(super) async fn agree(&self, user: Option<&str>) -> String {
        let begun = self.get("/_user/sign_in?back_to=/_user/person").await;
        assert_eq!(begun.status, Status::SeeOther, "{}", begun.body);
        let page = begun.location.expect("an address");
        let user = user.map(|user| format!("&user={user}@example.org")).unwrap_or_default();
        let grant = page.replace("/oauth/authorize?", "/oauth/grant?") + &user;
        let client = reqwest::Client::builder().redirect(Policy::none()).tls_certs_only([]);
        let client = client.build().expect("a client");
        let shown = client.get(&page).send().await.expect("an answer");
        assert_eq!(shown.status(), 200);
        let text = shown.text().await.expect("a page");
        assert!(text.contains("Olive Owner"), "{text}");
        let granted = client.get(grant).send().await.expect("an answer");
        assert_eq!(granted.status(), 303);
        let back = granted.headers()["location"].to_str().expect("an address");
        let back = Url::parse(back).expect("an address");
        assert_eq!(back.port(), Some(PORT));
        format!("{}?{}", back.path(), back.query().expect("a query"))
    }

    /// Signs in as a user.
    pub(super) async fn sign_in(&self, user: &str) -> Answer {
        let back = self.agree(Some(user)).await;
        self.get(&back).await
    }

    /// Signs in as somebody who may.
    pub(super) async fn signed_in(&self, user: &str) {
        let answer = self.sign_in(user).await;
        assert_eq!(answer.location.as_deref(), Some("/_user/person"), "{}", answer.body);
    }

    /// The token of the forms of who is signed in.
    pub(super) async fn form_token(&self) -> String {
        let page = self.get("/_user/person").await.body;
        page.rsplit(' ').next().expect("a token").to_owned()
    }

    /// What is in the audit log, the newest first.
    pub(super) async fn audit(&self) -> Vec<(String, &'static str)> {
        let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
        let lines = self.engine.audit(&filter).await.expect("the audit log");
        lines.into_iter().map(|line| (line.entry.by, line.entry.action.name())).collect()
    }
}

async fn client(
    settings: &Settings,
    timeouts: Timeouts,
    engine: &Arc<dyn StorageEngine>,
    now: &Arc<AtomicI64>,
) -> Client {
    let mut app = WriteApp::new(settings, Arc::clone(engine), PORT);
    let now = Arc::clone(now);
    app.clock =
        Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)).expect("a time of today"));
    app.sign_in = SignIn::new(settings, &app.public_url, timeouts);
    let rocket = build(settings, app, PORT).mount("/", routes![person, administrator, change]);
    Client::tracked(rocket).await.expect("the app")
}

pub(super) async fn read(response: LocalResponse<'_>) -> Answer {
    let header = |name| response.headers().get_one(name).map(str::to_owned);
    Answer {
        status: response.status(),
        location: header("Location"),
        retry_after: header("Retry-After"),
        cache_control: header("Cache-Control"),
        clear_site_data: header("Clear-Site-Data"),
        cookies: response.headers().get("Set-Cookie").map(str::to_owned).collect(),
        body: response.into_string().await.unwrap_or_default(),
    }
}
