//! What is journalled: a legal run of random inputs with random outputs. They need not follow from
//! each other, since a journal does not ask; they differ in length, so that frames end anywhere.

use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
use lockstep::domain::event::{
    CORE_VERSION, Command, CommandKind, Derived, Event, EventId, Input, Output, Record, RunStarted,
};
use lockstep::domain::fact::{Bar, Halt, Indicators, Position, RejectReason, Rejection, Tick};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Cash, Price, Qty};
use lockstep::domain::time::{Date, Timestamp};

use super::dice::Dice;

/// Where the records of a run come from.
pub struct World {
    dice: Dice,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> World {
        World { dice: Dice::new(seed, 2) }
    }

    /// The next input, whose number is `seq`, and its outputs. What is made for a number again
    /// is something else than before, so that bytes of a lost step never look like the new one.
    pub fn step(&mut self, seq: u64) -> Vec<Record> {
        let received_ns = 1 + self.dice.below(1 << 60) as i64;
        let input = match seq {
            0 => Input::RunStarted(Box::new(run_started("x".repeat(self.dice.index(300))))),
            _ => self.input(seq),
        };
        let mut step = vec![Record {
            id: EventId::input(seq),
            cause: 0,
            received_ns,
            event: Event::Input(input),
        }];
        let outputs = self.dice.one_of(&[0, 0, 1, 2, 5]);
        for index in 1..=outputs {
            let cause = self.dice.below(u64::from(index)) as u32;
            let (id, event) = (EventId { seq, index }, Event::Output(self.output(seq)));
            step.push(Record { id, cause, received_ns: 0, event });
        }
        step
    }

    fn time(seq: u64) -> Timestamp {
        Timestamp::from_ist(day(), 9, 15).plus_minutes(seq as i64)
    }

    fn instrument(&mut self) -> InstrumentId {
        InstrumentId(self.dice.below(3) as u16)
    }

    fn price(&mut self) -> Price {
        Price(1 + self.dice.below(50_000_000) as i64)
    }

    fn bar(&mut self, seq: u64) -> Bar {
        let mut prices = [self.price(), self.price(), self.price(), self.price()];
        prices.sort();
        let [low, open, close, high] = prices;
        let volume = Qty(self.dice.below(1_000_000) as i64);
        let instrument = self.instrument();
        Bar { instrument, open_time: World::time(seq), open, high, low, close, volume }
    }

    fn input(&mut self, seq: u64) -> Input {
        let time = World::time(seq);
        match self.dice.below(8) {
            0 => Input::Watermark(time),
            1 => Input::Command(Command { time, kind: CommandKind::Flatten }),
            2..5 => Input::Tick(Tick {
                instrument: self.instrument(),
                time: time.plus_us(self.dice.below(60_000_000) as i64),
                price: self.price(),
                quantity: Qty(self.dice.below(1_000) as i64),
                day_volume: Qty(self.dice.below(1_000_000) as i64),
            }),
            _ => Input::Bar(self.bar(seq)),
        }
    }

    fn output(&mut self, seq: u64) -> Output {
        let (time, instrument) = (World::time(seq), self.instrument());
        let cash = Cash(self.dice.below(1 << 40) as i64);
        match self.dice.below(5) {
            0 => Output::Bar1m(self.bar(seq)),
            1 => Output::Indicators(Indicators {
                instrument,
                open_time: time,
                ema20: self.price().rupees(),
                ema50: self.price().rupees(),
                atr: self.price().rupees(),
                adx: 17.5,
                vwap: self.price().rupees(),
                vol_z: -0.5,
                swing_high: self.dice.once_in(2).then_some(Price(1)),
                swing_low: None,
            }),
            2 => Output::Rejection(Rejection { instrument, time, reason: RejectReason::Late }),
            3 => Output::Position(Position {
                instrument,
                quantity: Qty(-5),
                cost: cash,
                realized: Cash(0),
                cash,
            }),
            _ => {
                let reason = RejectReason::DailyLoss;
                Output::Halt(Halt { time, reason, day_profit: cash })
            }
        }
    }
}

/// The description of a run without instruments, by a program of that name.
pub fn run_started(build: String) -> RunStarted {
    RunStarted {
        core_version: CORE_VERSION,
        build,
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "none".into(), version: "1".into(), periods: vec![] },
            active_from: day().start(),
        },
        instruments: vec![],
        calendar_version: "none".into(),
        sessions: vec![],
        data: vec![],
    }
}

fn day() -> Date {
    Date::from_ymd(2024, 10, 1).expect("a day of the calendar")
}

/// An output as the writer takes it.
pub fn derived(record: &Record) -> Option<Derived> {
    match &record.event {
        Event::Output(output) => Some(Derived { cause: record.cause, output: output.clone() }),
        Event::Input(_) => None,
    }
}
