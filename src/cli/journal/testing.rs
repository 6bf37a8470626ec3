//! A journal to look into, and how a command ended.

use tempfile::TempDir;

use super::{Exit, Failure, Stop};
use crate::journal::{Limits, fixture};

/// One input of each kind, and all outputs under the first bar.
pub fn journal(seal: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { batch_records: 1, ..Limits::default() };
    fixture::write(dir.path(), limits, seal);
    dir
}

pub fn failure(stop: Result<Exit, Stop>) -> Failure {
    match stop.unwrap_err() {
        Stop::Failure(failure) => *failure,
        Stop::Output(error) => panic!("{error}"),
    }
}
