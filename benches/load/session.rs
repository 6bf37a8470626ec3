//! A recorded session that is lived again at its pace, and how long each of its inputs took until
//! it was acknowledged. Quiet stretches and watched ones take turns.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lockstep::domain::event::{Derived, Event, EventId, Input, RunStarted};
use lockstep::domain::time::Timestamp;
use lockstep::driver::{DriveError, Source, drive};
use lockstep::journal::{Identity, Reader, Setup, Writer};
use lockstep::sinks::Sink;

use super::crowd::{Crowd, Gathered};
use super::report::{Stretch, Took, memory_mb, report};
use super::{Done, serving, stamp};

/// Hands over recorded inputs when their time has come.
struct Paced {
    inputs: VecDeque<(Timestamp, Input)>,
    speed: u64,
    begun: Option<(Instant, Timestamp)>,
    watermark: Timestamp,
    handed: Rc<Cell<Begun>>,
    tend: Box<dyn FnMut()>,
}

impl Paced {
    /// When an input is due.
    fn due(&mut self, time: Timestamp) -> Instant {
        let (begun, first) = *self.begun.get_or_insert_with(|| (Instant::now(), time));
        let passed = u64::try_from(time.0 - first.0).unwrap_or(0);
        begun + Duration::from_micros(passed / self.speed)
    }
}

impl Source for Paced {
    type Error = std::convert::Infallible;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), Self::Error> {
        inputs.clear();
        let before = Instant::now();
        (self.tend)();
        // The market stands while people come and go.
        if let Some((begun, _)) = &mut self.begun {
            *begun += before.elapsed();
        }
        let Some((time, _)) = self.inputs.front() else { return Ok(()) };
        let time = *time;
        let left = self.due(time).saturating_duration_since(Instant::now());
        // Nobody sends: this waits until the time has come, and the run with it.
        let (_sender, nobody) = std::sync::mpsc::channel::<()>();
        let _ = nobody.recv_timeout(left);
        while let Some((next, _)) = self.inputs.front()
            && *next <= time
        {
            let Some((_, input)) = self.inputs.pop_front() else { break };
            if let Input::Watermark(mark) = input {
                self.watermark = mark;
            }
            inputs.push(input);
        }
        self.handed.set(Begun { waited: waited(), at: Instant::now() });
        Ok(())
    }

    fn watermark(&self) -> Timestamp {
        self.watermark
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

/// When an input was handed over, and how long this thread had waited for a core by then.
#[derive(Clone, Copy)]
struct Begun {
    waited: Duration,
    at: Instant,
}

/// How long this thread has been ready to run without a core to run on, as far as the system says.
fn waited() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = stat.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// How long after being handed over an input was acknowledged.
struct Acknowledged {
    handed: Rc<Cell<Begun>>,
    took: Rc<RefCell<Vec<Took>>>,
}

impl Sink for Acknowledged {
    fn input(&mut self, _: u64, _: &Input) {}

    fn output(&mut self, _: EventId, _: &Derived) {}

    fn told(&mut self) {
        let Begun { waited: before, at } = self.handed.get();
        let all = at.elapsed();
        self.took.borrow_mut().push(Took { all, waiting: waited().saturating_sub(before) });
    }
}

/// A run's description, what came before its last day, and that day, each input when it is due.
type Lived = (RunStarted, Vec<Input>, VecDeque<(Timestamp, Input)>);

/// The last day of a recorded run, with what came before it.
fn inputs(run: &Path) -> Done<Lived> {
    let mut started = None;
    let mut all: Vec<Input> = Vec::new();
    for record in Reader::open(run)? {
        match record?.event {
            Event::Input(Input::RunStarted(run)) => started = Some(*run),
            Event::Input(Input::RunEnded(_)) | Event::Output(_) => {}
            Event::Input(input) => all.push(input),
        }
    }
    let started = started.ok_or("the run has no beginning")?;
    let mark = |input: &Input| match input {
        Input::Watermark(time) => Some(*time),
        _ => None,
    };
    let last = all.iter().filter_map(mark).max().ok_or("the run has no time")?;
    // An input is due when the run heard of it: no earlier than the watermark before it.
    let (mut now, mut warm, mut day) = (Timestamp(i64::MIN), Vec::new(), VecDeque::new());
    for input in all {
        let time = mark(&input).or(Event::Input(input.clone()).time());
        now = now.max(time.unwrap_or(now).min(last));
        if now.date() < last.date() {
            warm.push(input);
        } else {
            day.push_back((now, input));
        }
    }
    Ok((started, warm, day))
}

/// First what came before the day, at once; then the day at its pace.
struct Day {
    warm: Vec<Input>,
    paced: Paced,
}

impl Source for Day {
    type Error = std::convert::Infallible;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), Self::Error> {
        inputs.clear();
        let count = self.warm.len().min(1_024);
        inputs.extend(self.warm.drain(..count));
        if inputs.is_empty() { self.paced.next(inputs) } else { Ok(()) }
    }

    fn watermark(&self) -> Timestamp {
        self.paced.watermark
    }

    fn is_quiet(&self) -> bool {
        self.warm.is_empty()
    }
}

pub fn watched(run: &Path, dir: &Path, speed: u64, stretch: Duration, crowd: &Crowd) -> Done {
    let (started, warm, day) = inputs(run)?;
    let count = day.len();
    let identity = Identity::of_replay(&started)?;
    let writer = Writer::begin(&Setup::durable(dir, identity, stamp))?;
    let serving = serving(dir)?;
    println!(
        "load: a session of {count} inputs at {speed}x, durable, in {}; stretches of {} s",
        dir.display(),
        stretch.as_secs()
    );
    let handed = Rc::new(Cell::new(Begun { waited: waited(), at: Instant::now() }));
    let took = Rc::new(RefCell::new(Vec::new()));
    let stretches = Rc::new(RefCell::new(Vec::new()));
    let mut turns = Turns {
        crowd: crowd.gather(&serving)?,
        stretch,
        is_watched: false,
        begun: None,
        took: Rc::clone(&took),
        stretches: Rc::clone(&stretches),
    };
    let whole = session(&day, speed);
    println!("load: {whole:.0} s in all, {}", crowd.words());
    let paced = Paced {
        inputs: day,
        speed,
        begun: None,
        watermark: Timestamp(0),
        handed: Rc::clone(&handed),
        tend: Box::new(move || turns.tend()),
    };
    let mut source = Day { warm, paced };
    let mut sink = Acknowledged { handed, took };
    let sealed = drive(&started, &mut source, writer, &mut [&mut sink]);
    sealed.map_err(|error| match error {
        DriveError::Journal(error) => Box::<dyn Error>::from(error),
        DriveError::Source(never) => match never {},
    })?;
    drop(source);
    report(&stretches.borrow());
    serving.stop();
    Ok(())
}

fn session(day: &VecDeque<(Timestamp, Input)>, speed: u64) -> f64 {
    let ends = day.front().zip(day.back());
    ends.map_or(0.0, |((first, _), (last, _))| (last.0 - first.0) as f64 / 1e6 / speed as f64)
}

/// Who watches, and when.
struct Turns {
    crowd: Gathered,
    stretch: Duration,
    is_watched: bool,
    begun: Option<Instant>,
    took: Rc<RefCell<Vec<Took>>>,
    stretches: Rc<RefCell<Vec<Stretch>>>,
}

impl Turns {
    /// Ends a stretch that was long enough, and begins the other kind.
    fn tend(&mut self) {
        let begun = *self.begun.get_or_insert_with(|| {
            self.took.borrow_mut().clear();
            Instant::now()
        });
        if begun.elapsed() < self.stretch {
            return;
        }
        let (took, memory_mb) = (self.took.take(), memory_mb());
        self.stretches.borrow_mut().push(Stretch { is_watched: self.is_watched, took, memory_mb });
        self.is_watched = !self.is_watched;
        // The run stands while people come and go; that is nobody's acknowledgement.
        self.crowd.turn(self.is_watched);
        self.took.borrow_mut().clear();
        self.begun = None;
    }
}
