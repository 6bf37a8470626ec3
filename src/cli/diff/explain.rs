//! `lockstep diff --explain`: why two runs differ. B is run again with each part of A's world that
//! it has not, and a difference is laid to the part that removes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{DiffArgs, Format, has_journal, read_golden};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::golden::failure;
use crate::cli::prepare::{self, CaseBench};
use crate::cli::terminal::{fact, grouped};
use crate::driver::align::runs::{Cause, Runs, RunsError};
use crate::driver::align::world::World;
use crate::golden::Book;
use crate::golden::align::class::Class;
use crate::golden::compare::{Difference, DifferenceKind};
use crate::golden::table::TableKind;

/// Differences with their causes, and whether the witnesses were found to hold.
struct Explained<'a> {
    runs: &'a Runs<'a>,
    causes: Vec<Cause>,
    /// Differences that are gone once more when their witness is made again.
    gone: usize,
    notes: Vec<String>,
}

/// Explains every difference of B from A.
///
/// # Errors
/// When a side cannot be read, or B is no run that can be run again.
pub fn execute(args: &DiffArgs) -> Result<(String, Exit), Failure> {
    if !has_journal(&args.b) {
        return Err(Failure::new(Exit::Usage, "B must be a run, since it is run again")
            .at(args.b.display())
            .hint("a golden can be A: `lockstep diff --explain GOLDEN RUN`"));
    }
    let (golden, book, notes) = golden_side(args)?;
    let (live, told) = prepare::world_of_run(&args.b)?;
    let runs = Runs::new((&golden, &book), (&live, &told)).map_err(|error| match error {
        RunsError::Symbols(error) => prepare::other_symbols(&error, &args.b),
        RunsError::Compare(error) => failure(error, "CASE"),
    })?;
    let causes = runs.explain().map_err(|error| failure(error, "CASE"))?;
    let gone = runs.made_again(&causes).map_err(|error| failure(error, "CASE"))?;
    let found = Explained { runs: &runs, causes, gone, notes };
    let exit = if runs.comparison.is_same() { Exit::Same } else { Exit::Differs };
    let text = match args.format {
        Format::Human => found.human(args),
        Format::Json => format!("{:#}\n", found.json()),
        Format::Csv => found.csv(),
    };
    Ok((text, exit))
}

/// The world and the tables of A. A golden's world is that of its case.
fn golden_side(args: &DiffArgs) -> Result<(World, Book, Vec<String>), Failure> {
    if has_journal(&args.a) {
        let (world, told) = prepare::world_of_run(&args.a)?;
        return Ok((world, told.book, Vec::new()));
    }
    let (book, mut notes) = read_golden(&args.a)?;
    let name = args.a.file_name().map(|name| name.to_string_lossy().into_owned());
    let case = args.case.clone().or(name).unwrap_or_default();
    let bench = CaseBench { market: prepare::market()?, replays: args.replays.clone() };
    let replay = bench.replay(&case)?;
    let (world, told) = World::of_replay(&replay, 1).map_err(prepare::broken_off)?;
    let apart = apart(&book, &told.book);
    if apart > 0 {
        notes.push(format!("the case {case} makes {apart} rows of A otherwise: edited by hand?"));
    }
    Ok((world, book, notes))
}

/// Rows of a golden that its case does not make.
fn apart(golden: &Book, told: &Book) -> usize {
    let rows = |kind: TableKind| {
        let theirs = &told.table(kind).rows;
        golden.table(kind).rows.iter().filter(move |row| {
            let known = theirs.partition_point(|it| it.known < row.known);
            let same_time = theirs[known..].iter().take_while(|it| it.known == row.known);
            !same_time.into_iter().any(|it| it.cells == row.cells)
        })
    };
    TableKind::ALL.into_iter().map(|kind| rows(kind).count()).sum()
}

/// A witness in words.
fn witness(cause: &Cause) -> String {
    match &cause.witness[..] {
        [] => "-".to_owned(),
        [one] => one.to_string(),
        [before @ .., last] => format!("{last}, with {} changes before it", before.len()),
    }
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

impl Explained<'_> {
    fn all(&self) -> impl Iterator<Item = (&Difference, &Cause)> {
        self.runs.comparison.differences.iter().zip(&self.causes)
    }

    /// How many differences each class has; the unexplained in any case.
    fn classes(&self) -> BTreeMap<Class, usize> {
        let mut classes = BTreeMap::from([(Class::Unexplained, 0)]);
        for cause in &self.causes {
            *classes.entry(cause.class).or_default() += 1;
        }
        classes
    }

    fn witnessed(&self) -> usize {
        self.causes.iter().filter(|cause| !cause.witness.is_empty()).count()
    }

    fn human(&self, args: &DiffArgs) -> String {
        let mut text = String::new();
        let counts = self.runs.comparison.counts.iter();
        let counts: Vec<String> = counts
            .map(|count| {
                let all = count.golden.max(count.replay);
                format!(
                    "{} {}/{}",
                    count.table.name(),
                    grouped(count.equal as u64),
                    grouped(all as u64)
                )
            })
            .collect();
        text += &fact("Agree", &counts.join(" · "));
        let classes = self.classes();
        let classes = classes.iter().map(|(class, count)| format!("{} {count}", class.word()));
        text += &fact("Causes", &classes.collect::<Vec<_>>().join(" · "));
        let (gone, of) = (self.gone, self.witnessed());
        text += &fact("Witness", &format!("B run again, {gone} of {of} differences gone"));
        for note in &self.notes {
            text += &fact("note", note);
        }
        if self.causes.is_empty() {
            return text;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        table.set_header(["Time", "Key", "Table", "Differs in", "Cause", "Gone if"]);
        // What people ask about is what was signalled and traded; bars follow from minutes.
        let shown = |is_bar: bool| {
            self.all().filter(move |(it, _)| (it.table == TableKind::Bars) == is_bar)
        };
        let rows = shown(false).chain(shown(true)).take(args.max_diffs.get());
        for (difference, cause) in rows {
            table.add_row([
                difference.time.to_string(),
                difference.key.clone(),
                difference.table.name().to_owned(),
                what(difference),
                cause.class.word().to_owned(),
                witness(cause),
            ]);
        }
        writeln!(text, "\n{}", table.trim_fmt()).expect("to a String");
        let hidden = self.causes.len().saturating_sub(args.max_diffs.get());
        if hidden > 0 {
            writeln!(text, "and {hidden} more; --max-diffs or --format csv shows them")
                .expect("to a String");
        }
        text
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = ["time", "key", "table", "difference", "class", "witness"];
        writer.write_record(header).expect("into memory");
        for (difference, cause) in self.all() {
            let row = [
                difference.time.to_string(),
                difference.key.clone(),
                difference.table.name().to_owned(),
                what(difference),
                cause.class.word().to_owned(),
                witness(cause),
            ];
            writer.write_record(row).expect("into memory");
        }
        String::from_utf8(writer.into_inner().expect("into memory")).expect("text was written")
    }

    fn json(&self) -> Value {
        let classes = self.classes().into_iter();
        let difference = |(difference, cause): (&Difference, &Cause)| {
            json!({
                "time": difference.time.to_string(),
                "key": difference.key,
                "table": difference.table.name(),
                "difference": what(difference),
                "class": cause.class.word(),
                "witness": cause.witness.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        json!({
            "classes": classes.map(|(class, count)| (class.word(), count))
                .collect::<BTreeMap<_, _>>(),
            "witnessed": self.witnessed(),
            "gone": self.gone,
            "notes": self.notes,
            "differences": self.all().map(difference).collect::<Vec<_>>(),
        })
    }
}
