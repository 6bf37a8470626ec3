//! A directory that is there as a whole or not at all: it is filled under another name beside its
//! own, and gets its own when it is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::{ArchiveError, io};

/// A directory under another name. Dropped without [`Staging::finish`], it is gone.
pub struct Staging {
    building: PathBuf,
    finished: PathBuf,
    /// Folders above it that were not there before, the innermost first.
    new_parents: Vec<PathBuf>,
}

impl Staging {
    /// Begins the directory that will be `out`.
    ///
    /// # Errors
    /// When `out` is there, or no directory can be made beside it.
    pub fn begin(out: &Path) -> Result<Staging, ArchiveError> {
        let refused = || ArchiveError::Exists { path: out.into() };
        // A name that only a link has, even to nowhere, is taken as well.
        if out.symlink_metadata().is_ok() {
            return Err(refused());
        }
        // `..` and the root have no name of their own, and always exist.
        let mut name = OsString::from(".");
        name.push(out.file_name().ok_or_else(refused)?);
        name.push(format!(".{}", std::process::id()));
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let new_parents = out.ancestors().skip(1).take_while(is_new).map(Path::to_path_buf);
        let staging = Staging {
            building: out.with_file_name(name),
            new_parents: new_parents.collect(),
            finished: out.into(),
        };
        let building = staging.path();
        fs::create_dir_all(building).map_err(io("creating", building))?;
        Ok(staging)
    }

    /// Where the directory is filled.
    pub fn path(&self) -> &Path {
        &self.building
    }

    /// Gives the directory its name, which lasts from then on.
    ///
    /// # Errors
    /// When somebody else took the name meanwhile, or the system says no.
    pub fn finish(mut self) -> Result<(), ArchiveError> {
        let (from, to) = (&self.building, &self.finished);
        if to.symlink_metadata().is_ok() {
            return Err(ArchiveError::Exists { path: to.clone() });
        }
        fs::rename(from, to).map_err(io("renaming", from))?;
        self.new_parents.clear();
        let parent = self.finished.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))
    }
}

/// What was not finished is not left lying around.
impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the name says that it is unfinished. After
        // `finish` there is nothing of that name.
        let _ = fs::remove_dir_all(&self.building);
        for parent in &self.new_parents {
            // Only an empty folder can be removed: what others put there stays.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Makes what was created or renamed in a directory last.
///
/// # Errors
/// When the system says no.
pub fn sync_dir(dir: &Path) -> Result<(), ArchiveError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(io("syncing", dir))
}
