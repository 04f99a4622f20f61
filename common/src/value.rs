//! The values that a record holds, and the one order and equality that everything uses.
//!
//! Order: null (a missing field sorts with it), numbers, text by code point, booleans, times; the
//! order in which MongoDB sorts those types, so that a server can sort for us. `1` and `1.0` are
//! one value; `true` and `1` are two.

mod beginning;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use serde::{Serialize, Serializer};

use crate::timestamp::Timestamp;

pub(crate) use beginning::Beginning;

/// A value that owns its text.
#[derive(Clone, Debug)]
pub enum Value {
    /// An explicit null.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// A time, which only reserved keys hold.
    Time(Timestamp),
}

/// A value that borrows its text, from a stored record or from a [`Value`].
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// An explicit null.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// A time.
    Time(Timestamp),
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::Int(value) => ValueRef::Int(*value),
            Self::Float(value) => ValueRef::Float(*value),
            Self::Text(value) => ValueRef::Text(value),
            Self::Time(value) => ValueRef::Time(*value),
        }
    }

    /// Takes the spelling of an equal value if it is the preferred one: a whole number is shown as
    /// an integer when any record held it as one, whatever the order in which records are read.
    pub(crate) fn prefer_spelling(&mut self, other: ValueRef<'_>) {
        if let (Self::Float(_), ValueRef::Int(value)) = (&*self, other) {
            *self = Self::Int(value);
        }
    }
}

impl ValueRef<'_> {
    /// The same value with its text copied.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(value) => Value::Text(value.into()),
            Self::Time(value) => Value::Time(value),
        }
    }

    /// Whether it is the null that an answer leaves out of groups.
    pub fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }

    fn rank(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) | Self::Float(_) => 1,
            Self::Text(_) => 2,
            Self::Bool(_) => 3,
            Self::Time(_) => 4,
        }
    }
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(&b),
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => compare_floats(a, b),
            (Self::Int(a), Self::Float(b)) => compare_int_with_float(a, b),
            (Self::Float(a), Self::Int(b)) => compare_int_with_float(b, a).reverse(),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(&b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    // `total_cmp` alone would part 0.0 from -0.0; it decides only where a NaN is compared, which
    // no client can store but a foreign database may hold.
    a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b))
}

/// Compares exactly, where a conversion of the integer to a float would round it.
#[expect(clippy::cast_possible_truncation, reason = "checked to be in the range of i64")]
fn compare_int_with_float(int: i64, float: f64) -> Ordering {
    if float.is_nan() || float >= I64_LIMIT {
        Ordering::Less
    } else if float < -I64_LIMIT {
        Ordering::Greater
    } else {
        let whole = float.trunc();
        int.cmp(&(whole as i64)).then_with(|| compare_floats(whole, float))
    }
}

/// 2 to the 63rd, the first float past the largest `i64`.
const I64_LIMIT: f64 = 9_223_372_036_854_775_808.0;

/// The integer that equals a float, if there is one.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in the range of i64")]
#[expect(clippy::float_cmp, reason = "a whole number is exactly its own integral part")]
pub(crate) fn exact_int(float: f64) -> Option<i64> {
    ((-I64_LIMIT..I64_LIMIT).contains(&float) && float.trunc() == float).then_some(float as i64)
}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ValueRef<'_> {}

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match *self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            Self::Int(value) => value.hash(state),
            // Equal numbers must hash alike, whatever their type.
            Self::Float(value) => match exact_int(value) {
                Some(int) => int.hash(state),
                None => value.to_bits().hash(state),
            },
            Self::Text(value) => value.hash(state),
            Self::Time(value) => value.hash(state),
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<Value> for ValueRef<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        *self == key.as_ref()
    }
}

/// As in JSON; a time as ISO 8601 text.
impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(value),
            Self::Int(value) => serializer.serialize_i64(value),
            Self::Float(value) => serializer.serialize_f64(value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Time(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().serialize(serializer)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_in_their_order() {
        let time = |text| Value::Time(Timestamp::parse(text).expect("a time"));
        let ordered = [
            Value::Null,
            Value::Float(-1e300),
            Value::Int(i64::MIN),
            Value::Float(-0.5),
            Value::Int(0),
            Value::Float(0.1),
            Value::Int(9_007_199_254_740_992),
            Value::Int(9_007_199_254_740_993),
            Value::Float(9_007_199_254_740_994.0),
            Value::Int(i64::MAX),
            Value::Float(9_223_372_036_854_775_808.0),
            Value::from(""),
            Value::from("1"),
            Value::from("Z"),
            Value::from("a"),
            Value::from("é"),
            Value::from("雪"),
            Value::Bool(false),
            Value::Bool(true),
            time("2014-01-01"),
            time("2014-01-02"),
        ];
        for pair in ordered.windows(2) {
            assert!(pair[0] < pair[1], "{:?} before {:?}", pair[0], pair[1]);
        }
    }

    #[test]
    fn whole_numbers_are_one_value_in_either_type() {
        assert_eq!(Value::Int(1), Value::Float(1.0));
        assert_eq!(Value::Int(0), Value::Float(-0.0));
        assert_ne!(Value::Int(1), Value::Bool(true));
        assert_ne!(Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0));
    }

    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-4_i64..4).prop_map(Value::Int),
            any::<i64>().prop_map(Value::Int),
            (-8_i32..8).prop_map(|halves| Value::Float(f64::from(halves) / 2.0)),
            prop::num::f64::NORMAL.prop_map(Value::Float),
            "[ab1é]{0,2}".prop_map(|text| Value::Text(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any_value(), b in any_value(), c in any_value()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        #[test]
        fn equal_values_hash_alike(a in any_value(), b in any_value()) {
            let hasher = BuildHasherDefault::<DefaultHasher>::default();
            if a == b {
                prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(b.as_ref()));
            }
        }
    }
}
