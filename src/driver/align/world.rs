//! The world of a run: what it was told and under which rules, as far as a decision may depend on
//! it. It can be changed in one part, and the core asked again.

use crate::core::Core;
use crate::domain::event::{Command, Derived, Event, EventId, Input, Output, Record, RunStarted};
use crate::domain::fact::{Backfill, Bar, Signal};
use crate::domain::time::Timestamp;
use crate::driver::plan::watermarks;
use crate::driver::replay::{Replay, ReplayError};
use crate::golden::book::{Book, Collector};
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;
use crate::sinks::Sink;
use crate::sources::columns::BarColumns;
use crate::sources::sequencer::Sequencer;

use super::ground::Ground;

/// What a run was told, as minutes: those that it made of ticks and those that an archive completed
/// are among them.
#[derive(Clone, Debug)]
pub struct World {
    /// Rules, instruments and sessions.
    pub run: RunStarted,
    /// Accepted minutes, ascending, in the order of the run's instruments.
    pub minutes: Vec<Vec<Bar>>,
    /// What somebody wanted, ascending in time.
    pub commands: Vec<Command>,
}

/// What a run said.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its comparable facts.
    pub book: Book,
    /// Its signals, by instrument and bar.
    pub signals: Vec<Signal>,
}

impl World {
    /// The world of a replay, and what the core says in it.
    ///
    /// # Errors
    /// When the history is damaged.
    pub fn of_replay(replay: &Replay, threads: usize) -> Result<(World, Told), ReplayError> {
        let mut listener = Listener::new(&replay.run);
        replay.run(None, threads, &mut [&mut listener])?;
        Ok(listener.finish())
    }

    /// The world of a recorded run, and what the run said in it; `None` of a journal without a run.
    ///
    /// # Errors
    /// When the journal is damaged.
    pub fn of_journal(mut reader: Reader) -> Result<Option<(World, Told)>, JournalError> {
        let mut listener = None;
        while let Some(record) = reader.next_record()? {
            match (&record.event, &mut listener) {
                (Event::Input(Input::RunStarted(run)), None) => listener = Some(Listener::new(run)),
                (_, Some(listener)) => listener.take(&record),
                (_, None) => {}
            }
        }
        Ok(listener.map(Listener::finish))
    }

    /// What the core says when it is told of this world minute by minute, each in time.
    pub fn ask(&self) -> Told {
        let mut sequencer =
            Sequencer::new(self.minutes.len(), &watermarks(&self.run), &self.commands);
        for (lane, minutes) in self.minutes.iter().enumerate() {
            sequencer.add(lane, BarColumns::from_bars(minutes.iter()));
            sequencer.end(lane);
        }
        let mut core = Core::new(&self.run);
        let mut listener = Listener::new(&self.run);
        let (mut inputs, mut derived, mut seq) = (Vec::new(), Vec::<Derived>::new(), 0);
        loop {
            inputs.clear();
            sequencer.take(&mut inputs);
            if inputs.is_empty() {
                return listener.finish().1;
            }
            for input in &inputs {
                seq += 1;
                derived.clear();
                listener.collector.input(input);
                core.step(seq, input, &mut derived);
                for (index, derived) in (1..).zip(&derived) {
                    listener.note_output(EventId { seq, index }, &derived.output);
                }
            }
        }
    }

    /// The ground that it is for rules that are asked bar by bar.
    pub fn ground(&self) -> Ground {
        let columns: Vec<BarColumns> =
            self.minutes.iter().map(|all| BarColumns::from_bars(all.iter())).collect();
        Ground::of_minutes(&self.run, &columns, &self.commands)
    }

    /// The place of a key among the run's instruments.
    pub fn place_of(&self, key: &str) -> Option<usize> {
        self.run.instruments.iter().position(|instrument| instrument.key == key)
    }
}

/// Collects a world and what was said in it, record by record.
pub struct Listener {
    world: World,
    collector: Collector,
    signals: Vec<Signal>,
    /// The minute of the last input, until it is clear that it was not refused.
    pending: Option<Bar>,
}

impl Listener {
    /// An empty world of the run that begins so.
    pub fn new(run: &RunStarted) -> Listener {
        Listener {
            world: World {
                run: run.clone(),
                minutes: vec![Vec::new(); run.instruments.len()],
                commands: Vec::new(),
            },
            collector: Collector::new(run),
            signals: Vec::new(),
            pending: None,
        }
    }

    /// Takes the next record of a journal.
    pub fn take(&mut self, record: &Record) {
        match &record.event {
            Event::Input(input) => self.note_input(input),
            Event::Output(output) => self.note_output(record.id, output),
        }
    }

    /// The world, and what was said in it.
    pub fn finish(mut self) -> (World, Told) {
        self.settle();
        self.signals.sort_by_key(|signal| (signal.instrument, signal.bar_time));
        (self.world, Told { book: self.collector.finish(), signals: self.signals })
    }

    fn note_input(&mut self, input: &Input) {
        self.settle();
        self.collector.input(input);
        match input {
            Input::Bar(bar) | Input::Backfill(Backfill { bar, .. }) => self.pending = Some(*bar),
            Input::Command(command) => self.world.commands.push(*command),
            _ => {}
        }
    }

    fn note_output(&mut self, id: EventId, output: &Output) {
        self.collector.output(id, output);
        match output {
            Output::Bar1m(bar) => self.keep(*bar),
            Output::Signal(signal) => self.signals.push((**signal).clone()),
            Output::Rejection(no) if no.reason.is_of_input() => self.pending = None,
            _ => {}
        }
    }

    fn settle(&mut self) {
        if let Some(bar) = self.pending.take() {
            self.keep(bar);
        }
    }

    /// An archive's minute takes the place of what was there.
    fn keep(&mut self, bar: Bar) {
        let minutes = &mut self.world.minutes[bar.instrument.index()];
        match place(minutes, bar.open_time) {
            Ok(place) => minutes[place] = bar,
            Err(place) => minutes.insert(place, bar),
        }
    }
}

impl Sink for Listener {
    fn input(&mut self, _: u64, input: &Input) {
        self.note_input(input);
    }

    fn output(&mut self, id: EventId, derived: &Derived) {
        self.note_output(id, &derived.output);
    }
}

/// Where a minute stands, or would stand.
pub fn place(minutes: &[Bar], time: Timestamp) -> Result<usize, usize> {
    match minutes.last() {
        Some(last) if last.open_time < time => Err(minutes.len()),
        _ => minutes.binary_search_by_key(&time, |bar| bar.open_time),
    }
}
