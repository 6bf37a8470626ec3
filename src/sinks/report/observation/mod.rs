//! Signals that were written down on several days (see [`crate::sinks::csv`]), merged and judged:
//! do they stand on bars of the session, how many are there, and did their bars lack anything.
//!
//! What contradicts itself is no observation and is refused as a whole: see [`files`].

pub mod files;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::{RejectReason, SignalKind};
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

/// Width of a strategy bar.
const QUARTER_US: i64 = 15 * MINUTE_US;

/// A signal that somebody wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The day's file: the day on which the signal became known.
    pub day: Date,
    /// Its line there, from 1.
    pub line: u64,
    /// The run that wrote it.
    pub run_id: String,
    /// Its name.
    pub signal_id: String,
    /// Whose.
    pub key: String,
    /// Which way.
    pub side: Side,
    /// Which condition.
    pub kind: SignalKind,
    /// Start of its bar.
    pub bar_time: Timestamp,
    /// When it became known, by the run's own time.
    pub told: Timestamp,
    /// Why it was declined; none where it was taken.
    pub declined: Option<RejectReason>,
    /// The bar's close.
    pub price: Price,
    /// Shares.
    pub quantity: Qty,
}

/// What is wrong with a signal's bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misaligned {
    /// The bar begins on no quarter hour.
    OffGrid,
    /// The exchange did not trade in it.
    OutsideSession,
    /// The signal was known before its bar was over.
    TooEarly,
    /// The instrument has another signal on the same bar.
    Second,
}

impl Misaligned {
    /// As people and scripts read it.
    pub const fn word(self) -> &'static str {
        match self {
            Misaligned::OffGrid => "off-grid",
            Misaligned::OutsideSession => "outside-session",
            Misaligned::TooEarly => "before-its-bar-closed",
            Misaligned::Second => "second-on-its-bar",
        }
    }
}

/// Signals of one day, or of all days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub signals: u64,
    /// Those that were taken.
    pub taken: u64,
    /// Those that were declined, by reason.
    pub declined: BTreeMap<RejectReason, u64>,
    /// Signals by instrument; every instrument that has one on any day.
    pub by_key: BTreeMap<String, u64>,
    /// What is wrong with their bars, how often.
    pub misaligned: BTreeMap<Misaligned, u64>,
    /// Signals that became known after their bar was over.
    pub late: u64,
    /// By how much the latest, in microseconds.
    pub late_us_max: i64,
}

impl Tally {
    /// Signals whose bar is one of the session, once, and over.
    pub fn aligned(&self) -> u64 {
        self.signals.saturating_sub(self.misaligned.values().sum())
    }

    /// Signals whose bar lacked minutes, or trades: what the feed or the history got wrong.
    pub fn errors(&self) -> u64 {
        let lacking = [RejectReason::IncompleteBar, RejectReason::Gap];
        lacking.iter().filter_map(|reason| self.declined.get(reason)).sum()
    }

    /// Whether every bar is in order and none lacked anything.
    pub fn is_clean(&self) -> bool {
        self.misaligned.is_empty() && self.errors() == 0
    }

    fn add(&mut self, one: &Observed, misaligned: Option<Misaligned>, late_us: i64) {
        self.signals += 1;
        match one.declined {
            None => self.taken += 1,
            Some(reason) => *self.declined.entry(reason).or_default() += 1,
        }
        *self.by_key.entry(one.key.clone()).or_default() += 1;
        if let Some(misaligned) = misaligned {
            *self.misaligned.entry(misaligned).or_default() += 1;
        }
        self.late += u64::from(late_us > 0);
        self.late_us_max = self.late_us_max.max(late_us);
    }
}

/// Several days, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// By day, every day with a file once.
    pub days: Vec<(Date, Tally)>,
    /// All days.
    pub total: Tally,
    /// What is wrong with which signal: places in the list that was judged.
    pub findings: Vec<(usize, Misaligned)>,
    /// Sessions between the first and the last day that have no file: there was no signal, or
    /// nobody looked. A file does not tell which.
    pub silent: Vec<Date>,
}

impl Observation {
    /// Signals for each instrument and day with a file; an instrument counts on all days once it
    /// has a signal on any.
    pub fn per_symbol_and_day(&self) -> f64 {
        let places = self.total.by_key.len() * self.days.len();
        self.total.signals as f64 / places.max(1) as f64
    }
}

/// Judges signals; `days` are those with a file, `sessions` the exchange's from the first to the
/// last of them, and `hours` says when an instrument trades on a day.
pub fn judge(
    observed: &[Observed],
    days: &BTreeSet<Date>,
    sessions: &[Date],
    hours: &dyn Fn(&str, Date) -> Vec<Window>,
) -> Observation {
    let mut by_day: BTreeMap<Date, Tally> =
        days.iter().map(|day| (*day, Tally::default())).collect();
    let (mut total, mut findings) = (Tally::default(), Vec::new());
    let mut seen = BTreeSet::new();
    for (place, one) in observed.iter().enumerate() {
        let close = close_of(one.bar_time, &hours(&one.key, one.bar_time.date()));
        let misaligned = match close {
            _ if one.bar_time.floor_to(QUARTER_US) != one.bar_time => Some(Misaligned::OffGrid),
            None => Some(Misaligned::OutsideSession),
            Some(close) if one.told < close => Some(Misaligned::TooEarly),
            _ if !seen.insert((&one.key, one.bar_time)) => Some(Misaligned::Second),
            Some(_) => None,
        };
        let late_us = close.map_or(0, |close| (one.told.0 - close.0).max(0));
        findings.extend(misaligned.map(|what| (place, what)));
        total.add(one, misaligned, late_us);
        by_day.entry(one.day).or_default().add(one, misaligned, late_us);
    }
    let silent = sessions.iter().filter(|day| !days.contains(day)).copied().collect();
    Observation { days: by_day.into_iter().collect(), total, findings, silent }
}

/// When the bar that begins at `open` is over; none where nothing is traded in it.
fn close_of(open: Timestamp, windows: &[Window]) -> Option<Timestamp> {
    let bar = Window { open, close: open.plus_us(QUARTER_US) };
    let last = windows.iter().rfind(|window| window.minutes_shared(&bar) > 0)?;
    Some(last.close.min(bar.close))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn observed(key: &str, bar: &str, told: &str) -> Observed {
        Observed {
            day: time(told).date(),
            line: 2,
            run_id: "run".into(),
            signal_id: "id".into(),
            key: key.into(),
            side: Side::Buy,
            kind: SignalKind::Trend,
            bar_time: time(bar),
            told: time(told),
            declined: None,
            price: Price(1),
            quantity: Qty(1),
        }
    }

    /// 09:15 to 15:30, an hour in the evening on the second day, nothing on others.
    fn hours(_: &str, day: Date) -> Vec<Window> {
        let (open, close) = match day {
            day if day == date("2024-10-01") => ((9, 15), (15, 30)),
            day if day == date("2024-10-03") => ((18, 0), (18, 50)),
            _ => return Vec::new(),
        };
        let at = |(hour, minute)| Timestamp::from_ist(day, hour, minute);
        vec![Window { open: at(open), close: at(close) }]
    }

    fn judged(signals: &[Observed]) -> Observation {
        let days = signals.iter().map(|one| one.day).collect();
        judge(signals, &days, &[date("2024-10-01"), date("2024-10-02"), date("2024-10-03")], &hours)
    }

    #[test]
    fn bars_of_the_session_are_aligned_however_short_they_are() {
        let found = judged(&[
            observed("A", "2024-10-01T15:15", "2024-10-01T15:30"),
            observed("B", "2024-10-01T15:15", "2024-10-01T15:31"),
            observed("A", "2024-10-03T18:45", "2024-10-03T18:50"),
        ]);
        assert_eq!((found.total.signals, found.total.aligned(), found.total.late), (3, 3, 1));
        assert_eq!(found.total.late_us_max, 60_000_000);
        assert!(found.findings.is_empty() && found.total.is_clean());
        assert_eq!(found.silent, [date("2024-10-02")]);
        assert_eq!(found.days.len(), 2);
        assert!((found.per_symbol_and_day() - 0.75).abs() < 1e-12);
    }

    #[test]
    fn each_way_to_be_misaligned_is_told_by_its_name() {
        let found = judged(&[
            observed("A", "2024-10-01T10:01", "2024-10-01T10:16"),
            observed("A", "2024-10-01T15:30", "2024-10-01T15:45"),
            observed("A", "2024-10-02T10:00", "2024-10-02T10:15"),
            observed("A", "2024-10-01T11:00", "2024-10-01T11:14"),
            observed("A", "2024-10-01T12:00", "2024-10-01T12:15"),
            observed("A", "2024-10-01T12:00", "2024-10-01T12:15"),
        ]);
        use Misaligned::{OffGrid, OutsideSession, Second, TooEarly};
        let wrong: Vec<Misaligned> = found.findings.iter().map(|(_, what)| *what).collect();
        assert_eq!(wrong, [OffGrid, OutsideSession, OutsideSession, TooEarly, Second]);
        assert_eq!((found.total.aligned(), found.total.is_clean()), (1, false));
    }

    #[test]
    fn a_bar_that_lacked_minutes_is_an_error_and_a_cooldown_is_none() {
        let mut lacking = observed("A", "2024-10-01T10:00", "2024-10-01T10:15");
        lacking.declined = Some(RejectReason::IncompleteBar);
        let mut resting = observed("A", "2024-10-01T11:00", "2024-10-01T11:15");
        resting.declined = Some(RejectReason::Cooldown);
        let found = judged(&[lacking, resting]);
        assert_eq!((found.total.errors(), found.total.taken), (1, 0));
        assert_eq!(found.total.aligned(), 2);
    }
}
