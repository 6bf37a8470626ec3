//! Columns of what conditions compare, and the signals where they hold (rules 4).

use std::ops::Range;

use arrow::array::{Float64Array, Int64Array};

use super::indicators::{IndicatorColumns, rupees};
use crate::domain::config::RunConfig;
use crate::domain::fact::{Bar15m, Signal, SignalKind};
use crate::domain::money::{Price, Qty, Side};

/// Everything that conditions compare, in rupees; NaN where there is nothing, so that every
/// comparison with it is false.
struct Terms<'a> {
    close: Float64Array,
    previous: Float64Array,
    swing_high: Float64Array,
    swing_low: Float64Array,
    lower_band: Float64Array,
    upper_band: Float64Array,
    gate: Float64Array,
    of: &'a IndicatorColumns,
}

/// One comparison: it holds where `above` > `below`, or `>=` where equality is enough. Its margin
/// is the difference.
struct Comparison<'a> {
    above: &'a Float64Array,
    below: &'a Float64Array,
    or_equal: bool,
}

impl Comparison<'_> {
    fn holds(&self, i: usize) -> bool {
        let (above, below) = (self.above.value(i), self.below.value(i));
        above > below || (self.or_equal && above == below)
    }

    fn margin(&self, i: usize) -> f64 {
        self.above.value(i) - self.below.value(i)
    }
}

/// Comparisons that make a signal where all of them hold.
struct Condition<'a> {
    side: Side,
    kind: SignalKind,
    comparisons: Vec<Comparison<'a>>,
}

/// The signal of each bar, if it has one.
pub fn of(config: &RunConfig, bars: &[Bar15m], columns: &IndicatorColumns) -> Vec<Option<Signal>> {
    let first = config.strategy.first_bar as usize;
    let hits = hits(config, bars, columns, first..bars.len());
    hits.into_iter().map(|hits| hits.into_iter().next()).collect()
}

/// A signal for every condition that holds, bar by bar, in the order in which they are tried. Only
/// the bars in `evaluated` can have any.
pub fn hits(
    config: &RunConfig,
    bars: &[Bar15m],
    columns: &IndicatorColumns,
    evaluated: Range<usize>,
) -> Vec<Vec<Signal>> {
    let terms = Terms::of(config, bars, columns);
    let conditions = terms.conditions();
    let is_met = |met: &&Condition<'_>, i| met.comparisons.iter().all(|one| one.holds(i));
    (0..bars.len())
        .map(|i| {
            if !evaluated.contains(&i) || bars[i].close_time <= config.active_from {
                return Vec::new();
            }
            let met = conditions.iter().filter(|condition| is_met(condition, i));
            met.map(|met| terms.signal(config, met, &bars[i], i)).collect()
        })
        .collect()
}

impl<'a> Terms<'a> {
    fn of(config: &RunConfig, bars: &[Bar15m], columns: &'a IndicatorColumns) -> Terms<'a> {
        let k = config.strategy.reversion_k;
        let close = rupees(bars, |bar| bar.close);
        let band = |edge: fn(f64, f64) -> f64| {
            let pairs = columns.vwap.values().iter().zip(columns.atr.values());
            Float64Array::from_iter_values(pairs.map(|(&vwap, &atr)| edge(vwap, k * atr)))
        };
        let before = [f64::NAN].into_iter().chain(close.values().iter().copied());
        Terms {
            previous: Float64Array::from_iter_values(before.take(bars.len())),
            swing_high: levels(&columns.swing_high),
            swing_low: levels(&columns.swing_low),
            lower_band: band(|vwap, distance| vwap - distance),
            upper_band: band(|vwap, distance| vwap + distance),
            gate: Float64Array::from_value(config.strategy.adx_gate, bars.len()),
            of: columns,
            close,
        }
    }

    /// The conditions in the order in which they are tried, each comparison in the order of
    /// [`crate::domain::fact::margin_names`].
    fn conditions(&self) -> [Condition<'_>; 4] {
        let IndicatorColumns { ema20, ema50, adx, vwap, .. } = self.of;
        let Terms { close, previous, swing_high, swing_low, lower_band, upper_band, gate, .. } =
            self;
        let over = |above, below| Comparison { above, below, or_equal: false };
        let not_under = |above, below| Comparison { above, below, or_equal: true };
        [
            Condition {
                side: Side::Buy,
                kind: SignalKind::Trend,
                comparisons: vec![
                    over(close, vwap),
                    over(ema20, ema50),
                    not_under(swing_high, previous),
                    over(close, swing_high),
                ],
            },
            Condition {
                side: Side::Sell,
                kind: SignalKind::Trend,
                comparisons: vec![
                    over(vwap, close),
                    over(ema50, ema20),
                    not_under(previous, swing_low),
                    over(swing_low, close),
                ],
            },
            Condition {
                side: Side::Buy,
                kind: SignalKind::Reversion,
                comparisons: vec![
                    over(gate, adx),
                    over(lower_band, previous),
                    not_under(close, lower_band),
                ],
            },
            Condition {
                side: Side::Sell,
                kind: SignalKind::Reversion,
                comparisons: vec![
                    over(gate, adx),
                    over(previous, upper_band),
                    not_under(upper_band, close),
                ],
            },
        ]
    }

    fn signal(&self, config: &RunConfig, met: &Condition<'_>, bar: &Bar15m, i: usize) -> Signal {
        let (close, atr, vwap) = (self.close.value(i), self.of.atr.value(i), self.of.vwap.value(i));
        // A condition compares with the close before, so a bar with a signal is not the first.
        let (ema, ema_before) = (self.of.ema20.value(i), self.of.ema20.value(i - 1));
        let (quantity, stop, target) = size(config, met.side, close, atr);
        Signal {
            instrument: bar.instrument,
            bar_time: bar.open_time,
            time: bar.close_time,
            side: met.side,
            kind: met.kind,
            price: bar.close,
            quantity,
            stop,
            target,
            atr,
            vwap_dist: if vwap == 0.0 { 0.0 } else { (close - vwap) / vwap },
            ema_slope: (ema - ema_before) / ema_before,
            atr_pct: atr / close,
            adx: self.of.adx.value(i),
            vol_z: self.of.vol_z.value(i),
            margins: met.comparisons.iter().map(|comparison| comparison.margin(i)).collect(),
        }
    }
}

/// Nullable prices as doubles in rupees, NaN for null.
fn levels(prices: &Int64Array) -> Float64Array {
    let rupees = |price: Option<i64>| price.map_or(f64::NAN, |units| Price(units).rupees());
    Float64Array::from_iter_values(prices.iter().map(rupees))
}

/// Quantity, stop and target.
fn size(config: &RunConfig, side: Side, close: f64, atr: f64) -> (Qty, Price, Price) {
    if !(close > 0.0 && atr > 0.0) {
        return (Qty::ZERO, Price(0), Price(0));
    }
    let cap = config.execution.capital.rupees() * f64::from(config.strategy.leverage);
    let mut quantity = (config.strategy.risk_per_trade.rupees() / atr).trunc();
    if quantity * close > cap {
        quantity = (cap / close).trunc();
    }
    let (stop, target) = match side {
        Side::Buy => (close - atr, close + 2.0 * atr),
        Side::Sell => (close + atr, close - 2.0 * atr),
    };
    (Qty(quantity as i64), paise(stop), paise(target))
}

/// Rounded to two decimals from the exact value, ties to even; nothing below zero.
fn paise(rupees: f64) -> Price {
    if rupees > 0.0 { Price::parse(&format!("{rupees:.2}")).unwrap_or_default() } else { Price(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::testing::{price, reference, reference_bars, run_started, time};
    use crate::domain::fact::margin_names;
    use crate::domain::money::Cash;

    /// The signals of a reference symbol.
    fn signals_of(symbol: &str) -> Vec<Signal> {
        let bars = reference_bars(&reference(&format!("{symbol}.csv")), 0);
        let columns = IndicatorColumns::of(&bars, 5);
        let config = run_started(&[symbol], &[]).config;
        of(&config, &bars, &columns).into_iter().flatten().collect()
    }

    /// A swing can only block a signal, so those of the run that looks ahead are all here.
    #[test]
    fn every_signal_of_the_batch_run_is_a_causal_one_of_the_same_size() {
        for symbol in ["SYNA", "SYNB"] {
            let ours = signals_of(symbol);
            let mut theirs: Vec<Vec<String>> = reference("batch.signals.csv")
                .into_iter()
                .filter(|row| row[0].ends_with(symbol))
                .collect();
            // Only the first signal of a bar counts.
            theirs.dedup_by(|next, first| next[1] == first[1]);
            assert!(theirs.len() > 40);
            for row in theirs {
                let signal = ours.iter().find(|signal| signal.bar_time == time(&row[1])).unwrap();
                assert_eq!((signal.side.word(), signal.kind.word()), (&row[2][..], &row[3][..]));
                let sized = (signal.price, signal.stop, signal.target, signal.quantity.to_string());
                assert_eq!(sized, (price(&row[4]), price(&row[6]), price(&row[7]), row[8].clone()));
            }
        }
    }

    #[test]
    fn margins_have_their_names_and_none_is_negative() {
        for signal in [signals_of("SYNA"), signals_of("SYNB")].concat() {
            assert_eq!(signal.margins.len(), margin_names(signal.kind).len());
            assert!(signal.margins.iter().all(|margin| *margin >= 0.0), "{signal:?}");
        }
    }

    #[test]
    fn history_makes_no_signal() {
        let bars = reference_bars(&reference("SYNA.csv"), 0);
        let columns = IndicatorColumns::of(&bars, 5);
        let mut config = run_started(&["A"], &[]).config;
        let all: Vec<Signal> = of(&config, &bars, &columns).into_iter().flatten().collect();
        config.active_from = all[0].time;
        let active: Vec<Signal> = of(&config, &bars, &columns).into_iter().flatten().collect();
        assert_eq!(active, all[1..]);
    }

    #[test]
    fn the_capital_caps_the_quantity() {
        let mut config = run_started(&["A"], &[]).config;
        config.execution.capital = Cash::from_rupees(1_000);
        let (free, ..) = size(&config, Side::Buy, 10.0, 1.0);
        let (capped, stop, target) = size(&config, Side::Sell, 10.03, 1.0);
        assert_eq!((free, capped), (Qty(500), Qty(498)));
        assert_eq!((stop, target), (price("11.03"), price("8.03")));
    }

    #[test]
    fn an_unknown_range_gives_no_quantity() {
        let config = run_started(&["A"], &[]).config;
        for atr in [f64::NAN, 0.0] {
            assert_eq!(size(&config, Side::Buy, 10.0, atr), (Qty::ZERO, Price(0), Price(0)));
        }
    }

    #[test]
    fn levels_are_rounded_from_the_exact_double() {
        // 2.675 lies below, 0.125 exactly on the middle.
        let rounded = [2.675, 0.125, 0.375, 0.004, -1.0].map(|level| paise(level).to_string());
        assert_eq!(rounded, ["2.67", "0.12", "0.38", "0.00", "0.00"]);
    }
}
