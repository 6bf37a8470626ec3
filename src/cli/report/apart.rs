//! A run held against another run, on its page: why they differ, in the same numbers and words as
//! `lockstep diff --explain OTHER RUN`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::golden::failure;
use crate::cli::prepare;
use crate::driver::align::runs::{Cause, Explanation, Runs, RunsError};
use crate::golden::align::class::Class;
use crate::golden::compare::Difference;
use crate::golden::render::{Labels, values};
use crate::web::pages::Safe;

use super::cells::{section, table};
use super::html::Page;
use super::sections::{LISTED, counts_words};

/// What the other run and this one are called on the page.
const NAMES: (&str, &str) = ("the other", "this");

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
    let (live, told) = prepare::world_of_run(run)?;
    let runs = match Runs::new((&golden, &said.book), (&live, &told)) {
        Ok(runs) => runs,
        Err(RunsError::Symbols(error)) => return Ok(Apart::OtherSymbols(error.to_string())),
        Err(RunsError::Compare(error)) => return Err(failure(error, "CASE")),
    };
    let explained = runs.explanation().map_err(|error| failure(error, "CASE"))?;
    Ok(Apart::Explained(Box::new(explained)))
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
        let (gone, of) = (found.gone, found.witnessed());
        text += &format!(
            "<p>This run was run again with each part of the other's data, settings and commands \
             that it has not; <span data-count=\"gone\">{gone}</span> of \
             <span data-count=\"witnessed\">{of}</span> differences were gone. The same in a \
             terminal: <span class=\"line\">lockstep diff --explain {} {}</span></p>\n",
            Safe(other.display()),
            Safe(page.report.place.display())
        );
        for note in &found.comparison.notes {
            text += &format!("<p class=\"bad\">{}</p>\n", Safe(note));
        }
        text += &classes(found);
        if let Some(words) = found.profile_words() {
            text += &format!("<p>strategy.profile {}</p>\n", Safe(words));
        }
        text += &rows(found, other);
    }
    section("The other run and what differs", &text)
}

/// The classes of differences, each with how many there are and the first with its witness.
fn classes(found: &Explanation) -> String {
    let mut first: BTreeMap<Class, (&Difference, &Cause)> = BTreeMap::new();
    for (difference, cause) in found.as_asked() {
        first.entry(cause.class).or_insert((difference, cause));
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
    let rows: String = found.classes().into_iter().map(row).collect();
    let title = "<h3>Why they differ</h3>\n";
    title.to_owned() + &table(&["Class", "#Rows", "The first", "Gone if"], &rows)
}

/// The first rows that differ, with both values.
fn rows(found: &Explanation, other: &Path) -> String {
    let (golden, replay) = NAMES;
    let labels = Labels { place: other, has_files: false, golden, replay, help: &[] };
    let row = |(difference, cause): (&Difference, &Cause)| {
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
    let rows: String = found.as_asked().take(LISTED).map(row).collect();
    let count = found.causes.len();
    if count == 0 {
        return String::new();
    }
    let title = match count > LISTED {
        true => format!("<h3>The first {LISTED} of {count} rows that differ</h3>\n"),
        false => "<h3>Rows that differ</h3>\n".to_owned(),
    };
    title + &table(&["Time", "Key", "Table", "Both values", "Cause", "Gone if"], &rows)
}
