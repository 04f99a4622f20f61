//! Bars beside one another, as of periods.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::{Scale, short};
use super::{
    Bar, Drawn, Label, WIDTH, coordinate, described, drawable, labels_below, number, told, width_of,
};

const HEIGHT: f64 = 210.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 182.0;
/// A bar of nothing is that high, so that it is not taken for a missing one.
const THIN: f64 = 1.0;

/// A chart with axes, as wide as the page.
#[derive(Template)]
#[template(path = "bar_chart.svg")]
pub struct BarChart {
    /// What it shows.
    title: String,
    description: String,
    left: f64,
    zero: f64,
    /// The values on the axis; `x` is where their text ends.
    ticks: Vec<Label>,
    bars: Vec<Drawn>,
    labels: Vec<Label>,
}

impl HtmlSafe for BarChart {}

impl BarChart {
    /// A chart of some bars, from the first on the left.
    pub fn new(title: impl Into<String>, bars: Vec<Bar>) -> Self {
        let scale = Scale::of(bars.iter().filter_map(|bar| drawable(bar.value)));
        let (left, ticks) = axis(&scale, TOP, BOTTOM);
        let slot = (WIDTH - left) / number(bars.len().max(1));
        let gap = if slot > 4.0 { slot * 0.2 } else { 0.0 };
        let height = |value: f64| BOTTOM - scale.place(value) * (BOTTOM - TOP);
        let zero = height(0.0);
        let description = described(&bars);
        let labels = labels_below(bars.iter().map(|bar| &*bar.label), left, slot, HEIGHT - 8.0);
        let drawn = bars.into_iter().enumerate().filter_map(|(index, bar)| {
            let value = drawable(bar.value)?;
            let (top, bottom) = (height(value).min(zero), height(value).max(zero));
            Some(Drawn {
                x: coordinate(left + slot * number(index) + gap / 2.0),
                y: coordinate(top.min(bottom - THIN)),
                width: coordinate((slot - gap).max(0.1)),
                height: coordinate((bottom - top).max(THIN)),
                title: told(&bar.label, value),
            })
        });
        Self {
            title: title.into(),
            description,
            left: coordinate(left),
            zero: coordinate(zero),
            bars: drawn.collect(),
            labels,
            ticks,
        }
    }
}

/// The values on an axis at the left, and where the chart begins beside them.
pub(super) fn axis(scale: &Scale, top: f64, bottom: f64) -> (f64, Vec<Label>) {
    let texts: Vec<String> = scale.ticks().iter().map(|tick| short(*tick)).collect();
    let left = texts.iter().map(|text| width_of(text)).fold(0.0, f64::max) + 6.0;
    let ticks = scale.ticks().iter().zip(texts).map(|(tick, text)| Label {
        x: coordinate(left - 6.0),
        y: coordinate(bottom - scale.place(*tick) * (bottom - top)),
        text,
    });
    (left, ticks.collect())
}
