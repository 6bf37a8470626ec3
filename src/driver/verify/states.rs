//! Where the states of two runs over the same inputs part: the first input after which a field of
//! the core has another value, before any output need show it.
//!
//! Both cores run over the inputs of their journals. After each input the state is folded into one
//! digest, of which one in 1,024 is kept; a digest holds every state before it, so bisection finds
//! the first block that differs, and within it the states are held against each other. Fields that
//! differ before the first input, which are the runs' settings, are set apart.

use std::collections::BTreeSet;
use std::path::Path;

use crate::core::Core;
use crate::domain::event::{Derived, Event, Input, RunStarted};
use crate::driver::state::{self, StateField};
use crate::journal::digest::{BLOCK_INPUTS, Digest};
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;

use super::bisect::first_difference;

/// What was found.
#[derive(Clone, Debug)]
pub struct StateParting {
    /// The description of the first run, for the names of its instruments.
    pub run: RunStarted,
    /// Fields that differ before the first input.
    pub settings: Vec<StateField>,
    /// The first input after which the states differ, if they do.
    pub seq: Option<u64>,
    /// The fields that differ then, but for the settings.
    pub fields: Vec<StateField>,
    /// Comparisons of digests that it took.
    pub comparisons: u32,
    /// Blocks of the longer run.
    pub blocks: usize,
    /// Inputs of both that were compared.
    pub inputs: u64,
}

/// Why the states of two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum StatesError {
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A run without a description.
    #[error("{0}: the journal holds no run")]
    Empty(String),
    /// States after other inputs say nothing about each other.
    #[error("input {seq} is not the same in both")]
    OtherInputs {
        /// The first input that differs.
        seq: u64,
    },
}

/// Finds where the states of the runs in two journals part.
///
/// # Errors
/// When a journal cannot be read, or the two heard different things.
pub fn parting_of_states(want: &Path, got: &Path) -> Result<StateParting, StatesError> {
    part(|| Lived::<Core>::open(want), || Lived::<Core>::open(got))
}

/// A machine whose state can be looked at. Tests put in what the core is not.
pub trait Stateful: Sized {
    /// The machine before its first input.
    fn start(run: &RunStarted) -> Self;
    /// Takes an input.
    fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>);
    /// The core whose state it is.
    fn core(&self) -> &Core;
}

impl Stateful for Core {
    fn start(run: &RunStarted) -> Core {
        Core::new(run)
    }

    fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
        Core::step(self, seq, input, out);
    }

    fn core(&self) -> &Core {
        self
    }
}

/// A journal with the machine that has heard it so far.
pub struct Lived<M> {
    run: RunStarted,
    reader: Reader,
    machine: M,
    out: Vec<Derived>,
}

impl<M: Stateful> Lived<M> {
    /// The machine before the first input of the journal at `path`.
    ///
    /// # Errors
    /// When there is no run.
    pub fn open(path: &Path) -> Result<Lived<M>, StatesError> {
        let mut reader = Reader::open(path)?;
        let first = reader.next_record()?.map(|record| record.event);
        match first {
            Some(Event::Input(Input::RunStarted(run))) => {
                let machine = M::start(&run);
                Ok(Lived { run: *run, reader, machine, out: Vec::new() })
            }
            _ => Err(StatesError::Empty(path.display().to_string())),
        }
    }

    /// Has the machine hear the next input.
    fn next(&mut self) -> Result<Option<(u64, Input)>, StatesError> {
        while let Some(record) = self.reader.next_record()? {
            if let Event::Input(input) = record.event {
                self.out.clear();
                self.machine.step(record.id.seq, &input, &mut self.out);
                return Ok(Some((record.id.seq, input)));
            }
        }
        Ok(None)
    }
}

fn part<A: Stateful, B: Stateful>(
    want: impl Fn() -> Result<Lived<A>, StatesError>,
    got: impl Fn() -> Result<Lived<B>, StatesError>,
) -> Result<StateParting, StatesError> {
    let (a, b) = (want()?, got()?);
    let settings = state::differences(a.machine.core(), b.machine.core());
    let apart: BTreeSet<String> = settings.iter().map(|field| field.path.clone()).collect();
    let run = a.run.clone();
    let (a, b) = (fold(a, &apart)?, fold(b, &apart)?);
    let (block, comparisons) = first_difference(&a, &b);
    let mut parting = StateParting {
        run,
        settings,
        seq: None,
        fields: Vec::new(),
        comparisons,
        blocks: a.len().max(b.len()),
        inputs: 0,
    };
    let from = block.map_or(u64::MAX, |block| block as u64 * BLOCK_INPUTS);
    walk(want()?, got()?, from, &apart, &mut parting)?;
    Ok(parting)
}

/// What of a state is compared: all of it, but for the fields that are set apart.
fn form(core: &Core, apart: &BTreeSet<String>) -> Vec<u8> {
    if apart.is_empty() {
        return state::encode(core);
    }
    let lines = state::lines(core);
    let kept = lines.filter(|(path, _)| !apart.contains(path));
    kept.flat_map(|(path, value)| format!("{path}={value}\n").into_bytes()).collect()
}

/// The digest of all states after each block of inputs.
fn fold<M: Stateful>(
    mut lived: Lived<M>,
    apart: &BTreeSet<String>,
) -> Result<Vec<Digest>, StatesError> {
    let (mut value, mut values, mut block) = ([0; 32], Vec::new(), 0);
    while let Some((seq, _)) = lived.next()? {
        if seq / BLOCK_INPUTS != block {
            values.push(Digest(value));
            block = seq / BLOCK_INPUTS;
        }
        value = *blake3::keyed_hash(&value, &form(lived.machine.core(), apart)).as_bytes();
    }
    values.push(Digest(value));
    Ok(values)
}

/// Goes through both side by side and compares the states from input `from` on. The inputs are
/// compared all the way.
fn walk<A: Stateful, B: Stateful>(
    mut a: Lived<A>,
    mut b: Lived<B>,
    from: u64,
    apart: &BTreeSet<String>,
    parting: &mut StateParting,
) -> Result<(), StatesError> {
    loop {
        match (a.next()?, b.next()?) {
            (Some((seq, want)), Some((_, got))) if want == got => {
                parting.inputs = seq;
                let (want, got) = (a.machine.core(), b.machine.core());
                if seq >= from && form(want, apart) != form(got, apart) {
                    let mut fields = state::differences(want, got);
                    fields.retain(|field| !apart.contains(&field.path));
                    (parting.seq, parting.fields) = (Some(seq), fields);
                    return Ok(());
                }
            }
            (Some((seq, _)), Some(_)) => return Err(StatesError::OtherInputs { seq }),
            // One of them went on longer.
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
    use tempfile::TempDir;

    use super::*;
    use crate::domain::fact::Bar;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::{Price, Qty};
    use crate::journal::samples;
    use crate::journal::writer::{Identity, Writer};

    thread_local! {
        /// After which input which byte of the state is changed, and with which bits.
        static FLIP: Cell<(u64, usize, u8)> = const { Cell::new((0, 0, 0)) };
    }

    /// A core of which one field jumps to another value.
    struct Jumping(Core);

    impl Stateful for Jumping {
        fn start(run: &RunStarted) -> Jumping {
            Jumping(Core::new(run))
        }

        fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
            Core::step(&mut self.0, seq, input, out);
            let (at, byte, bits) = FLIP.get();
            if seq == at {
                self.0 = jumped(&self.0, byte, bits).expect("it was tried before");
            }
        }

        fn core(&self) -> &Core {
            &self.0
        }
    }

    /// The state with a changed byte, if that is a state that differs in one field.
    fn jumped(core: &Core, byte: usize, bits: u8) -> Option<Core> {
        let mut bytes = state::encode(core);
        let byte = byte % bytes.len();
        bytes[byte] ^= bits;
        let other = state::decode(&bytes).ok()?;
        (state::differences(core, &other).len() == 1).then_some(other)
    }

    /// Whether no assertion of the core fails on the way to the end: a sum that jumped far enough
    /// no longer fits its type.
    fn survives(core: &Core, rest: &[Input], at: u64) -> bool {
        let mut core = core.clone();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (seq, input) in (at + 1..).zip(rest) {
                core.step(seq, input, &mut Vec::new());
            }
        }))
        .is_ok()
    }

    /// A day of one instrument in minutes that go up and down.
    fn recorded() -> (TempDir, Vec<Input>) {
        let run = samples::run();
        let open = run.sessions[0].windows[0].open;
        let mut inputs = Vec::new();
        for minute in 0..300 {
            let open_time = open.plus_minutes(minute);
            let price = Price(1_000_000 + (minute * 37 % 101) * 500);
            let bar = Bar {
                instrument: InstrumentId(0),
                open_time,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Qty(100 + minute),
            };
            inputs.push(Input::Bar(bar));
            inputs.push(Input::Watermark(open_time.plus_minutes(1)));
        }
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::of_replay(&run).unwrap();
        let mut writer = Writer::create(dir.path(), identity).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(run))).unwrap();
        for (seq, input) in (1..).zip(&inputs) {
            writer.input(seq, 0, input).unwrap();
        }
        writer.seal().unwrap();
        (dir, inputs)
    }

    /// `STATE_JUMPS=1000 cargo test --lib states -- --nocapture` makes a thousand of them.
    #[test]
    fn a_field_that_jumps_is_located_to_the_input_and_the_value() {
        let jumps: u32 =
            std::env::var("STATE_JUMPS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
        let (dir, inputs) = recorded();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut below = |end: usize| (random.next_u64() % end as u64) as usize;
        let (mut located, mut tried) = (0, 0);
        while located < jumps {
            tried += 1;
            assert!(tried < 1_000 * jumps, "most bytes belong to no field");
            let at = 1 + below(inputs.len()) as u64;
            let mut core = Core::new(&samples::run());
            for (seq, input) in (1..=at).zip(&inputs) {
                core.step(seq, input, &mut Vec::new());
            }
            let (byte, bits) = (below(1 << 20), 1 << below(8));
            let Some(other) =
                jumped(&core, byte, bits).filter(|core| survives(core, &inputs[at as usize..], at))
            else {
                continue;
            };
            FLIP.set((at, byte, bits));
            let open = || Lived::<Core>::open(dir.path());
            let found = part(open, || Lived::<Jumping>::open(dir.path())).unwrap();
            assert_eq!(found.seq, Some(at));
            assert_eq!(found.fields, state::differences(&core, &other));
            assert!(found.comparisons <= found.blocks.next_power_of_two().ilog2() + 1);
            located += 1;
        }
        println!("states: {located} jumps of one field, all located to the input and the field");
    }

    #[test]
    fn two_settings_part_where_the_first_state_shows_it() {
        let (dir, inputs) = recorded();
        let other = tempfile::tempdir().unwrap();
        let mut run = samples::run();
        run.config.strategy.swing_period = 2;
        let mut writer = Writer::create(other.path(), Identity::of_replay(&run).unwrap()).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(run))).unwrap();
        for (seq, input) in (1..).zip(&inputs) {
            writer.input(seq, 0, input).unwrap();
        }
        writer.seal().unwrap();
        let found = parting_of_states(dir.path(), other.path()).unwrap();
        assert!(found.settings.iter().all(|field| field.path.ends_with("period")));
        // Five bars are the first window of two on either side.
        assert_eq!(found.seq, Some(5 * 15 * 2));
        let parts: BTreeSet<String> =
            found.fields.iter().map(|field| field.part.component.clone()).collect();
        assert_eq!(parts, BTreeSet::from(["indicator swings".to_owned()]));
        let same = parting_of_states(dir.path(), dir.path()).unwrap();
        assert_eq!((same.seq, same.inputs), (None, 600));
    }
}
