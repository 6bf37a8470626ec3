//! One connection to the feed: what is subscribed, what is sent when, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use crate::domain::time::{MINUTE_US, SECOND_US, Timestamp};

use super::frames::{Frames, Sent, Wanted};
use super::line::{Faulty, Happening, What};
use super::pace::{Speed, Timeline};
use super::server::{Play, Shared};
use super::ticker::Mode;

/// Frames that may be on their way unconfirmed at the speed `max`.
const WINDOW: u32 = 32;
/// How often order books are told, as time goes here; at most once for each minute of the market.
const BOOKS_EVERY_US: i64 = SECOND_US / 2;
/// Where nothing is to be sent for so long, a ping is.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long somebody has to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection plays.
pub(super) enum Tape {
    Market(Box<Frames>),
    Recorded { frames: Arc<[Sent]>, next: usize },
}

impl Tape {
    fn new(play: &Play, speed: Speed, from: Timestamp) -> Tape {
        match play {
            Play::Market(market) => {
                let frames = Frames::of(market, &Wanted::new(), from);
                // A market that waits for its reader has nobody who waits for it.
                let frames = match speed {
                    Speed::Max => frames,
                    Speed::Times(times) => {
                        let every_us = BOOKS_EVERY_US.saturating_mul(i64::from(times));
                        frames.with_books(every_us.min(MINUTE_US))
                    }
                };
                Tape::Market(Box::new(frames))
            }
            Play::Recorded(frames) => {
                let next = frames.partition_point(|sent| sent.at < from);
                Tape::Recorded { frames: Arc::clone(frames), next }
            }
        }
    }

    /// The days of what is played.
    pub(super) fn timeline(play: &Play) -> Timeline {
        Timeline::new(match play {
            Play::Market(market) => market.days().map(|day| (day.begin, day.end)).collect(),
            Play::Recorded(frames) => {
                let days = frames.chunk_by(|a, b| a.at.date() == b.at.date());
                days.map(|day| (day[0].at, day[day.len() - 1].at)).collect()
            }
        })
    }
}

impl Iterator for Tape {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        match self {
            Tape::Market(frames) => frames.next(),
            Tape::Recorded { frames, next } => {
                let sent = frames.get(*next).cloned();
                *next += usize::from(sent.is_some());
                sent
            }
        }
    }
}

/// One connection.
pub(super) struct Connection {
    socket: WebSocket,
    shared: Arc<Shared>,
    number: u64,
    tape: Faulty<Tape>,
    wanted: Wanted,
    /// Whether the greeting went out, which nobody has to ask for.
    is_greeted: bool,
    /// Market time of the last frame.
    last: Timestamp,
    /// Frames since the last ping that the market waits for, and the earliest trade in them.
    unconfirmed: u32,
    untold: Option<Timestamp>,
    pings: u64,
    /// The ping whose pong the market waits for.
    awaited: Option<Bytes>,
    /// How the line is to be cut once everything was read.
    cut: Option<(Option<u16>, Timestamp)>,
}

/// What a client says.
#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    mode: Option<String>,
    #[serde(default)]
    instrument_keys: Vec<String>,
}

/// The connection is over.
struct Over;

type Go = Result<(), Over>;

impl From<axum::Error> for Over {
    fn from(_: axum::Error) -> Over {
        // Whoever was there is gone, which is the client's right at any time.
        Over
    }
}

impl Connection {
    pub(super) fn new(socket: WebSocket, shared: Arc<Shared>, number: u64) -> Connection {
        let (from, shared_now) = (shared.untold(), shared.now());
        let tape = Tape::new(&shared.play, shared.speed, from);
        let tape = Faulty::new(tape, shared.faults, shared.seed, number);
        Connection {
            socket,
            shared,
            number,
            tape,
            wanted: Wanted::new(),
            is_greeted: false,
            // Once all is told, nothing is untold, and the clock stands.
            last: from.min(shared_now),
            unconfirmed: 0,
            untold: None,
            pings: 0,
            awaited: None,
            cut: None,
        }
    }

    /// Serves until either side has enough.
    pub(super) async fn run(mut self) {
        self.log(&format!("open at {}", self.last));
        while self.turn().await.is_ok() {}
        self.log(&format!("over at {}", self.last));
    }

    fn log(&self, what: &str) {
        (self.shared.log)(&format!("connection {}: {what}", self.number));
    }

    /// Whatever comes first: the end, a word of the client, the next frame.
    async fn turn(&mut self) -> Go {
        let wait = self.wait();
        let (mut stopped, mut driver) =
            (self.shared.stopped.clone(), self.shared.driver.subscribe());
        let (number, is_max) = (self.number, self.shared.speed == Speed::Max);
        tokio::select! {
            biased;
            () = told(&mut stopped, |is_stopped| *is_stopped) => {
                self.goodbye(1001, "the exchange closes").await
            }
            () = told(&mut driver, |driver| *driver != number), if is_max => {
                self.goodbye(1001, "a newer connection drives the market").await
            }
            message = self.socket.recv() => match message {
                Some(Ok(message)) => self.hear(message).await,
                _ => Err(Over),
            },
            () = sleep(wait.unwrap_or(PING_EVERY)) => match wait {
                Some(_) => self.say().await,
                None if is_max => Ok(()),
                None => Ok(self.socket.send(Message::Ping(Bytes::new())).await?),
            },
        }
    }

    /// How long until there is something to say; `None` where nothing is for now.
    fn wait(&mut self) -> Option<Duration> {
        if self.shared.speed == Speed::Max {
            let may = self.awaited.is_none() && (!self.is_greeted || !self.wanted.is_empty());
            return may.then_some(Duration::ZERO);
        }
        // When all is said, that is said at once.
        let next = self.tape.next_at().map_or(Duration::ZERO, |at| self.shared.clock.until(at));
        (next < PING_EVERY).then_some(next)
    }

    /// Says what is due.
    async fn say(&mut self) -> Go {
        if let Some((code, resume)) = self.cut {
            return self.cut_off(code, resume).await;
        }
        let is_max = self.shared.speed == Speed::Max;
        let until = if is_max { Timestamp::MAX } else { self.shared.now() };
        match self.tape.next_until(until) {
            Some(happening) => self.happen(happening).await,
            None if self.tape.next_at().is_none() => {
                self.shared.advance(self.number, self.last, Timestamp::MAX);
                self.goodbye(1000, "the history is over").await
            }
            None => Ok(()),
        }
    }

    async fn happen(&mut self, happening: Happening) -> Go {
        let Happening { at, first, what } = happening;
        match what {
            What::Frame(bytes) => {
                self.is_greeted = true;
                self.last = self.last.max(at);
                self.untold = Some(self.untold.map_or(first, |untold| untold.min(first)));
                self.shared.advance(self.number, at, self.untold.unwrap_or(first));
                if self.shared.speed != Speed::Max {
                    return Ok(self.socket.send(Message::Binary(bytes)).await?);
                }
                self.socket.feed(Message::Binary(bytes)).await?;
                self.unconfirmed += 1;
                if self.unconfirmed >= WINDOW || self.wanted.is_empty() {
                    self.await_pong().await?;
                }
                Ok(())
            }
            What::Stall { until } => {
                self.log(&format!("mute from {at} to {until}"));
                Ok(())
            }
            What::Disconnect { code, resume } => {
                self.cut = Some((code, resume));
                // At the speed `max` everything is read before the line is cut.
                if self.shared.drives(self.number) { self.await_pong().await } else { Ok(()) }
            }
            What::Connected | What::Refused(_) => Ok(()),
        }
    }

    /// The market waits until everything that was sent is read.
    async fn await_pong(&mut self) -> Go {
        self.pings += 1;
        let name = Bytes::copy_from_slice(&self.pings.to_be_bytes());
        self.socket.send(Message::Ping(name.clone())).await?;
        self.awaited = Some(name);
        Ok(())
    }

    async fn hear(&mut self, message: Message) -> Go {
        match message {
            Message::Binary(bytes) => self.obey(&bytes).await,
            Message::Pong(name) if self.awaited.as_ref() == Some(&name) => {
                (self.awaited, self.unconfirmed, self.untold) = (None, 0, None);
                let untold = self.tape.untold().unwrap_or(Timestamp::MAX);
                self.shared.advance(self.number, self.last, untold);
                Ok(())
            }
            Message::Text(_) => {
                self.log("a text message is ignored; the feed takes binary ones");
                Ok(())
            }
            Message::Close(_) => {
                // The answer is ready and only has to go out.
                self.socket.flush().await?;
                Err(Over)
            }
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn obey(&mut self, bytes: &[u8]) -> Go {
        let request: Request = match serde_json::from_slice(bytes) {
            Ok(request) => request,
            Err(error) => return self.no("", &format!("not understood: {error}")).await,
        };
        let Request { method, data: Data { mode, instrument_keys } } = request;
        let word = mode.as_deref().unwrap_or("ltpc");
        let mode = Mode::from_word(word);
        let is_known = matches!(method.as_str(), "sub" | "unsub" | "change_mode");
        // A mode that needs another subscription is ignored without a word.
        if word != "full_d30" && (!is_known || mode.is_none() && method != "unsub") {
            return self.no(&method, "no such method or mode").await;
        }
        let places = self.places(&instrument_keys);
        let fresh = match (method.as_str(), mode) {
            ("sub", Some(mode)) => self.add(&places, mode),
            ("change_mode", Some(mode)) => {
                let mut places = places.clone();
                places.retain(|place| self.wanted.contains_key(place));
                self.add(&places, mode)
            }
            ("unsub", _) => {
                self.wanted.retain(|place, _| !places.contains(place));
                Vec::new()
            }
            _ => Vec::new(),
        };
        let (asked, known) = (instrument_keys.len(), places.len());
        self.log(&format!("{method} {word}, {asked} keys, {} unknown", asked - known));
        self.change(&fresh).await
    }

    async fn no(&mut self, method: &str, error: &str) -> Go {
        self.log(&format!("refused: {error}"));
        let text = json!({"status": "failed", "method": method, "error": error}).to_string();
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The instruments of those keys that there are.
    fn places(&self, keys: &[String]) -> Vec<usize> {
        match &self.shared.play {
            Play::Market(market) => keys.iter().filter_map(|key| market.place_of(key)).collect(),
            // What was recorded is told whatever somebody asks for.
            Play::Recorded(_) => (0..keys.len()).collect(),
        }
    }

    /// Adds as many as there is room for; the others are ignored without a word. Returns those
    /// that are new in this mode.
    fn add(&mut self, places: &[usize], mode: Mode) -> Vec<usize> {
        let (alone, mixed) = mode.limits();
        let mut fresh = Vec::new();
        for place in places {
            let others = self.wanted.iter().filter(|(other, _)| *other != place);
            let same = others.clone().filter(|(_, other)| **other == mode).count();
            let limit = if same == others.count() { alone } else { mixed };
            if same < limit && self.wanted.insert(*place, mode) != Some(mode) {
                fresh.push(*place);
            }
        }
        fresh
    }

    /// From now on what is wanted now is told.
    async fn change(&mut self, fresh: &[usize]) -> Go {
        let at = match self.shared.speed {
            // Everything before that was sent. A trade of this very time may be told twice, which
            // is better than never.
            Speed::Max => self.last,
            Speed::Times(_) => self.shared.now(),
        };
        let (tape, ahead) = self.tape.frames();
        match tape {
            Tape::Market(frames) => {
                let at = ahead.map_or(at, |ahead| at.min(ahead.first));
                frames.change(&self.wanted, fresh, at);
            }
            Tape::Recorded { next, .. } => *next -= usize::from(ahead.is_some()),
        }
        // What was said together with this is heard before the market goes on.
        if self.shared.drives(self.number) { self.await_pong().await } else { Ok(()) }
    }

    /// The line is cut: with a close code, or without a word.
    async fn cut_off(&mut self, code: Option<u16>, resume: Timestamp) -> Go {
        let how = code.map_or("without a word".to_owned(), |code| format!("with {code}"));
        self.log(&format!("cut {how}, back from {resume} on"));
        self.shared.cut(self.number, resume);
        match code {
            Some(code) => self.goodbye(code, "a fault").await,
            None => Err(Over),
        }
    }

    async fn goodbye(&mut self, code: u16, reason: &str) -> Go {
        let frame = CloseFrame { code, reason: reason.into() };
        self.log(&format!("closed with {code}: {reason}"));
        let answer = async {
            self.socket.send(Message::Close(Some(frame))).await?;
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<(), axum::Error>(())
        };
        // Whoever does not answer is left.
        drop(tokio::time::timeout(GOODBYE, answer).await);
        Err(Over)
    }
}

/// Waits until the value is such.
async fn told<T>(value: &mut watch::Receiver<T>, is_such: impl Fn(&T) -> bool) {
    // The sender outlives every connection; without it, it is time to go as well.
    drop(value.wait_for(is_such).await);
}

/// Sleeps, but not where there is nothing to wait for: a timer takes a millisecond at least.
async fn sleep(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}
