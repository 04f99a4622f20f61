//! Whether the app is up.

use backdrop_common::http::{ApiError, health as app_health, liveness};
use rocket::http::ContentType;
use rocket::{State, get};

use crate::WriteApp;

#[get("/_status")]
pub(crate) async fn health(app: &State<WriteApp>) -> Result<(ContentType, String), ApiError> {
    Ok((ContentType::JSON, app_health(&*app.engine).await?.to_string()))
}

/// Whether the process answers, and nothing else: it waits for no store and for no turn.
#[get("/_status/live")]
pub(crate) fn live() -> (ContentType, String) {
    (ContentType::JSON, liveness().to_string())
}
