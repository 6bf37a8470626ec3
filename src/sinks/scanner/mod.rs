//! What people watch: for each instrument and strategy what it sees and did, as a pure fold over a
//! run's records. It can be kept as JSON and taken up later; the state is the same as from genesis.
//!
//! - [`row`] one instrument under one strategy
//! - [`hours`] trading time, as the run's sessions have it
//! - [`view`] the state as it is shown

pub mod hours;
pub mod row;
pub mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::event::{CommandKind, Event, EventId, Input, Output, Record, RunStarted};
use crate::domain::fact::{Notice, NoticeKind, RejectReason, Rejection};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;

use hours::Hours;
use row::{Rest, Row};

/// A difference between a trade and its receipt that is no lag any more.
const LAG_MAX_MS: i64 = 24 * 3_600 * 1_000;

/// Events that are kept to be shown.
const LAST_EVENTS: usize = 12;

/// Whether new positions are entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// History is told to warm the indicators up; no signal is asked for yet.
    Warmup,
    /// Signals are taken.
    Running,
    /// Somebody paused the run.
    Paused,
    /// Somebody killed the run. It stays so until it is released.
    Killed,
    /// The day's loss limit was reached.
    Halted,
    /// The run is over.
    Ended,
}

impl Status {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Warmup => "WARMUP",
            Status::Running => "RUNNING",
            Status::Paused => "PAUSED",
            Status::Killed => "KILLED",
            Status::Halted => "HALTED",
            Status::Ended => "ENDED",
        }
    }
}

/// The fold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scanner {
    /// The last input that was seen with what came of it; none before the first.
    position: Option<u64>,
    /// The run's strategy and hours; none before its first record.
    run: Option<About>,
    rows: Vec<Row>,
    /// The last watermark.
    clock: Option<Timestamp>,
    /// Whether the first active day has begun.
    is_warm: bool,
    is_paused: bool,
    is_killed: bool,
    is_halted: bool,
    is_ended: bool,
    /// How often the core said no, by its word for why.
    rejections: BTreeMap<String, u64>,
    /// Trading stopped so many times.
    halts: u64,
    feed: Feed,
    /// The latest events that people care for, newest last.
    last: Vec<EventId>,
    /// What the last price was before the input at hand, should the core refuse it.
    undo: Option<(u16, Option<(Timestamp, Price)>)>,
}

/// What is known of the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Whether it is there; none where the journal says nothing of it.
    pub is_up: Option<bool>,
    /// How long the last trade was on its way, ms; none where its receipt was not observed.
    pub lag_ms: Option<i64>,
    /// When the last trade or bar of the market happened.
    pub last_market: Option<Timestamp>,
    /// The last word from the feed, with its time.
    pub last_notice: Option<(Timestamp, String)>,
}

/// The run, as far as its rows need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct About {
    strategy_id: String,
    bar_minutes: u32,
    rest: Rest,
    active_from: Timestamp,
    hours: Hours,
}

impl Feed {
    fn notice(&mut self, notice: &Notice) {
        match notice.kind {
            NoticeKind::FeedUp => self.is_up = Some(true),
            NoticeKind::FeedDown | NoticeKind::FeedSilent => self.is_up = Some(false),
            _ => {}
        }
        let word = format!("{} {}", notice.kind.word(), notice.detail);
        self.last_notice = Some((notice.time, word.trim_end().to_owned()));
    }
}

impl Scanner {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        self.position = Some(record.id.seq);
        match &record.event {
            Event::Input(input) => self.input(record, input),
            Event::Output(output) => self.output(record.id, output),
        }
        if is_notable(&record.event) {
            let surplus = (self.last.len() + 1).saturating_sub(LAST_EVENTS);
            self.last.drain(..surplus);
            self.last.push(record.id);
        }
    }

    /// The number of the last input that was seen.
    pub const fn position(&self) -> Option<u64> {
        self.position
    }

    /// The last watermark.
    pub const fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    /// Whether the run is over.
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether new positions are entered. What is strongest is said.
    pub const fn status(&self) -> Status {
        match () {
            () if self.is_killed => Status::Killed,
            () if self.is_ended => Status::Ended,
            () if self.is_halted => Status::Halted,
            () if self.is_paused => Status::Paused,
            () if self.is_warm => Status::Running,
            () => Status::Warmup,
        }
    }

    fn begin(&mut self, run: &RunStarted) {
        self.rows = run.instruments.iter().map(Row::new).collect();
        self.run = Some(About {
            strategy_id: run.config.strategy.id.clone(),
            bar_minutes: run.config.strategy.bar_minutes,
            rest: Rest::of(&run.config),
            active_from: run.config.active_from,
            hours: Hours::of(run),
        });
    }

    fn input(&mut self, record: &Record, input: &Input) {
        self.undo = None;
        match input {
            Input::RunStarted(run) => self.begin(run),
            Input::Bar(bar) => {
                self.pass(bar.close_time());
                self.price(record, bar.instrument.0, bar.close_time(), bar.close);
            }
            Input::Tick(tick) => self.price(record, tick.instrument.0, tick.time, tick.price),
            Input::Watermark(time) => self.pass(*time),
            Input::Command(command) => {
                self.warm(command.time);
                match command.kind {
                    CommandKind::Resume => self.is_paused = false,
                    CommandKind::Release => self.is_killed = false,
                    // What these stop, the core's halt says.
                    CommandKind::Pause | CommandKind::Flatten | CommandKind::Kill => {}
                }
            }
            // An archive's minute is history and no price.
            Input::Backfill(_) | Input::Gap(_) => {}
            Input::Notice(notice) => self.feed.notice(notice),
            Input::RunEnded(end) => {
                self.warm(end.time);
                self.is_ended = true;
            }
        }
    }

    fn warm(&mut self, time: Timestamp) {
        self.is_warm |= self.run.as_ref().is_some_and(|run| run.active_from < time);
    }

    /// It is that time now, as a watermark or a price tells.
    fn pass(&mut self, time: Timestamp) {
        self.warm(time);
        let day_before = self.clock.map(Timestamp::date);
        self.clock = Some(self.clock.map_or(time, |clock| clock.max(time)));
        if day_before.is_some_and(|day| day < time.date()) {
            self.rows.iter_mut().for_each(Row::new_day);
        }
    }

    fn price(&mut self, record: &Record, instrument: u16, time: Timestamp, price: Price) {
        let Some(row) = self.rows.get_mut(usize::from(instrument)) else { return };
        self.undo = Some((instrument, row.price));
        row.see_price(time, price);
        if self.feed.last_market.is_none_or(|last| last < time) {
            self.feed.last_market = Some(time);
        }
        let lag_ms = record.received_ns / 1_000_000 - time.0 / 1_000;
        // A stand-in exchange plays another day: there is no lag to speak of.
        let is_of_today = record.received_ns != 0 && lag_ms.abs() < LAG_MAX_MS;
        self.feed.lag_ms = is_of_today.then_some(lag_ms);
    }

    fn output(&mut self, id: EventId, output: &Output) {
        let rest = self.run.as_ref().map_or(Rest::NONE, |run| run.rest);
        match output {
            Output::Rejection(no) => self.reject(no),
            Output::Halt(halt) => {
                self.halts += 1;
                self.warm(halt.time);
                match halt.reason {
                    RejectReason::Killed => self.is_killed = true,
                    RejectReason::Paused => self.is_paused = true,
                    RejectReason::DailyLoss => self.is_halted = true,
                    _ => {}
                }
            }
            Output::SessionEnded(_) => {
                self.is_halted = false;
                self.rows.iter_mut().for_each(Row::end_day);
            }
            _ => {
                if let Output::Fill(fill) = output {
                    self.warm(fill.time);
                }
                let instrument = Event::Output(output.clone()).instrument();
                let row = instrument.and_then(|it| self.rows.get_mut(it.index()));
                if let Some(row) = row {
                    row.output(id, output, rest);
                }
            }
        }
    }

    fn reject(&mut self, no: &Rejection) {
        *self.rejections.entry(no.reason.word().to_owned()).or_default() += 1;
        if !no.reason.is_of_input() {
            if let Some(row) = self.rows.get_mut(no.instrument.index()) {
                row.reject(no.reason);
            }
            return;
        }
        // What was refused is no price.
        if let Some((instrument, price)) = self.undo.take()
            && let Some(row) = self.rows.get_mut(usize::from(instrument))
        {
            row.price = price;
        }
    }
}

/// Whether people want to be told of the event one by one. Bars, ticks and what was refused of them
/// are counted and shown where they lead.
pub const fn is_notable(event: &Event) -> bool {
    match event {
        Event::Input(input) => {
            matches!(
                input,
                Input::RunStarted(_)
                    | Input::Command(_)
                    | Input::Gap(_)
                    | Input::Notice(_)
                    | Input::RunEnded(_)
            )
        }
        Event::Output(output) => match output {
            Output::Rejection(no) => !no.reason.is_of_input(),
            output => matches!(
                output,
                Output::Signal(_)
                    | Output::Order(_)
                    | Output::Fill(_)
                    | Output::Halt(_)
                    | Output::SessionEnded(_)
            ),
        },
    }
}
