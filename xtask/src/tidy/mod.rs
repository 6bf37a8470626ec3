//! Style that a machine can check, checked by a machine. A rule looks at the whole repository and
//! says what is wrong and what to write instead; a rule that found nothing to look at fails, for a
//! check that can pass on nothing is not a check.
//!
//! - [`lexer`] code without comments and literals
//! - [`tree`] the files
//! - [`shape`] sizes, widths, opening lines
//! - [`rooms`] which room may import which
//! - [`bans`] words with a better replacement
//! - [`cases`] replays and their goldens
//! - [`dead`] files that nothing compiles or reads
//! - [`pages`] the pages and settings that have to be there

mod bans;
mod cases;
mod dead;
mod lexer;
mod pages;
mod rooms;
mod shape;
mod tree;

use std::fmt::Display;

use crate::process::{Done, Stop, root};
use tree::Tree;

/// What a rule found.
#[derive(Default)]
struct Findings {
    /// How many things there were to look at.
    looked_at: usize,
    /// `path:line: what is wrong, and what to use instead`.
    violations: Vec<String>,
}

impl Findings {
    /// Notes a violation in `path` at `line`, counted from 1.
    fn add(&mut self, path: &str, line: usize, what: impl Display) {
        self.violations.push(format!("{path}:{line}: {what}"));
    }
}

struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Findings,
}

const RULES: &[Rule] = &[
    Rule { name: "opening lines", check: shape::opening_lines },
    Rule { name: "function length", check: shape::function_length },
    Rule { name: "file length", check: shape::file_length },
    Rule { name: "line width", check: shape::line_width },
    Rule { name: "rooms", check: rooms::rooms },
    Rule { name: "imports", check: rooms::imports },
    Rule { name: "bans", check: bans::bans },
    Rule { name: "cases", check: cases::cases },
    Rule { name: "dead files", check: dead::dead_files },
    Rule { name: "dead fixtures", check: dead::dead_fixtures },
    Rule { name: "pages", check: pages::pages },
    Rule { name: "documented rooms", check: pages::documented_rooms },
];

/// Checks the repository and prints every violation.
pub fn run() -> Done {
    let tree = Tree::read(&root()).map_err(|error| format!("failed to read files: {error}"))?;
    let mut violations = 0;
    for rule in RULES {
        let found = judge(rule, &tree);
        for violation in &found {
            println!("{violation}");
        }
        violations += found.len();
    }
    if violations > 0 {
        return Err(Stop::from(format!("tidy: {violations} violations")));
    }
    println!("tidy: {} rules hold for {} files", RULES.len(), tree.files.len());
    Ok(())
}

fn judge(rule: &Rule, tree: &Tree) -> Vec<String> {
    let Findings { looked_at, mut violations } = (rule.check)(tree);
    if looked_at == 0 {
        let name = rule.name;
        violations.push(format!("xtask/src/tidy: the rule `{name}` found nothing to look at"));
    }
    violations
}

#[cfg(test)]
mod testing {
    //! A rule against a small repository.

    use super::{Findings, Tree};

    /// What `rule` says about a repository of those paths and texts, line by line.
    pub fn check(rule: fn(&Tree) -> Findings, files: &[(&str, &str)]) -> Vec<String> {
        let owned = files.iter().map(|(path, text)| (path.to_string(), text.to_string()));
        let findings = rule(&Tree::new(owned.collect()));
        assert!(findings.looked_at > 0, "the rule found nothing to look at");
        findings.violations
    }

    /// A repository without a violation of any kind is no news.
    pub const NONE: [&str; 0] = [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_looked_at_nothing_is_a_violation() {
        let empty = Tree::new(Vec::new());
        for rule in RULES {
            let found = judge(rule, &empty);
            let last = found.last().map(String::as_str);
            let name = rule.name;
            let want = format!("xtask/src/tidy: the rule `{name}` found nothing to look at");
            assert_eq!(last, Some(want.as_str()));
        }
    }

    #[test]
    fn violations_name_their_place() {
        let mut findings = Findings::default();
        findings.add("src/a.rs", 7, "a tab; use blanks");
        assert_eq!(findings.violations, ["src/a.rs:7: a tab; use blanks"]);
    }
}
