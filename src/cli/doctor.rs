//! `lockstep doctor`: looks at the surroundings and says, a line each, what is well, what is worth
//! knowing, and what is wrong with what to do about it.
//!
//! What is looked at is gathered at the edge; what it means is decided by functions of it alone.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use super::config::check::{Findings, inspect};
use super::config::market::hours;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{print, stdout_paint};
use super::{golden, prepare};
use crate::domain::event::CORE_VERSION;
use crate::domain::time::Date;
use crate::driver::case;
use crate::golden::render::Paint;
use crate::golden::store::{self, CaseStatus};
use crate::sources::market::Market;

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
}

/// The case that comes with the repository.
const SAMPLE: &str = "sample";
/// Days ahead that the calendar should know.
const DAYS_AHEAD: i32 = 30;
/// The time zone in which all times are shown.
const ZONE: &str = "Asia/Kolkata";
/// Names of things that are spelled out in one line.
const NAMES_MAX: usize = 5;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it should be.
    Ok,
    /// Worth knowing; everything works.
    Note,
    /// Something will not work.
    Problem,
}

/// What was found about one thing.
#[derive(Clone, Debug)]
struct Line {
    label: &'static str,
    state: State,
    fact: String,
    /// What to do about it.
    help: Option<String>,
}

impl Line {
    fn new(label: &'static str, state: State, fact: impl Into<String>) -> Line {
        Line { label, state, fact: fact.into(), help: None }
    }

    fn hint(mut self, help: impl Into<String>) -> Line {
        self.help = Some(help.into());
        self
    }
}

/// Runs `lockstep doctor`.
///
/// # Errors
/// Only when the report cannot be written; a problem is no error but [`Exit::Usage`].
pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let now = super::clock::now();
    let paint = stdout_paint();
    let mut lines = vec![version(cfg!(debug_assertions)), cores(), zone(machine_zone().as_deref())];
    let width = comfy_table::Table::new().width();
    lines.push(terminal(io::stdout().is_terminal(), paint == Paint::Ansi, width));
    match prepare::market() {
        Ok(facts) => {
            lines.extend(market(&facts, now.date()));
            lines.extend(cases(&args.replays, &facts));
        }
        Err(failure) => lines.push(market_unreadable(&failure)),
    }
    lines.extend(goldens(store::status(&args.replays, &args.golden, now.date())));
    lines.push(writable(&args.journal, probe(&args.journal)));
    lines.extend(unfinished(&args.journal));
    print(&text(&lines, paint))?;
    Ok(exit(&lines))
}

fn exit(lines: &[Line]) -> Exit {
    match lines.iter().any(|line| line.state == State::Problem) {
        true => Exit::Usage,
        false => Exit::Same,
    }
}

fn text(lines: &[Line], paint: Paint) -> String {
    let mut text = String::new();
    for Line { label, state, fact, help } in lines {
        let (word, code) = match state {
            State::Ok => ("ok", "32"),
            State::Note => ("note", "33"),
            State::Problem => ("problem", "1;31"),
        };
        let word = match paint {
            Paint::Plain => format!("{word:<7}"),
            Paint::Ansi => format!("\x1b[{code}m{word:<7}\x1b[0m"),
        };
        writeln!(text, "   {label:<8} {word} {fact}").expect("a String takes everything");
        if let Some(help) = help {
            writeln!(text, "   {:<16} help: {help}", "").expect("a String takes everything");
        }
    }
    text
}

fn version(is_debug: bool) -> Line {
    let fact = format!("lockstep {} · core {CORE_VERSION}", env!("CARGO_PKG_VERSION"));
    match is_debug {
        false => Line::new("Version", State::Ok, format!("{fact} · release build")),
        true => {
            Line::new("Version", State::Note, format!("{fact} · debug build, many times slower"))
                .hint("`cargo build --release` builds the quick one")
        }
    }
}

fn cores() -> Line {
    match std::thread::available_parallelism() {
        Ok(count) => Line::new("Cores", State::Ok, count.to_string()),
        Err(error) => Line::new("Cores", State::Note, format!("not known: {error}"))
            .hint("`--threads N` says how many to use; otherwise it is one"),
    }
}

/// The zone's name as the machine is set: `TZ`, or where its clock file points.
fn machine_zone() -> Option<String> {
    let named = std::env::var("TZ").ok().map(|name| name.trim_start_matches(':').to_owned());
    named.filter(|name| !name.is_empty()).or_else(|| {
        let target = fs::read_link("/etc/localtime").ok()?;
        let (_, name) = target.to_str()?.split_once("zoneinfo/")?;
        Some(name.to_owned())
    })
}

fn zone(name: Option<&str>) -> Line {
    match name {
        // The old name is a link to the new one.
        Some(name @ (ZONE | "Asia/Calcutta")) => Line::new("Zone", State::Ok, name),
        other => Line::new(
            "Zone",
            State::Note,
            format!("{}: does not matter, times are shown in {ZONE}", other.unwrap_or("not known")),
        ),
    }
}

fn terminal(is_terminal: bool, is_coloured: bool, width: Option<u16>) -> Line {
    let colour = if is_coloured { "colour" } else { "no colour" };
    let fact = match (is_terminal, width) {
        (false, _) => "stdout is none: no colour, tables as wide as they are".to_owned(),
        (true, None) => format!("{colour} · width not known"),
        (true, Some(width)) => format!("{colour} · {width} columns"),
    };
    match width {
        Some(width) if is_terminal && width < 80 => {
            Line::new("Terminal", State::Note, fact).hint("tables are made for 80 columns and more")
        }
        _ => Line::new("Terminal", State::Ok, fact),
    }
}

fn market_unreadable(failure: &Failure) -> Line {
    let fact = format!("{}: {}", failure.what, failure.why.join("; "));
    Line::new("Market", State::Problem, fact).hint("take market/ from version control and rebuild")
}

/// Whether the market facts cover the days that a live run needs.
fn market(facts: &Market, today: Date) -> Vec<Line> {
    let calendar = &facts.calendar;
    let listed: Vec<String> = calendar.years.iter().map(i32::to_string).collect();
    let fact = format!("{} · lists {}", calendar.version, listed.join(", "));
    let ahead = today.plus_days(DAYS_AHEAD);
    let line = match calendar.between(today, ahead) {
        Ok(sessions) => {
            let fact = format!("{fact} · {} sessions from {today} to {ahead}", sessions.len());
            Line::new("Calendar", State::Ok, fact)
        }
        Err(unlisted) => {
            let year = unlisted.year;
            let when = match year == today.ymd().0 {
                true => "this year".to_owned(),
                false => format!("less than {DAYS_AHEAD} days ahead"),
            };
            let fact = format!("{fact} · not {year}, {when}: nothing can run in it");
            Line::new("Calendar", State::Note, fact)
                .hint(format!("add {year} to market/nse_calendar.toml from the exchange's list"))
        }
    };
    let next = calendar.sessions.iter().find(|session| session.date >= today);
    let next = next.map(|session| {
        let day = if session.date == today { "today" } else { "next" };
        let windows: Vec<String> = session.windows.iter().map(hours).collect();
        let (date, kind) = (session.date, session.kind);
        Line::new("Session", State::Ok, format!("{day} {date} {} · {kind}", windows.join(" ")))
    });
    let doubts = match facts.doubts.iter().filter(|doubt| doubt.from >= today).count() {
        0 => None,
        count => Some(
            Line::new("Doubts", State::Note, format!("{count} market facts ahead are unsure"))
                .hint("`lockstep config market` lists them"),
        ),
    };
    [Some(line), next, doubts].into_iter().flatten().collect()
}

/// The cases that can be replayed in one line, each other in its own.
fn cases(replays: &Path, facts: &Market) -> Vec<Line> {
    let names = match case::names(replays) {
        Ok(names) => names,
        Err(error) => {
            let fact = format!("{} cannot be listed: {error}", replays.display());
            let help = "run in the repository's folder, or name one with --replays";
            return vec![Line::new("Cases", State::Problem, fact).hint(help)];
        }
    };
    let (mut good, mut lines) = (Vec::new(), Vec::new());
    for name in &names {
        let Findings { mistakes, warnings, .. } = inspect(name, replays, facts);
        if let Some(first) = mistakes.first() {
            lines.push(case_wrong(name, first, mistakes.len()));
            continue;
        }
        good.push(name.as_str());
        if !warnings.is_empty() {
            let fact = format!("{name}: {} symbols have a wrong label", warnings.len());
            let help = format!("`lockstep config check --case {name}` says which");
            lines.push(Line::new("Cases", State::Note, fact).hint(help));
        }
    }
    if !good.is_empty() {
        let fact = format!("{} with all their data: {}", good.len(), shortened(&good));
        lines.insert(0, Line::new("Cases", State::Ok, fact));
    }
    if !names.iter().any(|name| name == SAMPLE) {
        let fact = format!("the case '{SAMPLE}' is not below {}", replays.display());
        let help = "run in the repository's folder, or name a case with --case";
        lines.push(Line::new("Cases", State::Note, fact).hint(help));
    }
    lines
}

fn case_wrong(name: &str, first: &Failure, count: usize) -> Line {
    let place = first.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    let more = if count == 1 { String::new() } else { format!(", and {} more", count - 1) };
    let fact = format!("{name}: {}{place}{more}", first.what);
    let help = match name {
        SAMPLE => "take replays/sample from version control, or `cargo xtask sample`".to_owned(),
        _ => format!("`lockstep config check --case {name}` says everything"),
    };
    Line::new("Cases", State::Problem, fact).hint(help)
}

/// The goldens that are as they were accepted in one line, each other in its own.
fn goldens(stock: Result<Vec<CaseStatus>, crate::golden::Error>) -> Vec<Line> {
    let stock = match stock {
        Ok(stock) => stock,
        Err(error) => {
            let failure = golden::failure(error, "CASE");
            let place = failure.place.unwrap_or_default();
            let fact = format!("{} {place}: {}", failure.what, failure.why.join("; "));
            return vec![
                Line::new("Golden", State::Problem, fact)
                    .hint("`lockstep golden status` takes stock once that is mended"),
            ];
        }
    };
    let (good, bad): (Vec<_>, Vec<_>) = stock.iter().partition(|it| it.problems.is_empty());
    let names: Vec<&str> = good.iter().map(|it| it.case.as_str()).collect();
    let fact = match names.len() {
        0 => Line::new("Golden", State::Note, "none that is complete")
            .hint("`lockstep golden accept --case CASE --reason TEXT` writes one"),
        count => {
            Line::new("Golden", State::Ok, format!("{count} as accepted: {}", shortened(&names)))
        }
    };
    let bad = bad.into_iter().map(|it| {
        let problems: Vec<String> = it.problems.iter().map(ToString::to_string).collect();
        // A case that nothing checks still runs; a golden that was changed proves nothing.
        let (state, help) = match it.problems.as_slice() {
            [store::Problem::GoldenMissing] => {
                (State::Note, format!("`lockstep golden accept --case {} --reason TEXT`", it.case))
            }
            _ => (State::Problem, "take it from version control, or accept it anew".to_owned()),
        };
        Line::new("Golden", state, format!("{}: {}", it.case, problems.join("; "))).hint(help)
    });
    std::iter::once(fact).chain(bad).collect()
}

/// Makes and removes a file in `dir`, or where `dir` would be made.
fn probe(dir: &Path) -> io::Result<PathBuf> {
    let exists = |dir: &&Path| dir.as_os_str().is_empty() || dir.exists();
    let place = dir.ancestors().find(exists).unwrap_or(dir);
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let file = place.join(format!(".lockstep-doctor.{}", std::process::id()));
    fs::write(&file, b"doctor")?;
    fs::remove_file(&file)?;
    Ok(place.to_path_buf())
}

fn writable(dir: &Path, probed: io::Result<PathBuf>) -> Line {
    let shown = dir.display();
    match probed {
        Ok(place) if place == dir => {
            Line::new("Runs", State::Ok, format!("{shown} can be written"))
        }
        Ok(_) => Line::new("Runs", State::Ok, format!("{shown} is not there yet and can be made")),
        Err(error) => {
            Line::new("Runs", State::Problem, format!("{shown} cannot be written: {error}"))
                .hint("give the rights, or another directory with --journal")
        }
    }
}

/// What replays left behind that did not end.
fn unfinished(dir: &Path) -> Option<Line> {
    let entries = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
    if names.is_empty() {
        return None;
    }
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fact = format!("{} unfinished in {}: {}", names.len(), dir.display(), shortened(&names));
    let help = "remove them when no replay is running; each name ends in its process id";
    Some(Line::new("Runs", State::Note, fact).hint(help))
}

fn shortened(names: &[&str]) -> String {
    match names.len().checked_sub(NAMES_MAX) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::store::Problem;

    fn plain(lines: &[Line]) -> String {
        text(lines, Paint::Plain)
    }

    #[test]
    fn the_calendar_has_to_reach_a_month_ahead() {
        let facts = Market::embedded().unwrap();
        let on = |day: &str| plain(&market(&facts, Date::parse(day).unwrap()));
        let days = ["2024-11-01", "2026-11-23", "2026-12-10", "2027-01-05"].map(on);
        insta::assert_snapshot!(days.join("\n"), @"
        Calendar ok      nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · 19 sessions from 2024-11-01 to 2024-12-01
        Session  ok      today 2024-11-01 18:00-19:00 · muhurat
        Doubts   note    3 market facts ahead are unsure
                         help: `lockstep config market` lists them

        Calendar ok      nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · 22 sessions from 2026-11-23 to 2026-12-23
        Session  ok      today 2026-11-23 09:15-15:30 · regular

        Calendar note    nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · not 2027, less than 30 days ahead: nothing can run in it
                         help: add 2027 to market/nse_calendar.toml from the exchange's list
        Session  ok      today 2026-12-10 09:15-15:30 · regular

        Calendar note    nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · not 2027, this year: nothing can run in it
                         help: add 2027 to market/nse_calendar.toml from the exchange's list
        ");
    }

    #[test]
    fn zone_terminal_and_build_are_never_problems() {
        let lines = [
            version(true),
            version(false),
            zone(Some("Asia/Kolkata")),
            zone(Some("Etc/UTC")),
            zone(None),
            terminal(true, true, Some(120)),
            terminal(true, false, Some(60)),
            terminal(false, false, None),
        ];
        insta::assert_snapshot!(plain(&lines), @"
        Version  note    lockstep 0.1.0 · core 2 · debug build, many times slower
                         help: `cargo build --release` builds the quick one
        Version  ok      lockstep 0.1.0 · core 2 · release build
        Zone     ok      Asia/Kolkata
        Zone     note    Etc/UTC: does not matter, times are shown in Asia/Kolkata
        Zone     note    not known: does not matter, times are shown in Asia/Kolkata
        Terminal ok      colour · 120 columns
        Terminal note    no colour · 60 columns
                         help: tables are made for 80 columns and more
        Terminal ok      stdout is none: no colour, tables as wide as they are
        ");
        assert_eq!(exit(&lines), Exit::Same);
    }

    #[test]
    fn the_state_is_painted_where_somebody_looks() {
        let line = Line::new("Runs", State::Problem, "gone");
        assert_eq!(
            text(std::slice::from_ref(&line), Paint::Ansi),
            "   Runs     \x1b[1;31mproblem\x1b[0m gone\n"
        );
        assert_eq!(exit(&[line]), Exit::Usage);
    }

    #[test]
    fn the_repository_is_well() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let facts = Market::embedded().unwrap();
        let mut lines = cases(&root.join("replays"), &facts);
        lines.extend(goldens(store::status(
            &root.join("replays"),
            &root.join("golden"),
            Date::default(),
        )));
        insta::assert_snapshot!(plain(&lines), @"
        Cases    ok      1 with all their data: sample
        Cases    note    sample: 2 symbols have a wrong label
                         help: `lockstep config check --case sample` says which
        Golden   ok      1 as accepted: sample
        ");
    }

    #[test]
    fn a_case_that_cannot_run_is_a_problem() {
        let replays = tempfile::tempdir().unwrap();
        let dir = replays.path().join("bad");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(case::FILE), "data = 'd'\nfrom = 5\n").unwrap();
        let lines = cases(replays.path(), &Market::embedded().unwrap());
        let shown = plain(&lines).replace(&replays.path().display().to_string(), "replays");
        insta::assert_snapshot!(shown, @r#"
        Cases    problem bad: from is 5, but must be a month like "2024-10" or a day like "2024-10-31" (replays/bad/case.toml:2:8), and 3 more
                         help: `lockstep config check --case bad` says everything
        Cases    note    the case 'sample' is not below replays
                         help: run in the repository's folder, or name a case with --case
        "#);
        assert_eq!(exit(&lines), Exit::Usage);
        let gone = cases(&dir.join("gone"), &Market::embedded().unwrap());
        assert_eq!(exit(&gone), Exit::Usage);
    }

    #[test]
    fn a_golden_that_was_changed_is_a_problem_and_a_missing_one_is_not() {
        let status = |case: &str, problems: Vec<Problem>| CaseStatus {
            case: case.to_owned(),
            rows: None,
            accepted: None,
            exceptions: Vec::new(),
            problems,
        };
        let fresh = || status("fresh", vec![Problem::GoldenMissing]);
        let lines = goldens(Ok(vec![fresh()]));
        assert_eq!(exit(&lines), Exit::Same);
        let edited = status("edited", vec![Problem::NotAccepted, Problem::Orphan]);
        let lines = goldens(Ok(vec![edited, fresh(), status("good", Vec::new())]));
        assert_eq!(exit(&lines), Exit::Usage);
        insta::assert_snapshot!(plain(&lines), @"
        Golden   ok      1 as accepted: good
        Golden   problem edited: digest is not what the last entry of accepted.toml accepted; orphan: no such case, so nothing checks this golden
                         help: take it from version control, or accept it anew
        Golden   note    fresh: no golden, so nothing checks this case
                         help: `lockstep golden accept --case fresh --reason TEXT`
        ");
    }

    #[test]
    fn the_runs_folder_is_tried_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("deep/runs");
        assert_eq!(probe(&runs).unwrap(), root.path());
        fs::create_dir_all(&runs).unwrap();
        assert_eq!(probe(&runs).unwrap(), runs);
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 0);
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let line = writable(Path::new("runs"), probe(&file.join("runs")));
        assert_eq!(line.state, State::Problem);
    }

    #[test]
    fn what_was_left_unfinished_is_named() {
        let runs = tempfile::tempdir().unwrap();
        assert!(unfinished(runs.path()).is_none());
        let names = (1..=7).map(|number| format!(".sample-{number}.42"));
        for name in names.chain(["sample-done".to_owned()]) {
            fs::create_dir(runs.path().join(name)).unwrap();
        }
        fs::write(runs.path().join(".gitignore"), "*").unwrap();
        let shown = plain(&[unfinished(runs.path()).unwrap()]);
        let shown = shown.replace(&runs.path().display().to_string(), "runs");
        insta::assert_snapshot!(shown, @"
        Runs     note    7 unfinished in runs: .sample-1.42, .sample-2.42, .sample-3.42, .sample-4.42, .sample-5.42 and 2 more
                         help: remove them when no replay is running; each name ends in its process id
        ");
    }
}
