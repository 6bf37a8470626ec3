//! Writes a journal, or only its digest. One call per record; the payload is encoded once, and its
//! bytes serve the digest and the frame.
//!
//! What is promised is said at the call site, see [`PersistMode`]. A writer that is dropped leaves
//! a journal without a seal, which readers report as ended early and [`super::recover`] takes up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crew::Crew;
use crate::domain::event::{Derived, EventId, Input, RunStarted};

use super::batch::Batch;
use super::buffer::Buffer;
use super::codec;
use super::digest::{BLOCK_INPUTS, Digest, RunDigest};
use super::disk::{Disk, Files};
use super::error::{JournalError, Refusal};
use super::frame;
use super::keeper::{Desk, Keeper, Worker};
use super::log::Log;
use super::record::Numbering;
use super::segment::RunId;

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
        let mut payload = Buffer::default();
        let first = EventId::input(0);
        codec::encode_run_started(run, &mut payload).map_err(|error| refused(first, error))?;
        let run_id = RunId(frame::array(blake3::hash(payload.as_slice()).as_bytes(), 0));
        Ok(Identity { run_id, salt_seed: 0, created_ns: 0 })
    }

    /// What the checksums of a segment are seeded with.
    pub fn salt(&self, segment_no: u64) -> u64 {
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
    /// A batch closes at so many records, once its last step is whole; at the end of a block of the
    /// digest in any case.
    pub batch_records: u32,
    /// Or at so many bytes of frames.
    pub batch_bytes: usize,
    /// A segment that could not take another batch of that size ends. Only a single step of more
    /// than `batch_bytes` can make a file longer than this. At most [`frame::SEGMENT_MAX`].
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { batch_records: 4_096, batch_bytes: 256 * 1_024, segment_bytes: 64 * 1_024 * 1_024 }
    }
}

/// What a writer promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersistMode {
    /// Buffered, sealed at the end. Nothing is synced, because the run can be repeated: its journal
    /// is written into a new directory, which is renamed once it is sealed. After a power cut it
    /// may be there, missing or torn, and readers tell which.
    Buffered,
    /// What [`Writer::settle`] says is kept is on the disk: it outlasts the process at once, and a
    /// power cut too. Segments are prepared before they are needed, and there is at most one batch
    /// that is not synced. The first failed write or sync ends the right to write.
    Durable,
}

/// What the clocks say at a commit. Nothing is computed from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Wall clock, ns since 1970 UTC.
    pub wall_ns: i64,
    /// Monotonic clock, ns.
    pub mono_ns: i64,
    /// The boot that the monotonic clock counts from.
    pub boot_id: [u8; 16],
}

/// Reads the clocks. The journal itself never does.
pub type Clock = fn() -> Stamp;

/// Where a journal goes and what it promises.
#[derive(Clone)]
pub struct Setup {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The run's directory; segments are in `log` below it.
    pub run_dir: PathBuf,
    /// What makes the files its own.
    pub identity: Identity,
    /// When batches and segments are full.
    pub limits: Limits,
    /// What is promised.
    pub mode: PersistMode,
    /// The clocks of the commits.
    pub clock: Clock,
}

impl Setup {
    /// That of a replay: the machine's files, buffered, and no clock.
    pub fn buffered(run_dir: &Path, identity: Identity, limits: Limits) -> Setup {
        Setup {
            disk: Arc::new(Files),
            run_dir: run_dir.into(),
            identity,
            limits,
            mode: PersistMode::Buffered,
            clock: Stamp::default,
        }
    }

    /// That of a live run: the machine's files, durable. Batches are small enough for one to be
    /// synced while the next one comes together.
    pub fn durable(run_dir: &Path, identity: Identity, clock: Clock) -> Setup {
        let limits = Limits {
            batch_records: 1_024,
            batch_bytes: 256 * 1_024,
            segment_bytes: 16 * 1_024 * 1_024,
        };
        let mode = PersistMode::Durable;
        Setup { mode, clock, ..Setup::buffered(run_dir, identity, limits) }
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
}

/// Takes the records of one run, in order.
pub struct Writer {
    numbering: Numbering,
    limits: Limits,
    mode: PersistMode,
    batch: Batch,
    desk: Desk,
}

impl Writer {
    /// A writer that keeps nothing but the digest.
    pub fn digest_only() -> Writer {
        Writer::new(Keeper::default(), Limits::default())
    }

    /// A writer of a new journal of a replay in `run_dir/log`, which must not hold one yet.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn create(run_dir: &Path, identity: Identity) -> Result<Writer, JournalError> {
        Writer::begin(&Setup::buffered(run_dir, identity, Limits::default()))
    }

    /// The same, with limits of one's own.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn create_with(
        run_dir: &Path,
        identity: Identity,
        limits: Limits,
    ) -> Result<Writer, JournalError> {
        Writer::begin(&Setup::buffered(run_dir, identity, limits))
    }

    /// A writer of a new journal. There must not be one yet.
    ///
    /// # Errors
    /// When the directory or the first segment cannot be created; [`JournalError::Full`] where
    /// there is no room for it.
    pub fn begin(setup: &Setup) -> Result<Writer, JournalError> {
        let log = Log::create(setup, RunDigest::new().value())?;
        Ok(Writer { mode: setup.mode, ..Writer::new(Keeper::of(log), setup.limits) })
    }

    /// A writer that goes on behind what `keeper` has, whose records were numbered so far.
    pub(super) fn resumed(keeper: Keeper, numbering: Numbering, setup: &Setup) -> Writer {
        let mut writer = Writer::new(keeper, setup.limits);
        writer.batch.restart(numbering.next_seq());
        Writer { numbering, mode: setup.mode, ..writer }
    }

    fn new(keeper: Keeper, limits: Limits) -> Writer {
        let batch = Batch::with_room(limits.batch_bytes);
        Writer {
            numbering: Numbering::default(),
            limits,
            mode: PersistMode::Buffered,
            batch,
            desk: Desk::Here(Box::new(keeper)),
        }
    }

    /// The same writer, whose hashes, checksums and files are `crew`'s business. The bytes are the
    /// same; a failed write shows at a later call, at the latest in [`Writer::seal`]. A durable
    /// writer stays where it is: whoever waits for its promise gains nothing by another thread.
    #[must_use]
    pub fn kept_by(self, crew: &Crew) -> Writer {
        let desk = match self.desk {
            Desk::Here(keeper) if self.mode == PersistMode::Durable => Desk::Here(keeper),
            Desk::Here(keeper) => Desk::Away(Worker::start(*keeper, crew)),
            Desk::Away(worker) => Desk::Away(worker),
        };
        Writer { desk, ..self }
    }

    /// Takes an input. `received_ns` is when it was received, 0 where that was not observed.
    ///
    /// # Errors
    /// When the input may not stand here or cannot be encoded, and when writing fails. A refused
    /// record leaves everything as it was; after a failed write nothing more is written.
    #[inline]
    pub fn input(&mut self, seq: u64, received_ns: i64, input: &Input) -> Result<(), JournalError> {
        if self.batch_is_full() {
            self.close_batch(false)?;
        }
        let (kind, id) = (codec::input_kind(input), EventId::input(seq));
        self.numbering.check(kind.number(), id, 0).map_err(|error| refused(id, error))?;
        let added = self.batch.input(kind, received_ns, |out| codec::encode_input(input, out));
        added.map_err(|error| refused(id, error))?;
        self.numbering.take(kind.number());
        Ok(())
    }

    /// Takes an output of the last input.
    ///
    /// # Errors
    /// As [`Writer::input`].
    #[inline]
    pub fn output(&mut self, seq: u64, index: u32, derived: &Derived) -> Result<(), JournalError> {
        let Derived { cause, output } = derived;
        let (kind, id) = (codec::output_kind(output), EventId { seq, index });
        self.numbering.check(kind.number(), id, *cause).map_err(|error| refused(id, error))?;
        let added = self.batch.output(kind, *cause, |out| codec::encode_output(output, out));
        added.map_err(|error| refused(id, error))?;
        self.numbering.take(kind.number());
        Ok(())
    }

    /// Ends a step. True if everything taken so far is kept as promised, so that the world may be
    /// told; else it waits for others to share a sync with. With `urgent` nothing waits.
    ///
    /// # Errors
    /// As [`Writer::input`]; then nothing is known of what was not kept before.
    pub fn settle(&mut self, urgent: bool) -> Result<bool, JournalError> {
        match self.mode {
            PersistMode::Buffered => Ok(true),
            PersistMode::Durable if self.batch.count() == 0 => Ok(true),
            PersistMode::Durable if urgent || self.batch_is_full() => {
                self.close_batch(urgent)?;
                Ok(true)
            }
            PersistMode::Durable => Ok(false),
        }
    }

    /// The run digest of everything that is kept; unknown while a crew keeps it.
    pub fn digest(&self) -> Option<Digest> {
        match &self.desk {
            Desk::Here(keeper) => Some(keeper.so_far().digest),
            Desk::Away(_) => None,
        }
    }

    /// The number that the next input must have.
    pub const fn next_seq(&self) -> u64 {
        self.numbering.next_seq()
    }

    /// Closes the last batch and says that nothing follows.
    ///
    /// # Errors
    /// When writing fails, now or before: then the journal is not to be relied on.
    pub fn seal(mut self) -> Result<Sealed, JournalError> {
        self.close_batch(true)?;
        self.desk.seal()
    }

    /// Closes the last batch and leaves the journal without a seal, as one that ended early.
    ///
    /// # Errors
    /// As [`Writer::seal`].
    pub fn leave(mut self) -> Result<Sealed, JournalError> {
        self.close_batch(true)?;
        self.desk.leave()
    }

    /// Whether the batch closes before the next input.
    #[inline]
    fn batch_is_full(&self) -> bool {
        self.numbering.next_seq().is_multiple_of(BLOCK_INPUTS)
            || self.batch.count() >= u64::from(self.limits.batch_records)
            || self.batch.frame_bytes() >= self.limits.batch_bytes
    }

    #[cold]
    fn close_batch(&mut self, urgent: bool) -> Result<(), JournalError> {
        let kept = self.desk.hand_over(std::mem::take(&mut self.batch), urgent);
        match kept {
            Ok(empty) => self.batch = empty,
            Err(error) => {
                // Every later input comes here again, and is told that nothing more is written.
                self.limits.batch_records = 0;
                return Err(error);
            }
        }
        self.batch.restart(self.numbering.next_seq());
        Ok(())
    }
}

#[cold]
fn refused(id: EventId, refusal: impl Into<Refusal>) -> JournalError {
    JournalError::Refused { id, refusal: refusal.into() }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            prop_assert_eq!(seal.digest, sealed.digest);
        }

        #[test]
        fn the_digest_knows_nothing_of_storage(records in journal(30), limits in limits()) {
            let dir = tempfile::tempdir().unwrap();
            let sealed = written(dir.path(), &records, limits);
            let mut other = Writer::digest_only();
            for record in &records {
                write(&mut other, &Record { received_ns: 0, ..record.clone() }).unwrap();
            }
            prop_assert_eq!(other.seal().unwrap(), Sealed { bytes: 0, ..sealed });
        }

        #[test]
        fn the_same_run_gives_the_same_files_on_any_thread(
            records in journal(30),
            limits in limits(),
        ) {
            let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let sealed = written(one.path(), &records, limits);
            let writer = Writer::create_with(two.path(), IDENTITY, limits).unwrap();
            let mut writer = writer.kept_by(&Crew::new(2).unwrap());
            records.iter().for_each(|record| write(&mut writer, record).unwrap());
            prop_assert_eq!(writer.seal().unwrap(), sealed);
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
        writer.input(1, 0, &Input::Bar(samples::bar())).unwrap();
        let sealed = writer.seal().unwrap();
        let mut other = Writer::digest_only();
        other.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        other.input(1, 0, &Input::Bar(samples::bar())).unwrap();
        assert_eq!(other.seal().unwrap().digest, sealed.digest);
        let read: Vec<_> = Reader::open(dir.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(read[1].event, Event::Input(Input::Bar(samples::bar())));
        assert_eq!(read.len(), 2);
    }

    /// They are more than a block, so that some were written before and some were not.
    #[test]
    fn a_writer_that_is_dropped_leaves_every_batch_that_was_closed() {
        let limits = Limits { batch_records: 1, ..Limits::default() };
        for crew in [None, Some(Crew::new(2).unwrap())] {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = Writer::create_with(dir.path(), IDENTITY, limits).unwrap();
            if let Some(crew) = &crew {
                writer = writer.kept_by(crew);
            }
            writer.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
            for seq in 1..=3_000 {
                writer.input(seq, 0, &Input::Bar(samples::bar())).unwrap();
            }
            drop(writer);
            let mut reader = Reader::open(dir.path()).unwrap();
            assert_eq!(reader.by_ref().map(Result::unwrap).count(), 3_000, "the last is open");
            assert!(reader.segments().iter().map(|segment| segment.bytes).sum::<u64>() > 400_000);
        }
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
        let bar = Input::Bar(samples::bar());
        for by_a_crew in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let limits = Limits { batch_records: 1, ..Limits::default() };
            let mut writer = Writer::create_with(dir.path(), IDENTITY, limits).unwrap();
            let Desk::Here(keeper) = &mut writer.desk else { panic!("it works here") };
            keeper.log.as_mut().expect("a journal").break_off();
            if by_a_crew {
                writer = writer.kept_by(&Crew::new(1).unwrap());
            }
            writer.input(0, 0, &Input::RunStarted(Box::new(samples::run()))).unwrap();
            // As many as make a block that is written.
            let failed = (1..10_000).find_map(|seq| writer.input(seq, 0, &bar).err());
            assert!(matches!(failed, Some(JournalError::Io { doing: "writing", .. })));
            let next = writer.numbering.next_seq();
            let again = writer.input(next, 0, &bar);
            assert!(matches!(again, Err(JournalError::Poisoned { .. })));
            assert!(matches!(writer.seal(), Err(JournalError::Poisoned { .. })));
        }
    }

    #[test]
    fn a_replay_is_named_by_its_description() {
        let run = samples::run();
        let identity = Identity::of_replay(&run).unwrap();
        assert_eq!(Identity::of_replay(&run).unwrap(), identity);
        let other = RunStarted { build: "lockstep 0.1.1".into(), ..run };
        assert_ne!(Identity::of_replay(&other).unwrap().run_id, identity.run_id);
        assert_ne!(identity.salt(0), identity.salt(1));
        insta::assert_snapshot!(identity.run_id, @"d3500557e87889f9e04e0c0d30d11a3d");
    }
}
