//! `cargo xtask load`: what it costs a run to be watched by pages and by a thousand clients.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::browser;
use crate::process::{self, Build, Done, Stop};

/// A day of the sample after one that warms up.
const CASE: &str = "data = \"../../../replays/sample/data\"\nfrom = \"2024-10-04\"\n\
    to = \"2024-10-04\"\nwarmup_sessions = 3\nfees = \"nse\"\n\
    [[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n[[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n";

/// Records a session over the stand-in exchange, trades and all, and lives it again while others
/// look on.
pub fn run(is_debug: bool, args: &[OsString]) -> Done {
    let build = if is_debug { Build::Debug } else { Build::Release };
    process::build(build)?;
    let lockstep = process::executable(build);
    let desk = lockstep.with_file_name("load");
    let run = record(&lockstep, &desk)?;
    let mut bench = process::cargo(["bench", "--bench", "load"]);
    if is_debug {
        bench.args(["--profile", "dev"]);
    }
    bench.arg("--").arg("--run").arg(run);
    match browser::modules(&lockstep)? {
        Some(modules) => {
            let script = process::root().join("tests/browser/load.mjs");
            let node = format!("node {} {}", script.display(), modules.display());
            bench.args(["--browser", &node]);
        }
        None => eprintln!("load: NO BROWSER: only the clients are tried"),
    }
    process::run(bench.args(args))
}

/// The journal of a session that was heard over the stand-in.
fn record(lockstep: &Path, desk: &Path) -> Result<PathBuf, Stop> {
    let failed = |error: std::io::Error| Stop::from(format!("{}: {error}", desk.display()));
    let (cases, runs) = (desk.join("replays"), desk.join("runs"));
    process::remove(&runs)?;
    fs::create_dir_all(cases.join("load")).map_err(failed)?;
    let data = process::root().join("replays/sample/data");
    let case = CASE.replace("../../../replays/sample/data", &data.to_string_lossy());
    fs::write(cases.join("load/case.toml"), case).map_err(failed)?;
    let mut live = process::program(lockstep);
    live.args(["live", "--feed", "sim:load", "--replays"]).arg(&cases);
    process::output(live.arg("--journal").arg(&runs))?;
    let mut found = fs::read_dir(&runs).map_err(failed)?.filter_map(Result::ok);
    let run = found.find(|entry| entry.path().join("log").is_dir()).map(|entry| entry.path());
    run.ok_or_else(|| Stop::from(format!("{}: no run was recorded", runs.display())))
}
