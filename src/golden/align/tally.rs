//! How many signals agree, in all and per symbol, type, side or month.

use std::collections::BTreeMap;

use crate::domain::fact::SignalKind;
use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Side;
use crate::domain::time::Timestamp;

use super::{Alignment, What};

/// Signals of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Signals that both have with the same values.
    pub same: usize,
    /// Signals that both have with other values.
    pub values: usize,
    /// Signals that the golden alone has.
    pub golden_only: usize,
    /// Signals that live alone has.
    pub live_only: usize,
}

impl Tally {
    /// Signals of the golden.
    pub const fn golden(self) -> usize {
        self.same + self.values + self.golden_only
    }

    /// Signals of live.
    pub const fn live(self) -> usize {
        self.same + self.values + self.live_only
    }

    /// Signals that both have, in percent of those that either has; 100 only if all of them are
    /// the same. None where neither has any.
    pub fn percent(self) -> Option<f64> {
        let all = self.golden() + self.live_only;
        (all > 0).then(|| 100.0 * (self.same + self.values) as f64 / all as f64)
    }
}

/// What signals are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The instrument.
    Symbol,
    /// The condition.
    Kind,
    /// Which way.
    Side,
    /// The month of the bar.
    Month,
}

/// The whole.
pub fn total(alignment: &Alignment) -> Tally {
    grouped(alignment, |_, _, _, _| String::new()).into_values().next().unwrap_or_default()
}

/// One tally per symbol, type, side or month.
pub fn by(alignment: &Alignment, by: By, instruments: &[Instrument]) -> BTreeMap<String, Tally> {
    grouped(alignment, |id, time, side, kind| match by {
        By::Symbol => {
            let instrument = &instruments[id.index()];
            let symbol = instrument.symbol_at(time.date());
            match symbol == instrument.key {
                true => symbol.to_owned(),
                false => format!("{symbol} {}", instrument.key),
            }
        }
        By::Kind => kind.map_or("-", SignalKind::word).to_owned(),
        By::Side => side.word().to_owned(),
        By::Month => time.date().month_name(),
    })
}

fn grouped(
    alignment: &Alignment,
    key: impl Fn(InstrumentId, Timestamp, Side, Option<SignalKind>) -> String,
) -> BTreeMap<String, Tally> {
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    for signal in &alignment.agreed {
        let name = key(signal.instrument, signal.bar_time, signal.side, Some(signal.kind));
        groups.entry(name).or_default().same += 1;
    }
    for difference in &alignment.differences {
        let (side, kind) = difference.what.signal_words();
        let name = key(difference.instrument, difference.bar_time, side, kind);
        let tally = groups.entry(name).or_default();
        match difference.what {
            What::GoldenOnly(_) => tally.golden_only += 1,
            What::LiveOnly(_) => tally.live_only += 1,
            What::Value { .. } => {
                tally.values += 1;
                tally.same -= 1;
            }
        }
    }
    groups
}
