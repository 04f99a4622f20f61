//! What an operator does and sees: commands, starting and ending, the log, the files.

use std::time::Duration;

use anyhow::{Context, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::support::compare::same;
use crate::support::installation::Printed;
use crate::support::program::App;
use crate::table;
use crate::world::BackdropWorld;

/// A program that is to stop at its start, and does not, is given up after that.
const START: Duration = Duration::from_secs(20);

#[when(expr = "an operator runs {string}")]
async fn run(world: &mut BackdropWorld, command: String, step: &Step) -> anyhow::Result<()> {
    let input = if step.docstring.is_some() { table::text(step)? } else { "" };
    let arguments: Vec<_> = command.split_whitespace().collect();
    world.printed = Some(world.installation.run(App::Write, &arguments, input).await?);
    Ok(())
}

#[given(expr = "an operator has run {string}")]
async fn has_run(world: &mut BackdropWorld, command: String, step: &Step) -> anyhow::Result<()> {
    run(world, command, step).await?;
    succeeds(world)
}

#[when("an operator imports what was shown")]
async fn import_shown(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let shown = world.printed()?.output.clone();
    world.printed = Some(world.installation.run(App::Write, &["bucket", "import", "-"], &shown).await?);
    Ok(())
}

#[when(regex = r"^an operator starts the (read|write) app$")]
async fn start_in_vain(world: &mut BackdropWorld, app: String) -> anyhow::Result<()> {
    let started = world.installation.run(App::parse(&app), &[], "");
    world.printed = Some(timeout(START, started).await.context("the program started")??);
    Ok(())
}

#[when(regex = r"^an operator asks the (read|write) app for help$")]
async fn help(world: &mut BackdropWorld, app: String) -> anyhow::Result<()> {
    world.printed = Some(world.installation.run(App::parse(&app), &["--help"], "").await?);
    Ok(())
}

#[when("both apps are started again")]
async fn restart(world: &mut BackdropWorld) -> anyhow::Result<()> {
    world.end().await?;
    world.client(App::Read).await?;
    world.client(App::Write).await?;
    Ok(())
}

#[when("the database is damaged")]
async fn damage_database(world: &mut BackdropWorld) -> anyhow::Result<()> {
    world.installation.database().damage().await
}

#[then("both apps end well when they are told to")]
async fn end_well(world: &mut BackdropWorld) -> anyhow::Result<()> {
    for app in [App::Read, App::Write] {
        let status = world.terminate(app).await?.ended().await?;
        ensure!(status.success(), "{} ended with {status}", app.binary());
    }
    Ok(())
}

#[then("the command succeeds")]
fn succeeds(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let printed = world.printed()?;
    ensure!(printed.succeeded, "it failed: {}", printed.errors);
    Ok(())
}

#[then(expr = "the command fails with {string}")]
fn fails(world: &mut BackdropWorld, message: String) -> anyhow::Result<()> {
    let printed = world.printed()?;
    ensure!(!printed.succeeded, "it succeeded: {}", printed.output);
    ensure!(printed.errors.contains(&message), "it says: {}", printed.errors);
    Ok(())
}

#[then(expr = "it warns of {string}")]
fn warns(world: &mut BackdropWorld, message: String) -> anyhow::Result<()> {
    let printed = world.printed()?;
    ensure!(printed.succeeded && printed.errors.contains(&message), "it says: {}", printed.errors);
    Ok(())
}

/// The lines of standard output; a tab counts as a space.
#[then("the command shows")]
fn shows(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    succeeds(world)?;
    let (expected, got) = (table::text(step)?, &world.printed()?.output);
    let lines = |text: &str| {
        text.lines().map(|line| line.replace('\t', " ").trim_end().to_owned()).collect::<Vec<_>>()
    };
    ensure!(lines(expected) == lines(got), "it shows: {got}");
    Ok(())
}

#[then("the command shows nothing")]
fn shows_nothing(world: &mut BackdropWorld) -> anyhow::Result<()> {
    succeeds(world)?;
    let got = &world.printed()?.output;
    ensure!(got.is_empty(), "it shows: {got}");
    Ok(())
}

#[then("the command shows the JSON")]
fn shows_json(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    succeeds(world)?;
    let (expected, got) = (table::json(step)?, &world.printed()?.output);
    ensure!(same(&expected, &serde_json::from_str(got)?), "it shows: {got}");
    Ok(())
}

#[then(expr = "the command mentions {string}")]
fn mentions(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    let Printed { output, errors, .. } = world.printed()?;
    ensure!(output.contains(&text) || errors.contains(&text), "it shows: {output}{errors}");
    Ok(())
}

#[then(expr = "the command does not mention {string}")]
fn does_not_mention(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    let Printed { output, errors, .. } = world.printed()?;
    ensure!(!output.contains(&text) && !errors.contains(&text), "it shows: {output}{errors}");
    Ok(())
}

#[then(expr = "there is a file {string}")]
fn file(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    ensure!(world.installation.folder().join(name).is_file(), "there is none");
    Ok(())
}

#[then(expr = "the database has no {string}")]
async fn database_has_no(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    ensure!(!world.installation.database().has(&text).await?, "it has");
    Ok(())
}

#[then(expr = "the log has {string}")]
fn log_has(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    ensure!(world.installation.log().contains(&text), "it has not");
    Ok(())
}

#[then(expr = "the log has no {string}")]
fn log_has_no(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    ensure!(!world.installation.log().contains(&text), "it has");
    Ok(())
}

/// Keys and values that one line of the log has.
#[then("a line of the log has")]
fn log_line(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let expected = table::pairs(step)?;
    let has_all = |line: &Json| expected.iter().all(|(key, value)| same(&table::cell(value), &line[key]));
    ensure!(log_lines(world)?.iter().any(has_all), "the log is {}", world.installation.log());
    Ok(())
}

#[then("every line of the log is JSON")]
fn log_is_json(world: &mut BackdropWorld) -> anyhow::Result<()> {
    ensure!(!log_lines(world)?.is_empty(), "the log is empty");
    Ok(())
}

fn log_lines(world: &BackdropWorld) -> anyhow::Result<Vec<Json>> {
    let log = world.installation.log();
    log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}
