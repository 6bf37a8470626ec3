//! `lockstep config`: what a case truly runs with, what is wrong in a case, what is known about the
//! market.
//!
//! - [`show`] the effective settings of a case
//! - [`check`] every mistake in the cases
//! - [`market`] the built-in market facts

pub(super) mod check;
pub(super) mod market;
mod show;

use std::path::PathBuf;

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, presets};

use super::exit::Exit;
use super::failure::Failure;
use super::{prepare, terminal};
use crate::domain::config::FeePeriod;
use crate::domain::money::Rate;
use crate::driver::case::Case;
use crate::sources::market::Market;

/// What `lockstep config` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
    /// Directory of the cases
    #[arg(long, global = true, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Show every setting with its value and meaning, as TOML for a case.toml
    Show {
        /// The case [default: the built-in defaults]
        #[arg(long, value_name = "NAME")]
        case: Option<String>,
        /// How the result is written
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        format: Format,
    },
    /// Look for every mistake in the cases
    Check {
        /// The case [default: all]
        #[arg(long, value_name = "NAME")]
        case: Option<String>,
    },
    /// List the built-in market facts: calendar, instruments, fees, doubts
    Market {
        /// How the result is written
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        format: Format,
    },
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text for people
    Human,
    /// One JSON object
    Json,
}

/// Runs `lockstep config`.
///
/// # Errors
/// When a case or a market fact is missing. Mistakes that `check` finds are no error but
/// [`Exit::Usage`].
pub fn run(args: &ConfigArgs, facts: &Market) -> Result<Exit, Failure> {
    let (text, exit) = match &args.command {
        ConfigCommand::Show { case, format } => {
            let load = |name: &String| {
                Case::load(&args.replays, name)
                    .map_err(|error| prepare::case_failure(error, &args.replays))
            };
            let case = case.as_ref().map(load).transpose()?;
            let shown = show::Shown::new(case, &args.replays, facts)?;
            let text = match format {
                Format::Human => shown.human(),
                Format::Json => format!("{:#}\n", shown.json()),
            };
            (text, Exit::Same)
        }
        ConfigCommand::Check { case } => check::run(case.as_deref(), &args.replays, facts)?,
        ConfigCommand::Market { format } => {
            let text = match format {
                Format::Human => market::human(facts, Table::new().width()),
                Format::Json => format!("{:#}\n", market::json(facts)),
            };
            (text, Exit::Same)
        }
    };
    terminal::print(&text)?;
    Ok(exit)
}

/// A table without lines that fits `width`, or is as wide as it must be. Only the column `wrapping`
/// may break lines, so that keys and dates stay whole.
fn table<R: Into<Row>>(
    header: &[&str],
    rows: impl IntoIterator<Item = R>,
    wrapping: usize,
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header(header).add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        let columns = table.column_iter_mut().enumerate();
        for (_, column) in columns.filter(|(place, _)| *place != wrapping) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

/// A rate in percent, with as many decimals as it needs: `0.00297 %`.
fn percent(rate: Rate) -> String {
    const PER_PERCENT: u64 = Rate::ONE.0.unsigned_abs() / 100;
    let parts = rate.0.unsigned_abs();
    let decimals = format!("{:05}", parts % PER_PERCENT);
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    let sign = if rate.0 < 0 { "-" } else { "" };
    format!("{sign}{}{point}{decimals} %", parts / PER_PERCENT)
}

/// How one charge of a period is shown.
type Shown = fn(&FeePeriod) -> String;

/// The charges of an order as a table: a line each, a column for each period by its first day.
fn charges(periods: &[&FeePeriod], width: Option<u16>) -> String {
    let begins: Vec<String> = periods.iter().map(|period| period.from.to_string()).collect();
    let header: Vec<&str> =
        std::iter::once("from").chain(begins.iter().map(String::as_str)).collect();
    let lines: [(&str, Shown); 8] = [
        ("brokerage", |period| format!("₹ {}", period.brokerage_flat)),
        ("or, if less", |period| match period.brokerage_rate {
            Rate::ONE => "-".to_owned(),
            rate => percent(rate),
        }),
        ("STT", |period| by_side(period.stt_buy, period.stt_sell)),
        ("transaction", |period| percent(period.transaction)),
        ("IPFT", |period| percent(period.ipft)),
        ("SEBI", |period| percent(period.sebi)),
        ("stamp duty", |period| by_side(period.stamp_buy, period.stamp_sell)),
        ("GST", gst),
    ];
    let rows = lines.iter().map(|(name, charge)| {
        let charges = periods.iter().map(|period| charge(period));
        std::iter::once((*name).to_owned()).chain(charges).collect::<Vec<String>>()
    });
    table(&header, rows, 0, width)
}

fn by_side(buy: Rate, sell: Rate) -> String {
    match (buy, sell) {
        (buy, sell) if buy == sell => percent(buy),
        (buy, Rate(0)) => format!("{} buy", percent(buy)),
        (Rate(0), sell) => format!("{} sell", percent(sell)),
        (buy, sell) => format!("{} buy, {} sell", percent(buy), percent(sell)),
    }
}

/// The rate, and on what besides brokerage and transaction charge it is due.
fn gst(period: &FeePeriod) -> String {
    let also = [(period.gst_on_ipft, " + IPFT"), (period.gst_on_sebi, " + SEBI")];
    let also: String = also.iter().filter(|(is_due, _)| *is_due).map(|(_, word)| *word).collect();
    format!("{}{also}", percent(period.gst))
}

/// A period of charges as JSON: rupees and percent as text, exactly.
fn charges_json(period: &FeePeriod) -> serde_json::Value {
    serde_json::json!({
        "from": period.from.to_string(),
        "brokerage_flat_rupees": period.brokerage_flat.to_string(),
        "brokerage_rate": percent(period.brokerage_rate),
        "stt_buy": percent(period.stt_buy),
        "stt_sell": percent(period.stt_sell),
        "transaction": percent(period.transaction),
        "ipft": percent(period.ipft),
        "sebi": percent(period.sebi),
        "stamp_buy": percent(period.stamp_buy),
        "stamp_sell": percent(period.stamp_sell),
        "gst": percent(period.gst),
        "gst_on_ipft": period.gst_on_ipft,
        "gst_on_sebi": period.gst_on_sebi,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_the_decimals_that_it_needs() {
        let shown = [297, 0, 1_800_000, 10_000_000, 2_500, -5].map(|parts| percent(Rate(parts)));
        assert_eq!(shown.join(" "), "0.00297 % 0 % 18 % 100 % 0.025 % -0.00005 %");
    }
}
