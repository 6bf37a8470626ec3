//! What a live run looks like to whoever sits at the terminal: one line that moves with market
//! time, and, where the market takes its time, a line for each signal, fill and halt. Where stderr
//! is no terminal it is silent; the journal has it all.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::mem::take;

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::event::{CommandKind, Derived, EventId, Input, Output, RunStarted};
use crate::domain::fact::RejectReason;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::Qty;
use crate::domain::time::{Date, Timestamp};
use crate::sinks::Sink;
use crate::sinks::summary::Summary;

use super::super::terminal::{self, grouped, rupees};

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// Looks on for the terminal.
pub struct Status {
    bar: ProgressBar,
    run: Option<Box<RunStarted>>,
    summary: Summary,
    held: BTreeSet<u16>,
    /// Why nothing is entered now.
    halts: BTreeSet<RejectReason>,
    /// Times of this day whose trades may be missing.
    gaps: u64,
    time: Timestamp,
    date: Date,
    /// Whether the line is not what it was.
    is_news: bool,
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
            halts: BTreeSet::new(),
            gaps: 0,
            time: Timestamp::default(),
            date: Date::default(),
            is_news: false,
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

    /// The history is told: from here on the line is the market's.
    fn warm(&mut self) {
        if !self.is_warm {
            self.is_warm = true;
            self.sessions = 0;
            let style = ProgressStyle::with_template("{wide_msg}");
            self.bar.set_style(style.expect("the template is well formed"));
        }
    }

    fn pass(&mut self, time: Timestamp) {
        let Some(run) = &self.run else { return };
        if time > run.config.active_from {
            self.warm();
        }
        self.day(time.date());
        self.time = time;
        self.is_news = true;
    }

    fn day(&mut self, date: Date) {
        if date == self.date {
            return;
        }
        (self.date, self.gaps) = (date, 0);
        if self.run.as_ref().is_some_and(|run| is_session(run, date)) {
            self.sessions += 1;
            self.bar.inc(1);
        }
    }

    fn draw(&mut self) {
        if take(&mut self.is_news) && self.is_warm && !self.bar.is_hidden() {
            let columns = Term::stderr().size_checked();
            let columns = columns.map_or(COLUMNS, |(_, columns)| columns.into());
            self.bar.set_message(self.line(columns));
        }
    }

    /// How things stand, in at most so many columns: the parts that say least are left out first.
    fn line(&self, columns: usize) -> String {
        let mut parts = self.parts();
        loop {
            let words: Vec<&str> = parts.iter().map(|(_, words)| words.as_str()).collect();
            let line = format!("   {}", words.join(" · "));
            let least = (0..parts.len()).max_by_key(|place| parts[*place].0);
            match least.filter(|place| line.chars().count() > columns && parts[*place].0 > 0) {
                Some(place) => parts.remove(place),
                None => return line,
            };
        }
    }

    /// What the line has to say, each part with how little it says.
    fn parts(&self) -> Vec<(u8, String)> {
        let Some(run) = &self.run else { return Vec::new() };
        let time = self.time;
        let since = run.config.active_from.date();
        let all = run.sessions.iter().filter(|session| session.date >= since).count();
        let (trades, net) = (self.summary.trades.len() as u64, rupees(self.summary.net()));
        let mut parts = vec![(0, format!("{} {}", time.date(), clock(time)))];
        parts.extend(self.stands().map(|word| (0, word.to_owned())));
        parts.extend(opens(run, time).map(|words| (2, words)));
        parts.extend((all > 1).then(|| (6, format!("day {}/{all}", self.sessions))));
        parts.push((5, format!("signals {}", grouped(self.summary.signals_total()))));
        parts.push((4, format!("trades {}", grouped(trades))));
        parts.push((1, format!("open {}", self.held.len())));
        parts.extend((self.gaps > 0).then(|| (3, format!("gaps {}", grouped(self.gaps)))));
        parts.push((1, net));
        parts
    }

    /// What stands in the way of entries, as the scanner and the tables have it.
    fn stands(&self) -> Option<&'static str> {
        let words = [
            (RejectReason::Killed, "KILLED"),
            (RejectReason::DailyLoss, "HALTED"),
            (RejectReason::Paused, "PAUSED"),
        ];
        words.into_iter().find(|(reason, _)| self.halts.contains(reason)).map(|(_, word)| word)
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

fn is_session(run: &RunStarted, date: Date) -> bool {
    run.sessions.iter().any(|session| session.date == date)
}

/// When trading begins or goes on, if there is none at that time.
fn opens(run: &RunStarted, time: Timestamp) -> Option<String> {
    let windows = run.sessions.iter().flat_map(|session| &session.windows);
    let next = windows.filter(|window| time < window.close).min_by_key(|window| window.open)?;
    let day = match next.open.date() == time.date() {
        true => String::new(),
        false => format!("{} ", next.open.date()),
    };
    (time < next.open).then(|| format!("opens {day}{}", clock(next.open)))
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
            // Nobody says anything of a feed before the history is told.
            Input::Notice(notice) => {
                self.warm();
                self.pass(notice.time);
            }
            Input::Gap(gap) => {
                self.day(gap.from.date());
                self.gaps += 1;
            }
            Input::Command(command) => {
                match command.kind {
                    CommandKind::Release => self.halts.remove(&RejectReason::Killed),
                    CommandKind::Resume => self.halts.remove(&RejectReason::Paused),
                    CommandKind::Pause | CommandKind::Flatten | CommandKind::Kill => false,
                };
                self.pass(command.time);
            }
            Input::RunEnded(_) => self.finish(),
            _ => {}
        }
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        self.summary.output(id, derived);
        match &derived.output {
            Output::Position(it) if it.quantity == Qty::ZERO => {
                self.held.remove(&it.instrument.0);
            }
            Output::Position(it) => {
                self.held.insert(it.instrument.0);
            }
            Output::Halt(halt) => {
                self.halts.insert(halt.reason);
                self.is_news = true;
            }
            Output::SessionEnded(_) => {
                self.halts.remove(&RejectReason::DailyLoss);
            }
            _ => {}
        }
        if self.is_told
            && self.is_warm
            && id.seq >= self.told
            && let Some((time, words)) = self.words(&derived.output)
        {
            terminal::say(format!("   {} {words}", clock(time)));
        }
    }

    fn told(&mut self) {
        self.draw();
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }

    fn note(&mut self, text: &str) {
        terminal::say(format!("note: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Event;
    use crate::domain::fact::{Gap, Halt, Notice, NoticeKind, OrderReason, Position, Signal};
    use crate::domain::money::{Cash, Side};
    use crate::domain::session::Session;
    use crate::domain::time::Window;
    use crate::sinks::tables::testing::{ID, Story, at, run};

    const WIDE: usize = 200;

    /// A terminal that was told the story so far.
    fn after(story: &Story) -> Status {
        let mut status = Status::new(true);
        for record in story.records.clone() {
            match record.event {
                Event::Input(input) => status.input(record.id.seq, &input),
                Event::Output(output) => {
                    status.output(record.id, &Derived { cause: record.cause, output });
                }
            }
        }
        status
    }

    /// A day that warms up and the story's own, and the day after.
    fn begin() -> Story {
        let mut run = run();
        run.config.active_from = at("00:00");
        let session = run.sessions[0].clone();
        let moved = |days: i32| {
            let date = session.date.plus_days(days);
            let open = Timestamp::from_ist(date, 9, 15);
            let windows = vec![Window { open, close: open.plus_minutes(375) }];
            Session { date, windows, ..session.clone() }
        };
        run.sessions = vec![moved(-1), session.clone(), moved(1)];
        let mut story = Story::default();
        story.input(Input::RunStarted(Box::new(run)));
        story.watermark("2024-09-30T15:30");
        story
    }

    fn notice(story: &mut Story, clock: &str, kind: NoticeKind) {
        let notice = Notice { time: at(clock), kind, instrument: None, detail: "2 keys".into() };
        story.input(Input::Notice(Box::new(notice)));
    }

    fn gap(story: &mut Story, from: &str, to: &str) {
        story.input(Input::Gap(Gap { instrument: ID, from: at(from), to: at(to) }));
    }

    fn position(story: &mut Story, quantity: i64, realized: i64) {
        let (quantity, realized) = (Qty(quantity), Cash::from_rupees(realized));
        let (cost, cash) = (Cash::ZERO, Cash::ZERO);
        let position = Position { instrument: ID, quantity, cost, realized, cash };
        story.output(0, Output::Position(position));
    }

    /// Until a position is held.
    fn holding() -> (Story, Signal) {
        let mut story = begin();
        let bar = story.quarter("09:45", "101.05");
        let (signal, index) = story.signal("09:45", Side::Buy, "101.05", bar);
        let entry = story.order(&signal, Side::Buy, OrderReason::Entry, index);
        story.minute("10:00", "101.10");
        story.fill(entry, &signal, (Side::Buy, "10:00", "101.15", OrderReason::Entry));
        position(&mut story, 40, 0);
        story.watermark("10:01");
        (story, signal)
    }

    #[test]
    fn before_the_open_it_says_when_that_is() {
        let mut story = begin();
        assert!(!after(&story).is_warm, "the bar of the warm-up is shown");
        notice(&mut story, "09:07", NoticeKind::FeedUp);
        let mut lines = vec![after(&story).line(WIDE)];
        story.watermark("09:15");
        lines.push(after(&story).line(WIDE));
        story.watermark("15:30");
        lines.push(after(&story).line(WIDE));
        insta::assert_snapshot!(lines.join("\n"), @"
           2024-10-01 09:07 · opens 09:15 · day 1/2 · signals 0 · trades 0 · open 0 · ₹ 0.00
           2024-10-01 09:15 · day 1/2 · signals 0 · trades 0 · open 0 · ₹ 0.00
           2024-10-01 15:30 · opens 2024-10-02 09:15 · day 1/2 · signals 0 · trades 0 · open 0 · ₹ 0.00
        ");
    }

    #[test]
    fn a_position_that_is_held_is_open_until_it_is_flat() {
        let (mut story, signal) = holding();
        let mut lines = vec![after(&story).line(WIDE)];
        story.minute("10:15", "99.90");
        let exit = story.order(&signal, Side::Sell, OrderReason::Stop, 0);
        story.fill(exit, &signal, (Side::Sell, "10:16", "99.90", OrderReason::Stop));
        position(&mut story, 0, -50);
        story.watermark("10:16");
        lines.push(after(&story).line(WIDE));
        insta::assert_snapshot!(lines.join("\n"), @"
           2024-10-01 10:01 · day 1/2 · signals 1 · trades 0 · open 1 · ₹ 0.00
           2024-10-01 10:16 · day 1/2 · signals 1 · trades 1 · open 0 · ₹ -92.25
        ");
    }

    #[test]
    fn gaps_are_counted_by_the_day() {
        let (mut story, _) = holding();
        gap(&mut story, "10:01:10", "10:01:40");
        story.watermark("10:02");
        let mut lines = vec![after(&story).line(WIDE)];
        // The next day begins with one: it is not forgotten when time comes to it.
        gap(&mut story, "2024-10-02T09:15", "2024-10-02T09:15:20");
        story.watermark("2024-10-02T09:16");
        lines.push(after(&story).line(WIDE));
        insta::assert_snapshot!(lines.join("\n"), @"
           2024-10-01 10:02 · day 1/2 · signals 1 · trades 0 · open 1 · gaps 1 · ₹ 0.00
           2024-10-02 09:16 · day 2/2 · signals 1 · trades 0 · open 1 · gaps 1 · ₹ 0.00
        ");
    }

    #[test]
    fn killed_is_said_until_it_is_released() {
        let (mut story, _) = holding();
        story.command("10:01", CommandKind::Pause, Some(RejectReason::Paused));
        let mut lines = vec![after(&story).line(WIDE)];
        story.command("10:02", CommandKind::Kill, Some(RejectReason::Killed));
        lines.push(after(&story).line(WIDE));
        story.command("10:03", CommandKind::Release, None);
        story.command("10:03", CommandKind::Resume, None);
        let day_profit = Cash::from_rupees(-5_000);
        let (time, reason) = (at("10:04"), RejectReason::DailyLoss);
        lines.push(after(&story).line(WIDE));
        story.output(0, Output::Halt(Halt { time, reason, day_profit }));
        lines.push(after(&story).line(WIDE));
        insta::assert_snapshot!(lines.join("\n"), @"
           2024-10-01 10:01 · PAUSED · day 1/2 · signals 1 · trades 0 · open 1 · ₹ 0.00
           2024-10-01 10:02 · KILLED · day 1/2 · signals 1 · trades 0 · open 1 · ₹ 0.00
           2024-10-01 10:03 · day 1/2 · signals 1 · trades 0 · open 1 · ₹ 0.00
           2024-10-01 10:03 · HALTED · day 1/2 · signals 1 · trades 0 · open 1 · ₹ 0.00
        ");
    }

    #[test]
    fn where_it_is_narrow_what_says_least_is_left_out() {
        let (mut story, _) = holding();
        gap(&mut story, "10:01:10", "10:01:40");
        story.command("10:02", CommandKind::Kill, Some(RejectReason::Killed));
        let status = after(&story);
        let lines: Vec<String> = [100, 80, 60, 40, 20].map(|it| status.line(it)).to_vec();
        for (line, columns) in lines.iter().zip([100, 80, 60, 40]) {
            assert!(line.chars().count() <= columns, "{line}");
        }
        insta::assert_snapshot!(lines.join("\n"), @"
           2024-10-01 10:02 · KILLED · day 1/2 · signals 1 · trades 0 · open 1 · gaps 1 · ₹ 0.00
           2024-10-01 10:02 · KILLED · signals 1 · trades 0 · open 1 · gaps 1 · ₹ 0.00
           2024-10-01 10:02 · KILLED · open 1 · gaps 1 · ₹ 0.00
           2024-10-01 10:02 · KILLED · open 1
           2024-10-01 10:02 · KILLED
        ");
    }
}
