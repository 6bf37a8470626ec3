//! Reads the signal files of several days, and refuses what cannot be one observation: no files, a
//! day twice, two runs on one day, a signal twice, and rows that contradict themselves, their name
//! or their file. A file that was written by a program says the same thing in several columns; that
//! they agree is the proof that nobody changed one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};

use crate::domain::fact::{RejectReason, SignalKind, SignalRef, signal_id};
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::{Date, IST_OFFSET_US, Timestamp};
use crate::sinks::csv::{FOLDER, header};
use crate::sinks::tables::TableId;

use super::Observed;

/// The rows of several days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Days with a file.
    pub days: BTreeSet<Date>,
    /// Signals in the order in which they became known, at one instant by key.
    pub signals: Vec<Observed>,
    /// The rows behind them, in the same order.
    pub rows: Vec<StringRecord>,
    /// Rows of runs that were not asked for.
    pub left_out: usize,
}

impl Merged {
    /// One file of all days.
    pub fn to_csv(&self) -> Vec<u8> {
        let into_memory = "writing CSV into memory cannot fail: all rows have the same columns";
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&header(TableId::Signals)).expect(into_memory);
        for row in &self.rows {
            writer.write_record(row).expect(into_memory);
        }
        writer.into_inner().expect(into_memory)
    }
}

/// Why files are no observation.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no file.
    #[error("there is no pixityAI_signals_{{date}}.csv in {}", path.display())]
    NoFiles {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// There are files, and no row in them.
    #[error("{files} files have no signal")]
    Empty {
        /// How many.
        files: usize,
    },
    /// A file is not one of signals, or a row contradicts itself.
    #[error("{}:{line}: {what}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Something is there twice.
    #[error("{}:{line}: {what}", path.display())]
    Overlap {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What.
        what: String,
    },
}

/// Reads the files in `folder`, or below it where [`crate::sinks::csv`] puts them. With `run` only
/// the rows of the run whose id begins so count.
///
/// # Errors
/// When there is nothing, or what is there cannot be one observation.
pub fn read(folder: &Path, run: Option<&str>) -> Result<Merged, FilesError> {
    let below = folder.join(FOLDER);
    let (own, inner) = (list(folder)?, list(&below)?);
    if let (Some(path), false) = (own.values().next(), inner.is_empty()) {
        let what = format!("there are files here and below {}", below.display());
        return Err(FilesError::Overlap { path: path.clone(), line: 1, what });
    }
    let files = if own.is_empty() { inner } else { own };
    if files.is_empty() {
        return Err(FilesError::NoFiles { path: folder.into() });
    }
    let mut merged =
        Merged { days: BTreeSet::new(), signals: Vec::new(), rows: Vec::new(), left_out: 0 };
    let mut rows = Vec::new();
    for (day, path) in &files {
        let (found, left_out) = read_file(path, *day, run)?;
        merged.left_out += left_out;
        if !found.is_empty() || left_out == 0 {
            merged.days.insert(*day);
        }
        rows.extend(found);
    }
    if rows.is_empty() {
        return Err(FilesError::Empty { files: files.len() });
    }
    refuse_twice(&rows, &files)?;
    rows.sort_by(|(a, _), (b, _)| (a.told, &a.key, a.line).cmp(&(b.told, &b.key, b.line)));
    (merged.signals, merged.rows) = rows.into_iter().unzip();
    Ok(merged)
}

/// Signal files by day. A folder that is not there has none.
fn list(folder: &Path) -> Result<BTreeMap<Date, PathBuf>, FilesError> {
    let failed = |source| FilesError::Io { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let date =
            name.strip_prefix("pixityAI_signals_").and_then(|name| name.strip_suffix(".csv"));
        if let Some(day) = date.and_then(Date::parse) {
            files.insert(day, path);
        }
    }
    Ok(files)
}

type Row = (Observed, StringRecord);

/// The rows of one file, and how many are of other runs than the one that is asked for.
fn read_file(path: &Path, day: Date, run: Option<&str>) -> Result<(Vec<Row>, usize), FilesError> {
    let wrong = |line, what: String| FilesError::Row { path: path.into(), line, what };
    let failed = |source| FilesError::Io { path: path.into(), source };
    let bytes = fs::read(path).map_err(failed)?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&bytes[..]);
    let want = header(TableId::Signals);
    let (mut rows, mut left_out, mut has_header) = (Vec::new(), 0, false);
    for record in reader.records() {
        let record = record.map_err(|error| {
            wrong(error.position().map_or(0, csv::Position::line), "this is no CSV text".into())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        if !has_header {
            has_header = true;
            if record != want {
                let columns = want.iter().collect::<Vec<_>>().join(",");
                return Err(wrong(line, format!("expected the columns {columns}")));
            }
            continue;
        }
        if record.len() != want.len() {
            let (has, needs) = (record.len(), want.len());
            return Err(wrong(line, format!("the row has {has} fields instead of {needs}: torn?")));
        }
        let observed = observed(&record, day, line).map_err(|what| wrong(line, what))?;
        match run.is_none_or(|run| observed.run_id.starts_with(run)) {
            true => rows.push((observed, record)),
            false => left_out += 1,
        }
    }
    if !has_header {
        return Err(wrong(1, "the file is empty, not even a header".into()));
    }
    Ok((rows, left_out))
}

/// Refuses two runs on one day, and one signal twice.
fn refuse_twice(rows: &[Row], files: &BTreeMap<Date, PathBuf>) -> Result<(), FilesError> {
    let overlap = |one: &Observed, what| {
        let path = files.get(&one.day).cloned().unwrap_or_default();
        Err(FilesError::Overlap { path, line: one.line, what })
    };
    let mut runs: BTreeMap<Date, &str> = BTreeMap::new();
    let mut names: BTreeMap<&str, (Date, u64)> = BTreeMap::new();
    for (one, _) in rows {
        let first = *runs.entry(one.day).or_insert(&one.run_id);
        if first != one.run_id {
            let short = |run: &str| run.chars().take(12).collect::<String>();
            let (a, b) = (short(first), short(&one.run_id));
            return overlap(one, format!("two runs looked on on this day: {a} and {b}"));
        }
        if let Some((day, line)) = names.insert(&one.signal_id, (one.day, one.line)) {
            return overlap(one, format!("the signal stands in line {line} of {day} already"));
        }
    }
    Ok(())
}

/// Reads a row, and holds what it says against what it says.
fn observed(record: &StringRecord, day: Date, line: u64) -> Result<Observed, String> {
    let cells = Cells { record, columns: header(TableId::Signals) };
    let status = cells.text("status");
    let declined = match (status, cells.text("decline_reason")) {
        ("TAKEN", "") => None,
        ("DECLINED", reason) => Some(
            RejectReason::from_word(reason)
                .ok_or_else(|| format!("DECLINED, and '{reason}' is no reason"))?,
        ),
        (status, reason) => return Err(format!("status '{status}' with the reason '{reason}'")),
    };
    let shares = |text: &str| text.parse().ok().filter(|shares| *shares >= 0).map(Qty);
    let observed = Observed {
        day,
        line,
        run_id: cells.text("run_id").to_owned(),
        signal_id: cells.text("signal_id").to_owned(),
        key: cells.text("symbol").to_owned(),
        side: cells.read("signal_type", Side::from_word)?,
        kind: cells.read("event_type", SignalKind::from_word)?,
        bar_time: cells.read("bar_ts", clock)?,
        told: cells.read("created_at", clock)?,
        declined,
        price: cells.read("price", Price::parse)?,
        quantity: cells.read("quantity", shares)?,
    };
    agrees(&cells, &observed)?;
    Ok(observed)
}

/// The columns that say the same thing twice do say the same.
fn agrees(cells: &Cells<'_>, one: &Observed) -> Result<(), String> {
    let Observed { bar_time, side, kind, told, .. } = *one;
    let origin = SignalRef { bar_time, side, kind };
    let name = signal_id(&one.key, cells.text("strategy_id"), origin);
    if name != one.signal_id {
        let (key, id) = (&one.key, &one.signal_id);
        return Err(format!("{key} {bar_time} {side} {kind} has the name {name}, not {id}"));
    }
    if told.date() != one.day {
        return Err(format!(
            "it became known on {}, and this is the file of {}",
            told.date(),
            one.day
        ));
    }
    if cells.read("created_at_utc", clock)? != told.plus_us(-IST_OFFSET_US) {
        let (ist, utc) = (cells.text("created_at"), cells.text("created_at_utc"));
        return Err(format!("created_at {ist} is not created_at_utc {utc} in India"));
    }
    let (stop, target) = (cells.read("stop", Price::parse)?, cells.read("target", Price::parse)?);
    let is_between = match side {
        Side::Buy => stop < one.price && one.price < target,
        Side::Sell => target < one.price && one.price < stop,
    };
    // A level of 0.00 is none: what cannot be sized has none.
    if !is_between && stop.0 != 0 && target.0 != 0 {
        return Err(format!("{side} at {} with stop {stop} and target {target}", one.price));
    }
    match one.run_id.is_empty() {
        true => Err("it names no run".to_owned()),
        false => Ok(()),
    }
}

/// A wall clock's time, such as `2024-10-01 09:30:00`.
fn clock(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_once(' ')?;
    Timestamp::parse(&format!("{date}T{}", clock.strip_suffix(":00").unwrap_or(clock)))
        .or_else(|| Timestamp::parse(&format!("{date}T{clock}")))
}

struct Cells<'a> {
    record: &'a StringRecord,
    columns: StringRecord,
}

impl Cells<'_> {
    fn text(&self, name: &str) -> &str {
        let place = self.columns.iter().position(|column| column == name);
        place.and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    fn read<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let text = self.text(name);
        read(text).ok_or_else(|| format!("'{text}' is no {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::csv::file_name;

    const DAY: &str = "2024-10-01";

    fn row(bar: &str, told: &str, utc: &str, run: &str) -> String {
        let bar_time = clock(bar).unwrap();
        let origin = SignalRef { bar_time, side: Side::Buy, kind: SignalKind::Trend };
        let id = signal_id("K", "pixityAI_meta", origin);
        format!(
            "{id},pixityAI_meta,K,BUY,TREND,0.5,{bar},TAKEN,,101,40,99.95,102.1,1.05,{told},{utc},\
             S,4,2,{run}\n"
        )
    }

    fn morning() -> String {
        row("2024-10-01 09:30:00", "2024-10-01 09:45:00", "2024-10-01 04:15:00", "run-1")
    }

    fn headed(rows: &str) -> String {
        header(TableId::Signals).iter().collect::<Vec<_>>().join(",") + "\n" + rows
    }

    /// What reading this one day says.
    fn said(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file_name(TableId::Signals, Date::parse(DAY).unwrap())), text)
            .unwrap();
        let said = match read(dir.path(), None) {
            Ok(merged) => format!("{} signals", merged.signals.len()),
            Err(error) => error.to_string(),
        };
        said.replace(&format!("{}/", dir.path().display()), "")
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(said(&headed(&morning())), "1 signals");
    }

    #[test]
    fn rows_that_contradict_themselves_are_refused_with_their_line() {
        let change = |from: &str, to: &str| {
            let row = morning();
            assert!(row.contains(from), "{from}");
            said(&headed(&row.replacen(from, to, 1)))
        };
        let all = [
            change("K,BUY", "K,SELL"),
            change("09:30:00", "09:15:00"),
            change("04:15:00", "04:30:00"),
            change("TAKEN,", "TAKEN,cooldown"),
            change("TAKEN", "DECLINED"),
            change("99.95", "101.5"),
            change("101,40", "a lot,40"),
            change("2024-10-01 09:45:00,2024-10-01 04", "2024-10-02 09:45:00,2024-10-02 04"),
            change(",4,2,run-1", ""),
            change("run-1", ""),
            said(""),
            said("a,b\n"),
            said(&headed("")),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        pixityAI_signals_2024-10-01.csv:2: K 2024-10-01T09:30 SELL TREND has the name 6b611558628930ded8bba94ff51fbaf1, not db0992d71c2f570e104f27dbdbf4350b
        pixityAI_signals_2024-10-01.csv:2: K 2024-10-01T09:15 BUY TREND has the name 6da8bc166589a18dc95cec547f6f0633, not db0992d71c2f570e104f27dbdbf4350b
        pixityAI_signals_2024-10-01.csv:2: created_at 2024-10-01 09:45:00 is not created_at_utc 2024-10-01 04:30:00 in India
        pixityAI_signals_2024-10-01.csv:2: status 'TAKEN' with the reason 'cooldown'
        pixityAI_signals_2024-10-01.csv:2: DECLINED, and '' is no reason
        pixityAI_signals_2024-10-01.csv:2: BUY at 101.00 with stop 101.50 and target 102.10
        pixityAI_signals_2024-10-01.csv:2: 'a lot' is no price
        pixityAI_signals_2024-10-01.csv:2: it became known on 2024-10-02, and this is the file of 2024-10-01
        pixityAI_signals_2024-10-01.csv:2: the row has 17 fields instead of 20: torn?
        pixityAI_signals_2024-10-01.csv:2: it names no run
        pixityAI_signals_2024-10-01.csv:1: the file is empty, not even a header
        pixityAI_signals_2024-10-01.csv:1: expected the columns signal_id,strategy_id,symbol,signal_type,event_type,confidence,bar_ts,status,decline_reason,price,quantity,stop,target,atr,created_at,created_at_utc,trading_symbol,seq,idx,run_id
        1 files have no signal
        ");
    }

    #[test]
    fn one_signal_twice_and_two_runs_on_a_day_are_refused() {
        let other =
            row("2024-10-01 10:30:00", "2024-10-01 10:45:00", "2024-10-01 05:15:00", "run-2");
        let all = [said(&headed(&(morning() + &morning()))), said(&headed(&(morning() + &other)))];
        insta::assert_snapshot!(all.join("\n"), @"
        pixityAI_signals_2024-10-01.csv:3: the signal stands in line 2 of 2024-10-01 already
        pixityAI_signals_2024-10-01.csv:3: two runs looked on on this day: run-1 and run-2
        ");
    }

    #[test]
    fn one_of_two_runs_can_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let other =
            row("2024-10-01 10:30:00", "2024-10-01 10:45:00", "2024-10-01 05:15:00", "run-2");
        let folder = dir.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let name = file_name(TableId::Signals, Date::parse(DAY).unwrap());
        fs::write(folder.join(name), headed(&(other + &morning()))).unwrap();
        let merged = read(dir.path(), Some("run-1")).unwrap();
        assert_eq!((merged.signals.len(), merged.left_out), (1, 1));
        assert_eq!(String::from_utf8(merged.to_csv()).unwrap(), headed(&morning()));
        let none = read(dir.path(), Some("run-3")).unwrap_err();
        assert_eq!(none.to_string(), "1 files have no signal");
    }

    #[test]
    fn a_folder_without_files_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = read(dir.path(), None).unwrap_err().to_string();
        assert!(error.starts_with("there is no pixityAI_signals_{date}.csv in "), "{error}");
    }
}
