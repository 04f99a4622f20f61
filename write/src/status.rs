//! Whether the app is up.

use backdrop_common::http::{ApiError, health as app_health};
use rocket::http::ContentType;
use rocket::{State, get};

use crate::WriteApp;

#[get("/_status")]
pub(crate) async fn health(app: &State<WriteApp>) -> Result<(ContentType, String), ApiError> {
    Ok((ContentType::JSON, app_health(&*app.engine).await?.to_string()))
}
