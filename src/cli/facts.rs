//! Facts of a run that several commands tell: one label and one line each.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::domain::event::RunStarted;
use crate::sinks::summary::Summary;

use super::terminal::{grouped, rupees};

/// A label and what stands behind it.
pub type Fact = (&'static str, String);

/// What the strategy wanted and what became of it.
pub fn outcome(summary: &Summary) -> Vec<Fact> {
    let Summary { signals_refused, exits, trades, .. } = summary;
    let kinds = summary.signals.iter();
    let kinds = kinds.map(|((kind, side), count)| format!("{side} {kind} {}", grouped(*count)));
    let mut facts = vec![("Signals", joined(grouped(summary.signals_total()), kinds))];
    if !signals_refused.is_empty() {
        let total = signals_refused.values().sum();
        facts.push(("Declined", format!("{} · {}", grouped(total), counts(signals_refused))));
    }
    if !trades.is_empty() {
        let wins = 100.0 * summary.wins() as f64 / trades.len() as f64;
        let (gross, fees) = (rupees(summary.gross()), rupees(summary.fees()));
        let count = grouped(trades.len() as u64);
        facts.push(("Trades", format!("{count} · win {wins:.1} % · {}", counts(exits))));
        let net = rupees(summary.net());
        facts.push(("Profit", format!("net {net} · gross {gross} · fees {fees}")));
        facts.push(("Equity", sparkline(summary)));
    }
    facts
}

fn joined(first: String, rest: impl Iterator<Item = String>) -> String {
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" · ")
}

/// How often each, with dots between.
pub fn counts<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    let parts = counts.iter().map(|(reason, count)| format!("{reason} {}", grouped(*count)));
    parts.collect::<Vec<_>>().join(" · ")
}

/// The rules in short.
pub fn config(run: &RunStarted) -> String {
    let config = &run.config;
    format!(
        "{} {}m · {} · {} execution · fees {} · core {}",
        config.strategy.id,
        config.strategy.bar_minutes,
        config.strategy.profile,
        config.execution.profile,
        config.fees.name,
        run.core_version,
    )
}

/// The days' equity from left to right, at most 62 marks.
fn sparkline(summary: &Summary) -> String {
    const MARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const WIDTH: usize = 62;
    let equity: Vec<i64> = summary.days.iter().map(|day| day.equity.0).collect();
    let (Some(low), Some(high)) = (equity.iter().min(), equity.iter().max()) else {
        return String::new();
    };
    let step = equity.len().div_ceil(WIDTH).max(1);
    let mark = |equity: &i64| {
        let share = (equity - low) as f64 / ((high - low).max(1)) as f64;
        MARKS[((share * 7.0).round() as usize).min(7)]
    };
    equity.iter().step_by(step).map(mark).collect()
}
