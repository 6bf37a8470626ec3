//! Frames: how bytes stand in a segment. Every frame begins on an 8-byte boundary.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `EVF1` |
//! | 4 | 4 | CRC-32C of all bytes from 8 on, padding included, seeded with the segment's salt |
//! | 8 | 4 | length of the payload, at most 1 MiB |
//! | 12 | 2 | kind |
//! | 14 | 2 | version of the kind's payload |
//! | 16 | 8 | number of the input |
//! | 24 | 8 | inputs: time of receipt, ns; outputs: index u32, cause u32; control: a number |
//! | 32 | n | payload, padded with zeros to 8 bytes |
//!
//! All integers are little-endian.

use crate::domain::event::EventId;

use super::codec::PAYLOAD_MAX;
use super::digest::Digest;
use super::error::Damage;
use super::record::{COMMIT, FIRST_OUTPUT, SEAL};

/// Bytes before the payload.
pub const HEAD_BYTES: usize = 32;
/// The longest frame, in bytes.
pub const FRAME_MAX: usize = HEAD_BYTES + PAYLOAD_MAX;

const MAGIC: [u8; 4] = *b"EVF1";

/// What stands in a frame's head, apart from magic, length and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the kind.
    pub kind: u16,
    /// Version of the kind's payload.
    pub version: u16,
    /// Number of the input.
    pub seq: u64,
    /// Time of receipt, index and cause, or a number: see the module's head.
    pub extra: [u8; 8],
}

impl Head {
    /// The head of an input's frame.
    pub const fn input(kind: u16, version: u16, seq: u64, received_ns: i64) -> Head {
        Head { kind, version, seq, extra: received_ns.to_le_bytes() }
    }

    /// The head of an output's frame.
    pub const fn output(kind: u16, version: u16, id: EventId, cause: u32) -> Head {
        let extra = ((cause as u64) << 32 | id.index as u64).to_le_bytes();
        Head { kind, version, seq: id.seq, extra }
    }

    /// The address of the event, its cause and its time of receipt.
    pub const fn envelope(&self) -> (EventId, u32, i64) {
        let word = u64::from_le_bytes(self.extra);
        if self.kind < FIRST_OUTPUT {
            return (EventId::input(self.seq), 0, word as i64);
        }
        (EventId { seq: self.seq, index: word as u32 }, (word >> 32) as u32, 0)
    }
}

/// The checksum's seed of a segment with that salt.
pub fn seed_of(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// Bytes of the frame around a payload of that length.
#[inline]
pub const fn len_of(payload: usize) -> usize {
    HEAD_BYTES + payload.next_multiple_of(8)
}

/// Writes a frame to the start of `out` and returns its length.
///
/// # Panics
/// When `out` is shorter than the frame, or the payload longer than [`PAYLOAD_MAX`]; the codec sees
/// to that.
#[inline]
pub fn put(out: &mut [u8], head: Head, payload: &[u8], seed: u32) -> usize {
    assert!(payload.len() <= PAYLOAD_MAX, "the codec refuses longer payloads");
    let (end, len) = (HEAD_BYTES + payload.len(), len_of(payload.len()));
    let frame = &mut out[..len];
    // The padding, before something else may come to stand there.
    frame[len - 8..].copy_from_slice(&[0; 8]);
    frame[0..4].copy_from_slice(&MAGIC);
    frame[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    frame[12..14].copy_from_slice(&head.kind.to_le_bytes());
    frame[14..16].copy_from_slice(&head.version.to_le_bytes());
    frame[16..24].copy_from_slice(&head.seq.to_le_bytes());
    frame[24..32].copy_from_slice(&head.extra);
    frame[HEAD_BYTES..end].copy_from_slice(payload);
    let crc = checksum(frame, seed);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    len
}

#[inline]
fn checksum(frame: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(seed, &frame[8..])
}

/// A frame that was read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its head.
    pub head: Head,
    /// Its payload, without padding.
    pub payload: &'a [u8],
    /// Bytes from its magic to the end of its padding.
    pub len: usize,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// So many bytes are needed to tell; at most [`FRAME_MAX`].
    Needs(usize),
    /// There cannot be a frame.
    Bad(Damage),
}

/// Reads the frame at the start of `bytes`. The length is checked before it is used for anything.
///
/// # Errors
/// When more bytes are needed, or these are no frame.
#[inline]
pub fn parse(bytes: &[u8], seed: u32) -> Result<Frame<'_>, NoFrame> {
    if bytes.len() < HEAD_BYTES {
        return Err(NoFrame::Needs(HEAD_BYTES));
    }
    if bytes[0..4] != MAGIC {
        return Err(NoFrame::Bad(Damage::Magic));
    }
    let payload_len = u32::from_le_bytes(array(bytes, 8));
    if payload_len as usize > PAYLOAD_MAX {
        return Err(NoFrame::Bad(Damage::TooLong { len: payload_len }));
    }
    let end = HEAD_BYTES + payload_len as usize;
    let len = len_of(payload_len as usize);
    let Some(bytes) = bytes.get(..len) else { return Err(NoFrame::Needs(len)) };
    if checksum(bytes, seed) != u32::from_le_bytes(array(bytes, 4)) {
        return Err(NoFrame::Bad(Damage::Checksum));
    }
    let last = u64::from_le_bytes(array(bytes, len - 8));
    if len > end && last >> (8 * (8 - (len - end))) != 0 {
        return Err(NoFrame::Bad(Damage::Padding));
    }
    Ok(trusted(bytes))
}

/// The frame at the start of bytes that [`parse`] has accepted before.
///
/// # Panics
/// When it has not.
#[inline]
pub fn trusted(bytes: &[u8]) -> Frame<'_> {
    let end = HEAD_BYTES + u32::from_le_bytes(array(bytes, 8)) as usize;
    let head = Head {
        kind: u16::from_le_bytes(array(bytes, 12)),
        version: u16::from_le_bytes(array(bytes, 14)),
        seq: u64::from_le_bytes(array(bytes, 16)),
        extra: array(bytes, 24),
    };
    Frame { head, payload: &bytes[HEAD_BYTES..end], len: end.next_multiple_of(8) }
}

/// The `N` bytes at `place`, which the caller has made sure of.
#[inline]
pub fn array<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[place..place + N]);
    array
}

/// A control frame's payload: its fields one after the other, of fixed width.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident = $kind:ident {
        $($(#[$doc:meta])* $field:ident: $type:ty = $bytes:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)+ }

        impl $name {
            /// Bytes of the payload.
            pub const BYTES: usize = 0 $(+ $bytes)+;

            /// The whole frame; `seq` and `number` go into its head.
            pub fn frame(&self, seq: u64, number: u64, seed: u32) -> Vec<u8> {
                let mut payload = Vec::with_capacity($name::BYTES);
                $(payload.extend_from_slice(&Field::bytes(&self.$field));)+
                let extra = number.to_le_bytes();
                let mut frame = vec![0; len_of(payload.len())];
                put(&mut frame, Head { kind: $kind, version: 1, seq, extra }, &payload, seed);
                frame
            }

            /// Reads the payload of a frame, if it is such a frame.
            pub fn read(frame: &Frame<'_>) -> Option<$name> {
                if (frame.head.kind, frame.head.version) != ($kind, 1) {
                    return None;
                }
                let mut rest = frame.payload;
                let body = $name { $($field: {
                    let (field, after) = rest.split_first_chunk::<$bytes>()?;
                    rest = after;
                    <$type as Field<$bytes>>::of(*field)
                },)+ };
                rest.is_empty().then_some(body)
            }
        }
    };
}

/// A value of fixed width.
trait Field<const N: usize> {
    fn bytes(&self) -> [u8; N];
    fn of(bytes: [u8; N]) -> Self;
}

/// Integers, little-endian.
macro_rules! fields {
    ($($type:ty, $bytes:literal;)+) => {$(
        impl Field<$bytes> for $type {
            fn bytes(&self) -> [u8; $bytes] {
                self.to_le_bytes()
            }
            fn of(bytes: [u8; $bytes]) -> $type {
                <$type>::from_le_bytes(bytes)
            }
        }
    )+};
}

fields! { u8, 1; u64, 8; i64, 8; }

impl Field<16> for [u8; 16] {
    fn bytes(&self) -> [u8; 16] {
        *self
    }
    fn of(bytes: [u8; 16]) -> [u8; 16] {
        bytes
    }
}

impl Field<32> for Digest {
    fn bytes(&self) -> [u8; 32] {
        self.0
    }
    fn of(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }
}

body! {
    /// Closes a batch.
    Commit = COMMIT {
        /// Number of the batch, from 0, over all segments.
        batch_no: u64 = 8,
        /// First input of the batch.
        first_seq: u64 = 8,
        /// Last input of the batch.
        last_seq: u64 = 8,
        /// Event frames in the batch.
        records: u64 = 8,
        /// Bytes of these frames.
        byte_len: u64 = 8,
        /// Where in the file the batch begins: up to here everything was there before it.
        start: u64 = 8,
        /// The run digest so far.
        digest: Digest = 32,
        /// Wall clock at the commit, ns since 1970 UTC. 0 in a replay, like the next two.
        wall_ns: i64 = 8,
        /// Monotonic clock at the commit, ns.
        mono_ns: i64 = 8,
        /// The boot that the monotonic clock counts from.
        boot_id: [u8; 16] = 16,
    }
}

body! {
    /// The last frame of a segment that was finished in order.
    Seal = SEAL {
        /// 1 at the end of the journal, 0 where another segment follows.
        closing: u8 = 1,
        /// Batches of the journal so far.
        batches: u64 = 8,
        /// Records so far.
        records: u64 = 8,
        /// Inputs so far.
        inputs: u64 = 8,
        /// The run digest so far.
        digest: Digest = 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8], seed: u32) -> Vec<u8> {
        let mut bytes = vec![0xFF; len_of(payload.len())];
        let head = Head::output(0x0107, 1, EventId { seq: 17, index: 2 }, 1);
        assert_eq!(put(&mut bytes, head, payload, seed), bytes.len());
        bytes
    }

    #[test]
    fn a_frame_has_the_documented_bytes() {
        let hex: Vec<String> = frame(b"payload!+", 7)
            .chunks(8)
            .map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            .collect();
        insta::assert_snapshot!(hex.join("\n"), @"
        45564631f87a68c9
        0900000007010100
        1100000000000000
        0200000001000000
        7061796c6f616421
        2b00000000000000
        ");
    }

    #[test]
    fn what_was_closed_is_read_and_nothing_else() {
        let bytes = frame(b"payload!+", 7);
        let read = parse(&bytes, 7).unwrap();
        assert_eq!((read.payload, read.len), (&b"payload!+"[..], 48));
        assert_eq!(read.head.envelope(), (EventId { seq: 17, index: 2 }, 1, 0));
        assert_eq!(parse(&bytes, 8), Err(NoFrame::Bad(Damage::Checksum)), "another salt");
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut], 7), Err(NoFrame::Needs(n)) if n > cut));
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_length_is_refused_before_it_is_believed() {
        let mut bytes = frame(b"", 7);
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes, 7), Err(NoFrame::Bad(Damage::TooLong { len: u32::MAX })));
    }

    #[test]
    fn control_frames_go_round() {
        let commit = Commit {
            batch_no: 3,
            records: 9,
            digest: Digest([5; 32]),
            mono_ns: -1,
            boot_id: [7; 16],
            ..Commit::default()
        };
        let bytes = commit.frame(11, 3, 0);
        let read = parse(&bytes, 0).unwrap();
        assert_eq!(read.payload.len(), Commit::BYTES);
        assert_eq!(Commit::read(&read), Some(commit));
        assert_eq!(Seal::read(&read), None);
    }
}
