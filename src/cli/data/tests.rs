//! The data commands from the command line on: parsed by clap, run against a small market.

use std::fs;
use std::path::Path;

use clap::Parser;

use super::*;
use crate::sources::import::fixture::{KEY, at, calendar, instrument};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    data: DataArgs,
}

/// Runs `lockstep data` with these words, `DIR` standing for `dir`.
fn data(dir: &Path, words: &str) -> Result<(Exit, String), Failure> {
    let words = words.split(' ').map(|word| word.replace("DIR", &dir.display().to_string()));
    let line = Line::parse_from(std::iter::once("data".to_owned()).chain(words));
    let mut market = Market::embedded().unwrap();
    (market.calendar, market.instruments) = (calendar(), vec![instrument()]);
    let mut out = Vec::new();
    let exit = run_to(line.data, &market, &mut out)?;
    let text = String::from_utf8(out).unwrap();
    Ok((exit, text.replace(&dir.display().to_string(), "DIR")))
}

/// The failure in words, `DIR` standing for `dir`.
fn words(result: Result<(Exit, String), Failure>, dir: &Path) -> String {
    result.unwrap_err().to_string().replace(&dir.display().to_string(), "DIR")
}

/// A directory with one evening of bars as CSV.
fn desk(rows: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let evening = (0..60).map(|i| {
        format!("{},394.5,395,394.05,394.95,{}\n", at("2024-11-01T18:00").plus_minutes(i), i + 1)
    });
    let text = format!("date,open,high,low,close,volume\n{}{rows}", evening.collect::<String>());
    fs::write(dir.path().join("bars.csv"), text).unwrap();
    dir
}

#[test]
fn bars_are_imported_checked_and_listed() {
    let dir = desk("2024-11-01T19:10,394.5,395,394.05,394.95,600\n");
    let import = format!("import DIR/bars.csv --symbol {KEY} --out DIR/history");
    insta::assert_snapshot!(data(dir.path(), &import).unwrap().1, @"
    NSE_EQ|INE155A01022 TATAMOTORS
    DIR/bars.csv: 61 rows, bars labelled by their start
    bars from 2024-11-01T18:00 to 2024-11-01T19:10
    1 bars outside the session's hours kept, the first at 2024-11-01T19:10
    wrote DIR/history/NSE_EQ_INE155A01022/2024-11.parquet with 61 bars
    ");
    let (exit, text) = data(dir.path(), "check DIR/history --format csv").unwrap();
    assert_eq!(exit, Exit::Same);
    insta::assert_snapshot!(text, @"
    key,symbol,severity,kind,from,to,count,detail
    NSE_EQ|INE155A01022,TATAMOTORS,note,outside-session,2024-11-01T19:10,2024-11-01T19:10,1,after the close
    ");
    let earlier = data(dir.path(), "check DIR/history --from 2024-10-01 --to 2024-10-31");
    assert_eq!(earlier.unwrap().0, Exit::Nothing);
    let (exit, text) = data(dir.path(), "info DIR/history").unwrap();
    assert_eq!(exit, Exit::Same);
    for fact in [KEY, "TATAMOTORS", "2024-11", "61", "2024-11-01T18:00", "2024-11-01T19:10"] {
        assert!(text.contains(fact), "{fact} in {text}");
    }
}

#[test]
fn a_refused_import_says_what_where_why_and_what_next() {
    let dir = desk("2024-11-01T18:05,394.5,395,394.05,394.95,600\n2024-11-01T19:00,1,NaN,1,1,1\n");
    let import = format!("import DIR/bars.csv --symbol {KEY} --out DIR/history");
    let failure = data(dir.path(), &import);
    assert_eq!(failure.as_ref().unwrap_err().exit, Exit::Damaged);
    insta::assert_snapshot!(words(failure, dir.path()), @"
    error: rows that are no bars: 3; nothing was imported
       = DIR/bars.csv:7: conflicts with DIR/bars.csv:62, the same minute in `2024-11-01T18:05,394.50,395.00,394.05,394.95,6`
       = DIR/bars.csv:62: conflicts with DIR/bars.csv:7, the same minute in `2024-11-01T18:05,394.50,395.00,394.05,394.95,600`
       = DIR/bars.csv:63: high `NaN` is not a price of at most four decimals in `2024-11-01T19:00,1,NaN,1,1,1`
      help: put them aside with --quarantine FILE and import the rest
    ");
    let quarantine = format!("{import} --quarantine DIR/bad.csv");
    assert_eq!(data(dir.path(), &quarantine).unwrap().0, Exit::Same);
    insta::assert_snapshot!(words(data(dir.path(), &quarantine), dir.path()), @"
    error: files are there already; nothing was imported
       = DIR/history/NSE_EQ_INE155A01022/2024-11.parquet
       = DIR/bad.csv
      help: write over them with --replace
    ");
    let column = format!("{import} --time-column when");
    insta::assert_snapshot!(words(data(dir.path(), &column), dir.path()), @"
    error: 0 columns could be the time, where one must be
      --> DIR/bars.csv
       = wanted one of when
       = the file has date, open, high, low, close, volume
      help: name the column with --time-column
    ");
}

#[test]
fn damage_is_told_from_absence() {
    let dir = desk("");
    let import = format!("import DIR/bars.csv --symbol {KEY} --out DIR/history");
    data(dir.path(), &import).unwrap();
    let absent = data(dir.path(), "check DIR/history --symbol NSE_EQ|INE245A01021");
    insta::assert_snapshot!(words(absent, dir.path()), @"
    error: the history has nothing of NSE_EQ|INE245A01021
      --> DIR/history
       = it has NSE_EQ|INE155A01022
    ");
    let unlisted = data(dir.path(), "check DIR/history --from 2023-12-01");
    insta::assert_snapshot!(words(unlisted, dir.path()), @"
    error: the calendar does not list the year 2023
       = it lists 2024
      help: narrow the range with --from and --to
    ");
    fs::write(dir.path().join("history/NSE_EQ_INE155A01022/2024-11.parquet"), "PAR1").unwrap();
    assert_eq!(data(dir.path(), "check DIR/history").unwrap().0, Exit::Damaged);
    let damaged = data(dir.path(), "info DIR/history");
    assert_eq!(damaged.as_ref().unwrap_err().exit, Exit::Damaged);
    insta::assert_snapshot!(words(damaged, dir.path()), @"
    error: a history file is damaged
      --> DIR/history/NSE_EQ_INE155A01022/2024-11.parquet
       = EOF: Parquet file too small. Size is 4 but need 8
      help: import it again with `lockstep data import --replace`
    ");
    let nowhere = data(dir.path(), "info DIR/elsewhere");
    assert_eq!(nowhere.unwrap_err().exit, Exit::Usage);
}
