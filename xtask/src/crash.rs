//! `cargo xtask crash`: the journal on a simulated disk, in the release build.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Runs the simulation with `args`.
pub fn run(args: &[OsString]) -> Done {
    let test = ["test", "--quiet", "--release", "--package", "trials", "--test", "crash"];
    process::run(process::cargo(test).args(["--", "simulate"]).args(args))
}
