//! `lockstep data sample`: made-up history, for trying things out and for the case that comes with
//! the repository. The same seed makes the same bytes on every machine.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::grouped;
use crate::domain::fact::Bar;
use crate::domain::time::Date;
use crate::sources::columns::BarColumns;
use crate::sources::market::Market;
use crate::sources::store::write_month;
use crate::sources::synthetic;

use super::store_failure;

/// Arguments of `lockstep data sample`.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// Number that decides everything about the prices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Directory of the history; must be empty or not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write over what is there
    #[arg(long)]
    replace: bool,
}

/// Makes the sample and writes it.
pub fn run(args: &SampleArgs, market: &Market) -> Result<(String, Exit), Failure> {
    let is_taken = fs::read_dir(&args.out).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken && !args.replace {
        return Err(Failure::new(Exit::Usage, "there already is something")
            .at(args.out.display())
            .hint("name another --out, or say --replace to write over it"));
    }
    let series = synthetic::sample(args.seed, market)
        .map_err(|error| Failure::new(Exit::Usage, "failed to make the sample").because(error))?;
    let mut text = String::new();
    for (key, bars) in &series {
        let mut months = 0;
        for month in bars.chunk_by(|a, b| month_of(a) == month_of(b)) {
            let columns = BarColumns::from_bars(month.iter());
            write_month(&args.out, key, month_of(&month[0]), &columns).map_err(store_failure)?;
            months += 1;
        }
        let count = grouped(bars.len() as u64);
        writeln!(text, "   {key}  {count} made-up bars in {months} months")
            .expect("a String takes everything");
    }
    Ok((text, Exit::Same))
}

fn month_of(bar: &Bar) -> Date {
    bar.open_time.date().first_of_month()
}
