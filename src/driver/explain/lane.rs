//! What was recorded of one instrument: its minutes, its bars as they were told, and what happened
//! to the strategy's memory between them.

use std::collections::BTreeMap;

use crate::core::aggregate::Known;
use crate::core::strategy::Strategy;
use crate::domain::event::EventId;
use crate::domain::fact::{Bar, Bar15m, Gap, RejectReason, Signal};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;

use super::QUARTER_US;

/// What was recorded of one instrument, in order.
#[derive(Clone, Default)]
pub(super) struct Lane {
    pub(super) minutes: Vec<(EventId, Bar)>,
    pub(super) bars: Vec<Told>,
    /// The bars as they are now, those included that an archive made after their time.
    pub(super) now: Vec<Bar15m>,
    /// What happened to the strategy's memory since the last bar.
    pub(super) pending: Vec<Memory>,
    /// Starts of bars that hold a minute from an archive and are not told yet.
    patched: Vec<(EventId, Timestamp)>,
    /// When trades of the session may be missing.
    pub(super) gaps: Vec<Gap>,
}

/// What happens to the strategy's memory of an instrument besides its bars.
#[derive(Clone)]
pub(super) enum Memory {
    /// From now on bars may be completed after they were told.
    KeepDays,
    /// A bar is this one now.
    Revise(Bar15m),
    /// The trading day is over.
    SessionOver,
}

/// A strategy bar with what came of it.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) id: EventId,
    pub(super) known: Timestamp,
    pub(super) bar: Bar15m,
    /// What happened to the strategy's memory since the bar before it.
    pub(super) memory: Vec<Memory>,
    /// The close of the bar before it, as it was then.
    pub(super) before: Option<Price>,
    /// How many bars the strategy had seen.
    pub(super) seen: usize,
    /// Whether it held what was not known at its time.
    pub(super) is_patched: bool,
    pub(super) signal: Option<(EventId, Signal)>,
    pub(super) declined: Option<RejectReason>,
}

impl Told {
    /// The bar as the strategy was told it.
    pub(super) const fn known(&self) -> Known {
        Known { bar: self.bar, is_patched: self.is_patched }
    }
}

impl Memory {
    pub(super) fn happen(&self, strategy: &mut Strategy) {
        match self {
            Memory::KeepDays => strategy.keep_days(),
            Memory::SessionOver => strategy.session_over(),
            Memory::Revise(bar) => {
                strategy.revise(bar);
                // What the indicators become is in the journal; here only the memory counts.
                strategy.retell(|_, _| {});
            }
        }
    }
}

impl Lane {
    pub(super) fn told(&mut self, id: EventId, known: Timestamp, bar: &Bar15m) {
        let has = |gap: &Gap| gap.from < bar.close_time && bar.open_time < gap.to;
        let is_archived = self.patched.iter().any(|(_, label)| *label == bar.open_time);
        let is_patched = is_archived || self.gaps.iter().any(has);
        self.patched.retain(|(_, label)| *label > bar.open_time);
        self.bars.push(Told {
            id,
            known,
            bar: *bar,
            memory: std::mem::take(&mut self.pending),
            before: self.now.last().map(|bar| bar.close),
            seen: self.now.len(),
            is_patched,
            signal: None,
            declined: None,
        });
        self.now.push(*bar);
    }

    pub(super) fn revised(&mut self, bar: &Bar15m) {
        self.pending.push(Memory::Revise(*bar));
        let place = self.now.partition_point(|now| now.open_time < bar.open_time);
        match self.now.get_mut(place).filter(|now| now.open_time == bar.open_time) {
            Some(now) => *now = *bar,
            None => self.now.insert(place, *bar),
        }
    }

    pub(super) fn session_over(&mut self) {
        self.pending.push(Memory::SessionOver);
        self.gaps.clear();
    }

    /// An archive says what a minute was.
    pub(super) fn backfilled(&mut self, id: EventId, bar: &Bar) {
        self.minutes.push((id, *bar));
        self.patched.push((id, bar.open_time.floor_to(QUARTER_US)));
    }

    /// What came with that input was refused. A minute of ticks that was refused is in no list.
    pub(super) fn refused(&mut self, seq: u64) {
        let input = EventId::input(seq);
        self.minutes.pop_if(|(id, _)| *id == input);
        self.patched.pop_if(|(id, _)| *id == input);
    }

    /// The bars up to that place, and of the last one all there is.
    pub(super) fn excerpt(&self, place: usize) -> Lane {
        let bar = &self.bars[place].bar;
        let is_of_bar = |minute: &Bar| minute.open_time.floor_to(QUARTER_US) == bar.open_time;
        let minutes = self.minutes.iter().filter(|(_, minute)| is_of_bar(minute));
        let now = self.now.iter().filter(|now| now.open_time == bar.open_time);
        Lane {
            minutes: minutes.copied().collect(),
            bars: self.bars[..=place].to_vec(),
            now: now.copied().collect(),
            ..Lane::default()
        }
    }

    /// The minutes of a bar that were there when it was told; of two accounts of one the later.
    pub(super) fn minutes_of(&self, told: &Told) -> Vec<(EventId, Bar)> {
        let is_of_bar = |minute: &Bar| minute.open_time.floor_to(QUARTER_US) == told.bar.open_time;
        let there = self.minutes.iter().filter(|(id, minute)| *id < told.id && is_of_bar(minute));
        let by_time = there.map(|(id, minute)| (minute.open_time, (*id, *minute)));
        by_time.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}
