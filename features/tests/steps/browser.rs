//! What somebody does in a browser, and sees there. Scenarios with these steps have the tag `@browser`.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use cucumber::gherkin::Step;
use cucumber::{then, when};

use crate::browser::{Words, eventually};
use crate::support::program::App;
use crate::table;
use crate::world::{BackdropWorld, fixture_path};

#[when(regex = r#"^I open "([^"]*)" of the (read|write) app$"#)]
pub(super) async fn open(world: &mut BackdropWorld, path: String, app: String) -> anyhow::Result<()> {
    let address = world.client(App::parse(&app)).await?.address(&path);
    world.browser().await?.go_to(&address).await
}

/// Again and again, for what takes a moment to show.
#[when(expr = "I open {string} of the write app until it says {string}")]
async fn open_until(world: &mut BackdropWorld, path: String, part: String) -> anyhow::Result<()> {
    let address = world.client(App::Write).await?.address(&path);
    let browser = world.browser().await?;
    eventually(async || {
        browser.go_to(&address).await?;
        let text = browser.text().await?;
        ensure!(text.contains(&part), "the page says: {text}");
        Ok(())
    })
    .await
}

#[when(expr = "I press {string}")]
async fn press(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    world.browser().await?.press(Words::from(&*text)).await
}

#[when(expr = "I press {string} beside {string}")]
async fn press_beside(world: &mut BackdropWorld, text: String, beside: String) -> anyhow::Result<()> {
    world.browser().await?.press(Words { text: &text, beside: Some(&beside) }).await
}

#[when(expr = "I follow {string}")]
async fn follow(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    world.browser().await?.follow(Words::from(&*text)).await
}

#[when(expr = "I follow {string} beside {string}")]
async fn follow_beside(world: &mut BackdropWorld, text: String, beside: String) -> anyhow::Result<()> {
    world.browser().await?.follow(Words { text: &text, beside: Some(&beside) }).await
}

#[when(expr = "I fill in {string} with {string}")]
async fn fill_in(world: &mut BackdropWorld, field: String, text: String) -> anyhow::Result<()> {
    world.browser().await?.fill_in(Words::from(&*field), &text).await
}

#[when(expr = "I fill in {string} beside {string} with {string}")]
async fn fill_in_beside(
    world: &mut BackdropWorld,
    field: String,
    beside: String,
    text: String,
) -> anyhow::Result<()> {
    world.browser().await?.fill_in(Words { text: &field, beside: Some(&beside) }, &text).await
}

#[when(expr = "I fill in {string} with")]
async fn fill_in_lines(world: &mut BackdropWorld, field: String, step: &Step) -> anyhow::Result<()> {
    let text = table::text(step)?.trim_end();
    world.browser().await?.fill_in(Words::from(&*field), text).await
}

#[when(expr = "I choose {string} for {string}")]
async fn choose(world: &mut BackdropWorld, option: String, field: String) -> anyhow::Result<()> {
    world.browser().await?.choose(Words::from(&*field), &option).await
}

#[when(expr = "I tick {string}")]
async fn tick(world: &mut BackdropWorld, field: String) -> anyhow::Result<()> {
    world.browser().await?.tick(Words::from(&*field), true).await
}

#[when(expr = "I untick {string}")]
async fn untick(world: &mut BackdropWorld, field: String) -> anyhow::Result<()> {
    world.browser().await?.tick(Words::from(&*field), false).await
}

/// One that the scenario made, or a fixture.
#[when(expr = "I choose the file {string} for {string}")]
async fn choose_file(world: &mut BackdropWorld, file: String, field: String) -> anyhow::Result<()> {
    let made: PathBuf = world.installation.folder().join(&file);
    let file = if made.exists() { made } else { fixture_path(&file) };
    world.browser().await?.choose_file(Words::from(&*field), &file).await
}

#[then(expr = "the page says {string}")]
async fn says(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || {
        let text = browser.text().await?;
        ensure!(text.contains(&part), "the page says: {text}");
        Ok(())
    })
    .await
}

/// At the moment, so another step has to say first that the page is the one that is meant.
#[then(expr = "the page does not say {string}")]
async fn does_not_say(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let text = world.browser().await?.text().await?;
    ensure!(!text.contains(&part), "the page says: {text}");
    Ok(())
}

#[then(expr = "the heading is {string}")]
async fn heading_is(world: &mut BackdropWorld, expected: String) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || {
        let heading = browser.heading().await?;
        ensure!(heading == expected, "the heading is {heading:?}; the page says: {}", browser.text().await?);
        Ok(())
    })
    .await
}

/// The query counts where one is expected.
#[then(expr = "I am at {string}")]
async fn at(world: &mut BackdropWorld, expected: String) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || {
        let path = browser.path().await?;
        let told = if expected.contains('?') { &*path } else { path.split('?').next().unwrap_or_default() };
        ensure!(told == expected, "the page is at {path}");
        Ok(())
    })
    .await
}

#[then(expr = "the field {string} is {string}")]
async fn field_is(world: &mut BackdropWorld, field: String, expected: String) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || {
        let value = browser.value(Words::from(&*field)).await?;
        ensure!(value == expected, "it is {value:?}");
        Ok(())
    })
    .await
}

/// All rows of a table on the page; only the columns that are named are looked at.
#[then("the page has the table")]
async fn has_table(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let (columns, expected) = table::rows(step)?.split_first().context("the table is empty")?;
    let browser = world.browser().await?;
    eventually(async || {
        let tables = browser.tables().await?;
        let is_there = tables.iter().any(|table| {
            let place = |column: &String| table.columns.iter().position(|known| known == column);
            let Some(places) = columns.iter().map(place).collect::<Option<Vec<_>>>() else { return false };
            let cell = |row: &Vec<String>, place: usize| row.get(place).cloned().unwrap_or_default();
            let rows = table.rows.iter().map(|row| places.iter().map(|place| cell(row, *place)).collect());
            rows.collect::<Vec<Vec<String>>>() == expected
        });
        ensure!(is_there, "the tables are {tables:#?}");
        Ok(())
    })
    .await
}

#[then("the page is accessible")]
async fn accessible(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    let obstacles = eventually(async || browser.obstacles().await).await?;
    ensure!(obstacles.is_empty(), "axe-core finds:\n{}", obstacles.join("\n"));
    Ok(())
}

#[then(expr = "a picture of the page is kept as {string}")]
async fn keep_picture(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    let browser = world.browser().await?;
    eventually(async || browser.keep_picture(&name).await).await
}
