//! Whether a file labels a bar by the start or by the end of its minute. Both habits are common,
//! and a wrong guess moves every bar by a minute, so only certainty counts.

use std::path::Path;

use super::error::ImportError;
use super::merge::Row;
use crate::domain::instrument::Instrument;
use crate::domain::session::Calendar;
use crate::domain::time::{Timestamp, Window};

/// Which end of its minute a bar's time names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// 09:15 is the minute from 09:15 to 09:16.
    Start,
    /// 09:16 is the minute from 09:15 to 09:16.
    End,
}

/// What the first and last bars of the windows say.
#[derive(Default)]
struct Evidence {
    /// Windows whose first bar stands at the open: no minute ends there.
    start: Votes,
    /// Windows whose first bar stands a minute after the open and that have a bar at the close: no
    /// minute of trading starts there.
    end: Votes,
    /// Windows that have bars but say neither.
    neither: Votes,
}

/// How many windows say one thing, with the first and last bar of the first that did.
#[derive(Default)]
struct Votes {
    count: usize,
    example: Option<(Timestamp, Timestamp)>,
}

impl Votes {
    fn describe(&self, what: &str) -> Option<String> {
        let (first, last) = self.example?;
        Some(format!("{what}: {} (such as {first} to {last})", self.count))
    }
}

/// How the bars of a file are labelled, as the windows' first bars say without contradiction;
/// `None` for a file without bars.
///
/// # Errors
/// [`ImportError::Label`] when they say nothing or not all the same.
pub(super) fn detect(
    path: &Path,
    rows: &[Row],
    instrument: &Instrument,
    calendar: &Calendar,
) -> Result<Option<Label>, ImportError> {
    let mut times: Vec<Timestamp> = rows.iter().map(|row| row.bar.open_time).collect();
    times.sort_unstable();
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Ok(None);
    };
    let days = first.date()..=last.date();
    let sessions = calendar.sessions.iter().filter(|session| days.contains(&session.date));
    let mut evidence = Evidence::default();
    for window in sessions.flat_map(|session| session.windows_of(instrument)) {
        weigh(&times, window, &mut evidence);
    }
    match (evidence.start.count, evidence.end.count) {
        (1.., 0) => Ok(Some(Label::Start)),
        (0, 1..) => Ok(Some(Label::End)),
        _ => {
            let seen = [
                evidence.start.describe("windows beginning at the open"),
                evidence.end.describe("windows beginning a minute later and reaching the close"),
                evidence.neither.describe("windows doing neither"),
            ];
            let seen: Vec<String> = seen.into_iter().flatten().collect();
            let seen = if seen.is_empty() {
                format!("no bar from {first} to {last} lies inside a session")
            } else {
                seen.join(", ")
            };
            Err(ImportError::Label { path: path.to_owned(), seen })
        }
    }
}

/// Adds what one window says. `times` are sorted.
fn weigh(times: &[Timestamp], window: &Window, evidence: &mut Evidence) {
    let from = times.partition_point(|time| *time < window.open);
    let to = times.partition_point(|time| *time <= window.close);
    let (Some(&first), Some(&last)) = (times[from..to].first(), times[from..to].last()) else {
        return;
    };
    let votes = if first == window.open {
        &mut evidence.start
    } else if first == window.open.plus_minutes(1) && last == window.close {
        &mut evidence.end
    } else {
        &mut evidence.neither
    };
    votes.count += 1;
    votes.example.get_or_insert((first, last));
}
