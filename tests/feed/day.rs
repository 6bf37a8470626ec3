//! A day as it is lived in simulated time: the stand-in exchange plays it, faults befall the line,
//! the feed judges what arrives. No socket, no clock, no sleep.

use std::mem::take;

use lockstep::domain::event::Input;
use lockstep::domain::time::{SECOND_US, Timestamp};
use lockstep::exchange::candles::{self, Query};
use lockstep::exchange::faults::Faults;
use lockstep::exchange::frames::{Frames, Sent};
use lockstep::exchange::line::{Faulty, What};
use lockstep::exchange::ticker::Mode;
use lockstep::sources::feed::clock::Pace;
use lockstep::sources::feed::{Feed, Settings, Told};
use lockstep::sources::upstox::candles::Candles;
use lockstep::sources::upstox::fetch::{CandleReply, CandleRequest, CandleSpan};
use lockstep::sources::upstox::proto::FeedResponse;
use lockstep::sources::upstox::socket::{Down, Heard, Say};

use prost::Message as _;

use crate::scene::Scene;

/// How much later than its time a trade may be heard.
pub const LATENESS_MS: u32 = 2_000;
/// Between two looks at what has come, if nothing else is said.
pub const STEP_US: i64 = SECOND_US / 2;

/// What was heard on a day.
pub struct Lived {
    /// What the run heard, and when; the warm-up before everything.
    pub inputs: Vec<(Timestamp, Input)>,
    /// How often the archive was asked.
    pub lookups: u64,
    /// Why the feed stopped the run.
    pub stopped: Option<String>,
}

impl Lived {
    /// What the run heard.
    pub fn heard(&self) -> Vec<Input> {
        self.inputs.iter().map(|(_, input)| input.clone()).collect()
    }
}

/// What becomes of a message before it sets out; nothing where it is lost.
pub type Way = dyn Fn(Sent) -> Option<Sent>;

/// How a day is lived.
pub struct Circumstances<'a> {
    /// What befalls the line, drawn from that seed.
    pub faults: Faults,
    pub seed: u64,
    /// When somebody begins to listen.
    pub from: Timestamp,
    pub way: &'a Way,
    /// How far this machine's clock is ahead of the exchange's.
    pub ahead_us: i64,
    /// Whether the exchange is a stand-in, whose time this machine's clock does not know.
    pub is_stand_in: bool,
    /// Between two looks at what has come.
    pub step_us: i64,
    /// From when on the line is cut for half a minute, once.
    pub cut_at: Timestamp,
}

impl Circumstances<'static> {
    /// The broker's day from `from` on.
    pub fn new(faults: Faults, seed: u64, from: Timestamp) -> Circumstances<'static> {
        Circumstances {
            faults,
            seed,
            from,
            way: &Some,
            ahead_us: 0,
            is_stand_in: false,
            step_us: STEP_US,
            cut_at: Timestamp::MAX,
        }
    }
}

/// A message that says that it was built so much later.
pub fn later(sent: Sent, us: i64) -> Sent {
    let mut response = FeedResponse::decode(sent.bytes.clone()).expect("it is whole");
    response.current_ts += us / 1_000;
    Sent { bytes: response.encode_to_vec().into(), ..sent }
}

struct Day<'a> {
    scene: &'a Scene,
    with: Circumstances<'a>,
    feed: Feed,
    lived: Lived,
    now: Timestamp,
    line: Option<Faulty<Box<dyn Iterator<Item = Sent> + 'a>>>,
    connections: u64,
    /// Until when nobody gets through.
    closed_until: Timestamp,
    /// Whether a connection was asked for.
    knocks: bool,
    /// What the archive will answer, and when.
    answers: Vec<(Timestamp, CandleRequest)>,
}

/// Lives the scene's day from `from` on. Fails where it does not end.
pub fn live(scene: &Scene, faults: Faults, seed: u64, from: Timestamp) -> Lived {
    live_with(scene, Circumstances::new(faults, seed, from))
}

/// Lives the scene's day under these circumstances. Fails where it does not end.
pub fn live_with<'a>(scene: &'a Scene, with: Circumstances<'a>) -> Lived {
    let Circumstances { seed, from, .. } = with;
    let settings = Settings {
        pace: Pace::Times(1),
        lateness_ms: LATENESS_MS,
        silence_ms: 90_000,
        has_own_time: with.is_stand_in,
        tells_each_trade: true,
        archive_delay_ms: 5_000,
        seed,
    };
    let own_time = match with.is_stand_in {
        true => scene.run.config.active_from,
        false => from.plus_us(with.ahead_us),
    };
    let warmup = scene.warmup.iter().map(|input| (Timestamp::MIN, input.clone()));
    let lived = Lived { inputs: warmup.collect(), lookups: 0, stopped: None };
    let mut day = Day {
        scene,
        with,
        feed: Feed::new(&scene.run, settings, own_time, from.0),
        lived,
        now: from,
        line: None,
        connections: 0,
        closed_until: Timestamp::MIN,
        knocks: false,
        answers: Vec::new(),
    };
    let end = scene.hours().1;
    while !day.feed.is_over() && day.lived.stopped.is_none() {
        assert!(day.now < end.plus_minutes(10), "the day does not end");
        day.pass();
    }
    day.lived
}

impl Day<'_> {
    fn us(&self) -> i64 {
        self.now.0
    }

    fn pass(&mut self) {
        self.connect();
        self.arrive();
        self.answer();
        if self.line.is_some() && self.now.0 % (10 * SECOND_US) == 0 {
            self.hear(&Heard::Alive);
        }
        let mut told = Told::default();
        self.feed.pass(self.us(), &mut told);
        self.does(told);
        self.now = self.now.plus_us(self.with.step_us);
    }

    fn does(&mut self, told: Told) {
        let now = self.now;
        self.lived.inputs.extend(told.inputs.into_iter().map(|input| (now, input)));
        self.lived.stopped = self.lived.stopped.take().or(told.stop);
        for say in told.says {
            match say {
                Say::Connect => self.knocks = true,
                Say::Disconnect => self.line = None,
                Say::Fetch(request) => {
                    self.lived.lookups += 1;
                    self.answers.push((now.plus_us(2 * SECOND_US), request));
                }
                Say::Send(_) | Say::Quit => {}
            }
        }
    }

    fn hear(&mut self, heard: &Heard) {
        let mut told = Told::default();
        self.feed.hear(heard, self.us(), &mut told);
        self.does(told);
    }

    fn connect(&mut self) {
        if !self.knocks || self.now < self.closed_until {
            return;
        }
        self.knocks = false;
        let keys = self.scene.market.keys();
        let frames = Frames::new(&self.scene.market, keys, Mode::Full, self.now);
        let frames: Box<dyn Iterator<Item = Sent>> = Box::new(frames.filter_map(self.with.way));
        let (faults, seed) = (self.with.faults, self.with.seed);
        self.line = Some(Faulty::new(frames, faults, seed, self.connections));
        self.connections += 1;
        self.hear(&Heard::Up);
    }

    /// Everything that arrives up to now.
    fn arrive(&mut self) {
        let until = self.now.min(self.with.cut_at.plus_us(-1));
        while let Some(happening) = self.line.as_mut().and_then(|it| it.next_until(until)) {
            match happening.what {
                What::Frame(bytes) => self.hear(&Heard::Frame(bytes.to_vec())),
                What::Disconnect { code, resume } => {
                    self.closed_until = resume;
                    self.line = None;
                    self.hear(&Heard::Down(Down::Closed { code, reason: String::new() }));
                }
                What::Connected | What::Refused(_) | What::Stall { .. } => {}
            }
        }
        if self.with.cut_at <= self.now {
            self.closed_until = self.with.cut_at.plus_us(30 * SECOND_US);
            (self.with.cut_at, self.line) = (Timestamp::MAX, None);
            self.hear(&Heard::Down(Down::Closed { code: None, reason: String::new() }));
        }
    }

    fn answer(&mut self) {
        let (due, open): (Vec<_>, Vec<_>) =
            take(&mut self.answers).into_iter().partition(|(time, _)| *time <= self.now);
        self.answers = open;
        for (_, request) in due {
            let query = Query { key: &request.key, unit: "minutes", interval: "1" };
            let market = &self.scene.market;
            let json = match request.what {
                CandleSpan::Intraday => candles::intraday(market, self.now, query),
                CandleSpan::Historical { first, last } => {
                    let (first, last) = (first.to_string(), last.to_string());
                    candles::historical(market, self.now, query, &last, Some(&first))
                }
            };
            let json = json.expect("the archive knows the key").to_string();
            let result = Ok(Candles::parse(json.as_bytes()).expect("it is a reply"));
            self.hear(&Heard::Candles(CandleReply { request, result }));
        }
    }
}
