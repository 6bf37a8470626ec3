//! The files of a journal that is being written: segments, batch by batch, each with its commit.
//!
//! Where nothing is promised ([`PersistMode::Buffered`]) files are written block by block and left
//! to the system. Where a commit is a promise ([`PersistMode::Durable`]) a batch is one write and
//! one sync, then the durable mark moves, and only then is the batch kept; there is never more than
//! one batch that is not synced, which is what makes a later commit the proof of an earlier one.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::event::CORE_VERSION;

use super::batch::Batch;
use super::digest::Digest;
use super::disk::{Disk, Medium, write_all};
use super::error::{JournalError, io};
use super::frame::{self, Commit, Seal};
use super::mark::{Mark, MarkFile};
use super::record::registry_hash;
use super::reserve::Reserve;
use super::segment::{HEADER_BYTES, Header, file_name};
use super::writer::{Clock, Identity, Limits, PersistMode, Sealed, Setup};

/// Bytes of the next segment that are prepared for each byte that is written to this one.
const RESERVE_AHEAD: u64 = 2;

/// Bytes that are written at a time where nothing is promised, at multiples of them: whole pages
/// cost the system half of what pieces of pages do.
const BLOCK_BYTES: usize = 256 * 1_024;

/// Where in a journal its next batch goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Segments that are there.
    pub segments: u64,
    /// Where the journal goes on in the last of them.
    pub resumes_at: u64,
    /// Batches before the place.
    pub batches: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// The number of the next input.
    pub next_seq: u64,
}

/// The files of a journal that is being written.
pub struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    identity: Identity,
    limits: Limits,
    clock: Clock,
    /// The open segment and its path. Gone after a failed write or sync: nobody knows what is in
    /// it, so the right to write ends.
    file: Option<Box<dyn Medium>>,
    path: PathBuf,
    /// Number of the next segment.
    segments: u64,
    /// Checksum seed of the open segment.
    seed: u32,
    /// Bytes of the open segment, with those that are to be written yet.
    segment_bytes: u64,
    /// Bytes of all segments.
    bytes: u64,
    /// Batches so far.
    batches: u64,
    /// What makes a commit a promise, where it is one.
    durable: Option<Durable>,
    /// The end of the open segment, as far as it is to be written yet, and what is left of earlier
    /// ones behind it.
    unwritten: Vec<u8>,
    /// Bytes of this end.
    unwritten_bytes: usize,
}

/// What only a durable journal has.
struct Durable {
    reserve: Reserve,
    /// `None` while batches of an earlier segment are written anew, which promise nothing yet.
    mark: Option<MarkFile>,
    /// There is no room for another segment, which is said before the next batch is written.
    full: Option<JournalError>,
}

impl Log {
    /// A new journal. `digest` is that of no records.
    ///
    /// # Errors
    /// When the directory or the first segment cannot be created, or there is a journal already.
    pub fn create(setup: &Setup, digest: Digest) -> Result<Log, JournalError> {
        let dir = setup.run_dir.join("log");
        setup.disk.make_dir(&dir).map_err(|source| io("creating", &dir, source))?;
        let mut log = Log::new(setup, dir, &Place::default());
        if log.durable.is_some() {
            log.refuse_another_journal()?;
            for dir in setup.run_dir.ancestors().take(2).filter(|dir| dir.as_os_str() != "") {
                setup.disk.sync_dir(dir).map_err(|source| io("syncing", dir, source))?;
            }
        }
        log.begin_segment(0, digest, 0)?;
        log.publish(0, digest)?;
        Ok(log)
    }

    /// Goes on with a journal behind `place`, in a segment of its own: a file that another process
    /// has left is never written to. Until [`Log::publish`] the segment has no name, and what is
    /// committed meanwhile is no promise.
    ///
    /// # Errors
    /// When the segment cannot be created.
    pub fn resume(setup: &Setup, place: &Place, digest: Digest) -> Result<Log, JournalError> {
        let mut log = Log::new(setup, setup.run_dir.join("log"), place);
        log.begin_segment(place.next_seq, digest, place.resumes_at)?;
        Ok(log)
    }

    fn new(setup: &Setup, dir: PathBuf, place: &Place) -> Log {
        let Setup { identity, mut limits, clock, .. } = *setup;
        limits.segment_bytes = limits.segment_bytes.min(frame::SEGMENT_MAX);
        let disk = Arc::clone(&setup.disk);
        let durable = match setup.mode {
            PersistMode::Buffered => None,
            PersistMode::Durable => {
                let bytes = limits.segment_bytes.max(HEADER_BYTES as u64);
                let reserve = Reserve::new(Arc::clone(&disk), &dir, bytes);
                Some(Durable { reserve, mark: None, full: None })
            }
        };
        Log {
            path: dir.clone(),
            disk,
            dir,
            identity,
            limits,
            clock,
            file: None,
            segments: place.segments,
            seed: 0,
            segment_bytes: 0,
            bytes: place.bytes,
            batches: place.batches,
            durable,
            // Once for all: memory that grows leaves holes behind.
            unwritten: Vec::with_capacity(BLOCK_BYTES + limits.batch_bytes),
            unwritten_bytes: 0,
        }
    }

    /// A journal is never written over.
    fn refuse_another_journal(&self) -> Result<(), JournalError> {
        let files = self.disk.list(&self.dir).map_err(|source| io("listing", &self.dir, source))?;
        for (path, _) in files {
            match path.extension().is_some_and(|extension| extension == "tmp") {
                // What a process left that broke off before there was a journal.
                true => self.disk.remove(&path).map_err(|source| io("removing", &path, source))?,
                false => {
                    return Err(io("creating", &path, std::io::ErrorKind::AlreadyExists.into()));
                }
            }
        }
        Ok(())
    }

    /// Bytes of all segments so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes a batch and its commit. `so_far` counts the batch; where its segment could not take
    /// another one of that size, the next segment begins. In a durable journal the batch is on the
    /// disk then; an `urgent` one is also known to be after a power cut.
    ///
    /// # Errors
    /// When writing fails, now or before. [`JournalError::Full`] comes before anything is written.
    pub fn commit(
        &mut self,
        batch: &Batch,
        so_far: &Sealed,
        urgent: bool,
    ) -> Result<(), JournalError> {
        if let Some(full) = self.durable.as_mut().and_then(|durable| durable.full.take()) {
            self.file = None;
            return Err(full);
        }
        let start = self.segment_bytes;
        self.write_batch(batch, so_far)?;
        if self.durable.as_ref().is_some_and(|durable| durable.mark.is_none()) {
            return Ok(());
        }
        self.promise(so_far, urgent)?;
        let written = self.segment_bytes - start;
        if let Some(durable) = &mut self.durable {
            durable.full = durable.reserve.grow(RESERVE_AHEAD * written).err();
        }
        if self.segment_is_full() {
            self.end_segment(so_far, false)?;
            self.next_segment(so_far)?;
        }
        Ok(())
    }

    /// The batch before is kept, so that there is no room for more is said before the next one.
    fn next_segment(&mut self, so_far: &Sealed) -> Result<(), JournalError> {
        match (self.begin_segment(so_far.inputs, so_far.digest, 0), &mut self.durable) {
            (Err(full @ JournalError::Full { .. }), Some(durable)) => {
                durable.full = Some(full);
                Ok(())
            }
            (begun, _) => begun.and_then(|()| self.publish(so_far.inputs, so_far.digest)),
        }
    }

    fn write_batch(&mut self, batch: &Batch, so_far: &Sealed) -> Result<(), JournalError> {
        let stamp = (self.clock)();
        let commit = Commit {
            batch_no: self.batches,
            first_seq: batch.first_seq(),
            last_seq: so_far.inputs - 1,
            records: batch.count(),
            byte_len: batch.frame_bytes() as u64,
            start: self.segment_bytes,
            digest: so_far.digest,
            wall_ns: stamp.wall_ns,
            mono_ns: stamp.mono_ns,
            boot_id: stamp.boot_id,
        };
        let commit = commit.frame(commit.last_seq, commit.batch_no, self.seed);
        let seed = self.seed;
        let room = self.append(batch.frame_bytes() + commit.len());
        let (records, rest) = room.split_at_mut(batch.frame_bytes());
        batch.put_frames(records, seed);
        rest.copy_from_slice(&commit);
        self.write_some()?;
        self.batches += 1;
        Ok(())
    }

    /// Writes the seal of the open segment, `closing` in the last one.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn end_segment(&mut self, so_far: &Sealed, closing: bool) -> Result<(), JournalError> {
        let seal = Seal {
            closing: u8::from(closing),
            batches: self.batches,
            records: so_far.records,
            inputs: so_far.inputs,
            digest: so_far.digest,
        };
        let seal = seal.frame(so_far.inputs, self.segments - 1, self.seed);
        self.append(seal.len()).copy_from_slice(&seal);
        self.write_all()?;
        self.promise(so_far, true)?;
        self.file = None;
        match &mut self.durable {
            Some(durable) if closing => durable.reserve.discard(),
            _ => {}
        }
        Ok(())
    }

    /// Begins a segment with its header. In a durable journal it has no name yet.
    fn begin_segment(
        &mut self,
        first_seq: u64,
        previous: Digest,
        resumes_at: u64,
    ) -> Result<(), JournalError> {
        let salt = self.identity.salt(self.segments);
        let header = Header {
            segment_no: self.segments,
            first_seq,
            salt,
            previous,
            run_id: self.identity.run_id,
            registry: registry_hash(),
            core_version: CORE_VERSION,
            created_ns: self.identity.created_ns,
            resumes_at,
        };
        self.path = self.dir.join(file_name(self.segments, first_seq));
        self.file = Some(match &mut self.durable {
            Some(durable) => durable.reserve.take()?,
            None => {
                let created = self.disk.create(&self.path);
                created.map_err(|source| io("creating", &self.path, source))?
            }
        });
        self.segments += 1;
        self.seed = frame::seed_of(salt);
        self.segment_bytes = 0;
        let header = header.encode();
        self.append(header.len()).copy_from_slice(&header);
        // At once: a file that has a name says what it is.
        self.write_all()
    }

    /// Makes the open segment a part of the journal: it is on the disk, then has its name, and then
    /// the durable mark stands at its end. Nothing where nothing is promised.
    ///
    /// # Errors
    /// When the system says no; then nothing more is written.
    pub fn publish(&mut self, next_seq: u64, digest: Digest) -> Result<(), JournalError> {
        let mark = self.mark(next_seq, digest);
        let Some(durable) = &mut self.durable else { return Ok(()) };
        let file = self.file.take().expect("a segment that begins is open");
        file.sync().map_err(|source| io("syncing", &self.path, source))?;
        durable.reserve.name(&self.path)?;
        let run_id = self.identity.run_id;
        match &mut durable.mark {
            Some(file) => file.write(&mark, true)?,
            none => *none = Some(MarkFile::replace(&self.disk, &self.dir, run_id, &mark)?),
        }
        self.file = Some(file);
        Ok(())
    }

    /// Waits until everything is on the disk and moves the mark, where a commit is a promise.
    fn promise(&mut self, so_far: &Sealed, urgent: bool) -> Result<(), JournalError> {
        let mark = self.mark(so_far.inputs, so_far.digest);
        let Some(Durable { mark: Some(marks), .. }) = &mut self.durable else {
            return Ok(());
        };
        // Gone until both have succeeded.
        let file = self.file.take().expect("it was written to right before");
        file.sync().map_err(|source| io("syncing", &self.path, source))?;
        marks.write(&mark, urgent)?;
        self.file = Some(file);
        Ok(())
    }

    fn mark(&self, next_seq: u64, digest: Digest) -> Mark {
        let (batches, offset) = (self.batches, self.segment_bytes);
        Mark { batches, segment_no: self.segments - 1, offset, next_seq, digest }
    }

    fn segment_is_full(&self) -> bool {
        let control = frame::control_bytes(Commit::BYTES) + frame::control_bytes(Seal::BYTES);
        let next = (self.limits.batch_bytes + control) as u64;
        self.segment_bytes + next > self.limits.segment_bytes
    }

    /// Whether there is still the right to write.
    ///
    /// # Errors
    /// When a write has failed.
    pub fn check(&self) -> Result<(), JournalError> {
        match self.file {
            Some(_) => Ok(()),
            None => Err(JournalError::Poisoned { path: self.dir.clone() }),
        }
    }

    /// Room for bytes at the end of the open segment, which are written later.
    fn append(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.unwritten_bytes;
        self.unwritten_bytes += bytes;
        self.segment_bytes += bytes as u64;
        self.bytes += bytes as u64;
        if self.unwritten.len() < self.unwritten_bytes {
            self.unwritten.resize(self.unwritten_bytes, 0);
        }
        &mut self.unwritten[start..self.unwritten_bytes]
    }

    /// Writes whole blocks, or everything where it is to be a promise.
    fn write_some(&mut self) -> Result<(), JournalError> {
        let blocks = self.segment_bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let behind = (self.segment_bytes - blocks) as usize;
        match &self.durable {
            None => self.write(self.unwritten_bytes.saturating_sub(behind)),
            Some(_) => self.write_all(),
        }
    }

    /// Writes everything that was not written yet.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn write_all(&mut self) -> Result<(), JournalError> {
        self.write(self.unwritten_bytes)
    }

    /// Writes the first of the bytes that were not written yet.
    fn write(&mut self, bytes: usize) -> Result<(), JournalError> {
        self.check()?;
        if bytes == 0 {
            return Ok(());
        }
        let file = self.file.take().expect("checked right above");
        let start = self.segment_bytes - self.unwritten_bytes as u64;
        let written = write_all(&*file, &self.unwritten[..bytes], start);
        written.map_err(|source| io("writing", &self.path, source))?;
        self.file = Some(file);
        self.unwritten.copy_within(bytes..self.unwritten_bytes, 0);
        self.unwritten_bytes -= bytes;
        Ok(())
    }

    /// Puts a file that cannot be written to in the place of the open segment.
    #[cfg(test)]
    pub fn break_off(&mut self) {
        let file = self.disk.open(&self.path, false);
        self.file = Some(file.expect("the open segment is there"));
    }
}

/// Whoever drops a writer finds its files at rest, with every batch that was closed.
impl Drop for Log {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Whoever wants to know whether all went well seals the journal.
            let _ = self.write_all();
        }
    }
}
