//! Who is a browser: a client that says that it would rather have HTML than JSON. One that takes
//! anything is a program, and so is one that says nothing.
//!
//! Java's own HTTP client, up to version 20, says by itself that it would rather have HTML, or a GIF or a JPEG,
//! than anything else. Every browser names XHTML as well; who does not, and names what is neither HTML nor
//! JSON, is a program.

use rocket::http::{Accept, MediaType, QMediaType};
use rocket::request::Request;

use super::form::Fields;

/// Whether a request is answered with a page. One that names a format, or wants to have a query
/// explained, is answered as a program is.
pub(crate) fn wants_page(request: &Request<'_>) -> bool {
    prefers_html(request.headers().get("Accept")) && !wants_data(request)
}

fn wants_data(request: &Request<'_>) -> bool {
    let query = request.uri().query().map_or("", |query| query.as_str());
    let fields = Fields::of(query);
    fields.has("format") || fields.first("explain") == "true"
}

fn prefers_html<'a>(headers: impl Iterator<Item = &'a str>) -> bool {
    let accepted: Vec<QMediaType> = headers
        .filter_map(|header| header.parse::<Accept>().ok())
        .flat_map(|accept| accept.iter().cloned().collect::<Vec<_>>())
        .collect();
    if !accepted.iter().any(|accepted| *accepted.media_type() == MediaType::XHTML)
        && !accepted.iter().all(|accepted| is_of_ours(accepted.media_type()))
    {
        return false;
    }
    let html = accepted.iter().find(|accepted| *accepted.media_type() == MediaType::HTML);
    html.is_some_and(|html| html.weight_or(1.0) > weight(&accepted, &MediaType::JSON))
}

/// Whether a type is one that we have, or may be one.
fn is_of_ours(accepted: &MediaType) -> bool {
    *accepted == MediaType::HTML || *accepted == MediaType::JSON || accepted.sub() == "*"
}

/// How much a type is wanted: the most specific of those that it is one of decides.
fn weight(accepted: &[QMediaType], wanted: &MediaType) -> f32 {
    let specificity = |accepted: &MediaType| {
        let is_any = |part: &rocket::http::uncased::UncasedStr| part == "*";
        match (is_any(accepted.top()), is_any(accepted.sub())) {
            (false, false) if accepted == wanted => Some(2),
            (false, true) if accepted.top() == wanted.top() => Some(1),
            (true, true) => Some(0),
            _ => None,
        }
    };
    let known = accepted.iter().filter_map(|accepted| Some((specificity(accepted.media_type())?, accepted)));
    known.max_by_key(|(specificity, _)| *specificity).map_or(0.0, |(_, accepted)| accepted.weight_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_a_browser() {
        #[track_caller]
        fn check(headers: &[&str], expected: bool) {
            assert_eq!(prefers_html(headers.iter().copied()), expected, "{headers:?}");
        }
        check(
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"],
            true,
        );
        check(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], true);
        check(&["text/html"], true);
        check(&["text/html", "*/*;q=0.1"], true);
        check(&["text/html;charset=utf-8, */*;q=0.1"], true);
        check(&["text/html;q=0.9, application/json;q=0.8"], true);
        check(&["text/html;q=0.9, application/*;q=0.95, application/json;q=0.1"], true);
        check(&["text/html, image/gif, image/jpeg, */*; q=0.2"], false);
        check(&["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"], false);
        check(&[], false);
        check(&["*/*"], false);
        check(&["application/json"], false);
        check(&["application/json, text/html"], false);
        check(&["text/html, application/json"], false);
        check(&["text/html, */*"], false);
        check(&["text/html;q=0.5, application/json"], false);
        check(&["text/html;q=0.5, application/*;q=0.6"], false);
        check(&["text/html;q=0"], false);
        check(&["text/*"], false);
        check(&["text/html;q=x"], false);
        check(&[""], false);
        check(&["nonsense"], false);
    }
}
