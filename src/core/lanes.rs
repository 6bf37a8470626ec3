//! One lane per instrument, side by side on the exchange's clock (rules 1, 2 and 7.1). Lanes admit
//! bars and ticks, and say what a watermark brings to an end and in which order: by time, and at
//! equal times strategy bars, then flattening, then the session.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::config::Profile;
use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar, Bar15m, Gap, RejectReason, Rejection, Tick};
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Price;
use crate::domain::session::Session;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

use super::aggregate::{Buckets, Known, Quarter, Release, TickMinutes};

/// Something that passing time brings to an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boundary {
    /// A minute made of ticks is over, and accepted.
    Minute(Bar),
    /// A minute made of ticks is over, and of no use.
    NoMinute(Rejection),
    /// A strategy bar is known: it is complete, or as complete as it will be at its time.
    Bar(Known, Timestamp),
    /// An instrument's position must be closed: its session is about to end.
    Flatten(InstrumentId, Timestamp),
    /// The trading day is over for all instruments.
    SessionOver(Date, Timestamp),
}

/// Where an accepted minute comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// The source has whole minutes.
    Source,
    /// The core made it of ticks.
    Ticks,
    /// Somebody looked it up.
    Archive,
}

/// Hours and grid on one trading day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hours {
    date: Date,
    windows: Vec<Window>,
    end: Timestamp,
    tick: Price,
}

/// One instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane {
    /// Which of the run's schedules it follows.
    schedule: usize,
    buckets: Buckets,
    tick_minutes: TickMinutes,
    /// The session's minutes that ticks or an archive made, ascending.
    minutes: Vec<Bar>,
    /// Whether bars of the session came as they are. Then `minutes` lacks them.
    has_bars: bool,
    /// When trades of the session may be missing.
    gaps: Vec<Window>,
    /// Start of the newest accepted minute.
    last_minute: Timestamp,
    /// The quarter of that minute.
    quarter: Quarter,
    /// The window in which that minute lay.
    window: Window,
    /// When positions have to be closed in the session that is not over; never once that is done.
    flatten_time: Timestamp,
}

/// All instruments of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// Hours by session of the run; most instruments have the same ones.
    schedules: Vec<Vec<Hours>>,
    /// Date and end of each session, over all instruments.
    sessions: Vec<(Date, Timestamp)>,
    /// The session that is not over yet.
    session: usize,
    watermark: Timestamp,
    next_boundary: Timestamp,
    /// Whose turn it is among the boundaries at `next_boundary`: every lane's minutes of ticks,
    /// then their strategy bars, then their flattening, then the session. So one walk takes all.
    turn: usize,
    bar_us: i64,
    flatten_us: i64,
}

/// A window that holds nothing, and a quarter likewise.
const NOWHERE: Window = Window { open: Timestamp::MIN, close: Timestamp::MIN };
const NO_QUARTER: Quarter = Quarter {
    open_time: Timestamp::MIN,
    end: Timestamp::MIN,
    close_time: Timestamp::MIN,
    minutes_expected: 0,
};

impl Lanes {
    /// The lanes of a run before its first event.
    pub fn new(run: &RunStarted) -> Lanes {
        let release = match run.config.strategy.profile {
            Profile::Causal => Release::AtClose,
            Profile::CompatLive => Release::ByLaterMinute,
        };
        let mut schedules: Vec<Vec<Hours>> = Vec::new();
        let mut schedule = |instrument: &Instrument| {
            let hours = run.sessions.iter().map(|session| Hours::new(session, instrument));
            let hours: Vec<Hours> = hours.collect();
            schedules.iter().position(|known| *known == hours).unwrap_or_else(|| {
                schedules.push(hours);
                schedules.len() - 1
            })
        };
        let lane = |instrument: &Instrument| Lane {
            schedule: schedule(instrument),
            buckets: Buckets::new(release),
            tick_minutes: TickMinutes::default(),
            minutes: Vec::new(),
            has_bars: false,
            gaps: Vec::new(),
            last_minute: Timestamp::MIN,
            quarter: NO_QUARTER,
            window: NOWHERE,
            flatten_time: Timestamp::MAX,
        };
        let lanes: Vec<Lane> = run.instruments.iter().map(lane).collect();
        let end = |place: usize| schedules.iter().map(|hours| hours[place].end).max();
        let sessions = run.sessions.iter().enumerate();
        let sessions = sessions
            .map(|(place, session)| (session.date, end(place).unwrap_or(session.date.start())))
            .collect();
        let mut lanes = Lanes {
            lanes,
            schedules,
            sessions,
            session: 0,
            watermark: Timestamp::MIN,
            next_boundary: Timestamp::MAX,
            turn: 0,
            bar_us: i64::from(run.config.strategy.bar_minutes) * MINUTE_US,
            flatten_us: i64::from(run.config.execution.flatten_minutes) * MINUTE_US,
        };
        lanes.turn = lanes.turns();
        lanes.begin_session();
        lanes.next_boundary = lanes.earliest();
        lanes
    }

    /// No boundary lies before this instant.
    #[inline]
    pub const fn next_boundary(&self) -> Timestamp {
        self.next_boundary
    }

    /// Moves the watermark. It never falls.
    #[inline]
    pub fn set_watermark(&mut self, time: Timestamp) {
        self.watermark = self.watermark.max(time);
    }

    /// Adds a minute bar to its lane, or says why not (rule 1.4).
    #[inline]
    pub fn admit_bar(&mut self, bar: &Bar) -> Result<(), RejectReason> {
        if bar.close_time() <= self.watermark {
            return Err(RejectReason::Late);
        }
        self.admit_minute(bar, Maker::Source)
    }

    #[inline(always)]
    fn admit_minute(&mut self, bar: &Bar, maker: Maker) -> Result<(), RejectReason> {
        let lane = &mut self.lanes[bar.instrument.index()];
        let in_window = lane.window.contains(bar.open_time);
        if !in_window {
            let days = days_from(&self.schedules[lane.schedule], self.session);
            lane.window = find_window(days, bar.open_time)?;
        }
        if bar.close_time() > lane.window.close {
            return Err(RejectReason::OutsideSession);
        }
        if bar.open_time <= lane.last_minute {
            let same = bar.open_time == lane.last_minute;
            return Err(if same { RejectReason::Duplicate } else { RejectReason::OutOfOrder });
        }
        lane.last_minute = bar.open_time;
        let is_new = !in_window || bar.open_time >= lane.quarter.end;
        if is_new {
            let days = days_from(&self.schedules[lane.schedule], self.session);
            lane.quarter = quarter_of(days, bar.open_time, self.bar_us);
        }
        lane.buckets.add(bar, &lane.quarter, maker == Maker::Archive);
        lane.has_bars |= maker == Maker::Source;
        if is_new {
            self.next_boundary = self.next_boundary.min(lane.buckets.next_known());
        }
        Ok(())
    }

    /// Adds a tick to its minute, or says why not (rule 1.5).
    pub fn admit_tick(&mut self, tick: &Tick) -> Result<(), RejectReason> {
        let lane = &mut self.lanes[tick.instrument.index()];
        let days = days_from(&self.schedules[lane.schedule], self.session);
        let window = match tick.time < self.watermark {
            true => Err(RejectReason::Late),
            false => find_window(days, tick.time),
        };
        if let Err(reason) = window {
            lane.tick_minutes.pass(tick);
            return Err(reason);
        }
        lane.tick_minutes.add(tick);
        self.next_boundary = self.next_boundary.min(lane.tick_minutes.next_close());
        Ok(())
    }

    /// Adds a minute from an archive, or says why not (rule 1.6). A strategy bar that was known
    /// already is given back as it is now.
    pub fn admit_backfill(&mut self, bar: &Bar) -> Result<Option<Bar15m>, RejectReason> {
        let watermark = self.watermark;
        let lane = &mut self.lanes[bar.instrument.index()];
        let days = days_from(&self.schedules[lane.schedule], self.session);
        let window = find_window(days, bar.open_time)?;
        let quarter = quarter_of(days, bar.open_time, self.bar_us);
        if bar.close_time() > window.close {
            return Err(RejectReason::OutsideSession);
        }
        let has_waiting = lane.tick_minutes.next_close() < bar.close_time();
        if bar.open_time > lane.last_minute && bar.close_time() > watermark && !has_waiting {
            self.admit_minute(bar, Maker::Archive)?;
            self.lanes[bar.instrument.index()].minutes.push(*bar);
            return Ok(None);
        }
        lane.patch(bar)?;
        let Some(patched) = quarter.of_minutes(lane.minutes_of(&quarter)) else { return Ok(None) };
        if !lane.buckets.is_open(&quarter, watermark) {
            return Ok(Some(patched));
        }
        lane.buckets.patch(patched, watermark);
        self.next_boundary = self.next_boundary.min(lane.buckets.next_known());
        Ok(None)
    }

    /// Takes note of missing trades.
    pub fn gap(&mut self, gap: &Gap) {
        let window = Window { open: gap.from, close: gap.to };
        let gaps = &mut self.lanes[gap.instrument.index()].gaps;
        match gaps.last_mut().filter(|last| last.close >= window.open && last.open <= window.open) {
            Some(last) => last.close = last.close.max(window.close),
            None => gaps.push(window),
        }
    }

    /// The next boundary at or before `watermark`, in order. Ask until there is none.
    pub fn pop_boundary(&mut self, watermark: Timestamp) -> Option<Boundary> {
        loop {
            if let Some(boundary) = self.pop_at_time() {
                return Some(boundary);
            }
            self.next_boundary = self.earliest();
            if self.next_boundary > watermark {
                return None;
            }
            self.turn = 0;
        }
    }

    /// The next boundary of those at `next_boundary`.
    fn pop_at_time(&mut self) -> Option<Boundary> {
        let (time, lanes) = (self.next_boundary, self.lanes.len());
        while self.turn < lanes {
            if let Some(bar) = self.lanes[self.turn].tick_minutes.pop(time) {
                return Some(self.close_minute(&bar));
            }
            self.turn += 1;
        }
        while self.turn < 2 * lanes {
            let lane = &mut self.lanes[self.turn - lanes];
            if let Some(mut known) = lane.buckets.pop(time) {
                known.is_patched |= lane.lacks_trades(known.bar.open_time, known.bar.close_time);
                return Some(Boundary::Bar(known, time));
            }
            self.turn += 1;
        }
        while self.turn < 3 * lanes {
            let place = self.turn - 2 * lanes;
            self.turn += 1;
            if self.lanes[place].flatten_time == time {
                self.lanes[place].flatten_time = Timestamp::MAX;
                let instrument = InstrumentId(u16::try_from(place).expect("ids are u16"));
                return Some(Boundary::Flatten(instrument, time));
            }
        }
        if self.turn == self.turns() {
            return None;
        }
        self.turn = self.turns();
        let (date, end) = *self.sessions.get(self.session).filter(|session| session.1 == time)?;
        self.session += 1;
        self.begin_session();
        Some(Boundary::SessionOver(date, end))
    }

    /// How many turns there are.
    fn turns(&self) -> usize {
        3 * self.lanes.len() + 1
    }

    /// A minute of ticks is over: it counts, unless trades of it may be missing or an archive was
    /// faster.
    fn close_minute(&mut self, bar: &Bar) -> Boundary {
        let lane = &mut self.lanes[bar.instrument.index()];
        let accepted = match lane.lacks_trades(bar.open_time, bar.close_time()) {
            true => Err(RejectReason::Gap),
            false if lane.has_minute(bar.open_time) => Err(RejectReason::Duplicate),
            false => self.admit_minute(bar, Maker::Ticks),
        };
        let Bar { instrument, open_time: time, .. } = *bar;
        if let Err(reason) = accepted {
            return Boundary::NoMinute(Rejection { instrument, time, reason });
        }
        self.lanes[instrument.index()].minutes.push(*bar);
        Boundary::Minute(*bar)
    }

    /// Says when positions have to be closed in the session that is not over.
    fn begin_session(&mut self) {
        for lane in &mut self.lanes {
            lane.minutes.clear();
            lane.has_bars = false;
            lane.gaps.clear();
            let hours = self.schedules[lane.schedule].get(self.session);
            let hours = hours.filter(|hours| !hours.windows.is_empty());
            let before_end = |hours: &Hours| hours.end.plus_us(-self.flatten_us);
            lane.flatten_time = hours.map_or(Timestamp::MAX, before_end);
        }
    }

    /// The earliest boundary of all.
    fn earliest(&self) -> Timestamp {
        let session_end = self.sessions.get(self.session).map_or(Timestamp::MAX, |s| s.1);
        let of_lane = |lane: &Lane| {
            lane.buckets.next_known().min(lane.tick_minutes.next_close()).min(lane.flatten_time)
        };
        self.lanes.iter().map(of_lane).fold(session_end, Timestamp::min)
    }

    /// The price grid of an instrument at `time`; one paisa where no session is.
    pub fn tick(&self, instrument: InstrumentId, time: Timestamp) -> Price {
        self.hours(instrument, time).map_or(Price(100), |hours| hours.tick)
    }

    /// When the instrument's continuous trading ends on the day of `time`, if it trades that day.
    pub fn session_end(&self, instrument: InstrumentId, time: Timestamp) -> Option<Timestamp> {
        let hours = self.hours(instrument, time)?;
        (!hours.windows.is_empty()).then_some(hours.end)
    }

    /// From when on the instrument's positions are closed on the day of `time`.
    pub fn flatten_time(&self, instrument: InstrumentId, time: Timestamp) -> Option<Timestamp> {
        Some(self.session_end(instrument, time)?.plus_us(-self.flatten_us))
    }

    fn hours(&self, instrument: InstrumentId, time: Timestamp) -> Option<&Hours> {
        let hours = &self.schedules[self.lanes[instrument.index()].schedule];
        let date = time.date();
        // Nearly always the session that is not over yet; otherwise looked up.
        match hours.get(self.session).filter(|hours| hours.date == date) {
            Some(found) => Some(found),
            None => hours.binary_search_by_key(&date, |hours| hours.date).ok().map(|i| &hours[i]),
        }
    }
}

impl Hours {
    fn new(session: &Session, instrument: &Instrument) -> Hours {
        let windows = session.windows_of(instrument).to_vec();
        Hours {
            date: session.date,
            end: windows.last().map_or(session.date.start(), |window| window.close),
            windows,
            tick: instrument.at(session.date).map_or(Price(100), |listing| listing.tick),
        }
    }
}

impl Lane {
    /// Whether trades of `[from, to)` may be missing.
    fn lacks_trades(&self, from: Timestamp, to: Timestamp) -> bool {
        self.gaps.iter().any(|gap| gap.open < to && from < gap.close)
    }

    fn has_minute(&self, open_time: Timestamp) -> bool {
        self.minutes.binary_search_by_key(&open_time, |minute| minute.open_time).is_ok()
    }

    /// Adds a minute to those of the session, or puts it in the place of what was there. Not where
    /// it says the same, nor where the session's bars came as they are: nothing completes these.
    fn patch(&mut self, bar: &Bar) -> Result<(), RejectReason> {
        if self.has_bars {
            return Err(RejectReason::OutOfOrder);
        }
        let place = self.minutes.partition_point(|minute| minute.open_time < bar.open_time);
        match self.minutes.get_mut(place).filter(|minute| minute.open_time == bar.open_time) {
            Some(minute) if minute == bar => return Err(RejectReason::Duplicate),
            Some(minute) => *minute = *bar,
            None => self.minutes.insert(place, *bar),
        }
        Ok(())
    }

    /// The session's minutes in a quarter.
    fn minutes_of(&self, quarter: &Quarter) -> impl Iterator<Item = &Bar> {
        let from = self.minutes.partition_point(|minute| minute.open_time < quarter.open_time);
        let to = self.minutes.partition_point(|minute| minute.open_time < quarter.end);
        self.minutes[from..to].iter()
    }
}

/// The session that is not over and those after it.
fn days_from(schedule: &[Hours], session: usize) -> &[Hours] {
    schedule.get(session..).unwrap_or_default()
}

/// The window that holds `time`, if one of `days` has it.
fn find_window(days: &[Hours], time: Timestamp) -> Result<Window, RejectReason> {
    days.iter()
        .take_while(|hours| hours.date <= time.date())
        .flat_map(|hours| &hours.windows)
        .find(|window| window.contains(time))
        .copied()
        .ok_or(RejectReason::OutsideSession)
}

/// The quarter that holds `time`, which lies in a window of `days`.
fn quarter_of(days: &[Hours], time: Timestamp, bar_us: i64) -> Quarter {
    let open_time = time.floor_to(bar_us);
    let end = open_time.plus_us(bar_us);
    let whole = Window { open: open_time, close: end };
    let today = days.iter().find(|hours| hours.date == time.date());
    let windows = today.map_or(&[][..], |hours| &hours.windows);
    let reaches_in = |window: &&Window| window.minutes_shared(&whole) > 0;
    let last = windows.iter().rfind(reaches_in);
    Quarter {
        open_time,
        end,
        close_time: last.map_or(end, |window| window.close.min(end)),
        minutes_expected: windows.iter().map(|window| window.minutes_shared(&whole)).sum(),
    }
}
