//! A copy of the tree, kept from run to run: files that are the same are left alone, so that Cargo
//! compiles only what is another.

use std::path::Path;
use std::{fs, io};

use crate::process::{Done, Stop, target};

/// Folders that are made by tools or hold data that no test of the journal reads.
const SKIPPED: [&str; 3] = [".git", "target", "runs"];

/// Makes `to` the same as `from`.
pub fn copy(from: &Path, to: &Path) -> Done {
    same_dir(from, to).map_err(|error| Stop::from(format!("failed to copy the tree: {error}")))
}

fn same_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let copy = to.join(&name);
        if SKIPPED.iter().any(|skipped| name == *skipped) || entry.path() == target() {
            continue;
        }
        if kind.is_dir() {
            same_dir(&entry.path(), &copy)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path())?;
            if fs::read(&copy).ok().as_ref() != Some(&bytes) {
                fs::write(&copy, bytes)?;
            }
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
