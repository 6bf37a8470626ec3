//! Indicators as the Python system has them live (rules 7.2): computed anew at every bar over the
//! last 100 bars. Each mean is seeded at the window's first bar, so it moves when that bar leaves.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::config::COMPAT_LIVE_WINDOW;
use crate::domain::fact::{Bar15m, Indicators};
use crate::domain::money::{Price, Qty};

use super::direction::{Direction, Range};
use super::kernel::{COM_14, Kernel};
use super::volume::{Deviation, SessionMean, SessionVwap};
use super::{COM_EMA20, COM_EMA50};

/// Bars below which the average true range is 0.
const ATR_BARS_MIN: usize = 15;
/// Bars below which the directional index is 0.
const ADX_BARS_MIN: usize = 28;

/// The last bars of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndicatorWindow {
    swing_period: usize,
    bars: VecDeque<Bar15m>,
}

impl IndicatorWindow {
    /// An empty window; `swing_period` is the bars on either side of a swing.
    pub fn new(swing_period: u32) -> IndicatorWindow {
        let bars = VecDeque::with_capacity(COMPAT_LIVE_WINDOW);
        IndicatorWindow { swing_period: swing_period as usize, bars }
    }

    /// Takes the next bar and gives the values after it, and the `ema20` that the same window has
    /// at the bar before (NaN without one).
    pub fn update(&mut self, bar: &Bar15m) -> (Indicators, f64) {
        if self.bars.len() == COMPAT_LIVE_WINDOW {
            self.bars.pop_front();
        }
        self.bars.push_back(*bar);
        let means = self.means();
        let row = Indicators {
            instrument: bar.instrument,
            open_time: bar.open_time,
            ema20: means.ema20,
            ema50: means.ema50,
            atr: if self.bars.len() < ATR_BARS_MIN { 0.0 } else { means.atr },
            adx: if self.bars.len() < ADX_BARS_MIN { 0.0 } else { means.adx },
            vwap: self.vwap(),
            vol_z: self.vol_z(bar.volume),
            swing_high: self.last_extreme(|bar| bar.high, |neighbour, middle| neighbour <= middle),
            swing_low: self.last_extreme(|bar| bar.low, |neighbour, middle| neighbour >= middle),
        };
        (row, means.ema20_before)
    }

    fn means(&self) -> Means {
        let (mut ema20, mut ema50) = (Kernel::new(COM_EMA20, 1), Kernel::new(COM_EMA50, 1));
        let (mut range, mut direction) = (Range::default(), Direction::new());
        let mut atr = Kernel::new(COM_14, 14);
        let nan = f64::NAN;
        let mut means = Means { ema20: nan, ema20_before: nan, ema50: nan, atr: nan, adx: nan };
        for bar in &self.bars {
            let (close, true_range) = (bar.close.rupees(), range.update(bar));
            means = Means {
                ema20_before: means.ema20,
                ema20: ema20.update(close),
                ema50: ema50.update(close),
                atr: atr.update(true_range),
                adx: direction.update(bar, true_range),
            };
        }
        means
    }

    /// Whether there is any volume is a question to the whole window, not to the day.
    fn vwap(&self) -> f64 {
        let (mut weighted, mut plain) = (SessionVwap::default(), SessionMean::default());
        let mut vwap = (f64::NAN, f64::NAN);
        for bar in &self.bars {
            vwap = (weighted.update(bar), plain.update(bar));
        }
        let has_volume = self.bars.iter().any(|bar| bar.volume > Qty::ZERO);
        if has_volume { vwap.0 } else { vwap.1 }
    }

    fn vol_z(&self, newest: Qty) -> f64 {
        let mut deviation = Deviation::default();
        self.bars.iter().for_each(|bar| deviation.add(bar.volume));
        deviation.of(newest)
    }

    /// The value of the newest bar before the last that is the extreme of the bars near it. Bars
    /// that have not come yet take no part, so a swing may be lost again when they come.
    fn last_extreme(
        &self,
        value: impl Fn(&Bar15m) -> Price,
        bows_to: impl Fn(Price, Price) -> bool,
    ) -> Option<Price> {
        let (period, last) = (self.swing_period, self.bars.len().saturating_sub(1));
        let is_extreme = |place: &usize| {
            let middle = value(&self.bars[*place]);
            let near = self.bars.range(place - period..=(place + period).min(last));
            near.into_iter().all(|bar| bows_to(value(bar), middle))
        };
        (period + 1..last).rev().find(is_extreme).map(|place| value(&self.bars[place]))
    }
}

/// What runs through the window from its first bar to its last.
struct Means {
    ema20: f64,
    ema20_before: f64,
    ema50: f64,
    atr: f64,
    adx: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::time::Timestamp;

    fn bar(place: i64, high: i64, low: i64, volume: i64) -> Bar15m {
        let open_time = Timestamp::parse("2024-10-01T09:15").unwrap().plus_minutes(15 * place);
        let price = |rupees: i64| Price(rupees * 10_000);
        Bar15m {
            instrument: InstrumentId(0),
            open_time,
            close_time: open_time.plus_minutes(15),
            open: price(low),
            high: price(high),
            low: price(low),
            close: price(low),
            volume: Qty(volume),
            minutes: 15,
            minutes_expected: 15,
        }
    }

    /// The swing highs after each bar of these highs, `-` for none.
    fn swing_highs(period: u32, highs: &[i64]) -> String {
        let mut window = IndicatorWindow::new(period);
        let shown = (0..).zip(highs).map(|(place, high)| {
            let (row, _) = window.update(&bar(place, *high, 1, 1));
            row.swing_high.map_or("-".into(), |swing| alloc::format!("{}", swing.0 / 10_000))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_swing_is_there_at_once_and_gone_when_it_is_beaten() {
        assert_eq!(swing_highs(1, &[1, 2, 5, 4, 6, 3]), "- - - 5 5 6", "the first that may is 2");
        assert_eq!(swing_highs(2, &[1, 1, 1, 7, 5, 8, 2]), "- - - - 7 - 8", "7 is beaten by 8");
        assert_eq!(swing_highs(1, &[9, 9, 3, 3, 3]), "- - - - 3", "place 1 never is one, ties are");
    }

    #[test]
    fn short_windows_have_no_range_and_no_direction() {
        let mut window = IndicatorWindow::new(5);
        let known: Vec<(bool, bool)> = (0..30)
            .map(|place| window.update(&bar(place, 101 + place % 3, 100, 1)).0)
            .map(|row| (row.atr != 0.0, row.adx != 0.0))
            .collect();
        assert_eq!(known[13..15], [(false, false), (true, false)]);
        assert_eq!(known[26..28], [(true, false), (true, true)]);
    }

    #[test]
    fn the_window_forgets_what_is_a_hundred_bars_old() {
        let (mut long, mut short) = (IndicatorWindow::new(5), IndicatorWindow::new(5));
        long.update(&bar(0, 900, 800, 1_000_000));
        let pair = |place| bar(place, 110 + place % 7, 100 + place % 5, 1_000 + place % 11);
        for place in 1..100 {
            assert_ne!(long.update(&pair(place)).0, short.update(&pair(place)).0, "{place}");
        }
        assert_eq!(long.update(&pair(100)), short.update(&pair(100)));
    }

    #[test]
    fn without_any_volume_the_day_has_a_plain_mean() {
        let mut window = IndicatorWindow::new(5);
        window.update(&bar(0, 103, 100, 0));
        assert_eq!(window.update(&bar(1, 106, 100, 0)).0.vwap, 101.5);
        assert_eq!(window.update(&bar(2, 106, 100, 7)).0.vwap, 102.0, "now it is weighted");
    }

    #[test]
    fn a_day_without_volume_in_a_window_with_some_has_no_vwap() {
        let mut window = IndicatorWindow::new(5);
        window.update(&bar(0, 103, 100, 5));
        assert!(window.update(&bar(96, 103, 100, 0)).0.vwap.is_nan());
    }
}
