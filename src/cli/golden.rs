//! `lockstep golden`: take stock of the goldens, review them, accept a new one.
//!
//! The books are made elsewhere, by a [`Bench`]: this file only asks, compares and writes.
//!
//! - [`except`] approve what differs for a while
//! - [`import`] signals that somebody's own program made
//! - [`align`] those held against live

pub mod align;
pub mod except;
pub mod import;

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};

use crate::domain::time::Date;
use crate::golden::compare::{Comparison, compare};
use crate::golden::ledger::Acceptance;
use crate::golden::render::{Labels, Paint, render};
use crate::golden::store::{self, CaseStatus};
use crate::golden::table::TableKind;
use crate::golden::{Book, Error};

use super::clock;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{print, stdout_paint};

/// What `lockstep golden` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct GoldenArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: GoldenCommand,
    /// Directory of the cases
    #[arg(long, global = true, value_name = "DIR", default_value = "replays")]
    pub replays: PathBuf,
    /// Directory of the goldens
    #[arg(long, global = true, value_name = "DIR", default_value = "golden")]
    pub golden: PathBuf,
}

/// The commands of `lockstep golden`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum GoldenCommand {
    /// List the cases and their goldens, and what is wrong with them
    Status,
    /// Show where core and oracle differ from a golden
    Review {
        /// Name of the case
        #[arg(long, value_name = "CASE")]
        case: String,
        /// How many differences are shown: the first whole, the others one line each. All of them
        /// count, whatever is shown
        #[arg(long, value_name = "N", default_value = "5")]
        max_diffs: NonZeroUsize,
    },
    /// Write what core and oracle agree on as the golden
    Accept {
        /// Name of the case
        #[arg(long, value_name = "CASE")]
        case: String,
        /// Why the golden changes; it goes into the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who accepts; by default the name of the user
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Approve what differs from a golden now, up to a day, with a reason
    Except(except::ExceptArgs),
    /// Read signals of your own program, under any column names, and say what is odd about them
    Import(Box<import::ImportArgs>),
    /// Hold signals of your own program against live, and explain every difference
    Align(Box<align::AlignArgs>),
}

/// Makes books of cases.
pub trait Bench {
    /// What the core makes of a case, one event at a time.
    ///
    /// # Errors
    /// When the case cannot be run.
    fn core_book(&self, case: &str) -> Result<Book, Failure>;

    /// What the oracle makes of a case, whole columns at a time.
    ///
    /// # Errors
    /// When the case cannot be run.
    fn oracle_book(&self, case: &str) -> Result<Book, Failure>;
}

/// What the command takes from the world around it.
struct Edge {
    today: Date,
    user: Option<String>,
    ci: Option<String>,
    paint: Paint,
}

/// Runs `lockstep golden`.
///
/// # Errors
/// When a golden or a case cannot be read, or may not be written.
pub fn run(args: &GoldenArgs, bench: &dyn Bench) -> Result<Exit, Failure> {
    let edge = Edge {
        today: clock::now().date(),
        user: std::env::var("USER").ok(),
        ci: std::env::var("CI").ok(),
        paint: stdout_paint(),
    };
    let (text, exit) = execute(args, bench, &edge)?;
    print(&text)?;
    Ok(exit)
}

fn execute(args: &GoldenArgs, bench: &dyn Bench, edge: &Edge) -> Result<(String, Exit), Failure> {
    match &args.command {
        GoldenCommand::Status => status(args, edge.today),
        GoldenCommand::Review { case, max_diffs } => {
            let dir = golden_of(args, case)?;
            review(case, &dir, bench, (edge.today, edge.paint), max_diffs.get())
        }
        GoldenCommand::Accept { case, reason, by } => {
            let dir = golden_of(args, case)?;
            let by = by.clone().or_else(|| edge.user.clone());
            let acceptance = Acceptance::new(edge.today, by, reason, edge.ci.as_deref());
            let acceptance = acceptance.map_err(|e| failure(e, case))?;
            accept(case, &dir, bench, &acceptance, (edge.today, edge.paint))
        }
        GoldenCommand::Except(what) => {
            except::execute(what, &golden_of(args, &what.case)?, bench, edge)
        }
        GoldenCommand::Import(file) => import::execute(file, &args.replays),
        GoldenCommand::Align(file) => align::execute(file, &args.replays),
    }
}

/// The directory of a case's golden.
fn golden_of(args: &GoldenArgs, case: &str) -> Result<PathBuf, Failure> {
    let file = args.replays.join(case).join(store::CASE_FILE);
    if case.is_empty() || case.contains(['/', '\\']) || case.starts_with('.') || !file.is_file() {
        return Err(Failure::new(Exit::Usage, format!("there is no case '{case}'"))
            .at(file.display())
            .hint("`lockstep golden status` lists the cases"));
    }
    Ok(args.golden.join(case))
}

fn status(args: &GoldenArgs, today: Date) -> Result<(String, Exit), Failure> {
    let stock = store::status(&args.replays, &args.golden, today);
    let stock = stock.map_err(|e| failure(e, "CASE"))?;
    if stock.is_empty() {
        return Err(Failure::new(Exit::Nothing, "there are no cases and no goldens")
            .at(args.replays.display())
            .because(format!("a case is a directory with a {}", store::CASE_FILE)));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(["Case", "Bars", "Signals", "Fills", "Accepted", "Reason", "State"]);
    table.add_rows(stock.iter().map(status_row));
    let wrong = stock.iter().filter(|case| !case.problems.is_empty()).count();
    let mut text = table.trim_fmt();
    text.push('\n');
    if wrong > 0 {
        writeln!(text, "\n{wrong} of {} need attention", stock.len()).expect("to a String");
    }
    Ok((text, if wrong == 0 { Exit::Same } else { Exit::Differs }))
}

fn status_row(case: &CaseStatus) -> Vec<String> {
    let counts = case.rows.map_or([const { String::new() }; 3], |rows| rows.map(|n| n.to_string()));
    let (date, reason) = case.accepted.clone().unwrap_or_default();
    let problems: Vec<String> = case.problems.iter().map(ToString::to_string).collect();
    let state = match (problems.is_empty(), case.exceptions.len()) {
        (false, _) => problems.join("\n"),
        (true, 0) => "checked".to_string(),
        (true, 1) => "checked, 1 exception".to_string(),
        (true, count) => format!("checked, {count} exceptions"),
    };
    [vec![case.case.clone()], counts.to_vec(), vec![date, reason, state]].concat()
}

fn review(
    case: &str,
    dir: &Path,
    bench: &dyn Bench,
    (today, paint): (Date, Paint),
    diffs_max: usize,
) -> Result<(String, Exit), Failure> {
    let books = [("core", bench.core_book(case)?), ("oracle", bench.oracle_book(case)?)];
    let help = [format!("`lockstep golden accept --case {case} --reason TEXT` if that is right")];
    let (mut text, mut exit) = (String::new(), Exit::Same);
    for (replay, book) in &books {
        let comparison = store::judge(dir, book, today).map_err(|e| failure(e, case))?;
        let labels = Labels { place: dir, has_files: true, golden: "golden", replay, help: &help };
        text.push_str(&render(&comparison, &labels, paint, diffs_max));
        if !comparison.is_same() {
            exit = Exit::Differs;
        }
    }
    Ok((text, exit))
}

fn accept(
    case: &str,
    dir: &Path,
    bench: &dyn Bench,
    acceptance: &Acceptance,
    (today, paint): (Date, Paint),
) -> Result<(String, Exit), Failure> {
    let (core, oracle) = (bench.core_book(case)?, bench.oracle_book(case)?);
    let comparison = compare(&core, &oracle).map_err(|e| failure(e, case))?;
    if !comparison.is_same() {
        let help = ["nothing was written: a golden needs core and oracle to agree".to_string()];
        let place = PathBuf::from(format!("core of {case}"));
        let labels = Labels {
            place: &place,
            has_files: false,
            golden: "core",
            replay: "oracle",
            help: &help,
        };
        return Ok((render(&comparison, &labels, paint, 5), Exit::Differs));
    }
    // A golden that is not there or cannot be read is replaced like one that differs.
    let before = store::judge(dir, &core, today).ok();
    let is_nothing = |before: &Comparison| before.is_same() && before.approved.is_empty();
    if before.as_ref().is_some_and(is_nothing) {
        return Ok((format!("nothing to accept: the golden of {case} is the same\n"), Exit::Same));
    }
    let digest = store::save(dir, &core, acceptance).map_err(|e| failure(e, case))?;
    let counts = TableKind::ALL.iter().zip(digest.rows);
    let counts: Vec<_> = counts.map(|(kind, rows)| format!("{} {rows}", kind.name())).collect();
    let changed = match before {
        Some(before) => {
            format!("rows changed: {}", before.differences.len() + before.approved.len())
        }
        None => "there was no golden before".to_string(),
    };
    let root = digest.root();
    let text = format!("accepted {case}: {} · digest {root:.8}… · {changed}\n", counts.join(" · "));
    Ok((text, Exit::Same))
}

/// What went wrong with the golden of `case`, in words.
pub(super) fn failure(error: Error, case: &str) -> Failure {
    match error {
        Error::Missing { path } => Failure::new(Exit::Usage, "a file of the golden is missing")
            .at(path.display())
            .hint(format!("`lockstep golden accept --case {case} --reason TEXT` writes a golden")),
        Error::Io { path, source } => {
            Failure::new(Exit::Io, "failed to read or write").at(path.display()).because(source)
        }
        Error::Malformed { path, line, what } => {
            let place = path.display().to_string();
            Failure::new(Exit::Damaged, "the golden is damaged")
                .at(if line == 0 { place } else { format!("{place}:{line}") })
                .because(what)
                .hint("take the file from version control, or accept a new golden")
        }
        Error::NothingCompared => Failure::new(Exit::Nothing, "nothing was compared")
            .because("both sides are empty, and agreement about nothing proves nothing"),
        Error::Refused { why } => {
            Failure::new(Exit::Usage, "the golden was not written").because(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;
    use crate::golden::fixture::{Facts, facts, folded, price};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        golden: GoldenArgs,
    }

    struct Facing {
        core: Facts,
        oracle: Facts,
    }

    impl Bench for Facing {
        fn core_book(&self, _: &str) -> Result<Book, Failure> {
            Ok(folded(&self.core.run, &self.core.steps()))
        }

        fn oracle_book(&self, _: &str) -> Result<Book, Failure> {
            Ok(self.oracle.book())
        }
    }

    /// A directory with one case, and what happens when commands are run in it.
    struct House {
        root: TempDir,
        bench: Facing,
        ci: Option<String>,
    }

    impl House {
        fn new() -> House {
            let root = tempfile::tempdir().unwrap();
            let case = root.path().join("replays/sample");
            fs::create_dir_all(&case).unwrap();
            fs::write(case.join("case.toml"), "").unwrap();
            House { root, bench: Facing { core: facts(), oracle: facts() }, ci: None }
        }

        fn run(&self, words: &[&str]) -> (String, Exit) {
            let at = |name: &str| self.root.path().join(name).display().to_string();
            let (replays, golden) = (at("replays"), at("golden"));
            let dirs = ["golden", "--replays", &replays, "--golden", &golden];
            let args = Cli::try_parse_from(dirs.iter().chain(words)).unwrap();
            let edge = Edge {
                today: Date::from_ymd(2026, 11, 23).unwrap(),
                user: Some("asha".to_string()),
                ci: self.ci.clone(),
                paint: Paint::Plain,
            };
            let (text, exit) = match execute(&args.golden, &self.bench, &edge) {
                Ok(done) => done,
                Err(failure) => (failure.to_string(), failure.exit),
            };
            (text.replace(&at(""), ""), exit)
        }
    }

    const ACCEPT: [&str; 5] = ["accept", "--case", "sample", "--reason", "the first golden"];
    const REVIEW: [&str; 3] = ["review", "--case", "sample"];

    #[test]
    fn a_golden_is_accepted_once_and_then_checked() {
        let house = House::new();
        let (text, exit) = house.run(&["status"]);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
         Case    Bars  Signals  Fills  Accepted  Reason  State
         sample                                          no golden, so nothing checks this case

        1 of 1 need attention
        ");
        let (text, exit) = house.run(&ACCEPT);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"accepted sample: bars_15m 6 · signals 1 · fills 2 · digest e8517a8e… · there was no golden before");
        let (text, exit) = house.run(&["status"]);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"
        Case    Bars  Signals  Fills  Accepted    Reason            State
        sample  6     1        2      2026-11-23  the first golden  checked
        ");
        let (text, exit) = house.run(&REVIEW);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"
        core equals golden: bars_15m 6/6 · signals 1/1 · fills 2/2
        oracle equals golden: bars_15m 6/6 · signals 1/1 · fills 2/2
        ");
        let (text, exit) = house.run(&ACCEPT);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"nothing to accept: the golden of sample is the same");
    }

    #[test]
    fn nothing_is_accepted_while_core_and_oracle_disagree() {
        let mut house = House::new();
        house.bench.oracle.signals[0].stop = price("961.95");
        let (text, exit) = house.run(&ACCEPT);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: oracle differs from core at one place
          --> core of sample, signals row 1
           |
          1| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  962.00
           |                                                                 ^^^^^^ stop: core 962.00, oracle 961.95
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 2/2
           help: nothing was written: a golden needs core and oracle to agree
        ");
        assert!(!house.root.path().join("golden").exists());
    }

    #[test]
    fn a_review_shows_both_sides_against_the_golden() {
        let mut house = House::new();
        house.run(&ACCEPT);
        house.bench.core.fills[0].price = price("974.60");
        let (text, exit) = house.run(&REVIEW);
        assert_eq!(exit, Exit::Differs);
        insta::assert_snapshot!(text, @"
        error: core differs from golden at one place
          --> golden/sample/fills.csv:2
           |
          2| 2024-11-04T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  entry  BUY  974.55
           |                                                                 ^^^^^^ price: golden 974.55, core 974.60
           = event in core: 135.6
           = last equal event: 135.5 (signal 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:45, the fill is at its open
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 1/2
           help: `lockstep golden accept --case sample --reason TEXT` if that is right
        oracle equals golden: bars_15m 6/6 · signals 1/1 · fills 2/2
        ");
        house.bench.oracle.fills[0].price = price("974.60");
        let (text, exit) = house.run(&ACCEPT);
        assert_eq!(exit, Exit::Same);
        insta::assert_snapshot!(text, @"accepted sample: bars_15m 6 · signals 1 · fills 2 · digest 7af4d51d… · rows changed: 1");
    }

    #[test]
    fn what_may_not_be_written_is_not() {
        let mut house = House::new();
        let unknown = house.run(&["accept", "--case", "../x", "--reason", "why"]);
        let blank = house.run(&["accept", "--case", "sample", "--reason", " "]);
        let missing = house.run(&REVIEW);
        house.ci = Some("true".to_string());
        let in_ci = house.run(&ACCEPT);
        let all = [unknown, blank, missing, in_ci];
        assert!(all.iter().all(|(_, exit)| *exit == Exit::Usage));
        let texts: Vec<String> = all.into_iter().map(|(text, _)| text).collect();
        insta::assert_snapshot!(texts.join("\n\n"), @"
        error: there is no case '../x'
          --> replays/../x/case.toml
          help: `lockstep golden status` lists the cases

        error: the golden was not written
           = the reason is blank

        error: a file of the golden is missing
          --> golden/sample/digest
          help: `lockstep golden accept --case sample --reason TEXT` writes a golden

        error: the golden was not written
           = CI only checks goldens, it never writes them
        ");
        assert!(!house.root.path().join("golden").exists());
    }

    #[test]
    fn stock_of_nothing_is_an_error() {
        let house = House::new();
        fs::remove_dir_all(house.root.path().join("replays")).unwrap();
        let (text, exit) = house.run(&["status"]);
        assert_eq!(exit, Exit::Nothing);
        insta::assert_snapshot!(text, @"
        error: there are no cases and no goldens
          --> replays
           = a case is a directory with a case.toml
        ");
    }
}
