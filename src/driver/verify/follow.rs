//! A verification that goes on as the journal grows, so that a run under way can be held against
//! the core at every moment, and says of each step that differs which instruments it is about.

use std::path::Path;

use crate::core::Core;
use crate::domain::event::{Derived, Event, Record};
use crate::domain::instrument::InstrumentId;
use crate::journal::buffer::Buffer;
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;

use super::{Verified, Verifier, encoded};

/// Steps that are told one by one; of more, only their number.
const TOLD_MAX: usize = 10_000;

/// An input whose outputs are not all as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The input.
    pub seq: u64,
    /// The instruments that the difference is about, ascending; empty where it is about all.
    pub instruments: Vec<InstrumentId>,
}

/// A verification under way.
pub struct Following {
    reader: Reader,
    verifier: Verifier<Core>,
}

impl Following {
    /// Begins with the journal's first record.
    ///
    /// # Errors
    /// When there is no journal, or it cannot be opened.
    pub fn open(path: &Path) -> Result<Following, JournalError> {
        let reader = Reader::open(path)?;
        let mut verifier = Verifier::new(false);
        verifier.parted = Some(Vec::new());
        Ok(Following { reader, verifier })
    }

    /// Runs the core over the next records, `at_most` so many; true once there are no more for now.
    ///
    /// # Errors
    /// When the journal cannot be read on.
    pub fn look(&mut self, at_most: usize) -> Result<bool, JournalError> {
        if self.reader.end().is_some() {
            self.reader.look_again()?;
        }
        let Following { reader, verifier } = self;
        for _ in 0..at_most {
            let Some(raw) = reader.next_raw()? else {
                // Only whole batches are read, and a batch holds whole steps: the last one is over.
                verifier.end_step(true);
                verifier.found.end = Ok(reader.end().expect("the records were read to their end"));
                return Ok(true);
            };
            let taken = match raw.id.index {
                0 => verifier.input(&raw, &mut |_| {}),
                _ => verifier.output(&raw),
            };
            taken.map_err(|damage| reader.record_damaged(damage))?;
        }
        Ok(false)
    }

    /// What was found so far. Of the step at hand nothing is said before it is over.
    pub const fn found(&self) -> &Verified {
        &self.verifier.found
    }

    /// The last input that was taken; none before the first.
    pub const fn position(&self) -> Option<u64> {
        self.reader.inputs().checked_sub(1)
    }

    /// The steps that differ, in order.
    pub fn parted(&self) -> &[Parted] {
        self.verifier.parted.as_deref().unwrap_or_default()
    }
}

/// Keeps that a step differs, if anybody wants to know.
pub(super) fn keep(
    parted: &mut Option<Vec<Parted>>,
    seq: u64,
    recorded: &[Record],
    derived: &[Derived],
) {
    if let Some(parted) = parted.as_mut().filter(|parted| parted.len() < TOLD_MAX) {
        parted.push(Parted { seq, instruments: instruments(seq, recorded, derived) });
    }
}

/// The instruments of all outputs that only one side has. Where both have the same in another
/// order or for other causes, those of all.
fn instruments(seq: u64, recorded: &[Record], derived: &[Derived]) -> Vec<InstrumentId> {
    let derived = super::records(seq, 0, derived);
    let mut scratch = Buffer::default();
    let mut bytes_of = |record: &Record| match &record.event {
        Event::Output(output) => {
            let derived = Derived { cause: 0, output: output.clone() };
            encoded(&derived, &mut scratch).map(<[u8]>::to_vec)
        }
        Event::Input(_) => None,
    };
    let known: [Vec<_>; 2] =
        [recorded, &derived].map(|side| side.iter().map(&mut bytes_of).collect());
    let alone = [(recorded, &known[0], &known[1]), (&*derived, &known[1], &known[0])]
        .into_iter()
        .flat_map(|(side, own, other)| {
            let pairs = side.iter().zip(own);
            pairs.filter(|(_, bytes)| !other.contains(bytes)).map(|(record, _)| record)
        });
    let mut about: Vec<&Record> = alone.collect();
    if about.is_empty() {
        about = recorded.iter().chain(&derived).collect();
    }
    let instruments: Option<Vec<InstrumentId>> =
        about.iter().map(|record| record.event.instrument()).collect();
    // One that is about no instrument is about all of them.
    let mut instruments = instruments.unwrap_or_default();
    instruments.sort_unstable();
    instruments.dedup();
    instruments
}
