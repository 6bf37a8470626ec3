//! The answers in JSON.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;
use crate::driver::explain::{Explained, Target};
use crate::driver::live::HEALTH_FILE;
use crate::journal::error::JournalError;
use crate::sinks::scanner::view::{View, india};

use super::app::App;
use super::model::Model;

/// Rows of a list at most.
const LIST_MAX: usize = 2_000;

/// What stands behind the `?` of an address.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params, Refused> {
        let query = axum::extract::Query::<BTreeMap<String, String>>::from_request_parts;
        let read = query(parts, state).await;
        read.map(|query| Params(query.0)).map_err(|error| Refused::bad(error.body_text()))
    }
}

impl Params {
    /// The text of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The number of that name, from 1 to `max`.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, Refused> {
        match self.text(name) {
            None | Some("") => Ok(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number| (1..=max).contains(number));
                number.ok_or_else(|| Refused::bad(format!("'{name}' has to be 1 to {max}")))
            }
        }
    }

    /// How many rows to leave out from the front.
    ///
    /// # Errors
    /// When it is no number.
    pub fn offset(&self) -> Result<usize, Refused> {
        let offset = self.text("offset").unwrap_or("0").parse();
        offset.map_err(|_| Refused::bad("'offset' has to be a number"))
    }

    /// The time of that name.
    ///
    /// # Errors
    /// When it is no time.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Refused> {
        match self.text(name) {
            None | Some("") => Ok(None),
            Some(text) => Timestamp::parse(text).map(Some).ok_or_else(|| {
                Refused::bad(format!("'{name}' has to be a time such as 2024-10-01T09:15, India"))
            }),
        }
    }
}

/// Why something was not answered.
#[derive(Debug)]
pub struct Refused {
    /// The answer's status.
    pub status: StatusCode,
    /// What is wrong, for people.
    pub why: String,
}

impl Refused {
    /// What was asked makes no sense.
    pub fn bad(why: impl Display) -> Refused {
        Refused { status: StatusCode::BAD_REQUEST, why: why.to_string() }
    }

    /// There is no such thing.
    pub fn absent(why: impl Display) -> Refused {
        Refused { status: StatusCode::NOT_FOUND, why: why.to_string() }
    }

    /// The run trades nothing of that key.
    pub fn no_key(key: &str) -> Refused {
        Refused::absent(format!("the run has no instrument '{key}'"))
    }

    /// A journal cannot be read.
    pub fn broken(error: &JournalError) -> Refused {
        match error {
            JournalError::Absent { .. } => Refused::absent(error),
            _ => Refused { status: StatusCode::INTERNAL_SERVER_ERROR, why: error.to_string() },
        }
    }

    /// The server ends.
    pub fn gone() -> Refused {
        let why = "the work broke off; ask again".to_owned();
        Refused { status: StatusCode::SERVICE_UNAVAILABLE, why }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "success": false, "error": self.why });
        (self.status, Json(body)).into_response()
    }
}

/// The result as JSON.
pub fn answer<T: Serialize>(result: Result<T, Refused>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// The name of a state: it changes with every input, and two runs never share one.
fn etag(model: &Model) -> String {
    let run: String = model.run_id.chars().take(8).collect();
    format!("\"{run}-{}\"", model.view.position)
}

/// A state as it was written last. Whoever asks for the same is given the same bytes: they are
/// written once for each position, however many ask.
#[derive(Default)]
pub struct Prepared(Mutex<(String, Bytes)>);

impl Prepared {
    fn get(&self, tag: &str, state: impl FnOnce() -> String) -> Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != tag {
            *kept = (tag.to_owned(), state().into());
        }
        kept.1.clone()
    }
}

/// A state, or that whoever asks has it already.
fn tagged(
    headers: &HeaderMap,
    prepared: &Prepared,
    tag: &str,
    state: impl FnOnce() -> String,
) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| {
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, prepared.get(tag, state)).into_response()
        }
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    let again = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, again);
    response
}

/// `GET /api/scanner-state`: the table as the Python system's page has it, row by row what the
/// table `runner_state` holds at the same position.
pub async fn scanner_state(State(app): State<App>, headers: HeaderMap) -> Response {
    let model = app.model();
    tagged(&headers, &app.contract, &etag(&model), || written(&contract(&model)))
}

fn written(state: &impl Serialize) -> String {
    serde_json::to_string(state).expect("a state is plain data")
}

/// The user's contract.
#[derive(Serialize)]
struct Contract<'a> {
    success: bool,
    data: Vec<ContractRow<'a>>,
    count: usize,
    updated_at: &'a Option<String>,
}

#[derive(Serialize)]
struct ContractRow<'a> {
    symbol: &'a str,
    trading_symbol: &'a str,
    strategy_id: &'a str,
    strategy_name: &'a str,
    timeframe: &'a str,
    current_bias: &'a str,
    signal_state: &'a str,
    confidence: f64,
    last_bar_ts: &'a Option<String>,
    status: &'a str,
}

fn contract(model: &Model) -> Contract<'_> {
    let rows = model.view.rows.iter().map(|row| ContractRow {
        symbol: &row.key,
        trading_symbol: &row.symbol,
        strategy_id: &row.strategy_id,
        strategy_name: &row.strategy_id,
        timeframe: &row.timeframe,
        current_bias: row.runner.bias,
        signal_state: row.runner.signal_state,
        confidence: row.runner.confidence,
        last_bar_ts: &row.last_bar,
        status: row.status,
    });
    let data: Vec<ContractRow<'_>> = rows.collect();
    let count = data.len();
    Contract { success: true, data, count, updated_at: &model.view.clock_utc }
}

/// Everything that the table shows.
#[derive(Serialize)]
struct Whole<'a> {
    mode: &'static str,
    run_id: &'a str,
    journal: &'static str,
    parity: &'static str,
    state: &'a View,
}

/// `GET /api/v1/state`: everything that the table shows.
pub async fn state(State(app): State<App>, headers: HeaderMap) -> Response {
    let model = app.model();
    let (journal, parity) = (model.health.word(), model.parity_word().word());
    let tag = format!("{}-{journal}-{parity}\"", etag(&model).trim_end_matches('"'));
    tagged(&headers, &app.state, &tag, || {
        let (mode, run_id) = (app.options.mode.word(), model.run_id.as_str());
        written(&Whole { mode, run_id, journal, parity, state: &model.view })
    })
}

/// `GET /api/v1/health`.
pub async fn health(State(app): State<App>) -> Response {
    Json(health_of(&app)).into_response()
}

/// How the run, its journal and its feed are.
pub fn health_of(app: &App) -> Value {
    let model = app.model();
    let now = (app.options.clock)();
    let broken = match &model.health {
        super::model::Health::Broken(why) => Some(why.clone()),
        _ => None,
    };
    let run = model.facts.run.as_ref();
    json!({
        "mode": app.options.mode.word(),
        "run_id": model.run_id,
        "build": run.map(|run| run.build.clone()),
        "core_version": run.map(|run| run.core_version),
        "journal": model.health.word(),
        "parity": model.parity_word().word(),
        "error": broken,
        "position": model.view.position,
        "records": model.records,
        "market_clock": model.view.clock,
        "market_clock_utc": model.view.clock_utc,
        "idle_seconds": (now.0 - model.last_read.0) / 1_000_000,
        "status": model.view.status,
        "feed": model.view.feed,
        "halts": model.view.halts,
        "rejections": model.view.rejections,
        "events": model.facts.counts,
        "takes_requests": app.options.control.is_some(),
        "measured": measured(app),
    })
}

/// What a live run measures beside itself: ages, delays, what was dropped and repaired. Null where
/// there is no such file.
fn measured(app: &App) -> Value {
    let text = std::fs::read_to_string(app.options.run_dir.join(HEALTH_FILE)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A part of a list, newest first.
#[derive(Serialize)]
struct Part<T> {
    total: usize,
    offset: usize,
    data: Vec<T>,
}

/// The part that was asked for of what fits.
fn part<'a, T: 'a, J>(
    params: &Params,
    all: impl DoubleEndedIterator<Item = &'a T>,
    fits: impl Fn(&T) -> bool,
    json: impl Fn(&T) -> J,
) -> Result<Part<J>, Refused> {
    let (limit, offset) = (params.number("limit", 200, LIST_MAX)?, params.offset()?);
    let fitting: Vec<&T> = all.rev().filter(|one| fits(one)).collect();
    let data = fitting.iter().skip(offset).take(limit).map(|one| json(one)).collect();
    Ok(Part { total: fitting.len(), offset, data })
}

/// The instrument that was asked for, if one was.
fn chosen(model: &Model, params: &Params) -> Result<Option<InstrumentId>, Refused> {
    match params.text("key") {
        None | Some("") => Ok(None),
        Some(key) => model.facts.instrument(key).map(Some).ok_or_else(|| Refused::no_key(key)),
    }
}

/// `GET /api/v1/bars`: strategy bars of one instrument with their indicators.
pub async fn bars(State(app): State<App>, params: Params) -> Response {
    let list = || {
        let model = app.model();
        let Some(of) = chosen(&model, &params)? else {
            return Err(Refused::bad("'key' has to name an instrument of the run"));
        };
        let (from, to) = (params.time("from")?, params.time("to")?);
        let bars = model.facts.bars.get(of.index()).map_or(&[][..], Vec::as_slice);
        let is_inside =
            |time: Timestamp| from.is_none_or(|from| from <= time) && to.is_none_or(|to| time < to);
        part(&params, bars.iter(), |fact| is_inside(fact.bar.open_time), |fact| fact.json())
    };
    answer(list())
}

/// `GET /api/v1/signals`.
pub async fn signals(State(app): State<App>, params: Params) -> Response {
    let list = || {
        let model = app.model();
        let of = chosen(&model, &params)?;
        let facts = &model.facts;
        let fits =
            |fact: &super::facts::SignalFact| of.is_none_or(|of| fact.signal.instrument == of);
        part(&params, facts.signals.iter(), fits, |fact| facts.signal_json(fact))
    };
    answer(list())
}

/// `GET /api/v1/trades`.
pub async fn trades(State(app): State<App>, params: Params) -> Response {
    let list = || {
        let model = app.model();
        let of = chosen(&model, &params)?;
        let facts = &model.facts;
        let fits = |trade: &super::facts::Trade| of.is_none_or(|of| trade.instrument == of);
        part(&params, facts.trades.iter(), fits, |trade| facts.trade_json(trade))
    };
    answer(list())
}

/// `GET /api/v1/symbols/{key}`: an instrument's row, and why its newest bar (or that of `bar`) made
/// a signal or none.
pub async fn symbol(State(app): State<App>, Path(key): Path<String>, params: Params) -> Response {
    answer(symbol_of(&app, key, params).await)
}

async fn symbol_of(app: &App, key: String, params: Params) -> Result<Value, Refused> {
    let bar = params.time("bar")?;
    let row = {
        let model = app.model();
        let row = model.view.rows.iter().find(|row| row.key == key);
        row.cloned().ok_or_else(|| Refused::no_key(&key))?
    };
    let why = why(app, &key, bar).await?;
    Ok(json!({ "row": row, "why": why }))
}

/// Why a bar of an instrument made a signal or none; the newest where none is named. What it takes
/// is copied out first, so that nobody waits for the model meanwhile.
///
/// # Errors
/// When the server ends.
pub async fn why(app: &App, key: &str, bar: Option<Timestamp>) -> Result<Option<Value>, Refused> {
    let excerpt = {
        let model = app.model();
        let of = model.facts.instrument(key);
        let bars = of.and_then(|of| model.facts.bars.get(of.index()));
        let time = bar.or_else(|| bars?.last().map(|fact| fact.bar.open_time));
        let target = time.map(|time| Target::Bar(key.to_owned(), time));
        let recorded = model.recorded.as_ref();
        recorded.zip(target).and_then(|(recorded, target)| {
            let (of, place) = recorded.find(&target)?;
            Some((recorded.excerpt(of, place), of, place))
        })
    };
    let Some((recorded, of, place)) = excerpt else { return Ok(None) };
    let explain = move || {
        let strategy = recorded.strategy_before(of, place);
        why_json(&recorded.explain(&strategy, of, place))
    };
    app.heavily(explain).await.map(Some)
}

fn why_json(explained: &Explained) -> Value {
    let decided = |it: &Option<_>| {
        it.map_or_else(|| "no signal".to_owned(), |(side, kind)| format!("{side} {kind}"))
    };
    let conditions = explained.conditions.iter().map(|condition| {
        let comparisons = condition.comparisons.iter().map(|one| {
            // What is not known yet is null in JSON.
            json!({
                "what": one.what,
                "left": one.left,
                "right": one.right,
                "margin": one.margin,
                "holds": one.holds,
            })
        });
        json!({
            "side": condition.side.word(),
            "kind": condition.kind.word(),
            "holds": condition.holds(),
            "comparisons": comparisons.collect::<Vec<_>>(),
        })
    });
    let signal = explained.signal.as_ref();
    json!({
        "event": explained.id.to_string(),
        "bar": india(explained.bar.open_time),
        "known": india(explained.known),
        "minutes": explained.bar.minutes,
        "minutes_expected": explained.bar.minutes_expected,
        "is_evaluated": explained.is_evaluated,
        "is_near_miss": explained.is_near_miss(),
        "agrees": explained.agrees(),
        "signal": signal.map(|(_, _, signal)| format!("{} {}", signal.side, signal.kind)),
        "signal_id": signal.map(|(_, name, _)| name.clone()),
        "declined": explained.declined.map(|reason| reason.word()),
        "conditions": conditions.collect::<Vec<_>>(),
        "flip": explained.flip.as_ref().map(|flip| json!({
            "ticks": flip.ticks,
            "close": flip.close.rupees(),
            "decision": decided(&flip.decision),
        })),
    })
}
