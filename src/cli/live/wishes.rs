//! What people want of a live run while it runs: requests in its folder `control/` (from the
//! command line or the scanner), a file `KILL` in its directory, and the signal SIGUSR1; the last
//! two kill. Notes in the folder go into the journal as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::CommandKind;
use crate::driver::control::{self, Kind, Request};
use crate::driver::listen::Wanted;

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{feed, terminal};

/// The folder of requests in a run's directory.
pub const FOLDER: &str = "control";
/// The file whose being there kills.
pub const KILL_FILE: &str = "KILL";
/// How often anybody looks, in microseconds.
const LOOK_US: i64 = 50_000;

/// Looks for what people want.
pub struct Wishes {
    requests: PathBuf,
    kill_file: PathBuf,
    signal: Arc<AtomicBool>,
    /// What was handed on last time, and is journalled by now.
    taken: Vec<Request>,
    /// Files of notes that were handed on last time.
    noted: Vec<PathBuf>,
    looked_us: i64,
    complaint: String,
}

impl Wishes {
    /// Looks in the directory of a run.
    ///
    /// # Errors
    /// When the signal cannot be listened to.
    pub fn new(run_dir: &Path) -> Result<Wishes, Failure> {
        let signal = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&signal)).map_err(
            |error| Failure::new(Exit::Io, "failed to listen for SIGUSR1").because(error),
        )?;
        Ok(Wishes {
            requests: run_dir.join(FOLDER),
            kill_file: run_dir.join(KILL_FILE),
            signal,
            taken: Vec::new(),
            noted: Vec::new(),
            looked_us: -LOOK_US,
            complaint: String::new(),
        })
    }

    /// What is wanted now. Each wish is handed on once it is known that the run keeps the one
    /// before: it may be handed on twice if the run stops between, and that changes nothing.
    pub fn look(&mut self) -> Wanted {
        for request in std::mem::take(&mut self.taken) {
            let done = control::done(&self.requests, &request);
            self.complain(done.err().map(|error| error.to_string()));
        }
        for note in std::mem::take(&mut self.noted) {
            self.complain(fs::remove_file(&note).err().map(|error| error.to_string()));
        }
        if self.signal.swap(false, Ordering::Relaxed) {
            return Wanted { commands: vec![CommandKind::Kill], notes: Vec::new() };
        }
        let now_us = feed::monotonic_us();
        if now_us - self.looked_us < LOOK_US {
            return Wanted::default();
        }
        self.looked_us = now_us;
        let (mut wanted, notes) = (Vec::new(), self.notes());
        if self.kill_file.exists() {
            wanted.push(CommandKind::Kill);
            // The kill is journalled and stays until it is released; the file has said its word.
            let moved = fs::rename(&self.kill_file, self.kill_file.with_extension("heard"));
            self.complain(moved.err().map(|error| format!("{KILL_FILE} stays: {error}")));
        }
        if !self.requests.is_dir() {
            return Wanted { commands: wanted, notes };
        }
        match control::pending(&self.requests) {
            Ok(requests) => {
                wanted.extend(requests.iter().map(|request| kind(request.kind)));
                self.taken = requests;
            }
            Err(error) => self.complain(Some(error.to_string())),
        }
        Wanted { commands: wanted, notes }
    }

    /// Words for the journal, such as that somebody was turned away.
    fn notes(&mut self) -> Vec<String> {
        match control::notes(&self.requests) {
            Ok(notes) => {
                let (files, texts) = notes.into_iter().unzip();
                self.noted = files;
                texts
            }
            Err(error) => {
                self.complain(Some(error.to_string()));
                Vec::new()
            }
        }
    }

    /// The same words are said once.
    fn complain(&mut self, words: Option<String>) {
        if let Some(words) = words.filter(|words| *words != self.complaint) {
            terminal::say(format!("warning: {words}"));
            self.complaint = words;
        }
    }
}

/// The command of a request.
const fn kind(kind: Kind) -> CommandKind {
    match kind {
        Kind::Pause => CommandKind::Pause,
        Kind::Resume => CommandKind::Resume,
        Kind::Flatten => CommandKind::Flatten,
        Kind::Kill => CommandKind::Kill,
        Kind::Release => CommandKind::Release,
    }
}
