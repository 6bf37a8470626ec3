//! Signals and trades as CSV files, one of each for a trading day:
//! `data/live_tests/pixityAI_signals_{date}.csv` and `pixityAI_trades_{date}.csv` below a directory
//! that is handed in.
//!
//! The columns are those of the tables `signals` and `trades` (see [`TableId::columns`]), and
//! behind them `run_id`. A signal is written once its step is over, with what was decided in it:
//! TAKEN (an entry order was made) or DECLINED; an order that is withdrawn later simply has no
//! trade. It is in the file of the day on which it became known. A trade is written when it is
//! over, into the file of that day. Rows are appended as events are published, and none is changed
//! afterwards.
//!
//! Several runs may share a file. Whenever a process touches a file for the first time it writes it
//! anew: the rows of other runs as they are, then those that the journal has of its own run, under
//! another name first. So a run that is taken up again leaves no row out and has none twice.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Writer, WriterBuilder};

use crate::domain::event::{Derived, EventId, Input};
use crate::domain::time::{Date, IST_OFFSET_US, Timestamp};

use super::tables::{Cell, Row, TableId, Tables};
use super::{Say, Sink};

/// Where the files are, below the directory that is handed in.
pub const FOLDER: &str = "data/live_tests";

/// Which file a row goes into.
type Place = (TableId, Date);

/// The CSV files of a run.
pub struct CsvFiles {
    folder: PathBuf,
    run_id: String,
    tables: Tables,
    /// Events before this input were told by an earlier process.
    told: u64,
    /// What the files of that process should hold.
    held: BTreeMap<Place, Vec<Row>>,
    files: BTreeMap<Place, Writer<File>>,
    say: Say,
    is_off: bool,
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing} failed: {source}", path.display())]
struct CsvError {
    doing: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

impl CsvFiles {
    /// Files below `root` for the run of that id. They are there once they have a row.
    pub fn new(root: &Path, run_id: &str, say: Say) -> CsvFiles {
        CsvFiles {
            folder: root.join(FOLDER),
            run_id: run_id.to_owned(),
            tables: Tables::default(),
            told: 0,
            held: BTreeMap::new(),
            files: BTreeMap::new(),
            say,
            is_off: false,
        }
    }

    /// The file of a table and day.
    pub fn path(&self, table: TableId, date: Date) -> PathBuf {
        self.folder.join(file_name(table, date))
    }

    /// Writes what there is. To be called when nothing more is told. Gives the files that this
    /// process has written, and `false` where it had to stop writing.
    pub fn finish(mut self) -> (Vec<PathBuf>, bool) {
        self.settle();
        self.unless_off(CsvFiles::release);
        (self.files.keys().map(|(table, date)| self.path(*table, *date)).collect(), !self.is_off)
    }

    /// Looks at the step that is over, and writes what it brought.
    fn settle(&mut self) {
        let before = self.tables.next_seq();
        self.tables.settle();
        if self.tables.next_seq() == before {
            return;
        }
        let seq = self.tables.next_seq() - 1;
        let rows = self.tables.take();
        if seq >= self.told && !self.held.is_empty() {
            self.unless_off(CsvFiles::release);
        }
        let mut news: Vec<(Place, Row)> = Vec::new();
        for table in [TableId::Signals, TableId::Trades] {
            let new = rows.of(table).filter(|row| is_new(table, row, seq));
            news.extend(new.map(|row| ((table, date_of(table, row)), row.clone())));
        }
        for (place, row) in news {
            match seq < self.told {
                true => self.held.entry(place).or_default().push(row),
                false => self.unless_off(|files| files.append(place, &row)),
            }
        }
    }

    fn unless_off(&mut self, write: impl FnOnce(&mut CsvFiles) -> Result<(), CsvError>) {
        if self.is_off {
            return;
        }
        if let Err(error) = write(self) {
            self.is_off = true;
            (self.say)(&format!(
                "no CSV files any more: {error}; `lockstep project RUN --csv DIR` writes them \
                 from the journal"
            ));
        }
    }

    /// Writes the files of an earlier process anew.
    fn release(&mut self) -> Result<(), CsvError> {
        let places: Vec<Place> = self.held.keys().copied().collect();
        places.into_iter().try_for_each(|place| self.open(place))
    }

    fn append(&mut self, place: Place, row: &Row) -> Result<(), CsvError> {
        if !self.files.contains_key(&place) {
            self.open(place)?;
        }
        let path = self.path(place.0, place.1);
        let Some(file) = self.files.get_mut(&place) else { return Ok(()) };
        let written = file.write_record(&record(row, &self.run_id)).map_err(std::io::Error::from);
        written.and_then(|()| file.flush()).map_err(failed("appending", &path))
    }

    /// Writes the file anew with the rows of other runs and those that are held, and opens it for
    /// more.
    fn open(&mut self, place: Place) -> Result<(), CsvError> {
        let path = self.path(place.0, place.1);
        fs::create_dir_all(&self.folder).map_err(failed("creating", &self.folder))?;
        let header = header(place.0);
        let others = self.others(&path, &header)?;
        let rows = self.held.remove(&place).unwrap_or_default();
        let ours = rows.iter().map(|row| record(row, &self.run_id));
        let new = path.with_extension("csv.new");
        let mut file = Writer::from_path(&new)
            .map_err(|error| failed("creating", &new)(std::io::Error::from(error)))?;
        let mut all = std::iter::once(header).chain(others).chain(ours);
        let written = all.try_for_each(|record| file.write_record(&record));
        written.map_err(|error| failed("writing", &new)(std::io::Error::from(error)))?;
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed("writing", &new))?;
        fs::rename(&new, &path).map_err(failed("renaming", &new))?;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed("opening", &path))?;
        let file = WriterBuilder::new().has_headers(false).from_writer(file);
        self.files.insert(place, file);
        Ok(())
    }

    /// The rows of other runs in a file. One with other columns is moved aside.
    fn others(&self, path: &Path, header: &StringRecord) -> Result<Vec<StringRecord>, CsvError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return self.move_aside(path).map(|()| Vec::new());
            }
            Err(error) => return Err(failed("reading", path)(error)),
        };
        let options = &mut ReaderBuilder::new();
        let mut records = options.has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut records = records.records().filter_map(Result::ok);
        match records.next() {
            None => return Ok(Vec::new()),
            Some(first) if first != *header => {
                return self.move_aside(path).map(|()| Vec::new());
            }
            Some(_) => {}
        }
        // A row that was torn when its process was killed has too few fields, and its own run
        // writes it again.
        let is_other = |record: &StringRecord| {
            record.len() == header.len() && record.get(header.len() - 1) != Some(&self.run_id)
        };
        Ok(records.filter(is_other).collect())
    }

    fn move_aside(&self, path: &Path) -> Result<(), CsvError> {
        let aside = (1..).map(|number| path.with_extension(format!("csv.{number}.aside")));
        let Some(aside) = aside.into_iter().find(|aside| !aside.exists()) else { return Ok(()) };
        fs::rename(path, &aside).map_err(failed("renaming", path))?;
        let (path, aside) = (path.display(), aside.display());
        (self.say)(&format!("{path} has other columns than these; it is now {aside}"));
        Ok(())
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CsvError {
    move |source| CsvError { doing, path: path.into(), source }
}

/// What the file of a table and day is called.
pub fn file_name(table: TableId, date: Date) -> String {
    format!("pixityAI_{}_{date}.csv", table.name())
}

/// The first row of a table's files.
pub fn header(table: TableId) -> StringRecord {
    table.columns().iter().map(|column| column.name).chain(["run_id"]).collect()
}

fn record(row: &Row, run_id: &str) -> StringRecord {
    row.iter().map(ToString::to_string).chain([run_id.to_owned()]).collect()
}

/// The cell of a row under that name.
fn cell<'a>(table: TableId, row: &'a Row, name: &str) -> Option<&'a Cell> {
    row.get(table.columns().iter().position(|column| column.name == name)?)
}

/// A signal is news in the step that made it, a trade in the one that ended it.
fn is_new(table: TableId, row: &Row, seq: u64) -> bool {
    match table {
        TableId::Signals => cell(table, row, "seq") == Some(&Cell::Int(seq.cast_signed())),
        _ => cell(table, row, "exit_time").is_some_and(|cell| *cell != Cell::Null),
    }
}

fn date_of(table: TableId, row: &Row) -> Date {
    let name = if table == TableId::Signals { "created_at" } else { "exit_time" };
    match cell(table, row, name) {
        Some(Cell::Time(wall)) => Timestamp(wall.saturating_sub(IST_OFFSET_US)).date(),
        _ => Date::default(),
    }
}

impl Sink for CsvFiles {
    fn input(&mut self, seq: u64, input: &Input) {
        self.settle();
        self.tables.input(seq, input);
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        self.tables.output(id, derived);
    }

    fn told(&mut self) {
        self.settle();
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::fact::OrderReason;
    use crate::domain::money::Side;
    use crate::sinks::tables::testing::{Story, morning};

    type Step = (u64, Input, Vec<Derived>);

    fn listener() -> (Say, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let listening = Arc::clone(&said);
        (Box::new(move |text| listening.lock().unwrap().push(text.to_owned())), said)
    }

    fn silent() -> Say {
        Box::new(|text| panic!("{text}"))
    }

    fn tell(files: &mut CsvFiles, steps: &[Step]) {
        for (seq, input, derived) in steps {
            files.input(*seq, input);
            for (index, derived) in (1..).zip(derived) {
                files.output(EventId { seq: *seq, index }, derived);
            }
            files.told();
        }
    }

    /// The story told by the journal, as it is to a run that is taken up: without a word at the end
    /// of a step.
    fn tell_again(files: &mut CsvFiles, steps: &[Step]) {
        for (seq, input, derived) in steps {
            files.input(*seq, input);
            for (index, derived) in (1..).zip(derived) {
                files.output(EventId { seq: *seq, index }, derived);
            }
        }
    }

    fn read(root: &Path, name: &str) -> String {
        fs::read_to_string(root.join(FOLDER).join(name)).unwrap()
    }

    fn both(root: &Path) -> [String; 2] {
        ["signals", "trades"].map(|table| read(root, &format!("pixityAI_{table}_2024-10-01.csv")))
    }

    #[test]
    fn rows_are_there_as_soon_as_their_step_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = CsvFiles::new(dir.path(), "run-1", silent());
        let steps = morning().steps();
        tell(&mut files, &steps[..6]);
        let early = read(dir.path(), "pixityAI_signals_2024-10-01.csv");
        assert_eq!(early.lines().count(), 3, "a header and two signals\n{early}");
        tell(&mut files, &steps[6..]);
        insta::assert_snapshot!(both(dir.path()).concat(), @"
        signal_id,strategy_id,symbol,signal_type,event_type,confidence,bar_ts,status,decline_reason,price,quantity,stop,target,atr,created_at,created_at_utc,trading_symbol,seq,idx,run_id
        d4780255f612fb26ce1ccaabcf5bf63a,pixityAI_meta,NSE_EQ|INE155A01022,BUY,TREND,0.5,2024-10-01 09:30:00,DECLINED,incomplete-bar,101,40,99.95,102.1,1.05,2024-10-01 09:45:00,2024-10-01 04:15:00,TATAMOTORS,4,2,run-1
        d2bf7fb4eaa0903dac7603d1ecc037a6,pixityAI_meta,NSE_EQ|INE155A01022,BUY,TREND,0.5,2024-10-01 09:45:00,TAKEN,,101.05,40,99.95,102.1,1.05,2024-10-01 10:00:00,2024-10-01 04:30:00,TATAMOTORS,5,2,run-1
        trade_id,signal_id,strategy_id,symbol,side,entry_time,exit_time,entry_price,exit_price,quantity,pnl,fees,net,exit_reason,status,entry_time_utc,exit_time_utc,trading_symbol,run_id
        6.1,d2bf7fb4eaa0903dac7603d1ecc037a6,pixityAI_meta,NSE_EQ|INE155A01022,BUY,2024-10-01 10:00:00,2024-10-01 10:16:00,101.15,99.9,40,-50,42.2468,-92.2468,stop,CLOSED,2024-10-01 04:30:00,2024-10-01 04:46:00,TATAMOTORS,run-1
        ");
        let (written, is_whole) = files.finish();
        assert_eq!((written.len(), is_whole), (2, true));
    }

    #[test]
    fn stopped_anywhere_and_taken_up_it_is_as_if_it_never_was() {
        let whole = tempfile::tempdir().unwrap();
        let steps = morning().steps();
        let mut files = CsvFiles::new(whole.path(), "run-1", silent());
        tell(&mut files, &steps);
        files.finish();
        for stop in 1..steps.len() {
            let dir = tempfile::tempdir().unwrap();
            let mut files = CsvFiles::new(dir.path(), "run-1", silent());
            tell(&mut files, &steps[..stop]);
            // Killed: the last row may be torn.
            drop(files);
            let signals = dir.path().join(FOLDER).join("pixityAI_signals_2024-10-01.csv");
            if let Ok(text) = fs::read_to_string(&signals) {
                fs::write(&signals, &text[..text.len() - 20]).unwrap();
            }
            let mut files = CsvFiles::new(dir.path(), "run-1", silent());
            files.resumed(stop as u64);
            tell_again(&mut files, &steps[..stop]);
            tell(&mut files, &steps[stop..]);
            assert!(files.finish().1);
            assert_eq!(both(dir.path()), both(whole.path()), "stopped before step {stop}");
        }
    }

    #[test]
    fn other_runs_keep_their_rows_and_other_columns_go_aside() {
        let dir = tempfile::tempdir().unwrap();
        for run in ["run-1", "run-2", "run-1"] {
            let mut files = CsvFiles::new(dir.path(), run, silent());
            tell(&mut files, &morning().steps());
            files.finish();
        }
        let [signals, _] = both(dir.path());
        let runs: Vec<&str> =
            signals.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
        assert_eq!(runs, ["run-2", "run-2", "run-1", "run-1"]);

        let path = dir.path().join(FOLDER).join("pixityAI_signals_2024-10-01.csv");
        fs::write(&path, "a,b\n1,2\n").unwrap();
        let (say, said) = listener();
        let mut files = CsvFiles::new(dir.path(), "run-1", say);
        tell(&mut files, &morning().steps());
        assert!(files.finish().1);
        let aside = path.with_extension("csv.1.aside");
        assert_eq!(fs::read_to_string(aside).unwrap(), "a,b\n1,2\n");
        assert!(said.lock().unwrap()[0].contains("other columns"));
        assert_eq!(both(dir.path())[0].lines().count(), 3);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("data"), b"a file").unwrap();
        let (say, said) = listener();
        let mut files = CsvFiles::new(dir.path(), "run-1", say);
        tell(&mut files, &morning().steps());
        assert!(!files.finish().1);
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("no CSV files any more: "), "{}", said[0]);
    }

    #[test]
    fn a_trade_over_night_is_in_the_file_of_the_day_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = CsvFiles::new(dir.path(), "run-1", silent());
        let mut story = Story::begin();
        let bar = story.quarter("15:15", "100");
        let (signal, index) = story.signal("15:15", Side::Buy, "100", bar);
        let order = story.order(&signal, Side::Buy, OrderReason::Entry, index);
        story.fill(order, &signal, (Side::Buy, "15:30", "100.01", OrderReason::Entry));
        story.watermark("2024-10-03T09:30");
        let order = story.order(&signal, Side::Sell, OrderReason::Target, 0);
        let deal = (Side::Sell, "2024-10-03T09:30", "102.10", OrderReason::Target);
        story.fill(order, &signal, deal);
        tell(&mut files, &story.steps());
        let (written, _) = files.finish();
        let names = written.iter().map(|path| path.file_name().unwrap().to_string_lossy());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["pixityAI_signals_2024-10-01.csv", "pixityAI_trades_2024-10-03.csv"]);
    }
}
