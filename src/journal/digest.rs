//! The run digest: one number for everything that happened, and nothing of how it was stored.
//! Batches, segments, salts and times of receipt do not enter it, so the digests of a live run, its
//! replay and a run without any journal are equal exactly when their records are.
//!
//! Records are folded in blocks of 1,024 inputs with their outputs: the value after a block is
//! BLAKE3(value before ‖ records of the block), and the value before the first block is the BLAKE3
//! of a name. A record is kind u16, version u16, seq u64, index u32, cause u32, length u32 and
//! payload, little-endian. So the fold can be picked up at any block, and two runs that differ can
//! be bisected.

use std::fmt;

use crate::domain::event::EventId;

/// Inputs in one block.
pub const BLOCK_INPUTS: u64 = 1_024;

/// Bytes handed to BLAKE3 at a time: it runs at full speed on long slices only.
const SLICE: usize = 128 * 1_024;

/// 32 bytes of BLAKE3, shown in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The first twelve digits: enough for people.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The fold over a run's records.
#[derive(Clone)]
pub struct RunDigest {
    /// The value before the current block.
    before: Digest,
    /// Number of the current block.
    block: u64,
    /// Whether the current block holds a record.
    begun: bool,
    /// What of the block was hashed already.
    hasher: blake3::Hasher,
    /// What of the block was not; begins with `before`.
    pending: Vec<u8>,
}

impl Default for RunDigest {
    fn default() -> RunDigest {
        RunDigest::new()
    }
}

impl RunDigest {
    /// The digest of no records.
    pub fn new() -> RunDigest {
        let before = Digest(*blake3::hash(b"lockstep run digest 1").as_bytes());
        let mut pending = Vec::with_capacity(2 * SLICE);
        pending.extend_from_slice(&before.0);
        RunDigest { before, block: 0, begun: false, hasher: blake3::Hasher::new(), pending }
    }

    /// Adds the next record. `kind`, `version` and `payload` are those on disk.
    #[inline]
    pub fn push(&mut self, kind: u16, version: u16, id: EventId, cause: u32, payload: &[u8]) {
        let block = id.seq / BLOCK_INPUTS;
        if block != self.block {
            self.open_block(block);
        }
        self.begun = true;
        let len = u32::try_from(payload.len()).expect("payloads are at most 1 MiB");
        let mut head = [0; 24];
        head[0..2].copy_from_slice(&kind.to_le_bytes());
        head[2..4].copy_from_slice(&version.to_le_bytes());
        head[4..12].copy_from_slice(&id.seq.to_le_bytes());
        head[12..16].copy_from_slice(&id.index.to_le_bytes());
        head[16..20].copy_from_slice(&cause.to_le_bytes());
        head[20..24].copy_from_slice(&len.to_le_bytes());
        self.pending.extend_from_slice(&head);
        self.pending.extend_from_slice(payload);
        if self.pending.len() >= SLICE {
            let whole = self.pending.len() / SLICE * SLICE;
            self.hasher.update(&self.pending[..whole]);
            self.pending.drain(..whole);
        }
    }

    /// The digest of all records so far.
    pub fn value(&self) -> Digest {
        if !self.begun {
            return self.before;
        }
        Digest(*self.hasher.clone().update(&self.pending).finalize().as_bytes())
    }

    #[cold]
    fn open_block(&mut self, block: u64) {
        self.before = self.value();
        self.block = block;
        self.begun = false;
        self.hasher.reset();
        self.pending.clear();
        self.pending.extend_from_slice(&self.before.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The law of the module's head, written down once more and plainly.
    fn by_the_book(records: &[(EventId, u32, Vec<u8>)]) -> Digest {
        let mut value = *blake3::hash(b"lockstep run digest 1").as_bytes();
        for block in records.chunk_by(|a, b| a.0.seq / 1_024 == b.0.seq / 1_024) {
            let mut bytes = value.to_vec();
            for (id, cause, payload) in block {
                bytes.extend([7, 0, 1, 0]);
                bytes.extend(id.seq.to_le_bytes());
                bytes.extend(id.index.to_le_bytes());
                bytes.extend(cause.to_le_bytes());
                bytes.extend((payload.len() as u32).to_le_bytes());
                bytes.extend(payload);
            }
            value = *blake3::hash(&bytes).as_bytes();
        }
        Digest(value)
    }

    #[test]
    fn the_fold_is_the_one_that_is_documented() {
        let record = |seq: u64| {
            let id = EventId { seq, index: (seq % 3) as u32 };
            (id, (seq % 2) as u32, vec![seq as u8; (seq % 300) as usize])
        };
        let records: Vec<_> = (0..3_000).map(record).collect();
        let mut digest = RunDigest::new();
        for (count, (id, cause, payload)) in records.iter().enumerate() {
            if [0, 1, 700, 1_023, 1_024, 1_025, 2_048].contains(&count) {
                assert_eq!(digest.value(), by_the_book(&records[..count]), "after {count}");
            }
            digest.push(7, 1, *id, *cause, payload);
        }
        assert_eq!(digest.value(), by_the_book(&records));
    }

    #[test]
    fn a_digest_is_shown_in_hexadecimal() {
        let digest = RunDigest::new().value();
        assert_eq!(digest.to_string().len(), 64);
        assert_eq!(digest.short(), digest.to_string()[..12]);
    }
}
