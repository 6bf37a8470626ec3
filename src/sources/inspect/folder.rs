//! One instrument of a store, read without refusing anything that can be read at all.

use super::{Finding, Kind, Report, inspect};
use crate::domain::fact::Bar;
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::session::{Calendar, UnlistedYear};
use crate::domain::time::{Date, Timestamp};
use crate::sources::columns::BarColumns;
use crate::sources::store::{Folder, Store};

/// Inspects the months of a folder from `from` to `to`, both inclusive; where one is `None` the
/// history's own first or last day counts. A file that cannot be read is a finding.
///
/// # Errors
/// When the calendar does not list a year of that range.
pub fn inspect_folder(
    store: &Store,
    folder: &Folder,
    (from, to): (Option<Date>, Option<Date>),
    calendar: &Calendar,
    instrument: Option<&Instrument>,
) -> Result<Report, UnlistedYear> {
    let inside =
        |date: Date| from.is_none_or(|from| from <= date) && to.is_none_or(|to| date <= to);
    let mut findings = Vec::new();
    let mut bars: Vec<Bar> = Vec::new();
    let key = folder.key.as_deref().unwrap_or(&folder.name);
    for &month in &folder.months {
        if from.is_some_and(|from| month.next_month() <= from) || to.is_some_and(|to| to < month) {
            continue;
        }
        let rows = match &folder.key {
            Ok(key) => store.load_month_raw(key, month).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let columns = match rows {
            Ok(columns) => columns,
            Err(detail) => {
                findings.push(Finding { kind: Kind::Unreadable, range: None, count: 1, detail });
                continue;
            }
        };
        let rows = (0..columns.len()).map(|row| columns.bar(row, InstrumentId::default()));
        let (own, strange): (Vec<Bar>, Vec<Bar>) =
            rows.partition(|bar| bar.open_time.date().first_of_month() == month);
        findings.extend(wrong_month(month, &strange));
        bars.extend(own.into_iter().filter(|bar| inside(bar.open_time.date())));
    }
    let dates = || bars.iter().map(|bar| bar.open_time.date());
    let range = from.or_else(|| dates().min()).zip(to.or_else(|| dates().max()));
    let sessions = match range {
        Some((from, to)) => calendar.between(from, to)?,
        None => &[],
    };
    let mut report = inspect(key, &BarColumns::from_bars(bars.iter()), sessions, instrument);
    findings.append(&mut report.findings);
    findings.sort_by_key(|finding| finding.kind);
    Ok(Report { findings, ..report })
}

/// A finding for rows that stand in the file of another month.
fn wrong_month(month: Date, strange: &[Bar]) -> Option<Finding> {
    let times = || strange.iter().map(|bar| bar.open_time);
    let range: (Timestamp, Timestamp) = times().min().zip(times().max())?;
    let detail = format!("rows in the file of {}", month.month_name());
    Some(Finding { kind: Kind::WrongMonth, range: Some(range), count: strange.len(), detail })
}
