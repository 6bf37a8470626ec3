//! What a live run looks like to whoever sits at the terminal: one line that moves with market
//! time, and, where the market takes its time, a line for each signal, fill and halt. Where stderr
//! is no terminal it is silent; the journal has it all.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::event::{Derived, EventId, Input, Output, RunStarted};
use crate::domain::fact::RejectReason;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::Qty;
use crate::domain::time::{Date, Timestamp};
use crate::sinks::Sink;
use crate::sinks::summary::Summary;

use super::super::terminal::{self, grouped, rupees};

/// Looks on for the terminal.
pub struct Status {
    bar: ProgressBar,
    run: Option<Box<RunStarted>>,
    summary: Summary,
    held: BTreeSet<u16>,
    date: Date,
    /// Sessions that began, those that warm up not counted once they are over.
    sessions: usize,
    is_warm: bool,
    /// Whether each signal and fill is said.
    is_told: bool,
    /// Events before this input were told by an earlier process.
    told: u64,
}

impl Status {
    /// Nothing is shown yet. `is_paced`: the market takes its time, so that there is time to read.
    pub fn new(is_paced: bool) -> Status {
        Status {
            bar: ProgressBar::hidden(),
            run: None,
            summary: Summary::default(),
            held: BTreeSet::new(),
            date: Date::default(),
            sessions: 0,
            is_warm: false,
            is_told: is_paced && io::stderr().is_terminal(),
            told: 0,
        }
    }

    /// Clears the line.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn begin(&mut self, run: &RunStarted) {
        let since = run.config.active_from;
        let before = run.sessions.iter().filter(|session| session.date < since.date()).count();
        self.bar = terminal::progress("Warm-up", before as u64, "sessions");
        self.summary = Summary::since(since);
        self.run = Some(Box::new(run.clone()));
    }

    fn pass(&mut self, time: Timestamp) {
        let Some(run) = &self.run else { return };
        if !self.is_warm && time > run.config.active_from {
            self.is_warm = true;
            self.sessions = 0;
            let style = ProgressStyle::with_template("{wide_msg}");
            self.bar.set_style(style.expect("the template is well formed"));
        }
        if time.date() != self.date {
            self.date = time.date();
            self.sessions += 1;
            self.bar.inc(1);
        }
        if self.is_warm {
            self.bar.set_message(self.line(time));
        }
    }

    fn line(&self, time: Timestamp) -> String {
        let since = self.run.as_ref().map(|run| run.config.active_from.date());
        let all = self.run.iter().flat_map(|run| &run.sessions);
        let all = all.filter(|session| Some(session.date) >= since).count();
        let day = match all {
            0 | 1 => String::new(),
            all => format!(" · day {}/{all}", self.sessions),
        };
        let Summary { trades, .. } = &self.summary;
        let (signals, open) = (grouped(self.summary.signals_total()), self.held.len());
        let (trades, net) = (grouped(trades.len() as u64), rupees(self.summary.net()));
        let (date, clock) = (time.date(), clock(time));
        let counts = format!("signals {signals} · trades {trades} · open {open}");
        format!("   {date} {clock}{day} · {counts} · {net}")
    }

    fn symbol(&self, instrument: InstrumentId, time: Timestamp) -> &str {
        let instruments = self.run.as_ref().map_or(&[][..], |run| &run.instruments);
        let found = instruments.get(usize::from(instrument.0));
        found.map_or("?", |instrument| instrument.symbol_at(time.date()))
    }

    /// What an output is to a person, if it is anything.
    fn words(&self, output: &Output) -> Option<(Timestamp, String)> {
        let symbol = |instrument, time| self.symbol(instrument, time);
        match output {
            Output::Signal(it) => {
                let (symbol, stop) = (symbol(it.instrument, it.time), it.stop);
                let (side, kind, price, target) = (it.side, it.kind, it.price, it.target);
                let levels = format!("stop {stop} · target {target}");
                Some((it.time, format!("signal {side} {symbol} {kind} at {price} · {levels}")))
            }
            Output::Fill(it) => {
                let (symbol, fee) = (symbol(it.instrument, it.time), rupees(it.fee));
                let (side, quantity, price, reason) = (it.side, it.quantity, it.price, it.reason);
                let what = format!("{side} {quantity} {symbol} at {price}");
                Some((it.time, format!("fill   {what} · {reason} · fee {fee}")))
            }
            Output::Rejection(it) if !it.reason.is_of_input() => {
                let symbol = symbol(it.instrument, it.time);
                Some((it.time, format!("no     {symbol} {}", declined(it.reason))))
            }
            Output::Halt(it) => {
                let profit = rupees(it.day_profit);
                Some((it.time, format!("HALT   {} · the day's profit is {profit}", it.reason)))
            }
            _ => None,
        }
    }
}

/// Why a signal was not taken, and which flag would have it otherwise.
fn declined(reason: RejectReason) -> String {
    let why = match reason {
        RejectReason::IncompleteBar => "minutes of the bar are missing",
        RejectReason::PositionOpen => "one position for each symbol",
        RejectReason::Cooldown => "the last exit is too fresh",
        RejectReason::EntryCutoff => "the session is almost over",
        RejectReason::TradesMax => "the day has had its entries",
        RejectReason::DailyLoss => "the day's loss has reached --max-daily-loss",
        RejectReason::Capital => "more than --max-capital carries",
        RejectReason::Exposure => "one symbol would be worth more than --max-exposure",
        RejectReason::NoQuantity => "--max-capital and the risk per trade buy no share",
        RejectReason::Paused => "paused; `lockstep control resume` goes on",
        RejectReason::Killed => "killed; `lockstep control release` allows entries again",
        RejectReason::Observing => "--observe places nothing",
        other => return other.to_string(),
    };
    format!("{reason}: {why}")
}

fn clock(time: Timestamp) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

impl Sink for Status {
    fn input(&mut self, seq: u64, input: &Input) {
        self.summary.input(seq, input);
        match input {
            Input::RunStarted(run) => self.begin(run),
            Input::Watermark(time) => self.pass(*time),
            Input::RunEnded(_) => self.finish(),
            _ => {}
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        self.summary.output(id, derived);
        if let Output::Position(position) = &derived.output {
            let instrument = position.instrument.0;
            match position.quantity == Qty::ZERO {
                true => self.held.remove(&instrument),
                false => self.held.insert(instrument),
            };
        }
        if self.is_told
            && self.is_warm
            && id.seq >= self.told
            && let Some((time, words)) = self.words(&derived.output)
        {
            terminal::say(format!("   {} {words}", clock(time)));
        }
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }

    fn note(&mut self, text: &str) {
        terminal::say(format!("note: {text}"));
    }
}
