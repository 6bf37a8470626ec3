//! A case: a named replay with its golden. `replays/<case>/case.toml` says what is replayed under
//! which rules; whatever it leaves out has the defaults of `domain::config`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::config::{ExecutionConfig, ExecutionProfile, StrategyConfig};
use crate::domain::event::{Command, CommandKind};
use crate::domain::money::{Cash, QTY_MAX, Qty};
use crate::domain::time::Timestamp;

use super::plan::{DateRange, Request};

/// A case as it is meant: paths resolved, dates read, settings over their defaults.
#[derive(Clone, Debug)]
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
}

/// A key, and what the user takes it for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[error("understand {path}: {message}")]
    Parse {
        /// The case file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
    },
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    data: PathBuf,
    from: String,
    to: String,
    warmup_sessions: usize,
    fees: Option<String>,
    symbols: Vec<Symbol>,
    #[serde(default)]
    strategy: StrategyFile,
    #[serde(default)]
    execution: ExecutionFile,
    #[serde(default)]
    commands: Vec<CommandFile>,
}

/// A command as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandFile {
    time: String,
    kind: String,
}

/// Strategy settings under the names of the user's configuration file; money in rupees.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyFile {
    id: Option<String>,
    swing_period: Option<u32>,
    reversion_k: Option<f64>,
    adx_gate: Option<f64>,
    time_stop_bars: Option<u32>,
    risk_per_trade: Option<i64>,
    leverage: Option<u32>,
}

/// Execution settings; money in rupees.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecutionFile {
    profile: Option<String>,
    slippage_ticks: Option<u32>,
    entry_cutoff_minutes: Option<u32>,
    flatten_minutes: Option<u32>,
    cooldown_bars: Option<u32>,
    enter_on_incomplete: Option<bool>,
    trades_max: Option<u32>,
    capital: Option<i64>,
    daily_loss_max: Option<i64>,
    position_max: Option<i64>,
}

impl Case {
    /// Reads `<replays>/<name>/case.toml`.
    ///
    /// # Errors
    /// When the file is missing or does not say what a case must say.
    pub fn load(replays: &Path, name: &str) -> Result<Case, CaseError> {
        let folder = replays.join(name);
        let path = folder.join("case.toml");
        let bytes =
            fs::read(&path).map_err(|source| CaseError::Read { path: path.clone(), source })?;
        let text = String::from_utf8(bytes).map_err(|error| error.to_string());
        text.and_then(|text| Case::parse(&text, name, &folder))
            .map_err(|message| CaseError::Parse { path, message })
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

    fn parse(text: &str, name: &str, folder: &Path) -> Result<Case, String> {
        let file: CaseFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let range = DateRange::parse(&file.from, &file.to)?;
        Ok(Case {
            name: name.to_owned(),
            data: folder.join(file.data),
            range,
            warmup_sessions: file.warmup_sessions,
            symbols: file.symbols,
            strategy: file.strategy.over_defaults()?,
            execution: file.execution.over_defaults()?,
            fees: file.fees.unwrap_or_else(|| "nse".to_owned()),
            commands: commands(&file.commands)?,
        })
    }
}

/// The commands in order of time.
fn commands(written: &[CommandFile]) -> Result<Vec<Command>, String> {
    let read = |CommandFile { time, kind }: &CommandFile| {
        let bad = |what: &str, found: &str, wanted: &str| {
            format!("commands.{what} is '{found}', but must be {wanted}")
        };
        let words: Vec<&str> = CommandKind::ALL.iter().map(|kind| kind.word()).collect();
        Ok(Command {
            time: Timestamp::parse(time)
                .ok_or_else(|| bad("time", time, "a time like 2024-10-01T11:20"))?,
            kind: CommandKind::from_word(kind)
                .ok_or_else(|| bad("kind", kind, &words.join(", ")))?,
        })
    };
    let mut commands = written.iter().map(read).collect::<Result<Vec<Command>, String>>()?;
    commands.sort_by_key(|command| command.time);
    Ok(commands)
}

/// Sets each field that the file gives.
macro_rules! overlay {
    ($target:ident from $file:ident: $($field:ident),+) => {
        $(if let Some(value) = $file.$field { $target.$field = value; })+
    };
}

impl StrategyFile {
    fn over_defaults(self) -> Result<StrategyConfig, String> {
        let mut config = StrategyConfig::default();
        let file = self;
        overlay!(config from file: id, swing_period, reversion_k, adx_gate, time_stop_bars,
            leverage);
        if let Some(rupees) = file.risk_per_trade {
            config.risk_per_trade = rupees_of("strategy.risk_per_trade", rupees)?;
        }
        check("strategy.swing_period", config.swing_period, 1, 100)?;
        check("strategy.time_stop_bars", config.time_stop_bars, 1, 10_000)?;
        check("strategy.leverage", config.leverage, 1, 100)?;
        for (name, value) in [("reversion_k", config.reversion_k), ("adx_gate", config.adx_gate)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("strategy.{name} is {value}, but must be a positive number"));
            }
        }
        Ok(config)
    }
}

impl ExecutionFile {
    fn over_defaults(self) -> Result<ExecutionConfig, String> {
        let mut config = ExecutionConfig::default();
        let file = self;
        overlay!(config from file: slippage_ticks, entry_cutoff_minutes, flatten_minutes,
            cooldown_bars, enter_on_incomplete, trades_max);
        if let Some(word) = file.profile {
            config.profile = ExecutionProfile::from_word(&word).ok_or_else(|| {
                format!("execution.profile is '{word}', but must be 'honest' or 'compat'")
            })?;
        }
        if let Some(rupees) = file.capital {
            config.capital = rupees_of("execution.capital", rupees)?;
        }
        if let Some(rupees) = file.daily_loss_max {
            config.daily_loss_max = rupees_of("execution.daily_loss_max", rupees)?;
        }
        if let Some(shares) = file.position_max {
            if !(1..=QTY_MAX.0).contains(&shares) {
                let max = QTY_MAX.0;
                return Err(format!("execution.position_max is {shares}, but must be 1 to {max}"));
            }
            config.position_max = Qty(shares);
        }
        check("execution.slippage_ticks", config.slippage_ticks, 0, 1_000)?;
        check("execution.entry_cutoff_minutes", config.entry_cutoff_minutes, 0, 375)?;
        check("execution.flatten_minutes", config.flatten_minutes, 0, 375)?;
        Ok(config)
    }
}

fn check(name: &str, value: u32, min: u32, max: u32) -> Result<(), String> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(format!("{name} is {value}, but must be {min} to {max}")),
    }
}

/// At most Rs 100 crore, so that worth always fits its integer.
fn rupees_of(name: &str, rupees: i64) -> Result<Cash, String> {
    match (1..=1_000_000_000).contains(&rupees) {
        true => Ok(Cash::from_rupees(rupees)),
        false => Err(format!("{name} is {rupees}, but must be 1 to 1000000000 rupees")),
    }
}

/// The names of all cases below `replays`, sorted.
///
/// # Errors
/// When the folder cannot be listed.
pub fn names(replays: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(replays)? {
        let path = entry?.path();
        if path.join("case.toml").is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
