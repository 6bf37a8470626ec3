//! A case: a named replay with its golden. `replays/<case>/case.toml` says what is replayed under
//! which rules; whatever it leaves out has the defaults of `domain::config`.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::config::{ExecutionConfig, Profile, StrategyConfig};
use crate::domain::event::{Command, CommandKind};
use crate::domain::time::Timestamp;

use super::plan::{DateRange, Request};
use super::settings::{Setting, integer, settings, text};

/// The file that makes a folder a case.
pub const FILE: &str = "case.toml";
/// The fee schedule of a case that names none.
pub const FEES: &str = "nse";

/// The fee schedule that belongs to a profile, where nobody says otherwise.
pub const fn fees_of(profile: Profile) -> &'static str {
    match profile {
        Profile::Causal => FEES,
        Profile::CompatLive => "compat",
    }
}
/// What a case file may hold.
const KNOWN: [&str; 9] = [
    "data",
    "from",
    "to",
    "warmup_sessions",
    "fees",
    "symbols",
    "strategy",
    "execution",
    "commands",
];
/// Most sessions of warm-up that may be asked for.
const WARMUP_MAX: i64 = 10_000;

/// A case as it is meant: paths resolved, dates read, settings over their defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// Where its history lies.
    pub data: PathBuf,
    /// First and last day, both inclusive.
    pub range: DateRange,
    /// Sessions before the first day that warm the indicators up.
    pub warmup_sessions: usize,
    /// What is traded, under the user's labels.
    pub symbols: Vec<Symbol>,
    /// The strategy's parameters.
    pub strategy: StrategyConfig,
    /// How orders become fills.
    pub execution: ExecutionConfig,
    /// Name of the fee schedule.
    pub fees: String,
    /// What somebody wants during the run, ascending in time.
    pub commands: Vec<Command>,
    /// What the file itself says and could have left out, such as `strategy.leverage` or `fees`.
    pub given: BTreeSet<String>,
}

/// A key, and what the user takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The instrument's key.
    pub key: String,
    /// The user's name for it, which may be wrong.
    pub label: Option<String>,
}

/// Why a case cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file is not there or not readable.
    #[error("read {path}: {source}")]
    Read {
        /// The case file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no case.
    #[error("understand {path}: {}", joined(.faults))]
    Parse {
        /// The case file.
        path: PathBuf,
        /// Every mistake, in the order of the file; at least one.
        faults: Vec<Fault>,
    },
}

fn joined(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

/// A mistake in a case file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Line and column, both from 1; the end of the file for what is missing.
    pub at: (usize, usize),
    /// What is wrong, and what it must be.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.at.0, self.at.1, self.what)
    }
}

impl Case {
    /// Reads `<replays>/<name>/case.toml`.
    ///
    /// # Errors
    /// When the file is missing, or with every mistake in it.
    pub fn load(replays: &Path, name: &str) -> Result<Case, CaseError> {
        let folder = replays.join(name);
        let path = folder.join(FILE);
        let bytes =
            fs::read(&path).map_err(|source| CaseError::Read { path: path.clone(), source })?;
        let text = String::from_utf8(bytes)
            .map_err(|error| vec![Fault { at: (1, 1), what: error.to_string() }]);
        text.and_then(|text| Case::parse(&text, name, &folder))
            .map_err(|faults| CaseError::Parse { path, faults })
    }

    /// Reads the text of a case file that stands in `folder`.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the text.
    pub fn parse(text: &str, name: &str, folder: &Path) -> Result<Case, Vec<Fault>> {
        let mut reader = Reader { source: text, faults: Vec::new() };
        let case = DeTable::parse(text)
            .map_err(|error| {
                let span = error.span().unwrap_or(text.len()..text.len());
                reader.fault(span, error.message().to_owned());
            })
            .ok()
            .and_then(|table| reader.case(table.get_ref(), name, folder));
        let mut faults = reader.faults;
        faults.sort();
        match case {
            Some(case) if faults.is_empty() => Ok(case),
            _ => Err(faults),
        }
    }

    /// What the case asks to be run.
    pub fn request(&self) -> Request {
        Request {
            range: self.range,
            warmup_sessions: self.warmup_sessions,
            keys: self.symbols.iter().map(|symbol| symbol.key.clone()).collect(),
            strategy: self.strategy.clone(),
            execution: self.execution.clone(),
            fees: self.fees.clone(),
            commands: self.commands.clone(),
        }
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the parts of a case and notes every mistake instead of stopping at the first.
struct Reader<'a> {
    source: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// The case, as far as it can be made out; a mistake is noted wherever it cannot.
    fn case(&mut self, table: &DeTable, name: &str, folder: &Path) -> Option<Case> {
        self.refuse_unknown("", table, &KNOWN);
        let filled = "text that is not empty";
        let data = self.needed(table, "data", filled, filled_text);
        let range = self.range(table);
        let sessions = format!("a whole number from 0 to {WARMUP_MAX}");
        let warmup_sessions = self.needed(table, "warmup_sessions", &sessions, |value| {
            integer(value).filter(|count| *count <= WARMUP_MAX)?.try_into().ok()
        });
        let symbols = self.symbols(table);
        let commands = self.commands(table);
        let (strategy, execution, mut given) = self.settings(table);
        let fees = match table.get("fees") {
            Some(value) => self.read("fees", value, filled, filled_text),
            None => Some(fees_of(strategy.profile).to_owned()),
        };
        given.extend(table.contains_key("fees").then(|| "fees".to_owned()));
        Some(Case {
            name: name.to_owned(),
            data: folder.join(data?),
            range: range?,
            warmup_sessions: warmup_sessions?,
            symbols: symbols?,
            strategy,
            execution,
            fees: fees?,
            commands: commands?,
            given,
        })
    }

    fn range(&mut self, table: &DeTable) -> Option<DateRange> {
        let day = "a month like \"2024-10\" or a day like \"2024-10-31\"";
        let mut end = |name| {
            self.needed(table, name, day, |value| {
                let text = text(value)?;
                DateRange::parse(text, text).ok().map(|_| text.to_owned())
            })
        };
        let (from, to) = (end("from"), end("to"));
        match DateRange::parse(&from?, &to?) {
            Ok(range) => Some(range),
            Err(why) => {
                self.fault(table.get("to")?.span(), why);
                None
            }
        }
    }

    fn symbols(&mut self, table: &DeTable) -> Option<Vec<Symbol>> {
        let Some(value) = table.get("symbols") else {
            self.missing("symbols", "tables [[symbols]] with a key each");
            return None;
        };
        let entries = value.get_ref().as_array().map(|array| array.iter());
        let Some(entries) = entries else {
            self.wrong("symbols", value, "tables [[symbols]] with a key each");
            return None;
        };
        let mut symbols = Vec::<Symbol>::new();
        for entry in entries {
            let Some(symbol) = self.symbol(entry) else { continue };
            if symbols.iter().any(|other| other.key == symbol.key) {
                self.fault(entry.span(), format!("{} is listed twice", symbol.key));
            }
            symbols.push(symbol);
        }
        Some(symbols)
    }

    fn symbol(&mut self, entry: &Value) -> Option<Symbol> {
        let Some(table) = entry.get_ref().as_table() else {
            self.wrong("a symbol", entry, "a table with a key");
            return None;
        };
        self.refuse_unknown("symbols", table, &["key", "label"]);
        let Some(key) = table.get("key") else {
            self.fault(entry.span(), "the symbol has no key".to_owned());
            return None;
        };
        let filled = "text that is not empty";
        let key = self.read("symbols.key", key, filled, filled_text);
        let label = match table.get("label") {
            Some(label) => Some(self.read("symbols.label", label, filled, filled_text)?),
            None => None,
        };
        Some(Symbol { key: key?, label })
    }

    /// The commands in order of time; none where the file has none.
    fn commands(&mut self, table: &DeTable) -> Option<Vec<Command>> {
        let Some(value) = table.get("commands") else { return Some(Vec::new()) };
        let Some(entries) = value.get_ref().as_array() else {
            self.wrong("commands", value, "tables [[commands]] with a time and a kind each");
            return None;
        };
        let mut commands: Vec<Command> =
            entries.iter().filter_map(|entry| self.command(entry)).collect();
        commands.sort_by_key(|command| command.time);
        Some(commands)
    }

    fn command(&mut self, entry: &Value) -> Option<Command> {
        let Some(table) = entry.get_ref().as_table() else {
            self.wrong("a command", entry, "a table with a time and a kind");
            return None;
        };
        self.refuse_unknown("commands", table, &["time", "kind"]);
        let (Some(time), Some(kind)) = (table.get("time"), table.get("kind")) else {
            self.fault(entry.span(), "the command lacks its time or its kind".to_owned());
            return None;
        };
        let instant = "a time in India like \"2024-10-01T11:20\"";
        let kinds: Vec<&str> = CommandKind::ALL.iter().map(|kind| kind.word()).collect();
        let time = self.read("commands.time", time, instant, |v| Timestamp::parse(text(v)?));
        let kind = self
            .read("commands.kind", kind, &kinds.join(", "), |v| CommandKind::from_word(text(v)?));
        Some(Command { time: time?, kind: kind? })
    }

    /// The settings over their defaults, and the names of those that the file gives. Execution goes
    /// with the signals, unless the file says otherwise.
    fn settings(&mut self, table: &DeTable) -> (StrategyConfig, ExecutionConfig, BTreeSet<String>) {
        let (mut strategy, mut execution) = Default::default();
        let mut given = BTreeSet::new();
        let mut all = settings(&mut strategy, &mut execution);
        for name in ["strategy", "execution"] {
            let Some(value) = table.get(name) else { continue };
            let Some(table) = value.get_ref().as_table() else {
                self.wrong(name, value, "a table");
                continue;
            };
            let mut own: Vec<&mut Setting> = all.iter_mut().filter(|it| it.table == name).collect();
            let known: Vec<&str> = own.iter().map(|setting| setting.name).collect();
            self.refuse_unknown(name, table, &known);
            for setting in &mut own {
                let Some(value) = table.get(setting.name) else { continue };
                if !setting.take(value.get_ref()) {
                    self.wrong(&setting.full_name(), value, &setting.range());
                }
                given.insert(setting.full_name());
            }
        }
        drop(all);
        if !given.contains("execution.profile") {
            execution.profile = strategy.profile.execution();
        }
        (strategy, execution, given)
    }

    /// What `take` makes of the value of `name`, which must be there.
    fn needed<T>(
        &mut self,
        table: &DeTable,
        name: &str,
        must_be: &str,
        take: impl Fn(&DeValue) -> Option<T>,
    ) -> Option<T> {
        match table.get(name) {
            Some(value) => self.read(name, value, must_be, take),
            None => {
                self.missing(name, must_be);
                None
            }
        }
    }

    fn read<T>(
        &mut self,
        name: &str,
        value: &Value,
        must_be: &str,
        take: impl Fn(&DeValue) -> Option<T>,
    ) -> Option<T> {
        let taken = take(value.get_ref());
        if taken.is_none() {
            self.wrong(name, value, must_be);
        }
        taken
    }

    fn refuse_unknown(&mut self, parent: &str, table: &DeTable, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let (name, known) = (key.get_ref(), known.join(", "));
            let place = if parent.is_empty() { "a case" } else { parent };
            self.fault(key.span(), format!("unknown setting '{name}'; {place} has {known}"));
        }
    }

    fn wrong(&mut self, name: &str, value: &Value, must_be: &str) {
        let written = self.source.get(value.span()).unwrap_or_default();
        let written = written.lines().next().unwrap_or_default();
        self.fault(value.span(), format!("{name} is {written}, but must be {must_be}"));
    }

    fn missing(&mut self, name: &str, must_be: &str) {
        let end = self.source.trim_end().len();
        self.fault(end..end, format!("{name} is missing, but must be {must_be}"));
    }

    fn fault(&mut self, span: Range<usize>, what: String) {
        let before = self.source.get(..span.start).unwrap_or(self.source);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.chars().rev().take_while(|c| *c != '\n').count();
        self.faults.push(Fault { at: (line, column), what });
    }
}

fn filled_text(value: &DeValue) -> Option<String> {
    text(value).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// The names of all cases below `replays`, sorted.
///
/// # Errors
/// When the folder cannot be listed.
pub fn names(replays: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(replays)? {
        let path = entry?.path();
        if path.join(FILE).is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::ExecutionProfile;

    const NEEDED: &str =
        "data = \"data\"\nfrom = \"2024-10\"\nto = \"2024-12\"\nwarmup_sessions = 22\n";
    const SYMBOLS: &str = "[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n";

    fn parse(text: &str) -> Result<Case, Vec<Fault>> {
        Case::parse(text, "x", Path::new("replays/x"))
    }

    /// What is said about a text, a line per mistake.
    fn faults(text: &str) -> String {
        let faults = parse(text).unwrap_err();
        faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_a_case_leaves_out_has_the_defaults() {
        let case = parse(&format!("{NEEDED}{SYMBOLS}")).unwrap();
        assert_eq!(case.data, Path::new("replays/x/data"));
        assert_eq!((case.warmup_sessions, case.fees.as_str()), (22, "nse"));
        assert_eq!(case.strategy, StrategyConfig::default());
        assert_eq!(case.execution, ExecutionConfig::default());
        assert!(case.given.is_empty());
    }

    #[test]
    fn the_live_profile_brings_its_execution_and_fees_unless_the_file_says_otherwise() {
        let live = format!("strategy.profile = 'compat-live'\n{NEEDED}");
        let case = parse(&format!("{live}{SYMBOLS}")).unwrap();
        assert_eq!(case.strategy.profile, Profile::CompatLive);
        assert_eq!(case.execution.profile, ExecutionProfile::Compat);
        assert_eq!(case.fees, "compat");
        let own = "fees = 'nse'\nexecution.profile = 'honest'\n";
        let case = parse(&format!("{live}{own}{SYMBOLS}")).unwrap();
        assert_eq!(case.execution.profile, ExecutionProfile::Honest);
        assert_eq!(case.fees, "nse");
    }

    #[test]
    fn every_setting_can_be_given() {
        let text = format!(
            "{NEEDED}fees = \"plan\"\n{SYMBOLS}
            [strategy]
            id = 'other-1.0'
            profile = 'causal'
            bar_minutes = 15
            swing_period = 3
            reversion_k = 1.5
            adx_gate = 30
            first_bar = 1
            time_stop_bars = 0x10
            risk_per_trade = 1_000
            leverage = 1
            [execution]
            profile = 'compat'
            slippage_ticks = 0
            entry_cutoff_minutes = 375
            flatten_minutes = 0
            cooldown_bars = 0
            enter_on_incomplete = true
            trades_max = 1
            capital = 1000000000
            daily_loss_max = 1
            position_max = 1000000
            exposure_max = 7"
        );
        let mut case = parse(&text).unwrap();
        let all = settings(&mut case.strategy, &mut case.execution);
        let names: BTreeSet<String> = all.iter().map(Setting::full_name).collect();
        let shown: Vec<String> = all.iter().map(Setting::shown).collect();
        let (strategy, execution) = shown.split_at(10);
        insta::assert_snapshot!(
            strategy.join(" "),
            @r#""other-1.0" "causal" 15 3 1.5 30.0 1 16 1000 1"#
        );
        insta::assert_snapshot!(
            execution.join(" "),
            @r#""compat" 0 375 0 0 true 1 1000000000 1 1000000 7"#
        );
        assert_eq!(case.given, names.into_iter().chain(["fees".to_owned()]).collect());
    }

    #[test]
    fn a_setting_out_of_its_range_is_refused() {
        let refused = [
            "strategy.id = ''",
            "strategy.id = 'with blank'",
            "strategy.profile = 'batch'",
            "strategy.bar_minutes = 5",
            "strategy.swing_period = 0",
            "strategy.swing_period = 101",
            "strategy.reversion_k = 0",
            "strategy.reversion_k = nan",
            "strategy.adx_gate = -25.0",
            "strategy.adx_gate = inf",
            "strategy.first_bar = 0",
            "strategy.time_stop_bars = 0",
            "strategy.risk_per_trade = 0.5",
            "strategy.leverage = 101",
            "strategy.leverage = '5'",
            "execution.profile = 'lucky'",
            "execution.slippage_ticks = -1",
            "execution.entry_cutoff_minutes = 376",
            "execution.flatten_minutes = 376",
            "execution.cooldown_bars = 10001",
            "execution.enter_on_incomplete = 'yes'",
            "execution.trades_max = 0",
            "execution.capital = 1000000001",
            "execution.daily_loss_max = -800",
            "execution.position_max = 99999999999999999999",
        ];
        let said = refused.map(|setting| faults(&format!("{NEEDED}{setting}\n{SYMBOLS}")));
        insta::assert_snapshot!(said.join("\n"), @"
        line 5, column 15: strategy.id is '', but must be 1 to 64 letters, digits, '_', '-' or '.'
        line 5, column 15: strategy.id is 'with blank', but must be 1 to 64 letters, digits, '_', '-' or '.'
        line 5, column 20: strategy.profile is 'batch', but must be 'causal' or 'compat-live'
        line 5, column 24: strategy.bar_minutes is 5, but must be 15
        line 5, column 25: strategy.swing_period is 0, but must be a whole number from 1 to 100
        line 5, column 25: strategy.swing_period is 101, but must be a whole number from 1 to 100
        line 5, column 24: strategy.reversion_k is 0, but must be a number above 0, at most 100
        line 5, column 24: strategy.reversion_k is nan, but must be a number above 0, at most 100
        line 5, column 21: strategy.adx_gate is -25.0, but must be a number above 0, at most 100
        line 5, column 21: strategy.adx_gate is inf, but must be a number above 0, at most 100
        line 5, column 22: strategy.first_bar is 0, but must be a whole number from 1 to 100000
        line 5, column 27: strategy.time_stop_bars is 0, but must be a whole number from 1 to 10000
        line 5, column 27: strategy.risk_per_trade is 0.5, but must be whole rupees from 1 to 1000000000
        line 5, column 21: strategy.leverage is 101, but must be a whole number from 1 to 100
        line 5, column 21: strategy.leverage is '5', but must be a whole number from 1 to 100
        line 5, column 21: execution.profile is 'lucky', but must be 'honest' or 'compat' or 'observe'
        line 5, column 28: execution.slippage_ticks is -1, but must be a whole number from 0 to 1000
        line 5, column 34: execution.entry_cutoff_minutes is 376, but must be a whole number from 0 to 375
        line 5, column 29: execution.flatten_minutes is 376, but must be a whole number from 0 to 375
        line 5, column 27: execution.cooldown_bars is 10001, but must be a whole number from 0 to 10000
        line 5, column 33: execution.enter_on_incomplete is 'yes', but must be true or false
        line 5, column 24: execution.trades_max is 0, but must be a whole number from 1 to 1000000
        line 5, column 21: execution.capital is 1000000001, but must be whole rupees from 1 to 1000000000
        line 5, column 28: execution.daily_loss_max is -800, but must be whole rupees from 1 to 1000000000
        line 5, column 26: execution.position_max is 99999999999999999999, but must be shares from 1 to 1000000
        ");
    }

    #[test]
    fn what_every_case_needs_is_checked_too() {
        let refused = [
            ("data = \"data\"", "data = \"\""),
            ("data = \"data\"", "data = 3"),
            ("\"2024-10\"", "2024-10-01"),
            ("\"2024-12\"", "\"2024-13\""),
            ("\"2024-12\"", "\"2024-09\""),
            ("warmup_sessions = 22", "warmup_sessions = -1"),
            ("warmup_sessions = 22", "warmup_sessions = 10_001"),
            ("warmup_sessions = 22", "warmup_sessions = 22\nfees = []"),
            ("key = \"NSE_EQ|INE155A01022\"", "label = \"Tata Power\""),
            ("key = \"NSE_EQ|INE155A01022\"", "key = \" \""),
            ("[[symbols]]", "[symbols]"),
            ("[[symbols]]", "symbols = [\"NSE_EQ|INE155A01022\"]\n[strategy]"),
            ("[[symbols]]", "strategy = 5\n[[symbols]]"),
        ];
        let whole = format!("{NEEDED}{SYMBOLS}");
        let said = refused.map(|(right, wrong)| {
            assert!(whole.contains(right), "{right}");
            faults(&whole.replace(right, wrong))
        });
        insta::assert_snapshot!(said.join("\n"), @r#"
        line 1, column 8: data is "", but must be text that is not empty
        line 1, column 8: data is 3, but must be text that is not empty
        line 2, column 8: from is 2024-10-01, but must be a month like "2024-10" or a day like "2024-10-31"
        line 3, column 6: to is "2024-13", but must be a month like "2024-10" or a day like "2024-10-31"
        line 3, column 6: the range runs backwards: from 2024-10-01 to 2024-09-30
        line 4, column 19: warmup_sessions is -1, but must be a whole number from 0 to 10000
        line 4, column 19: warmup_sessions is 10_001, but must be a whole number from 0 to 10000
        line 5, column 8: fees is [], but must be text that is not empty
        line 5, column 1: the symbol has no key
        line 6, column 7: symbols.key is " ", but must be text that is not empty
        line 5, column 1: symbols is [symbols], but must be tables [[symbols]] with a key each
        line 5, column 12: a symbol is "NSE_EQ|INE155A01022", but must be a table with a key
        line 7, column 1: unknown setting 'key'; strategy has id, profile, bar_minutes, swing_period, reversion_k, adx_gate, first_bar, time_stop_bars, risk_per_trade, leverage
        line 5, column 12: strategy is 5, but must be a table
        "#);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = format!(
            "from = \"2024-10\"\nwarmup = 3\n{SYMBOLS}{SYMBOLS}lable = \"x\"\n\
             [strategy]\nleverage = 0\n[execution]\n  daily_loss = 800\n[executoin]\n"
        );
        insta::assert_snapshot!(faults(&text), @r#"
        line 2, column 1: unknown setting 'warmup'; a case has data, from, to, warmup_sessions, fees, symbols, strategy, execution, commands
        line 5, column 1: NSE_EQ|INE155A01022 is listed twice
        line 7, column 1: unknown setting 'lable'; symbols has key, label
        line 9, column 12: strategy.leverage is 0, but must be a whole number from 1 to 100
        line 11, column 3: unknown setting 'daily_loss'; execution has profile, slippage_ticks, entry_cutoff_minutes, flatten_minutes, cooldown_bars, enter_on_incomplete, trades_max, capital, daily_loss_max, position_max, exposure_max
        line 12, column 2: unknown setting 'executoin'; a case has data, from, to, warmup_sessions, fees, symbols, strategy, execution, commands
        line 12, column 12: data is missing, but must be text that is not empty
        line 12, column 12: to is missing, but must be a month like "2024-10" or a day like "2024-10-31"
        line 12, column 12: warmup_sessions is missing, but must be a whole number from 0 to 10000
        "#);
    }

    #[test]
    fn broken_toml_is_told_with_its_place() {
        let said =
            ["data = \"data", "data = \"a\"\ndata = \"b\"", "data = \"a\"\nfrom 2024"].map(faults);
        insta::assert_snapshot!(said.join("\n"), @r#"
        line 1, column 13: invalid basic string, expected `"`
        line 2, column 1: duplicate key
        line 2, column 6: key with no value, expected `=`
        "#);
    }

    #[test]
    fn only_a_folder_with_a_case_file_is_a_case() {
        let replays = tempfile::tempdir().unwrap();
        for name in ["b", "a", "no-case"] {
            fs::create_dir(replays.path().join(name)).unwrap();
        }
        for name in ["a", "b"] {
            fs::write(replays.path().join(name).join(FILE), "").unwrap();
        }
        assert_eq!(names(replays.path()).unwrap(), ["a", "b"]);
    }
}
