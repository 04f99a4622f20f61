//! Where values are on an axis, and how numbers are written beside it.

/// Beyond these a value is drawn at the edge, so that no difference of two is infinite.
const LARGEST: f64 = 1e300;
/// Values that differ by less are drawn as zero.
const SMALLEST: f64 = 1e-290;
/// About so many parts an axis is cut into.
const PARTS: f64 = 4.0;

/// An axis that holds zero and all values, and ends at ticks.
pub(super) struct Scale {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Scale {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut are_whole = true;
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| {
            are_whole &= value.fract() == 0.0;
            let value = value.clamp(-LARGEST, LARGEST);
            (low.min(value), high.max(value))
        });
        if high - low < SMALLEST {
            return Self { low: 0.0, high: 1.0, ticks: vec![0.0, 1.0] };
        }
        let step = round_step((high - low) / PARTS);
        // There is no half of a record.
        let step = if are_whole { step.max(1.0) } else { step };
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let mut ticks = Vec::new();
        let mut tick = first;
        while tick <= last {
            ticks.push(tick * step + 0.0);
            tick += 1.0;
        }
        Self { low: first * step, high: last * step, ticks }
    }

    /// Where a value is, from 0 at the low end to 1 at the high one.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value.clamp(-LARGEST, LARGEST) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }
}

/// The next of …, 0.5, 1, 2, 5, 10, … that is not smaller.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    let leading = wanted / power;
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| leading <= *digit).unwrap_or(10.0);
    digit * power
}

/// A number as short as an axis has room for: three digits that count, and a letter for thousands.
pub(super) fn short(value: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(0.001..999.5e12).contains(&size) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    // 999.5 is a thousand when written with three digits.
    let (unit, letters) = UNITS.into_iter().find(|(unit, _)| size >= unit * 0.9995).unwrap_or((1.0, ""));
    let scaled = value / unit;
    let decimals = match scaled.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.1 => 3,
        _ => 5,
    };
    let digits = format!("{scaled:.decimals$}");
    let digits = if decimals > 0 { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits}{letters}")
}

/// A number with all that is known of it.
pub(super) fn exact(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e16).contains(&size) {
        format!("{}", value + 0.0)
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        #[track_caller]
        fn check(values: &[f64], expected: &[&str]) {
            let ticks: Vec<_> =
                Scale::of(values.iter().copied()).ticks().iter().map(|tick| short(*tick)).collect();
            assert_eq!(ticks, expected);
        }
        check(&[], &["0", "1"]);
        check(&[0.0, 0.0], &["0", "1"]);
        check(&[1.0], &["0", "1"]);
        check(&[2.0, 1.0], &["0", "1", "2"]);
        check(&[1.5], &["0", "0.5", "1", "1.5"]);
        check(&[3.0, 7.0], &["0", "2", "4", "6", "8"]);
        check(&[10.0], &["0", "5", "10"]);
        check(&[43_000.0], &["0", "20k", "40k", "60k"]);
        check(&[-3.0, 9.0], &["-5", "0", "5", "10"]);
        check(&[-8.0], &["-8", "-6", "-4", "-2", "0"]);
        check(&[0.03], &["0", "0.01", "0.02", "0.03"]);
        check(&[f64::MAX, f64::MIN], &["-1e300", "-5e299", "0", "5e299", "1e300"]);
        check(&[5e-324], &["0", "1"]);
    }

    #[test]
    fn numbers_are_short() {
        #[track_caller]
        fn check(value: f64, expected: &str) {
            assert_eq!(short(value), expected);
        }
        check(0.0, "0");
        check(-0.0, "0");
        check(1.0, "1");
        check(12.5, "12.5");
        check(12.345, "12.3");
        check(999.4, "999");
        check(999.6, "1k");
        check(1000.0, "1k");
        check(12_500.0, "12.5k");
        check(-12_500.0, "-12.5k");
        check(100_000.0, "100k");
        check(999_999.0, "1M");
        check(1_234_567.0, "1.23M");
        check(2e9, "2bn");
        check(3.5e12, "3.5tn");
        check(1e15, "1e15");
        check(0.05, "0.05");
        check(0.125, "0.125");
        check(0.000_012, "1.2e-5");
    }

    #[test]
    fn numbers_that_are_exact() {
        assert_eq!(exact(13.076_923_076_923_077), "13.076923076923077");
        assert_eq!(exact(1_234_567.0), "1234567");
        assert_eq!(exact(-0.0), "0");
        assert_eq!(exact(1e300), "1e300");
        assert_eq!(exact(1e-9), "1e-9");
    }

    proptest! {
        #[test]
        fn every_value_has_a_place(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL, 1..20)) {
            let scale = Scale::of(values.iter().copied());
            prop_assert!((2..=8).contains(&scale.ticks().len()), "{:?}", scale.ticks());
            for value in &values {
                prop_assert!((0.0..=1.0).contains(&scale.place(*value)));
            }
            prop_assert!(scale.ticks().iter().all(|tick| tick.is_finite() && short(*tick).len() <= 9));
        }
    }
}
