//! The files of a journal that is being written: segments, batch by batch, each with its commit.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::event::CORE_VERSION;

use super::batch::Batch;
use super::digest::Digest;
use super::error::{JournalError, io};
use super::frame::{self, Commit, Seal};
use super::record::registry_hash;
use super::segment::{Header, file_name};
use super::writer::{Identity, Limits, Sealed};

/// The files of a journal that is being written.
pub struct Log {
    dir: PathBuf,
    identity: Identity,
    limits: Limits,
    /// The open segment and its path. Gone after a failed write: nobody knows what is in it, so the
    /// right to write ends.
    file: Option<File>,
    path: PathBuf,
    /// Number of the next segment.
    segments: u64,
    /// Checksum seed of the open segment.
    seed: u32,
    /// Bytes of the open segment.
    segment_bytes: u64,
    /// Bytes of all segments.
    bytes: u64,
    /// Batches so far.
    batches: u64,
    /// The frames of a batch, and what is left of earlier ones behind them.
    frames: Vec<u8>,
}

impl Log {
    /// A new journal in `run_dir/log`. `digest` is that of no records.
    ///
    /// # Errors
    /// When the directory or the first segment cannot be created.
    pub fn create(
        run_dir: &Path,
        identity: Identity,
        limits: Limits,
        digest: Digest,
    ) -> Result<Log, JournalError> {
        let dir = run_dir.join("log");
        fs::create_dir_all(&dir).map_err(|source| io("creating", &dir, source))?;
        let mut log = Log {
            path: dir.clone(),
            dir,
            identity,
            limits,
            file: None,
            segments: 0,
            seed: 0,
            segment_bytes: 0,
            bytes: 0,
            batches: 0,
            frames: Vec::new(),
        };
        log.begin_segment(0, digest)?;
        Ok(log)
    }

    /// Bytes of all segments so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes a batch and its commit. `so_far` counts the batch; where its segment could not take
    /// another one of that size, the next segment begins.
    ///
    /// # Errors
    /// When writing fails, now or before.
    pub fn commit(&mut self, batch: &Batch, so_far: &Sealed) -> Result<(), JournalError> {
        let records_end = batch.frame_bytes();
        let commit = Commit {
            batch_no: self.batches,
            first_seq: batch.first_seq(),
            last_seq: so_far.inputs - 1,
            records: batch.count(),
            byte_len: records_end as u64,
            start: self.segment_bytes,
            digest: so_far.digest,
            ..Commit::default()
        };
        let commit = commit.frame(commit.last_seq, commit.batch_no, self.seed);
        let len = records_end + commit.len();
        let mut frames = std::mem::take(&mut self.frames);
        if frames.len() < len {
            frames.resize(len, 0);
        }
        batch.put_frames(&mut frames, self.seed);
        frames[records_end..len].copy_from_slice(&commit);
        self.write(&frames[..len])?;
        self.frames = frames;
        self.batches += 1;
        if self.segment_is_full() {
            self.end_segment(so_far, false)?;
            self.begin_segment(so_far.inputs, so_far.digest)?;
        }
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
        self.write(&seal.frame(so_far.inputs, self.segments - 1, self.seed))?;
        self.file = None;
        Ok(())
    }

    fn begin_segment(&mut self, first_seq: u64, previous: Digest) -> Result<(), JournalError> {
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
        };
        self.path = self.dir.join(file_name(self.segments, first_seq));
        let created = OpenOptions::new().write(true).create_new(true).open(&self.path);
        self.file = Some(created.map_err(|source| io("creating", &self.path, source))?);
        self.segments += 1;
        self.seed = frame::seed_of(salt);
        self.segment_bytes = 0;
        self.write(&header.encode())
    }

    fn segment_is_full(&self) -> bool {
        let control = frame::len_of(Commit::BYTES) + frame::len_of(Seal::BYTES);
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

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.check()?;
        let mut file = self.file.take().expect("checked right above");
        file.write_all(bytes).map_err(|source| io("writing", &self.path, source))?;
        self.file = Some(file);
        self.segment_bytes += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts a file that cannot be written to in the place of the open segment.
    #[cfg(test)]
    pub fn break_off(&mut self) {
        self.file = Some(File::open(&self.path).expect("the open segment is there"));
    }
}
