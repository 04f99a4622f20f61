//! What a query asks for, in types that hold only what can be answered.
//!
//! A query string becomes [`args::QueryArgs`], which `rules` turn into a [`Query`]; an engine
//! answers that with rows, and `shape` makes an answer of them. Nothing here does IO or knows what
//! time it is.

pub mod args;
pub mod collect;
mod outline;
mod rules;

use crate::field::FieldName;
use crate::period::Period;
use crate::timestamp::Timestamp;
use crate::value::{Value, ValueRef};

pub use collect::{Collect, CollectMethod};
pub use outline::Outline;
pub use rules::InvalidQuery;

/// A checked query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// Asks for records as they are.
    Records(RecordQuery),
    /// Asks for groups of them, by field, by period, or by both.
    Groups(GroupQuery),
}

/// Which records a query is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// All of these must hold. Each is about another field.
    pub filters: Vec<Filter>,
    /// Where their `_timestamp` must lie.
    pub range: Option<TimeRange>,
}

/// A span of time, its start included and its end not. Empty if it ends at its start or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The first instant in it.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// A query for records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecordQuery {
    /// Which ones.
    pub selection: Selection,
    /// In which order; without one they come as the engine likes.
    pub sort: Option<RecordSort>,
    /// How many at the most.
    pub limit: Option<usize>,
}

/// An order of records: by type, then value. Records that lack the field come with nulls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordSort {
    /// By which field.
    pub field: FieldName,
    /// Which way.
    pub direction: Direction,
}

/// Which way to sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

impl Direction {
    /// Turns an ascending comparison round where the order is descending.
    pub(crate) fn apply(self, ordering: std::cmp::Ordering) -> std::cmp::Ordering {
        match self {
            Self::Ascending => ordering,
            Self::Descending => ordering.reverse(),
        }
    }
}

/// A query for groups. It has keys, a period, or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupQuery {
    /// Which records.
    pub selection: Selection,
    /// The fields whose values make a group; records where one is missing or null are left out.
    pub keys: Vec<FieldName>,
    /// The periods to group by.
    pub window: Option<Window>,
    /// What to collect in each group, each once.
    pub collect: Vec<Collect>,
    /// In which order; by the keys where there is none, and where it leaves groups equal.
    pub sort: Option<GroupSort>,
    /// How many groups (rows, when flat) at the most.
    pub limit: Option<usize>,
    /// Flat rows instead of groups with lists of periods.
    pub flatten: bool,
    /// How many groups, or periods over all groups, an answer may list at the most.
    pub max_rows: usize,
}

/// Consecutive whole periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// How long each is.
    pub period: Period,
    /// The start of the first.
    pub start: Timestamp,
    /// The end of the last.
    pub end: Timestamp,
    /// Whether it may move to where the data is: it may if it was asked for by `duration`.
    pub anchor: Option<Anchor>,
}

/// What a window that was asked for by `duration` was counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// From its start; it moves forward past empty first periods.
    Start,
    /// From its end (`end_at` or now); it moves back past empty last periods.
    End,
}

impl Window {
    /// How many periods it has.
    pub fn len(&self) -> usize {
        usize::try_from(self.period.count(self.start, self.end)).unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The starts of its periods.
    pub fn starts(&self) -> impl Iterator<Item = Timestamp> {
        self.period.starts(self.start, self.end)
    }
}

impl GroupQuery {
    /// The same query with its window moved by so many periods, back when negative; none if that
    /// would leave the calendar.
    pub fn moved(&self, periods: i64) -> Option<Self> {
        let window = self.window?;
        let start = window.period.shift(window.start, periods)?;
        let end = window.period.shift(window.end, periods)?;
        let mut moved = self.clone();
        moved.window = Some(Window { start, end, ..window });
        moved.selection.range = Some(TimeRange { start, end });
        Some(moved)
    }
}

/// An order of groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSort {
    /// The name of a column of the answer: `_count`, a key, a collected `field:method`.
    pub column: String,
    /// Which way.
    pub direction: Direction,
}

/// What the value of one field must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// The field.
    pub field: FieldName,
    /// The test.
    pub test: Test,
}

/// A test of a field's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// Equal to any of these.
    AnyOf(Vec<Wanted>),
    /// Text that starts with any of these.
    AnyPrefix(Vec<Box<str>>),
}

/// A value as a query spells it, with everything that the spelling may mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// `true` and `false` match booleans only.
    Bool(bool),
    // DIFFERENCE: Backdrop compared every other value as text, so a number was never matched.
    /// Anything else matches that text, …
    Text {
        /// as it was sent;
        text: Box<str>,
        /// the number, if it reads as one;
        number: Option<Value>,
        /// and the instant, if it reads as a time.
        time: Option<Timestamp>,
    },
}

impl Wanted {
    /// Everything that a spelling may mean. A number is what JSON calls one.
    pub fn parse(spelling: &str) -> Self {
        match spelling {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            text => Self::Text {
                text: text.into(),
                number: parse_number(text),
                time: Timestamp::parse_in_query(text),
            },
        }
    }

    /// Whether a record's value is the one wanted.
    pub fn matches(&self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Self::Bool(wanted), ValueRef::Bool(value)) => *wanted == value,
            (Self::Text { text, .. }, ValueRef::Text(value)) => **text == *value,
            (Self::Text { number: Some(number), .. }, ValueRef::Int(_) | ValueRef::Float(_)) => {
                number.as_ref() == value
            }
            (Self::Text { time: Some(time), .. }, ValueRef::Time(value)) => *time == value,
            _ => false,
        }
    }
}

fn parse_number(text: &str) -> Option<Value> {
    // JSON allows white space around a number, a filter does not; a record can hold no number past
    // the finite floats, so such a spelling is only text.
    if text.trim() != text {
        return None;
    }
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float))
}

impl Test {
    /// Whether a record passes whose field has this value, or lacks it.
    pub fn passes(&self, value: Option<ValueRef<'_>>) -> bool {
        match (self, value) {
            (Self::AnyOf(wanted), Some(value)) => wanted.iter().any(|wanted| wanted.matches(value)),
            (Self::AnyPrefix(prefixes), Some(ValueRef::Text(text))) => {
                prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            }
            (_, None) | (Self::AnyPrefix(_), Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spelling: &str, value: ValueRef<'_>, matches: bool) {
        assert_eq!(Wanted::parse(spelling).matches(value), matches, "{spelling} and {value:?}");
    }

    #[test]
    fn what_a_filter_matches() {
        let time = Timestamp::parse("2014-01-02T03:00").expect("a time");
        check("x", ValueRef::Text("x"), true);
        check("x", ValueRef::Text("X"), false);
        check("", ValueRef::Text(""), true);
        check("", ValueRef::Null, false);
        check("null", ValueRef::Null, false);
        check("true", ValueRef::Bool(true), true);
        check("true", ValueRef::Text("true"), false);
        check("false", ValueRef::Int(0), false);
        check("1", ValueRef::Bool(true), false);
        check("5", ValueRef::Int(5), true);
        check("5", ValueRef::Float(5.0), true);
        check("5", ValueRef::Text("5"), true);
        check("5.0", ValueRef::Int(5), true);
        check("5.0", ValueRef::Text("5"), false);
        check("5e0", ValueRef::Int(5), true);
        check("-3", ValueRef::Int(-3), true);
        check("9007199254740993", ValueRef::Int(9_007_199_254_740_993), true);
        check("9007199254740993", ValueRef::Int(9_007_199_254_740_992), false);
        check("2014-01-02T03:00:00Z", ValueRef::Time(time), true);
        check("2014-01-02T04:00:00+01:00", ValueRef::Time(time), true);
        check("2014-01-02T03:00:00Z", ValueRef::Text("2014-01-02T03:00:00Z"), true);
        check("2014-01-02", ValueRef::Time(time), false);
    }

    #[test]
    fn spellings_that_json_calls_no_number() {
        for spelling in ["05", "+5", ".5", "5.", "0x5", "5 ", " 5", "1e400", "NaN", "Infinity", "1_000", "٥"]
        {
            let Wanted::Text { number, .. } = Wanted::parse(spelling) else { panic!("{spelling}") };
            assert_eq!(number, None, "{spelling}");
        }
    }

    #[test]
    fn prefixes_are_of_text_only() {
        let test = Test::AnyPrefix(vec!["ab".into(), "5".into()]);
        assert!(test.passes(Some(ValueRef::Text("abc"))));
        assert!(test.passes(Some(ValueRef::Text("5"))));
        assert!(!test.passes(Some(ValueRef::Text("b"))));
        assert!(!test.passes(Some(ValueRef::Int(5))));
        assert!(!test.passes(None));
    }
}
