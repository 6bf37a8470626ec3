//! How a live run goes: what the feed lost and repaired, how old its last bar is, how long trades
//! are on their way, how long it takes from a message to the word of a signal, how long the disk
//! takes. Told at the end, and meanwhile in the file `health.json` of the run's directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::domain::event::{Derived, EventId, Input, Output};
use crate::domain::fact::{NoticeKind, RejectReason};
use crate::domain::time::{SECOND_US, Timestamp, Window};
use crate::driver::listen::Pulse;
use crate::sinks::Sink;
use crate::sources::feed::Health;

use super::super::clock;
use super::super::facts::counts;
use super::super::terminal::{self, grouped};
use super::acks::Acks;
use super::spread::Spread;

/// How often it is written, in nanoseconds.
const WRITE_NS: i64 = 1_000_000_000;
/// A trade of longer ago was not on its way, but is of another day: a stand-in plays old ones.
const LAG_US_MAX: i64 = 3_600 * SECOND_US;

/// Looks on for what is measured.
pub struct Watch {
    pulse: Rc<Pulse>,
    acks: Acks,
    path: PathBuf,
    /// When the file was written last: ns since 1970 UTC.
    written_ns: i64,
    complaint: Option<String>,
    /// From receiving the message that closed the bar to telling of the signal, the journal's disk
    /// included.
    signal: Spread,
    /// From a trade at the exchange to hearing of it here, by two clocks.
    lag: Spread,
    /// When the newest strategy bar of each instrument was over.
    bars: BTreeMap<u16, Timestamp>,
    /// When there is trading.
    hours: Vec<Window>,
    bars_incomplete: u64,
    notices: BTreeMap<&'static str, u64>,
    /// What the core said no to, by reason: inputs, and signals and orders.
    refused: BTreeMap<RejectReason, u64>,
    declined: BTreeMap<RejectReason, u64>,
    /// Inputs before this one were heard by an earlier process.
    told: u64,
}

impl Watch {
    /// Looks on for `pulse`, and for the disk's `acks`; writes to `path`.
    pub fn new(pulse: Rc<Pulse>, acks: Acks, path: PathBuf) -> Watch {
        Watch {
            pulse,
            acks,
            path,
            written_ns: 0,
            complaint: None,
            signal: Spread::default(),
            lag: Spread::default(),
            bars: BTreeMap::new(),
            hours: Vec::new(),
            bars_incomplete: 0,
            notices: BTreeMap::new(),
            refused: BTreeMap::new(),
            declined: BTreeMap::new(),
            told: 0,
        }
    }

    /// One line per fact; the file is written for the last time.
    pub fn finish(&mut self) -> Vec<(&'static str, String)> {
        self.write();
        let mut facts = Vec::new();
        let health = self.pulse.health.get();
        if health.frames > 0 {
            let words: Vec<String> = tally(&health)
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(word, count)| format!("{word} {}", grouped(count)))
                .collect();
            facts.push(("Feed", words.join(" · ")));
        }
        if !self.refused.is_empty() {
            facts.push(("Refused", counts(&self.refused)));
        }
        if !self.notices.is_empty() {
            facts.push(("Notices", counts(&self.notices)));
        }
        if let Some((end, age)) = self.last_bar() {
            let incomplete = match self.bars_incomplete {
                0 => String::new(),
                count => format!(" · {} bars were incomplete", grouped(count)),
            };
            let fact = format!("over at {end}, {age} s of trading before the end{incomplete}");
            facts.push(("Last bar", fact));
        }
        let spreads = [
            ("Lag", &self.lag, "from trade to here"),
            ("Latency", &self.signal, "from message to signal"),
            ("Acks", &self.acks.spread(), "to keep a batch"),
        ];
        for (label, spread, what) in spreads {
            facts.extend(spread.words().map(|words| (label, format!("{words} · {what}"))));
        }
        facts
    }

    /// When the strategy bar that is the oldest of the newest ones was over, and for how many
    /// seconds there has been trading since, by the exchange's clock.
    fn last_bar(&self) -> Option<(Timestamp, i64)> {
        let end = *self.bars.values().min()?;
        let now = self.pulse.time.get();
        let since = |window: &Window| window.close.min(now).0 - window.open.max(end).0;
        let age_us: i64 = self.hours.iter().map(|window| since(window).max(0)).sum();
        Some((end, age_us / SECOND_US))
    }

    fn document(&self, now_ns: i64) -> Value {
        let bar = self.last_bar();
        let time = Some(self.pulse.time.get()).filter(|time| *time > Timestamp::default());
        let words = |counts: &BTreeMap<RejectReason, u64>| -> Value {
            counts.iter().map(|(reason, count)| (reason.to_string(), json!(count))).collect()
        };
        json!({
            "written_ms": now_ns / 1_000_000,
            "market_time": time.map(|time| time.to_string()),
            "last_bar_end": bar.map(|(end, _)| end.to_string()),
            "last_bar_age_s": bar.map(|(_, age)| age),
            "bars_incomplete": self.bars_incomplete,
            "feed": tally(&self.pulse.health.get())
                .into_iter()
                .map(|(word, count)| (word.to_owned(), json!(count)))
                .collect::<Value>(),
            "feed_lag": self.lag.json(),
            "tick_to_signal": self.signal.json(),
            "journal_ack": self.acks.spread().json(),
            "refused": words(&self.refused),
            "declined": words(&self.declined),
            "notices": self.notices,
        })
    }

    /// Puts the file in the place of the one before. A run is not stopped by a file that cannot be
    /// written; that is said once.
    fn write(&mut self) {
        let now_ns = clock::stamp().wall_ns;
        self.written_ns = now_ns;
        let text = format!("{:#}\n", self.document(now_ns));
        let temporary = self.path.with_extension("json.tmp");
        let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &self.path));
        let complaint = written.err().map(|error| format!("{}: {error}", self.path.display()));
        if let Some(words) = complaint.as_ref().filter(|_| self.complaint != complaint) {
            terminal::say(format!("warning: the run's health is not written: {words}"));
        }
        self.complaint = complaint;
    }
}

/// What the feed counts, in words.
fn tally(health: &Health) -> [(&'static str, u64); 10] {
    [
        ("messages", health.frames),
        ("ticks", health.ticks),
        ("repeated", health.repeated),
        ("stale", health.stale),
        ("late", health.late),
        ("refused", health.refused),
        ("odd times", health.odd_times),
        ("gaps", health.gaps),
        ("backfilled", health.backfilled),
        ("connections", health.connections),
    ]
}

impl Sink for Watch {
    fn input(&mut self, seq: u64, input: &Input) {
        match input {
            Input::RunStarted(run) => {
                let windows = run.sessions.iter().flat_map(|session| &session.windows);
                self.hours = windows.copied().collect();
            }
            Input::Notice(notice)
                if !matches!(notice.kind, NoticeKind::Phase | NoticeKind::Repaired) =>
            {
                *self.notices.entry(notice.kind.word()).or_default() += 1;
            }
            Input::Tick(tick) if seq >= self.told => {
                let lag_us = self.pulse.received_ns.get() / 1_000 - tick.time.0;
                if lag_us.abs() < LAG_US_MAX {
                    self.lag.add(lag_us);
                }
            }
            Input::Watermark(_) if clock::stamp().wall_ns - self.written_ns > WRITE_NS => {
                self.write();
            }
            _ => {}
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        match &derived.output {
            Output::Signal(_) => {
                let received_ns = self.pulse.received_ns.get();
                if received_ns > 0 && id.seq >= self.told {
                    self.signal.add((clock::stamp().wall_ns - received_ns) / 1_000);
                }
            }
            Output::Bar15m(bar) => {
                self.bars.insert(bar.instrument.0, bar.close_time);
                self.bars_incomplete += u64::from(!bar.is_complete());
            }
            Output::Rejection(rejection) => {
                let counts = match rejection.reason.is_of_input() {
                    true => &mut self.refused,
                    false => &mut self.declined,
                };
                *counts.entry(rejection.reason).or_default() += 1;
            }
            _ => {}
        }
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }
}
