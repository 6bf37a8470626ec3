//! `lockstep config show`: every setting with its value, as TOML that can be pasted into a
//! `case.toml`, and the fees that hold in the case's range.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::{charges, charges_json};
use crate::domain::config::{ExecutionConfig, FeePeriod, FeeSchedule, StrategyConfig};
use crate::domain::event::Command;
use crate::driver::case::{Case, FEES, Symbol};
use crate::driver::plan::DateRange;
use crate::driver::settings::settings;
use crate::sources::market::Market;

/// What a case says that no default can say.
struct Own {
    name: String,
    /// The history's folder as it is written in the file.
    data: PathBuf,
    range: DateRange,
    warmup_sessions: usize,
    symbols: Vec<Symbol>,
    commands: Vec<Command>,
}

/// One line of the configuration.
struct Line {
    table: &'static str,
    name: &'static str,
    value: String,
    about: &'static str,
    is_given: bool,
}

/// The effective configuration.
pub(in crate::cli) struct Shown<'a> {
    own: Option<Own>,
    lines: Vec<Line>,
    given: BTreeSet<String>,
    fees: &'a FeeSchedule,
    /// The periods of the schedule that hold in the range, all without a case.
    periods: Vec<&'a FeePeriod>,
}

impl<'a> Shown<'a> {
    /// The configuration of a case below `replays`, or the defaults.
    ///
    /// # Errors
    /// When the case names a fee schedule that does not exist.
    pub(in crate::cli) fn new(
        case: Option<Case>,
        replays: &Path,
        market: &'a Market,
    ) -> Result<Shown<'a>, Failure> {
        let (own, mut strategy, mut execution, fees, given) = match case {
            None => {
                (None, Default::default(), Default::default(), FEES.to_owned(), BTreeSet::new())
            }
            Some(case) => {
                let data = case.data.strip_prefix(replays.join(&case.name)).map(Path::to_path_buf);
                let own = Own {
                    data: data.unwrap_or(case.data),
                    name: case.name,
                    range: case.range,
                    warmup_sessions: case.warmup_sessions,
                    symbols: case.symbols,
                    commands: case.commands,
                };
                (Some(own), case.strategy, case.execution, case.fees, case.given)
            }
        };
        let lines = lines(&mut strategy, &mut execution, &given);
        let fees = market.fee_schedule(&fees).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("there is no fee schedule '{fees}'"))
                .because(format!("there are {}", names_of_fees(market)))
        })?;
        let periods = match &own {
            Some(own) => periods_in(fees, own.range),
            None => fees.periods.iter().collect(),
        };
        Ok(Shown { own, lines, given, fees, periods })
    }

    /// Twelve digits of the BLAKE3 of everything that decides: settings, days, keys and charges;
    /// not where the history lies, nor what the user calls the keys.
    pub(in crate::cli) fn hash(&self) -> String {
        let mut text = String::new();
        if let Some(own) = &self.own {
            let DateRange { first, last } = own.range;
            line(&mut text, format_args!("days {first} {last} after {}", own.warmup_sessions));
            let mut keys: Vec<&str> =
                own.symbols.iter().map(|symbol| symbol.key.as_str()).collect();
            keys.sort_unstable();
            line(&mut text, format_args!("keys {}", keys.join(" ")));
        }
        for Line { table, name, value, .. } in &self.lines {
            line(&mut text, format_args!("{table}.{name} = {value}"));
        }
        for period in &self.periods {
            line(&mut text, format_args!("fees {} {}", self.fees.name, charges_json(period)));
        }
        blake3::hash(text.as_bytes()).to_hex().chars().take(12).collect()
    }

    /// TOML with a comment on every line.
    pub(super) fn human(&self) -> String {
        let mut text = String::new();
        match &self.own {
            Some(own) => self.own_lines(&mut text, own),
            None => {
                let hash = self.hash();
                line(&mut text, format_args!("# The defaults, configuration {hash}. A case adds"));
                line(&mut text, format_args!("# data, from, to, warmup_sessions and [[symbols]]."));
                self.fees_line(&mut text);
            }
        }
        let mut heading = "";
        for Line { table, name, value, about, is_given } in &self.lines {
            if *table != heading {
                heading = table;
                line(&mut text, format_args!("\n[{table}]"));
            }
            setting(&mut text, name, value, *is_given, about);
        }
        self.fee_lines(&mut text);
        text
    }

    fn own_lines(&self, text: &mut String, own: &Own) {
        let DateRange { first, last } = own.range;
        let hash = self.hash();
        line(text, format_args!("# Case {}, configuration {hash}", own.name));
        let data = quoted(&own.data.to_string_lossy());
        setting(text, "data", &data, true, "the history's folder, seen from the case's");
        setting(text, "from", &quoted(&first.to_string()), true, "first day");
        setting(text, "to", &quoted(&last.to_string()), true, "last day, inclusive");
        let sessions = own.warmup_sessions.to_string();
        setting(
            text,
            "warmup_sessions",
            &sessions,
            true,
            "trading days before, for the indicators",
        );
        self.fees_line(text);
        for symbol in &own.symbols {
            line(text, format_args!("\n[[symbols]]\nkey = {}", quoted(&symbol.key)));
            if let Some(label) = &symbol.label {
                line(text, format_args!("label = {}", quoted(label)));
            }
        }
        for Command { time, kind } in &own.commands {
            let (time, kind) = (quoted(&time.to_string()), quoted(kind.word()));
            line(text, format_args!("\n[[commands]]\ntime = {time}\nkind = {kind}"));
        }
    }

    fn fees_line(&self, text: &mut String) {
        let is_given = self.given.contains("fees");
        setting(text, "fees", &quoted(&self.fees.name), is_given, "fee schedule, see below");
    }

    /// The dated charges, as comments.
    fn fee_lines(&self, text: &mut String) {
        let FeeSchedule { name, version, .. } = self.fees;
        let range = match &self.own {
            Some(own) => format!(" from {} to {}", own.range.first, own.range.last),
            None => String::new(),
        };
        line(text, format_args!("\n# Charges of an order by {name} ({version}){range}:"));
        for row in charges(&self.periods, None).lines() {
            line(text, format_args!("#{row}"));
        }
    }

    /// The same as one object.
    pub(super) fn json(&self) -> Value {
        let of = |table: &str| -> Value {
            let own = self.lines.iter().filter(|line| line.table == table);
            own.map(|line| (line.name.to_owned(), scalar(&line.value)))
                .collect::<Map<_, _>>()
                .into()
        };
        let mut fields = json!({
            "case": self.own.as_ref().map(|own| &own.name),
            "hash": self.hash(),
            "strategy": of("strategy"),
            "execution": of("execution"),
            "given": self.given,
            "fees": {
                "name": self.fees.name,
                "version": self.fees.version,
                "periods": self.periods.iter().map(|it| charges_json(it)).collect::<Vec<_>>(),
            },
        });
        if let Some(own) = &self.own {
            let symbols = own.symbols.iter();
            let symbols = symbols.map(|it| json!({ "key": it.key, "label": it.label }));
            fields["data"] = json!(own.data.to_string_lossy());
            fields["from"] = json!(own.range.first.to_string());
            fields["to"] = json!(own.range.last.to_string());
            fields["warmup_sessions"] = json!(own.warmup_sessions);
            fields["symbols"] = symbols.collect();
            let commands = own.commands.iter();
            let command =
                |it: &Command| json!({ "time": it.time.to_string(), "kind": it.kind.word() });
            fields["commands"] = commands.map(command).collect();
        }
        fields
    }
}

fn lines(
    strategy: &mut StrategyConfig,
    execution: &mut ExecutionConfig,
    given: &BTreeSet<String>,
) -> Vec<Line> {
    let line = |setting: crate::driver::settings::Setting| Line {
        table: setting.table,
        name: setting.name,
        value: setting.shown(),
        about: setting.about,
        is_given: given.contains(&setting.full_name()),
    };
    settings(strategy, execution).into_iter().map(line).collect()
}

/// The names of all schedules, with commas between.
fn names_of_fees(market: &Market) -> String {
    market.fees.iter().map(|fees| fees.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The period that holds on the first day, and those that begin later in the range.
fn periods_in(fees: &FeeSchedule, range: DateRange) -> Vec<&FeePeriod> {
    let later = |period: &&FeePeriod| range.first < period.from && period.from <= range.last;
    fees.at(range.first).into_iter().chain(fees.periods.iter().filter(later)).collect()
}

/// A value of TOML as one of JSON. Numbers, flags and plain words are written alike in both.
fn scalar(value: &str) -> Value {
    serde_json::from_str(value).expect("settings are numbers, flags and plain words")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn setting(text: &mut String, name: &str, value: &str, is_given: bool, about: &str) {
    let assignment = format!("{name} = {value}");
    let origin = if is_given { "case" } else { "default" };
    line(text, format_args!("{assignment:<29} # {origin:<7}  {about}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::config::{ExecutionProfile, Profile};
    use crate::domain::money::{Cash, Qty};

    fn shown(text: &str) -> String {
        let (market, replays) = (Market::embedded().unwrap(), Path::new("replays"));
        let case = Case::parse(text, "x", &replays.join("x")).unwrap();
        Shown::new(Some(case), replays, &market).unwrap().human()
    }

    const CASE: &str = "data = 'data'\nfrom = '2024-09'\nto = '2024-10'\nwarmup_sessions = 22\n\
        execution.daily_loss_max = 800\n[[symbols]]\nkey = 'NSE_EQ|INE155A01022'\n\
        label = 'Tata \"Power\"'";

    #[test]
    fn a_case_is_shown_with_what_it_says_and_what_it_leaves_out() {
        insta::assert_snapshot!(shown(CASE), @r#"
        # Case x, configuration fb9470552ed1
        data = "data"                 # case     the history's folder, seen from the case's
        from = "2024-09-01"           # case     first day
        to = "2024-10-31"             # case     last day, inclusive
        warmup_sessions = 22          # case     trading days before, for the indicators
        fees = "nse"                  # default  fee schedule, see below

        [[symbols]]
        key = "NSE_EQ|INE155A01022"
        label = 'Tata "Power"'

        [strategy]
        id = "pixityAI_meta"          # default  identifier, part of every signal's id
        profile = "causal"            # default  rules that make signals
        bar_minutes = 15              # default  minutes in one strategy bar
        swing_period = 5              # default  bars on either side of a swing point
        reversion_k = 2.0             # default  width of the reversion band, in ATRs
        adx_gate = 25.0               # default  reversion needs an ADX below this
        first_bar = 50                # default  first bar that may signal, from 0, warm-up included (causal)
        time_stop_bars = 12           # default  bars after which a position is closed
        risk_per_trade = 500          # default  rupees at risk in one signal: quantity = this / ATR
        leverage = 5                  # default  times the capital that positions may be worth

        [execution]
        profile = "honest"            # default  rules that turn signals into fills
        slippage_ticks = 1            # default  ticks that market and stop fills are worse (honest)
        entry_cutoff_minutes = 30     # default  minutes before the session's end without entry (honest)
        flatten_minutes = 15          # default  minutes before the session's end to be flat (honest)
        cooldown_bars = 3             # default  bars from an exit to the next entry, both included (honest, compat-live)
        enter_on_incomplete = false   # default  whether a bar with missing minutes may enter (honest)
        trades_max = 100              # default  entries in a day (honest), fills in a run (compat)
        capital = 100000              # default  rupees at the start, the base of sizing (causal)
        daily_loss_max = 800          # case     rupees lost that stop the day (honest) or the run (compat)
        position_max = 100000         # default  shares in the largest position (compat)
        exposure_max = 1000000000     # default  rupees that an entry of one symbol may be worth (honest)

        # Charges of an order by nse (fees-2026-11-23) from 2024-09-01 to 2024-10-31:
        # from         2024-04-01    2024-10-01
        # brokerage    ₹ 20.00       ₹ 20.00
        # or, if less  0.05 %        0.05 %
        # STT          0.025 % sell  0.025 % sell
        # transaction  0.00322 %     0.00297 %
        # IPFT         0.0001 %      0.0001 %
        # SEBI         0.0001 %      0.0001 %
        # stamp duty   0.003 % buy   0.003 % buy
        # GST          18 % + IPFT   18 % + IPFT
        "#);
    }

    #[test]
    fn the_defaults_are_shown_with_all_charges() {
        let market = Market::embedded().unwrap();
        let text = Shown::new(None, Path::new("replays"), &market).unwrap().human();
        let lines: Vec<&str> = text.lines().collect();
        let ends = [&lines[..4], &lines[lines.len() - 10..]].concat();
        insta::assert_snapshot!(ends.join("\n"), @r#"
        # The defaults, configuration 75cdcd6cf5a4. A case adds
        # data, from, to, warmup_sessions and [[symbols]].
        fees = "nse"                  # default  fee schedule, see below

        # Charges of an order by nse (fees-2026-11-23):
        # from         2020-07-01    2023-04-01    2024-04-01    2024-10-01
        # brokerage    ₹ 20.00       ₹ 20.00       ₹ 20.00       ₹ 20.00
        # or, if less  0.05 %        0.05 %        0.05 %        0.05 %
        # STT          0.025 % sell  0.025 % sell  0.025 % sell  0.025 % sell
        # transaction  0.00345 %     0.00325 %     0.00322 %     0.00297 %
        # IPFT         0 %           0.0001 %      0.0001 %      0.0001 %
        # SEBI         0.0001 %      0.0001 %      0.0001 %      0.0001 %
        # stamp duty   0.003 % buy   0.003 % buy   0.003 % buy   0.003 % buy
        # GST          18 % + IPFT   18 % + IPFT   18 % + IPFT   18 % + IPFT
        "#);
        assert!(!text.contains("# case"), "{text}");
    }

    #[test]
    fn the_hash_knows_what_decides_and_nothing_else() {
        let (market, replays) = (Market::embedded().unwrap(), Path::new("replays"));
        let hash = |from: &str, to: &str| {
            assert!(CASE.contains(from), "{from}");
            let case = Case::parse(&CASE.replace(from, to), "x", &replays.join("x")).unwrap();
            Shown::new(Some(case), replays, &market).unwrap().hash()
        };
        let own = hash("data", "data");
        assert_eq!(own, hash("data = 'data'", "data = 'elsewhere'"));
        assert_eq!(own, hash("label = 'Tata \"Power\"'", ""));
        assert_eq!(own, hash("execution.", "strategy.leverage = 5\nexecution."));
        for (from, to) in [
            ("800", "801"),
            ("2024-10", "2024-11"),
            ("22", "21"),
            ("INE155A01022", "INE118H01025"),
            ("execution.", "fees = 'plan'\nexecution."),
        ] {
            assert_ne!(own, hash(from, to), "{to}");
        }
    }

    #[test]
    fn an_unknown_fee_schedule_is_named() {
        let (market, replays) = (Market::embedded().unwrap(), Path::new("replays"));
        let text = CASE.replace("execution.", "fees = 'none'\nexecution.");
        let case = Case::parse(&text, "x", &replays.join("x")).unwrap();
        let failure = Shown::new(Some(case), replays, &market).err().unwrap();
        insta::assert_snapshot!(failure, @"
        error: there is no fee schedule 'none'
           = there are nse, plan, compat
        ");
    }

    #[test]
    fn json_says_the_same() {
        let (market, replays) = (Market::embedded().unwrap(), Path::new("replays"));
        let case = Case::parse(CASE, "x", &replays.join("x")).unwrap();
        let shown = Shown::new(Some(case), replays, &market).unwrap();
        let json = shown.json();
        assert_eq!(json["hash"], shown.hash());
        assert_eq!(json["given"], json!(["execution.daily_loss_max"]));
        assert_eq!(json["execution"]["daily_loss_max"], 800);
        assert_eq!(json["strategy"]["reversion_k"], 2.0);
        assert_eq!(json["strategy"]["profile"], "causal");
        assert_eq!(json["symbols"][0]["label"], "Tata \"Power\"");
        assert_eq!(json["fees"]["periods"][1]["transaction"], "0.00297 %");
    }

    prop_compose! {
        fn strategies()(
            id in "[A-Za-z0-9_.-]{1,64}",
            profile in prop::sample::select(Profile::ALL),
            swing_period in 1_u32..=100,
            reversion_k in 1e-9..=100.0,
            adx_gate in 1e-9..=100.0,
            first_bar in 1_u32..=100_000,
            time_stop_bars in 1_u32..=10_000,
            risk_per_trade in (1_i64..=1_000_000_000).prop_map(Cash::from_rupees),
            leverage in 1_u32..=100,
        ) -> StrategyConfig {
            let bar_minutes = 15;
            StrategyConfig {
                id, profile, bar_minutes, swing_period, reversion_k, adx_gate, first_bar,
                time_stop_bars, risk_per_trade, leverage,
            }
        }
    }

    prop_compose! {
        fn executions()(
            profile in prop::sample::select(ExecutionProfile::ALL),
            slippage_ticks in 0_u32..=1_000,
            (entry_cutoff_minutes, flatten_minutes) in (0_u32..=375, 0_u32..=375),
            cooldown_bars in 0_u32..=10_000,
            enter_on_incomplete: bool,
            trades_max in 1_u32..=1_000_000,
            capital in (1_i64..=1_000_000_000).prop_map(Cash::from_rupees),
            daily_loss_max in (1_i64..=1_000_000_000).prop_map(Cash::from_rupees),
            position_max in (1_i64..=1_000_000).prop_map(Qty),
            exposure_max in (1_i64..=1_000_000_000).prop_map(Cash::from_rupees),
        ) -> ExecutionConfig {
            ExecutionConfig {
                profile, slippage_ticks, entry_cutoff_minutes, flatten_minutes, cooldown_bars,
                enter_on_incomplete, trades_max, capital, daily_loss_max, position_max,
                exposure_max,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_pasted(
            strategy in strategies(),
            execution in executions(),
            label in prop::option::of("\\PC{0,20}[a-z'\"\\\\]"),
        ) {
            let (market, replays) = (Market::embedded().unwrap(), Path::new("replays"));
            let folder = replays.join("x");
            let mut case = Case::parse(CASE, "x", &folder).unwrap();
            (case.strategy, case.execution, case.symbols[0].label) = (strategy, execution, label);
            let text = Shown::new(Some(case.clone()), replays, &market).unwrap().human();
            let mut again = Case::parse(&text, "x", &folder).unwrap();
            again.given.clone_from(&case.given);
            prop_assert_eq!(again, case);
        }
    }
}
