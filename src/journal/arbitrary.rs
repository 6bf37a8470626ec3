//! Any journal that may be written, as proptest strategies.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::domain::config::{
    ExecutionConfig, ExecutionProfile, FeePeriod, FeeSchedule, Profile, RunConfig, StrategyConfig,
};
use crate::domain::event::{
    Command, CommandKind, DataHash, Derived, EndReason, Event, EventId, Input, Output, Record,
    RunEnded, RunStarted,
};
use crate::domain::fact::{
    Backfill, BackfillOrigin, Bar, Bar15m, Fill, Gap, Halt, Indicators, Notice, NoticeKind, Order,
    OrderReason, Position, RejectReason, Rejection, SessionEnded, Signal, SignalKind, SignalRef,
    Tick,
};
use crate::domain::instrument::{Instrument, InstrumentId, Listing};
use crate::domain::money::{Cash, PRICE_MAX, Price, QTY_MAX, Qty, Rate, Side};
use crate::domain::session::{OwnHours, Session, SessionKind};
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

use super::codec::NAN_BITS;
use super::{JournalError, Writer};

/// Hands a record to a writer.
pub fn write(writer: &mut Writer, record: &Record) -> Result<(), JournalError> {
    match &record.event {
        Event::Input(input) => writer.input(record.id.seq, record.received_ns, input),
        Event::Output(output) => {
            let derived = Derived { cause: record.cause, output: output.clone() };
            writer.output(record.id.seq, record.id.index, &derived)
        }
    }
}

/// A whole journal: RunStarted, then inputs with their outputs, numbered as they must be.
pub fn journal(inputs: usize) -> impl Strategy<Value = Vec<Record>> {
    let step = (any::<i64>(), input(), vec((any::<u32>(), output()), 0..4));
    let end = option::of((time(), choice(EndReason::ALL)));
    (run_started(), vec(step, 0..inputs), end).prop_map(|(run, steps, end)| {
        let run = Input::RunStarted(Box::new(run));
        let end = end.map(|(time, reason)| (0, Input::RunEnded(RunEnded { time, reason }), vec![]));
        let steps = [(0, run, vec![])].into_iter().chain(steps).chain(end);
        let mut records = Vec::new();
        for (seq, (received_ns, input, outputs)) in (0..).zip(steps) {
            let (id, event) = (EventId::input(seq), Event::Input(input));
            records.push(Record { id, cause: 0, received_ns, event });
            for (index, (cause, output)) in (1..).zip(outputs) {
                let (id, event) = (EventId { seq, index }, Event::Output(output));
                records.push(Record { id, cause: cause % index, received_ns: 0, event });
            }
        }
        records
    })
}

/// Any input that may stand inside a run.
pub fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => bar().prop_map(Input::Bar),
        2 => tick().prop_map(Input::Tick),
        2 => time().prop_map(Input::Watermark),
        1 => (time(), choice(CommandKind::ALL))
            .prop_map(|(time, kind)| Input::Command(Command { time, kind })),
        1 => (bar(), choice(BackfillOrigin::ALL))
            .prop_map(|(bar, origin)| Input::Backfill(Backfill { bar, origin })),
        1 => (instrument(), time(), 1..=i64::from(u32::MAX)).prop_map(|(instrument, from, us)| {
            Input::Gap(Gap { instrument, from, to: from.plus_us(us) })
        }),
        1 => notice().prop_map(|notice| Input::Notice(Box::new(notice))),
    ]
}

fn notice() -> impl Strategy<Value = Notice> {
    (time(), choice(NoticeKind::ALL), option::of(instrument()), text()).prop_map(
        |(time, kind, instrument, text)| Notice {
            time,
            kind,
            instrument,
            detail: text.trim().to_owned(),
        },
    )
}

/// Any output.
pub fn output() -> impl Strategy<Value = Output> {
    prop_oneof![
        bar().prop_map(Output::Bar1m),
        strategy_bar().prop_map(Output::Bar15m),
        strategy_bar().prop_map(Output::BarRevised),
        indicators().prop_map(Output::Indicators),
        signal().prop_map(|signal| Output::Signal(Box::new(signal))),
        order().prop_map(Output::Order),
        rejection().prop_map(Output::Rejection),
        fill().prop_map(Output::Fill),
        position().prop_map(Output::Position),
        halt().prop_map(Output::Halt),
        session_ended().prop_map(Output::SessionEnded),
    ]
}

fn choice<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

/// Times and dates of the years that text can name.
fn time() -> impl Strategy<Value = Timestamp> {
    let edge = |year| Date::from_ymd(year, 1, 1).unwrap().start().0;
    (edge(1970)..edge(2190)).prop_map(Timestamp)
}

fn minute() -> impl Strategy<Value = Timestamp> {
    time().prop_map(|time| time.floor_to(MINUTE_US))
}

fn date() -> impl Strategy<Value = Date> {
    (0..80_000_i32).prop_map(Date)
}

fn instrument() -> impl Strategy<Value = InstrumentId> {
    any::<u16>().prop_map(InstrumentId)
}

fn price() -> impl Strategy<Value = Price> {
    (1..=PRICE_MAX.0).prop_map(Price)
}

fn volume() -> impl Strategy<Value = Qty> {
    (0..=QTY_MAX.0).prop_map(Qty)
}

fn quantity() -> impl Strategy<Value = Qty> {
    any::<i64>().prop_map(Qty)
}

fn cash() -> impl Strategy<Value = Cash> {
    (-99_999_999_999_999_999..=99_999_999_999_999_999_i64).prop_map(Cash)
}

fn finite() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn known_or_nan() -> impl Strategy<Value = f64> {
    prop_oneof![3 => finite(), 1 => Just(f64::from_bits(NAN_BITS))]
}

fn text() -> impl Strategy<Value = String> {
    "[ -~ऀ-ॿ]{0,12}"
}

/// A minute bar without a defect; every other one has the small values of a market, most of them in
/// paise.
pub fn bar() -> impl Strategy<Value = Bar> {
    let wide = (proptest::array::uniform4(price()), volume());
    let ways = proptest::array::uniform3(0..70_000_i64);
    let market = (any::<u32>(), choice(&[1, 100, 100]), ways, any::<u32>()).prop_map(
        |(low, step, ways, volume)| {
            let low = i64::from(low.max(1));
            let prices = [0, ways[0], ways[1], ways[2]].map(|way| Price(low + way * step));
            (prices, Qty(volume.into()))
        },
    );
    (instrument(), minute(), prop_oneof![wide, market], any::<bool>()).prop_map(
        |(instrument, open_time, (mut prices, volume), rising)| {
            prices.sort();
            let [low, first, second, high] = prices;
            let (open, close) = if rising { (first, second) } else { (second, first) };
            Bar { instrument, open_time, open, high, low, close, volume }
        },
    )
}

/// A tick without a defect.
pub fn tick() -> impl Strategy<Value = Tick> {
    (instrument(), time(), price(), volume(), volume()).prop_map(
        |(instrument, time, price, quantity, day_volume)| Tick {
            instrument,
            time,
            price,
            quantity,
            day_volume,
        },
    )
}

fn strategy_bar() -> impl Strategy<Value = Bar15m> {
    let minutes = || prop_oneof![0..=16_u32, any::<u32>()];
    (bar(), time(), option::of(1..=15_i64), minutes(), minutes()).prop_map(
        |(bar, other, length, minutes, minutes_expected)| {
            let close_time = length.map_or(other, |it| bar.open_time.plus_us(it * MINUTE_US));
            let Bar { instrument, open_time, open, high, low, close, volume } = bar;
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
        },
    )
}

fn indicators() -> impl Strategy<Value = Indicators> {
    let swings = (option::of(price()), option::of(price()));
    (instrument(), minute(), proptest::array::uniform6(known_or_nan()), swings).prop_map(
        |(instrument, open_time, [ema20, ema50, atr, adx, vwap, vol_z], swings)| {
            let (swing_high, swing_low) = swings;
            Indicators {
                instrument,
                open_time,
                ema20,
                ema50,
                atr,
                adx,
                vwap,
                vol_z,
                swing_high,
                swing_low,
            }
        },
    )
}

fn origin() -> impl Strategy<Value = SignalRef> {
    (minute(), choice(Side::ALL), choice(SignalKind::ALL))
        .prop_map(|(bar_time, side, kind)| SignalRef { bar_time, side, kind })
}

fn signal() -> impl Strategy<Value = Signal> {
    let prices = proptest::array::uniform3(price());
    let doubles = (proptest::array::uniform6(finite()), vec(finite(), 0..5));
    (instrument(), origin(), time(), prices, quantity(), doubles).prop_map(
        |(instrument, origin, time, [price, stop, target], quantity, (doubles, margins))| {
            let SignalRef { bar_time, side, kind } = origin;
            let [atr, vwap_dist, ema_slope, atr_pct, adx, vol_z] = doubles;
            Signal {
                instrument,
                bar_time,
                time,
                side,
                kind,
                price,
                quantity,
                stop,
                target,
                atr,
                vwap_dist,
                ema_slope,
                atr_pct,
                adx,
                vol_z,
                margins,
            }
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    (instrument(), time(), choice(Side::ALL), quantity(), choice(OrderReason::ALL), origin())
        .prop_map(|(instrument, time, side, quantity, reason, origin)| Order {
            instrument,
            time,
            side,
            quantity,
            reason,
            origin,
        })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (instrument(), time(), choice(RejectReason::ALL))
        .prop_map(|(instrument, time, reason)| Rejection { instrument, time, reason })
}

fn fill() -> impl Strategy<Value = Fill> {
    let id = (0..=u64::MAX, any::<u32>()).prop_map(|(seq, index)| EventId { seq, index });
    (prop_oneof![9 => id, 1 => Just(EventId::NONE)], order(), price(), cash()).prop_map(
        |(id, order, price, fee)| {
            let Order { instrument, time, side, quantity, reason, origin } = order;
            Fill { order: id, instrument, time, side, quantity, price, fee, reason, origin }
        },
    )
}

fn position() -> impl Strategy<Value = Position> {
    (instrument(), quantity(), cash(), cash(), cash()).prop_map(
        |(instrument, quantity, cost, realized, cash)| Position {
            instrument,
            quantity,
            cost,
            realized,
            cash,
        },
    )
}

fn halt() -> impl Strategy<Value = Halt> {
    (time(), choice(RejectReason::ALL), cash()).prop_map(|(time, reason, day_profit)| Halt {
        time,
        reason,
        day_profit,
    })
}

fn session_ended() -> impl Strategy<Value = SessionEnded> {
    (date(), cash(), cash(), cash()).prop_map(|(date, gross, fees, equity)| SessionEnded {
        date,
        gross,
        fees,
        equity,
    })
}

/// Any description of a run.
pub fn run_started() -> impl Strategy<Value = RunStarted> {
    let data = vec((text(), text()).prop_map(|(name, blake3)| DataHash { name, blake3 }), 0..3);
    let texts = (text(), text());
    (any::<u32>(), texts, config(), vec(listed(), 0..3), vec(session(), 0..3), data).prop_map(
        |(core_version, (build, calendar_version), config, instruments, sessions, data)| {
            RunStarted {
                core_version,
                build,
                config,
                instruments,
                calendar_version,
                sessions,
                data,
            }
        },
    )
}

fn config() -> impl Strategy<Value = RunConfig> {
    let periods = vec(period(), 0..3);
    let fees = (text(), text(), periods).prop_map(|(name, version, periods)| FeeSchedule {
        name,
        version,
        periods,
    });
    (strategy(), execution(), fees, time()).prop_map(|(strategy, execution, fees, active_from)| {
        RunConfig { strategy, execution, fees, active_from }
    })
}

/// As people write them. Of other doubles JSON may lose the last bit.
fn parameter() -> impl Strategy<Value = f64> {
    (-999_999..=999_999_i32).prop_map(|thousandths| f64::from(thousandths) / 1_000.0)
}

fn strategy() -> impl Strategy<Value = StrategyConfig> {
    let counts = any::<[u32; 5]>();
    (text(), choice(Profile::ALL), counts, parameter(), parameter(), cash()).prop_map(
        |(id, profile, counts, reversion_k, adx_gate, risk_per_trade)| {
            let [bar_minutes, swing_period, first_bar, time_stop_bars, leverage] = counts;
            StrategyConfig {
                id,
                profile,
                bar_minutes,
                swing_period,
                reversion_k,
                adx_gate,
                first_bar,
                time_stop_bars,
                risk_per_trade,
                leverage,
            }
        },
    )
}

fn execution() -> impl Strategy<Value = ExecutionConfig> {
    let (counts, flag) = (any::<[u32; 5]>(), any::<bool>());
    (choice(ExecutionProfile::ALL), counts, flag, [cash(), cash(), cash()], quantity()).prop_map(
        |(profile, counts, enter_on_incomplete, cash, position_max)| {
            let [capital, daily_loss_max, exposure_max] = cash;
            let [slippage_ticks, entry_cutoff_minutes, flatten_minutes, cooldown_bars, trades_max] =
                counts;
            ExecutionConfig {
                profile,
                slippage_ticks,
                entry_cutoff_minutes,
                flatten_minutes,
                cooldown_bars,
                enter_on_incomplete,
                trades_max,
                capital,
                daily_loss_max,
                position_max,
                exposure_max,
            }
        },
    )
}

fn period() -> impl Strategy<Value = FeePeriod> {
    (date(), cash(), any::<[i64; 9]>(), any::<[bool; 2]>()).prop_map(
        |(from, brokerage_flat, rates, [gst_on_ipft, gst_on_sebi])| {
            let [brokerage_rate, stt_buy, stt_sell, transaction, ipft, sebi, buy, sell, gst] =
                rates.map(Rate);
            FeePeriod {
                from,
                brokerage_flat,
                brokerage_rate,
                stt_buy,
                stt_sell,
                transaction,
                ipft,
                sebi,
                stamp_buy: buy,
                stamp_sell: sell,
                gst,
                gst_on_ipft,
                gst_on_sebi,
            }
        },
    )
}

fn listed() -> impl Strategy<Value = Instrument> {
    let dates = (date(), option::of(date()));
    let listing = (dates, text(), text(), price(), any::<u32>(), any::<bool>()).prop_map(
        |((from, to), symbol, name, tick, lot, closing_auction)| Listing {
            from,
            to,
            symbol,
            name,
            tick,
            lot,
            closing_auction,
        },
    );
    (text(), text(), vec(listing, 0..3)).prop_map(|(key, isin, listings)| Instrument {
        key,
        isin,
        listings,
    })
}

fn windows() -> impl Strategy<Value = Vec<Window>> {
    vec((time(), time()).prop_map(|(open, close)| Window { open, close }), 0..3)
}

fn session() -> impl Strategy<Value = Session> {
    let own = vec((text(), windows()).prop_map(|(key, windows)| OwnHours { key, windows }), 0..2);
    (date(), choice(SessionKind::ALL), windows(), windows(), own).prop_map(
        |(date, kind, windows, auction_windows, own_hours)| Session {
            date,
            kind,
            windows,
            auction_windows,
            own_hours,
        },
    )
}
