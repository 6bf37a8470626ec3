//! `cargo xtask golden check`: every case is replayed and compared with what was accepted, and of
//! every signal and near miss the smallest change that flips it is tried.

use std::fs;
use std::path::Path;

use crate::process::{self, Done, Stop};
use crate::sample::Scratch;

/// Takes stock of the goldens, then replays every case under `replays/`.
pub fn check() -> Done {
    let cases = cases(&process::root().join("replays"))?;
    process::run(&mut process::lockstep(["golden", "status"]))?;
    for case in &cases {
        let runs = Scratch::new(&format!("golden-{case}")).map_err(|error| error.to_string())?;
        let journal = runs.path.display().to_string();
        let replay = ["replay", "--case", case, "--journal", &journal];
        process::run(&mut process::lockstep(replay))?;
        let made = fs::read_dir(&runs.path).map_err(|error| format!("{journal}: {error}"))?;
        let made: Vec<_> = made.filter_map(Result::ok).map(|entry| entry.path()).collect();
        let [run] = &made[..] else {
            return Err(Stop::from(format!("{journal} has {} runs, not one", made.len())));
        };
        let run = run.display().to_string();
        process::output(&mut process::lockstep(["explain", &run, "all"]))
            .map(|text| print!("{}", last_lines(&text)))?;
    }
    println!("golden: {} of {} cases are as accepted", cases.len(), cases.len());
    Ok(())
}

/// What stands behind the last empty line: the totals.
fn last_lines(text: &str) -> &str {
    text.rsplit_once("\n\n").map_or(text, |(_, totals)| totals)
}

/// The names of the cases, in order; at least one.
fn cases(replays: &Path) -> Result<Vec<String>, Stop> {
    let place = replays.display();
    let entries =
        fs::read_dir(replays).map_err(|error| format!("failed to read {place}: {error}"))?;
    let mut cases: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("case.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    cases.sort();
    if cases.is_empty() {
        return Err(Stop::from(format!("no case in {place}, so nothing was checked")));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_folders_with_a_case_in_order() {
        let scratch = Scratch::new("cases").unwrap();
        for case in ["b", "a"] {
            fs::create_dir_all(scratch.path.join(case)).unwrap();
            fs::write(scratch.path.join(case).join("case.toml"), "").unwrap();
        }
        fs::create_dir_all(scratch.path.join("no-case")).unwrap();
        assert_eq!(cases(&scratch.path).unwrap(), ["a", "b"]);
    }

    #[test]
    fn no_case_is_no_success() {
        let scratch = Scratch::new("no-cases").unwrap();
        let why = cases(&scratch.path).unwrap_err().why;
        assert!(why.ends_with(", so nothing was checked"), "{why}");
        let why = cases(&scratch.path.join("gone")).unwrap_err().why;
        assert!(why.starts_with("failed to read "), "{why}");
    }
}
