//! The rules of a query, one function each. [`super::args::QueryArgs::into_query`] calls them in
//! the order in which a failure is reported.
//!
//! The texts are Backdrop's. Each rule turns text into a type, so that nothing is read twice.

use super::args::QueryArgs;
use super::{
    Anchor, Collect, CollectMethod, Direction, Filter, GroupQuery, RecordSort, Test, TimeRange, Wanted,
    Window,
};
use crate::field::FieldName;
use crate::period::Period;
use crate::timestamp::Timestamp;

/// How a query is made to find less.
const SMALLER_ANSWER: &str =
    "ask for a shorter span, longer periods, fewer columns, or fewer or shorter groups";

/// A rule that a query breaks; `Display` is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "query_")]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum InvalidQuery {
    #[error("An unrecognised parameter was provided")]
    UnrecognisedParameter,
    #[error("the query must be UTF-8, percent-encoded, which \"{0}\" is not")]
    NotUtf8(String),
    #[error("Either 'duration' or both 'start_at' and 'end_at' are required for a period query")]
    PeriodWithoutSpan,
    #[error("A period query can only be limited if it is grouped - please add 'group_by'")]
    LimitedPeriod,
    #[error("{parameter} is not a valid datetime")]
    Time { parameter: &'static str },
    #[error("Cannot use both filter_by and filter_by_prefix in the same query")]
    BothFilters,
    #[error("filter_by must be a field name and value separated by a colon (:) eg. authority:Westminster")]
    FilterWithoutColon,
    #[error("Cannot filter by an invalid field name")]
    FilterField,
    // DIFFERENCE: Backdrop showed a Python list here.
    #[error("'period' must be one of hour, day, week, month, quarter, year")]
    Period,
    #[error("Cannot sort for period queries without group_by. Period queries are always sorted by time.")]
    SortedPeriod,
    #[error(
        "sort_by must be a field name and sort direction separated by a colon (:) eg. authority:ascending"
    )]
    SortWithoutColon,
    #[error("Unrecognised sort direction. Supported directions include: ascending, descending")]
    SortDirection,
    #[error("Cannot sort by an invalid field name")]
    SortField,
    #[error("Cannot group by an invalid field name")]
    GroupField,
    #[error("Cannot group by internal fields, internal fields start with an underscore")]
    GroupInternal,
    #[error("{parameter} must be a positive integer")]
    PositiveInteger { parameter: &'static str },
    #[error("collect can be used only with either group_by or period")]
    CollectWithoutGroups,
    #[error(
        "Absolute and relative time cannot be requested at the same time - either ask for 'start_at' and \
         'end_at', or ask for 'start_at'/'end_at' with 'duration'"
    )]
    AbsoluteAndRelative,
    #[error("Use of 'start_at' requires 'end_at' or 'duration'")]
    StartAlone,
    #[error("Use of 'end_at' requires 'start_at' or 'duration'")]
    EndAlone,
    #[error("'duration' must not be zero")]
    ZeroDuration,
    #[error(
        "If 'duration' is requested (for relative time), 'period' is required - please add a period (like \
         'day', 'month' etc)"
    )]
    DurationWithoutPeriod,
    #[error("Unknown collection method")]
    CollectMethod,
    #[error("Cannot collect an invalid field name")]
    CollectField,
    #[error("Cannot collect internal fields, internal fields start with an underscore")]
    CollectInternal,
    #[error("Cannot collect by a field that is used for group_by")]
    CollectGroupField,
    #[error("{parameter} must be either 'true' or 'false'")]
    Flag { parameter: &'static str },
    #[error("inclusive can be used only with either start_at or end_at")]
    InclusiveWithoutTimes,
    #[error("querying for raw data is not allowed")]
    RawQuery,
    #[error("The minimum time span for a query is 7 days")]
    ShortSpan,
    #[error("{parameter} must be midnight")]
    Midnight { parameter: &'static str },
    #[error("{parameter} must be a monday")]
    Monday { parameter: &'static str },
    #[error("'{parameter}' must be the first of the month for period=month queries")]
    FirstOfMonth { parameter: &'static str },
    #[error("Invalid sort key {key}: it must be one of {allowed}")]
    SortKey { key: String, allowed: String },
    #[error(
        "A field called 'values' cannot be grouped by or collected under its own name together with 'group_by' \
         and 'period', whose answer has a list of that name; flatten=true has none"
    )]
    ValuesColumn,
    #[error("The query asks for {count} periods; at most {max} can be listed")]
    TooManyPeriods { count: i64, max: usize },
    #[error("The query would list more than {max} groups or periods; narrow it, or group by fewer fields")]
    TooManyRows { max: usize },
    #[error("The answer would have up to {bytes} bytes; at most {max} are given; {}", SMALLER_ANSWER)]
    AnswerTooLarge { bytes: u64, max: u64 },
    #[error("The answer takes more memory than all answers together may, {max} bytes; {}", SMALLER_ANSWER)]
    TooMuchMemory { max: usize },
    #[error("The records have more than {max} different fields, too many for a CSV; ask for JSON, or filter")]
    TooManyColumns { max: usize },
    #[error("The span reaches outside the years 1 to 9999")]
    OutsideCalendar,
    #[error("invalid collect function")]
    CollectedNoNumbers,
}

/// Rule 2.
pub(super) fn period_has_a_span(args: &QueryArgs) -> Result<(), InvalidQuery> {
    if args.period.is_none() {
        return Ok(());
    }
    if args.duration.is_none() && (args.start_at.is_none() || args.end_at.is_none()) {
        return Err(InvalidQuery::PeriodWithoutSpan);
    }
    if args.limit.is_some() && args.group_by.is_empty() {
        return Err(InvalidQuery::LimitedPeriod);
    }
    Ok(())
}

/// Rule 3.
pub(super) fn time(parameter: &'static str, given: Option<&str>) -> Result<Option<Timestamp>, InvalidQuery> {
    given.map(|text| Timestamp::parse_in_query(text).ok_or(InvalidQuery::Time { parameter })).transpose()
}

/// Rule 4. Filters of the same field are gathered into one that any of their values passes.
pub(super) fn filters(args: &QueryArgs) -> Result<Vec<Filter>, InvalidQuery> {
    if !args.filter_by.is_empty() && !args.filter_by_prefix.is_empty() {
        return Err(InvalidQuery::BothFilters);
    }
    let mut filters: Vec<Filter> = Vec::new();
    for given in &args.filter_by {
        let (field, value) = field_and_value(given)?;
        let wanted = Wanted::parse(value);
        match filters.iter_mut().find(|filter| filter.field == field) {
            Some(Filter { test: Test::AnyOf(values), .. }) => values.push(wanted),
            _ => filters.push(Filter { field, test: Test::AnyOf(vec![wanted]) }),
        }
    }
    for given in &args.filter_by_prefix {
        let (field, prefix) = field_and_value(given)?;
        match filters.iter_mut().find(|filter| filter.field == field) {
            Some(Filter { test: Test::AnyPrefix(prefixes), .. }) => prefixes.push(prefix.into()),
            _ => filters.push(Filter { field, test: Test::AnyPrefix(vec![prefix.into()]) }),
        }
    }
    Ok(filters)
}

fn field_and_value(given: &str) -> Result<(FieldName, &str), InvalidQuery> {
    let (field, value) = given.split_once(':').ok_or(InvalidQuery::FilterWithoutColon)?;
    Ok((FieldName::parse(field).ok_or(InvalidQuery::FilterField)?, value))
}

/// Rule 5.
pub(super) fn period(given: Option<&str>) -> Result<Option<Period>, InvalidQuery> {
    given.map(|name| Period::parse(name).ok_or(InvalidQuery::Period)).transpose()
}

/// Rule 6. The key may be a collected `field:method`, so the direction is what follows the last
/// colon; whether there is such a column is judged once the others are known.
pub(super) fn sort(args: &QueryArgs) -> Result<Option<(String, Direction)>, InvalidQuery> {
    let Some(given) = &args.sort_by else { return Ok(None) };
    if args.period.is_some() && args.group_by.is_empty() {
        return Err(InvalidQuery::SortedPeriod);
    }
    let (key, direction) = given.rsplit_once(':').ok_or(InvalidQuery::SortWithoutColon)?;
    let direction = match direction {
        "ascending" => Direction::Ascending,
        "descending" => Direction::Descending,
        _ => return Err(InvalidQuery::SortDirection),
    };
    let field = if args.is_raw() { key } else { key.split(':').next().unwrap_or(key) };
    FieldName::parse(field).ok_or(InvalidQuery::SortField)?;
    Ok(Some((key.to_owned(), direction)))
}

/// The order of a raw query, whose key is a field.
pub(super) fn record_sort(key: &str, direction: Direction) -> Result<RecordSort, InvalidQuery> {
    Ok(RecordSort { field: FieldName::parse(key).ok_or(InvalidQuery::SortField)?, direction })
}

/// Rule 7.
pub(super) fn group_by(given: &[String]) -> Result<Vec<FieldName>, InvalidQuery> {
    let mut keys = Vec::with_capacity(given.len());
    for name in given {
        let key = FieldName::parse(name).ok_or(InvalidQuery::GroupField)?;
        if key.is_reserved() {
            return Err(InvalidQuery::GroupInternal);
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Rule 8. A number too large for us is as good as the largest.
pub(super) fn positive_integer(
    parameter: &'static str,
    given: Option<&str>,
) -> Result<Option<usize>, InvalidQuery> {
    let Some(digits) = given else { return Ok(None) };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidQuery::PositiveInteger { parameter });
    }
    Ok(Some(digits.parse().unwrap_or(usize::MAX)))
}

/// Rule 9.
pub(super) fn collect_has_groups(args: &QueryArgs) -> Result<(), InvalidQuery> {
    if args.is_raw() && !args.collect.is_empty() {
        return Err(InvalidQuery::CollectWithoutGroups);
    }
    Ok(())
}

/// The time that a query spans.
pub(super) enum Span {
    /// Between two times.
    Absolute { start_at: Timestamp, end_at: Timestamp },
    /// So many periods after or before a time.
    Relative { time: Timestamp, anchor: Anchor, duration: usize, period: Period },
}

impl Span {
    /// The range of a query that is not grouped by period.
    pub(super) fn range(&self, inclusive: bool) -> TimeRange {
        match *self {
            Self::Absolute { start_at, end_at } => {
                TimeRange { start: start_at, end: after(end_at, inclusive) }
            }
            // `duration` goes with `period` only, so this is not reached; an empty range is right
            // for a window that nobody described.
            Self::Relative { time, .. } => TimeRange { start: time, end: time },
        }
    }
}

/// The exclusive end of a range: times are kept to the millisecond, so the instant itself is
/// included by ending one later.
fn after(end_at: Timestamp, inclusive: bool) -> Timestamp {
    if inclusive { Timestamp::saturating(end_at.millis() + 1) } else { end_at }
}

/// Rule 10.
pub(super) fn span(
    start_at: Option<Timestamp>,
    end_at: Option<Timestamp>,
    duration: Option<usize>,
    period: Option<Period>,
    now: Timestamp,
) -> Result<Option<Span>, InvalidQuery> {
    let (time, anchor) = match (start_at, end_at, duration) {
        (Some(_), Some(_), Some(_)) => return Err(InvalidQuery::AbsoluteAndRelative),
        (Some(start_at), Some(end_at), None) => return Ok(Some(Span::Absolute { start_at, end_at })),
        (Some(_), None, None) => return Err(InvalidQuery::StartAlone),
        (None, Some(_), None) => return Err(InvalidQuery::EndAlone),
        (None, None, None) => return Ok(None),
        (Some(start_at), None, Some(_)) => (start_at, Anchor::Start),
        (None, Some(end_at), Some(_)) => (end_at, Anchor::End),
        (None, None, Some(_)) => (now, Anchor::End),
    };
    let duration = duration.filter(|duration| *duration > 0).ok_or(InvalidQuery::ZeroDuration)?;
    let period = period.ok_or(InvalidQuery::DurationWithoutPeriod)?;
    Ok(Some(Span::Relative { time, anchor, duration, period }))
}

/// Rule 11.
pub(super) fn collect(given: &[String], keys: &[FieldName]) -> Result<Vec<Collect>, InvalidQuery> {
    let mut collects = Vec::with_capacity(given.len());
    for given in given {
        let (field, method) = match given.split_once(':') {
            None => (&**given, None),
            Some((field, name)) => {
                (field, Some(CollectMethod::parse(name).ok_or(InvalidQuery::CollectMethod)?))
            }
        };
        let field = FieldName::parse(field).ok_or(InvalidQuery::CollectField)?;
        if field.is_reserved() {
            return Err(InvalidQuery::CollectInternal);
        }
        if keys.contains(&field) {
            return Err(InvalidQuery::CollectGroupField);
        }
        add_collect(&mut collects, Collect { field, method });
    }
    Ok(collects)
}

/// Keeps each column of an answer once: the default method gives that of `:set` and one more.
fn add_collect(collects: &mut Vec<Collect>, collect: Collect) {
    match collects.iter_mut().find(|known| known.column() == collect.column()) {
        Some(known) if collect.method.is_none() => known.method = None,
        Some(_) => {}
        None => collects.push(collect),
    }
}

/// Rule 12, the flags.
pub(super) fn flag(parameter: &'static str, given: Option<&str>) -> Result<bool, InvalidQuery> {
    match given {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(InvalidQuery::Flag { parameter }),
    }
}

/// Rule 12, what `inclusive` goes with.
pub(super) fn inclusive_has_times(args: &QueryArgs) -> Result<(), InvalidQuery> {
    if args.inclusive.is_some() && args.start_at.is_none() && args.end_at.is_none() {
        return Err(InvalidQuery::InclusiveWithoutTimes);
    }
    Ok(())
}

const SEVEN_DAYS: i64 = 7 * 24 * 3_600_000;

/// Rule 13, for buckets that do not allow raw queries; judged on the times as sent, in UTC.
pub(super) fn guarded(
    is_raw: bool,
    start_at: Option<Timestamp>,
    end_at: Option<Timestamp>,
    period: Option<Period>,
) -> Result<(), InvalidQuery> {
    if is_raw {
        return Err(InvalidQuery::RawQuery);
    }
    if period == Some(Period::Hour) {
        return Ok(());
    }
    if let (Some(start_at), Some(end_at)) = (start_at, end_at)
        && end_at.millis() - start_at.millis() < SEVEN_DAYS
    {
        return Err(InvalidQuery::ShortSpan);
    }
    let ends = [("start_at", start_at), ("end_at", end_at)];
    let first_off = |period: Period| {
        ends.into_iter()
            .find(|(_, time)| time.is_some_and(|time| period.start(time) != time))
            .map(|(parameter, _)| parameter)
    };
    if let Some(parameter) = first_off(Period::Day) {
        return Err(InvalidQuery::Midnight { parameter });
    }
    match period {
        Some(period @ Period::Week) => {
            first_off(period).map_or(Ok(()), |parameter| Err(InvalidQuery::Monday { parameter }))
        }
        Some(period @ Period::Month) => {
            first_off(period).map_or(Ok(()), |parameter| Err(InvalidQuery::FirstOfMonth { parameter }))
        }
        _ => Ok(()),
    }
}

/// How many rows an answer may list whose rows have so many fields besides the usual ones. The limit
/// is one of memory, so wider rows are fewer.
pub(super) fn max_rows(max_rows: usize, fields: usize) -> usize {
    /// That many fields are had at the full number of rows.
    const FIELDS: usize = 4;
    max_rows / fields.div_ceil(FIELDS).max(1)
}

/// The range and the window of a query for groups.
pub(super) fn window(
    span: Option<Span>,
    period: Option<Period>,
    inclusive: bool,
    max_rows: usize,
) -> Result<(Option<TimeRange>, Option<Window>), InvalidQuery> {
    let Some(span) = span else { return Ok((None, None)) };
    let Some(period) = period else { return Ok((Some(span.range(inclusive)), None)) };
    let (range, window) = match span {
        Span::Absolute { start_at, end_at } => absolute_window(start_at, end_at, period, inclusive),
        Span::Relative { time, anchor, duration, period } => {
            relative_window(time, anchor, duration, period, max_rows)?
        }
    };
    let count = period.count(window.start, window.end);
    if count > i64::try_from(max_rows).unwrap_or(i64::MAX) {
        return Err(InvalidQuery::TooManyPeriods { count, max: max_rows });
    }
    Ok((Some(range), Some(window)))
}

/// Whole periods around a span, of which only what is inside the span is counted.
fn absolute_window(
    start_at: Timestamp,
    end_at: Timestamp,
    period: Period,
    inclusive: bool,
) -> (TimeRange, Window) {
    let start = period.start(start_at);
    // An end before the start gives no data, not even empty periods.
    let end = if end_at < start_at { start } else { period.ceiling(end_at) };
    // An instant on the boundary at the end lies in a period that is not listed.
    let range = TimeRange { start: start_at, end: after(end_at, inclusive).min(period.ceiling(end_at)) };
    (range, Window { period, start, end, anchor: None })
}

fn relative_window(
    time: Timestamp,
    anchor: Anchor,
    duration: usize,
    period: Period,
    max_rows: usize,
) -> Result<(TimeRange, Window), InvalidQuery> {
    let count = i64::try_from(duration).unwrap_or(i64::MAX);
    if duration > max_rows {
        return Err(InvalidQuery::TooManyPeriods { count, max: max_rows });
    }
    let from = period.start(time);
    let shifted = |count| period.shift(from, count).ok_or(InvalidQuery::OutsideCalendar);
    let (start, end) = match anchor {
        Anchor::Start => (from, shifted(count)?),
        Anchor::End => (shifted(-count)?, from),
    };
    Ok((TimeRange { start, end }, Window { period, start, end, anchor: Some(anchor) }))
}

/// Whether the columns of the answer are distinct, and the one to sort by is among them.
pub(super) fn columns(query: &GroupQuery) -> Result<(), InvalidQuery> {
    let nested = query.window.is_some() && !query.keys.is_empty() && !query.flatten;
    let mut names = query.keys.iter().map(FieldName::as_str);
    let mut collected = query.collect.iter().filter_map(Collect::bare_column);
    if nested && (names.any(|name| name == "values") || collected.any(|name| name == "values")) {
        return Err(InvalidQuery::ValuesColumn);
    }
    let Some(sort) = &query.sort else { return Ok(()) };
    let mut allowed = vec!["_count".to_owned()];
    if query.window.is_some() {
        let of_periods = if nested { &["_group_count"][..] } else { &["_start_at", "_end_at"] };
        allowed.extend(of_periods.iter().map(ToString::to_string));
    }
    allowed.extend(query.keys.iter().map(ToString::to_string));
    for collect in &query.collect {
        allowed.push(collect.column());
        allowed.extend(collect.bare_column().map(str::to_owned));
    }
    if allowed.contains(&sort.column) {
        return Ok(());
    }
    Err(InvalidQuery::SortKey { key: sort.column.clone(), allowed: allowed.join(", ") })
}
