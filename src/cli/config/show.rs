//! `lockstep config show`: every setting with its value, as TOML that can be pasted into a
//! `case.toml`, and the fees that hold in the case's range.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::{CHARGES, charges, charges_json, table};
use crate::domain::config::{ExecutionConfig, FeePeriod, FeeSchedule, StrategyConfig};
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
        let mut table = table(&CHARGES, None);
        table.add_rows(self.periods.iter().map(|period| charges(period)));
        for row in table.trim_fmt().lines() {
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
