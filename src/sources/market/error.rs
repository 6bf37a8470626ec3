//! What can be wrong with the market files.

use std::fmt;
use std::path::PathBuf;

use crate::domain::time::Date;

/// Why the market files cannot be used. Nothing of them is used then.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// A file is not there or cannot be read.
    #[error("{} cannot be read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is no TOML, lacks a field, has one too many, or a field is badly written.
    #[error("{} does not have the form that is asked for", file.display())]
    Parse {
        /// The file.
        file: PathBuf,
        /// Line, column and what was expected.
        source: toml::de::Error,
    },
    /// An entry contradicts itself or another.
    #[error("{at}: {fault}")]
    Entry {
        /// Where the entry stands.
        at: Place,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// A line of a market file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)
    }
}

/// What is wrong with an entry that is well written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The listed years, eras, or periods do not ascend.
    #[error("{what} do not ascend")]
    NotAscending {
        /// Of what.
        what: &'static str,
    },
    /// Nothing is listed where something must be.
    #[error("no {what}")]
    Nothing {
        /// Of what.
        what: &'static str,
    },
    /// The first era begins after the first listed year does.
    #[error("the first era begins on {date}, after the first listed year does")]
    EraMissing {
        /// When it begins.
        date: Date,
    },
    /// A date lies outside the listed years.
    #[error("{date} is in a year that is not listed")]
    YearNotListed {
        /// The date.
        date: Date,
    },
    /// A date is listed twice for the same thing.
    #[error("{date} is listed twice")]
    DuplicateDate {
        /// The date.
        date: Date,
    },
    /// A holiday on a day without trading anyhow, which hints at a wrong date.
    #[error("holiday {date} is on a weekend")]
    HolidayOnWeekend {
        /// The date.
        date: Date,
    },
    /// A day is both a holiday and a special session.
    #[error("special session {date} is on a holiday")]
    SpecialOnHoliday {
        /// The date.
        date: Date,
    },
    /// A kind of session that does not fit the day of the week.
    #[error("{kind} session {date} is not on a weekend")]
    SpecialOnWeekday {
        /// The date.
        date: Date,
        /// The kind.
        kind: &'static str,
    },
    /// Own hours on a day without a session.
    #[error("own hours on {date}, which is no trading day")]
    NoSession {
        /// The date.
        date: Date,
    },
    /// Windows are missing, empty, overlap, or are out of order.
    #[error("the windows of {date} are not a sequence of stretches in order")]
    WindowsOutOfOrder {
        /// The date.
        date: Date,
    },
    /// An ISIN has a wrong form or check digit.
    #[error("'{isin}' is no ISIN")]
    NotAnIsin {
        /// What stands there.
        isin: String,
    },
    /// A key is not `NSE_EQ|` and the ISIN.
    #[error("the key '{key}' is not NSE_EQ| and the ISIN {isin}")]
    KeyIsNotIsin {
        /// The key.
        key: String,
        /// The ISIN.
        isin: String,
    },
    /// Two entries have the same key or name.
    #[error("'{name}' is listed twice")]
    DuplicateName {
        /// The key or name.
        name: String,
    },
    /// A listing ends before it begins.
    #[error("the listing from {from} ends before it begins")]
    ListingEndsEarly {
        /// Its first day.
        from: Date,
    },
    /// A listing begins before the one before has ended.
    #[error("the listing from {from} begins before the one before has ended")]
    ListingOverlaps {
        /// Its first day.
        from: Date,
    },
    /// A lot, or a part of a ratio, is zero.
    #[error("{what} must not be zero")]
    Zero {
        /// Of what.
        what: &'static str,
    },
}
