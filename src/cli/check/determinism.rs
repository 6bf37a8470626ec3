//! `lockstep check determinism`: the same case in several ways, which must have one digest.

use std::num::NonZeroU32;

use comfy_table::{Table, presets};
use serde_json::json;

use super::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare::broken_off;
use crate::cli::terminal;
use crate::driver::check::determinism::{Way, run_all_ways};
use crate::sources::market::Market;

/// What `lockstep check determinism` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct DeterminismArgs {
    #[command(flatten)]
    selection: Selection,
    /// How often the core is made anew from its written state
    #[arg(long, value_name = "N", default_value = "100")]
    splits: NonZeroU32,
}

/// What one process cannot vary.
const NOT_HERE: &str = "builds (debug, release) and time zones: `cargo xtask determinism`";

/// Runs the case in every way and prints the digests.
pub fn run(args: &DeterminismArgs, market: &Market) -> Result<Exit, Failure> {
    let replay = args.selection.replay(market, |_| {})?;
    let threads = args.selection.threads().max(2);
    let ways = run_all_ways(&replay, threads, u64::from(args.splits.get())).map_err(broken_off)?;
    let is_one = ways.iter().all(|way| way.sealed == ways[0].sealed);
    let exit = if is_one { Exit::Same } else { Exit::NotDeterministic };
    terminal::print(&match args.selection.format {
        Format::Human => human(&ways, is_one),
        Format::Json => {
            let way = |Way { name, sealed }: &Way| {
                let (records, digest) = (sealed.records, sealed.digest.to_string());
                let inputs = sealed.inputs;
                json!({ "way": name, "records": records, "inputs": inputs, "digest": digest })
            };
            let ways: Vec<_> = ways.iter().map(way).collect();
            let document = json!({
                "over": args.selection.shown(), "ways": ways, "not_here": NOT_HERE,
                "exit": exit as u8,
            });
            format!("{document:#}\n")
        }
    })?;
    Ok(exit)
}

fn human(ways: &[Way], is_one: bool) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .force_no_tty()
        .set_header(["way", "events", "inputs", "digest"]);
    for Way { name, sealed } in ways {
        let digest = sealed.digest.to_string();
        let mark = if *sealed == ways[0].sealed { "" } else { "  DIFFERS" };
        table.add_row([
            name.clone(),
            terminal::grouped(sealed.records),
            terminal::grouped(sealed.inputs),
            format!("{}{mark}", &digest[..16]),
        ]);
    }
    let verdict = if is_one { "one digest" } else { "NOT DETERMINISTIC" };
    let mut text = format!("{}\n\n", table.trim_fmt());
    text += &terminal::fact("Verdict", verdict);
    text += &terminal::fact("Not here", NOT_HERE);
    text
}
