//! Minutes into strategy bars, ticks into minutes (rules 1.5 and 2). A bar is closed by time that
//! has passed, never by the arrival of the next bar, and a minute that is not there is not made up.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::fact::{Bar, Bar15m, Tick};
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp};

/// Strategy bars of one instrument that are not closed yet, oldest first. There is more than one
/// only while the watermark lags behind the bars.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Buckets {
    open: VecDeque<Bar15m>,
}

/// Where a minute belongs: its quarter's label, end and number of trading minutes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Quarter {
    /// Start of the quarter.
    pub open_time: Timestamp,
    /// Start of the next one.
    pub end: Timestamp,
    /// When continuous trading in the quarter is over.
    pub close_time: Timestamp,
    /// Minutes of continuous trading in the quarter.
    pub minutes_expected: u32,
}

impl Buckets {
    /// Adds a minute to the bar of `quarter`. Minutes come in ascending order.
    #[inline]
    pub fn add(&mut self, bar: &Bar, quarter: &Quarter) {
        if let Some(last) = self.open.back_mut()
            && last.open_time == quarter.open_time
        {
            last.high = last.high.max(bar.high);
            last.low = last.low.min(bar.low);
            last.close = bar.close;
            last.volume = last.volume.plus(bar.volume);
            last.minutes += 1;
            return;
        }
        self.open.push_back(Bar15m {
            instrument: bar.instrument,
            open_time: quarter.open_time,
            close_time: quarter.close_time,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            minutes: 1,
            minutes_expected: quarter.minutes_expected,
        });
    }

    /// When the oldest open bar closes.
    pub fn next_close(&self) -> Timestamp {
        self.open.front().map_or(Timestamp::MAX, |bar| bar.close_time)
    }

    /// The oldest open bar, if it closes at `time`.
    pub fn pop(&mut self, time: Timestamp) -> Option<Bar15m> {
        if self.next_close() == time { self.open.pop_front() } else { None }
    }
}

/// Minutes of one instrument that ticks are still being added to, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TickMinutes {
    open: VecDeque<Bar>,
}

impl TickMinutes {
    /// Adds a tick to its minute. Ticks may come in any order within what the watermark allows.
    pub fn add(&mut self, tick: &Tick) {
        let open_time = tick.time.floor_to(MINUTE_US);
        let place = self.open.partition_point(|bar| bar.open_time < open_time);
        match self.open.get_mut(place).filter(|bar| bar.open_time == open_time) {
            Some(bar) => {
                bar.high = bar.high.max(tick.price);
                bar.low = bar.low.min(tick.price);
                bar.close = tick.price;
                bar.volume = bar.volume.plus(tick.volume);
            }
            None => self.open.insert(place, first_of_minute(tick, open_time)),
        }
    }

    /// When the oldest open minute closes.
    pub fn next_close(&self) -> Timestamp {
        self.open.front().map_or(Timestamp::MAX, Bar::close_time)
    }

    /// The oldest open minute, if it closes at `time`.
    pub fn pop(&mut self, time: Timestamp) -> Option<Bar> {
        if self.next_close() == time { self.open.pop_front() } else { None }
    }
}

fn first_of_minute(tick: &Tick, open_time: Timestamp) -> Bar {
    let Tick { instrument, price, volume, .. } = *tick;
    let (open, high, low, close): (Price, Price, Price, Price) = (price, price, price, price);
    let volume: Qty = volume;
    Bar { instrument, open_time, open, high, low, close, volume }
}
