//! `lockstep doctor`: looks at the surroundings and says, a line each, what is well, what is worth
//! knowing, and what is wrong with what to do about it.
//!
//! What is looked at is gathered at the edge; what it means is decided by functions of it alone.
//!
//! - `cases` cases, goldens, unfinished runs
//! - `disk` the disk under the runs
//! - `facts` calendar, sessions, keys
//! - `machine` program, machine, terminal
//! - `port` the scanner's port
//! - `remote` token and clock
//! - `report` how it is told

mod cases;
mod disk;
mod facts;
mod machine;
mod port;
mod remote;
mod report;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use super::broker::{BrokerArgs, TokenArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{print, stdout_paint};
use super::{clock, prepare};
use crate::golden::render::Paint;
use crate::golden::store;

/// What `lockstep doctor` looks at.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// Directory of the goldens
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Directory of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    journal: PathBuf,
    /// Keys that a live run will trade, besides those of the cases
    #[arg(long, value_name = "KEY", num_args = 1..)]
    symbols: Vec<String>,
    /// Port of the scanner
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    port: u16,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    /// Ask nobody over the network
    #[arg(long)]
    offline: bool,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs `lockstep doctor`.
///
/// # Errors
/// Only when the report cannot be written; a problem is no error but [`Exit::Usage`].
pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let (now, paint) = (clock::now(), stdout_paint());
    let width = comfy_table::Table::new().width();
    let mut lines = vec![
        machine::version(cfg!(debug_assertions)),
        machine::cores(),
        machine::zone(machine::machine_zone().as_deref()),
        machine::terminal(io::stdout().is_terminal(), paint == Paint::Ansi, width),
    ];
    match prepare::market() {
        Ok(market) => {
            let today = now.date();
            lines.extend(facts::market(&market, today));
            lines.extend(facts::identities(&market, &args.replays, &args.symbols, today));
            lines.extend(cases::cases(&args.replays, &market));
        }
        Err(failure) => lines.push(facts::unreadable(&failure)),
    }
    lines.extend(cases::goldens(store::status(&args.replays, &args.golden, now.date())));
    let place = disk::place_of(&args.journal);
    lines.extend(disk::lines(&args.journal, &place, disk::measure(&place)));
    lines.extend(cases::unfinished(&args.journal));
    lines.push(port::line(args.port));
    lines.push(remote::token(&args.token, now));
    lines.push(remote::skew(&args.broker, args.offline));
    print(&match args.json {
        true => report::json(&lines),
        false => report::text(&lines, paint, width),
    })?;
    Ok(report::exit(&lines))
}
