//! Whether a profile knows bars that have not happened: the trial of prefixes over each symbol of a
//! case. The rule that stands trial is the oracle's, which works on whole columns and so could look
//! ahead; that the event core makes the same signals is checked beside it.

use std::cell::RefCell;
use std::fmt;

use crate::backtest;
use crate::backtest::python::{batch, live};
use crate::backtest::trial::{BarsAhead, Trial, prefix_consistency};
use crate::domain::config::{COMPAT_LIVE_BARS_MIN, COMPAT_LIVE_WINDOW, Profile, RunConfig};
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar15m, Signal};

use super::core_signals;

/// What can stand trial: the profiles of a run, and the one that no run can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// A profile that claims to know only the past.
    Of(Profile),
    /// The Python system's backtest, which makes no such claim.
    CompatBatch,
}

impl Rules {
    /// Everything that can stand trial.
    pub const ALL: [Rules; 3] =
        [Rules::Of(Profile::Causal), Rules::Of(Profile::CompatLive), Rules::CompatBatch];

    /// Whether the rules claim to know only the past.
    pub const fn claim_causality(self) -> bool {
        matches!(self, Rules::Of(_))
    }

    /// The run with these rules; of `compat-batch` what it has in common with causal ones.
    pub fn in_run(self, run: &RunStarted) -> RunStarted {
        let mut run = run.clone();
        run.config.strategy.profile = match self {
            Rules::Of(profile) => profile,
            Rules::CompatBatch => Profile::Causal,
        };
        run
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rules::Of(profile) => profile.fmt(f),
            Rules::CompatBatch => f.write_str("compat-batch"),
        }
    }
}

/// One symbol's trial.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The rules.
    pub rules: Rules,
    /// The instrument's key.
    pub key: String,
    /// What came out.
    pub trial: Trial,
    /// Signals that the event core has and the tried rule has not, or the other way round; none
    /// where the core has no such profile.
    pub core_differs: Option<usize>,
}

impl Verdict {
    /// Whether nothing was read ahead and the core makes what was tried.
    pub fn is_causal(&self) -> bool {
        self.trial.bars_ahead == BarsAhead::Exactly(0)
            && self.trial.vanished.is_empty()
            && self.trial.appeared.is_empty()
            && self.core_differs.unwrap_or(0) == 0
    }

    /// Whether the trial saw any signal, without which it says nothing.
    pub fn has_looked(&self) -> bool {
        self.trial.at_close + self.trial.in_the_end > 0
    }
}

/// Tries the rules over the strategy bars of one symbol.
pub fn try_rules(rules: Rules, run: &RunStarted, key: &str, bars: &[Bar15m]) -> Verdict {
    let run = rules.in_run(run);
    let config = &run.config;
    let (trial, tried) = match rules {
        Rules::Of(Profile::Causal) => {
            let rule = |bars: &[Bar15m]| backtest::causal_signals(config, bars);
            (prefix_consistency(bars, rule), Some(rule(bars)))
        }
        Rules::Of(Profile::CompatLive) => {
            let rule = LiveRule { config, known: RefCell::default() };
            (prefix_consistency(bars, |bars| rule.signals(bars)), Some(rule.signals(bars)))
        }
        Rules::CompatBatch => {
            let rule = |bars: &[Bar15m]| batch::events(config, bars).in_hindsight();
            (prefix_consistency(bars, rule), None)
        }
    };
    let core_differs = tried.map(|tried| {
        let core = core_signals(&run, bars);
        let lacks = |one: &[Signal], other: &[Signal]| {
            let is_in = |signal: &&Signal| other.iter().any(|it| it.origin() == signal.origin());
            one.iter().filter(|signal| !is_in(signal)).count()
        };
        lacks(&core, &tried) + lacks(&tried, &core)
    });
    Verdict { rules, key: key.to_owned(), trial, core_differs }
}

/// The live path over any bars. Of a bar it is asked with the window that ends there and with
/// nothing else, so what it said of a bar holds for as long as the bars up to it are the same.
struct LiveRule<'a> {
    config: &'a RunConfig,
    /// The bars that it was last asked about, and what it said of each.
    known: RefCell<(Vec<Bar15m>, Vec<Option<Signal>>)>,
}

impl LiveRule<'_> {
    fn signals(&self, bars: &[Bar15m]) -> Vec<Signal> {
        let window =
            live::Window { bars_max: COMPAT_LIVE_WINDOW, bars_min: COMPAT_LIVE_BARS_MIN as usize };
        let (seen, answers) = &mut *self.known.borrow_mut();
        let same = seen.iter().zip(bars).take_while(|(one, other)| one == other).count();
        seen.truncate(same);
        answers.truncate(same);
        for newest in same..bars.len() {
            let from = (newest + 1).saturating_sub(COMPAT_LIVE_WINDOW);
            answers.push(live::at_last(self.config, &bars[from..=newest], window).1);
            seen.push(bars[newest]);
        }
        answers.iter().flatten().cloned().collect()
    }
}
