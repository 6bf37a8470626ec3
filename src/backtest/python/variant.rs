//! His rule as a list of choices, so that one of them can be changed and the rest kept. The batch
//! run, the live path and the causal profile are three such lists; what lies between two of them is
//! what can explain why their signals differ.

use arrow::array::Int64Array;

use super::LookAhead;
use crate::backtest::indicators::IndicatorColumns;
use crate::backtest::{signals, swings};
use crate::domain::config::{
    COMPAT_LIVE_BARS_MIN, COMPAT_LIVE_SIZING_CAPITAL, COMPAT_LIVE_WINDOW, RunConfig,
};
use crate::domain::fact::{Bar15m, Signal};

/// Which bars may make a bar a swing point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swings {
    /// All bars on either side must be there; this many bars after the asked one are.
    /// 0 is the causal rule, the swing period that of the batch run.
    Whole {
        /// Bars of the future.
        ahead: usize,
    },
    /// As many bars as there are, this many after the asked one among them. 0 is the live rule.
    Truncated {
        /// Bars of the future.
        ahead: usize,
    },
}

/// One list of choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The strategy's parameters, and the capital that sizes its signals.
    pub config: RunConfig,
    /// Bars that are remembered, the asked one included; all of them where there is no number.
    pub window_bars: Option<usize>,
    /// Which bars make a swing point.
    pub swings: Swings,
    /// Index of the first bar that is asked, counted from the start of the history.
    pub first_index: usize,
}

impl Variant {
    /// The causal profile: the batch rule with the future hidden.
    pub fn causal(config: &RunConfig) -> Variant {
        Variant {
            config: config.clone(),
            window_bars: None,
            swings: Swings::Whole { ahead: 0 },
            first_index: config.strategy.first_bar as usize,
        }
    }

    /// The batch run, its look-ahead included.
    pub fn compat_batch(config: &RunConfig) -> Variant {
        let ahead = config.strategy.swing_period as usize;
        Variant { swings: Swings::Whole { ahead }, ..Variant::causal(config) }
    }

    /// The live path.
    pub fn compat_live(config: &RunConfig) -> Variant {
        let mut config = config.clone();
        config.execution.capital = COMPAT_LIVE_SIZING_CAPITAL;
        Variant {
            config,
            window_bars: Some(COMPAT_LIVE_WINDOW),
            swings: Swings::Truncated { ahead: 0 },
            first_index: COMPAT_LIVE_BARS_MIN as usize - 1,
        }
    }

    /// What this rule says of every bar of one instrument; see [`Variant::at`].
    pub fn all(&self, bars: &[Bar15m]) -> LookAhead<Vec<Vec<Signal>>> {
        let period = self.config.strategy.swing_period as usize;
        let whole = match self.swings {
            Swings::Whole { ahead: 0 } => Some(swings::confirmed as swings::SwingRule),
            Swings::Whole { ahead } if ahead == period => Some(swings::foreseen as _),
            _ => None,
        };
        LookAhead(match whole.filter(|_| self.window_bars.is_none()) {
            Some(rule) => {
                let columns = IndicatorColumns::of_python(bars, rule, period);
                signals::hits(&self.config, bars, &columns, self.first_index..bars.len())
            }
            None => (0..bars.len()).map(|i| self.at(bars, i).in_hindsight()).collect(),
        })
    }

    /// What this rule says of bar `i` of one instrument's `bars`: every condition that holds, in
    /// the order in which they are tried. It is no signal of a run where it looks ahead.
    pub fn at(&self, bars: &[Bar15m], i: usize) -> LookAhead<Vec<Signal>> {
        if i < self.first_index || i >= bars.len() {
            return LookAhead(Vec::new());
        }
        let start = self.window_bars.map_or(0, |count| (i + 1).saturating_sub(count));
        let last = |ahead: usize| (i + ahead).min(bars.len() - 1);
        let period = self.config.strategy.swing_period as usize;
        let (seen, columns) = match self.swings {
            Swings::Whole { ahead } => {
                let seen = &bars[start..=last(ahead)];
                (seen, IndicatorColumns::of_python(seen, swings::foreseen, period))
            }
            Swings::Truncated { ahead } => {
                let seen = &bars[start..=i];
                let columns = IndicatorColumns::of_python(seen, swings::truncated_at_last, period);
                let shown = &bars[start..=last(ahead)];
                (
                    seen,
                    if ahead == 0 {
                        columns
                    } else {
                        shown_ahead(columns, shown, i - start, period)
                    },
                )
            }
        };
        let place = i - start;
        let mut hits = signals::hits(&self.config, seen, &columns, place..place + 1);
        LookAhead(hits.swap_remove(place))
    }
}

/// The same columns with the swings that bar `current` would see if all bars of `shown` were there.
fn shown_ahead(
    columns: IndicatorColumns,
    shown: &[Bar15m],
    current: usize,
    period: usize,
) -> IndicatorColumns {
    let swing = |level: fn(&Bar15m) -> i64| {
        let levels: Vec<i64> = shown.iter().map(level).collect();
        swings::truncated_at(&levels, current, period)
    };
    let at_current = |level: Option<i64>| {
        let mut column = vec![None; current + 1];
        column[current] = level;
        Int64Array::from(column)
    };
    IndicatorColumns {
        swing_high: at_current(swing(|bar| bar.high.0)),
        swing_low: at_current(swing(|bar| -bar.low.0).map(|negated| -negated)),
        ..columns
    }
}
