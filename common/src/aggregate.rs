//! Partial aggregates: what an engine counts for each group, how two of them merge, and the one
//! place where they are reduced to the value of an answer.
//!
//! An engine may split its work by record, by chunk or by server: partials merge in any order. No
//! engine reduces, so engines cannot disagree about what a sum or a mean is.

use hashbrown::HashSet;

use crate::query::{CollectMethod, InvalidQuery};
use crate::value::{Value, ValueRef, exact_int};

/// Everything that is known of the values of one field in one group. Records that lack the field
/// are not in it; an explicit null is a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial {
    /// How many values there are.
    pub values: u64,
    /// The sum of those that are numbers.
    pub sum: Sum,
    /// The distinct ones, where a set is wanted.
    pub set: Option<HashSet<Value>>,
}

/// The sum of some numbers, exact for integers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// How many integers.
    pub ints: u64,
    /// Their sum. 64 bits of count times 64 bits of value fit.
    pub int_sum: i128,
    /// How many floats.
    pub floats: u64,
    /// Their sum.
    pub float_sum: CompensatedSum,
}

/// A sum of floats that carries what rounding lost (Neumaier's variant of Kahan summation), so that
/// it hardly depends on the order in which records are read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    /// Adds a float.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn total(self) -> f64 {
        let total = self.sum + self.lost;
        // Past the largest float what was lost is no number; the sum itself says so best.
        if total.is_nan() { self.sum } else { total }
    }
}

impl Sum {
    fn add(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Int(int) => self.add_int(int),
            ValueRef::Float(float) => self.add_float(float),
            ValueRef::Null | ValueRef::Bool(_) | ValueRef::Text(_) | ValueRef::Time(_) => {}
        }
    }

    /// Adds an integer.
    #[inline]
    pub(crate) fn add_int(&mut self, int: i64) {
        self.ints += 1;
        self.int_sum += i128::from(int);
    }

    /// Adds a float.
    #[inline]
    pub(crate) fn add_float(&mut self, float: f64) {
        self.floats += 1;
        self.float_sum.add(float);
    }

    /// Adds everything that another sum has.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.ints += other.ints;
        self.int_sum += other.int_sum;
        self.floats += other.floats;
        self.float_sum.add(other.float_sum.sum);
        self.float_sum.lost += other.float_sum.lost;
    }

    /// How many numbers.
    pub(crate) fn numbers(&self) -> u64 {
        self.ints + self.floats
    }

    /// An integer if all are and 64 bits hold it, else a float.
    #[expect(clippy::cast_precision_loss, reason = "past 64 bits a sum is a float")]
    fn total(&self) -> Value {
        if self.floats == 0
            && let Ok(int) = i64::try_from(self.int_sum)
        {
            return Value::Int(int);
        }
        Value::Float(self.int_sum as f64 + self.float_sum.total())
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    fn mean(&self) -> Value {
        match self.numbers() {
            0 => Value::Null,
            count => Value::Float((self.int_sum as f64 + self.float_sum.total()) / count as f64),
        }
    }
}

impl Partial {
    /// The partial of no values, with a set if one is wanted.
    pub fn new(wants_set: bool) -> Self {
        Self { set: wants_set.then(HashSet::new), ..Self::default() }
    }

    /// Adds a value that a record holds. Says whether the set has one member more.
    pub fn add(&mut self, value: ValueRef<'_>) -> bool {
        self.values += 1;
        self.sum.add(value);
        self.add_to_set(value)
    }

    /// Adds a value to the set alone, for an engine that counted the values elsewhere.
    /// Says whether that has one member more.
    pub(crate) fn add_to_set(&mut self, value: ValueRef<'_>) -> bool {
        self.set.as_mut().is_some_and(|set| add_to_set(set, value))
    }

    /// How many members its set has.
    pub(crate) fn members(&self) -> usize {
        self.set.as_ref().map_or(0, HashSet::len)
    }

    /// Adds everything that another partial of the same field knows.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.sum.merge(&other.sum);
        if let (Some(set), Some(other)) = (&mut self.set, &other.set) {
            for value in other {
                add_to_set(set, value.as_ref());
            }
        }
    }

    /// The value of an answer.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery::CollectedNoNumbers`] for the sum or mean of values that are not all numbers.
    pub fn reduce(&self, method: CollectMethod) -> Result<Reduced, InvalidQuery> {
        let numbers_only = || {
            let all = self.sum.numbers() == self.values;
            all.then_some(&self.sum).ok_or(InvalidQuery::CollectedNoNumbers)
        };
        Ok(match method {
            CollectMethod::Count => {
                Reduced::Value(Value::Int(i64::try_from(self.values).unwrap_or(i64::MAX)))
            }
            CollectMethod::Sum => Reduced::Value(numbers_only()?.total()),
            CollectMethod::Mean => Reduced::Value(numbers_only()?.mean()),
            CollectMethod::Set => sorted(self.set.iter().flatten().cloned()),
        })
    }

    /// The value of an answer. A set is taken and not copied, so there is one only once.
    ///
    /// # Errors
    ///
    /// As [`Partial::reduce`].
    pub(crate) fn take(&mut self, method: CollectMethod) -> Result<Reduced, InvalidQuery> {
        match method {
            CollectMethod::Set => Ok(sorted(self.set.take().into_iter().flatten())),
            CollectMethod::Count | CollectMethod::Sum | CollectMethod::Mean => self.reduce(method),
        }
    }
}

impl Default for Reduced {
    fn default() -> Self {
        Self::Value(Value::Null)
    }
}

fn sorted(set: impl Iterator<Item = Value>) -> Reduced {
    let mut values: Vec<Value> = set.collect();
    values.sort_unstable();
    Reduced::Set(values)
}

/// What a partial is reduced to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reduced {
    /// A sum, a count or a mean.
    Value(Value),
    /// A set, sorted.
    Set(Vec<Value>),
}

fn add_to_set(set: &mut HashSet<Value>, value: ValueRef<'_>) -> bool {
    match set.get(&value) {
        None => return set.insert(value.to_value()),
        // Of `1` and `1.0` the integer is shown, whichever came first.
        Some(Value::Float(float)) if matches!(value, ValueRef::Int(_)) => {
            debug_assert!(exact_int(*float).is_some());
            set.replace(value.to_value());
        }
        Some(_) => {}
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::tests::any_value;

    fn partial<'a>(values: impl IntoIterator<Item = &'a Value>) -> Partial {
        let mut partial = Partial::new(true);
        for value in values {
            partial.add(value.as_ref());
        }
        partial
    }

    #[track_caller]
    fn check(values: &[Value], method: CollectMethod, reduced: &str) {
        let found = match partial(values).reduce(method) {
            Ok(Reduced::Value(value)) => serde_json::to_string(&value).expect("JSON"),
            Ok(Reduced::Set(values)) => serde_json::to_string(&values).expect("JSON"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, reduced, "{method:?} of {values:?}");
        assert_eq!(partial(values).take(method), partial(values).reduce(method), "{method:?} of {values:?}");
    }

    #[test]
    fn reductions() {
        use CollectMethod::{Count, Mean, Set, Sum};
        let ints = [Value::Int(3), Value::Int(1), Value::Int(3)];
        check(&ints, Sum, "7");
        check(&ints, Count, "3");
        check(&ints, Mean, "2.3333333333333335");
        check(&ints, Set, "[1,3]");
        let mixed = [Value::Int(1), Value::Float(2.5), Value::Int(3)];
        check(&mixed, Sum, "6.5");
        check(&[], Sum, "0");
        check(&[], Count, "0");
        check(&[], Mean, "null");
        check(&[], Set, "[]");
        check(&[Value::Int(i64::MAX), Value::Int(1)], Sum, "9.223372036854776e+18");
        check(&[Value::Int(i64::MAX), Value::Int(1), Value::Int(-1)], Sum, "9223372036854775807");
        check(&[Value::Float(0.1), Value::Float(0.2), Value::Float(-0.3)], Sum, "2.7755575615628914e-17");
        let with_null = [Value::Int(4), Value::Null];
        check(&with_null, Count, "2");
        check(&with_null, Set, "[null,4]");
        for other in [Value::Null, Value::from("x"), Value::Bool(true)] {
            check(&[Value::Int(4), other.clone()], Sum, "invalid collect function");
            check(&[other], Mean, "invalid collect function");
        }
        let alike = [Value::Float(1.0), Value::Int(1), Value::Bool(true), Value::from("1")];
        check(&alike, Set, "[1,\"1\",true]");
    }

    #[test]
    fn float_sums_carry_what_rounding_loses() {
        let values = [Value::Float(1e100), Value::Float(1.0), Value::Float(-1e100)];
        check(&values, CollectMethod::Sum, "1.0");
        let huge = [Value::Float(f64::MAX), Value::Float(f64::MAX)];
        // JSON has no infinity.
        check(&huge, CollectMethod::Sum, "null");
    }

    proptest! {
        #[test]
        fn partials_merge_in_any_split(
            values in prop::collection::vec(any_value(), 0..12),
            split in 0_usize..12,
        ) {
            let (left, right) = values.split_at(split.min(values.len()));
            let whole = partial(&values);
            let mut merged = partial(left);
            merged.merge(&partial(right));
            for method in [CollectMethod::Count, CollectMethod::Set] {
                prop_assert_eq!(merged.reduce(method).ok(), whole.reduce(method).ok());
            }
            prop_assert_eq!(merged.sum.int_sum, whole.sum.int_sum);
            prop_assert_eq!(merged.sum.numbers(), whole.sum.numbers());
        }
    }
}
