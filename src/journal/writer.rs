//! Writes a journal, or only its digest. One call per record; the payload is encoded once, and its
//! bytes serve the frame and the digest.
//!
//! Nothing is synced before [`Writer::seal`]. That is right for a replay, which can be repeated: it
//! is written into a new directory, which is renamed once the journal is sealed. A writer that is
//! dropped leaves a journal without a seal, which readers report as ended early.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::event::{CORE_VERSION, Derived, EventId, Input, RunStarted};

use super::codec::{self, CodecError};
use super::digest::{Digest, RunDigest};
use super::error::{JournalError, Refusal, io};
use super::frame::{self, Commit, HEAD_BYTES, Head, Seal};
use super::record::{Kind, Numbering, registry_hash};
use super::segment::{Header, RunId, file_name};

/// What makes a journal's files its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run.
    pub run_id: RunId,
    /// Where the salts of the segments come from: random when live, 0 in a replay.
    pub salt_seed: u64,
    /// When the journal is created, ns since 1970 UTC; 0 in a replay.
    pub created_ns: i64,
}

impl Identity {
    /// The identity of a replay. It follows from the run's description alone, so the same run has
    /// the same bytes: the run id is the BLAKE3 of the description's payload, its first 16 bytes.
    ///
    /// # Errors
    /// When the description is too long to be written.
    pub fn of_replay(run: &RunStarted) -> Result<Identity, JournalError> {
        let mut payload = Vec::new();
        let first = EventId::input(0);
        codec::encode_run_started(run, &mut payload).map_err(|error| refused(first, error))?;
        let run_id = RunId(frame::array(blake3::hash(&payload).as_bytes(), 0));
        Ok(Identity { run_id, salt_seed: 0, created_ns: 0 })
    }

    fn salt(&self, segment_no: u64) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"lockstep segment salt");
        hasher.update(&self.run_id.0);
        hasher.update(&self.salt_seed.to_le_bytes());
        hasher.update(&segment_no.to_le_bytes());
        u64::from_le_bytes(frame::array(hasher.finalize().as_bytes(), 0))
    }
}

/// When batches and segments are full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A batch closes at so many records, once its last step is whole.
    pub batch_records: u32,
    /// Or at so many bytes.
    pub batch_bytes: usize,
    /// A segment that could not take another batch of that size ends. Only a single step of more
    /// than `batch_bytes` can make a file longer than this.
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { batch_records: 1_024, batch_bytes: 256 * 1_024, segment_bytes: 64 * 1_024 * 1_024 }
    }
}

/// What a finished run leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Records, inputs included.
    pub records: u64,
    /// Inputs.
    pub inputs: u64,
    /// Bytes on disk; 0 without a journal.
    pub bytes: u64,
    /// The run digest.
    pub digest: Digest,
    /// The hash after the last batch; zeros without a journal.
    pub chain: Digest,
}

/// Takes the records of one run, in order.
pub struct Writer {
    numbering: Numbering,
    digest: RunDigest,
    records: u64,
    /// Frames of the open batch; without a journal only the record at hand.
    frames: Vec<u8>,
    log: Option<Log>,
}

impl Writer {
    /// A writer that keeps nothing but the digest.
    pub fn digest_only() -> Writer {
        Writer::new(None)
    }

    /// A writer of a new journal in `run_dir/log`, which must not hold one yet.
    ///
    /// # Errors
    /// When the directory or the first segment cannot be created.
    pub fn create(run_dir: &Path, identity: Identity) -> Result<Writer, JournalError> {
        Writer::create_with(run_dir, identity, Limits::default())
    }

    /// The same, with limits of one's own.
    ///
    /// # Errors
    /// When the directory or the first segment cannot be created.
    pub fn create_with(
        run_dir: &Path,
        identity: Identity,
        limits: Limits,
    ) -> Result<Writer, JournalError> {
        Ok(Writer::new(Some(Log::create(run_dir, identity, limits)?)))
    }

    fn new(log: Option<Log>) -> Writer {
        let room = if log.is_some() { 2 * Limits::default().batch_bytes } else { 4_096 };
        let frames = Vec::with_capacity(room);
        Writer {
            numbering: Numbering::default(),
            digest: RunDigest::new(),
            records: 0,
            frames,
            log,
        }
    }

    /// Takes an input. `received_ns` is when it was received, 0 where that was not observed.
    ///
    /// # Errors
    /// When the input may not stand here or cannot be encoded, and when writing fails. A refused
    /// record leaves everything as it was; after a failed write nothing more is written.
    #[inline]
    pub fn input(&mut self, seq: u64, received_ns: i64, input: &Input) -> Result<(), JournalError> {
        if let Some(log) = &mut self.log
            && log.batch_is_full(self.frames.len())
        {
            self.close_batch()?;
        }
        let kind = codec::input_kind(input);
        let encode = |out: &mut Vec<u8>| codec::encode_input(input, out);
        self.append(kind, EventId::input(seq), 0, received_ns, encode)
    }

    /// Takes an output of the last input.
    ///
    /// # Errors
    /// As [`Writer::input`].
    #[inline]
    pub fn output(&mut self, seq: u64, index: u32, derived: &Derived) -> Result<(), JournalError> {
        let kind = codec::output_kind(&derived.output);
        let encode = |out: &mut Vec<u8>| codec::encode_output(&derived.output, out);
        self.append(kind, EventId { seq, index }, derived.cause, 0, encode)
    }

    /// The digest of all records so far.
    pub fn digest(&self) -> Digest {
        self.digest.value()
    }

    /// Closes the last batch, says that nothing follows, and syncs files and directories.
    ///
    /// # Errors
    /// When writing or syncing fails, now or before: then the journal is not to be relied on.
    pub fn seal(mut self) -> Result<Sealed, JournalError> {
        let mut sealed = Sealed {
            records: self.records,
            inputs: self.numbering.next_seq(),
            bytes: 0,
            digest: self.digest.value(),
            chain: Digest::default(),
        };
        if let Some(mut log) = self.log {
            log.commit(&mut self.frames, sealed.inputs)?;
            sealed.chain = log.chain;
            log.end_segment(&sealed, true)?;
            log.sync_directories()?;
            sealed.bytes = log.bytes;
        }
        Ok(sealed)
    }

    #[inline]
    fn append(
        &mut self,
        kind: Kind,
        id: EventId,
        cause: u32,
        received_ns: i64,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>,
    ) -> Result<(), JournalError> {
        let (number, version) = (kind.number(), kind.schema().version);
        let mut numbering = self.numbering;
        numbering.admit(number, id, cause).map_err(|error| refused(id, error))?;
        if self.log.is_none() {
            self.frames.clear();
        }
        let start = self.frames.len();
        self.frames.resize(start + HEAD_BYTES, 0);
        if let Err(error) = encode(&mut self.frames) {
            self.frames.truncate(start);
            return Err(refused(id, error));
        }
        let payload = &self.frames[start + HEAD_BYTES..];
        self.digest.push(number, version, id, cause, payload);
        if let Some(log) = &mut self.log {
            let head = match id.index {
                0 => Head::input(number, version, id.seq, received_ns),
                _ => Head::output(number, version, id, cause),
            };
            frame::close_frame(&mut self.frames, start, head, log.seed);
            log.batch_records += 1;
        }
        self.numbering = numbering;
        self.records += 1;
        Ok(())
    }

    #[cold]
    fn close_batch(&mut self) -> Result<(), JournalError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let inputs = self.numbering.next_seq();
        log.commit(&mut self.frames, inputs)?;
        if log.segment_is_full() {
            let (records, digest, chain) = (self.records, self.digest.value(), log.chain);
            log.end_segment(&Sealed { records, inputs, bytes: 0, digest, chain }, false)?;
            log.begin_segment(inputs)?;
        }
        Ok(())
    }
}

fn refused(id: EventId, refusal: impl Into<Refusal>) -> JournalError {
    JournalError::Refused { id, refusal: refusal.into() }
}

/// The files of a journal that is being written.
struct Log {
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
    /// Records in the open batch.
    batch_records: u64,
    /// First input of the open batch.
    batch_seq: u64,
    /// The hash after the last batch.
    chain: Digest,
}

impl Log {
    fn create(run_dir: &Path, identity: Identity, limits: Limits) -> Result<Log, JournalError> {
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
            batch_records: 0,
            batch_seq: 0,
            chain: Digest::default(),
        };
        log.begin_segment(0)?;
        Ok(log)
    }

    fn begin_segment(&mut self, first_seq: u64) -> Result<(), JournalError> {
        let salt = self.identity.salt(self.segments);
        let header = Header {
            segment_no: self.segments,
            first_seq,
            salt,
            previous: self.chain,
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

    /// Whether the batch of that many bytes closes before the next input.
    #[inline]
    fn batch_is_full(&self, bytes: usize) -> bool {
        self.batch_records >= u64::from(self.limits.batch_records)
            || bytes >= self.limits.batch_bytes
    }

    fn segment_is_full(&self) -> bool {
        let frames = (HEAD_BYTES + Commit::BYTES) + (HEAD_BYTES + Seal::BYTES).next_multiple_of(8);
        let next = (self.limits.batch_bytes + frames) as u64;
        self.segment_bytes + next > self.limits.segment_bytes
    }

    /// Writes the open batch, whose inputs end before `next_seq`, and its commit.
    fn commit(&mut self, frames: &mut Vec<u8>, next_seq: u64) -> Result<(), JournalError> {
        if self.batch_records == 0 {
            return Ok(());
        }
        self.chain = frame::chain(&self.chain, frames);
        let commit = Commit {
            batch_no: self.batches,
            first_seq: self.batch_seq,
            last_seq: next_seq - 1,
            records: self.batch_records,
            byte_len: frames.len() as u64,
            start: self.segment_bytes,
            chain: self.chain,
            ..Commit::default()
        };
        commit.append(frames, commit.last_seq, commit.batch_no, self.seed);
        self.write(frames)?;
        frames.clear();
        self.batches += 1;
        self.batch_records = 0;
        self.batch_seq = next_seq;
        Ok(())
    }

    /// Writes the seal of the open segment and syncs the file.
    fn end_segment(&mut self, so_far: &Sealed, closing: bool) -> Result<(), JournalError> {
        let seal = Seal {
            closing: u8::from(closing),
            batches: self.batches,
            records: so_far.records,
            inputs: so_far.inputs,
            chain: so_far.chain,
            digest: so_far.digest,
        };
        let mut frame = Vec::new();
        seal.append(&mut frame, so_far.inputs, self.segments - 1, self.seed);
        self.write(&frame)?;
        let file = self.file.take().ok_or_else(|| self.poisoned())?;
        file.sync_all().map_err(|source| io("syncing", &self.path, source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let mut file = self.file.take().ok_or_else(|| self.poisoned())?;
        file.write_all(bytes).map_err(|source| io("writing", &self.path, source))?;
        self.file = Some(file);
        self.segment_bytes += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn poisoned(&self) -> JournalError {
        JournalError::Poisoned { path: self.dir.clone() }
    }

    /// IMPORTANT: a file whose directory was not synced may be gone after a power cut.
    fn sync_directories(&self) -> Result<(), JournalError> {
        for dir in self.dir.ancestors().take(2) {
            let sync = File::open(dir).and_then(|dir| dir.sync_all());
            sync.map_err(|source| io("syncing", dir, source))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::{Event, Record};
    use crate::journal::arbitrary::{journal, write};
    use crate::journal::samples;
    use crate::journal::{End, Reader};

    const IDENTITY: Identity = Identity { run_id: RunId([9; 16]), salt_seed: 0, created_ns: 0 };

    fn written(dir: &Path, records: &[Record], limits: Limits) -> Sealed {
        let mut writer = Writer::create_with(dir, IDENTITY, limits).unwrap();
        records.iter().for_each(|record| write(&mut writer, record).unwrap());
        writer.seal().unwrap()
    }

    fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(dir.join("log")).unwrap().map(Result::unwrap);
        let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut files: Vec<_> =
            entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect();
        files.sort();
        files
    }

    fn limits() -> impl Strategy<Value = Limits> {
        (1..20_u32, 1..4_000_usize, 0..30_000_u64).prop_map(
            |(batch_records, batch_bytes, segment_bytes)| Limits {
                batch_records,
                batch_bytes,
                segment_bytes,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_was_written_is_read(records in journal(30), limits in limits()) {
            let dir = tempfile::tempdir().unwrap();
            let sealed = written(dir.path(), &records, limits);
            let mut reader = Reader::open(dir.path()).unwrap();
            let read: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
            prop_assert_eq!(&read, &records);
            prop_assert_eq!(sealed.records, records.len() as u64);
            let inputs = records.iter().filter(|record| record.id.index == 0).count();
            prop_assert_eq!(sealed.inputs, inputs as u64);
            let bytes: u64 = reader.segments().iter().map(|segment| segment.bytes).sum();
            prop_assert_eq!(sealed.bytes, bytes);
            let Some(End::Sealed(seal)) = reader.end() else { panic!("{:?}", reader.end()) };
            prop_assert_eq!((seal.digest, seal.chain), (sealed.digest, sealed.chain));
        }

        #[test]
        fn the_digest_knows_nothing_of_storage(records in journal(30), limits in limits()) {
            let dir = tempfile::tempdir().unwrap();
            let sealed = written(dir.path(), &records, limits);
            let mut other = Writer::digest_only();
            for record in &records {
                write(&mut other, &Record { received_ns: 0, ..record.clone() }).unwrap();
            }
            prop_assert_eq!(other.digest(), sealed.digest);
            let other = other.seal().unwrap();
            let nothing = Sealed { bytes: 0, chain: Digest::default(), ..sealed };
            prop_assert_eq!(other, nothing);
        }

        #[test]
        fn the_same_run_gives_the_same_files(records in journal(30), limits in limits()) {
            let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            written(one.path(), &records, limits);
            written(two.path(), &records, limits);
            prop_assert!(files(one.path()) == files(two.path()));
        }
    }

    #[test]
    fn a_full_segment_is_followed_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { batch_records: 4, batch_bytes: 500, segment_bytes: 6_000 };
        let mut writer = Writer::create_with(dir.path(), IDENTITY, limits).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        for seq in 1..60 {
            writer.input(seq, 0, &Input::Bar(samples::bar())).unwrap();
        }
        writer.seal().unwrap();
        let files = files(dir.path());
        assert!(files.len() > 2);
        assert!(files.iter().all(|(_, bytes)| bytes.len() <= 6_000 && bytes.len() % 8 == 0));
        assert_eq!(Reader::open(dir.path()).unwrap().map(Result::unwrap).count(), 60);
    }

    #[test]
    fn a_refused_record_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), IDENTITY).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        let before = writer.digest();
        let flat =
            crate::domain::fact::Bar { volume: crate::domain::money::Qty(-1), ..samples::bar() };
        let refused = [
            writer.input(1, 0, &Input::Bar(flat)),
            writer.input(2, 0, &Input::Bar(samples::bar())),
            writer.input(1, 0, &Input::RunStarted(Box::new(samples::run()))),
        ];
        let messages: Vec<_> = refused.map(|result| result.unwrap_err().to_string()).into();
        insta::assert_snapshot!(messages.join("\n"), @r"
        record 1 cannot be written: a bar or tick that cannot be: volume-out-of-range
        record 2 cannot be written: expected input 1 but found 2
        record 1 cannot be written: the first record must be run-started, and no other may be
        ");
        assert_eq!(writer.digest(), before);
        writer.input(1, 0, &Input::Bar(samples::bar())).unwrap();
        writer.seal().unwrap();
        let read: Vec<_> = Reader::open(dir.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(read[1].event, Event::Input(Input::Bar(samples::bar())));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_journal_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        Writer::create(dir.path(), IDENTITY).unwrap();
        let again = Writer::create(dir.path(), IDENTITY);
        assert!(matches!(again, Err(JournalError::Io { doing: "creating", .. })));
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), IDENTITY).unwrap();
        writer.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        // A file that is open for reading only refuses the write.
        let log = writer.log.as_mut().unwrap();
        log.file = Some(File::open(&log.path).unwrap());
        log.limits.batch_records = 1;
        let bar = Input::Bar(samples::bar());
        let failed = writer.input(1, 0, &bar);
        assert!(matches!(failed, Err(JournalError::Io { doing: "writing", .. })));
        assert!(matches!(writer.input(1, 0, &bar), Err(JournalError::Poisoned { .. })));
        assert!(matches!(writer.seal(), Err(JournalError::Poisoned { .. })));
    }

    #[test]
    fn a_replay_is_named_by_its_description() {
        let run = samples::run();
        let identity = Identity::of_replay(&run).unwrap();
        assert_eq!(Identity::of_replay(&run).unwrap(), identity);
        let other = RunStarted { build: "lockstep 0.1.1".into(), ..run };
        assert_ne!(Identity::of_replay(&other).unwrap().run_id, identity.run_id);
        assert_ne!(identity.salt(0), identity.salt(1));
        insta::assert_snapshot!(identity.run_id, @"1bb7624c7156d83117da6e385cf8a8d3");
    }
}
