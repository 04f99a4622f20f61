//! Wrong methods: Rocket answers 404 where a path is known and the method is not; HTTP says 405.

use rocket::http::{Header, Method, Status};
use rocket::request::Request;
use rocket::response::Response;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Data, async_trait};

use super::ApiError;

const METHODS: [Method; 9] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Trace,
    Method::Connect,
];

/// Adds to some routes, for each of their paths, one for every method that the path does not have:
/// `OPTIONS` says which it has (RFC 9110, section 9.3.7), the others are 405.
///
/// The new routes have the rank of those with their path, which Rocket gives unless they say another,
/// so that `POST /_status` is a wrong method and not a bucket called `_status`.
pub fn with_other_methods(routes: Vec<Route>) -> Vec<Route> {
    let mut paths: Vec<String> = Vec::new();
    for route in &routes {
        let path = path_of(route);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut others = Vec::new();
    for path in paths {
        let has = |method: Method| {
            // Rocket answers HEAD like GET.
            let like = if method == Method::Head { Method::Get } else { method };
            routes.iter().any(|route| path_of(route) == path && (route.method == like))
        };
        let allowed = METHODS.into_iter().filter(|method| has(*method) || *method == Method::Options);
        let allowed: Vec<_> = allowed.map(|method| method.to_string()).collect();
        let other = OtherMethod { allowed: allowed.join(", ") };
        let rank = routes.iter().find(|route| route.uri.to_string() == path).map(|route| route.rank);
        let missing = METHODS.into_iter().filter(|method| !has(*method));
        others.extend(missing.map(|method| match rank {
            Some(rank) => Route::ranked(rank, method, &path, other.clone()),
            None => Route::new(method, &path, other.clone()),
        }));
    }
    routes.into_iter().chain(others).collect()
}

/// The path of a route, without the query that it may take parts of.
fn path_of(route: &Route) -> String {
    route.uri.path().to_string()
}

/// Answers a method that a path does not have.
#[derive(Clone)]
struct OtherMethod {
    allowed: String,
}

#[async_trait]
impl Handler for OtherMethod {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let allowed = self.allowed.clone();
        if request.method() == Method::Options {
            let options =
                Response::build().status(Status::Ok).header(Header::new("Allow", allowed)).finalize();
            return Outcome::Success(options);
        }
        Outcome::from(request, ApiError::MethodNotAllowed { allowed })
    }
}
