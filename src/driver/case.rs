//! A case: a named replay with its golden. `replays/<case>/case.toml` says what is replayed under
//! which rules; whatever it leaves out has the defaults of `domain::config`.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::config::{ExecutionConfig, StrategyConfig};

use super::plan::{DateRange, Request};
use super::settings::{Setting, integer, settings, text};

/// The file that makes a folder a case.
pub const FILE: &str = "case.toml";
/// The fee schedule of a case that names none.
pub const FEES: &str = "nse";
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
        let text = fs::read_to_string(&path)
            .map_err(|source| CaseError::Read { path: path.clone(), source })?;
        Case::parse(&text, name, &folder).map_err(|faults| CaseError::Parse { path, faults })
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
        let known =
            ["data", "from", "to", "warmup_sessions", "fees", "symbols", "strategy", "execution"];
        self.refuse_unknown("", table, &known);
        let filled = "text that is not empty";
        let data = self.needed(table, "data", filled, |value| filled_text(value));
        let range = self.range(table);
        let sessions = format!("a whole number from 0 to {WARMUP_MAX}");
        let warmup_sessions = self.needed(table, "warmup_sessions", &sessions, |value| {
            integer(value).filter(|count| *count <= WARMUP_MAX)?.try_into().ok()
        });
        let symbols = self.symbols(table);
        let fees = table.get("fees");
        let fees = match fees {
            Some(value) => self.read("fees", value, filled, |value| filled_text(value)),
            None => Some(FEES.to_owned()),
        };
        let (strategy, execution, mut given) = self.settings(table);
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
        let key = self.read("symbols.key", key, filled, |value| filled_text(value));
        let label = match table.get("label") {
            Some(label) => {
                Some(self.read("symbols.label", label, filled, |value| filled_text(value))?)
            }
            None => None,
        };
        Some(Symbol { key: key?, label })
    }

    /// The settings over their defaults, and the names of those that the file gives.
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
