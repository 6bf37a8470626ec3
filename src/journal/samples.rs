//! Samples for tests: one event of each kind.

use crate::domain::config::{ExecutionConfig, FeePeriod, FeeSchedule, RunConfig, StrategyConfig};
use crate::domain::event::{
    Command, CommandKind, DataHash, EndReason, Event, EventId, Input, Output, RunEnded, RunStarted,
};
use crate::domain::fact::{
    Backfill, BackfillOrigin, Bar, Bar15m, Fill, Gap, Halt, Indicators, Notice, NoticeKind, Order,
    OrderReason, Position, RejectReason, Rejection, SessionEnded, Signal, SignalKind, Tick,
};
use crate::domain::instrument::{Instrument, InstrumentId, Listing};
use crate::domain::money::{Cash, Price, Qty, Rate, Side};
use crate::domain::session::{OwnHours, Session, SessionKind};
use crate::domain::time::{Date, Timestamp, Window};

use super::codec::NAN_BITS;
use super::record::Kind;

/// One event of each kind, in the order of the registry.
pub fn samples() -> Vec<(Kind, Event)> {
    let input = Event::Input;
    let output = Event::Output;
    let end = RunEnded { time: at("15:30"), reason: EndReason::Completed };
    let command = Command { time: at("10:01"), kind: CommandKind::Flatten };
    vec![
        (Kind::RunStarted, input(Input::RunStarted(Box::new(run())))),
        (Kind::Bar, input(Input::Bar(bar()))),
        (Kind::Tick, input(Input::Tick(tick()))),
        (Kind::Watermark, input(Input::Watermark(at("09:30")))),
        (Kind::Command, input(Input::Command(command))),
        (Kind::Backfill, input(Input::Backfill(backfill()))),
        (Kind::Gap, input(Input::Gap(gap()))),
        (Kind::Notice, input(Input::Notice(Box::new(notice())))),
        (Kind::RunEnded, input(Input::RunEnded(end))),
        (Kind::Bar1m, output(Output::Bar1m(bar()))),
        (Kind::Bar15m, output(Output::Bar15m(strategy_bar()))),
        (Kind::Indicators, output(Output::Indicators(indicators()))),
        (Kind::Signal, output(Output::Signal(Box::new(signal())))),
        (Kind::Order, output(Output::Order(order()))),
        (Kind::Rejection, output(Output::Rejection(rejection()))),
        (Kind::Fill, output(Output::Fill(fill()))),
        (Kind::Position, output(Output::Position(position()))),
        (Kind::Halt, output(Output::Halt(halt()))),
        (Kind::SessionEnded, output(Output::SessionEnded(session_ended()))),
        (Kind::BarRevised, output(Output::BarRevised(strategy_bar()))),
    ]
}

/// The payload as JSON, for the names of its fields.
pub fn json(event: &Event) -> String {
    let text = match event {
        Event::Input(Input::RunStarted(run)) => serde_json::to_string(run),
        Event::Input(Input::Bar(bar)) | Event::Output(Output::Bar1m(bar)) => {
            serde_json::to_string(bar)
        }
        Event::Input(Input::Tick(tick)) => serde_json::to_string(tick),
        Event::Input(Input::Watermark(time)) => serde_json::to_string(time),
        Event::Input(Input::Command(command)) => serde_json::to_string(command),
        Event::Input(Input::Backfill(minute)) => serde_json::to_string(minute),
        Event::Input(Input::Gap(gap)) => serde_json::to_string(gap),
        Event::Input(Input::Notice(notice)) => serde_json::to_string(notice),
        Event::Input(Input::RunEnded(end)) => serde_json::to_string(end),
        Event::Output(Output::Bar15m(bar) | Output::BarRevised(bar)) => serde_json::to_string(bar),
        Event::Output(Output::Indicators(row)) => serde_json::to_string(row),
        Event::Output(Output::Signal(signal)) => serde_json::to_string(signal),
        Event::Output(Output::Order(order)) => serde_json::to_string(order),
        Event::Output(Output::Rejection(rejection)) => serde_json::to_string(rejection),
        Event::Output(Output::Fill(fill)) => serde_json::to_string(fill),
        Event::Output(Output::Position(position)) => serde_json::to_string(position),
        Event::Output(Output::Halt(halt)) => serde_json::to_string(halt),
        Event::Output(Output::SessionEnded(session)) => serde_json::to_string(session),
    };
    text.unwrap()
}

fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2024-10-01T{clock}")).unwrap()
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// A run of one instrument and one session.
pub fn run() -> RunStarted {
    let window = |open, close| Window { open: at(open), close: at(close) };
    RunStarted {
        core_version: 1,
        build: "lockstep 0.1.0".into(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "nse".into(), version: "1".into(), periods: vec![period()] },
            active_from: at("00:00"),
        },
        instruments: vec![Instrument {
            key: "NSE_EQ|INE155A01022".into(),
            isin: "INE155A01022".into(),
            listings: vec![Listing {
                from: Date::from_ymd(2024, 1, 1).unwrap(),
                to: None,
                symbol: "TATAMOTORS".into(),
                name: "Tata Motors".into(),
                tick: price("0.05"),
                lot: 1,
                closing_auction: true,
            }],
        }],
        calendar_version: "2024.1".into(),
        sessions: vec![Session {
            date: at("09:15").date(),
            kind: SessionKind::Regular,
            windows: vec![window("09:15", "15:30")],
            auction_windows: vec![window("09:15", "15:15")],
            own_hours: vec![OwnHours {
                key: "NSE_EQ|INE118H01025".into(),
                windows: vec![window("10:00", "15:30")],
            }],
        }],
        data: vec![DataHash { name: "a/2024-10.parquet".into(), blake3: "00ff".into() }],
    }
}

fn period() -> FeePeriod {
    FeePeriod {
        from: Date::from_ymd(2024, 10, 1).unwrap(),
        brokerage_flat: Cash::from_rupees(20),
        brokerage_rate: Rate(5_000),
        stt_buy: Rate(0),
        stt_sell: Rate(2_500),
        transaction: Rate(297),
        ipft: Rate(1),
        sebi: Rate(10),
        stamp_buy: Rate(300),
        stamp_sell: Rate(0),
        gst: Rate(1_800_000),
        gst_on_ipft: true,
        gst_on_sebi: true,
    }
}

/// A minute bar.
pub fn bar() -> Bar {
    Bar {
        instrument: InstrumentId(0),
        open_time: at("09:15"),
        open: price("974.50"),
        high: price("975.20"),
        low: price("974.10"),
        close: price("975.00"),
        volume: Qty(18_342),
    }
}

/// A tick.
pub fn tick() -> Tick {
    let (instrument, time) = (InstrumentId(0), at("09:15:07"));
    Tick { instrument, time, price: price("974.55"), quantity: Qty(25), day_volume: Qty(18_342) }
}

/// A minute from an archive.
fn backfill() -> Backfill {
    Backfill { bar: bar(), origin: BackfillOrigin::Intraday }
}

fn gap() -> Gap {
    Gap { instrument: InstrumentId(0), from: at("10:07:20"), to: at("10:09") }
}

fn notice() -> Notice {
    let (time, kind) = (at("10:07:35"), NoticeKind::FeedSilent);
    Notice { time, kind, instrument: None, detail: "nothing for 15 s".into() }
}

/// A strategy bar that lacks a minute.
pub fn strategy_bar() -> Bar15m {
    let Bar { instrument, open_time, open, high, low, close, volume } = bar();
    let (close_time, minutes, minutes_expected) = (at("09:30"), 14, 15);
    Bar15m {
        instrument,
        open_time,
        close_time,
        open,
        high,
        low,
        close,
        volume,
        minutes,
        minutes_expected,
    }
}

fn indicators() -> Indicators {
    Indicators {
        instrument: InstrumentId(0),
        open_time: at("09:15"),
        ema20: 974.25,
        ema50: 970.125,
        atr: f64::from_bits(NAN_BITS),
        adx: 17.5,
        vwap: 974.7,
        vol_z: -0.5,
        swing_high: Some(price("980.00")),
        swing_low: None,
    }
}

fn signal() -> Signal {
    Signal {
        instrument: InstrumentId(0),
        bar_time: at("09:15"),
        time: at("09:30"),
        side: Side::Sell,
        kind: SignalKind::Reversion,
        price: price("975.00"),
        quantity: Qty(102),
        stop: price("979.90"),
        target: price("965.20"),
        atr: 4.9,
        vwap_dist: 0.0003,
        ema_slope: 0.001,
        atr_pct: 0.005,
        adx: 17.5,
        vol_z: -0.5,
        margins: vec![7.5, 0.25, 0.0],
    }
}

fn order() -> Order {
    Order {
        instrument: InstrumentId(0),
        time: at("09:30"),
        side: Side::Sell,
        quantity: Qty(102),
        reason: OrderReason::Entry,
        origin: signal().origin(),
    }
}

fn rejection() -> Rejection {
    let (instrument, time) = (InstrumentId(0), at("15:10"));
    Rejection { instrument, time, reason: RejectReason::EntryCutoff }
}

fn fill() -> Fill {
    Fill {
        order: EventId { seq: 16, index: 4 },
        instrument: InstrumentId(0),
        time: at("09:31"),
        side: Side::Sell,
        quantity: Qty(102),
        price: price("974.95"),
        fee: Cash(451_234),
        reason: OrderReason::Entry,
        origin: signal().origin(),
    }
}

fn position() -> Position {
    Position {
        instrument: InstrumentId(0),
        quantity: Qty(-102),
        cost: Cash(-994_449_000),
        realized: Cash(0),
        cash: Cash(1_993_997_766),
    }
}

fn halt() -> Halt {
    let day_profit = Cash::from_rupees(-5_001);
    Halt { time: at("13:07"), reason: RejectReason::DailyLoss, day_profit }
}

fn session_ended() -> SessionEnded {
    SessionEnded {
        date: at("15:30").date(),
        gross: Cash(-1_234_500),
        fees: Cash(902_468),
        equity: Cash(997_863_032),
    }
}
