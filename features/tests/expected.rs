//! What a recorded answer says, and how another differs from it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::support::compare::{same, same_in_any_order};
use crate::support::http::Answer;

/// What an answer is to be; what is none was not recorded.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    json: Option<Json>,
    text: Option<String>,
    csv: Option<Json>,
    len: Option<usize>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    etag: bool,
    #[serde(default)]
    unordered: bool,
}

/// What of an answer is an accident of the original.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    Message,
    Value,
    Order,
}

impl Expected {
    pub(crate) fn json_differences(&self, scope: Option<Scope>, answer: &Answer) -> Option<String> {
        let differs = |got: &Json| Some(format!("got {got}, expected {:?}", self.json));
        let json = match answer.json() {
            _ if self.json.is_none() && self.len.is_none() => return None,
            Ok(json) => json,
            Err(error) => return Some(format!("{error:#}")),
        };
        let length = |json: &Json, key: &str| json[key].as_array().map_or(0, Vec::len);
        match (scope, &self.json, self.len) {
            (Some(Scope::Message), Some(expected), _) if expected.get("messages").is_some() => {
                if length(expected, "messages") == length(&json, "messages") { None } else { differs(&json) }
            }
            (Some(Scope::Message | Scope::Value), _, _) => None,
            (None, _, Some(expected)) => {
                let got = length(&json, "data");
                (got != expected).then(|| format!("{got} items, expected {expected}"))
            }
            (_, Some(expected), _) => {
                let in_any_order = self.unordered || scope == Some(Scope::Order);
                let is_same = if in_any_order { same_data(expected, &json) } else { same(expected, &json) };
                if is_same { None } else { differs(&json) }
            }
            (_, None, _) => None,
        }
    }

    pub(crate) fn text_differences(&self, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if self.text.as_ref().is_some_and(|text| *text != answer.text()) {
            differences.push(format!("got {:?}, expected {:?}", answer.text(), self.text));
        }
        if let Some(expected) = &self.csv
            && !same(expected, &csv_rows(&answer.body))
        {
            differences.push(format!("got {}, expected {expected}", answer.text()));
        }
        differences
    }

    pub(crate) fn header_differences(&self, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, expected) in &self.headers {
            let got = answer.header(name);
            if header_words(name, got.as_deref()) != header_words(name, expected.as_deref()) {
                differences.push(format!("header {name}: got {got:?}, expected {expected:?}"));
            }
        }
        if self.etag && answer.header("ETag").is_none() {
            differences.push("no ETag".to_owned());
        }
        differences
    }
}

/// Whether two answers say the same, with the items of `data` in any order.
fn same_data(expected: &Json, got: &Json) -> bool {
    let without_data = |json: &Json| {
        let mut json = json.clone();
        let data = json.as_object_mut().and_then(|json| json.remove("data"));
        (json, data.and_then(|data| data.as_array().cloned()))
    };
    let ((expected, expected_data), (got, got_data)) = (without_data(expected), without_data(got));
    let data = expected_data.zip(got_data);
    same(&expected, &got) && data.is_some_and(|(expected, got)| same_in_any_order(&expected, &got))
}

fn csv_rows(body: &[u8]) -> Json {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
    let rows = reader.records().map(|row| match row {
        Ok(row) => row.iter().collect(),
        Err(error) => Json::String(error.to_string()),
    });
    rows.collect()
}

/// What counts of a header: not the parameters of a content type, nor the order of a list.
fn header_words(name: &str, value: Option<&str>) -> Option<Vec<String>> {
    let value = value?;
    let mut words: Vec<_> = match name {
        "Content-Type" => value.split(';').take(1).collect(),
        "Access-Control-Allow-Headers" => value.split(',').collect(),
        _ => return Some(vec![value.to_owned()]),
    };
    words.sort_unstable_by_key(|word| word.trim());
    Some(words.into_iter().map(|word| word.trim().to_lowercase()).collect())
}
