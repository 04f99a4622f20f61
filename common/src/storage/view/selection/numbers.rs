//! The numbers that a test lets through, to be looked up by what columns of numbers hold.

use hashbrown::HashSet;

use super::{Rows, with_ints};
use crate::query::{Test, Wanted};
use crate::storage::view::segment::{Floats, Ints};
use crate::value::{Value, exact_int};

/// So few numbers are compared faster than looked up.
const FEW: usize = 8;

/// The numbers that a test lets through.
#[derive(Default)]
pub(super) struct Numbers {
    /// Those that are integers, in whichever type they were sent; sorted.
    pub(super) ints: Vec<i64>,
    all_ints: HashSet<i64>,
    floats: Vec<f64>,
    /// The bits of the others. Each has but one form.
    fractions: HashSet<u64>,
}

impl Numbers {
    pub(super) fn of(test: &Test) -> Self {
        let mut numbers = Self::default();
        let Test::AnyOf(wanted) = test else { return numbers };
        for wanted in wanted {
            if let Wanted::Text { number: Some(number), .. } = wanted {
                numbers.add(number);
            }
        }
        numbers.ints.sort_unstable();
        numbers.ints.dedup();
        if numbers.ints.len() > FEW {
            numbers.all_ints.extend(&numbers.ints);
        }
        if numbers.floats.len() > FEW {
            numbers.fractions.extend(numbers.floats.iter().map(|float| float.to_bits()));
        }
        numbers
    }

    fn add(&mut self, number: &Value) {
        match number {
            Value::Int(int) => self.ints.push(*int),
            Value::Float(float) => match exact_int(*float) {
                Some(int) => self.ints.push(int),
                None => self.floats.push(*float),
            },
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::Time(_) => {}
        }
    }

    pub(super) fn select_ints(&self, ints: &Ints, rows: &mut Rows) {
        let first = self.ints.partition_point(|int| *int < ints.least);
        let after = self.ints.partition_point(|int| *int <= ints.greatest);
        let has_gaps = !ints.gaps.is_empty();
        match self.ints.get(first..after).unwrap_or_default() {
            [] => rows.clear(),
            few if few.len() <= FEW => with_ints!(ints, value => rows.retain(|row| {
                few.contains(&value(row)) && !(has_gaps && ints.gaps.at(row).is_some())
            })),
            _ => with_ints!(ints, value => rows.retain(|row| {
                self.all_ints.contains(&value(row)) && !(has_gaps && ints.gaps.at(row).is_some())
            })),
        }
    }

    /// Keeps the rows whose floats are wanted ones that no integer equals.
    pub(super) fn select_fractions(&self, floats: &Floats, rows: &mut Rows) {
        let passes = |float: f64| {
            if self.fractions.is_empty() {
                self.floats.contains(&float)
            } else {
                self.fractions.contains(&float.to_bits())
            }
        };
        rows.retain(|row| passes(floats.values[row]) && floats.gaps.at(row).is_none());
    }
}
