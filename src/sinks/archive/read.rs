//! Archive to journal: nothing is written from a file that is not what the manifest says, and the
//! journal that was written is read again before it gets its name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader as _;

use crate::domain::event::{Derived, Event, Record};
use crate::journal::error::{Damage, Refusal};
use crate::journal::writer::{Identity, Sealed, Writer};
use crate::journal::{Buffer, End, JournalError, Raw, Reader};
use crate::sources::shield::shielded;

use super::error::{ArchiveError, io};
use super::fold::Fold;
use super::manifest::{FileEntry, MANIFEST, Manifest, SegmentEntry};
use super::schema::{TRUTH, Truth};
use super::staging::Staging;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 4_096;

/// An archive that was brought back.
#[derive(Debug)]
pub struct Imported {
    /// What the archive says about itself.
    pub manifest: Manifest,
    /// The journal's totals.
    pub sealed: Sealed,
    /// The journal's segments.
    pub segments: Vec<SegmentEntry>,
}

impl Imported {
    /// Whether the segments are, byte for byte, those of the journal that was exported.
    pub fn same_segments(&self) -> bool {
        self.segments == self.manifest.segments
    }
}

/// Writes the archive `dir` as a journal in the new directory `run_dir`.
///
/// # Errors
/// When there is no archive, it is not what was exported, `run_dir` is there, or reading or writing
/// fails. Then nothing is left behind.
pub fn import(dir: &Path, run_dir: &Path) -> Result<Imported, ArchiveError> {
    let manifest = Manifest::read(dir)?;
    manifest.check_versions(dir)?;
    refuse_surplus(dir, &manifest)?;
    let run_id = manifest.run_id(dir)?;
    // Salts only keep files apart; a replay's are those of seed 0.
    let identity = Identity { run_id, salt_seed: 0, created_ns: manifest.created_ns };
    let staging = Staging::begin(run_dir)?;
    let mut writer = Writer::create(staging.path(), identity)?;
    let mut scratch = Buffer::default();
    walk(dir, &manifest, |path, raw| {
        let bad = |why| ArchiveError::Row { path: path.into(), id: raw.id, why };
        let record = raw.decode(&mut scratch).map_err(bad)?;
        write(&mut writer, &record).map_err(|error| match error {
            JournalError::Refused { refusal: Refusal::Payload(why), .. } => bad(why.into()),
            JournalError::Refused { refusal: Refusal::Order(why), .. } => bad(why.into()),
            error => error.into(),
        })
    })?;
    let sealed = if manifest.sealed { writer.seal()? } else { writer.leave()? };
    let segments = read_again(staging.path(), &manifest)?;
    staging.finish()?;
    Ok(Imported { manifest, sealed, segments })
}

fn write(writer: &mut Writer, record: &Record) -> Result<(), JournalError> {
    let Record { id, cause, received_ns, event } = record;
    match event {
        Event::Input(input) => writer.input(id.seq, *received_ns, input),
        Event::Output(output) => {
            let derived = Derived { cause: *cause, output: output.clone() };
            writer.output(id.seq, id.index, &derived)
        }
    }
}

/// What was written must be read as what was exported.
fn read_again(run_dir: &Path, manifest: &Manifest) -> Result<Vec<SegmentEntry>, ArchiveError> {
    let mut reader = Reader::open(run_dir)?;
    let mut fold = Fold::default();
    while let Some(raw) = reader.next_raw()? {
        if let Err(damage) = fold.add(&raw) {
            return Err(reader.record_damaged(damage).into());
        }
    }
    let end = matches!(reader.end(), Some(End::Sealed(_)));
    let facts = [
        ("the run digest", manifest.digest_after.clone(), fold.digest().to_string()),
        (
            "the hash of the times of receipt",
            manifest.received.clone(),
            fold.received().to_string(),
        ),
        ("the number of records", manifest.records.to_string(), fold.records().to_string()),
        ("whether there is a seal", manifest.sealed.to_string(), end.to_string()),
    ];
    for (what, wanted, found) in facts {
        if wanted != found {
            let path = run_dir.into();
            return Err(ArchiveError::Differs { path, what, wanted, found });
        }
    }
    reader.segments().iter().map(|segment| SegmentEntry::of(&segment.path)).collect()
}

/// A Parquet file that the manifest does not name would be read by every other tool.
fn refuse_surplus(dir: &Path, manifest: &Manifest) -> Result<(), ArchiveError> {
    let known: Vec<PathBuf> = manifest.files.iter().map(|file| dir.join(&file.path)).collect();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(io("listing", &folder))?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<PathBuf>, _>>()
            .map_err(io("listing", &folder))?;
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "parquet") && !known.contains(&path) {
                let why = format!("{MANIFEST} does not name it");
                return Err(ArchiveError::File { path, why });
            }
        }
    }
    Ok(())
}

/// Hands every record of an archive to `take`, with the file that it stands in. Each file is held
/// against its hash before it is decoded, and against its numbers and digests afterwards.
///
/// # Errors
/// Those of `take`, and whatever is not as the manifest says.
pub fn walk(
    dir: &Path,
    manifest: &Manifest,
    mut take: impl FnMut(&Path, &Raw<'_>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut fold = Fold::default();
    for entry in &manifest.files {
        let path = dir.join(&entry.path);
        let broken = |why: String| ArchiveError::File { path: path.clone(), why };
        let mut reader = open(&path, entry)?;
        while let Some(batch) = next(&mut reader).map_err(broken)? {
            let truth = Truth::of(&batch).map_err(broken)?;
            for row in 0..batch.num_rows() {
                let raw = truth.raw(row);
                let bad = |why: Damage| ArchiveError::Row { path: path.clone(), id: raw.id, why };
                fold.add(&raw).map_err(bad)?;
                take(&path, &raw)?;
            }
        }
        let facts = [
            ("last input", entry.last_seq.to_string(), (fold.inputs().wrapping_sub(1)).to_string()),
            ("run digest", entry.digest_after.clone(), fold.digest().to_string()),
        ];
        for (what, wanted, found) in facts {
            if wanted != found {
                return Err(broken(format!("its {what} is {found}, the manifest says {wanted}")));
            }
        }
    }
    if fold.received().to_string() != manifest.received {
        let why = "the times of receipt are not those that the manifest vouches for".into();
        return Err(ArchiveError::Manifest { path: dir.join(MANIFEST), why });
    }
    Ok(())
}

/// Opens a file that is, byte for byte, what the manifest says. It is read once, so that what is
/// decoded is what was hashed.
fn open(path: &Path, entry: &FileEntry) -> Result<ParquetRecordBatchReader, ArchiveError> {
    let broken = |why: String| ArchiveError::File { path: path.into(), why };
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(broken(format!("{MANIFEST} names it, but it is not there")));
        }
        opened => opened.map_err(io("opening", path))?,
    };
    let length = file.metadata().map_err(io("reading", path))?.len();
    if length != entry.bytes {
        let wanted = entry.bytes;
        return Err(broken(format!("it was changed: {length} bytes, the manifest says {wanted}")));
    }
    let bytes = file.get_bytes(0, usize::try_from(length).unwrap_or(usize::MAX));
    let bytes = bytes.map_err(|error| broken(error.to_string()))?;
    if blake3::hash(&bytes).to_hex().as_str() != entry.blake3 {
        return Err(broken("it was changed: its hash is not that in the manifest".into()));
    }
    let decode = || -> Result<ParquetRecordBatchReader, ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let metadata = builder.metadata().file_metadata();
        let (rows, wanted) = (metadata.num_rows(), entry.records);
        if u64::try_from(rows) != Ok(wanted) {
            let text = format!("{rows} rows, the manifest says {wanted}");
            return Err(ParquetError::General(text));
        }
        let mask = ProjectionMask::columns(metadata.schema_descr(), TRUTH);
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()
    };
    let unreadable = |why: String| broken(format!("it is not readable as Parquet: {why}"));
    shielded(decode).map_err(unreadable)?.map_err(|error| unreadable(error.to_string()))
}

/// The next rows; a decoder that panics has failed like any other.
fn next(reader: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>, String> {
    let unreadable = |why: String| format!("it is not readable as Parquet: {why}");
    let batch = shielded(|| reader.next()).map_err(unreadable)?;
    batch.transpose().map_err(|error| unreadable(error.to_string()))
}
