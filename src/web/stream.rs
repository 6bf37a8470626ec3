//! `GET /api/v1/stream`: changes as they come, as server-sent events. The id of a message is the
//! position in the journal, so whoever comes back with it is told what came since: every notable
//! event once, and every row that looks otherwise.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::app::App;
use super::model::Change;

/// After so long without a change a client is told that the stream is alive.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// Clients that may listen at a time.
const CLIENTS_MAX: u64 = 1_536;

/// One client. What waits for it is never more than one message: a slow one is not remembered, it
/// is told what it lacks when it comes to ask.
struct Client {
    app: App,
    changes: broadcast::Receiver<Arc<Change>>,
    /// What it has seen; none before it was told the whole state.
    position: Option<u64>,
    /// Whether it lacks more than the next change.
    is_behind: bool,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.app.counters.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    fn new(app: &App, last: Option<u64>) -> Client {
        app.counters.streams.fetch_add(1, Ordering::Relaxed);
        let changes = app.changes.subscribe();
        Client { app: app.clone(), changes, position: last, is_behind: true }
    }

    /// The next message. It never ends: the client goes, or the server does.
    async fn next(&mut self) -> Bytes {
        loop {
            if self.is_behind {
                return self.catch_up();
            }
            match tokio::time::timeout(BEAT_EVERY, self.changes.recv()).await {
                Err(_) => return self.beat(),
                Ok(Ok(change)) if Some(change.from) == self.position => {
                    self.position = Some(change.to);
                    return change.text.clone();
                }
                // It was too slow, or the journal is read anew: what it lacks is found out.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => self.is_behind = true,
                Ok(Err(RecvError::Closed)) => return self.beat(),
            }
        }
    }

    /// A part of what it lacks.
    fn catch_up(&mut self) -> Bytes {
        let model = self.app.model();
        let (text, position) = model.next(self.position);
        self.position = Some(position);
        self.is_behind = position != model.view.position;
        if !self.is_behind {
            // Under the same look at the model, so that nothing falls between the two.
            self.changes = self.app.changes.subscribe();
        }
        text
    }

    /// A sign of life, with for how long nothing has come; without an id, so it moves nothing.
    fn beat(&self) -> Bytes {
        let model = self.app.model();
        let idle = (self.app.options.clock)().0 - model.last_read.0;
        let (journal, parity) = (model.health.word(), model.parity_word().word());
        let (position, idle) = (model.view.position, idle / 1_000_000);
        let data = format!(
            "{{\"position\":{position},\"idle_seconds\":{idle},\"journal\":\"{journal}\",\
             \"parity\":\"{parity}\"}}"
        );
        format!(": alive\nevent: beat\ndata: {data}\n\n").into()
    }
}

/// Opens a stream, from the position in `Last-Event-ID` on.
pub async fn stream(State(app): State<App>, headers: HeaderMap) -> Response {
    if app.counters.streams.load(Ordering::Relaxed) >= CLIENTS_MAX {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many listen already\n").into_response();
    }
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.and_then(|last| last.parse().ok());
    let client = Client::new(&app, last);
    let messages = stream::unfold(client, |mut client| async move {
        let message = client.next().await;
        client.app.counters.streamed.fetch_add(message.len() as u64, Ordering::Relaxed);
        Some((Ok::<Bytes, Infallible>(message), client))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (kind, Body::from_stream(messages)).into_response()
}
