//! `lockstep diff --explain`: why two runs differ. B is run again with each part of A's world that
//! it has not, and a difference is laid to the part that removes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{DiffArgs, Format, faults_noted, has_journal, read_golden};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::golden::failure;
use crate::cli::prepare::{self, CaseBench};
use crate::cli::terminal::{fact, grouped};
use crate::domain::time::Date;
use crate::driver::align::runs::{Cause, Explanation, Runs, RunsError};
use crate::driver::align::world::World;
use crate::golden::Book;
use crate::golden::align::class::Class;
use crate::golden::compare::{Difference, DifferenceKind, compare_under};
use crate::golden::exceptions::{Exception, Ruling};
use crate::golden::store::Golden;

/// Differences with their causes, and what somebody approved of them.
struct Explained<'a> {
    found: Explanation,
    ruling: Ruling<'a>,
    notes: Vec<String>,
}

/// What is taken as right.
struct GoldenSide {
    world: World,
    book: Book,
    exceptions: Vec<Exception>,
    notes: Vec<String>,
}

/// Explains every difference of B from A, on the day `today`. Of two runs the exceptions are
/// `between` them.
///
/// # Errors
/// When a side cannot be read, or B is no run that can be run again.
pub fn execute(
    args: &DiffArgs,
    between: Vec<Exception>,
    today: Date,
) -> Result<(String, Exit), Failure> {
    if !has_journal(&args.b) {
        return Err(Failure::new(Exit::Usage, "B must be a run, since it is run again")
            .at(args.b.display())
            .hint("a golden can be A: `lockstep diff --explain GOLDEN RUN`"));
    }
    let words = |error| failure(error, "CASE");
    let golden = golden_side(args, between)?;
    let (live, told) = prepare::world_of_run(&args.b)?;
    let runs =
        Runs::new((&golden.world, &golden.book), (&live, &told)).map_err(|error| match error {
            RunsError::Symbols(error) => prepare::other_symbols(&error, &args.b),
            RunsError::Compare(error) => words(error),
        })?;
    let ruling = Ruling { exceptions: &golden.exceptions, today, is_turned: false };
    let mut judged = compare_under(&golden.book, &told.book, Some(ruling)).map_err(words)?;
    let faults = std::mem::take(&mut judged.exception_faults);
    let mut notes = golden.notes;
    notes.extend(faults_noted(faults, args.max_diffs.get()));
    let found = Explained { found: runs.explanation().map_err(words)?, ruling, notes };
    let exit = if judged.is_same() { Exit::Same } else { Exit::Differs };
    let text = match args.format {
        Format::Human => found.human(args),
        Format::Json => format!("{:#}\n", found.json()),
        Format::Csv => found.csv(),
    };
    Ok((text, exit))
}

/// The world and the tables of A. A golden's world is that of its case.
fn golden_side(args: &DiffArgs, between: Vec<Exception>) -> Result<GoldenSide, Failure> {
    if has_journal(&args.a) {
        let (world, told) = prepare::world_of_run(&args.a)?;
        let (exceptions, notes) = (between, Vec::new());
        return Ok(GoldenSide { world, book: told.book, exceptions, notes });
    }
    let Golden { book, problems, exceptions } = read_golden(&args.a)?;
    let mut notes: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let name = args.a.file_name().map(|name| name.to_string_lossy().into_owned());
    let case = args.case.clone().or(name).unwrap_or_default();
    let bench = CaseBench { market: prepare::market()?, replays: args.replays.clone() };
    let (world, apart) = prepare::world_of_golden(&book, &case, &bench)?;
    if apart > 0 {
        notes.push(format!(
            "the case {case} makes {apart} rows of A otherwise now: was a file, the history or a \
             rule changed?"
        ));
    }
    Ok(GoldenSide { world, book, exceptions, notes })
}

/// The sides of a difference, as few words as will do.
fn what(difference: &Difference) -> String {
    match &difference.kind {
        DifferenceKind::Missing => "only in A".to_owned(),
        DifferenceKind::Extra => "only in B".to_owned(),
        DifferenceKind::Fields(fields) => {
            fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The row of a table: a difference with its cause and, if it is approved, how.
fn row(difference: &Difference, cause: &Cause) -> Vec<String> {
    vec![
        difference.time.to_string(),
        difference.key.clone(),
        difference.table.name().to_owned(),
        what(difference),
        cause.class.word().to_owned(),
        cause.words(),
    ]
}

impl Explained<'_> {
    fn approved(&self) -> usize {
        self.found.all().filter(|(one, _)| self.ruling.approves(one).is_some()).count()
    }

    fn human(&self, args: &DiffArgs) -> String {
        let Explanation { comparison, causes, gone, .. } = &self.found;
        let mut text = String::new();
        let counts = comparison.counts.iter().map(|count| {
            let (equal, all) = (count.equal as u64, count.golden.max(count.replay) as u64);
            format!("{} {}/{}", count.table.name(), grouped(equal), grouped(all))
        });
        text += &fact("Agree", &counts.collect::<Vec<_>>().join(" · "));
        let classes = self.found.classes();
        let classes = classes.iter().map(|(class, count)| format!("{} {count}", class.word()));
        text += &fact("Causes", &classes.collect::<Vec<_>>().join(" · "));
        let of = self.found.witnessed();
        text += &fact("Witness", &format!("B run again, {gone} of {of} differences gone"));
        if let Some(words) = self.found.profile_words() {
            text += &fact("Profile", &words);
        }
        let approved = self.approved();
        if approved > 0 {
            text += &fact("Approved", &format!("{approved} of {} differences", causes.len()));
        }
        for note in &self.notes {
            text += &fact("note", note);
        }
        if causes.is_empty() {
            return text;
        }
        writeln!(text, "\n{}", self.table(args.max_diffs.get(), approved > 0).trim_fmt())
            .expect("to a String");
        let hidden = causes.len().saturating_sub(args.max_diffs.get());
        if hidden > 0 {
            writeln!(text, "and {hidden} more; --max-diffs or --format csv shows them")
                .expect("to a String");
        }
        text
    }

    /// The first differences; what nobody approved comes before what somebody did.
    fn table(&self, rows_max: usize, has_approved: bool) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        let mut header = vec!["Time", "Key", "Table", "Differs in", "Cause", "Gone if"];
        if has_approved {
            header.push("Approved");
        }
        table.set_header(header);
        let of = |is_approved: bool| {
            let is_it = move |one| self.ruling.approves(one).is_some() == is_approved;
            self.found.as_asked().filter(move |(one, _)| is_it(one))
        };
        for (difference, cause) in of(false).chain(of(true)).take(rows_max) {
            let mut cells = row(difference, cause);
            let approval = self
                .ruling
                .approves(difference)
                .map(|one| format!("until {} ({}: {})", one.expires, one.by, one.reason));
            cells.extend(has_approved.then(|| approval.unwrap_or_default()));
            table.add_row(cells);
        }
        table
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = ["time", "key", "table", "difference", "class", "witness", "approved_until"];
        writer.write_record(header).expect("into memory");
        for (difference, cause) in self.found.all() {
            let mut cells = row(difference, cause);
            let approval = self.ruling.approves(difference);
            cells.push(approval.map_or_else(String::new, |one| one.expires.clone()));
            writer.write_record(cells).expect("into memory");
        }
        String::from_utf8(writer.into_inner().expect("into memory")).expect("text was written")
    }

    fn json(&self) -> Value {
        let classes = self.found.classes().into_iter();
        let difference = |(difference, cause): (&Difference, &Cause)| {
            let approval = self
                .ruling
                .approves(difference)
                .map(|one| json!({ "reason": one.reason, "by": one.by, "expires": one.expires }));
            json!({
                "time": difference.time.to_string(),
                "key": difference.key,
                "table": difference.table.name(),
                "difference": what(difference),
                "class": cause.class.word(),
                "witness": cause.witness.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "approved": approval,
            })
        };
        json!({
            "classes": classes.map(|(class, count): (Class, usize)| (class.word(), count))
                .collect::<BTreeMap<_, _>>(),
            "witnessed": self.found.witnessed(),
            "gone": self.found.gone,
            "profile": self.found.profile,
            "approved_total": self.approved(),
            "notes": self.notes,
            "differences": self.found.all().map(difference).collect::<Vec<_>>(),
        })
    }
}
