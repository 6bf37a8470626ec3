//! Minutes of the broker's archive into a history: which days it lacks, and what an answer adds to
//! a month's file. What is there stays as it is unless that was asked for, so a download that broke
//! off goes on where it stopped. There is no network here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::domain::fact::Bar;
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::session::{Calendar, UnlistedYear};
use crate::domain::time::{Date, Window};

use super::columns::BarColumns;
use super::store::{Store, StoreError, write_month};
use super::upstox::candles::Candles;
use super::upstox::rest::months;
use super::upstox::value::Minute;

/// What one call asks for: days of one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first day.
    pub first: Date,
    /// The last day, in the same month.
    pub last: Date,
    /// The sessions between that are wanted; others may be there already.
    days: BTreeSet<Date>,
}

/// What became of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The file, if it was written.
    pub path: Option<PathBuf>,
    /// Bars that were added.
    pub added: usize,
    /// Bars that they replaced.
    pub replaced: usize,
    /// Rows outside the hours of continuous trading, left out.
    pub outside: usize,
    /// Copies of the last price before a closing auction, left out.
    pub copies: usize,
    /// Rows that cannot be true, left out, with their reasons.
    pub refused: Vec<String>,
    /// Wanted days of which the archive has nothing.
    pub empty: Vec<Date>,
}

/// Why a history cannot be looked at or added to.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The history itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody knows on which days of a year there was trading.
    #[error("the calendar does not list the year {}", .0.year)]
    Unlisted(UnlistedYear),
}

/// The calls that bring what the history in `dir` lacks of the sessions of `first..=last`, oldest
/// first; with `again`, all of them.
///
/// # Errors
/// See [`DownloadError`].
pub fn missing(
    dir: &Path,
    key: &str,
    calendar: &Calendar,
    (first, last): (Date, Date),
    again: bool,
) -> Result<Vec<Step>, DownloadError> {
    let mut steps = Vec::new();
    for (from, to) in months(first, last) {
        let sessions = calendar.between(from, to).map_err(DownloadError::Unlisted)?;
        let mut days: BTreeSet<Date> = sessions.iter().map(|session| session.date).collect();
        if !again {
            for bar in stored(dir, key, from)? {
                days.remove(&bar.open_time.date());
            }
        }
        if let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) {
            steps.push(Step { first, last, days });
        }
    }
    Ok(steps)
}

/// Adds what was answered to the month's file. Of its wanted days all that it had is replaced.
///
/// # Errors
/// See [`DownloadError`]. Nothing was changed then.
pub fn take_in(
    dir: &Path,
    instrument: &Instrument,
    calendar: &Calendar,
    step: &Step,
    mut candles: Candles,
) -> Result<Taken, DownloadError> {
    let sessions = calendar.between(step.first, step.last).map_err(DownloadError::Unlisted)?;
    let wanted = sessions.iter().filter(|session| step.days.contains(&session.date));
    let windows: Vec<Window> =
        wanted.flat_map(|session| session.windows_of(instrument)).copied().collect();
    candles.minutes.retain(|minute| step.days.contains(&minute.open_time.date()));
    if !instrument.key.contains("_INDEX|") {
        candles.drop_closing_copies();
    }
    candles.keep_within(&windows);
    let mut bars = stored(dir, &instrument.key, step.first)?;
    let had: BTreeSet<Date> =
        candles.minutes.iter().map(|minute| minute.open_time.date()).collect();
    let before = bars.len();
    bars.retain(|bar| !had.contains(&bar.open_time.date()));
    let mut taken = Taken {
        added: candles.minutes.len(),
        replaced: before - bars.len(),
        outside: candles.outside,
        copies: candles.copies,
        refused: candles
            .refused
            .iter()
            .map(|row| format!("row {}: {}", row.row, row.why))
            .collect(),
        empty: step.days.difference(&had).copied().collect(),
        path: None,
    };
    if taken.added > 0 {
        bars.extend(candles.minutes.iter().map(bar));
        bars.sort_by_key(|bar| bar.open_time);
        let month = step.first.first_of_month();
        let columns = BarColumns::from_bars(bars.iter());
        taken.path = Some(write_month(dir, &instrument.key, month, &columns)?);
    }
    Ok(taken)
}

/// The bars of the month of `day` that the history has; none where it has no such file.
fn stored(dir: &Path, key: &str, day: Date) -> Result<Vec<Bar>, StoreError> {
    let month = day.first_of_month();
    let Ok(store) = Store::open(dir) else { return Ok(Vec::new()) };
    if !store.months(key)?.contains(&month) {
        return Ok(Vec::new());
    }
    let window = Window { open: month.start(), close: month.next_month().start() };
    let columns = store.load_month(key, month, window)?;
    Ok(columns.bars(InstrumentId::default()).collect())
}

fn bar(minute: &Minute) -> Bar {
    let Minute { open_time, open, high, low, close, volume } = *minute;
    Bar { instrument: InstrumentId::default(), open_time, open, high, low, close, volume }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sources::market::Market;

    const KEY: &str = "NSE_EQ|INE155A01022";

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn market() -> Market {
        Market::embedded().unwrap()
    }

    fn steps(dir: &Path, first: &str, last: &str, again: bool) -> Vec<String> {
        let range = (date(first), date(last));
        let steps = missing(dir, KEY, &market().calendar, range, again).unwrap();
        let show = |step: &Step| format!("{}..{} {}", step.first, step.last, step.days.len());
        steps.iter().map(show).collect()
    }

    /// An answer with these minutes, newest first as the broker has them.
    fn answer(minutes: &[(&str, &str, u32)]) -> Candles {
        let rows = minutes.iter().rev().map(|(minute, price, volume)| {
            format!(r#"["{minute}:00+05:30",{price},{price},{price},{price},{volume},0]"#)
        });
        let rows: Vec<String> = rows.collect();
        let json = format!(r#"{{"status":"success","data":{{"candles":[{}]}}}}"#, rows.join(","));
        Candles::parse(json.as_bytes()).unwrap()
    }

    fn take(dir: &Path, first: &str, last: &str, again: bool, candles: Candles) -> Taken {
        let market = market();
        let range = (date(first), date(last));
        let steps = missing(dir, KEY, &market.calendar, range, again).unwrap();
        let instrument = market.instrument(KEY).unwrap();
        take_in(dir, instrument, &market.calendar, &steps[0], candles).unwrap()
    }

    fn prices(dir: &Path) -> String {
        let bars = stored(dir, KEY, date("2024-10-01")).unwrap();
        let show = |bar: &Bar| format!("{} {}", bar.open_time, bar.close);
        bars.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_is_there_is_not_asked_for_again() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("history");
        let months = ["2024-09-27..2024-09-30 2", "2024-10-01..2024-10-04 3"];
        assert_eq!(steps(&dir, "2024-09-27", "2024-10-05", false), months);
        assert_eq!(steps(&dir, "2024-10-05", "2024-10-06", false), Vec::<String>::new());
        let day = answer(&[("2024-10-03T09:15", "5", 1), ("2024-10-03T09:16", "6", 1)]);
        let taken = take(&dir, "2024-10-01", "2024-10-04", false, day);
        assert_eq!((taken.added, taken.replaced), (2, 0));
        assert_eq!(taken.empty, [date("2024-10-01"), date("2024-10-04")]);
        assert!(taken.path.unwrap().ends_with("NSE_EQ_INE155A01022/2024-10.parquet"));
        assert_eq!(steps(&dir, "2024-10-01", "2024-10-04", false), ["2024-10-01..2024-10-04 2"]);
        assert_eq!(steps(&dir, "2024-10-03", "2024-10-03", false), Vec::<String>::new());
        assert_eq!(steps(&dir, "2024-10-03", "2024-10-03", true), ["2024-10-03..2024-10-03 1"]);
    }

    #[test]
    fn a_day_that_is_there_stays_as_it_is_unless_it_is_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        take(dir, "2024-10-03", "2024-10-03", false, answer(&[("2024-10-03T09:15", "5", 1)]));
        let other = answer(&[("2024-10-01T09:15", "4", 1), ("2024-10-03T09:15", "9", 1)]);
        take(dir, "2024-10-01", "2024-10-04", false, other.clone());
        assert_eq!(prices(dir), "2024-10-01T09:15 4.00, 2024-10-03T09:15 5.00");
        let taken = take(dir, "2024-10-01", "2024-10-04", true, other);
        assert_eq!((taken.added, taken.replaced), (2, 2));
        assert_eq!(prices(dir), "2024-10-01T09:15 4.00, 2024-10-03T09:15 9.00");
        let nothing = take(dir, "2024-10-03", "2024-10-03", true, answer(&[]));
        assert_eq!((nothing.path, nothing.empty), (None, vec![date("2024-10-03")]));
        assert_eq!(prices(dir), "2024-10-01T09:15 4.00, 2024-10-03T09:15 9.00");
    }

    #[test]
    fn what_is_no_trading_is_left_out_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let candles = answer(&[
            ("2024-10-03T09:07", "5", 1),
            ("2024-10-03T09:15", "5", 1),
            ("2024-10-03T09:16", "0", 1),
            ("2024-10-03T15:29", "5", 0),
            ("2024-10-03T15:40", "5", 1),
        ]);
        let taken = take(dir, "2024-10-03", "2024-10-03", false, candles);
        assert_eq!((taken.added, taken.outside, taken.copies), (2, 2, 0));
        assert_eq!(taken.refused.len(), 1);
        assert!(taken.refused[0].starts_with("row 2: open 0.0 is no price"), "{taken:?}");
    }

    #[test]
    fn a_damaged_file_and_an_unknown_year_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let range = (date("2019-01-01"), date("2019-01-31"));
        let unlisted = missing(dir, KEY, &market().calendar, range, false).unwrap_err();
        assert!(matches!(unlisted, DownloadError::Unlisted(year) if year.year == 2019));
        take(dir, "2024-10-03", "2024-10-03", false, answer(&[("2024-10-03T09:15", "5", 1)]));
        fs::write(dir.join("NSE_EQ_INE155A01022/2024-10.parquet"), "PAR1").unwrap();
        let range = (date("2024-10-01"), date("2024-10-31"));
        let damaged = missing(dir, KEY, &market().calendar, range, false).unwrap_err();
        assert!(matches!(damaged, DownloadError::Store(error) if error.is_damage()));
    }
}
