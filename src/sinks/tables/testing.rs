//! A morning of one instrument, told by hand: what a core would say, without one.

use crate::domain::event::{
    Command, CommandKind, Derived, Event, EventId, Input, Output, Record, RunStarted,
};
use crate::domain::fact::{
    Bar, Bar15m, Fill, Halt, Order, OrderReason, RejectReason, Rejection, Signal, SignalKind,
};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::{MINUTE_US, Timestamp};
use crate::journal::samples;

/// The instrument.
pub const ID: InstrumentId = InstrumentId(0);

/// The instant of that clock on the story's day, or of a whole date and clock.
pub fn at(clock: &str) -> Timestamp {
    let text = if clock.contains('T') { clock.into() } else { format!("2024-10-01T{clock}") };
    Timestamp::parse(&text).expect("tests write proper times")
}

/// The price of that text.
pub fn price(text: &str) -> Price {
    Price::parse(text).expect("tests write proper prices")
}

/// A run that is active from 09:15 on.
pub fn run() -> RunStarted {
    let mut run = samples::run();
    run.config.active_from = at("09:15");
    run.config.execution.cooldown_bars = 3;
    run
}

/// Records, one step after the other.
#[derive(Default)]
pub struct Story {
    /// What was told.
    pub records: Vec<Record>,
    seq: u64,
    index: u32,
    /// The newest minute or watermark.
    now: Option<Timestamp>,
}

impl Story {
    /// The run's description.
    pub fn begin() -> Story {
        let mut story = Story::default();
        story.input(Input::RunStarted(Box::new(run())));
        story
    }

    /// The next input.
    pub fn input(&mut self, input: Input) -> EventId {
        let id = EventId::input(self.seq);
        self.records.push(Record { id, cause: 0, received_ns: 0, event: Event::Input(input) });
        (self.seq, self.index) = (self.seq + 1, 0);
        id
    }

    /// The next output of the last input.
    pub fn output(&mut self, cause: u32, output: Output) -> EventId {
        self.index += 1;
        let id = EventId { seq: self.seq - 1, index: self.index };
        self.records.push(Record { id, cause, received_ns: 0, event: Event::Output(output) });
        id
    }

    /// Time.
    pub fn watermark(&mut self, clock: &str) {
        self.now = Some(at(clock));
        self.input(Input::Watermark(at(clock)));
    }

    /// A minute.
    pub fn minute(&mut self, clock: &str, close: &str) {
        let (open_time, close) = (at(clock), price(close));
        let (open, high, low) = (close, close, close);
        self.now = Some(open_time);
        let bar = Bar { instrument: ID, open_time, open, high, low, close, volume: Qty(10) };
        self.input(Input::Bar(bar));
    }

    /// The core says no to the last input or to an output of it.
    pub fn no(&mut self, cause: u32, time: &str, reason: RejectReason) {
        let rejection = Rejection { instrument: ID, time: at(time), reason };
        self.output(cause, Output::Rejection(rejection));
    }

    /// A strategy bar is over; gives its index.
    pub fn quarter(&mut self, label: &str, close: &str) -> u32 {
        let (open_time, close) = (at(label), price(close));
        self.watermark(&label_end(open_time));
        let bar = Bar15m {
            instrument: ID,
            open_time,
            close_time: open_time.plus_us(15 * MINUTE_US),
            open: close,
            high: close,
            low: close,
            close,
            volume: Qty(150),
            minutes: 15,
            minutes_expected: 15,
        };
        self.output(0, Output::Bar15m(bar)).index
    }

    /// A signal of that bar; gives it with its index.
    pub fn signal(&mut self, label: &str, side: Side, close: &str, cause: u32) -> (Signal, u32) {
        let signal = Signal {
            instrument: ID,
            bar_time: at(label),
            time: at(label).plus_us(15 * MINUTE_US),
            side,
            kind: SignalKind::Trend,
            price: price(close),
            quantity: Qty(40),
            stop: price("99.95"),
            target: price("102.10"),
            atr: 1.05,
            vwap_dist: 0.001,
            ema_slope: 1e-7,
            atr_pct: 0.01,
            adx: 30.0,
            vol_z: 0.5,
            margins: vec![0.5],
        };
        let id = self.output(cause, Output::Signal(Box::new(signal.clone())));
        (signal, id.index)
    }

    /// An order for the signal, or against it.
    pub fn order(&mut self, of: &Signal, side: Side, why: OrderReason, cause: u32) -> EventId {
        let order = Order {
            instrument: ID,
            time: self.now.unwrap_or(of.time),
            side,
            quantity: of.quantity,
            reason: why,
            origin: of.origin(),
        };
        self.output(cause, Output::Order(order))
    }

    /// The order is executed.
    pub fn fill(&mut self, order: EventId, of: &Signal, deal: (Side, &str, &str, OrderReason)) {
        let (side, clock, at_price, reason) = deal;
        let fill = Fill {
            order,
            instrument: ID,
            time: at(clock),
            side,
            quantity: of.quantity,
            price: price(at_price),
            fee: Cash::parse("21.1234").expect("an amount"),
            reason,
            origin: of.origin(),
        };
        self.output(0, Output::Fill(fill));
    }

    /// Somebody wants something, and trading stops for it if it does.
    pub fn command(&mut self, clock: &str, kind: CommandKind, halts: Option<RejectReason>) {
        self.input(Input::Command(Command { time: at(clock), kind }));
        if let Some(reason) = halts {
            self.output(0, halt(clock, reason));
        }
    }

    /// The records as the steps of a run.
    pub fn steps(&self) -> Vec<(u64, Input, Vec<Derived>)> {
        let mut steps: Vec<(u64, Input, Vec<Derived>)> = Vec::new();
        for Record { id, cause, event, .. } in self.records.iter().cloned() {
            match (event, steps.last_mut()) {
                (Event::Input(input), _) => steps.push((id.seq, input, Vec::new())),
                (Event::Output(output), Some((.., derived))) => {
                    derived.push(Derived { cause, output });
                }
                (Event::Output(_), None) => panic!("a story begins with an input"),
            }
        }
        steps
    }
}

/// Trading stops.
pub fn halt(clock: &str, reason: RejectReason) -> Output {
    Output::Halt(Halt { time: at(clock), reason, day_profit: Cash::ZERO })
}

fn label_end(label: Timestamp) -> String {
    label.plus_us(15 * MINUTE_US).to_string()
}

/// A bar without a signal, a signal that is refused, one that is taken, its stop, and rest.
pub fn morning() -> Story {
    let mut story = Story::begin();
    story.minute("09:15", "100.05");
    story.minute("09:15", "100.10");
    story.no(0, "09:15", RejectReason::Duplicate);
    story.quarter("09:15", "100");
    let bar = story.quarter("09:30", "101");
    let (_, index) = story.signal("09:30", Side::Buy, "101", bar);
    story.no(index, "09:45", RejectReason::IncompleteBar);
    let bar = story.quarter("09:45", "101.05");
    let (signal, index) = story.signal("09:45", Side::Buy, "101.05", bar);
    let entry = story.order(&signal, Side::Buy, OrderReason::Entry, index);
    story.minute("10:00", "101.10");
    story.fill(entry, &signal, (Side::Buy, "10:00", "101.15", OrderReason::Entry));
    story.quarter("10:00", "100.50");
    story.minute("10:15", "99.90");
    let exit = story.order(&signal, Side::Sell, OrderReason::Stop, 0);
    story.fill(exit, &signal, (Side::Sell, "10:16", "99.90", OrderReason::Stop));
    for label in ["10:15", "10:30", "10:45"] {
        story.quarter(label, "100");
    }
    story
}
