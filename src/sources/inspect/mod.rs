//! Inspection: what is wrong or remarkable in a history, minute by minute. Nothing is repaired.
//!
//! An *error* is data that a run refuses or that cannot be right; a *note* is what real markets do
//! and a reader should know: gaps, prints after the close, splits.
//!
//! - [`rows`] findings about single rows and their order
//! - [`sessions`] findings about trading days: gaps, strays, overnight steps
//! - [`folder`] one instrument of a store, damaged files included

mod folder;
mod rows;
mod sessions;

pub use folder::inspect_folder;

use crate::domain::fact::Bar;
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::sources::columns::BarColumns;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The data cannot be right.
    Error,
    /// The data may well be right, and one should know.
    Note,
}

impl Severity {
    /// The word that stands for it in text.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Note => "note",
        }
    }
}

/// What was found. Errors first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A file that cannot be read.
    Unreadable,
    /// A row that stands in the file of another month.
    WrongMonth,
    /// A row that no market can have printed.
    Defect,
    /// A minute that was there before.
    Duplicate,
    /// A row before a row above it.
    OutOfOrder,
    /// The instrument master does not know the key.
    UnknownKey,
    /// The key is another company than its label says.
    WrongLabel,
    /// The instrument's last listing has an end.
    ListingEnds,
    /// Trading days without any bar.
    MissingSession,
    /// Minutes without a bar within a trading day.
    Gap,
    /// Bars outside the hours of trading.
    OutsideSession,
    /// Prices that are no multiple of the tick.
    OffGrid,
    /// A step between two days as a split or bonus makes it.
    OvernightStep,
    /// Bars in which nothing was traded.
    ZeroVolume,
}

impl Kind {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Kind::Unreadable
            | Kind::WrongMonth
            | Kind::Defect
            | Kind::Duplicate
            | Kind::OutOfOrder => Severity::Error,
            _ => Severity::Note,
        }
    }

    /// The word that stands for it in text.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Unreadable => "unreadable",
            Kind::WrongMonth => "wrong-month",
            Kind::Defect => "defect",
            Kind::Duplicate => "duplicate",
            Kind::OutOfOrder => "out-of-order",
            Kind::UnknownKey => "unknown-key",
            Kind::WrongLabel => "wrong-label",
            Kind::ListingEnds => "listing-ends",
            Kind::MissingSession => "missing-session",
            Kind::Gap => "gap",
            Kind::OutsideSession => "outside-session",
            Kind::OffGrid => "off-grid",
            Kind::OvernightStep => "overnight-step",
            Kind::ZeroVolume => "zero-volume",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub kind: Kind,
    /// The first and the last minute it concerns, if it concerns any.
    pub range: Option<(Timestamp, Timestamp)>,
    /// How many rows, minutes or days it concerns.
    pub count: usize,
    /// The rest, in words.
    pub detail: String,
}

impl Finding {
    fn at(kind: Kind, time: Timestamp, detail: impl Into<String>) -> Finding {
        Finding { kind, range: Some((time, time)), count: 1, detail: detail.into() }
    }
}

/// What was found in the history of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The instrument's key.
    pub key: String,
    /// Its symbol on the last day of the history; the key where nothing is listed.
    pub symbol: String,
    /// Rows that were looked at.
    pub rows: usize,
    /// The earliest and the latest row's time.
    pub range: Option<(Timestamp, Timestamp)>,
    /// All findings, by kind and then by time.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The findings of that severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.kind.severity() == severity)
    }
}

/// Inspects the rows of one instrument against the sessions that they should cover.
///
/// `instrument` is `None` for a key that the master does not know; the hours of ordinary stocks
/// are then assumed and prices are not held against a grid.
pub fn inspect(
    key: &str,
    columns: &BarColumns,
    sessions: &[Session],
    instrument: Option<&Instrument>,
) -> Report {
    let bars: Vec<Bar> =
        (0..columns.len()).map(|row| columns.bar(row, InstrumentId::default())).collect();
    let mut findings = Vec::new();
    let sound = rows::inspect_rows(&bars, &mut findings);
    let stranger = Instrument { key: key.to_owned(), isin: String::new(), listings: Vec::new() };
    let known = instrument.unwrap_or(&stranger);
    rows::inspect_values(&sound, known, &mut findings);
    sessions::inspect_sessions(&sound, sessions, known, &mut findings);
    inspect_listing(key, instrument, &sound, &mut findings);
    // Findings of a kind were made in order of time, and the sort keeps that order.
    findings.sort_by_key(|finding| finding.kind);
    let times = || bars.iter().map(|bar| bar.open_time);
    let range = times().min().zip(times().max());
    let symbol = range.map_or(key, |(_, last)| known.symbol_at(last.date())).to_owned();
    Report { key: key.to_owned(), symbol, rows: bars.len(), range, findings }
}

/// Notes on what the master says of the instrument.
fn inspect_listing(
    key: &str,
    instrument: Option<&Instrument>,
    sound: &[Bar],
    findings: &mut Vec<Finding>,
) {
    let Some(instrument) = instrument else {
        let detail = format!("the instrument master has no {key}");
        findings.push(Finding { kind: Kind::UnknownKey, range: None, count: 1, detail });
        return;
    };
    let Some(listing) = instrument.listings.last() else { return };
    let Some(to) = listing.to else { return };
    let after = sound.iter().filter(|bar| bar.open_time.date() > to).count();
    let detail = format!("{} was listed until {to}; bars after that: {after}", listing.symbol);
    findings.push(Finding { kind: Kind::ListingEnds, range: None, count: 1, detail });
}

#[cfg(test)]
mod tests;
