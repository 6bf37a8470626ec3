//! When there is anything to hear: the continuous trading of each instrument, and of the run.

use crate::domain::event::RunStarted;
use crate::domain::time::{MINUTE_US, Timestamp, Window};

/// The hours of a run.
#[derive(Clone, Debug)]
pub struct Hours {
    /// Windows of continuous trading by instrument, ascending over all sessions.
    lanes: Vec<Vec<Window>>,
    /// From the first open to the last close of each session, over all instruments.
    sessions: Vec<Window>,
}

impl Hours {
    /// The hours that the run's description has.
    pub fn new(run: &RunStarted) -> Hours {
        let lane = |instrument| {
            let windows = run.sessions.iter().flat_map(|session| session.windows_of(instrument));
            windows.copied().collect::<Vec<Window>>()
        };
        let lanes: Vec<Vec<Window>> = run.instruments.iter().map(lane).collect();
        let session = |session: &crate::domain::session::Session| {
            let of = run.instruments.iter().map(|instrument| session.windows_of(instrument));
            let open = of.clone().filter_map(|windows| windows.first()).map(|it| it.open).min()?;
            let close = of.filter_map(|windows| windows.last()).map(|it| it.close).max()?;
            Some(Window { open, close })
        };
        Hours { lanes, sessions: run.sessions.iter().filter_map(session).collect() }
    }

    /// The hours of one instrument with these windows, each a session.
    #[cfg(test)]
    pub fn of(windows: Vec<Window>) -> Hours {
        Hours { lanes: vec![windows.clone()], sessions: windows }
    }

    /// The latest whole minute at or before `time` that is worth a watermark: inside a session, or
    /// the end of the last one. None before the first.
    pub fn mark(&self, time: Timestamp) -> Option<Timestamp> {
        let minute = time.floor_to(MINUTE_US);
        let begun = self.sessions.iter().rfind(|session| session.open < minute)?;
        Some(minute.min(begun.close))
    }

    /// The end of the session in which `time` lies or that is the next; none after the last.
    pub fn session_end(&self, time: Timestamp) -> Option<Timestamp> {
        self.sessions.iter().map(|session| session.close).find(|end| time <= *end)
    }

    /// When the session that is not over at `time` begins.
    pub fn session_open(&self, time: Timestamp) -> Option<Timestamp> {
        self.sessions.iter().find(|session| time <= session.close).map(|session| session.open)
    }

    /// When the first session begins that had not begun at `time`.
    pub fn next_open(&self, time: Timestamp) -> Option<Timestamp> {
        self.sessions.iter().map(|session| session.open).find(|open| time < *open)
    }

    /// When the last session is over.
    pub fn end(&self) -> Option<Timestamp> {
        self.sessions.last().map(|session| session.close)
    }

    /// Whether the instrument trades continuously at `time`.
    pub fn is_open(&self, lane: usize, time: Timestamp) -> bool {
        let windows = &self.lanes[lane];
        let next = windows.partition_point(|window| window.close <= time);
        windows.get(next).is_some_and(|window| window.open <= time)
    }

    /// Whether any instrument does.
    pub fn is_any_open(&self, time: Timestamp) -> bool {
        (0..self.lanes.len()).any(|lane| self.is_open(lane, time))
    }

    /// Whether anything traded continuously in all of `[from, to)`.
    pub fn has_trading(&self, lane: usize, from: Timestamp, to: Timestamp) -> bool {
        self.overlaps(lane, from, to).next().is_some()
    }

    /// The start of the window of the instrument that is open at `time` or was the last on its day.
    pub fn opened(&self, lane: usize, time: Timestamp) -> Option<Timestamp> {
        let begun = |window: &&Window| window.open <= time && window.open.date() == time.date();
        self.lanes[lane].iter().find(begun).map(|window| window.open)
    }

    /// The end of the instrument's continuous trading on the day of `end`, as far as that is over.
    pub fn closed(&self, lane: usize, end: Timestamp) -> Option<Timestamp> {
        let over = |window: &&Window| window.close <= end && window.close.date() == end.date();
        self.lanes[lane].iter().rev().find(over).map(|window| window.close)
    }

    /// Minutes of continuous trading that share time with `[from, to)`.
    pub fn minutes(
        &self,
        lane: usize,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Timestamp> {
        self.overlaps(lane, from, to).flat_map(move |window| {
            let first = window.open.max(from.floor_to(MINUTE_US));
            let last = window.close.min(to);
            (0..).map(move |count| first.plus_minutes(count)).take_while(move |it| *it < last)
        })
    }

    fn overlaps(
        &self,
        lane: usize,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = &Window> {
        let windows = &self.lanes[lane];
        let first = windows.partition_point(|window| window.close <= from);
        windows[first..].iter().take_while(move |window| window.open < to)
    }
}
