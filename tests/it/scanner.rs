//! What the scanner shows of a run, told on the small exchange.

use insta::assert_snapshot;
use lockstep::domain::event::{Event, EventId, Input, Record};
use lockstep::domain::fact::{Notice, NoticeKind};
use lockstep::domain::time::Timestamp;
use lockstep::sinks::scanner::Scanner;
use lockstep::sinks::scanner::view::RowView;

use crate::desk::Desk;
use crate::world::World;

/// A run and the scanner that looks on.
struct Watched {
    world: World,
    scanner: Scanner,
}

impl Watched {
    fn new() -> Watched {
        Watched { world: World::new(), scanner: Scanner::default() }
    }

    /// What the scanner shows of A after these lines.
    fn tell(&mut self, story: &str) -> String {
        self.world.journal(story).iter().for_each(|record| self.scanner.take(record));
        line(&self.scanner.view().rows[0])
    }
}

fn line(row: &RowView) -> String {
    let age = row.age_seconds.map_or_else(|| "-".to_owned(), |age| age.to_string());
    let stale = if row.is_stale { " STALE" } else { "" };
    format!(
        "{} {} {} {} bar {} {} age {age}{stale} ltp {} held {} open {:.2} today {:.2} signals {} {} {}",
        row.symbol,
        row.bias,
        row.signal_state,
        row.confidence,
        row.last_bar.as_deref().map_or("-", |bar| &bar[5..16]),
        row.minutes.as_deref().unwrap_or("-"),
        row.ltp.map_or_else(|| "-".to_owned(), |price| price.to_string()),
        row.quantity,
        row.open_profit,
        row.today,
        row.signals_today,
        row.declined.unwrap_or("-"),
        row.status
    )
}

/// Quiet until A breaks out at the end of the second day's first quarter.
const BREAKOUT: &str =
    "quiet A 100\n day 2024-10-02\n 09:15-09:28 A 100.50\n 09:29 A 100.50 101 99.50 101";

#[test]
fn a_row_goes_from_nothing_over_a_signal_and_a_position_to_rest() {
    let mut run = Watched::new();
    run.world = World::new().with(|run| run.config.execution.cooldown_bars = 2);
    assert_snapshot!(run.tell("09:15 A 100"), @"A NEUTRAL PENDING 0 bar - - age - ltp 100 held 0 open 0.00 today 0.00 signals 0 - RUNNING");
    assert_snapshot!(run.tell("09:16-09:30 A 100"), @"A NEUTRAL PENDING 0 bar 10-01 09:15 15/15 age 60 ltp 100 held 0 open 0.00 today 0.00 signals 0 - RUNNING");
    let mut run = Watched::new();
    run.world = World::new().with(|run| run.config.execution.cooldown_bars = 2);
    assert_snapshot!(run.tell(BREAKOUT), @"A NEUTRAL PENDING 0 bar 10-01 15:15 15/15 age 900 ltp 101 held 0 open 0.00 today 0.00 signals 0 - RUNNING");
    assert_snapshot!(run.tell("w 09:30"), @"A BUY TRIGGERED 0.5 bar 10-02 09:15 15/15 age 0 ltp 101 held 0 open 0.00 today 0.00 signals 1 - RUNNING");
    assert_snapshot!(run.tell("09:30 A 101.20 101.40 101.10 101.30"), @"A BUY IN_POSITION 0.5 bar 10-02 09:15 15/15 age 60 ltp 101.3 held 482 open 48.20 today 48.20 signals 1 - RUNNING");
    assert_snapshot!(run.tell("09:31 A 101.30 101.30 99.95 100"), @"A NEUTRAL COOLDOWN 0 bar 10-02 09:15 15/15 age 120 ltp 100 held 0 open 0.00 today -602.50 signals 1 - RUNNING");
    assert_snapshot!(run.tell("09:32-09:44 A 100"), @"A NEUTRAL COOLDOWN 0 bar 10-02 09:30 15/15 age 0 ltp 100 held 0 open 0.00 today -602.50 signals 1 - RUNNING");
    assert_snapshot!(run.tell("09:45-09:59 A 100"), @"A NEUTRAL PENDING 0 bar 10-02 09:45 15/15 age 0 ltp 100 held 0 open 0.00 today -602.50 signals 1 - RUNNING");
}

#[test]
fn a_refused_price_is_no_price() {
    let mut run = Watched::new();
    run.tell("09:15 A 100\n w 09:16\n 09:16 A 101\n w 09:17");
    assert_eq!(run.scanner.view().rows[0].ltp, Some(101.0));
    run.tell("09:16 A 250");
    let view = run.scanner.view();
    assert_eq!(view.rows[0].ltp, Some(101.0), "a late bar moves nothing");
    assert_eq!(view.rejections.get("late"), Some(&1));
}

#[test]
fn a_row_is_stale_after_a_bar_and_a_half_of_trading_and_no_night_counts() {
    let mut run = Watched::new();
    run.tell("09:15-09:29 A 100\n w 09:52");
    assert!(!run.scanner.view().rows[0].is_stale);
    run.tell("w 09:53");
    assert!(run.scanner.view().rows[0].is_stale);
    let mut run = Watched::new();
    run.tell("15:15-15:29 A 100\n day 2024-10-02\n w 09:35");
    let view = run.scanner.view();
    assert_eq!((view.rows[0].age_seconds, view.rows[0].is_stale), (Some(20 * 60), false));
    assert_eq!(view.next_bar.as_deref(), Some("2024-10-02 09:45:00"));
    assert_eq!(view.next_bar_seconds, Some(600));
}

#[test]
fn commands_are_seen_and_a_kill_stays_until_it_is_released() {
    let mut run = Watched::new();
    let mut status = |story: &str| {
        run.tell(story);
        run.scanner.status().word()
    };
    assert_eq!(status(""), "WARMUP");
    assert_eq!(status("09:15 A 100"), "RUNNING", "a price tells the time too");
    assert_eq!(status("! 09:16 pause"), "PAUSED");
    assert_eq!(status("! 09:17 resume"), "RUNNING");
    assert_eq!(status("! 09:18 kill"), "KILLED");
    assert_eq!(status("! 09:19 resume"), "KILLED", "only a release releases");
    assert_eq!(status("w 15:30\n day 2024-10-02\n w 09:15"), "KILLED", "no night does either");
    assert_eq!(status("! 09:20 release"), "RUNNING");
}

#[test]
fn what_the_feed_says_of_itself_is_shown() {
    let mut run = Watched::new();
    run.tell("09:15 A 100");
    let mut notice = |seq, kind, detail: &str| {
        let time = Timestamp::parse("2024-10-01T09:16:05").unwrap();
        let notice = Notice { time, kind, instrument: None, detail: detail.into() };
        let event = Event::Input(Input::Notice(Box::new(notice)));
        let id = EventId::input(seq);
        run.scanner.take(&Record { id, cause: 0, received_ns: 0, event });
        run.scanner.view().feed
    };
    assert_eq!(notice(2, NoticeKind::FeedUp, "").state, "up");
    let feed = notice(3, NoticeKind::FeedDown, "closed by the other side");
    assert_eq!(feed.state, "down");
    let word = "2024-10-01 09:16:05 feed-down closed by the other side";
    assert_eq!(feed.last_notice.as_deref(), Some(word));
    assert_eq!(notice(4, NoticeKind::Phase, "closing").state, "down", "a phase is no feed");
}

#[test]
fn a_scanner_that_was_kept_goes_on_as_if_it_had_seen_everything() {
    let mut world = World::new();
    let mut records = world.journal(BREAKOUT);
    records.extend(world.journal("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30"));
    records.extend(world.journal("09:31 A 101.30 101.30 99.95 100\n ! 09:33 kill\n w 15:30"));
    records.extend(world.journal("day 2024-10-03\n 09:15 A 100\n w 09:16"));
    let from_genesis = |records: &[Record]| {
        let mut scanner = Scanner::default();
        records.iter().for_each(|record| scanner.take(record));
        scanner
    };
    let whole = from_genesis(&records);
    for cut in (0..records.len()).step_by(29).chain(records.len() - 40..records.len()) {
        let kept = serde_json::to_string(&from_genesis(&records[..cut])).unwrap();
        let mut scanner: Scanner = serde_json::from_str(&kept).unwrap();
        records[cut..].iter().for_each(|record| scanner.take(record));
        assert_eq!(scanner, whole, "kept before record {cut}");
    }
}

#[test]
fn the_whole_view() {
    let mut run = Watched::new();
    run.tell(BREAKOUT);
    run.tell("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30");
    assert_snapshot!(serde_json::to_string_pretty(&run.scanner.view()).unwrap());
}

/// The rows of `runner_state` at some point, with what the scanner says there.
fn differing(tables: &lockstep::sinks::tables::Rows, scanner: &Scanner) -> Vec<String> {
    use lockstep::sinks::tables::{Cell, TableId};
    let view = scanner.view();
    let rows: Vec<_> = tables.of(TableId::RunnerState).collect();
    assert_eq!(rows.len(), view.rows.len(), "each instrument has its row");
    let said = view.rows.iter().map(|row| {
        let last = row.last_bar.as_deref().map(|bar| {
            let bar = bar.replacen(' ', "T", 1);
            Cell::ist(Timestamp::parse(&bar[..16]).expect("a time"))
        });
        vec![
            Cell::text(&row.key),
            Cell::text(&row.strategy_id),
            Cell::text(&row.timeframe),
            Cell::text(row.runner.bias),
            Cell::text(row.runner.signal_state),
            Cell::Double(row.runner.confidence),
            last.unwrap_or(Cell::Null),
            Cell::text(row.status),
        ]
    });
    let pairs = rows.iter().zip(said).filter(|(row, said)| row[..8] != said[..]);
    pairs
        .map(|(row, said)| format!("runner_state {:?}\n     scanner {said:?}", &row[..8]))
        .collect()
}

/// The table that SQL reads and the page's contract are two folds over the same records.
#[test]
fn the_contract_is_the_table_runner_state_all_along_the_sample() {
    use lockstep::sinks::tables::{Rows, Tables};
    let desk = Desk::new();
    desk.run("replay --from 2024-10-01 --to 2024-10-31 --journal runs");
    let run = std::fs::read_dir(desk.at("runs")).unwrap().next().unwrap().unwrap().path();
    let (mut tables, mut rows) = (Tables::default(), Rows::default());
    let (mut scanner, mut is_told) = (Scanner::default(), false);
    let (mut seen, mut last, mut looks) = (std::collections::BTreeSet::new(), 0, 0);
    for record in lockstep::journal::Reader::open(&run).unwrap() {
        let record = record.unwrap();
        if record.id.seq != last {
            last = record.id.seq;
            tables.settle();
            rows.merge(tables.take());
            // After every step that people care for, and after some of the others.
            if is_told || last % 29 == 0 {
                assert_eq!(differing(&rows, &scanner), [""; 0], "after input {}", last - 1);
                let view = scanner.view();
                seen.extend(view.rows.iter().map(|row| (row.runner.signal_state, row.status)));
                looks += 1;
            }
            is_told = false;
        }
        is_told |= lockstep::sinks::scanner::is_notable(&record.event);
        scanner.take(&record);
        tables.record(record);
    }
    tables.settle();
    rows.merge(tables.take());
    assert_eq!(differing(&rows, &scanner), [""; 0]);
    assert!(looks > 1_000, "{looks}");
    for state in ["PENDING", "TRIGGERED", "IN_POSITION"] {
        assert!(seen.contains(&(state, "RUNNING")), "{state}: {seen:?}");
    }
    assert!(seen.contains(&("PENDING", "WARMUP")) && seen.contains(&("PENDING", "HALTED")));
}
