//! `cargo xtask latency`: how soon a signal is on the disk, in the CSV file and in DuckDB, at the
//! market's own speed and with few and many keys.

use std::ffi::OsString;

use crate::process::{self, Done};

/// The word that has DuckDB built in and measured.
const WITH_DUCKDB: &str = "--duckdb";

/// Runs the benchmark with `args`.
pub fn run(args: &[OsString]) -> Done {
    let mut bench = process::cargo(["bench", "--bench", "latency"]);
    if args.iter().any(|arg| arg == WITH_DUCKDB) {
        bench.args(["--features", "duckdb"]);
    }
    process::run(bench.arg("--").args(args))
}
