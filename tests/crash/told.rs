//! What the driver tells the world is on the disk: a whole run, core and all, whose machine stops
//! at each of its operations in turn.

use std::path::Path;

use lockstep::domain::event::{Command, CommandKind, Derived, Event, EventId, Input, Record};
use lockstep::domain::time::{Date, Timestamp};
use lockstep::driver::Source;
use lockstep::driver::run::Run;
use lockstep::journal::segment::RunId;
use lockstep::journal::writer::Stamp;
use lockstep::journal::{Identity, JournalError, Limits, PersistMode, Reader, Setup, Writer};
use lockstep::sinks::Sink;

use super::disk::{ROOT, SimDisk};
use super::fate::Weather;
use super::plan::Plan;
use super::trace::Trace;
use super::world::run_started;

/// Inputs of the run after its description.
const INPUTS: u64 = 60;

/// A source of watermarks, and of a command now and then, which is urgent and makes outputs.
struct Minutes {
    next: u64,
}

impl Minutes {
    fn time(&self) -> Timestamp {
        let day = Date::from_ymd(2024, 10, 1).expect("a day of the calendar");
        Timestamp::from_ist(day, 9, 15).plus_minutes(self.next as i64)
    }
}

impl Source for Minutes {
    type Error = JournalError;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), JournalError> {
        inputs.clear();
        self.next += 1;
        let kind =
            if self.next.is_multiple_of(14) { CommandKind::Pause } else { CommandKind::Resume };
        let input = if self.next.is_multiple_of(7) {
            Input::Command(Command { time: self.time(), kind })
        } else {
            Input::Watermark(self.time())
        };
        inputs.extend((self.next <= INPUTS).then_some(input));
        Ok(())
    }

    fn watermark(&self) -> Timestamp {
        self.time()
    }
}

/// Remembers what it was told.
#[derive(Default)]
struct World(Vec<Record>);

impl Sink for World {
    fn input(&mut self, seq: u64, input: &Input) {
        let event = Event::Input(input.clone());
        self.0.push(Record { id: EventId::input(seq), cause: 0, received_ns: 0, event });
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        let event = Event::Output(derived.output.clone());
        self.0.push(Record { id, cause: derived.cause, received_ns: 0, event });
    }
}

/// A run that stops at that operation, if it comes to it, and then the power goes.
fn run(stop_at: u64) -> (SimDisk, World) {
    let disk = SimDisk::new(stop_at, 1 << 40, Trace::new(false));
    disk.start(Plan { stop_at: Some(stop_at), ..Plan::CALM });
    let setup = Setup {
        disk: disk.handle(),
        run_dir: Path::new(ROOT).join("run"),
        identity: Identity { run_id: RunId([7; 16]), salt_seed: 1, created_ns: 1 },
        limits: Limits { batch_records: 8, batch_bytes: 2_000, segment_bytes: 9_000 },
        mode: PersistMode::Durable,
        clock: Stamp::default,
    };
    let mut world = World::default();
    let sinks: &mut [&mut dyn Sink] = &mut [&mut world];
    let begun = Writer::begin(&setup)
        .and_then(|writer| Run::begin(&run_started(String::new()), writer, sinks));
    if let Ok(run) = begun {
        let ended = run.go_on(&mut Minutes { next: 0 }, sinks);
        assert!(ended.is_ok() || disk.has_stopped(), "nothing else is wrong");
    }
    disk.kill();
    disk.state().power_cut(Weather::Dark);
    (disk, world)
}

/// Of everything that was told before the power went, nothing is missing.
pub fn what_the_world_was_told_is_on_the_disk() {
    let mut stopped = 0;
    for stop_at in 1.. {
        let (disk, World(told)) = run(stop_at);
        let whole = disk.operations() < stop_at;
        disk.start(Plan::CALM);
        let read: Vec<Record> = match Reader::open_on(disk.handle(), &Path::new(ROOT).join("run")) {
            Ok(reader) => reader.map(|record| record.expect("a good record")).collect(),
            Err(error) => {
                assert!(told.is_empty(), "{error}, though {} were told", told.len());
                continue;
            }
        };
        let kept = read.get(..told.len());
        assert!(kept == Some(&told), "{} told, {} kept, at {stop_at}", told.len(), read.len());
        stopped += 1;
        if whole {
            assert!(told.len() as u64 > INPUTS && stopped > INPUTS / 7, "the run is over");
            return;
        }
    }
}
