//! The form with the file: read within bounds, whatever was sent.

use std::time::Duration;

use backdrop_common::http::SentData;
use multer::{Constraints, Field, Multipart, SizeLimit};
use rocket::data::{FromData, Limits, Outcome};
use rocket::futures::stream::unfold;
use rocket::http::Status;
use rocket::request::{self, FromRequest, Request};
use rocket::tokio::time::timeout;
use rocket::{Data, async_trait};

use super::staged::UploadedFile;
use crate::WriteApp;
use crate::admin::SignedIn;

/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the form of somebody who is not signed in is waited for, to be thrown away.
const SHORT_PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes of a form are read: of a file that is too large the rest is thrown away, so that
/// a browser that is still sending gets a page and not a broken connection.
pub(crate) fn form_limit(max_upload_bytes: usize) -> usize {
    max_upload_bytes.saturating_mul(4).saturating_add(64 * 1024)
}

/// A form that was sent with a file.
pub(crate) struct SentForm {
    /// Its token, empty if it has none.
    pub(crate) form_token: String,
    /// Its file, or why there is none.
    pub(crate) file: Result<UploadedFile, NoFile>,
}

/// Why there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoFile {
    /// The button was pressed without choosing one.
    #[error("No file was chosen")]
    NotChosen,
    /// It is too large.
    #[error("The file is too large")]
    TooLarge,
    /// The form is not one of ours, or was cut off.
    #[error("The file did not arrive whole")]
    Broken,
}

impl NoFile {
    /// The status of the page that says so.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::NotChosen | Self::Broken => Status::BadRequest,
            Self::TooLarge => Status::PayloadTooLarge,
        }
    }
}

/// How many bytes of the field `form_token` are read.
const MAX_TOKEN: usize = 1_000;

/// Reads a form to its end. Of a file that is too large the rest is thrown away.
async fn read_form(form: Multipart<'_>, max_file: usize) -> Result<SentForm, multer::Error> {
    let mut form = form;
    let mut sent = SentForm { form_token: String::new(), file: Err(NoFile::NotChosen) };
    while let Some(mut field) = form.next_field().await? {
        match field.name() {
            Some("form_token") if sent.form_token.is_empty() => {
                let token = read_field(&mut field, MAX_TOKEN).await?;
                sent.form_token = String::from_utf8(token).unwrap_or_default();
            }
            Some("file") if matches!(sent.file, Err(NoFile::NotChosen)) && field.file_name().is_some() => {
                let name = shown_name(field.file_name().unwrap_or_default());
                let bytes = read_field(&mut field, max_file).await?;
                sent.file = match bytes.len() {
                    0 => Err(NoFile::NotChosen),
                    length if length > max_file => Err(NoFile::TooLarge),
                    _ => Ok(UploadedFile { name, bytes: bytes.into() }),
                };
            }
            _ => {}
        }
    }
    Ok(sent)
}

/// The bytes of a field, and no more than one beyond a limit.
async fn read_field(field: &mut Field<'_>, max: usize) -> Result<Vec<u8>, multer::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await? {
        let wanted = piece.len().min(max + 1 - bytes.len());
        bytes.extend_from_slice(&piece[..wanted]);
    }
    Ok(bytes)
}

/// The form that a body is, as it comes, up to so many bytes of it.
fn multipart<'r>(request: &Request<'_>, data: SentData<'r>, limit: u64) -> Option<Multipart<'r>> {
    let boundary = multer::parse_boundary(request.headers().get_one("Content-Type")?).ok()?;
    let pieces = unfold(data, |mut data| async {
        let next = data.next().await.transpose()?;
        Some((next, data))
    });
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(limit));
    Some(Multipart::with_constraints(pieces, boundary, limits))
}

/// A name that fits on a page. Some browsers send the whole path.
fn shown_name(sent: &str) -> String {
    let name = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(80).collect();
    if name.trim().is_empty() { "the file".to_owned() } else { name }
}

#[async_trait]
impl<'r> FromData<'r> for SentForm {
    type Error = std::convert::Infallible;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let without_file = |reason| SentForm { form_token: String::new(), file: Err(reason) };
        let data = SentData::of(request, data);
        // A form that goes on beyond what is read of it looks like one that was cut off.
        let limit = request.limits().get("data-form").unwrap_or(Limits::DATA_FORM).as_u64();
        let no_file = if data.length() > Some(limit) { NoFile::TooLarge } else { NoFile::Broken };
        if !matches!(SignedIn::from_request(request).await, request::Outcome::Success(_)) {
            // A browser shows the answer only once it has sent its form. Nothing of that is kept.
            let thrown_away = data.discard(usize::try_from(limit).unwrap_or(usize::MAX));
            let _ = timeout(SHORT_PATIENCE, thrown_away).await;
            return Outcome::Success(without_file(no_file));
        }
        let max_file = request.rocket().state::<WriteApp>().map_or(0, |app| app.uploads.max_bytes);
        let Some(form) = multipart(request, data, limit) else {
            return Outcome::Success(without_file(no_file));
        };
        Outcome::Success(match timeout(PATIENCE, read_form(form, max_file)).await {
            Ok(Ok(form)) => form,
            Ok(Err(multer::Error::StreamSizeExceeded { .. })) => without_file(NoFile::TooLarge),
            Ok(Err(_)) | Err(_) => without_file(no_file),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use backdrop_common::settings::{ProviderKind, Settings, SignInSettings};
    use backdrop_common::storage::SqliteEngine;
    use rocket::data::ToByteUnit;
    use rocket::http::CookieJar;
    use rocket::http::{ContentType, Header};
    use rocket::local::asynchronous::Client;
    use rocket::{State, get, post, routes};

    use super::*;
    use crate::admin::provider::{Profile, Tokens};

    #[post("/", data = "<form>")]
    fn show(form: SentForm) -> String {
        match form.file {
            Ok(file) => format!("{} {} {}", form.form_token, file.name, file.bytes.len()),
            Err(reason) => reason.to_string(),
        }
    }

    #[get("/sign_in")]
    fn sign_in(app: &State<WriteApp>, jar: &CookieJar<'_>) {
        let profile = Profile {
            uid: "u1".to_owned(),
            name: "Ann".to_owned(),
            email: "ann@example.org".to_owned(),
            may_sign_in: true,
            is_admin: false,
        };
        let cookies = app.sign_in.as_ref().expect("a provider").cookies(jar);
        let tokens = Tokens::default();
        cookies.begin(profile, &tokens, (app.clock)().millis()).expect("cookies");
    }

    /// A browser in which nobody is signed in.
    async fn stranger(max: usize) -> Client {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
        let max_upload_bytes = u32::try_from(max).ok().and_then(NonZeroU32::new).expect("a size");
        let sign_in = SignInSettings::for_testing(ProviderKind::Signon, "http://127.0.0.1:9");
        let settings = Settings { max_upload_bytes, sign_in: Some(sign_in), ..Settings::default() };
        let app = WriteApp::new(&settings, Arc::new(engine), 0);
        let limits = rocket::data::Limits::default().limit("data-form", form_limit(max).bytes());
        let config = rocket::Config { limits, ..rocket::Config::debug_default() };
        let rocket = rocket::custom(config).manage(app).manage(folder).mount("/", routes![show, sign_in]);
        Client::tracked(rocket).await.expect("an app")
    }

    async fn client(max: usize) -> Client {
        let client = stranger(max).await;
        assert_eq!(client.get("/sign_in").dispatch().await.status(), Status::Ok);
        client
    }

    fn part(name: &str, file: Option<&str>, text: &str) -> String {
        let file =
            file.map_or(String::new(), |file| format!("; filename=\"{file}\"\r\nContent-Type: text/csv"));
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n")
    }

    fn form_type() -> ContentType {
        ContentType::new("multipart", "form-data").with_params(("boundary", "edge"))
    }

    #[track_caller]
    fn check(client: &Client, body: String, expected: &str) -> impl Future<Output = ()> {
        let request = client.post("/").header(form_type()).body(body);
        async move {
            assert_eq!(request.dispatch().await.into_string().await.as_deref(), Some(expected));
        }
    }

    #[rocket::async_test]
    async fn forms_as_they_come() {
        let client = client(1000).await;
        let token = part("form_token", None, "t0ken");
        let file = |length: usize| part("file", Some("a.csv"), &"x".repeat(length));
        check(&client, format!("{token}{}--edge--", file(1000)), "t0ken a.csv 1000").await;
        check(&client, format!("{}{token}--edge--", file(5)), "t0ken a.csv 5").await;
        check(&client, format!("{token}{}--edge--", file(1001)), "The file is too large").await;
        check(&client, format!("{token}{}--edge--", file(200_000)), "The file is too large").await;
        check(&client, format!("{token}{}--edge--", part("file", Some(""), "")), "No file was chosen").await;
        check(&client, format!("{token}--edge--"), "No file was chosen").await;
        check(&client, format!("{token}{}", file(5)), "The file did not arrive whole").await;
        let length = Header::new("Content-Length", "9000000");
        let cut = client.post("/").header(form_type()).header(length).body(token).dispatch().await;
        assert_eq!(cut.into_string().await.as_deref(), Some("The file is too large"));
        let other = client.post("/").header(ContentType::JSON).body("{}").dispatch().await;
        assert_eq!(other.into_string().await.as_deref(), Some("The file did not arrive whole"));
    }

    #[rocket::async_test]
    async fn of_who_is_not_signed_in_nothing_is_kept() {
        let client = stranger(1000).await;
        let form = part("form_token", None, "t0ken") + &part("file", Some("a.csv"), "aa,bb") + "--edge--";
        check(&client, form.clone(), "The file did not arrive whole").await;
        assert_eq!(client.get("/sign_in").dispatch().await.status(), Status::Ok);
        check(&client, form, "t0ken a.csv 5").await;
    }

    #[test]
    fn names_as_they_are_shown() {
        for (sent, shown) in [
            ("weather.csv", "weather.csv"),
            ("C:\\Users\\Ann\\weather.csv", "weather.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\u{7}b\r\n.csv", "ab.csv"),
            ("", "the file"),
            ("/", "the file"),
        ] {
            assert_eq!(shown_name(sent), shown);
        }
        assert_eq!(shown_name(&"x".repeat(200)).len(), 80);
    }
}
