//! `lockstep check faults`: known faults are planted, and what explains differences has to name
//! each.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare::broken_off;
use crate::cli::terminal;
use crate::driver::align::world::World;
use crate::driver::check::faults::{Fault, Report, plant};
use crate::golden::align::class::Class;
use crate::sources::market::Market;

/// Share of right classes, in percent, below which the trial is lost.
const RIGHT_MIN_PERCENT: f64 = 95.0;

/// What `lockstep check faults` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct FaultsArgs {
    #[command(flatten)]
    selection: Selection,
    /// Faults of each class, at least
    #[arg(long, value_name = "N", default_value = "100")]
    per_class: NonZeroUsize,
    /// Seed of the faults
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

/// How often the right class was found.
#[derive(Clone, Copy, Default)]
struct Score {
    faults: usize,
    right: usize,
    differences: usize,
    right_differences: usize,
    witnesses: usize,
    vanished: usize,
}

/// Plants the faults and prints what was found.
pub fn run(args: &FaultsArgs, market: &Market) -> Result<Exit, Failure> {
    let replay = args.selection.replay(market, |_| {})?;
    let (world, _) = World::of_replay(&replay, args.selection.threads()).map_err(broken_off)?;
    let report = plant(&world, args.per_class.get(), args.seed);
    if report.faults.is_empty() {
        return Err(Failure::new(Exit::Nothing, "no fault could be planted")
            .at(args.selection.shown())
            .hint("faults need 23 sessions, warm-up included: more with --from and --to"));
    }
    let exit = if passes(&report, args.per_class.get()) { Exit::Same } else { Exit::Differs };
    terminal::print(&match args.selection.format {
        Format::Human => human(&report, exit),
        Format::Json => format!("{:#}\n", as_json(&report, args, exit)),
    })?;
    Ok(exit)
}

fn is_right(fault: &Fault) -> bool {
    fault.found.class() == Some(fault.class)
}

fn score<'a>(faults: impl Iterator<Item = &'a Fault>) -> Score {
    let mut score = Score::default();
    for fault in faults {
        score.faults += 1;
        score.right += usize::from(is_right(fault));
        score.differences += fault.found.differences();
        score.right_differences += fault.found.classes.get(&fault.class).copied().unwrap_or(0);
        score.witnesses += fault.found.witnesses;
        score.vanished += fault.found.vanished;
    }
    score
}

fn percent(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * part as f64 / of as f64 }
}

/// Whether every class has its faults, nearly all have the right class, every witness removes its
/// difference and nothing is found where there is nothing.
fn passes(report: &Report, per_class: usize) -> bool {
    let of_class = |class: Class| report.faults.iter().filter(move |fault| fault.class == class);
    let is_known = |class: &Class| {
        let score = score(of_class(*class));
        score.faults >= per_class && percent(score.right, score.faults) >= RIGHT_MIN_PERCENT
    };
    let all = score(report.faults.iter());
    Class::ALL.iter().all(is_known)
        && all.witnesses == all.vanished
        && report.untouched > 0
        && report.untouched_differences == 0
        && report.barren.is_empty()
}

fn human(report: &Report, exit: Exit) -> String {
    let mut text = matrix(report);
    text.push_str("\n\n");
    let mut kinds: BTreeMap<(Class, &str), Vec<&Fault>> = BTreeMap::new();
    for fault in &report.faults {
        kinds.entry((fault.class, fault.name)).or_default().push(fault);
    }
    let mut table = table(&["planted", "as", "faults", "right", "differences", "right", "gone"]);
    for ((class, name), faults) in kinds {
        let one = score(faults.into_iter());
        table.add_row([
            name.to_owned(),
            class.word().to_owned(),
            one.faults.to_string(),
            format!("{:.1} %", percent(one.right, one.faults)),
            terminal::grouped(one.differences as u64),
            format!("{:.1} %", percent(one.right_differences, one.differences)),
            format!("{}/{}", one.vanished, one.witnesses),
        ]);
    }
    text += &format!("{}\n\n", table.trim_fmt());
    let all = score(report.faults.iter());
    text += &terminal::fact(
        "Right",
        &format!(
            "{:.1} % of {} faults · {:.1} % of {} differences",
            percent(all.right, all.faults),
            terminal::grouped(all.faults as u64),
            percent(all.right_differences, all.differences),
            terminal::grouped(all.differences as u64)
        ),
    );
    text += &terminal::fact(
        "Witness",
        &format!(
            "{} of {} made again, difference gone",
            terminal::grouped(all.vanished as u64),
            terminal::grouped(all.witnesses as u64)
        ),
    );
    text += &terminal::fact(
        "Clean",
        &format!(
            "{} untouched lists and runs, {} differences",
            report.untouched, report.untouched_differences
        ),
    );
    let redrawn = format!("{} draws changed nothing and were drawn anew", report.without_effect);
    text += &terminal::fact("Drawn", &redrawn);
    for (class, name) in &report.barren {
        text += &terminal::fact("BARREN", &format!("{name} ({}) changed nothing", class.word()));
    }
    for (class, name) in &report.skipped {
        let why = "not tried, the history is too short to show it";
        text += &terminal::fact("SKIPPED", &format!("{name} ({}): {why}", class.word()));
    }
    let verdict = if exit == Exit::Same { "faults are told apart" } else { "NOT GOOD ENOUGH" };
    text + &terminal::fact("Verdict", verdict)
}

/// What was planted by rows, what was found by columns; a fault counts as the class of most of its
/// differences.
fn matrix(report: &Report) -> String {
    let names: Vec<String> = (1..=Class::ALL.len()).map(|number| number.to_string()).collect();
    let mut header: Vec<&str> = vec!["planted"];
    header.extend(names.iter().map(String::as_str));
    header.extend(["tie", "right"]);
    let mut table = table(&header);
    for (number, class) in (1..).zip(Class::ALL) {
        let of_class: Vec<&Fault> =
            report.faults.iter().filter(|fault| fault.class == class).collect();
        let count = |found: Option<Class>| {
            let count = of_class.iter().filter(|fault| fault.found.class() == found).count();
            if count == 0 { "·".to_owned() } else { count.to_string() }
        };
        let mut row = vec![format!("{number} {}", class.word())];
        row.extend(Class::ALL.map(|found| count(Some(found))));
        row.push(count(None));
        let one = score(of_class.iter().copied());
        row.push(format!("{:.1} %", percent(one.right, one.faults)));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A table without lines.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header(header.iter().copied());
    table
}

fn as_json(report: &Report, args: &FaultsArgs, exit: Exit) -> Value {
    let fault = |fault: &Fault| {
        let classes: BTreeMap<&str, usize> =
            fault.found.classes.iter().map(|(class, count)| (class.word(), *count)).collect();
        json!({
            "planted": fault.class.word(),
            "name": fault.name,
            "draw": fault.draw,
            "found": fault.found.class().map(Class::word),
            "differences": classes,
            "witnesses": fault.found.witnesses,
            "vanished": fault.found.vanished,
        })
    };
    let all = score(report.faults.iter());
    json!({
        "over": args.selection.shown(),
        "seed": args.seed,
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "right_percent": percent(all.right, all.faults),
        "right_differences_percent": percent(all.right_differences, all.differences),
        "witnesses": all.witnesses,
        "vanished": all.vanished,
        "untouched": report.untouched,
        "untouched_differences": report.untouched_differences,
        "drawn_anew": report.without_effect,
        "skipped": report.skipped.iter().map(|(_, name)| name).collect::<Vec<_>>(),
        "exit": exit as u8,
    })
}
