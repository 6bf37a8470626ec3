//! What is kept of the journal in memory: the scanner's state, the facts for the pages, and since
//! when each row looks as it does.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::event::{Event, Input, Record};
use crate::domain::tape::{Names, write_record};
use crate::domain::time::Timestamp;
use crate::driver::explain::Recorded;
use crate::sinks::scanner::Scanner;
use crate::sinks::scanner::view::{RowView, View};

use super::facts::Facts;
use super::parity::Word;

/// Events in a message of the stream, but for those of one input.
const EVENTS_IN_MESSAGE: usize = 500;
/// Events that whoever is new is told.
const LATEST: usize = 20;

/// How the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// There is none yet.
    #[default]
    Absent,
    /// It is read for the first time.
    Loading,
    /// It was read up to its end so far, and more may come.
    Following,
    /// It was read to its seal.
    Sealed,
    /// It cannot be read on.
    Broken(String),
}

impl Health {
    /// A word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Health::Absent => "absent",
            Health::Loading => "loading",
            Health::Following => "following",
            Health::Sealed => "sealed",
            Health::Broken(_) => "broken",
        }
    }
}

/// What is kept of a journal.
#[derive(Default)]
pub struct Model {
    /// How the journal is.
    pub health: Health,
    /// The run's name.
    pub run_id: String,
    /// The scanner's fold.
    pub scanner: Scanner,
    /// Bars, signals, trades and days.
    pub facts: Facts,
    /// What explanations need; none before the first record.
    pub recorded: Option<Recorded>,
    /// Names for the tape.
    pub names: Names,
    /// The state as it was shown last.
    pub view: View,
    /// When the last record was read, by the machine's clock.
    pub last_read: Timestamp,
    /// Records that were read.
    pub records: u64,
    /// Up to which input each row looked otherwise.
    changed: Vec<u64>,
    /// How many notable events were told.
    told: usize,
    /// What is known of the core over the same inputs, and up to which of them.
    pub parity: (Word, u64),
    /// What was told of that, and of how the journal is.
    words_told: (Word, &'static str),
}

/// What became different between two positions.
#[derive(Clone, Debug)]
pub struct Change {
    /// The position before.
    pub from: u64,
    /// The position now.
    pub to: u64,
    /// The message for those who were at `from`.
    pub text: Bytes,
}

/// A message of the stream.
#[derive(Serialize)]
pub struct Message<'a> {
    /// The state without its rows.
    #[serde(flatten)]
    pub head: Head<'a>,
    /// The rows that look otherwise.
    pub rows: Vec<&'a RowView>,
    /// The notable events since.
    pub events: Vec<Told>,
}

/// A state without its rows.
#[derive(Serialize)]
pub struct Head<'a> {
    /// Number of the last input.
    pub position: u64,
    /// The market's clock, India.
    pub clock: &'a Option<String>,
    /// The same in UTC.
    pub clock_utc: &'a Option<String>,
    /// When the next strategy bar is over.
    pub next_bar: &'a Option<String>,
    /// Seconds until then.
    pub next_bar_seconds: Option<i64>,
    /// Whether anything trades.
    pub is_open: bool,
    /// Whether new positions are entered.
    pub status: &'static str,
    /// What is known of the feed.
    pub feed: &'a crate::sinks::scanner::view::FeedView,
    /// How the journal is.
    pub journal: &'static str,
    /// Whether the core derives what was recorded: `same`, `differs`, `broken` or `computing`.
    pub parity: &'static str,
}

/// An event as one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its address.
    pub id: String,
    /// Its kind, as on the tape.
    pub kind: String,
    /// The instrument's key.
    pub key: Option<String>,
    /// When it happened, India.
    pub time: Option<String>,
    /// The event as a line of tape, without its address.
    pub text: String,
}

impl Model {
    /// Nothing of that run yet.
    pub fn new(run_id: String, now: Timestamp) -> Model {
        Model { health: Health::Loading, run_id, last_read: now, ..Model::default() }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        if let Event::Input(Input::RunStarted(run)) = &record.event {
            self.names = Names::of(run);
            self.recorded = Some(Recorded::new(run));
        } else if let Some(recorded) = &mut self.recorded {
            recorded.take(record);
        }
        self.scanner.take(record);
        self.facts.take(record);
        self.records += 1;
    }

    /// The number of the last input; 0 before the first.
    pub fn position(&self) -> u64 {
        self.scanner.position().unwrap_or(0)
    }

    /// Shows what was read since it was shown last. None where nothing was.
    pub fn show(&mut self) -> Option<Change> {
        let (from, view) = (self.view.position, self.scanner.view());
        let words = |model: &Model| (model.parity_word(), model.health.word());
        if view.position == from && view == self.view && self.words_told == words(self) {
            return None;
        }
        self.changed.resize(view.rows.len(), 0);
        for (place, row) in view.rows.iter().enumerate() {
            if self.view.rows.get(place) != Some(row) {
                self.changed[place] = view.position;
            }
        }
        self.view = view;
        let to = self.view.position;
        let text = self.message(from, to, &self.facts.notable[self.told..]);
        self.told = self.facts.notable.len();
        self.words_told = words(self);
        Some(Change { from, to, text })
    }

    /// The next message for whoever saw everything up to `from`, and the position that it brings
    /// them to. However much they lack, one message holds a bounded part of it; an event comes once
    /// and in its place.
    pub fn next(&self, from: Option<u64>) -> (Bytes, u64) {
        let told = &self.facts.notable[..self.told];
        let shown = self.view.position;
        let Some(from) = from.filter(|from| *from <= shown) else {
            // Whoever is new gets the state and the latest events.
            let latest = &told[told.len().saturating_sub(LATEST)..];
            return (self.written(shown, self.view.rows.iter().collect(), latest), shown);
        };
        let lacking = &told[told.partition_point(|record| record.id.seq <= from)..];
        let (events, to) = match lacking.get(EVENTS_IN_MESSAGE) {
            None => (lacking, shown),
            Some(beyond) => {
                // An input's events stay together, because positions are those of inputs.
                let to = beyond.id.seq;
                (&lacking[..lacking.partition_point(|record| record.id.seq <= to)], to)
            }
        };
        (self.message(from, to, events), to)
    }

    fn head(&self) -> Head<'_> {
        let view = &self.view;
        Head {
            position: view.position,
            clock: &view.clock,
            clock_utc: &view.clock_utc,
            next_bar: &view.next_bar,
            next_bar_seconds: view.next_bar_seconds,
            is_open: view.is_open,
            status: view.status,
            feed: &view.feed,
            journal: self.health.word(),
            parity: self.parity_word().word(),
        }
    }

    /// The rows that came to look otherwise after `from` and up to `to`, and these events.
    fn message(&self, from: u64, to: u64, events: &[Record]) -> Bytes {
        let rows = self.view.rows.iter().zip(&self.changed);
        let rows = rows.filter(|(_, changed)| from < **changed && **changed <= to);
        self.written(to, rows.map(|(row, _)| row).collect(), events)
    }

    fn written(&self, position: u64, rows: Vec<&RowView>, events: &[Record]) -> Bytes {
        let events = events.iter().map(|record| self.told(record)).collect();
        let message = Message { head: self.head(), rows, events };
        let json = serde_json::to_string(&message).expect("a message is plain data");
        format!("event: state\nid: {position}\ndata: {json}\n\n").into()
    }

    /// The event as a line.
    pub fn told(&self, record: &Record) -> Told {
        told(record, &self.names, &self.facts)
    }
}

/// The event as a line.
pub fn told(record: &Record, names: &Names, facts: &Facts) -> Told {
    let line = match &record.event {
        Event::Input(Input::RunStarted(_)) => format!("{} run-started", record.id),
        _ => write_record(record, names),
    };
    let text = line.split_once(char::is_whitespace).map_or("", |(_, text)| text.trim());
    let kind = text.split_whitespace().next().unwrap_or_default();
    Told {
        id: record.id.to_string(),
        kind: kind.to_owned(),
        key: record.event.instrument().and_then(|it| facts.key(it)).map(str::to_owned),
        time: record.event.time().map(crate::sinks::scanner::view::india),
        text: text.to_owned(),
    }
}
