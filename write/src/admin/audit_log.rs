//! The audit log: who did what when.

use askama::Template;
use backdrop_common::audit::{AuditAction, AuditFilter, AuditLine, AuditPosition};
use backdrop_common::bucket::BucketName;
use backdrop_common::period::Period;
use backdrop_common::timestamp::Timestamp;
use backdrop_pages::Page;
use rocket::http::Status;
use rocket::{FromForm, State, get};

use super::{Administrator, Frame, PageError, words};
use crate::WriteApp;

/// Entries on one page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    form: AuditForm,
    fault: Option<(&'static str, String)>,
    lines: Vec<Line>,
    /// The query string of the page after this one.
    older: Option<String>,
}

impl AuditPage {
    fn message(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|(at, _)| *at == field).map(|(_, message)| &**message)
    }
}

struct Line {
    at: String,
    by: String,
    action: &'static str,
    bucket: Option<BucketName>,
    detail: String,
    address: String,
}

impl From<AuditLine> for Line {
    fn from(AuditLine { entry, .. }: AuditLine) -> Self {
        Self {
            at: words::instant(entry.at),
            by: entry.by,
            action: entry.action.name(),
            bucket: entry.bucket,
            detail: entry.detail,
            address: entry.address.map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

/// What is looked for.
#[derive(Clone, Default, FromForm)]
pub(crate) struct AuditForm {
    #[field(default = "")]
    by: String,
    #[field(default = "")]
    action: String,
    #[field(default = "")]
    bucket: String,
    /// The first day.
    #[field(default = "")]
    from: String,
    /// The last day.
    #[field(default = "")]
    to: String,
    before: Option<i64>,
}

#[get("/_user/audit?<form..>")]
pub(crate) async fn audit_log(
    form: AuditForm,
    person: Result<Administrator, PageError>,
    app: &State<WriteApp>,
) -> Result<Page, PageError> {
    let Administrator(person) = person?;
    let (lines, fault) = match form.filter() {
        Ok(filter) => (app.engine.audit(&filter).await?, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    let status = if fault.is_some() { Status::BadRequest } else { Status::Ok };
    let last = lines.last().filter(|_| lines.len() == PAGE).map(|line| line.position);
    let page = AuditPage {
        frame: person.frame(),
        older: last.map(|AuditPosition(before)| form.query_string(before)),
        form,
        fault,
        lines: lines.into_iter().map(Line::from).collect(),
    };
    Ok(Page::render(&page)?.with_status(status))
}

impl AuditForm {
    /// The filter that the form describes, or the field that is at fault.
    fn filter(&self) -> Result<AuditFilter, (&'static str, String)> {
        Ok(AuditFilter {
            by: given(&self.by).map(str::to_lowercase),
            action: given(&self.action).map(parse_action).transpose()?,
            bucket: given(&self.bucket).map(parse_bucket).transpose()?,
            from: parse_day("from", &self.from)?,
            to: parse_day("to", &self.to)?.map(|day| Period::Day.next(day)),
            before: self.before.map(AuditPosition),
            limit: PAGE,
        })
    }

    /// The query string of what is looked for, before a position.
    fn query_string(&self, before: i64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("by", &self.by),
            ("action", &self.action),
            ("bucket", &self.bucket),
            ("from", &self.from),
            ("to", &self.to),
        ] {
            if given(value).is_some() {
                query.append_pair(name, value);
            }
        }
        query.append_pair("before", &before.to_string()).finish()
    }
}

fn given(field: &str) -> Option<&str> {
    Some(field.trim()).filter(|text| !text.is_empty())
}

fn parse_action(name: &str) -> Result<AuditAction, (&'static str, String)> {
    AuditAction::parse(name).ok_or_else(|| ("action", format!("\"{name}\" is no action")))
}

fn parse_bucket(name: &str) -> Result<BucketName, (&'static str, String)> {
    BucketName::parse(name).map_err(|invalid| ("bucket", invalid.to_string()))
}

fn parse_day(field: &'static str, text: &str) -> Result<Option<Timestamp>, (&'static str, String)> {
    let Some(text) = given(text) else { return Ok(None) };
    // A date alone; with a time of day it would say less than it seems to.
    match Timestamp::parse(text) {
        Ok(day) if text.len() == "2014-01-31".len() => Ok(Some(day)),
        _ => Err((field, format!("\"{text}\" is no day, as 2014-01-31"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(from: &str, to: &str) -> AuditForm {
        AuditForm { from: from.to_owned(), to: to.to_owned(), ..AuditForm::default() }
    }

    #[test]
    fn an_empty_form_lets_everything_through() {
        let all = AuditFilter { limit: PAGE, ..AuditFilter::default() };
        assert_eq!(AuditForm::default().filter(), Ok(all));
    }

    #[test]
    fn the_last_day_is_in_it() {
        let filter = form(" 2014-01-30", "2014-01-31").filter().expect("a filter");
        let at = |text| Timestamp::parse(text).ok();
        assert_eq!((filter.from, filter.to), (at("2014-01-30"), at("2014-02-01")));
    }

    #[test]
    fn faults_are_shown_at_their_field() {
        for (form, field, message) in [
            (form("yesterday", ""), "from", "\"yesterday\" is no day, as 2014-01-31"),
            (form("", "2014-02-30"), "to", "\"2014-02-30\" is no day, as 2014-01-31"),
            (form("", "2014-01-31T12:00"), "to", "\"2014-01-31T12:00\" is no day, as 2014-01-31"),
            (
                AuditForm { action: "sing".to_owned(), ..AuditForm::default() },
                "action",
                "\"sing\" is no action",
            ),
        ] {
            assert_eq!(form.filter(), Err((field, message.to_owned())));
        }
    }

    #[test]
    fn the_next_page_looks_for_the_same() {
        let form = AuditForm { by: "ann@example.org".to_owned(), ..form("2014-01-30", "") };
        assert_eq!(form.query_string(7), "by=ann%40example.org&from=2014-01-30&before=7");
    }
}
