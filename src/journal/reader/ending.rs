//! How a journal ends: with its seal, early, or where something was lost that once was there.

use crate::journal::error::{Damage, JournalError};
use crate::journal::frame::{self, Commit, Seal};

use super::{End, READ_BYTES, Reader};

impl Reader {
    /// The mark and the batches tell the same history.
    pub(super) fn check_mark(&self, place: usize) -> Result<(), JournalError> {
        match self.mark {
            Some(mark) if mark.batches == self.batches && mark.digest != self.digest() => {
                Err(self.damaged(place, Damage::Mark))
            }
            _ => Ok(()),
        }
    }

    /// Comes to the end, unless more was promised.
    fn come_to(&mut self, end: End) -> Result<(), JournalError> {
        match self.mark {
            Some(mark) if mark.batches > self.batches => Err(JournalError::Lost {
                path: self.files[self.at].path.clone(),
                found: self.batches,
                batches: mark.batches,
                next_seq: mark.next_seq,
            }),
            _ => {
                self.end = Some(end);
                Ok(())
            }
        }
    }

    /// Ends the segment at the seal in `place..end`.
    pub(super) fn take_seal(
        &mut self,
        place: usize,
        end: usize,
        seal: Option<Seal>,
    ) -> Result<(), JournalError> {
        let due = Seal {
            closing: u8::from(seal.is_some_and(|seal| seal.closing == 1)),
            batches: self.batches,
            records: self.records,
            inputs: self.numbering.next_seq(),
            digest: self.digest(),
        };
        let last = self.at + 1 == self.files.len();
        let fault = match seal {
            None => "its layout is unknown",
            Some(_) if place > 0 => "it stands in the middle of a batch",
            Some(_) if self.void_from.is_some() => "the next segment takes over somewhere else",
            Some(seal) if seal != due => "its totals differ",
            Some(seal) if seal.closing == 1 && !last => "segments follow the end",
            Some(seal) => {
                let offset = self.offset;
                if self.look_ahead(end)?.nonzero_to > offset + end as u64 {
                    self.offset = offset;
                    return Err(self.damaged(end, Damage::Seal("bytes follow it")));
                }
                return match (seal.closing, last) {
                    (1, _) => self.come_to(End::Sealed(seal)),
                    (_, true) => {
                        self.offset = offset;
                        self.come_to(End::Unsealed { trailing_bytes: 0 })
                    }
                    (_, false) => self.open_next(),
                };
            }
        };
        Err(self.damaged(place, Damage::Seal(fault)))
    }

    /// No frame stands at `place`: decides whether the journal ended early or was damaged.
    pub(super) fn stop(&mut self, place: usize, damage: Damage) -> Result<(), JournalError> {
        let error = self.damaged(place, damage);
        let committed = self.offset;
        if self.at + 1 < self.files.len() {
            return Err(error);
        }
        if self.follows {
            // What is being written right now proves nothing, neither for nor against it.
            return self.come_to(End::Unsealed { trailing_bytes: 0 });
        }
        let ahead = self.look_ahead(place)?;
        if ahead.proof {
            return Err(error);
        }
        // Whole frames before `place` are lost too: their batch has no commit.
        let bad = committed + place as u64;
        let trailing_bytes = ahead.nonzero_to.max(bad) - committed;
        self.offset = committed;
        self.come_to(End::Unsealed { trailing_bytes })
    }

    /// Looks through the rest of the segment from `place` on. Nothing can be read after that.
    fn look_ahead(&mut self, place: usize) -> Result<Ahead, JournalError> {
        let mut ahead = Ahead { proof: false, nonzero_to: 0 };
        self.bytes.drain(..place);
        self.offset += place as u64;
        while self.fill(READ_BYTES)? || !self.bytes.is_empty() {
            // Frames that begin near the end of what was read are looked at in the next round.
            let whole = self.bytes.len() < READ_BYTES;
            let len = if whole { self.bytes.len() } else { self.bytes.len() - CONTROL_BYTES };
            let len = len.next_multiple_of(8).min(self.bytes.len());
            for (word, bytes) in self.bytes[..len].chunks(8).enumerate() {
                if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                    ahead.nonzero_to = self.offset + (word * 8 + last + 1) as u64;
                }
                ahead.proof |= self.is_proof(word * 8);
            }
            self.bytes.drain(..len);
            self.offset += len as u64;
        }
        Ok(ahead)
    }

    /// Whether at `place` stands a seal, or the commit of a batch after the one that is bad: the
    /// writer begins a batch only when the one before is written.
    fn is_proof(&self, place: usize) -> bool {
        let window = &self.bytes[place..self.bytes.len().min(place + CONTROL_BYTES)];
        let Ok(frame) = frame::parse(window, self.seed) else { return false };
        Seal::read(&frame).is_some()
            || Commit::read(&frame).is_some_and(|commit| commit.batch_no > self.batches)
    }
}

/// The longest control frame.
const CONTROL_BYTES: usize =
    frame::control_bytes(if Commit::BYTES > Seal::BYTES { Commit::BYTES } else { Seal::BYTES });

/// What lies ahead of a bad byte.
struct Ahead {
    /// Something that proves that the bad bytes were once good.
    proof: bool,
    /// Where in the file the last byte ends that is not zero; 0 where all are.
    nonzero_to: u64,
}
