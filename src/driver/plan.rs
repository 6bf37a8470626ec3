//! From what is asked to what is run: a range of days, some symbols and settings become the run's
//! first record. Whatever is missing or unknown is refused here, before anything is written.

use crate::domain::config::{ExecutionConfig, Profile, RunConfig, StrategyConfig};
use crate::domain::event::{CORE_VERSION, Command, DataHash, RunStarted};
use crate::domain::instrument::Instrument;
use crate::domain::session::UnlistedYear;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};
use crate::sources::market::Market;

/// The program that runs, as it stands in a run's description and in checkpoints.
pub const BUILD: &str = concat!("lockstep ", env!("CARGO_PKG_VERSION"));

/// Days from `first` to `last`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

impl DateRange {
    /// Reads two ends, each a month `YYYY-MM` (its first or last day) or a day `YYYY-MM-DD`.
    ///
    /// # Errors
    /// Says which end is no date, or that the range runs backwards.
    pub fn parse(from: &str, to: &str) -> Result<DateRange, String> {
        let bad = |flag: &str, text: &str| {
            format!("{flag} is '{text}', but must be a month like 2024-10 or a day like 2024-10-31")
        };
        let first_day =
            |text: &str| Date::parse(text).or_else(|| Date::parse(&format!("{text}-01")));
        let first = first_day(from).ok_or_else(|| bad("from", from))?;
        let last = match Date::parse(to) {
            Some(day) => day,
            None => first_day(to).ok_or_else(|| bad("to", to))?.next_month().plus_days(-1),
        };
        if last < first {
            return Err(format!("the range runs backwards: from {first} to {last}"));
        }
        Ok(DateRange { first, last })
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The days to trade.
    pub range: DateRange,
    /// Sessions before them that warm the indicators up.
    pub warmup_sessions: usize,
    /// Keys of what is traded, in any order.
    pub keys: Vec<String>,
    /// The strategy's parameters.
    pub strategy: StrategyConfig,
    /// How orders become fills.
    pub execution: ExecutionConfig,
    /// Name of the fee schedule.
    pub fees: String,
    /// What somebody wants during the run, ascending in time.
    pub commands: Vec<Command>,
}

/// Why a request cannot be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing to trade.
    #[error("no symbols are selected")]
    NoSymbols,
    /// More symbols than ids.
    #[error("{0} symbols are selected, but a run has at most 65535")]
    TooManySymbols(usize),
    /// A key that the instrument master does not have.
    #[error("the instrument master has no {0}")]
    UnknownKey(String),
    /// A key that was not listed during the whole run.
    #[error("{key} is not listed on {date}")]
    NotListed {
        /// The key.
        key: String,
        /// A session of the run on which nothing is listed under it.
        date: Date,
    },
    /// A year without a calendar.
    #[error("the calendar does not list {}, only {}", .0.year, years(&.0.listed))]
    UnlistedYear(UnlistedYear),
    /// Days without any trading.
    #[error("there is no session from {0} to {1}")]
    NoSession(Date, Date),
    /// Not that many sessions before the range.
    #[error("the calendar has fewer than {wanted} sessions before {first}")]
    NoWarmup {
        /// Sessions asked for.
        wanted: usize,
        /// First day of the range.
        first: Date,
    },
    /// A fee schedule that does not exist.
    #[error("there is no fee schedule '{name}', only {known}")]
    UnknownFees {
        /// The name asked for.
        name: String,
        /// Those that exist, with commas between.
        known: String,
    },
}

/// A run that is ready to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first record, still without the hashes of the data.
    pub run: RunStarted,
    /// All days that are read, warm-up included.
    pub range: DateRange,
}

impl Plan {
    /// Checks a request against the market facts.
    ///
    /// # Errors
    /// The first thing that is missing or unknown.
    pub fn new(request: &Request, market: &Market) -> Result<Plan, PlanError> {
        let DateRange { first, last } = request.range;
        let calendar = &market.calendar;
        let traded = calendar.between(first, last).map_err(PlanError::UnlistedYear)?;
        let Some(first_session) = traded.first() else {
            return Err(PlanError::NoSession(first, last));
        };
        let start = warmup_start(request, market, first_session.date)?;
        let sessions = calendar.between(start, last).map_err(PlanError::UnlistedYear)?;
        let fees = market.fee_schedule(&request.fees).ok_or_else(|| PlanError::UnknownFees {
            name: request.fees.clone(),
            known: market.fees.iter().map(|fees| fees.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        let instruments = instruments(&request.keys, market)?;
        for instrument in &instruments {
            for session in sessions {
                if instrument.at(session.date).is_none() {
                    let (key, date) = (instrument.key.clone(), session.date);
                    return Err(PlanError::NotListed { key, date });
                }
            }
        }
        let config = RunConfig {
            strategy: request.strategy.clone(),
            execution: request.execution.clone(),
            fees: fees.clone(),
            active_from: first.start(),
        };
        let run = RunStarted {
            core_version: CORE_VERSION,
            build: BUILD.to_owned(),
            config,
            instruments,
            calendar_version: calendar.version.clone(),
            sessions: sessions.to_vec(),
            data: Vec::new(),
        };
        Ok(Plan { run, range: DateRange { first: start, last } })
    }

    /// The same with the hashes of the files that will be read.
    #[must_use]
    pub fn with_data(mut self, mut data: Vec<DataHash>) -> Plan {
        data.sort_by(|a, b| a.name.cmp(&b.name));
        self.run.data = data;
        self
    }
}

fn warmup_start(request: &Request, market: &Market, first: Date) -> Result<Date, PlanError> {
    let wanted = request.warmup_sessions;
    if wanted == 0 {
        return Ok(first);
    }
    let start = market.calendar.sessions_before(first, wanted);
    let found = start.and_then(|start| market.calendar.between(start, first.plus_days(-1)).ok());
    match (start, found) {
        (Some(start), Some(found)) if found.len() == wanted => Ok(start),
        _ => Err(PlanError::NoWarmup { wanted, first }),
    }
}

fn years(listed: &[i32]) -> String {
    listed.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

/// The instruments of the keys, sorted and without repetition.
fn instruments(keys: &[String], market: &Market) -> Result<Vec<Instrument>, PlanError> {
    let mut keys: Vec<&String> = keys.iter().collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Err(PlanError::NoSymbols);
    }
    if keys.len() > usize::from(u16::MAX) {
        return Err(PlanError::TooManySymbols(keys.len()));
    }
    let find = |key: &String| {
        market.instrument(key).cloned().ok_or_else(|| PlanError::UnknownKey(key.clone()))
    };
    keys.into_iter().map(find).collect()
}

/// The watermarks of a replay (rules 1.3), ascending: wherever time brings something to an end,
/// whether anybody trades or not. Under the profile `compat-live` that may be any minute.
pub fn watermarks(run: &RunStarted) -> Vec<Timestamp> {
    let step_us = match run.config.strategy.profile {
        Profile::Causal => i64::from(run.config.strategy.bar_minutes) * MINUTE_US,
        Profile::CompatLive => MINUTE_US,
    };
    let flatten_minutes = i64::from(run.config.execution.flatten_minutes);
    let mut times = Vec::new();
    for session in &run.sessions {
        let before = times.len();
        let mut seen: Vec<&[Window]> = Vec::new();
        for windows in run.instruments.iter().map(|instrument| session.windows_of(instrument)) {
            // Most instruments have the same hours, and there may be thousands of them.
            if seen.contains(&windows) {
                continue;
            }
            seen.push(windows);
            for window in windows {
                let first = window.open.floor_to(step_us).plus_us(step_us);
                let inside = |time: &Timestamp| *time < window.close;
                times.extend(
                    std::iter::successors(Some(first), |time| Some(time.plus_us(step_us)))
                        .take_while(inside),
                );
                times.push(window.close);
            }
            times.extend(windows.last().map(|last| last.close.plus_minutes(-flatten_minutes)));
        }
        if times.len() == before {
            // Nobody trades that day, and still it is over.
            times.push(session.date.start());
        }
    }
    times.sort_unstable();
    times.dedup();
    times
}

#[cfg(test)]
mod tests {
    use super::DateRange;

    #[test]
    fn months_and_days_are_both_inclusive() {
        let shown = |from, to| {
            let range = DateRange::parse(from, to).unwrap();
            format!("{} {}", range.first, range.last)
        };
        assert_eq!(shown("2024-10", "2024-12"), "2024-10-01 2024-12-31");
        assert_eq!(shown("2024-02-29", "2024-02"), "2024-02-29 2024-02-29");
        assert_eq!(shown("2024-11-04", "2024-11-05"), "2024-11-04 2024-11-05");
        assert!(DateRange::parse("2024-12", "2024-10").unwrap_err().contains("backwards"));
        assert!(DateRange::parse("2024-13", "2024-10").unwrap_err().contains("from is '2024-13'"));
    }
}
