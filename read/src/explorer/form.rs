//! A query as a form, without script: what a browser makes of the form is tidied into a query string
//! that a program could have sent, and a query string fills in the form.

use backdrop_common::limits::FILTER_VALUES;
use rocket::http::RawStr;

/// The fields of a query string, decoded, in their order.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of a query string. What is not UTF-8 is shown as well as can be.
    pub(crate) fn of(query: &str) -> Self {
        let decoded = |text: &str| RawStr::new(text).url_decode_lossy().into_owned();
        Self(pairs(query).map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The value that counts where one is wanted, empty if there is none.
    pub(crate) fn first(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The query string, with its question mark, that a form's should be: without the fields that were
/// left empty, with times for dates. None if it is so already.
pub(crate) fn tidied(query: &str) -> Option<String> {
    let mut changed = query.starts_with('&') || query.ends_with('&') || query.contains("&&");
    let mut kept = Vec::new();
    for (name, value) in pairs(query) {
        if value.is_empty() {
            changed = true;
        } else if ["start_at", "end_at"].contains(&name) && is_date(value) {
            changed = true;
            kept.push(format!("{name}={value}T00:00:00Z"));
        } else {
            kept.push(format!("{name}={value}"));
        }
    }
    let begin = if kept.is_empty() { "" } else { "?" };
    changed.then(|| format!("{begin}{}", kept.join("&")))
}

/// Whether some text has the form `2014-01-02`.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// A field of the form.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    /// What a value looks like; empty where the hint says it all.
    pub(crate) example: &'static str,
    pub(crate) input: Input,
    /// Whether what is wrong with the query is about it.
    pub(crate) is_wrong: bool,
}

/// How a field is filled in.
pub(crate) enum Input {
    /// An input for each of these; where a field can be there more than once, the last one is empty.
    Texts(Vec<String>),
    /// One of these, each with whether it is the one.
    Choice(Vec<(String, bool)>),
    /// A box, and whether it is ticked.
    Box(bool),
}

/// The fields that most queries need, and those that few do.
pub(crate) struct Form {
    pub(crate) usual: Vec<Field>,
    pub(crate) more: Vec<Field>,
    /// Whether any of the latter has a value.
    pub(crate) uses_more: bool,
}

impl Form {
    /// The form that makes some fields.
    pub(crate) fn of(fields: &Fields) -> Self {
        let text = |name, label, hint, example| {
            let input = Input::Texts(vec![fields.first(name).to_owned()]);
            Field { name, label, hint, example, input, is_wrong: false }
        };
        let texts = |name, label, hint, example| {
            // No query has more of them.
            let given = fields.all(name).take(FILTER_VALUES);
            let values = given.chain([""]).map(str::to_owned).collect();
            Field { name, label, hint, example, input: Input::Texts(values), is_wrong: false }
        };
        let tick = |name, label, hint| {
            let input = Input::Box(fields.first(name) == "true");
            Field { name, label, hint, example: "", input, is_wrong: false }
        };
        let usual = vec![
            Field {
                name: "period",
                label: "Period",
                hint: "a row for each",
                example: "",
                input: Input::Choice(periods(fields.first("period"))),
                is_wrong: false,
            },
            text("duration", "Number of periods", "so many up to now", ""),
            text("start_at", "From", "as", "2014-01-02"),
            text("end_at", "To", "not included", ""),
            texts("group_by", "Group by", "a field, as", "origin"),
            texts("collect", "Collect", "as", "delay:mean"),
            texts("filter_by", "Filter by", "as", "origin:SEA"),
        ];
        let more = vec![
            texts("filter_by_prefix", "Filter by beginning", "as", "origin:S"),
            text("sort_by", "Sort by", "as", "_count:descending"),
            text("limit", "Limit", "of records or groups", ""),
            tick("flatten", "Flat rows", "one table"),
            tick("inclusive", "Include the end", "that of “To”"),
        ];
        let uses_more = more.iter().any(|field| fields.has(field.name));
        Self { usual, more, uses_more }
    }

    /// Marks the fields that a message names, at its beginning or in quotes.
    pub(crate) fn mark(&mut self, message: &str) {
        for field in self.usual.iter_mut().chain(&mut self.more) {
            let name = field.name;
            field.is_wrong =
                message.split(' ').next() == Some(name) || message.contains(&format!("'{name}'"));
        }
    }
}

/// The periods to choose from, and whatever was chosen.
fn periods(chosen: &str) -> Vec<(String, bool)> {
    let mut names = vec!["", "hour", "day", "week", "month", "quarter", "year"];
    if !names.contains(&chosen) {
        names.push(chosen);
    }
    names.into_iter().map(|name| (name.to_owned(), name == chosen)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_leaves_empty_is_left_out() {
        #[track_caller]
        fn check(query: &str, expected: Option<&str>) {
            assert_eq!(tidied(query).as_deref(), expected, "{query}");
        }
        check("", None);
        check("group_by=origin&limit=3", None);
        check("period=&duration=&start_at=", Some(""));
        check("period=&group_by=origin&group_by=", Some("?group_by=origin"));
        check("period", Some(""));
        check("filter_by=a%3Ab%26c&limit=", Some("?filter_by=a%3Ab%26c"));
        check(
            "start_at=2014-01-02&end_at=2014-01-02T03%3A00%3A00Z",
            Some("?start_at=2014-01-02T00:00:00Z&end_at=2014-01-02T03%3A00%3A00Z"),
        );
        check("limit=2014-01-02", None);
        check("start_at=2014-1-2&end_at=nonsense", None);
        check("&limit=3", Some("?limit=3"));
        check("&", Some(""));
    }

    #[test]
    fn what_is_tidied_stays_as_it_is() {
        for query in ["period=&x=1&&", "start_at=2014-01-02&b", "=&=1"] {
            let tidy = tidied(query).unwrap_or_default();
            assert_eq!(tidied(tidy.trim_start_matches('?')), None, "{query}");
        }
    }

    #[test]
    fn what_a_message_is_about() {
        #[track_caller]
        fn check(message: &str, expected: &[&str]) {
            let mut form = Form::of(&Fields::of(""));
            form.mark(message);
            let fields = form.usual.iter().chain(&form.more);
            assert_eq!(
                fields.filter(|field| field.is_wrong).map(|field| field.name).collect::<Vec<_>>(),
                expected
            );
        }
        check("limit must be a positive integer", &["limit"]);
        check("'period' must be one of hour, day, week, month, quarter, year", &["period"]);
        check("Use of 'start_at' requires 'end_at' or 'duration'", &["duration", "start_at", "end_at"]);
        check("filter_by_prefix must be a field name", &["filter_by_prefix"]);
        check("Unknown collection method", &[]);
    }

    #[test]
    fn a_query_string_fills_in_the_form() {
        let form = Form::of(&Fields::of(
            "period=fortnight&group_by=a+b&group_by=%C3%A9&duration=3&duration=4&flatten=true",
        ));
        let input = |name: &str| {
            let field = form.usual.iter().chain(&form.more).find(|field| field.name == name);
            match &field.expect(name).input {
                Input::Texts(values) => values.join("|"),
                Input::Box(ticked) => ticked.to_string(),
                Input::Choice(choices) => {
                    choices.iter().filter(|(_, chosen)| *chosen).map(|(name, _)| &**name).collect()
                }
            }
        };
        assert_eq!(input("period"), "fortnight");
        assert_eq!(input("group_by"), "a b|é|");
        assert_eq!(input("collect"), "");
        assert_eq!(input("duration"), "3");
        assert_eq!(input("flatten"), "true");
        assert_eq!(input("inclusive"), "false");
        assert!(form.uses_more);
        assert!(!Form::of(&Fields::of("period=day&duration=3")).uses_more);
    }
}
