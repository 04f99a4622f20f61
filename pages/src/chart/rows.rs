//! Bars below one another, as of groups, whose names are longer than those of periods.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::{Scale, short};
use super::{
    BESIDE, Bar, CHARACTER, Drawn, Label, WIDTH, coordinate, described, drawable, number, shortened, told,
    width_of,
};

const ROW: f64 = 20.0;
/// Where the text of a row stands, below its top.
const BASELINE: f64 = 14.5;

/// A chart with a row for each bar: its name, the bar, and the value in figures.
#[derive(Template)]
#[template(path = "row_chart.svg")]
pub struct RowChart {
    title: String,
    description: String,
    height: f64,
    zero: f64,
    /// The names; `x` is where they end.
    names: Vec<Label>,
    bars: Vec<Drawn>,
    /// The values; `x` is where they begin.
    values: Vec<Label>,
}

impl HtmlSafe for RowChart {}

impl RowChart {
    /// A chart of some bars, from the first at the top.
    pub fn new(title: impl Into<String>, bars: Vec<Bar>) -> Self {
        let names: Vec<String> = bars.iter().map(|bar| shortened(&bar.label, BESIDE)).collect();
        let left = names.iter().map(|name| width_of(name)).fold(0.0, f64::max) + CHARACTER;
        let known = || bars.iter().filter_map(|bar| drawable(bar.value));
        let right = WIDTH - known().map(|value| width_of(&short(value))).fold(0.0, f64::max) - CHARACTER;
        // Such an axis has no ticks, so it need not end at one.
        let scale = Scale::of(known());
        let x = |value: f64| left + scale.place(value) * (right - left);
        let zero = x(0.0);
        let (description, height) = (described(&bars), number(bars.len().max(1)) * ROW);
        let (mut drawn, mut values) = (Vec::new(), Vec::new());
        for (index, bar) in bars.into_iter().enumerate() {
            let Some(value) = drawable(bar.value) else { continue };
            let (from, to) = (x(value).min(zero), x(value).max(zero));
            let y = number(index) * ROW;
            drawn.push(Drawn {
                x: coordinate(from),
                y: coordinate(y + 2.0),
                width: coordinate((to - from).max(1.0)),
                height: ROW - 4.0,
                title: told(&bar.label, value),
            });
            values.push(Label { x: coordinate(to + 4.0), y: coordinate(y + BASELINE), text: short(value) });
        }
        let name = |(index, text)| Label {
            x: coordinate(left - CHARACTER),
            y: coordinate(number(index) * ROW + BASELINE),
            text,
        };
        Self {
            title: title.into(),
            description,
            height,
            zero: coordinate(zero),
            names: names.into_iter().enumerate().map(name).collect(),
            bars: drawn,
            values,
        }
    }
}
