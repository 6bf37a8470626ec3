//! The cases, their goldens, and what runs left behind.

use std::fs;
use std::path::Path;

use super::super::config::check::{Findings, inspect};
use super::super::failure::Failure;
use super::super::golden;
use super::report::{Line, State, shortened};
use crate::driver::case;
use crate::golden::store::{self, CaseStatus};
use crate::sources::market::Market;

/// The case that comes with the repository.
const SAMPLE: &str = "sample";

/// The cases that can be replayed in one line, each other in its own.
pub fn cases(replays: &Path, facts: &Market) -> Vec<Line> {
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
        let Findings { mistakes, .. } = inspect(name, replays, facts);
        if let Some(first) = mistakes.first() {
            lines.push(case_wrong(name, first, mistakes.len()));
            continue;
        }
        good.push(name.as_str());
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
pub fn goldens(stock: Result<Vec<CaseStatus>, crate::golden::Error>) -> Vec<Line> {
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

/// What replays left behind that did not end.
pub fn unfinished(dir: &Path) -> Option<Line> {
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

#[cfg(test)]
mod tests {
    use super::super::report::{exit, text};
    use super::*;
    use crate::cli::exit::Exit;
    use crate::domain::time::Date;
    use crate::golden::render::Paint;
    use crate::golden::store::Problem;

    fn plain(lines: &[Line]) -> String {
        text(lines, Paint::Plain, None)
    }

    #[test]
    fn the_repository_is_well() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let facts = Market::embedded().unwrap();
        let mut lines = cases(&root.join("replays"), &facts);
        let stock = store::status(&root.join("replays"), &root.join("golden"), Date::default());
        lines.extend(goldens(stock));
        insta::assert_snapshot!(plain(&lines), @"
        Cases   ok  1 with all their data: sample
        Golden  ok  1 as accepted: sample
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
        Cases  problem  bad: from is 5, but must be a month like "2024-10" or a day like "2024-10-31" (replays/bad/case.toml:2:8), and 3 more
                        help: `lockstep config check --case bad` says everything
        Cases  note     the case 'sample' is not below replays
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
        Golden  ok       1 as accepted: good
        Golden  problem  edited: digest is not what the last entry of accepted.toml accepted; orphan: no such case, so nothing checks this golden
                         help: take it from version control, or accept it anew
        Golden  note     fresh: no golden, so nothing checks this case
                         help: `lockstep golden accept --case fresh --reason TEXT`
        ");
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
        Runs  note  7 unfinished in runs: .sample-1.42, .sample-2.42, .sample-3.42, .sample-4.42, .sample-5.42 and 2 more
                    help: remove them when no replay is running; each name ends in its process id
        ");
    }
}
