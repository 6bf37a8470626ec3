//! The user's queries, and what a file must stand: restarts, damage, readers, a queue that is full.
#![cfg(feature = "duckdb")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::duckdb::{AccessMode, Config, Connection};

use super::store::Store;
use super::*;
use crate::domain::event::{Derived, EventId, Input, Output};
use crate::journal::{Identity, Limits, Reader, Writer};
use crate::sinks::tables::testing::{Story, morning, run};
use crate::sinks::tables::{Rows, Tables};
use crate::sinks::{Say, Sink as _};

/// The rows of a story, and its last event.
fn folded(story: &Story) -> (Rows, EventId) {
    let mut tables = Tables::default();
    story.records.iter().cloned().for_each(|record| tables.record(record));
    tables.settle();
    let last = tables.last().unwrap();
    (tables.take(), last)
}

/// The first records of a story, which end with a whole step.
fn first(story: &Story, inputs: u64) -> Story {
    let records = story.records.iter().filter(|record| record.id.seq < inputs).cloned();
    let mut part = Story::default();
    part.records = records.collect();
    part
}

/// The story as a run's journal.
fn journal(run_dir: &Path, story: &Story) -> String {
    let identity = Identity::of_replay(&run()).unwrap();
    let limits = Limits { batch_records: 4, ..Limits::default() };
    let mut writer = Writer::create_with(run_dir, identity, limits).unwrap();
    for (seq, input, derived) in story.steps() {
        writer.input(seq, 0, &input).unwrap();
        for (index, derived) in (1..).zip(&derived) {
            writer.output(seq, index, derived).unwrap();
        }
    }
    writer.seal().unwrap();
    identity.run_id.to_string()
}

/// The story, told to a sink.
fn tell(sink: &mut DuckTables, steps: &[(u64, Input, Vec<Derived>)]) {
    for (seq, input, derived) in steps {
        sink.input(*seq, input);
        for (index, derived) in (1..).zip(derived) {
            sink.output(EventId { seq: *seq, index }, derived);
        }
        sink.told();
    }
}

/// Words to the user, collected.
fn listener() -> (Say, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&said);
    (Box::new(move |text| listening.lock().unwrap().push(text.to_owned())), said)
}

/// Two seconds pass at every look at the clock.
fn options(run_dir: &Path, run_id: &str) -> Options {
    let clock = AtomicI64::new(0);
    let now_us = Box::new(move || clock.fetch_add(2_000_000, Ordering::Relaxed));
    Options::new(run_dir, run_id, None, now_us)
}

/// The file, made from the journal.
fn made(run: &Path, out: Option<&Path>) -> Projected {
    let (say, said) = listener();
    let made = project(run, &Wish { out, snapshot: false, program: None, say: &say }).unwrap();
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    made
}

fn reading(path: &Path) -> Connection {
    let config = Config::default().access_mode(AccessMode::ReadOnly).unwrap();
    Connection::open_with_flags(path, config).unwrap()
}

/// What a query gives, a line for each row, as a shell would show it.
fn ask(connection: &Connection, sql: &str) -> String {
    let sql = format!("SELECT t::VARCHAR FROM ({sql}) AS t");
    let mut query = connection.prepare(&sql).unwrap();
    let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn his_monitoring_queries_work_as_he_writes_them() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &morning());
    let made = made(dir.path(), None);
    let db = reading(&made.path);
    let state = "SELECT symbol, current_bias, signal_state, confidence, last_bar_ts, status \
                 FROM runner_state WHERE strategy_id = 'pixityAI_meta'";
    insta::assert_snapshot!(ask(&db, state), @"
    {'symbol': NSE_EQ|INE155A01022, 'current_bias': NEUTRAL, 'signal_state': PENDING, 'confidence': 0.0, 'last_bar_ts': '2024-10-01 10:45:00', 'status': RUNNING}
    ");
    let signals = "SELECT symbol, signal_type, confidence, bar_ts, status FROM signals \
                   ORDER BY bar_ts DESC LIMIT 10";
    insta::assert_snapshot!(ask(&db, signals), @"
    {'symbol': NSE_EQ|INE155A01022, 'signal_type': BUY, 'confidence': 0.5, 'bar_ts': '2024-10-01 09:45:00', 'status': TAKEN}
    {'symbol': NSE_EQ|INE155A01022, 'signal_type': BUY, 'confidence': 0.5, 'bar_ts': '2024-10-01 09:30:00', 'status': DECLINED}
    ");
    let trades = "SELECT symbol, side, entry_time, exit_time, entry_price, exit_price, quantity, \
                  pnl, fees FROM trades WHERE strategy_id = 'pixityAI_meta' ORDER BY entry_time";
    insta::assert_snapshot!(ask(&db, trades), @"
    {'symbol': NSE_EQ|INE155A01022, 'side': BUY, 'entry_time': '2024-10-01 10:00:00', 'exit_time': '2024-10-01 10:16:00', 'entry_price': 101.15, 'exit_price': 99.9, 'quantity': 40, 'pnl': -50.0, 'fees': 42.2468}
    ");
    let candles = "SELECT timeframe, count(*) FROM candles GROUP BY ALL ORDER BY ALL";
    insta::assert_snapshot!(ask(&db, candles), @"
    {'timeframe': 15m, 'count_star()': 7}
    {'timeframe': 1m, 'count_star()': 3}
    ");
}

#[test]
fn a_rebuild_a_live_file_and_the_fold_have_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let (say, said) = listener();
    let mut sink = DuckTables::start(options(dir.path(), &run_id), say).unwrap();
    tell(&mut sink, &story.steps());
    assert!(sink.finish());
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    let live = Store::open(&file_of(dir.path(), &run_id), &run_id).unwrap();
    let (_, live_hash) = live.hash().unwrap();
    live.close().unwrap();
    let rebuilt = made(dir.path(), Some(&dir.path().join("again.duckdb")));
    let (rows, last) = folded(&story);
    assert_eq!(live_hash, rows.hash().to_hex().to_string());
    assert_eq!((rebuilt.hash, rebuilt.last), (live_hash, last));
    assert!(rebuilt.is_sealed);
}

#[test]
fn a_batch_that_was_not_committed_is_as_if_it_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let path = dir.path().join("a.duckdb");
    let (early, at_first) = folded(&first(&story, 5));
    let (all, last) = folded(&story);
    let mut store = Store::create(&path, &run_id).unwrap();
    store.write(&early, at_first, None).unwrap();
    // The process dies with the batch written and not committed.
    drop(store.stage(&all, last, None).unwrap());
    drop(store);
    let mut store = Store::open(&path, &run_id).unwrap();
    assert_eq!(store.next_seq(), 5);
    assert_eq!(store.hash().unwrap().1, early.hash().to_hex().to_string());
    // It is taken up from the journal, and twice is once.
    for _ in 0..2 {
        rebuild::fill(&mut store, &mut Reader::open(dir.path()).unwrap(), 3).unwrap();
        assert_eq!(store.hash().unwrap().1, all.hash().to_hex().to_string());
        assert_eq!(store.next_seq(), last.seq + 1);
    }
}

#[test]
fn a_run_that_is_taken_up_goes_on_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let (steps, (say, said)) = (story.steps(), listener());
    let mut sink = DuckTables::start(options(dir.path(), &run_id), say).unwrap();
    tell(&mut sink, &steps[..6]);
    assert!(sink.finish());
    let (say, _) = listener();
    let mut sink = DuckTables::start(options(dir.path(), &run_id), say).unwrap();
    sink.resumed(6);
    tell(&mut sink, &steps);
    assert!(sink.finish());
    let store = Store::open(&file_of(dir.path(), &run_id), &run_id).unwrap();
    assert_eq!(store.hash().unwrap().1, folded(&story).0.hash().to_hex().to_string());
    assert_eq!(*said.lock().unwrap(), [""; 0], "the file that was there is used");
}

#[test]
fn a_file_that_is_garbage_goes_into_quarantine_and_the_journal_makes_another() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let path = file_of(dir.path(), &run_id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"this is no database").unwrap();
    let (say, said) = listener();
    let mut sink = DuckTables::start(options(dir.path(), &run_id), say).unwrap();
    sink.resumed(6);
    tell(&mut sink, &story.steps());
    assert!(sink.finish());
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("quarantine"), "{said}");
    let aside = dir.path().join(QUARANTINE).join(format!("{run_id}.duckdb.1"));
    assert_eq!(fs::read(aside).unwrap(), b"this is no database");
    let store = Store::open(&path, &run_id).unwrap();
    assert_eq!(store.hash().unwrap().1, folded(&story).0.hash().to_hex().to_string());
}

#[test]
fn a_file_of_another_run_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.duckdb");
    Store::create(&path, "another").unwrap().close().unwrap();
    let refused = Store::open(&path, "this").map(|_| ()).unwrap_err().to_string();
    assert!(refused.ends_with("it holds run another, and not this"), "{refused}");
}

#[test]
fn a_queue_that_is_full_holds_nobody_up_and_the_journal_fills_the_gap() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let (say, said) = listener();
    let options = Options { queue: 1, ..options(dir.path(), &run_id) };
    let mut sink = DuckTables::start(options, say).unwrap();
    // The thread opens its file for the first step, so the queue is full at once.
    tell(&mut sink, &story.steps());
    assert!(sink.finish(), "{:?}", said.lock().unwrap());
    let store = Store::open(&file_of(dir.path(), &run_id), &run_id).unwrap();
    assert_eq!(store.hash().unwrap().1, folded(&story).0.hash().to_hex().to_string());
}

/// A signal is committed at once, and what follows upon it together a moment later: here time
/// stands still, so that moment never comes, and the rest is one commit at the end.
#[test]
fn a_signal_does_not_wait_for_the_second_and_those_that_follow_share_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    let (say, said) = listener();
    let (committed, commits) = channel();
    // A tenth of a second after the last commit, which was never.
    let options = Options {
        now_us: Box::new(|| 100_000),
        committed: Box::new(move |last| committed.send(last).unwrap()),
        ..options(dir.path(), &run_id)
    };
    let mut sink = DuckTables::start(options, say).unwrap();
    let steps = story.steps();
    let is_signal = |derived: &Derived| matches!(derived.output, Output::Signal(_));
    let first = steps.iter().position(|(.., derived)| derived.iter().any(is_signal)).unwrap();
    tell(&mut sink, &steps[..=first]);
    let last = commits.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(last.seq, first as u64, "what came before waited for it, and it for nothing");
    tell(&mut sink, &steps[first + 1..]);
    assert!(sink.finish(), "{:?}", said.lock().unwrap());
    let rest: Vec<EventId> = commits.iter().collect();
    assert_eq!(rest, [folded(&story).1], "two fills and a signal more, in one commit");
}

/// A thread that hangs, as one does whose disk has stopped answering, is never waited for: the run
/// tells everything, journals it and seals the journal before the thread takes its first step.
/// Would the sink wait for room in its queue, this test would not end.
#[test]
fn a_thread_that_hangs_costs_the_run_nothing_and_the_rows_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let gate = Arc::new(Mutex::new(()));
    let shut = gate.lock().unwrap();
    let identity = Identity::of_replay(&run()).unwrap();
    let run_id = identity.run_id.to_string();
    let (say, said) = listener();
    let (gated, (asked, hangs)) = (Arc::clone(&gate), channel());
    let now_us = move || {
        // Nobody listens any more once the gate is open.
        let _ = asked.send(());
        let open = gated.lock();
        i64::from(open.is_err())
    };
    let options = Options { queue: 4, now_us: Box::new(now_us), ..options(dir.path(), &run_id) };
    let mut sink = DuckTables::start(options, say).unwrap();
    hangs.recv().unwrap();
    let mut writer = Writer::create(dir.path(), identity).unwrap();
    for (seq, input, derived) in story.steps() {
        writer.input(seq, 0, &input).unwrap();
        for (index, derived) in (1..).zip(&derived) {
            writer.output(seq, index, derived).unwrap();
        }
        tell(&mut sink, &[(seq, input, derived)]);
    }
    writer.seal().unwrap();
    assert!(story.steps().len() > 4, "more than the queue takes");
    assert!(!file_of(dir.path(), &run_id).exists(), "the thread still hangs");
    drop(shut);
    assert!(sink.finish(), "{:?}", said.lock().unwrap());
    let store = Store::open(&file_of(dir.path(), &run_id), &run_id).unwrap();
    assert_eq!(store.hash().unwrap().1, folded(&story).0.hash().to_hex().to_string());
}

/// A batch of the journal may be open still when steps were left out. They are read when it is
/// there.
#[test]
fn steps_that_were_left_out_may_come_into_the_journal_later() {
    let dir = tempfile::tempdir().unwrap();
    let (run, story) = (dir.path().join("run"), morning());
    let run_id = journal(&run, &first(&story, 4));
    journal(&dir.path().join("whole"), &story);
    let (say, said) = listener();
    let (folder, looks) = (dir.path().to_path_buf(), AtomicI64::new(0));
    let now_us = move || {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        // The first look is at the start and the second at the step before which others are
        // missing. Then the journal grows.
        if look == 2 {
            fs::remove_dir_all(folder.join("run/log")).unwrap();
            fs::rename(folder.join("whole/log"), folder.join("run/log")).unwrap();
        }
        look * 2_000_000
    };
    let options = Options { now_us: Box::new(now_us), ..options(&run, &run_id) };
    let mut sink = DuckTables::start(options, say).unwrap();
    sink.resumed(7);
    tell(&mut sink, &story.steps());
    assert!(sink.finish(), "{:?}", said.lock().unwrap());
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    let store = Store::open(&file_of(&run, &run_id), &run_id).unwrap();
    assert_eq!(store.hash().unwrap().1, folded(&story).0.hash().to_hex().to_string());
}

#[test]
fn a_reader_sees_a_whole_snapshot_while_the_writer_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let path = dir.path().join("a.duckdb");
    let mut store = Store::create(&path, "run").unwrap();
    let (early, at_first) = folded(&first(&story, 6));
    store.write(&early, at_first, None).unwrap();
    snapshot::take(&store, dir.path()).unwrap();
    let current = dir.path().join(SNAPSHOTS).join(CURRENT);
    let reader = reading(&fs::canonicalize(&current).unwrap());
    let position = "SELECT last_seq FROM projection_meta";
    assert_eq!(ask(&reader, position), "{'last_seq': 5}");
    let (all, last) = folded(&story);
    store.write(&all, last, None).unwrap();
    let snapshots = dir.path().join(SNAPSHOTS);
    // A process that died over a snapshot has left these.
    fs::write(snapshots.join("new.tmp"), b"half").unwrap();
    fs::write(snapshots.join("new.tmp.wal"), b"half").unwrap();
    for _ in 0..3 {
        snapshot::take(&store, dir.path()).unwrap();
    }
    assert_eq!(ask(&reader, position), "{'last_seq': 5}", "who reads keeps what it has");
    let later = reading(&fs::canonicalize(&current).unwrap());
    assert_eq!(ask(&later, position), format!("{{'last_seq': {}}}", last.seq));
    assert_eq!(ask(&later, "SELECT count(*) AS n FROM trades"), "{'n': 1}");
    let copies = fs::read_dir(dir.path().join(SNAPSHOTS)).unwrap().count();
    assert!(copies <= 3, "old copies are removed, {copies} are there");
}

#[test]
fn a_disk_that_says_no_turns_the_sink_off_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let story = morning();
    let run_id = journal(dir.path(), &story);
    fs::write(dir.path().join(PROJECTIONS), b"a file where the folder should be").unwrap();
    let (say, said) = listener();
    let mut sink = DuckTables::start(options(dir.path(), &run_id), say).unwrap();
    tell(&mut sink, &story.steps());
    assert!(!sink.finish());
    let said = said.lock().unwrap().join("\n");
    assert!(said.starts_with("no tables any more: "), "{said}");
    assert!(said.contains("the run goes on"), "{said}");
}
