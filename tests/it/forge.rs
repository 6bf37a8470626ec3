//! Journals that no writer of today would write, with checksums, commits and a seal that are right.

use std::fs;
use std::path::Path;

use lockstep::domain::event::EventId;
use lockstep::journal::digest::{self, RunDigest};
use lockstep::journal::frame::{self, Commit, Head, Seal};
use lockstep::journal::record::FIRST_OUTPUT;
use lockstep::journal::segment::{self, HEADER_BYTES, Header};
use lockstep::journal::{Identity, Raw, Reader, Writer};

/// A record as bytes; the kind may be any.
#[derive(Clone, Debug)]
pub struct Forged {
    pub kind: u16,
    pub version: u16,
    pub id: EventId,
    pub cause: u32,
    pub received_ns: i64,
    pub payload: Vec<u8>,
}

/// The records of a journal as bytes, up to an input.
pub fn records(run_dir: &Path, inputs: u64) -> Vec<Forged> {
    let mut reader = Reader::open(run_dir).unwrap();
    let mut records = Vec::new();
    while let Some(raw) = reader.next_raw().unwrap() {
        if raw.id.seq == inputs {
            break;
        }
        let Raw { kind, version, id, cause, received_ns, payload } = raw;
        records.push(Forged { kind, version, id, cause, received_ns, payload: payload.to_vec() });
    }
    records
}

/// Writes these as a journal of one batch, which must lie within one block of the digest.
pub fn write(run_dir: &Path, identity: Identity, records: &[Forged]) {
    drop(Writer::create(run_dir, identity).unwrap());
    let path = segment::list(&lockstep::journal::Files, run_dir).unwrap().remove(0).path;
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(HEADER_BYTES);
    let seed = frame::seed_of(Header::decode(&bytes, &path).unwrap().salt);
    let mut run_digest = RunDigest::new();
    for Forged { kind, version, id, cause, received_ns, payload } in records {
        let head = match *kind < FIRST_OUTPUT {
            true => Head::input(*kind, *version, id.seq, *received_ns),
            false => Head::output(*kind, *version, *id, *cause),
        };
        let start = bytes.len();
        bytes.resize(start + head.frame_bytes(payload.len()), 0);
        frame::put(&mut bytes[start..], head, payload, seed);
        let head = digest::head(*kind, *version, *cause, payload.len());
        run_digest.extend(0, &[&head[..], payload].concat());
    }
    let inputs = records.last().unwrap().id.seq + 1;
    let (count, digest) = (records.len() as u64, run_digest.value());
    let commit = Commit {
        last_seq: inputs - 1,
        records: count,
        byte_len: (bytes.len() - HEADER_BYTES) as u64,
        start: HEADER_BYTES as u64,
        digest,
        ..Commit::default()
    };
    bytes.extend(commit.frame(inputs - 1, 0, seed));
    let seal = Seal { closing: 1, batches: 1, records: count, inputs, digest };
    bytes.extend(seal.frame(inputs, 0, seed));
    fs::write(path, bytes).unwrap();
}
