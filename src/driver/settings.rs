//! The settings of strategy and execution as a list: what each is called in a case file, what it
//! means, what it may be. Reading, checking and showing them all go by this one list.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use crate::domain::config::{ExecutionConfig, ExecutionProfile, Profile, StrategyConfig};
use crate::domain::money::{Cash, Qty, UNITS_PER_RUPEE};

/// Most rupees that a setting may name, Rs 100 crore, so that worth always fits its integer.
const RUPEES_MAX: i64 = 1_000_000_000;
/// Largest position that may be allowed, for the same reason.
const SHARES_MAX: i64 = 1_000_000;
/// Minutes of an ordinary session.
const SESSION_MINUTES: u32 = 375;
/// Longest identifier of a strategy.
const ID_CHARS_MAX: usize = 64;

/// One setting with the place of its value.
pub struct Setting<'a> {
    /// The table of the case file: `strategy` or `execution`.
    pub table: &'static str,
    /// The name within the table.
    pub name: &'static str,
    /// What it is, with its unit.
    pub about: &'static str,
    slot: Slot<'a>,
}

/// Where the value lies, and what it may be.
enum Slot<'a> {
    Id(&'a mut String),
    Signals(&'a mut Profile),
    Fills(&'a mut ExecutionProfile),
    Count(&'a mut u32, RangeInclusive<u32>),
    /// Above zero, up to a limit.
    Number(&'a mut f64, f64),
    Flag(&'a mut bool),
    Rupees(&'a mut Cash),
    Shares(&'a mut Qty),
}

/// All settings of a strategy and an execution, in the order of their declaration. Both are taken
/// apart completely, so a field without a setting does not compile.
pub fn settings<'a>(
    strategy: &'a mut StrategyConfig,
    execution: &'a mut ExecutionConfig,
) -> Vec<Setting<'a>> {
    let mut all = strategy_settings(strategy);
    all.extend(execution_settings(execution));
    all
}

fn strategy_settings(config: &mut StrategyConfig) -> Vec<Setting<'_>> {
    let StrategyConfig {
        id,
        profile,
        bar_minutes,
        swing_period,
        reversion_k,
        adx_gate,
        first_bar,
        time_stop_bars,
        risk_per_trade,
        leverage,
    } = config;
    let of = |name, slot, about| Setting { table: "strategy", name, about, slot };
    vec![
        of("id", Slot::Id(id), "identifier, part of every signal's id"),
        of("profile", Slot::Signals(profile), "rules that make signals"),
        of("bar_minutes", Slot::Count(bar_minutes, 15..=15), "minutes in one strategy bar"),
        of(
            "swing_period",
            Slot::Count(swing_period, 1..=100),
            "bars on either side of a swing point",
        ),
        of("reversion_k", Slot::Number(reversion_k, 100.0), "width of the reversion band, in ATRs"),
        of("adx_gate", Slot::Number(adx_gate, 100.0), "reversion needs an ADX below this"),
        of(
            "first_bar",
            Slot::Count(first_bar, 1..=100_000),
            "first bar that may signal, from 0, warm-up included (causal)",
        ),
        of(
            "time_stop_bars",
            Slot::Count(time_stop_bars, 1..=10_000),
            "bars after which a position is closed",
        ),
        of(
            "risk_per_trade",
            Slot::Rupees(risk_per_trade),
            "rupees at risk in one signal: quantity = this / ATR",
        ),
        of(
            "leverage",
            Slot::Count(leverage, 1..=100),
            "times the capital that positions may be worth",
        ),
    ]
}

fn execution_settings(config: &mut ExecutionConfig) -> Vec<Setting<'_>> {
    let ExecutionConfig {
        profile,
        slippage_ticks,
        entry_cutoff_minutes,
        flatten_minutes,
        cooldown_bars,
        enter_on_incomplete,
        trades_max,
        capital,
        daily_loss_max,
        position_max,
        exposure_max,
    } = config;
    let of = |name, slot, about| Setting { table: "execution", name, about, slot };
    let minutes = |slot| Slot::Count(slot, 0..=SESSION_MINUTES);
    vec![
        of("profile", Slot::Fills(profile), "rules that turn signals into fills"),
        of(
            "slippage_ticks",
            Slot::Count(slippage_ticks, 0..=1_000),
            "ticks that market and stop fills are worse (honest)",
        ),
        of(
            "entry_cutoff_minutes",
            minutes(entry_cutoff_minutes),
            "minutes before the session's end without entry (honest)",
        ),
        of(
            "flatten_minutes",
            minutes(flatten_minutes),
            "minutes before the session's end to be flat (honest)",
        ),
        of(
            "cooldown_bars",
            Slot::Count(cooldown_bars, 0..=10_000),
            "bars from an exit to the next entry, both included (honest, compat-live)",
        ),
        of(
            "enter_on_incomplete",
            Slot::Flag(enter_on_incomplete),
            "whether a bar with missing minutes may enter (honest)",
        ),
        of(
            "trades_max",
            Slot::Count(trades_max, 1..=1_000_000),
            "entries in a day (honest), fills in a run (compat)",
        ),
        of("capital", Slot::Rupees(capital), "rupees at the start, the base of sizing (causal)"),
        of(
            "daily_loss_max",
            Slot::Rupees(daily_loss_max),
            "rupees lost that stop the day (honest) or the run (compat)",
        ),
        of("position_max", Slot::Shares(position_max), "shares in the largest position (compat)"),
        of(
            "exposure_max",
            Slot::Rupees(exposure_max),
            "rupees that an entry of one symbol may be worth (honest)",
        ),
    ]
}

impl Setting<'_> {
    /// The name with its table, such as `strategy.leverage`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }

    /// What the value may be, as the end of `must be ...`.
    pub fn range(&self) -> String {
        let words = |words: Vec<&str>| format!("'{}'", words.join("' or '"));
        match &self.slot {
            Slot::Id(_) => format!("1 to {ID_CHARS_MAX} letters, digits, '_', '-' or '.'"),
            Slot::Signals(_) => words(Profile::ALL.iter().map(|word| word.word()).collect()),
            Slot::Fills(_) => words(ExecutionProfile::ALL.iter().map(|word| word.word()).collect()),
            Slot::Count(_, range) if range.start() == range.end() => range.start().to_string(),
            Slot::Count(_, range) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Slot::Number(_, max) => format!("a number above 0, at most {max}"),
            Slot::Flag(_) => "true or false".to_owned(),
            Slot::Rupees(_) => format!("whole rupees from 1 to {RUPEES_MAX}"),
            Slot::Shares(_) => format!("shares from 1 to {SHARES_MAX}"),
        }
    }

    /// The value as TOML.
    pub fn shown(&self) -> String {
        match &self.slot {
            Slot::Id(text) => format!("\"{text}\""),
            Slot::Signals(profile) => format!("\"{profile}\""),
            Slot::Fills(profile) => format!("\"{profile}\""),
            Slot::Count(count, _) => count.to_string(),
            Slot::Number(number, _) => format!("{number:?}"),
            Slot::Flag(flag) => flag.to_string(),
            Slot::Rupees(cash) => (cash.0 / UNITS_PER_RUPEE).to_string(),
            Slot::Shares(quantity) => quantity.to_string(),
        }
    }

    /// Takes the value over, or leaves everything as it is where it is none that the setting may
    /// have. Says whether it did.
    pub fn take(&mut self, value: &DeValue) -> bool {
        match &mut self.slot {
            Slot::Id(slot) => put(text(value).filter(|id| is_id(id)).map(str::to_owned), slot),
            Slot::Signals(slot) => put(text(value).and_then(Profile::from_word), slot),
            Slot::Fills(slot) => put(text(value).and_then(ExecutionProfile::from_word), slot),
            Slot::Count(slot, range) => {
                let count = integer(value).and_then(|whole| u32::try_from(whole).ok());
                put(count.filter(|count| range.contains(count)), slot)
            }
            Slot::Number(slot, max) => {
                put(number(value).filter(|number| *number > 0.0 && *number <= *max), slot)
            }
            Slot::Flag(slot) => put(value.as_bool(), slot),
            Slot::Rupees(slot) => {
                let rupees = integer(value).filter(|rupees| (1..=RUPEES_MAX).contains(rupees));
                put(rupees.map(Cash::from_rupees), slot)
            }
            Slot::Shares(slot) => {
                let shares = integer(value).filter(|shares| (1..=SHARES_MAX).contains(shares));
                put(shares.map(Qty), slot)
            }
        }
    }
}

fn put<T>(value: Option<T>, slot: &mut T) -> bool {
    let is_some = value.is_some();
    if let Some(value) = value {
        *slot = value;
    }
    is_some
}

fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The string, if the value is one.
pub(super) fn text<'a>(value: &'a DeValue) -> Option<&'a str> {
    value.as_str()
}

/// The whole number, if the value is one that fits.
pub(super) fn integer(value: &DeValue) -> Option<i64> {
    let whole = value.as_integer()?;
    i64::from_str_radix(whole.as_str(), whole.radix()).ok()
}

/// The number, whole or not.
fn number(value: &DeValue) -> Option<f64> {
    match value.as_float() {
        Some(float) => float.as_str().parse().ok(),
        None => integer(value).map(|whole| whole as f64),
    }
}
