//! Answers of the archive, as minutes that complete the day.

use std::collections::BTreeMap;

use crate::domain::event::Input;
use crate::domain::fact::{Backfill, BackfillOrigin, Bar, NoticeKind};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::super::upstox::candles::{Candles, is_closing_copy};
use super::super::upstox::fetch::{CandleReply, CandleRequest, CandleSpan};
use super::super::upstox::socket::Say;
use super::super::upstox::value::Minute;
use super::archive::{Archive, Settled};
use super::clock::Pace;
use super::{Feed, Told, id};

impl Feed {
    pub(super) fn candles(&mut self, reply: &CandleReply, now_us: i64, told: &mut Told) {
        let Some(place) = self.places.get(&reply.request.key).copied() else { return };
        if !self.archive.answered(place, reply.request.id) {
            return;
        }
        match &reply.result {
            Ok(candles) => {
                let is_today = reply.request.what == CandleSpan::Intraday;
                if is_today && self.has_moved_on(candles, now_us) {
                    return self.ask_history(place, now_us, told);
                }
                let origin = match is_today {
                    true => BackfillOrigin::Intraday,
                    false => BackfillOrigin::Historical,
                };
                self.complete(place, (candles, origin), now_us, told);
            }
            Err(error) => {
                let detail = format!("the archive of the day did not answer: {error}");
                self.notice(NoticeKind::Archive, Some(id(place)), &detail, now_us, told);
            }
        }
    }

    /// Whether the broker's day is another one than that of the run, so that what it has of the
    /// run's day is history: a stand-in may be ahead, and nobody's answer is quicker than midnight.
    fn has_moved_on(&self, candles: &Candles, now_us: i64) -> bool {
        let date = self.clock.now(now_us).date();
        let has_day = candles.minutes.iter().any(|minute| minute.open_time.date() == date);
        !has_day && (!candles.minutes.is_empty() || self.settings.pace == Pace::ByFrames)
    }

    fn ask_history(&mut self, place: usize, now_us: i64, told: &mut Told) {
        let date = self.clock.now(now_us).date();
        let what = CandleSpan::Historical { first: date, last: date };
        let (id, key) = (self.archive.ask_again(place), self.keys[place].clone());
        told.says.push(Say::Fetch(CandleRequest { id, key, what }));
    }

    fn complete(
        &mut self,
        place: usize,
        (candles, origin): (&Candles, BackfillOrigin),
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
                    let bar = bar(place, minute);
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
