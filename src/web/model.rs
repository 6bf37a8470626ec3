//! What is kept of the journal in memory: the scanner's state, the facts for the pages, and since
//! when each row looks as it does.

use serde::Serialize;

use crate::domain::event::{Event, EventId, Input, Record};
use crate::domain::tape::{Names, write_record};
use crate::domain::time::Timestamp;
use crate::driver::explain::Recorded;
use crate::sinks::scanner::Scanner;
use crate::sinks::scanner::view::{RowView, View};

use super::facts::Facts;

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
}

/// What became different between two positions.
#[derive(Clone, Debug)]
pub struct Change {
    /// The position before.
    pub from: u64,
    /// The position now.
    pub to: u64,
    /// The message for those who were at `from`.
    pub text: bytes::Bytes,
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
        if view.position == from && view == self.view {
            return None;
        }
        self.changed.resize(view.rows.len(), 0);
        for (place, row) in view.rows.iter().enumerate() {
            if self.view.rows.get(place) != Some(row) {
                self.changed[place] = view.position;
            }
        }
        self.view = view;
        let text = self.message(from, &self.facts.notable[self.told..]);
        self.told = self.facts.notable.len();
        Some(Change { from, to: self.view.position, text: text.into() })
    }

    /// What whoever saw everything up to `from` has to be told, as messages of the stream; one at
    /// least. An event comes once and in its place.
    pub fn since(&self, from: Option<u64>) -> Vec<String> {
        const EVENTS_IN_MESSAGE: usize = 500;
        let told = &self.facts.notable[..self.told];
        let first = match from {
            Some(from) => told.partition_point(|record| record.id.seq <= from),
            // Whoever is new gets the state and the latest events.
            None => told.len().saturating_sub(20),
        };
        let rows_from = from.filter(|from| *from <= self.view.position);
        let (last, chunks) = chunked(&told[first..], EVENTS_IN_MESSAGE);
        let mut messages: Vec<String> =
            chunks.into_iter().map(|chunk| self.events(chunk)).collect();
        messages.push(match rows_from {
            Some(from) => self.message(from, last),
            None => self.whole(last),
        });
        messages
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
        }
    }

    /// The rows that look otherwise than at `from`, and these events.
    fn message(&self, from: u64, events: &[Record]) -> String {
        let rows = self.view.rows.iter().zip(&self.changed);
        let rows = rows.filter(|(_, changed)| **changed > from).map(|(row, _)| row).collect();
        self.written(self.view.position, rows, events)
    }

    fn whole(&self, events: &[Record]) -> String {
        self.written(self.view.position, self.view.rows.iter().collect(), events)
    }

    /// Events in front of others: the position is that of the last of them.
    fn events(&self, events: &[Record]) -> String {
        let position = events.last().map_or(0, |record| record.id.seq);
        self.written(position, Vec::new(), events)
    }

    fn written(&self, position: u64, rows: Vec<&RowView>, events: &[Record]) -> String {
        let events = events.iter().map(|record| self.told(record)).collect();
        let message = Message { head: self.head(), rows, events };
        let json = serde_json::to_string(&message).expect("a message is plain data");
        format!("event: state\nid: {position}\ndata: {json}\n\n")
    }

    /// The event as a line.
    pub fn told(&self, record: &Record) -> Told {
        told(record, &self.names, &self.facts)
    }

    /// The notable event of that address.
    pub fn notable(&self, id: EventId) -> Option<&Record> {
        let place = self.facts.notable.binary_search_by_key(&id, |record| record.id).ok()?;
        self.facts.notable.get(place)
    }
}

/// The events but for the last part, in parts of whole inputs of about `size`, and the last part.
fn chunked(events: &[Record], size: usize) -> (&[Record], Vec<&[Record]>) {
    let (mut rest, mut chunks) = (events, Vec::new());
    while rest.len() > size {
        let seq = rest[size - 1].id.seq;
        // An input's events stay together, because positions are those of inputs.
        let end = rest.partition_point(|record| record.id.seq <= seq);
        if end == rest.len() {
            break;
        }
        chunks.push(&rest[..end]);
        rest = &rest[end..];
    }
    (rest, chunks)
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
