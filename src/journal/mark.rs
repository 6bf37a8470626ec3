//! The durable mark, `log/WM`: how far the journal was known to be on the disk. A journal that
//! holds less has lost what it acknowledged, and what it holds beyond may be no more than a
//! memory of the operating system.
//!
//! The file is two slots of 4,096 bytes. A slot is magic `EVWM`, CRC-32C of bytes 8 to 4,095,
//! generation u64, run id \[16\], batches u64, segment u64, offset u64, next seq u64, digest
//! \[32\], zeros; integers are little-endian. The slot with the higher generation counts. Writing
//! goes to the same slot until the file is synced and only then to the other, so that whatever a
//! power cut does, one slot says what was synced last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::digest::Digest;
use super::disk::{Disk, Medium, read_some, write_all};
use super::error::{JournalError, io};
use super::frame::array;
use super::segment::RunId;

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 4_096;
/// Marks that are written before the file is synced, where nothing is urgent.
const UNSYNCED_MAX: u32 = 64;
const MAGIC: [u8; 4] = *b"EVWM";

/// How far a journal is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Batches, over all segments.
    pub batches: u64,
    /// The segment in which they end.
    pub segment_no: u64,
    /// Where in it.
    pub offset: u64,
    /// Number of the input after the last of them.
    pub next_seq: u64,
    /// The run digest of all of them.
    pub digest: Digest,
}

impl Mark {
    /// The slot that says it.
    pub fn encode(&self, generation: u64, run_id: RunId) -> Vec<u8> {
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend_from_slice(&MAGIC);
        slot.extend_from_slice(&[0; 4]);
        slot.extend_from_slice(&generation.to_le_bytes());
        slot.extend_from_slice(&run_id.0);
        for number in [self.batches, self.segment_no, self.offset, self.next_seq] {
            slot.extend_from_slice(&number.to_le_bytes());
        }
        slot.extend_from_slice(&self.digest.0);
        slot.resize(SLOT_BYTES, 0);
        let crc = crc32c::crc32c(&slot[8..]);
        slot[4..8].copy_from_slice(&crc.to_le_bytes());
        slot
    }

    /// The mark in a slot with its generation, if there is a whole one of that run.
    pub fn decode(slot: &[u8], run_id: RunId) -> Option<(u64, Mark)> {
        let is_whole = slot.len() == SLOT_BYTES
            && array(slot, 0) == MAGIC
            && crc32c::crc32c(&slot[8..]) == u32::from_le_bytes(array(slot, 4))
            && array(slot, 16) == run_id.0;
        let number = |place| u64::from_le_bytes(array(slot, place));
        is_whole.then(|| {
            let mark = Mark {
                batches: number(32),
                segment_no: number(40),
                offset: number(48),
                next_seq: number(56),
                digest: Digest(array(slot, 64)),
            };
            (number(8), mark)
        })
    }

    /// The mark of the journal in `log_dir`, if it has one.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn read(
        disk: &dyn Disk,
        log_dir: &Path,
        run_id: RunId,
    ) -> Result<Option<Mark>, JournalError> {
        let path = path(log_dir);
        let file = match disk.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io("opening", &path, source)),
        };
        let mut bytes = Vec::new();
        let read = read_some(&*file, &mut bytes, 0, 2 * SLOT_BYTES);
        read.map_err(|source| io("reading", &path, source))?;
        let slots = bytes.chunks(SLOT_BYTES).filter_map(|slot| Mark::decode(slot, run_id));
        Ok(slots.max_by_key(|(generation, _)| *generation).map(|(_, mark)| mark))
    }
}

fn path(log_dir: &Path) -> PathBuf {
    log_dir.join("WM")
}

/// The file of the mark, open for writing.
pub struct MarkFile {
    medium: Box<dyn Medium>,
    path: PathBuf,
    run_id: RunId,
    generation: u64,
    /// The slot that is written to, 0 or 1.
    slot: u64,
    unsynced: u32,
}

impl MarkFile {
    /// A new file that says `mark`, in the place of whatever was there. It is on the disk then.
    ///
    /// # Errors
    /// What the system said.
    pub fn replace(
        disk: &Arc<dyn Disk>,
        log_dir: &Path,
        run_id: RunId,
        mark: &Mark,
    ) -> Result<MarkFile, JournalError> {
        let (path, building) = (path(log_dir), log_dir.join("WM.tmp"));
        let failed = |doing| {
            let building = building.clone();
            move |source| io(doing, &building, source)
        };
        let medium = disk.create(&building).map_err(failed("creating"))?;
        let mut block = mark.encode(1, run_id);
        block.resize(2 * SLOT_BYTES, 0);
        write_all(&*medium, &block, 0).map_err(failed("writing"))?;
        medium.sync().map_err(failed("syncing"))?;
        disk.rename(&building, &path).map_err(failed("renaming"))?;
        disk.sync_dir(log_dir).map_err(|source| io("syncing", log_dir, source))?;
        Ok(MarkFile { medium, path, run_id, generation: 1, slot: 1, unsynced: 0 })
    }

    /// Says `mark`. It outlasts the process at once, and a power cut if `now`, or else once so many
    /// were written.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&mut self, mark: &Mark, now: bool) -> Result<(), JournalError> {
        self.generation += 1;
        let block = mark.encode(self.generation, self.run_id);
        let offset = self.slot * SLOT_BYTES as u64;
        let written = write_all(&*self.medium, &block, offset);
        written.map_err(|source| io("writing", &self.path, source))?;
        self.unsynced += 1;
        if now || self.unsynced >= UNSYNCED_MAX {
            self.medium.sync().map_err(|source| io("syncing", &self.path, source))?;
            self.unsynced = 0;
            self.slot ^= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::disk::Files;

    fn mark(batches: u64) -> Mark {
        Mark { batches, segment_no: 2, offset: 4_096, next_seq: 9, digest: Digest([7; 32]) }
    }

    const RUN: RunId = RunId([3; 16]);

    #[test]
    fn a_slot_goes_round_and_any_flipped_bit_is_seen() {
        let slot = mark(5).encode(8, RUN);
        assert_eq!(Mark::decode(&slot, RUN), Some((8, mark(5))));
        assert_eq!(Mark::decode(&slot, RunId([4; 16])), None, "another run");
        for bit in 0..slot.len() * 8 {
            let mut bad = slot.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::decode(&bad, RUN), None, "bit {bit}");
        }
    }

    #[test]
    fn one_slot_always_says_what_was_synced_last() {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(Files);
        let mut file = MarkFile::replace(&disk, dir.path(), RUN, &mark(1)).unwrap();
        let read = || Mark::read(&Files, dir.path(), RUN).unwrap();
        let mut synced = mark(1);
        for batches in 2..300 {
            let now = batches % 7 == 0;
            file.write(&mark(batches), now).unwrap();
            assert_eq!(read(), Some(mark(batches)));
            // Whatever is not synced may be torn.
            let path = path(dir.path());
            let whole = std::fs::read(&path).unwrap();
            if file.unsynced > 0 {
                let mut torn = whole.clone();
                torn[(file.slot as usize) * SLOT_BYTES + 100] ^= 1;
                std::fs::write(&path, &torn).unwrap();
                assert_eq!(read(), Some(synced));
                std::fs::write(&path, &whole).unwrap();
            } else {
                synced = mark(batches);
            }
        }
    }

    #[test]
    fn a_journal_without_a_mark_has_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Mark::read(&Files, dir.path(), RUN).unwrap(), None);
    }
}
