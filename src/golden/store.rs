//! The files of a golden: `golden/<case>/{bars_15m.csv,signals.csv,fills.csv,digest}` and the
//! ledger `accepted.toml`. Writing needs an [`Acceptance`]; nothing is ever written half.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::book::Book;
use super::digest::{self, Digest};
use super::error::Error;
use super::ledger::{self, Acceptance};
use super::table::{Table, TableKind};

/// The file that makes a directory of `replays/` a case.
pub const CASE_FILE: &str = "case.toml";

/// A golden as it stands on disk.
#[derive(Clone, Debug)]
pub struct Golden {
    /// What was accepted.
    pub book: Book,
    /// What is wrong with the files though they can be read.
    pub problems: Vec<Problem>,
}

/// What may be wrong with a golden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The case has no golden, so nothing checks it.
    GoldenMissing,
    /// There is no such case, so nothing checks the golden.
    Orphan,
    /// A file of the golden is not there.
    FileMissing(String),
    /// A file does not belong in a golden.
    UnknownFile(String),
    /// A table is not what the digest says.
    EditedByHand {
        /// The file.
        file: &'static str,
        /// What the digest says it hashes to.
        digest: String,
        /// What it hashes to.
        found: String,
    },
    /// The digest is not the one that the ledger's last entry accepted.
    NotAccepted,
    /// A file is not what it should be.
    Unreadable(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::GoldenMissing => f.write_str("no golden, so nothing checks this case"),
            Problem::Orphan => f.write_str("orphan: no such case, so nothing checks this golden"),
            Problem::FileMissing(name) => write!(f, "{name} is missing"),
            Problem::UnknownFile(name) => write!(f, "{name} does not belong here"),
            Problem::EditedByHand { file, digest, found } => {
                write!(f, "{file} was edited by hand: digest says {digest:.8}…, it is {found:.8}…")
            }
            Problem::NotAccepted => {
                write!(f, "digest is not what the last entry of {} accepted", ledger::FILE)
            }
            Problem::Unreadable(what) => f.write_str(what),
        }
    }
}

/// Reads a golden and holds its tables against its digest, and its digest against the ledger.
///
/// # Errors
/// When a file is missing or cannot be read. Files that disagree are [`Golden::problems`].
pub fn load(dir: &Path) -> Result<Golden, Error> {
    let path = dir.join(digest::FILE);
    let digest = Digest::parse(&read_text(&path)?, &path)?;
    let mut problems = Vec::new();
    let mut table = |kind: TableKind| {
        let path = dir.join(kind.file());
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let found = blake3::hash(&bytes).to_hex().to_string();
        let digest = digest.tables[kind as usize].clone();
        if digest != found {
            problems.push(Problem::EditedByHand { file: kind.file(), digest, found });
        }
        Table::from_csv(kind, &bytes, &path)
    };
    let [bars, signals, fills] = TableKind::ALL.map(&mut table);
    let book =
        Book { bars: bars?, signals: signals?, fills: fills?, inputs: Some(digest.inputs.clone()) };
    let path = dir.join(ledger::FILE);
    let accepted = ledger::parse(&read_text(&path)?, &path)?;
    if accepted.last().is_none_or(|entry| entry.after != digest.root()) {
        problems.push(Problem::NotAccepted);
    }
    Ok(Golden { book, problems })
}

/// Writes a golden and adds to its ledger. Returns its digest.
///
/// # Errors
/// When the book is empty, a file cannot be written, or the ledger cannot be read.
pub fn save(dir: &Path, book: &Book, acceptance: &Acceptance) -> Result<Digest, Error> {
    let refused = |why: &str| Error::Refused { why: why.to_string() };
    if book.rows() == 0 {
        return Err(refused("the run has no bars, signals or fills"));
    }
    let digest = Digest::of(book).ok_or_else(|| refused("the run's minutes are not known"))?;
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let path = dir.join(ledger::FILE);
    let ledger = read_if_there(&path)?.unwrap_or_default();
    ledger::parse(&ledger, &path)?;
    let old_path = dir.join(digest::FILE);
    let old = read_if_there(&old_path)?;
    let before = old.map(|text| blake3::hash(text.as_bytes()).to_hex().to_string());
    for kind in TableKind::ALL {
        replace(&dir.join(kind.file()), &book.table(kind).to_csv())?;
    }
    // The digest comes last: until it is there, the golden says that it was edited.
    let ledger = ledger::with_entry(&ledger, acceptance, before, &digest);
    replace(&path, ledger.as_bytes())?;
    replace(&old_path, digest.to_string().as_bytes())?;
    Ok(digest)
}

/// A case or a golden, and whether one belongs to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseStatus {
    /// The case's name.
    pub case: String,
    /// Rows of each table of the golden, where it can be read.
    pub rows: Option<[usize; 3]>,
    /// The day and the reason of the last acceptance.
    pub accepted: Option<(String, String)>,
    /// What is wrong; nothing for a case that is checked.
    pub problems: Vec<Problem>,
}

/// Takes stock of all cases and goldens, in order of name.
///
/// # Errors
/// When a directory cannot be listed. A directory that is not there holds nothing.
pub fn status(replays: &Path, goldens: &Path) -> Result<Vec<CaseStatus>, Error> {
    let mut cases = entries(replays)?;
    cases.retain(|name| replays.join(name).join(CASE_FILE).is_file());
    let mut names = entries(goldens)?;
    names.retain(|name| goldens.join(name).is_dir());
    names.extend(cases.iter().cloned());
    names
        .into_iter()
        .map(|case| status_of(&goldens.join(&case), cases.contains(&case), case))
        .collect()
}

fn status_of(dir: &Path, is_case: bool, case: String) -> Result<CaseStatus, Error> {
    let mut status = CaseStatus { case, rows: None, accepted: None, problems: Vec::new() };
    let files = entries(dir)?;
    if files.is_empty() {
        status.problems.push(Problem::GoldenMissing);
        return Ok(status);
    }
    if !is_case {
        status.problems.push(Problem::Orphan);
    }
    let known: Vec<&str> =
        TableKind::ALL.iter().map(|kind| kind.file()).chain([digest::FILE, ledger::FILE]).collect();
    let missing = known.iter().filter(|name| !files.contains(**name));
    let missing: Vec<_> = missing.map(|name| Problem::FileMissing(name.to_string())).collect();
    let unknown = files.iter().filter(|name| !known.contains(&name.as_str()));
    let unknown: Vec<_> = unknown.map(|name| Problem::UnknownFile(name.clone())).collect();
    let is_complete = missing.is_empty();
    status.problems.extend(missing.into_iter().chain(unknown));
    if !is_complete {
        return Ok(status);
    }
    match load(dir) {
        Ok(golden) => {
            status.rows = Some(TableKind::ALL.map(|kind| golden.book.table(kind).rows.len()));
            status.problems.extend(golden.problems);
        }
        Err(error) => status.problems.push(Problem::Unreadable(format!("failed to {error}"))),
    }
    let path = dir.join(ledger::FILE);
    let last = ledger::parse(&read_text(&path)?, &path).ok().and_then(|mut entries| entries.pop());
    status.accepted = last.map(|entry| (entry.date, entry.reason));
    Ok(status)
}

/// Names of what a directory holds; nothing where there is no such directory.
fn entries(dir: &Path) -> Result<BTreeSet<String>, Error> {
    if !dir.exists() {
        return Ok(BTreeSet::new());
    }
    let listed = fs::read_dir(dir).map_err(Error::io(dir))?;
    listed
        .map(|entry| Ok(entry.map_err(Error::io(dir))?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn read_text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io(path))
}

fn read_if_there(path: &Path) -> Result<Option<String>, Error> {
    if path.exists() { read_text(path).map(Some) } else { Ok(None) }
}

/// Writes under a temporary name, waits for the disk, and renames.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = fs::File::create(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|error| {
        // Best effort: the error that led here is the one worth reporting.
        let _ = fs::remove_file(&new);
        Error::io(path)(error)
    })
}
