//! How a page looks, on a telephone and on a desk, and whether everybody can use it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Browser;

/// The widths that pictures are taken at.
const WIDTHS: [u32; 2] = [360, 1280];
/// Higher pages are cut off.
const HEIGHT: f64 = 6000.0;

/// Something that keeps somebody from using a page.
#[derive(Debug, Deserialize)]
struct Violation {
    id: String,
    impact: Option<String>,
    help: String,
    nodes: Vec<Json>,
}

impl Browser {
    /// Keeps a picture of the whole page at each width, none of which may make it scroll sideways.
    pub(crate) async fn keep_picture(&self, name: &str) -> anyhow::Result<()> {
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder)?;
        for width in WIDTHS {
            let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            self.develop("Emulation.setDeviceMetricsOverride", metrics).await?;
            let needed: u32 = self.ask("return document.documentElement.scrollWidth;").await?;
            let size = self.develop("Page.getLayoutMetrics", json!({})).await?;
            let height = size["cssContentSize"]["height"].as_f64().context("the page has no height")?;
            let clip = json!({"x": 0, "y": 0, "width": width, "height": height.min(HEIGHT), "scale": 1});
            let options = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
            let picture = self.develop("Page.captureScreenshot", options).await?;
            let picture = STANDARD.decode(picture["data"].as_str().context("there is no picture")?)?;
            fs::write(folder.join(format!("{name}-{width}.png")), picture)?;
            ensure!(needed <= width, "at a width of {width} the page scrolls to {needed}");
        }
        self.develop("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        Ok(())
    }

    /// What axe-core finds that is serious, in light and in dark colours.
    pub(crate) async fn obstacles(&self) -> anyhow::Result<Vec<String>> {
        let file = target().join("axe-core/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&file)
            .with_context(|| format!("no {}; tools/install-browser.sh installs it", file.display()))?;
        self.driver.execute(axe, Vec::<Json>::new()).await?;
        let mut obstacles = Vec::new();
        for colours in ["light", "dark"] {
            self.set_colours(colours).await?;
            let script = "const done = arguments[0];
                axe.run({resultTypes: ['violations']}).then(found => done(found.violations), error => done([
                    {id: 'axe', impact: 'critical', help: String(error), nodes: []}]));";
            let found = self.driver.execute_async(script, Vec::<Json>::new()).await?;
            let found: Vec<Violation> = found.convert()?;
            let is_serious = |impact: Option<&str>| matches!(impact, Some("serious" | "critical"));
            let serious = found.into_iter().filter(|violation| is_serious(violation.impact.as_deref()));
            obstacles.extend(serious.map(|violation| {
                let places: Vec<_> = violation.nodes.iter().map(|node| node["html"].to_string()).collect();
                format!("{} ({colours}): {} at {}", violation.id, violation.help, places.join(", "))
            }));
        }
        self.set_colours("").await?;
        Ok(obstacles)
    }

    async fn set_colours(&self, colours: &str) -> anyhow::Result<()> {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": colours}]});
        self.develop("Emulation.setEmulatedMedia", features).await?;
        Ok(())
    }

    /// Does what a developer's tools can do.
    async fn develop(&self, command: &str, parameters: Json) -> anyhow::Result<Json> {
        Ok(self.driver.cdp().send_raw(command, parameters).await?)
    }
}

/// Where tools are installed, and pictures are kept.
fn target() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))
}
