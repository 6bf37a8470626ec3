//! When an instrument trades continuously, day by day (rules 1.1).

use crate::domain::instrument::Instrument;
use crate::domain::session::Session;
use crate::domain::time::{Date, Timestamp, Window};

/// One instrument's windows of continuous trading on every session of a run.
pub struct Hours<'a> {
    /// Ascending by date.
    days: Vec<(Date, &'a [Window])>,
}

impl<'a> Hours<'a> {
    /// The hours of `instrument` on `sessions`, which ascend by date.
    pub fn of(instrument: &Instrument, sessions: &'a [Session]) -> Hours<'a> {
        let day = |session: &'a Session| (session.date, session.windows_of(instrument));
        Hours { days: sessions.iter().map(day).collect() }
    }

    /// The windows of that date; none on a date without a session.
    pub fn on(&self, date: Date) -> &'a [Window] {
        match self.days.binary_search_by_key(&date, |(date, _)| *date) {
            Ok(place) => self.days[place].1,
            Err(_) => &[],
        }
    }

    /// The instrument's session end on that date: the end of its last window.
    pub fn end(&self, date: Date) -> Option<Timestamp> {
        self.on(date).last().map(|window| window.close)
    }
}
