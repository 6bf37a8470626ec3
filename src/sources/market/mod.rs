//! What is known about the market: its trading days, its instruments, its charges. All of it is
//! data in the top-level folder `market/`, dated and with sources, and is built into the program.
//!
//! - `calendar` trading days
//! - `master` instruments, with what they were called when, and their corporate actions
//! - `labels` whether a user's name for a key is the right one
//! - `fees` charges
//! - `error` what can be wrong with the files

mod calendar;
mod error;
mod fees;
mod labels;
mod master;
mod text;

use std::path::Path;

use crate::domain::config::FeeSchedule;
use crate::domain::instrument::Instrument;
use crate::domain::session::Calendar;
use crate::domain::time::Date;

pub use error::{Fault, MarketError, Place};
pub use labels::{Company, Disagreement};
pub use master::{Action, ActionKind};

use text::File;

const CALENDAR: &str = "nse_calendar.toml";
const INSTRUMENTS: &str = "instruments.toml";
const FEES: &str = "fees.toml";

/// Everything that is known about the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// The trading days.
    pub calendar: Calendar,
    /// The instruments, by key.
    pub instruments: Vec<Instrument>,
    /// Corporate actions that changed a price level, by key and date.
    pub actions: Vec<Action>,
    /// The fee schedules, in the order of the file.
    pub fees: Vec<FeeSchedule>,
    /// Entries whose sources leave doubt, by date.
    pub doubts: Vec<Doubt>,
}

/// An entry that its file marks as unsure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// The day from which it holds.
    pub from: Date,
    /// What is unsure, such as `muhurat session` or `listing of NSE_EQ|INE1TAE01010`.
    pub what: String,
    /// Where it comes from.
    pub source: String,
}

impl Market {
    /// The market as it was known when the program was built.
    ///
    /// # Errors
    /// Never with files that pass the tests; they are validated like any other all the same.
    pub fn embedded() -> Result<Market, MarketError> {
        let folder = Path::new("market");
        Market::read(
            File {
                name: &folder.join(CALENDAR),
                text: include_str!("../../../market/nse_calendar.toml"),
            },
            File {
                name: &folder.join(INSTRUMENTS),
                text: include_str!("../../../market/instruments.toml"),
            },
            File { name: &folder.join(FEES), text: include_str!("../../../market/fees.toml") },
        )
    }

    /// The market as the three files in `folder` tell it: `nse_calendar.toml`, `instruments.toml`
    /// and `fees.toml`. All of them must be there, so that a run never mixes two states of
    /// knowledge unnoticed.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold together.
    pub fn from_dir(folder: &Path) -> Result<Market, MarketError> {
        let [calendar, instruments, fees] =
            [CALENDAR, INSTRUMENTS, FEES].map(|name| folder.join(name));
        let text = |file: &Path| {
            std::fs::read_to_string(file)
                .map_err(|source| MarketError::Read { file: file.to_path_buf(), source })
        };
        Market::read(
            File { name: &calendar, text: &text(&calendar)? },
            File { name: &instruments, text: &text(&instruments)? },
            File { name: &fees, text: &text(&fees)? },
        )
    }

    fn read(calendar: File, instruments: File, fees: File) -> Result<Market, MarketError> {
        let mut doubts = Vec::new();
        let calendar = calendar::read(calendar, &mut doubts)?;
        let (instruments, actions) = master::read(instruments, &mut doubts)?;
        let fees = fees::read(fees, &mut doubts)?;
        doubts.sort();
        Ok(Market { calendar, instruments, actions, fees, doubts })
    }

    /// The instrument of that key.
    pub fn instrument(&self, key: &str) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.key == key)
    }

    /// The fee schedule of that name.
    pub fn fee_schedule(&self, name: &str) -> Option<&FeeSchedule> {
        self.fees.iter().find(|schedule| schedule.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_says_what_the_program_was_built_with() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("market");
        assert_eq!(Market::from_dir(&folder).unwrap(), Market::embedded().unwrap());
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Market::from_dir(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("nse_calendar.toml cannot be read"), "{error}");
    }

    #[test]
    fn doubts_are_told() {
        let market = Market::embedded().unwrap();
        let lines: Vec<String> =
            market.doubts.iter().map(|doubt| format!("{} {}", doubt.from, doubt.what)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        2025-06-16 listing of NSE_EQ|INE296A01032
        2025-11-12 listing of NSE_EQ|INE1TAE01010
        2026-11-08 muhurat session
        ");
    }
}
