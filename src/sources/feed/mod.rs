//! What a live feed means. This is the whole judgement of a live source without any I/O: events of
//! the network and passing time go in, inputs of the run and words to the network come out. So ten
//! thousand bad days can be tried in a minute, without a socket or a sleep.
//!
//! - [`hours`] when there is anything to hear
//! - [`clock`] the exchange's clock, and which messages may move it
//! - [`link`] the connection: tries, pauses, watchdogs
//! - [`lane`] one instrument's trades: which are new, which were missed
//! - [`archive`] minutes to be looked up
//! - `trades`, `minutes`, `lookup` what is made of quotes, of time, and of the archive's answers
//!
//! A minute is closed (by a watermark) once the exchange's clock has passed its end by the allowed
//! lateness. What may have been missed by then is said before, as a gap, and looked up.

pub mod archive;
pub mod clock;
pub mod hours;
pub mod lane;
pub mod link;
mod lookup;
mod minutes;
mod trades;

use std::collections::BTreeMap;

use crate::domain::event::{Input, RunStarted};
use crate::domain::fact::{Backfill, BackfillOrigin, Notice, NoticeKind};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::{SECOND_US, Timestamp};

use super::upstox::fetch::{CandleRequest, CandleSpan};
use super::upstox::frame::{self, Frame, FrameKind};
use super::upstox::message::{self, Mode};
use super::upstox::socket::{Down, Heard, Say};
use super::upstox::value::Minute;

use archive::Archive;
use clock::{Belief, MarketClock, Pace};
use hours::Hours;
use lane::Lane;
use link::{Due, Link};
use trades::Message;

/// How a feed is judged.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How market time goes on while nothing is heard.
    pub pace: Pace,
    /// How much later than its time a trade may be heard, in milliseconds, without being late.
    pub lateness_ms: u32,
    /// Silence of every key during trading, in milliseconds, after which the feed counts as gone.
    pub silence_ms: u32,
    /// Whether the exchange has a time of its own, of which this machine's clock knows nothing: a
    /// stand-in exchange.
    pub has_own_time: bool,
    /// Whether the feed tells each trade, so that one that was left out is a gap. The broker's feed
    /// leaves out many; a stand-in exchange tells each.
    pub tells_each_trade: bool,
    /// How long after a minute the archive is asked for it, in milliseconds.
    pub archive_delay_ms: u32,
    /// What the pauses between tries are drawn from.
    pub seed: u64,
}

/// How long the archive is left alone after an answer that did not help.
const ARCHIVE_AGAIN_US: i64 = 30 * SECOND_US;

/// How often somebody asks who was never let in and is told that he may not.
const FORBIDDEN_MAX: u32 = 3;

/// What is to be done about what was heard.
#[derive(Debug, Default)]
pub struct Told {
    /// What the run hears, in order.
    pub inputs: Vec<Input>,
    /// What is said to the network.
    pub says: Vec<Say>,
    /// The feed's own minutes, as a second opinion.
    pub minutes: Vec<(InstrumentId, Minute)>,
    /// Why the run cannot go on with this feed.
    pub stop: Option<String>,
}

/// What was counted since the feed began, for people who look after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Messages that were read.
    pub frames: u64,
    /// Ticks that were handed on.
    pub ticks: u64,
    /// Ticks that were heard before.
    pub repeated: u64,
    /// Trades of other days, as a snapshot tells them.
    pub stale: u64,
    /// Ticks of minutes that were closed.
    pub late: u64,
    /// Messages and quotes that could not be read.
    pub refused: u64,
    /// Messages whose time was not believed.
    pub odd_times: u64,
    /// Times whose trades may be missing.
    pub gaps: u64,
    /// Minutes that an archive had.
    pub backfilled: u64,
    /// Connections.
    pub connections: u64,
}

/// A live feed, judged.
#[derive(Clone, Debug)]
pub struct Feed {
    settings: Settings,
    keys: Vec<String>,
    places: BTreeMap<String, usize>,
    hours: Hours,
    clock: MarketClock,
    link: Link,
    lanes: Vec<Lane>,
    archive: Archive,
    watermark: Timestamp,
    /// When something was last heard of a key, by the exchange's clock.
    data_time: Timestamp,
    /// Whether the feed was told to be silent, so that time goes on without it.
    is_silent: bool,
    phases: BTreeMap<String, String>,
    health: Health,
    /// The same when the last session ended.
    health_before: Health,
    guids: u64,
    /// How often the broker said that this account may not listen.
    forbidden: u32,
}

impl Feed {
    /// A feed for the instruments of `run`, before the first connection. `time` is the exchange's
    /// time as far as this machine knows, `at_us` its steady clock then.
    pub fn new(run: &RunStarted, settings: Settings, time: Timestamp, at_us: i64) -> Feed {
        let keys: Vec<String> = run.instruments.iter().map(|it| it.key.clone()).collect();
        let hours = Hours::new(run);
        let since = hours.session_open(time).unwrap_or(time);
        Feed {
            places: keys.iter().cloned().zip(0..).collect(),
            lanes: keys.iter().map(|_| Lane::new(since)).collect(),
            keys,
            clock: MarketClock::new(settings.pace, settings.has_own_time, time, at_us),
            link: Link::new(settings.seed),
            archive: Archive::new(i64::from(settings.archive_delay_ms) * 1_000, ARCHIVE_AGAIN_US),
            // Nothing closes before the open; what is said until then has its own time.
            watermark: hours.mark(time).filter(|mark| *mark <= since).unwrap_or(time.min(since)),
            data_time: time,
            is_silent: false,
            phases: BTreeMap::new(),
            health: Health::default(),
            health_before: Health::default(),
            guids: 0,
            forbidden: 0,
            hours,
            settings,
        }
    }

    /// Takes note of an input that an earlier process was told.
    pub fn recall(&mut self, input: &Input) {
        match input {
            Input::Tick(tick) => {
                let lane = &mut self.lanes[tick.instrument.index()];
                lane.take(tick, self.settings.tells_each_trade);
                lane.mend();
            }
            Input::Watermark(time) => {
                self.watermark = self.watermark.max(*time);
                self.clock.recall(*time);
                for lane in &mut self.lanes {
                    lane.whole_until = lane.whole_until.max(*time);
                }
                if self.hours.session_end(*time).is_none_or(|end| end == *time) {
                    self.archive.forget(time.date());
                }
            }
            Input::Gap(gap) => self.want(gap),
            Input::Backfill(Backfill { bar, origin }) if *origin != BackfillOrigin::Store => {
                self.archive.got(bar.instrument.index(), bar.open_time);
            }
            _ => {}
        }
    }

    /// Something was heard at `now_us` of the steady clock.
    pub fn hear(&mut self, heard: &Heard, now_us: i64, told: &mut Told) {
        match heard {
            Heard::Up => self.up(now_us, told),
            Heard::Alive => self.link.live(now_us),
            Heard::Text(text) => {
                self.link.live(now_us);
                let words = message::complaint(text).map_or("a text message".into(), |it| it.error);
                self.refuse(None, &format!("the feed says: {words}"), now_us, told);
            }
            Heard::Frame(bytes) => {
                self.link.live(now_us);
                match frame::decode(bytes) {
                    Ok(frame) => self.frame(&frame, now_us, told),
                    Err(error) => self.refuse(None, &error.to_string(), now_us, told),
                }
            }
            Heard::Down(down) => self.down(down, now_us, told),
            Heard::Candles(reply) => self.candles(reply, now_us, told),
        }
        self.pass(now_us, told);
    }

    /// Time has come to `now_us` of the steady clock.
    pub fn pass(&mut self, now_us: i64, told: &mut Told) {
        match self.link.due(now_us) {
            Some(Due::Connect) => told.says.push(Say::Connect),
            Some(Due::GiveUp(why)) => {
                told.says.push(Say::Disconnect);
                self.lost(why, now_us, told);
            }
            Some(Due::AskAgain) => self.ask_again(now_us, told),
            None => {}
        }
        self.watch_silence(now_us, told);
        let now = self.clock.now(now_us);
        for (lane, id) in self.archive.due(now) {
            let key = self.keys[lane].clone();
            told.says.push(Say::Fetch(CandleRequest { id, key, what: CandleSpan::Intraday }));
        }
        self.advance(now_us, told);
    }

    /// When to come back although nothing was heard, in microseconds from `now_us`.
    pub fn wait_us(&self, now_us: i64) -> i64 {
        let link = self.link.next_us().saturating_sub(now_us);
        match self.settings.pace {
            Pace::ByFrames => link.clamp(0, SECOND_US),
            Pace::Times(_) => link.clamp(0, SECOND_US / 4),
        }
    }

    /// The exchange's time at `now_us` of the steady clock.
    pub fn now(&self, now_us: i64) -> Timestamp {
        self.clock.now(now_us)
    }

    /// The last watermark.
    pub const fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Whether the last session is over and the run with it.
    pub fn is_over(&self) -> bool {
        self.hours.end().is_none_or(|end| end <= self.watermark)
    }

    /// Whether an answer of the archive is on its way: a market that stands still waits for it.
    pub fn is_asking(&self) -> bool {
        self.archive.is_asked()
    }

    /// What was counted.
    pub const fn health(&self) -> Health {
        self.health
    }

    fn silence_us(&self) -> i64 {
        i64::from(self.settings.silence_ms) * 1_000
    }

    fn up(&mut self, now_us: i64, told: &mut Told) {
        self.health.connections += 1;
        self.link.open(self.keys.len(), now_us);
        self.data_time = self.clock.now(now_us);
        self.is_silent = false;
        let keys: Vec<String> = self.keys.clone();
        self.subscribe(&keys, told);
    }

    fn subscribe(&mut self, keys: &[String], told: &mut Told) {
        let (seed, guids) = (self.settings.seed, &mut self.guids);
        let guid = || {
            *guids += 1;
            format!("{:020x}", seed.wrapping_add(*guids))
        };
        told.says.extend(message::subscribe(Mode::Full, keys, guid).into_iter().map(Say::Send));
    }

    fn ask_again(&mut self, now_us: i64, told: &mut Told) {
        let missing: Vec<String> =
            self.link.missing.iter().map(|place| self.keys[*place].clone()).collect();
        let detail = format!("nothing of {} of {} keys yet", missing.len(), self.keys.len());
        self.notice(NoticeKind::FeedSilent, None, &detail, now_us, told);
        self.subscribe(&missing, told);
    }

    fn down(&mut self, down: &Down, now_us: i64, told: &mut Told) {
        match down {
            Down::NoToken(_) | Down::Unauthorized(_) => {
                self.stop(down.to_string(), now_us, told);
            }
            Down::Refused { status: 403, .. } => self.forbidden(down, now_us, told),
            // That was us, and was said then.
            Down::Told => {}
            Down::Closed { code: Some(1000), .. } if self.settings.pace == Pace::ByFrames => {
                self.played_out(now_us);
            }
            _ => self.lost(&down.to_string(), now_us, told),
        }
    }

    /// The broker says that this account may not listen. Who has been in goes on trying.
    fn forbidden(&mut self, down: &Down, now_us: i64, told: &mut Told) {
        self.forbidden += 1;
        if self.health.connections > 0 || self.forbidden < FORBIDDEN_MAX {
            return self.lost(&down.to_string(), now_us, told);
        }
        let why = format!(
            "{down}, {FORBIDDEN_MAX} times in a row: the account may not listen to market data, \
             or too many others listen with it"
        );
        self.stop(why, now_us, told);
    }

    /// The run cannot go on with this feed.
    fn stop(&mut self, why: String, now_us: i64, told: &mut Told) {
        self.notice(NoticeKind::FeedDown, None, &why, now_us, told);
        told.stop = Some(why);
        self.link.close(now_us);
        self.fall_behind();
    }

    /// A market that is played has nothing more to say: its last day is over, even if the message
    /// that says so was lost.
    fn played_out(&mut self, now_us: i64) {
        self.link.close(now_us);
        self.fall_behind();
        if let Some(end) = self.hours.end() {
            let after_us = i64::from(self.settings.lateness_ms) * 1_000 + SECOND_US;
            self.clock.finish(end.plus_us(after_us), now_us);
        }
    }

    fn lost(&mut self, why: &str, now_us: i64, told: &mut Told) {
        let pause = self.link.close(now_us) as f64 / SECOND_US as f64;
        let detail = format!("{why}; next try in {pause:.1} s");
        self.notice(NoticeKind::FeedDown, None, &detail, now_us, told);
        self.fall_behind();
    }

    fn fall_behind(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.is_behind = true);
    }

    fn frame(&mut self, frame: &Frame, now_us: i64, told: &mut Told) {
        self.health.frames += 1;
        for refused in &frame.refused {
            let instrument = self.places.get(&refused.key).map(|place| id(*place));
            self.refuse(instrument, &refused.why, now_us, told);
        }
        let before = self.clock.now(now_us);
        let newest = frame.quotes.iter().filter_map(|quote| quote.trade).map(|it| it.time).max();
        let newest = newest.filter(|_| frame.kind != FrameKind::Snapshot);
        if let Some(sent) = frame.sent {
            self.time(sent, newest, now_us, told);
        }
        self.phases(frame, now_us, told);
        let now = self.clock.now(now_us);
        let is_ours = frame.quotes.iter().any(|quote| self.places.contains_key(&quote.key));
        if is_ours {
            // A feed that tells each trade shows by itself what is missing.
            let is_pause =
                now.0 - self.data_time.0 > self.silence_us() && !self.settings.tells_each_trade;
            if (is_pause || self.is_silent) && self.hours.is_any_open(before) {
                self.fall_behind();
            }
            (self.data_time, self.is_silent) = (now, false);
        }
        // A message that was on its way for long says nothing of the time meanwhile.
        let said = frame.sent.or(newest).map_or(Timestamp::MIN, |time| time.min(now));
        let message = Message { kind: frame.kind, said, now };
        for quote in &frame.quotes {
            if let Some(place) = self.places.get(&quote.key).filter(|_| quote.trade.is_some()) {
                let lane = &mut self.lanes[*place];
                lane.said_until = lane.said_until.max(said);
            }
            self.quote(quote, message, now_us, told);
        }
        // What was traded between its leaving and its coming may be lost with the line.
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_behind) {
            lane.whole_until = lane.whole_until.max(said);
        }
    }

    fn time(&mut self, sent: Timestamp, newest: Option<Timestamp>, now_us: i64, told: &mut Told) {
        let seconds = |us: i64| us as f64 / SECOND_US as f64;
        let detail = match self.clock.hear(sent, newest, now_us, &self.hours) {
            Belief::Taken => return,
            Belief::Jumped { us, count } => {
                self.not_after(self.clock.now(now_us));
                let seconds = seconds(us);
                format!("the exchange's clock jumped by {seconds:.3} s, as {count} messages agree")
            }
            Belief::Doubted { us, is_news } => {
                self.health.odd_times += 1;
                if !is_news {
                    return;
                }
                format!("a message is off by {:.3} s and does not move the clock", seconds(us))
            }
        };
        self.notice(NoticeKind::ClockJump, None, &detail, now_us, told);
    }

    /// The clock may have been ahead: nothing was heard later than `now`.
    fn not_after(&mut self, now: Timestamp) {
        self.data_time = self.data_time.min(now);
        for lane in &mut self.lanes {
            lane.whole_until = lane.whole_until.min(now);
            lane.said_until = lane.said_until.min(now);
        }
    }

    fn phases(&mut self, frame: &Frame, now_us: i64, told: &mut Told) {
        for phase in &frame.phases {
            let name = format!("{} {:?}", phase.segment, phase.of);
            if self.phases.get(&name) != Some(&phase.status) {
                let detail = format!("{} {}", phase.segment, phase.status);
                self.phases.insert(name, phase.status.clone());
                if self.keys.iter().any(|key| key.starts_with(&format!("{}|", phase.segment))) {
                    self.notice(NoticeKind::Phase, None, &detail, now_us, told);
                }
            }
        }
    }

    /// During trading somebody always says something, if the feed is there at all.
    fn watch_silence(&mut self, now_us: i64, told: &mut Told) {
        let now = self.clock.now(now_us);
        let is_silent = self.link.is_up()
            && !self.is_silent
            && now.0 - self.data_time.0 >= self.silence_us()
            && self.hours.is_any_open(now)
            && self.hours.is_any_open(self.data_time);
        if is_silent && self.settings.pace != Pace::ByFrames {
            self.is_silent = true;
            let seconds = (now.0 - self.data_time.0) / SECOND_US;
            let detail = format!("nothing of any key for {seconds} s");
            self.notice(NoticeKind::FeedSilent, None, &detail, now_us, told);
            told.says.push(Say::Disconnect);
            self.lost("it was silent during trading", now_us, told);
        }
    }

    fn refuse(
        &mut self,
        instrument: Option<InstrumentId>,
        why: &str,
        now_us: i64,
        told: &mut Told,
    ) {
        self.health.refused += 1;
        self.notice(NoticeKind::Refused, instrument, why, now_us, told);
    }

    fn notice(
        &self,
        kind: NoticeKind,
        instrument: Option<InstrumentId>,
        detail: &str,
        now_us: i64,
        told: &mut Told,
    ) {
        let time = self.clock.now(now_us).max(self.watermark);
        let words: Vec<&str> = detail.split_whitespace().collect();
        let detail = words.join(" ").replace(char::is_control, " ");
        let notice = Notice { time, kind, instrument, detail: detail.trim().to_owned() };
        told.inputs.push(Input::Notice(Box::new(notice)));
    }
}

fn id(place: usize) -> InstrumentId {
    InstrumentId(u16::try_from(place).expect("a run has at most 65535 instruments"))
}
