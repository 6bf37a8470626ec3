//! The files of a golden: `golden/<case>/{bars_15m.csv,signals.csv,fills.csv,digest}` and the
//! ledger `accepted.toml`, and perhaps `exceptions.toml`. Writing needs an [`Acceptance`]; nothing
//! is ever written half.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::domain::time::Date;

use super::book::Book;
use super::compare::{Comparison, Difference, compare_under};
use super::digest::{self, Digest};
use super::error::Error;
use super::exceptions::{self, Exception, Ruling};
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
    /// Differences that somebody approved for a while.
    pub exceptions: Vec<Exception>,
}

impl Golden {
    /// Compares the golden with a replay, on the day `today`. What is wrong with the golden's files
    /// becomes notes.
    ///
    /// # Errors
    /// When both are empty.
    pub fn judge(&self, replay: &Book, today: Date) -> Result<Comparison, Error> {
        let ruling = Ruling { exceptions: &self.exceptions, today, is_turned: false };
        let mut comparison = compare_under(&self.book, replay, Some(ruling))?;
        comparison.golden_is_intact = self.problems.is_empty();
        comparison.notes.extend(self.problems.iter().map(Problem::to_string));
        Ok(comparison)
    }
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
    /// An exception's day is over.
    Expired(String),
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
            Problem::Unreadable(what) | Problem::Expired(what) => f.write_str(what),
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
    let (mut book, hashes) = load_tables(dir)?;
    let mut problems = Vec::new();
    for (kind, (accepted, found)) in TableKind::ALL.iter().zip(digest.tables.iter().zip(hashes)) {
        if *accepted != found {
            let (file, digest) = (kind.file(), accepted.clone());
            problems.push(Problem::EditedByHand { file, digest, found });
        }
    }
    let path = dir.join(ledger::FILE);
    let accepted = ledger::parse(&read_text(&path)?, &path)?;
    if accepted.last().is_none_or(|entry| entry.after != digest.root()) {
        problems.push(Problem::NotAccepted);
    }
    book.inputs = Some(digest.inputs);
    let path = dir.join(exceptions::FILE);
    let exceptions = exceptions::parse(&read_if_there(&path)?.unwrap_or_default(), &path)?;
    Ok(Golden { book, problems, exceptions })
}

/// Reads the three tables of a directory, with the BLAKE3 of each file.
///
/// # Errors
/// When a file is missing or is not that table.
pub fn load_tables(dir: &Path) -> Result<(Book, [String; 3]), Error> {
    let read = |kind: TableKind| {
        let path = dir.join(kind.file());
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let table = Table::from_csv(kind, &bytes, &path)?;
        Ok((table, blake3::hash(&bytes).to_hex().to_string()))
    };
    let [bars, signals, fills] = TableKind::ALL.map(read);
    let ((bars, a), (signals, b), (fills, c)) = (bars?, signals?, fills?);
    Ok((Book { bars, signals, fills, inputs: None }, [a, b, c]))
}

/// Compares the golden in `dir` with a replay, on the day `today`.
///
/// # Errors
/// When the golden cannot be read, or both are empty.
pub fn judge(dir: &Path, replay: &Book, today: Date) -> Result<Comparison, Error> {
    load(dir)?.judge(replay, today)
}

/// Approves what differs in `comparison` until `last_day`, the minutes included if they do. Gives
/// the facts that were added to the exceptions of the golden in `dir`.
///
/// # Errors
/// When nobody is named, the day is over, or the ledger cannot be read or written.
pub fn except(
    dir: &Path,
    comparison: &Comparison,
    inputs: Option<(&str, &str)>,
    acceptance: &Acceptance,
    last_day: Date,
) -> Result<Vec<String>, Error> {
    let path = dir.join(exceptions::FILE);
    let text = read_if_there(&path)?.unwrap_or_default();
    let known = exceptions::parse(&text, &path)?;
    let minutes = inputs.filter(|_| !comparison.same_inputs);
    let minutes = minutes.map(|(golden, replay)| exceptions::inputs_fact(golden, replay));
    let rows =
        comparison.differences.iter().map(|difference: &Difference| exceptions::fact(difference));
    let facts: Vec<String> = rows.chain(minutes).collect();
    if let Some(old) = known.iter().find(|one| facts.contains(&one.fact)) {
        let why = format!("it is there already and expired on {}: {}", old.expires, old.fact);
        return Err(Error::Refused { why });
    }
    let days = (acceptance.date(), last_day);
    let text = exceptions::with_entries(&text, facts.clone(), acceptance, days)?;
    if !facts.is_empty() {
        replace(&path, text.as_bytes())?;
    }
    Ok(facts)
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
    /// Differences that somebody approved for a while.
    pub exceptions: Vec<Exception>,
    /// What is wrong; nothing for a case that is checked.
    pub problems: Vec<Problem>,
}

/// Takes stock of all cases and goldens, in order of name, as it is on the day `today`.
///
/// # Errors
/// When a directory cannot be listed. A directory that is not there holds nothing.
pub fn status(replays: &Path, goldens: &Path, today: Date) -> Result<Vec<CaseStatus>, Error> {
    let mut cases = entries(replays)?;
    cases.retain(|name| replays.join(name).join(CASE_FILE).is_file());
    let mut names = entries(goldens)?;
    names.retain(|name| goldens.join(name).is_dir());
    names.extend(cases.iter().cloned());
    names
        .into_iter()
        .map(|case| status_of(&goldens.join(&case), cases.contains(&case), case, today))
        .collect()
}

fn status_of(dir: &Path, is_case: bool, case: String, today: Date) -> Result<CaseStatus, Error> {
    let mut status = CaseStatus {
        case,
        rows: None,
        accepted: None,
        exceptions: Vec::new(),
        problems: Vec::new(),
    };
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
    let may_be = |name: &str| known.contains(&name) || name == exceptions::FILE;
    let unknown = files.iter().filter(|name| !may_be(name));
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
            let expired =
                golden.exceptions.iter().filter_map(|one| exceptions::expired(one, today));
            status.problems.extend(expired.map(Problem::Expired));
            status.exceptions = golden.exceptions;
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{facts, price};
    use super::*;
    use crate::golden::compare::compare;
    use tempfile::TempDir;

    fn today() -> Date {
        Date::from_ymd(2026, 11, 23).unwrap()
    }

    fn acceptance(reason: &str) -> Acceptance {
        Acceptance::new(today(), Some("asha".to_string()), reason, None).unwrap()
    }

    /// `replays/sample` with its golden in `golden/sample`.
    fn house() -> TempDir {
        let house = tempfile::tempdir().unwrap();
        let case = house.path().join("replays/sample");
        fs::create_dir_all(&case).unwrap();
        fs::write(case.join(CASE_FILE), "").unwrap();
        save(&house.path().join("golden/sample"), &facts().book(), &acceptance("first")).unwrap();
        house
    }

    fn problems(house: &TempDir) -> String {
        let (replays, golden) = (house.path().join("replays"), house.path().join("golden"));
        let stock = status(&replays, &golden, today()).unwrap();
        let mut text = String::new();
        for case in stock {
            for problem in &case.problems {
                text.push_str(&format!("{}: {problem}\n", case.case));
            }
        }
        text.replace(&house.path().display().to_string(), "HOUSE")
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let house = house();
        let golden = load(&house.path().join("golden/sample")).unwrap();
        assert_eq!(golden.problems, []);
        assert!(compare(&golden.book, &facts().book()).unwrap().is_same());
        assert_eq!(problems(&house), "");
    }

    #[test]
    fn accepting_again_replaces_the_tables_and_adds_to_the_ledger() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let mut changed = facts();
        changed.signals[0].price = price("975.00");
        let old = Digest::of(&facts().book()).unwrap();
        let new = save(&dir, &changed.book(), &acceptance("price was wrong")).unwrap();
        let path = dir.join(ledger::FILE);
        let entries = ledger::parse(&read_text(&path).unwrap(), &path).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[1].before.clone(), &entries[1].after), (Some(old.root()), &new.root()));
        assert!(compare(&load(&dir).unwrap().book, &changed.book()).unwrap().is_same());
        assert_eq!(entries_of(&dir).len(), 5, "no temporary file stays");
    }

    fn entries_of(dir: &Path) -> BTreeSet<String> {
        entries(dir).unwrap()
    }

    #[test]
    fn an_edit_by_hand_is_a_note_and_still_a_difference() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let path = dir.join("signals.csv");
        let text = read_text(&path).unwrap().replace("974.50", "974.55");
        fs::write(&path, text).unwrap();
        let comparison = judge(&dir, &facts().book(), today()).unwrap();
        assert_eq!((comparison.differences.len(), comparison.differences[0].line), (1, 2));
        assert_eq!(comparison.notes.len(), 1);
        insta::assert_snapshot!(problems(&house), @"sample: signals.csv was edited by hand: digest says 7d5011bd…, it is 77a88156…");
    }

    #[test]
    fn an_edit_that_changes_no_row_is_no_agreement() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let path = dir.join("fills.csv");
        fs::write(&path, read_text(&path).unwrap() + "\n").unwrap();
        let comparison = judge(&dir, &facts().book(), today()).unwrap();
        assert!(comparison.differences.is_empty() && !comparison.is_same());
    }

    #[test]
    fn a_digest_edited_along_with_its_table_is_not_what_was_accepted() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let mut other = facts();
        other.signals[0].price = price("974.55");
        let book = other.book();
        fs::write(dir.join("signals.csv"), book.signals.to_csv()).unwrap();
        fs::write(dir.join(digest::FILE), Digest::of(&book).unwrap().to_string()).unwrap();
        assert_eq!(load(&dir).unwrap().problems, [Problem::NotAccepted]);
    }

    #[test]
    fn every_file_of_a_golden_is_needed() {
        let names = ["bars_15m.csv", "signals.csv", "fills.csv", "digest", "accepted.toml"];
        for name in names {
            let house = house();
            let path = house.path().join("golden/sample").join(name);
            fs::remove_file(&path).unwrap();
            let error = load(path.parent().unwrap()).unwrap_err();
            assert!(matches!(error, Error::Missing { path: missing } if missing == path));
            assert_eq!(problems(&house), format!("sample: {name} is missing\n"));
        }
    }

    #[test]
    fn stock_names_everything_that_nobody_checks() {
        let house = house();
        let root = house.path();
        fs::create_dir_all(root.join("replays/new")).unwrap();
        fs::write(root.join("replays/new").join(CASE_FILE), "").unwrap();
        fs::create_dir_all(root.join("replays/not-a-case")).unwrap();
        save(&root.join("golden/gone"), &facts().book(), &acceptance("once")).unwrap();
        fs::write(root.join("golden/sample/signals.csv.orig"), "").unwrap();
        save(&root.join("golden/broken"), &facts().book(), &acceptance("once")).unwrap();
        fs::write(root.join("golden/broken/fills.csv"), "time\n").unwrap();
        insta::assert_snapshot!(problems(&house), @"
        broken: orphan: no such case, so nothing checks this golden
        broken: failed to read HOUSE/golden/broken/fills.csv, line 1: expected the columns time,key,symbol,side,quantity,price,fee,reason,signal_id
        gone: orphan: no such case, so nothing checks this golden
        new: no golden, so nothing checks this case
        sample: signals.csv.orig does not belong here
        ");
    }

    /// `facts` with another price in the signal and in the first fill.
    fn other() -> Book {
        let mut other = facts();
        other.signals[0].price = price("975.00");
        other.fills[0].price = price("974.60");
        other.book()
    }

    #[test]
    fn what_is_approved_no_longer_counts_and_comes_back_when_its_day_is_over() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let before = judge(&dir, &other(), today()).unwrap();
        assert_eq!(before.differences.len(), 2);
        let last_day = today().plus_days(7);
        let facts = except(&dir, &before, None, &acceptance("a tick off"), last_day).unwrap();
        insta::assert_snapshot!(facts.join("\n"), @"
        signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: price 974.50 -> 975.00
        fills 2024-11-04T09:45 NSE_EQ|INE155A01022 entry BUY: price 974.55 -> 974.60
        ");
        let after = judge(&dir, &other(), last_day).unwrap();
        assert!(after.is_same());
        assert_eq!((after.differences.len(), after.approved.len()), (0, 2));
        assert_eq!(problems(&house), "");
        let late = judge(&dir, &other(), last_day.plus_days(1)).unwrap();
        assert!(!late.is_same());
        assert_eq!((late.differences.len(), late.exception_faults.len()), (2, 2));
        let again = except(&dir, &late, None, &acceptance("longer"), last_day).unwrap_err();
        assert!(again.to_string().contains("it is there already"), "{again}");
    }

    #[test]
    fn an_exception_that_nothing_needs_is_a_fault() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let before = judge(&dir, &other(), today()).unwrap();
        except(&dir, &before, None, &acceptance("a tick off"), today()).unwrap();
        let same = judge(&dir, &facts().book(), today()).unwrap();
        assert!(!same.is_same() && same.differences.is_empty());
        assert_eq!(same.exception_faults.len(), 2);
        // Another price than the approved one is no approved difference.
        let mut third = facts();
        third.signals[0].price = price("976.00");
        third.fills[0].price = price("974.60");
        let third = judge(&dir, &third.book(), today()).unwrap();
        assert_eq!((third.differences.len(), third.approved.len()), (1, 1));
        assert_eq!(third.exception_faults.len(), 1);
        assert_eq!(third.last_equal.unwrap().table, TableKind::Bars);
    }

    #[test]
    fn an_approval_reads_the_other_way_round_where_the_golden_is_the_second() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let mut other = facts();
        other.signals[0].price = price("975.00");
        other.fills.pop();
        let other = Book { inputs: Some("ab".repeat(32)), ..other.book() };
        let before = judge(&dir, &other, today()).unwrap();
        let golden = facts().book().inputs.unwrap();
        let inputs = Some((golden.as_str(), other.inputs.as_deref().unwrap()));
        except(&dir, &before, inputs, &acceptance("a fill less"), today()).unwrap();
        let golden = load(&dir).unwrap();
        let ruling =
            |is_turned| Some(Ruling { exceptions: &golden.exceptions, today: today(), is_turned });
        let turned = compare_under(&other, &golden.book, ruling(true)).unwrap();
        assert!(turned.is_same());
        assert_eq!(turned.approved.len(), 3);
        let straight = compare_under(&other, &golden.book, ruling(false)).unwrap();
        assert_eq!((straight.differences.len(), straight.approved.len()), (2, 0));
    }

    #[test]
    fn other_minutes_need_an_exception_of_their_own() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let other = Book { inputs: Some("ab".repeat(32)), ..facts().book() };
        let before = judge(&dir, &other, today()).unwrap();
        assert!(!before.same_inputs);
        let golden = facts().book().inputs.unwrap();
        let inputs = Some((golden.as_str(), other.inputs.as_deref().unwrap()));
        let facts = except(&dir, &before, inputs, &acceptance("revised"), today()).unwrap();
        assert!(facts[0].starts_with("minutes: "), "{facts:?}");
        assert!(judge(&dir, &other, today()).unwrap().is_same());
    }

    #[test]
    fn nobody_approves_without_a_name_or_for_a_day_that_is_over() {
        let house = house();
        let dir = house.path().join("golden/sample");
        let found = judge(&dir, &other(), today()).unwrap();
        let nobody = Acceptance::new(today(), None, "why", None).unwrap();
        let yesterday = today().plus_days(-1);
        assert!(except(&dir, &found, None, &nobody, today()).is_err());
        assert!(except(&dir, &found, None, &acceptance("why"), yesterday).is_err());
        assert_eq!(entries_of(&dir).len(), 5, "nothing was written");
    }

    #[test]
    fn an_empty_run_is_no_golden() {
        let house = house();
        let mut empty = facts();
        (empty.bars, empty.signals, empty.fills) = Default::default();
        let dir = house.path().join("golden/empty");
        let error = save(&dir, &empty.book(), &acceptance("why not")).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }));
        assert!(!dir.exists());
    }
}
