//! A run held against another run or a golden, on its page: why they differ, in the same numbers
//! and words as `lockstep diff --explain OTHER RUN`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::golden::failure;
use crate::cli::prepare::{self, CaseBench};
use crate::driver::align::runs::{Cause, Explanation, Runs, RunsError};
use crate::driver::align::world::World;
use crate::golden::Book;
use crate::golden::align::class::Class;
use crate::golden::compare::Difference;
use crate::golden::exceptions::Ruling;
use crate::golden::render::{Labels, values};
use crate::golden::store::Golden;
use crate::web::pages::Safe;

use super::cells::{section, table};
use super::html::{HtmlArgs, Page};
use super::sections::{LISTED, counts_words};

/// What the other run and this one are called on the page.
const RUNS: (&str, &str) = ("the other", "this");
/// And what a golden and this run are.
const GOLDEN: (&str, &str) = ("golden", "this");

/// A difference with its cause.
type Row<'a> = (&'a Difference, &'a Cause);

/// What came of holding the runs against each other.
pub(super) enum Apart {
    /// Every difference with its cause.
    Explained(Box<Explanation>),
    /// They cannot be held against each other, in words.
    OtherSymbols(String),
}

/// Holds a run against the other, which is taken as right.
///
/// # Errors
/// When a journal cannot be read, or nothing is in both.
pub(super) fn of_runs(other: &Path, run: &Path) -> Result<Apart, Failure> {
    let (golden, said) = prepare::world_of_run(other)?;
    let explained = explain((&golden, &said.book), run)?;
    Ok(explained.map_or_else(Apart::OtherSymbols, Apart::Explained))
}

/// Holds a run against a golden with the minutes and settings of its case. Where that case does not
/// say any more what stands in the golden, in words.
///
/// # Errors
/// When the journal cannot be read, or nothing is in both.
pub(super) fn of_golden(
    args: &HtmlArgs,
    golden: &Golden,
) -> Result<Result<Box<Explanation>, String>, Failure> {
    let place = args.against.as_deref().and_then(Path::file_name);
    let name = place.map(|name| name.to_string_lossy().into_owned());
    let case = args.case.clone().or(name).unwrap_or_default();
    let bench = CaseBench { market: prepare::market()?, replays: args.replays.clone() };
    let world = match prepare::world_of_golden(&golden.book, &case, &bench) {
        Ok((world, 0)) => world,
        Ok((_, apart)) => {
            return Ok(Err(format!(
                "the case {case} makes {apart} rows of the golden otherwise by now"
            )));
        }
        Err(no) => return Ok(Err(format!("the case '{case}' cannot be run: {}", no.what))),
    };
    explain((&world, &golden.book), &args.run)
}

/// Every difference with its cause; in words where the two have other symbols.
fn explain(
    golden: (&World, &Book),
    run: &Path,
) -> Result<Result<Box<Explanation>, String>, Failure> {
    let (live, told) = prepare::world_of_run(run)?;
    let runs = match Runs::new(golden, (&live, &told)) {
        Ok(runs) => runs,
        Err(RunsError::Symbols(error)) => return Ok(Err(error.to_string())),
        Err(RunsError::Compare(error)) => return Err(failure(error, "CASE")),
    };
    let explained = runs.explanation().map_err(|error| failure(error, "CASE"))?;
    Ok(Ok(Box::new(explained)))
}

impl Apart {
    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        match self {
            Apart::Explained(found) => found.comparison.is_same(),
            Apart::OtherSymbols(_) => false,
        }
    }

    /// Whether all agrees, and how many rows do.
    pub(super) fn words(&self) -> String {
        match self {
            Apart::Explained(found) => counts_words(&found.comparison),
            Apart::OtherSymbols(why) => format!("not compared · {why}"),
        }
    }
}

/// What differs from the other run, and why.
pub(super) fn differences(page: &Page<'_>) -> String {
    let (Some(apart), Some(other)) = (&page.apart, page.report.other_run()) else {
        return String::new();
    };
    let mut text = format!("<p class=\"lead\">{}</p>\n", Safe(apart.words()));
    if let Apart::Explained(found) = apart {
        text += &tried(found, other, &page.report.place);
        for note in &found.comparison.notes {
            text += &format!("<p class=\"bad\">{}</p>\n", Safe(note));
        }
        text += &causes(found, found.as_asked().collect(), other, RUNS);
    }
    section("The other run and what differs", &text)
}

/// Why the rows differ from a golden that nobody approved.
pub(super) fn from_golden(found: &Explanation, ruling: Ruling<'_>, page: &Page<'_>) -> String {
    let Some(against) = &page.report.against else { return String::new() };
    let open = found.as_asked().filter(|(one, _)| ruling.approves(one).is_none()).collect();
    tried(found, &against.place, &page.report.place) + &causes(found, open, &against.place, GOLDEN)
}

/// What was tried, and how to see it again.
fn tried(found: &Explanation, other: &Path, run: &Path) -> String {
    let (gone, of) = (found.gone, found.witnessed());
    format!(
        "<p>This run was run again with each part of the other side's data, settings and commands \
         that it has not; <span data-count=\"gone\">{gone}</span> of \
         <span data-count=\"witnessed\">{of}</span> differences were gone. The same in a terminal: \
         <span class=\"line\">lockstep diff --explain {} {}</span></p>\n",
        Safe(other.display()),
        Safe(run.display())
    )
}

/// What makes these rows differ, and the first of them.
fn causes(found: &Explanation, all: Vec<Row<'_>>, other: &Path, names: (&str, &str)) -> String {
    let mut text = classes(&all);
    if let Some(words) = found.profile_words() {
        text += &format!("<p>strategy.profile {}</p>\n", Safe(words));
    }
    text + &rows(&all, other, names)
}

/// The classes of differences, each with how many there are and the first with its witness.
fn classes(all: &[Row<'_>]) -> String {
    let (mut first, mut counts): (BTreeMap<Class, Row<'_>>, _) =
        (BTreeMap::new(), BTreeMap::from([(Class::Unexplained, 0)]));
    for &(difference, cause) in all {
        first.entry(cause.class).or_insert((difference, cause));
        *counts.entry(cause.class).or_default() += 1;
    }
    let row = |(class, count): (Class, usize)| {
        let (name, witness) = first.get(&class).map_or_else(Default::default, |(one, cause)| {
            let name = format!("{} {} {}", one.table.name(), one.time, one.key);
            (name, cause.words())
        });
        let (class, name, witness) = (class.word(), Safe(name), Safe(witness));
        format!(
            "<tr><th scope=\"row\">{class}</th>\
             <td class=\"num\" data-class=\"{class}\">{count}</td>\
             <td class=\"line\">{name}</td><td>{witness}</td></tr>\n"
        )
    };
    let rows: String = counts.into_iter().map(row).collect();
    let title = "<h3>Why they differ</h3>\n";
    title.to_owned() + &table(&["Class", "#Rows", "The first", "Gone if"], &rows)
}

/// The first rows that differ, with both values.
fn rows(all: &[Row<'_>], other: &Path, (golden, replay): (&str, &str)) -> String {
    let labels = Labels { place: other, has_files: false, golden, replay, help: &[] };
    let row = |(difference, cause): &Row<'_>| {
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"line\">{}</td><td>{}</td>\
             <td class=\"line\">{}</td></tr>\n",
            difference.time.to_string().replace('T', " "),
            Safe(&difference.key),
            difference.table.name(),
            Safe(values(difference, &labels)),
            cause.class.word(),
            Safe(cause.words()),
        )
    };
    let rows: String = all.iter().take(LISTED).map(row).collect();
    let count = all.len();
    if count == 0 {
        return String::new();
    }
    let title = match count > LISTED {
        true => format!("<h3>The first {LISTED} of {count} rows that differ</h3>\n"),
        false => "<h3>Rows that differ</h3>\n".to_owned(),
    };
    title + &table(&["Time", "Key", "Table", "Both values", "Cause", "Gone if"], &rows)
}
