//! What stands beside a live run and never holds it up: the scanner in the browser, tables for SQL,
//! CSV files per day. Each can fail; the run then goes on without it and says so.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::sinks::csv::CsvFiles;
use crate::sinks::duckdb::{DuckTables, IS_BUILT, Options as DuckOptions};
use crate::sinks::{Say, Sink};
use crate::web::{self, Mode, Serving};

use super::super::{clock, feed, terminal};
use super::{CONTROL, Feed, LiveArgs};

/// The scanner's port where nobody says otherwise, for a run at the broker's feed.
const PORT: u16 = 5000;

/// What stands beside a run.
pub struct Beside {
    /// The scanner, if it could be opened; it is there for as long as this is.
    _scanner: Option<Serving>,
    csv: Option<CsvFiles>,
    duckdb: Option<DuckTables>,
}

fn say() -> Say {
    Box::new(|text| terminal::say(format!("note: {text}")))
}

impl Beside {
    /// Opens what the flags want, for the run in `run_dir`.
    pub fn open(args: &LiveArgs, run_dir: &Path, run_id: &str) -> Beside {
        let is_broker = args.feed == Feed::Upstox;
        let port = args.port.or(is_broker.then_some(PORT));
        // Whoever built it in has a use for it.
        let wants_duckdb = args.duckdb || is_broker && IS_BUILT;
        let csv = args.csv.clone().or_else(|| is_broker.then(|| ".".into()));
        Beside {
            _scanner: port.and_then(|port| scanner(run_dir, port)),
            csv: csv.map(|root| CsvFiles::new(&root, run_id, say())),
            duckdb: wants_duckdb.then(|| duckdb(run_dir, run_id)).flatten(),
        }
    }

    /// Those that look on.
    pub fn sinks(&mut self) -> Vec<&mut dyn Sink> {
        let mut sinks: Vec<&mut dyn Sink> = Vec::new();
        sinks.extend(self.csv.as_mut().map(|csv| csv as &mut dyn Sink));
        sinks.extend(self.duckdb.as_mut().map(|duckdb| duckdb as &mut dyn Sink));
        sinks
    }

    /// Waits until everything is written; one line per fact.
    pub fn finish(self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some((files, is_whole)) = self.csv.map(CsvFiles::finish) {
            let word = if is_whole { "" } else { " · INCOMPLETE" };
            let folder = files.first().and_then(|path| path.parent()).map(Path::to_path_buf);
            let folder = folder.map_or_else(String::new, |it| format!(" · {}", it.display()));
            facts.push(("CSV", format!("{} files{folder}{word}", files.len())));
        }
        if let Some(is_whole) = self.duckdb.map(DuckTables::finish) {
            let word =
                if is_whole { "written" } else { "INCOMPLETE, `lockstep project` rebuilds it" };
            facts.push(("DuckDB", word.to_owned()));
        }
        facts
    }
}

fn scanner(run_dir: &Path, port: u16) -> Option<Serving> {
    let options = web::Options {
        run_dir: run_dir.to_path_buf(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        mode: Mode::Paper,
        control: Some(run_dir.join(CONTROL)),
        remote: None,
        clock: clock::now,
    };
    match web::serve(options) {
        Ok(serving) => {
            terminal::say(format!("scanner: http://{}/scanner", serving.addr));
            Some(serving)
        }
        Err(error) => {
            terminal::say(format!("warning: the run goes on without the scanner: {error}"));
            terminal::say("  help: `--port 0` takes any port that is free");
            None
        }
    }
}

fn duckdb(run_dir: &Path, run_id: &str) -> Option<DuckTables> {
    let program = env::current_exe().ok();
    let options = DuckOptions::new(run_dir, run_id, program, Box::new(feed::monotonic_us));
    match DuckTables::start(options, say()) {
        Ok(tables) => Some(tables),
        Err(error) => {
            terminal::say(format!("warning: the run goes on without tables: {error}"));
            None
        }
    }
}
