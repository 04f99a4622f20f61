//! What is true of all charts, and what each looks like.

use askama::Template;
use proptest::prelude::*;

use super::*;

fn bars(values: &[Option<f64>]) -> Vec<Bar> {
    let bar = |(index, value): (usize, &Option<f64>)| Bar {
        label: format!("2015-03-{:02}", index + 1),
        value: *value,
    };
    values.iter().enumerate().map(bar).collect()
}

fn rendered(chart: &impl Template) -> String {
    chart.render().expect("a chart")
}

/// All charts of some bars.
fn all(bars: &[Bar]) -> Vec<String> {
    let labels: Vec<String> = bars.iter().map(|bar| bar.label.clone()).collect();
    let series =
        |name: &str| Series { name: name.to_owned(), values: bars.iter().map(|bar| bar.value).collect() };
    vec![
        rendered(&Sparkline::new("x", bars.to_vec())),
        rendered(&BarChart::new("x", bars.to_vec())),
        rendered(&RowChart::new("x", bars.to_vec())),
        rendered(&LineChart::new("x", &labels, vec![series("a"), series("b")])),
    ]
}

#[test]
fn what_they_look_like() {
    let bars = bars(&[Some(3.0), None, Some(-1.5), Some(0.0), Some(12_500.0)]);
    insta::assert_snapshot!(all(&bars).join("\n"));
}

#[test]
fn nothing_to_show() {
    for chart in all(&[]).into_iter().chain(all(&bars(&[None, Some(f64::NAN)]))) {
        assert!(chart.contains("There are no values."), "{chart}");
        assert!(!chart.contains("class=\"bar\"") && !chart.contains("<circle"), "{chart}");
    }
}

#[derive(Template)]
#[template(source = "<p>{{ chart }}</p>", ext = "html")]
struct Around {
    chart: Sparkline,
}

#[test]
fn text_is_escaped_once() {
    let bars = [Bar { label: "<b>&\"".to_owned(), value: Some(1.0) }];
    for chart in all(&bars) {
        assert!(!chart.contains("<b>") && !chart.contains("&#38;#"), "{chart}");
    }
    let around = rendered(&Around { chart: Sparkline::new("a & b", bars.to_vec()) });
    assert!(around.starts_with("<p><svg class=\"sparkline\""), "{around}");
    assert!(around.contains("<title>a &#38; b</title>"), "{around}");
}

#[test]
fn a_gap_is_not_zero() {
    let count = |values: &[Option<f64>]| rendered(&BarChart::new("x", bars(values))).matches("<rect").count();
    assert_eq!(count(&[Some(1.0), None, Some(2.0)]), 2);
    assert_eq!(count(&[Some(1.0), Some(0.0), Some(2.0)]), 3);
}

#[test]
fn a_line_is_broken_by_a_gap_and_a_lone_point_is_marked() {
    let mut values = vec![Some(1.0); 70];
    values[10] = None;
    values[12] = None;
    let labels: Vec<String> = (0..70).map(|label| label.to_string()).collect();
    let chart = rendered(&LineChart::new("x", &labels, vec![Series { name: "a".to_owned(), values }]));
    let path = chart.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
    assert_eq!(path.matches('M').count(), 3, "{path}");
    assert_eq!(chart.matches("<circle").count(), 1);
}

#[test]
fn what_is_told_of_a_chart() {
    #[track_caller]
    fn check(values: &[Option<f64>], expected: &str) {
        assert_eq!(described(&bars(values)), expected);
    }
    check(&[], "There are no values.");
    check(&[Some(2.0)], "2015-03-01: least 2015-03-01: 2; greatest 2015-03-01: 2.");
    check(
        &[Some(2.0), None, Some(-1.0)],
        "From 2015-03-01 to 2015-03-03: least 2015-03-03: -1; greatest 2015-03-01: 2. Without a value: 1.",
    );
}

#[test]
fn labels_are_thinned_out() {
    for count in [1, 2, 5, 12, 31, 400] {
        let labels: Vec<String> = (0..count).map(|_| "2015-03-01".to_owned()).collect();
        let shown = labels_below(labels.iter().map(String::as_str), 40.0, 360.0 / number(count), 200.0);
        assert!((1..=4).contains(&shown.len()), "{count}: {}", shown.len());
        for pair in shown.windows(2) {
            assert!(pair[1].x - pair[0].x >= width_of("2015-03-01"), "{count}");
        }
    }
}

/// The values of an attribute.
fn attribute(chart: &str, name: &str) -> Vec<f64> {
    let begin = format!(" {name}=\"");
    let parts = chart.split(&*begin).skip(1);
    parts.filter_map(|part| part.split('"').next()?.parse().ok()).collect()
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let any = prop_oneof![prop::num::f64::ANY, -1000.0..1000.0, Just(0.0)];
    prop::collection::vec(prop::option::of(any), 0..450)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_is_inside(values in values(), label in ".{0,40}") {
        let mut bars = bars(&values);
        if let Some(bar) = bars.first_mut() {
            bar.label = label;
        }
        for chart in all(&bars) {
            let size = chart.split("viewBox=\"0 0 ").nth(1).and_then(|rest| rest.split('"').next()).expect("a size");
            let (width, height) = size.split_once(' ').expect("two numbers");
            let (width, height): (f64, f64) = (width.parse().expect("a width"), height.parse().expect("a height"));
            let drawn = chart.split("<ul").next().unwrap_or_default();
            for (name, end) in [("x", width), ("y", height)] {
                prop_assert!(attribute(drawn, name).iter().all(|place| (0.0..=end).contains(place)), "{drawn}");
            }
            for rect in drawn.split("<rect").skip(1) {
                let one = |name: &'static str| attribute(rect, name).first().copied().expect("a number");
                prop_assert!(one("x") + one("width") <= width + 0.2, "{rect}");
                prop_assert!(one("y") + one("height") <= height + 0.2, "{rect}");
            }
            for name in ["x1", "x2", "cx"] {
                prop_assert!(attribute(drawn, name).iter().all(|x| (0.0..=width).contains(x)));
            }
            for name in ["y1", "y2", "cy"] {
                prop_assert!(attribute(drawn, name).iter().all(|y| (0.0..=height).contains(y)));
            }
            prop_assert!(!drawn.contains("NaN\"") && !drawn.contains("inf\""));
        }
    }
}
