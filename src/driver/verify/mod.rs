//! A recorded run proves itself: the core runs again over the inputs of a journal, and everything
//! that it derives is held against what was recorded, byte by byte.
//!
//! - [`divergence`] the first event on which two accounts of a run do not agree
//! - [`bisect`] the first divergence between two journals
//! - [`states`] the first divergence between the states of two runs
//! - [`follow`] a verification that goes on as the journal grows

pub mod bisect;
pub mod divergence;
pub mod follow;
pub mod states;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::core::Core;
use crate::domain::event::{Derived, Event, EventId, Input, Record, RunStarted};
use crate::domain::tape::Names;
use crate::journal::buffer::Buffer;
use crate::journal::codec;
use crate::journal::digest::Digest;
use crate::journal::error::{Damage, JournalError};
use crate::journal::reader::{End, Raw, Reader};

use divergence::Divergence;
use follow::Parted;

/// What became of a verification.
#[derive(Debug)]
pub struct Verified {
    /// The rules of the core that recorded the run; 0 where nothing can be read.
    pub core_version: u32,
    /// The program that recorded it.
    pub build: String,
    /// Inputs that were read and run again.
    pub inputs: u64,
    /// Outputs that were read and compared.
    pub outputs: u64,
    /// The run digest of what was read; none where the journal is damaged.
    pub digest: Option<Digest>,
    /// How the journal ends, or why it cannot be read to its end.
    pub end: Result<End, JournalError>,
    /// Outputs of the last input that a journal without a seal does not hold: whoever wrote it was
    /// stopped between an input and its outputs.
    pub unfinished: usize,
    /// The first event that was recorded (`want`) otherwise than it is derived (`got`).
    pub divergence: Option<Divergence>,
    /// Inputs whose outputs are not all as recorded.
    pub steps_differing: u64,
    /// The first event that a second core derived (`got`) otherwise than the first (`want`).
    pub unstable: Option<Divergence>,
    /// The input that the core could not take.
    pub broken: Option<Broken>,
}

/// An input on which an assertion of the core failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The input.
    pub seq: u64,
    /// What the assertion says.
    pub why: String,
}

/// A verification in one word. Of several that hold, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Two cores made different things of the same inputs.
    NotDeterministic,
    /// The journal cannot be read to its end.
    Damaged,
    /// The core derives something else, or cannot take an input.
    Differs,
    /// What there is is identical, but nothing says that it is all.
    EndedEarly,
    /// Every output is as recorded, and the journal is whole.
    Identical,
}

impl Verified {
    /// What to make of it.
    pub const fn verdict(&self) -> Verdict {
        match self.end {
            _ if self.unstable.is_some() => Verdict::NotDeterministic,
            Err(_) => Verdict::Damaged,
            Ok(_) if self.divergence.is_some() || self.broken.is_some() => Verdict::Differs,
            Ok(End::Unsealed { .. }) => Verdict::EndedEarly,
            Ok(End::Sealed(_)) => Verdict::Identical,
        }
    }
}

/// Reads the rest of a journal once and runs the core over its inputs; `twice` runs a second core
/// beside the first and compares the two. `look` sees each input before the core does. Memory does
/// not grow with the journal.
pub fn verify(reader: &mut Reader, twice: bool, look: &mut dyn FnMut(&Input)) -> Verified {
    Verifier::<Core>::new(twice).run(reader, look)
}

/// What is run again. Tests put in what the core is not.
trait Machine: Sized {
    fn start(run: &RunStarted) -> Self;
    fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>);
}

impl Machine for Core {
    fn start(run: &RunStarted) -> Core {
        Core::new(run)
    }

    fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
        Core::step(self, seq, input, out);
    }
}

/// One input and what follows from it.
#[derive(Default)]
struct Step {
    input: Option<Record>,
    derived: Vec<Derived>,
    /// How many of these, from the first on, were recorded just so.
    equal: usize,
    /// What was recorded after them.
    rest: Vec<Record>,
}

struct Verifier<M> {
    twice: bool,
    /// Gone once it cannot take an input.
    core: Option<M>,
    /// Gone once it differed from the first.
    second: Option<M>,
    again: Vec<Derived>,
    names: Names,
    step: Step,
    scratch: [Buffer; 2],
    found: Verified,
    /// Each step that differs; none where nobody asks.
    parted: Option<Vec<Parted>>,
}

impl<M: Machine> Verifier<M> {
    fn new(twice: bool) -> Verifier<M> {
        Verifier {
            twice,
            core: None,
            second: None,
            again: Vec::new(),
            names: Names::default(),
            step: Step::default(),
            scratch: Default::default(),
            found: Verified {
                core_version: 0,
                build: String::new(),
                inputs: 0,
                outputs: 0,
                digest: None,
                end: Ok(End::Unsealed { trailing_bytes: 0 }),
                unfinished: 0,
                divergence: None,
                steps_differing: 0,
                unstable: None,
                broken: None,
            },
            parted: None,
        }
    }

    fn run(mut self, reader: &mut Reader, look: &mut dyn FnMut(&Input)) -> Verified {
        self.found.end = self.read(reader, look);
        let is_whole = matches!(self.found.end, Ok(End::Sealed(_)));
        self.end_step(is_whole);
        self.found
    }

    fn read(
        &mut self,
        reader: &mut Reader,
        look: &mut dyn FnMut(&Input),
    ) -> Result<End, JournalError> {
        while let Some(raw) = reader.next_raw()? {
            let taken = match raw.id.index {
                0 => self.input(&raw, look),
                _ => self.output(&raw),
            };
            taken.map_err(|damage| reader.record_damaged(damage))?;
        }
        // Whether that is what commits and seal say, the reader has checked.
        self.found.digest = Some(reader.digest());
        Ok(reader.end().expect("the records were read to their end"))
    }

    fn input(&mut self, raw: &Raw<'_>, look: &mut dyn FnMut(&Input)) -> Result<(), Damage> {
        self.end_step(true);
        let record = raw.decode(&mut self.scratch[0])?;
        if let Event::Input(input) = &record.event {
            look(input);
            self.found.inputs += 1;
            match input {
                Input::RunStarted(run) => self.start(run),
                _ => self.derive(raw.id.seq, input),
            }
        }
        self.step.input = Some(record);
        Ok(())
    }

    fn start(&mut self, run: &RunStarted) {
        self.names = Names::of(run);
        self.found.core_version = run.core_version;
        self.found.build.clone_from(&run.build);
        let cores = guarded(|| (M::start(run), self.twice.then(|| M::start(run))));
        match cores {
            Ok((core, second)) => (self.core, self.second) = (Some(core), second),
            Err(why) => self.found.broken = Some(Broken { seq: 0, why }),
        }
    }

    fn derive(&mut self, seq: u64, input: &Input) {
        let Some(core) = &mut self.core else { return };
        let (derived, again) = (&mut self.step.derived, &mut self.again);
        let second = &mut self.second;
        let stepped = guarded(|| {
            core.step(seq, input, derived);
            if let Some(second) = second {
                second.step(seq, input, again);
            }
        });
        if let Err(why) = stepped {
            (self.core, self.second) = (None, None);
            self.found.broken = Some(Broken { seq, why });
            return;
        }
        if self.second.is_some() {
            self.compare_cores(seq, input);
        }
    }

    /// Holds the second core's outputs against the first's.
    fn compare_cores(&mut self, seq: u64, input: &Input) {
        let [one, other] = &mut self.scratch;
        let equal = self.step.derived.iter().zip(&self.again);
        let equal = equal.take_while(|(first, second)| {
            first.cause == second.cause
                && encoded(first, one).is_some_and(|bytes| encoded(second, other) == Some(bytes))
        });
        let equal = equal.count();
        if equal < self.step.derived.len().max(self.again.len()) {
            let before = before(seq, &self.step.derived[..equal], || input_record(seq, input));
            let first = records(seq, equal, &self.step.derived);
            let second = records(seq, equal, &self.again);
            let sides = ((&*first, &self.names), (&*second, &self.names));
            self.found.unstable = Divergence::of_step(Some(&before), sides.0, sides.1);
            self.second = None;
        }
        self.again.clear();
    }

    fn output(&mut self, raw: &Raw<'_>) -> Result<(), Damage> {
        self.found.outputs += 1;
        let step = &mut self.step;
        let due = step.derived.get(step.equal).filter(|_| step.rest.is_empty());
        let is_due = due.is_some_and(|due| {
            due.cause == raw.cause
                && codec::output_kind(&due.output).number() == raw.kind
                && raw.known_kind().is_some()
                && encoded(due, &mut self.scratch[0]) == Some(raw.payload)
        });
        match is_due {
            true => step.equal += 1,
            // Read at once, because only now is it known where it stands in the file.
            false => step.rest.push(raw.decode(&mut self.scratch[0])?),
        }
        Ok(())
    }

    /// Says what of the last step differs. Only a step after which more was recorded is whole.
    fn end_step(&mut self, is_whole: bool) {
        let Step { input, derived, equal, rest } = &mut self.step;
        let left = derived.len() - *equal;
        if let Some(input) = input.take()
            && self.core.is_some()
            && (left > 0 || !rest.is_empty())
        {
            if rest.is_empty() && !is_whole {
                self.found.unfinished = left;
            } else {
                self.found.steps_differing += 1;
                follow::keep(&mut self.parted, input.id.seq, rest, &derived[*equal..]);
                if self.found.divergence.is_none() {
                    let seq = input.id.seq;
                    let before = before(seq, &derived[..*equal], || input);
                    let again = records(seq, *equal, derived);
                    let sides = ((&**rest, &self.names), (&*again, &self.names));
                    self.found.divergence = Divergence::of_step(Some(&before), sides.0, sides.1);
                }
            }
        }
        derived.clear();
        rest.clear();
        *equal = 0;
    }
}

/// Runs the core and catches its assertions: a journal that was written for another core, or not by
/// a core at all, is a finding.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let why = |payload: Box<dyn Any + Send>| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .map_or_else(|_| "no words".to_owned(), |text| text.to_string()),
    };
    // What was torn is thrown away: nothing looks at it again.
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(why)
}

/// The payload under which an output would be written, if it could be.
fn encoded<'a>(derived: &Derived, scratch: &'a mut Buffer) -> Option<&'a [u8]> {
    scratch.truncate(0);
    codec::encode_output(&derived.output, scratch).ok().map(|()| scratch.as_slice())
}

/// The event before the first that is not among `equal`: the last of them, or else the input.
fn before(seq: u64, equal: &[Derived], input: impl FnOnce() -> Record) -> Record {
    let last = equal.len().checked_sub(1).and_then(|place| records(seq, place, equal).pop());
    last.unwrap_or_else(input)
}

fn input_record(seq: u64, input: &Input) -> Record {
    let event = Event::Input(input.clone());
    Record { id: EventId::input(seq), cause: 0, received_ns: 0, event }
}

/// The outputs of a step from place `from` on, as they would be recorded.
fn records(seq: u64, from: usize, derived: &[Derived]) -> Vec<Record> {
    let record = |(index, derived): (u32, &Derived)| Record {
        id: EventId { seq, index },
        cause: derived.cause,
        received_ns: 0,
        event: Event::Output(derived.output.clone()),
    };
    (1..).zip(derived).skip(from).map(record).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::domain::event::{EndReason, Output, RunEnded};
    use crate::domain::fact::{Halt, RejectReason};
    use crate::domain::money::Cash;
    use crate::domain::time::Timestamp;
    use crate::journal::samples::samples;
    use crate::journal::writer::{Identity, Writer};

    /// A journal of three watermarks, each followed by the halt that `Moody` derives first.
    fn journal() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let run = samples().into_iter().find_map(|(_, event)| match event {
            Event::Input(Input::RunStarted(run)) => Some(*run),
            _ => None,
        });
        let run = run.expect("a sample of each kind");
        let mut writer = Writer::create(dir.path(), Identity::of_replay(&run).unwrap()).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(run))).unwrap();
        for seq in 1..=3 {
            writer.input(seq, 0, &Input::Watermark(Timestamp(0))).unwrap();
            writer.output(seq, 1, &halt(0)).unwrap();
        }
        let end = RunEnded { time: Timestamp(0), reason: EndReason::Completed };
        writer.input(4, 0, &Input::RunEnded(end)).unwrap();
        writer.seal().unwrap();
        dir
    }

    fn halt(day_profit: i64) -> Derived {
        let reason = RejectReason::DailyLoss;
        let halt = Halt { time: Timestamp(0), reason, day_profit: Cash(day_profit) };
        Derived { cause: 0, output: Output::Halt(halt) }
    }

    fn verified<M: Machine>(twice: bool) -> Verified {
        let mut reader = Reader::open(journal().path()).unwrap();
        Verifier::<M>::new(twice).run(&mut reader, &mut |_| {})
    }

    thread_local! {
        static STARTED: Cell<i64> = const { Cell::new(0) };
    }

    /// Says from the second input on how many of its kind there were before it.
    struct Moody(i64);

    impl Machine for Moody {
        fn start(_: &RunStarted) -> Moody {
            Moody(STARTED.replace(STARTED.get() + 1))
        }

        fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
            if matches!(input, Input::Watermark(_)) {
                out.push(halt(if seq > 1 { self.0 } else { 0 }));
            }
        }
    }

    #[test]
    fn a_core_that_depends_on_more_than_its_inputs_is_found_by_running_it_twice() {
        let once = verified::<Moody>(false);
        assert_eq!(once.verdict(), Verdict::Identical, "the first of its kind does as recorded");
        STARTED.set(0);
        let twice = verified::<Moody>(true);
        assert_eq!(twice.verdict(), Verdict::NotDeterministic);
        let unstable = twice.unstable.expect("the second is told from the first");
        assert_eq!(unstable.id, EventId { seq: 2, index: 1 });
        let [field] = &unstable.fields[..] else { panic!("{:?}", unstable.fields) };
        assert_eq!((&*field.name, &*field.want, &*field.got), ("day_profit", "0.00", "0.0001"));
        assert_eq!(twice.divergence, None, "the first is as recorded all the same");
    }

    /// Has an assertion that fails.
    struct Touchy;

    impl Machine for Touchy {
        fn start(_: &RunStarted) -> Touchy {
            Touchy
        }

        fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
            assert!(seq < 3, "input {seq} cannot be");
            if matches!(input, Input::Watermark(_)) {
                out.push(halt(0));
            }
        }
    }

    #[test]
    fn an_assertion_of_the_core_is_a_finding_with_the_input_that_it_fails_on() {
        let verified = verified::<Touchy>(false);
        assert_eq!(verified.verdict(), Verdict::Differs);
        assert_eq!(verified.broken, Some(Broken { seq: 3, why: "input 3 cannot be".to_owned() }));
        assert_eq!((verified.inputs, verified.outputs), (5, 3), "the journal is read to its end");
    }
}
