//! The world out: folds over a run's records. A sink can be thrown away and rebuilt from the
//! journal at any time, so it never holds the truth and never answers back.
//!
//! - [`archive`] a run's journal as Parquet files, and back
//! - [`report`] what a run earned, and whether that is what was promised
//! - [`scanner`] what people watch, instrument by instrument
//! - [`summary`] counts, trades and profit of a run
//! - [`tables`] a run as rows: the fold
//! - [`csv`] these rows as CSV files, one a day
//! - [`duckdb`] these rows for SQL

pub mod archive;
pub mod csv;
pub mod duckdb;
pub mod report;
pub mod scanner;
pub mod summary;
pub mod tables;

use crate::domain::event::{Derived, EventId, Input};

/// Tells people what a sink cannot do any more. A sink has nobody to fail to.
pub type Say = Box<dyn Fn(&str) + Send>;

/// Something that looks on while a run happens. It sees each input, then that input's outputs.
pub trait Sink {
    /// Input number `seq` happened.
    fn input(&mut self, seq: u64, input: &Input);

    /// The core derived an output, from what its cause says.
    fn output(&mut self, id: EventId, derived: &Derived);

    /// All outputs of the last input were told. Nobody has to say so: the next input says it too.
    fn told(&mut self) {}

    /// What happened before input `next_seq` was told once before, by a process that has stopped.
    /// It is told again from the journal, for those who keep nothing.
    fn resumed(&mut self, next_seq: u64) {
        let _ = next_seq;
    }

    /// Something that people should know and that is no event.
    fn note(&mut self, text: &str) {
        let _ = text;
    }
}
