//! Numbers about the run and about this server, as Prometheus reads them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::guard::Refusal;

/// What happened to requests.
#[derive(Default)]
pub struct Counters {
    refused: [AtomicU64; Refusal::ALL.len()],
    answered: [AtomicU64; 6],
    /// Requests that became commands of the run.
    pub commands: AtomicU64,
    /// Connections that found no seat.
    pub sent_away: AtomicU64,
    /// Clients of the stream at this moment.
    pub streams: AtomicU64,
    /// Bytes that went into streams.
    pub streamed: AtomicU64,
}

impl Counters {
    /// A request was refused.
    pub fn refused(&self, refusal: Refusal) {
        let place = Refusal::ALL.iter().position(|other| *other == refusal);
        if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that were refused, for whatever reason.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(read).sum()
    }

    /// The same by reason, in the order of [`Refusal::ALL`].
    pub fn refusals(&self) -> Vec<u64> {
        self.refused.iter().map(read).collect()
    }

    /// A request was answered.
    pub fn answered(&self, status: StatusCode) {
        if let Some(counter) = self.answered.get(usize::from(status.as_u16() / 100)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes metrics one after the other.
#[derive(Default)]
struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.many(name, kind, help, &[(String::new(), value.to_string())]);
    }

    fn many(&mut self, name: &str, kind: &str, help: &str, values: &[(String, String)]) {
        let name = format!("lockstep_{name}");
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in values {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<App>) -> Response {
    let mut page = Page::default();
    of_run(&app, &mut page);
    of_server(&app, &mut page);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response()
}

fn of_run(app: &App, page: &mut Page) {
    let model = app.model();
    let view = &model.view;
    page.one("position", "gauge", "Number of the last input of the journal.", view.position);
    page.one("records_total", "counter", "Records read from the journal.", model.records);
    let clock = view.clock_us.unwrap_or(0) as f64 / 1e6;
    page.one(
        "market_clock_seconds",
        "gauge",
        "Last watermark or price, seconds since 1970 UTC.",
        clock,
    );
    let facts = &model.facts.counts;
    let facts: Vec<_> =
        facts.iter().map(|(kind, count)| (label("kind", kind), count.to_string())).collect();
    page.many("events_total", "counter", "Events of the journal by kind.", &facts);
    let no = view.rejections.iter();
    let no: Vec<_> =
        no.map(|(reason, count)| (label("reason", reason), count.to_string())).collect();
    page.many("rejections_total", "counter", "How often the core said no.", &no);
    page.one("halts_total", "counter", "How often trading was stopped.", view.halts);
    let status = ["WARMUP", "RUNNING", "PAUSED", "KILLED", "HALTED", "ENDED"];
    let status: Vec<_> = status
        .iter()
        .map(|word| (label("status", word), u8::from(*word == view.status).to_string()))
        .collect();
    page.many("status", "gauge", "1 for what holds now.", &status);
    let feed = match view.feed.state {
        "up" => 1,
        "down" => 0,
        _ => -1,
    };
    page.one("feed_up", "gauge", "1 up, 0 down, -1 unknown.", feed);
    if let Some(lag) = view.feed.lag_ms {
        let lag = lag as f64 / 1e3;
        page.one("feed_lag_seconds", "gauge", "How long the last trade was on its way.", lag);
    }
    let health = ["absent", "loading", "following", "sealed", "broken"];
    let health: Vec<_> = health
        .iter()
        .map(|word| (label("state", word), u8::from(*word == model.health.word()).to_string()))
        .collect();
    page.many("journal", "gauge", "1 for how the journal is.", &health);
    let parity = ["computing", "same", "differs", "broken"];
    let parity: Vec<_> = parity
        .iter()
        .map(|word| {
            let holds = *word == model.parity_word().word();
            (label("verdict", word), u8::from(holds).to_string())
        })
        .collect();
    page.many("parity", "gauge", "1 for what the core says of the journal.", &parity);
}

fn of_server(app: &App, page: &mut Page) {
    let counters = &app.counters;
    let refused = Refusal::ALL.iter().zip(&counters.refused);
    let refused: Vec<_> = refused
        .map(|(refusal, count)| (label("reason", refusal.word()), read(count).to_string()))
        .collect();
    page.many("http_refused_total", "counter", "Requests that were refused.", &refused);
    let answered: Vec<_> = (1..6)
        .map(|class| {
            (label("class", &format!("{class}xx")), read(&counters.answered[class]).to_string())
        })
        .collect();
    page.many("http_responses_total", "counter", "Answers by class.", &answered);
    let commands = read(&counters.commands);
    page.one("control_requests_total", "counter", "Requests handed to the run.", commands);
    let sent_away = read(&counters.sent_away);
    page.one("connections_refused_total", "counter", "Connections without a seat.", sent_away);
    page.one("stream_clients", "gauge", "Clients of the stream.", read(&counters.streams));
    let streamed = read(&counters.streamed);
    page.one("stream_bytes_total", "counter", "Bytes that went into streams.", streamed);
}
