//! Messages of the feed as they came, beside a run's journal: what the inputs were made of, for
//! whoever doubts it, and for playing a day again.
//!
//! Per message: its length (u32), when it was received (i64, ns since 1970 UTC), its bytes, and the
//! CRC-32C of all that (u32), little-endian. A file may end in the middle of a message.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::frame::MESSAGE_MAX;

/// The folder in a run's directory.
pub const FOLDER: &str = "raw";
const EXTENSION: &str = "frames";

/// Writes messages to a new file.
#[derive(Debug)]
pub struct RawWriter {
    file: BufWriter<File>,
}

impl RawWriter {
    /// A new file in the folder below `run_dir`, numbered after those that are there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(run_dir: &Path) -> io::Result<RawWriter> {
        let folder = run_dir.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{:06}.{EXTENSION}", files(&folder)?.len()));
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(RawWriter { file: BufWriter::with_capacity(1 << 18, file) })
    }

    /// Adds a message. It is on its way to the disk after [`flush`](RawWriter::flush).
    ///
    /// # Errors
    /// When the disk says no.
    pub fn add(&mut self, received_ns: i64, bytes: &[u8]) -> io::Result<()> {
        write(&mut self.file, received_ns, bytes)
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn write(out: &mut impl io::Write, received_ns: i64, bytes: &[u8]) -> io::Result<()> {
    let too_long = |_| io::Error::other("a message of more than 4 GiB");
    let length = u32::try_from(bytes.len()).map_err(too_long)?.to_le_bytes();
    let received = received_ns.to_le_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[&length[..], &received].concat()), bytes);
    out.write_all(&length)?;
    out.write_all(&received)?;
    out.write_all(bytes)?;
    out.write_all(&crc.to_le_bytes())
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// When it was received: nanoseconds since 1970 UTC.
    pub received_ns: i64,
    /// What came.
    pub bytes: Vec<u8>,
}

impl RawFrame {
    /// The message as it stands in a file.
    ///
    /// # Errors
    /// When it is longer than a file can say.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 16);
        write(&mut bytes, self.received_ns, &self.bytes)?;
        Ok(bytes)
    }
}

/// The messages beside the journal of a run, in order, and how many files end in the middle of one.
///
/// # Errors
/// When there is no such folder or a file cannot be read.
pub fn read(run_dir: &Path) -> io::Result<(Vec<RawFrame>, usize)> {
    let (mut frames, mut torn) = (Vec::new(), 0);
    for path in files(&run_dir.join(FOLDER))? {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let (whole, is_torn) = parse(&bytes);
        frames.extend(whole);
        torn += usize::from(is_torn);
    }
    Ok((frames, torn))
}

/// The messages of one file, and whether it ends in the middle of one.
pub fn parse(bytes: &[u8]) -> (Vec<RawFrame>, bool) {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while let Some((frame, after)) = first(rest) {
        frames.push(frame);
        rest = after;
    }
    (frames, !rest.is_empty())
}

fn first(bytes: &[u8]) -> Option<(RawFrame, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > MESSAGE_MAX || rest.len() < length + 4 {
        return None;
    }
    let (message, rest) = rest.split_at(length);
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let sound = crc32c::crc32c(&bytes[..12 + length]) == u32::from_le_bytes(*crc);
    let received_ns = i64::from_le_bytes(*received);
    sound.then(|| (RawFrame { received_ns, bytes: message.to_vec() }, rest))
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_a_torn_end_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        for numbers in [0..3_u8, 3..5] {
            let mut writer = RawWriter::create(dir.path()).unwrap();
            numbers.for_each(|it| writer.add(i64::from(it) - 1, &vec![it; it.into()]).unwrap());
            writer.flush().unwrap();
        }
        let (frames, torn) = read(dir.path()).unwrap();
        let seen: Vec<_> = frames.iter().map(|it| (it.received_ns, it.bytes.len())).collect();
        assert_eq!((seen, torn), (vec![(-1, 0), (0, 1), (1, 2), (2, 3), (3, 4)], 0));
        let path = dir.path().join("raw/000000.frames");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (frames, torn) = read(dir.path()).unwrap();
        assert_eq!((frames.len(), torn), (4, 1));
    }
}
