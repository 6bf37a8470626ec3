//! Which room of `src/` may import which. The table is the architecture; the rule makes it true.

use super::Findings;
use super::lexer::{find_word, is_word};
use super::tree::{File, Tree};

struct Room {
    name: &'static str,
    /// The rooms, or parts of rooms, that it may import besides itself.
    may_import: &'static [&'static str],
}

const fn room(name: &'static str, may_import: &'static [&'static str]) -> Room {
    Room { name, may_import }
}

const ROOMS: &[Room] = &[
    room("domain", &[]),
    room("core", &["domain"]),
    room("crew", &[]),
    room("journal", &["domain", "crew"]),
    room("sources", &["domain", "journal::reader"]),
    room("exchange", &["domain", "sources"]),
    room("sinks", &["domain", "journal", "sources::shield"]),
    room("backtest", &["domain", "sources::columns"]),
    room("golden", &["domain", "journal"]),
    room(
        "driver",
        &["domain", "core", "crew", "journal", "sources", "sinks", "backtest", "golden"],
    ),
    room("web", &["domain", "journal", "sinks", "driver"]),
    room(
        "cli",
        &[
            "domain", "core", "journal", "sources", "sinks", "backtest", "golden", "driver",
            "exchange", "web",
        ],
    ),
    room("lib", &[]),
    room("core_wall", &[]),
    room("main", &["cli"]),
];

/// Every folder and file right under `src/` is in the table, and the other way round.
pub fn rooms(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    let mut seen = Vec::new();
    for file in tree.rust() {
        let Some(name) = file.room().filter(|name| !seen.contains(name)) else { continue };
        seen.push(name);
        findings.looked_at += 1;
        if !ROOMS.iter().any(|room| room.name == name) {
            let what = "a room without a row in the table of xtask/src/tidy/rooms.rs; add one";
            findings.add(&file.path, 1, what);
        }
    }
    for room in ROOMS.iter().filter(|room| !seen.contains(&room.name)) {
        let what = format!("`{}` is not under src/ any more; remove its row", room.name);
        findings.add("xtask/src/tidy/rooms.rs", 1, what);
    }
    findings
}

/// A room imports only what the table allows.
pub fn imports(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    for file in tree.rust() {
        let row = file.room().and_then(|name| ROOMS.iter().find(|room| room.name == name));
        if let Some(room) = row {
            check_paths(file, room, &mut findings);
            check_supers(file, &mut findings);
        }
    }
    findings
}

/// What comes after `crate::`, and in `main.rs` after `lockstep::`, is a room of the row.
fn check_paths(file: &File, room: &Room, findings: &mut Findings) {
    let root = if room.name == "main" { "lockstep::" } else { "crate::" };
    for at in find_word(&file.code, root) {
        for path in paths(&file.code[at + root.len()..]) {
            findings.looked_at += 1;
            let is_own = starts_path(&path, room.name);
            if !is_own && !room.may_import.iter().any(|allowed| starts_path(&path, allowed)) {
                let allowed = match room.may_import {
                    [] => String::from("nothing outside itself"),
                    rooms => format!("only {}", rooms.join(", ")),
                };
                let what =
                    format!("{} may not import `{path}`; it may import {allowed}", room.name);
                findings.add(&file.path, line_of(&file.code, at), what);
            }
        }
    }
}

/// `super::super::…` may not climb to the root of the crate, where it could pass the table by.
fn check_supers(file: &File, findings: &mut Findings) {
    let inside = file.path.trim_start_matches("src/").trim_end_matches(".rs");
    let modules = inside.trim_end_matches("/mod").split('/').count();
    let mut end = 0;
    for at in find_word(&file.code, "super::") {
        if at < end {
            continue;
        }
        let climbs = leading_supers(&file.code[at..]);
        end = at + climbs * "super::".len();
        let line = line_of(&file.code, at);
        if climbs >= modules + usize::from(file.is_test_line(line - 1)) {
            let what = "`super` climbs out of the room; write `crate::` and the room";
            findings.add(&file.path, line, what);
        }
    }
}

fn leading_supers(code: &str) -> usize {
    let rest = code.trim_start_matches("super::");
    (code.len() - rest.len()) / "super::".len()
}

/// Whether `path` is `prefix` or lies below it.
fn starts_path(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    use_tree(code, "", &mut found);
    found
}

/// Reads one branch, adds its paths to `found`, and returns what comes after it.
fn use_tree<'a>(code: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let code = code.trim_start();
    let length = code.find(|c| !is_word(c)).unwrap_or(code.len());
    let (name, mut rest) = code.split_at(length);
    if let Some(mut inside) = code.strip_prefix('{') {
        while !inside.trim_start().is_empty() && !inside.trim_start().starts_with('}') {
            inside = use_tree(inside, prefix, found);
            let next = inside.find([',', '}']).unwrap_or(inside.len());
            inside = inside[next..].trim_start_matches(',');
        }
        return inside.trim_start().strip_prefix('}').unwrap_or("");
    }
    let path = match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "" | "self") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}::{name}"),
    };
    if let Some(after) = rest.strip_prefix("::").filter(|after| !after.starts_with('<')) {
        rest = use_tree(after, &path, found);
    } else {
        found.push(path);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn a_room_that_imports_what_it_may_not() {
        let text = "//! Reads.\nuse crate::domain::fact::Bar;\nuse crate::journal::writer::Writer;\n\
                    use crate::journal::reader::Reader;\n";
        let want = "src/sources/a.rs:3: sources may not import `journal::writer::Writer`; \
                    it may import only domain, journal::reader";
        assert_eq!(check(imports, &[("src/sources/a.rs", text)]), [want]);
    }

    #[test]
    fn groups_and_inline_paths_count_and_words_do_not() {
        let text = "//! See [`crate::cli`].\nuse crate::{\n    domain::{money, time::{self, Date}},\n    \
                    sinks as out,\n};\nfn f() -> crate::core::Core { \"crate::cli\" }\n";
        let want = [
            "src/journal/a.rs:2: journal may not import `sinks`; it may import only domain, crew",
            "src/journal/a.rs:6: journal may not import `core::Core`; it may import only domain, crew",
        ];
        assert_eq!(check(imports, &[("src/journal/a.rs", text)]), want);
        let own = "use crate::journal::Error;\n";
        assert_eq!(check(imports, &[("src/journal/a.rs", own)]), NONE);
    }

    #[test]
    fn the_lowest_room_imports_nothing_and_main_only_words() {
        let files = [
            ("src/domain/a.rs", "use crate::core::step;\n"),
            ("src/main.rs", "use lockstep::cli;\nuse lockstep::driver;\n"),
        ];
        let want = [
            "src/domain/a.rs:1: domain may not import `core::step`; it may import nothing outside itself",
            "src/main.rs:2: main may not import `driver`; it may import only cli",
        ];
        assert_eq!(check(imports, &files), want);
    }

    #[test]
    fn super_stays_in_the_room() {
        let text = "use crate::domain::x;\nuse super::super::cli;\nuse super::b;\n\
                    #[cfg(test)]\nmod tests {\n    use super::super::b;\n}\n";
        let want = "src/core/a.rs:2: `super` climbs out of the room; write `crate::` and the room";
        assert_eq!(check(imports, &[("src/core/a.rs", text)]), [want]);
        let top = "use crate::core::a;\nuse super::cli;\n";
        let want =
            "src/core/mod.rs:2: `super` climbs out of the room; write `crate::` and the room";
        assert_eq!(check(imports, &[("src/core/mod.rs", top)]), [want]);
    }

    #[test]
    fn use_trees_are_read_to_their_end() {
        assert_eq!(paths("a;"), ["a"]);
        assert_eq!(paths("a::{b, c::d as e, f::*};\nuse g;"), ["a::b", "a::c::d", "a::f"]);
        assert_eq!(paths("{a, b::{self, c,},};"), ["a", "b", "b::c"]);
        assert_eq!(paths("a::B::<C>::new()"), ["a::B"]);
    }

    #[test]
    fn a_room_without_a_row_and_a_row_without_a_room() {
        let known: Vec<String> =
            ROOMS.iter().map(|room| format!("src/{}/mod.rs", room.name)).collect();
        let mut files: Vec<(&str, &str)> =
            known.iter().skip(1).map(|path| (path.as_str(), "")).collect();
        files.push(("src/util.rs", ""));
        let want = [
            "src/util.rs:1: a room without a row in the table of xtask/src/tidy/rooms.rs; add one",
            "xtask/src/tidy/rooms.rs:1: `domain` is not under src/ any more; remove its row",
        ];
        assert_eq!(check(rooms, &files), want);
    }
}
