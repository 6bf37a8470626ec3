//! Journal to archive: committed records only, each proved by decoding it, and at the end all of
//! them read again from the files that were written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::domain::event::{Event, Input, Record};
use crate::domain::tape::{Names, write_event};
use crate::domain::time::{Date, Timestamp};
use crate::journal::codec::CODEC_ID;
use crate::journal::error::Damage;
use crate::journal::segment::FORMAT_VERSION;
use crate::journal::{Buffer, End, Raw, Reader};

use super::error::{ArchiveError, io};
use super::fold::Fold;
use super::manifest::{ARCHIVE_VERSION, FileEntry, Manifest, SegmentEntry};
use super::read::walk;
use super::schema::{Readable, Rows, options, schema};
use super::staging::{Staging, sync_dir};

/// Rows after which a file ends with the step, so that one file fits into memory.
const FILE_ROWS: u64 = 250_000;
/// Or bytes of payloads and lines.
const FILE_BYTES: u64 = 64 * 1_024 * 1_024;
/// Rows that are encoded at a time.
const BATCH_ROWS: usize = 8_192;
/// Or bytes of payloads and lines.
const BATCH_BYTES: usize = 4 * 1_024 * 1_024;

/// Writes the journal at `journal` as the new archive `out`, and decodes it again.
///
/// # Errors
/// When the journal is damaged or empty, `out` is there, or reading or writing fails. Then nothing
/// is left behind.
pub fn export(journal: &Path, out: &Path) -> Result<Manifest, ArchiveError> {
    export_with(journal, out, FILE_ROWS)
}

/// The same, with another number of rows after which a file ends with the step.
pub(super) fn export_with(
    journal: &Path,
    out: &Path,
    file_rows: u64,
) -> Result<Manifest, ArchiveError> {
    let mut reader = Reader::open(journal)?;
    let header = *reader.header();
    let staging = Staging::begin(out)?;
    let mut archive = Archive::new(staging.path(), file_rows);
    while let Some(raw) = reader.next_raw()? {
        match archive.add(&raw) {
            Ok(()) => {}
            Err(Stop::Record(damage)) => return Err(reader.record_damaged(damage).into()),
            Err(Stop::Archive(error)) => return Err(error),
        }
    }
    let sealed = matches!(reader.end(), Some(End::Sealed(_)));
    archive.end_file()?;
    let segments = reader.segments().iter().filter(|_| sealed);
    let segments = segments.map(|segment| SegmentEntry::of(&segment.path));
    let Archive { mut fold, files, .. } = archive;
    let mut manifest = Manifest {
        archive_version: ARCHIVE_VERSION,
        build: concat!("lockstep ", env!("CARGO_PKG_VERSION")).into(),
        run_id: header.run_id.to_string(),
        journal_version: FORMAT_VERSION,
        codec_id: CODEC_ID,
        registry: header.registry.to_string(),
        core_version: header.core_version,
        created_ns: header.created_ns,
        sealed,
        inputs: fold.inputs(),
        records: fold.records(),
        digest_before: Fold::default().digest().to_string(),
        digest_after: fold.digest().to_string(),
        received: fold.received().to_string(),
        files,
        segments: segments.collect::<Result<_, _>>()?,
        blake3: String::new(),
    };
    if manifest.files.is_empty() {
        return Err(ArchiveError::Empty { path: journal.into() });
    }
    differs(staging.path(), &manifest, reader.digest().to_string())?;
    manifest.write(staging.path())?;
    prove(staging.path())?;
    staging.finish()?;
    Ok(manifest)
}

/// The records that were seen are those that the journal's commits vouch for.
fn differs(dir: &Path, manifest: &Manifest, wanted: String) -> Result<(), ArchiveError> {
    if manifest.digest_after == wanted {
        return Ok(());
    }
    let (path, found) = (dir.into(), manifest.digest_after.clone());
    Err(ArchiveError::Differs { path, what: "the run digest", wanted, found })
}

/// Reads the archive as an import would, and makes its files last.
fn prove(dir: &Path) -> Result<(), ArchiveError> {
    let manifest = Manifest::read(dir)?;
    walk(dir, &manifest, |_, _| Ok(()))?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for file in &manifest.files {
        let folder = dir.join(&file.path).parent().map_or_else(|| dir.into(), Path::to_path_buf);
        if folders.last() != Some(&folder) {
            folders.push(folder);
        }
    }
    folders.iter().try_for_each(|folder| sync_dir(folder))?;
    sync_dir(dir)
}

/// Why a record is not archived.
enum Stop {
    /// It is none.
    Record(Damage),
    /// It cannot be written.
    Archive(ArchiveError),
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Stop {
        Stop::Record(damage)
    }
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Stop {
        Stop::Archive(error)
    }
}

/// An archive that is being written.
struct Archive<'a> {
    dir: &'a Path,
    file_rows: u64,
    schema: SchemaRef,
    fold: Fold,
    rows: Rows,
    open: Option<OpenFile>,
    files: Vec<FileEntry>,
    /// Names for lines, and keys by the instrument's place.
    names: Names,
    keys: Vec<String>,
    /// The time of the last input that has one.
    time: Option<Timestamp>,
    scratch: Buffer,
}

/// A file that is being written. Its name follows once its last input is known.
struct OpenFile {
    writer: ArrowWriter<File>,
    path: PathBuf,
    date: Date,
    first_seq: u64,
    records: u64,
    /// Bytes of payloads and lines.
    bytes: u64,
    digest_before: String,
}

impl<'a> Archive<'a> {
    fn new(dir: &'a Path, file_rows: u64) -> Archive<'a> {
        Archive {
            dir,
            file_rows,
            schema: schema(),
            fold: Fold::default(),
            rows: Rows::default(),
            open: None,
            files: Vec::new(),
            names: Names::default(),
            keys: Vec::new(),
            time: None,
            scratch: Buffer::default(),
        }
    }

    fn add(&mut self, raw: &Raw<'_>) -> Result<(), Stop> {
        let known = raw.known_kind();
        // A kind of a later program is kept as it is; only nobody can read it here.
        let record = known.map(|_| raw.decode(&mut self.scratch)).transpose()?;
        if raw.id.index == 0 {
            self.begin_step(raw, record.as_ref())?;
        }
        self.fold.add(raw)?;
        let event = record.as_ref().map(|record| &record.event);
        let instrument = event.and_then(Event::instrument);
        let readable = Readable {
            word: known.map(|kind| kind.schema().word),
            instrument: instrument.and_then(|id| self.keys.get(id.index())).map(String::as_str),
            time: event.and_then(Event::time).or(self.time),
            tape: event.map(|event| write_event(event, &self.names)),
        };
        self.rows.push(raw, &readable);
        let (rows, bytes) = self.rows.size();
        if rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
            self.write_rows()?;
        }
        Ok(())
    }

    /// Before an input: takes what follows from it, and decides whether the file ends here.
    fn begin_step(&mut self, raw: &Raw<'_>, record: Option<&Record>) -> Result<(), ArchiveError> {
        let mut date = self.time.map(Timestamp::date);
        match record.map(|record| &record.event) {
            Some(Event::Input(Input::RunStarted(run))) => {
                self.names = Names::of(run);
                self.keys = run.instruments.iter().map(|it| it.key.clone()).collect();
                let first = run.sessions.first().map(|session| session.date);
                date = first.or_else(|| Some(run.config.active_from.date()));
            }
            Some(event) => {
                self.time = event.time().or(self.time);
                date = self.time.map(Timestamp::date);
            }
            None => {}
        }
        let date = date.unwrap_or_default();
        let (rows, bytes) = self.rows.size();
        let ends = self.open.as_ref().is_some_and(|open| {
            date > open.date
                || open.records + rows as u64 >= self.file_rows
                || open.bytes + bytes as u64 >= FILE_BYTES
        });
        if ends {
            self.end_file()?;
        }
        if self.open.is_none() {
            // Dates only go on: what is late stands where it came.
            let last = self.files.last().and_then(|file| Date::parse(file.path.get(5..15)?));
            self.begin_file(last.map_or(date, |last| date.max(last)), raw.id.seq)?;
        }
        Ok(())
    }

    fn begin_file(&mut self, date: Date, first_seq: u64) -> Result<(), ArchiveError> {
        let folder = self.dir.join(format!("date={date}"));
        fs::create_dir_all(&folder).map_err(io("creating", &folder))?;
        let path = folder.join(format!("{first_seq:012}.part"));
        let file = File::create_new(&path).map_err(io("creating", &path))?;
        let writer = options().and_then(|options| {
            ArrowWriter::try_new_with_options(file, self.schema.clone(), options)
        });
        let writer = writer.map_err(|error| refused(&path, error))?;
        let digest_before = self.fold.digest().to_string();
        let (records, bytes) = (0, 0);
        self.open = Some(OpenFile { writer, path, date, first_seq, records, bytes, digest_before });
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), ArchiveError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (rows, bytes) = self.rows.size();
        open.records += rows as u64;
        open.bytes += bytes as u64;
        let batch = self.rows.take(&self.schema).map_err(ParquetError::from);
        let written = batch.and_then(|batch| open.writer.write(&batch));
        written.map_err(|error| refused(&open.path, error))
    }

    /// Ends the open file, if there is one, and notes it.
    fn end_file(&mut self) -> Result<(), ArchiveError> {
        self.write_rows()?;
        let Some(open) = self.open.take() else { return Ok(()) };
        let OpenFile { writer, path: part, date, first_seq, records, digest_before, .. } = open;
        let file = writer.into_inner().map_err(|error| refused(&part, error))?;
        file.sync_all().map_err(io("syncing", &part))?;
        let last_seq = self.fold.inputs() - 1;
        let path = format!("date={date}/{first_seq:012}-{last_seq:012}.parquet");
        let finished = self.dir.join(&path);
        fs::rename(&part, &finished).map_err(io("renaming", &part))?;
        let SegmentEntry { bytes, blake3, .. } = SegmentEntry::of(&finished)?;
        self.files.push(FileEntry {
            path,
            first_seq,
            last_seq,
            records,
            bytes,
            blake3,
            digest_before,
            digest_after: self.fold.digest().to_string(),
        });
        Ok(())
    }
}

/// The encoder writes well-formed columns, so what fails is the file below it.
fn refused(path: &Path, error: ParquetError) -> ArchiveError {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => *source,
            Err(source) => std::io::Error::other(source),
        },
        other => std::io::Error::other(other),
    };
    io("writing", path)(source)
}
