//! Figures about runs that people decide by: what was earned, whether paper keeps what the backtest
//! promised, and what several days of looking on add up to. Whole numbers throughout; every
//! definition stands where it is computed and on `docs/economics.md`.
//!
//! - [`economics`] trades, hit rates, fees and profit, in all and by day
//! - [`promise`] a run held against what was promised: by day and over five sessions in a row
//! - [`observation`] signals that were written down on several days, merged and judged

pub mod economics;
pub mod observation;
pub mod promise;
