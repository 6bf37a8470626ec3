//! `lockstep report economics`: what a run earned, how its trades ended, what they cost, and
//! whether paper keeps what the backtest promised. Definitions: `docs/economics.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

use crate::cli::exit::Exit;
use crate::cli::facts;
use crate::cli::failure::Failure;
use crate::cli::terminal::{self, fact, grouped, rupees};
use crate::domain::fact::OrderReason;
use crate::domain::money::Cash;
use crate::sinks::report::economics::{Charges, Figures, percent};
use crate::sinks::report::promise::{Pair, Promise, SESSIONS, Verdict, Window};
use crate::sources::market::Market;

use super::{Against, Reported, figures};

/// What `lockstep report economics` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct EconomicsArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// The backtest that it has to live up to: another run, or a golden
    #[arg(long, value_name = "RUN|GOLDEN")]
    pub against: Option<PathBuf>,
    /// What goes to stdout: human, json, or csv (one row a day)
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for people
    Human,
    /// One JSON object
    Json,
    /// One row a day
    Csv,
}

/// Runs `lockstep report economics`.
///
/// # Errors
/// When a side cannot be read, both are the same, or there is nothing to report. A criterion that
/// is not met is no error but [`Exit::Differs`].
pub(super) fn run(args: &EconomicsArgs, market: &Market) -> Result<Exit, Failure> {
    let report = Reported::read(&args.run, args.against.as_deref(), market)?;
    terminal::print(&match args.format {
        Format::Human => human(&report),
        Format::Json => format!("{:#}\n", figures::document(&report)),
        Format::Csv => csv(&report),
    })?;
    Ok(report.exit())
}

fn human(report: &Reported) -> String {
    let mut text: String = facts_of(report).iter().map(|(name, words)| fact(name, words)).collect();
    match &report.against {
        None => {
            let _ = write!(text, "\n{}\n", days(report).trim_fmt());
        }
        Some(against) => {
            text += &promised(against);
            if !report.recorded.is_lived {
                text += &fact("Note", "the run is a replay: what it keeps, live has yet to keep");
            }
            let _ = write!(text, "\n{}\n", sides(&against.promise).trim_fmt());
            let _ = write!(text, "\n{}\n", compared(&against.promise).trim_fmt());
        }
    }
    text
}

/// A label and what stands behind it.
pub(super) type Fact = (&'static str, String);

/// What a run is and earned, in a few lines; the page has them too.
pub(super) fn facts_of(report: &Reported) -> Vec<Fact> {
    let Reported { place, recorded, economics, .. } = report;
    let days = &economics.days;
    let ends = days.first().zip(days.last());
    let span = ends.map_or_else(String::new, |((a, _), (b, _))| format!("{a} to {b} · "));
    let how = if recorded.is_lived { "lived on paper" } else { "replayed" };
    let mut span = format!("{span}{} sessions · {how}", days.len());
    if let Some(date) = recorded.under_way {
        let _ = write!(span, " · {date} is not over and left out");
    }
    let mut facts = vec![
        ("Run", format!("{} · {}", place.display(), facts::config(&recorded.run))),
        ("Days", span),
        ("Trades", ended(&economics.total, economics.open)),
    ];
    facts.extend(money(&economics.total));
    facts.push(("Charged", charged(report)));
    facts.push(("Time", time_stop(report)));
    facts
}

/// How trades ended, each with its share.
fn ended(total: &Figures, open: usize) -> String {
    let share = |count: u64| {
        let percent = percent(count, total.trades);
        percent.map_or_else(String::new, |percent| format!(" ({percent:.1} %)"))
    };
    let mut text = format!("{} · win {}{}", total.trades, total.wins, share(total.wins));
    for (reason, count) in &total.ended_by {
        let _ = write!(text, " · {reason} {count}{}", share(*count));
    }
    if open > 0 {
        let _ = write!(text, " · {open} still open, in no sum");
    }
    text
}

fn money(total: &Figures) -> [Fact; 2] {
    let Charges { recorded, nse, plan } = total.fees;
    let net = |fees| rupees(total.gross.minus(fees));
    let profit = format!("net {} · gross {}", rupees(total.net()), rupees(total.gross));
    let fees = format!(
        "as recorded {} · nse {} (net {}) · plan {} (net {})",
        rupees(recorded),
        rupees(nse),
        net(nse),
        rupees(plan),
        net(plan),
    );
    [("Profit", profit), ("Fees", fees)]
}

fn charged(report: &Reported) -> String {
    let (fills, name) = (report.economics.fills, &report.recorded.run.config.fees.name);
    match report.misfees {
        0 => format!("every fee of {fills} fills is what schedule {name} charges"),
        off => format!("MISSED · {off} of {fills} fees are not what schedule {name} charges"),
    }
}

fn time_stop(report: &Reported) -> String {
    let stop = report.economics.time_stop(report.time_stop_bars());
    let (bars, ended, longest) = (stop.bars, stop.ended, stop.longest);
    let mut text = match report.keeps_time_stop() {
        true => format!("time-stop at {bars} bars: met"),
        false => format!("time-stop at {bars} bars: MISSED"),
    };
    let _ = write!(text, " · {ended} ended so · longest {longest} bars");
    for (places, words) in [(&stop.early, "before it"), (&stop.late, "later than it")] {
        let Some(first) = places.first() else { continue };
        let trade = &report.economics.trades[*first];
        let (key, entry) = (&report.recorded.account.keys[trade.instrument], trade.entry_time);
        let (count, held) = (places.len(), trade.bars_held);
        let _ = write!(text, " · {count} {words}, first {key} of {entry} after {held}");
    }
    text
}

fn days(report: &Reported) -> Table {
    let mut table = table(&["Day", "Trades", "Gross ₹", "Fees ₹", "Net ₹", "Running ₹"], 1);
    let mut running = Cash::ZERO;
    for (date, day) in &report.economics.days {
        running = running.plus(day.net());
        let amounts = [day.gross, day.fees.recorded, day.net(), running].map(amount);
        table.add_row([date.to_string(), day.trades.to_string()].into_iter().chain(amounts));
    }
    table
}

fn promised(against: &Against) -> String {
    let Against { place, golden, promise } = against;
    let kind = if golden.is_some() { "golden" } else { "run" };
    let days = promise.days.len();
    let mut text =
        fact("Against", &format!("{kind} {} · {days} sessions of both", place.display()));
    let lacking = [(&promise.only_paper, "paper"), (&promise.only_backtest, "the backtest")];
    for (days, side) in lacking.iter().filter(|(days, _)| !days.is_empty()) {
        let days = days.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
        text += &fact("", &format!("only {side} has {days}"));
    }
    text + &fact("Promise", &verdict(promise))
}

/// The plan's criterion in words.
pub(super) fn verdict(promise: &Promise) -> String {
    let (word, windows) = (promise.verdict().word(), promise.windows.len());
    let (within, days) = (promise.within(), promise.days.len());
    if promise.verdict() == Verdict::Open {
        return format!("{word} · {days} sessions, and {SESSIONS} in a row are needed");
    }
    let mut text = format!("{word} · {within} of {windows} five-session windows within 10 %");
    let worst = promise.worst().filter(|window| window.net.deviation() != Some(0));
    if let Some(Window { first, last, net }) = worst {
        let _ = write!(text, " · furthest off {first} to {last}: {}", off(*net));
    }
    text
}

/// The deviation in words.
pub(super) fn off(pair: Pair) -> String {
    figures::deviation(pair).map_or_else(|| "from 0".to_owned(), |percent| format!("{percent} %"))
}

/// Both sides over the days that both cover.
fn sides(promise: &Promise) -> Table {
    let mut table = table(&["₹", "Paper", "Backtest", "Difference"], 1);
    let Promise { paper, backtest, .. } = promise;
    type Amount = fn(&Figures) -> Cash;
    let amounts: [(&str, Amount); 5] = [
        ("Net", |side| side.net()),
        ("Gross", |side| side.gross),
        ("Fees", |side| side.fees.recorded),
        ("Fees, nse", |side| side.fees.nse),
        ("Fees, plan", |side| side.fees.plan),
    ];
    for (name, of) in amounts {
        let (ours, theirs) = (of(paper), of(backtest));
        table.add_row([name.to_owned(), amount(ours), amount(theirs), amount(ours.minus(theirs))]);
    }
    type Count = fn(&Figures) -> u64;
    let counts: [(&str, Count); 5] = [
        ("Trades", |side| side.trades),
        ("Win", |side| side.wins),
        ("Target", |side| side.ended(OrderReason::Target)),
        ("Stop", |side| side.ended(OrderReason::Stop)),
        ("Time-stop", |side| side.ended(OrderReason::TimeStop)),
    ];
    for (name, of) in counts {
        let rate = |side: &Figures| percent(of(side), side.trades).filter(|_| name != "Trades");
        let words = |side: &Figures| match rate(side) {
            Some(percent) => format!("{} ({percent:.1} %)", of(side)),
            None => grouped(of(side)),
        };
        let apart = match rate(paper).zip(rate(backtest)) {
            Some((ours, theirs)) => format!("{:+.1} points", ours - theirs),
            None => format!("{:+}", of(paper).cast_signed() - of(backtest).cast_signed()),
        };
        table.add_row([name.to_owned(), words(paper), words(backtest), apart]);
    }
    table
}

/// Every day of both, with the five sessions that it ends.
fn compared(promise: &Promise) -> Table {
    let header = ["Day", "Paper ₹", "Backtest ₹", "Off", "Five: paper", "backtest", "Off", ""];
    let mut table = table(&header, 1);
    for (date, net) in &promise.days {
        let mut row = vec![date.to_string(), amount(net.paper), amount(net.backtest), off(*net)];
        match promise.windows.iter().find(|window| window.last == *date) {
            Some(Window { net, .. }) => row.extend([
                amount(net.paper),
                amount(net.backtest),
                off(*net),
                if net.is_within() { "met" } else { "MISSED" }.to_owned(),
            ]),
            None => row.extend(["", "", "", ""].map(str::to_owned)),
        }
        table.add_row(row);
    }
    table
}

/// An amount in a column of rupees.
fn amount(amount: Cash) -> String {
    rupees(amount).replace("₹ ", "")
}

/// A table whose columns from place `numbers` on are numbers.
fn table(header: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(header);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One row a day: the run's own figures, and where there is another side, that one's profit.
fn csv(report: &Reported) -> String {
    let into_memory = "writing CSV into memory cannot fail: all rows have the same columns";
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = [
        "date",
        "trades",
        "wins",
        "gross",
        "fees",
        "fees_nse",
        "fees_plan",
        "net",
        "backtest_net",
        "difference",
        "deviation_percent",
        "five_paper",
        "five_backtest",
        "five_deviation_percent",
        "five_within",
    ];
    writer.write_record(columns).expect(into_memory);
    for (date, day) in &report.economics.days {
        let Charges { recorded, nse, plan } = day.fees;
        let amounts = [day.gross, recorded, nse, plan, day.net()].map(|amount| amount.to_string());
        let counts = [date.to_string(), day.trades.to_string(), day.wins.to_string()];
        let promise = report.against.as_ref().map(|against| &against.promise);
        let net = promise.and_then(|promise| promise.days.iter().find(|(other, _)| other == date));
        let window = promise.and_then(|it| it.windows.iter().find(|window| window.last == *date));
        let percent = |pair| figures::deviation(pair).unwrap_or_default();
        let day = net.map_or_else(<[String; 3]>::default, |(_, net)| {
            [net.backtest.to_string(), net.difference().to_string(), percent(*net)]
        });
        let five = window.map_or_else(<[String; 4]>::default, |Window { net, .. }| {
            let amounts = [net.paper, net.backtest].map(|amount| amount.to_string());
            let [paper, backtest] = amounts;
            [paper, backtest, percent(*net), net.is_within().to_string()]
        });
        let row = counts.into_iter().chain(amounts).chain(day).chain(five);
        writer.write_record(row).expect(into_memory);
    }
    let bytes = writer.into_inner().expect(into_memory);
    String::from_utf8(bytes).expect("all cells are text")
}
