//! `cargo xtask crash`: the journal on a simulated disk, in the release build.

use std::ffi::OsString;
use std::process::Command;

use crate::process::{self, Done};

/// Runs the simulation with `args`.
pub fn run(args: &[OsString]) -> Done {
    process::run(simulation(&["--release"]).args(args))
}

/// The simulation as Cargo builds and runs it with those options. Its own arguments follow.
pub fn simulation(options: &[&str]) -> Command {
    let mut command = process::cargo(["test", "--quiet", "--package", "lockstep"]);
    command.args(options).args(["--test", "crash", "--", "simulate"]);
    command
}
