//! The run digest: one number for everything that happened, and nothing of how it was stored.
//! Batches, segments, salts and times of receipt do not enter it, so the digests of a live run, its
//! replay and a run without any journal are equal exactly when their records are.
//!
//! Records are folded in blocks of 1,024 inputs with their outputs: the value after a block is the
//! BLAKE3 of the block's records, keyed with the value before; the value before the first block is
//! the BLAKE3 of a name. A record is kind u16, version u16, cause u32, length u32 and payload,
//! little-endian. Its address does not stand there, because it follows from the order. So the fold
//! can be picked up at any block, and two runs that differ can be bisected.

use std::fmt;

/// Inputs in one block.
pub const BLOCK_INPUTS: u64 = 1_024;

/// Bytes of a record before its payload.
pub const HEAD_BYTES: usize = 12;

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
#[derive(Clone, Debug)]
pub struct RunDigest {
    /// Number of the current block.
    block: u64,
    /// The current block so far, keyed with the value before it.
    hasher: blake3::Hasher,
    value: Digest,
}

impl Default for RunDigest {
    fn default() -> RunDigest {
        RunDigest::new()
    }
}

impl RunDigest {
    /// The digest of no records.
    pub fn new() -> RunDigest {
        let value = blake3::hash(b"lockstep run digest 1");
        let hasher = blake3::Hasher::new_keyed(value.as_bytes());
        RunDigest { block: 0, hasher, value: Digest(*value.as_bytes()) }
    }

    /// Adds whole records of one block, as the module's head describes them. BLAKE3 is fast on
    /// long slices only.
    pub fn extend(&mut self, block: u64, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        if block != self.block {
            self.block = block;
            self.hasher = blake3::Hasher::new_keyed(&self.value.0);
        }
        self.value = Digest(*self.hasher.update(records).finalize().as_bytes());
    }

    /// The digest of all records so far.
    pub const fn value(&self) -> Digest {
        self.value
    }
}

/// What stands before a record's payload of `len` bytes.
#[inline]
pub fn head(kind: u16, version: u16, cause: u32, len: usize) -> [u8; HEAD_BYTES] {
    let len = u32::try_from(len).expect("payloads are at most 1 MiB");
    let mut head = [0; HEAD_BYTES];
    head[0..2].copy_from_slice(&kind.to_le_bytes());
    head[2..4].copy_from_slice(&version.to_le_bytes());
    head[4..8].copy_from_slice(&cause.to_le_bytes());
    head[8..12].copy_from_slice(&len.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The law of the module's head, written down once more and plainly. A record is the number of
    /// its input, its cause and its payload.
    fn by_the_book(records: &[(u64, u32, Vec<u8>)]) -> Digest {
        let mut value = *blake3::hash(b"lockstep run digest 1").as_bytes();
        for block in records.chunk_by(|a, b| a.0 / 1_024 == b.0 / 1_024) {
            let mut bytes = Vec::new();
            for (_, cause, payload) in block {
                bytes.extend([7, 0, 1, 0]);
                bytes.extend(cause.to_le_bytes());
                bytes.extend((payload.len() as u32).to_le_bytes());
                bytes.extend(payload);
            }
            value = *blake3::keyed_hash(&value, &bytes).as_bytes();
        }
        Digest(value)
    }

    #[test]
    fn the_fold_is_the_one_that_is_documented() {
        let record = |seq: u64| (seq, (seq % 2) as u32, vec![seq as u8; (seq % 300) as usize]);
        let records: Vec<_> = (0..3_000).map(record).collect();
        let mut digest = RunDigest::new();
        for (count, (seq, cause, payload)) in records.iter().enumerate() {
            if [0, 1, 700, 1_023, 1_024, 1_025, 2_048].contains(&count) {
                assert_eq!(digest.value(), by_the_book(&records[..count]), "after {count}");
            }
            let record = [&head(7, 1, *cause, payload.len())[..], payload].concat();
            digest.extend(seq / BLOCK_INPUTS, &record);
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
