//! Import: minute bars from other people's CSV and Parquet files into the history store.
//!
//! Columns may have any names, times several spellings, bars either label; every guess is either
//! certain or refused. Nothing is written before everything was read and judged:
//!
//! - [`table`] rows out of a file, with the columns found by name
//! - [`cell`] one value: times, prices and volumes from text or typed columns
//! - [`label`] whether a file labels its bars by their start or by their end
//! - [`signals`] rows of another kind: signals that somebody's own program made
//! - [`merge`] rows of all files in one order, each minute once

mod cell;
mod error;
mod label;
mod merge;
pub mod signals;
mod table;

use std::path::PathBuf;

pub use cell::NaiveClock;
pub use error::{BadRow, ImportError};
pub use label::Label;
pub use table::ColumnNames;

use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::session::Calendar;
use crate::domain::time::{Date, MINUTE_US, Timestamp};
use crate::sources::columns::BarColumns;
use crate::sources::store::{Store, StoreError, replace_file, write_month};
use merge::Row;

/// What is to be imported, how it is to be read, and where it is to go.
#[derive(Clone, Debug)]
pub struct Request {
    /// The files; each may be CSV or Parquet, as its first bytes say.
    pub files: Vec<PathBuf>,
    /// Names of columns, where they are not the usual ones.
    pub columns: ColumnNames,
    /// How bars are labelled; `None` to find out from the sessions' first bars.
    pub label: Option<Label>,
    /// What times without an offset mean.
    pub naive: NaiveClock,
    /// The store's directory.
    pub out: PathBuf,
    /// Whether months that the store already has are replaced.
    pub replace: bool,
    /// Where bad rows go; `None` to refuse the import because of them.
    pub quarantine: Option<PathBuf>,
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The files, in the order given.
    pub files: Vec<FileFacts>,
    /// Rows whose time is before that of a row above them in their file.
    pub out_of_order: usize,
    /// Rows left out because another row says the very same.
    pub duplicates: usize,
    /// Rows that were put into quarantine.
    pub quarantined: usize,
    /// Bars on a trading day but outside its hours, such as post-close prints. They are kept.
    pub outside_hours: Outside,
    /// Bars on days without trading. They are kept.
    pub outside_days: Outside,
    /// The files that were written, with their bars.
    pub written: Vec<(PathBuf, usize)>,
    /// The first and the last bar's time.
    pub range: (Timestamp, Timestamp),
}

/// What was found in one file.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// The file.
    pub path: PathBuf,
    /// Rows, bad ones included.
    pub rows: usize,
    /// How its bars are labelled; `None` when it has none.
    pub label: Option<Label>,
}

/// How many bars lie outside, and the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Their number.
    pub count: usize,
    /// The first one's time.
    pub first: Option<Timestamp>,
}

impl Outside {
    fn add(&mut self, time: Timestamp) {
        self.count += 1;
        self.first.get_or_insert(time);
    }
}

/// Imports files as the history of `instrument`.
///
/// # Errors
/// See [`ImportError`]. Nothing has been written then, unless writing itself failed.
pub fn import(
    request: &Request,
    instrument: &Instrument,
    calendar: &Calendar,
) -> Result<Imported, ImportError> {
    let mut read = read_all(request, instrument, calendar)?;
    let merged = merge::merge(read.rows);
    read.bad.extend(merged.conflicts);
    judge(request, &mut read.bad, merged.rows.is_empty())?;
    let months = by_month(&merged.rows);
    refuse_existing(request, instrument, &months, !read.bad.is_empty())?;
    let (outside_hours, outside_days) = outside(&merged.rows, instrument, calendar);
    if let (Some(path), false) = (&request.quarantine, read.bad.is_empty()) {
        replace_file(path, &error::quarantine_text(&read.bad))?;
    }
    let mut written = Vec::new();
    for (month, bars) in &months {
        let path = write_month(&request.out, &instrument.key, *month, bars)?;
        written.push((path, bars.len()));
    }
    let time = |row: Option<&Row>| row.map_or(Timestamp::MIN, |row| row.bar.open_time);
    Ok(Imported {
        files: read.files,
        out_of_order: read.out_of_order,
        duplicates: merged.duplicates,
        quarantined: read.bad.len(),
        outside_hours,
        outside_days,
        written,
        range: (time(merged.rows.first()), time(merged.rows.last())),
    })
}

/// What all files say.
#[derive(Default)]
struct ReadAll {
    files: Vec<FileFacts>,
    /// Sound bars, by the start of their minute, file after file.
    rows: Vec<Row>,
    bad: Vec<BadRow>,
    out_of_order: usize,
}

/// Reads all files, labels each one's bars by their start, and parts the bad rows from the good.
fn read_all(
    request: &Request,
    instrument: &Instrument,
    calendar: &Calendar,
) -> Result<ReadAll, ImportError> {
    let mut all = ReadAll::default();
    for path in &request.files {
        let found = table::read(path, &request.columns, request.naive)?;
        let total = found.rows.len() + found.bad.len();
        all.bad.extend(found.bad);
        all.out_of_order += merge::count_out_of_order(&found.rows);
        let year = |row: &Row| row.bar.open_time.date().ymd().0;
        let is_listed = |row: &Row| calendar.years.contains(&year(row));
        let (rows, unlisted): (Vec<Row>, Vec<Row>) = found.rows.into_iter().partition(is_listed);
        // Nobody can say whether there was trading in a year that the calendar does not list.
        all.bad.extend(
            unlisted.iter().map(|row| {
                row.refused(&format!("the calendar does not list the year {}", year(row)))
            }),
        );
        let label = match request.label {
            None => label::detect(path, &rows, instrument, calendar)?,
            told => told,
        };
        for mut row in rows {
            let shift = if label == Some(Label::End) { -MINUTE_US } else { 0 };
            row.bar.open_time = row.bar.open_time.plus_us(shift);
            match row.bar.defect() {
                Some(defect) => all.bad.push(row.refused(defect.word())),
                None => all.rows.push(row),
            }
        }
        all.files.push(FileFacts { path: path.clone(), rows: total, label });
    }
    Ok(all)
}

/// Refuses bad rows that have nowhere to go, and an import of nothing.
fn judge(request: &Request, bad: &mut [BadRow], empty: bool) -> Result<(), ImportError> {
    let place = |row: &BadRow| request.files.iter().position(|path| *path == *row.path);
    bad.sort_by_key(|row| (place(row), row.line));
    if request.quarantine.is_none() && !bad.is_empty() {
        let first = bad.iter().take(error::BAD_ROWS_SHOWN).cloned().collect();
        return Err(ImportError::BadRows { first, total: bad.len() });
    }
    if empty {
        return Err(ImportError::Empty { files: request.files.clone(), bad: bad.len() });
    }
    Ok(())
}

/// Refuses to write over files, unless that was asked for.
fn refuse_existing(
    request: &Request,
    instrument: &Instrument,
    months: &[(Date, BarColumns)],
    quarantine: bool,
) -> Result<(), ImportError> {
    if request.replace {
        return Ok(());
    }
    let mut paths = Vec::new();
    match Store::open(&request.out) {
        Ok(store) => {
            paths.extend(months.iter().map(|(month, _)| store.path(&instrument.key, *month)));
        }
        Err(StoreError::NoStore { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    paths.extend(request.quarantine.clone().filter(|_| quarantine));
    paths.retain(|path| path.exists());
    if paths.is_empty() { Ok(()) } else { Err(ImportError::Exists { paths }) }
}

/// Sorted rows as columns, month by month on the Indian calendar.
fn by_month(rows: &[Row]) -> Vec<(Date, BarColumns)> {
    let month = |row: &Row| row.bar.open_time.date().first_of_month();
    let groups = rows.chunk_by(|a, b| month(a) == month(b));
    let columns = |group: &[Row]| BarColumns::from_bars(group.iter().map(|row| &row.bar));
    groups.map(|group| (month(&group[0]), columns(group))).collect()
}

/// Bars outside the hours of their day, and bars of days without trading.
fn outside(rows: &[Row], instrument: &Instrument, calendar: &Calendar) -> (Outside, Outside) {
    let (mut hours, mut days) = (Outside::default(), Outside::default());
    for group in rows.chunk_by(|a, b| a.bar.open_time.date() == b.bar.open_time.date()) {
        // Rows of unlisted years are not here any more; the minute before New Year is no session.
        let session = calendar.session(group[0].bar.open_time.date()).ok().flatten();
        let windows = session.map(|session| session.windows_of(instrument));
        for row in group {
            let time = row.bar.open_time;
            match windows {
                None => days.add(time),
                Some(windows) if windows.iter().any(|window| window.contains(time)) => {}
                Some(_) => hours.add(time),
            }
        }
    }
    (hours, days)
}

/// The instrument number of bars that have no run yet.
const NO_RUN: InstrumentId = InstrumentId(0);

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
