//! `GET /api/v1/stream`: changes as they come, as server-sent events. The id of a message is the
//! position in the journal, so whoever comes back with it is told what came since: every notable
//! event once, and every row that looks otherwise.

use std::collections::VecDeque;
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
const CLIENTS_MAX: u64 = 4_096;

/// One client.
struct Client {
    app: App,
    changes: broadcast::Receiver<Arc<Change>>,
    /// What it has seen.
    position: u64,
    /// Messages that wait for it.
    waiting: VecDeque<Bytes>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.app.counters.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    fn new(app: &App, last: Option<u64>) -> Client {
        app.counters.streams.fetch_add(1, Ordering::Relaxed);
        // Both under the same look at the model, so that nothing falls between them.
        let model = app.model();
        let changes = app.changes.subscribe();
        let waiting = model.since(last).into_iter().map(Bytes::from).collect();
        Client { app: app.clone(), changes, position: model.view.position, waiting }
    }

    /// The next message. It never ends: the client goes, or the server does.
    async fn next(&mut self) -> Bytes {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return message;
            }
            match tokio::time::timeout(BEAT_EVERY, self.changes.recv()).await {
                Err(_) => return self.beat(),
                Ok(Ok(change)) if change.from == self.position && change.to >= change.from => {
                    self.position = change.to;
                    return change.text.clone();
                }
                // It was too slow, or the journal is read anew: what it lacks is found out.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => self.catch_up(),
                Ok(Err(RecvError::Closed)) => return self.beat(),
            }
        }
    }

    fn catch_up(&mut self) {
        let model = self.app.model();
        self.changes = self.app.changes.subscribe();
        self.waiting.extend(model.since(Some(self.position)).into_iter().map(Bytes::from));
        self.position = model.view.position;
    }

    /// A sign of life, with for how long nothing has come; without an id, so it moves nothing.
    fn beat(&self) -> Bytes {
        let model = self.app.model();
        let idle = (self.app.options.clock)().0 - model.last_read.0;
        let journal = model.health.word();
        let (position, idle) = (model.view.position, idle / 1_000_000);
        let data = format!(
            "{{\"position\":{position},\"idle_seconds\":{idle},\"journal\":\"{journal}\"}}"
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
