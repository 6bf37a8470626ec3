//! One lane per instrument, side by side on the exchange's clock (rules 1 and 2). Lanes admit
//! bars and ticks, and say what a watermark brings to an end and in which order: by time, and at
//! equal times strategy bars, then flattening, then the session.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::event::RunStarted;
use crate::domain::fact::{Bar, Bar15m, RejectReason, Rejection, Tick};
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Price;
use crate::domain::session::Session;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

use super::aggregate::{Buckets, Quarter, TickMinutes};
use super::outbox::{INPUT, Outbox};

/// Something that passing time brings to an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boundary {
    /// A strategy bar is complete, or as complete as it will ever be.
    Bar(Bar15m),
    /// An instrument's position must be closed: its session is about to end.
    Flatten(InstrumentId, Timestamp),
    /// The trading day is over for all instruments.
    SessionOver(Date, Timestamp),
}

/// An instrument's hours and grid on one trading day.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hours {
    date: Date,
    windows: Vec<Window>,
    end: Timestamp,
    tick: Price,
}

/// One instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane {
    /// By session of the run.
    hours: Vec<Hours>,
    buckets: Buckets,
    tick_minutes: TickMinutes,
    /// Start of the newest accepted minute.
    last_minute: Timestamp,
    /// The quarter of that minute.
    quarter: Quarter,
    /// The window in which that minute lay.
    window: Window,
    /// Session up to which flattening is done.
    flattened: usize,
}

/// All instruments of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// Date and end of each session, over all instruments.
    sessions: Vec<(Date, Timestamp)>,
    /// The session that is not over yet.
    session: usize,
    watermark: Timestamp,
    next_boundary: Timestamp,
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
        let lane = |instrument: &Instrument| Lane {
            hours: run.sessions.iter().map(|session| Hours::new(session, instrument)).collect(),
            buckets: Buckets::default(),
            tick_minutes: TickMinutes::default(),
            last_minute: Timestamp::MIN,
            quarter: NO_QUARTER,
            window: NOWHERE,
            flattened: 0,
        };
        let lanes: Vec<Lane> = run.instruments.iter().map(lane).collect();
        let end = |place: usize| lanes.iter().map(|lane| lane.hours[place].end).max();
        let sessions = run.sessions.iter().enumerate();
        let sessions = sessions
            .map(|(place, session)| (session.date, end(place).unwrap_or(session.date.start())))
            .collect();
        let mut lanes = Lanes {
            lanes,
            sessions,
            session: 0,
            watermark: Timestamp::MIN,
            next_boundary: Timestamp::MAX,
            bar_us: i64::from(run.config.strategy.bar_minutes) * MINUTE_US,
            flatten_us: i64::from(run.config.execution.flatten_minutes) * MINUTE_US,
        };
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
        self.admit_minute(bar)
    }

    #[inline]
    fn admit_minute(&mut self, bar: &Bar) -> Result<(), RejectReason> {
        let (bar_us, session) = (self.bar_us, self.session);
        let lane = &mut self.lanes[bar.instrument.index()];
        let in_window = lane.window.contains(bar.open_time);
        if !in_window {
            lane.window = lane.find_window(bar.open_time, session)?;
        }
        if bar.close_time() > lane.window.close {
            return Err(RejectReason::OutsideSession);
        }
        if bar.open_time <= lane.last_minute {
            let same = bar.open_time == lane.last_minute;
            return Err(if same { RejectReason::Duplicate } else { RejectReason::OutOfOrder });
        }
        lane.last_minute = bar.open_time;
        if !in_window || bar.open_time >= lane.quarter.end {
            lane.quarter = lane.quarter_of(bar.open_time, bar_us, session);
            self.next_boundary = self.next_boundary.min(lane.quarter.close_time);
        }
        lane.buckets.add(bar, &lane.quarter);
        Ok(())
    }

    /// Adds a tick to its minute, or says why not (rule 1.5).
    pub fn admit_tick(&mut self, tick: &Tick) -> Result<(), RejectReason> {
        if tick.time < self.watermark {
            return Err(RejectReason::Late);
        }
        let lane = &mut self.lanes[tick.instrument.index()];
        lane.find_window(tick.time, self.session)?;
        lane.tick_minutes.add(tick);
        self.next_boundary = self.next_boundary.min(lane.tick_minutes.next_close());
        Ok(())
    }

    /// The next boundary at or before `watermark`, in order. Minutes made of ticks close on the
    /// way and are written to `out`.
    pub fn pop_boundary(&mut self, watermark: Timestamp, out: &mut Outbox<'_>) -> Option<Boundary> {
        loop {
            let time = self.earliest();
            self.next_boundary = time;
            if time > watermark {
                return None;
            }
            if self.close_tick_minutes(time, out) {
                continue;
            }
            if let Some(bar) = self.lanes.iter_mut().find_map(|lane| lane.buckets.pop(time)) {
                return Some(Boundary::Bar(bar));
            }
            if let Some(instrument) = self.pop_flatten(time) {
                return Some(Boundary::Flatten(instrument, time));
            }
            let (date, end) = self.sessions[self.session];
            debug_assert_eq!(end, time, "nothing else is left at this time");
            self.session += 1;
            return Some(Boundary::SessionOver(date, end));
        }
    }

    fn close_tick_minutes(&mut self, time: Timestamp, out: &mut Outbox<'_>) -> bool {
        let mut any = false;
        for place in 0..self.lanes.len() {
            while let Some(bar) = self.lanes[place].tick_minutes.pop(time) {
                any = true;
                match self.admit_minute(&bar) {
                    Ok(()) => out.push(INPUT, bar),
                    Err(reason) => {
                        let Bar { instrument, open_time: time, .. } = bar;
                        out.push(INPUT, Rejection { instrument, time, reason })
                    }
                };
            }
        }
        any
    }

    fn pop_flatten(&mut self, time: Timestamp) -> Option<InstrumentId> {
        let (session, flatten_us) = (self.session, self.flatten_us);
        let due = |lane: &Lane| lane.next_flatten(session, flatten_us) == time;
        let place = self.lanes.iter().position(due)?;
        self.lanes[place].flattened = session + 1;
        Some(InstrumentId(u16::try_from(place).expect("ids are u16")))
    }

    /// The earliest boundary of all.
    fn earliest(&self) -> Timestamp {
        let session_end = self.sessions.get(self.session).map_or(Timestamp::MAX, |s| s.1);
        let of_lane = |lane: &Lane| {
            let flatten = lane.next_flatten(self.session, self.flatten_us);
            lane.buckets.next_close().min(lane.tick_minutes.next_close()).min(flatten)
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
        let hours = &self.lanes[instrument.index()].hours;
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
    /// The window that holds `time`, in the session that is not over or a later one.
    fn find_window(&self, time: Timestamp, session: usize) -> Result<Window, RejectReason> {
        let rest = self.hours.get(session..).unwrap_or_default();
        rest.iter()
            .take_while(|hours| hours.date <= time.date())
            .flat_map(|hours| &hours.windows)
            .find(|window| window.contains(time))
            .copied()
            .ok_or(RejectReason::OutsideSession)
    }

    /// The quarter that holds `time`, which lies in a window.
    fn quarter_of(&self, time: Timestamp, bar_us: i64, session: usize) -> Quarter {
        let open_time = time.floor_to(bar_us);
        let end = open_time.plus_us(bar_us);
        let whole = Window { open: open_time, close: end };
        let rest = self.hours.get(session..).unwrap_or_default();
        let today = rest.iter().find(|hours| hours.date == time.date());
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

    /// When positions have to be closed in the session that is not over.
    fn next_flatten(&self, session: usize, flatten_us: i64) -> Timestamp {
        match self.hours.get(session) {
            Some(hours) if self.flattened <= session && !hours.windows.is_empty() => {
                hours.end.plus_us(-flatten_us)
            }
            _ => Timestamp::MAX,
        }
    }
}
