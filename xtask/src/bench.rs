//! `cargo xtask bench`: the replay benchmark.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Runs the benchmark with `args`.
pub fn run(args: &[OsString]) -> Done {
    process::run(process::cargo(["bench", "--bench", "replay", "--"]).args(args))
}
