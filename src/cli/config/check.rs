//! `lockstep config check`: every mistake in the cases at once, before anything is run.

use std::fmt::Write as _;
use std::path::Path;

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::prepare;
use super::show::Shown;
use crate::driver::case::{self, Case, CaseError};
use crate::driver::plan::{Plan, PlanError, Request};
use crate::driver::replay::uncovered;
use crate::sources::market::Market;
use crate::sources::store::Store;

/// What was found in one case.
pub(in crate::cli) struct Findings {
    /// The case in one line, if it can be read.
    pub summary: Option<String>,
    /// What keeps it from running.
    pub mistakes: Vec<Failure>,
    /// Labels that are wrong; a replay says so and carries on.
    pub warnings: Vec<String>,
}

/// Checks one case or all of them.
pub(super) fn run(
    name: Option<&str>,
    replays: &Path,
    market: &Market,
) -> Result<(String, Exit), Failure> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => names(replays)?,
    };
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(8);
    let (mut text, mut wrong) = (String::new(), 0);
    for name in &names {
        let Findings { summary, mistakes, warnings } = inspect(name, replays, market);
        for warning in &warnings {
            writeln!(text, "{warning}").expect("a String takes everything");
        }
        for mistake in &mistakes {
            writeln!(text, "{mistake}").expect("a String takes everything");
        }
        let state = match (mistakes.len(), summary) {
            (0, Some(summary)) => format!("ok · {summary}{}", counted(warnings.len(), "warning")),
            (count, _) => format!("wrong{}", counted(count, "mistake")),
        };
        writeln!(text, "   {name:<width$} {state}").expect("a String takes everything");
        wrong += usize::from(!mistakes.is_empty());
    }
    Ok((text, if wrong == 0 { Exit::Same } else { Exit::Usage }))
}

fn names(replays: &Path) -> Result<Vec<String>, Failure> {
    let names = case::names(replays).map_err(|error| {
        Failure::new(Exit::Usage, "failed to list the cases")
            .at(replays.display())
            .because(error)
            .hint("--replays names the directory of the cases")
    })?;
    match names.is_empty() {
        false => Ok(names),
        true => Err(Failure::new(Exit::Nothing, "there are no cases")
            .at(replays.display())
            .because(format!("a case is a directory with a {}", case::FILE))),
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!(" · 1 {what}"),
        count => format!(" · {count} {what}s"),
    }
}

/// Looks for everything that is wrong with a case.
pub(in crate::cli) fn inspect(name: &str, replays: &Path, market: &Market) -> Findings {
    let none = |mistakes| Findings { summary: None, mistakes, warnings: Vec::new() };
    let path = replays.join(name).join(case::FILE);
    let case = match Case::load(replays, name) {
        Ok(case) => case,
        Err(CaseError::Parse { path, faults }) => {
            let mistake = |fault: case::Fault| {
                let (line, column) = fault.at;
                Failure::new(Exit::Usage, fault.what)
                    .at(format!("{}:{line}:{column}", path.display()))
            };
            return none(faults.into_iter().map(mistake).collect());
        }
        Err(error) => return none(vec![prepare::case_failure(error, replays)]),
    };
    let labels = case.symbols.iter();
    let warnings =
        labels.filter_map(|it| prepare::label_warning(it, market, case.range.first)).collect();
    let mut mistakes = Vec::new();
    let plans = plans(&case, market, |error| {
        mistakes.push(prepare::plan_failure(error).at(path.display()));
    });
    mistakes.extend(missing_data(&case, &plans));
    let days = format!("{} to {}", case.range.first, case.range.last);
    let symbols = counted(case.symbols.len(), "symbol").replacen(" · ", "", 1);
    let summary = Shown::new(Some(case), replays, market)
        .map(|shown| format!("{symbols} · {days} · configuration {}", shown.hash()))
        .ok();
    Findings { summary, mistakes, warnings }
}

/// A plan for each symbol by itself, so that one mistake does not hide another. Each different
/// error is told once.
fn plans(case: &Case, market: &Market, mut tell: impl FnMut(&PlanError)) -> Vec<Plan> {
    let whole = case.request();
    let mut requests: Vec<Request> =
        whole.keys.iter().map(|key| Request { keys: vec![key.clone()], ..whole.clone() }).collect();
    if requests.is_empty() {
        requests.push(whole);
    }
    let (mut plans, mut told) = (Vec::new(), Vec::new());
    for mut request in requests {
        loop {
            let error = match Plan::new(&request, market) {
                Ok(plan) => {
                    plans.push(plan);
                    break;
                }
                Err(error) => error,
            };
            // The symbols are looked at even where the fees are unknown.
            let other_fees = match &error {
                PlanError::UnknownFees { .. } => market.fees.first().map(|fees| fees.name.clone()),
                _ => None,
            };
            if !told.contains(&error) {
                tell(&error);
                told.push(error);
            }
            match other_fees {
                Some(fees) => request.fees = fees,
                None => break,
            }
        }
    }
    plans
}

/// What the plans need and the history does not have.
fn missing_data(case: &Case, plans: &[Plan]) -> Vec<Failure> {
    let store = match Store::open(&case.data) {
        Ok(store) => store,
        Err(error) => return vec![super::super::data::store_failure(error)],
    };
    let mut missing = Vec::new();
    for plan in plans {
        for instrument in &plan.run.instruments {
            if let Err(error) = uncovered(plan, &store, &instrument.key, case.range.first) {
                missing.push(prepare::failure(error, &case.data));
            }
        }
    }
    missing
}
