//! Reads a journal, and never writes: files are opened read-only, and nothing is ever repaired.
//!
//! Only whole batches whose commit matches are handed out. Where the bytes stop making sense, two
//! things can have happened. If nothing good follows, the journal ended early: that is an [`End`].
//! If a later commit, a seal or another segment follows, something was lost that once was there:
//! that is damage, and an error. The commit of the very batch that is bad proves nothing, because
//! its sectors reach the disk in any order. Where the journal has a durable mark, it must hold at
//! least as much as the mark said when it was opened, and what it says.

mod ending;
mod follow;

use std::path::Path;
use std::sync::Arc;

use crate::domain::event::{EventId, Record};

use super::buffer::Buffer;
use super::codec;
use super::digest::{self, BLOCK_INPUTS, Digest, RunDigest};
use super::disk::{Disk, Files, Medium, read_some};
use super::error::{Damage, JournalError, io};
use super::frame::{self, Commit, Frame, Head, NoFrame, Seal};
use super::log::Place;
use super::mark::Mark;
use super::record::{COMMIT, FIRST_CONTROL, FIRST_OUTPUT, Kind, Numbering, SEAL};
use super::segment::{self, HEADER_BYTES, Header, RunId, SegmentFile};

/// Bytes asked of the file at a time.
const READ_BYTES: usize = 256 * 1_024;

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order: nothing more was to come.
    Sealed(Seal),
    /// Early: the writer was stopped, or is still writing.
    Unsealed {
        /// Bytes after the last commit that are no record (zeros at the end not counted).
        trailing_bytes: u64,
    },
}

/// A committed record whose payload has not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    /// Number of its kind; this program may not know it.
    pub kind: u16,
    /// Version of its payload.
    pub version: u16,
    /// Its address.
    pub id: EventId,
    /// Index of its cause.
    pub cause: u32,
    /// When it was received, ns.
    pub received_ns: i64,
    /// Its payload.
    pub payload: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The record in a frame that was checked, in a segment with that first input.
    pub const fn of(frame: &Frame<'a>, first_seq: u64) -> Raw<'a> {
        let Frame { head, payload, .. } = *frame;
        let (id, cause, received_ns) = head.envelope(first_seq);
        Raw { kind: head.kind, version: head.version, id, cause, received_ns, payload }
    }

    /// Bytes of its frame.
    pub const fn frame_bytes(&self) -> usize {
        let head = match self.kind < FIRST_OUTPUT {
            true => Head::input(self.kind, self.version, self.id.seq, self.received_ns),
            false => Head::output(self.kind, self.version, self.id, self.cause),
        };
        head.frame_bytes(self.payload.len())
    }

    /// The kind, if this program knows it.
    pub const fn known_kind(&self) -> Option<Kind> {
        Kind::known(self.kind, self.version)
    }

    /// The record. `scratch` is overwritten.
    ///
    /// # Errors
    /// When the kind is unknown or the payload is not exactly what its event is written as.
    pub fn decode(&self, scratch: &mut Buffer) -> Result<Record, Damage> {
        let Raw { kind, version, id, cause, received_ns, payload } = *self;
        let known = self.known_kind().ok_or(Damage::UnknownKind { kind, version })?;
        let event = codec::decode(known, payload, scratch)?;
        Ok(Record { id, cause, received_ns, event })
    }
}

/// Walks through the committed records of a journal.
pub struct Reader {
    disk: Arc<dyn Disk>,
    files: Vec<SegmentFile>,
    mark: Option<Mark>,
    /// Place of the open segment in `files`.
    at: usize,
    file: Box<dyn Medium>,
    header: Header,
    /// Where the next segment takes over, if it says so: what follows is void.
    void_from: Option<u64>,
    seed: u32,
    /// Bytes of the open segment from `offset` on: the batch at hand and what was read beyond it.
    bytes: Vec<u8>,
    offset: u64,
    /// Where in `bytes` the last and the next record stand, and where the batch's records and the
    /// batch itself end.
    place: usize,
    next: usize,
    records_end: usize,
    batch_end: usize,
    numbering: Numbering,
    batches: u64,
    records: u64,
    digest: RunDigest,
    /// The records of the batch that is being read, as the digest takes them.
    folded: Buffer,
    end: Option<End>,
    failed: bool,
    /// Whether the end was reached once, and more is waited for.
    follows: bool,
    scratch: Buffer,
}

impl Reader {
    /// Opens the journal in `path/log`, or in `path` itself.
    ///
    /// # Errors
    /// When there is no journal, a segment is missing, or the first header is damaged.
    pub fn open(path: &Path) -> Result<Reader, JournalError> {
        Reader::open_on(Arc::new(Files), path)
    }

    /// The same on some disk.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Reader, JournalError> {
        let files = segment::list(&*disk, path)?;
        let (file, header) = segment::open(&*disk, &files[0].path)?;
        let log_dir = files[0].path.parent().unwrap_or(path);
        let mark = Mark::read(&*disk, log_dir, header.run_id)?;
        let seed = frame::seed_of(header.salt);
        let void_from = void_from(&*disk, files.get(1))?;
        let reader = Reader {
            disk,
            files,
            mark,
            at: 0,
            file,
            header,
            void_from,
            seed,
            bytes: Vec::new(),
            offset: HEADER_BYTES as u64,
            place: 0,
            next: 0,
            records_end: 0,
            batch_end: 0,
            numbering: Numbering::default(),
            batches: 0,
            records: 0,
            digest: RunDigest::new(),
            folded: Buffer::default(),
            end: None,
            failed: false,
            follows: false,
            scratch: Buffer::default(),
        };
        reader.check_contiguity(header.run_id)?;
        Ok(reader)
    }

    /// The header of the segment that is being read.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The journal's segments.
    pub fn segments(&self) -> &[SegmentFile] {
        &self.files
    }

    /// Batches that were read so far.
    pub const fn batches(&self) -> u64 {
        self.batches
    }

    /// The run digest after the last of these.
    pub const fn digest(&self) -> Digest {
        self.digest.value()
    }

    /// Inputs that were handed out so far.
    pub const fn inputs(&self) -> u64 {
        self.numbering.next_seq()
    }

    /// How far the journal was promised to be on the disk when it was opened, if it was.
    pub const fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Whether all records of the batch at hand were handed out.
    pub const fn is_between_batches(&self) -> bool {
        self.next == self.records_end
    }

    /// The law of order, as far as it was read.
    pub(super) const fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// The fold over what was read.
    pub(super) const fn run_digest(&self) -> &RunDigest {
        &self.digest
    }

    /// Where the batch after the one that is being read goes.
    pub(super) fn place(&self) -> Place {
        Place {
            segments: self.at as u64 + 1,
            resumes_at: self.offset + self.batch_end as u64,
            batches: self.batches,
            bytes: self.files[..self.at].iter().map(|file| file.bytes).sum(),
            next_seq: self.numbering.next_seq(),
        }
    }

    /// How the journal ends, once all records were read.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// The error for the record that was handed out last, where its content is wrong.
    pub fn record_damaged(&self, damage: Damage) -> JournalError {
        self.damaged(self.place, damage)
    }

    /// The next record, decoded; `None` at the end.
    ///
    /// # Errors
    /// As [`Reader::next_raw`], and when the record is of an unknown kind or is no event.
    pub fn next_record(&mut self) -> Result<Option<Record>, JournalError> {
        if !self.advance()? {
            return Ok(None);
        }
        let frame = frame::trusted(&self.bytes[self.place..self.next]);
        match Raw::of(&frame, self.header.first_seq).decode(&mut self.scratch) {
            Ok(record) => Ok(Some(record)),
            Err(damage) => {
                self.failed = true;
                Err(self.record_damaged(damage))
            }
        }
    }

    /// The next record as it stands on disk, checked but for its payload; `None` at the end.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged. After an error there are no more records.
    pub fn next_raw(&mut self) -> Result<Option<Raw<'_>>, JournalError> {
        let moved = self.advance()?;
        let bytes = &self.bytes[self.place..self.next];
        Ok(moved.then(|| Raw::of(&frame::trusted(bytes), self.header.first_seq)))
    }

    /// Moves to the next record, if there is one: from `place` to `next`.
    fn advance(&mut self) -> Result<bool, JournalError> {
        if self.failed {
            return Ok(false);
        }
        let moved = self.try_advance();
        self.failed = moved.is_err();
        moved
    }

    fn try_advance(&mut self) -> Result<bool, JournalError> {
        while self.next == self.records_end {
            if self.end.is_some() {
                return Ok(false);
            }
            self.read_batch()?;
        }
        let frame = frame::trusted(&self.bytes[self.next..]);
        self.place = self.next;
        let (id, cause, _) = frame.head.envelope(self.header.first_seq);
        if let Err(misplaced) = self.numbering.admit(frame.head.kind, id, cause) {
            return Err(self.record_damaged(misplaced.into()));
        }
        self.next += frame.len;
        self.records += 1;
        Ok(true)
    }

    /// Reads up to the next commit, the next segment, or the end.
    fn read_batch(&mut self) -> Result<(), JournalError> {
        self.bytes.drain(..self.batch_end);
        self.offset += self.batch_end as u64;
        (self.place, self.next, self.records_end, self.batch_end) = (0, 0, 0, 0);
        self.folded.truncate(0);
        match self.void_from {
            Some(end) if self.offset == end => return self.open_next(),
            Some(end) if self.offset > end => {
                let fault = "the next one takes over within a batch";
                return Err(self.damaged(0, Damage::Contiguity(fault)));
            }
            _ => {}
        }
        let mut batch = Batch::default();
        loop {
            let place = batch.bytes;
            let frame = match self.frame_at(place)? {
                Ok(frame) => frame,
                Err(damage) => return self.stop(place, damage),
            };
            let (head, end) = (frame.head, place + frame.len);
            match head.kind {
                COMMIT => {
                    let commit = Commit::read(&frame);
                    self.accept(&batch, commit)?;
                    (self.records_end, self.batch_end) = (place, end);
                    return Ok(());
                }
                SEAL => {
                    let seal = Seal::read(&frame);
                    return self.take_seal(place, end, seal);
                }
                kind if kind >= FIRST_CONTROL => {
                    return Err(self.damaged(place, Damage::Control(kind)));
                }
                _ => {
                    batch.add(&head, self.header.first_seq, end);
                    self.fold(place);
                }
            }
        }
    }

    /// The frame at `place`, or what is wrong there.
    fn frame_at(&mut self, place: usize) -> Result<Result<Frame<'_>, Damage>, JournalError> {
        loop {
            let needs = match frame::parse(&self.bytes[place..], self.seed) {
                Ok(_) => return Ok(Ok(frame::trusted(&self.bytes[place..]))),
                Err(NoFrame::Bad(damage)) => return Ok(Err(damage)),
                Err(NoFrame::Needs(len)) => place + len,
            };
            if !self.fill(needs)? {
                return Ok(Err(Damage::CutOff));
            }
        }
    }

    /// Reads until there are `len` bytes; false where the file has fewer.
    fn fill(&mut self, len: usize) -> Result<bool, JournalError> {
        while self.bytes.len() < len {
            let offset = self.offset + self.bytes.len() as u64;
            let SegmentFile { path, bytes, .. } = &self.files[self.at];
            // No more than the file had when it was listed, but enough to see that it has grown.
            let left = bytes.saturating_sub(offset).max(HEADER_BYTES as u64);
            let ask = usize::try_from(left).map_or(READ_BYTES, |left| left.min(READ_BYTES));
            let read = read_some(&*self.file, &mut self.bytes, offset, ask);
            if read.map_err(|source| io("reading", path, source))? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes a record, whose frame stands at `place`, for the digest.
    #[inline]
    fn fold(&mut self, place: usize) {
        let Frame { head, payload, .. } = frame::trusted(&self.bytes[place..]);
        let (_, cause, _) = head.envelope(0);
        self.folded.append(&digest::head(head.kind, head.version, cause, payload.len()));
        self.folded.append(payload);
    }

    /// Takes the batch in `bytes`, if that is what the commit describes.
    fn accept(&mut self, batch: &Batch, commit: Option<Commit>) -> Result<(), JournalError> {
        let block = batch.first_seq / BLOCK_INPUTS;
        self.digest.extend(block, self.folded.as_slice());
        let fault = match commit {
            None => "its layout is unknown",
            Some(_) if batch.records == 0 => "the batch is empty",
            Some(_) if batch.torn => "the batch begins within a step",
            Some(commit) if commit.batch_no != self.batches => "another number is due",
            Some(commit) if commit.start != self.offset => "the batch begins elsewhere",
            Some(commit) if commit.byte_len != batch.bytes as u64 => "its length differs",
            Some(commit) if commit.records != batch.records => "its count of records differs",
            Some(commit) if commit.first_seq != batch.first_seq => "its first input differs",
            Some(commit) if commit.last_seq != batch.last_seq => "its last input differs",
            Some(commit) if commit.last_seq / BLOCK_INPUTS != block => "it ends in another block",
            Some(commit) if commit.digest != self.digest() => "its digest differs",
            Some(_) => {
                self.batches += 1;
                return self.check_mark(batch.bytes);
            }
        };
        Err(self.damaged(batch.bytes, Damage::Commit(fault)))
    }

    fn open_next(&mut self) -> Result<(), JournalError> {
        let run_id = self.header.run_id;
        self.at += 1;
        (self.file, self.header) = segment::open(&*self.disk, &self.files[self.at].path)?;
        self.void_from = void_from(&*self.disk, self.files.get(self.at + 1))?;
        self.seed = frame::seed_of(self.header.salt);
        self.bytes.clear();
        self.offset = HEADER_BYTES as u64;
        self.check_contiguity(run_id)
    }

    fn check_contiguity(&self, run_id: RunId) -> Result<(), JournalError> {
        let (file, header) = (&self.files[self.at], &self.header);
        let fault = if header.run_id != run_id {
            "it is of another run"
        } else if (header.segment_no, header.first_seq) != (file.segment_no, file.first_seq) {
            "its name does not match its header"
        } else if header.first_seq != self.numbering.next_seq() {
            "its first input is not the next"
        } else if header.previous != self.digest() {
            "the digest of what came before differs"
        } else {
            return Ok(());
        };
        let (path, seq) = (file.path.clone(), self.numbering.next_seq());
        let damage = Damage::Contiguity(fault);
        Err(JournalError::Damaged { path, offset: 0, seq, damage })
    }

    fn damaged(&self, place: usize, damage: Damage) -> JournalError {
        let path = self.files[self.at].path.clone();
        let (offset, seq) = (self.offset + place as u64, self.numbering.next_seq());
        JournalError::Damaged { path, offset, seq, damage }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

/// The event frames of a batch, as they are read.
#[derive(Default)]
struct Batch {
    records: u64,
    bytes: usize,
    first_seq: u64,
    last_seq: u64,
    /// Whether its first record is an output.
    torn: bool,
}

impl Batch {
    fn add(&mut self, head: &Head, segment_begins: u64, end: usize) {
        let seq = head.seq(segment_begins);
        if self.records == 0 {
            self.first_seq = seq;
            self.torn = head.kind >= FIRST_OUTPUT;
        }
        self.last_seq = seq;
        self.records += 1;
        self.bytes = end;
    }
}

/// Where the segment `next` takes over from the one before it, if it says so. Whether its header
/// can be believed is found out when it is opened.
///
/// # Errors
/// When the system cannot read it: then nothing is known of it, and what is void must not be taken
/// for damage.
fn void_from(disk: &dyn Disk, next: Option<&SegmentFile>) -> Result<Option<u64>, JournalError> {
    let Some(next) = next else { return Ok(None) };
    match segment::open(disk, &next.path) {
        Ok((_, header)) => Ok((header.resumes_at != 0).then_some(header.resumes_at)),
        Err(error @ JournalError::Io { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
