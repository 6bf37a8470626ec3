//! Which file a run writes to: the one that is there, if it can be used, and otherwise a new one in
//! its place. What cannot be used is never thrown away: it goes into quarantine.
//!
//! A damaged log of DuckDB can end the process that opens it. So a file that is there is opened by
//! a process of its own first, which takes the log in and closes the file again.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::sinks::Say;

use super::store::Store;
use super::{DuckError, LOCKED, QUARANTINE, file_of};

/// Opens a file as a live run would, takes its log in and closes it. Gives the run that it holds.
///
/// # Errors
/// When it cannot be used. A damaged file may end the process instead.
pub fn preflight(file: &Path) -> Result<String, DuckError> {
    if !file.is_file() {
        let why = String::from("there is no such file");
        return Err(DuckError::Foreign { path: file.into(), why });
    }
    let (store, run_id) = Store::open_any(file)?;
    store.close()?;
    Ok(run_id)
}

/// The file of a run, opened, or a new one where there is none that can be used.
///
/// # Errors
/// When no file can be made either.
pub fn open(
    run_dir: &Path,
    run_id: &str,
    program: Option<&Path>,
    say: &Say,
) -> Result<Store, DuckError> {
    let path = file_of(run_dir, run_id);
    if path.exists() {
        match in_a_child(&path, program).and_then(|()| Store::open(&path, run_id)) {
            Ok(store) => return Ok(store),
            Err(error) => replace(run_dir, &path, &error.to_string(), say)?,
        }
    }
    create(&path, run_id)
}

/// A new file where none is.
///
/// # Errors
/// When it cannot be made.
pub fn create(path: &Path, run_id: &str) -> Result<Store, DuckError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io("creating", folder))?;
    }
    Store::create(path, run_id)
}

/// Moves a file that cannot be used into quarantine, its log with it, and says so. Whoever has it
/// open keeps it.
///
/// # Errors
/// When it cannot be moved.
pub fn replace(run_dir: &Path, path: &Path, why: &str, say: &Say) -> Result<(), DuckError> {
    let quarantine = run_dir.join(QUARANTINE);
    fs::create_dir_all(&quarantine).map_err(io("creating", &quarantine))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = |number: u32| {
        let aside = quarantine.join(format!("{name}.{number}"));
        (!aside.exists()).then_some(aside)
    };
    let Some(aside) = (1..).find_map(free) else { return Ok(()) };
    fs::rename(path, &aside).map_err(io("moving", path))?;
    let log = log_of(path);
    if log.exists() {
        fs::rename(&log, log_of(&aside)).map_err(io("moving", &log))?;
    }
    say(&format!("{why}; the file is now {}, and a new one is made", aside.display()));
    Ok(())
}

/// Opens a file in a process of its own, where there is a program for it.
///
/// # Errors
/// When that process could not, or was ended by it.
pub fn in_a_child(path: &Path, program: Option<&Path>) -> Result<(), DuckError> {
    let Some(program) = program else { return Ok(()) };
    let words = ["project".as_ref(), "--preflight".as_ref(), path.as_os_str()];
    let mut command = Command::new(program);
    // It has no use for the access token, so it does not get it.
    command.args(words).stdin(Stdio::null()).env_remove("LOCKSTEP_UPSTOX_TOKEN");
    let ended = command.output();
    let ended = ended.map_err(io("opening in a process of its own", path))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    if ended.status.code() == Some(LOCKED) {
        return Err(locked(path));
    }
    let reasons: String = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("= "))
        .collect::<Vec<_>>()
        .join("; ");
    let why = match reasons.as_str() {
        "" => format!("opening it ended the process that tried ({})", ended.status),
        reasons => format!("it cannot be opened: {reasons}"),
    };
    Err(DuckError::Foreign { path: path.into(), why })
}

/// Refuses a file that another process has open: DuckDB has a lock on it for as long. Unlike
/// opening, asking for the lock cannot be harmed by what is in the file.
///
/// # Errors
/// When it is locked, or cannot be opened.
pub fn free(path: &Path) -> Result<(), DuckError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(io("opening", path))?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(locked(path)),
        Err(error) => Err(io("asking for the lock of", path)(error.into())),
    }
}

fn locked(path: &Path) -> DuckError {
    let why = String::from("DuckDB's lock on it is held");
    DuckError::Locked { path: path.into(), why }
}

/// DuckDB's own log of a file.
pub fn log_of(path: &Path) -> PathBuf {
    beside(path, ".wal")
}

/// The file whose name is a file's with this behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file and its log, where they are.
///
/// # Errors
/// When they cannot be removed.
pub fn remove(path: &Path) -> Result<(), DuckError> {
    for path in [path, &log_of(path)] {
        if path.exists() {
            fs::remove_file(path).map_err(io("removing", path))?;
        }
    }
    Ok(())
}

/// What the system said, with what was being done to which file.
pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DuckError {
    move |source| DuckError::Io { doing, path: path.into(), source }
}
