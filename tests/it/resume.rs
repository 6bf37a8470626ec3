//! A run that was stopped goes on as if nothing had happened: at any input, with or without a
//! checkpoint, after an interruption or by a process that is gone in the middle of a batch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use lockstep::domain::event::{Derived, EventId, Input};
use lockstep::domain::time::Timestamp;
use lockstep::driver::case::Case;
use lockstep::driver::live::Told;
use lockstep::driver::live::{self, LiveError};
use lockstep::driver::plan::DateRange;
use lockstep::driver::replay::Replay;
use lockstep::driver::resume::{ResumeError, take_up};
use lockstep::driver::run::{Checkpoints, Ended, Run};
use lockstep::driver::verify::{Verdict, verify};
use lockstep::driver::{DriveError, Source};
use lockstep::journal::digest::Digest;
use lockstep::journal::error::JournalError;
use lockstep::journal::reader::Reader;
use lockstep::journal::recover;
use lockstep::journal::writer::{Limits, PersistMode, Setup, Writer};
use lockstep::sinks::Sink;
use lockstep::sources::market::Market;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::desk::repository;
use crate::world::date;

/// Two days of the sample after one of warm-up, and what becomes of them in one go.
struct Whole {
    replay: Replay,
    inputs: u64,
    digest: Digest,
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let case = Case::load(&repository().join("replays"), "sample").unwrap();
        let mut request = case.request();
        request.range = DateRange { first: date("2024-10-03"), last: date("2024-10-04") };
        request.warmup_sessions = 1;
        let replay = Replay::prepare(&request, &Market::embedded().unwrap(), &case.data).unwrap();
        let sealed = replay.run(None, 1, &mut []).unwrap();
        Whole { replay, inputs: sealed.inputs, digest: sealed.digest }
    })
}

fn setup(dir: &TempDir) -> Setup {
    let limits = Limits { batch_records: 64, batch_bytes: 16_384, segment_bytes: 120_000 };
    let identity = whole().replay.identity().unwrap();
    Setup {
        mode: PersistMode::Durable,
        ..Setup::buffered(&dir.path().join("run"), identity, limits)
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is told to, and puts everything in order.
    Interrupted,
    /// It is gone, with what was not kept yet.
    Killed,
}

/// History up to some input, and then nothing.
struct Until {
    inputs: std::vec::IntoIter<Input>,
    last: Timestamp,
    left: u64,
    how: How,
}

impl Until {
    /// What comes after the first `heard` inputs, `left` of them.
    fn new(heard: u64, left: u64, how: How) -> Until {
        let (mut history, mut all) = (whole().replay.history(None), Vec::new());
        let mut inputs = Vec::new();
        loop {
            history.next(&mut inputs).unwrap();
            if inputs.is_empty() {
                break;
            }
            all.append(&mut inputs);
        }
        all.drain(..usize::try_from(heard).unwrap());
        Until { inputs: all.into_iter(), last: history.watermark(), left, how }
    }
}

impl Source for Until {
    type Error = &'static str;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), &'static str> {
        inputs.clear();
        match (self.left.checked_sub(1), self.how) {
            (Some(left), _) => {
                self.left = left;
                inputs.extend(self.inputs.next());
                Ok(())
            }
            (None, How::Interrupted) => Ok(()),
            (None, How::Killed) => Err("gone"),
        }
    }

    fn watermark(&self) -> Timestamp {
        self.last
    }

    fn is_interrupted(&self) -> bool {
        self.left == 0
    }
}

/// What a sink is told.
#[derive(Debug, Default)]
struct Witness {
    inputs: Vec<u64>,
    outputs: u64,
    resumed: Vec<u64>,
    notes: Vec<String>,
}

impl Sink for Witness {
    fn input(&mut self, seq: u64, _: &Input) {
        self.inputs.push(seq);
    }

    fn output(&mut self, _: EventId, _: &Derived) {
        self.outputs += 1;
    }

    fn resumed(&mut self, next_seq: u64) {
        self.resumed.push(next_seq);
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// One life of the run: begun or taken up, over at most `inputs` more.
fn life(
    dir: &TempDir,
    inputs: u64,
    how: How,
    from_checkpoint: bool,
) -> Result<(Option<Ended>, u64, Witness), ResumeError> {
    let setup = setup(dir);
    let mut witness = Witness::default();
    let sinks: &mut [&mut dyn Sink] = &mut [&mut witness];
    let started = &whole().replay.run;
    let (run, next_seq, checkpoint_seq) = match take_up(&setup, started, from_checkpoint, sinks) {
        Err(ResumeError::Journal(JournalError::Absent { .. })) => {
            (Run::begin(started, Writer::begin(&setup)?, sinks)?, 1, 0)
        }
        resumed => {
            let resumed = resumed?;
            (resumed.run, resumed.next_seq, resumed.checkpoint_seq)
        }
    };
    let run = run.with_checkpoints(Checkpoints {
        disk: setup.disk.clone(),
        run_dir: setup.run_dir.clone(),
        run_id: setup.identity.run_id,
        last: next_seq,
    });
    let ended = match run.go_on(&mut Until::new(next_seq - 1, inputs, how), sinks) {
        Ok(ended) => Some(ended),
        Err(DriveError::Source("gone")) => None,
        Err(error) => panic!("{error}"),
    };
    Ok((ended, checkpoint_seq, witness))
}

/// Lives the rest of the run, which must come to the digest of the whole one.
fn comes_to_the_same(dir: &TempDir, from_checkpoint: bool) -> Witness {
    let (ended, _, witness) = life(dir, u64::MAX, How::Killed, from_checkpoint).unwrap();
    let Some(Ended::Sealed(sealed)) = ended else { panic!("{ended:?}") };
    assert_eq!((sealed.inputs, sealed.digest), (whole().inputs, whole().digest));
    let all: Vec<u64> = (0..whole().inputs).collect();
    assert_eq!(witness.inputs, all, "sinks are told of everything, once");
    witness
}

#[test]
fn at_inputs_all_over_the_run_by_kill_and_by_interruption() {
    for (place, how) in
        (1..whole().inputs).step_by(89).zip([How::Killed, How::Interrupted].iter().cycle())
    {
        let dir = tempfile::tempdir().unwrap();
        life(&dir, place, *how, true).unwrap();
        let witness = comes_to_the_same(&dir, true);
        assert_eq!(witness.notes, [] as [&str; 0]);
        if *how == How::Interrupted {
            assert_eq!(witness.resumed, [place + 1], "nothing is lost");
        }
    }
}

#[test]
fn a_run_of_many_lives_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut lives = 0;
    loop {
        let how = if lives % 3 == 0 { How::Interrupted } else { How::Killed };
        let (ended, ..) = life(&dir, 211, how, lives % 2 == 0).unwrap();
        lives += 1;
        if matches!(ended, Some(Ended::Sealed(_))) {
            break;
        }
    }
    assert!(lives > 10);
    let verified = verify(&mut Reader::open(&setup(&dir).run_dir).unwrap(), true, &mut |_| {});
    assert_eq!(verified.verdict(), Verdict::Identical);
    assert_eq!(verified.digest, Some(whole().digest));
    let again = life(&dir, 1, How::Killed, true).unwrap_err();
    assert!(matches!(again, ResumeError::Journal(JournalError::Ended { .. })), "{again}");
}

/// The checkpoints of a run that was interrupted after its second session, and the run.
fn with_checkpoints() -> (TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    life(&dir, whole().inputs - 200, How::Interrupted, true).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(setup(&dir).run_dir.join("ckpt"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    (dir, files)
}

#[test]
fn genesis_and_every_checkpoint_lead_to_the_same() {
    let (dir, files) = with_checkpoints();
    assert!(files.len() > 1, "one for each session and one for the interruption");
    for kept in (0..=files.len()).rev() {
        let copy = copied(&dir);
        for file in &files[kept..] {
            let name = file.file_name().unwrap();
            fs::remove_file(setup(&copy).run_dir.join("ckpt").join(name)).unwrap();
        }
        let (ended, checkpoint_seq, _) = life(&copy, u64::MAX, How::Killed, true).unwrap();
        assert_eq!(checkpoint_seq > 0, kept > 0);
        let Some(Ended::Sealed(sealed)) = ended else { panic!("{ended:?}") };
        assert_eq!(sealed.digest, whole().digest, "{kept} checkpoints");
    }
    comes_to_the_same(&dir, false);
}

#[test]
fn a_checkpoint_that_does_not_fit_is_passed_over_with_a_word() {
    let (dir, files) = with_checkpoints();
    let (latest, before) = (&files[files.len() - 1], &files[files.len() - 2]);
    let mut bytes = fs::read(latest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(latest, bytes).unwrap();
    let copy = copied(&dir);
    let (_, checkpoint_seq, witness) = life(&copy, 1, How::Killed, true).unwrap();
    let seq = before.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
    assert_eq!(checkpoint_seq, seq.parse::<u64>().unwrap(), "the one before it serves");
    assert!(witness.notes[0].ends_with("the hash does not match"), "{:?}", witness.notes);
    comes_to_the_same(&dir, true);
}

#[test]
fn a_core_that_derives_something_else_does_not_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = whole().replay.run.clone();
    other.config.strategy.swing_period += 1;
    let setup = setup(&dir);
    let journal = Writer::begin(&setup).unwrap();
    let run = Run::begin(&whole().replay.run, journal, &mut []).unwrap();
    let left = whole().inputs - 100;
    run.go_on(&mut Until::new(0, left, How::Interrupted), &mut []).unwrap();
    let files = || fs::read_dir(setup.run_dir.join("log")).unwrap().count();
    let before = files();
    let refused = take_up(&setup, &other, false, &mut []).err().unwrap();
    assert_eq!(files(), before, "what cannot go on is left as it is");
    assert!(matches!(refused, ResumeError::OtherCore { .. }), "{refused}");
}

#[test]
fn a_live_run_can_be_stopped_and_ends_like_its_replay() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(true);
    let replay = &whole().replay;
    let told = || Told { replay, stop: &stop };
    let go = || live::live(&replay.run, &setup(&dir), true, told(), &mut []);
    assert_eq!(go().unwrap().ended, Ended::Interrupted { next_seq: 1 });
    stop.store(false, Ordering::Relaxed);
    let lived = go().unwrap();
    assert_eq!(lived.taken_up.map(|taken_up| taken_up.next_seq), Some(1));
    assert!(matches!(lived.ended, Ended::Sealed(sealed) if sealed.digest == whole().digest));
    assert!(matches!(go(), Err(LiveError::Resume(_))), "it is over");
}

fn copied(dir: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(&setup(dir).run_dir, &setup(&copy).run_dir);
    copy
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_into(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn however_it_is_cut_up(lives in prop::collection::vec((1..900_u64, any::<bool>()), 1..5)) {
        let dir = tempfile::tempdir().unwrap();
        for (inputs, is_kill) in lives {
            let how = if is_kill { How::Killed } else { How::Interrupted };
            let before = recover::examine(&setup(&dir).disk, &setup(&dir).run_dir);
            let (ended, ..) = life(&dir, inputs, how, true).unwrap();
            let after = recover::examine(&setup(&dir).disk, &setup(&dir).run_dir).unwrap();
            prop_assert!(before.map_or(0, |before| before.next_seq) <= after.next_seq);
            if matches!(ended, Some(Ended::Sealed(_))) {
                return Ok(());
            }
        }
        comes_to_the_same(&dir, true);
    }
}
