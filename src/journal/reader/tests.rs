//! Journals as they were written, cut, flipped, forged and mixed up, and what of them is read.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::event::{Event, Input, RunStarted};
use crate::journal::arbitrary::write;
use crate::journal::samples::{self, samples};
use crate::journal::{Identity, Limits, Writer};

const LIMITS: Limits = Limits { batch_records: 2, batch_bytes: 400, segment_bytes: 5_400 };

/// A description without lists, so that every bit of its journal can be flipped in no time.
fn run() -> RunStarted {
    let mut run = samples::run();
    run.config.fees.periods.clear();
    RunStarted { instruments: vec![], sessions: vec![], data: vec![], ..run }
}

/// A journal of two segments and its records. The last input stays uncommitted unless sealed.
fn small(seal: bool) -> (TempDir, Vec<Record>) {
    let events = samples();
    let of = |kind| events.iter().find(|(sample, _)| *sample == kind).unwrap().1.clone();
    let record = |seq, index, cause, event| {
        let received_ns = if index == 0 { 7 } else { 0 };
        Record { id: EventId { seq, index }, cause, received_ns, event }
    };
    let records = vec![
        record(0, 0, 0, Event::Input(Input::RunStarted(Box::new(run())))),
        record(1, 0, 0, of(Kind::Bar)),
        record(2, 0, 0, of(Kind::Tick)),
        record(2, 1, 0, of(Kind::Order)),
        record(2, 2, 1, of(Kind::Fill)),
        record(3, 0, 0, of(Kind::Watermark)),
        record(3, 1, 0, of(Kind::Halt)),
        record(4, 0, 0, of(Kind::Command)),
        record(5, 0, 0, of(Kind::RunEnded)),
    ];
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::of_replay(&run()).unwrap();
    let mut writer = Writer::create_with(dir.path(), identity, LIMITS).unwrap();
    records.iter().for_each(|record| write(&mut writer, record).unwrap());
    if seal {
        writer.seal().unwrap();
    }
    (dir, records)
}

fn segments(dir: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let files = segment::list(&Files, dir.path()).unwrap();
    files.into_iter().map(|file| (file.path.clone(), fs::read(&file.path).unwrap())).collect()
}

/// Everything that can be read, and how it ended.
fn read(dir: &TempDir) -> (Vec<Record>, Result<End, JournalError>) {
    let mut records = Vec::new();
    let mut reader = match Reader::open(dir.path()) {
        Ok(reader) => reader,
        Err(error) => return (records, Err(error)),
    };
    loop {
        match reader.next_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, Ok(reader.end().expect("the end was reached"))),
            Err(error) => return (records, Err(error)),
        }
    }
}

/// All of the frames; of the header, which has a test of its own, a few bytes.
fn is_telling(place: usize) -> bool {
    place >= HEADER_BYTES || place.is_multiple_of(509)
}

fn is_sealed(end: &Result<End, JournalError>) -> bool {
    matches!(end, Ok(End::Sealed(_)))
}

#[test]
fn a_journal_is_read_to_its_seal() {
    let (dir, records) = small(true);
    assert_eq!(segments(&dir).len(), 2);
    let (read, end) = read(&dir);
    assert_eq!(read, records);
    assert!(is_sealed(&end));
}

#[test]
fn a_flipped_bit_is_damage_or_an_early_end_and_never_another_record() {
    let (dir, records) = small(true);
    for (file, (path, bytes)) in segments(&dir).into_iter().enumerate() {
        let mut bad = bytes.clone();
        // One bit of each byte; frame.rs flips every bit of a frame.
        for place in (0..bytes.len()).filter(|place| is_telling(*place)) {
            bad[place] ^= 1 << (place % 8);
            fs::write(&path, &bad).unwrap();
            bad[place] = bytes[place];
            let (read, end) = read(&dir);
            assert!(records.starts_with(&read), "byte {place} of segment {file}");
            assert!(!is_sealed(&end), "byte {place} of segment {file}");
            assert!(end.is_err() || read == records, "only a seal may go unnoticed");
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_journal_that_was_cut_off_ends_early() {
    let (dir, records) = small(true);
    let all = segments(&dir);
    for (file, (path, bytes)) in all.iter().enumerate() {
        for len in (0..bytes.len()).filter(|len| is_telling(*len)) {
            fs::write(path, &bytes[..len]).unwrap();
            let (read, end) = read(&dir);
            assert!(records.starts_with(&read), "segment {file} cut at {len}");
            match end {
                Ok(End::Sealed(_)) => panic!("segment {file} cut at {len} reads as sealed"),
                Ok(End::Unsealed { trailing_bytes }) => {
                    assert_eq!(file, all.len() - 1);
                    assert!(trailing_bytes < (len - HEADER_BYTES + 8) as u64);
                }
                Err(JournalError::Damaged { path: at, .. }) => {
                    assert!(file + 1 < all.len() || len < HEADER_BYTES);
                    assert_eq!(&at, path);
                }
                Err(error) => panic!("{error}"),
            }
        }
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn an_unsealed_journal_has_what_was_committed() {
    let (dir, records) = small(false);
    let (read, end) = read(&dir);
    assert!(read.len() < records.len() && records.starts_with(&read));
    assert!(matches!(end, Ok(End::Unsealed { trailing_bytes: 0 })));
}

#[test]
fn zeros_after_the_last_commit_are_room_and_anything_else_is_counted() {
    let (dir, _) = small(false);
    let (path, bytes) = segments(&dir).pop().unwrap();
    let ends = |tail: &[u8]| {
        fs::write(&path, [&bytes[..], tail].concat()).unwrap();
        read(&dir).1.unwrap()
    };
    let early = |trailing_bytes| End::Unsealed { trailing_bytes };
    assert_eq!(ends(&[0; 300_000]), early(0));
    assert_eq!(ends(&[0, 0, 5, 0, 0]), early(3));
    assert_eq!(ends(&[&[0; 299_999][..], &[1]].concat()), early(300_000));
}

#[test]
fn a_lost_batch_before_a_good_one_is_damage_however_far_away() {
    let (dir, _) = small(true);
    let (path, mut bytes) = segments(&dir).pop().unwrap();
    let first = bytes[HEADER_BYTES..].to_vec();
    // The seal moves behind a gap that is longer than what is read at a time.
    let seal = first.len() - frame::control_bytes(Seal::BYTES);
    bytes.truncate(HEADER_BYTES + seal);
    bytes.resize(HEADER_BYTES + seal + READ_BYTES - 16, 0);
    bytes.extend_from_slice(&first[seal..]);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(read(&dir).1, Err(JournalError::Damaged { damage: Damage::NoFrame, .. })));
}

#[test]
fn the_commit_of_the_bad_batch_itself_proves_nothing() {
    let (dir, _) = small(false);
    let (path, mut bytes) = segments(&dir).pop().unwrap();
    let commit = bytes.len() - frame::control_bytes(Commit::BYTES);
    bytes[commit - 8] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(read(&dir).1, Ok(End::Unsealed { trailing_bytes }) if trailing_bytes > 0));
}

/// Whoever changes a payload and mends its checksum is found out by the digest.
#[test]
fn a_forged_payload_is_damage() {
    let (dir, records) = small(true);
    let (path, mut bytes) = segments(&dir).swap_remove(0);
    let seed = frame::seed_of(Header::decode(&bytes[..HEADER_BYTES], &path).unwrap().salt);
    let place = HEADER_BYTES + frame::parse(&bytes[HEADER_BYTES..], seed).unwrap().len;
    let Frame { head, payload, .. } = frame::parse(&bytes[place..], seed).unwrap();
    let mut forged = payload.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    frame::put(&mut bytes[place..], head, &forged, seed);
    fs::write(&path, bytes).unwrap();
    let (read, end) = read(&dir);
    assert!(records.starts_with(&read));
    let error = end.unwrap_err().to_string();
    assert!(error.ends_with("its digest differs"), "{error}");
}

#[test]
fn segments_must_belong_together() {
    let (dir, records) = small(true);
    let all = segments(&dir);
    fs::remove_file(&all[0].0).unwrap();
    let missing = "byte 0, seq 3: the segment does not continue the one before: a segment is \
                   missing or there twice";
    assert!(read(&dir).1.unwrap_err().to_string().ends_with(missing));
    fs::write(&all[0].0, &all[0].1).unwrap();

    fs::remove_file(&all[1].0).unwrap();
    let (read_now, end) = read(&dir);
    assert!(records.starts_with(&read_now));
    assert!(matches!(end, Ok(End::Unsealed { trailing_bytes: 0 })));

    let (other, _) = small(true);
    let foreign = {
        let run = RunStarted { build: "another".into(), ..run() };
        Identity::of_replay(&run).unwrap().run_id
    };
    let mut header = Header::decode(&all[1].1[..HEADER_BYTES], &all[1].0).unwrap();
    header.run_id = foreign;
    let path = segments(&other).pop().unwrap().0;
    fs::write(&path, [&header.encode()[..], &all[1].1[HEADER_BYTES..]].concat()).unwrap();
    let error = read(&other).1.unwrap_err().to_string();
    assert!(error.ends_with("it is of another run"), "{error}");
}

#[test]
fn a_directory_without_segments_is_no_journal() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(JournalError::Absent { .. })));
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(Reader::open(&nowhere), Err(JournalError::Absent { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bytes_of_any_kind_in_any_place_never_panic_and_never_invent(
        place in any::<prop::sample::Index>(),
        take in 0..200_usize,
        put in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (dir, records) = small(true);
        for (path, mut bytes) in segments(&dir) {
            let start = place.index(bytes.len());
            let end = bytes.len().min(start + take);
            let same = bytes[start..end] == put;
            bytes.splice(start..end, put.iter().copied());
            fs::write(&path, &bytes).unwrap();
            let (read, end) = read(&dir);
            prop_assert!(records.starts_with(&read));
            prop_assert!(!is_sealed(&end) || same);
        }
    }
}

/// Checksums and digest are right, but the record is of a later program or out of order.
#[test]
fn a_well_formed_batch_of_nonsense_is_refused() {
    let cases = [
        (0x0001, 2, EventId::input(0), "unknown kind 1 version 2"),
        (0x0042, 1, EventId::input(0), "the first record must be run-started"),
        (0x0001, 1, EventId::input(5), "expected input 0 but found 5"),
        (0x0107, 1, EventId { seq: 0, index: 1 }, "the batch begins within a step"),
        (0x03F2, 1, EventId::input(0), "a frame of the unknown kind 0x03f2"),
    ];
    for (kind, version, id, message) in cases {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::of_replay(&run()).unwrap();
        Writer::create(dir.path(), identity).unwrap();
        let (path, mut bytes) = segments(&dir).pop().unwrap();
        let seed = frame::seed_of(Header::decode(&bytes, &path).unwrap().salt);
        let head = match kind < FIRST_OUTPUT {
            true => Head::input(kind, version, id.seq, 0),
            false => Head::output(kind, version, id, 0),
        };
        let mut frames = vec![0; head.frame_bytes(0)];
        frame::put(&mut frames, head, &[], seed);
        let mut digest = RunDigest::new();
        digest.extend(0, &digest::head(kind, version, 0, 0));
        let commit = Commit {
            first_seq: id.seq,
            last_seq: id.seq,
            records: 1,
            byte_len: frames.len() as u64,
            start: HEADER_BYTES as u64,
            digest: digest.value(),
            ..Commit::default()
        };
        frames.extend(commit.frame(id.seq, 0, seed));
        bytes.extend(frames);
        fs::write(&path, bytes).unwrap();
        let (records, end) = read(&dir);
        let error = end.unwrap_err().to_string();
        assert!(records.is_empty() && error.contains(message), "{error}");
    }
}
