//! A live feed as a source: first the stored history that warms the indicators up, then what the
//! network says, judged by [`Feed`], with what people want in between.
//!
//! - [`second`] the feed's own minutes against the core's

pub mod second;

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::take;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::domain::event::{Command, CommandKind, Input, RunStarted};
use crate::domain::fact::{Backfill, BackfillOrigin, Notice, NoticeKind};
use crate::domain::time::{MINUTE_US, Timestamp};
use crate::sources::feed::clock::Pace;
use crate::sources::feed::{Feed, Settings, Told};
use crate::sources::store::{Store, StoreError};
use crate::sources::upstox::raw::RawWriter;
use crate::sources::upstox::socket::{Event, Handle, Heard};

use super::Source;
use super::history::History;
use super::live::Beginning;
use super::plan::DateRange;

/// How long nobody looks whether somebody said stop.
const LOOK_UP_MS: u64 = 100;

/// The network, opened.
pub struct Network {
    /// Whom to talk to.
    pub handle: Handle,
    /// What is heard.
    pub events: Receiver<Event>,
    /// What has to stay open as long as that.
    pub keeper: Option<Box<dyn Send>>,
}

/// Where the wishes of people come from, besides the case: asked often, answers at once.
pub type Wishes<'a> = Box<dyn FnMut() -> Wanted + 'a>;

/// Opens the network; the market goes on from that time. Fails in words.
pub type Connect<'a> = Box<dyn FnOnce(Timestamp) -> Result<Network, String> + 'a>;

/// What people want, and what is to be noted about them.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Commands.
    pub commands: Vec<CommandKind>,
    /// Words for the journal, a line each.
    pub notes: Vec<String>,
}

/// What a source of a feed needs.
pub struct Plan<'a> {
    /// The run.
    pub run: &'a RunStarted,
    /// How the feed is judged.
    pub settings: Settings,
    /// The history that warms up, and its days; none where nothing does.
    pub warmup: Option<(Store, DateRange)>,
    /// Commands at their times, ascending.
    pub commands: Vec<Command>,
    /// The wishes of people.
    pub wishes: Wishes<'a>,
    /// The run's directory, where raw messages are kept.
    pub run_dir: &'a Path,
    /// This machine's time, and its steady clock in microseconds.
    pub wall: fn() -> Timestamp,
    /// See `wall`.
    pub steady_us: fn() -> i64,
    /// Set when somebody says stop.
    pub stop: &'a AtomicBool,
    /// The second opinion.
    pub second: second::Shared,
    /// What others may look at.
    pub pulse: Rc<Pulse>,
    /// Opens the network; the market goes on from that time.
    pub connect: Connect<'a>,
}

/// How the feed is, for whoever looks on.
#[derive(Default)]
pub struct Pulse {
    /// When the message was received that led to the last inputs: ns since 1970 UTC, 0 for none.
    pub received_ns: Cell<i64>,
    /// The exchange's time then.
    pub time: Cell<Timestamp>,
    /// What was counted.
    pub health: Cell<crate::sources::feed::Health>,
    /// Why the feed ended the run, if it did.
    pub stopped: Cell<Option<String>>,
}

/// A feed before it is opened: it is told what the run has heard already.
pub struct Unopened<'a> {
    plan: Plan<'a>,
    feed: Feed,
    /// Inputs of the warm-up that were heard.
    heard: u64,
}

impl<'a> Unopened<'a> {
    /// A feed that knows nothing yet.
    pub fn new(plan: Plan<'a>) -> Unopened<'a> {
        // A stand-in has its own time, which its first message tells.
        let time = match plan.settings.has_own_time {
            false => (plan.wall)(),
            true => plan.run.config.active_from,
        };
        let feed = Feed::new(plan.run, plan.settings, time, (plan.steady_us)());
        Unopened { plan, feed, heard: 0 }
    }
}

impl<'a> Beginning for Unopened<'a> {
    type Source = FeedSource<'a>;

    fn recall(&mut self, input: &Input) {
        let warm_until = self.plan.run.config.active_from;
        let is_warmup = match input {
            Input::Backfill(Backfill { origin, .. }) => *origin == BackfillOrigin::Store,
            Input::Watermark(time) => *time <= warm_until,
            _ => false,
        };
        self.heard += u64::from(is_warmup);
        if let Input::Command(command) = input {
            self.plan.commands.retain(|it| it != command);
        }
        self.feed.recall(input);
    }

    fn begin(self, next_seq: u64) -> Result<FeedSource<'a>, super::live::LiveError> {
        let Unopened { plan, feed, heard } = self;
        let raw = RawWriter::create(plan.run_dir)
            .map_err(|error| super::live::LiveError::Raw(error.to_string()))?;
        let warmup = match &plan.warmup {
            Some((store, range)) => {
                let mut run = plan.run.clone();
                run.sessions.retain(|session| session.date <= range.last);
                Some(History::new(&run, &[], store, *range, None))
            }
            None => None,
        };
        let watermark = feed.watermark();
        let _ = next_seq;
        Ok(FeedSource {
            commands: plan.commands.into(),
            wishes: plan.wishes,
            connect: Some(plan.connect),
            network: None,
            warmup,
            heard,
            feed,
            raw,
            told: Told::default(),
            postponed: VecDeque::new(),
            is_paced: plan.settings.pace != Pace::ByFrames,
            ahead: None,
            watermark,
            received_ns: 0,
            steady_us: plan.steady_us,
            stop: plan.stop,
            second: plan.second,
            pulse: plan.pulse,
            is_interrupted: false,
        })
    }
}

/// A live feed.
pub struct FeedSource<'a> {
    connect: Option<Connect<'a>>,
    network: Option<Network>,
    warmup: Option<History>,
    /// Inputs of the warm-up that an earlier process was told.
    heard: u64,
    feed: Feed,
    raw: RawWriter,
    told: Told,
    /// What came while the archive was asked, in a market that waits.
    postponed: VecDeque<Event>,
    is_paced: bool,
    /// The event that is at hand and was not judged.
    ahead: Option<Event>,
    commands: VecDeque<Command>,
    wishes: Wishes<'a>,
    watermark: Timestamp,
    received_ns: i64,
    steady_us: fn() -> i64,
    stop: &'a AtomicBool,
    second: second::Shared,
    pulse: Rc<Pulse>,
    is_interrupted: bool,
}

/// Why a feed broke off.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The stored history cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network cannot be opened.
    #[error("{0}")]
    Connect(String),
    /// The thread of the network is gone.
    #[error("the network thread ended by itself")]
    Gone,
    /// Raw messages cannot be kept.
    #[error("keep what the feed says: {0}")]
    Raw(#[from] std::io::Error),
}

impl FeedSource<'_> {
    /// More of the stored history, as minutes of an archive.
    fn warm_up(&mut self, inputs: &mut Vec<Input>) -> Result<bool, ListenError> {
        let Some(warmup) = &mut self.warmup else { return Ok(false) };
        loop {
            warmup.next(inputs)?;
            if inputs.is_empty() {
                self.warmup = None;
                return Ok(false);
            }
            let heard = self.heard.min(inputs.len() as u64);
            self.heard -= heard;
            inputs.drain(..heard as usize);
            if !inputs.is_empty() {
                break;
            }
        }
        for input in inputs.iter_mut() {
            if let Input::Bar(bar) = input {
                let (bar, origin) = (*bar, BackfillOrigin::Store);
                *input = Input::Backfill(Backfill { bar, origin });
            }
        }
        self.received_ns = 0;
        Ok(true)
    }

    fn open(&mut self) -> Result<(), ListenError> {
        if let Some(connect) = self.connect.take() {
            self.network = Some(connect(self.watermark).map_err(ListenError::Connect)?);
        }
        Ok(())
    }

    /// One event, or the time that passes without one.
    fn listen(&mut self) -> Result<(), ListenError> {
        let now_us = (self.steady_us)();
        match self.next_event(now_us)? {
            Some(event) => {
                if let Heard::Frame(bytes) = &event.heard {
                    self.raw.add(event.received_ns, bytes)?;
                }
                self.received_ns = event.received_ns;
                self.feed.hear(&event.heard, (self.steady_us)(), &mut self.told);
            }
            None => {
                self.raw.flush()?;
                self.feed.pass((self.steady_us)(), &mut self.told);
            }
        }
        for (instrument, minute) in self.told.minutes.drain(..) {
            self.second.borrow_mut().theirs(instrument, &minute);
        }
        if let Some(network) = &self.network {
            self.told.says.drain(..).for_each(|say| network.handle.say(say));
        }
        if let Some(why) = self.told.stop.take() {
            self.pulse.stopped.set(Some(why));
        }
        Ok(())
    }

    fn next_event(&mut self, now_us: i64) -> Result<Option<Event>, ListenError> {
        // A market that is played as fast as it is read stands still while the archive is asked.
        let waits = !self.is_paced && self.feed.is_asking();
        if !waits && let Some(event) = self.postponed.pop_front().or_else(|| self.ahead.take()) {
            return Ok(Some(event));
        }
        let Some(network) = &self.network else { return Ok(None) };
        let wait_ms = (self.feed.wait_us(now_us) / 1_000).clamp(1, LOOK_UP_MS as i64);
        let wait = Duration::from_millis(wait_ms.unsigned_abs());
        loop {
            match self.ahead.take().map_or_else(|| network.events.recv_timeout(wait), Ok) {
                // In order, but for the answer that everything waits for.
                Ok(event) if waits && !matches!(event.heard, Heard::Candles(_)) => {
                    self.postponed.push_back(event);
                }
                Ok(event) => return Ok(Some(event)),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(ListenError::Gone),
            }
        }
    }

    /// Whether something more is at hand, so that a batch need not close yet.
    fn look_ahead(&mut self) {
        if let (None, Some(network)) = (&self.ahead, &self.network) {
            self.ahead = network.events.try_recv().ok();
        }
    }

    /// What people want by now, as of the exchange's time.
    fn wishes(&mut self) {
        let Wanted { commands, notes } = (self.wishes)();
        let time = self.feed.now((self.steady_us)()).max(self.watermark);
        let command = |kind| Input::Command(Command { time, kind });
        self.told.inputs.extend(commands.into_iter().map(command));
        let note = |detail| {
            let (kind, instrument) = (NoticeKind::Control, None);
            Input::Notice(Box::new(Notice { time, kind, instrument, detail }))
        };
        self.told.inputs.extend(notes.into_iter().map(note));
    }

    /// Hands over what was told, each command in its place: after all that closes at its time or
    /// before, and before what closes later.
    fn hand_over(&mut self, inputs: &mut Vec<Input>) {
        for input in take(&mut self.told.inputs) {
            if let Input::Watermark(time) = input {
                while let Some(command) = self.commands.pop_front_if(|it| it.time < time) {
                    let minute = command.time.floor_to(MINUTE_US);
                    if minute > self.watermark {
                        self.watermark = minute;
                        inputs.push(Input::Watermark(minute));
                    }
                    inputs.push(Input::Command(command));
                }
                self.watermark = time;
            }
            inputs.push(input);
        }
        let time = self.feed.now((self.steady_us)()).max(self.watermark);
        self.second.borrow_mut().compare(time, inputs);
        self.pulse.received_ns.set(self.received_ns);
        self.pulse.time.set(time);
        self.pulse.health.set(self.feed.health());
    }
}

impl Source for FeedSource<'_> {
    type Error = ListenError;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), ListenError> {
        inputs.clear();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                self.is_interrupted = true;
                return Ok(());
            }
            if self.warm_up(inputs)? {
                if let Some(Input::Watermark(time)) =
                    inputs.iter().rfind(|input| matches!(input, Input::Watermark(_)))
                {
                    self.watermark = *time;
                }
                return Ok(());
            }
            if let Some(why) = self.pulse.stopped.take() {
                self.pulse.stopped.set(Some(why));
                self.is_interrupted = true;
                return Ok(());
            }
            if self.feed.is_over() {
                return Ok(());
            }
            self.open()?;
            self.wishes();
            if self.told.inputs.is_empty() {
                self.listen()?;
            }
            self.hand_over(inputs);
            if !inputs.is_empty() {
                self.look_ahead();
                return Ok(());
            }
        }
    }

    fn watermark(&self) -> Timestamp {
        self.watermark
    }

    fn is_quiet(&self) -> bool {
        // A market that waits for its reader makes nobody wait.
        self.is_paced && self.warmup.is_none() && self.ahead.is_none()
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    fn received_ns(&self) -> i64 {
        self.received_ns
    }
}
