//! An error in words: what went wrong, where, why, and what to do next.

use std::fmt;

use super::exit::Exit;

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code that goes with it.
    pub exit: Exit,
    /// What went wrong, as a sentence without a period.
    pub what: String,
    /// Where: a file, a row, a flag.
    pub place: Option<String>,
    /// Why, one line per reason.
    pub why: Vec<String>,
    /// What to do next, one line per hint.
    pub next: Vec<String>,
}

impl Failure {
    /// A failure that so far says only what went wrong.
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure { exit, what: what.into(), place: None, why: Vec::new(), next: Vec::new() }
    }

    /// The same, with the place.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Failure {
        self.place = Some(place.to_string());
        self
    }

    /// The same, with a reason more.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Failure {
        self.why.push(why.to_string());
        self
    }

    /// The same, with a hint more.
    #[must_use]
    pub fn hint(mut self, next: impl fmt::Display) -> Failure {
        self.next.push(next.to_string());
        self
    }
}

/// ```text
/// error: failed to read the history of NSE_EQ|INE155A01022
///   --> replays/sample/NSE_EQ_INE155A01022/2024-10.parquet
///    = the file ends in the middle of a row group
///   help: run `lockstep data import` again for this file
/// ```
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  --> {place}")?;
        }
        for why in &self.why {
            // A reason of several lines, such as an excerpt of a file, stands under itself.
            write!(f, "\n   = {}", why.trim_end().replace('\n', "\n     "))?;
        }
        for next in &self.next {
            write!(f, "\n  help: {next}")?;
        }
        Ok(())
    }
}
