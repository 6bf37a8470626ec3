//! Columns of indicator values over all strategy bars of one instrument (rules 3). Results are
//! compared by bits, so the order of every operation is that of the rules.

use arrow::array::{Array, Float64Array, Int64Array};

use super::swings::{self, SwingRule};
use crate::domain::fact::{Bar15m, Indicators};
use crate::domain::money::Price;

/// Center of mass of Wilder's smoothing over 14 bars.
const COM_14: f64 = (1.0 - 1.0 / 14.0) / (1.0 / 14.0);
/// Bars that the volume is compared with.
const VOLUME_BARS: usize = 100;
/// Bars without which a volume is not compared.
const VOLUME_BARS_MIN: usize = 20;
/// Bars without which the Python system gives 0 for the ATR, and for the ADX.
const PYTHON_ATR_BARS_MIN: usize = 15;
const PYTHON_ADX_BARS_MIN: usize = 28;

/// One value per bar and indicator; NaN or null where it is not known.
pub struct IndicatorColumns {
    /// Exponential mean of the close, span 20.
    pub ema20: Float64Array,
    /// Exponential mean of the close, span 50.
    pub ema50: Float64Array,
    /// Average true range.
    pub atr: Float64Array,
    /// Average directional index.
    pub adx: Float64Array,
    /// Volume-weighted average price of the day so far.
    pub vwap: Float64Array,
    /// Deviation of the volume.
    pub vol_z: Float64Array,
    /// Last swing high, 1/10,000 rupee.
    pub swing_high: Int64Array,
    /// Last swing low, 1/10,000 rupee.
    pub swing_low: Int64Array,
}

impl IndicatorColumns {
    /// All columns of `bars`, which ascend by time, with swings known once they are confirmed.
    pub fn of(bars: &[Bar15m], swing_period: usize) -> IndicatorColumns {
        IndicatorColumns::with_swings(bars, swings::confirmed, swing_period)
    }

    /// The columns as the Python system has them (rules 8.2): short series and a series without
    /// any volume are cases of their own, and the rule for swings is given.
    pub fn of_python(bars: &[Bar15m], swing_rule: SwingRule, period: usize) -> IndicatorColumns {
        let columns = IndicatorColumns::with_swings(bars, swing_rule, period);
        let zeros_below = |count_min, column: Float64Array| match bars.len() {
            count if count < count_min => Float64Array::from_value(0.0, count),
            _ => column,
        };
        let has_volume = bars.iter().any(|bar| bar.volume.0 != 0);
        IndicatorColumns {
            atr: zeros_below(PYTHON_ATR_BARS_MIN, columns.atr),
            adx: zeros_below(PYTHON_ADX_BARS_MIN, columns.adx),
            vwap: if has_volume { columns.vwap } else { session_mean(bars) },
            ..columns
        }
    }

    fn with_swings(bars: &[Bar15m], swing_rule: SwingRule, period: usize) -> IndicatorColumns {
        let close = rupees(bars, |bar| bar.close);
        let high = rupees(bars, |bar| bar.high);
        let low = rupees(bars, |bar| bar.low);
        let range = true_range(&high, &low, &close);
        let swings_of = |level: fn(&Bar15m) -> i64| {
            let levels: Vec<i64> = bars.iter().map(level).collect();
            Int64Array::from(swing_rule(&levels, period))
        };
        IndicatorColumns {
            ema20: exponential_mean(&close, 9.5, 1),
            ema50: exponential_mean(&close, 24.5, 1),
            atr: exponential_mean(&range, COM_14, 14),
            adx: directional_index(&high, &low, &range),
            vwap: session_vwap(bars),
            vol_z: volume_deviation(bars, VOLUME_BARS_MIN),
            swing_high: swings_of(|bar| bar.high.0),
            swing_low: swings_of(|bar| -bar.low.0).unary(|negated| -negated),
        }
    }

    /// The same, one row per bar.
    pub fn rows(&self, bars: &[Bar15m]) -> Vec<Indicators> {
        let price = |column: &Int64Array, i| column.is_valid(i).then(|| Price(column.value(i)));
        (0..bars.len())
            .map(|i| Indicators {
                instrument: bars[i].instrument,
                open_time: bars[i].open_time,
                ema20: self.ema20.value(i),
                ema50: self.ema50.value(i),
                atr: self.atr.value(i),
                adx: self.adx.value(i),
                vwap: self.vwap.value(i),
                vol_z: self.vol_z.value(i),
                swing_high: price(&self.swing_high, i),
                swing_low: price(&self.swing_low, i),
            })
            .collect()
    }
}

/// A column of prices as doubles.
pub fn rupees(bars: &[Bar15m], price: fn(&Bar15m) -> Price) -> Float64Array {
    Float64Array::from_iter_values(bars.iter().map(|bar| price(bar).rupees()))
}

/// Kernel E: the pandas mean `ewm(com, min_periods, adjust=False, ignore_na=False)`.
fn exponential_mean(x: &Float64Array, com: f64, count_min: usize) -> Float64Array {
    let alpha = 1.0 / (1.0 + com);
    let factor = 1.0 - alpha;
    let (mut mean, mut old_weight, mut count) = (f64::NAN, 1.0, 0);
    let step = |(i, &x): (usize, &f64)| {
        if i == 0 {
            mean = x;
        } else if !mean.is_nan() {
            old_weight *= factor;
            if !x.is_nan() {
                if mean != x {
                    mean = (old_weight * mean + alpha * x) / (old_weight + alpha);
                }
                old_weight = 1.0;
            }
        } else if !x.is_nan() {
            mean = x;
        }
        count += usize::from(!x.is_nan());
        if count >= count_min { mean } else { f64::NAN }
    };
    Float64Array::from_iter_values(x.values().iter().enumerate().map(step))
}

fn true_range(high: &Float64Array, low: &Float64Array, close: &Float64Array) -> Float64Array {
    let (high, low, close) = (high.values(), low.values(), close.values());
    Float64Array::from_iter_values((0..close.len()).map(|i| match i {
        0 => high[0] - low[0],
        _ => {
            let previous = close[i - 1];
            (high[i] - low[i]).max((high[i] - previous).abs()).max((low[i] - previous).abs())
        }
    }))
}

fn directional_index(
    high: &Float64Array,
    low: &Float64Array,
    range: &Float64Array,
) -> Float64Array {
    let (high, low) = (high.values(), low.values());
    let moves = (0..high.len()).map(|i| match i {
        0 => (f64::NAN, f64::NAN),
        _ => directional_move(high[i] - high[i - 1], low[i - 1] - low[i]),
    });
    let (up, down): (Vec<f64>, Vec<f64>) = moves.unzip();
    let range = exponential_mean(range, COM_14, 1);
    let up = exponential_mean(&up.into(), COM_14, 1);
    let down = exponential_mean(&down.into(), COM_14, 1);
    let index = Float64Array::from_iter_values((0..high.len()).map(|i| {
        let plus = 100.0 * (up.value(i) / range.value(i));
        let minus = 100.0 * (down.value(i) / range.value(i));
        let sum = plus + minus;
        // NaN is written out: a computed one may have other bits.
        if sum.is_nan() || sum == 0.0 { f64::NAN } else { (100.0 * (plus - minus).abs()) / sum }
    }));
    exponential_mean(&index, COM_14, 1)
}

/// Only the larger of the two moves counts, and only if it is positive. The order of the four
/// comparisons decides what becomes of a tie.
fn directional_move(mut up: f64, mut down: f64) -> (f64, f64) {
    if up < 0.0 {
        up = 0.0;
    }
    if up < down {
        up = 0.0;
    }
    if down < 0.0 {
        down = 0.0;
    }
    if down < up {
        down = 0.0;
    }
    (up, down)
}

/// (h + l + c) / 3, added in this order.
fn typical(bar: &Bar15m) -> f64 {
    (bar.high.rupees() + bar.low.rupees() + bar.close.rupees()) / 3.0
}

/// A sum that carries what the last addition lost into the next.
#[derive(Default)]
struct KahanSum {
    sum: f64,
    compensation: f64,
}

impl KahanSum {
    /// The sum with `x`.
    fn add(&mut self, x: f64) -> f64 {
        let y = x - self.compensation;
        let t = self.sum + y;
        self.compensation = (t - self.sum) - y;
        self.sum = t;
        t
    }
}

/// The bars of each date.
fn days(bars: &[Bar15m]) -> impl Iterator<Item = &[Bar15m]> {
    bars.chunk_by(|one, next| one.open_time.date() == next.open_time.date())
}

/// Per date: Kahan sum of typical price x volume, over the sum of volumes.
fn session_vwap(bars: &[Bar15m]) -> Float64Array {
    let mut column = Vec::with_capacity(bars.len());
    for day in days(bars) {
        let (mut worth, mut volume) = (KahanSum::default(), 0);
        for bar in day {
            let sum = worth.add(typical(bar) * bar.volume.0 as f64);
            volume += bar.volume.0;
            column.push(if volume == 0 { f64::NAN } else { sum / volume as f64 });
        }
    }
    column.into()
}

/// Per date: mean of the typical prices so far, which stands in for a VWAP where no bar of the
/// series has any volume. A mean of equal values is that value.
fn session_mean(bars: &[Bar15m]) -> Float64Array {
    let mut column = Vec::with_capacity(bars.len());
    for day in days(bars) {
        let (mut total, first, mut is_level) = (KahanSum::default(), typical(&day[0]), true);
        for (count, bar) in (1_u32..).zip(day) {
            let x = typical(bar);
            is_level &= x == first;
            let mean = total.add(x) / f64::from(count);
            column.push(if is_level { first } else { mean });
        }
    }
    column.into()
}

/// Standard score of the volume among the last bars, exact up to the last three operations; 0 while
/// there are fewer bars than `count_min`.
pub fn volume_deviation(bars: &[Bar15m], count_min: usize) -> Float64Array {
    // Sums of everything before each bar; integers, so a difference of two is exact.
    let mut sums = vec![(0_i128, 0_i128)];
    for (i, bar) in bars.iter().enumerate() {
        let volume = i128::from(bar.volume.0);
        sums.push((sums[i].0 + volume, sums[i].1 + volume * volume));
    }
    Float64Array::from_iter_values((0..bars.len()).map(|i| {
        let from = (i + 1).saturating_sub(VOLUME_BARS);
        let count = i + 1 - from;
        if count < count_min {
            return 0.0;
        }
        let n = count as i128;
        let (sum, squares) = (sums[i + 1].0 - sums[from].0, sums[i + 1].1 - sums[from].1);
        let spread = n * squares - sum * sum;
        if spread == 0 {
            return 0.0;
        }
        let mean_deviation = (n * i128::from(bars[i].volume.0) - sum) as f64 / n as f64;
        let variance = spread as f64 / (n * (n - 1)) as f64;
        mean_deviation / variance.sqrt()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::testing::{price, reference, reference_bars};

    /// Reads a reference column; an empty field is NaN.
    fn column(rows: &[Vec<String>], place: usize) -> Vec<f64> {
        let read =
            |field: &String| if field.is_empty() { f64::NAN } else { field.parse().unwrap() };
        rows.iter().map(|row| read(&row[place])).collect()
    }

    /// The columns that are reproduced to the last bit, and where they stand.
    fn exact_columns(columns: &IndicatorColumns) -> [(&'static str, &Float64Array, usize); 5] {
        [
            ("ema20", &columns.ema20, 6),
            ("ema50", &columns.ema50, 7),
            ("atr", &columns.atr, 8),
            ("adx", &columns.adx, 9),
            ("vwap", &columns.vwap, 10),
        ]
    }

    #[test]
    fn every_bit_is_that_of_the_python_system() {
        for file in ["SYNA.csv", "SYNB.csv"] {
            let rows = reference(file);
            let columns = IndicatorColumns::of(&reference_bars(&rows, 0), 5);
            for (name, ours, place) in exact_columns(&columns) {
                for (i, theirs) in column(&rows, place).iter().enumerate() {
                    let ours = ours.value(i);
                    let same = ours.to_bits() == theirs.to_bits();
                    assert!(same, "{file} {} {name}: {ours} is not {theirs}", rows[i][0]);
                }
            }
            for (i, theirs) in column(&rows, 11).iter().enumerate() {
                let off = (columns.vol_z.value(i) - theirs).abs();
                assert!(off <= 1e-12, "{file} {} vol_z is off by {off}", rows[i][0]);
            }
        }
    }

    #[test]
    fn a_swing_is_known_five_bars_after_the_batch_run_saw_it() {
        for file in ["SYNA.csv", "SYNB.csv"] {
            let rows = reference(file);
            let columns = IndicatorColumns::of(&reference_bars(&rows, 0), 5);
            for (ours, place) in [(&columns.swing_high, 12), (&columns.swing_low, 13)] {
                for i in 0..rows.len() {
                    let theirs = i.checked_sub(5).map_or("", |j| &rows[j][place]);
                    let theirs = (!theirs.is_empty()).then(|| price(theirs));
                    let ours = ours.is_valid(i).then(|| Price(ours.value(i)));
                    assert_eq!(ours, theirs, "{file} {} column {place}", rows[i][0]);
                }
            }
        }
    }

    #[test]
    fn the_kernel_skips_what_is_no_number_but_lets_its_weight_fade() {
        let x = Float64Array::from(vec![f64::NAN, 4.0, f64::NAN, 1.0]);
        let mean = exponential_mean(&x, 1.0, 2);
        // At the last value the old weight is a quarter, the new one a half.
        let expected = (0.25 * 4.0 + 0.5 * 1.0) / 0.75;
        assert!(mean.value(0).is_nan() && mean.value(1).is_nan() && mean.value(2).is_nan());
        assert_eq!(mean.value(3), expected);
    }

    #[test]
    fn a_day_without_volume_has_no_vwap() {
        let rows = reference("SYNA.csv");
        let mut bars = reference_bars(&rows[..2], 0);
        bars[0].volume.0 = 0;
        let columns = IndicatorColumns::of(&bars, 5);
        assert!(columns.vwap.value(0).is_nan());
        assert!(!columns.vwap.value(1).is_nan());
    }

    #[test]
    fn short_series_and_those_without_volume_are_cases_of_their_own_in_python() {
        let mut bars = reference_bars(&reference("SYNA.csv")[..30], 0);
        let of = |bars: &[Bar15m]| IndicatorColumns::of_python(bars, swings::confirmed, 5);
        let last = |column: &Float64Array| column.value(column.len() - 1);
        let known = |count: usize| {
            let columns = of(&bars[..count]);
            (last(&columns.atr) != 0.0, last(&columns.adx) != 0.0)
        };
        assert_eq!(
            [14, 15, 27, 28].map(known),
            [(false, false), (true, false), (true, false), (true, true)]
        );
        assert!(of(&bars).vwap.value(0) == of(&bars[..1]).vwap.value(0));
        // One share anywhere, and a day without any has no VWAP; none at all, and it has a mean.
        bars.iter_mut().for_each(|bar| bar.volume.0 = 0);
        let mean = of(&bars).vwap;
        assert_eq!(mean.value(1), (typical(&bars[0]) + typical(&bars[1])) / 2.0);
        assert_eq!(mean.value(25), typical(&bars[25]), "the second day starts anew");
        bars[29].volume.0 = 1;
        assert!(of(&bars).vwap.value(28).is_nan());
    }

    #[test]
    fn a_mean_of_equal_prices_is_that_price() {
        let mut bars = reference_bars(&reference("SYNA.csv")[..20], 0);
        for bar in &mut bars {
            (bar.high, bar.low, bar.close) = (price("0.7"), price("0.1"), price("0.3"));
        }
        let level = typical(&bars[0]);
        assert!(session_mean(&bars).values().iter().all(|mean| mean.to_bits() == level.to_bits()));
    }
}
