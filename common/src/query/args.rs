//! A query string, taken apart: `pair { "&" pair }`, where `pair = name [ "=" value ]`, both
//! percent-encoded in UTF-8 with `+` for a space (the form encoding of the URL standard).

use percent_encoding::percent_decode;

use super::rules::{self, InvalidQuery};
use super::{GroupQuery, GroupSort, Query, RecordQuery, Selection};
use crate::excerpt::beginning;
use crate::limits::{COLLECTED, FILTER_VALUES, GROUP_KEYS, QUERY_BYTES};
use crate::timestamp::Timestamp;

/// The parameters of a query, as sent. Of a repeated parameter with a single value the first
/// counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryArgs {
    pub(super) start_at: Option<String>,
    pub(super) end_at: Option<String>,
    pub(super) duration: Option<String>,
    pub(super) period: Option<String>,
    pub(super) filter_by: Vec<String>,
    pub(super) filter_by_prefix: Vec<String>,
    pub(super) group_by: Vec<String>,
    pub(super) collect: Vec<String>,
    pub(super) sort_by: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) flatten: Option<String>,
    pub(super) inclusive: Option<String>,
    explain: Option<String>,
    format: Option<String>,
}

/// What a query is judged by besides its own words.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext {
    /// Whether the bucket allows raw queries and short spans.
    pub raw_queries_allowed: bool,
    /// The current time, which `duration` alone counts back from.
    pub now: Timestamp,
    /// How many groups or periods an answer may list.
    pub max_rows: usize,
}

impl QueryArgs {
    /// Takes a query string apart.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`] for a parameter that there is not, for one that is there too often, and for text that
    /// is not UTF-8 or too long.
    pub fn parse(query_string: &str) -> Result<Self, InvalidQuery> {
        if query_string.len() > QUERY_BYTES {
            return Err(InvalidQuery::LongQuery { bytes: query_string.len() });
        }
        let mut args = Self::default();
        for pair in query_string.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            args.set(&decode(name)?, decode(value)?)?;
        }
        Ok(args)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), InvalidQuery> {
        let single = match name {
            "start_at" => &mut self.start_at,
            "end_at" => &mut self.end_at,
            "duration" => &mut self.duration,
            "period" => &mut self.period,
            "sort_by" => &mut self.sort_by,
            "limit" => &mut self.limit,
            "flatten" => &mut self.flatten,
            "inclusive" => &mut self.inclusive,
            "explain" => &mut self.explain,
            "format" => &mut self.format,
            _ => return self.add(name, value),
        };
        single.get_or_insert(value);
        Ok(())
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), InvalidQuery> {
        let (parameter, repeatable, max) = match name {
            "filter_by" => ("filter_by", &mut self.filter_by, FILTER_VALUES),
            "filter_by_prefix" => ("filter_by_prefix", &mut self.filter_by_prefix, FILTER_VALUES),
            "group_by" => ("group_by", &mut self.group_by, GROUP_KEYS),
            "collect" => ("collect", &mut self.collect, COLLECTED),
            _ => return Err(InvalidQuery::UnrecognisedParameter),
        };
        if repeatable.len() == max {
            return Err(InvalidQuery::TooOften { parameter, max });
        }
        repeatable.push(value);
        Ok(())
    }

    /// Whether the answer is wanted as CSV; any other format is JSON.
    pub fn wants_csv(&self) -> bool {
        self.format.as_deref() == Some("csv")
    }

    /// Whether what would be done is wanted rather than the answer.
    pub fn wants_explain(&self) -> bool {
        self.explain.as_deref() == Some("true")
    }

    /// Whether it asks for records rather than groups.
    pub(super) fn is_raw(&self) -> bool {
        self.group_by.is_empty() && self.period.is_none()
    }

    /// Checks the parameters, rule by rule in the order in which they are reported.
    ///
    /// # Errors
    ///
    /// The first rule that fails.
    pub fn into_query(self, context: &QueryContext) -> Result<Query, InvalidQuery> {
        rules::period_has_a_span(&self)?;
        let start_at = rules::time("start_at", self.start_at.as_deref())?;
        let end_at = rules::time("end_at", self.end_at.as_deref())?;
        let filters = rules::filters(&self)?;
        let period = rules::period(self.period.as_deref())?;
        let sort = rules::sort(&self)?;
        let keys = rules::group_by(&self.group_by)?;
        let limit = rules::positive_integer("limit", self.limit.as_deref())?;
        let duration = rules::positive_integer("duration", self.duration.as_deref())?;
        rules::collect_has_groups(&self)?;
        let span = rules::span(start_at, end_at, duration, period, context.now)?;
        let collect = rules::collect(&self.collect, &keys)?;
        let flatten = rules::flag("flatten", self.flatten.as_deref())?;
        let inclusive = rules::flag("inclusive", self.inclusive.as_deref())?;
        rules::flag("explain", self.explain.as_deref())?;
        rules::inclusive_has_times(&self)?;
        if !context.raw_queries_allowed {
            rules::guarded(self.is_raw(), start_at, end_at, period)?;
        }
        // A limit of 0 is none.
        let limit = limit.filter(|limit| *limit > 0);
        if self.is_raw() {
            let selection = Selection { filters, range: span.map(|span| span.range(inclusive)) };
            let sort = sort.map(|(key, direction)| rules::record_sort(&key, direction)).transpose()?;
            return Ok(Query::Records(RecordQuery { selection, sort, limit }));
        }
        let max_rows = rules::max_rows(context.max_rows, keys.len() + collect.len());
        let (range, window) = rules::window(span, period, inclusive, max_rows)?;
        let groups = GroupQuery {
            selection: Selection { filters, range },
            keys,
            window,
            collect,
            sort: sort.map(|(column, direction)| GroupSort { column, direction }),
            limit,
            flatten,
            max_rows,
        };
        rules::columns(&groups)?;
        Ok(Query::Groups(groups))
    }
}

fn decode(text: &str) -> Result<String, InvalidQuery> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded.map(Into::into).map_err(|_| InvalidQuery::NotUtf8(beginning(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::FIELD_NAME_BYTES;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn parse(query: &str, raw_queries_allowed: bool) -> Result<Query, InvalidQuery> {
        let now = at("2014-06-18T12:30");
        QueryArgs::parse(query)?.into_query(&QueryContext { raw_queries_allowed, now, max_rows: 1000 })
    }

    /// So many times the same, with a number in each place of `#`.
    fn repeated(pattern: &str, times: usize) -> String {
        (0..times).map(|number| pattern.replace('#', &number.to_string())).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn just_within_a_bound_of_queries_and_just_beyond() {
        #[track_caller]
        fn check(within: &str, beyond: &str, message: &str) {
            assert!(parse(within, true).is_ok(), "{within}");
            let refused = parse(beyond, true).expect_err(beyond).to_string();
            assert_eq!(refused, message);
        }
        for (pattern, parameter, max) in [
            ("filter_by=aa:#", "filter_by", FILTER_VALUES),
            ("filter_by=field_#:1", "filter_by", FILTER_VALUES),
            ("filter_by_prefix=aa:#", "filter_by_prefix", FILTER_VALUES),
            ("group_by=field_#", "group_by", GROUP_KEYS),
        ] {
            let message = format!("{parameter} can be given at most {max} times in a query");
            check(&repeated(pattern, max), &repeated(pattern, max + 1), &message);
        }
        let collect = |times| format!("group_by=aa&{}", repeated("collect=field_#", times));
        check(
            &collect(COLLECTED),
            &collect(COLLECTED + 1),
            "collect can be given at most 100 times in a query",
        );
        let query = |bytes: usize| format!("filter_by=aa:{}", "x".repeat(bytes - "filter_by=aa:".len()));
        check(
            &query(QUERY_BYTES),
            &query(QUERY_BYTES + 1),
            "The query string has 32769 bytes; at most 32768 are allowed",
        );
        let (longest, beginning) = ("n".repeat(FIELD_NAME_BYTES), "n".repeat(100));
        for (parameter, query) in [
            ("filter_by", "filter_by=#:x"),
            ("filter_by_prefix", "filter_by_prefix=#:x"),
            ("group_by", "group_by=#"),
            ("collect", "group_by=aa&collect=#"),
            ("collect", "group_by=aa&collect=#:sum"),
            ("sort_by", "sort_by=#:ascending"),
        ] {
            let with = |name: &str| query.replace('#', name);
            let message = format!(
                "{parameter} names a field with 129 bytes, and a name has at most 128: \"{beginning}…\""
            );
            check(&with(&longest), &with(&format!("{longest}n")), &message);
        }
    }

    #[test]
    fn no_message_is_as_long_as_its_query() {
        let long = "x".repeat(20_000);
        let columns = format!("group_by=aa&{}", repeated(&format!("collect={}_#", "c".repeat(110)), 100));
        for query in [
            format!("filter_by={long}"),
            format!("sort_by=aa:{long}"),
            format!("group_by=aa&sort_by=aa:{long}:ascending"),
            format!("{columns}&sort_by=bb:ascending"),
            format!("period={long}&duration=2"),
            format!("filter_by=aa:%ff{long}"),
            format!("{long}=1"),
            format!("start_at={long}&end_at={long}"),
        ] {
            let message = parse(&query, true).expect_err(&query).to_string();
            assert!(message.len() < 5_000, "{message}");
        }
    }

    /// Every rule's message, in the order of the rules, each with a query that breaks it.
    #[test]
    fn every_message() {
        let span = "start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00Z";
        let open = [
            "bogus=1",
            "=1",
            "Limit=1",
            "filter_by=foo:%ff",
            "period=week",
            "period=week&start_at=2014-01-01T00:00:00Z",
            &format!("period=week&{span}&limit=1"),
            "start_at=nonsense&end_at=nonsense",
            "start_at=2014-01-01T00:00:00Z&end_at=2014-13-01T00:00:00Z",
            "filter_by=foo:bar&filter_by_prefix=foo:b",
            "filter_by=foo",
            "filter_by=foo-bar:x",
            "filter_by=foo:bar&filter_by=nocolon",
            "filter_by_prefix=foo",
            "filter_by_prefix=$where:x",
            &format!("period=fortnight&{span}"),
            &format!("period=&{span}"),
            &format!("period=week&{span}&sort_by=foo:ascending"),
            "sort_by=foo",
            "sort_by=foo:up",
            "sort_by=$foo:ascending",
            "sort_by=foo:sum:ascending",
            "group_by=",
            "group_by=foo&group_by=a%20b",
            "group_by=_timestamp",
            "limit=ten",
            "limit=-1",
            "limit=%2B1",
            "limit=",
            "period=week&duration=1.5",
            "collect=foo",
            &format!("period=week&duration=2&{span}"),
            "start_at=2014-01-01T00:00:00Z",
            "end_at=2014-01-01T00:00:00Z",
            "period=week&duration=00",
            "group_by=foo&duration=3",
            "group_by=foo&collect=baz:max",
            "group_by=foo&collect=baz:sum:mean",
            "group_by=foo&collect=$baz",
            "group_by=foo&collect=_id",
            "group_by=foo&group_by=bar&collect=bar:count",
            "group_by=foo&flatten=yes",
            &format!("inclusive=True&{span}"),
            "explain=1",
            "group_by=foo&inclusive=true",
            "group_by=foo&sort_by=nope:ascending",
            "group_by=foo&sort_by=baz:sum:ascending&collect=baz:mean",
            "group_by=foo&sort_by=_group_count:ascending",
            &format!("period=week&{span}&group_by=values"),
            &format!("period=week&{span}&group_by=foo&collect=values"),
            "period=hour&duration=1001",
            "period=year&duration=999999999999999999999",
            "period=year&duration=500&start_at=9900-01-01T00:00:00Z",
        ];
        let guarded = [
            "limit=1",
            "flatten=true",
            "group_by=foo&start_at=2014-01-01T00:00:00Z&end_at=2014-01-07T23:59:59Z",
            "group_by=foo&start_at=2014-02-01T00:00:00Z&end_at=2014-01-01T00:00:00Z",
            "group_by=foo&start_at=2014-01-01T06:00:00Z&end_at=2014-02-01T06:00:00Z",
            "group_by=foo&start_at=2014-01-01T00:00:00Z&end_at=2014-02-01T00:00:00%2B01:00",
            "period=week&start_at=2014-01-07T00:00:00Z&end_at=2014-02-04T00:00:00Z",
            "period=week&start_at=2014-01-06T00:00:00Z&end_at=2014-02-04T00:00:00Z",
            "period=week&duration=3&end_at=2014-02-04T00:00:00Z",
            "period=month&start_at=2014-01-02T00:00:00Z&end_at=2014-03-01T00:00:00Z",
            "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-02T00:00:00Z",
        ];
        let message = |query: &str, raw_queries_allowed| match parse(query, raw_queries_allowed) {
            Ok(query) => panic!("taken: {query:?}"),
            Err(error) => format!("{query}\n    {error}"),
        };
        let messages: Vec<_> = open
            .iter()
            .map(|query| message(query, true))
            .chain(guarded.iter().map(|query| message(query, false)))
            .collect();
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn the_first_rule_that_fails_is_reported() {
        let check = |query: &str, message: &str| {
            assert_eq!(parse(query, false).expect_err(query).to_string(), message, "{query}");
        };
        check("limit=1&bogus=1&period=week", "An unrecognised parameter was provided");
        check("start_at=x&end_at=x&filter_by=foo", "start_at is not a valid datetime");
        check("group_by=foo-bar&limit=x", "Cannot group by an invalid field name");
        check("group_by=foo&limit=x&collect=foo", "limit must be a positive integer");
        check("limit=x", "limit must be a positive integer");
    }

    #[test]
    fn hour_queries_are_free_of_the_guards() {
        let hours = "period=hour&start_at=2016-02-29T06:30:00Z&end_at=2016-02-29T09:00:00Z";
        assert!(parse(hours, false).is_ok());
        for period in ["quarter", "year"] {
            let query = format!("period={period}&start_at=2014-11-15T00:00:00Z&end_at=2015-02-12T00:00:00Z");
            assert!(parse(&query, false).is_ok(), "{query}");
        }
    }

    #[track_caller]
    fn check_window(query: &str, range: &str, window: &str) {
        let Ok(Query::Groups(groups)) = parse(query, true) else { panic!("{query}") };
        let found = groups.selection.range.expect("a range");
        assert_eq!(format!("{} {}", found.start, found.end).replace("+00:00", ""), range, "{query}");
        let found = groups.window.expect("a window");
        assert_eq!(
            format!("{} {}", found.start, found.end).replace("T00:00:00+00:00", ""),
            window,
            "{query}"
        );
    }

    #[test]
    fn windows() {
        check_window(
            "period=month&start_at=2014-01-10T00:00:00Z&end_at=2014-03-10T00:00:00Z",
            "2014-01-10T00:00:00 2014-03-10T00:00:00",
            "2014-01-01 2014-04-01",
        );
        check_window(
            "period=month&start_at=2014-01-10T00:00:00Z&end_at=2014-03-10T00:00:00Z&inclusive=true",
            "2014-01-10T00:00:00 2014-03-10T00:00:00.001",
            "2014-01-01 2014-04-01",
        );
        // An inclusive end on a boundary adds no period, and its instant is in none.
        check_window(
            "period=month&start_at=2014-01-01T00:00:00Z&end_at=2014-03-01T00:00:00Z&inclusive=true",
            "2014-01-01T00:00:00 2014-03-01T00:00:00",
            "2014-01-01 2014-03-01",
        );
        check_window(
            "period=month&start_at=2014-03-20T00:00:00Z&end_at=2014-03-10T00:00:00Z",
            "2014-03-20T00:00:00 2014-03-10T00:00:00",
            "2014-03-01 2014-03-01",
        );
        check_window(
            "period=month&duration=2&start_at=2014-11-17T00:00:00Z",
            "2014-11-01T00:00:00 2015-01-01T00:00:00",
            "2014-11-01 2015-01-01",
        );
        check_window(
            "period=month&duration=2&end_at=2015-02-17T00:00:00Z",
            "2014-12-01T00:00:00 2015-02-01T00:00:00",
            "2014-12-01 2015-02-01",
        );
        check_window(
            "period=week&duration=3",
            "2014-05-26T00:00:00 2014-06-16T00:00:00",
            "2014-05-26 2014-06-16",
        );
    }

    #[test]
    fn parameters_are_form_encoded_and_the_first_of_a_single_one_counts() {
        let args =
            QueryArgs::parse("filter_by=route:isle+run&limit=1&&limit=2&filter_by=%C3%A9t:a%2Bb&format=csv")
                .expect("arguments");
        assert_eq!(args.filter_by, ["route:isle run", "ét:a+b"]);
        assert_eq!(args.limit.as_deref(), Some("1"));
        assert!(args.wants_csv());
        assert!(!args.wants_explain());
    }

    #[test]
    fn a_query_to_explain_is_checked_like_any() {
        let explained = "explain=true&group_by=foo&explain=maybe";
        assert!(QueryArgs::parse(explained).expect("arguments").wants_explain());
        assert_eq!(parse(explained, false), parse("group_by=foo", false));
        assert_eq!(parse("explain=true", false), Err(InvalidQuery::RawQuery));
    }

    #[test]
    fn filters_of_one_field_are_gathered() {
        let query = parse("filter_by=aa:1&filter_by=bb:x&filter_by=aa:2", true).expect("a query");
        let Query::Records(RecordQuery { selection, .. }) = query else { panic!("records") };
        let shown: Vec<_> = selection
            .filters
            .iter()
            .map(|filter| match &filter.test {
                super::super::Test::AnyOf(wanted) => format!("{} {}", filter.field, wanted.len()),
                super::super::Test::AnyPrefix(_) => panic!("a prefix"),
            })
            .collect();
        assert_eq!(shown, ["aa 2", "bb 1"]);
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".{0,80}", raw_queries_allowed: bool) {
            let _ = parse(&query, raw_queries_allowed);
        }

        #[test]
        fn no_well_formed_query_panics(
            pairs in prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "start_at", "end_at", "duration", "period", "filter_by", "filter_by_prefix",
                        "group_by", "collect", "sort_by", "limit", "flatten", "inclusive", "explain",
                        "format",
                    ]),
                    prop::sample::select(vec![
                        "0", "3", "9999999999", "month", "year", "hour", "foo", "foo:sum", "foo:ascending",
                        "foo:descending", "_count:ascending", "true", "false", "foo:bar", "values",
                        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2014-03-05T07:08:09Z", "",
                    ]),
                ),
                0..7,
            ),
            raw_queries_allowed: bool,
        ) {
            let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let _ = parse(&query.join("&"), raw_queries_allowed);
        }
    }
}
