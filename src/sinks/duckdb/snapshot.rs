//! Copies for readers. DuckDB locks a file against every other process, readers too, so a live file
//! is no place to look; a copy is. Each is complete and consistent, appears under its name at once,
//! and whoever has one open keeps it when the next one comes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::place::{self, io};
use super::store::Store;
use super::{CURRENT, DuckError, SNAPSHOTS};

/// The format of the copies: old enough for every DuckDB that people have.
const STORAGE_VERSION: &str = "v1.2.0";
/// Copies that are kept.
const KEPT: usize = 2;

/// Copies what is committed to `snap/<last input>.duckdb`, and has `snap/CURRENT` name it. Older
/// copies but one are removed.
///
/// # Errors
/// When the copy cannot be made. Then `CURRENT` names the one before.
pub fn take(store: &Store, run_dir: &Path) -> Result<PathBuf, DuckError> {
    let folder = run_dir.join(SNAPSHOTS);
    fs::create_dir_all(&folder).map_err(io("creating", &folder))?;
    let new = folder.join("new.tmp");
    // A process may have died over one; DuckDB would take its log for that of the next.
    place::remove(&new)?;
    copy(store, &new)?;
    let name = format!("{:012}.duckdb", store.next_seq().saturating_sub(1));
    let path = folder.join(&name);
    fs::rename(&new, &path).map_err(io("renaming", &new))?;
    let link = folder.join("CURRENT.tmp");
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link).map_err(io("removing", &link))?;
    }
    symlink(&name, &link).map_err(io("linking", &link))?;
    fs::rename(&link, folder.join(CURRENT)).map_err(io("renaming", &link))?;
    prune(&folder, &path)?;
    Ok(path)
}

fn copy(store: &Store, to: &Path) -> Result<(), DuckError> {
    let place = to.to_string_lossy().replace('\'', "''");
    let catalog = store.catalog()?.replace('"', "\"\"");
    store.execute(
        "beginning a snapshot",
        &format!("ATTACH '{place}' AS snapshot (STORAGE_VERSION '{STORAGE_VERSION}')"),
    )?;
    let copied = store
        .execute("copying a snapshot", &format!("COPY FROM DATABASE \"{catalog}\" TO snapshot"));
    copied.and(store.execute("finishing a snapshot", "DETACH snapshot"))
}

/// Removes all copies but the newest and `current`.
fn prune(folder: &Path, current: &Path) -> Result<(), DuckError> {
    let entries = fs::read_dir(folder).map_err(io("listing", folder))?;
    let is_copy =
        |path: &PathBuf| path.extension().is_some_and(|it| it == "duckdb") && path != current;
    let mut copies: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_copy).collect();
    copies.sort();
    let old = copies.len().saturating_sub(KEPT - 1);
    copies[..old].iter().try_for_each(|path| fs::remove_file(path).map_err(io("removing", path)))
}
