//! What people ask of a run that is lived: one small file for each request, in the folder
//! `control/` of the run. Whoever asks writes it, and the run makes a journalled command of it. So
//! the page, the command line and a shell in an emergency all take the same way, and a request
//! waits while the run is down.
//!
//! A file is called `<number>-<kind>.json`, the number with eight digits or more, and holds
//!
//! ```text
//! {"format":1,"kind":"kill","by":"scanner 127.0.0.1","reason":"prices look wrong"}
//! ```
//!
//! It gets its name once all of it is on the disk. The run takes requests in the order of their
//! numbers, journals each, and then says [`done`], which moves the file to `done/`. If the run
//! stops between these two, it hears the request once more when it is taken up: all kinds may be
//! heard twice.
//!
//! Beside requests lie notes, `notes/<number>.txt`: a line each that is to stand in the journal and
//! changes nothing, such as that somebody was refused.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The version of the files' content.
const FORMAT: u32 = 1;
/// Bytes that a request's file may have.
const BYTES_MAX: u64 = 16 * 1_024;
/// Requests that may wait at a time.
const WAITING_MAX: usize = 1_000;
/// Notes that may wait at a time, and characters of one.
const NOTES_MAX: usize = 32;
const NOTE_CHARS: usize = 400;

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No new entries until `Resume`.
    Pause,
    /// New entries again.
    Resume,
    /// Close every position.
    Flatten,
    /// Close every position and never enter again.
    Kill,
    /// After a kill: enter again.
    Release,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] =
        [Kind::Pause, Kind::Resume, Kind::Flatten, Kind::Kill, Kind::Release];

    /// The word for it, in file names and addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Pause => "pause",
            Kind::Resume => "resume",
            Kind::Flatten => "flatten",
            Kind::Kill => "kill",
            Kind::Release => "release",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A request as it lies in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number: later requests have higher ones.
    pub number: u64,
    /// What is asked.
    pub kind: Kind,
    /// Who asks.
    pub by: String,
    /// Why.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: u32,
    kind: Kind,
    by: String,
    reason: String,
}

/// Why a request cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The system says no.
    #[error("{what} {path}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no request.
    #[error("{path}: {why}; correct the file or take it away", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody takes the requests.
    #[error(
        "{WAITING_MAX} requests wait in {path} already; is the run under way?",
        path = path.display()
    )]
    Full {
        /// The folder.
        path: PathBuf,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ControlError {
    move |source| ControlError::Io { what, path: path.into(), source }
}

/// Puts a request into `dir`, which is made if need be, and gives its number. When this returns,
/// the request is on the disk.
///
/// # Errors
/// When the folder cannot be written, or holds too many requests that nobody took.
pub fn ask(dir: &Path, kind: Kind, by: &str, reason: &str) -> Result<u64, ControlError> {
    fs::create_dir_all(dir.join("done")).map_err(failed("failed to make", dir))?;
    if names(dir)?.len() >= WAITING_MAX {
        return Err(ControlError::Full { path: dir.into() });
    }
    let content = Content { format: FORMAT, kind, by: by.to_owned(), reason: reason.to_owned() };
    let text = serde_json::to_string(&content)
        .map_err(|error| failed("failed to write in", dir)(error.into()))?;
    // Whoever asks at the same time waits, so that no number is given twice.
    let lock = dir.join("lock");
    let held = File::create(&lock).and_then(|lock| lock.lock().map(|()| lock));
    let _held = held.map_err(failed("failed to lock", &lock))?;
    let waiting = names(dir)?.into_iter().chain(names(&dir.join("done"))?);
    let number = waiting.map(|(number, _)| number).max().map_or(1, |last| last + 1);
    let (draft, path) = (dir.join("draft"), dir.join(file_name(number, kind)));
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(failed("failed to write", &path))?;
    Ok(number)
}

/// Leaves a note for the journal of the run whose requests lie in `dir`. Where nobody has taken the
/// last ones, there is no room for more.
///
/// # Errors
/// When the folder cannot be written, or is full.
pub fn leave_note(dir: &Path, text: &str) -> Result<(), ControlError> {
    let notes = dir.join("notes");
    fs::create_dir_all(&notes).map_err(failed("failed to make", &notes))?;
    let lock = dir.join("lock");
    let held = File::create(&lock).and_then(|lock| lock.lock().map(|()| lock));
    let _held = held.map_err(failed("failed to lock", &lock))?;
    let waiting = note_files(dir)?;
    if waiting.len() >= NOTES_MAX {
        return Err(ControlError::Full { path: notes });
    }
    let number = waiting.last().map_or(1, |(last, _)| last + 1);
    let text: String = text.chars().filter(|c| !c.is_control()).take(NOTE_CHARS).collect();
    let (draft, path) = (notes.join("draft"), notes.join(format!("{number:08}.txt")));
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, &path))
        .map_err(failed("failed to write", &path))
}

/// The notes that wait in `dir`, in their order, each with its file. Whoever has journalled one
/// takes the file away.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn notes(dir: &Path) -> Result<Vec<(PathBuf, String)>, ControlError> {
    let mut notes = Vec::new();
    for (_, path) in note_files(dir)? {
        let mut text = String::new();
        let file = File::open(&path).map_err(failed("failed to read", &path))?;
        let read = file.take(BYTES_MAX).read_to_string(&mut text);
        read.map_err(failed("failed to read", &path))?;
        notes.push((path, text.chars().filter(|c| !c.is_control()).take(NOTE_CHARS).collect()));
    }
    Ok(notes)
}

/// Numbers and paths of the notes, ascending.
fn note_files(dir: &Path) -> Result<Vec<(u64, PathBuf)>, ControlError> {
    let dir = dir.join("notes");
    let number_of = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".txt")?.parse().ok();
    let mut files: Vec<(u64, PathBuf)> = paths(&dir)?
        .into_iter()
        .filter_map(|path| number_of(&path).map(|number| (number, path)))
        .collect();
    files.sort();
    Ok(files)
}

fn file_name(number: u64, kind: Kind) -> String {
    format!("{number:08}-{}.json", kind.word())
}

/// The requests that wait in `dir`, in their order. Where there is no folder there are none.
///
/// # Errors
/// When the folder or a file cannot be read, or a file is no request. What can be read is not given
/// then: an order of requests with a hole in it is not what was asked.
pub fn pending(dir: &Path) -> Result<Vec<Request>, ControlError> {
    let mut requests = Vec::new();
    for (number, path) in names(dir)? {
        requests.push(read(number, &path)?);
    }
    Ok(requests)
}

/// Says that the request was journalled.
///
/// # Errors
/// When its file cannot be moved. One that is not there was moved before.
pub fn done(dir: &Path, request: &Request) -> Result<(), ControlError> {
    let name = file_name(request.number, request.kind);
    let (from, to) = (dir.join(&name), dir.join("done").join(&name));
    match fs::rename(&from, &to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(failed("failed to move", &from)(error))
        }
        _ => Ok(()),
    }
}

/// Numbers and paths of the requests in a folder, ascending.
fn names(dir: &Path) -> Result<Vec<(u64, PathBuf)>, ControlError> {
    let mut names: Vec<(u64, PathBuf)> = paths(dir)?
        .into_iter()
        .filter_map(|path| number_of(&path).map(|number| (number, path)))
        .collect();
    names.sort();
    Ok(names)
}

/// What lies in a folder; where there is no folder, nothing does.
fn paths(dir: &Path) -> Result<Vec<PathBuf>, ControlError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("failed to list", dir)(error)),
    };
    let paths: io::Result<Vec<PathBuf>> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(failed("failed to list", dir))
}

/// The number in a name such as `00000017-kill.json`; drafts have none.
fn number_of(path: &Path) -> Option<u64> {
    let (number, kind) = path.file_name()?.to_str()?.strip_suffix(".json")?.split_once('-')?;
    Kind::from_word(kind)?;
    number.parse().ok().filter(|_| number.len() >= 8)
}

fn read(number: u64, path: &Path) -> Result<Request, ControlError> {
    let malformed = |why: String| ControlError::Malformed { path: path.into(), why };
    let size = fs::metadata(path).map_err(failed("failed to read", path))?.len();
    if size > BYTES_MAX {
        return Err(malformed(format!("{size} bytes are too many for a request")));
    }
    let text = fs::read_to_string(path).map_err(failed("failed to read", path))?;
    let content: Content =
        serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let Content { format, kind, by, reason } = content;
    if format != FORMAT {
        return Err(malformed(format!("format {format} is unknown to this program")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.ends_with(&format!("-{}.json", kind.word())) {
        return Err(malformed(format!("it asks for {}, and its name does not", kind.word())));
    }
    Ok(Request { number, kind, by, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(requests: &[Request]) -> Vec<(u64, Kind)> {
        requests.iter().map(|request| (request.number, request.kind)).collect()
    }

    #[test]
    fn requests_wait_in_order_until_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let control = dir.path().join("control");
        assert_eq!(pending(&control).unwrap(), []);
        assert_eq!(ask(&control, Kind::Pause, "a test", "lunch").unwrap(), 1);
        assert_eq!(ask(&control, Kind::Kill, "a test", "\"quoted\"\n").unwrap(), 2);
        let waiting = pending(&control).unwrap();
        assert_eq!(kinds(&waiting), [(1, Kind::Pause), (2, Kind::Kill)]);
        assert_eq!(waiting[1].reason, "\"quoted\"\n");
        done(&control, &waiting[0]).unwrap();
        done(&control, &waiting[0]).unwrap();
        assert_eq!(kinds(&pending(&control).unwrap()), [(2, Kind::Kill)]);
        done(&control, &waiting[1]).unwrap();
        assert_eq!(ask(&control, Kind::Release, "a test", "").unwrap(), 3, "no number comes twice");
    }

    #[test]
    fn a_draft_is_no_request_and_half_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("draft"), "{\"form").unwrap();
        fs::write(dir.path().join("readme.json"), "").unwrap();
        assert_eq!(pending(dir.path()).unwrap(), []);
        for (content, why) in [
            ("{\"form", "EOF"),
            ("{\"format\":2,\"kind\":\"kill\",\"by\":\"\",\"reason\":\"\"}", "format 2"),
            ("{\"format\":1,\"kind\":\"pause\",\"by\":\"\",\"reason\":\"\"}", "its name does not"),
            ("{\"format\":1,\"kind\":\"sell\",\"by\":\"\",\"reason\":\"\"}", "unknown variant"),
        ] {
            fs::write(dir.path().join("00000009-kill.json"), content).unwrap();
            let error = pending(dir.path()).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("00000009-kill.json"), "{error}");
        }
    }

    #[test]
    fn notes_wait_in_order_and_never_become_many() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(notes(dir.path()).unwrap(), []);
        leave_note(dir.path(), "refused 2 requests").unwrap();
        leave_note(dir.path(), "two\nlines").unwrap();
        let waiting = notes(dir.path()).unwrap();
        let texts: Vec<&str> = waiting.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["refused 2 requests", "twolines"]);
        fs::remove_file(&waiting[0].0).unwrap();
        assert_eq!(notes(dir.path()).unwrap().len(), 1);
        let left = (0..2 * NOTES_MAX).filter(|_| leave_note(dir.path(), "more").is_ok()).count();
        assert_eq!(left, NOTES_MAX - 1);
        assert_eq!(pending(dir.path()).unwrap(), [], "a note asks for nothing");
    }

    #[test]
    fn many_ask_at_once_and_each_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            let kinds = Kind::ALL.map(|kind| {
                scope.spawn(move || {
                    (0..8).map(|_| ask(dir, kind, "t", "").unwrap()).collect::<Vec<_>>()
                })
            });
            kinds.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
        assert_eq!(pending(dir).unwrap().len(), 40);
    }
}
