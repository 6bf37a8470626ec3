//! The doors of a program that was built without DuckDB: each says so.

use std::path::Path;

use crate::domain::event::{Derived, EventId, Input};
use crate::sinks::{Say, Sink};

use super::{DuckError, Options, Projected, Wish};

/// The sink of a live run. Without DuckDB there is none.
pub enum DuckTables {}

impl DuckTables {
    /// Refuses.
    ///
    /// # Errors
    /// [`DuckError::Disabled`].
    pub fn start(_: Options, _: Say) -> Result<DuckTables, DuckError> {
        Err(DuckError::Disabled)
    }

    /// Cannot be reached.
    pub fn finish(self) -> bool {
        match self {}
    }
}

impl Sink for DuckTables {
    fn input(&mut self, _: u64, _: &Input) {
        match *self {}
    }

    fn output(&mut self, _: EventId, _: &Derived) {
        match *self {}
    }
}

/// Refuses.
///
/// # Errors
/// [`DuckError::Disabled`].
pub fn project(_: &Path, _: &Wish<'_>) -> Result<Projected, DuckError> {
    Err(DuckError::Disabled)
}

/// Refuses.
///
/// # Errors
/// [`DuckError::Disabled`].
pub fn preflight(_: &Path) -> Result<String, DuckError> {
    Err(DuckError::Disabled)
}
