//! Charts as inline SVG, made on the server: no script, and readable for whoever does not see them.
//!
//! A chart is a pure function of its values. A template shows one with `{{ chart }}`, which is not
//! escaped: all text that a chart is given has been by then.
//!
//! Charts are 400 units wide and scaled to the page; the stylesheet makes their text larger where
//! that makes them small. There is room for the largest.

mod bars;
mod lines;
mod rows;
mod scale;
mod sparkline;
#[cfg(test)]
mod tests;

pub use bars::BarChart;
pub use lines::{LineChart, SERIES, Series};
pub use rows::RowChart;
pub use sparkline::Sparkline;

use scale::exact;

/// How wide all charts but the smallest are.
const WIDTH: f64 = 400.0;
/// How wide a character is, in the widest font that a system may have.
const CHARACTER: f64 = 9.0;
/// How many characters of a label there is room for below a chart, where a time has it, …
const BELOW: usize = 20;
/// … and beside it.
const BESIDE: usize = 16;

/// One bar of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it stands for, as "2015-03-01".
    pub label: String,
    /// How high it is; none where there is no value, which is not zero.
    pub value: Option<f64>,
}

/// A rectangle of a chart, and what it says when pointed at.
struct Drawn {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
}

/// Some text and where it is.
struct Label {
    x: f64,
    y: f64,
    text: String,
}

/// A value that can be drawn.
fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// A coordinate; finer ones are not seen.
fn coordinate(value: f64) -> f64 {
    // Adding zero leaves no negative one.
    (value * 100.0).round() / 100.0 + 0.0
}

#[expect(clippy::cast_precision_loss, reason = "no chart has so many")]
fn number(count: usize) -> f64 {
    count as f64
}

fn width_of(text: &str) -> f64 {
    number(text.chars().count()) * CHARACTER
}

/// As much of a label as there is room for.
fn shortened(label: &str, longest: usize) -> String {
    if label.chars().count() <= longest {
        return label.to_owned();
    }
    label.chars().take(longest - 1).chain(['…']).collect()
}

/// What a bar or a point says when pointed at.
fn told(label: &str, value: f64) -> String {
    format!("{label}: {}", exact(value))
}

/// What somebody who does not see a chart of some bars is told.
fn described(bars: &[Bar]) -> String {
    let known = || bars.iter().filter_map(|bar| Some((&bar.label, drawable(bar.value)?)));
    let least = known().min_by(|a, b| a.1.total_cmp(&b.1));
    let greatest = known().max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(least), Some(greatest)) = (least, greatest) else { return "There are no values.".to_owned() };
    let ends = match bars {
        [only] => only.label.clone(),
        [from, .., to] => format!("From {} to {}", from.label, to.label),
        [] => String::new(),
    };
    let missing = match bars.len() - known().count() {
        0 => String::new(),
        count => format!(" Without a value: {count}."),
    };
    format!("{ends}: least {}; greatest {}.{missing}", told(least.0, least.1), told(greatest.0, greatest.1))
}

/// The labels below a chart that there is room for: every so manyth of those at some places.
fn labels_below<'a>(
    labels: impl ExactSizeIterator<Item = &'a str>,
    left: f64,
    slot: f64,
    y: f64,
) -> Vec<Label> {
    let labels: Vec<String> = labels.map(|label| shortened(label, BELOW)).collect();
    let widest = labels.iter().map(|label| width_of(label)).fold(0.0, f64::max);
    let (mut shown, mut free_from) = (Vec::new(), 0.0);
    for (index, text) in labels.into_iter().enumerate() {
        let middle = left + slot * (number(index) + 0.5);
        let half = width_of(&text) / 2.0;
        let x = middle.min(WIDTH - half).max(half);
        if x - half >= free_from {
            // As if each were the widest, so that they are evenly spread.
            free_from = x + widest - half + 2.0 * CHARACTER;
            shown.push(Label { x: coordinate(x), y, text });
        }
    }
    shown
}
