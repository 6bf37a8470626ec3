//! What it costs a run to be watched, in one run of this program: a recorded session is lived again
//! at its pace times 60, durable, with its scanner beside it; quiet stretches and watched ones take
//! turns. Watched means so many clients of the stream in another process, as many that take nothing
//! of it as are asked for, and pages in a real browser. The time that counts is the run's: from its
//! being handed an input until the input and what came of it are on the disk and the world is told.
//!
//! `cargo xtask load` brings the session and the browser. Then: what a state of 2,000 rows takes.
//!
//! - [`session`] what is lived; [`crowd`] who watches; [`report`] what it took
//! - [`table`] a state of many rows

#![expect(clippy::disallowed_methods, reason = "a benchmark is about time")]

mod crowd;
mod report;
mod session;
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lockstep::domain::time::Timestamp;
use lockstep::journal::writer::Stamp;
use lockstep::web::{Mode, Options, Serving, serve};

use crowd::{Crowd, clients};
use session::watched;
use table::table;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let words: Vec<String> = std::env::args().collect();
    if let [_, role, addr, count, stuck] = &words[..]
        && role == "clients"
    {
        return clients(addr.parse()?, count.parse()?, stuck.parse()?);
    }
    let value = |name: &str| {
        let at = words.windows(2).find(|pair| pair[0] == name);
        at.map(|pair| pair[1].clone())
    };
    let number = |name: &str, default: u64| match value(name) {
        Some(text) => text.parse().map_err(|_| format!("{name} needs a number")),
        None => Ok(default),
    };
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("load");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let rows = usize::try_from(number("--rows", 2_000)?)?;
    let stretch = Duration::from_secs(number("--stretch", 30)?);
    let crowd = Crowd {
        clients: number("--clients", 1_000)?,
        stuck: number("--stuck", 100)?,
        browser: value("--browser"),
        pages: number("--pages", 10)?,
    };
    if let Some(run) = value("--run") {
        let speed = number("--speed", 60)?;
        watched(Path::new(&run), &dir.join("run"), speed, stretch, &crowd)?;
    }
    table(&dir.join("rows"), rows)?;
    let _ = fs::remove_dir_all(&dir);
    Ok(())
}

fn stamp() -> Stamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let wall_ns = i64::try_from(since.as_nanos()).unwrap_or(0);
    Stamp { wall_ns, mono_ns: wall_ns, boot_id: [0; 16] }
}

fn serving(dir: &Path) -> Done<Serving> {
    Ok(serve(Options {
        run_dir: dir.into(),
        address: "127.0.0.1".parse()?,
        port: 0,
        mode: Mode::Paper,
        control: None,
        remote: None,
        clock: || Timestamp(stamp().wall_ns / 1_000),
    })?)
}
