//! Tables of real runs: whatever the core says is a row, cut anywhere; and `lockstep project` as a
//! user has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lockstep::domain::event::{Event, Input, Output, Record};
use lockstep::domain::fact::{Bar, Bar15m};
use lockstep::journal::Reader;
use lockstep::sinks::tables::{Cell, Rows, TableId, Tables};
use proptest::prelude::*;

use crate::desk::{Desk, TATA};
use crate::world::World;

/// Two sessions of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-08\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n\
    [[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n";

/// A desk with a run on it, and where that is.
fn lived() -> (Desk, PathBuf) {
    lived_with("")
}

/// The same over a line with faults.
fn lived_with(faults: &str) -> (Desk, PathBuf) {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk.run(&format!("live --feed sim:short {faults}")).expect(0);
    let run = fs::read_dir(desk.at("runs")).unwrap().next().unwrap().unwrap().path();
    (desk, run)
}

fn records(run: &Path) -> Vec<Record> {
    Reader::open(run).unwrap().map(Result::unwrap).collect()
}

fn folded(records: &[Record]) -> Rows {
    let mut tables = Tables::default();
    records.iter().cloned().for_each(|record| tables.record(record));
    tables.settle();
    tables.take()
}

fn count(records: &[Record], wanted: fn(&Output) -> bool) -> usize {
    let outputs = records.iter().filter_map(|record| match &record.event {
        Event::Output(output) => Some(output),
        Event::Input(_) => None,
    });
    outputs.filter(|output| wanted(output)).count()
}

fn column(rows: &Rows, table: TableId, name: &str) -> Vec<Cell> {
    let place = table.columns().iter().position(|column| column.name == name).unwrap();
    rows.of(table).map(|row| row[place].clone()).collect()
}

#[test]
fn every_event_of_a_run_is_in_its_table_and_profits_add_up() {
    let (_desk, run) = lived();
    let records = records(&run);
    let rows = folded(&records);
    let signals = count(&records, |output| matches!(output, Output::Signal(_)));
    assert!(signals > 0, "a run without a signal shows nothing");
    assert_eq!(rows.of(TableId::Signals).len(), signals);
    let fills = count(&records, |output| matches!(output, Output::Fill(_)));
    assert_eq!(rows.of(TableId::Fills).len(), fills);
    let orders = count(&records, |output| matches!(output, Output::Order(_)));
    assert_eq!(rows.of(TableId::Orders).len(), orders);
    assert_eq!(rows.of(TableId::RunnerState).len(), 2);
    let pending = column(&rows, TableId::Signals, "status");
    assert!(!pending.contains(&Cell::text("PENDING")), "every signal was decided");
    assert!(column(&rows, TableId::RunnerState, "status").contains(&Cell::text("ENDED")));

    // What the tables call net is what the days have earned.
    let sum = |cells: Vec<Cell>| {
        let number = |cell: &Cell| match cell {
            Cell::Double(number) => *number,
            other => panic!("a closed trade has {other:?}"),
        };
        cells.iter().map(number).sum::<f64>()
    };
    let days = records.iter().filter_map(|record| match &record.event {
        Event::Output(Output::SessionEnded(day)) => Some(day.gross.minus(day.fees).rupees()),
        _ => None,
    });
    let (net, earned) = (sum(column(&rows, TableId::Trades, "net")), days.sum::<f64>());
    assert!((net - earned).abs() < 1e-6, "{net} {earned}");
}

/// Over a line that loses a lot minutes come from the archive.
#[test]
fn candles_are_what_was_told_last_of_a_bar() {
    let (_desk, run) = lived_with("--faults drop=0.02 --seed 7");
    let sources = told_last_is_the_row(&records(&run));
    for source in ["tick", "backfill-store", "backfill-intraday", "minutes"] {
        assert!(sources.contains(&Cell::text(source)), "{source}");
    }
}

#[test]
fn a_bar_that_is_told_again_takes_the_place_of_the_first() {
    let story = "
        09:16:40 A @105 v500
        w 09:30
        backfill 09:15 A 100 101 98 100 x20
        backfill 09:16 A 100 107 99 105 x480
        backfill 09:16 A 100 107 99 105 x480
        w 09:31
        w 15:30
        backfill 09:17 A 100 107 99 105 x480";
    let sources = told_last_is_the_row(&World::new().journal(story));
    let wanted = ["backfill-intraday", "revised"];
    assert_eq!(sources, wanted.iter().map(Cell::text).collect());
}

/// The oracle: it reads the journal with none of the fold's state. Gives the sources of all
/// candles.
fn told_last_is_the_row(records: &[Record]) -> BTreeSet<Cell> {
    let rows = folded(records);
    let refused: BTreeSet<u64> = records.iter().filter_map(of_refused_input).collect();
    let (mut told, mut keys) = (BTreeMap::new(), Vec::new());
    for record in records {
        let (bar, width, source) = match &record.event {
            Event::Input(Input::RunStarted(run)) => {
                keys = run.instruments.iter().map(|it| Cell::text(&it.key)).collect();
                continue;
            }
            Event::Input(Input::Backfill(archive)) if !refused.contains(&record.id.seq) => {
                (archive.bar, "1m", format!("backfill-{}", archive.origin.word()))
            }
            Event::Output(Output::Bar1m(bar)) => (*bar, "1m", "tick".into()),
            Event::Output(Output::Bar15m(bar)) => (outline(bar), "15m", "minutes".into()),
            Event::Output(Output::BarRevised(bar)) => (outline(bar), "15m", "revised".into()),
            _ => continue,
        };
        let symbol = keys[bar.instrument.index()].clone();
        let key = (symbol, Cell::text(width), Cell::ist(bar.open_time));
        let prices = [bar.open, bar.high, bar.low, bar.close].map(Cell::price);
        told.insert(key, (prices, Cell::Int(bar.volume.0), Cell::text(source)));
    }
    assert_eq!(rows.of(TableId::Candles).len(), told.len());
    for row in rows.of(TableId::Candles) {
        let key = (row[0].clone(), row[1].clone(), row[2].clone());
        let (prices, volume, source) = &told[&key];
        assert_eq!((&row[3..7], &row[7], &row[9]), (&prices[..], volume, source), "{key:?}");
    }
    told.into_values().map(|(.., source)| source).collect()
}

/// The input that a record refuses, if it does.
fn of_refused_input(record: &Record) -> Option<u64> {
    match &record.event {
        Event::Output(Output::Rejection(no)) if no.reason.is_of_input() => Some(record.id.seq),
        _ => None,
    }
}

/// A strategy bar as if it were a minute.
fn outline(bar: &Bar15m) -> Bar {
    let Bar15m { instrument, open_time, open, high, low, close, volume, .. } = *bar;
    Bar { instrument, open_time, open, high, low, close, volume }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A real run, cut at random records, has the rows of the whole.
    #[test]
    fn a_run_may_be_cut_anywhere(cuts in prop::collection::btree_set(0..20_000usize, 0..12)) {
        use std::sync::OnceLock;
        static RUN: OnceLock<(Vec<Record>, Rows)> = OnceLock::new();
        let (records, whole) = RUN.get_or_init(|| {
            let (_desk, run) = lived();
            let records = records(&run);
            let rows = folded(&records);
            (records, rows)
        });
        let (mut tables, mut pieces) = (Tables::default(), Rows::default());
        for (place, record) in records.iter().enumerate() {
            tables.record(record.clone());
            if cuts.contains(&(place % 20_000)) {
                pieces.merge(tables.take());
            }
        }
        tables.settle();
        pieces.merge(tables.take());
        prop_assert!(pieces == *whole);
    }
}

/// The line behind a label.
fn fact<'a>(text: &'a str, label: &str) -> &'a str {
    let line = text.lines().find(|line| line.trim_start().starts_with(label));
    line.unwrap_or_else(|| panic!("no {label} in\n{text}")).trim_start()[label.len()..].trim()
}

#[test]
fn csv_files_are_made_from_the_journal_and_the_hash_is_that_of_the_rows() {
    let (desk, run) = lived();
    let line = format!("project {} --csv out", run.display());
    let text = desk.run(&line).expect(0);
    let rows = folded(&records(&run));
    assert_eq!(fact(&text, "Hash"), format!("rows {}", rows.hash().to_hex()));
    assert_eq!(fact(&text, "signals"), rows.of(TableId::Signals).len().to_string());
    let files = || -> Vec<(String, String)> {
        let folder = desk.at("out/data/live_tests");
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        files.sort();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
    };
    let written = files();
    let lines = |table: &str| -> usize {
        let of = written.iter().filter(|(name, _)| name.contains(table));
        of.map(|(_, text)| text.lines().count() - 1).sum()
    };
    assert_eq!(lines("signals"), rows.of(TableId::Signals).len());
    assert_eq!(lines("trades"), rows.of(TableId::Trades).len());
    assert!(written.iter().any(|(_, text)| text.contains(TATA)), "symbol is the key");
    desk.run(&line).expect(0);
    assert_eq!(files(), written, "again is the same");
}

#[cfg(not(feature = "duckdb"))]
#[test]
fn a_program_without_duckdb_says_how_to_get_it() {
    let (desk, run) = lived();
    let error = desk.refuses(2, &format!("project {}", run.display()));
    insta::assert_snapshot!(error, @"
    error: this program was built without DuckDB
       = it is a large C++ build, so it is left out where nobody asks for it
      help: build with it: `cargo build --features duckdb`
      help: `lockstep project RUN --csv DIR` needs no DuckDB
    ");
}

#[cfg(feature = "duckdb")]
mod with_duckdb {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::{Arc, Mutex};

    use duckdb::Connection;
    use lockstep::domain::event::Derived;
    use lockstep::sinks::duckdb::{self as tables, DuckTables, Options};
    use lockstep::sinks::{Say, Sink as _};

    use crate::desk::LOCKSTEP;

    use super::*;

    #[test]
    fn a_file_is_made_from_the_journal_with_the_rows_of_the_fold() {
        let (desk, run) = lived();
        let text = desk.run(&format!("project {} --snapshot", run.display())).expect(0);
        let rows = folded(&records(&run));
        assert_eq!(fact(&text, "Hash"), format!("rows {}", rows.hash().to_hex()));
        assert!(fact(&text, "Position").ends_with("sealed"));
        assert!(run.join("snap/CURRENT").exists());
        let again = desk.run(&format!("project {} --out again.duckdb", run.display())).expect(0);
        assert_eq!(fact(&again, "Hash"), fact(&text, "Hash"));
    }

    #[test]
    fn a_preflight_opens_what_is_good_and_refuses_what_is_not() {
        let (desk, run) = lived();
        desk.run(&format!("project {} --out a.duckdb", run.display())).expect(0);
        let run_id = Reader::open(&run).unwrap().header().run_id.to_string();
        assert_eq!(desk.run("project --preflight a.duckdb").expect(0).trim(), run_id);
        desk.write("bad.duckdb", "this is no database");
        let refused = desk.refuses(74, "project --preflight bad.duckdb");
        assert!(refused.contains("--> bad.duckdb"), "{refused}");
        desk.refuses(2, "project --preflight none.duckdb");
        let kept = desk.refuses(2, &format!("project {} --out bad.duckdb", run.display()));
        assert!(kept.contains("it is no projection of a run, and is not replaced"), "{kept}");
    }

    #[test]
    fn a_file_that_somebody_has_open_is_left_alone() {
        let (desk, run) = lived();
        let line = format!("project {} --out a.duckdb", run.display());
        desk.run(&line).expect(0);
        let mine = Connection::open(desk.at("a.duckdb")).unwrap();
        // Not `refuses`: it reads every file, and the system takes a lock away from a process that
        // closes the file.
        let refused = |line: &str| {
            let ran = desk.run(line);
            assert_eq!((ran.code, ran.stdout.as_str()), (73, ""), "{line}");
            assert!(
                ran.stderr.contains("error: somebody else has the file open"),
                "{}",
                ran.stderr
            );
        };
        refused("project --preflight a.duckdb");
        refused(&line);
        drop(mine);
        desk.run(&line).expect(0);
        // Another `project` that is under way has the new file open.
        let other = Connection::open(desk.at("a.duckdb.new")).unwrap();
        refused(&line);
        drop(other);
        desk.run(&line).expect(0);
    }

    #[test]
    fn a_damaged_file_of_the_run_goes_into_quarantine_and_is_made_again() {
        let (desk, run) = lived();
        let line = format!("project {}", run.display());
        let text = desk.run(&line).expect(0);
        let file = PathBuf::from(fact(&text, "File"));
        fs::write(desk.at("").join(&file), b"this is no database").unwrap();
        let again = desk.run(&line);
        assert!(again.stderr.contains("quarantine"), "{}", again.stderr);
        assert_eq!(again.expect(0), text);
        let name = format!("{}.1", file.file_name().unwrap().to_string_lossy());
        assert_eq!(fs::read(run.join("quarantine").join(name)).unwrap(), b"this is no database");
    }

    /// Tells a sink the records of a run.
    fn tell(sink: &mut DuckTables, records: &[Record]) {
        for Record { id, cause, event, .. } in records.iter().cloned() {
            match event {
                Event::Input(input) => sink.input(id.seq, &input),
                Event::Output(output) => sink.output(id, &Derived { cause, output }),
            }
        }
    }

    /// A run is taken up half way, with its file as it was, as garbage, and as one that kills the
    /// process that opens it. Each time the rows are those of the journal in the end.
    #[test]
    fn a_live_run_has_its_file_opened_by_a_child_first_and_outlives_what_that_dies_of() {
        let (desk, run) = lived();
        let run_id = Reader::open(&run).unwrap().header().run_id.to_string();
        let (file, records) = (tables::file_of(&run, &run_id), records(&run));
        let hash = folded(&records).hash().to_hex().to_string();
        let half = records[records.len() / 2].id.seq;
        let until = records.iter().position(|record| record.id.seq == half).unwrap();
        desk.write("dies", "#!/bin/sh\nkill -SEGV $$\n");
        let dies = desk.at("dies");
        fs::set_permissions(&dies, fs::Permissions::from_mode(0o755)).unwrap();
        let start = |program: Option<PathBuf>| {
            let now_us = Box::new(|| 0);
            let said = Arc::new(Mutex::new(String::new()));
            let listening = Arc::clone(&said);
            let say: Say = Box::new(move |text| listening.lock().unwrap().push_str(text));
            let options = Options::new(&run, &run_id, program, now_us);
            (DuckTables::start(options, say).unwrap(), said)
        };
        let (mut sink, _) = start(None);
        tell(&mut sink, &records[..until]);
        assert!(sink.finish());
        let cases = [
            (PathBuf::from(LOCKSTEP), false, ""),
            (PathBuf::from(LOCKSTEP), true, "not a valid DuckDB database file"),
            (dies, false, "opening it ended the process that tried (signal: 11"),
        ];
        for (program, is_garbage, word) in cases {
            if is_garbage {
                fs::write(&file, b"this is no database").unwrap();
            }
            let (mut sink, said) = start(Some(program));
            sink.resumed(half);
            tell(&mut sink, &records);
            assert!(sink.finish());
            let said = said.lock().unwrap();
            assert!(said.contains(word) && said.is_empty() == word.is_empty(), "{said}");
            assert_eq!(tables::hash_of(&file).unwrap(), hash);
        }
    }
}
