//! `lockstep diff A B --only events`: the first event on which two journals do not agree.

use serde_json::json;

use crate::cli::divergence::{self, Sides, reason};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::grouped;
use crate::driver::verify::bisect::{Parting, parting};
use crate::driver::verify::divergence::{Difference, Divergence, Field};
use crate::journal::digest::BLOCK_INPUTS;
use crate::journal::reader::End;

use super::{DiffArgs, Format, has_journal};

const SIDES: Sides = ["A", "B"];

/// Compares the events of two runs.
pub fn execute(args: &DiffArgs) -> Result<(String, Exit), Failure> {
    for dir in [&args.a, &args.b] {
        if !has_journal(dir) {
            return Err(Failure::new(Exit::Usage, "there are no events to compare")
                .at(dir.display())
                .because("it is no run that kept its journal (log/*.evl)")
                .hint("without --only events a golden can be compared too"));
        }
    }
    let parting = parting(&args.a, &args.b)?;
    let exit = if parting.is_same() { Exit::Same } else { Exit::Differs };
    let text = match args.format {
        Format::Human => human(args, &parting),
        Format::Json => format!("{:#}\n", as_json(&parting, exit)),
        Format::Csv => csv(&parting),
    };
    Ok((text, exit))
}

fn human(args: &DiffArgs, parting: &Parting) -> String {
    let Parting { described, divergence, comparisons, blocks, totals } = parting;
    let search = format!(
        "{comparisons} of at most {} comparisons of digests, over {} blocks of {} inputs",
        parting.comparisons_max(),
        grouped(*blocks as u64),
        grouped(BLOCK_INPUTS),
    );
    let [a, b] = totals;
    let place = args.a.display().to_string();
    let mut text = match divergence {
        Some(divergence) => {
            let what = match divergence.difference {
                Difference::Differs => "B differs from A",
                Difference::Missing => "B has an event that A lacks",
                Difference::Extra => "B lacks an event that A has",
            };
            divergence::block(divergence, what, &place, SIDES)
        }
        None if described.is_empty() => {
            format!("B equals A: {} events · digest {}\n", grouped(a.events), a.digest.short())
        }
        None => format!(
            "error: B is described otherwise than A\n  --> {place}, event 0 (run-started)\n\
             \u{20}  = all {} events after it are equal\n",
            grouped(a.events - 1)
        ),
    };
    if !described.is_empty() {
        text += &reason("the runs are described differently:");
        text += &divergence::described(described, SIDES);
    }
    text += &reason(&search);
    text += &reason(&format!("events: A {}, B {}", grouped(a.events), grouped(b.events)));
    for (name, total) in SIDES.iter().zip(totals) {
        if matches!(total.end, End::Unsealed { .. }) {
            text += &reason(&format!("note: {name} ended early; it has no seal"));
        }
    }
    if let Some(Divergence { id, .. }) = divergence {
        let cat = divergence::cat(&args.a, id.seq);
        text += &format!("  help: {cat} shows the events of A\n");
    }
    text
}

fn as_json(parting: &Parting, exit: Exit) -> serde_json::Value {
    let Parting { described, divergence, comparisons, blocks, totals } = parting;
    let total = |place: usize| {
        let total = &totals[place];
        json!({
            "events": total.events,
            "sealed": matches!(total.end, End::Sealed(_)),
            "digest": total.digest.to_string(),
        })
    };
    json!({
        "same": parting.is_same(),
        "a": total(0),
        "b": total(1),
        "described": divergence::fields_json(described, SIDES),
        "divergence":
            divergence.as_ref().map(|divergence| divergence::as_json(divergence, SIDES)),
        "comparisons": comparisons,
        "comparisons_max": parting.comparisons_max(),
        "blocks": blocks,
        "exit": exit as u8,
    })
}

/// One row for each field that differs; an event that only one side has is one row.
fn csv(parting: &Parting) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |row: [&str; 6]| csv.write_record(row).expect("a Vec takes everything");
    row(["event", "kind", "difference", "field", "a", "b"]);
    for Field { name, want, got } in &parting.described {
        row(["0", "run-started", "differs", name, want, got]);
    }
    if let Some(divergence) = &parting.divergence {
        let Divergence { id, kind, difference, want, got, fields, .. } = divergence;
        let (id, difference) = (id.to_string(), difference.word());
        for Field { name, want, got } in fields {
            row([&id, kind, difference, name, want, got]);
        }
        if fields.is_empty() {
            let line = |side: &Option<String>| side.clone().unwrap_or_default();
            row([&id, kind, difference, "", &line(want), &line(got)]);
        }
    }
    let bytes = csv.into_inner().expect("a Vec takes everything");
    String::from_utf8_lossy(&bytes).into_owned()
}
