//! A browser, as a person uses it: what is on a page is found by the words that are on it.
//!
//! One chromedriver serves all scenarios of a run; each that needs a browser has one of its own, with
//! nothing in it from before. Waiting is for a condition, never for a time.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/pictures.rs"]
mod pictures;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebElement};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

pub(crate) use driver::end as end_driver;

/// How long something may take to be on the page: much longer than it does, for machines that are busy.
const WAIT: Duration = Duration::from_secs(30);
/// How long to wait before looking again.
const POLL: Duration = Duration::from_millis(20);
/// How often a browser is started before it counts as one that does not start.
const ATTEMPTS: u32 = 3;
/// More would have no processor to run on.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
];

/// What to look for on a page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Field,
    Button,
    Link,
}

/// Words on the page, and where there are more with the same, some that are beside those that are meant:
/// in the same row, list item, card, or form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    pub(crate) beside: Option<&'a str>,
}

impl<'a> From<&'a str> for Words<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, beside: None }
    }
}

/// A table as it is shown.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct ShownTable {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A browser with one page. It has to be closed.
pub(crate) struct Browser {
    driver: WebDriver,
    _one_of_few: SemaphorePermit<'static>,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Browser")
    }
}

impl Browser {
    /// Starts a browser that keeps what it keeps in a folder.
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let one_of_few = AT_ONCE.acquire().await?;
        let mut attempt = 1;
        let driver = loop {
            match connect(&folder.join(format!("browser-{attempt}"))).await {
                Ok(driver) => break driver,
                // On a busy machine a browser may fail to start.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.context("no browser starts")),
            }
        };
        Ok(Self { driver, _one_of_few: one_of_few })
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.driver.quit().await?)
    }

    /// Opens an address, and waits until the page is there.
    pub(crate) async fn go_to(&self, address: &str) -> anyhow::Result<()> {
        Ok(self.driver.goto(address).await?)
    }

    /// Where the browser is: the path with the query, without what comes after `#`.
    pub(crate) async fn path(&self) -> anyhow::Result<String> {
        let address = self.driver.current_url().await?;
        let query = address.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(format!("{}{query}", address.path()))
    }

    /// Presses a button, and waits until the page is there that it leads to.
    pub(crate) async fn press(&self, words: Words<'_>) -> anyhow::Result<()> {
        self.click(Kind::Button, words).await
    }

    /// Follows a link, and waits until the page is there that it leads to.
    pub(crate) async fn follow(&self, words: Words<'_>) -> anyhow::Result<()> {
        self.click(Kind::Link, words).await
    }

    /// The driver waits for the next page only if it has begun to load when the click is done, which on a busy
    /// machine it may not have. So the page is marked before, and left once the mark is gone.
    async fn click(&self, kind: Kind, words: Words<'_>) -> anyhow::Result<()> {
        let leads_away = Cell::new(false);
        eventually(async || {
            // A click may fail after it was done, because it was.
            if leads_away.get() && self.has_left().await? {
                return Ok(());
            }
            let element = self.find(kind, words).await?;
            let marked =
                self.driver.execute(include_str!("browser/mark.js"), vec![element.to_json()?]).await?;
            leads_away.set(marked.convert()?);
            Ok(element.click().await?)
        })
        .await?;
        if !leads_away.get() {
            return Ok(());
        }
        eventually(async || {
            let text = words.text;
            if !self.has_left().await? {
                bail!("\"{text}\" leads nowhere; the page says: {}", self.text().await?);
            }
            let is_whole: bool = self.ask("return document.readyState === 'complete';").await?;
            ensure!(is_whole, "the page that \"{text}\" leads to is not there yet");
            Ok(())
        })
        .await
    }

    /// Whether the page is another one than that which was marked.
    async fn has_left(&self) -> anyhow::Result<bool> {
        self.ask("return !window.isMarked;").await
    }

    pub(crate) async fn fill_in(&self, words: Words<'_>, text: &str) -> anyhow::Result<()> {
        let fill_in = async |field: WebElement| {
            field.clear().await?;
            Ok(field.send_keys(text).await?)
        };
        self.act(Kind::Field, words, fill_in).await
    }

    pub(crate) async fn choose_file(&self, words: Words<'_>, file: &Path) -> anyhow::Result<()> {
        ensure!(file.is_file(), "there is no file {}", file.display());
        let path = file.display().to_string();
        self.act(Kind::Field, words, async |field| Ok(field.send_keys(path.as_str()).await?)).await
    }

    /// Ticks a box, or takes the tick away; one that is so already is left alone.
    pub(crate) async fn tick(&self, words: Words<'_>, ticked: bool) -> anyhow::Result<()> {
        let tick = async |field: WebElement| {
            if field.is_selected().await? != ticked {
                field.click().await?;
            }
            Ok(())
        };
        self.act(Kind::Field, words, tick).await
    }

    /// Chooses one of a list by the text that is shown for it.
    pub(crate) async fn choose(&self, words: Words<'_>, option: &str) -> anyhow::Result<()> {
        let choose = async |field: WebElement| {
            let script = "const [field, wanted] = arguments;
                return [...field.options].find(option => option.text.trim() === wanted) ?? null;";
            let found = self.driver.execute(script, vec![field.to_json()?, json!(option)]).await?;
            let option = found.element().with_context(|| format!("there is no choice \"{option}\""))?;
            Ok(option.click().await?)
        };
        self.act(Kind::Field, words, choose).await
    }

    /// What a field holds: its text, the text of what is chosen, or whether it is ticked.
    pub(crate) async fn value(&self, words: Words<'_>) -> anyhow::Result<String> {
        let field = self.find(Kind::Field, words).await?;
        let script = "const [field] = arguments;
            if (field.type === 'checkbox' || field.type === 'radio') return field.checked ? 'ticked' : '';
            return field.options ? field.selectedOptions[0]?.text.trim() ?? '' : field.value;";
        Ok(self.driver.execute(script, vec![field.to_json()?]).await?.convert()?)
    }

    /// All text that is shown, with single spaces.
    pub(crate) async fn text(&self) -> anyhow::Result<String> {
        self.ask("return document.body.innerText.replace(/\\s+/g, ' ').trim();").await
    }

    /// The text of the one thing that a selector finds.
    pub(crate) async fn text_of(&self, selector: &str) -> anyhow::Result<String> {
        let script = "return document.querySelector(arguments[0])?.innerText.trim() ?? null;";
        let found = self.driver.execute(script, vec![json!(selector)]).await?;
        found.convert::<Option<String>>()?.with_context(|| format!("there is no {selector} on the page"))
    }

    /// Gives hidden fields of a name another value, as somebody does who makes up a form. Says how many.
    pub(crate) async fn forge(&self, name: &str) -> anyhow::Result<usize> {
        let script = "const fields = document.getElementsByName(arguments[0]);
            fields.forEach(field => { field.value = 'forged'; });
            return fields.length;";
        Ok(self.driver.execute(script, vec![json!(name)]).await?.convert()?)
    }

    /// Whether the browser would send a cookie with the page.
    pub(crate) async fn has_cookie(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.driver.get_all_cookies().await?.iter().any(|cookie| cookie.name == name))
    }

    pub(crate) async fn heading(&self) -> anyhow::Result<String> {
        self.ask("return document.querySelector('h1')?.innerText.replace(/\\s+/g, ' ').trim() ?? '';").await
    }

    pub(crate) async fn tables(&self) -> anyhow::Result<Vec<ShownTable>> {
        self.ask(include_str!("browser/tables.js")).await
    }

    /// What a script that is given nothing returns.
    async fn ask<T: DeserializeOwned>(&self, script: &str) -> anyhow::Result<T> {
        Ok(self.driver.execute(script, Vec::<Json>::new()).await?.convert()?)
    }

    async fn find(&self, kind: Kind, words: Words<'_>) -> anyhow::Result<WebElement> {
        let kind_name = match kind {
            Kind::Field => "field",
            Kind::Button => "button",
            Kind::Link => "link",
        };
        let arguments = vec![json!(kind_name), json!(words.text), json!(words.beside)];
        let found = self.driver.execute(include_str!("browser/find.js"), arguments).await?;
        if found.json().is_null() {
            bail!("there is no {kind_name} \"{}\" on the page; it says: {}", words.text, self.text().await?);
        }
        Ok(found.element()?)
    }

    /// Does something with what words are on, as soon as it can be done.
    async fn act(
        &self,
        kind: Kind,
        words: Words<'_>,
        action: impl AsyncFn(WebElement) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        eventually(async || action(self.find(kind, words).await?).await).await
    }
}

async fn connect(folder: &Path) -> anyhow::Result<WebDriver> {
    let server = driver::address().await?;
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(driver::CHROMIUM)?;
    for argument in ARGUMENTS {
        capabilities.add_arg(argument)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", folder.display()))?;
    let http = reqwest::Client::builder().no_proxy().timeout(4 * WAIT).build()?;
    Ok(WebDriver::builder(server, capabilities).client(http).connect().await?)
}

/// Tries something until it succeeds, or has not for too long.
pub(crate) async fn eventually<T>(attempt: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + WAIT;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(POLL).await,
        }
    }
}
