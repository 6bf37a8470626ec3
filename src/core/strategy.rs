//! The strategy (rules 4): four conditions, the first that holds makes the bar's signal.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::config::StrategyConfig;
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Indicators, Signal, SignalKind};
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

use super::indicator::IndicatorSet;

/// The strategy over all instruments of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Strategy {
    config: StrategyConfig,
    capital: Cash,
    active_from: Timestamp,
    lanes: Vec<History>,
}

/// What the strategy remembers of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct History {
    indicators: IndicatorSet,
    bars: u32,
    previous_close: f64,
    previous_ema20: f64,
}

/// A bar with what its conditions look at, in rupees.
struct View<'a> {
    bar: &'a Bar15m,
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
        let history = History {
            indicators: IndicatorSet::new(config.swing_period),
            bars: 0,
            previous_close: f64::NAN,
            previous_ema20: f64::NAN,
        };
        Strategy {
            capital: run.config.execution.capital,
            active_from: run.config.active_from,
            lanes: vec![history; run.instruments.len()],
            config,
        }
    }

    /// Takes the next bar of an instrument: the indicators after it, and its signal if it has one.
    pub fn bar(&mut self, bar: &Bar15m) -> (Indicators, Option<Signal>) {
        let history = &mut self.lanes[bar.instrument.index()];
        let row = history.indicators.update(bar);
        let view = View {
            bar,
            row: &row,
            close: bar.close.rupees(),
            previous_close: history.previous_close,
            previous_ema20: history.previous_ema20,
        };
        let is_due = history.bars >= self.config.first_bar && bar.close_time > self.active_from;
        history.bars = history.bars.saturating_add(1);
        history.previous_close = view.close;
        history.previous_ema20 = row.ema20;
        let signal = if is_due { self.signal(&view) } else { None };
        (row, signal)
    }

    fn signal(&self, view: &View<'_>) -> Option<Signal> {
        let Hit { side, kind, margins } = self.evaluate(view)?;
        let View { bar, row, close, previous_ema20, .. } = *view;
        let size = self.size(close, row.atr, side);
        Some(Signal {
            instrument: bar.instrument,
            bar_time: bar.open_time,
            time: bar.close_time,
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
