//! `lockstep report html`: one page per run that opens anywhere without a network, and prints. Its
//! numbers are those of `lockstep report economics`; it carries that command's document, and every
//! number on it names its place in there. The same run gives the same bytes, so `--check` finds a
//! page that somebody changed.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::clock;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::domain::time::Date;
use crate::driver::account;
use crate::driver::align::ground::Ground;
use crate::driver::align::runs::Explanation;
use crate::golden::align::class::Explained;
use crate::golden::compare::Comparison;
use crate::golden::store::Golden;
use crate::golden::table::TableKind;
use crate::journal::Reader;
use crate::sources::market::Market;
use crate::web::pages::Safe;

use super::apart::{self, Apart};
use super::{Reported, account_failure, figures, sections};

/// What `lockstep report html` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct HtmlArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// The backtest that it has to live up to: another run, or a golden. Each bar, signal and fill
    /// that differs is told with its cause. A golden holds facts and not the minutes and settings
    /// behind them, so against one that takes its case, as long as that still makes the golden;
    /// otherwise only signals are told with their causes
    #[arg(long, value_name = "RUN|GOLDEN")]
    pub against: Option<PathBuf>,
    /// Against a golden: the case that it belongs to [default: the name of its directory]
    #[arg(long, value_name = "NAME", requires = "against")]
    pub case: Option<String>,
    /// Against a golden: directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    pub replays: PathBuf,
    /// The page to write
    #[arg(long, value_name = "FILE", required_unless_present = "check")]
    pub out: Option<PathBuf>,
    /// Write nothing, and say whether this page is the run's, to the byte
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub check: Option<PathBuf>,
}

/// What a page is made of.
pub(super) struct Page<'a> {
    pub report: &'a Reported,
    /// The figures, in the words of `lockstep report economics --format json`.
    pub document: Value,
    /// The run held against the golden, if it is held against one.
    pub judged: Option<Judged<'a>>,
    /// The run held against another run, if it is held against one.
    pub apart: Option<Apart>,
}

/// A run held against a golden.
pub(super) struct Judged<'a> {
    pub golden: &'a Golden,
    pub comparison: Comparison,
    /// Why rows differ, where they do and the golden's case can say it; if it cannot, why not.
    pub rows: Option<Result<Box<Explanation>, String>>,
    /// Why signals differ, where they do and the case cannot say it.
    pub causes: Option<(Ground, Vec<Explained>)>,
    pub today: Date,
}

/// Runs `lockstep report html`.
///
/// # Errors
/// When a side cannot be read, or the page cannot be written or read. A criterion that is not met,
/// or a golden or run that differs, is no error but [`Exit::Differs`].
pub(super) fn run(args: &HtmlArgs, market: &Market) -> Result<Exit, Failure> {
    let report = Reported::read(&args.run, args.against.as_deref(), market)?;
    let judged = judged(args, &report, clock::now().date())?;
    let apart = report.other_run().map(|other| apart::of_runs(other, &args.run)).transpose()?;
    let is_same = judged.as_ref().is_none_or(|judged| judged.comparison.is_same())
        && apart.as_ref().is_none_or(Apart::is_same);
    let page = Page { report: &report, document: figures::document(&report), judged, apart };
    let text = page.text();
    if let Some(file) = &args.check {
        return check(file, &text);
    }
    let Some(file) = &args.out else { return Ok(Exit::Same) };
    fs::write(file, &text).map_err(|error| {
        Failure::new(Exit::Io, "failed to write the page").at(file.display()).because(error)
    })?;
    terminal::print(&format!("{}\n", file.display()))?;
    Ok(if is_same { report.exit() } else { Exit::Differs })
}

fn judged<'a>(
    args: &HtmlArgs,
    report: &'a Reported,
    today: Date,
) -> Result<Option<Judged<'a>>, Failure> {
    let against = report.against.as_ref();
    let Some(golden) = against.and_then(|against| against.golden.as_ref()) else { return Ok(None) };
    let compared = golden.judge(&report.recorded.book, today);
    let comparison = compared.map_err(|error| crate::cli::golden::failure(error, "CASE"))?;
    let mut differences = comparison.differences.iter();
    let is_of_signals = differences.any(|it| it.table == TableKind::Signals);
    let rows = match comparison.differences.is_empty() {
        true => None,
        false => Some(apart::of_golden(args, golden)?),
    };
    let is_left = is_of_signals && matches!(rows, Some(Err(_)));
    let causes = is_left.then(|| {
        let reader = Reader::open(&args.run).map_err(Failure::from)?;
        let causes = account::causes(reader, &golden.book.signals);
        causes.map_err(|error| account_failure(error, &args.run))
    });
    Ok(Some(Judged { golden, comparison, rows, causes: causes.transpose()?, today }))
}

/// Whether a page is the run's.
fn check(file: &std::path::Path, text: &str) -> Result<Exit, Failure> {
    let found = fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Io, "failed to read the page").at(file.display()).because(error)
    })?;
    let line = found.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
    let (words, exit) = match found == text {
        true => ("the page is the run's, to the byte".to_owned(), Exit::Same),
        false => (format!("DIFFERS from the run's page at line {line}"), Exit::Differs),
    };
    terminal::print(&format!("{}: {words}\n", file.display()))?;
    Ok(exit)
}

const STYLE: &str = include_str!("page.css");

impl Page<'_> {
    fn text(&self) -> String {
        let recorded = &self.report.recorded;
        let (band, tone) = match recorded.is_lived {
            true => ("PAPER · no real orders", "paper"),
            false => ("REPLAY · history, no real orders", "replay"),
        };
        let (id, days) = (&recorded.run.config.strategy.id, sections::span(self.report));
        let title = format!("{id} · {days}");
        let title = Safe(&title);
        let body = [
            sections::verdicts(self),
            sections::charts(self.report),
            sections::totals(self),
            sections::promise(self),
            sections::differences(self),
            apart::differences(self),
            sections::proof(self),
            sections::configuration(self.report),
            sections::windows(self),
            sections::days(self),
            sections::trades(self.report),
        ];
        let body = body.concat();
        // A script of this type is never run; `<` must not end it.
        let document = self.document.to_string().replace('<', "\\u003c");
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'\">\n<title>{title} · Lockstep</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n\
             <div class=\"band {tone}\" role=\"note\">{band}</div>\n<main>\n\
             <h1>{title}</h1>\n{body}</main>\n\
             <script type=\"application/json\" id=\"figures\">{document}</script>\n\
             </body>\n</html>\n"
        )
    }
}
