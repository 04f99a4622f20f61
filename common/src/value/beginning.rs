//! The beginnings of values: numbers that are sorted in place of the values, without looking them up.

use super::{I64_LIMIT, ValueRef};

/// As much of a value as there is room for, so that beginnings are in the order of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Beginning(u128);

/// How many bytes of a text there is room for, beside a byte for its type and one for its length.
const TEXT: usize = 14;

impl Beginning {
    /// What comes after all values.
    pub(crate) const LAST: Self = Self(u128::MAX);

    pub(crate) fn of(value: ValueRef<'_>) -> Self {
        let rest = match value {
            ValueRef::Null => 0,
            ValueRef::Int(value) => of_int(value),
            ValueRef::Float(value) => of_number(value, 0),
            ValueRef::Text(text) => of_text(text.as_bytes()),
            ValueRef::Bool(value) => u128::from(value),
            ValueRef::Time(time) => u128::from(time.millis().cast_unsigned() ^ 1 << 63),
        };
        Self(u128::from(value.rank()) << 120 | rest)
    }

    /// Whether it is all of the value, so that values of the same beginning are equal.
    pub(crate) fn is_whole(self) -> bool {
        let [rank, .., length] = self.0.to_be_bytes();
        rank != ValueRef::Text("").rank() && self != Self::LAST || usize::from(length) <= TEXT
    }
}

/// The nearest float, and how far from that it is.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "what is lost is in the difference"
)]
fn of_int(value: i64) -> u128 {
    let nearest = value as f64;
    // Only the largest integers are nearest to what no integer is.
    let whole = if nearest >= I64_LIMIT { i128::from(i64::MAX) + 1 } else { i128::from(nearest as i64) };
    of_number(nearest, i128::from(value) - whole)
}

fn of_number(float: f64, difference: i128) -> u128 {
    // 0.0 and -0.0 are one value.
    let bits = (float + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    u128::from(ordered) << 56 | (difference + (1 << 32)).cast_unsigned()
}

fn of_text(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = text.len().min(TEXT);
    bytes[1..=length].copy_from_slice(&text[..length]);
    bytes[15] = u8::try_from(text.len().min(TEXT + 1)).unwrap_or(u8::MAX);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::Timestamp;
    use crate::value::Value;
    use crate::value::tests::any_value;

    fn check(a: &Value, b: &Value) {
        let (a, b) = (a.as_ref(), b.as_ref());
        let by_beginning = Beginning::of(a).cmp(&Beginning::of(b));
        assert_eq!(by_beginning.then(a.cmp(&b)), a.cmp(&b), "{a:?} and {b:?}");
        if by_beginning.is_eq() && Beginning::of(a).is_whole() {
            assert_eq!(a, b);
        }
        assert!(Beginning::of(a) < Beginning::LAST);
    }

    #[test]
    fn values_that_are_nearly_alike() {
        let time = |text| Value::Time(Timestamp::parse(text).expect("a time"));
        let ints = [
            0,
            1,
            9_007_199_254_740_992,
            9_007_199_254_740_993,
            i64::MAX - 1,
            i64::MAX,
            i64::MIN,
            i64::MIN + 1,
        ];
        let floats = [0.0, -0.0, 1.0, 9_007_199_254_740_992.0, 9_223_372_036_854_775_808.0, -1e300, 5e-324];
        let texts =
            ["", "a", "a\0", "fourteen bytes", "fourteen bytes\0", "fourteen bytes!", "fourteen bytes, more"];
        let values: Vec<Value> = ints
            .map(Value::Int)
            .into_iter()
            .chain(floats.map(Value::Float))
            .chain(texts.map(Value::from))
            .chain([
                Value::Null,
                Value::Bool(false),
                Value::Bool(true),
                time("1969-01-01"),
                time("2014-01-01"),
            ])
            .collect();
        for a in &values {
            for b in &values {
                check(a, b);
            }
        }
    }

    #[test]
    fn what_is_whole() {
        let is_whole = |text: &str| Beginning::of(ValueRef::Text(text)).is_whole();
        assert!(is_whole("") && is_whole("fourteen bytes"));
        assert!(!is_whole("fourteen bytes!"));
        assert!(Beginning::of(ValueRef::Int(i64::MAX)).is_whole());
        assert!(!Beginning::LAST.is_whole());
    }

    proptest! {
        #[test]
        fn beginnings_agree_with_the_order(a in any_value(), b in any_value()) {
            check(&a, &b);
        }
    }
}
