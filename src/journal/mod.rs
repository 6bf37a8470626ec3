//! Bytes on disk: the journal, the only truth of a run. Everything else can be rebuilt from it.
//!
//! The laws of the format:
//!
//! 1. A journal is a directory `log/` of segments `<number>-<first seq>.evl`. A segment is a header
//!    block of 4,096 bytes, then frames on 8-byte boundaries ([`segment`], [`frame`]).
//! 2. A frame names its kind and version outside its payload, so moving Rust code cannot change the
//!    disk ([`record`]); bincode only turns one flat struct into bytes ([`codec`]).
//! 3. A commit frame closes a batch and carries the run digest of everything up to it. Events
//!    without their commit frame do not exist. An input and its outputs are never torn apart, and a
//!    batch lies within one block of the digest.
//! 4. Checksums are seeded with the segment's salt, so bytes of another file never pass. Times of
//!    receipt are protected by them alone.
//! 5. A seal says that nothing more follows. A journal without one has ended early, which is a
//!    finding; bad bytes *before* good ones are damage, which is an error, and so is less than the
//!    durable mark ([`mark`]) speaks of.
//! 6. Readers never write ([`reader`]). A file that another process has left is never written to:
//!    who takes up a journal begins a segment of its own ([`recover`]).
//! 7. The run digest covers what happened and nothing of how it was stored ([`digest`]). Writers
//!    and readers make one pass over it; there is no other hash.
//!
//! What is assumed of the disk stands in [`disk`].
#![deny(missing_docs)]

#[cfg(test)]
pub mod arbitrary;
mod batch;
pub mod buffer;
pub mod checkpoint;
pub mod codec;
pub mod digest;
pub mod disk;
pub mod error;
pub mod frame;
mod keeper;
pub mod lock;
mod log;
pub mod mark;
pub mod reader;
pub mod record;
pub mod recover;
mod reserve;
#[cfg(test)]
pub mod samples;
pub mod segment;
pub mod writer;

pub use buffer::Buffer;
pub use digest::{Digest, RunDigest};
pub use disk::{Disk, Files};
pub use error::JournalError;
pub use reader::{End, Raw, Reader};
pub use recover::{Findings, Report};
pub use writer::{Identity, Limits, PersistMode, Sealed, Setup, Writer};
