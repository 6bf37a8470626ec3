//! The next segment before it is one: a file of zeros that grows while the segment before it
//! fills, so that a full disk is found out before there is anything to lose, and the length of a
//! file never changes with its data.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, Medium, write_all};
use super::error::{JournalError, io};

/// Zeros that are written at a time.
static ZEROS: [u8; 65_536] = [0; 65_536];

/// A file that is to become a segment.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    path: PathBuf,
    medium: Option<Box<dyn Medium>>,
    /// Bytes that are written.
    bytes: u64,
    /// Bytes that are to be written.
    bytes_wanted: u64,
}

impl Reserve {
    /// A reserve of that many bytes below `dir`, of which nothing is there yet.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, bytes_wanted: u64) -> Reserve {
        let path = dir.join("next.tmp");
        Reserve { disk, dir: dir.into(), path, medium: None, bytes: 0, bytes_wanted }
    }

    /// Adds so many bytes, and syncs the file once it is whole.
    ///
    /// # Errors
    /// [`JournalError::Full`] where the system has no room for it or says no otherwise. Nothing of
    /// the journal is touched by that.
    pub fn grow(&mut self, bytes: u64) -> Result<(), JournalError> {
        let bytes_wanted = self.bytes_wanted;
        let grown = self.try_grow(bytes);
        let path = &self.dir;
        grown.map_err(|source| JournalError::Full {
            path: path.clone(),
            bytes: bytes_wanted,
            source,
        })
    }

    fn try_grow(&mut self, bytes: u64) -> io::Result<()> {
        let end = self.bytes.saturating_add(bytes).min(self.bytes_wanted);
        if self.bytes == self.bytes_wanted && self.medium.is_some() {
            return Ok(());
        }
        // After a failure the file is still there and cannot be made again, so it fails again.
        let medium = match self.medium.take() {
            Some(medium) => medium,
            None => self.disk.create(&self.path)?,
        };
        while self.bytes < end {
            let len = (end - self.bytes).min(ZEROS.len() as u64);
            write_all(&*medium, &ZEROS[..len as usize], self.bytes)?;
            self.bytes += len;
        }
        if self.bytes == self.bytes_wanted {
            medium.sync()?;
        }
        self.medium = Some(medium);
        Ok(())
    }

    /// Completes the file and gives it out. It has no name of a segment yet: see [`Reserve::name`].
    ///
    /// # Errors
    /// As [`Reserve::grow`].
    pub fn take(&mut self) -> Result<Box<dyn Medium>, JournalError> {
        self.grow(self.bytes_wanted)?;
        self.bytes = 0;
        Ok(self.medium.take().expect("a reserve that is whole is open"))
    }

    /// Removes what there is: no segment follows.
    pub fn discard(&mut self) {
        if self.medium.take().is_some() {
            // It holds nothing, and whoever resumes a journal removes such files.
            let _ = self.disk.remove(&self.path);
        }
    }

    /// Makes the file that was taken the segment `path`, now that its header is on the disk.
    ///
    /// # Errors
    /// What the system said.
    pub fn name(&self, path: &Path) -> Result<(), JournalError> {
        self.disk.rename(&self.path, path).map_err(|source| io("renaming", &self.path, source))?;
        self.disk.sync_dir(&self.dir).map_err(|source| io("syncing", &self.dir, source))
    }
}
