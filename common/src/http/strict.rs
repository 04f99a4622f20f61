//! Requests as they were sent: what Rocket would read into them is taken back.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::request::Request;
use rocket::{Data, async_trait, uri};

/// Takes back two liberties of Rocket: a path that ends in a slash or has two in a row is unknown, not
/// the path without; and a form's field `_method` does not change the method.
pub struct StrictRequests;

/// What the body of a form starts with that Rocket reads a method from.
const METHOD_FIELD: &[u8] = b"_method=";

#[async_trait]
impl Fairing for StrictRequests {
    fn info(&self) -> Info {
        Info { name: "strict requests", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        // By now Rocket has changed the method, if it did, and only of a POST. So it was one, and the page
        // that it was sent to takes it as one; where nothing takes a form, a POST is refused as one.
        let is_form = request.content_type().is_some_and(|content_type| content_type.is_form());
        if is_form && data.peek(METHOD_FIELD.len()).await.starts_with(METHOD_FIELD) {
            request.set_method(Method::Post);
        }
        let path = request.uri().path();
        if path.ends_with('/') || path.contains("//") {
            // No route has either path. Whoever looks for a page is told on one that there is none.
            let unknown = if path.starts_with("/_user/") { uri!("/_user/-") } else { uri!("/") };
            request.set_uri(unknown);
        }
    }
}
