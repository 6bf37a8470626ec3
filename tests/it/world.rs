//! A small exchange to tell stories on: two instruments, one session a day, and a short notation
//! for what happens.
//!
//! ```text
//! 09:15 A 100 101 99 100.50 x500   a minute bar of instrument A (volume 100 where none is given)
//! 09:15-09:29 A,B 100              a flat bar of both in each of these minutes, with
//!                                  its watermark
//! quiet A 100                      a whole session of quarters that open and close at 100 and
//!                                  reach 100.50 and 99.50, so that the ATR becomes exactly 1
//! 09:15:07 A @100.50 x5 v1200      a tick: 5 shares, 1200 that day until then
//! backfill 09:15 A 100 101 99 100  a minute from an archive; 09:15-09:29 many, as above
//! gap A 09:15:20 09:17             trades may be missing
//! w 09:30                          a watermark
//! ! 10:00 kill                     a command
//! day 2024-10-02                   the day that the following lines are on
//! ```

use lockstep::core::Core;
use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
use lockstep::domain::event::{
    Command, CommandKind, Derived, Event, EventId, Input, Output, Record, RunStarted,
};
use lockstep::domain::fact::{Backfill, BackfillOrigin, Bar, Gap, Tick};
use lockstep::domain::instrument::{Instrument, InstrumentId, Listing};
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::session::{Session, SessionKind};
use lockstep::domain::tape::{Names, write_record};
use lockstep::domain::time::{Date, Timestamp, Window};

/// The first day of every story.
pub const FIRST_DAY: &str = "2024-10-01";

/// A run's description and the core that lives by it.
pub struct World {
    pub run: RunStarted,
    core: Option<Core>,
    day: Date,
    seq: u64,
}

pub fn date(text: &str) -> Date {
    Date::parse(text).expect("a story's date")
}

pub fn price(text: &str) -> Price {
    Price::parse(text).expect("a story's price")
}

/// 09:15 to 15:30 on that day.
pub fn session(day: Date) -> Session {
    let window =
        Window { open: Timestamp::from_ist(day, 9, 15), close: Timestamp::from_ist(day, 15, 30) };
    Session {
        date: day,
        kind: SessionKind::Regular,
        windows: vec![window],
        auction_windows: Vec::new(),
        own_hours: Vec::new(),
    }
}

fn instrument(key: &str) -> Instrument {
    let listing = Listing {
        from: date("2020-01-01"),
        to: None,
        symbol: key.to_owned(),
        name: format!("{key} Ltd"),
        tick: price("0.05"),
        lot: 1,
        closing_auction: true,
    };
    Instrument { key: key.to_owned(), isin: String::new(), listings: vec![listing] }
}

impl World {
    /// Three sessions, instruments A and B, no fees, no slippage, and a strategy that speaks early:
    /// swings of one bar on either side, evaluated from the fourth bar on.
    pub fn new() -> World {
        let first = date(FIRST_DAY);
        let strategy =
            StrategyConfig { first_bar: 3, swing_period: 1, ..StrategyConfig::default() };
        let execution =
            ExecutionConfig { slippage_ticks: 0, cooldown_bars: 0, ..ExecutionConfig::default() };
        let fees = FeeSchedule { name: "none".into(), version: "test".into(), periods: Vec::new() };
        let run = RunStarted {
            core_version: lockstep::domain::event::CORE_VERSION,
            build: "test".into(),
            config: RunConfig { strategy, execution, fees, active_from: first.start() },
            instruments: vec![instrument("A"), instrument("B")],
            calendar_version: "test".into(),
            sessions: (0..3).map(|day| session(first.plus_days(day))).collect(),
            data: Vec::new(),
        };
        World { run, core: None, day: first, seq: 1 }
    }

    /// The same with changes to its description. Only before the first event.
    pub fn with(mut self, change: impl FnOnce(&mut RunStarted)) -> World {
        change(&mut self.run);
        self
    }

    /// What the core makes of these lines.
    pub fn tell(&mut self, story: &str) -> Vec<Record> {
        let mut records = Vec::new();
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            for input in self.inputs(line) {
                records.extend(self.step(input));
            }
        }
        records
    }

    /// The same with the inputs in front of what came of them, from the run's description on.
    pub fn journal(&mut self, story: &str) -> Vec<Record> {
        let input = |seq, input| Record {
            id: EventId::input(seq),
            cause: 0,
            received_ns: 0,
            event: Event::Input(input),
        };
        let mut records = Vec::new();
        if self.core.is_none() {
            records.push(input(0, Input::RunStarted(Box::new(self.run.clone()))));
        }
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            for one in self.inputs(line) {
                records.push(input(self.seq, one.clone()));
                records.extend(self.step(one));
            }
        }
        records
    }

    fn step(&mut self, input: Input) -> Vec<Record> {
        let run = &self.run;
        let core = self.core.get_or_insert_with(|| Core::new(run));
        let mut out = Vec::new();
        core.step(self.seq, &input, &mut out);
        let seq = self.seq;
        self.seq += 1;
        let record = |(place, derived): (usize, Derived)| Record {
            id: EventId { seq, index: u32::try_from(place + 1).expect("few outputs") },
            cause: derived.cause,
            received_ns: 0,
            event: Event::Output(derived.output),
        };
        out.into_iter().enumerate().map(record).collect()
    }

    fn inputs(&mut self, line: &str) -> Vec<Input> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["day", day] => {
                self.day = date(day);
                Vec::new()
            }
            ["quiet", keys, level] => self.quiet(&ids(keys), price(level)),
            ["w", clock] => vec![Input::Watermark(self.at(clock))],
            ["!", clock, word] => {
                let kind = CommandKind::from_word(word).expect("a command");
                vec![Input::Command(Command { time: self.at(clock), kind })]
            }
            ["gap", key, from, to] => {
                let (instrument, from, to) = (id(key), self.at(from), self.at(to));
                vec![Input::Gap(Gap { instrument, from, to })]
            }
            ["backfill", span, keys, ref prices @ ..] => {
                let backfill = |input| match input {
                    Input::Bar(bar) => {
                        Input::Backfill(Backfill { bar, origin: BackfillOrigin::Intraday })
                    }
                    other => other,
                };
                self.bars(span, &ids(keys), prices).into_iter().map(backfill).collect()
            }
            [clock, key, tick, ref shares @ ..] if tick.starts_with('@') => {
                let shares = |mark: char| {
                    let of = |word: &&str| word.strip_prefix(mark).map(str::parse);
                    Qty(shares.iter().find_map(of).unwrap_or(Ok(0)).expect("shares"))
                };
                vec![Input::Tick(Tick {
                    instrument: id(key),
                    time: self.at(clock),
                    price: price(&tick[1..]),
                    quantity: shares('x'),
                    day_volume: shares('v'),
                })]
            }
            [span, keys, ref prices @ ..] => self.bars(span, &ids(keys), prices),
            _ => panic!("no story line: {line}"),
        }
    }

    /// One bar, or a flat one for each minute of a span with its watermark after it.
    fn bars(&self, span: &str, ids: &[InstrumentId], prices: &[&str]) -> Vec<Input> {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        let (first, last) = (self.at(first), self.at(last));
        let mut words = prices.iter().filter(|word| !word.starts_with('x')).map(|w| price(w));
        let open = words.next().expect("a price");
        let (high, low, close) = match (words.next(), words.next(), words.next()) {
            (Some(high), Some(low), Some(close)) => (high, low, close),
            _ => (open, open, open),
        };
        let volume = prices.iter().find_map(|word| word.strip_prefix('x'));
        let volume = Qty(volume.map_or(100, |text| text.parse().expect("a volume")));
        let mut inputs = Vec::new();
        let mut open_time = first;
        while open_time <= last {
            let bar = |instrument| Bar { instrument, open_time, open, high, low, close, volume };
            inputs.extend(ids.iter().map(|id| Input::Bar(bar(*id))));
            open_time = open_time.plus_minutes(1);
            if first != last {
                inputs.push(Input::Watermark(open_time));
            }
        }
        inputs
    }

    fn quiet(&self, ids: &[InstrumentId], level: Price) -> Vec<Input> {
        let (mut inputs, mut open_time) = (Vec::new(), self.at("09:15"));
        while open_time < self.at("15:30") {
            let is_first = open_time.minute() % 15 == 0;
            let reach = Price(if is_first { 5_000 } else { 0 });
            let (high, low) = (level.plus(reach), Price(level.0 - reach.0));
            let (open, close, volume) = (level, level, Qty(100));
            let bar = |instrument| Bar { instrument, open_time, open, high, low, close, volume };
            inputs.extend(ids.iter().map(|id| Input::Bar(bar(*id))));
            open_time = open_time.plus_minutes(1);
            inputs.push(Input::Watermark(open_time));
        }
        inputs
    }

    fn at(&self, clock: &str) -> Timestamp {
        Timestamp::parse(&format!("{}T{clock}", self.day)).expect("a story's clock")
    }
}

fn id(key: &str) -> InstrumentId {
    match key {
        "A" => InstrumentId(0),
        "B" => InstrumentId(1),
        other => panic!("no instrument {other}"),
    }
}

fn ids(keys: &str) -> Vec<InstrumentId> {
    keys.split(',').map(id).collect()
}

/// Tape lines of the outputs that are wanted, one per line.
pub fn tape(records: &[Record], wanted: impl Fn(&Output) -> bool) -> String {
    let names = Names::new(["A", "B"]);
    let is_wanted = |record: &&Record| match &record.event {
        Event::Output(output) => wanted(output),
        Event::Input(_) => true,
    };
    let lines: Vec<String> =
        records.iter().filter(is_wanted).map(|record| write_record(record, &names)).collect();
    lines.join("\n")
}

/// Everything but strategy bars and indicator rows.
pub fn deeds(output: &Output) -> bool {
    !matches!(output, Output::Bar15m(_) | Output::Indicators(_))
}
