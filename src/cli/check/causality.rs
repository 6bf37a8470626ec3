//! `lockstep check causality`: which bars of the future each profile reads, and whether it earns on
//! markets where nobody can.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{Format, Selection};
use crate::backtest::trial::{BarsAhead, Later, Witness};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare::broken_off;
use crate::cli::terminal;
use crate::domain::config::Profile;
use crate::driver::check::Material;
use crate::driver::check::causality::{Rules, Verdict, try_rules};
use crate::driver::check::placebo::{self, Expectancy, Market as Placebo, Z_MAX};
use crate::sources::market::Market;

/// What `lockstep check causality` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct CausalityArgs {
    #[command(flatten)]
    selection: Selection,
    /// Who stands trial
    #[arg(long, value_name = "NAME", default_value = "all")]
    profile: Accused,
    /// Sessions of random walks in all
    #[arg(long, value_name = "N", default_value = "6000")]
    walk_sessions: u32,
    /// How often the case's own sessions are shuffled
    #[arg(long, value_name = "N", default_value = "72")]
    shuffles: u32,
    /// Seed of walks and shuffles
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Accused {
    /// Batch rules with confirmed swings
    Causal,
    /// The Python system's live path
    CompatLive,
    /// The Python system's backtest
    CompatBatch,
    /// All three; the backtest makes no claim, so what it reads ahead is no failure
    All,
}

impl Accused {
    fn rules(self) -> Vec<Rules> {
        match self {
            Accused::Causal => vec![Rules::Of(Profile::Causal)],
            Accused::CompatLive => vec![Rules::Of(Profile::CompatLive)],
            Accused::CompatBatch => vec![Rules::CompatBatch],
            Accused::All => Rules::ALL.to_vec(),
        }
    }
}

/// What came out for some rules on some market without edge.
struct Dose {
    rules: Rules,
    market: Placebo,
    result: Expectancy,
}

struct Found {
    verdicts: Vec<Verdict>,
    doses: Vec<Dose>,
    exit: Exit,
}

/// Tries the profiles and prints what came out.
pub fn run(args: &CausalityArgs, market: &Market) -> Result<Exit, Failure> {
    let replay = args.selection.replay(market, |_| {})?;
    let material = Material::of(&replay, args.selection.threads()).map_err(broken_off)?;
    let (run, rules) = (&replay.run, args.profile.rules());
    let mut found = Found { verdicts: Vec::new(), doses: Vec::new(), exit: Exit::Same };
    for &rules in &rules {
        for (instrument, bars) in run.instruments.iter().zip(&material.bars) {
            found.verdicts.push(try_rules(rules, run, &instrument.key, bars));
        }
        let walks = placebo::on_walks(rules, run, args.seed, args.walk_sessions);
        found.doses.push(Dose { rules, market: Placebo::Walks, result: walks });
        let shuffles =
            placebo::on_shuffles(rules, run, args.seed, args.shuffles, &material.minutes);
        found.doses.push(Dose { rules, market: Placebo::Shuffled, result: shuffles });
    }
    refuse_nothing(&found, &rules, args)?;
    found.exit = if rules.iter().all(|rules| found.passes(*rules, args)) {
        Exit::Same
    } else {
        Exit::Differs
    };
    terminal::print(&match args.selection.format {
        Format::Human => human(&found, args),
        Format::Json => format!("{:#}\n", as_json(&found, args)),
    })?;
    Ok(found.exit)
}

impl Found {
    fn is_causal(&self, rules: Rules) -> bool {
        let of_rules = self.verdicts.iter().filter(|verdict| verdict.rules == rules);
        let doses = self.doses.iter().filter(|dose| dose.rules == rules);
        of_rules.into_iter().all(Verdict::is_causal)
            && doses.into_iter().all(|dose| dose.result.z().abs() < Z_MAX)
    }

    /// Whether the placebo was large enough to show the edge of who is known to read ahead; none
    /// where nobody like that stands trial. What it does not show there it cannot rule out here.
    fn strength(&self) -> Option<String> {
        let known = self.doses.iter().filter(|dose| !dose.rules.claim_causality());
        let least = known.map(|dose| dose.result.z()).min_by(f64::total_cmp)?;
        let words = match least > Z_MAX {
            true => "shows the false edge of the look-ahead on every market",
            false => "is too small to show even the look-ahead (--walk-sessions, --shuffles)",
        };
        Some(format!("{words} · z {least:+.1} at least"))
    }

    /// Whether the rules keep what they claim. Who asks for `compat-batch` alone wants to know.
    fn passes(&self, rules: Rules, args: &CausalityArgs) -> bool {
        let is_excused = !rules.claim_causality() && args.profile == Accused::All;
        is_excused || self.is_causal(rules)
    }
}

/// A trial that looked at nothing must not end well.
fn refuse_nothing(found: &Found, rules: &[Rules], args: &CausalityArgs) -> Result<(), Failure> {
    for rules in rules {
        let mut of_rules = found.verdicts.iter().filter(|verdict| verdict.rules == *rules);
        if !of_rules.any(Verdict::has_looked) {
            return Err(Failure::new(Exit::Nothing, format!("{rules} made no signal to look at"))
                .at(args.selection.shown())
                .hint("give more days with --from and --to"));
        }
    }
    match found.doses.iter().find(|dose| dose.result.trades < 2) {
        Some(Dose { rules, market, .. }) => {
            let what = format!("{rules} made no trade on {}", market.word());
            Err(Failure::new(Exit::Nothing, what)
                .hint("ask for more --walk-sessions and --shuffles"))
        }
        None => Ok(()),
    }
}

fn ahead(ahead: BarsAhead) -> String {
    match ahead {
        BarsAhead::Exactly(0) => "none".to_owned(),
        BarsAhead::Exactly(bars) => bars.to_string(),
        BarsAhead::All => "all".to_owned(),
    }
}

fn with(later: Later) -> &'static str {
    match later {
        Later::AsItCame => "as it came",
        Later::Quiet => "had it been quiet",
        Later::Doubled => "had it doubled",
        Later::Halved => "had it halved",
    }
}

fn human(found: &Found, args: &CausalityArgs) -> String {
    let mut trials =
        table(&["profile", "symbol", "bars", "at close", "vanish", "appear", "bars ahead", "core"]);
    for Verdict { rules, key, trial, core_differs } in &found.verdicts {
        let core = core_differs.map_or("-".to_owned(), |count| match count {
            0 => "agrees".to_owned(),
            count => format!("{count} differ"),
        });
        trials.add_row([
            rules.to_string(),
            key.clone(),
            trial.bars.to_string(),
            trial.at_close.to_string(),
            trial.vanished.len().to_string(),
            trial.appeared.len().to_string(),
            ahead(trial.bars_ahead),
            core,
        ]);
    }
    let mut text = format!("{}\n\n", trials.trim_fmt());
    for Verdict { rules, key, trial, .. } in &found.verdicts {
        if let Some(Witness { bar_time, changed_by, with: later }) = trial.witness {
            text += &format!(
                "   {rules} of {key}: what it says of {bar_time} changes with {changed_by}, {}\n",
                with(later)
            );
        }
    }
    let mut doses = table(&["profile", "market without edge", "trades", "R a trade", "error", "z"]);
    for Dose { rules, market, result } in &found.doses {
        doses.add_row([
            rules.to_string(),
            market.word().to_owned(),
            result.trades.to_string(),
            format!("{:+.4}", result.mean),
            format!("{:.4}", result.error),
            format!("{:+.1}", result.z()),
        ]);
    }
    text += &format!("\n{}\n\n", doses.trim_fmt());
    text += &found.strength().map_or_else(String::new, |said| terminal::fact("Placebo", &said));
    for rules in args.profile.rules() {
        let verdict = match (found.is_causal(rules), rules.claim_causality()) {
            (true, _) => "knows only the past",
            (false, true) => "READS THE FUTURE",
            (false, false) => "READS THE FUTURE, and says so: no run can have it",
        };
        text += &terminal::fact("Verdict", &format!("{rules} · {verdict}"));
    }
    text
}

/// A table without lines.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header(header.iter().copied());
    table
}

fn as_json(found: &Found, args: &CausalityArgs) -> Value {
    let signal = |signal: &crate::domain::fact::Signal| {
        let (side, kind) = (signal.side.to_string(), signal.kind.to_string());
        json!({ "bar": signal.bar_time.to_string(), "side": side, "type": kind })
    };
    let trial = |Verdict { rules, key, trial, core_differs }: &Verdict| {
        let witness = trial.witness.map(|witness| {
            json!({
                "bar": witness.bar_time.to_string(),
                "changed_by": witness.changed_by.to_string(),
                "with": with(witness.with),
            })
        });
        json!({
            "profile": rules.to_string(),
            "symbol": key,
            "bars": trial.bars,
            "signals_at_close": trial.at_close,
            "signals_in_the_end": trial.in_the_end,
            "vanished": trial.vanished.iter().map(signal).collect::<Vec<_>>(),
            "appeared": trial.appeared.iter().map(signal).collect::<Vec<_>>(),
            "bars_ahead": ahead(trial.bars_ahead),
            "witness": witness,
            "core_differs": core_differs,
        })
    };
    let dose = |Dose { rules, market, result }: &Dose| {
        json!({
            "profile": rules.to_string(),
            "market": market.word(),
            "trades": result.trades,
            "mean_r": result.mean,
            "standard_error_r": result.error,
            "z": result.z(),
        })
    };
    json!({
        "over": args.selection.shown(),
        "seed": args.seed,
        "trials": found.verdicts.iter().map(trial).collect::<Vec<_>>(),
        "placebo": found.doses.iter().map(dose).collect::<Vec<_>>(),
        "exit": found.exit as u8,
    })
}
