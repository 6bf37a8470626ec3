//! Looking into a journal at any place: what is found through the index of its parts is what a walk
//! from its beginning finds.

use std::path::Path;

use lockstep::domain::event::{Event, EventId, Record};
use lockstep::journal::Reader;
use lockstep::journal::codec;
use lockstep::journal::record::Kind;
use lockstep::sinks::scanner::Scanner;
use lockstep::sinks::scanner::view::View;
use lockstep::web::shelf::{Shelf, Sides};
use serde_json::{Value, json};

use crate::serve::{Listener, QUIET, Stage, addresses, write, writer};
use crate::world::World;

/// Days with commands in between, so that there are many parts, and signals and trades.
fn story(day: u32) -> String {
    let begin = match day {
        1 => "quiet A 100\n".to_owned(),
        day => format!("day 2024-10-{day:02}\n 09:15-15:29 A 100\n w 15:30\n"),
    };
    let commands = (0..12).map(|minute| {
        let word = if minute % 2 == 0 { "pause" } else { "resume" };
        format!("! 15:{:02} {word}\n", 31 + minute)
    });
    begin + &commands.collect::<String>()
}

fn kind_of(record: &Record) -> Kind {
    match &record.event {
        Event::Input(input) => codec::input_kind(input),
        Event::Output(output) => codec::output_kind(output),
    }
}

fn all(run: &Path) -> Vec<Record> {
    Reader::open(run).unwrap().map(Result::unwrap).collect()
}

fn states(records: &[Record]) -> Vec<View> {
    let (mut scanner, mut states) = (Scanner::default(), Vec::new());
    for (place, record) in records.iter().enumerate() {
        scanner.take(record);
        let next = records.get(place + 1);
        if next.is_none_or(|next| next.id.seq > record.id.seq) {
            states.push(scanner.view());
        }
    }
    states
}

#[test]
fn a_state_from_the_middle_is_the_state_from_genesis() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("small");
    let mut world = World::new();
    let mut written = writer(&run, &world);
    let shelf = Shelf::default();
    let mut checked = 0;
    for day in 1..=3 {
        world.journal(&story(day)).iter().for_each(|record| write(&mut written, record));
        written.settle(true).unwrap();
        // The journal has grown: what is known of it goes on, and nothing is another.
        let records = all(&run);
        let states = states(&records);
        let seqs =
            (0..states.len() as u64).filter(|seq| seq % 23 == 0 || *seq + 9 > states.len() as u64);
        for seq in seqs {
            let view = shelf.with(&run, |volume| volume.view_at(seq)).unwrap();
            assert_eq!(view, states[seq as usize], "after input {seq} of day {day}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
    let parts = shelf.with(&run, |volume| Ok(volume.index.parts().len())).unwrap();
    assert!(parts > 2, "{parts}");
}

#[test]
fn runs_are_listed_with_what_they_came_to() {
    const TRADE: &str = "w 09:30\n 09:30 A 101.20 101.40 101.10 101.30";
    const STOPPED: &str = "09:31 A 101.30 101.30 99.95 100";
    let mut stage = Stage::new();
    stage.tell(QUIET);
    let open = stage.tell(TRADE);
    stage.state_at(open);
    let mut world = World::new();
    let beside = |name: &str| stage.dir.path().join(name);
    let mut over = writer(&beside("over"), &world);
    let mut records = world.journal(QUIET);
    records.extend(world.journal(&format!("{TRADE}\n {STOPPED}\n w 15:30")));
    records.iter().for_each(|record| write(&mut over, record));
    over.seal().unwrap();
    let list = || {
        let runs = stage.get("/api/v1/runs").json();
        let of = |run: &Value| (run["id"].as_str().unwrap().to_owned(), run["outcome"].clone());
        runs.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let outcome = |trades: u64, net: f64, is_over: bool| -> Value {
        json!({ "trades": trades, "net": net, "is_over": is_over })
    };
    let whole = ("over".to_owned(), outcome(1, -602.5, true));
    let so_far = ("live-small".to_owned(), outcome(0, 0.0, false));
    assert_eq!(list(), [so_far.clone(), whole.clone()]);
    assert_eq!(list(), [so_far, whole.clone()], "and again, from what is known");
    let last = stage.tell(STOPPED);
    stage.state_at(last);
    let runs = stage.get("/api/v1/runs").json();
    assert_eq!(runs[0]["outcome"], outcome(1, -602.5, false), "the run went on");
    let page = stage.get("/runs").body;
    let told = |text: &str| page.matches(text).count();
    assert_eq!((told("-602.50"), told("so far"), told("was not read yet")), (2, 1, 0), "{page}");
    assert_eq!(stage.get("/api/v1/runs/over").json()["net"], whole.1["net"]);
}

#[test]
fn neighbours_of_an_event_are_those_that_a_walk_finds() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("small");
    let mut world = World::new();
    let mut written = writer(&run, &world);
    let mut records = world.journal(QUIET);
    records.extend(world.journal("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30\n w 15:30"));
    records.iter().for_each(|record| write(&mut written, record));
    written.seal().unwrap();
    let shelf = Shelf::default();
    let of = |kind: Kind| {
        let is = move |record: &&Record| kind_of(record) == kind;
        records.iter().filter(is).map(|record| record.id.seq).collect::<Vec<u64>>()
    };
    let walk = |seqs: &[u64], seq: u64| Sides {
        before: seqs.iter().rev().find(|one| **one < seq).copied(),
        after: seqs.iter().find(|one| **one > seq).copied(),
    };
    let (bars, signals, days) = (of(Kind::Bar15m), of(Kind::Signal), of(Kind::SessionEnded));
    assert!(bars.len() > 20 && signals.len() == 1 && days.len() == 2);
    let last = records.last().unwrap().id.seq;
    for seq in 0..=last {
        let found = shelf.with(&run, |volume| {
            Ok((volume.bars_about(seq), volume.signals_about(seq), volume.days_about(seq)))
        });
        let want = (walk(&bars, seq), walk(&signals, seq), walk(&days, seq));
        assert_eq!(found.unwrap(), want, "about input {seq}");
    }
}

#[test]
fn events_are_found_by_kind_symbol_and_time_as_a_walk_finds_them() {
    let mut stage = Stage::new();
    stage.tell(QUIET);
    stage.tell("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30\n 09:30 B 50\n 09:31 B 51");
    let last = stage.tell("09:31 A 101.30 101.30 99.95 100\n w 09:32");
    stage.state_at(last);
    let ids =
        |query: &str| addresses(&stage.get(&format!("/api/v1/events?limit=500&{query}")).json());
    let records = all(&stage.dir.path().join("live-small"));
    let walk = |is: &dyn Fn(&Record) -> bool| {
        let found = records.iter().rev().filter(|record| is(record)).take(500);
        found.map(|record| record.id.to_string()).collect::<Vec<String>>()
    };
    let is = |record: &Record, kind| kind_of(record) == kind;
    let time = |text| lockstep::domain::time::Timestamp::parse(text).unwrap();
    assert_eq!(ids("kind=bar"), walk(&|it| is(it, Kind::Bar)));
    assert_eq!(
        ids("kind=bar,fill&key=B"),
        walk(&|it| (is(it, Kind::Bar) || is(it, Kind::Fill))
            && it.event.instrument().is_some_and(|it| it.0 == 1))
    );
    let between = ids("kind=bar&from=2024-10-02T09:20&to=2024-10-02T09:23");
    assert_eq!(between.len(), 3);
    let (from, to) = (time("2024-10-02T09:20"), time("2024-10-02T09:23"));
    let inside = |record: &Record| record.event.time().is_some_and(|it| from <= it && it < to);
    assert_eq!(between, walk(&|it| is(it, Kind::Bar) && inside(it)));
    let before = EventId { seq: 200, index: 0 };
    assert_eq!(ids("kind=bar&before=200"), walk(&|it| is(it, Kind::Bar) && it.id < before));
    assert_eq!(ids("kind=halt"), [""; 0]);
}

#[test]
fn whoever_lacks_much_is_told_all_of_it_in_bounded_messages() {
    let mut stage = Stage::new();
    stage.tell("09:15 A 100");
    let commands = (0..1_400).map(|place| {
        let word = if place % 2 == 0 { "pause" } else { "resume" };
        format!("! 09:16 {word}\n")
    });
    let last = stage.tell(&commands.collect::<String>());
    stage.state_at(last);
    let mut listener = Listener::open(&stage.serving, Some(1));
    let (mut told, mut messages, mut at) = (Vec::new(), 0, 1);
    while at < last {
        let (position, message): (Option<u64>, Value) = listener.next();
        let events = addresses(&message);
        assert!(events.len() <= 502, "{} events at once", events.len());
        let position = position.expect("a message with events has a position");
        assert!(position > at, "it goes on");
        (at, messages) = (position, messages + 1);
        told.extend(events);
    }
    assert!(messages >= 4, "{messages}");
    let mut ids: Vec<EventId> = told.iter().map(|id| EventId::parse(id).unwrap()).collect();
    let count = ids.len();
    assert!(ids.is_sorted() && count >= 1_400, "{count}");
    ids.dedup();
    assert_eq!(ids.len(), count, "each is told once");
}
