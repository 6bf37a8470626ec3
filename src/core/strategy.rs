//! The strategy (rules 4 and 7): four conditions, the first that holds makes the bar's signal. The
//! profiles differ in what they look at, not in the conditions.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::config::{
    COMPAT_LIVE_BARS_MIN, COMPAT_LIVE_SIZING_CAPITAL, Profile, StrategyConfig,
};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Indicators, Signal, SignalKind};
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

use super::aggregate::Known;
use super::indicator::IndicatorSet;
use super::indicator::window::IndicatorWindow;

/// The strategy over all instruments of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Strategy {
    config: StrategyConfig,
    /// What sizes are capped by.
    capital: Cash,
    /// Index of the first bar that is evaluated.
    first_bar: u32,
    active_from: Timestamp,
    lanes: Vec<History>,
    memory: Memory,
    days: Vec<Day>,
    /// Whether [`Day`]s are kept: only where an archive may complete them.
    keeps_days: bool,
    /// Whether a bar that was told is another one now.
    is_revised: bool,
}

/// What the strategy remembers of one instrument under every profile.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct History {
    bars: u32,
    previous_close: f64,
    previous_ema20: f64,
}

/// The bars of an instrument since the last session ended, and how it stood then: from these,
/// everything can be computed again when an archive completes one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Day {
    before: Option<(History, Recall)>,
    bars: Vec<Bar15m>,
    /// The first bar that is not as it was told.
    revised: Option<Timestamp>,
}

/// What the indicators of one instrument look back on.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Recall {
    Whole(Box<IndicatorSet>),
    Window(IndicatorWindow),
}

/// What the indicators of each instrument look back on.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Memory {
    Whole(Vec<IndicatorSet>),
    Window(Vec<IndicatorWindow>),
}

/// A bar with what its conditions look at, in rupees.
struct View<'a> {
    bar: &'a Bar15m,
    /// When the bar is known.
    time: Timestamp,
    row: &'a Indicators,
    close: f64,
    previous_close: f64,
    previous_ema20: f64,
}

/// A condition that held.
struct Hit {
    side: Side,
    kind: SignalKind,
    margins: Vec<f64>,
}

impl Strategy {
    /// The strategy before its first bar.
    pub fn new(run: &RunStarted) -> Strategy {
        let config = run.config.strategy.clone();
        let (count, period) = (run.instruments.len(), config.swing_period);
        let history = History { bars: 0, previous_close: f64::NAN, previous_ema20: f64::NAN };
        let (memory, first_bar, capital) = match config.profile {
            Profile::Causal => (
                Memory::Whole(vec![IndicatorSet::new(period); count]),
                config.first_bar,
                run.config.execution.capital,
            ),
            Profile::CompatLive => (
                Memory::Window(vec![IndicatorWindow::new(period); count]),
                COMPAT_LIVE_BARS_MIN - 1,
                COMPAT_LIVE_SIZING_CAPITAL,
            ),
        };
        Strategy {
            capital,
            first_bar,
            active_from: run.config.active_from,
            lanes: vec![history; count],
            memory,
            days: vec![Day::default(); count],
            keeps_days: false,
            is_revised: false,
            config,
        }
    }

    /// From now on bars may be completed after they were told.
    #[inline]
    pub fn keep_days(&mut self) {
        if !self.keeps_days {
            self.keeps_days = true;
            self.session_over();
        }
    }

    /// A trading day is over: its bars stay what they are.
    pub fn session_over(&mut self) {
        if !self.keeps_days {
            return;
        }
        for (place, day) in self.days.iter_mut().enumerate() {
            day.before = Some((self.lanes[place], self.memory.recall(place)));
            day.bars.clear();
        }
    }

    /// A bar that was told is this one now, or there is one where there was none.
    pub fn revise(&mut self, bar: &Bar15m) {
        let day = &mut self.days[bar.instrument.index()];
        let place = day.bars.partition_point(|told| told.open_time < bar.open_time);
        match day.bars.get_mut(place).filter(|told| told.open_time == bar.open_time) {
            Some(told) => *told = *bar,
            None => day.bars.insert(place, *bar),
        }
        let since = day.revised.map_or(bar.open_time, |revised| revised.min(bar.open_time));
        day.revised = Some(since);
        self.is_revised = true;
    }

    /// Whether there is something to [`retell`](Strategy::retell).
    #[inline]
    pub const fn is_revised(&self) -> bool {
        self.is_revised
    }

    /// Computes the day of every instrument with revised bars again, and tells each bar from the
    /// first revised one on with its indicators. What followed from the bars as they were told
    /// stays: nobody can trade in the past.
    pub fn retell(&mut self, mut tell: impl FnMut(&Bar15m, Indicators)) {
        self.is_revised = false;
        for place in 0..self.days.len() {
            let Some(since) = self.days[place].revised.take() else { continue };
            let Some((history, recall)) = self.days[place].before.clone() else { continue };
            self.lanes[place] = history;
            self.memory.restore(place, recall);
            for bar in core::mem::take(&mut self.days[place].bars) {
                let (row, ..) = self.take(&bar);
                if bar.open_time >= since {
                    tell(&bar, row);
                }
                self.days[place].bars.push(bar);
            }
        }
    }

    /// Takes the next bar of an instrument, known at `time`: the indicators after it, and its
    /// signal if it has one.
    pub fn bar(&mut self, known: &Known, time: Timestamp) -> (Indicators, Option<Signal>) {
        let bar = &known.bar;
        if self.keeps_days {
            self.days[bar.instrument.index()].bars.push(*bar);
        }
        let (row, previous_ema20, before) = self.take(bar);
        let view = View {
            bar,
            time,
            row: &row,
            close: bar.close.rupees(),
            previous_close: before.previous_close,
            previous_ema20,
        };
        let is_due = before.bars >= self.first_bar && time > self.active_from && !known.is_patched;
        let signal = if is_due { self.signal(&view) } else { None };
        (row, signal)
    }

    /// The next bar of an instrument: the indicators after it, `ema20` at the bar before it, and
    /// what was remembered until then.
    fn take(&mut self, bar: &Bar15m) -> (Indicators, f64, History) {
        let place = bar.instrument.index();
        let history = &mut self.lanes[place];
        let before = *history;
        let (row, previous_ema20) = match &mut self.memory {
            Memory::Whole(sets) => (sets[place].update(bar), history.previous_ema20),
            Memory::Window(windows) => windows[place].update(bar),
        };
        history.bars = history.bars.saturating_add(1);
        history.previous_close = bar.close.rupees();
        history.previous_ema20 = row.ema20;
        (row, previous_ema20, before)
    }

    fn signal(&self, view: &View<'_>) -> Option<Signal> {
        let Hit { side, kind, margins } = self.evaluate(view)?;
        let View { bar, time, row, close, previous_ema20, .. } = *view;
        let size = self.size(close, row.atr, side);
        Some(Signal {
            instrument: bar.instrument,
            bar_time: bar.open_time,
            time,
            side,
            kind,
            price: bar.close,
            quantity: size.quantity,
            stop: size.stop,
            target: size.target,
            atr: row.atr,
            vwap_dist: if row.vwap == 0.0 { 0.0 } else { (close - row.vwap) / row.vwap },
            ema_slope: (row.ema20 - previous_ema20) / previous_ema20,
            atr_pct: row.atr / close,
            adx: row.adx,
            vol_z: row.vol_z,
            margins,
        })
    }

    fn evaluate(&self, view: &View<'_>) -> Option<Hit> {
        trend_buy(view)
            .or_else(|| trend_sell(view))
            .or_else(|| self.reversion_buy(view))
            .or_else(|| self.reversion_sell(view))
    }

    fn reversion_buy(&self, view: &View<'_>) -> Option<Hit> {
        let View { close, previous_close, row, .. } = *view;
        let (gate, band) = (self.config.adx_gate, row.vwap - self.config.reversion_k * row.atr);
        let holds = row.adx < gate && previous_close < band && close >= band;
        holds.then(|| Hit {
            side: Side::Buy,
            kind: SignalKind::Reversion,
            margins: vec![gate - row.adx, band - previous_close, close - band],
        })
    }

    fn reversion_sell(&self, view: &View<'_>) -> Option<Hit> {
        let View { close, previous_close, row, .. } = *view;
        let (gate, band) = (self.config.adx_gate, row.vwap + self.config.reversion_k * row.atr);
        let holds = row.adx < gate && previous_close > band && close <= band;
        holds.then(|| Hit {
            side: Side::Sell,
            kind: SignalKind::Reversion,
            margins: vec![gate - row.adx, previous_close - band, band - close],
        })
    }

    fn size(&self, close: f64, atr: f64, side: Side) -> Size {
        if !(close > 0.0 && atr > 0.0) {
            return Size { quantity: Qty::ZERO, stop: Price(0), target: Price(0) };
        }
        let mut quantity = (self.config.risk_per_trade.rupees() / atr) as i64;
        let worth_max = self.capital.rupees() * f64::from(self.config.leverage);
        if quantity as f64 * close > worth_max {
            quantity = (worth_max / close) as i64;
        }
        let (stop, target) = match side {
            Side::Buy => (close - atr, close + 2.0 * atr),
            Side::Sell => (close + atr, close - 2.0 * atr),
        };
        Size { quantity: Qty(quantity), stop: to_paisa(stop), target: to_paisa(target) }
    }
}

impl Memory {
    fn recall(&self, place: usize) -> Recall {
        match self {
            Memory::Whole(sets) => Recall::Whole(Box::new(sets[place].clone())),
            Memory::Window(windows) => Recall::Window(windows[place].clone()),
        }
    }

    fn restore(&mut self, place: usize, recall: Recall) {
        match (self, recall) {
            (Memory::Whole(sets), Recall::Whole(set)) => sets[place] = *set,
            (Memory::Window(windows), Recall::Window(window)) => windows[place] = window,
            _ => unreachable!("a run has one profile"),
        }
    }
}

struct Size {
    quantity: Qty,
    stop: Price,
    target: Price,
}

fn trend_buy(view: &View<'_>) -> Option<Hit> {
    let View { close, previous_close, row, .. } = *view;
    let swing = row.swing_high?.rupees();
    let with_trend = close > row.vwap && row.ema20 > row.ema50;
    (with_trend && previous_close <= swing && close > swing).then(|| Hit {
        side: Side::Buy,
        kind: SignalKind::Trend,
        margins: vec![
            close - row.vwap,
            row.ema20 - row.ema50,
            swing - previous_close,
            close - swing,
        ],
    })
}

fn trend_sell(view: &View<'_>) -> Option<Hit> {
    let View { close, previous_close, row, .. } = *view;
    let swing = row.swing_low?.rupees();
    let with_trend = close < row.vwap && row.ema20 < row.ema50;
    (with_trend && previous_close >= swing && close < swing).then(|| Hit {
        side: Side::Sell,
        kind: SignalKind::Trend,
        margins: vec![
            row.vwap - close,
            row.ema50 - row.ema20,
            previous_close - swing,
            swing - close,
        ],
    })
}

/// Two decimals from the exact value of the double, ties to even, as Python's `round` does:
/// 2.675 is 2.67, since the double lies below. What is no price counts as none.
fn to_paisa(rupees: f64) -> Price {
    let text: String = format!("{rupees:.2}");
    Price::parse(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::to_paisa;

    #[test]
    fn levels_are_rounded_like_python_does() {
        let shown = |rupees: f64| alloc::format!("{}", to_paisa(rupees));
        assert_eq!(shown(2.675), "2.67");
        assert_eq!(shown(0.125), "0.12");
        assert_eq!(shown(0.375), "0.38");
        assert_eq!(shown(-3.0), "0.00");
        assert_eq!(shown(f64::NAN), "0.00");
    }
}
