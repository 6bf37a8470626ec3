//! The digests of records as they pass by: the run digest, which knows nothing of storage, and a
//! hash over the times of receipt, which the run digest leaves out and an archive must not lose.

use crate::journal::digest::{self, BLOCK_INPUTS, Digest, RunDigest};
use crate::journal::error::Damage;
use crate::journal::record::Numbering;
use crate::journal::{Buffer, Raw};

/// Bytes after which the records of a block are handed to the hash.
const FOLD_BYTES: usize = 256 * 1_024;

/// The digests of all records so far.
#[derive(Default)]
pub struct Fold {
    numbering: Numbering,
    digest: RunDigest,
    /// Records of `block` that the digest has not seen yet.
    pending: Buffer,
    block: u64,
    received: blake3::Hasher,
    records: u64,
}

impl Fold {
    /// Takes the next record.
    ///
    /// # Errors
    /// When it cannot stand here; then nothing has changed.
    pub fn add(&mut self, raw: &Raw<'_>) -> Result<(), Damage> {
        self.numbering.admit(raw.kind, raw.id, raw.cause)?;
        let block = raw.id.seq / BLOCK_INPUTS;
        if block != self.block || self.pending.len() >= FOLD_BYTES {
            self.flush();
            self.block = block;
        }
        let head = digest::head(raw.kind, raw.version, raw.cause, raw.payload.len());
        self.pending.append(&head);
        self.pending.append(raw.payload);
        if raw.id.index == 0 {
            self.received.update(&raw.received_ns.to_le_bytes());
        }
        self.records += 1;
        Ok(())
    }

    fn flush(&mut self) {
        self.digest.extend(self.block, self.pending.as_slice());
        self.pending.truncate(0);
    }

    /// The run digest of all records so far.
    pub fn digest(&mut self) -> Digest {
        self.flush();
        self.digest.value()
    }

    /// BLAKE3 of the times of receipt of all inputs so far, each as an i64 in little-endian.
    pub fn received(&self) -> Digest {
        Digest(*self.received.finalize().as_bytes())
    }

    /// Records so far.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Inputs so far.
    pub const fn inputs(&self) -> u64 {
        self.numbering.next_seq()
    }
}
