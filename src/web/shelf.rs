//! Runs that were looked at: each is read through once, and from then on only what came since. What
//! is asked of a run is answered from its facts, or from the few parts of its journal that matter.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::event::{Event, Input, Output, Record};
use crate::domain::tape::Names;
use crate::journal::error::JournalError;
use crate::journal::reader::{End, Reader};
use crate::sinks::scanner::Scanner;
use crate::sinks::scanner::view::View;

use super::facts::Facts;
use super::index::{Index, Kinds};

/// Runs that stay open.
const OPEN_MAX: usize = 4;
/// Parts between two states that are kept, at first.
const KEPT_EVERY: usize = 8;
/// States that are kept of a run; with more, every other goes.
const KEPT_MAX: usize = 64;
/// How often a journal is read before it is called damaged: a writer may be at the very place.
const TRIES: usize = 3;

/// A run's place on the shelf, held by whoever looks something up in it.
type Place = Arc<Mutex<Option<Volume>>>;

/// The runs that are open, the one that was used last in front.
#[derive(Default)]
pub struct Shelf(Mutex<Vec<(PathBuf, Place)>>);

impl Shelf {
    /// Looks something up in the run in that folder, as far as its journal goes by now.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn with<T>(
        &self,
        dir: &Path,
        look: impl Fn(&Volume) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let place = self.place(dir);
        let mut volume = place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut once = || {
            let open = match volume.take() {
                Some(open) => open,
                None => Volume::open(dir)?,
            };
            let open = volume.insert(open);
            let looked = open.catch_up().and_then(|()| look(open));
            if looked.is_err() {
                // It may be another journal by now.
                *volume = None;
            }
            looked
        };
        (0..TRIES - 1).map(|_| once()).find(Result::is_ok).unwrap_or_else(&mut once)
    }

    fn place(&self, dir: &Path) -> Place {
        // A folder has one name here, however it was named.
        let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|(path, _)| *path == dir).map(|place| open.remove(place));
        let (path, volume) = found.unwrap_or_else(|| (dir, Arc::default()));
        open.insert(0, (path, Arc::clone(&volume)));
        open.truncate(OPEN_MAX);
        volume
    }
}

/// A run that was read through.
pub struct Volume {
    /// Where what stands.
    pub index: Index,
    /// Bars, signals, trades and days.
    pub facts: Facts,
    /// Names for the tape.
    pub names: Names,
    scanner: Scanner,
    /// The part before which each of these states held, ascending.
    kept: Vec<(usize, Scanner)>,
    kept_every: usize,
}

impl Volume {
    fn open(dir: &Path) -> Result<Volume, JournalError> {
        Ok(Volume {
            index: Index::new(Reader::open(dir)?),
            facts: Facts::default(),
            names: Names::default(),
            scanner: Scanner::default(),
            kept: vec![(0, Scanner::default())],
            kept_every: KEPT_EVERY,
        })
    }

    fn catch_up(&mut self) -> Result<(), JournalError> {
        self.index.look_again()?;
        loop {
            let parts = self.index.parts().len();
            let Some(record) = self.index.next_record()? else { return Ok(()) };
            let begun = self.index.parts().len();
            if begun > parts && parts >= self.kept.last().map_or(0, |kept| kept.0 + self.kept_every)
            {
                self.keep(parts);
            }
            if let Event::Input(Input::RunStarted(run)) = &record.event {
                self.names = Names::of(run);
            }
            self.facts.take(&record);
            self.scanner.take(&record);
        }
    }

    fn keep(&mut self, part: usize) {
        self.kept.push((part, self.scanner.clone()));
        if self.kept.len() > KEPT_MAX {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.kept_every *= 2;
        }
    }

    /// Whether the journal came to its end.
    pub const fn is_sealed(&self) -> bool {
        matches!(self.index.reader().end(), Some(End::Sealed(_)))
    }

    /// The last input.
    pub fn last(&self) -> u64 {
        self.scanner.position().unwrap_or(0)
    }

    /// The table as it was after an input.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn view_at(&self, seq: u64) -> Result<View, JournalError> {
        if seq >= self.last() {
            return Ok(self.scanner.view());
        }
        let parts = self.index.parts();
        let begins_before = |kept: &(usize, Scanner)| parts[kept.0].inputs.0 <= seq;
        let place = self.kept.partition_point(begins_before).saturating_sub(1);
        let (first, mut scanner) = self.kept[place].clone();
        let all = Kinds::of(|_| true);
        for part in parts[first..].iter().take_while(|part| part.inputs.0 <= seq) {
            let records = self.index.read(part, all)?;
            records.iter().take_while(|it| it.id.seq <= seq).for_each(|it| scanner.take(it));
        }
        Ok(scanner.view())
    }

    /// The inputs with which a strategy bar came, about `seq`: the last before and the first after.
    pub fn bars_about(&self, seq: u64) -> Sides {
        let lanes = self.facts.bars.iter().map(|bars| {
            let of = |place: usize| bars.get(place).map(|fact| fact.id.seq);
            let before = bars.partition_point(|fact| fact.id.seq < seq).checked_sub(1);
            Sides {
                before: before.and_then(of),
                after: of(bars.partition_point(|fact| fact.id.seq <= seq)),
            }
        });
        lanes.fold(Sides::default(), |all, one| Sides {
            before: all.before.max(one.before),
            after: [all.after, one.after].into_iter().flatten().min(),
        })
    }

    /// The same for signals.
    pub fn signals_about(&self, seq: u64) -> Sides {
        let signals = &self.facts.signals;
        let before = signals.partition_point(|fact| fact.id.seq < seq).checked_sub(1);
        let after = signals.partition_point(|fact| fact.id.seq <= seq);
        Sides {
            before: before.map(|place| signals[place].id.seq),
            after: signals.get(after).map(|fact| fact.id.seq),
        }
    }

    /// The same for ends of days.
    pub fn days_about(&self, seq: u64) -> Sides {
        let is_end =
            |record: &&Record| matches!(record.event, Event::Output(Output::SessionEnded(_)));
        let notable = &self.facts.notable;
        let before = &notable[..notable.partition_point(|record| record.id.seq < seq)];
        let after = &notable[notable.partition_point(|record| record.id.seq <= seq)..];
        Sides {
            before: before.iter().rev().find(is_end).map(|record| record.id.seq),
            after: after.iter().find(is_end).map(|record| record.id.seq),
        }
    }
}

/// Inputs on both sides of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The last before it.
    pub before: Option<u64>,
    /// The first after it.
    pub after: Option<u64>,
}
