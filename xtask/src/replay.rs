//! `cargo xtask replay`: Lockstep as users run it, with everything passed through.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Runs `lockstep replay` with `args`.
pub fn run(args: &[OsString]) -> Done {
    process::run(process::lockstep(["replay"]).args(args))
}
