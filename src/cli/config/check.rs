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

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const GOOD: &str = "data = 'data'\nfrom = '2024-10'\nto = '2024-12'\nwarmup_sessions = 22\n\
        symbols = [{ key = 'NSE_EQ|INE155A01022' }]\n";

    /// A directory with these cases, each with an empty history.
    fn replays(cases: &[(&str, &str)]) -> TempDir {
        let replays = tempfile::tempdir().unwrap();
        for (name, text) in cases {
            fs::create_dir_all(replays.path().join(name).join("data")).unwrap();
            fs::write(replays.path().join(name).join(case::FILE), text).unwrap();
        }
        replays
    }

    fn check(replays: &TempDir, name: Option<&str>) -> (String, Exit) {
        let root = replays.path();
        let (text, exit) = match run(name, root, &Market::embedded().unwrap()) {
            Ok(done) => done,
            Err(failure) => (format!("{failure}\n"), failure.exit),
        };
        (text.replace(&root.display().to_string(), "replays"), exit)
    }

    #[test]
    fn the_sample_is_right_but_for_its_labels() {
        let replays = Path::new(env!("CARGO_MANIFEST_DIR")).join("replays");
        let findings = inspect("sample", &replays, &Market::embedded().unwrap());
        assert_eq!((findings.mistakes.len(), findings.warnings.len()), (0, 2));
        insta::assert_snapshot!(findings.warnings[0], @"
        warning: NSE_EQ|INE155A01022 is not Tata Power but Tata Motors Ltd (TATAMOTORS)
           = the instrument master says so for 2024-10-01
           = Tata Power is NSE_EQ|INE245A01021 (Tata Power Co Ltd, TATAPOWER)
          help: carrying on as TATAMOTORS; correct the label or the key
        ");
    }

    #[test]
    fn each_mistake_of_a_file_is_told_with_its_place() {
        let text = format!("{GOOD}slippage = 1\n[strategy]\nleverage = 0\n");
        let (text, exit) = check(&replays(&[("bad", &text)]), None);
        assert_eq!(exit, Exit::Usage);
        insta::assert_snapshot!(text, @"
        error: unknown setting 'slippage'; a case has data, from, to, warmup_sessions, fees, symbols, strategy, execution, commands
          --> replays/bad/case.toml:6:1
        error: strategy.leverage is 0, but must be a whole number from 1 to 100
          --> replays/bad/case.toml:8:12
           bad      wrong · 2 mistakes
        ");
    }

    #[test]
    fn one_symbol_does_not_hide_another_nor_the_fees_the_symbols() {
        let keys = "[{ key = 'A' }, { key = 'NSE_EQ|INE155A01022', label = 'BSE' }, \
                    { key = 'NSE_EQ|INE1TAE01010' }, { key = 'B' }]";
        let text = GOOD.replace("[{ key = 'NSE_EQ|INE155A01022' }]", keys) + "fees = 'none'\n";
        let (text, exit) = check(&replays(&[("bad", &text)]), Some("bad"));
        assert_eq!(exit, Exit::Usage);
        insta::assert_snapshot!(text, @"
        warning: NSE_EQ|INE155A01022 is not BSE but Tata Motors Ltd (TATAMOTORS)
           = the instrument master says so for 2024-10-01
           = BSE is NSE_EQ|INE118H01025 (BSE Ltd, BSE)
          help: carrying on as TATAMOTORS; correct the label or the key
        error: there is no fee schedule 'none', only nse, plan, compat
          --> replays/bad/case.toml
        error: the instrument master has no A
          --> replays/bad/case.toml
          help: keys look like NSE_EQ|INE155A01022; check it for a typing error
          help: `lockstep config market` lists the instruments
        error: NSE_EQ|INE1TAE01010 is not listed on 2024-08-30
          --> replays/bad/case.toml
        error: the instrument master has no B
          --> replays/bad/case.toml
          help: keys look like NSE_EQ|INE155A01022; check it for a typing error
          help: `lockstep config market` lists the instruments
        error: the history has nothing of NSE_EQ|INE155A01022
          --> replays/bad/data
           = it is empty
          help: `lockstep data import` fills it
           bad      wrong · 5 mistakes
        ");
    }

    #[test]
    fn days_and_data_that_are_not_there_are_mistakes() {
        let unlisted = GOOD.replace("2024-12", "2027-01");
        let no_data = GOOD.replace("'data'", "'elsewhere'");
        let cases = [("a", GOOD), ("b", &unlisted), ("c", &no_data)];
        let (text, exit) = check(&replays(&cases), None);
        assert_eq!(exit, Exit::Usage);
        insta::assert_snapshot!(text, @"
        error: the history has nothing of NSE_EQ|INE155A01022
          --> replays/a/data
           = it is empty
          help: `lockstep data import` fills it
           a        wrong · 1 mistake
        error: the calendar does not list 2027, only 2023, 2024, 2025, 2026
          --> replays/b/case.toml
           = holidays are announced a year at a time; a guess would invent sessions
          help: choose listed years, or add the year to market/nse_calendar.toml
           b        wrong · 1 mistake
        error: there is no such directory
          --> replays/c/elsewhere
          help: `lockstep data import` makes a history
           c        wrong · 1 mistake
        ");
    }

    #[test]
    fn no_cases_are_no_success() {
        let replays = replays(&[]);
        let (none, exit) = check(&replays, None);
        assert_eq!(exit, Exit::Nothing);
        let (unknown, exit) = check(&replays, Some("x"));
        assert_eq!(exit, Exit::Usage);
        insta::assert_snapshot!(none + &unknown, @"
        error: there are no cases
          --> replays
           = a case is a directory with a case.toml
        error: there is no such case
          --> replays/x/case.toml
           = No such file or directory (os error 2)
          help: there are no cases below replays
           x        wrong · 1 mistake
        ");
    }
}
