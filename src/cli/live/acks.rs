//! How long the disk takes to keep a batch: the journal's own disk, with a watch at each sync. What
//! a live run tells anybody waits for these.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::disk::{Disk, Medium};

use super::super::clock;
use super::spread::Spread;

/// What was timed, for whoever wants to know.
#[derive(Clone, Debug, Default)]
pub struct Acks(Arc<Mutex<Spread>>);

impl Acks {
    /// The same disk, timed.
    pub fn over(&self, disk: Arc<dyn Disk>) -> Arc<dyn Disk> {
        Arc::new(TimedDisk { disk, acks: self.clone() })
    }

    /// How long syncs took so far, in microseconds.
    pub fn spread(&self) -> Spread {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, us: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(us);
    }
}

struct TimedDisk {
    disk: Arc<dyn Disk>,
    acks: Acks,
}

impl TimedDisk {
    fn timed(&self, medium: Box<dyn Medium>) -> Box<dyn Medium> {
        Box::new(TimedMedium { medium, acks: self.acks.clone() })
    }
}

impl Disk for TimedDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.make_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>> {
        self.disk.create(path).map(|medium| self.timed(medium))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Box<dyn Medium>> {
        self.disk.open(path, writable).map(|medium| self.timed(medium))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }
}

struct TimedMedium {
    medium: Box<dyn Medium>,
    acks: Acks,
}

impl Medium for TimedMedium {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.medium.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.medium.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let watch = clock::stopwatch();
        self.medium.sync()?;
        self.acks.add(i64::try_from(watch.elapsed().as_micros()).unwrap_or(i64::MAX));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::disk::Files;

    #[test]
    fn every_sync_is_timed_and_the_files_are_the_same() {
        let root = tempfile::tempdir().unwrap();
        let (acks, path) = (Acks::default(), root.path().join("file"));
        let disk = acks.over(Arc::new(Files));
        let file = disk.create(&path).unwrap();
        assert_eq!(file.write_at(b"kept", 0).unwrap(), 4);
        assert_eq!(acks.spread().count(), 0);
        file.sync().unwrap();
        disk.open(&path, true).unwrap().sync().unwrap();
        assert_eq!(acks.spread().count(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        assert_eq!(disk.list(root.path()).unwrap(), [(path, 4)]);
    }
}
