//! `lockstep diff A B --only states`: the first input after which the cores of two runs over the
//! same inputs are not in the same state.

use serde_json::{Value, json};

use crate::cli::divergence::{self, reason};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::grouped;
use crate::driver::state::StateField;
use crate::driver::verify::states::{StateParting, StatesError, parting_of_states};

use super::{DiffArgs, Format, has_journal};

/// Compares the states of two runs.
pub fn execute(args: &DiffArgs) -> Result<(String, Exit), Failure> {
    for dir in [&args.a, &args.b] {
        if !has_journal(dir) {
            return Err(Failure::new(Exit::Usage, "there are no states to compare")
                .at(dir.display())
                .because("it is no run that kept its journal (log/*.evl)"));
        }
    }
    let parting = parting_of_states(&args.a, &args.b).map_err(failure)?;
    let exit = if parting.seq.is_some() { Exit::Differs } else { Exit::Same };
    let text = match args.format {
        Format::Human => human(args, &parting),
        Format::Json => format!("{:#}\n", as_json(&parting, exit)),
        Format::Csv => csv(&parting),
    };
    Ok((text, exit))
}

fn failure(error: StatesError) -> Failure {
    match error {
        StatesError::Journal(error) => error.into(),
        StatesError::Empty(path) => {
            Failure::new(Exit::Damaged, "the journal holds no run").at(path)
        }
        StatesError::OtherInputs { seq } => {
            Failure::new(Exit::Usage, "the two runs did not hear the same")
                .because(format!("input {seq} is not the same in both"))
                .because("states after other inputs say nothing about each other")
                .hint("`lockstep diff A B --only events` shows the input that differs")
        }
    }
}

fn human(args: &DiffArgs, parting: &StateParting) -> String {
    let StateParting { run, settings, seq, fields, comparisons, blocks, inputs } = parting;
    let place = args.a.display();
    let mut text = match seq {
        None => format!("B is in the state of A after each of {} inputs\n", grouped(*inputs)),
        Some(seq) => format!("error: B is in another state than A\n  --> {place}, input {seq}\n"),
    };
    let shown = args.max_diffs.get();
    for StateField { part, path, want, got } in fields.iter().take(shown) {
        text += &reason(&format!("{}: {path} is {want} in A, {got} in B", part.name(run)));
    }
    if fields.len() > shown {
        text += &reason(&format!("and {} fields more", fields.len() - shown));
    }
    for StateField { path, want, got, .. } in settings.iter().take(shown) {
        text += &reason(&format!("set apart from the start: {path} is {want} in A, {got} in B"));
    }
    if settings.len() > shown {
        text += &reason(&format!("and {} settings more", settings.len() - shown));
    }
    text += &reason(&format!("{comparisons} comparisons of digests, over {blocks} blocks"));
    if let Some(seq) = seq {
        text += &format!("  help: {} shows that input\n", divergence::cat(&args.a, *seq));
    }
    text
}

fn fields_json(parting: &StateParting, fields: &[StateField]) -> Value {
    let field = |field: &StateField| {
        let StateField { part, path, want, got } = field;
        let instrument = part.instrument.and_then(|place| parting.run.instruments.get(place));
        json!({
            "component": part.component,
            "instrument": instrument.map(|instrument| &instrument.key),
            "field": path,
            "a": want,
            "b": got,
        })
    };
    fields.iter().map(field).collect()
}

fn as_json(parting: &StateParting, exit: Exit) -> Value {
    json!({
        "same": parting.seq.is_none(),
        "seq": parting.seq,
        "fields": fields_json(parting, &parting.fields),
        "settings": fields_json(parting, &parting.settings),
        "inputs": parting.inputs,
        "comparisons": parting.comparisons,
        "blocks": parting.blocks,
        "exit": exit as u8,
    })
}

/// One row for each field that differs.
fn csv(parting: &StateParting) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |row: [&str; 5]| csv.write_record(row).expect("a Vec takes everything");
    row(["seq", "part", "field", "a", "b"]);
    let seq = parting.seq.map(|seq| seq.to_string()).unwrap_or_default();
    for StateField { part, path, want, got } in &parting.fields {
        row([&seq, &part.name(&parting.run), path, want, got]);
    }
    let bytes = csv.into_inner().expect("a Vec takes everything");
    String::from_utf8_lossy(&bytes).into_owned()
}
