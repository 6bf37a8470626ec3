//! `lockstep diff A B`: what differs between two goldens, two runs, or a run and a golden.
//!
//! Exceptions of a golden count where it is held against a run, and with `--golden` between two
//! runs: what they approve is shown as approved and is no difference. That an exception is expired
//! or not needed is said and no more, since it is nothing in which A and B differ; `replay` and CI
//! judge the ledger itself.

mod events;
mod explain;
mod states;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::domain::time::Date;
use crate::golden::compare::{Comparison, compare_tables, compare_under};
use crate::golden::digest;
use crate::golden::exceptions::{Exception, Ruling};
use crate::golden::render::{Labels, Paint, render};
use crate::golden::store::{self, Golden};
use crate::golden::table::TableKind;
use crate::golden::{Book, export};

use super::clock;
use super::exit::Exit;
use super::failure::Failure;
use super::golden::failure;
use super::terminal::{print, stdout_paint};

/// What `lockstep diff` is to compare.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// What is taken as right: the directory of a golden or of a run
    pub a: PathBuf,
    /// What is held against it: the directory of a golden or of a run
    pub b: PathBuf,
    /// Compare this alone [default: strategy bars, signals and fills]
    #[arg(long, value_name = "WHAT")]
    pub only: Option<Only>,
    /// Run B again with each part of A's data, settings and commands that differs, and say which of
    /// them makes which difference
    #[arg(long, conflicts_with = "only")]
    pub explain: bool,
    /// With --explain: the case that the golden A belongs to [default: the name of its directory]
    #[arg(long, value_name = "NAME", requires = "explain")]
    pub case: Option<String>,
    /// With --explain: directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    pub replays: PathBuf,
    /// Between two runs: the golden whose exceptions count, so that what it approves is no
    /// difference [default: none]
    #[arg(long, value_name = "DIR")]
    pub golden: Option<PathBuf>,
    /// How many differences are shown: the first whole, the others one line each; and, of those
    /// that a golden's exceptions approve, as many more. Totals and the exit code are of all of
    /// them. With --explain it is the rows of the table, and json and csv have all
    #[arg(long, value_name = "N", default_value = "5")]
    pub max_diffs: NonZeroUsize,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

const EXAMPLES: &str = "\
Examples, with the runs' names shortened:
  lockstep diff golden/sample runs/sample-8c17      a run against accepted facts
  lockstep diff --explain golden/sample runs/live-sample-5d8e
                                                    why it differs, row by row
  lockstep diff --only events runs/A runs/B         the first event that differs

Exit codes: 0 the same, 1 they differ. Every digit of a fact counts.";

/// What to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Signals: what the rules said, whether it was traded or not
    Signals,
    /// Fills: what was bought and sold
    Fills,
    /// Strategy bars with their indicators
    Bars,
    /// Every event of two journals, up to the first that differs
    Events,
    /// The state of the core after each input of two runs that heard the same
    States,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
    /// One row for each field that differs
    Csv,
}

/// Runs `lockstep diff`. `read_run` makes the book of a run's directory.
///
/// # Errors
/// When a side is neither a golden nor a run or cannot be read, when both are the same directory,
/// and when there is nothing to compare.
pub fn run(
    args: &DiffArgs,
    read_run: &dyn Fn(&Path) -> Result<Book, Failure>,
) -> Result<Exit, Failure> {
    let edge = (clock::now().date(), stdout_paint());
    let (text, exit) = execute(args, read_run, edge)?;
    print(&text)?;
    Ok(exit)
}

fn execute(
    args: &DiffArgs,
    read_run: &dyn Fn(&Path) -> Result<Book, Failure>,
    (today, paint): (Date, Paint),
) -> Result<(String, Exit), Failure> {
    refuse_itself(args)?;
    let between = exceptions_between(args)?;
    if args.explain {
        return explain::execute(args, between, today);
    }
    let table = match args.only {
        Some(Only::Events) => return events::execute(args),
        Some(Only::States) => return states::execute(args),
        Some(only) => only.table(),
        None => None,
    };
    let (a, b) = (Side::read(&args.a, read_run)?, Side::read(&args.b, read_run)?);
    let ruling = Side::ruling(&a, &b, &between, today);
    let compared = match table {
        None => compare_under(&a.book, &b.book, ruling),
        Some(table) => compare_tables(&a.book, &b.book, &[table], ruling),
    };
    let mut comparison = compared.map_err(|error| failure(error, "CASE"))?;
    for (name, side) in [("A", &a), ("B", &b)] {
        comparison.notes.extend(side.problems.iter().map(|problem| format!("{name}: {problem}")));
    }
    let faults = std::mem::take(&mut comparison.exception_faults);
    comparison.notes.extend(faults_noted(faults, args.max_diffs.get()));
    let labels =
        Labels { place: &args.a, has_files: a.has_files, golden: "A", replay: "B", help: &[] };
    let text = written(&comparison, &labels, args, paint);
    Ok((text, if comparison.is_same() { Exit::Same } else { Exit::Differs }))
}

fn written(comparison: &Comparison, labels: &Labels, args: &DiffArgs, paint: Paint) -> String {
    let diffs_max = args.max_diffs.get();
    match args.format {
        Format::Human => render(comparison, labels, paint, diffs_max),
        Format::Json => format!("{:#}\n", export::json(comparison, labels, diffs_max)),
        Format::Csv => export::csv(comparison, diffs_max),
    }
}

/// What is wrong with exceptions, as notes: it is nothing in which two sides differ.
fn faults_noted(faults: Vec<String>, faults_max: usize) -> Vec<String> {
    let hidden = faults.len().saturating_sub(faults_max);
    let mut notes: Vec<String> = faults.into_iter().take(faults_max).collect();
    if hidden > 0 {
        notes.push(format!("and {hidden} more exceptions are expired or match nothing"));
    }
    notes
}

impl Only {
    const fn table(self) -> Option<TableKind> {
        match self {
            Only::Signals => Some(TableKind::Signals),
            Only::Fills => Some(TableKind::Fills),
            Only::Bars => Some(TableKind::Bars),
            Only::Events | Only::States => None,
        }
    }
}

/// A thing agrees with itself, which proves nothing.
fn refuse_itself(args: &DiffArgs) -> Result<(), Failure> {
    let same = match (fs::canonicalize(&args.a), fs::canonicalize(&args.b)) {
        (Ok(a), Ok(b)) => a == b,
        // What cannot be found is reported when it is read.
        _ => false,
    };
    match same {
        true => Err(Failure::new(Exit::Usage, "A and B are the same directory")
            .at(args.a.display())
            .because("comparing a thing with itself proves nothing")),
        false => Ok(()),
    }
}

/// The exceptions that count between two runs.
fn exceptions_between(args: &DiffArgs) -> Result<Vec<Exception>, Failure> {
    let Some(dir) = &args.golden else { return Ok(Vec::new()) };
    let refused = |why: &str| {
        Err(Failure::new(Exit::Usage, "--golden has no use here").at(dir.display()).because(why))
    };
    if matches!(args.only, Some(Only::Events | Only::States)) {
        return refused("exceptions approve rows of tables, not events or states");
    }
    if !has_journal(&args.a) || !has_journal(&args.b) {
        return refused("it is for two runs; a golden that is A or B brings its own exceptions");
    }
    Ok(read_golden(dir)?.exceptions)
}

/// A golden, or tables that nobody accepted.
fn read_golden(dir: &Path) -> Result<Golden, Failure> {
    if !dir.join(TableKind::Signals.file()).is_file() {
        return Err(Failure::new(Exit::Usage, "there is nothing to compare")
            .at(dir.display())
            .because("it is neither a golden (signals.csv) nor a run (log/*.evl)")
            .hint("`lockstep golden status` lists the goldens"));
    }
    let case = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
    let loaded = if dir.join(digest::FILE).is_file() {
        store::load(dir)
    } else {
        let of_tables = |book| Golden { book, problems: Vec::new(), exceptions: Vec::new() };
        store::load_tables(dir).map(|(book, _)| of_tables(book))
    };
    loaded.map_err(|error| failure(error, &case))
}

/// One side of the comparison.
struct Side {
    book: Book,
    has_files: bool,
    problems: Vec<String>,
    exceptions: Vec<Exception>,
}

impl Side {
    fn read(
        dir: &Path,
        read_run: &dyn Fn(&Path) -> Result<Book, Failure>,
    ) -> Result<Side, Failure> {
        if has_journal(dir) {
            let (book, problems, exceptions) = (read_run(dir)?, Vec::new(), Vec::new());
            return Ok(Side { book, has_files: false, problems, exceptions });
        }
        let Golden { book, problems, exceptions } = read_golden(dir)?;
        let problems = problems.iter().map(ToString::to_string).collect();
        Ok(Side { book, has_files: true, problems, exceptions })
    }

    /// What a golden's exceptions say of it and a run, or those of a third of two runs. They are
    /// about what its case makes, so they approve nothing of another golden.
    fn ruling<'a>(
        a: &'a Side,
        b: &'a Side,
        between: &'a [Exception],
        today: Date,
    ) -> Option<Ruling<'a>> {
        let (exceptions, is_turned) = match (a.has_files, b.has_files) {
            (true, false) => (&a.exceptions[..], false),
            (false, true) => (&b.exceptions[..], true),
            (false, false) => (between, false),
            (true, true) => return None,
        };
        Some(Ruling { exceptions, today, is_turned })
    }
}

/// Whether `dir` is the directory of a run: it has at least one segment of a journal.
fn has_journal(dir: &Path) -> bool {
    let segments = fs::read_dir(dir.join("log")).into_iter().flatten().flatten();
    segments.into_iter().any(|entry| entry.path().extension().is_some_and(|ext| ext == "evl"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tempfile::TempDir;

    use super::*;
    use crate::golden::compare::compare;
    use crate::golden::fixture::{Facts, facts, folded, price};
    use crate::golden::ledger::Acceptance;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        diff: DiffArgs,
    }

    fn today() -> Date {
        Date::from_ymd(2026, 11, 23).unwrap()
    }

    fn acceptance() -> Acceptance {
        Acceptance::new(today(), Some("asha".to_owned()), "a test", None).unwrap()
    }

    /// Approves in `golden` what the run has otherwise, up to a day.
    fn approve(house: &TempDir, last_day: Date) {
        let dir = house.path().join("golden");
        let found = compare(&facts().book(), &changed().book()).unwrap();
        let facts = store::except(&dir, &found, None, &acceptance(), last_day).unwrap();
        assert_eq!(facts.len(), 1);
    }

    /// `golden` as it should be, `other` with another price, and the run `run` like `other`.
    fn house() -> TempDir {
        let house = tempfile::tempdir().unwrap();
        let acceptance = acceptance();
        store::save(&house.path().join("golden"), &facts().book(), &acceptance).unwrap();
        store::save(&house.path().join("other"), &changed().book(), &acceptance).unwrap();
        fs::create_dir_all(house.path().join("run/log")).unwrap();
        fs::write(house.path().join("run/log/0.evl"), "").unwrap();
        house
    }

    fn changed() -> Facts {
        let mut facts = facts();
        facts.signals[0].price = price("975.00");
        facts
    }

    fn diff(house: &TempDir, words: &[&str]) -> (String, Exit) {
        let root = house.path().display().to_string() + "/";
        let full = |word: &&str| match word.strip_prefix('@') {
            Some(name) => format!("{root}{name}"),
            None => word.to_string(),
        };
        let words = words.iter().map(full);
        let args = Cli::try_parse_from(std::iter::once("diff".to_string()).chain(words)).unwrap();
        let read_run = |_: &Path| Ok(folded(&changed().run, &changed().steps()));
        let (text, exit) = match execute(&args.diff, &read_run, (today(), Paint::Plain)) {
            Ok(done) => done,
            Err(failure) => (failure.to_string(), failure.exit),
        };
        (text.replace(&root, ""), exit)
    }

    #[test]
    fn a_run_and_a_golden_can_stand_on_either_side() {
        let house = house();
        let (text, exit) = diff(&house, &["@golden", "@run"]);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: B differs from A at one place
          --> golden/signals.csv:2
           |
          2| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  974.50
           |                                                                 ^^^^^^ price: A 974.50, B 975.00
           = event in B: 135.5
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 2/2
        ");
        let (text, exit) = diff(&house, &["@run", "@golden"]);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: B differs from A at one place
          --> run, signals row 1
           |
          1| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  975.00
           |                                                                 ^^^^^^ price: A 975.00, B 974.50
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 2/2
        ");
        let (text, exit) = diff(&house, &["@other", "@run"]);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"B equals A: bars_15m 6/6 · signals 1/1 · fills 2/2");
    }

    #[test]
    fn what_is_approved_is_shown_as_approved_on_either_side() {
        let house = house();
        approve(&house, today());
        let (text, exit) = diff(&house, &["@golden", "@run"]);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"
        B equals A but for one approved difference: bars_15m 6/6 · signals 0/1 · fills 2/2
           = approved until 2026-11-23: signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: price 974.50 -> 975.00 (asha: a test)
        ");
        let (text, exit) = diff(&house, &["@run", "@golden", "--only", "signals"]);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"
        B equals A but for one approved difference: signals 0/1
           = approved until 2026-11-23: signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: price 974.50 -> 975.00 (asha: a test)
        ");
        let (json, _) = diff(&house, &["@golden", "@run", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["same"], &json["approved_total"]), (&true.into(), &1.into()));
        assert_eq!(json["approved"][0]["expires"], "2026-11-23");
        // Nobody approved anything of another golden.
        let (text, exit) = diff(&house, &["@golden", "@other"]);
        assert_eq!((exit, text.contains("approved")), (Exit::Differs, false), "{text}");
    }

    #[test]
    fn an_exception_that_is_expired_or_idle_is_said() {
        let house = house();
        approve(&house, today());
        let path = house.path().join("golden/exceptions.toml");
        let ledger = fs::read_to_string(&path).unwrap();
        fs::write(&path, ledger.replace("2026-11-23", "2026-11-22")).unwrap();
        let (text, exit) = diff(&house, &["@golden", "@run"]);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: B differs from A at one place
          --> golden/signals.csv:2
           |
          2| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  974.50
           |                                                                 ^^^^^^ price: A 974.50, B 975.00
           = event in B: 135.5
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 2/2
           = note: an exception expired on 2026-11-22 (asha): signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: price 974.50 -> 975.00
        ");
        fs::write(&path, ledger.replace("975.00", "976.00")).unwrap();
        let (text, exit) = diff(&house, &["@golden", "@run"]);
        assert_eq!(exit, Exit::Differs, "another price than the approved one");
        let said = "note: an exception matches no difference: signals 2024-11-04T09:30";
        assert!(text.contains(said), "{text}");
    }

    #[test]
    fn one_table_alone_may_agree() {
        let house = house();
        assert_eq!(diff(&house, &["@golden", "@other", "--only", "fills"]).1, Exit::Same);
        assert_eq!(diff(&house, &["@golden", "@other", "--only", "bars"]).1, Exit::Same);
        assert_eq!(diff(&house, &["@golden", "@other", "--only", "signals"]).1, Exit::Differs);
    }

    #[test]
    fn tables_without_a_digest_will_do() {
        let house = house();
        fs::remove_file(house.path().join("other/digest")).unwrap();
        assert_eq!(diff(&house, &["@run", "@other"]).1, Exit::Same);
    }

    #[test]
    fn an_edit_by_hand_is_said() {
        let house = house();
        let path = house.path().join("golden/fills.csv");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("962.00", "962.05")).unwrap();
        let (text, exit) = diff(&house, &["@golden", "@other", "--only", "fills"]);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: B differs from A at one place
          --> golden/fills.csv:3
           |
          3| 2024-11-04T09:53  NSE_EQ|INE155A01022 (TATAMOTORS)  stop  SELL  962.05
           |                                                                 ^^^^^^ price: A 962.05, B 962.00
           = last equal event: fill 2024-11-04T09:45, fills.csv:2
           = minute behind it: 2024-11-04 09:52, the level was touched in it
           = rows that agree: fills 1/2
           = note: A: fills.csv was edited by hand: digest says 68f34376…, it is fb409e42…
        ");
    }

    #[test]
    fn for_programs() {
        let house = house();
        let (json, _) = diff(&house, &["@golden", "@other", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["differences"][0]["fields"][0]["replay"], "975.00");
        let (csv, _) = diff(&house, &["@golden", "@other", "--format", "csv"]);
        insta::assert_snapshot!(csv, @"
        table,line,kind,time,key,field,golden,replay
        signals,2,field,2024-11-04T09:30,NSE_EQ|INE155A01022,price,974.50,975.00
        ");
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let house = house();
        let itself = diff(&house, &["@golden", "@other/../golden"]);
        let nothing = diff(&house, &["@golden", "@nowhere"]);
        fs::remove_file(house.path().join("other/fills.csv")).unwrap();
        let missing = diff(&house, &["@golden", "@other"]);
        let all = [itself, nothing, missing];
        assert!(all.iter().all(|(_, exit)| *exit == Exit::Usage));
        let texts: Vec<String> = all.into_iter().map(|(text, _)| text).collect();
        insta::assert_snapshot!(texts.join("\n\n"), @"
        error: A and B are the same directory
          --> golden
           = comparing a thing with itself proves nothing

        error: there is nothing to compare
          --> nowhere
           = it is neither a golden (signals.csv) nor a run (log/*.evl)
          help: `lockstep golden status` lists the goldens

        error: a file of the golden is missing
          --> other/fills.csv
          help: `lockstep golden accept --case other --reason TEXT` writes a golden
        ");
    }
}
