//! Market facts: which instruments there are, when they trade and what trading them costs.

use crate::domain::config::FeeSchedule;
use crate::domain::instrument::Instrument;
use crate::domain::session::Calendar;

/// Everything that is known about a market.
pub struct Market {
    /// Its trading days.
    pub calendar: Calendar,
    /// Its instruments.
    pub instruments: Vec<Instrument>,
    /// What trading costs.
    pub fees: Vec<FeeSchedule>,
}

impl Market {
    /// The instrument of that key, if it is known.
    pub fn instrument(&self, key: &str) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.key == key)
    }
}
