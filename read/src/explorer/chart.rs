//! Answers as charts: periods as bars side by side, groups as bars below one another, and the periods
//! of several groups as lines.

use std::collections::BTreeMap;

use askama::Template;
use backdrop_common::excerpt::excerpt;
use backdrop_common::field::FieldName;
use backdrop_common::period::Period;
use backdrop_common::query::{Collect, CollectMethod, GroupQuery};
use backdrop_common::shape::{AnswerRow, AnswerRows, Cell};
use backdrop_common::timestamp::Timestamp;
use backdrop_common::value::ValueRef;
use backdrop_pages::chart::{Bar, BarChart, LineChart, RowChart, SERIES, Series};

use super::table::time_text;
use crate::answer::Found;

/// How many periods a chart has at the most.
const PERIODS: usize = 400;
/// How many groups below one another.
const GROUPS: usize = 20;
/// How many characters of each key name a group.
const NAME_CHARACTERS: usize = 100;
/// How many keys name a group, and a chart.
const NAMED_KEYS: usize = 5;

/// What a chart of a query's answer is about.
pub(crate) struct Outline {
    keys: Vec<FieldName>,
    period: Option<Period>,
    /// The column whose values are drawn.
    column: String,
    title: String,
}

/// A chart, and what of the answer it does not show.
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) svg: String,
    pub(crate) note: Option<String>,
}

impl Outline {
    /// The first thing that a query collects and that is a number, else the number of records.
    pub(crate) fn of(query: &GroupQuery) -> Self {
        let drawn = query.collect.iter().find(|collect| collect.effective_method() != CollectMethod::Set);
        let period = query.window.map(|window| window.period);
        let by: Vec<String> = query
            .keys
            .iter()
            .take(NAMED_KEYS)
            .map(ToString::to_string)
            .chain(period.map(|period| period.to_string()))
            .collect();
        Self {
            column: drawn.map_or_else(|| "_count".to_owned(), Collect::column),
            title: format!(
                "{}, by {}",
                drawn.map_or_else(|| "Number of records".to_owned(), named),
                by.join(" and ")
            ),
            keys: query.keys.clone(),
            period,
        }
    }

    /// The chart of what was found; none where there is nothing to draw.
    pub(crate) fn picture(&self, found: &Found) -> Option<Picture> {
        let Found::Groups(answer) = found else { return None };
        let rows = answer.rows();
        if rows.is_empty() {
            return None;
        }
        let (svg, note) = match self.period {
            None => self.groups(rows),
            Some(period) if self.keys.is_empty() => self.periods(period, rows),
            Some(period) => self.lines(period, rows),
        };
        // Text and numbers are always shown, so there is no error; without a chart there is still the table.
        Some(Picture { title: self.title.clone(), svg: svg.ok()?, note })
    }

    fn groups(&self, rows: AnswerRows<'_>) -> (Result<String, askama::Error>, Option<String>) {
        let bar = |row| Bar { label: self.name(row), value: self.value(row) };
        let bars = rows.iter().take(GROUPS).map(bar).collect();
        (RowChart::new(&*self.title, bars).render(), note(GROUPS, rows.len(), "groups"))
    }

    fn periods(
        &self,
        period: Period,
        rows: AnswerRows<'_>,
    ) -> (Result<String, askama::Error>, Option<String>) {
        let bar = |row| Bar {
            label: start(row).map_or_else(String::new, |start| label(period, start)),
            value: self.value(row),
        };
        let bars = rows.iter().take(PERIODS).map(bar).collect();
        (BarChart::new(&*self.title, bars).render(), note(PERIODS, rows.len(), "periods"))
    }

    /// Nested or flat, the periods of the groups that come first.
    fn lines(&self, period: Period, rows: AnswerRows<'_>) -> (Result<String, askama::Error>, Option<String>) {
        let mut lines: Vec<(AnswerRow<'_>, BTreeMap<Timestamp, Option<f64>>)> = Vec::new();
        let mut others = 0;
        for row in rows.iter() {
            // A nested group is one row, so none after the last line is looked at.
            if lines.len() == SERIES && row.periods().is_some() {
                others += 1;
                continue;
            }
            let place = lines.iter().position(|(first, _)| are_one_group(*first, row)).unwrap_or(lines.len());
            if place == lines.len() {
                if place == SERIES {
                    others += 1;
                    continue;
                }
                lines.push((row, BTreeMap::new()));
            }
            let mut add = |row| lines[place].1.extend(start(row).map(|start| (start, self.value(row))));
            match row.periods() {
                Some(periods) => periods.iter().for_each(add),
                None => add(row),
            }
        }
        let mut starts: Vec<Timestamp> =
            lines.iter().flat_map(|(_, values)| values.keys().copied()).collect();
        starts.sort_unstable();
        starts.dedup();
        let note = if others > 0 {
            Some(format!(
                "The chart shows the first {SERIES} groups; filters, a limit or an order choose others."
            ))
        } else {
            note(PERIODS, starts.len(), "periods")
        };
        starts.truncate(PERIODS);
        let labels: Vec<String> = starts.iter().map(|start| label(period, *start)).collect();
        let series = lines.into_iter().map(|(first, known)| Series {
            name: self.name(first),
            values: starts.iter().map(|start| known.get(start).copied().flatten()).collect(),
        });
        (LineChart::new(&*self.title, &labels, series.collect()).render(), note)
    }

    /// What a group is called: the values of its first keys, as much of them as a chart has room for.
    fn name(&self, row: AnswerRow<'_>) -> String {
        let text = |key: &FieldName| match row.get(key.as_str()) {
            Some(Cell::Value(ValueRef::Text(text))) => excerpt(text, NAME_CHARACTERS).into_owned(),
            Some(cell) => serde_json::to_string(&cell).unwrap_or_default(),
            None => String::new(),
        };
        self.keys.iter().take(NAMED_KEYS).map(text).collect::<Vec<_>>().join(", ")
    }

    #[expect(clippy::cast_precision_loss, reason = "no eye sees it in a chart")]
    fn value(&self, row: AnswerRow<'_>) -> Option<f64> {
        match row.get(&self.column)? {
            Cell::Value(ValueRef::Int(value)) => Some(value as f64),
            Cell::Value(ValueRef::Float(value)) => Some(value),
            _ => None,
        }
    }
}

/// Whether two flat rows are of one group, which may have very long keys.
fn are_one_group(one: AnswerRow<'_>, other: AnswerRow<'_>) -> bool {
    let is_same = |pair: ((&str, Cell<'_>), (&str, Cell<'_>))| match pair {
        ((_, Cell::Value(ValueRef::Text(one))), (_, Cell::Value(ValueRef::Text(other)))) => {
            std::ptr::eq(one, other) || one == other
        }
        ((_, Cell::Value(one)), (_, Cell::Value(other))) => one == other,
        _ => false,
    };
    one.keys().zip(other.keys()).all(is_same)
}

fn note(shown: usize, count: usize, of_what: &str) -> Option<String> {
    (count > shown).then(|| format!("The chart shows the first {shown} of {count} {of_what}."))
}

/// What is collected, in words.
fn named(collect: &Collect) -> String {
    let field = &collect.field;
    match collect.effective_method() {
        CollectMethod::Sum => format!("Sum of {field}"),
        CollectMethod::Count => format!("Values of {field}"),
        CollectMethod::Mean => format!("Mean of {field}"),
        CollectMethod::Set => format!("Distinct values of {field}"),
    }
}

fn start(row: AnswerRow<'_>) -> Option<Timestamp> {
    match row.get("_start_at")? {
        Cell::Value(ValueRef::Time(start)) => Some(start),
        _ => None,
    }
}

/// A period's name, no longer than it has to be.
fn label(period: Period, start: Timestamp) -> String {
    let text = time_text(start);
    let (year, month) = (text.get(..4).unwrap_or_default(), text.get(5..7).unwrap_or_default());
    match period {
        Period::Hour | Period::Day | Period::Week => text,
        Period::Month => format!("{year}-{month}"),
        Period::Quarter => format!("{year} Q{}", month.parse::<u8>().map_or(1, |month| month.div_ceil(3))),
        Period::Year => year.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explorer::tests::{group_answer, group_query};

    fn picture(query: &str, records: &[(&str, &str, i64)]) -> Option<Picture> {
        Outline::of(&group_query(query)).picture(&Found::Groups(group_answer(query, records)))
    }

    const SPAN: &str = "start_at=2014-01-01T00:00:00Z&end_at=2014-04-01T00:00:00Z";

    #[track_caller]
    fn check(query: &str, title: &str, parts: &[&str]) {
        let records = [("a", "2014-01-05", 2), ("b", "2014-03-05", 30), ("b", "2014-03-06", 5)];
        let picture = picture(query, &records).expect("a chart");
        assert_eq!(picture.title, title);
        for part in parts {
            assert!(picture.svg.contains(part), "no {part} in {}", picture.svg);
        }
    }

    #[test]
    fn what_is_drawn() {
        check("group_by=kind", "Number of records, by kind", &["<title>a: 1</title>", "<title>b: 2</title>"]);
        check("group_by=kind&collect=size&collect=size:mean", "Mean of size, by kind", &["b: 17.5"]);
        check(
            &format!("period=month&{SPAN}"),
            "Number of records, by month",
            &["2014-01: 1", "2014-02: 0", "2014-03: 2"],
        );
        check(
            &format!("period=month&collect=size:mean&{SPAN}"),
            "Mean of size, by month",
            &["2014-03: 17.5", "Without a value: 1."],
        );
        check(&format!("period=quarter&{SPAN}"), "Number of records, by quarter", &["2014 Q1: 3"]);
        let lines = ["series-2", "a, 2014-01: 1", "b, 2014-03: 2", "</svg>b</li>"];
        check(&format!("group_by=kind&period=month&{SPAN}"), "Number of records, by kind and month", &lines);
        check(
            &format!("group_by=kind&period=month&flatten=true&{SPAN}"),
            "Number of records, by kind and month",
            &lines,
        );
    }

    #[test]
    fn only_so_many_groups_are_drawn() {
        let names: Vec<String> = (10..40).map(|number| number.to_string()).collect();
        let records: Vec<_> = names.iter().map(|name| (&**name, "2014-01-05", 1)).collect();
        let rows = picture("group_by=kind", &records).expect("a chart");
        assert_eq!(rows.svg.matches("<rect").count(), GROUPS);
        assert_eq!(rows.note.as_deref(), Some("The chart shows the first 20 of 30 groups."));
        let lines = picture(&format!("group_by=kind&period=month&{SPAN}"), &records).expect("a chart");
        assert_eq!(lines.svg.matches("<li>").count(), SERIES);
        assert!(lines.note.is_some());
    }

    #[test]
    fn long_keys_take_no_more_of_a_chart() {
        let long = |name: &str| format!("{}{name}", "k".repeat(200_000));
        let names: Vec<String> = (10..40).map(|number| long(&number.to_string())).collect();
        let records: Vec<_> = names.iter().map(|name| (&**name, "2014-01-05", 1)).collect();
        for query in [
            "group_by=kind".to_owned(),
            format!("group_by=kind&period=month&{SPAN}"),
            format!("group_by=kind&period=month&flatten=true&{SPAN}"),
        ] {
            let picture = picture(&query, &records).expect("a chart");
            assert!(picture.svg.len() < 100_000, "{} bytes", picture.svg.len());
        }
        let lines =
            picture(&format!("group_by=kind&period=month&flatten=true&{SPAN}"), &records).expect("a chart");
        assert_eq!(
            lines.svg.matches("<li>").count(),
            SERIES,
            "names that begin alike are groups of their own"
        );
    }

    #[test]
    fn nothing_is_no_chart() {
        assert!(picture("group_by=kind", &[]).is_none());
    }
}
