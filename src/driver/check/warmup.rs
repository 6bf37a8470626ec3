//! How much history the rules need before a bar: the smallest number of bars with which every later
//! indicator has the same bits, and every later signal is the same, as with all the history there
//! is.
//!
//! Whether a length suffices is not monotone: two means may meet by luck and be the same for a
//! while. So every length is tried, from the longest to none, and what is needed is one more than
//! the longest that fails. Shorter ones that pass are counted as lucky and never recommended.

use rayon::prelude::*;

use crate::backtest::python::batch;
use crate::core::aggregate::Known;
use crate::core::indicator::kernel::COM_14;
use crate::core::strategy::Strategy;
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Indicators, Signal};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;

use super::causality::Rules;

/// Indicators, in the order in which they are reported.
pub const INDICATORS: [&str; 8] =
    ["ema20", "ema50", "atr", "adx", "vwap", "vol_z", "swing_high", "swing_low"];

/// A value that is not the same with less history.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The bar.
    pub bar_time: Timestamp,
    /// The value with all history.
    pub want: String,
    /// The value with less.
    pub got: String,
}

/// What one indicator, or one signal, needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Its name.
    pub name: String,
    /// Bars before the first traded one. With so many and with all longer histories it is the same.
    pub bars: usize,
    /// Sessions that these bars reach into.
    pub sessions: usize,
    /// What fails with one bar less; none where nothing is needed.
    pub miss: Option<Miss>,
    /// Shorter histories that give the same all the same.
    pub lucky: usize,
    /// What the closed form of its decay says, where it has one.
    pub predicted: Option<Predicted>,
}

/// What a closed form says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// Bars until the beginning is forgotten.
    pub bars: usize,
    /// The weight of the newest value: in one over it bars the past falls to a third.
    pub alpha: f64,
}

/// In units of 1 / alpha: how much sooner luck may let two means meet, and how much longer rounding
/// may hold them apart, than the closed form says.
const SOONER_MAX: f64 = 2.0;
const LATER_MAX: f64 = 10.0;

impl Need {
    /// Whether what was measured is what the closed form says; none where there is no such form or
    /// no history that is long enough to show it.
    pub fn agrees(&self, history: usize) -> Option<bool> {
        let Predicted { bars, alpha } = self.predicted.filter(|_| self.bars < history)?;
        let late = (self.bars as f64 - bars as f64) * alpha;
        Some((-SOONER_MAX..=LATER_MAX).contains(&late))
    }
}

/// What one symbol needs.
#[derive(Clone, Debug)]
pub struct Warmup {
    /// The instrument's key.
    pub key: String,
    /// The first bar that counts as traded.
    pub first: Timestamp,
    /// Bars before it, so the longest history that can be tried.
    pub history: usize,
    /// Bars from it on.
    pub traded: usize,
    /// For each indicator.
    pub indicators: Vec<Need>,
    /// For all signals together: none lost, none added, all with the same size and levels.
    pub signals: Need,
    /// For each signal by itself.
    pub each_signal: Vec<Need>,
}

impl Warmup {
    /// Whether every mean forgets as fast as its closed form says, where there is enough history.
    pub fn agrees(&self) -> bool {
        self.indicators.iter().all(|need| need.agrees(self.history).unwrap_or(true))
    }

    /// Whether everything is known to be the same with less than all the history. Where it is not,
    /// a longer one could show other values.
    pub fn is_settled(&self) -> bool {
        let needs = self.indicators.iter().chain([&self.signals]);
        self.history > 0 && needs.into_iter().all(|need| need.bars < self.history)
    }
}

/// Indicators and signals of the traded bars.
struct Facts {
    rows: Vec<Indicators>,
    signals: Vec<Signal>,
}

/// What a history of some length changes: the first miss of each indicator, of the signals
/// together, and whether each signal is missing.
struct Change {
    indicators: Vec<Option<Miss>>,
    signals: Option<Miss>,
    is_missing: Vec<bool>,
}

/// Tries every length of history before bar `first` of one instrument's `bars`.
pub fn measure(rules: Rules, run: &RunStarted, key: &str, bars: &[Bar15m], first: usize) -> Warmup {
    let mut run = rules.in_run(run);
    run.config.active_from = Timestamp(i64::MIN);
    let want = facts(rules, &run, bars, first, first);
    let changes: Vec<Change> = (0..first)
        .into_par_iter()
        .map(|length| change(&want, &facts(rules, &run, bars, first, length)))
        .collect();
    let need = |name: &str, miss: &dyn Fn(&Change) -> Option<Miss>| {
        let failing: Vec<Option<Miss>> = changes.iter().map(miss).collect();
        need(name, &failing, &bars[..first])
    };
    let mut indicators = Vec::new();
    for (place, name) in INDICATORS.into_iter().enumerate() {
        let mut found = need(name, &|change| change.indicators[place].clone());
        found.predicted = predicted(name, &run, bars, first);
        indicators.push(found);
    }
    let each_signal = want.signals.iter().enumerate().map(|(place, signal)| {
        let name = format!("{} {} {}", signal.bar_time, signal.side, signal.kind);
        let got = "none like it".to_owned();
        let miss = Miss { bar_time: signal.bar_time, want: content(signal), got };
        need(&name, &|change| change.is_missing[place].then(|| miss.clone()))
    });
    Warmup {
        key: key.to_owned(),
        first: bars.get(first).map_or(Timestamp(0), |bar| bar.open_time),
        history: first,
        traded: bars.len() - first,
        signals: need("signals", &|change| change.signals.clone()),
        each_signal: each_signal.collect(),
        indicators,
    }
}

/// Of the core; the batch run, which reads ahead, has the oracle alone.
fn facts(rules: Rules, run: &RunStarted, bars: &[Bar15m], first: usize, length: usize) -> Facts {
    if rules == Rules::CompatBatch {
        let (rows, signals) = batch::seen(&run.config, &bars[first - length..]).in_hindsight();
        let since = bars.get(first).map_or(Timestamp(i64::MAX), |bar| bar.open_time);
        let signals = signals.into_iter().filter(|signal| signal.bar_time >= since);
        return Facts { rows: rows[length..].to_vec(), signals: signals.collect() };
    }
    let mut strategy = Strategy::new(run);
    let mut facts = Facts { rows: Vec::new(), signals: Vec::new() };
    for (place, bar) in bars.iter().enumerate().skip(first - length) {
        let (row, signal) = strategy.bar(&Known::live(bar), bar.close_time);
        if place >= first {
            facts.rows.push(row);
            facts.signals.extend(signal);
        }
    }
    facts
}

fn change(want: &Facts, got: &Facts) -> Change {
    let mut indicators = vec![None; INDICATORS.len()];
    for (want, got) in want.rows.iter().zip(&got.rows) {
        for (place, (one, other)) in bits(want).into_iter().zip(bits(got)).enumerate() {
            if one != other && indicators[place].is_none() {
                let (bar_time, want) = (want.open_time, shown(want, place));
                indicators[place] = Some(Miss { bar_time, want, got: shown(got, place) });
            }
        }
    }
    let lacks = |signal: &Signal, all: &[Signal]| {
        !all.iter().any(|it| it.bar_time == signal.bar_time && content(it) == content(signal))
    };
    let is_missing: Vec<bool> =
        want.signals.iter().map(|signal| lacks(signal, &got.signals)).collect();
    let like = |time: Timestamp, all: &[Signal]| {
        let signal = all.iter().find(|it| it.bar_time == time);
        signal.map_or_else(|| "no signal".to_owned(), content)
    };
    let lost = want.signals.iter().filter(|signal| lacks(signal, &got.signals));
    let added = got.signals.iter().filter(|signal| lacks(signal, &want.signals));
    let bar_time = lost.chain(added).map(|signal| signal.bar_time).min();
    let signals = bar_time.map(|bar_time| Miss {
        bar_time,
        want: like(bar_time, &want.signals),
        got: like(bar_time, &got.signals),
    });
    Change { indicators, signals, is_missing }
}

/// What is traded of a signal.
fn content(signal: &Signal) -> String {
    let Signal { side, kind, quantity, stop, target, .. } = signal;
    format!("{side} {kind} {quantity} stop {stop} target {target}")
}

/// The bits of each indicator; `u64::MAX` for a level that is not there.
fn bits(row: &Indicators) -> [u64; 8] {
    let level = |price: Option<Price>| price.map_or(u64::MAX, |price| price.0 as u64);
    let &Indicators { ema20, ema50, atr, adx, vwap, vol_z, .. } = row;
    let [ema20, ema50, atr, adx, vwap, vol_z] =
        [ema20, ema50, atr, adx, vwap, vol_z].map(f64::to_bits);
    [ema20, ema50, atr, adx, vwap, vol_z, level(row.swing_high), level(row.swing_low)]
}

/// The same in words.
fn shown(row: &Indicators, place: usize) -> String {
    let level = |price: Option<Price>| price.map_or_else(|| "none".to_owned(), |it| it.to_string());
    match place {
        6 => level(row.swing_high),
        7 => level(row.swing_low),
        _ => format!("{:?}", f64::from_bits(bits(row)[place])),
    }
}

/// From what each length of history, from none on, changes.
fn need(name: &str, failing: &[Option<Miss>], history: &[Bar15m]) -> Need {
    let longest = failing.iter().rposition(Option::is_some);
    let bars = longest.map_or(0, |longest| longest + 1);
    let needed = &history[history.len() - bars..];
    Need {
        name: name.to_owned(),
        bars,
        sessions: needed.chunk_by(|a, b| a.open_time.date() == b.open_time.date()).count(),
        miss: longest.and_then(|longest| failing[longest].clone()),
        lucky: failing[..bars].iter().filter(|miss| miss.is_none()).count(),
        predicted: None,
    }
}

/// When the closed form says that a mean has forgotten where it began.
///
/// An exponential mean that is begun anew n bars ago differs by keep^n times the difference at its
/// first bar; once that is less than half a unit in the last place of its value, it cannot be seen.
/// ADX is a mean of quotients of means, so its difference falls like (1 + n alpha) keep^n, from at
/// most 100. Rounding may hold two means one unit apart for some times 1 / alpha bars longer.
fn predicted(name: &str, run: &RunStarted, bars: &[Bar15m], first: usize) -> Option<Predicted> {
    if run.config.strategy.profile != crate::domain::config::Profile::Causal {
        return None;
    }
    let com = match name {
        "ema20" => 9.5,
        "ema50" => 24.5,
        "atr" | "adx" => COM_14,
        _ => return None,
    };
    let alpha: f64 = 1.0 / (1.0 + com);
    let mut strategy = Strategy::new(run);
    let rows: Vec<Indicators> = bars[..=first]
        .iter()
        .map(|bar| strategy.bar(&Known::live(bar), bar.close_time).0)
        .collect();
    let value = |row: &Indicators| match name {
        "ema20" => row.ema20,
        "ema50" => row.ema50,
        "atr" => row.atr,
        _ => row.adx,
    };
    let unseen = half_ulp(value(&rows[first]));
    let is_seen = |length: usize| {
        let bar = &bars[first - length];
        let begun = match name {
            "atr" => bar.high.rupees() - bar.low.rupees(),
            _ => bar.close.rupees(),
        };
        let (steps, keep) = (length as f64, 1.0 - alpha);
        let difference = match name {
            "adx" => 100.0 * (1.0 + steps * alpha),
            _ => (value(&rows[first - length]) - begun).abs(),
        };
        difference * keep.powf(steps) >= unseen
    };
    // Before the mean is a number there is nothing to compare with.
    let lengths = (0..first).filter(|length| !value(&rows[first - length]).is_nan());
    let longest = lengths.filter(|length| is_seen(*length)).max()?;
    Some(Predicted { bars: longest + 1, alpha })
}

/// Half of what the last bit of a positive double is worth.
fn half_ulp(value: f64) -> f64 {
    (f64::from_bits(value.to_bits() + 1) - value) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::Profile;

    fn miss(place: i64) -> Option<Miss> {
        Some(Miss { bar_time: Timestamp(place), want: "1".into(), got: "2".into() })
    }

    #[test]
    fn a_lucky_length_is_not_what_is_needed() {
        let run = crate::journal::samples::run();
        let bars = crate::driver::check::testing::bars(&run, 2);
        // Lengths 0, 1 and 3 fail, 2 is lucky, from 4 on all is well.
        let found = need("x", &[miss(0), miss(1), None, miss(3), None, None], &bars[..6]);
        assert_eq!((found.bars, found.lucky, found.miss), (4, 1, miss(3)));
        let nothing = need("x", &[None, None], &bars[..2]);
        assert_eq!((nothing.bars, nothing.sessions, nothing.miss), (0, 0, None));
    }

    #[test]
    fn means_forget_as_fast_as_their_closed_form_says() {
        let run = crate::journal::samples::run();
        let bars = crate::driver::check::testing::bars(&run, 56);
        for rules in [Rules::Of(Profile::Causal), Rules::CompatBatch] {
            let warmup = measure(rules, &run, "A", &bars, 1_100);
            for need in &warmup.indicators[..4] {
                assert_eq!(need.agrees(warmup.history), Some(true), "{rules} {need:?}");
                assert!(need.miss.is_some());
            }
            assert!(warmup.agrees());
            assert_forgets(&warmup);
        }
    }

    /// What a mean far from its closed form would say.
    #[test]
    fn a_mean_that_remembers_too_long_does_not_agree() {
        let run = crate::journal::samples::run();
        let bars = crate::driver::check::testing::bars(&run, 2);
        let mut found = need("ema20", &[miss(0), None, None, None, None, None], &bars[..6]);
        found.predicted = Some(Predicted { bars: 1, alpha: 0.1 });
        assert_eq!(found.agrees(6), Some(true));
        found.bars = 200;
        assert_eq!(found.agrees(300), Some(false));
        assert_eq!(found.agrees(200), None, "it might be longer still");
    }

    fn assert_forgets(warmup: &Warmup) {
        let named = |name: &str| {
            let found = warmup.indicators.iter().find(|need| need.name == name);
            found.expect("all are there").bars
        };
        assert_eq!(named("vwap"), 0, "the first traded bar is the first of its session");
        assert!(warmup.is_settled() && warmup.signals.bars >= 50);
    }
}
