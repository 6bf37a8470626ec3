//! `cargo xtask faults`: the explanation of differences on trial, in the release build.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Runs `lockstep check faults` with `args`.
pub fn run(args: &[OsString]) -> Done {
    process::run(process::lockstep(["check", "faults"]).args(args))
}
