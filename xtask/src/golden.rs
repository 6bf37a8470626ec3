//! `cargo xtask golden check`: every case is replayed and compared with what was accepted.

use std::fs;
use std::path::Path;

use crate::process::{self, Build, Done, Stop};

/// Takes stock of the goldens, then replays every case under `replays/`.
pub fn check() -> Done {
    let cases = cases(&process::root().join("replays"))?;
    process::run(&mut process::lockstep(Build::Release, ["golden", "status"]))?;
    for case in &cases {
        process::run(&mut process::lockstep(Build::Release, ["replay", "--case", case]))?;
    }
    println!("golden: {} of {} cases are as accepted", cases.len(), cases.len());
    Ok(())
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
    use crate::sample::Scratch;

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
