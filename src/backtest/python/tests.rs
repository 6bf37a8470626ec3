//! Conformance: what the Python system printed, row for row and bit for bit. The facts are in
//! `tests/fixtures/reference`, their columns are described there.

use super::bars::{released, resampled};
use super::report::{PrintedFill, ReportedTrade, trades_as_reported};
use super::{batch, live};
use crate::backtest::Outcome;
use crate::backtest::testing::{
    minute, python_fees, reference, reference_bars, run_started, rupees, time,
};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar, Bar15m, Fill, Indicators, OrderReason, Signal, SignalRef};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::sources::columns::BarColumns;

const SYMBOLS: [&str; 2] = ["SYNA", "SYNB"];

/// A table of the reference, as rows of fields.
type Rows = Vec<Vec<String>>;

/// The strategy bars of both symbols.
fn reference_frames() -> Vec<Vec<Bar15m>> {
    let bars = |(id, symbol): (u16, &str)| reference_bars(&reference(&format!("{symbol}.csv")), id);
    (0..).zip(SYMBOLS).map(bars).collect()
}

/// The first of them.
fn first_bars(count: usize) -> Vec<Vec<Bar15m>> {
    reference_frames().into_iter().map(|bars| bars[..count].to_vec()).collect()
}

/// A run with the limits of the batch backtest, or as good as none.
fn run_of(are_limits_lifted: bool) -> RunStarted {
    let mut run = run_started(&SYMBOLS, &[]);
    run.config.fees.periods.push(python_fees());
    let execution = &mut run.config.execution;
    execution.daily_loss_max = rupees(99_000);
    execution.position_max = Qty(1_000);
    if are_limits_lifted {
        execution.daily_loss_max = rupees(100_000_000);
        execution.position_max = Qty(1_000_000);
        execution.trades_max = u32::MAX;
    }
    run
}

fn double(field: &str) -> f64 {
    if field.is_empty() { f64::NAN } else { field.parse().unwrap() }
}

fn key(id: InstrumentId) -> String {
    format!("NSE_EQ|{}", SYMBOLS[id.index()])
}

/// Doubles are equal by their bits.
fn assert_bits(ours: f64, theirs: &str, what: &str) {
    assert_eq!(ours.to_bits(), double(theirs).to_bits(), "{what}: {ours} is not {theirs}");
}

/// Symbol, time, side, kind, close, atr, stop, target, quantity, six numbers, hour and minute,
/// vol_z, bars held at most.
fn assert_signals(ours: &[Signal], theirs: &Rows) {
    assert_eq!(ours.len(), theirs.len());
    for (signal, row) in ours.iter().zip(theirs) {
        let what = format!("{} {}", row[0], row[1]);
        let origin = signal.origin();
        assert_eq!((key(signal.instrument), origin.bar_time), (row[0].clone(), time(&row[1])));
        assert_eq!((origin.side.word(), origin.kind.word()), (&row[2][..], &row[3][..]), "{what}");
        assert_eq!(signal.quantity.to_string(), row[8], "{what}");
        let (hour, minute) = (origin.bar_time.hour(), origin.bar_time.minute());
        for (ours, place) in [
            (signal.price.rupees(), 4),
            (signal.atr, 5),
            (signal.stop.rupees(), 6),
            (signal.target.rupees(), 7),
            (signal.vwap_dist, 9),
            (signal.ema_slope, 10),
            (signal.atr_pct, 11),
            (signal.adx, 12),
            (f64::from(hour), 13),
            (f64::from(minute), 14),
        ] {
            assert_bits(ours, &row[place], &format!("{what} column {place}"));
        }
        let off = (signal.vol_z - double(&row[15])).abs();
        assert!(off <= 1e-12, "{what}: vol_z is off by {off}");
    }
}

/// Symbol, time, side, quantity, price, fees, id.
fn assert_fills(ours: &[Fill], theirs: &Rows) {
    assert_eq!(ours.len(), theirs.len());
    for (fill, row) in ours.iter().zip(theirs) {
        let what = format!("{} {}", row[0], row[1]);
        let printed = PrintedFill::of(fill, 15);
        assert_eq!((key(printed.instrument), printed.bar_time), (row[0].clone(), time(&row[1])));
        assert_eq!(printed.side.word(), row[2], "{what}");
        assert_bits(printed.quantity.0 as f64, &row[3], &what);
        assert_bits(printed.price, &row[4], &what);
        assert_bits(printed.fee, &row[5], &what);
        // The account rounds five charges and the tax to 1/10,000 rupee each.
        assert!((fill.fee.rupees() - printed.fee).abs() <= 0.000_3, "{what}: {}", fill.fee);
        let is_exit = printed.reason != OrderReason::Entry;
        assert_eq!(is_exit, row[6].starts_with("exit_"), "{what}: {}", printed.reason);
    }
}

/// Symbol, both times, direction, both prices, quantity, profit, fees.
fn assert_trades(ours: &[ReportedTrade], theirs: &Rows) {
    assert_eq!(ours.len(), theirs.len());
    for (trade, row) in ours.iter().zip(theirs) {
        let what = format!("{} {}", row[0], row[1]);
        assert_eq!(key(trade.instrument), row[0]);
        assert_eq!((trade.entry_time, trade.exit_time), (time(&row[1]), time(&row[2])));
        assert_eq!(trade.direction.word(), if row[3] == "LONG" { "BUY" } else { "SELL" });
        assert_eq!(trade.quantity.to_string(), row[6]);
        let doubles = [trade.entry_price, trade.exit_price, trade.profit, trade.fees];
        for (ours, place) in doubles.into_iter().zip([4, 5, 7, 8]) {
            assert_bits(ours, &row[place], &format!("{what} column {place}"));
        }
    }
}

/// Time, bars in the window, ema20, ema50, atr, adx, vwap, swing high, swing low, vol_z, signal.
fn assert_window(bars: &[Bar15m], ours: &[Indicators], theirs: &Rows) {
    assert_eq!(ours.len() - 49, theirs.len());
    for (i, row) in (49..).zip(theirs) {
        let Indicators { ema20, ema50, atr, adx, vwap, swing_high, swing_low, .. } = ours[i];
        assert_eq!(bars[i].open_time, time(&row[0]));
        let level = |price: Option<Price>| price.map_or(f64::NAN, Price::rupees);
        let doubles = [ema20, ema50, atr, adx, vwap, level(swing_high), level(swing_low)];
        for (ours, place) in doubles.into_iter().zip(2..) {
            assert_bits(ours, &row[place], &format!("{} column {place}", row[0]));
        }
        let off = (ours[i].vol_z - double(&row[9])).abs();
        assert!(off <= 1e-12, "{}: vol_z is off by {off}", row[0]);
    }
}

/// Everything that the batch run printed, against what we make of `bars`.
fn assert_batch(bars: &[Vec<Bar15m>]) {
    let config = run_of(false).config;
    let events = bars.iter().flat_map(|bars| batch::events(&config, bars).in_hindsight());
    assert_signals(&events.collect::<Vec<_>>(), &reference("batch.signals.csv"));
    for (are_lifted, name) in
        [(false, "batch.fills_default_limits.csv"), (true, "batch.fills_limits_lifted.csv")]
    {
        let outcomes = batch::run_each(&run_of(are_lifted), bars).into_iter();
        let fills: Vec<Vec<Fill>> = outcomes.map(|run| run.in_hindsight().fills).collect();
        assert_fills(&fills.concat(), &reference(name));
        if !are_lifted {
            let trades = fills.iter().flat_map(|fills| {
                let printed = fills.iter().map(|fill| PrintedFill::of(fill, 15));
                trades_as_reported(&printed.collect::<Vec<_>>())
            });
            assert_trades(&trades.collect::<Vec<_>>(), &reference("batch.trades_as_reported.csv"));
        }
    }
}

/// Everything that the live path printed, against what we make of `bars`.
fn assert_live(bars: &[Vec<Bar15m>]) {
    let run = run_of(true);
    let window = live::Window::of(&run.config.strategy);
    let mut alone: Vec<Signal> = bars
        .iter()
        .flat_map(|bars| live::signals(&run.config, bars, window).into_iter().flatten())
        .collect();
    let mut theirs = reference("live.signals_no_execution.csv");
    theirs.sort_by(|one, other| (&one[0], &one[1]).cmp(&(&other[0], &other[1])));
    alone.sort_by_key(|signal| (signal.instrument, signal.bar_time));
    assert_signals(&alone, &theirs);
    let Outcome { signals, fills, .. } = live::run_by_turns(&run, bars);
    assert_signals(&signals, &reference("live.signals.csv"));
    assert_fills(&fills, &reference("live.fills.csv"));
}

#[test]
fn the_batch_run_is_that_of_the_python_system() {
    assert_batch(&reference_frames());
}

#[test]
fn the_limit_of_fills_ends_trading_for_good() {
    let fills = |run: &RunStarted| {
        let runs = batch::run_each(run, &reference_frames()).into_iter();
        runs.map(|run| run.in_hindsight().fills).next().unwrap()
    };
    let all = fills(&run_of(true));
    assert!(all.len() > 100);
    assert_eq!(fills(&run_of(false)), all[..100]);
}

#[test]
fn the_live_path_is_that_of_the_python_system() {
    assert_live(&reference_frames());
}

#[test]
fn the_live_window_sees_what_that_of_the_python_system_sees() {
    let bars = &reference_frames()[0];
    let config = run_of(true).config;
    let ours = live::indicators(&config, bars, live::Window::of(&config.strategy));
    assert_window(bars, &ours, &reference("SYNA.live.indicators.csv"));
}

/// Two days with gaps, one of them a whole bar.
#[test]
fn minutes_make_the_bars_of_the_python_system() {
    let rows = reference("SYNA_1m.csv");
    let price = |field: &String| Price::parse(field).unwrap();
    let bar = |row: &Vec<String>| Bar {
        instrument: InstrumentId(0),
        open_time: time(&row[0]),
        open: price(&row[1]),
        high: price(&row[2]),
        low: price(&row[3]),
        close: price(&row[4]),
        volume: Qty(row[5].parse().unwrap()),
    };
    let minutes: Vec<Bar> = rows.iter().map(bar).collect();
    let columns = BarColumns::from_bars(minutes.iter());
    let bars = resampled(&columns, 15, InstrumentId(0));
    let days = |bar: &&Bar15m| {
        (minutes[0].open_time..=minutes[minutes.len() - 1].open_time).contains(&bar.open_time)
    };
    let mut theirs: Vec<Bar15m> = reference_frames()[0].iter().filter(days).copied().collect();
    assert_eq!(theirs.len(), 49);
    for (bar, ours) in theirs.iter_mut().zip(&bars) {
        // How many minutes a bar has is not printed.
        bar.minutes = ours.minutes;
    }
    assert_eq!(bars, theirs);
    assert_eq!(bars.iter().map(|bar| bar.minutes as usize).sum::<usize>(), minutes.len());
    // The last bar would be handed over by the next day's first minute.
    assert_eq!(released(&columns, 15, InstrumentId(0)), bars[..bars.len() - 1]);
}

#[test]
fn the_two_paths_part_in_21_signals() {
    let config = run_of(true).config;
    let window = live::Window::of(&config.strategy);
    let (mut batch, mut live): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
    for bars in reference_frames() {
        let mut events = batch::events(&config, &bars).in_hindsight();
        events.dedup_by_key(|event| event.bar_time);
        batch.extend(events.iter().map(place));
        live.extend(live::signals(&config, &bars, window).iter().flatten().map(place));
    }
    let agree = batch.iter().filter(|place| live.contains(place)).count();
    assert_eq!((batch.len(), live.len(), agree), (123, 126, 114));
}

/// Which signal it is.
type Place = (InstrumentId, SignalRef);

fn place(signal: &Signal) -> Place {
    (signal.instrument, signal.origin())
}

#[test]
fn of_two_events_on_a_bar_the_first_is_traded() {
    let bars = reference_frames();
    let run = run_of(true);
    let events = bars.iter().flat_map(|bars| batch::events(&run.config, bars).in_hindsight());
    let events: Vec<Signal> = events.collect();
    let doubles: Vec<_> =
        events.windows(2).filter(|pair| pair[0].bar_time == pair[1].bar_time).collect();
    let [[first, second]] = doubles[..] else { panic!("one bar holds two: {doubles:?}") };
    assert_eq!([first.kind.word(), second.kind.word()], ["TREND", "REVERSION"]);
    let runs = batch::run_each(&run, &bars).into_iter();
    let outcome = runs.map(super::LookAhead::in_hindsight).nth(first.instrument.index()).unwrap();
    let traded: Vec<SignalRef> = outcome
        .fills
        .iter()
        .filter(|fill| fill.time == first.time && fill.reason == OrderReason::Entry)
        .map(|fill| fill.origin)
        .collect();
    assert_eq!(traded, [first.origin()]);
}

#[test]
fn what_the_last_five_bars_show_is_not_settled() {
    let config = run_of(true).config;
    let bars = &reference_frames()[1];
    let settled = batch::events(&config, bars).in_hindsight();
    // Cut off anywhere, the events of all but the last five bars are those of the whole.
    let mut unsettled = 0;
    for count in (100..bars.len()).step_by(10) {
        let edge = bars[count - 5].open_time;
        let cut = batch::events(&config, &bars[..count]).in_hindsight();
        let (before, after): (Vec<&Signal>, Vec<&Signal>) =
            cut.iter().partition(|signal| signal.bar_time < edge);
        assert!(before.iter().copied().eq(settled.iter().filter(|s| s.bar_time < edge)));
        unsettled += after.iter().filter(|signal| !settled.contains(signal)).count();
    }
    assert!(unsettled > 0, "no event of a last bar ever vanished");
}

#[test]
fn events_without_quantity_are_dropped_by_the_batch_run_and_traded_by_live() {
    let bars = &first_bars(400)[..1];
    let mut run = run_of(true);
    run.config.strategy.risk_per_trade = crate::domain::money::Cash(1);
    let outcome = batch::run(&run, bars).in_hindsight();
    assert!(outcome.signals.is_empty() && outcome.fills.is_empty());
    let fills = live::run_by_turns(&run, bars).fills;
    assert!(!fills.is_empty());
    assert!(fills.iter().all(|fill| fill.quantity.0 % 75 == 0));
}

#[test]
fn two_symbols_in_one_account_kill_each_other() {
    // The limits of the live launcher: equity is cash and the position of one symbol alone.
    let mut run = run_of(false);
    run.config.execution.daily_loss_max = rupees(5_000);
    run.config.execution.position_max = Qty(100_000);
    let outcome = live::run_by_turns(&run, &first_bars(300));
    assert_eq!((outcome.fills.len(), outcome.halts.len()), (1, 1));
    assert_eq!(outcome.positions.last().map(|held| held.quantity), Some(Qty(275)));
    // Alone, neither is.
    for (place, alone) in first_bars(300).into_iter().enumerate() {
        let mut bars = vec![Vec::new(), Vec::new()];
        bars[place] = alone;
        assert!(live::run_by_turns(&run, &bars).fills.len() > 1);
    }
}

#[test]
fn instruments_take_turns_whatever_the_clock_says() {
    let bars_of = |id: u16, labels: &[&str]| {
        let rows: Vec<Bar> =
            labels.iter().map(|label| minute(time(label), "100 100 100 100")).collect();
        resampled(&BarColumns::from_bars(rows.iter()), 15, InstrumentId(id))
    };
    let bars = [bars_of(0, &["09:15", "09:45"]), bars_of(1, &["09:15", "09:30", "09:45"])];
    let seen = live::run_by_turns(&run_of(true), &bars).bars;
    let order = seen.iter().map(|bar| format!("{} {}", bar.instrument.0, bar.open_time));
    insta::assert_snapshot!(order.collect::<Vec<_>>().join("\n"), @r"
    0 2024-10-01T09:15
    1 2024-10-01T09:15
    0 2024-10-01T09:45
    1 2024-10-01T09:30
    1 2024-10-01T09:45
    ");
}

/// The two ends of what can be varied are the two paths, whether asked bar by bar or all at once.
#[test]
fn the_variants_are_the_paths_that_they_are_named_for() {
    use super::variant::{Swings, Variant};
    let config = run_of(true).config;
    let bars = &reference_frames()[1];
    let all = |variant: &Variant| variant.all(bars).in_hindsight().concat();
    let by_bar = |variant: &Variant, count: usize| -> Vec<Signal> {
        (0..count).flat_map(|i| variant.at(bars, i).in_hindsight()).collect()
    };
    let batch = Variant::compat_batch(&config);
    assert_eq!(all(&batch), batch::events(&config, bars).in_hindsight());
    let early = |signals: Vec<Signal>| -> Vec<Signal> {
        signals.into_iter().filter(|signal| signal.bar_time < bars[300].open_time).collect()
    };
    for variant in [&batch, &Variant::causal(&config)] {
        assert_eq!(by_bar(variant, 300), early(all(variant)));
        assert!(!early(all(variant)).is_empty());
    }
    let live = Variant::compat_live(&config);
    let window = live::Window::of(&config.strategy);
    let first: Vec<Signal> = live
        .all(bars)
        .in_hindsight()
        .into_iter()
        .filter_map(|events| events.into_iter().next())
        .collect();
    let alone: Vec<Signal> = live::signals(&config, bars, window).into_iter().flatten().collect();
    assert_eq!(first, alone);
    // A live rule that sees a whole swing period ahead blocks what the batch run blocks.
    let shown = Variant { swings: Swings::Truncated { ahead: 5 }, ..live };
    assert_ne!(all(&shown).len(), alone.len());
}
