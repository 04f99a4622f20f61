//! Forms as pages take them. Rocket's own are empty for what comes over the network, whose bodies go past it
//! ([`SentData`]).

use std::ops::Deref;

use backdrop_common::http::{SentData, is_media_type};
use rocket::async_trait;
use rocket::data::{Data, FromData, Limits, Outcome};
use rocket::form::error::{Error, ErrorKind, Errors};
use rocket::form::{self, FromForm};
use rocket::http::{RawStr, Status};
use rocket::request::Request;

/// A form without a file, within Rocket's limit `form`.
pub(crate) struct Form<T>(T);

impl<T> Form<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[async_trait]
impl<'r, T: for<'a> FromForm<'a> + Send + 'static> FromData<'r> for Form<T> {
    type Error = Errors<'static>;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self, Self::Error> {
        if !is_media_type(request, "application/x-www-form-urlencoded") {
            // Not handed on to other routes: the page that takes the form says what is wrong with it.
            let error = Error::validation("what was sent is not the form of a page");
            return Outcome::Error((Status::UnsupportedMediaType, error.into()));
        }
        let limit = request.limits().get("form").unwrap_or(Limits::FORM);
        match read(SentData::of(request, data), limit.as_u64()).await {
            Ok(form) => Outcome::Success(Self(form)),
            Err(errors) => Outcome::Error((errors.status(), errors)),
        }
    }
}

async fn read<T>(mut data: SentData<'_>, limit: u64) -> form::Result<'static, T>
where
    T: for<'a> FromForm<'a> + 'static,
{
    let mut bytes = Vec::new();
    while let Some(piece) = data.next().await.map_err(|_| broken_off())? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > limit {
            data.discard(bytes.len().saturating_mul(4)).await;
            return Err(Error::from((None, Some(limit))).into());
        }
    }
    let text = String::from_utf8(bytes).map_err(|error| Error::from(error.utf8_error()))?;
    #[expect(clippy::disallowed_types, reason = "it only reads the text here")]
    form::Form::parse_encoded(RawStr::new(&text))
}

fn broken_off() -> Error<'static> {
    ErrorKind::Io(std::io::ErrorKind::UnexpectedEof.into()).into()
}

#[cfg(test)]
mod tests {
    use rocket::local::asynchronous::Client;
    use rocket::{post, routes};

    use super::*;

    #[derive(FromForm)]
    struct Pair {
        one: String,
        two: Option<u8>,
    }

    #[post("/", data = "<form>")]
    #[expect(clippy::needless_pass_by_value, reason = "Rocket makes it a value")]
    fn show(form: Form<Pair>) -> String {
        format!("{} {:?}", form.one, form.two)
    }

    #[rocket::async_test]
    async fn forms_as_they_come() {
        let limits = Limits::default().limit("form", 20.into());
        let config = rocket::Config { limits, ..rocket::Config::debug_default() };
        let rocket = rocket::custom(config).mount("/", routes![show]);
        let client = Client::untracked(rocket).await.expect("an app");
        let form = "application/x-www-form-urlencoded";
        for (content_type, sent, status, text) in [
            (form, "one=%C3%BC+b&two=2", 200, Some("ü b Some(2)")),
            ("application/x-www-form-urlencoded;", "one=&x=y", 200, Some(" None")),
            (form, "two=2", 422, None),
            (form, "one=aaaaaaaaaaaaaaaaaaaaa", 413, None),
            (form, "", 422, None),
            ("application/json", "{}", 415, None),
        ] {
            let request = client.post("/").header(rocket::http::Header::new("Content-Type", content_type));
            let answer = request.body(sent).dispatch().await;
            assert_eq!(answer.status().code, status, "{sent}");
            if let Some(text) = text {
                assert_eq!(answer.into_string().await.as_deref(), Some(text));
            }
        }
    }
}
