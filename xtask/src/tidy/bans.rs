//! Words that have a better replacement. Every ban names it.

use super::Findings;
use super::lexer::find_word;
use super::tree::{File, Tree};

/// The two rooms that are compiled without std.
const PURE: &[&str] = &["src/domain/", "src/core/"];
const CORE: &[&str] = &["src/core/"];
const SRC: &[&str] = &["src/"];
const ALL: &[&str] = &["src/", "tests/", "benches/", "xtask/"];
/// Everything but this program, whose table has the words in it.
const PRODUCT: &[&str] = &["src/", "tests/", "benches/"];

/// Where a clock may be read: at the edge that people and feeds see.
const CLOCKS: &[&str] = &["src/cli/", "src/driver/"];
const CODEC: &[&str] = &["src/journal/codec.rs"];

struct Ban {
    words: &'static [&'static str],
    instead: &'static str,
    /// Where the words are banned.
    within: &'static [&'static str],
    /// Where they are not, although it lies within.
    except: &'static [&'static str],
    /// What makes a line with the word right after all.
    unless: Option<&'static str>,
    /// Whether comments and the contents of literals count as well as code.
    in_words: bool,
    /// Whether tests count.
    in_tests: bool,
}

/// A ban on code outside tests.
const fn ban(
    within: &'static [&'static str],
    words: &'static [&'static str],
    instead: &'static str,
) -> Ban {
    Ban { words, instead, within, except: &[], unless: None, in_words: false, in_tests: false }
}

const BANS: &[Ban] = &[
    ban(PURE, &["std::"], "core:: or alloc::"),
    ban(PURE, &["HashMap", "HashSet"], "a Vec by InstrumentId or a BTreeMap, which have an order"),
    ban(PURE, &["Instant", "SystemTime"], "the time in the event"),
    ban(PURE, &["thread"], "parallel runs, in driver"),
    ban(PURE, &["static"], "a const, or a field of the state"),
    ban(PURE, &["mul_add"], "a * b + c, which rounds the same everywhere"),
    ban(
        PURE,
        &[".powi(", ".powf(", ".exp(", ".ln(", ".sin("],
        "+ - * / and sqrt, exact everywhere",
    ),
    ban(PURE, &["println!", "eprintln!"], "an output"),
    ban(PURE, &["unsafe"], "safe code"),
    ban(PURE, &["rand", "rand_chacha"], "numbers that come in as inputs"),
    Ban {
        unless: Some("RejectReason>"),
        ..ban(CORE, &["Result<"], "RejectReason for a no, an assert! for what cannot be")
    },
    ban(CORE, &["is_live", "if live"], "the same code for both; the journal tells them apart"),
    ban(SRC, &[".unwrap()"], "`?`, or expect(\"why it cannot fail\")"),
    Ban { in_tests: true, ..ban(SRC, &["todo!", "unimplemented!"], "the code, or no function") },
    Ban { in_tests: true, ..ban(ALL, &["dbg!"], "an assertion, or nothing") },
    Ban { in_tests: true, ..ban(ALL, &["#[ignore"], "a test that asserts what is so today") },
    Ban { in_tests: true, ..ban(ALL, &["thread::sleep"], "waiting for the event itself") },
    Ban { in_tests: true, ..ban(ALL, &["chrono"], "domain::time, or jiff at the edges") },
    Ban {
        in_words: true,
        in_tests: true,
        ..ban(PRODUCT, &["FIXME", "XXX", "TODO"], "the fix, or an issue")
    },
    Ban {
        in_words: true,
        in_tests: true,
        ..ban(PRODUCT, &["/tmp/", "/work/"], "a path that is handed in, or tempfile in tests")
    },
    Ban { except: CODEC, in_tests: true, ..ban(SRC, &["bincode"], "journal::codec") },
    Ban {
        except: CLOCKS,
        ..ban(
            SRC,
            &["SystemTime::now", "Instant::now", "Zoned::now", "Timestamp::now"],
            "a time that cli or driver hands in",
        )
    },
];

/// No banned word stands where it is banned.
pub fn bans(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    for file in tree.rust() {
        let starts =
            |prefixes: &[&str]| prefixes.iter().any(|prefix| file.path.starts_with(prefix));
        for ban in BANS.iter().filter(|ban| starts(ban.within) && !starts(ban.except)) {
            findings.looked_at += 1;
            check(file, ban, &mut findings);
        }
    }
    findings
}

fn check(file: &File, ban: &Ban, findings: &mut Findings) {
    let text = if ban.in_words { &file.text } else { &file.code };
    for (line, text) in text.lines().enumerate() {
        let is_right = ban.unless.is_some_and(|unless| text.contains(unless));
        if is_right || !ban.in_tests && file.is_test_line(line) {
            continue;
        }
        for word in ban.words.iter().filter(|word| !find_word(text, word).is_empty()) {
            findings.add(
                &file.path,
                line + 1,
                format!("`{word}` is banned; instead: {}", ban.instead),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn each_word_is_found_where_it_is_banned() {
        for ban in BANS {
            for word in ban.words {
                let path = if ban.within[0].ends_with(".rs") {
                    ban.within[0].to_owned()
                } else {
                    format!("{}a.rs", ban.within[0])
                };
                let text = format!("//! A.\nfn f() {{ {word} }}\n");
                let want = format!("{path}:2: `{word}` is banned; instead: {}", ban.instead);
                let found = check(bans, &[(path.as_str(), text.as_str())]);
                assert!(found.contains(&want), "{found:?} lacks {want}");
            }
        }
    }

    #[test]
    fn a_violation_names_the_replacement() {
        let text = "//! A.\nuse std::fmt;\nfn f(x: f64) -> f64 {\n    x.mul_add(2.0, 1.0)\n}\n";
        let want = [
            "src/core/a.rs:2: `std::` is banned; instead: core:: or alloc::",
            "src/core/a.rs:4: `mul_add` is banned; instead: a * b + c, which rounds the same everywhere",
        ];
        assert_eq!(check(bans, &[("src/core/a.rs", text)]), want);
        assert_eq!(check(bans, &[("src/sinks/a.rs", text)]), NONE);
    }

    #[test]
    fn words_in_comments_and_literals_count_only_where_they_matter() {
        let text = "//! Like std::fmt, without a thread.\nconst A: &'static str = \"unsafe\";\n";
        assert_eq!(check(bans, &[("src/domain/a.rs", text)]), NONE);
        let text = "// FIXME later\nconst A: &str = \"/tmp/x\";\n";
        let want = [
            "src/cli/a.rs:1: `FIXME` is banned; instead: the fix, or an issue",
            "src/cli/a.rs:2: `/tmp/` is banned; instead: a path that is handed in, or tempfile in tests",
        ];
        assert_eq!(check(bans, &[("src/cli/a.rs", text)]), want);
    }

    #[test]
    fn tests_may_unwrap_but_not_sleep() {
        let text = "fn f() { a.unwrap() }\n#[cfg(test)]\nmod tests {\n    fn g() { a.unwrap() }\n    \
                    fn h() { std::thread::sleep(x) }\n}\n";
        let want = [
            "src/cli/a.rs:1: `.unwrap()` is banned; instead: `?`, or expect(\"why it cannot fail\")",
            "src/cli/a.rs:5: `thread::sleep` is banned; instead: waiting for the event itself",
        ];
        assert_eq!(check(bans, &[("src/cli/a.rs", text)]), want);
        let it = "fn g() { a.unwrap(); }\n";
        assert_eq!(check(bans, &[("tests/it/a.rs", it)]), NONE);
    }

    #[test]
    fn exceptions_are_places() {
        let clock = "fn f() { Instant::now(); }\n";
        let want = "src/sinks/a.rs:1: `Instant::now` is banned; instead: a time that cli or driver hands in";
        assert_eq!(check(bans, &[("src/sinks/a.rs", clock)]), [want]);
        assert_eq!(check(bans, &[("src/cli/a.rs", clock)]), NONE);
        let codec = "use bincode::serde;\n";
        assert_eq!(check(bans, &[("src/journal/codec.rs", codec)]), NONE);
        let no = "fn f() -> Result<(), RejectReason> {}\nfn g() -> Result<(), Error> {}\n";
        let want = "src/core/a.rs:2: `Result<` is banned; \
                    instead: RejectReason for a no, an assert! for what cannot be";
        assert_eq!(check(bans, &[("src/core/a.rs", no)]), [want]);
        let want = "src/journal/frame.rs:1: `bincode` is banned; instead: journal::codec";
        assert_eq!(check(bans, &[("src/journal/frame.rs", codec)]), [want]);
    }
}
