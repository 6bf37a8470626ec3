//! Bugs of alignment: labels, warm-up, flags and knowledge of the future in the rules, and a
//! judgement that agrees with itself, looks at a part only or takes an accident for a cause.

use super::bugs::{Bug, Judge};

const AGGREGATE: &str = "src/core/aggregate.rs";
const STRATEGY: &str = "src/core/strategy.rs";
const SWING: &str = "src/core/indicator/swing.rs";
const HONEST: &str = "src/core/broker/honest.rs";
const ORACLE: &str = "src/backtest/indicators.rs";
const SWINGS: &str = "src/backtest/swings.rs";
const COMPARE: &str = "src/golden/compare.rs";
const SIGNALS: &str = "src/sources/import/signals.rs";
const IMPORT: &str = "src/cli/golden/import.rs";
const ALIGN: &str = "src/driver/align/mod.rs";
const PLACE: &str = "src/driver/align/place.rs";
const TRIALS: &str = "src/driver/align/trials.rs";
const MINUTES: &str = "src/driver/align/minutes.rs";
const RUNS: &str = "src/driver/align/runs.rs";

/// Core and oracle over made-up histories.
const LAW: &[Judge] = &[Judge::Story("laws::the_core_agrees")];

/// A bug that one of the stories has to find.
const fn bug(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
    judges: &'static [Judge],
) -> Bug {
    Bug { name, what, file, find, replace, judges }
}

/// All of them: the rules first, then the judgement.
pub const BUGS: &[Bug] = &[
    bug(
        "right-edge-labels",
        "strategy bars are named by their end",
        AGGREGATE,
        "            open_time: self.open_time,\n",
        "            open_time: self.end,\n",
        &[Judge::Story("core_stories::")],
    ),
    bug(
        "warm-up-skipped",
        "the first bars are asked although means have not settled",
        STRATEGY,
        "let is_due = before.bars >= self.first_bar && time",
        "let is_due = time",
        LAW,
    ),
    bug(
        "history-signals",
        "bars that only warm up make signals",
        STRATEGY,
        " && time > self.active_from && !known",
        " && !known",
        &[Judge::Story("core_stories::history_warms_up")],
    ),
    bug(
        "flag-ignored",
        "a bar that lacks minutes enters whatever the setting says",
        HONEST,
        "            (!bar.is_complete() && !self.config.enter_on_incomplete, \
         RejectReason::IncompleteBar),\n",
        "",
        &[Judge::Story("core_stories::a_bar_with_a_missing_minute")],
    ),
    bug(
        "kill-ends-with-the-day",
        "a kill is forgotten over night",
        HONEST,
        "        self.entries_today = 0;\n        self.is_halted = false;\n",
        "        self.entries_today = 0;\n        self.is_halted = false;\n        \
         self.is_killed = false;\n",
        LAW,
    ),
    bug(
        "swing-a-bar-early",
        "the core knows a swing one bar before it is confirmed",
        SWING,
        "        let width = 2 * self.period + 1;\n",
        "        let width = 2 * self.period;\n",
        LAW,
    ),
    bug(
        "oracle-reads-a-bar",
        "the oracle's causal rule reads one bar of the future",
        SWINGS,
        "                last = centred(highs, i - period, period, i).or(last);\n",
        "                let ahead = (i + 1).min(highs.len() - 1);\n                \
         last = centred(highs, ahead - period, period, ahead).or(last);\n",
        &[Judge::Test("backtest::trial::tests::the_causal_rules")],
    ),
    bug(
        "fused-mean",
        "a mean is fused, so its last bit is another",
        ORACLE,
        "mean = (old_weight * mean + alpha * x) / (old_weight + alpha);",
        "mean = f64::mul_add(old_weight, mean, alpha * x) / (old_weight + alpha);",
        LAW,
    ),
    bug(
        "labels-shifted",
        "times that are ends of bars are taken for starts",
        PLACE,
        "let shift = if label == Label::End { -width } else { 0 };",
        "let shift = 0 * width * i64::from(label == Label::End);",
        &[Judge::Story("cli_align::times_that_are_ends")],
    ),
    bug(
        "live-with-itself",
        "live is held against its own signals",
        ALIGN,
        "let given = Alignment::of(golden, lived.signals);",
        "let own: Vec<Given> = lived.signals.iter().map(Given::of).collect();\n    \
         let given = Alignment::of(&own, lived.signals);",
        &[Judge::Story("cli_align::rows_that_were_tampered")],
    ),
    bug(
        "own-golden-is-taken",
        "a golden of our own is taken for somebody's signals",
        IMPORT,
        "    refuse_own(&args.file)?;\n",
        "    let _ = refuse_own(&args.file);\n",
        &[Judge::Story("cli_align::what_proves_nothing")],
    ),
    bug(
        "golden-truncated",
        "rows beyond the hundredth of a file are not read",
        SIGNALS,
        "            Ok(Some(row)) => file.rows.push(row),\n",
        "            Ok(Some(row)) if file.rows.len() < 100 => file.rows.push(row),\n            \
         Ok(Some(_)) => {}\n",
        &[Judge::Story("cli_align::signals_under_any_names")],
    ),
    bug(
        "extra-rows-unseen",
        "rows behind the golden's last are not compared",
        COMPARE,
        "            (None, Some(_)) => std::cmp::Ordering::Greater,\n",
        "            (None, Some(_)) => return pairs,\n",
        &[Judge::Test("golden::compare")],
    ),
    bug(
        "accident-is-a-cause",
        "a row that is gone is laid to a rule that would have silenced it",
        TRIALS,
        "        found.retain(|(left, ..)| *left < now);\n",
        "",
        &[Judge::Story("cli_align::a_row_that_somebody_took_out")],
    ),
    bug(
        "witness-is-believed",
        "the first change that is tried counts as the cause, whatever it does",
        TRIALS,
        "trials.find(|(_, change)| self.removes(change, difference))",
        "trials.find(|(_, change)| change == change)",
        &[Judge::Story("align::every_disagreement")],
    ),
    bug(
        "look-ahead-from-two",
        "one bar of the future is not tried",
        TRIALS,
        "let ahead: Vec<Change> = (1..=period)",
        "let ahead: Vec<Change> = (2..=period)",
        &[Judge::Story("align::every_disagreement")],
    ),
    bug(
        "volumes-unseen",
        "minutes with other volumes count as the same",
        MINUTES,
        "(golden.volume != live.volume).then_some(State::Volume)",
        "(golden.volume != live.volume && golden.volume == live.volume).then_some(State::Volume)",
        &[Judge::Test("driver::align::minutes")],
    ),
    bug(
        "layers-untold",
        "of causes on top of each other only the first is found",
        RUNS,
        "        self.explain_layers(&all, &mut causes)?;\n",
        "        let _ = Self::explain_layers;\n",
        &[Judge::Story("cli_causes::causes_on_top")],
    ),
];
