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
use crate::sources::upstox::proto::{
    FeedResponse, MarketFullFeed, MarketInfo, Type, feed, full_feed,
};

use super::faults::{Faults, Kind};
use super::frames::{Frames, Sent, Wanted};
use super::market::Market;
use super::ticker::Mode;

/// How long the frames go on saying another time.
const SKEW_LASTS_US: i64 = MINUTE_US;
/// How long somebody waits who was refused.
const TRY_AGAIN_US: i64 = SECOND_US;
/// A mode and a phase that the schema does not have.
const UNKNOWN_NUMBER: i32 = 77;
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
    /// An authorization was refused with that HTTP status: 401, 403 or 429.
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
        if self.dice.strikes(Kind::Book)
            && let Some(bytes) = book_alone(&sent.bytes)
        {
            let what = What::Frame(bytes);
            self.arrive(sent.at, Happening { at: sent.at, first: sent.at, what });
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

/// What a later feed might say of the same keys: their order books without the last trade, in a
/// mode, with fields and about a segment that nobody knows yet. None where the frame has no book.
fn book_alone(bytes: &Bytes) -> Option<Bytes> {
    let mut later = FeedResponse::decode(bytes.clone()).ok()?;
    if later.r#type() != Type::LiveFeed {
        return None;
    }
    later.feeds.retain(|_, feed| {
        feed.request_mode = UNKNOWN_NUMBER;
        let Some(feed::FeedUnion::FullFeed(full)) = &mut feed.feed_union else { return false };
        let Some(full_feed::FullFeedUnion::MarketFf(market)) = &mut full.full_feed_union else {
            return false;
        };
        let market_level = market.market_level.take();
        *market = MarketFullFeed { market_level, ..MarketFullFeed::default() };
        true
    });
    if later.feeds.is_empty() {
        return None;
    }
    let segment_status = [("NSE_LATER".to_owned(), UNKNOWN_NUMBER)].into();
    later.market_info = Some(MarketInfo { segment_status, ..MarketInfo::default() });
    let mut bytes = later.encode_to_vec();
    // Field 60 of the message and a number in it.
    bytes.extend_from_slice(&[0xE0, 0x03, 0x2A]);
    Some(bytes.into())
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
        let kinds = [(Kind::Unauthorized, 401), (Kind::Forbidden, 403), (Kind::Busy, 429)];
        // Each draws, whatever the others do.
        let statuses = kinds.map(|(kind, status)| self.strikes(kind).then_some(status));
        statuses.into_iter().flatten().next()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{BSE, TATA, decoded, minutes, played, short, trades};
    use super::*;

    fn line(market: &Arc<Market>, faults: &str, seed: u64) -> Vec<Happening> {
        let faults = Faults::parse(faults).unwrap();
        let line = Line::new(market, [BSE, TATA], Mode::Full, market.start(), (faults, seed));
        // No line of these is endless, but one that is must fail and not hang.
        line.take(100_000).collect()
    }

    fn frames<'a>(happenings: &'a [Happening]) -> Vec<&'a Bytes> {
        let frame = |happening: &'a Happening| match &happening.what {
            What::Frame(bytes) => Some(bytes),
            _ => None,
        };
        happenings.iter().filter_map(frame).collect()
    }

    fn count(happenings: &[Happening], is_it: impl Fn(&What) -> bool) -> usize {
        happenings.iter().filter(|happening| is_it(&happening.what)).count()
    }

    fn is_whole(bytes: &Bytes) -> bool {
        FeedResponse::decode(bytes.clone()).is_ok_and(|response| response.current_ts > 0)
    }

    #[test]
    fn without_faults_it_is_the_frames() {
        let market = short();
        let all = line(&market, "", 1);
        assert_eq!(all[0].what, What::Connected);
        let sent: Vec<Sent> =
            Frames::new(&market, [BSE, TATA], Mode::Full, market.start()).collect();
        let told = all[1..].iter().map(|it| (it.at, it.first, it.what.clone()));
        assert!(told.eq(sent.iter().map(|it| (it.at, it.first, What::Frame(it.bytes.clone())))));
    }

    #[test]
    fn the_same_seed_has_the_same_faults() {
        let market = short();
        let all = "drop=0.1,dup=0.1,reorder=500ms,delay=60s@0.05,stall=20s@0.02,half=0.05,\
                   garbage=0.05,disconnect=5s@0.01,401=0.2,429=0.2,missing=0.2,skew=1h@0.02";
        assert_eq!(line(&market, all, 1), line(&market, all, 1));
        assert_ne!(line(&market, all, 1), line(&market, all, 2));
    }

    #[test]
    fn one_more_kind_changes_nothing_about_the_others() {
        let market = short();
        let stalls = |faults| {
            let all = line(&market, faults, 3);
            let stalls = all.into_iter().filter(|it| matches!(it.what, What::Stall { .. }));
            stalls.collect::<Vec<_>>()
        };
        let alone = stalls("stall=10s@0.05");
        assert!(alone.len() > 3);
        assert_eq!(alone, stalls("stall=10s@0.05,drop=0.3,dup=0.5,garbage=0.5"));
    }

    #[test]
    fn what_is_dropped_is_gone_and_what_is_doubled_is_twice_there() {
        let market = short();
        let whole = line(&market, "", 1).len();
        let dropped = line(&market, "drop=0.25", 1);
        let lost = whole - dropped.len();
        assert!((whole / 8..whole / 2).contains(&lost), "{lost} of {whole}");
        assert_ne!(minutes(&trades(frames(&dropped))), played(&market));
        let doubled = line(&market, "dup=0.25", 1);
        let more = doubled.len() - whole;
        assert!((whole / 8..whole / 2).contains(&more), "{more} of {whole}");
        assert_eq!(doubled.windows(2).filter(|pair| pair[0] == pair[1]).count(), more);
        assert_eq!(minutes(&trades(frames(&doubled))), played(&market));
    }

    #[test]
    fn frames_pass_each_other_within_the_length() {
        let market = short();
        for (faults, most) in [("reorder=30s", 30_000), ("delay=120s@0.2", 120_000)] {
            let all = line(&market, faults, 1);
            assert!(all.is_sorted_by_key(|it| it.at));
            let sent: Vec<i64> =
                frames(&all).iter().map(|bytes| decoded(bytes).current_ts).collect();
            assert!(!sent.is_sorted());
            let late = all[1..].iter().zip(&sent).map(|(it, sent)| it.at.0 / 1_000 - sent);
            let (least, largest) = (late.clone().min().unwrap(), late.max().unwrap());
            assert!(least >= 0 && most / 2 < largest && largest <= most, "{least} {largest}");
            assert_eq!(minutes(&trades(frames(&all))), played(&market));
        }
    }

    #[test]
    fn a_mute_line_says_nothing_until_it_is_over() {
        let market = short();
        let all = line(&market, "stall=30s@0.03", 1);
        let mut stalls = 0;
        for pair in all.windows(2) {
            if let What::Stall { until } = pair[0].what {
                assert_eq!(until, pair[0].at.plus_us(30 * SECOND_US));
                assert!(pair[1].at >= until);
                stalls += 1;
            }
        }
        assert!(stalls > 2);
        assert_ne!(minutes(&trades(frames(&all))), played(&market));
    }

    #[test]
    fn torn_frames_and_garbage() {
        let market = short();
        let whole = line(&market, "", 1);
        let torn = line(&market, "half=0.2", 1);
        assert_eq!(torn.len(), whole.len());
        let changed = whole.iter().zip(&torn).filter(|(a, b)| a != b).count();
        let is_part = |(a, b): (&&Bytes, &&Bytes)| a.starts_with(b);
        assert!(frames(&whole).iter().zip(&frames(&torn)).all(is_part));
        assert!((10..whole.len() / 2).contains(&changed), "{changed}");
        assert!(frames(&torn).iter().any(|bytes| !is_whole(bytes)));
        let garbage = line(&market, "garbage=0.2", 1);
        let mut rest = garbage.clone();
        rest.retain(|it| whole.contains(it));
        assert_eq!(rest, whole, "every frame is there besides");
        assert!(garbage.len() > whole.len() + 10);
    }

    #[test]
    fn what_a_later_feed_might_say_is_there_besides_and_is_read() {
        let market = short();
        let whole = line(&market, "", 1);
        let later = line(&market, "book=0.3", 1);
        let mut rest = later.clone();
        rest.retain(|it| whole.contains(it));
        assert_eq!(rest, whole, "every frame is there besides");
        assert!(later.len() > whole.len() + 20);
        for bytes in frames(&later).into_iter().filter(|bytes| bytes.ends_with(&[0x2A])) {
            let frame = crate::sources::upstox::frame::decode(bytes).unwrap();
            assert!(frame.refused.is_empty() && !frame.quotes.is_empty());
            assert!(frame.quotes.iter().all(|it| it.trade.is_none() && it.mode == UNKNOWN_NUMBER));
            assert_eq!(frame.phases[0].status, "STATUS_77");
        }
        assert_eq!(minutes(&trades(frames(&rest))), played(&market));
    }

    #[test]
    fn a_line_that_is_cut_comes_back_and_loses_only_the_time_away() {
        let market = short();
        let is_cut = |what: &What| matches!(what, What::Disconnect { .. });
        let all = line(&market, "disconnect=0.02", 1);
        assert!(count(&all, is_cut) > 5);
        assert_eq!(minutes(&trades(frames(&all))), played(&market), "no time, nothing lost");
        let codes = |code: Option<u16>| {
            count(&all, |what| matches!(what, What::Disconnect { code: it, .. } if *it == code))
        };
        assert!(codes(None) > 0 && codes(None) < count(&all, is_cut), "with a word and without");
        assert_eq!(codes(Some(1000)), 0, "1000 would be the end");

        let all = line(&market, "disconnect=20s@0.01", 1);
        let mut cuts = 0;
        for (place, pair) in all.windows(2).enumerate() {
            let What::Disconnect { resume, .. } = pair[0].what else { continue };
            assert_eq!(resume, pair[0].at.plus_us(20 * SECOND_US));
            assert_eq!((pair[1].at, &pair[1].what), (resume, &What::Connected));
            let kinds = all[place + 2..place + 4].iter().filter_map(|it| match &it.what {
                What::Frame(bytes) => Some(decoded(bytes).r#type()),
                _ => None,
            });
            // The new line may be cut at once as well.
            assert!(
                [Type::MarketInfo, Type::InitialFeed].into_iter().zip(kinds).all(|(a, b)| a == b)
            );
            cuts += 1;
        }
        assert!(cuts > 2);
        assert_ne!(minutes(&trades(frames(&all))), played(&market));
    }

    #[test]
    fn refusals_are_tried_again() {
        let market = short();
        for (faults, status) in [("401=0.8", 401), ("403=0.8", 403), ("429=0.8", 429)] {
            let mut most = 0;
            for seed in 0..8 {
                let all = line(&market, faults, seed);
                let refused = all.iter().take_while(|it| it.what == What::Refused(status)).count();
                assert_eq!(all[refused].what, What::Connected);
                let waited = refused as i64 * TRY_AGAIN_US;
                assert_eq!(all[refused].at, market.start().plus_us(waited));
                most = most.max(refused);
            }
            assert!(most > 1, "{faults}");
        }
    }

    #[test]
    fn keys_are_missing_in_snapshots_only() {
        let market = short();
        let mut seen = [0; 3];
        for seed in 0..30 {
            let all = line(&market, "missing=0.5", seed);
            let all = frames(&all);
            seen[decoded(all[1]).feeds.len()] += 1;
            assert_eq!(minutes(&trades(all)), played(&market));
        }
        assert!(seen.iter().all(|count| *count > 2), "{seen:?}");
    }

    #[test]
    fn a_clock_is_wrong_for_a_minute() {
        let market = short();
        let all = line(&market, "skew=1h@0.005", 1);
        let off: Vec<i64> = all[1..]
            .iter()
            .zip(frames(&all))
            .map(|(it, bytes)| decoded(bytes).current_ts - it.at.0 / 1_000)
            .collect();
        let wrong = off.iter().filter(|off| **off != 0).count();
        assert!((3..off.len() - 50).contains(&wrong), "{wrong}");
        assert!(off.iter().all(|off| off.abs() <= 3_600_000));
        assert!(off.iter().any(|off| *off > 0) && off.iter().any(|off| *off < 0));
        assert_eq!(minutes(&trades(frames(&all))), played(&market), "trades keep their time");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        // Whatever arrives late, twice, besides rubbish or over several lines: nothing is lost.
        #[test]
        fn harmless_faults_lose_nothing(seed: u64) {
            let market = short();
            let faults = "dup=0.1,reorder=5s,delay=60s@0.05,garbage=0.05,disconnect=0.01";
            let all = line(&market, faults, seed);
            prop_assert_eq!(minutes(&trades(frames(&all))), played(&market));
        }
    }
}
