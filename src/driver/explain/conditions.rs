//! The four conditions, written out to be shown.

use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Indicators, SignalKind};
use crate::domain::money::{Price, Side};

use super::{Comparison, Condition};

/// The four conditions of rules 4 at a bar.
pub(super) fn conditions(
    run: &RunStarted,
    bar: &Bar15m,
    before: f64,
    row: &Indicators,
) -> Vec<Condition> {
    let (close, config) = (bar.close.rupees(), &run.config.strategy);
    let level = |price: Option<Price>| price.map_or(f64::NAN, Price::rupees);
    let (swing_high, swing_low) = (level(row.swing_high), level(row.swing_low));
    let width = config.reversion_k * row.atr;
    let (lower, upper, gate) = (row.vwap - width, row.vwap + width, config.adx_gate);
    let over = |what, left: f64, right: f64| Comparison {
        what,
        left,
        right,
        margin: left - right,
        holds: left > right,
    };
    let under = |what, left: f64, right: f64| Comparison {
        what,
        left,
        right,
        margin: right - left,
        holds: left < right,
    };
    let touching =
        |one: Comparison| Comparison { holds: one.holds || one.left == one.right, ..one };
    let of = |side, kind, comparisons| Condition { side, kind, comparisons };
    vec![
        of(
            Side::Buy,
            SignalKind::Trend,
            vec![
                over("close > vwap", close, row.vwap),
                over("ema20 > ema50", row.ema20, row.ema50),
                touching(under("close before <= swing high", before, swing_high)),
                over("close > swing high", close, swing_high),
            ],
        ),
        of(
            Side::Sell,
            SignalKind::Trend,
            vec![
                under("close < vwap", close, row.vwap),
                under("ema20 < ema50", row.ema20, row.ema50),
                touching(over("close before >= swing low", before, swing_low)),
                under("close < swing low", close, swing_low),
            ],
        ),
        of(
            Side::Buy,
            SignalKind::Reversion,
            vec![
                under("adx < gate", row.adx, gate),
                under("close before < lower band", before, lower),
                touching(over("close >= lower band", close, lower)),
            ],
        ),
        of(
            Side::Sell,
            SignalKind::Reversion,
            vec![
                under("adx < gate", row.adx, gate),
                over("close before > upper band", before, upper),
                touching(under("close <= upper band", close, upper)),
            ],
        ),
    ]
}
