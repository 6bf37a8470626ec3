//! The shape of Rust files: how they open, how long they and their functions are, how wide a line
//! is.

use super::Findings;
use super::tree::{File, Tree};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;
const LINE_COLUMNS_MAX: usize = 100;

/// Every file says in its first line what lives there.
pub fn opening_lines(tree: &Tree) -> Findings {
    each_rust_file(tree, |file, findings| {
        if !file.text.starts_with("//! ") {
            let what = "no opening line; start the file with `//!` and say what lives there";
            findings.add(&file.path, 1, what);
        }
        1
    })
}

/// A function fits on a screen.
pub fn function_length(tree: &Tree) -> Findings {
    each_rust_file(tree, |file, findings| {
        let functions = functions(&file.code);
        for function in &functions {
            if function.lines > FUNCTION_LINES_MAX {
                let Function { name, lines, line } = function;
                let what = format!(
                    "`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}; \
                     take out what has a name of its own"
                );
                findings.add(&file.path, line + 1, what);
            }
        }
        functions.len()
    })
}

/// A file can be read in one go; its tests do not count.
pub fn file_length(tree: &Tree) -> Findings {
    each_rust_file(tree, |file, findings| {
        let lines = file.lines_without_tests();
        if lines > FILE_LINES_MAX {
            let what = format!(
                "{lines} lines without tests, at most {FILE_LINES_MAX}; split the file by noun"
            );
            findings.add(&file.path, FILE_LINES_MAX + 1, what);
        }
        1
    })
}

/// Lines fit side by side, and hold nothing that cannot be seen.
pub fn line_width(tree: &Tree) -> Findings {
    each_rust_file(tree, |file, findings| {
        for (line, (text, code)) in file.text.lines().zip(file.code.lines()).enumerate() {
            let columns = text.chars().count();
            // What a test expects is as wide as it is; so is a literal that starts on another line.
            let may_hold_data = file.is_test_line(line) || code.starts_with('"');
            let is_data = may_hold_data && code.contains('"') && ends_in_literal(code);
            if columns > LINE_COLUMNS_MAX && !is_data && !text.contains("http") {
                let what = format!("{columns} columns, at most {LINE_COLUMNS_MAX}; break the line");
                findings.add(&file.path, line + 1, what);
            }
            if text.ends_with(char::is_whitespace) {
                findings.add(&file.path, line + 1, "blanks at the end of the line; remove them");
            }
            if text.contains('\t') {
                findings.add(&file.path, line + 1, r"a tab; use blanks, or `\t` in a literal");
            }
        }
        1
    })
}

/// Whether what is too wide of `code` is a literal and what closes after it.
fn ends_in_literal(code: &str) -> bool {
    code.chars().skip(LINE_COLUMNS_MAX).all(|c| "\",;)]}".contains(c))
}

/// Runs `check` on every Rust file; it returns how many things it looked at.
fn each_rust_file(tree: &Tree, check: impl Fn(&File, &mut Findings) -> usize) -> Findings {
    let mut findings = Findings::default();
    for file in tree.rust() {
        findings.looked_at += check(file, &mut findings);
    }
    findings
}

struct Function<'a> {
    name: &'a str,
    /// Where it starts, counted from 0.
    line: usize,
    /// From the line of `fn` to that of the closing brace.
    lines: usize,
}

/// The functions that have a body.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let mut start = 0;
    for (line, text) in code.split_inclusive('\n').enumerate() {
        if let Some(name) = function_name(text)
            && let Some(lines) = body_lines(&code[start..])
        {
            functions.push(Function { name, line, lines });
        }
        start += text.len();
    }
    functions
}

/// The name, if `line` starts a function.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    while !rest.starts_with("fn ") {
        let (word, after) = rest.split_once(' ')?;
        let is_modifier = matches!(word, "const" | "async" | "unsafe" | "default" | "extern")
            || word.starts_with("pub")
            || word.starts_with('"')
            || word.ends_with(')');
        if !is_modifier {
            return None;
        }
        rest = after;
    }
    let name = &rest["fn ".len()..];
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    Some(&name[..name.find(|c| !is_part(c)).unwrap_or(name.len())])
}

/// The number of lines from the start of a function to its closing brace; none for a declaration
/// without a body.
fn body_lines(code: &str) -> Option<usize> {
    let (mut inside, mut braces, mut lines) = (0, 0, 1);
    for c in code.chars() {
        match c {
            '\n' => lines += 1,
            '(' | '[' => inside += 1,
            ')' | ']' => inside -= 1,
            ';' if inside == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(lines),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NONE, check};
    use super::*;

    #[test]
    fn a_file_without_an_opening_line() {
        let found = check(opening_lines, &[("src/a.rs", "fn f() {}\n"), ("b.rs", "//! B.\n")]);
        let want =
            "src/a.rs:1: no opening line; start the file with `//!` and say what lives there";
        assert_eq!(found, [want]);
    }

    #[test]
    fn a_function_of_71_lines() {
        let body = |lines| format!("{{\n{}}}\n", "    let x = \"}\"; // }\n".repeat(lines));
        let fits = format!("pub const fn fits(\n    x: [u8; 4],\n) -> u8 {}", body(66));
        let tall = format!("impl A {{\n    pub(in crate::a) fn tall() {}}}\n", body(69));
        let declared = "trait T {\n    fn declared();\n    fn given() {}\n}\n";
        let text = format!("{fits}{tall}{declared}");
        let want =
            "src/a.rs:72: `tall` has 71 lines, at most 70; take out what has a name of its own";
        assert_eq!(check(function_length, &[("src/a.rs", &text)]), [want]);
    }

    #[test]
    fn functions_of_every_kind_are_seen() {
        let code = "async fn a() {}\npub unsafe extern \"C\" fn b() {}\n    fn $name() {}\n\
                    let fn_c = 1;\nfn d();\n// fn e() {}\n";
        let code = super::super::lexer::code_of(code);
        let names: Vec<&str> = functions(&code).into_iter().map(|function| function.name).collect();
        assert_eq!(names, ["a", "b", "$name"]);
    }

    #[test]
    fn a_file_of_501_lines_before_its_tests() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // t\n".repeat(300));
        let fits = format!("{}{tests}", "//! A.\n".repeat(500));
        let long = format!("{}{tests}", "//! B.\n".repeat(501));
        let want = "src/b.rs:501: 501 lines without tests, at most 500; split the file by noun";
        assert_eq!(check(file_length, &[("src/a.rs", &fits), ("src/b.rs", &long)]), [want]);
    }

    #[test]
    fn a_line_that_is_wide_or_ends_in_blanks_or_has_a_tab() {
        let wide = "x".repeat(101);
        let text = format!("{}\n{wide}\n// http://{wide}\nx \nx\ty\n", "₹".repeat(100));
        let want = [
            "a.rs:2: 101 columns, at most 100; break the line",
            "a.rs:4: blanks at the end of the line; remove them",
            r"a.rs:5: a tab; use blanks, or `\t` in a literal",
        ];
        assert_eq!(check(line_width, &[("a.rs", &text)]), want);
        assert_eq!(check(line_width, &[("a.rs", "fn f() {}\n")]), NONE);
    }

    #[test]
    fn literals_in_tests_and_those_of_many_lines_are_as_wide_as_they_are() {
        let wide = "x".repeat(101);
        let text = format!(
            "f(\"\n{wide}\n\");\n#[cfg(test)]\nmod tests {{\n    f(\"{wide}\");\n    f(\"{}\");\n}}\n",
            &wide[..93]
        );
        assert_eq!(check(line_width, &[("a.rs", &text)]), NONE);
        let text =
            format!("f(\"{wide}\");\n#[cfg(test)]\nmod tests {{\n    f(\"{wide}\", 1);\n}}\n");
        let want = [
            "a.rs:1: 107 columns, at most 100; break the line",
            "a.rs:4: 114 columns, at most 100; break the line",
        ];
        assert_eq!(check(line_width, &[("a.rs", &text)]), want);
    }
}
