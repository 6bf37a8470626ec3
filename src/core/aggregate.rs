//! Minutes into strategy bars, ticks into minutes (rules 1.5, 2 and 7.1). When a bar is known is
//! the profile's rule; a minute that is not there is never made up.

use alloc::collections::VecDeque;
use core::mem::take;

use serde::{Deserialize, Serialize};

use crate::domain::fact::{Bar, Bar15m, Tick};
use crate::domain::money::{Price, QTY_MAX, Qty};
use crate::domain::time::{Date, MINUTE_US, Timestamp};

/// What makes a strategy bar known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Release {
    /// Its quarter is over: a bar is closed by time that has passed.
    AtClose,
    /// The first minute of a later quarter is over, whenever that is: what the Python system does.
    ByLaterMinute,
}

/// Strategy bars of one instrument that are not known yet. There is more than one only while the
/// watermark lags behind the bars.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Buckets {
    release: Release,
    /// The newest bar, in its place: nearly every minute belongs to it.
    newest: Option<Bucket>,
    /// Those before it, oldest first; none where there is no newest one.
    older: VecDeque<Bucket>,
}

/// A strategy bar in the making.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bucket {
    bar: Bar15m,
    /// Close of its first minute.
    begun: Timestamp,
    /// Whether one of its minutes comes from an archive.
    is_patched: bool,
}

/// A strategy bar that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// The bar.
    pub bar: Bar15m,
    /// Whether it holds what was not known at its time: minutes from an archive, or none where
    /// trades may be missing. Such a bar makes no signal.
    pub is_patched: bool,
}

impl Known {
    /// A bar that was seen as it happened.
    pub const fn live(bar: &Bar15m) -> Known {
        Known { bar: *bar, is_patched: false }
    }
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
    /// No bars yet.
    pub fn new(release: Release) -> Buckets {
        Buckets { release, newest: None, older: VecDeque::new() }
    }

    /// Adds a minute to the bar of `quarter`. Minutes come in ascending order.
    #[inline]
    pub fn add(&mut self, bar: &Bar, quarter: &Quarter, is_patched: bool) {
        if let Some(bucket) = &mut self.newest
            && bucket.bar.open_time == quarter.open_time
        {
            let last = &mut bucket.bar;
            bucket.is_patched |= is_patched;
            last.high = last.high.max(bar.high);
            last.low = last.low.min(bar.low);
            last.close = bar.close;
            last.volume = last.volume.plus(bar.volume);
            last.minutes += 1;
            return;
        }
        let begun = bar.close_time();
        self.older.extend(self.newest.take());
        self.newest = Some(Bucket { bar: quarter.begun_by(bar), begun, is_patched });
    }

    /// Puts a bar in the place of the one with its label, or where it belongs among them. `now` is
    /// the watermark: nothing begins in the past.
    pub fn patch(&mut self, bar: Bar15m, now: Timestamp) {
        let mut all = take(&mut self.older);
        all.extend(self.newest.take());
        let place = all.partition_point(|bucket| bucket.bar.open_time < bar.open_time);
        match all.get_mut(place).filter(|bucket| bucket.bar.open_time == bar.open_time) {
            Some(bucket) => *bucket = Bucket { bar, is_patched: true, ..*bucket },
            None => all.insert(place, Bucket { bar, begun: now, is_patched: true }),
        }
        self.newest = all.pop_back();
        self.older = all;
    }

    /// Whether the bar with that label can still come to be known in its time.
    pub fn is_open(&self, quarter: &Quarter, watermark: Timestamp) -> bool {
        match self.release {
            Release::AtClose => quarter.close_time > watermark,
            Release::ByLaterMinute => {
                self.in_order().next().is_none_or(|it| it.bar.open_time <= quarter.open_time)
            }
        }
    }

    /// When the oldest bar is known, as far as that can be said yet.
    #[inline]
    pub fn next_known(&self) -> Timestamp {
        let mut bars = self.in_order();
        let known = match self.release {
            Release::AtClose => bars.next().map(|oldest| oldest.bar.close_time),
            Release::ByLaterMinute => bars.nth(1).map(|later| later.begun),
        };
        known.unwrap_or(Timestamp::MAX)
    }

    /// The oldest bar, if it is known at `time`.
    pub fn pop(&mut self, time: Timestamp) -> Option<Known> {
        if self.next_known() != time {
            return None;
        }
        let known = |Bucket { bar, is_patched, .. }| Known { bar, is_patched };
        self.older.pop_front().or_else(|| self.newest.take()).map(known)
    }

    /// Oldest first.
    #[inline]
    fn in_order(&self) -> impl Iterator<Item = &Bucket> {
        self.older.iter().chain(&self.newest)
    }
}

impl Quarter {
    /// The quarter's bar with nothing but its first minute.
    fn begun_by(&self, bar: &Bar) -> Bar15m {
        Bar15m {
            instrument: bar.instrument,
            open_time: self.open_time,
            close_time: self.close_time,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            minutes: 1,
            minutes_expected: self.minutes_expected,
        }
    }

    /// The quarter's bar from its minutes, ascending; none of none.
    pub fn of_minutes<'a>(&self, minutes: impl Iterator<Item = &'a Bar>) -> Option<Bar15m> {
        let mut whole = Buckets::new(Release::AtClose);
        minutes.for_each(|minute| whole.add(minute, self, true));
        whole.newest.map(|bucket| bucket.bar)
    }
}

/// Minutes of one instrument that ticks are still being added to, oldest first, and how much was
/// traded before them.
///
/// What comes out depends on which ticks came, not on their order, nor on how often each came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TickMinutes {
    open: VecDeque<TickMinute>,
    /// The day that the next field is about.
    day: Date,
    /// Shares traded that day before the open minutes, as far as ticks told.
    traded: Qty,
}

/// A minute in the making.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct TickMinute {
    first: Tick,
    last: Tick,
    high: Price,
    low: Price,
    /// Shares traded that day until then; stale ticks say less than was said before.
    traded: Qty,
    /// Shares of its ticks, each as often as it came: for feeds that do not say the day's volume.
    quantity: Qty,
}

/// Ticks by the exchange's time; of one instant, by what was traded until then.
const fn order(tick: &Tick) -> (Timestamp, Qty, Price) {
    (tick.time, tick.day_volume, tick.price)
}

impl TickMinutes {
    /// Adds a tick to its minute.
    pub fn add(&mut self, tick: &Tick) {
        let open_time = tick.time.floor_to(MINUTE_US);
        let place = self.open.partition_point(|minute| minute.open_time() < open_time);
        match self.open.get_mut(place).filter(|minute| minute.open_time() == open_time) {
            Some(minute) => minute.add(tick),
            None => self.open.insert(place, TickMinute::begun_by(tick)),
        }
    }

    /// Looks at a tick that belongs to no minute, such as the opening auction's: what was traded
    /// then was not traded in the minutes that follow.
    pub fn pass(&mut self, tick: &Tick) {
        let is_before = |minute: &TickMinute| order(tick) < order(&minute.first);
        if self.open.front().is_none_or(is_before) {
            self.trade(tick.time.date(), tick.day_volume);
        }
    }

    /// When the oldest open minute closes.
    pub fn next_close(&self) -> Timestamp {
        self.open.front().map_or(Timestamp::MAX, |minute| minute.open_time().plus_us(MINUTE_US))
    }

    /// The oldest open minute, if it closes at `time`.
    pub fn pop(&mut self, time: Timestamp) -> Option<Bar> {
        if self.next_close() != time {
            return None;
        }
        let minute = self.open.pop_front()?;
        let before = if self.day == minute.first.time.date() { self.traded } else { Qty::ZERO };
        let bar = minute.bar(before);
        self.trade(minute.last.time.date(), minute.traded);
        Some(bar)
    }

    fn trade(&mut self, date: Date, traded: Qty) {
        let before = if self.day == date { self.traded } else { Qty::ZERO };
        if self.day <= date {
            (self.day, self.traded) = (date, before.max(traded));
        }
    }
}

impl TickMinute {
    fn begun_by(tick: &Tick) -> TickMinute {
        let Tick { price, quantity, day_volume: traded, .. } = *tick;
        TickMinute { first: *tick, last: *tick, high: price, low: price, traded, quantity }
    }

    fn add(&mut self, tick: &Tick) {
        self.high = self.high.max(tick.price);
        self.low = self.low.min(tick.price);
        self.traded = self.traded.max(tick.day_volume);
        self.quantity = self.quantity.plus(tick.quantity).min(QTY_MAX);
        if order(tick) < order(&self.first) {
            self.first = *tick;
        }
        if order(tick) > order(&self.last) {
            self.last = *tick;
        }
    }

    const fn open_time(&self) -> Timestamp {
        self.first.time.floor_to(MINUTE_US)
    }

    /// The minute's bar, where so many shares were traded that day `before` it.
    fn bar(&self, before: Qty) -> Bar {
        Bar {
            instrument: self.first.instrument,
            open_time: self.open_time(),
            open: self.first.price,
            high: self.high,
            low: self.low,
            close: self.last.price,
            volume: match self.traded {
                Qty::ZERO => self.quantity,
                traded => Qty((traded.0 - before.0).max(0)),
            },
        }
    }
}
