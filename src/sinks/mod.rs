//! The world out: folds over a run's records. A sink can be thrown away and rebuilt from the
//! journal at any time, so it never holds the truth and never answers back.
//!
//! - [`archive`] a run's journal as Parquet files, and back
//! - [`summary`] counts, trades and profit of a run

pub mod archive;
pub mod summary;

use crate::domain::event::{EventId, Input, Output};

/// Something that looks on while a run happens. It sees each input, then that input's outputs.
pub trait Sink {
    /// Input number `seq` happened.
    fn input(&mut self, seq: u64, input: &Input);

    /// The core derived `output`.
    fn output(&mut self, id: EventId, output: &Output);
}
