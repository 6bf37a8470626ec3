//! One writer per run: the lock `LOCK` in the run's directory. The system lets go of it when the
//! process ends, however that happens, so a lock is never left over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::{JournalError, io};

/// The right to write to a run, as long as it lives.
#[derive(Debug)]
pub struct Lock {
    /// Locked until it is closed.
    _file: File,
}

impl Lock {
    /// Takes the lock of `run_dir`, which is created where it is missing. `holder` is what others
    /// are told of whoever has it.
    ///
    /// # Errors
    /// [`JournalError::Locked`] with what the holder wrote about itself, or what the system said.
    pub fn take(run_dir: &Path, holder: &str) -> Result<Lock, JournalError> {
        let path = run_dir.join("LOCK");
        let failed = |doing| {
            let path = path.clone();
            move |source| io(doing, &path, source)
        };
        std::fs::create_dir_all(run_dir).map_err(failed("creating"))?;
        let options = &mut OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(failed("opening"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed("reading"))?;
                return Err(JournalError::Locked { path, holder: holder.trim_end().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io("locking", &path, source)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
            file.write_all(format!("{holder}\n").as_bytes())?;
            file.flush()
        });
        written.map_err(failed("writing"))?;
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let first = Lock::take(&run, "process 1, a longer name").unwrap();
        let refused = Lock::take(&run, "process 2").unwrap_err();
        let JournalError::Locked { holder, .. } = refused else { panic!("{refused}") };
        assert_eq!(holder, "process 1, a longer name");
        drop(first);
        let _second = Lock::take(&run, "process 3").unwrap();
        let refused = Lock::take(&run, "process 4").unwrap_err();
        assert!(refused.to_string().ends_with("locked by process 3"), "{refused}");
    }
}
