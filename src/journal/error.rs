//! What can be wrong with a journal, with the place of it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::event::EventId;

use super::codec::CodecError;
use super::record::Misplaced;

/// Why a journal cannot be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The operating system said no.
    #[error("{}: {doing} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no journal.
    #[error("{}: no segments (*.evl) here or in log/", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A program of a later version wrote the file.
    #[error("{}: {what} {found} is unknown to this program", path.display())]
    TooNew {
        /// The segment.
        path: PathBuf,
        /// What is unknown.
        what: &'static str,
        /// Its number.
        found: u16,
    },
    /// The format is a draft that was given up.
    #[error("{}: format {found} is not read any more, the oldest is {oldest}", path.display())]
    TooOld {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The oldest that is read.
        oldest: u16,
    },
    /// Bytes are not what was written.
    #[error("{}: byte {offset}, seq {seq}: {damage}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// The input that was due or being read.
        seq: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// The journal holds fewer events than it has promised to keep.
    #[error(
        "{}: {batches} batches up to seq {next_seq} were acknowledged, but only {found} are there",
        path.display()
    )]
    Lost {
        /// The segment where they end.
        path: PathBuf,
        /// Batches that are there.
        found: u64,
        /// Batches that were acknowledged.
        batches: u64,
        /// The input after the last of them.
        next_seq: u64,
    },
    /// The run is over.
    #[error("{}: the run has ended and is sealed, so nothing can be added", path.display())]
    Ended {
        /// The journal's directory.
        path: PathBuf,
    },
    /// The journal is of another run.
    #[error("{}: the journal is of run {found}, not of run {wanted}", path.display())]
    OtherRun {
        /// The journal's directory.
        path: PathBuf,
        /// The run that is there.
        found: String,
        /// The run that is to go on.
        wanted: String,
    },
    /// There is no room for more. Everything that was acknowledged is on the disk.
    #[error("{}: no room for the next segment of {bytes} bytes: {source}", path.display())]
    Full {
        /// The journal's directory.
        path: PathBuf,
        /// Bytes that are needed.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else writes to the run.
    #[error("{}: the run is locked by {holder}", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// A record that no reader would accept is not written.
    #[error("record {id} cannot be written: {refusal}")]
    Refused {
        /// Its address.
        id: EventId,
        /// Why.
        refusal: Refusal,
    },
    /// An earlier write failed, so nobody knows what is on the disk.
    #[error("{}: an earlier write failed, so nothing more is written", path.display())]
    Poisoned {
        /// The journal's directory.
        path: PathBuf,
    },
}

/// What the system said, with what was being done to which file.
pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { doing, path: path.into(), source }
}

/// Why a record is not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Its payload breaks a rule.
    #[error(transparent)]
    Payload(#[from] CodecError),
    /// Its address does.
    #[error(transparent)]
    Order(#[from] Misplaced),
}

/// What is wrong with bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// No frame begins here.
    #[error("no frame begins here")]
    NoFrame,
    /// A length is beyond every limit.
    #[error("a payload of {len} bytes is longer than any can be")]
    TooLong {
        /// The length that stands there.
        len: u32,
    },
    /// A checksum differs.
    #[error("the checksum does not match")]
    Checksum,
    /// The file ends inside a frame.
    #[error("the file ends inside a frame")]
    CutOff,
    /// Padding is not zero.
    #[error("the padding is not zero")]
    Padding,
    /// A frame's head is longer or shorter than it must be.
    #[error("the head of the frame is not in its one form")]
    Head,
    /// A segment's header is not one.
    #[error("the segment's header is damaged: {0}")]
    Header(&'static str),
    /// A segment does not continue the one before.
    #[error("the segment does not continue the one before: {0}")]
    Contiguity(&'static str),
    /// The durable mark speaks of another history.
    #[error("the run digest is not the one that was acknowledged here")]
    Mark,
    /// A commit does not describe its batch.
    #[error("the commit does not match its batch: {0}")]
    Commit(&'static str),
    /// A seal does not describe its segment, or something follows it.
    #[error("the seal does not match: {0}")]
    Seal(&'static str),
    /// A frame of the format itself that does not exist.
    #[error("a frame of the unknown kind {0:#06x}")]
    Control(u16),
    /// A record that this program has no words for.
    #[error("a record of the unknown kind {kind} version {version}")]
    UnknownKind {
        /// The number of the kind.
        kind: u16,
        /// Its version.
        version: u16,
    },
    /// A record stands where it cannot.
    #[error(transparent)]
    Order(#[from] Misplaced),
    /// A payload is none.
    #[error(transparent)]
    Payload(#[from] CodecError),
}
