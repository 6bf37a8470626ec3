//! What the feed says of an instrument, as ticks and gaps.

use crate::domain::event::Input;
use crate::domain::fact::{Gap, NoticeKind, Tick};
use crate::domain::money::Qty;
use crate::domain::time::{MINUTE_US, Timestamp};

use super::super::upstox::frame::{FrameKind, KeyQuote};
use super::{Feed, Told, id};

/// What holds for all that a message says.
#[derive(Clone, Copy)]
pub(super) struct Message {
    /// What it is.
    pub kind: FrameKind,
    /// Up to when it tells all that there was.
    pub said: Timestamp,
    /// The exchange's time when it was heard.
    pub now: Timestamp,
}

impl Feed {
    pub(super) fn quote(
        &mut self,
        quote: &KeyQuote,
        message: Message,
        now_us: i64,
        told: &mut Told,
    ) {
        let Some(place) = self.places.get(&quote.key).copied() else { return };
        if self.link.hear(place) {
            let detail = format!("{} keys", self.keys.len());
            self.notice(NoticeKind::FeedUp, None, &detail, now_us, told);
        }
        if let Some(minute) = quote.minute {
            told.minutes.push((id(place), minute));
        }
        let Some(trade) = quote.trade else { return };
        let tick = Tick {
            instrument: id(place),
            time: trade.time,
            price: trade.price,
            quantity: trade.quantity,
            day_volume: quote.day_volume.unwrap_or(Qty::ZERO),
        };
        self.trade(place, &tick, message, told);
    }

    pub(super) fn trade(
        &mut self,
        place: usize,
        tick: &Tick,
        Message { kind, said, now }: Message,
        told: &mut Told,
    ) {
        if tick.time.date() != now.date() {
            // A snapshot tells the last trade, whenever that was. Nothing of today was missed.
            self.health.stale += 1;
            self.lanes[place].is_behind = false;
            return;
        }
        let was_missed = self.catch_up(place, tick, said, told);
        let lane = &mut self.lanes[place];
        if lane.knows(tick) {
            self.health.repeated += 1;
            return;
        }
        lane.take(tick, self.settings.tells_each_trade);
        if was_missed {
            lane.mend();
        }
        // What a snapshot tells of closed minutes is no news of them; but it says how much was
        // traded until then, which is no part of the minutes that follow.
        if tick.time < self.watermark && kind != FrameKind::Snapshot {
            self.health.late += 1;
            self.archive.want(place, tick.time.floor_to(MINUTE_US));
        }
        self.health.ticks += 1;
        told.inputs.push(Input::Tick(*tick));
    }

    /// After a pause, the first trade tells whether others were missed. Whether so.
    pub(super) fn catch_up(
        &mut self,
        place: usize,
        tick: &Tick,
        said: Timestamp,
        told: &mut Told,
    ) -> bool {
        let lane = &mut self.lanes[place];
        if !lane.is_behind {
            return false;
        }
        lane.is_behind = false;
        lane.whole_until = lane.whole_until.max(said);
        // A new trade of a minute that was closed without it was missed itself.
        let was_closed =
            tick.time < self.watermark && tick.day_volume > lane.traded(tick.time.date());
        if !was_closed && !lane.misses_before(tick) {
            return false;
        }
        // They lie between the last trade that was heard and this one.
        let date = tick.time.date();
        let last = lane.last.filter(|last| last.time.date() == date).map(|last| last.time);
        let from = last.or_else(|| self.hours.opened(place, tick.time)).unwrap_or(tick.time);
        self.gap(place, from, tick.time.plus_us(1), told);
        true
    }

    pub(super) fn gap(&mut self, place: usize, from: Timestamp, to: Timestamp, told: &mut Told) {
        if from < to && self.hours.has_trading(place, from, to) {
            let gap = Gap { instrument: id(place), from, to };
            self.health.gaps += 1;
            self.want(&gap);
            told.inputs.push(Input::Gap(gap));
        }
    }

    pub(super) fn want(&mut self, gap: &Gap) {
        let place = gap.instrument.index();
        for minute in self.hours.minutes(place, gap.from, gap.to) {
            self.archive.want(place, minute);
        }
    }
}
