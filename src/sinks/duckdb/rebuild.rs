//! Journal to file: the rows of everything that is committed, in a new file that takes its name
//! when it is whole.

use std::fs;
use std::path::Path;

use crate::domain::event::EventId;
use crate::journal::{End, Reader};
use crate::sinks::tables::{Rows, Tables};

use super::place::{self, io};
use super::store::Store;
use super::{DuckError, Projected, Wish, file_of, snapshot};

/// Rows that are committed at a time.
const BATCH_ROWS: usize = 50_000;

/// Makes the file of the run in `run` from its journal. What was there is replaced once the new
/// file is whole; a process that dies before leaves it as it was.
///
/// # Errors
/// When the journal cannot be read, or another process has the file open or is making it too.
pub fn project(run: &Path, wish: &Wish<'_>) -> Result<Projected, DuckError> {
    let mut reader = Reader::open(run)?;
    let run_id = reader.header().run_id.to_string();
    let run_dir = run_dir(run);
    let path = wish.out.map_or_else(|| file_of(run_dir, &run_id), Path::to_path_buf);
    if path.exists() {
        look(&path, run_dir, wish)?;
    }
    let new = place::beside(&path, ".new");
    if new.exists() {
        place::free(&new)?;
    }
    place::remove(&new)?;
    let made = make(&new, run, &mut reader, wish.snapshot.then_some(run_dir));
    let made = made.and_then(|made| give_name(&new, &path).map(|()| Projected { path, ..made }));
    if made.is_err() {
        place::remove(&new)?;
    }
    made
}

/// Makes a new file, closes it, and says what is in it. `copy_to`: the run's directory, where a
/// snapshot is wanted there.
fn make(
    new: &Path,
    run: &Path,
    reader: &mut Reader,
    copy_to: Option<&Path>,
) -> Result<Projected, DuckError> {
    let mut store = place::create(new, &reader.header().run_id.to_string())?;
    let Some((last, digest)) = fill(&mut store, reader, BATCH_ROWS)? else {
        return Err(DuckError::Empty { path: run.into() });
    };
    let (tables, hash) = store.hash()?;
    let snapshot = copy_to.map(|run_dir| snapshot::take(&store, run_dir)).transpose()?;
    store.close()?;
    let is_sealed = matches!(reader.end(), Some(End::Sealed(_)));
    Ok(Projected { path: new.into(), snapshot, tables, last, digest, hash, is_sealed })
}

/// Has the new file take the place of the old one, unless that was opened meanwhile.
fn give_name(new: &Path, path: &Path) -> Result<(), DuckError> {
    if path.exists() {
        place::free(path)?;
    }
    let log = place::log_of(path);
    if log.exists() {
        fs::remove_file(&log).map_err(io("removing", &log))?;
    }
    fs::rename(new, path).map_err(io("renaming", new))
}

/// The hash of the rows of a file, as [`Projected::hash`] has it.
///
/// # Errors
/// When it cannot be opened or is no projection.
pub fn hash_of(file: &Path) -> Result<String, DuckError> {
    let (store, _) = Store::open_any(file)?;
    let (_, hash) = store.hash()?;
    store.close()?;
    Ok(hash)
}

/// The run's directory, where its `log/` may have been given.
fn run_dir(run: &Path) -> &Path {
    match run.file_name() {
        Some(name) if name == "log" => run.parent().unwrap_or(run),
        _ => run,
    }
}

/// A file that another process has open is not replaced, and neither is one that is no projection.
fn look(path: &Path, run_dir: &Path, wish: &Wish<'_>) -> Result<(), DuckError> {
    place::free(path)?;
    let opened = place::in_a_child(path, wish.program).and_then(|()| Store::open_any(path));
    match opened {
        Ok((store, _)) => store.close(),
        Err(error @ DuckError::Locked { .. }) => Err(error),
        Err(error) if path.starts_with(run_dir) => {
            place::replace(run_dir, path, &error.to_string(), wish.say)
        }
        Err(error) => Err(DuckError::Foreign {
            path: path.into(),
            why: format!("it is no projection of a run, and is not replaced: {}", error.why()),
        }),
    }
}

/// Writes what the journal holds behind what the store has. Gives the last event and the digest
/// after it; none where there is no event.
///
/// # Errors
/// When reading or writing fails.
pub fn fill(
    store: &mut Store,
    reader: &mut Reader,
    batch_rows: usize,
) -> Result<Option<(EventId, String)>, DuckError> {
    let mut tables = Tables::default();
    catch_up(&mut tables, store, reader, batch_rows)?;
    let digest = reader.digest().to_string();
    let last = tables.last();
    if let Some(last) = last.filter(|last| last.seq + 1 >= store.next_seq()) {
        store.write(&tables.take(), last, Some(&digest))?;
    }
    Ok(last.map(|last| (last, digest)))
}

/// Folds all that the journal holds, and writes what the store does not have, but for the rows of
/// the last batch, which are left in `tables`.
///
/// # Errors
/// When reading or writing fails.
pub fn catch_up(
    tables: &mut Tables,
    store: &mut Store,
    reader: &mut Reader,
    batch_rows: usize,
) -> Result<(), DuckError> {
    while let Some(record) = reader.next_record()? {
        let is_input = record.id.index == 0;
        tables.record(record);
        if is_input {
            write_if_due(tables, store, batch_rows)?;
        }
    }
    tables.settle();
    write_if_due(tables, store, batch_rows)
}

fn write_if_due(
    tables: &mut Tables,
    store: &mut Store,
    batch_rows: usize,
) -> Result<(), DuckError> {
    if tables.next_seq() <= store.next_seq() {
        let _: Rows = tables.take();
        return Ok(());
    }
    match tables.last() {
        Some(last) if tables.waiting() >= batch_rows => store.write(&tables.take(), last, None),
        _ => Ok(()),
    }
}
