//! Segments: the files of a journal, their names and their headers.
//!
//! The header is one block of 4,096 bytes: magic `EVLOG\0\0\x01`, format u16, oldest reader u16,
//! codec u8, 3 zeros, segment number u64, first seq u64, salt u64, run digest before the segment
//! \[32\], run id \[16\], registry hash \[32\], core version u32, 4 zeros, created ns i64, resumes
//! at u64, zeros, and in the last four bytes the CRC-32C of all before. Integers are little-endian.
//!
//! A segment that was finished in order ends with a seal. One that was not is left as it is, torn
//! bytes and all; the segment after it then says where in it the journal goes on.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::codec::CODEC_ID;
use super::digest::Digest;
use super::disk::{Disk, Medium, read_some};
use super::error::{Damage, JournalError, io};
use super::frame::array;

/// Bytes of a segment's header.
pub const HEADER_BYTES: usize = 4_096;
/// The version of the format that is written.
pub const FORMAT_VERSION: u16 = 3;
/// The oldest version whose readers understand what is written.
pub const MIN_READER: u16 = 3;
/// The oldest version that is read. Those before it were drafts and never released.
const OLDEST: u16 = 3;

const MAGIC: [u8; 8] = *b"EVLOG\0\0\x01";
const CRC_AT: usize = HEADER_BYTES - 4;

/// The name of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunId(pub [u8; 16]);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What stands in a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Place of the segment in the journal, from 0.
    pub segment_no: u64,
    /// Number of its first input.
    pub first_seq: u64,
    /// What the checksums of its frames are seeded with.
    pub salt: u64,
    /// The run digest before the segment.
    pub previous: Digest,
    /// The run.
    pub run_id: RunId,
    /// The registry of the program that wrote it.
    pub registry: Digest,
    /// The rules of the core that wrote it.
    pub core_version: u32,
    /// When it was created, ns since 1970 UTC; 0 in a replay.
    pub created_ns: i64,
    /// Where the segment before ends: whatever follows there is void. 0 where it has its seal.
    pub resumes_at: u64,
}

impl Header {
    /// The header's block.
    pub fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(HEADER_BYTES);
        block.extend_from_slice(&MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&MIN_READER.to_le_bytes());
        block.extend_from_slice(&[CODEC_ID, 0, 0, 0]);
        block.extend_from_slice(&self.segment_no.to_le_bytes());
        block.extend_from_slice(&self.first_seq.to_le_bytes());
        block.extend_from_slice(&self.salt.to_le_bytes());
        block.extend_from_slice(&self.previous.0);
        block.extend_from_slice(&self.run_id.0);
        block.extend_from_slice(&self.registry.0);
        block.extend_from_slice(&self.core_version.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&self.created_ns.to_le_bytes());
        block.extend_from_slice(&self.resumes_at.to_le_bytes());
        block.resize(CRC_AT, 0);
        block.extend_from_slice(&crc32c::crc32c(&block).to_le_bytes());
        block
    }

    /// Reads the header's block of the segment at `path`.
    ///
    /// # Errors
    /// When it is damaged, or written by a program that this one does not understand.
    pub fn decode(block: &[u8], path: &Path) -> Result<Header, JournalError> {
        let damaged = |what: &'static str| JournalError::Damaged {
            path: path.into(),
            offset: 0,
            seq: 0,
            damage: Damage::Header(what),
        };
        if block.len() != HEADER_BYTES {
            return Err(damaged("the file is shorter than a header"));
        }
        if array(block, 0) != MAGIC {
            return Err(damaged("the magic is missing"));
        }
        if crc32c::crc32c(&block[..CRC_AT]) != u32::from_le_bytes(array(block, CRC_AT)) {
            return Err(damaged("the checksum does not match"));
        }
        let too_new = |what, found| JournalError::TooNew { path: path.into(), what, found };
        let [written, min_reader] = [8, 10].map(|at| u16::from_le_bytes(array(block, at)));
        if written < OLDEST {
            return Err(JournalError::TooOld { path: path.into(), found: written, oldest: OLDEST });
        }
        if min_reader > FORMAT_VERSION {
            return Err(too_new("the format", min_reader));
        }
        if block[12] != CODEC_ID {
            return Err(too_new("the codec", u16::from(block[12])));
        }
        Ok(Header {
            segment_no: u64::from_le_bytes(array(block, 16)),
            first_seq: u64::from_le_bytes(array(block, 24)),
            salt: u64::from_le_bytes(array(block, 32)),
            previous: Digest(array(block, 40)),
            run_id: RunId(array(block, 72)),
            registry: Digest(array(block, 88)),
            core_version: u32::from_le_bytes(array(block, 120)),
            created_ns: i64::from_le_bytes(array(block, 128)),
            resumes_at: u64::from_le_bytes(array(block, 136)),
        })
    }
}

/// The name of a segment's file; names sort like the segments.
pub fn file_name(segment_no: u64, first_seq: u64) -> String {
    format!("{segment_no:010}-{first_seq:017}.evl")
}

/// A segment's file as it lies in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// The number in its name.
    pub segment_no: u64,
    /// The first input in its name.
    pub first_seq: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// The files of the journal at `path`, which are in `path/log` or in `path` itself, and their
/// directory.
///
/// # Errors
/// When there is no directory, or it cannot be read.
pub fn files(disk: &dyn Disk, path: &Path) -> Result<(PathBuf, Vec<(PathBuf, u64)>), JournalError> {
    for dir in [path.join("log"), path.into()] {
        match disk.list(&dir) {
            Ok(files) => return Ok((dir, files)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(io("listing", &dir, source)),
        }
    }
    Err(JournalError::Absent { path: path.into() })
}

/// The segments of the journal at `path`, in order, with numbers from 0 without gaps.
///
/// # Errors
/// When the directory cannot be read, has no segment, or lacks one.
pub fn list(disk: &dyn Disk, path: &Path) -> Result<Vec<SegmentFile>, JournalError> {
    let mut segments = Vec::new();
    for (path, bytes) in files(disk, path)?.1 {
        if path.extension().is_none_or(|extension| extension != "evl") {
            continue;
        }
        let Some((segment_no, first_seq)) = numbers(&path) else {
            let damage = Damage::Contiguity("the name is not of the form <number>-<first seq>.evl");
            return Err(JournalError::Damaged { path, offset: 0, seq: 0, damage });
        };
        segments.push(SegmentFile { segment_no, first_seq, path, bytes });
    }
    segments.sort_by_key(|file| (file.segment_no, file.first_seq));
    if segments.is_empty() {
        return Err(JournalError::Absent { path: path.into() });
    }
    for (place, file) in (0..).zip(&segments) {
        if file.segment_no != place {
            let damage = Damage::Contiguity("a segment is missing or there twice");
            let (path, seq) = (file.path.clone(), file.first_seq);
            return Err(JournalError::Damaged { path, offset: 0, seq, damage });
        }
    }
    Ok(segments)
}

/// Opens a segment's file and reads its header.
///
/// # Errors
/// When it cannot be read, or its header is damaged.
pub fn open(disk: &dyn Disk, path: &Path) -> Result<(Box<dyn Medium>, Header), JournalError> {
    let file = disk.open(path, false).map_err(|source| io("opening", path, source))?;
    let mut block = Vec::with_capacity(HEADER_BYTES);
    let read = read_some(&*file, &mut block, 0, HEADER_BYTES);
    read.map_err(|source| io("reading", path, source))?;
    Ok((file, Header::decode(&block, path)?))
}

/// Number and first input in a segment's name, if the name is exactly as [`file_name`] makes it.
fn numbers(path: &Path) -> Option<(u64, u64)> {
    let (segment_no, first_seq) = path.file_stem()?.to_str()?.split_once('-')?;
    let numbers = (segment_no.parse().ok()?, first_seq.parse().ok()?);
    (path.file_name()?.to_str()? == file_name(numbers.0, numbers.1)).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            segment_no: 42,
            first_seq: 1_048_576,
            salt: 0x0123_4567_89AB_CDEF,
            previous: Digest([1; 32]),
            run_id: RunId([2; 16]),
            registry: Digest([3; 32]),
            core_version: 4,
            created_ns: -5,
            resumes_at: 8_192,
        }
    }

    #[test]
    fn a_header_goes_round_and_any_flipped_bit_is_seen() {
        let block = header().encode();
        assert_eq!(block.len(), HEADER_BYTES);
        assert_eq!(Header::decode(&block, Path::new("x")).unwrap(), header());
        for bit in 0..block.len() * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad, Path::new("x")).is_err(), "bit {bit}");
        }
        assert!(Header::decode(&block[..100], Path::new("x")).is_err());
    }

    #[test]
    fn a_format_of_the_future_and_one_of_the_past_are_named() {
        let refused = |at: usize, version: u8| {
            let mut block = header().encode();
            block[at] = version;
            let crc = crc32c::crc32c(&block[..CRC_AT]);
            block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            Header::decode(&block, Path::new("x")).unwrap_err().to_string()
        };
        assert_eq!(refused(10, 4), "x: the format 4 is unknown to this program");
        let past = "x: format 2 is not read any more, the oldest is 3";
        assert_eq!(refused(8, 2), past);
    }

    #[test]
    fn names_sort_like_segments() {
        assert_eq!(file_name(42, 1_048_576), "0000000042-00000000001048576.evl");
        assert_eq!(numbers(Path::new("log/0000000042-00000000001048576.evl")), Some((42, 1048576)));
        assert_eq!(numbers(Path::new("42-1048576.evl")), None);
    }
}
