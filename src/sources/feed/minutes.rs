//! When minutes are over: watermarks, what is said before them, and the end of a session.

use crate::domain::event::Input;
use crate::domain::fact::NoticeKind;
use crate::domain::time::{SECOND_US, Timestamp};

use super::clock::Pace;
use super::{Feed, Told};

/// How long the end of a session waits for the archive.
const SESSION_HOLD_US: i64 = 60 * SECOND_US;

impl Feed {
    /// Closes the minutes that are over.
    pub(super) fn advance(&mut self, now_us: i64, told: &mut Told) {
        if !self.clock.is_settled(!self.link.is_up()) {
            return;
        }
        let now = self.clock.now(now_us);
        // While the feed speaks, its own word is the time; else nothing would close the minutes.
        let heard = match self.link.is_up() && self.hours.is_any_open(now) {
            true if self.settings.pace != Pace::ByFrames => {
                self.data_time.max(self.frame_floor(now))
            }
            _ => now,
        };
        let lateness_us = i64::from(self.settings.lateness_ms) * 1_000;
        let settled = heard.plus_us(-lateness_us);
        while let Some(mark) = self.next_mark(settled) {
            if self.lanes.iter().any(|lane| lane.is_unclear(mark, settled)) {
                return;
            }
            self.tell_missing(mark, told);
            if self.waits_for_archive(mark, now) {
                return;
            }
            self.watermark = mark;
            told.inputs.push(Input::Watermark(mark));
            if self.hours.session_end(mark) == Some(mark) {
                self.session_over(mark, now_us, told);
            }
        }
    }

    /// As long as a feed may be silent without being gone, its silence does not stop the clock.
    pub(super) fn frame_floor(&self, now: Timestamp) -> Timestamp {
        now.plus_us(-self.silence_us())
    }

    /// The next watermark at or before `time`: each end of a session has its own.
    pub(super) fn next_mark(&self, time: Timestamp) -> Option<Timestamp> {
        let mark = self.hours.mark(time).filter(|mark| *mark > self.watermark)?;
        let end = self.hours.session_end(self.watermark.plus_us(1));
        Some(end.map_or(mark, |end| end.min(mark)))
    }

    /// Says what may have been missed before `mark`, as far as that is known now.
    pub(super) fn tell_missing(&mut self, mark: Timestamp, told: &mut Told) {
        let is_gone = !self.link.is_up() || self.is_silent;
        for place in 0..self.lanes.len() {
            let opened = self.hours.opened(place, mark);
            let lane = &mut self.lanes[place];
            let from = opened.map_or(lane.whole_until, |opened| lane.whole_until.max(opened));
            if is_gone && from < mark {
                lane.whole_until = mark;
                self.gap(place, from, mark, told);
            }
            let missed = self.lanes[place].missed_until(mark, opened);
            for (from, to) in missed {
                self.gap(place, from, to, told);
            }
            if self.settings.tells_each_trade && self.hours.session_end(mark) == Some(mark) {
                self.tell_untold_end(place, mark, told);
            }
        }
    }

    /// A trade that was left out is noticed by the next one. After the last of a day there is none,
    /// so such a feed says after the close where each key stands; where it did not, nobody knows.
    fn tell_untold_end(&mut self, place: usize, end: Timestamp, told: &mut Told) {
        let Some(close) = self.hours.closed(place, end) else { return };
        let opened = self.hours.opened(place, end).unwrap_or(close);
        let lane = &mut self.lanes[place];
        // What a feed missed that was away has been told by now.
        let is_told = lane.is_behind && lane.whole_until >= close;
        let from = lane.said_until.max(opened);
        lane.said_until = lane.said_until.max(close);
        if !is_told {
            self.gap(place, from, close, told);
        }
    }

    /// The day is not over while the archive may still complete it.
    pub(super) fn waits_for_archive(&self, mark: Timestamp, now: Timestamp) -> bool {
        let lateness_us = i64::from(self.settings.lateness_ms) * 1_000;
        self.hours.session_end(mark) == Some(mark)
            && self.archive.wants(mark.date())
            && now.0 < mark.0 + lateness_us + SESSION_HOLD_US
    }

    pub(super) fn session_over(&mut self, end: Timestamp, now_us: i64, told: &mut Told) {
        let left = self.archive.forget(end.date());
        let (now, before) = (self.health, self.health_before);
        self.health_before = now;
        let counts = [
            ("frames", now.frames - before.frames),
            ("ticks", now.ticks - before.ticks),
            ("repeated", now.repeated - before.repeated),
            ("stale", now.stale - before.stale),
            ("late", now.late - before.late),
            ("refused", now.refused - before.refused),
            ("odd times", now.odd_times - before.odd_times),
            ("gaps", now.gaps - before.gaps),
            ("backfilled", now.backfilled - before.backfilled),
            ("minutes not found", left as u64),
        ];
        let words: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{word} {count}"))
            .collect();
        if words.is_empty() {
            return;
        }
        self.notice(NoticeKind::Repaired, None, &words.join(", "), now_us, told);
    }
}
