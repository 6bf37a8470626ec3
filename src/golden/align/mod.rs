//! Alignment: a list of signals that somebody brings, held against what live says over the same
//! history. Only facts are judged here; who makes them, and who re-runs a change, is the driver.
//!
//! - [`class`] the kinds of causes a difference can have, and the one change that removes it
//! - [`tally`] how many agree, per symbol, type, side or month

pub mod class;
pub mod tally;

use crate::domain::fact::{Signal, SignalKind};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::Timestamp;

/// A signal of a golden. What its file has no column for is `None` and is not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The line of the file, from 1.
    pub line: u64,
    /// Whose signal.
    pub instrument: InstrumentId,
    /// Start of its bar.
    pub bar_time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Which condition.
    pub kind: Option<SignalKind>,
    /// The signal's price.
    pub price: Option<Price>,
    /// Shares.
    pub quantity: Option<Qty>,
    /// Level of the stop.
    pub stop: Option<Price>,
    /// Level of the target.
    pub target: Option<Price>,
}

impl Given {
    /// A signal of a run as if it had been brought.
    pub fn of(signal: &Signal) -> Given {
        Given {
            line: 0,
            instrument: signal.instrument,
            bar_time: signal.bar_time,
            side: signal.side,
            kind: Some(signal.kind),
            price: Some(signal.price),
            quantity: Some(signal.quantity),
            stop: Some(signal.stop),
            target: Some(signal.target),
        }
    }

    /// Whether `signal` goes the same way for the same reason, wherever it stands.
    pub fn is_like(&self, signal: &Signal) -> bool {
        self.side == signal.side && self.kind.is_none_or(|kind| kind == signal.kind)
    }

    /// The columns in which `signal` has another value. Prices, levels and quantities are whole
    /// numbers here (1/10,000 rupee, shares), so the tolerance of each is zero.
    pub fn columns_apart(&self, signal: &Signal) -> Vec<&'static str> {
        let price = |ours: Option<Price>, theirs| ours.is_some_and(|ours| ours != theirs);
        let apart = [
            ("price", price(self.price, signal.price)),
            ("quantity", self.quantity.is_some_and(|ours| ours != signal.quantity)),
            ("stop", price(self.stop, signal.stop)),
            ("target", price(self.target, signal.target)),
        ];
        apart.into_iter().filter(|(_, is_apart)| *is_apart).map(|(name, _)| name).collect()
    }
}

/// How the tolerance of each column is put into words.
pub const TOLERANCES: &str = "bar, side, type: no tolerance · price, stop, target: 0.0000 rupees · \
                              quantity: 0 shares · where the golden has the column";

/// Where golden and live part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Whose signal.
    pub instrument: InstrumentId,
    /// Start of its bar.
    pub bar_time: Timestamp,
    /// How they part.
    pub what: What,
}

/// How golden and live part at one bar.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The golden has this signal and live has not.
    GoldenOnly(Given),
    /// Live has this signal and the golden has not.
    LiveOnly(Signal),
    /// Both have it, with other values.
    Value {
        /// The golden's.
        golden: Given,
        /// Live's.
        live: Signal,
        /// The columns that differ, at least one.
        columns: Vec<&'static str>,
    },
}

impl What {
    /// `golden-only`, `live-only` or the columns that differ.
    pub fn words(&self) -> String {
        match self {
            What::GoldenOnly(_) => "golden-only".to_owned(),
            What::LiveOnly(_) => "live-only".to_owned(),
            What::Value { columns, .. } => columns.join(", "),
        }
    }

    /// Side and type of the signal.
    pub fn signal_words(&self) -> (Side, Option<SignalKind>) {
        match self {
            What::GoldenOnly(given) => (given.side, given.kind),
            What::LiveOnly(signal) | What::Value { live: signal, .. } => {
                (signal.side, Some(signal.kind))
            }
        }
    }
}

/// A golden held against live.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alignment {
    /// Signals that both have, whatever their values.
    pub agreed: Vec<Signal>,
    /// Everything in which they part, by instrument and bar.
    pub differences: Vec<Difference>,
}

impl Alignment {
    /// Holds them against each other. On one bar a golden may have several signals and live has at
    /// most one; each is used once.
    pub fn of(golden: &[Given], live: &[Signal]) -> Alignment {
        let mut left: Vec<&Signal> = live.iter().collect();
        let mut found = Alignment::default();
        for given in golden {
            let is_it = |signal: &&Signal| {
                signal.instrument == given.instrument
                    && signal.bar_time == given.bar_time
                    && given.is_like(signal)
            };
            let what = match left.iter().position(is_it) {
                None => What::GoldenOnly(given.clone()),
                Some(place) => {
                    let live = left.swap_remove(place).clone();
                    found.agreed.push(live.clone());
                    let columns = given.columns_apart(&live);
                    if columns.is_empty() {
                        continue;
                    }
                    What::Value { golden: given.clone(), live, columns }
                }
            };
            found.add(given.instrument, given.bar_time, what);
        }
        for signal in left {
            found.add(signal.instrument, signal.bar_time, What::LiveOnly(signal.clone()));
        }
        found.differences.sort_by_key(|difference| (difference.instrument, difference.bar_time));
        found
    }

    fn add(&mut self, instrument: InstrumentId, bar_time: Timestamp, what: What) {
        self.differences.push(Difference { instrument, bar_time, what });
    }

    /// Differences that are about whether there is a signal, not about its values.
    pub fn presence(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|one| !matches!(one.what, What::Value { .. }))
    }

    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}
