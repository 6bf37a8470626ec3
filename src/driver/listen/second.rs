//! A second opinion: the feed's own minutes against those that the core made of ticks. They need
//! not be equal, since the feed leaves trades out; where they part by more than a stated tolerance,
//! it is said. It decides nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::domain::event::{Derived, EventId, Input, Output};
use crate::domain::fact::{Bar, Notice, NoticeKind};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::Price;
use crate::domain::time::Timestamp;
use crate::sinks::Sink;
use crate::sources::upstox::value::Minute;

/// How far two prices may part: so many ten-thousandths of the feed's.
pub const PRICE_TOLERANCE_BP: i64 = 10;
/// How far two volumes may part: so many hundredths of the feed's.
pub const VOLUME_TOLERANCE_PERCENT: i64 = 10;
/// Minutes that are kept to be compared.
const KEPT: usize = 4_096;

/// Both sides, as far as they came.
#[derive(Debug, Default)]
pub struct SecondOpinion {
    own: BTreeMap<(Timestamp, InstrumentId), Bar>,
    theirs: BTreeMap<(Timestamp, InstrumentId), Minute>,
    /// Minutes that were compared, and those that part.
    pub compared: u64,
    /// Those that part by more than the tolerance.
    pub parted: u64,
}

/// The same for a source and for a sink.
pub type Shared = Rc<RefCell<SecondOpinion>>;

impl SecondOpinion {
    /// The feed's own minute. It is repeated with every message until the next one.
    pub fn theirs(&mut self, instrument: InstrumentId, minute: &Minute) {
        self.theirs.insert((minute.open_time, instrument), *minute);
        while self.theirs.len() > KEPT {
            self.theirs.pop_first();
        }
    }

    fn own(&mut self, bar: &Bar) {
        self.own.insert((bar.open_time, bar.instrument), *bar);
        while self.own.len() > KEPT {
            self.own.pop_first();
        }
    }

    /// What both have is compared once; where they part, `notices` get a word, as of `time`.
    pub fn compare(&mut self, time: Timestamp, notices: &mut Vec<Input>) {
        let both: Vec<_> =
            self.own.keys().filter(|place| self.theirs.contains_key(*place)).copied().collect();
        for place in both {
            let (Some(own), Some(theirs)) = (self.own.remove(&place), self.theirs.remove(&place))
            else {
                continue;
            };
            self.compared += 1;
            if let Some(detail) = parted(&own, &theirs) {
                self.parted += 1;
                let (kind, instrument) = (NoticeKind::MinuteDiffers, Some(own.instrument));
                notices.push(Input::Notice(Box::new(Notice { time, kind, instrument, detail })));
            }
        }
    }
}

/// In which fields the minutes part, if any.
fn parted(own: &Bar, theirs: &Minute) -> Option<String> {
    let prices = [
        ("open", own.open, theirs.open),
        ("high", own.high, theirs.high),
        ("low", own.low, theirs.low),
        ("close", own.close, theirs.close),
    ];
    let off = |ours: Price, feed: Price| {
        (ours.0 - feed.0).abs() * 10_000 > feed.0.saturating_mul(PRICE_TOLERANCE_BP)
    };
    let mut words: Vec<String> = prices
        .iter()
        .filter(|(_, ours, feed)| off(*ours, *feed))
        .map(|(name, ours, feed)| format!("{name} {ours} and not {feed}"))
        .collect();
    let (ours, feed) = (own.volume, theirs.volume);
    if (ours.0 - feed.0).abs() * 100 > feed.0.saturating_mul(VOLUME_TOLERANCE_PERCENT) {
        words.push(format!("volume {ours} and not {feed}"));
    }
    let minute = own.open_time;
    (!words.is_empty()).then(|| format!("{minute} {}", words.join(", ")))
}

/// Looks on for the core's minutes.
pub struct OwnMinutes(pub Shared);

impl Sink for OwnMinutes {
    fn input(&mut self, _: u64, _: &Input) {}

    fn output(&mut self, _: EventId, derived: &Derived) {
        if let Output::Bar1m(bar) = &derived.output {
            self.0.borrow_mut().own(bar);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Qty;
    use crate::journal::samples;

    #[test]
    fn minutes_are_compared_once_and_only_what_parts_is_said() {
        let own = samples::bar();
        let Bar { instrument, open_time, open, high, low, close, volume } = own;
        let theirs = Minute { open_time, open, high, low, close, volume };
        let mut second = SecondOpinion::default();
        let mut said = Vec::new();
        for (volume, high) in [(volume, high), (Qty(1), Price(high.0 * 2))] {
            second.own(&own);
            second.theirs(instrument, &Minute { volume, high, ..theirs });
            second.compare(open_time, &mut said);
            second.compare(open_time, &mut said);
        }
        assert_eq!((second.compared, second.parted, said.len()), (2, 1, 1));
        let Input::Notice(notice) = &said[0] else { panic!("no notice") };
        let words = "2024-10-01T09:15 high 975.20 and not 1950.40, volume 18342 and not 1";
        assert_eq!(notice.detail, words);
    }
}
