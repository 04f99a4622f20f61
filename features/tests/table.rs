//! Tables and texts of feature files as JSON.
//!
//! A cell that is JSON stands for that value, any other for its text, an empty one for a missing
//! key. Where an answer is described, a date stands for its midnight, as answers spell it.

use anyhow::{Context, bail};
use cucumber::gherkin::Step;
use serde_json::{Map, Value as Json};

/// The text below a step.
pub(crate) fn text(step: &Step) -> anyhow::Result<&str> {
    // The line break after the opening quotes belongs to it.
    let text = step.docstring.as_deref().context("the step needs a text below it")?;
    Ok(text.strip_prefix('\n').unwrap_or(text))
}

/// The text below a step as JSON.
pub(crate) fn json(step: &Step) -> anyhow::Result<Json> {
    serde_json::from_str(text(step)?).context("the text below the step is not JSON")
}

/// The rows of the table below a step.
pub(crate) fn rows(step: &Step) -> anyhow::Result<&[Vec<String>]> {
    Ok(&step.table.as_ref().context("the step needs a table")?.rows)
}

/// A table with one column.
pub(crate) fn lines(step: &Step) -> anyhow::Result<Vec<&str>> {
    rows(step)?.iter().map(|row| row.first().map(String::as_str).context("a row without a cell")).collect()
}

/// A table of names and values.
pub(crate) fn pairs(step: &Step) -> anyhow::Result<Vec<(&str, &str)>> {
    let pairs = rows(step)?.iter().map(|row| match row.as_slice() {
        [name, value] => Ok((name.as_str(), value.as_str())),
        _ => bail!("a row of {} cells", row.len()),
    });
    pairs.collect()
}

/// The records that a step sends: those of its table, whose first row has the keys, or its text as
/// it is.
pub(crate) fn sent(step: &Step) -> anyhow::Result<String> {
    if step.table.is_none() {
        return Ok(text(step)?.to_owned());
    }
    Ok(Json::Array(objects(step, cell)?).to_string())
}

/// What an answer is to hold.
pub(crate) fn expected(step: &Step) -> anyhow::Result<Vec<Json>> {
    objects(step, |text| cell(&midnight(text)))
}

/// The records with only the keys that a table has.
pub(crate) fn shown(records: &[Json], step: &Step) -> anyhow::Result<Vec<Json>> {
    let keys = rows(step)?.first().context("the table is empty")?;
    let only = |record: &Json| {
        let values = keys.iter().filter_map(|key| Some((key.clone(), record.get(key)?.clone())));
        Json::Object(values.collect())
    };
    Ok(records.iter().map(only).collect())
}

/// The value that a cell stands for.
pub(crate) fn cell(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn objects(step: &Step, value: impl Fn(&str) -> Json) -> anyhow::Result<Vec<Json>> {
    let (keys, rows) = rows(step)?.split_first().context("the table is empty")?;
    let object = |row: &Vec<String>| {
        let cells = keys.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        Json::Object(cells.map(|(key, cell)| (key.clone(), value(cell))).collect::<Map<_, _>>())
    };
    Ok(rows.iter().map(object).collect())
}

fn midnight(text: &str) -> String {
    let is_date = text.len() == 10
        && text.char_indices().all(|(index, char)| match index {
            4 | 7 => char == '-',
            _ => char.is_ascii_digit(),
        });
    if is_date { format!("{text}T00:00:00+00:00") } else { text.to_owned() }
}
