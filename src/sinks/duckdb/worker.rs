//! The thread behind a live run's tables, and the sink in front of it. The sink waits for nothing:
//! what the queue does not take is left out, and read from the journal later.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::domain::event::{Derived, EventId, Input, Output};
use crate::journal::Reader;
use crate::sinks::tables::Tables;
use crate::sinks::{Say, Sink};

use super::place;
use super::rebuild::catch_up;
use super::store::Store;
use super::{DuckError, Options, file_of, snapshot};

/// Between commits, where rows come in one by one.
const COMMIT_US: i64 = 1_000_000;
/// The same where a signal, an order, a fill or a halt waits: soon, and yet one commit for all that
/// come together.
const NEWS_US: i64 = 100_000;
/// How long the thread waits for a step where no row waits to be committed.
const QUIET: Duration = Duration::from_secs(1);

/// An input and what the core made of it.
struct Step {
    seq: u64,
    input: Input,
    derived: Vec<Derived>,
    /// Whether steps before it were left out.
    is_after_gap: bool,
}

/// What the thread is told.
enum Message {
    Step(Step),
    /// Nothing more comes; and whether steps were left out since the last one.
    Finish {
        is_after_gap: bool,
    },
}

/// The sink of a live run.
pub struct DuckTables {
    sender: SyncSender<Message>,
    thread: JoinHandle<bool>,
    step: Option<Step>,
    is_after_gap: bool,
    is_off: bool,
    /// Events before this input were told by an earlier process.
    told: u64,
}

impl DuckTables {
    /// Starts the thread, which opens the file of the run or makes a new one. What cannot be done
    /// is said, and never holds up or ends the run.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(options: Options, say: Say) -> Result<DuckTables, DuckError> {
        let (sender, receiver) = sync_channel(options.queue);
        let path = file_of(&options.run_dir, &options.run_id);
        let work = move || {
            Worker {
                options,
                say,
                tables: Tables::default(),
                store: None,
                at: At::default(),
                is_behind: false,
                has_news: false,
            }
            .run(&receiver)
        };
        let thread = thread::Builder::new().name("tables".into()).spawn(work);
        let thread = thread.map_err(place::io("starting a thread for", &path))?;
        Ok(DuckTables { sender, thread, step: None, is_after_gap: false, is_off: false, told: 0 })
    }

    /// Waits until everything that was told is in the file and a last snapshot is taken. `false`
    /// where the thread had to give up.
    pub fn finish(mut self) -> bool {
        self.send();
        let finish = Message::Finish { is_after_gap: self.is_after_gap };
        // A thread that has given up has said so.
        let _ = self.sender.send(finish);
        drop(self.sender);
        self.thread.join().unwrap_or(false)
    }

    fn send(&mut self) {
        let Some(mut step) = self.step.take() else { return };
        if step.seq < self.told {
            self.is_after_gap = true;
            return;
        }
        // A trade that leads to nothing changes no row.
        if self.is_off || (step.derived.is_empty() && matches!(step.input, Input::Tick(_))) {
            return;
        }
        step.is_after_gap = self.is_after_gap;
        match self.sender.try_send(Message::Step(step)) {
            Ok(()) => self.is_after_gap = false,
            Err(TrySendError::Full(_)) => self.is_after_gap = true,
            Err(TrySendError::Disconnected(_)) => self.is_off = true,
        }
    }
}

impl Sink for DuckTables {
    fn input(&mut self, seq: u64, input: &Input) {
        self.send();
        let input = input.clone();
        self.step = Some(Step { seq, input, derived: Vec::new(), is_after_gap: false });
    }

    fn output(&mut self, _: EventId, derived: &Derived) {
        if let Some(step) = &mut self.step {
            step.derived.push(derived.clone());
        }
    }

    fn told(&mut self) {
        self.send();
    }

    fn resumed(&mut self, next_seq: u64) {
        self.told = next_seq;
    }
}

/// The thread.
struct Worker {
    options: Options,
    say: Say,
    tables: Tables,
    store: Option<Store>,
    at: At,
    /// Whether steps were left out that the journal did not hold yet when it was read.
    is_behind: bool,
    /// Whether rows wait that somebody wants to see at once.
    has_news: bool,
}

/// What somebody wants to see at once.
const fn is_news(output: &Output) -> bool {
    matches!(output, Output::Signal(_) | Output::Order(_) | Output::Fill(_) | Output::Halt(_))
}

/// When what was done last.
#[derive(Default)]
struct At {
    commit: i64,
    snapshot: i64,
    read: i64,
}

impl Worker {
    /// Whether everything is in the file in the end.
    fn run(mut self, messages: &Receiver<Message>) -> bool {
        self.at.snapshot = (self.options.now_us)();
        match self.work(messages) {
            Ok(()) => true,
            Err(error) => {
                let run = self.options.run_dir.display();
                (self.say)(&format!(
                    "no tables any more: {error}; the run goes on, and `lockstep project {run}` \
                     makes them from the journal"
                ));
                false
            }
        }
    }

    fn work(&mut self, messages: &Receiver<Message>) -> Result<(), DuckError> {
        let mut wait = QUIET;
        loop {
            let mut next = match messages.recv_timeout(wait) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                // The run has ended without a word: as far as it was told, it is in the journal.
                Err(RecvTimeoutError::Disconnected) => return self.finish(false),
            };
            while let Some(message) = next {
                match message {
                    Message::Step(step) => self.step(&step)?,
                    Message::Finish { is_after_gap } => return self.finish(is_after_gap),
                }
                next = messages.try_recv().ok();
            }
            let now = (self.options.now_us)();
            wait = self.left(now);
            if wait.is_zero() {
                self.commit()?;
                (self.at.commit, wait) = (now, QUIET);
                self.snapshot_if_due(now)?;
            }
        }
    }

    /// How long until what waits is to be committed.
    fn left(&self, now: i64) -> Duration {
        if self.tables.waiting() == 0 {
            return QUIET;
        }
        let after_us = if self.has_news { NEWS_US } else { COMMIT_US };
        let left_us = self.at.commit + after_us - now;
        Duration::from_micros(left_us.clamp(0, after_us).unsigned_abs())
    }

    fn step(&mut self, step: &Step) -> Result<(), DuckError> {
        if self.store.is_none() {
            self.begin(step.seq)?;
        }
        self.is_behind |= step.is_after_gap;
        if self.is_behind && !self.catch_up_to(step)? {
            return Ok(());
        }
        if step.seq < self.tables.next_seq() {
            return Ok(());
        }
        self.tables.input(step.seq, &step.input);
        for (index, derived) in (1..).zip(&step.derived) {
            self.tables.output(EventId { seq: step.seq, index }, derived);
        }
        self.tables.settle();
        self.has_news |= step.derived.iter().any(|derived| is_news(&derived.output));
        let Some(store) = &self.store else { return Ok(()) };
        if self.tables.next_seq() <= store.next_seq() {
            self.tables.take();
        } else if self.tables.waiting() >= self.options.batch_rows {
            self.commit()?;
        }
        Ok(())
    }

    /// Reads what was left out, and says whether all before the step is there. A batch of the
    /// journal may still be open, so what is not there yet is looked for a second later.
    fn catch_up_to(&mut self, step: &Step) -> Result<bool, DuckError> {
        let now = (self.options.now_us)();
        let is_due = step.is_after_gap || now - self.at.read >= COMMIT_US;
        if is_due {
            self.catch_up()?;
            self.at.read = now;
            self.is_behind = self.tables.next_seq() < step.seq;
        }
        Ok(!self.is_behind)
    }

    /// Opens the file. A run that begins now cannot have one yet.
    fn begin(&mut self, first_seq: u64) -> Result<(), DuckError> {
        let Options { run_dir, run_id, program, .. } = &self.options;
        let path = file_of(run_dir, run_id);
        if first_seq == 0 && path.exists() {
            let why = format!("{}: is older than the run, which begins now", path.display());
            place::replace(run_dir, &path, &why, &self.say)?;
        }
        self.store = Some(place::open(run_dir, run_id, program.as_deref(), &self.say)?);
        Ok(())
    }

    /// Reads from the journal what was not told. A file that holds more than the journal is of
    /// another history.
    fn catch_up(&mut self) -> Result<(), DuckError> {
        // It may be among what was left out.
        self.has_news = true;
        let Options { run_dir, run_id, batch_rows, .. } = &self.options;
        let Some(store) = &mut self.store else { return Ok(()) };
        self.tables = Tables::default();
        catch_up(&mut self.tables, store, &mut Reader::open(run_dir)?, *batch_rows)?;
        if self.tables.next_seq() < store.next_seq() {
            let path = store.path().to_path_buf();
            let (has, holds) = (self.tables.next_seq(), store.next_seq());
            let why = format!("{}: holds {holds} inputs, the journal {has}", path.display());
            if let Some(store) = self.store.take() {
                store.close()?;
            }
            place::replace(run_dir, &path, &why, &self.say)?;
            let store = self.store.insert(place::create(&path, run_id)?);
            self.tables = Tables::default();
            catch_up(&mut self.tables, store, &mut Reader::open(run_dir)?, *batch_rows)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), DuckError> {
        self.has_news = false;
        let (Some(store), Some(last)) = (&mut self.store, self.tables.last()) else {
            return Ok(());
        };
        if last.seq >= store.next_seq() {
            store.write(&self.tables.take(), last, None)?;
            (self.options.committed)(last);
        }
        Ok(())
    }

    fn snapshot_if_due(&mut self, now: i64) -> Result<(), DuckError> {
        let is_due = |every: i64| now - self.at.snapshot >= every;
        if self.options.snapshot_us.is_some_and(is_due)
            && let Some(store) = &self.store
        {
            snapshot::take(store, &self.options.run_dir)?;
            self.at.snapshot = now;
        }
        Ok(())
    }

    fn finish(&mut self, is_after_gap: bool) -> Result<(), DuckError> {
        if is_after_gap || self.is_behind {
            if self.store.is_none() {
                self.begin(1)?;
            }
            self.catch_up()?;
        }
        self.commit()?;
        let Some(store) = self.store.take() else { return Ok(()) };
        snapshot::take(&store, &self.options.run_dir)?;
        store.close()
    }
}
