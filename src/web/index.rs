//! Where in a journal's files what stands: parts of whole batches, each with its place, its inputs,
//! its kinds of events, its instruments and its times. It is made while the journal is read through
//! once, checked as always; later a part is read by itself, and its checksums once more.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::domain::event::{EventId, Record};
use crate::domain::time::Timestamp;
use crate::journal::Buffer;
use crate::journal::error::{Damage, JournalError};
use crate::journal::frame::{self, Commit, NoFrame};
use crate::journal::reader::{Raw, Reader};
use crate::journal::record::{COMMIT, Kind, REGISTRY};
use crate::journal::segment::HEADER_BYTES;

/// Records of a part, but for those of its last batch.
const PART_RECORDS: u64 = 1_024;

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u64);

impl Kinds {
    /// The set with that kind too.
    #[must_use]
    pub fn with(self, kind: Kind) -> Kinds {
        let place = REGISTRY.iter().position(|schema| schema.kind == kind);
        Kinds(place.map_or(self.0, |place| self.0 | 1 << place))
    }

    /// The kinds for which that is so.
    pub fn of(is: impl Fn(Kind) -> bool) -> Kinds {
        let kinds = REGISTRY.iter().map(|schema| schema.kind).filter(|kind| is(*kind));
        kinds.fold(Kinds::default(), Kinds::with)
    }

    /// Whether the kind is in it.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & Kinds::default().with(kind).0 != 0
    }

    /// Whether a kind is in both.
    pub const fn meets(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }
}

/// A part of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Place of its file in the index.
    file: usize,
    from: u64,
    to: u64,
    records: u64,
    /// Its first and its last input.
    pub inputs: (u64, u64),
    /// The kinds of its events.
    pub kinds: Kinds,
    /// A bit for each instrument, by its number modulo 64.
    instruments: u64,
    /// The earliest and the latest time in it; none where its events have none.
    times: Option<(Timestamp, Timestamp)>,
}

impl Part {
    /// Whether events of that instrument may be in it.
    pub const fn may_have(&self, instrument: crate::domain::instrument::InstrumentId) -> bool {
        self.instruments >> (instrument.0 % 64) & 1 == 1
    }

    /// Whether a time of it may lie there.
    pub fn may_lie(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        self.times.is_some_and(|(first, last)| {
            from.is_none_or(|from| from <= last) && to.is_none_or(|to| first < to)
        })
    }

    fn take(&mut self, record: &Record, kind: Option<Kind>) {
        self.records += 1;
        self.inputs.1 = record.id.seq;
        self.kinds = kind.map_or(self.kinds, |kind| self.kinds.with(kind));
        if let Some(instrument) = record.event.instrument() {
            self.instruments |= 1 << (instrument.0 % 64);
        }
        if let Some(time) = record.event.time() {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }
}

/// A file of the journal.
struct Segment {
    number: u64,
    path: PathBuf,
    seed: u32,
    first_seq: u64,
}

/// The parts of a journal that was read through, and goes on to be.
pub struct Index {
    reader: Reader,
    files: Vec<Segment>,
    parts: Vec<Part>,
    /// Batches that were begun.
    batches: u64,
    /// Where in the file the records that were read end.
    offset: u64,
    scratch: Buffer,
}

impl Index {
    /// The index of a journal of which nothing was read yet.
    pub fn new(reader: Reader) -> Index {
        let (files, parts, scratch) = (Vec::new(), Vec::new(), Buffer::default());
        Index { reader, files, parts, batches: 0, offset: 0, scratch }
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The reader, which says how the journal ends.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Goes on after the end, where the journal has grown since.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn look_again(&mut self) -> Result<(), JournalError> {
        if self.reader.end().is_some() { self.reader.look_again() } else { Ok(()) }
    }

    /// The next record; none at the end for now.
    ///
    /// # Errors
    /// When the journal cannot be read on.
    pub fn next_record(&mut self) -> Result<Option<Record>, JournalError> {
        let Some(raw) = self.reader.next_raw()? else { return Ok(None) };
        let (kind, bytes) = (raw.known_kind(), raw.frame_bytes() as u64);
        let record = raw.decode(&mut self.scratch);
        let record = record.map_err(|damage| self.reader.record_damaged(damage))?;
        if self.batches != self.reader.batches() {
            self.begin_batch(record.id.seq);
        }
        self.offset += bytes;
        if let Some(part) = self.parts.last_mut() {
            part.take(&record, kind);
            // A part is read only up to inputs that were committed.
            part.to = self.offset;
        }
        Ok(Some(record))
    }

    /// A batch begins: perhaps in another file, perhaps with a part of its own.
    fn begin_batch(&mut self, seq: u64) {
        self.batches = self.reader.batches();
        self.offset += frame::control_bytes(Commit::BYTES) as u64;
        let header = self.reader.header();
        let is_here = self.files.last().is_some_and(|file| file.number == header.segment_no);
        if !is_here {
            let files = self.reader.segments();
            let path = files.iter().find(|file| file.segment_no == header.segment_no);
            let path = path.map(|file| file.path.clone()).unwrap_or_default();
            let (number, seed) = (header.segment_no, frame::seed_of(header.salt));
            self.files.push(Segment { number, path, seed, first_seq: header.first_seq });
            self.offset = HEADER_BYTES as u64;
        }
        let is_full = self.parts.last().is_none_or(|part| part.records >= PART_RECORDS);
        if !is_here || is_full {
            self.parts.push(Part {
                file: self.files.len() - 1,
                from: self.offset,
                to: self.offset,
                records: 0,
                inputs: (seq, seq),
                kinds: Kinds::default(),
                instruments: 0,
                times: None,
            });
        }
    }

    /// The records of a part that are of these kinds, in order.
    ///
    /// # Errors
    /// When its file cannot be read, or holds something else by now.
    pub fn read(&self, part: &Part, kinds: Kinds) -> Result<Vec<Record>, JournalError> {
        let file = &self.files[part.file];
        let io = |source| JournalError::Io { doing: "reading", path: file.path.clone(), source };
        let mut bytes = vec![0; usize::try_from(part.to - part.from).unwrap_or_default()];
        File::open(&file.path)
            .and_then(|it| it.read_exact_at(&mut bytes, part.from))
            .map_err(io)?;
        let damaged = |place: usize, damage: Damage| JournalError::Damaged {
            path: file.path.clone(),
            offset: part.from + place as u64,
            seq: part.inputs.0,
            damage,
        };
        let (mut records, mut scratch, mut place) = (Vec::new(), Buffer::default(), 0);
        while place < bytes.len() {
            let found = frame::parse(&bytes[place..], file.seed).map_err(|no| match no {
                NoFrame::Bad(damage) => damaged(place, damage),
                NoFrame::Needs(_) => damaged(place, Damage::CutOff),
            })?;
            let raw = Raw::of(&found, file.first_seq);
            let is_wanted = raw.known_kind().is_some_and(|kind| kinds.has(kind));
            if raw.kind != COMMIT && is_wanted {
                let record = raw.decode(&mut scratch);
                records.push(record.map_err(|damage| damaged(place, damage))?);
            }
            place += found.len;
        }
        Ok(records)
    }

    /// The part that holds an input, or the first after it.
    pub fn part_of(&self, id: EventId) -> usize {
        self.parts.partition_point(|part| part.inputs.1 < id.seq)
    }
}
