//! Bars as small as a word.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::Scale;
use super::{Bar, Drawn, coordinate, described, drawable, number, told};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 24.0;

/// A small chart without axes, as wide as a few words.
#[derive(Template)]
#[template(path = "sparkline.svg")]
pub struct Sparkline {
    /// What it shows, for who does not see it.
    title: String,
    description: String,
    bars: Vec<Drawn>,
}

impl HtmlSafe for Sparkline {}

impl Sparkline {
    /// A chart of some bars, from the first on the left.
    pub fn new(title: impl Into<String>, bars: Vec<Bar>) -> Self {
        let scale = Scale::of(bars.iter().filter_map(|bar| drawable(bar.value)));
        let slot = WIDTH / number(bars.len().max(1));
        let gap = if slot > 2.0 { slot * 0.2 } else { 0.0 };
        let y = |value: f64| HEIGHT - scale.place(value) * HEIGHT;
        let zero = y(0.0);
        let description = described(&bars);
        let drawn = bars.into_iter().enumerate().filter_map(|(index, bar)| {
            let value = drawable(bar.value)?;
            let (top, bottom) = (y(value).min(zero), y(value).max(zero));
            Some(Drawn {
                x: coordinate(slot * number(index) + gap / 2.0),
                y: coordinate(top.min(bottom - 1.0).max(0.0)),
                width: coordinate((slot - gap).max(0.1)),
                height: coordinate((bottom - top).max(1.0)),
                title: told(&bar.label, value),
            })
        });
        Self { bars: drawn.collect(), title: title.into(), description }
    }
}
