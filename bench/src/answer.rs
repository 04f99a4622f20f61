//! What Backdrop and its peers answer, brought into one form, so that it can be compared before
//! anybody believes how fast it was.

use anyhow::{Context, bail, ensure};
use backdrop_common::timestamp::Timestamp;
use serde_json::Value as Json;

use crate::queries::BenchQuery;

/// The rows of an answer in one order: texts, integers, floats; times as milliseconds since 1970, sets
/// as a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows(Vec<Vec<Json>>);

/// How far sums of floats may be apart that were added up in another order.
const TOLERANCE: f64 = 1e-9;

impl Rows {
    /// The rows of a peer, which answers in this form but for the order.
    ///
    /// # Errors
    ///
    /// If it is no list of lists.
    pub fn of_peer(rows: &Json) -> anyhow::Result<Self> {
        let rows = rows.as_array().context("a peer answered no list")?;
        let rows = rows.iter().map(|row| row.as_array().cloned().context("a peer's row is no list"));
        Ok(Self::sorted(rows.collect::<Result<_, _>>()?))
    }

    /// The rows of an answer of Backdrop's. What fills a gap is left out: peers do not fill any.
    ///
    /// # Errors
    ///
    /// If it is not the JSON that such a query is answered with.
    pub fn of_backdrop(query: BenchQuery, body: &[u8]) -> anyhow::Result<Self> {
        let json: Json = serde_json::from_slice(body).context("Backdrop answered no JSON")?;
        let data = json["data"].as_array().context("Backdrop answered without data")?;
        let mut rows = Vec::new();
        for row in data {
            match query {
                BenchQuery::C | BenchQuery::F => {
                    let key = if query == BenchQuery::C { "service" } else { "device" };
                    let periods = row["values"].as_array().context("a group without periods")?;
                    for period in periods {
                        let mut cells = vec![row[key].clone()];
                        cells.extend(cells_of(query, period)?);
                        rows.push(cells);
                    }
                }
                _ => rows.push(cells_of(query, row)?),
            }
        }
        rows.retain(|row| !row.contains(&Json::from(0)));
        Ok(Self::sorted(rows))
    }

    fn sorted(mut rows: Vec<Vec<Json>>) -> Self {
        rows.sort_by_cached_key(|row| row.iter().take(2).map(Json::to_string).collect::<Vec<_>>());
        Self(rows)
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that another answer is the same, floats to nine digits.
    ///
    /// # Errors
    ///
    /// The first row that differs.
    pub fn check_equal(&self, other: &Self) -> anyhow::Result<()> {
        ensure!(self.len() == other.len(), "{} rows, and {} rows", self.len(), other.len());
        for (row, other) in self.0.iter().zip(&other.0) {
            let equal = row.len() == other.len() && row.iter().zip(other).all(|(a, b)| is_equal(a, b));
            ensure!(equal, "{}, and {}", Json::from(row.clone()), Json::from(other.clone()));
        }
        Ok(())
    }
}

/// The cells of one row, in the order in which the peers answer them.
fn cells_of(query: BenchQuery, row: &Json) -> anyhow::Result<Vec<Json>> {
    let columns: &[&str] = match query {
        BenchQuery::A | BenchQuery::F => &["_start_at", "_count"],
        BenchQuery::B => &["channel", "_count", "volume:sum"],
        BenchQuery::C => &["_start_at", "_count", "volume:sum", "duration:mean"],
        BenchQuery::D => &["page_path", "_count", "service:set"],
        BenchQuery::E => &["_timestamp", "page_path", "volume", "duration"],
    };
    columns
        .iter()
        .map(|column| match (&row[*column], *column) {
            (Json::String(time), "_start_at" | "_timestamp") => match Timestamp::parse(time) {
                Ok(time) => Ok(time.millis().into()),
                Err(_) => bail!("\"{time}\" is no time"),
            },
            (Json::Array(set), _) => Ok(joined(set).into()),
            (cell, _) => Ok(cell.clone()),
        })
        .collect()
}

fn joined(set: &[Json]) -> String {
    let mut texts: Vec<_> = set.iter().filter_map(Json::as_str).collect();
    texts.sort_unstable();
    texts.join(" ")
}

fn is_equal(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(query: BenchQuery, body: &Json, peer: &Json) {
        let ours = Rows::of_backdrop(query, body.to_string().as_bytes()).expect("an answer");
        let theirs = Rows::of_peer(peer).expect("an answer");
        ours.check_equal(&theirs).expect("the same");
    }

    #[test]
    fn answers_in_one_form() {
        let month = json!({"_start_at": "2022-01-01T00:00:00+00:00", "_count": 3.0});
        let gap = json!({"_start_at": "2022-02-01T00:00:00+00:00", "_count": 0});
        check(BenchQuery::A, &json!({"data": [month, gap]}), &json!([[1_640_995_200_000_i64, 3]]));
        check(
            BenchQuery::F,
            &json!({"data": [{"device": "tablet", "values": [month]}, {"device": "other", "values": [month]}]}),
            &json!([["other", 1_640_995_200_000_i64, 3], ["tablet", 1_640_995_200_000_i64, 3]]),
        );
        check(
            BenchQuery::D,
            &json!({"data": [{"page_path": "/x", "_count": 2, "service": ["b", "a"], "service:set": ["b", "a"]}]}),
            &json!([["/x", 2, "a b"]]),
        );
        check(
            BenchQuery::C,
            &json!({"data": [{"service": "s", "values": [{
                "_start_at": "2022-01-01T00:00:00+00:00", "_count": 2, "volume:sum": 5, "duration:mean": 0.3
            }]}]}),
            &json!([["s", 1_640_995_200_000_i64, 2, 5, 0.300_000_000_000_000_04]]),
        );
    }

    #[test]
    fn other_answers_are_not_taken_for_the_same() {
        let rows = |rows: Json| Rows::of_peer(&rows).expect("rows");
        let ours = rows(json!([["web", 2, 5]]));
        for other in [json!([]), json!([["web", 2, 6]]), json!([["web", 2]]), json!([["app", 2, 5]])] {
            assert!(ours.check_equal(&rows(other.clone())).is_err(), "{other}");
        }
    }
}
