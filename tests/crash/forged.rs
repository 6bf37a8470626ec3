//! Forgeries: a header or a commit in which one field is another and the checksum is right. No disk
//! makes them, so no damage at random does; what is checked besides checksums is checked here.

use std::path::Path;

use lockstep::journal::frame::{self, Commit};
use lockstep::journal::segment::{HEADER_BYTES, Header};
use lockstep::journal::{Limits, Reader};

use super::disk::{Node, ROOT, SimDisk};
use super::plan::{Honesty, Plan};
use super::run::{Run, Script};

/// A field by name, and what makes it another.
type Forgery<T> = (&'static str, fn(&mut T));

const HEADERS: [Forgery<Header>; 5] = [
    ("segment_no", |header| header.segment_no += 1),
    ("first_seq", |header| header.first_seq += 1),
    ("previous", |header| header.previous.0[7] ^= 1),
    ("run_id", |header| header.run_id.0[7] ^= 1),
    ("resumes_at", |header| header.resumes_at = HEADER_BYTES as u64 + 8),
];
const COMMITS: [Forgery<Commit>; 7] = [
    ("batch_no", |commit| commit.batch_no += 1),
    ("first_seq", |commit| commit.first_seq += 1),
    ("last_seq", |commit| commit.last_seq += 1),
    ("records", |commit| commit.records += 1),
    ("byte_len", |commit| commit.byte_len += 8),
    ("start", |commit| commit.start += 8),
    ("digest", |commit| commit.digest.0[7] ^= 1),
];

/// Each of them is damage.
pub fn a_forged_header_or_commit_is_damage() {
    let mut run = Run::new(1, 1 << 40, Honesty::Honest, false);
    run.limits = Limits { batch_records: 4, batch_bytes: 900, segment_bytes: 9_000 };
    let script = Script { steps: 90, urgent_once_in: 2, seals: true };
    run.live(Plan::CALM, script).expect("nothing is wrong");
    let (path, bytes) = second_segment(&run.disk);
    assert!(!is_damaged(&run.disk, &path, &bytes), "nobody has touched it yet");
    let header = Header::decode(&bytes[..HEADER_BYTES], Path::new(&path)).expect("a header");
    for (field, forge) in HEADERS {
        let (mut forged, mut file) = (header, bytes.clone());
        forge(&mut forged);
        file[..HEADER_BYTES].copy_from_slice(&forged.encode());
        assert!(is_damaged(&run.disk, &path, &file), "{field} of the header");
    }
    let seed = frame::seed_of(header.salt);
    let (at, commit) = first_commit(&bytes, seed);
    for (field, forge) in COMMITS {
        let (mut forged, mut file) = (commit, bytes.clone());
        forge(&mut forged);
        let frame = forged.frame(commit.last_seq, commit.batch_no, seed);
        file[at..at + frame.len()].copy_from_slice(&frame);
        assert!(is_damaged(&run.disk, &path, &file), "{field} of the commit");
    }
}

fn second_segment(disk: &SimDisk) -> (String, Vec<u8>) {
    let state = disk.state();
    let mut segments = state.live.iter().filter(|(name, _)| name.ends_with(".evl"));
    match segments.nth(1) {
        Some((name, Node::File(inode))) => (name.clone(), state.files[*inode].cache.clone()),
        _ => panic!("the run has several segments"),
    }
}

fn first_commit(bytes: &[u8], seed: u32) -> (usize, Commit) {
    let mut at = HEADER_BYTES;
    loop {
        let frame = frame::parse(&bytes[at..], seed).expect("a frame");
        match Commit::read(&frame) {
            Some(commit) => return (at, commit),
            None => at += frame.len,
        }
    }
}

/// Whether a reader objects once that file has those bytes.
fn is_damaged(disk: &SimDisk, path: &str, bytes: &[u8]) -> bool {
    let copy = disk.copy();
    {
        let state = &mut *copy.state();
        let Some(Node::File(inode)) = state.live.get(path) else { panic!("{path} is there") };
        state.files[*inode].cache = bytes.to_vec();
    }
    let reader = Reader::open_on(copy.handle(), &Path::new(ROOT).join("run"));
    reader.and_then(|reader| reader.collect::<Result<Vec<_>, _>>()).is_err()
}
