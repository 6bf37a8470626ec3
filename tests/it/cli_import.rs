//! `lockstep data import` and `data sample`: history in, whatever its labels, and the same signals
//! out; everything that is not certain is refused before anything is written.

use std::fs;

use lockstep::domain::fact::Bar;

use crate::desk::{BSE, DATA, Desk, TATA};
use crate::raw_parquet::{RawParquet, doubles};

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

fn row(bar: &Bar, shift_minutes: i64) -> String {
    let time = bar.open_time.plus_minutes(shift_minutes).to_string().replace('T', " ");
    let Bar { open, high, low, close, volume, .. } = bar;
    format!("{time},{open},{high},{low},{close},{volume}\n")
}

/// Bars as other programs write them, labelled `shift_minutes` after their start.
fn csv(bars: &[Bar], shift_minutes: i64) -> String {
    let rows = bars.iter().map(|bar| row(bar, shift_minutes));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

#[test]
fn an_imported_history_gives_the_same_signals_whatever_its_labels() {
    let desk = Desk::new();
    for key in [BSE, TATA] {
        let bars = ["2024-08", "2024-09", "2024-10"].map(|month| desk.bars(key, month)).concat();
        desk.write("start.csv", csv(&bars, 0));
        desk.write("end.csv", csv(&bars, 1));
        for label in ["start", "end"] {
            let line = format!("data import {label}.csv --symbol {key} --out {label}");
            let facts = desk.run(&line).expect(0);
            assert!(facts.contains(&format!("bars labelled by their {label}")), "{facts}");
        }
    }
    let golden = desk.read("golden/sample/signals.csv");
    let october =
        golden.lines().filter(|line| !line.starts_with("2024-1") || line.starts_with("2024-10"));
    let expected = october.collect::<Vec<_>>().join("\n") + "\n";
    for label in ["start", "end"] {
        let range = "--from 2024-10 --to 2024-10 --warmup-sessions 22";
        let line = format!("replay --data {label} {range} --no-journal --format csv");
        assert_eq!(desk.run(&line).expect(0), expected, "labelled by the {label}");
    }
    let listing = desk.listing();
    let hash = |label: &str| {
        let files = listing.iter().filter(|(path, _)| path.starts_with(desk.at(label)));
        files.map(|(_, hash)| hash.clone()).collect::<Vec<_>>()
    };
    assert_eq!(hash("start"), hash("end"), "the stores are the same bytes");
    // A month is a file of its own, so the imported ones are those of the sample, bit for bit.
    let month = "NSE_EQ_INE118H01025/2024-10.parquet";
    let bytes = |dir: &str| fs::read(desk.at(dir).join(month)).unwrap();
    assert_eq!(bytes("start"), bytes(DATA));
}

/// The first session of November and what an import of it is refused with, after a change of its
/// rows. The header is the first.
fn refused(code: i32, options: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let desk = Desk::new();
    let bars = desk.bars(TATA, "2024-11");
    let first = bars[0].open_time.date();
    let day: Vec<Bar> = bars.into_iter().filter(|bar| bar.open_time.date() == first).collect();
    let mut lines: Vec<String> = csv(&day, 0).lines().map(str::to_owned).collect();
    change(&mut lines);
    desk.write("bars.csv", lines.join("\n") + "\n");
    desk.refuses(code, &format!("data import bars.csv --symbol {TATA} --out history {options}"))
}

/// Puts another value into a column of a row; the header is row 0.
fn set(lines: &mut [String], row: usize, column: usize, value: &str) {
    let mut cells: Vec<&str> = lines[row].split(',').collect();
    cells[column] = value;
    lines[row] = cells.join(",");
}

#[test]
fn rows_that_are_no_bars_are_named() {
    let several = refused(3, "", |lines| {
        set(lines, 2, 1, "NaN");
        set(lines, 3, 3, "-5.00");
        set(lines, 4, 2, "1.00");
        set(lines, 5, 4, "930.12345");
        set(lines, 6, 5, "1.5");
        set(lines, 7, 0, "yesterday");
        set(lines, 8, 5, "");
    });
    insta::assert_snapshot!(several, @"
    error: rows that are no bars: 7; nothing was imported
       = bars.csv:3: open `NaN` is not a price of at most four decimals in `2024-11-01 18:01,NaN,876.40,875.40,876.40,44618`
       = bars.csv:4: low `-5.00` is not a price of at most four decimals in `2024-11-01 18:02,876.40,876.50,-5.00,875.75,9427`
       = bars.csv:5: ohlc-order in `2024-11-01T18:03,875.70,1.00,874.85,874.85,63139`
       = bars.csv:6: close `930.12345` is not a price of at most four decimals in `2024-11-01 18:04,874.90,874.90,874.30,930.12345,20055`
       = bars.csv:7: volume `1.5` is not a whole number in `2024-11-01 18:05,874.55,875.05,874.55,874.75,1.5`
       = and 2 more
      help: put them aside with --quarantine FILE and import the rest
    ");
    let cut = refused(3, "", |lines| lines[9] = "2024-11-01 18:08,930".to_owned());
    insta::assert_snapshot!(cut, @"
    error: rows that are no bars: 1; nothing was imported
       = bars.csv:10: 2 fields where the header has 6 in `2024-11-01 18:08,930`
      help: put them aside with --quarantine FILE and import the rest
    ");
    let twice = refused(3, "", |lines| {
        lines.push(lines[5].clone());
        set(lines, 5, 5, "1");
    });
    insta::assert_snapshot!(twice, @"
    error: rows that are no bars: 2; nothing was imported
       = bars.csv:6: conflicts with bars.csv:62, the same minute in `2024-11-01T18:04,874.90,874.90,874.30,874.55,1`
       = bars.csv:62: conflicts with bars.csv:6, the same minute in `2024-11-01T18:04,874.90,874.90,874.30,874.55,20055`
      help: put them aside with --quarantine FILE and import the rest
    ");
    let unlisted = refused(3, "", |lines| set(lines, 2, 0, "2030-01-01 09:15"));
    insta::assert_snapshot!(unlisted, @"
    error: rows that are no bars: 1; nothing was imported
       = bars.csv:3: the calendar does not list the year 2030 in `2030-01-01T09:15,875.40,876.40,875.40,876.40,44618`
      help: put them aside with --quarantine FILE and import the rest
    ");
    refused(3, "", |lines| set(lines, 2, 1, "inf"));
    refused(3, "", |lines| set(lines, 2, 1, "0"));
    refused(3, "", |lines| set(lines, 2, 5, "-1"));
    refused(3, "", |lines| set(lines, 2, 1, "99999999999999999999"));
}

#[test]
fn columns_must_be_certain() {
    let missing = refused(2, "", |lines| set(lines, 0, 5, "turnover"));
    insta::assert_snapshot!(missing, @"
    error: no column is the volume
      --> bars.csv
       = wanted one of volume, vol, v
       = the file has timestamp, open, high, low, close, turnover
      help: name the column with --volume-column
    ");
    let two = refused(2, "", |lines| set(lines, 0, 5, "open"));
    insta::assert_snapshot!(two, @"
    error: 2 columns could be the open, where one must be
      --> bars.csv
       = wanted one of open, o
       = the file has timestamp, open, high, low, close, open
      help: name the column with --open-column
    ");
    refused(2, "--time-column when", |_| {});
    refused(2, "", |lines| drop(lines.remove(0)));
}

#[test]
fn labels_must_be_certain() {
    let morning_missing = refused(2, "", |lines| drop(lines.drain(1..3)));
    insta::assert_snapshot!(morning_missing, @"
    error: it is not certain whether bars are labelled by their start or their end
      --> bars.csv
       = windows doing neither: 1 (such as 2024-11-01T18:02 to 2024-11-01T18:59)
      help: say which with --label start or --label end
    ");
    let strangers = refused(2, "", |lines| {
        lines.truncate(2);
        set(lines, 1, 0, "2024-11-02 11:00");
    });
    insta::assert_snapshot!(strangers, @"
    error: it is not certain whether bars are labelled by their start or their end
      --> bars.csv
       = no bar from 2024-11-02T11:00 to 2024-11-02T11:00 lies inside a session
      help: say which with --label start or --label end
    ");
}

#[test]
fn files_must_be_there_and_readable() {
    let desk = Desk::new();
    let import = |file: &str| format!("data import {file} --symbol {TATA} --out history");
    insta::assert_snapshot!(desk.refuses(2, &import("nowhere.csv")), @"
    error: there is no such file
      --> nowhere.csv
    ");
    insta::assert_snapshot!(desk.refuses(74, &import("replays")), @"
    error: failed to read a file
      --> replays
       = Is a directory (os error 21)
    ");
    desk.write("bars.csv", HEADER);
    insta::assert_snapshot!(desk.refuses(4, &import("bars.csv")), @"
    error: there is no bar to import
       = bars.csv
       = bad rows: 0
    ");
    desk.write("bars.csv", "");
    desk.refuses(2, &import("bars.csv"));
    let bytes = fs::read(desk.month(TATA, "2024-11")).unwrap();
    desk.write("bars.parquet", &bytes[..bytes.len() / 2]);
    insta::assert_snapshot!(desk.refuses(3, &import("bars.parquet")), @"
    error: a file is neither sound CSV nor sound Parquet
      --> bars.parquet
       = Parquet error: Invalid Parquet file. Corrupt footer
    ");
    let mut raw = RawParquet::of(TATA, &desk.bars(TATA, "2024-11"));
    let rows = raw.columns[0].1.len();
    raw.replace("open_time", Some(("timestamp", doubles(vec![0.5; rows]))));
    raw.write(&desk.at("bars.parquet"));
    desk.refuses(3, &import("bars.parquet"));
    desk.refuses(2, &format!("data import bars.csv --symbol {TATA}"));
    desk.refuses(2, &format!("data import --symbol {TATA} --out history"));
}

#[test]
fn what_is_there_stays_there() {
    let desk = Desk::new();
    let bars = desk.bars(TATA, "2024-11");
    desk.write("bars.csv", csv(&bars, 0));
    let import = format!("data import bars.csv --symbol {TATA} --out {DATA}");
    insta::assert_snapshot!(desk.refuses(2, &import), @"
    error: files are there already; nothing was imported
       = replays/sample/data/NSE_EQ_INE155A01022/2024-11.parquet
      help: write over them with --replace
    ");
    let before = desk.listing();
    desk.run(&format!("{import} --replace")).expect(0);
    assert_eq!(desk.listing(), before, "the same bars are the same bytes");
    desk.write("file", "");
    let into_a_file = format!("data import bars.csv --symbol {TATA} --out file");
    insta::assert_snapshot!(desk.refuses(74, &into_a_file), @"
    error: failed to read or write a history
      --> file/NSE_EQ_INE155A01022
       = Not a directory (os error 20)
    ");
    // An empty key would make the folder of the store its own.
    let out = desk.run_in("", &["data", "import", "bars.csv", "--symbol", "", "--out", "new"]);
    assert_eq!(out.code, 2, "{}{}", out.stdout, out.stderr);
}

#[test]
fn bad_rows_go_into_quarantine_when_asked() {
    let desk = Desk::new();
    let mut lines: Vec<String> =
        csv(&desk.bars(TATA, "2024-11"), 0).lines().map(str::to_owned).collect();
    set(&mut lines, 30, 1, "NaN");
    desk.write("bars.csv", lines.join("\n") + "\n");
    let line = format!("data import bars.csv --symbol {TATA} --out new --quarantine bad.csv");
    insta::assert_snapshot!(desk.run(&line).expect(0), @"
    NSE_EQ|INE155A01022 TATAMOTORS
    bars.csv: 6833 rows, bars labelled by their start
    bars from 2024-11-01T18:00 to 2024-11-29T15:40
    1 bad rows, in quarantine
    34 bars outside the session's hours kept, the first at 2024-11-04T15:40
    wrote new/NSE_EQ_INE155A01022/2024-11.parquet with 6832 bars
    ");
    insta::assert_snapshot!(desk.read("bad.csv"), @r#"
    file,line,reason,text
    bars.csv,31,open `NaN` is not a price of at most four decimals,"2024-11-01 18:29,NaN,874.85,874.70,874.85,8118"
    "#);
}

#[test]
fn the_sample_is_made_anew_bit_for_bit() {
    let desk = Desk::new();
    desk.run("data sample --out made").expect(0);
    let mut made = desk.listing();
    made.retain(|path, _| path.starts_with(desk.at("made")) && path.is_file());
    for (path, hash) in &made {
        let committed = desk.at(DATA).join(path.strip_prefix(desk.at("made")).unwrap());
        let bytes = fs::read(&committed).unwrap();
        assert_eq!(*hash, blake3::hash(&bytes).to_hex().to_string(), "{}", committed.display());
    }
    assert_eq!(made.len(), 10);
    insta::assert_snapshot!(desk.refuses(2, "data sample --out made"), @"
    error: there already is something
      --> made
      help: name another --out, or say --replace to write over it
    ");
    desk.refuses(2, "data sample --seed -1 --out other");
}
