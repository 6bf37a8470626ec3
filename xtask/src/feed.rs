//! `cargo xtask feed`: days of the calendar in every weather, in the release build.

use std::ffi::OsString;

use crate::process::{self, Done};

/// Lives the days with `args`.
pub fn run(args: &[OsString]) -> Done {
    let test = ["test", "--quiet", "--release", "--package", "trials", "--test", "feed"];
    process::run(process::cargo(test).args(["--", "simulate"]).args(args))
}
