//! What an archive says about itself: `manifest.json`. It names every file with its hash, and the
//! run digest before and after it, and ends with the hash of its own text.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::domain::event::CORE_VERSION;
use crate::journal::codec::CODEC_ID;
use crate::journal::digest::RunDigest;
use crate::journal::segment::{FORMAT_VERSION, RunId};

use super::error::{ArchiveError, io};

/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The version of the archive's layout that is written.
pub const ARCHIVE_VERSION: u32 = 1;

/// A file of the archive. Digests and hashes are in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it is, from the archive's directory, with `/`.
    pub path: String,
    /// Number of its first input.
    pub first_seq: u64,
    /// Number of its last input.
    pub last_seq: u64,
    /// Its rows: inputs and outputs.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub blake3: String,
    /// The run digest before its first record.
    pub digest_before: String,
    /// The run digest after its last record.
    pub digest_after: String,
}

/// A segment of the journal that was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// Its file's name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub blake3: String,
}

/// What an archive says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the archive's layout.
    pub archive_version: u32,
    /// The program that wrote it.
    pub build: String,
    /// The run's name.
    pub run_id: String,
    /// Version of the journal's format.
    pub journal_version: u16,
    /// The journal's codec.
    pub codec_id: u8,
    /// Hash of the registry of the program that wrote the journal.
    pub registry: String,
    /// The rules of the core that wrote it.
    pub core_version: u32,
    /// When the journal was created, ns since 1970 UTC; 0 in a replay.
    pub created_ns: i64,
    /// Whether the journal had a seal. Without one it ended early.
    pub sealed: bool,
    /// Inputs. The first has number 0.
    pub inputs: u64,
    /// Records: inputs and outputs.
    pub records: u64,
    /// The run digest before the first record.
    pub digest_before: String,
    /// The run digest of all records.
    pub digest_after: String,
    /// BLAKE3 of the inputs' times of receipt, each as an i64 in little-endian.
    pub received: String,
    /// The files, in the order of their records.
    pub files: Vec<FileEntry>,
    /// The segments of a journal with a seal; none of one that may still grow.
    pub segments: Vec<SegmentEntry>,
    /// BLAKE3 of this text as it is with an empty string here.
    pub blake3: String,
}

impl Manifest {
    /// The text as it stands in the file.
    fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data is always JSON") + "\n"
    }

    /// The hash that belongs into `blake3`.
    fn own_hash(&self) -> String {
        let bare = Manifest { blake3: String::new(), ..self.clone() };
        blake3::hash(bare.text().as_bytes()).to_hex().to_string()
    }

    /// Writes the manifest into the archive's directory, with its own hash.
    pub(super) fn write(&mut self, dir: &Path) -> Result<(), ArchiveError> {
        self.blake3 = self.own_hash();
        let path = dir.join(MANIFEST);
        let written = File::create_new(&path)
            .and_then(|mut file| file.write_all(self.text().as_bytes()).and(file.sync_all()));
        written.map_err(io("writing", &path))
    }

    /// Reads the manifest of an archive.
    ///
    /// # Errors
    /// When there is none, it was changed, or a later program wrote it.
    pub fn read(dir: &Path) -> Result<Manifest, ArchiveError> {
        let path = dir.join(MANIFEST);
        let absent = |error: &std::io::Error| {
            use std::io::ErrorKind::{NotADirectory, NotFound};
            matches!(error.kind(), NotFound | NotADirectory)
        };
        let bytes = match fs::read(&path) {
            Err(error) if absent(&error) => return Err(ArchiveError::Absent { path: dir.into() }),
            read => read.map_err(io("reading", &path))?,
        };
        let broken = |why: String| ArchiveError::Manifest { path: path.clone(), why };
        Manifest::refuse_later(&bytes, &path)?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| broken(format!("it is no manifest ({error})")))?;
        if manifest.own_hash() != manifest.blake3 {
            return Err(broken("it was changed: its own hash does not match".into()));
        }
        manifest.check_files().map_err(broken)?;
        Ok(manifest)
    }

    /// A later layout may have other fields; its number stands where ours does.
    fn refuse_later(bytes: &[u8], path: &Path) -> Result<(), ArchiveError> {
        #[derive(Deserialize)]
        struct Version {
            archive_version: u32,
        }
        match serde_json::from_slice(bytes) {
            Ok(Version { archive_version: found }) if found > ARCHIVE_VERSION => {
                let (path, what) = (path.into(), "the archive has layout");
                Err(ArchiveError::Foreign { path, what, found, known: ARCHIVE_VERSION })
            }
            _ => Ok(()),
        }
    }

    /// What is written from an archive is a journal of this program, which can say of no other
    /// format and core that it was theirs.
    pub(super) fn check_versions(&self, dir: &Path) -> Result<(), ArchiveError> {
        let versions = [
            ("the archive has layout", self.archive_version, ARCHIVE_VERSION),
            ("the journal had format", self.journal_version.into(), FORMAT_VERSION.into()),
            ("the journal had codec", self.codec_id.into(), CODEC_ID.into()),
            ("the journal is of core", self.core_version, CORE_VERSION),
        ];
        for (what, found, known) in versions {
            if found != known {
                let path = dir.join(MANIFEST);
                return Err(ArchiveError::Foreign { path, what, found, known });
            }
        }
        Ok(())
    }

    /// The files follow one another without a gap, and lie inside the archive.
    fn check_files(&self) -> Result<(), String> {
        let (mut seq, mut digest) = (0, RunDigest::new().value().to_string());
        for file in &self.files {
            let path = &file.path;
            let inside = |part| matches!(part, Component::Normal(_));
            if path.is_empty() || !Path::new(path).components().all(inside) {
                return Err(format!("{path:?} is no path inside the archive"));
            }
            if file.first_seq != seq || file.last_seq < seq || file.digest_before != digest {
                return Err(format!("{path} does not follow the file before it"));
            }
            seq = file.last_seq.saturating_add(1);
            digest.clone_from(&file.digest_after);
        }
        let records: u128 = self.files.iter().map(|file| u128::from(file.records)).sum();
        let totals = (self.inputs, u128::from(self.records), &self.digest_after);
        if totals != (seq, records, &digest) || self.files.is_empty() {
            return Err("its totals are not those of its files".into());
        }
        Ok(())
    }

    /// The run's name as bytes.
    pub(super) fn run_id(&self, dir: &Path) -> Result<RunId, ArchiveError> {
        let byte = |place: usize| {
            self.run_id
                .get(2 * place..2 * place + 2)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        };
        let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
        let id = bytes.and_then(|bytes| bytes.try_into().ok()).map(RunId);
        id.filter(|id| id.to_string() == self.run_id).ok_or_else(|| ArchiveError::Manifest {
            path: dir.join(MANIFEST),
            why: format!("{:?} is no run's name", self.run_id),
        })
    }
}

impl SegmentEntry {
    /// The segment in that file.
    pub(super) fn of(path: &Path) -> Result<SegmentEntry, ArchiveError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut hasher = blake3::Hasher::new();
        let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
        read.map_err(io("reading", path))?;
        let blake3 = hasher.finalize().to_hex().to_string();
        Ok(SegmentEntry { name, bytes: hasher.count(), blake3 })
    }
}
