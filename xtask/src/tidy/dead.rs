//! Files that nothing compiles or reads.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::{File, Tree, stems};

/// The folders that hold Rust files.
const FOLDERS: [&str; 4] = ["src/", "tests/", "benches/", "xtask/src/"];

/// The roots that Cargo finds by itself. The packages' Cargo.toml name the others.
const ROOTS: [&str; 2] = ["src/lib.rs", "xtask/src/main.rs"];

/// Every Rust file is reached from a root of a crate through `mod` lines.
pub fn dead_files(tree: &Tree) -> Findings {
    let named = tree.files.iter().flat_map(named_roots);
    let named: Vec<String> = named.chain(ROOTS.map(str::to_owned)).collect();
    let roots: Vec<&str> = named.iter().map(String::as_str).collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut waiting = roots.clone();
    while let Some(path) = waiting.pop() {
        let Some(file) = tree.get(path).filter(|file| reached.insert(&file.path)) else { continue };
        for (declared, _) in file.declares(roots.contains(&path)) {
            let is_it = |path: &str| stems(path).contains(&declared.as_str());
            waiting.extend(tree.rust().map(|file| file.path.as_str()).filter(|path| is_it(path)));
        }
    }
    let mut findings = Findings::default();
    let of_ours = |path: &str| FOLDERS.iter().any(|folder| path.starts_with(folder));
    for file in tree.rust().filter(|file| of_ours(&file.path)) {
        findings.looked_at += 1;
        if !reached.contains(file.path.as_str()) {
            let what = "a dead file: no `mod` line reaches it; declare it or remove it";
            findings.add(&file.path, 1, what);
        }
    }
    findings
}

/// The paths that the Cargo.toml of a package names, seen from the repository's root.
fn named_roots(file: &File) -> Vec<String> {
    let Some(folder) = file.path.strip_suffix("Cargo.toml") else { return Vec::new() };
    let named = file.text.lines().filter_map(|line| line.strip_prefix("path = \""));
    named.filter_map(|path| path.strip_suffix('"')).map(|path| format!("{folder}{path}")).collect()
}

/// Every folder below `tests/` that is not Rust is named by a test.
pub fn dead_fixtures(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    let mut folders = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with("tests/")) {
        findings.looked_at += 1;
        let (folder, _) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        if !file.is_rust() && !file.path.ends_with(".snap") {
            folders.insert(folder);
        }
    }
    for folder in folders {
        let inside = folder.strip_prefix("tests/").unwrap_or(folder);
        let is_named = tree.rust().any(|file| {
            !file.path.starts_with("xtask/")
                && inside.split('/').all(|part| file.text.contains(part))
        });
        if !is_named {
            findings.add(folder, 1, "a dead fixture: no test names it; use it or remove it");
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn a_file_without_a_mod_line() {
        let files = [
            ("Cargo.toml", "[[test]]\nname = \"it\"\npath = \"tests/it/main.rs\"\n"),
            ("src/lib.rs", "pub mod a;\n// mod dead;\n"),
            ("src/a/mod.rs", "mod b;\n"),
            ("src/a/b.rs", "mod c;\n"),
            ("src/a/b/c.rs", ""),
            ("src/dead.rs", "mod too;\n"),
            ("src/dead/too.rs", ""),
            ("tests/it/main.rs", "mod cli;\n"),
            ("tests/it/cli.rs", ""),
            ("tests/it/old.rs", ""),
            ("tests/Cargo.toml", "[lib]\npath = \"common/lib.rs\"\n"),
            ("tests/common/lib.rs", ""),
        ];
        let dead = |path: &str| {
            format!("{path}:1: a dead file: no `mod` line reaches it; declare it or remove it")
        };
        let want = ["src/dead.rs", "src/dead/too.rs", "tests/it/old.rs"].map(dead);
        assert_eq!(check(dead_files, &files), want);
    }

    #[test]
    fn a_fixture_that_no_test_names() {
        let files = [
            ("tests/it/main.rs", "const A: &str = \"tests/fixtures/journal_v3\";\n"),
            ("tests/it/snapshots/a.snap", ""),
            ("tests/fixtures/journal_v3/0.seg", ""),
            ("tests/fixtures/journal_v0/0.seg", ""),
        ];
        let want = "tests/fixtures/journal_v0:1: \
                    a dead fixture: no test names it; use it or remove it";
        assert_eq!(check(dead_fixtures, &files), [want]);
        assert_eq!(check(dead_fixtures, &files[..3]), NONE);
    }
}
