//! Where two journals part. Each is folded once into the run digest's values, one for each block of
//! 1,024 inputs. A value holds everything before it, so bisection finds the first block that
//! differs. Then both are read again up to that block, and within it held against each other.
//!
//! The runs' descriptions are compared by themselves and do not enter the fold: two builds or two
//! configurations over the same inputs would differ from record 0 on, which is not what is asked.

use std::path::Path;

use crate::domain::event::{Event, EventId, Input, Record, RunStarted};
use crate::domain::tape::Names;
use crate::journal::buffer::Buffer;
use crate::journal::digest::{self, BLOCK_INPUTS, Digest, RunDigest};
use crate::journal::error::JournalError;
use crate::journal::reader::{End, Raw, Reader};

use super::divergence::{Divergence, Field, run_fields};

/// Bytes handed to BLAKE3 at a time: it is fast on long slices only.
const SLICE: usize = 128 * 1_024;

/// What bisection found.
#[derive(Debug)]
pub struct Parting {
    /// The fields in which the runs' descriptions differ.
    pub described: Vec<Field>,
    /// The first event that differs: the first journal's is `want`, the second's `got`.
    pub divergence: Option<Divergence>,
    /// Comparisons of digests that it took.
    pub comparisons: u32,
    /// Blocks of the longer journal.
    pub blocks: usize,
    /// How much there is on either side.
    pub totals: [Total; 2],
}

/// How much there is in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Records, the run's description included.
    pub events: u64,
    /// How it ends.
    pub end: End,
    /// The digest of all events but the run's description.
    pub digest: Digest,
}

impl Parting {
    /// Whether the two journals say the same.
    pub const fn is_same(&self) -> bool {
        self.described.is_empty() && self.divergence.is_none()
    }

    /// Comparisons of digests that are enough for so many blocks: ⌈log₂ n⌉ + 1.
    pub const fn comparisons_max(&self) -> u32 {
        match self.blocks {
            0 => 1,
            blocks => blocks.next_power_of_two().ilog2() + 1,
        }
    }
}

/// Finds the first event on which two journals do not agree.
///
/// # Errors
/// When there is no journal, or one is damaged or of a later program.
pub fn parting(want: &Path, got: &Path) -> Result<Parting, JournalError> {
    let (a, b) = (Fold::of(want)?, Fold::of(got)?);
    let (block, comparisons) = first_difference(&a.values, &b.values);
    let divergence = match block {
        Some(block) => walk(Side::open(want)?, Side::open(got)?, block as u64 * BLOCK_INPUTS)?,
        None => None,
    };
    Ok(Parting {
        described: run_fields(&a.run, &b.run),
        divergence,
        comparisons,
        blocks: a.values.len().max(b.values.len()),
        totals: [a.total, b.total],
    })
}

/// A journal as the values of the run digest after each of its blocks.
struct Fold {
    run: RunStarted,
    values: Vec<Digest>,
    total: Total,
}

impl Fold {
    fn of(path: &Path) -> Result<Fold, JournalError> {
        let Side { mut reader, run, .. } = Side::open(path)?;
        let (mut digest, mut values) = (RunDigest::new(), Vec::new());
        let (mut events, mut block, mut records) = (1, None, Vec::new());
        while let Some(raw) = reader.next_raw()? {
            let here = raw.id.seq / BLOCK_INPUTS;
            let before = block.replace(here).unwrap_or(here);
            if before != here || records.len() >= SLICE {
                digest.extend(before, &records);
                records.clear();
            }
            if before != here {
                values.push(digest.value());
            }
            let head = digest::head(raw.kind, raw.version, raw.cause, raw.payload.len());
            records.extend_from_slice(&head);
            records.extend_from_slice(raw.payload);
            events += 1;
        }
        if let Some(block) = block {
            digest.extend(block, &records);
            values.push(digest.value());
        }
        let end = reader.end().expect("the records were read to their end");
        let total = Total { events, end, digest: digest.value() };
        Ok(Fold { run, values, total })
    }
}

/// The first block whose value differs, and how many comparisons that took. A value that only one
/// side has differs without being compared.
pub(super) fn first_difference(a: &[Digest], b: &[Digest]) -> (Option<usize>, u32) {
    let mut comparisons = 0;
    let mut is_same = |block: usize| {
        comparisons += 1;
        a[block] == b[block]
    };
    let (mut low, mut high) = (0, a.len().min(b.len()));
    if a.len() == b.len() {
        if high == 0 || is_same(high - 1) {
            return (None, comparisons);
        }
        high -= 1;
    }
    // All blocks before `low` are the same, and block `high` is not.
    while low < high {
        let middle = low.midpoint(high);
        if is_same(middle) { low = middle + 1 } else { high = middle }
    }
    (Some(low), comparisons)
}

/// A journal behind its first record.
struct Side {
    reader: Reader,
    run: RunStarted,
    names: Names,
    scratch: Buffer,
}

impl Side {
    fn open(path: &Path) -> Result<Side, JournalError> {
        let mut reader = Reader::open(path)?;
        let run = match reader.next_record()?.map(|record| record.event) {
            Some(Event::Input(Input::RunStarted(run))) => *run,
            // The reader lets no other record be the first.
            _ => return Err(JournalError::Absent { path: path.to_owned() }),
        };
        let names = Names::of(&run);
        Ok(Side { reader, run, names, scratch: Buffer::default() })
    }

    /// Decodes the record at hand and the rest of its step after it; nothing where the side has
    /// ended or the record at hand is of another step.
    fn rest_of_step(&mut self, at: Option<Own>, seq: u64) -> Result<Vec<Record>, JournalError> {
        let mut rest = Vec::new();
        let Some(own) = at.filter(|own| own.id.seq == seq) else { return Ok(rest) };
        let damaged = |damage| self.reader.record_damaged(damage);
        rest.push(own.raw().decode(&mut self.scratch).map_err(damaged)?);
        while own.id.index > 0
            && let Some(record) = self.reader.next_record()?
            && record.id.seq == seq
        {
            rest.push(record);
        }
        Ok(rest)
    }
}

/// A record that was taken out of its reader.
#[derive(PartialEq, Eq)]
struct Own {
    kind: u16,
    version: u16,
    id: EventId,
    cause: u32,
    payload: Vec<u8>,
}

impl Own {
    fn of(raw: Raw<'_>) -> Own {
        let Raw { kind, version, id, cause, payload, .. } = raw;
        Own { kind, version, id, cause, payload: payload.to_vec() }
    }

    fn raw(&self) -> Raw<'_> {
        let Own { kind, version, id, cause, ref payload } = *self;
        Raw { kind, version, id, cause, received_ns: 0, payload }
    }
}

/// Reads both sides from input `from` on, side by side, up to the first event that differs.
fn walk(mut a: Side, mut b: Side, from: u64) -> Result<Option<Divergence>, JournalError> {
    // The step before is read as well: its last event is the last that both agree on.
    let from = from.saturating_sub(1);
    let first = Event::Input(Input::RunStarted(Box::new(a.run.clone())));
    let mut last_equal =
        Some(Record { id: EventId::input(0), cause: 0, received_ns: 0, event: first })
            .filter(|_| a.run == b.run);
    let next = |side: &mut Side| -> Result<Option<Own>, JournalError> {
        loop {
            match side.reader.next_raw()? {
                Some(raw) if raw.id.seq < from => {}
                found => return Ok(found.map(Own::of)),
            }
        }
    };
    loop {
        let (want, got) = (next(&mut a)?, next(&mut b)?);
        match (&want, &got) {
            (None, None) => return Ok(None),
            (Some(one), Some(other)) if one == other => {
                let record = one.raw().decode(&mut a.scratch);
                last_equal = Some(record.map_err(|damage| a.reader.record_damaged(damage))?);
            }
            _ => {
                let seqs = [&want, &got].into_iter().flatten().map(|own| own.id.seq);
                let seq = seqs.min().unwrap_or_default();
                let (want, got) = (a.rest_of_step(want, seq)?, b.rest_of_step(got, seq)?);
                let sides = ((&*want, &a.names), (&*got, &b.names));
                return Ok(Divergence::of_step(last_equal.as_ref(), sides.0, sides.1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `len` blocks of which those from `from` on are not those of others.
    fn values(len: usize, from: usize, mark: u8) -> Vec<Digest> {
        (0..len).map(|block| Digest([if block < from { 0 } else { mark }; 32])).collect()
    }

    #[test]
    fn the_first_block_that_differs_is_found_in_so_many_comparisons() {
        for blocks in 1..70_usize {
            let max = blocks.next_power_of_two().ilog2() + 1;
            for from in 0..blocks {
                let (one, other) = (values(blocks, from, 1), values(blocks, from, 2));
                let (found, comparisons) = first_difference(&one, &other);
                assert_eq!(found, Some(from));
                assert!(comparisons <= max, "{comparisons} > {max} for {blocks}");
                let longer = values(blocks + 1, from, 2);
                let (found, comparisons) = first_difference(&one, &longer);
                assert_eq!(found, Some(from));
                assert!(comparisons <= (blocks + 1).next_power_of_two().ilog2() + 1);
            }
            let whole = values(blocks, blocks, 0);
            assert_eq!(first_difference(&whole, &whole), (None, 1));
            let longer = values(blocks + 1, blocks, 3);
            assert_eq!(first_difference(&whole, &longer).0, Some(blocks), "one is longer");
        }
        assert_eq!(first_difference(&[], &[]), (None, 0));
    }
}
