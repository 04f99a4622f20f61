//! Why a request is refused, in one fixed word, for its line of the log. What a client sent is never in it.

use std::sync::OnceLock;

use rocket::request::Request;

/// The word, once it is known.
#[derive(Default)]
struct Refusal(OnceLock<&'static str>);

fn of<'r>(request: &'r Request<'_>) -> &'r Refusal {
    request.local_cache(Refusal::default)
}

/// Notes why a request is refused. The first reason stands.
pub fn refused(request: &Request<'_>, reason: &'static str) {
    let _ = of(request).0.set(reason);
}

/// Why a request was refused, if it was.
pub(super) fn reason(request: &Request<'_>) -> Option<&'static str> {
    of(request).0.get().copied()
}
