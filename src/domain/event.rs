//! What can happen. `Input` is what the world said and is the truth; `Output` is what the core made
//! of it and is testimony, to be compared whenever the inputs are replayed.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::config::RunConfig;
use super::fact::{
    Backfill, Bar, Bar15m, Fill, Gap, Halt, Indicators, Notice, Order, Position, Rejection,
    SessionEnded, Signal, Tick,
};
use super::instrument::{Instrument, InstrumentId};
use super::session::Session;
use super::tags::tagged;
use super::time::Timestamp;

/// Number of the rules that the core follows. It goes up when the same inputs give other outputs.
pub const CORE_VERSION: u32 = 2;

/// What the world said. Every input has a number; RunStarted has number 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Who trades what under which rules: always the first record.
    RunStarted(Box<RunStarted>),
    /// A minute bar from a feed or a file.
    Bar(Bar),
    /// The last trade, as a feed tells it.
    Tick(Tick),
    /// No more events before this instant.
    Watermark(Timestamp),
    /// Somebody wants something.
    Command(Command),
    /// A minute from an archive: it completes history and moves nothing else.
    Backfill(Backfill),
    /// Trades may be missing.
    Gap(Gap),
    /// Something happened at the feed that decides nothing.
    Notice(Box<Notice>),
    /// No more inputs: always the last record of a run that ended.
    RunEnded(RunEnded),
}

/// What the core derived from the inputs so far.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A minute bar made of ticks.
    Bar1m(Bar),
    /// A strategy bar.
    Bar15m(Bar15m),
    /// A strategy bar that was known before, as it is now that an archive completed it.
    BarRevised(Bar15m),
    /// Indicator values after a strategy bar.
    Indicators(Indicators),
    /// The strategy wants a position.
    Signal(Box<Signal>),
    /// Something is to be bought or sold.
    Order(Order),
    /// The core said no.
    Rejection(Rejection),
    /// An order was executed.
    Fill(Fill),
    /// What is held after a fill.
    Position(Position),
    /// Trading stopped.
    Halt(Halt),
    /// A trading day is over.
    SessionEnded(SessionEnded),
}

/// The first record: a run names itself, and its replay needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The rules of the core, see [`CORE_VERSION`].
    pub core_version: u32,
    /// The program that wrote the record, such as `lockstep 0.1.0`.
    pub build: String,
    /// Everything that may change a decision.
    pub config: RunConfig,
    /// What is traded, sorted by key; an [`super::instrument::InstrumentId`] is a place in here.
    pub instruments: Vec<Instrument>,
    /// The version of the calendar that the sessions come from.
    pub calendar_version: String,
    /// The sessions of the run, warm-up included, ascending.
    pub sessions: Vec<Session>,
    /// The data that was read, in order of name.
    pub data: Vec<DataHash>,
}

/// A file that the inputs came from, or `commands` for what a case says about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataHash {
    /// The file's path below the data directory, with `/`.
    pub name: String,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
}

tagged! {
    /// What somebody wants of a run.
    CommandKind {
        /// No new entries until `Resume`.
        Pause = 1 "pause",
        /// New entries again.
        Resume = 2 "resume",
        /// Close every position.
        Flatten = 3 "flatten",
        /// Close every position and enter no more until `Release`.
        Kill = 4 "kill",
        /// New entries again after a kill.
        Release = 5 "release",
    }
}

/// Somebody wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// When it was said.
    pub time: Timestamp,
    /// What.
    pub kind: CommandKind,
}

tagged! {
    /// Why a run ended.
    EndReason {
        /// The source has nothing more.
        Completed = 1 "completed",
        /// Somebody stopped it.
        Stopped = 2 "stopped",
    }
}

/// The last record of a run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnded {
    /// The last watermark.
    pub time: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// The address of an event: the input's number, and 0 for the input itself or 1.. for the outputs
/// that it caused, in order. Addresses of inputs do not move when the strategy changes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EventId {
    /// The input's number, from 0, without gaps.
    pub seq: u64,
    /// 0 for the input, 1.. for its outputs.
    pub index: u32,
}

impl EventId {
    /// No event.
    pub const NONE: EventId = EventId { seq: u64::MAX, index: 0 };

    /// The input of that number.
    pub const fn input(seq: u64) -> EventId {
        EventId { seq, index: 0 }
    }
}

/// `5117` for an input, `5117.3` for an output, `-` for none.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventId::NONE => f.write_str("-"),
            EventId { seq, index: 0 } => write!(f, "{seq}"),
            EventId { seq, index } => write!(f, "{seq}.{index}"),
        }
    }
}

impl EventId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<EventId> {
        if text == "-" {
            return Some(EventId::NONE);
        }
        let (seq, index) = text.split_once('.').unwrap_or((text, "0"));
        Some(EventId { seq: seq.parse().ok()?, index: index.parse().ok()? })
    }
}

/// An output with the index of the event of the same step that caused it (0: the input itself).
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// Index of the causing event within the step.
    pub cause: u32,
    /// What was derived.
    pub output: Output,
}

/// Either kind of event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// What the world said.
    Input(Input),
    /// What the core derived.
    Output(Output),
}

impl Event {
    /// The instrument that the event is about; none for what is about the run or the account.
    pub const fn instrument(&self) -> Option<InstrumentId> {
        match self {
            Event::Input(input) => match input {
                Input::Bar(bar) => Some(bar.instrument),
                Input::Tick(tick) => Some(tick.instrument),
                Input::Backfill(Backfill { bar, .. }) => Some(bar.instrument),
                Input::Gap(gap) => Some(gap.instrument),
                Input::Notice(notice) => notice.instrument,
                Input::RunStarted(_)
                | Input::Watermark(_)
                | Input::Command(_)
                | Input::RunEnded(_) => None,
            },
            Event::Output(output) => match output {
                Output::Bar1m(bar) => Some(bar.instrument),
                Output::Bar15m(bar) | Output::BarRevised(bar) => Some(bar.instrument),
                Output::Indicators(row) => Some(row.instrument),
                Output::Signal(signal) => Some(signal.instrument),
                Output::Order(order) => Some(order.instrument),
                Output::Rejection(rejection) => Some(rejection.instrument),
                Output::Fill(fill) => Some(fill.instrument),
                Output::Position(position) => Some(position.instrument),
                Output::Halt(_) | Output::SessionEnded(_) => None,
            },
        }
    }

    /// When the event happened, as it says itself; a bar's time is its label. None for the run's
    /// description, and for positions and sessions, which go by the input that made them.
    pub const fn time(&self) -> Option<Timestamp> {
        match self {
            Event::Input(input) => match input {
                Input::Bar(bar) => Some(bar.open_time),
                Input::Tick(tick) => Some(tick.time),
                Input::Watermark(time) => Some(*time),
                Input::Command(command) => Some(command.time),
                Input::Backfill(Backfill { bar, .. }) => Some(bar.open_time),
                Input::Gap(gap) => Some(gap.from),
                Input::Notice(notice) => Some(notice.time),
                Input::RunEnded(end) => Some(end.time),
                Input::RunStarted(_) => None,
            },
            Event::Output(output) => match output {
                Output::Bar1m(bar) => Some(bar.open_time),
                Output::Bar15m(bar) | Output::BarRevised(bar) => Some(bar.open_time),
                Output::Indicators(row) => Some(row.open_time),
                Output::Signal(signal) => Some(signal.time),
                Output::Order(order) => Some(order.time),
                Output::Rejection(rejection) => Some(rejection.time),
                Output::Fill(fill) => Some(fill.time),
                Output::Halt(halt) => Some(halt.time),
                Output::Position(_) | Output::SessionEnded(_) => None,
            },
        }
    }
}

/// An event in its envelope, as it stands in a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The address.
    pub id: EventId,
    /// For an output, the index of the event of the same step that caused it. 0 for inputs.
    pub cause: u32,
    /// For an input, when it was received: nanoseconds since 1970 UTC, 0 where it was not observed
    /// (history). The core never sees it. 0 for outputs.
    pub received_ns: i64,
    /// The event.
    pub event: Event,
}
