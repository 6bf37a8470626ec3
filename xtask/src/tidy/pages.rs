//! The pages and settings that have to be there.

use std::collections::BTreeSet;

use super::Findings;
use super::lexer::find_word;
use super::tree::Tree;

/// A page with the most lines that it may have.
const PAGES: [(&str, usize); 4] = [
    ("README.md", usize::MAX),
    ("ARCHITECTURE.md", 300),
    ("CHANGELOG.md", usize::MAX),
    ("Makefile", 60),
];

/// The rooms in which rustc itself refuses a public item without a doc line.
const DOCUMENTED: [&str; 3] = ["src/domain/mod.rs", "src/core/mod.rs", "src/journal/mod.rs"];

const DENY: &str = "#![deny(missing_docs)]";

/// The pages exist, are short, and ARCHITECTURE.md names every room.
pub fn pages(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    for (path, lines_max) in PAGES {
        let Some(file) = tree.get(path) else {
            findings.add(path, 1, "no such page; write it");
            continue;
        };
        findings.looked_at += 1;
        let lines = file.text.lines().count();
        if lines > lines_max {
            let what =
                format!("{lines} lines, at most {lines_max}; move detail to where it belongs");
            findings.add(path, lines_max + 1, what);
        }
    }
    let rooms: BTreeSet<&str> = tree
        .rust()
        .filter(|file| file.path.matches('/').count() > 1)
        .filter_map(|file| file.room())
        .collect();
    if let Some(page) = tree.get("ARCHITECTURE.md") {
        for room in
            rooms.iter().filter(|room| find_word(&page.text, &format!("{room}/")).is_empty())
        {
            let what = format!("does not name the room `{room}/`; say what lives there");
            findings.add(&page.path, 1, what);
        }
    }
    findings
}

/// Every public item of the lower rooms is documented: rustc checks it, if it is told to.
pub fn documented_rooms(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    for path in DOCUMENTED {
        let Some(file) = tree.get(path) else { continue };
        findings.looked_at += 1;
        if !file.code.lines().any(|line| line == DENY) {
            let what = format!("public items need not be documented; add `{DENY}`");
            findings.add(path, 1, what);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn pages_that_are_missing_too_long_or_silent() {
        let long = "all:\n".repeat(61);
        let files = [
            ("README.md", "# A\n"),
            ("ARCHITECTURE.md", "`src/core/` decides. The hardcore/ does not.\n"),
            ("Makefile", long.as_str()),
            ("src/core/mod.rs", ""),
            ("src/sinks/csv.rs", ""),
            ("src/main.rs", ""),
        ];
        let want = [
            "CHANGELOG.md:1: no such page; write it",
            "Makefile:61: 61 lines, at most 60; move detail to where it belongs",
            "ARCHITECTURE.md:1: does not name the room `sinks/`; say what lives there",
        ];
        assert_eq!(check(pages, &files), want);
    }

    #[test]
    fn a_lower_room_that_may_stay_undocumented() {
        let said = ("src/core/mod.rs", "//! Core.\n#![deny(missing_docs)]\n");
        assert_eq!(check(documented_rooms, &[said]), NONE);
        let commented = ("src/domain/mod.rs", "//! Words.\n// #![deny(missing_docs)]\n");
        let want = "src/domain/mod.rs:1: public items need not be documented; \
                    add `#![deny(missing_docs)]`";
        assert_eq!(check(documented_rooms, &[said, commented]), [want]);
    }
}
