//! Lines over one another, one for each of a few series, told apart by colour and by dashes.

use askama::Template;
use askama::filters::HtmlSafe;

use super::bars::axis;
use super::scale::Scale;
use super::{Bar, Label, WIDTH, coordinate, described, drawable, labels_below, number, told};

/// How many series a chart has colours and dashes for.
pub const SERIES: usize = 6;

const HEIGHT: f64 = 210.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 182.0;
/// With more points than this on a line, each is no longer marked.
const MARKED: usize = 60;

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it stands for.
    pub name: String,
    /// Its points, one for each label of the chart; none where there is no value.
    pub values: Vec<Option<f64>>,
}

/// A chart of several series with a legend.
#[derive(Template)]
#[template(path = "line_chart.html")]
pub struct LineChart {
    title: String,
    description: String,
    left: f64,
    zero: f64,
    ticks: Vec<Label>,
    labels: Vec<Label>,
    lines: Vec<Line>,
}

/// One series as it is drawn.
struct Line {
    /// The number of its colour, from 1.
    style: usize,
    name: String,
    /// A path for each stretch without a gap.
    path: String,
    points: Vec<Label>,
}

impl HtmlSafe for LineChart {}

impl LineChart {
    /// A chart of at most [`SERIES`] series, over labels from the first on the left. What is more is
    /// left out.
    pub fn new(title: impl Into<String>, labels: &[String], series: Vec<Series>) -> Self {
        let mut series = series;
        series.truncate(SERIES);
        let values = series.iter().flat_map(|series| &series.values).filter_map(|value| drawable(*value));
        let scale = Scale::of(values);
        let (left, ticks) = axis(&scale, TOP, BOTTOM);
        let slot = (WIDTH - left) / number(labels.len().max(1));
        let place = |index: usize, value: f64| {
            let y = BOTTOM - scale.place(value) * (BOTTOM - TOP);
            (coordinate(left + slot * (number(index) + 0.5)), coordinate(y))
        };
        let description: Vec<String> = series.iter().map(|series| description(labels, series)).collect();
        let lines = series.into_iter().enumerate().map(|(number, series)| {
            let places: Vec<Option<(f64, f64)>> = series
                .values
                .iter()
                .take(labels.len())
                .enumerate()
                .map(|(index, value)| Some(place(index, drawable(*value)?)))
                .collect();
            let points = places.iter().zip(&series.values).zip(labels).enumerate();
            let points = points.filter_map(|(index, ((place, value), label))| {
                let ((x, y), value) = ((*place)?, (*value)?);
                let text = || told(&format!("{}, {label}", series.name), value);
                (labels.len() <= MARKED || is_alone(&places, index)).then(|| Label { x, y, text: text() })
            });
            Line { style: number + 1, path: path(&places), points: points.collect(), name: series.name }
        });
        Self {
            title: title.into(),
            description: description.join(" "),
            left: coordinate(left),
            zero: coordinate(BOTTOM - scale.place(0.0) * (BOTTOM - TOP)),
            lines: lines.collect(),
            labels: labels_below(labels.iter().map(String::as_str), left, slot, HEIGHT - 8.0),
            ticks,
        }
    }
}

fn description(labels: &[String], series: &Series) -> String {
    let bar = |(label, value): (&String, &Option<f64>)| Bar { label: label.clone(), value: *value };
    let bars: Vec<Bar> = labels.iter().zip(&series.values).map(bar).collect();
    format!("{}: {}", series.name, described(&bars))
}

/// Whether a point has none beside it, so that no line shows it.
fn is_alone(places: &[Option<(f64, f64)>], index: usize) -> bool {
    let is_missing = |index: Option<usize>| index.and_then(|index| *places.get(index)?).is_none();
    is_missing(index.checked_sub(1)) && is_missing(index.checked_add(1))
}

/// The `d` of a path, which is taken up again after each gap.
fn path(places: &[Option<(f64, f64)>]) -> String {
    let mut command = 'M';
    let mut parts = Vec::new();
    for place in places {
        let Some((x, y)) = place else {
            command = 'M';
            continue;
        };
        parts.push(format!("{command}{x} {y}"));
        command = 'L';
    }
    parts.concat()
}
