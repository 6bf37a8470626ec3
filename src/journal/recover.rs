//! Takes up a journal that a process has left, however it ended. Looking is one thing and changes
//! nothing ([`examine`]); going on is another ([`resume`]).
//!
//! What follows the durable mark may be no more than a memory of the operating system: a failed
//! sync is forgotten, and reading the bytes again proves nothing. So whole batches behind the
//! mark are written anew, into a segment of their own, and the segment before it is left as it
//! is, byte for byte. The new one says where in the old one the journal goes on; torn bytes
//! behind that place are copied to `quarantine/` as well, where people find them. The new segment
//! gets its name only when everything in it is on the disk, so a recovery that breaks off has
//! changed nothing either.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::Batch;
use super::digest::RunDigest;
use super::disk::{Disk, read_some, write_all};
use super::error::{JournalError, io};
use super::keeper::Keeper;
use super::log::{Log, Place};
use super::mark::Mark;
use super::reader::{End, Reader};
use super::record::Numbering;
use super::segment::{HEADER_BYTES, RunId, files};
use super::writer::{Setup, Writer};

/// Torn bytes at the end of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where they begin.
    pub offset: u64,
    /// How many there are, up to the last that is not zero.
    pub bytes: u64,
}

/// What is there of a journal.
pub struct Findings {
    /// Its directory.
    log_dir: PathBuf,
    /// The run.
    pub run_id: RunId,
    /// How it ends.
    pub end: End,
    /// Records that are there.
    pub records: u64,
    /// The number of the next input.
    pub next_seq: u64,
    /// How far it was promised to be on the disk, if it says.
    pub mark: Option<Mark>,
    /// What a write left behind that was not finished.
    pub torn: Option<Torn>,
    /// Files that were to become something and did not.
    pub leftovers: Vec<PathBuf>,
    /// Where the batches behind the mark begin, the digest there and the records before.
    place: Place,
    digest: RunDigest,
    records_before: u64,
    /// These batches.
    tail: Vec<Batch>,
    numbering: Numbering,
}

/// What was done to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches that were written anew, since nobody knew whether they were on the disk.
    pub rewritten: u64,
    /// Where torn bytes were copied to.
    pub quarantined: Option<PathBuf>,
    /// Unfinished files that were removed.
    pub removed: Vec<PathBuf>,
}

/// Looks through the journal in `run_dir` and changes nothing.
///
/// # Errors
/// When there is none, and when something is lost that once was there: then nothing can go on from
/// here.
pub fn examine(disk: &Arc<dyn Disk>, run_dir: &Path) -> Result<Findings, JournalError> {
    let (log_dir, names) = files(&**disk, run_dir)?;
    let mut leftovers: Vec<PathBuf> = names.into_iter().map(|(path, _)| path).collect();
    leftovers.retain(|path| path.extension().is_some_and(|extension| extension == "tmp"));
    leftovers.sort();
    let mut reader = Reader::open_on(Arc::clone(disk), run_dir)?;
    let (run_id, mark) = (reader.header().run_id, reader.mark());
    let last = reader.segments().len() as u64;
    let promised = mark.map_or(0, |mark| mark.batches);

    let mut tail = Vec::new();
    let mut place = Place { resumes_at: HEADER_BYTES as u64, ..reader.place() };
    let (mut digest, mut records, mut records_before) = (RunDigest::new(), 0, 0);
    let mut batch = Batch::default();
    while take_batch(&mut reader, &mut batch)? {
        records += batch.count();
        let now = reader.place();
        // A segment that is followed by another was on the disk before that began.
        if now.segments < last || now.batches <= promised {
            (place, records_before) = (now, records);
            digest.clone_from(reader.run_digest());
        } else {
            tail.push(std::mem::take(&mut batch));
        }
    }
    let end = reader.end().expect("there is no batch after the last");
    if place.segments < last {
        let bytes = reader.segments()[..last as usize - 1].iter().map(|file| file.bytes).sum();
        place = Place { segments: last, resumes_at: HEADER_BYTES as u64, bytes, ..place };
    }
    let torn = match end {
        End::Unsealed { trailing_bytes: bytes @ 1.. } => {
            let offset = reader.place().resumes_at;
            let path = reader.segments()[last as usize - 1].path.clone();
            Some(Torn { path, offset, bytes })
        }
        _ => None,
    };
    let numbering = reader.numbering();
    Ok(Findings {
        log_dir,
        run_id,
        end,
        records,
        next_seq: numbering.next_seq(),
        mark,
        torn,
        leftovers,
        place,
        digest,
        records_before,
        tail,
        numbering,
    })
}

/// The next batch as it stands on disk; false at the end.
fn take_batch(reader: &mut Reader, batch: &mut Batch) -> Result<bool, JournalError> {
    match reader.next_raw()? {
        None => return Ok(false),
        Some(first) => {
            batch.restart(first.id.seq);
            batch.raw(&first);
        }
    }
    while !reader.is_between_batches() {
        if let Some(raw) = reader.next_raw()? {
            batch.raw(&raw);
        }
    }
    Ok(true)
}

impl Findings {
    /// Whether the run in `setup` can go on from here.
    ///
    /// # Errors
    /// When the run is over, or the journal is of another.
    pub fn check(&self, setup: &Setup) -> Result<(), JournalError> {
        let path = || self.log_dir.clone();
        if self.is_sealed() {
            return Err(JournalError::Ended { path: path() });
        }
        if self.run_id != setup.identity.run_id {
            return Err(JournalError::OtherRun {
                path: path(),
                found: self.run_id.to_string(),
                wanted: setup.identity.run_id.to_string(),
            });
        }
        Ok(())
    }

    /// Whether the run is over, so that nothing can be added.
    pub const fn is_sealed(&self) -> bool {
        matches!(self.end, End::Sealed(_))
    }

    /// Batches behind the mark, of which nobody knows whether they are on the disk.
    pub const fn unpromised(&self) -> usize {
        self.tail.len()
    }

    /// Whether a recovery has anything to do.
    pub const fn is_whole(&self) -> bool {
        self.torn.is_none() && self.leftovers.is_empty() && self.tail.is_empty()
    }
}

/// Goes on with the journal that was examined. Everything that is there is on the disk then, and a
/// writer stands behind it.
///
/// # Errors
/// When the run is over or another one, and when the system says no.
pub fn resume(setup: &Setup, findings: Findings) -> Result<(Writer, Report), JournalError> {
    findings.check(setup)?;
    let disk = &setup.disk;
    for path in &findings.leftovers {
        disk.remove(path).map_err(|source| io("removing", path, source))?;
    }
    let quarantined = match &findings.torn {
        Some(torn) => Some(quarantine(&**disk, &setup.run_dir, torn)?),
        None => None,
    };
    // A name that was found may be a memory of the system too, and the next one must not outlast
    // it.
    disk.sync_dir(&findings.log_dir).map_err(|source| io("syncing", &findings.log_dir, source))?;
    let Findings { place, digest, records_before, tail, numbering, leftovers, .. } = findings;
    let log = Log::resume(setup, &place, digest.value())?;
    let mut keeper = Keeper::resumed(log, digest, records_before, place.next_seq);
    for batch in &tail {
        keeper.keep(batch, false)?;
    }
    let so_far = keeper.so_far();
    if let Some(log) = &mut keeper.log {
        log.publish(so_far.inputs, so_far.digest)?;
    }
    let report = Report { rewritten: tail.len() as u64, quarantined, removed: leftovers };
    Ok((Writer::resumed(keeper, numbering, setup), report))
}

/// Copies torn bytes to `quarantine/<segment>-<offset>.torn`. They stay where they are as well.
fn quarantine(disk: &dyn Disk, run_dir: &Path, torn: &Torn) -> Result<PathBuf, JournalError> {
    let dir = run_dir.join("quarantine");
    let name = torn.path.file_stem().unwrap_or_default().to_string_lossy();
    let (copy, building) = (dir.join(format!("{name}-{}.torn", torn.offset)), dir.join("copy.tmp"));
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let len = usize::try_from(torn.bytes).map_err(std::io::Error::other)?;
        read_some(&*disk.open(&torn.path, false)?, &mut bytes, torn.offset, len)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| io("reading", &torn.path, source))?;
    let write = || -> std::io::Result<()> {
        disk.make_dir(&dir)?;
        for (path, _) in disk.list(&dir)? {
            if path == building {
                disk.remove(&path)?;
            }
        }
        let file = disk.create(&building)?;
        write_all(&*file, &bytes, 0)?;
        file.sync()?;
        disk.rename(&building, &copy)?;
        disk.sync_dir(&dir)
    };
    write().map_err(|source| io("writing", &copy, source))?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::domain::event::{Input, Record};
    use crate::journal::arbitrary::{journal, write};
    use crate::journal::disk::Files;
    use crate::journal::samples;
    use crate::journal::{Identity, Limits, PersistMode};

    const LIMITS: Limits = Limits { batch_records: 4, batch_bytes: 600, segment_bytes: 9_000 };

    fn setup(dir: &TempDir) -> Setup {
        let identity = Identity { run_id: RunId([9; 16]), salt_seed: 4, created_ns: 5 };
        let mode = PersistMode::Durable;
        Setup { mode, ..Setup::buffered(&dir.path().join("run"), identity, LIMITS) }
    }

    fn disk() -> Arc<dyn Disk> {
        Arc::new(Files)
    }

    /// A run's description and `bars` bars, a step each, of which the first is urgent.
    fn begun(dir: &TempDir, bars: u64) -> Writer {
        let mut writer = Writer::begin(&setup(dir)).unwrap();
        let run = Input::RunStarted(Box::new(samples::run()));
        writer.input(0, 7, &run).unwrap();
        assert!(writer.settle(true).unwrap());
        go_on(&mut writer, bars);
        writer
    }

    fn go_on(writer: &mut Writer, bars: u64) {
        for _ in 0..bars {
            writer.input(writer.next_seq(), 7, &Input::Bar(samples::bar())).unwrap();
            writer.settle(false).unwrap();
        }
    }

    fn read(dir: &TempDir) -> Result<(u64, End), JournalError> {
        let mut reader = Reader::open(&setup(dir).run_dir)?;
        while reader.next_record()?.is_some() {}
        Ok((reader.inputs(), reader.end().unwrap()))
    }

    fn resumed(dir: &TempDir) -> Result<(Writer, Report), JournalError> {
        let findings = examine(&disk(), &setup(dir).run_dir)?;
        resume(&setup(dir), findings)
    }

    fn segment(dir: &TempDir, place: usize) -> PathBuf {
        let files = super::super::segment::list(&Files, &setup(dir).run_dir).unwrap();
        files[place].path.clone()
    }

    #[test]
    fn what_was_settled_is_there_and_the_rest_was_never_promised() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = begun(&dir, 0);
        writer.input(1, 0, &Input::Bar(samples::bar())).unwrap();
        assert!(!writer.settle(false).unwrap(), "it waits for company");
        assert_eq!(read(&dir).unwrap(), (1, End::Unsealed { trailing_bytes: 0 }));
        assert!(writer.settle(true).unwrap());
        assert_eq!(read(&dir).unwrap().0, 2);
        writer.input(2, 0, &Input::Bar(samples::bar())).unwrap();
        drop(writer);
        let (writer, report) = resumed(&dir).unwrap();
        assert_eq!((writer.next_seq(), report.rewritten, report.quarantined), (2, 0, None));
    }

    #[test]
    fn a_journal_goes_on_in_a_segment_of_its_own_as_if_nothing_had_happened() {
        let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let want = begun(&whole, 3_000).seal().unwrap();
        let mut left = begun(&broken, 3_000 / 7);
        // All that was not settled is handed in again by whoever resumes.
        left.settle(true).unwrap();
        drop(left);
        let mut got = None;
        for life in 1..7 {
            let (mut writer, report) = resumed(&broken).unwrap();
            assert_eq!((report.rewritten, report.quarantined), (0, None));
            let bars = 3_000 / 7 + u64::from(life == 6) * (3_000 % 7);
            go_on(&mut writer, bars);
            writer.settle(true).unwrap();
            got = (life == 6).then(|| writer.seal().unwrap());
        }
        let got = got.unwrap();
        assert_eq!((got.records, got.inputs), (want.records, want.inputs));
        assert_eq!(got.digest, want.digest);
        let (inputs, end) = read(&broken).unwrap();
        assert!(matches!(end, End::Sealed(seal) if seal.digest == got.digest && inputs == 3_001));
        assert!(matches!(resumed(&broken), Err(JournalError::Ended { .. })));
    }

    #[test]
    fn a_torn_tail_stays_where_it_is_and_is_copied_where_people_find_it() {
        let dir = tempfile::tempdir().unwrap();
        drop(begun(&dir, 12));
        let path = segment(&dir, 0);
        let end = examine(&disk(), &setup(&dir).run_dir).unwrap().place.resumes_at as usize;
        let mut torn = fs::read(&path).unwrap();
        torn[end + 20..end + 50].fill(5);
        fs::write(&path, &torn).unwrap();
        let findings = examine(&disk(), &setup(&dir).run_dir).unwrap();
        let found = findings.torn.clone().unwrap();
        assert_eq!(found.path, path);
        assert_eq!((found.offset, found.bytes), (end as u64, 50));
        assert_eq!(fs::read(&path).unwrap(), torn, "looking changes nothing");

        let (mut writer, report) = resume(&setup(&dir), findings).unwrap();
        let copy = fs::read(report.quarantined.unwrap()).unwrap();
        assert_eq!(copy, torn[found.offset as usize..][..found.bytes as usize]);
        assert_eq!(fs::read(&path).unwrap(), torn, "a torn file is never written to");
        let before = writer.next_seq();
        go_on(&mut writer, 4);
        writer.seal().unwrap();
        assert!(matches!(read(&dir).unwrap(), (inputs, End::Sealed(_)) if inputs == before + 4));
    }

    #[test]
    fn what_the_mark_does_not_know_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = begun(&dir, 4);
        let mark = segment(&dir, 0).with_file_name("WM");
        let old = fs::read(&mark).unwrap();
        go_on(&mut writer, 8);
        let bars = 4 * (12 / 4);
        drop(writer);
        fs::write(&mark, old).unwrap();
        let findings = examine(&disk(), &setup(&dir).run_dir).unwrap();
        assert!(findings.unpromised() > 0);
        let (next_seq, unpromised) = (findings.next_seq, findings.unpromised() as u64);
        let (writer, report) = resume(&setup(&dir), findings).unwrap();
        assert_eq!(report.rewritten, unpromised);
        assert_eq!(writer.next_seq(), next_seq);
        assert!(next_seq <= bars + 1);
        drop(writer);
        assert_eq!(read(&dir).unwrap().0, next_seq);
    }

    #[test]
    fn less_than_the_mark_says_is_loss_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        drop(begun(&dir, 12));
        let path = segment(&dir, 0);
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        bytes[end - 300..].fill(0);
        fs::write(&path, &bytes).unwrap();
        for error in [read(&dir).unwrap_err(), resumed(&dir).err().unwrap()] {
            assert!(matches!(error, JournalError::Lost { .. }), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn another_history_behind_the_same_count_is_damage() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(begun(&dir, 8));
        let mut writer = Writer::begin(&setup(&other)).unwrap();
        writer.input(0, 7, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        writer.settle(true).unwrap();
        for seq in 1..9 {
            writer.input(seq, 7, &Input::Tick(samples::tick())).unwrap();
            writer.settle(false).unwrap();
        }
        fs::copy(segment(&other, 0), segment(&dir, 0)).unwrap();
        let error = read(&dir).unwrap_err().to_string();
        assert!(error.ends_with("not the one that was acknowledged here"), "{error}");
    }

    #[test]
    fn a_run_that_broke_off_before_its_first_batch_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        drop(Writer::begin(&setup(&dir)).unwrap());
        let (mut writer, _) = resumed(&dir).unwrap();
        assert_eq!(writer.next_seq(), 0);
        writer.input(0, 7, &Input::RunStarted(Box::new(samples::run()))).unwrap();
        writer.seal().unwrap();
        assert_eq!(read(&dir).unwrap().0, 1);
    }

    #[test]
    fn another_run_is_not_mixed_in() {
        let dir = tempfile::tempdir().unwrap();
        drop(begun(&dir, 3));
        let findings = examine(&disk(), &setup(&dir).run_dir).unwrap();
        let mut setup = setup(&dir);
        setup.identity.run_id = RunId([8; 16]);
        assert!(matches!(resume(&setup, findings), Err(JournalError::OtherRun { .. })));
    }

    #[test]
    fn a_segment_is_as_long_as_it_will_be_before_anything_stands_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let writer = begun(&dir, 300);
        let files = super::super::segment::list(&Files, &setup(&dir).run_dir).unwrap();
        assert!(files.len() > 2);
        assert!(files.iter().all(|file| file.bytes == LIMITS.segment_bytes));
        writer.seal().unwrap();
        let names = super::super::segment::files(&Files, &setup(&dir).run_dir).unwrap().1;
        assert!(names.iter().all(|(path, _)| path.extension().is_none_or(|it| it != "tmp")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn however_often_it_is_taken_up_the_journal_is_the_same(
            records in journal(40),
            stops in prop::collection::vec(any::<bool>(), 40),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut plain = Writer::digest_only();
            let mut writer = Writer::begin(&setup(&dir)).unwrap();
            let steps = records.chunk_by(|_, next| next.id.index > 0);
            for (step, stop) in steps.zip(&stops) {
                for record in step {
                    write(&mut writer, record).unwrap();
                    write(&mut plain, record).unwrap();
                }
                if *stop {
                    writer.settle(true).unwrap();
                    drop(writer);
                    writer = resumed(&dir).unwrap().0;
                }
            }
            let rest = records.chunk_by(|_, next| next.id.index > 0).skip(stops.len());
            for record in rest.flatten() {
                write(&mut writer, record).unwrap();
                write(&mut plain, record).unwrap();
            }
            let (sealed, want) = (writer.seal().unwrap(), plain.seal().unwrap());
            prop_assert_eq!(sealed.digest, want.digest);
            let reader = Reader::open(&setup(&dir).run_dir).unwrap();
            let read: Vec<Record> = reader.map(Result::unwrap).collect();
            prop_assert_eq!(read, records);
        }
    }
}
