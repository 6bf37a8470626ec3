//! The trading days of an exchange as data. A year that is not listed is unknown, never guessed:
//! Indian exchanges add holidays late and trade on some Saturdays.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::instrument::Instrument;
use super::tags::tagged;
use super::time::{Date, Window};

tagged! {
    /// Why a session has the shape it has.
    SessionKind {
        /// An ordinary day.
        Regular = 1 "regular",
        /// The hour of trading on Diwali.
        Muhurat = 2 "muhurat",
        /// A full session on a weekend, such as a budget day.
        Weekend = 3 "weekend",
        /// Two short blocks on a Saturday, to practise a switch of data centres.
        Split = 4 "split",
    }
}

/// One trading day of one exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The day.
    pub date: Date,
    /// Why it has its shape.
    pub kind: SessionKind,
    /// Continuous trading, in order, half-open.
    pub windows: Vec<Window>,
    /// Continuous trading of stocks that close by auction, where it differs.
    pub auction_windows: Vec<Window>,
    /// Instruments with hours of their own on this day.
    pub own_hours: Vec<OwnHours>,
}

/// One instrument's hours on one day, such as those of a stock after a demerger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnHours {
    /// The instrument's key.
    pub key: String,
    /// Continuous trading, in order, half-open.
    pub windows: Vec<Window>,
}

impl Session {
    /// When `instrument` trades continuously on this day.
    pub fn windows_of(&self, instrument: &Instrument) -> &[Window] {
        if let Some(own) = self.own_hours.iter().find(|own| own.key == instrument.key) {
            return &own.windows;
        }
        let by_auction = instrument.at(self.date).is_some_and(|listing| listing.closing_auction);
        if by_auction && !self.auction_windows.is_empty() {
            &self.auction_windows
        } else {
            &self.windows
        }
    }
}

/// The sessions of an exchange for the years it lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The exchange, such as `NSE`.
    pub exchange: String,
    /// The version of the data, as its file says.
    pub version: String,
    /// Years that are listed, ascending.
    pub years: Vec<i32>,
    /// All sessions of those years, ascending by date.
    pub sessions: Vec<Session>,
}

/// A date in a year for which the calendar lists nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlistedYear {
    /// The year asked for.
    pub year: i32,
    /// The years that are listed.
    pub listed: Vec<i32>,
}

impl Calendar {
    /// The sessions from `from` to `to`, both inclusive.
    ///
    /// # Errors
    /// When the range touches a year that is not listed.
    pub fn between(&self, from: Date, to: Date) -> Result<&[Session], UnlistedYear> {
        for year in from.ymd().0..=to.ymd().0 {
            if !self.years.contains(&year) {
                return Err(UnlistedYear { year, listed: self.years.clone() });
            }
        }
        let start = self.sessions.partition_point(|session| session.date < from);
        let end = self.sessions.partition_point(|session| session.date <= to);
        Ok(&self.sessions[start..end.max(start)])
    }

    /// The session of `date`; `None` on a day without trading.
    ///
    /// # Errors
    /// When the year of `date` is not listed.
    pub fn session(&self, date: Date) -> Result<Option<&Session>, UnlistedYear> {
        Ok(self.between(date, date)?.first())
    }

    /// The date of the `count`-th session before `date`, or the earliest that is listed.
    pub fn sessions_before(&self, date: Date, count: usize) -> Option<Date> {
        let end = self.sessions.partition_point(|session| session.date < date);
        let start = end.saturating_sub(count);
        self.sessions[start..end].first().map(|session| session.date)
    }
}
