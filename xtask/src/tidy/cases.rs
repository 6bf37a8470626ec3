//! Replays and goldens belong together: a case without a golden proves nothing, a golden without a
//! case is never checked.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::Tree;

/// The files that a golden may have.
const GOLDEN_FILES: [&str; 6] =
    ["bars_15m.csv", "signals.csv", "fills.csv", "digest", "accepted.toml", "exceptions.toml"];

/// Each `replays/<case>/case.toml` has a `golden/<case>/`, which has only known files, and the
/// other way round.
pub fn cases(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    let (mut replays, mut goldens) = (BTreeSet::new(), BTreeSet::new());
    for file in &tree.files {
        let mut parts = file.path.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("replays"), Some(case), Some("case.toml")) => {
                replays.insert(case);
            }
            (Some("golden"), Some(case), Some(name)) => {
                goldens.insert(case);
                if !GOLDEN_FILES.contains(&name) {
                    let known = GOLDEN_FILES.join(", ");
                    let what = format!("no file of a golden; a golden has only {known}");
                    findings.add(&file.path, 1, what);
                }
            }
            _ => {}
        }
    }
    findings.looked_at = replays.len() + goldens.len();
    for case in replays.difference(&goldens) {
        let what = format!(
            "a case without golden/{case}; accept one with `lockstep golden accept`, or remove it"
        );
        findings.add(&format!("replays/{case}/case.toml"), 1, what);
    }
    for case in goldens.difference(&replays) {
        let what = format!("a golden without replays/{case}/case.toml; add the case or remove it");
        findings.add(&format!("golden/{case}"), 1, what);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn a_case_and_its_golden() {
        let mut files = vec![
            ("replays/a/case.toml", ""),
            ("replays/a/data/x.parquet", ""),
            ("golden/a/digest", ""),
        ];
        assert_eq!(check(cases, &files), NONE);
        files.extend([("replays/b/case.toml", ""), ("golden/c/notes.txt", "")]);
        let want = [
            "golden/c/notes.txt:1: no file of a golden; \
             a golden has only bars_15m.csv, signals.csv, fills.csv, digest, accepted.toml, \
             exceptions.toml",
            "replays/b/case.toml:1: a case without golden/b; \
             accept one with `lockstep golden accept`, or remove it",
            "golden/c:1: a golden without replays/c/case.toml; add the case or remove it",
        ];
        assert_eq!(check(cases, &files), want);
    }
}
