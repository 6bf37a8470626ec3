//! `lockstep control`: asks something of a live run. The request lies in the run's directory until
//! the run takes it, so it is heard even if the run is down just now.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use crate::driver::control::{self, Kind};

use super::exit::Exit;
use super::failure::Failure;
use super::live::CONTROL;
use super::terminal;

/// What `lockstep control` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ControlArgs {
    /// What is wanted: `pause`, enter nothing until `resume`; `flatten`, close every position;
    /// `kill`, close every position and enter nothing, over any restart, until `release`
    #[arg(value_name = "WHAT", value_parser = kind)]
    kind: Kind,
    /// The run's directory [default: the live run that was written to last]
    run: Option<PathBuf>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Directory of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    journal: PathBuf,
    /// The word `release`, typed, where a release is not confirmed in a terminal
    #[arg(long, value_name = "WORD")]
    confirm: Option<String>,
}

fn kind(word: &str) -> Result<Kind, String> {
    let known = Kind::ALL.map(Kind::word).join(", ");
    Kind::from_word(word).ok_or_else(|| format!("must be one of {known}"))
}

/// Runs `lockstep control`.
///
/// # Errors
/// When there is no such run, a release is not confirmed, or the request cannot be written.
pub fn run(args: &ControlArgs) -> Result<Exit, Failure> {
    let run_dir = match &args.run {
        Some(dir) => dir.clone(),
        None => latest(&args.journal)?,
    };
    if !run_dir.join("log").is_dir() {
        return Err(Failure::new(Exit::Usage, "there is no run")
            .at(run_dir.display())
            .because("it has no folder log/"));
    }
    if args.kind == Kind::Release && !is_confirmed(args)? {
        return Err(Failure::new(Exit::Usage, "the release was not confirmed, nothing was asked")
            .hint("type the word release when asked, or give `--confirm release`"));
    }
    let number = control::ask(&run_dir.join(CONTROL), args.kind, "command line", &args.reason)
        .map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
    let (word, run_dir) = (args.kind.word(), run_dir.display());
    terminal::print(&format!("{word} · request {number} · {run_dir}\n"))?;
    Ok(Exit::Same)
}

fn is_confirmed(args: &ControlArgs) -> Result<bool, Failure> {
    if let Some(word) = &args.confirm {
        return Ok(word == "release");
    }
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    terminal::say("a kill is in force; type release to allow entries again:");
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::new(Exit::Io, "failed to read the answer").because(error))?;
    Ok(line.trim() == "release")
}

/// The live run that was written to last.
fn latest(journal: &Path) -> Result<PathBuf, Failure> {
    let none = || {
        Failure::new(Exit::Usage, "there is no live run")
            .at(journal.display())
            .hint("give the run's directory, or its parent with --journal")
    };
    let entries = fs::read_dir(journal).map_err(|_| none())?;
    let live = entries.filter_map(Result::ok).filter(|entry| {
        entry.file_name().to_string_lossy().starts_with("live-") && entry.path().is_dir()
    });
    let written = |dir: &Path| fs::metadata(dir.join("log")).and_then(|it| it.modified()).ok();
    live.map(|entry| entry.path()).max_by_key(|dir| written(dir)).ok_or_else(none)
}
