//! One instrument's trades as the feed tells them: which are new, which were missed.

use std::collections::VecDeque;

use crate::domain::fact::Tick;
use crate::domain::money::Qty;
use crate::domain::time::{Date, Timestamp};

/// Ticks that are remembered, to know a repeated one.
const RECENT: usize = 64;

/// What is known of one instrument.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The newest trade.
    pub last: Option<Tick>,
    /// Up to when nothing was missed, as far as anybody can tell.
    pub whole_until: Timestamp,
    /// Up to when the feed told where the instrument stands: its last trade until then is known.
    pub said_until: Timestamp,
    /// Whether the feed was away since the last trade, so that the next one tells what was missed.
    pub is_behind: bool,
    recent: VecDeque<Tick>,
    /// Ticks whose minute is not closed yet, in order.
    waiting: Vec<Tick>,
    /// Up to when each trade was heard, and what was traded that day until then.
    chain: (Timestamp, Qty),
}

/// Between which times trades were missed.
pub type Missed = (Timestamp, Timestamp);

fn order(tick: &Tick) -> (Timestamp, Qty) {
    (tick.time, tick.day_volume)
}

impl Lane {
    /// An instrument of which nothing is known since `since`.
    pub fn new(since: Timestamp) -> Lane {
        Lane {
            last: None,
            whole_until: since,
            said_until: Timestamp::MIN,
            is_behind: true,
            recent: VecDeque::with_capacity(RECENT),
            waiting: Vec::new(),
            chain: (Timestamp::MIN, Qty::ZERO),
        }
    }

    /// Whether this very tick was heard before.
    pub fn knows(&self, tick: &Tick) -> bool {
        self.recent.contains(tick)
    }

    /// Shares that were traded on `date`, as far as was heard.
    pub fn traded(&self, date: Date) -> Qty {
        let of_day = self.last.filter(|last| last.time.date() == date);
        of_day.map_or(Qty::ZERO, |last| last.day_volume)
    }

    /// Whether trades were missed between the newest one and `tick`.
    pub fn misses_before(&self, tick: &Tick) -> bool {
        let known = self.traded(tick.time.date());
        tick.day_volume > known && tick.day_volume.0 - tick.quantity.0 > known.0
    }

    /// Takes note of a tick.
    pub fn take(&mut self, tick: &Tick, watches_each: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(*tick);
        if self.last.is_none_or(|last| order(&last) < order(tick)) {
            self.last = Some(*tick);
        }
        if watches_each && order(tick) > self.chain {
            let place = self.waiting.partition_point(|waiting| order(waiting) < order(tick));
            self.waiting.insert(place, *tick);
        }
    }

    /// Whether the minutes up to `watermark` should not be closed yet: the first trade behind it
    /// does not follow on the last before it, and whatever lies between may still be on its way, as
    /// it is later than `settled`.
    pub fn is_unclear(&self, watermark: Timestamp, settled: Timestamp) -> bool {
        let due = self.waiting.partition_point(|tick| tick.time < watermark);
        let Some(next) = self.waiting.get(due).filter(|tick| tick.time > settled) else {
            return false;
        };
        let before = due.checked_sub(1).map(|place| &self.waiting[place]).map(order);
        let (_, traded) = before.unwrap_or(self.chain).max(self.chain);
        let is_same_day = self.chain.0.date() == next.time.date();
        next.day_volume.0 - next.quantity.0 > if is_same_day { traded.0 } else { 0 }
    }

    /// Before the minutes up to `watermark` are closed: between which times trades were left out
    /// by a feed that tells each of them. Later ticks within the allowed lateness have come by now.
    pub fn missed_until(&mut self, watermark: Timestamp, open: Option<Timestamp>) -> Vec<Missed> {
        let mut missed = Vec::new();
        // One tick behind the watermark still says whether something is missing before it.
        let due = self.waiting.partition_point(|tick| tick.time < watermark);
        for place in 0..self.waiting.len().min(due + 1) {
            let tick = self.waiting[place];
            if self.chain.0.date() != tick.time.date() {
                self.chain = (open.unwrap_or(tick.time).min(tick.time), Qty::ZERO);
            }
            let before = Qty((tick.day_volume.0 - tick.quantity.0).max(0));
            if before > self.chain.1 {
                missed.push((self.chain.0, tick.time.plus_us(1)));
                self.chain = (tick.time, before);
            }
            if place < due {
                self.chain = (tick.time, self.chain.1.max(tick.day_volume));
            }
        }
        self.waiting.drain(..due);
        missed
    }

    /// What was missed is known by other means: the chain goes on from the newest trade.
    pub fn mend(&mut self) {
        if let Some(last) = self.last {
            self.chain = order(&last);
            self.waiting.retain(|tick| order(tick) > order(&last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::Price;

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2024-10-01T{clock}")).unwrap()
    }

    fn tick(clock: &str, quantity: i64, day_volume: i64) -> Tick {
        let (quantity, day_volume) = (Qty(quantity), Qty(day_volume));
        Tick { instrument: InstrumentId(0), time: at(clock), price: Price(1), quantity, day_volume }
    }

    #[test]
    fn a_trade_that_was_left_out_is_noticed_when_its_minute_closes() {
        let mut lane = Lane::new(at("09:00"));
        let open = Some(at("09:15"));
        for it in [tick("09:15:01", 5, 5), tick("09:15:40", 5, 15), tick("09:15:20", 5, 10)] {
            lane.take(&it, true);
        }
        assert_eq!(lane.missed_until(at("09:16"), open), []);
        lane.take(&tick("09:17:10", 5, 30), true);
        let missed = lane.missed_until(at("09:17"), open);
        assert_eq!(missed, [(at("09:15:40"), at("09:17:10").plus_us(1))]);
        assert_eq!(lane.missed_until(at("09:18"), open), [], "it is told once");
    }

    #[test]
    fn the_first_trade_after_a_pause_tells_whether_others_were_missed() {
        let mut lane = Lane::new(at("09:00"));
        assert!(!lane.misses_before(&tick("09:15:01", 5, 5)));
        assert!(lane.misses_before(&tick("09:15:01", 5, 6)));
        lane.take(&tick("09:15:01", 5, 100), false);
        assert!(!lane.misses_before(&tick("09:15:01", 5, 100)), "the same again");
        assert!(!lane.misses_before(&tick("09:20:00", 7, 107)));
        assert!(lane.misses_before(&tick("09:20:00", 6, 107)));
    }
}
