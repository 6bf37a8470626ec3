//! `POST /api/v1/control/{kind}`: what people ask of a run. The request becomes a file that the run
//! makes a journalled command of; what is shown changes once that command is in the journal.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::driver::control::{Kind, ask};

use super::app::App;
use super::model::Health;

/// What has to be typed to enter again after a kill.
pub const RELEASE_WORD: &str = "release";

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Why, for the record.
    #[serde(default)]
    reason: String,
    /// For a release, the word [`RELEASE_WORD`].
    #[serde(default)]
    confirm: String,
}

fn no(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "success": false, "error": why }))).into_response()
}

/// Hands the request to the run. Who may ask at all was found out by the guard.
pub async fn control(State(app): State<App>, Path(kind): Path<String>, body: Bytes) -> Response {
    let Some(kind) = Kind::from_word(&kind) else {
        return no(StatusCode::NOT_FOUND, "ask for pause, resume, flatten, kill or release");
    };
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(error) => return no(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if kind == Kind::Release && wish.confirm != RELEASE_WORD {
        let why = format!("a release has to be confirmed: \"confirm\": \"{RELEASE_WORD}\"");
        return no(StatusCode::BAD_REQUEST, &why);
    }
    let Some(dir) = app.options.control.clone() else {
        return no(StatusCode::CONFLICT, "this run takes no requests: it is not lived");
    };
    if app.model().health == Health::Sealed {
        return no(StatusCode::CONFLICT, "the run is over");
    }
    let asked = move || ask(&dir, kind, "scanner 127.0.0.1", &wish.reason);
    match tokio::task::spawn_blocking(asked).await {
        Ok(Ok(number)) => {
            app.counters.commands.fetch_add(1, Ordering::Relaxed);
            let done = json!({ "success": true, "request": number, "kind": kind.word() });
            (StatusCode::ACCEPTED, Json(done)).into_response()
        }
        Ok(Err(error)) => no(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(_) => no(StatusCode::INTERNAL_SERVER_ERROR, "the request broke off; ask again"),
    }
}
