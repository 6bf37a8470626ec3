//! `lockstep report observation`: the signal files of several days as one observation, and whether
//! the plan's conditions for looking on are met: every signal on a bar of the session, no errors.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::facts::counts;
use crate::cli::failure::Failure;
use crate::cli::prepare;
use crate::cli::terminal::{self, fact};
use crate::domain::time::{Date, Window};
use crate::driver::plan::PlanError;
use crate::sinks::report::observation::files::{self, FilesError, Merged};
use crate::sinks::report::observation::{Observation, Tally, judge};
use crate::sources::market::Market;

use super::economics::Format;

/// What `lockstep report observation` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ObservationArgs {
    /// The folder with pixityAI_signals_{date}.csv, or the one that was given to --csv
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Only the rows of the run whose id begins so
    #[arg(long, value_name = "RUN_ID")]
    pub run: Option<String>,
    /// Write the rows of all days into one file, which `lockstep golden align` takes
    #[arg(long, value_name = "FILE")]
    pub merged: Option<PathBuf>,
    /// What goes to stdout: human, json, or csv (one row a day)
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Signals that are listed because something is wrong with their bar.
const LISTED: usize = 20;

/// Symbols that have a column each.
const SYMBOLS: usize = 2;

/// Runs `lockstep report observation`.
///
/// # Errors
/// When there are no files, or they cannot be one observation. A signal on no bar of the session,
/// or one whose bar lacked minutes, is no error but [`Exit::Differs`].
pub(super) fn run(args: &ObservationArgs, market: &Market) -> Result<Exit, Failure> {
    let merged = files::read(&args.folder, args.run.as_deref()).map_err(files_failure)?;
    let observation = judged(&merged, args, market)?;
    if let Some(file) = &args.merged {
        std::fs::write(file, merged.to_csv()).map_err(|error| {
            Failure::new(Exit::Io, "failed to write the merged file")
                .at(file.display())
                .because(error)
        })?;
    }
    let exit = if observation.total.is_clean() { Exit::Same } else { Exit::Differs };
    terminal::print(&match args.format {
        Format::Human => human(args, &merged, &observation),
        Format::Json => format!("{:#}\n", document(args, &merged, &observation, exit)),
        Format::Csv => csv(&observation),
    })?;
    Ok(exit)
}

fn judged(
    merged: &Merged,
    args: &ObservationArgs,
    market: &Market,
) -> Result<Observation, Failure> {
    let first = merged.days.first().copied().unwrap_or_default();
    let last = merged.days.last().copied().unwrap_or_default();
    let sessions = market.calendar.between(first, last);
    let sessions =
        sessions.map_err(|error| prepare::plan_failure(&PlanError::UnlistedYear(error)))?;
    let dates: Vec<Date> = sessions.iter().map(|session| session.date).collect();
    if let Some(day) = merged.days.iter().find(|day| !dates.contains(day)) {
        return Err(Failure::new(Exit::Damaged, "there is a file for a day without a session")
            .at(args.folder.display())
            .because(format!("the exchange did not trade on {day}"))
            .hint("`lockstep config market` lists the calendar"));
    }
    let hours = |key: &str, date: Date| -> Vec<Window> {
        let session = sessions.iter().find(|session| session.date == date);
        session.map_or_else(Vec::new, |session| match market.instrument(key) {
            Some(instrument) => session.windows_of(instrument).to_vec(),
            None => session.windows.clone(),
        })
    };
    Ok(judge(&merged.signals, &merged.days, &dates, &hours))
}

fn files_failure(error: FilesError) -> Failure {
    match error {
        FilesError::Io { path, source } => {
            Failure::new(Exit::Io, "failed to read the signal files")
                .at(path.display())
                .because(source)
        }
        FilesError::NoFiles { .. } | FilesError::Empty { .. } => {
            Failure::new(Exit::Nothing, "there is nothing to judge")
                .because(error)
                .hint("`lockstep live --observe --csv DIR` writes such files")
                .hint("`lockstep project RUN --csv DIR` writes them from a journal")
        }
        FilesError::Row { path, line, what } => {
            Failure::new(Exit::Damaged, "a signal file contradicts itself")
                .at(format!("{}:{line}", path.display()))
                .because(what)
                .hint("`lockstep project RUN --csv DIR` writes the files anew from the journal")
        }
        FilesError::Overlap { path, line, what } => Failure::new(Exit::Usage, "the files overlap")
            .at(format!("{}:{line}", path.display()))
            .because(what)
            .hint("--run RUN_ID takes the rows of one run"),
    }
}

fn human(args: &ObservationArgs, merged: &Merged, found: &Observation) -> String {
    let Observation { days, total, .. } = found;
    let ends = days.first().zip(days.last());
    let span = ends.map_or_else(String::new, |((a, _), (b, _))| format!("{a} to {b}"));
    let mut text =
        fact("Files", &format!("{} · {span} · {} days", args.folder.display(), days.len()));
    if merged.left_out > 0 {
        text += &fact("", &format!("{} rows of other runs are left out", merged.left_out));
    }
    if !found.silent.is_empty() {
        let silent = found.silent.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
        text += &fact("No file", &format!("no signal, or nobody looked: {silent}"));
    }
    let rate = found.per_symbol_and_day();
    let mut signals = format!("{} · {rate:.2} a symbol and day", total.signals);
    signals += &format!(" · {} taken", total.taken);
    if !total.declined.is_empty() {
        signals += &format!(" · {}", counts(&total.declined));
    }
    text += &fact("Signals", &signals);
    text += &fact("Bars", &bars(total));
    let errors = match total.errors() {
        0 => "met · no bar of a signal lacked minutes".to_owned(),
        count => format!("MISSED · bars of {count} signals lacked minutes"),
    };
    text += &fact("Errors", &errors);
    text += &format!("\n{}\n", table(found).trim_fmt());
    for (place, what) in found.findings.iter().take(LISTED) {
        let one = &merged.signals[*place];
        let file = format!("{} line {}", one.day, one.line);
        text += &format!("   {file}: {} {} {}\n", one.key, one.bar_time, what.word());
    }
    if found.findings.len() > LISTED {
        text += &format!("   … and {} more\n", found.findings.len() - LISTED);
    }
    text
}

fn bars(total: &Tally) -> String {
    let verdict = if total.misaligned.is_empty() { "met" } else { "MISSED" };
    let mut text = format!("{verdict} · {} of {} aligned", total.aligned(), total.signals);
    for (what, count) in &total.misaligned {
        text += &format!(" · {} {count}", what.word());
    }
    match total.late {
        0 => text + " · all known when their bar closed",
        late => {
            let seconds = total.late_us_max as f64 / 1e6;
            text + &format!(" · {late} known later, the latest by {seconds:.0} s")
        }
    }
}

fn table(found: &Observation) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    // More columns than these do not fit; JSON has them all.
    let keys: Vec<&String> = found.total.by_key.keys().collect();
    let keys = if keys.len() > SYMBOLS { Vec::new() } else { keys };
    let header = ["Day", "Signals", "Taken", "Aligned", "Late", "Errors"].map(str::to_owned);
    table.set_header(header.into_iter().chain(keys.iter().map(|key| (*key).clone())));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let all = ("All".to_owned(), &found.total);
    let days = found.days.iter().map(|(date, day)| (date.to_string(), day));
    for (name, day) in days.chain([all]) {
        let numbers = [day.signals, day.taken, day.aligned(), day.late, day.errors()];
        let of_key = keys.iter().map(|key| day.by_key.get(*key).copied().unwrap_or_default());
        let numbers = numbers.into_iter().chain(of_key).map(|number| number.to_string());
        table.add_row(std::iter::once(name).chain(numbers));
    }
    table
}

fn document(args: &ObservationArgs, merged: &Merged, found: &Observation, exit: Exit) -> Value {
    let list = |days: &[Date]| days.iter().map(ToString::to_string).collect::<Vec<_>>();
    let findings = found.findings.iter().map(|(place, what)| {
        let one = &merged.signals[*place];
        json!({
            "day": one.day.to_string(), "line": one.line, "symbol": one.key,
            "bar": one.bar_time.to_string(), "told": one.told.to_string(), "what": what.word(),
            "signal_id": one.signal_id,
        })
    });
    let days = found.days.iter().map(|(date, day)| {
        let mut value = tally(day);
        value["date"] = json!(date.to_string());
        value
    });
    json!({
        "folder": args.folder.display().to_string(),
        "sessions_without_file": list(&found.silent),
        "rows_left_out": merged.left_out,
        "per_symbol_and_day": found.per_symbol_and_day(),
        "total": tally(&found.total),
        "days": days.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "exit": exit as u8,
    })
}

fn tally(tally: &Tally) -> Value {
    let words = |(reason, count): (&crate::domain::fact::RejectReason, &u64)| {
        (reason.to_string(), json!(count))
    };
    let misaligned =
        tally.misaligned.iter().map(|(what, count)| (what.word().into(), json!(count)));
    json!({
        "signals": tally.signals,
        "taken": tally.taken,
        "declined": tally.declined.iter().map(words).collect::<serde_json::Map<_, _>>(),
        "aligned": tally.aligned(),
        "misaligned": misaligned.collect::<serde_json::Map<_, _>>(),
        "late": tally.late,
        "late_seconds_max": tally.late_us_max as f64 / 1e6,
        "errors": tally.errors(),
        "symbols": tally.by_key,
    })
}

/// One row a day.
fn csv(found: &Observation) -> String {
    let mut text = "date,signals,taken,aligned,late,errors\n".to_owned();
    for (date, day) in &found.days {
        let Tally { signals, taken, late, .. } = day;
        let (aligned, errors) = (day.aligned(), day.errors());
        text += &format!("{date},{signals},{taken},{aligned},{late},{errors}\n");
    }
    text
}
