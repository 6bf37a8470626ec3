//! Tells Rust code from the words in it: comments become blanks and literals become quotes, every
//! line and column stays where it was.

/// `text` with blanks in place of comments, and string and char literals filled with quotes.
pub fn code_of(text: &str) -> String {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, code: String::new() };
    while let Some(c) = lexer.peek(0) {
        match (c, lexer.peek(1)) {
            ('/', Some('/')) => lexer.fill_until(' ', |lexer| lexer.peek(0) == Some('\n')),
            ('/', Some('*')) => lexer.block_comment(),
            ('"', _) => lexer.string(),
            ('\'', _) => lexer.char_or_lifetime(),
            _ if is_word(c) => lexer.word(),
            _ => lexer.keep(1),
        }
    }
    lexer.code
}

/// Whether `c` can stand in an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `code` as a word of its own, in bytes. An end of `word` that is no letter
/// (`.unwrap()`, `std::`) may touch anything; `'static` does not contain the word `static`.
pub fn find_word(code: &str, word: &str) -> Vec<usize> {
    let starts_open = word.starts_with(is_word);
    let ends_open = word.ends_with(is_word);
    let stands_alone = |&(at, _): &(usize, &str)| {
        let goes_on_before = starts_open && code[..at].ends_with(|c| is_word(c) || c == '\'');
        let goes_on_after = ends_open && code[at + word.len()..].starts_with(is_word);
        !goes_on_before && !goes_on_after
    };
    code.match_indices(word).filter(stands_alone).map(|(at, _)| at).collect()
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    code: String,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn keep(&mut self, count: usize) {
        let end = (self.at + count).min(self.chars.len());
        self.code.extend(&self.chars[self.at..end]);
        self.at = end;
    }

    fn fill(&mut self, with: char, count: usize) {
        let end = (self.at + count).min(self.chars.len());
        let filled = self.chars[self.at..end].iter().map(|&c| if c == '\n' { c } else { with });
        self.code.extend(filled);
        self.at = end;
    }

    fn fill_until(&mut self, with: char, end: impl Fn(&Lexer) -> bool) {
        while self.at < self.chars.len() && !end(self) {
            self.fill(with, 1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => {
                    self.fill(' ', 1);
                    continue;
                }
            }
            self.fill(' ', 2);
            if depth == 0 {
                return;
            }
        }
    }

    /// A string literal with escapes, from its opening quote.
    fn string(&mut self) {
        self.keep(1);
        while let Some(c) = self.peek(0) {
            match c {
                '"' => return self.keep(1),
                '\\' => self.fill('"', 2),
                _ => self.fill('"', 1),
            }
        }
    }

    /// An identifier, a keyword, a number, or a raw string, whose prefix looks like a word.
    fn word(&mut self) {
        let length = self.chars[self.at..].iter().take_while(|c| is_word(**c)).count();
        let word: String = self.chars[self.at..self.at + length].iter().collect();
        self.keep(length);
        if !matches!(word.as_str(), "r" | "br" | "cr") {
            return;
        }
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        if self.peek(hashes) != Some('"') {
            return;
        }
        self.keep(hashes + 1);
        self.fill_until('"', |lexer| {
            lexer.peek(0) == Some('"') && (1..=hashes).all(|i| lexer.peek(i) == Some('#'))
        });
        self.keep(1 + hashes);
    }

    fn char_or_lifetime(&mut self) {
        let length = match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => {
                let rest = self.chars.get(self.at + 3..).unwrap_or_default();
                rest.iter().take_while(|c| **c != '\'').count() + 2
            }
            (Some(_), Some('\'')) => 1,
            _ => return self.keep(1),
        };
        self.keep(1);
        self.fill('\'', length);
        self.keep(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str) {
        let got = code_of(text);
        assert_eq!(got, code);
        assert_eq!(got.chars().count(), text.chars().count(), "every column stays");
    }

    #[test]
    fn comments_become_blanks() {
        check("a // b\nc", "a     \nc");
        check("a /* b\n /* c */ d */ e", "a     \n              e");
        check("/// \"doc\nx", "        \nx");
        check("a /* never closed", "a                ");
    }

    #[test]
    fn strings_become_quotes() {
        check(r#"f("a // b", x)"#, r#"f("""""""", x)"#);
        check(r#"f("a\"b", x)"#, r#"f("""""", x)"#);
        check(r#"b"ab" c"cd""#, r#"b"""" c"""""#);
        check("f(\"₹ 5\n}\", x)", "f(\"\"\"\"\n\"\", x)");
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        check(r###"f(r#"a "b" // c"#, x)"###, r###"f(r#""""""""""""#, x)"###);
        check(r#"f(r"\", x)"#, r#"f(r""", x)"#);
        check(r###"br##"a"# b"## + r#type"###, r###"br##"""""""## + r#type"###);
    }

    #[test]
    fn chars_are_told_from_lifetimes() {
        check("match c { '{' => '\"' }", "match c { ''' => ''' }");
        check("[b'\\'', '\\u{7d}']", "[b'''', '''''''']");
        check("fn f<'a>(x: &'a str, y: &'static str)", "fn f<'a>(x: &'a str, y: &'static str)");
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(find_word("brand rand rand_chacha 'rand", "rand"), [6]);
        assert_eq!(find_word("x.unwrap().unwrap_or(1)", ".unwrap()"), [1]);
        assert_eq!(find_word("core::std::fmt, mystd::x", "std::"), [6]);
    }
}
