//! The records of an open batch, in the form in which the run digest takes them. Each payload is
//! encoded once, in its place; from here its bytes go into the digest as they are and, where there
//! is a journal, into frames.

use crate::domain::event::EventId;

use super::buffer::Buffer;
use super::codec::CodecError;
use super::digest::{self, BLOCK_INPUTS, HEAD_BYTES};
use super::frame::{self, Head};
use super::reader::Raw;
use super::record::{FIRST_OUTPUT, Kind};

/// Whole steps of one block.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records as [`digest`] describes them.
    records: Buffer,
    /// When each input was received, ns. It ends with the last one that somebody observed, so in a
    /// replay there is none.
    received: Vec<i64>,
    first_seq: u64,
    inputs: usize,
    count: u64,
    frame_bytes: usize,
}

impl Batch {
    /// An empty batch with that much room.
    pub fn with_room(room: usize) -> Batch {
        Batch { records: Buffer::with_room(room), ..Batch::default() }
    }

    /// Empties the batch. `first_seq` is the number of the next input.
    pub fn restart(&mut self, first_seq: u64) {
        self.records.truncate(0);
        self.received.clear();
        (self.first_seq, self.inputs) = (first_seq, 0);
        (self.count, self.frame_bytes) = (0, 0);
    }

    /// Adds an input.
    ///
    /// # Errors
    /// Those of `encode`; then nothing was added.
    #[inline]
    pub fn input(
        &mut self,
        kind: Kind,
        received_ns: i64,
        encode: impl FnOnce(&mut Buffer) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let head = Head::input(kind.number(), kind.version(), 0, received_ns);
        self.append(kind, 0, &head, encode)?;
        self.take_input(received_ns);
        Ok(())
    }

    /// Adds an output of the last input.
    ///
    /// # Errors
    /// Those of `encode`; then nothing was added.
    #[inline]
    pub fn output(
        &mut self,
        kind: Kind,
        cause: u32,
        encode: impl FnOnce(&mut Buffer) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let head = Head::output(kind.number(), kind.version(), EventId::default(), cause);
        self.append(kind, cause, &head, encode)
    }

    /// Adds a record whose frame has a head like that one.
    #[inline(always)]
    fn append(
        &mut self,
        kind: Kind,
        cause: u32,
        like: &Head,
        encode: impl FnOnce(&mut Buffer) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let records = &mut self.records;
        let start = records.len();
        records.room::<HEAD_BYTES>();
        records.advance(HEAD_BYTES);
        if let Err(error) = encode(records) {
            records.truncate(start);
            return Err(error);
        }
        let len = records.len() - start - HEAD_BYTES;
        records.set(start, digest::head(kind.number(), kind.version(), cause, len));
        self.count += 1;
        self.frame_bytes += like.frame_bytes(len);
        Ok(())
    }

    /// Adds a record as it was read from a journal, whatever it is.
    pub fn raw(&mut self, raw: &Raw<'_>) {
        let Raw { kind, version, cause, received_ns, payload, .. } = *raw;
        self.records.append(&digest::head(kind, version, cause, payload.len()));
        self.records.append(payload);
        if kind < FIRST_OUTPUT {
            self.take_input(received_ns);
        }
        self.count += 1;
        self.frame_bytes += raw.frame_bytes();
    }

    /// Counts an input and notes when it was received.
    #[inline]
    fn take_input(&mut self, received_ns: i64) {
        if received_ns != 0 {
            self.received.resize(self.inputs, 0);
            self.received.push(received_ns);
        }
        self.inputs += 1;
    }

    /// The records as the digest takes them.
    pub fn records(&self) -> &[u8] {
        self.records.as_slice()
    }

    /// How many records there are.
    #[inline]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of their frames.
    #[inline]
    pub const fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// The number of the first input.
    pub const fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// The number of the first input after the batch.
    pub const fn next_seq(&self) -> u64 {
        self.first_seq + self.inputs as u64
    }

    /// The block of the digest in which the batch lies.
    pub const fn block(&self) -> u64 {
        self.first_seq / BLOCK_INPUTS
    }

    /// Writes the frames of all records, one after the other, to the start of `out`.
    ///
    /// # Panics
    /// When `out` is shorter than [`Batch::frame_bytes`].
    pub fn put_frames(&self, out: &mut [u8], seed: u32) {
        let (mut place, mut rest) = (0, self.records());
        let (mut inputs, mut id) = (0, EventId::default());
        while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
            let [kind, version] = [0, 2].map(|at| u16::from_le_bytes(frame::array(head, at)));
            let [cause, len] = [4, 8].map(|at| u32::from_le_bytes(frame::array(head, at)));
            let payload;
            (payload, rest) = after.split_at(len as usize);
            let head = if kind < FIRST_OUTPUT {
                id = EventId::input(self.first_seq + inputs as u64);
                let received_ns = self.received.get(inputs).copied().unwrap_or(0);
                inputs += 1;
                Head::input(kind, version, id.seq, received_ns)
            } else {
                id.index += 1;
                Head::output(kind, version, id, cause)
            };
            place += frame::put(&mut out[place..], head, payload, seed);
        }
    }
}
