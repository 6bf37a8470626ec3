//! Frames: how bytes stand in a segment. Every frame begins on an 8-byte boundary.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of the frame, padding included, with the segment's seed standing here |
//! | 4 | 3 | length of the payload, at most 1 MiB; bit 23 says that the head is long |
//! | 7 | 2 | ten bits of kind, never 0, so that zeros are no frame; six bits of its version |
//! | 9 | 3 | number of the input, its low 24 bits |
//! | 12 | 8 | in a long head only, see below |
//! | 12 or 20 | n | payload, padded with zeros to 8 bytes |
//!
//! A long head ends with what is known besides: of an input its time of receipt, ns, unless it is
//! 0; of an output its index u32 and its cause u32; in a control frame a number.
//!
//! All integers are little-endian. A minute bar of a replay takes 32 bytes: what a run costs beside
//! its core is mostly bytes that are handed to the system.

use crate::domain::event::EventId;

use super::codec::PAYLOAD_MAX;
use super::digest::Digest;
use super::error::Damage;
use super::record::{COMMIT, FIRST_OUTPUT, SEAL};

/// Bytes of a head without `extra`.
const SHORT_BYTES: usize = 12;
/// Bytes of a head with it: no head is longer.
const LONG_BYTES: usize = 20;
/// Bytes of the frame of a packed minute bar of a replay.
const BAR_BYTES: usize = 32;
/// Bytes of the shortest frame.
pub const FRAME_MIN: usize = SHORT_BYTES.next_multiple_of(8);
/// The longest frame, in bytes.
pub const FRAME_MAX: usize = frame_bytes(LONG_BYTES, PAYLOAD_MAX);
/// The largest kind that fits into a head.
pub const KIND_MAX: u16 = 0x03FF;
/// The largest version that does.
pub const VERSION_MAX: u16 = 0x3F;
/// The longest segment, in bytes: with less in it than this there are fewer inputs than a head can
/// count.
pub const SEGMENT_MAX: u64 = (SEQ_MAX as u64) * FRAME_MIN as u64;

/// The largest part of a number that fits into a head.
const SEQ_MAX: u32 = 0x00FF_FFFF;
/// The largest length that could stand in a head.
const LEN_MAX: u64 = IS_LONG - 1;
/// The bit that says that the head is long.
const IS_LONG: u64 = 1 << 23;
/// Where in the first eight bytes of a head the other fields begin.
const KIND_AT: u32 = 24;
const VERSION_AT: u32 = 34;
const SEQ_AT: u32 = 40;

/// What stands in a frame's head, apart from length and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the kind, never 0, at most [`KIND_MAX`].
    pub kind: u16,
    /// Version of the kind's payload, at most [`VERSION_MAX`].
    pub version: u16,
    /// Number of the input, its low 24 bits: a segment has fewer inputs than they can count.
    pub seq: u32,
    /// Time of receipt, index and cause, or a number: see the module's head.
    pub extra: [u8; 8],
}

impl Head {
    /// The head of an input's frame.
    #[inline]
    pub const fn input(kind: u16, version: u16, seq: u64, received_ns: i64) -> Head {
        Head { kind, version, seq: low(seq), extra: received_ns.to_le_bytes() }
    }

    /// The head of an output's frame.
    #[inline]
    pub const fn output(kind: u16, version: u16, id: EventId, cause: u32) -> Head {
        let extra = ((cause as u64) << 32 | id.index as u64).to_le_bytes();
        Head { kind, version, seq: low(id.seq), extra }
    }

    /// The number of the input, where the segment's first one is `first_seq`.
    #[inline]
    pub const fn seq(&self, first_seq: u64) -> u64 {
        first_seq.wrapping_add((self.seq.wrapping_sub(first_seq as u32) & SEQ_MAX) as u64)
    }

    /// The address of the event, its cause and its time of receipt, in a segment whose first input
    /// is `first_seq`.
    #[inline]
    pub const fn envelope(&self, first_seq: u64) -> (EventId, u32, i64) {
        let (seq, word) = (self.seq(first_seq), u64::from_le_bytes(self.extra));
        if self.kind < FIRST_OUTPUT {
            return (EventId::input(seq), 0, word as i64);
        }
        (EventId { seq, index: word as u32 }, (word >> 32) as u32, 0)
    }

    /// Whether `extra` is written: an input has none where nobody observed when it was received.
    #[inline]
    const fn is_long(&self) -> bool {
        self.kind >= FIRST_OUTPUT || u64::from_le_bytes(self.extra) != 0
    }

    /// Bytes of the frame around a payload of that length.
    #[inline]
    pub const fn frame_bytes(&self, payload: usize) -> usize {
        frame_bytes(if self.is_long() { LONG_BYTES } else { SHORT_BYTES }, payload)
    }
}

/// What a head has of a number.
#[inline]
const fn low(seq: u64) -> u32 {
    seq as u32 & SEQ_MAX
}

/// The seed of a segment with that salt: the checksum of a frame of another one does not match.
pub fn seed_of(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// Bytes of the frame of a control record with a payload of that length.
pub const fn control_bytes(payload: usize) -> usize {
    frame_bytes(LONG_BYTES, payload)
}

#[inline]
const fn frame_bytes(head: usize, payload: usize) -> usize {
    (head + payload).next_multiple_of(8)
}

/// Writes a frame to the start of `out` and returns its length.
///
/// # Panics
/// When `out` is shorter than the frame, or the head or the payload is none that can be written;
/// registry and codec see to that.
#[inline]
pub fn put(out: &mut [u8], head: Head, payload: &[u8], seed: u32) -> usize {
    assert!(payload.len() <= PAYLOAD_MAX, "the codec refuses longer payloads");
    let Head { kind, version, seq, extra } = head;
    let fits = kind != 0 && kind <= KIND_MAX && version <= VERSION_MAX && seq <= SEQ_MAX;
    assert!(fits, "registry and address see to that");
    let len = head.frame_bytes(payload.len());
    let frame = &mut out[..len];
    let long = if head.is_long() { IS_LONG } else { 0 };
    let word = payload.len() as u64
        | long
        | u64::from(kind) << KIND_AT
        | u64::from(version) << VERSION_AT
        | u64::from(seq) << SEQ_AT;
    match (<&mut [u8; BAR_BYTES]>::try_from(&mut *frame), payload.try_into()) {
        (Ok(frame), Ok(payload)) => *frame = bar(word, payload, seed),
        _ => fill(frame, word, extra, payload, seed),
    }
    let crc = crc32c::crc32c(frame);
    frame[0..4].copy_from_slice(&crc.to_le_bytes());
    len
}

/// Any frame, with the seed where its checksum is to stand.
fn fill(frame: &mut [u8], word: u64, extra: [u8; 8], payload: &[u8], seed: u32) {
    // The padding, before something else may come to stand there.
    let end = frame.len() - 8;
    frame[end..].copy_from_slice(&[0; 8]);
    frame[0..4].copy_from_slice(&seed.to_le_bytes());
    frame[4..SHORT_BYTES].copy_from_slice(&word.to_le_bytes());
    let mut place = SHORT_BYTES;
    if word & IS_LONG != 0 {
        frame[SHORT_BYTES..LONG_BYTES].copy_from_slice(&extra);
        place = LONG_BYTES;
    }
    frame[place..place + payload.len()].copy_from_slice(payload);
}

/// The same of a packed minute bar, nine records in ten: words as the checksum reads them.
#[inline]
fn bar(word: u64, payload: &[u8; BAR_BYTES - SHORT_BYTES], seed: u32) -> [u8; BAR_BYTES] {
    let first = u64::from(u32::from_le_bytes(array(payload, 0)));
    let [third, fourth] = [4, 12].map(|at| u64::from_le_bytes(array(payload, at)));
    let words = [word << 32 | u64::from(seed), word >> 32 | first << 32, third, fourth];
    array(words.map(u64::to_le_bytes).as_flattened(), 0)
}

/// The checksum of a frame, whatever stands in its place.
#[inline]
fn checksum(frame: &[u8], seed: u32) -> u32 {
    let seeded = u64::from(u32::from_le_bytes(array(frame, 4))) << 32 | u64::from(seed);
    let seeded = seeded.to_le_bytes();
    match <&[u8; BAR_BYTES]>::try_from(frame) {
        // One call is faster than two.
        Ok(frame) => {
            let mut copy = *frame;
            copy[..8].copy_from_slice(&seeded);
            crc32c::crc32c(&copy)
        }
        Err(_) => crc32c::crc32c_append(crc32c::crc32c(&seeded), &frame[8..]),
    }
}

/// A frame that was read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its head.
    pub head: Head,
    /// Its payload, without padding.
    pub payload: &'a [u8],
    /// Bytes from its checksum to the end of its padding.
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

/// Where a frame's payload stands and where the frame ends, as its head says.
struct Bounds {
    payload: usize,
    payload_end: usize,
    end: usize,
}

impl Bounds {
    #[inline]
    fn of(word: u64) -> Bounds {
        let payload = if word & IS_LONG != 0 { LONG_BYTES } else { SHORT_BYTES };
        let payload_end = payload + (word & LEN_MAX) as usize;
        Bounds { payload, payload_end, end: payload_end.next_multiple_of(8) }
    }
}

/// Reads the frame at the start of `bytes`. The length is checked before it is used for anything.
///
/// # Errors
/// When more bytes are needed, or these are no frame.
#[inline]
pub fn parse(bytes: &[u8], seed: u32) -> Result<Frame<'_>, NoFrame> {
    if bytes.len() < FRAME_MIN {
        return Err(NoFrame::Needs(FRAME_MIN));
    }
    let word = u64::from_le_bytes(array(bytes, 4));
    if kind(word) == 0 {
        return Err(NoFrame::Bad(Damage::NoFrame));
    }
    let bounds = Bounds::of(word);
    if bounds.payload_end - bounds.payload > PAYLOAD_MAX {
        return Err(NoFrame::Bad(Damage::TooLong { len: (word & LEN_MAX) as u32 }));
    }
    let Some(bytes) = bytes.get(..bounds.end) else { return Err(NoFrame::Needs(bounds.end)) };
    if checksum(bytes, seed) != u32::from_le_bytes(array(bytes, 0)) {
        return Err(NoFrame::Bad(Damage::Checksum));
    }
    let padding = bounds.end - bounds.payload_end;
    let last = u64::from_le_bytes(array(bytes, bounds.end - 8));
    if padding > 0 && last >> (8 * (8 - padding)) != 0 {
        return Err(NoFrame::Bad(Damage::Padding));
    }
    let frame = trusted(bytes);
    match frame.head.is_long() == (word & IS_LONG != 0) {
        true => Ok(frame),
        false => Err(NoFrame::Bad(Damage::Head)),
    }
}

#[inline]
const fn kind(word: u64) -> u16 {
    (word >> KIND_AT) as u16 & KIND_MAX
}

/// The frame at the start of bytes that [`parse`] has accepted before.
///
/// # Panics
/// When it has not.
#[inline]
pub fn trusted(bytes: &[u8]) -> Frame<'_> {
    let word = u64::from_le_bytes(array(bytes, 4));
    let Bounds { payload, payload_end, end } = Bounds::of(word);
    let head = Head {
        kind: kind(word),
        version: (word >> VERSION_AT) as u16 & VERSION_MAX,
        seq: (word >> SEQ_AT) as u32,
        extra: if payload == LONG_BYTES { array(bytes, SHORT_BYTES) } else { [0; 8] },
    };
    Frame { head, payload: &bytes[payload..payload_end], len: end }
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
                let mut frame = vec![0; control_bytes(payload.len())];
                let head = Head { kind: $kind, version: 1, seq: low(seq), extra };
                put(&mut frame, head, &payload, seed);
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
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const SEQ: u64 = 0x7_0100_0011;

    fn frame(head: Head, payload: &[u8], seed: u32) -> Vec<u8> {
        let mut bytes = vec![0xFF; head.frame_bytes(payload.len())];
        assert_eq!(put(&mut bytes, head, payload, seed), bytes.len());
        bytes
    }

    /// An output's, an input's with a time of receipt, and one's without.
    fn heads() -> [Head; 3] {
        let output = Head::output(0x0107, 1, EventId { seq: SEQ, index: 2 }, 1);
        [output, Head::input(2, 1, SEQ, 7), Head::input(2, 1, SEQ, 0)]
    }

    #[test]
    fn a_frame_has_the_documented_bytes() {
        let frames = heads().map(|head| {
            let bytes = frame(head, b"payload!+", 7);
            let row = |row: &[u8]| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            bytes.chunks(8).map(row).collect::<Vec<_>>().join("\n")
        });
        insta::assert_snapshot!(frames.join("\n\n"), @"
        207ba48709008007
        0511000002000000
        010000007061796c
        6f6164212b000000

        f0784cb309008002
        0411000007000000
        000000007061796c
        6f6164212b000000

        1151dce809000002
        041100007061796c
        6f6164212b000000
        ");
    }

    /// The table of the module's head, field by field, with a checksum bit by bit.
    fn by_the_book(head: Head, payload: &[u8], seed: u32) -> Vec<u8> {
        let long = head.kind >= FIRST_OUTPUT || head.extra != [0; 8];
        let mut bytes = seed.to_le_bytes().to_vec();
        bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
        bytes[6] |= u8::from(long) << 7;
        bytes.extend((head.kind | head.version << 10).to_le_bytes());
        bytes.extend(&head.seq.to_le_bytes()[..3]);
        bytes.extend(if long { &head.extra[..] } else { &[] });
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let mut crc = !0_u32;
        for byte in &bytes {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 });
        }
        bytes.splice(..4, (!crc).to_le_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn frames_are_as_the_book_says(
            kind in 1..=KIND_MAX, version in 0..=VERSION_MAX, seq: u64, seed: u32,
            extra in prop_oneof![Just([0; 8]), any::<[u8; 8]>()],
            payload in prop_oneof![vec(any::<u8>(), 20), vec(any::<u8>(), 0..80)],
        ) {
            let head = Head { kind, version, seq: low(seq), extra };
            let bytes = frame(head, &payload, seed);
            prop_assert_eq!(&bytes, &by_the_book(head, &payload, seed));
            let read = parse(&bytes, seed).expect("it is a frame");
            prop_assert_eq!((read.head, read.payload), (head, &payload[..]));
        }
    }

    #[test]
    fn what_was_closed_is_read_and_nothing_else() {
        for head in heads() {
            let bytes = frame(head, b"payload!+", 7);
            let read = parse(&bytes, 7).unwrap();
            assert_eq!((read.head, read.payload, read.len), (head, &b"payload!+"[..], bytes.len()));
            let other = frame(head, b"payload!+", seed_of(7));
            assert!(parse(&other, seed_of(7)).is_ok());
            let no_match = Err(NoFrame::Bad(Damage::Checksum));
            assert_eq!(parse(&other, seed_of(8)), no_match, "another salt");
            for cut in 0..bytes.len() {
                assert!(matches!(parse(&bytes[..cut], 7), Err(NoFrame::Needs(n)) if n > cut));
            }
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(parse(&bad, 7).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn an_address_is_whole_again_beside_the_first_of_its_segment() {
        let [output, input, unobserved] = heads();
        for first_seq in [SEQ, SEQ - 1, 0x7_00FF_FFFF, 0x7_0000_0012] {
            let id = EventId { seq: SEQ, index: 2 };
            assert_eq!(output.envelope(first_seq), (id, 1, 0));
            assert_eq!(input.envelope(first_seq), (EventId::input(SEQ), 0, 7));
            assert_eq!(unobserved.envelope(first_seq), (EventId::input(SEQ), 0, 0));
        }
    }

    /// The same could be said in more bytes, and is not accepted then.
    #[test]
    fn a_frame_has_one_form() {
        let mut bytes = frame(heads()[1], b"", 7);
        bytes[SHORT_BYTES..LONG_BYTES].fill(0);
        mend(&mut bytes, 7);
        assert_eq!(parse(&bytes, 7), Err(NoFrame::Bad(Damage::Head)));
        let mut bytes = frame(heads()[0], b"", 7);
        bytes[6] &= 0x7F;
        mend(&mut bytes[..FRAME_MIN], 7);
        assert_eq!(parse(&bytes, 7), Err(NoFrame::Bad(Damage::Padding)), "a short output");
        bytes[SHORT_BYTES..].fill(0);
        mend(&mut bytes[..FRAME_MIN], 7);
        assert_eq!(parse(&bytes, 7), Err(NoFrame::Bad(Damage::Head)), "a short output");
    }

    fn mend(frame: &mut [u8], seed: u32) {
        let crc = checksum(frame, seed);
        frame[..4].copy_from_slice(&crc.to_le_bytes());
    }

    #[test]
    fn zeros_are_no_frame() {
        assert_eq!(parse(&[0; 64], 7), Err(NoFrame::Bad(Damage::NoFrame)));
    }

    #[test]
    fn a_length_is_refused_before_it_is_believed() {
        let mut bytes = frame(heads()[1], b"", 7);
        bytes[4..7].fill(0xFF);
        let len = 0x007F_FFFF;
        assert_eq!(parse(&bytes, 7), Err(NoFrame::Bad(Damage::TooLong { len })));
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
