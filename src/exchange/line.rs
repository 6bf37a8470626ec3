//! A line between the exchange and somebody who listens, with its faults: frames become happenings.
//! [`Faulty`] is one connection; [`Line`] is all of them, one after the other, as they are for
//! somebody who always comes back at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::domain::time::{MINUTE_US, SECOND_US, Timestamp};
use crate::sources::upstox::proto::{FeedResponse, Type};

use super::faults::{Faults, Kind};
use super::frames::{Frames, Sent, Wanted};
use super::market::Market;
use super::ticker::Mode;

/// How long the frames go on saying another time.
const SKEW_LASTS_US: i64 = MINUTE_US;
/// How long somebody waits who was refused.
const TRY_AGAIN_US: i64 = SECOND_US;
/// With what a line is cut: most often without a word. 1000 would say that all is well.
const CLOSE_CODES: [Option<u16>; 4] = [None, Some(1001), Some(1011), Some(1012)];

/// What happens on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Market time at which it happens.
    pub at: Timestamp,
    /// The earliest trade that it tells; `at` where it tells none.
    pub first: Timestamp,
    /// What.
    pub what: What,
}

/// What can happen on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An authorization was granted and the line stands.
    Connected,
    /// An authorization was refused with that HTTP status: 401 or 429.
    Refused(u16),
    /// A binary message; not always one that means anything.
    Frame(Bytes),
    /// Nothing will come until then, although the line stands.
    Stall {
        /// Market time at which it is over.
        until: Timestamp,
    },
    /// The line is cut.
    Disconnect {
        /// The close code, or not a word.
        code: Option<u16>,
        /// Market time from which on whoever comes back hears the market.
        resume: Timestamp,
    },
}

/// One connection: what becomes of the frames on their way.
#[derive(Debug)]
pub struct Faulty<I> {
    frames: I,
    /// The next frame, which has not met its faults yet.
    ahead: Option<Sent>,
    /// What is on its way, by arrival.
    on_way: BTreeMap<(Timestamp, u64), Happening>,
    started: u64,
    dice: Dice,
    stalled_until: Timestamp,
    /// By how much the frames are wrong, and until when.
    skew: (Timestamp, i64),
    is_cut: bool,
}

impl<I: Iterator<Item = Sent>> Faulty<I> {
    /// Connection number `connection` over which `frames` go, with chances drawn from `seed`.
    pub fn new(frames: I, faults: Faults, seed: u64, connection: u64) -> Faulty<I> {
        Faulty {
            frames,
            ahead: None,
            on_way: BTreeMap::new(),
            started: 0,
            dice: Dice::new(faults, seed, connection),
            stalled_until: Timestamp::MIN,
            skew: (Timestamp::MIN, 0),
            is_cut: false,
        }
    }

    /// The frames behind the line, to be changed. What was drawn from them and is not on its way
    /// yet is given back to be made again.
    pub fn frames(&mut self) -> (&mut I, Option<Sent>) {
        (&mut self.frames, self.ahead.take())
    }

    /// A frame sets out and meets its faults.
    fn start(&mut self, mut sent: Sent) {
        if self.dice.strikes(Kind::Disconnect) {
            return self.cut(&sent);
        }
        if self.is_mute(&sent) || self.dice.strikes(Kind::Drop) {
            return;
        }
        self.bend(&mut sent);
        if self.dice.strikes(Kind::Garbage) {
            let bytes = self.dice.garbage();
            self.arrive(sent.at, Happening { at: sent.at, first: sent.at, what: bytes });
        }
        if self.dice.strikes(Kind::Half) {
            let length = self.dice.below(Kind::Half, sent.bytes.len() as u64) as usize;
            sent.bytes.truncate(length);
        }
        for _ in 0..1 + u32::from(self.dice.strikes(Kind::Dup)) {
            let late = self.dice.lateness(Kind::Reorder) + self.dice.lateness(Kind::Delay);
            let (at, what) = (sent.at.plus_us(late), What::Frame(sent.bytes.clone()));
            self.arrive(at, Happening { at, first: sent.first, what });
        }
    }

    fn arrive(&mut self, at: Timestamp, happening: Happening) {
        self.on_way.insert((at, self.started), happening);
        self.started += 1;
    }

    /// What is on its way comes at once if nothing is to be lost, and is lost otherwise.
    fn cut(&mut self, next: &Sent) {
        let at = next.at;
        let on_way = self.on_way.split_off(&(at, u64::MAX));
        let away = self.dice.faults.of(Kind::Disconnect).span_us;
        for (_, happening) in on_way.into_iter().filter(|_| away == 0) {
            self.arrive(at, Happening { at, ..happening });
        }
        let resume = if away == 0 { next.first } else { at.plus_us(away) };
        let code = CLOSE_CODES[self.dice.below(Kind::Disconnect, 4) as usize];
        self.is_cut = true;
        self.arrive(at, Happening { at, first: at, what: What::Disconnect { code, resume } });
    }

    /// Whether the line is mute when the frame would come, or becomes so.
    fn is_mute(&mut self, sent: &Sent) -> bool {
        if sent.at < self.stalled_until {
            return true;
        }
        let begins = self.dice.strikes(Kind::Stall);
        if begins {
            let until = sent.at.plus_us(self.dice.faults.of(Kind::Stall).span_us);
            self.stalled_until = until;
            let (at, what) = (sent.at, What::Stall { until });
            self.arrive(at, Happening { at, first: at, what });
        }
        begins
    }

    /// Takes keys out of a snapshot, and makes a frame say another time.
    fn bend(&mut self, sent: &mut Sent) {
        if self.dice.strikes(Kind::Skew) {
            let span = self.dice.faults.of(Kind::Skew).span_us;
            let shift = self.dice.below(Kind::Skew, 2 * span.unsigned_abs() + 1) as i64 - span;
            self.skew = (sent.at.plus_us(SKEW_LASTS_US), shift);
        }
        let is_skewed = sent.at < self.skew.0;
        if !is_skewed && self.dice.faults.of(Kind::Missing).chance <= 0.0 {
            return;
        }
        // A recorded frame need not be whole; then it stays as it is.
        let Ok(mut response) = FeedResponse::decode(sent.bytes.clone()) else { return };
        if is_skewed {
            response.current_ts += self.skew.1 / 1_000;
        }
        if response.r#type() == Type::InitialFeed {
            response.feeds.retain(|_, _| !self.dice.strikes(Kind::Missing));
        }
        sent.bytes = response.encode_to_vec().into();
    }
}

impl<I: Iterator<Item = Sent>> Faulty<I> {
    /// When something may happen next; nothing happens before. `None` when all is over.
    pub fn next_at(&mut self) -> Option<Timestamp> {
        let ahead = self.ahead().map(|sent| sent.at);
        let arriving = self.on_way.keys().next().map(|(at, _)| *at);
        ahead.into_iter().chain(arriving).min()
    }

    /// The earliest trade that was not told yet; `None` when all were.
    pub fn untold(&mut self) -> Option<Timestamp> {
        let ahead = self.ahead().map(|sent| sent.first);
        let on_way = self.on_way.values().map(|happening| happening.first);
        ahead.into_iter().chain(on_way).min()
    }

    /// What happens next, if that is not after `now`.
    pub fn next_until(&mut self, now: Timestamp) -> Option<Happening> {
        loop {
            let ahead = self.ahead().map(|sent| sent.at);
            let arriving = self.on_way.keys().next().map(|(at, _)| *at);
            if let Some(arriving) = arriving.filter(|at| ahead.is_none_or(|ahead| *at <= ahead)) {
                let due = (arriving <= now).then(|| self.on_way.pop_first()).flatten();
                return due.map(|(_, happening)| happening);
            }
            let sent = self.ahead.take_if(|sent| sent.at <= now)?;
            self.start(sent);
        }
    }

    fn ahead(&mut self) -> Option<&Sent> {
        if self.ahead.is_none() && !self.is_cut {
            self.ahead = self.frames.next();
        }
        self.ahead.as_ref()
    }
}

impl<I: Iterator<Item = Sent>> Iterator for Faulty<I> {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        self.next_until(Timestamp::MAX)
    }
}

/// Everything that happens to somebody who follows the same instruments all the time, and who, when
/// the line is cut or an authorization refused, tries again until it stands.
#[derive(Debug)]
pub struct Line {
    market: Arc<Market>,
    wanted: Wanted,
    faults: Faults,
    seed: u64,
    connections: u64,
    gate: Dice,
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be connected at that time.
    Down(Timestamp),
    Up(Box<Faulty<Frames>>),
}

impl Line {
    /// A line for these keys from market time `from` to the market's end.
    pub fn new<'a>(
        market: &Arc<Market>,
        keys: impl IntoIterator<Item = &'a str>,
        mode: Mode,
        from: Timestamp,
        (faults, seed): (Faults, u64),
    ) -> Line {
        let places = keys.into_iter().filter_map(|key| market.place_of(key));
        Line {
            market: Arc::clone(market),
            wanted: places.map(|place| (place, mode)).collect(),
            faults,
            seed,
            connections: 0,
            gate: Dice::gate(faults, seed),
            state: State::Down(from),
        }
    }

    /// Somebody knocks: the line stands from then on, or is refused.
    fn knock(&mut self, at: Timestamp) -> Happening {
        if let Some(status) = self.gate.refusal() {
            self.state = State::Down(at.plus_us(TRY_AGAIN_US));
            return Happening { at, first: at, what: What::Refused(status) };
        }
        let frames = Frames::of(&self.market, &self.wanted, at);
        let faulty = Faulty::new(frames, self.faults, self.seed, self.connections);
        self.connections += 1;
        self.state = State::Up(Box::new(faulty));
        Happening { at, first: at, what: What::Connected }
    }
}

impl Iterator for Line {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        match &mut self.state {
            State::Down(at) => {
                let at = *at;
                Some(self.knock(at))
            }
            State::Up(faulty) => {
                let happening = faulty.next()?;
                if let What::Disconnect { resume, .. } = happening.what {
                    self.state = State::Down(resume);
                }
                Some(happening)
            }
        }
    }
}

/// Chances, with a stream of random numbers for each kind.
#[derive(Debug)]
pub(super) struct Dice {
    pub(super) faults: Faults,
    seed: u64,
    /// What the streams belong to.
    name: String,
    streams: BTreeMap<Kind, ChaCha8Rng>,
}

impl Dice {
    fn new(faults: Faults, seed: u64, connection: u64) -> Dice {
        let name = format!("connection {connection}");
        Dice { faults, seed, name, streams: BTreeMap::new() }
    }

    /// Chances of those who knock.
    pub(super) fn gate(faults: Faults, seed: u64) -> Dice {
        Dice { faults, seed, name: "gate".to_owned(), streams: BTreeMap::new() }
    }

    /// The HTTP status with which whoever knocks is refused, if so.
    pub(super) fn refusal(&mut self) -> Option<u16> {
        let (unauthorized, busy) = (self.strikes(Kind::Unauthorized), self.strikes(Kind::Busy));
        unauthorized.then_some(401).or(busy.then_some(429))
    }

    fn stream(&mut self, kind: Kind) -> &mut ChaCha8Rng {
        let Dice { seed, name, .. } = self;
        self.streams.entry(kind).or_insert_with(|| {
            let name = format!("lockstep faults {seed} {name} {}", kind.word());
            ChaCha8Rng::from_seed(*blake3::hash(name.as_bytes()).as_bytes())
        })
    }

    fn strikes(&mut self, kind: Kind) -> bool {
        let chance = self.faults.of(kind).chance;
        chance > 0.0 && f64::from(self.stream(kind).next_u32()) / 4_294_967_296.0 < chance
    }

    /// One of `0..n`, or 0 if that is empty.
    fn below(&mut self, kind: Kind, n: u64) -> u64 {
        ((u128::from(self.stream(kind).next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// By how much a frame is late, in microseconds; a whole number of milliseconds.
    fn lateness(&mut self, kind: Kind) -> i64 {
        let span_ms = self.faults.of(kind).span_us / 1_000;
        match self.strikes(kind) {
            true => self.below(kind, span_ms.unsigned_abs() + 1) as i64 * 1_000,
            false => 0,
        }
    }

    fn garbage(&mut self) -> What {
        let mut bytes = vec![0; 1 + self.below(Kind::Garbage, 200) as usize];
        self.stream(Kind::Garbage).fill_bytes(&mut bytes);
        What::Frame(bytes.into())
    }
}
