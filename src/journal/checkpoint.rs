//! Checkpoints, `ckpt/<next seq>-<hash>.ckpt`: the state of the machine after some input, so that
//! whoever takes up a run need not step through all of it again. They are a convenience and never
//! the truth: each can be deleted, and one that does not fit the journal is passed over with a
//! word.
//!
//! A file is magic `LSCKPT\0\x01`, core version u32, 4 zeros, next seq u64, run id \[16\], the run
//! digest there \[32\], length of the build's name u32, 4 zeros, that name, the state, and the
//! BLAKE3 \[32\] of all before. Integers are little-endian.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::disk::{Disk, read_some, write_all};
use super::error::{JournalError, io};
use super::frame::array;
use super::segment::RunId;

/// Checkpoints that are kept.
const KEPT: usize = 3;
const MAGIC: [u8; 8] = *b"LSCKPT\0\x01";
const HEAD_BYTES: usize = 80;
const HASH_BYTES: usize = 32;
/// Longer files are no checkpoints.
const BYTES_MAX: usize = 1 << 30;

/// The state after some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number of the input after it.
    pub next_seq: u64,
    /// The run.
    pub run_id: RunId,
    /// The run digest before that input.
    pub digest: Digest,
    /// The rules of the core whose state it is.
    pub core_version: u32,
    /// The program that wrote it, which alone knows the layout of the state.
    pub build: String,
    /// The state, as [`super::codec::encode_state`] writes it.
    pub state: Vec<u8>,
}

/// A file that is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl Checkpoint {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.build.len() + self.state.len() + 32);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&u64::from(self.core_version).to_le_bytes());
        bytes.extend_from_slice(&self.next_seq.to_le_bytes());
        bytes.extend_from_slice(&self.run_id.0);
        bytes.extend_from_slice(&self.digest.0);
        bytes.extend_from_slice(&(self.build.len() as u64).to_le_bytes());
        bytes.extend_from_slice(self.build.as_bytes());
        bytes.extend_from_slice(&self.state);
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        bytes
    }

    /// Reads what was written. The hash is checked before anything is believed.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, &'static str> {
        let Some(end) = bytes.len().checked_sub(HASH_BYTES).filter(|end| *end >= HEAD_BYTES) else {
            return Err("it is shorter than a checkpoint");
        };
        if array(bytes, 0) != MAGIC {
            return Err("the magic is missing");
        }
        if *blake3::hash(&bytes[..end]).as_bytes() != array::<HASH_BYTES>(bytes, end) {
            return Err("the hash does not match");
        }
        let core_version = u32::from_le_bytes(array(bytes, 8));
        let build_len = u64::from_le_bytes(array(bytes, 72));
        let build_end = usize::try_from(build_len).ok().and_then(|len| len.checked_add(HEAD_BYTES));
        let build = build_end.and_then(|build_end| bytes[..end].get(HEAD_BYTES..build_end));
        let Some(build) = build.and_then(|build| std::str::from_utf8(build).ok()) else {
            return Err("the name of the build is no text");
        };
        Ok(Checkpoint {
            next_seq: u64::from_le_bytes(array(bytes, 16)),
            run_id: RunId(array(bytes, 24)),
            digest: Digest(array(bytes, 40)),
            core_version,
            build: build.to_owned(),
            state: bytes[HEAD_BYTES + build.len()..end].to_vec(),
        })
    }

    /// Writes the checkpoint below `run_dir` and removes all but the latest. It is whole or not
    /// there, whatever happens.
    ///
    /// # Errors
    /// What the system said. Nothing else is touched by that.
    pub fn save(&self, disk: &dyn Disk, run_dir: &Path) -> Result<PathBuf, JournalError> {
        let dir = run_dir.join("ckpt");
        let bytes = self.encode();
        let hash: String = blake3::hash(&bytes).to_hex().chars().take(8).collect();
        let path = dir.join(format!("{:017}-{hash}.ckpt", self.next_seq));
        let write = || -> io::Result<()> {
            disk.make_dir(&dir)?;
            let building = dir.join("next.tmp");
            match disk.remove(&building) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = disk.create(&building)?;
            write_all(&*file, &bytes, 0)?;
            file.sync()?;
            disk.rename(&building, &path)?;
            disk.sync_dir(&dir)?;
            let files = files(disk, run_dir)?;
            files.iter().skip(KEPT).try_for_each(|old| disk.remove(old))
        };
        write().map_err(|source| io("writing", &path, source))?;
        Ok(path)
    }
}

/// The files of checkpoints, the latest first.
fn files(disk: &dyn Disk, run_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match disk.list(&run_dir.join("ckpt")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed?,
    };
    let mut files: Vec<PathBuf> = listed.into_iter().map(|(path, _)| path).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ckpt"));
    files.sort();
    files.reverse();
    Ok(files)
}

/// The checkpoints of the run in `run_dir`, the latest first, and what is unusable among them.
///
/// # Errors
/// When the directory cannot be listed.
pub fn load(
    disk: &dyn Disk,
    run_dir: &Path,
) -> Result<(Vec<Checkpoint>, Vec<Unusable>), JournalError> {
    let dir = run_dir.join("ckpt");
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    for path in files(disk, run_dir).map_err(|source| io("listing", &dir, source))? {
        let mut bytes = Vec::new();
        let read = disk.open(&path, false).and_then(|file| read_whole(&*file, &mut bytes));
        let decoded = match read {
            Err(error) => Err(error.to_string()),
            Ok(()) => Checkpoint::decode(&bytes).map_err(str::to_owned),
        };
        match decoded {
            Ok(checkpoint) => usable.push(checkpoint),
            Err(why) => unusable.push(Unusable { path, why }),
        }
    }
    Ok((usable, unusable))
}

fn read_whole(file: &dyn super::disk::Medium, bytes: &mut Vec<u8>) -> io::Result<()> {
    const PART: usize = 1 << 20;
    while bytes.len() < BYTES_MAX {
        if read_some(file, bytes, bytes.len() as u64, PART)? < PART {
            return Ok(());
        }
    }
    Err(io::Error::other("it is longer than any checkpoint"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::disk::Files;

    fn checkpoint(next_seq: u64) -> Checkpoint {
        Checkpoint {
            next_seq,
            run_id: RunId([1; 16]),
            digest: Digest([2; 32]),
            core_version: 3,
            build: "lockstep 0.1.0".to_owned(),
            state: vec![4; 100],
        }
    }

    #[test]
    fn a_checkpoint_goes_round_and_any_flipped_bit_or_cut_is_seen() {
        let bytes = checkpoint(5).encode();
        assert_eq!(Checkpoint::decode(&bytes), Ok(checkpoint(5)));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn the_latest_three_are_kept_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(&Files, dir.path()).unwrap(), (vec![], vec![]));
        let paths: Vec<PathBuf> =
            (1..6).map(|seq| checkpoint(seq).save(&Files, dir.path()).unwrap()).collect();
        let (usable, unusable) = load(&Files, dir.path()).unwrap();
        assert_eq!(usable, [5, 4, 3].map(checkpoint));
        assert_eq!(unusable, []);
        std::fs::write(&paths[4], "no checkpoint").unwrap();
        let (usable, unusable) = load(&Files, dir.path()).unwrap();
        assert_eq!(usable, [4, 3].map(checkpoint));
        let why = "it is shorter than a checkpoint".to_owned();
        assert_eq!(unusable, [Unusable { path: paths[4].clone(), why }]);
    }
}
