//! Minutes that were missed and that the broker's archive may have: which, when to ask, and what an
//! answer settles.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::time::{Date, MINUTE_US, SECOND_US, Timestamp};

/// How long after a minute the archive surely has it, if it ever will.
const SETTLED_US: i64 = 180 * SECOND_US;
/// How often an instrument's archive is asked in vain before its minutes are given up.
const IN_VAIN_MAX: u32 = 20;

/// What is wanted from the archive.
#[derive(Clone, Debug)]
pub struct Archive {
    /// How long after a minute it is asked for, and how long until it is asked for again.
    delay_us: i64,
    again_us: i64,
    /// Minutes that are wanted, by instrument.
    wanted: BTreeSet<(usize, Timestamp)>,
    asks: BTreeMap<usize, Ask>,
    next_id: u64,
}

/// What was asked about one instrument.
#[derive(Clone, Copy, Debug)]
struct Ask {
    id: u64,
    at: Timestamp,
    is_open: bool,
    /// Answers in a row that did not help, this one not counted.
    in_vain: u32,
}

/// What an answer means for one wanted minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is in the answer.
    Found,
    /// Nothing was traded in it.
    Empty,
    /// It may come yet.
    Open,
}

impl Archive {
    /// Nothing is wanted.
    pub fn new(delay_us: i64, again_us: i64) -> Archive {
        let (wanted, asks) = (BTreeSet::new(), BTreeMap::new());
        Archive { delay_us, again_us, wanted, asks, next_id: 0 }
    }

    /// A minute is wanted.
    pub fn want(&mut self, lane: usize, minute: Timestamp) {
        self.wanted.insert((lane, minute));
    }

    /// A minute is there.
    pub fn got(&mut self, lane: usize, minute: Timestamp) {
        self.wanted.remove(&(lane, minute));
        if let Some(ask) = self.asks.get_mut(&lane) {
            ask.in_vain = 0;
        }
    }

    /// Whether anything of that day is wanted.
    pub fn wants(&self, date: Date) -> bool {
        self.wanted.iter().any(|(_, minute)| minute.date() == date)
    }

    /// Whether an answer is on its way.
    pub fn is_asked(&self) -> bool {
        self.asks.values().any(|ask| ask.is_open)
    }

    /// What is wanted of one instrument.
    pub fn wanted(&self, lane: usize) -> impl Iterator<Item = Timestamp> {
        let all = (lane, Timestamp::MIN)..=(lane, Timestamp::MAX);
        self.wanted.range(all).map(|(_, minute)| *minute)
    }

    /// Forgets what is wanted of that day and before: its session is over. How much that was.
    pub fn forget(&mut self, date: Date) -> usize {
        let before = self.wanted.len();
        self.wanted.retain(|(_, minute)| minute.date() > date);
        self.asks.values_mut().for_each(|ask| ask.in_vain = 0);
        before - self.wanted.len()
    }

    /// The instruments to ask about now, each with the number of its question.
    pub fn due(&mut self, now: Timestamp) -> Vec<(usize, u64)> {
        let mut due = Vec::new();
        let is_ripe = |minute: &Timestamp| minute.0 + MINUTE_US + self.delay_us <= now.0;
        let mut lanes: Vec<usize> =
            self.wanted.iter().filter(|(_, minute)| is_ripe(minute)).map(|it| it.0).collect();
        lanes.dedup();
        for lane in lanes {
            let last = self.asks.get(&lane).copied();
            let in_vain = last.map_or(0, |ask| ask.in_vain);
            let waits = |ask: Ask| ask.is_open || now.0 < ask.at.0 + self.again_us;
            if last.is_some_and(waits) || in_vain >= IN_VAIN_MAX {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            self.asks.insert(lane, Ask { id, at: now, is_open: true, in_vain: in_vain + 1 });
            due.push((lane, id));
        }
        due
    }

    /// An answer has come. Whether it is one to an open question.
    pub fn answered(&mut self, lane: usize, id: u64) -> bool {
        match self.asks.get_mut(&lane) {
            Some(ask) if ask.id == id && ask.is_open => {
                ask.is_open = false;
                true
            }
            _ => false,
        }
    }

    /// The last question is put to somebody else, under the number that is given back.
    pub fn ask_again(&mut self, lane: usize) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(ask) = self.asks.get_mut(&lane) {
            (ask.id, ask.is_open) = (id, true);
        }
        id
    }

    /// What an answer whose newest minute is `newest` says about a wanted one.
    pub fn settles(minute: Timestamp, has: bool, newest: Timestamp, now: Timestamp) -> Settled {
        if has {
            Settled::Found
        } else if minute < newest || minute.0 + MINUTE_US + SETTLED_US <= now.0 {
            Settled::Empty
        } else {
            Settled::Open
        }
    }

    /// When a question will be due; none while nothing is wanted.
    pub fn next(&self) -> Option<Timestamp> {
        let ripe = |(lane, minute): &(usize, Timestamp)| {
            let ripe = minute.plus_us(MINUTE_US + self.delay_us);
            match self.asks.get(lane) {
                Some(ask) if ask.is_open || ask.in_vain >= IN_VAIN_MAX => None,
                Some(ask) => Some(ripe.max(ask.at.plus_us(self.again_us))),
                None => Some(ripe),
            }
        };
        self.wanted.iter().filter_map(ripe).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2024-10-01T{clock}")).unwrap()
    }

    #[test]
    fn the_archive_is_asked_when_it_can_know_and_not_twice_at_once() {
        let mut archive = Archive::new(5 * SECOND_US, 30 * SECOND_US);
        archive.want(1, at("10:07"));
        archive.want(1, at("10:08"));
        assert_eq!(archive.due(at("10:08:04")), []);
        assert_eq!(archive.next(), Some(at("10:08:05")));
        assert_eq!(archive.due(at("10:08:05")), [(1, 0)]);
        assert_eq!(archive.due(at("10:12")), [], "the answer is on its way");
        assert!(!archive.answered(1, 9) && archive.answered(1, 0) && !archive.answered(1, 0));
        archive.got(1, at("10:07"));
        assert_eq!(archive.due(at("10:08:34")), [], "so soon again");
        assert_eq!(archive.due(at("10:09:06")), [(1, 1)]);
        assert_eq!(archive.wanted(1).collect::<Vec<_>>(), [at("10:08")]);
        assert_eq!((archive.forget(at("10:08").date()), archive.next()), (1, None));
    }

    #[test]
    fn a_minute_that_later_ones_passed_had_no_trade() {
        let says = |has, newest, now| Archive::settles(at("10:07"), has, at(newest), at(now));
        assert_eq!(says(true, "10:07", "10:09"), Settled::Found);
        assert_eq!(says(false, "10:08", "10:09"), Settled::Empty);
        assert_eq!(says(false, "10:06", "10:09"), Settled::Open);
        assert_eq!(says(false, "10:06", "10:11"), Settled::Empty);
    }
}
