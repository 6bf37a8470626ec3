//! What a journal asks of a file system, and the real one. Everything that is written or read goes
//! through here, so that a simulated disk can lose, tear and refuse what a real one may.
//!
//! The promises that the journal relies on are those of [`Medium::sync`] and [`Disk::sync_dir`] and
//! no others: bytes that were synced stay, a name that was synced with its directory stays, and
//! anything else may be there, missing, or torn anywhere after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A file system, as far as a journal needs one.
pub trait Disk: Send + Sync {
    /// Creates a directory and those above it, where they are missing.
    ///
    /// # Errors
    /// What the system said.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// The files of a directory with their lengths, in any order.
    ///
    /// # Errors
    /// What the system said; [`ErrorKind::NotFound`] where there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>>;

    /// A new file for reading and writing.
    ///
    /// # Errors
    /// What the system said; [`ErrorKind::AlreadyExists`] where there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>>;

    /// A file that is there, for reading only or for writing as well.
    ///
    /// # Errors
    /// What the system said; [`ErrorKind::NotFound`] where there is none.
    fn open(&self, path: &Path, writable: bool) -> io::Result<Box<dyn Medium>>;

    /// Gives a file another name, in the place of whatever had it.
    ///
    /// # Errors
    /// What the system said.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system said.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory outlast a power cut. IMPORTANT: without it a file that was
    /// synced may have no name after one.
    ///
    /// # Errors
    /// What the system said.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that can still be written below a directory.
    ///
    /// # Errors
    /// What the system said.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait Medium: Send {
    /// Reads some bytes from `offset` on into `buffer`; 0 at the end of the file.
    ///
    /// # Errors
    /// What the system said.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of the bytes to `offset` on, at least one.
    ///
    /// # Errors
    /// What the system said.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Returns once every byte written so far outlasts a power cut (`fdatasync`).
    ///
    /// # Errors
    /// What the system said. Nobody knows then which bytes are on the disk, and asking again proves
    /// nothing: the system has forgotten that they were not written.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of the bytes, whatever the number of calls it takes.
///
/// # Errors
/// What the system said; being interrupted is no error.
pub fn write_all(medium: &dyn Medium, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match medium.write_at(bytes, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends up to `len` bytes from `offset` on to `out`; fewer only at the end of the file.
///
/// # Errors
/// What the system said; being interrupted is no error.
pub fn read_some(
    medium: &dyn Medium,
    out: &mut Vec<u8>,
    offset: u64,
    len: usize,
) -> io::Result<usize> {
    let start = out.len();
    out.resize(start + len, 0);
    let mut read = 0;
    while read < len {
        match medium.read_at(&mut out[start + read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
    }
    out.truncate(start + read);
    Ok(read)
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Disk for Files {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                files.push((entry.path(), metadata.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>> {
        let options = &mut OpenOptions::new();
        Ok(Box::new(options.read(true).write(true).create_new(true).open(path)?))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Box<dyn Medium>> {
        Ok(Box::new(OpenOptions::new().read(true).write(writable).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let space = rustix::fs::statvfs(dir)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

impl Medium for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
