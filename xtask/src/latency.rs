//! `cargo xtask latency`: how soon a signal is on the disk and in the CSV file, at the market's own
//! speed and with few and many keys.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Runs the benchmark with `args`.
pub fn run(args: &[OsString]) -> Done {
    process::run(process::cargo(["bench", "--bench", "latency", "--"]).args(args))
}
