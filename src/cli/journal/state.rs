//! `lockstep journal state RUN`: the state of the core after an input of a recorded run, as one
//! hash for each part of each instrument. Two runs with equal hashes go on alike.

use std::io::Write;
use std::path::PathBuf;

use comfy_table::{Table, presets};
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::core::Core;
use crate::domain::event::{Event, Input};
use crate::driver::state;
use crate::journal::Reader;

use super::Stop;
use super::stats::Format;

/// Which state is shown.
#[derive(Clone, Debug, clap::Args)]
pub struct StateArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// After which input [default: the last]
    #[arg(long, value_name = "SEQ")]
    pub at: Option<u64>,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// A part, its instrument's key, and its hash.
type Row = (String, String, String);

/// Runs the core up to the input and prints the hashes of its parts.
pub fn state(args: &StateArgs, out: &mut impl Write) -> Result<Exit, Stop> {
    let mut reader = Reader::open(&args.run)?;
    let (mut lived, mut seq, mut derived) = (None, 0, Vec::new());
    while let Some(record) = reader.next_record()? {
        let Event::Input(input) = record.event else { continue };
        if args.at.is_some_and(|at| record.id.seq > at) {
            break;
        }
        seq = record.id.seq;
        match (input, &mut lived) {
            (Input::RunStarted(run), _) => lived = Some((Core::new(&run), run)),
            (input, Some((core, _))) => {
                derived.clear();
                core.step(seq, &input, &mut derived);
            }
            (_, None) => {}
        }
    }
    let missing = |at: u64| {
        Failure::new(Exit::Nothing, format!("there is no input {at}"))
            .at(args.run.display())
            .because(format!("the last one is {seq}"))
    };
    let Some((core, run)) = lived else { return Err(missing(0).into()) };
    if let Some(at) = args.at.filter(|at| *at > seq) {
        return Err(missing(at).into());
    }
    let hashes = state::hashes(&core);
    let rows: Vec<Row> = hashes
        .into_iter()
        .map(|(part, hash)| {
            let instrument = part.instrument.and_then(|place| run.instruments.get(place));
            let key = instrument.map_or("-", |instrument| &instrument.key).to_owned();
            (part.component, key, hash.to_string())
        })
        .collect();
    write(args.format, seq, &rows, out)?;
    Ok(Exit::Same)
}

fn write(format: Format, seq: u64, rows: &[Row], out: &mut impl Write) -> Result<(), Stop> {
    match format {
        Format::Human => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).force_no_tty().set_header([
                "part",
                "instrument",
                "hash",
            ]);
            for (part, key, hash) in rows {
                table.add_row([part, key, &hash[..12]]);
            }
            writeln!(out, "after input {seq}\n{}", table.trim_fmt())?;
        }
        Format::Json => {
            let row =
                |(part, key, hash): &Row| json!({ "part": part, "instrument": key, "hash": hash });
            let parts: Vec<_> = rows.iter().map(row).collect();
            writeln!(out, "{:#}", json!({ "seq": seq, "parts": parts }))?;
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            let broken = |error: csv::Error| Stop::Output(std::io::Error::other(error));
            csv.write_record(["seq", "part", "instrument", "hash"]).map_err(broken)?;
            for (part, key, hash) in rows {
                csv.write_record([&seq.to_string(), part, key, hash]).map_err(broken)?;
            }
            csv.flush()?;
        }
    }
    Ok(())
}
