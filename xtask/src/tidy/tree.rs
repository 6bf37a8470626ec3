//! The repository as the rules see it: a list of paths and texts, with every Rust file lexed once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::{fs, io};

use super::lexer::code_of;

/// Folders that are made by tools and never looked at.
const SKIPPED: [&str; 3] = [".git", "target", "runs"];

/// One file of the repository.
pub struct File {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// What is in it; empty if that is not text.
    pub text: String,
    /// For Rust, the text without comments and the contents of literals, see [`code_of`].
    pub code: String,
    /// Lines of the `mod tests` block, counted from 0; all lines of a file that only tests declare.
    tests: Range<usize>,
}

impl File {
    fn new(path: String, text: String) -> File {
        let is_rust = path.ends_with(".rs");
        let code = if is_rust { code_of(&text) } else { String::new() };
        let in_tests = ["tests/", "benches/"].iter().any(|folder| path.starts_with(folder));
        let tests = if in_tests { 0..usize::MAX } else { tests_block(&code) };
        File { path, text, code, tests }
    }

    /// Whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether that line, counted from 0, is test code.
    pub fn is_test_line(&self, line: usize) -> bool {
        self.tests.contains(&line)
    }

    /// Lines of code and comments that are not tests.
    pub fn lines_without_tests(&self) -> usize {
        (0..self.text.lines().count()).filter(|line| !self.is_test_line(*line)).count()
    }

    /// The folder or file right under `src/` that the file belongs to, without `.rs`.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let name = inside.split('/').next().unwrap_or(inside);
        Some(name.strip_suffix(".rs").unwrap_or(name))
    }

    /// The files that this one declares with `mod name;`: their stem (`src/core/step`, to which
    /// `.rs` or `/mod.rs` belongs) or, with `#[path]`, their path; and whether only tests do.
    pub fn declares(&self, is_root: bool) -> Vec<(String, bool)> {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let base = if is_root || name == "mod.rs" {
            folder.to_owned()
        } else {
            format!("{folder}/{}", name.trim_end_matches(".rs"))
        };
        let mut declared = Vec::new();
        let (mut path, mut only_tests) = (None, false);
        for (line, raw) in self.code.lines().zip(self.text.lines()) {
            let line = line.trim();
            if line.starts_with("#[path") {
                path = raw.split('"').nth(1).map(|path| format!("{folder}/{path}"));
            } else if line == "#[cfg(test)]" {
                only_tests = true;
            } else if !line.starts_with('#') && !line.is_empty() {
                if let Some(name) = mod_name(line) {
                    declared.push((path.unwrap_or(format!("{base}/{name}")), only_tests));
                }
                (path, only_tests) = (None, false);
            }
        }
        declared
    }
}

/// The repository.
pub struct Tree {
    /// Every file, in order of path.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the files below `root`.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let (path, name) = (entry.path(), entry.file_name());
                if entry.file_type()?.is_dir() {
                    if !SKIPPED.iter().any(|skipped| name == *skipped) {
                        folders.push(path);
                    }
                } else if entry.file_type()?.is_file() {
                    let text = String::from_utf8(fs::read(&path)?).unwrap_or_default();
                    let relative = path.strip_prefix(root).unwrap_or(&path);
                    files.push((relative.to_string_lossy().replace('\\', "/"), text));
                }
            }
        }
        Ok(Tree::new(files))
    }

    /// The tree of those paths and texts.
    pub fn new(mut files: Vec<(String, String)>) -> Tree {
        files.sort();
        let mut files: Vec<File> =
            files.into_iter().map(|(path, text)| File::new(path, text)).collect();
        let only_tests: BTreeSet<String> = files
            .iter()
            .flat_map(|file| file.declares(false))
            .filter_map(|(stem, only_tests)| only_tests.then_some(stem))
            .collect();
        for file in &mut files {
            if stems(&file.path).iter().any(|stem| only_tests.contains(*stem)) {
                file.tests = 0..usize::MAX;
            }
        }
        Tree { files }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// The file of that path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// What a `mod` line may call the file: its path, that without `.rs`, that without `/mod.rs`.
pub fn stems(path: &str) -> [&str; 3] {
    let strip = |suffix| path.strip_suffix(suffix).unwrap_or(path);
    [path, strip(".rs"), strip("/mod.rs")]
}

/// `name` of the line `pub(crate) mod name;`.
fn mod_name(line: &str) -> Option<&str> {
    let (before, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

/// The lines of the `#[cfg(test)] mod tests` block.
fn tests_block(code: &str) -> Range<usize> {
    let lines: Vec<&str> = code.lines().collect();
    let start = lines.windows(2).position(|pair| pair == ["#[cfg(test)]", "mod tests {"]);
    start.map_or(0..0, |start| {
        let length = lines[start..].iter().position(|line| *line == "}");
        start..length.map_or(lines.len(), |length| start + length + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        Tree::new(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
    }

    #[test]
    fn test_code_is_the_block_and_what_only_tests_declare() {
        let tree = tree(&[
            ("src/a/mod.rs", "#[cfg(test)]\npub mod testing;\nmod b;\n"),
            ("src/a/testing.rs", "fn f() {}\n"),
            ("src/a/b.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\nfn h() {}\n"),
            ("tests/it/main.rs", "fn f() {}\n"),
        ]);
        let tests = |path| {
            let file: &File = tree.get(path).unwrap();
            (0..file.text.lines().count())
                .filter(|line| file.is_test_line(*line))
                .collect::<Vec<_>>()
        };
        let none: Vec<usize> = Vec::new();
        assert_eq!(tests("src/a/mod.rs"), none);
        assert_eq!(tests("src/a/testing.rs"), [0]);
        assert_eq!(tests("src/a/b.rs"), [1, 2, 3, 4]);
        assert_eq!(tests("tests/it/main.rs"), [0]);
        assert_eq!(tree.get("src/a/b.rs").unwrap().lines_without_tests(), 2);
    }

    #[test]
    fn declared_files_follow_the_file_that_declares_them() {
        let of = |path: &str, text: &str, is_root| {
            let tree = tree(&[(path, text)]);
            let declared = tree.files[0].declares(is_root);
            declared.into_iter().map(|(stem, _)| stem).collect::<Vec<_>>()
        };
        assert_eq!(of("src/lib.rs", "pub mod a;\n// mod b;\n", true), ["src/a"]);
        assert_eq!(of("src/a/mod.rs", "pub(crate) mod c;\nmod d {\n", false), ["src/a/c"]);
        assert_eq!(of("src/a/c.rs", "mod e;\n", false), ["src/a/c/e"]);
        let wall = "#[path = \"core/mod.rs\"]\npub mod core;\nmod f;\n";
        assert_eq!(of("src/core_wall.rs", wall, true), ["src/core/mod.rs", "src/f"]);
    }

    #[test]
    fn rooms_are_folders_or_files_under_src() {
        let tree = tree(&[("src/a/b/c.rs", ""), ("src/main.rs", ""), ("tests/it/main.rs", "")]);
        let rooms: Vec<_> = tree.files.iter().map(File::room).collect();
        assert_eq!(rooms, [Some("a"), Some("main"), None]);
    }
}
