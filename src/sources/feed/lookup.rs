//! Answers of the archive, as minutes that complete the day.

use std::collections::BTreeMap;

use crate::domain::event::Input;
use crate::domain::fact::{Backfill, BackfillOrigin, Bar, NoticeKind};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::super::upstox::candles::{Candles, is_closing_copy};
use super::super::upstox::fetch::CandleReply;
use super::super::upstox::value::Minute;
use super::archive::{Archive, Settled};
use super::{Feed, Told, id};

impl Feed {
    pub(super) fn candles(&mut self, reply: &CandleReply, now_us: i64, told: &mut Told) {
        let Some(place) = self.places.get(&reply.request.key).copied() else { return };
        if !self.archive.answered(place, reply.request.id) {
            return;
        }
        match &reply.result {
            Ok(candles) => self.complete(place, candles, now_us, told),
            Err(error) => {
                let detail = format!("the archive of the day did not answer: {error}");
                self.notice(NoticeKind::Archive, Some(id(place)), &detail, now_us, told);
            }
        }
    }

    pub(super) fn complete(
        &mut self,
        place: usize,
        candles: &Candles,
        now_us: i64,
        told: &mut Told,
    ) {
        let now = self.clock.now(now_us);
        // The minute that runs may be in the answer, unfinished.
        let sound = |minute: &&Minute| minute.close_time() <= now && !is_closing_copy(minute);
        let found: BTreeMap<Timestamp, &Minute> =
            candles.minutes.iter().filter(sound).map(|it| (it.open_time, it)).collect();
        let newest = found.keys().next_back().copied().unwrap_or(Timestamp::MIN);
        let wanted: Vec<Timestamp> = self.archive.wanted(place).collect();
        for open_time in wanted.into_iter().filter(|minute| minute.0 + MINUTE_US <= now.0) {
            let minute = found.get(&open_time);
            match Archive::settles(open_time, minute.is_some(), newest, now) {
                Settled::Open => continue,
                Settled::Empty => {}
                Settled::Found => {
                    let Some(minute) = minute else { continue };
                    self.health.backfilled += 1;
                    let (bar, origin) = (bar(place, minute), BackfillOrigin::Intraday);
                    told.inputs.push(Input::Backfill(Backfill { bar, origin }));
                }
            }
            self.archive.got(place, open_time);
        }
    }
}

fn bar(place: usize, minute: &Minute) -> Bar {
    let Minute { open_time, open, high, low, close, volume } = *minute;
    Bar { instrument: id(place), open_time, open, high, low, close, volume }
}
