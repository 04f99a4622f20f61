//! A test made ready to be asked of many values: of thousands of wanted values each is not compared with each,
//! but looked up.

mod prefixes;

use hashbrown::HashSet;

use super::{Test, Wanted};
use crate::value::ValueRef;

pub(crate) use prefixes::Prefixes;

/// So few wanted values are compared faster than looked up.
pub(crate) const FEW: usize = 4;

/// A test, in the form in which it is answered fastest. It passes what the test passes.
#[derive(Debug)]
pub(crate) enum Lookup<'q> {
    /// Few values, each to be compared with.
    Few(&'q [Wanted]),
    /// Everything that any of many spellings may mean. Numbers are equal and hash alike in either type.
    Values(HashSet<ValueRef<'q>>),
    /// Beginnings of texts.
    Prefixes(Prefixes<'q>),
}

impl<'q> Lookup<'q> {
    /// The test made ready.
    pub(crate) fn new(test: &'q Test) -> Self {
        match test {
            Test::AnyOf(wanted) if wanted.len() <= FEW => Self::Few(wanted),
            Test::AnyOf(wanted) => Self::Values(wanted.iter().flat_map(Wanted::values).collect()),
            Test::AnyPrefix(prefixes) => Self::Prefixes(Prefixes::new(prefixes)),
        }
    }

    /// Whether a record passes whose field has this value, or lacks it.
    #[inline]
    pub(crate) fn passes(&self, value: Option<ValueRef<'_>>) -> bool {
        let Some(value) = value else { return false };
        match self {
            Self::Few(wanted) => wanted.iter().any(|wanted| wanted.matches(value)),
            Self::Values(values) => {
                cost::compared();
                values.contains(&value)
            }
            Self::Prefixes(prefixes) => match value {
                ValueRef::Text(text) => prefixes.begin(text),
                _ => false,
            },
        }
    }
}

/// How much was compared, so that tests can tell what a list of wanted values costs.
pub(crate) mod cost {
    #[cfg(test)]
    thread_local! {
        static COMPARED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// Notes that two values were compared, or one looked up.
    #[inline]
    pub(crate) fn compared() {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
    }

    /// How often this thread did while something was done.
    #[cfg(test)]
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, u64) {
        let before = COMPARED.get();
        let done = work();
        (done, COMPARED.get() - before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::Timestamp;
    use crate::value::Value;
    use crate::value::tests::any_value;

    /// Spellings that often mean the same, or something that `any_value` makes.
    fn spelling() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab1é]{0,3}",
            (-4_i64..4).prop_map(|number| number.to_string()),
            (-8_i32..8).prop_map(|halves| format!("{:?}", f64::from(halves) / 2.0)),
            any::<i64>().prop_map(|number| number.to_string()),
            prop::sample::select(vec!["true", "false", "null", "-0.0", "0e0", "1e0", "9007199254740993"])
                .prop_map(str::to_owned),
            (0_i64..3).prop_map(|second| Timestamp::saturating(second * 1000).to_string()),
        ]
    }

    fn value() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            1 => Just(None),
            6 => any_value().prop_map(Some),
            1 => (0_i64..3).prop_map(|second| Some(Value::Time(Timestamp::saturating(second * 1000)))),
        ]
    }

    proptest! {
        #[test]
        fn a_lookup_passes_what_the_test_passes(
            spellings in prop::collection::vec(spelling(), 0..12),
            values in prop::collection::vec(value(), 0..24),
        ) {
            let wanted = spellings.iter().map(|spelling| Wanted::parse(spelling)).collect();
            let prefixes = spellings.iter().map(|spelling| Box::from(spelling.as_str())).collect();
            for test in [Test::AnyOf(wanted), Test::AnyPrefix(prefixes)] {
                let lookup = Lookup::new(&test);
                let texts = spellings.iter().map(|spelling| Some(ValueRef::Text(spelling)));
                for value in values.iter().map(|value| value.as_ref().map(Value::as_ref)).chain(texts) {
                    prop_assert_eq!(lookup.passes(value), test.passes(value), "{:?} of {:?}", value, &test);
                }
            }
        }
    }

    #[test]
    fn thousands_of_values_cost_as_much_as_few() {
        let wanted = (0..3000).map(|number| Wanted::parse(&format!("value {number}"))).collect();
        let prefixes = (0..3000).map(|number| format!("value {number:04}").into()).collect();
        for test in [Test::AnyOf(wanted), Test::AnyPrefix(prefixes)] {
            let lookup = Lookup::new(&test);
            let texts: Vec<String> = (0..1000).map(|number| format!("value {}", number * 7)).collect();
            let ask = || texts.iter().filter(|text| lookup.passes(Some(ValueRef::Text(text)))).count();
            let (passed, compared) = cost::of(ask);
            assert!(passed > 0);
            assert!(compared <= 40 * 1000, "{compared} comparisons");
        }
    }
}
