//! Trading time, as the run's sessions have it: how much of it lies between two instants, and when
//! the next strategy bar is over.

use serde::{Deserialize, Serialize};

use crate::domain::event::RunStarted;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

/// The windows in which the run's instruments trade, ascending, with the width of a strategy bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// One list for each group of instruments with the same hours.
    groups: Vec<Vec<Window>>,
    /// Each instrument's place in `groups`.
    group_of: Vec<usize>,
    bar_us: i64,
}

impl Hours {
    /// The hours of a run.
    pub fn of(run: &RunStarted) -> Hours {
        let mut groups: Vec<Vec<Window>> = Vec::new();
        let mut group_of = Vec::new();
        for instrument in &run.instruments {
            let windows = run.sessions.iter().flat_map(|session| session.windows_of(instrument));
            let windows: Vec<Window> = windows.copied().collect();
            let place = groups.iter().position(|group| *group == windows);
            group_of.push(place.unwrap_or_else(|| {
                groups.push(windows);
                groups.len() - 1
            }));
        }
        let bar_us = i64::from(run.config.strategy.bar_minutes).max(1) * MINUTE_US;
        Hours { groups, group_of, bar_us }
    }

    /// Width of a strategy bar, in microseconds.
    pub const fn bar_us(&self) -> i64 {
        self.bar_us
    }

    fn windows(&self, instrument: usize) -> &[Window] {
        let group = self.group_of.get(instrument).and_then(|place| self.groups.get(*place));
        group.map_or(&[], Vec::as_slice)
    }

    /// Microseconds in which the instrument traded between two instants.
    pub fn traded_us(&self, instrument: usize, from: Timestamp, to: Timestamp) -> i64 {
        let windows = self.windows(instrument);
        let first = windows.partition_point(|window| window.close <= from);
        let inside = windows[first..].iter().take_while(|window| window.open < to);
        inside.map(|window| window.close.min(to).0 - window.open.max(from).0).sum()
    }

    /// Whether any instrument trades at that instant.
    pub fn is_open(&self, time: Timestamp) -> bool {
        self.groups.iter().any(|group| {
            let first = group.partition_point(|window| window.close <= time);
            group.get(first).is_some_and(|window| window.contains(time))
        })
    }

    /// Starts of the strategy bars of a day, of any instrument, ascending.
    pub fn bars_of(&self, day: Date) -> Vec<Timestamp> {
        let windows = self.groups.iter().flatten().filter(|window| window.open.date() == day);
        let mut starts = Vec::new();
        for window in windows {
            let mut start = window.open.floor_to(self.bar_us);
            while start < window.close {
                starts.push(start);
                start = start.plus_us(self.bar_us);
            }
        }
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// When the next strategy bar of any instrument is over, after that instant.
    pub fn next_bar(&self, time: Timestamp) -> Option<Timestamp> {
        let next = |group: &Vec<Window>| {
            let first = group.partition_point(|window| window.close <= time);
            let window = group.get(first)?;
            let bar = time.max(window.open).floor_to(self.bar_us);
            Some(bar.plus_us(self.bar_us).min(window.close))
        };
        self.groups.iter().filter_map(next).min()
    }
}
