//! What somebody is answered.

use anyhow::{Context, ensure};
use cucumber::gherkin::Step;
use cucumber::then;
use serde_json::Value as Json;

use crate::support::compare::{same, same_in_any_order};
use crate::table;
use crate::world::{BackdropWorld, ids_of};

#[then(expr = "the status is {int}")]
fn status(world: &mut BackdropWorld, expected: u16) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(answer.status == expected, "the status is {}: {}", answer.status, answer.text());
    Ok(())
}

#[then("it is accepted")]
fn accepted(world: &mut BackdropWorld) -> anyhow::Result<()> {
    status(world, 200)?;
    let answer = world.answer()?;
    ensure!(answer.json()?["status"] == "ok", "the answer is {}", answer.text());
    Ok(())
}

#[then("the answer is")]
fn answer(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let (expected, answer) = (table::json(step)?, world.answer()?);
    ensure!(same(&expected, &answer.json()?), "the answer is {}", answer.text());
    Ok(())
}

#[then("the answer is empty")]
fn empty_answer(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(answer.body.is_empty(), "the answer is {}", answer.text());
    Ok(())
}

#[then("the rows are")]
fn csv_rows(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let lines = table::text(step)?.lines().map(|line| format!("{line}\r\n"));
    let (expected, got) = (lines.collect::<String>(), world.answer()?.text());
    ensure!(expected == got, "the answer is {got:?}");
    Ok(())
}

/// All rows of a CSV answer; only the columns of the table are looked at.
#[then("the CSV has the columns")]
fn csv_columns(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let mut reader = csv::Reader::from_reader(answer.body.as_slice());
    let (expected, titles) = (table::rows(step)?, reader.headers()?.clone());
    let (columns, expected) = expected.split_first().context("the table is empty")?;
    let place = |column: &String| titles.iter().position(|title| title == column);
    let places = columns.iter().map(place).collect::<Option<Vec<_>>>();
    let places = places.with_context(|| format!("the columns are {titles:?}"))?;
    let rows = reader
        .records()
        .map(|row| row.map(|row| places.iter().map(|place| row[*place].to_owned()).collect()));
    let rows: Vec<Vec<String>> = rows.collect::<Result<_, _>>()?;
    ensure!(rows == expected, "the answer is {}", answer.text());
    Ok(())
}

/// Each store says which it is; the rest is its own affair.
#[then("the store is explained")]
fn explained(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let names_store = answer.json()?["explain"]["engine"].is_string();
    ensure!(names_store, "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "the answer says that it is {string}")]
fn says_status(world: &mut BackdropWorld, expected: String) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(answer.json()?["status"] == expected, "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "I am told {string}")]
fn told(world: &mut BackdropWorld, message: String) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let json = answer.json()?;
    let told = json["status"] == "error" && json["message"] == message;
    ensure!(told && answer.status >= 400, "the answer is {}: {}", answer.status, answer.text());
    Ok(())
}

#[then(expr = "I am told about {string}")]
fn told_about(world: &mut BackdropWorld, part: String) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let json = answer.json()?;
    let told = json["message"].as_str().is_some_and(|message| message.contains(&part));
    ensure!(told && answer.status >= 400, "the answer is {}: {}", answer.status, answer.text());
    Ok(())
}

#[then("the messages are")]
fn messages(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(answer.status == 400, "the status is {}: {}", answer.status, answer.text());
    let expected: Vec<_> = table::lines(step)?;
    ensure!(answer.json()?["messages"] == Json::from(expected), "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "there is/are {int} message(s)")]
fn message_count(world: &mut BackdropWorld, count: usize) -> anyhow::Result<()> {
    let answer = world.answer()?;
    let messages = answer.json()?["messages"].as_array().map(Vec::len);
    ensure!(messages == Some(count), "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "the answer does not repeat {string}")]
fn not_repeated(world: &mut BackdropWorld, text: String) -> anyhow::Result<()> {
    let answer = world.answer()?;
    ensure!(!answer.text().contains(&text), "the answer is {}", answer.text());
    Ok(())
}

#[then(expr = "the header {string} is {string}")]
fn header(world: &mut BackdropWorld, name: String, value: String) -> anyhow::Result<()> {
    let got = world.answer()?.header(&name);
    ensure!(got.as_deref() == Some(&value), "the header is {got:?}");
    Ok(())
}

#[then(expr = "there is a header {string}")]
fn has_header(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    let got = world.answer()?.header(&name);
    ensure!(got.is_some_and(|value| !value.is_empty()), "there is none");
    Ok(())
}

#[then(expr = "there is no header {string}")]
fn has_no_header(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    let got = world.answer()?.header(&name);
    ensure!(got.is_none(), "the header is {got:?}");
    Ok(())
}

/// Rows in their order, with all of their keys.
#[then("the groups are")]
fn groups(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let (expected, got) = (table::expected(step)?, Json::Array(world.data()?));
    ensure!(same(&Json::Array(expected), &got), "the groups are {got:#}");
    Ok(())
}

/// Records in any order; only the keys of the table are looked at.
#[then("the records are")]
fn records(world: &mut BackdropWorld, step: &Step) -> anyhow::Result<()> {
    let (expected, got) = (table::expected(step)?, table::shown(&world.data()?, step)?);
    ensure!(same_in_any_order(&expected, &got), "the records are {:#}", Json::Array(got));
    Ok(())
}

#[then(expr = "the ids are {string}")]
fn ids(world: &mut BackdropWorld, expected: String) -> anyhow::Result<()> {
    let mut got = ids_of(&world.data()?);
    got.sort_unstable();
    ensure!(got.join(" ") == expected, "the ids are {}", got.join(" "));
    Ok(())
}

#[then(expr = "the ids in their order are {string}")]
fn ids_in_order(world: &mut BackdropWorld, expected: String) -> anyhow::Result<()> {
    let got = ids_of(&world.data()?).join(" ");
    ensure!(got == expected, "the ids are {got}");
    Ok(())
}

#[then(expr = "the values of {string} in their order are {string}")]
fn values(world: &mut BackdropWorld, key: String, expected: String) -> anyhow::Result<()> {
    let got: Vec<_> = world.data()?.iter().map(|row| shown_value(&row[&key])).collect();
    ensure!(got.join(" ") == expected, "the values are {}", got.join(" "));
    Ok(())
}

#[then(expr = "there are {int} rows")]
fn row_count(world: &mut BackdropWorld, count: usize) -> anyhow::Result<()> {
    let data = world.data()?;
    ensure!(data.len() == count, "there are {}: {:#}", data.len(), Json::Array(data));
    Ok(())
}

fn shown_value(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
