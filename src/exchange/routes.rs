//! What the exchange answers over HTTP: authorizations, the door to the feed, candles, and errors
//! in the API's own words.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::candles::{self, ApiError};
use super::connection::Connection;
use super::market::Market;
use super::server::{Play, Shared, random_name};

/// Where authorizations lead to.
const DOOR: &str = "/market-data-feeder/v3/upstox-developer-api/feeds";

#[derive(Clone)]
struct Desk {
    shared: Arc<Shared>,
    goodbye: mpsc::Sender<()>,
}

pub(super) fn router(shared: Arc<Shared>, goodbye: mpsc::Sender<()>) -> Router {
    let intraday = "/v3/historical-candle/intraday/{key}/{unit}/{interval}";
    let to = "/v3/historical-candle/{key}/{unit}/{interval}/{to}";
    let from = "/v3/historical-candle/{key}/{unit}/{interval}/{to}/{from}";
    Router::new()
        .route("/v3/feed/market-data-feed/authorize", get(authorize))
        .route("/v3/feed/market-data-feed", get(redirect))
        .route(DOOR, get(enter))
        .route(intraday, get(intraday_candles))
        .route(to, get(candles_to))
        .route(from, get(candles_between))
        .fallback(async || refused(&candles::NOT_FOUND))
        .with_state(Desk { shared, goodbye })
}

fn refused(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(error.body())).into_response()
}

/// Whether the header has the right token.
fn check(shared: &Shared, headers: &HeaderMap) -> Result<(), ApiError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    if token == Some(shared.token.as_str()) { Ok(()) } else { Err(candles::UNAUTHORIZED) }
}

/// An address that opens the feed once.
fn permit(shared: &Shared, headers: &HeaderMap) -> Result<String, ApiError> {
    check(shared, headers)?;
    match shared.refusal() {
        Some(401) => return Err(candles::UNAUTHORIZED),
        Some(403) => return Err(candles::INACTIVE),
        Some(429) => return Err(candles::TOO_MANY),
        Some(_) => return Err(candles::UNAVAILABLE),
        None => {}
    }
    let names = shared.code().and_then(|code| Ok((random_name()?, code)));
    let (request, code) = names.map_err(|_| candles::UNAVAILABLE)?;
    Ok(format!("ws://{}{DOOR}?requestId={request}&code={code}", shared.addr))
}

async fn authorize(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    match permit(&desk.shared, &headers) {
        Ok(uri) => {
            let data = json!({"authorized_redirect_uri": uri});
            Json(json!({"status": "success", "data": data})).into_response()
        }
        Err(error) => {
            (desk.shared.log)(&format!("an authorization is refused: {error}"));
            refused(&error)
        }
    }
}

/// The other way in: the address of the feed itself leads to an authorized one.
async fn redirect(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    match permit(&desk.shared, &headers) {
        Ok(uri) => (StatusCode::FOUND, [(header::LOCATION, uri)]).into_response(),
        Err(error) => refused(&error),
    }
}

async fn enter(
    State(desk): State<Desk>,
    Query(query): Query<BTreeMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Desk { shared, goodbye } = desk;
    let code = query.get("code").map_or("", String::as_str);
    let Some(number) = shared.admit(code) else {
        (shared.log)("a connection is refused: its code is not good, or there are too many");
        return StatusCode::FORBIDDEN.into_response();
    };
    let lost = Arc::clone(&shared);
    upgrade.on_failed_upgrade(move |_| lost.left()).on_upgrade(move |socket| async move {
        Connection::new(socket, Arc::clone(&shared), number).run().await;
        shared.left();
        drop(goodbye);
    })
}

/// Parts of an address, as far as they can be read.
type Parts<T> = Result<Path<T>, PathRejection>;

async fn intraday_candles(
    State(desk): State<Desk>,
    headers: HeaderMap,
    path: Parts<(String, String, String)>,
) -> Response {
    let Ok(Path((key, unit, interval))) = path else { return refused(&candles::NOT_FOUND) };
    answer(&desk.shared, &headers, |market| {
        let query = candles::Query { key: &key, unit: &unit, interval: &interval };
        candles::intraday(market, desk.shared.now(), query)
    })
}

async fn candles_to(
    State(desk): State<Desk>,
    headers: HeaderMap,
    path: Parts<(String, String, String, String)>,
) -> Response {
    let Ok(Path((key, unit, interval, to))) = path else { return refused(&candles::NOT_FOUND) };
    answer(&desk.shared, &headers, |market| {
        let query = candles::Query { key: &key, unit: &unit, interval: &interval };
        candles::historical(market, desk.shared.now(), query, &to, None)
    })
}

async fn candles_between(
    State(desk): State<Desk>,
    headers: HeaderMap,
    path: Parts<(String, String, String, String, String)>,
) -> Response {
    let Ok(Path((key, unit, interval, to, from))) = path else {
        return refused(&candles::NOT_FOUND);
    };
    answer(&desk.shared, &headers, |market| {
        let query = candles::Query { key: &key, unit: &unit, interval: &interval };
        candles::historical(market, desk.shared.now(), query, &to, Some(&from))
    })
}

fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    ask: impl FnOnce(&Market) -> Result<Value, ApiError>,
) -> Response {
    let answered = check(shared, headers).and_then(|()| match &shared.play {
        Play::Market(market) => ask(market),
        Play::Recorded(_) => Err(candles::NOT_FOUND),
    });
    match answered {
        Ok(value) => Json(value).into_response(),
        Err(error) => refused(&error),
    }
}
