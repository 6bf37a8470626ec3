//! A book in five lines: one hash for each table and for the accepted minutes, and how many rows
//! there are. A golden whose files do not hash to its digest was edited by hand.

use std::fmt;
use std::path::Path;

use super::book::Book;
use super::error::Error;
use super::table::TableKind;

/// The name of the file in a golden.
pub const FILE: &str = "digest";

/// A book in five lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// BLAKE3 of each table's CSV in hexadecimal, in the order of [`TableKind::ALL`].
    pub tables: [String; 3],
    /// BLAKE3 over the accepted minutes.
    pub inputs: String,
    /// Rows of each table.
    pub rows: [usize; 3],
}

impl Digest {
    /// The digest of a book; `None` where the book's minutes are not known.
    pub fn of(book: &Book) -> Option<Digest> {
        let hash = |kind| blake3::hash(&book.table(kind).to_csv()).to_hex().to_string();
        Some(Digest {
            tables: TableKind::ALL.map(hash),
            inputs: book.inputs.clone()?,
            rows: TableKind::ALL.map(|kind| book.table(kind).rows.len()),
        })
    }

    /// One hash over all of it.
    pub fn root(&self) -> String {
        blake3::hash(self.to_string().as_bytes()).to_hex().to_string()
    }

    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// Names the line that is not as written. `path` is for the message.
    pub fn parse(text: &str, path: &Path) -> Result<Digest, Error> {
        let mut lines = text.lines().zip(1..);
        let mut value_of = |name: &str| {
            let (line, number) = lines.next().unwrap_or(("", 5));
            match line.split_once(' ') {
                Some((word, value)) if word == name => Ok((value, number)),
                _ => Err(Error::malformed(path, number, format!("expected '{name} …'"))),
            }
        };
        let mut hash_of = |name: &str| {
            let (value, number) = value_of(name)?;
            let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            match is_hash {
                true => Ok(value.to_string()),
                false => Err(Error::malformed(path, number, "expected 64 hexadecimal digits")),
            }
        };
        let [bars, signals, fills] = TableKind::ALL.map(|kind| hash_of(kind.name()));
        let (tables, inputs) = ([bars?, signals?, fills?], hash_of("inputs")?);
        let (counts, number) = value_of("rows")?;
        let counts: Option<Vec<usize>> = counts.split(' ').map(|word| word.parse().ok()).collect();
        let rows = counts.and_then(|counts| counts.try_into().ok());
        let rows = rows.ok_or_else(|| Error::malformed(path, number, "expected three counts"))?;
        Ok(Digest { tables, inputs, rows })
    }
}

/// ```text
/// bars_15m 4f7c…
/// signals 91ab…
/// fills 03de…
/// inputs 77e1…
/// rows 3058 214 82
/// ```
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, hash) in TableKind::ALL.iter().zip(&self.tables) {
            writeln!(f, "{} {hash}", kind.name())?;
        }
        let [bars, signals, fills] = self.rows;
        writeln!(f, "inputs {}\nrows {bars} {signals} {fills}", self.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::facts;
    use super::*;

    #[test]
    fn a_digest_survives_its_file_and_names_a_broken_line() {
        let digest = Digest::of(&facts().book()).unwrap();
        let text = digest.to_string();
        assert_eq!(Digest::parse(&text, Path::new(FILE)).unwrap(), digest);
        let broken = |from: &str, to: &str| {
            let text = text.replace(from, to);
            Digest::parse(&text, Path::new(FILE)).unwrap_err().to_string()
        };
        insta::assert_snapshot!(broken("inputs ", "inputs x"), @"read digest, line 4: expected 64 hexadecimal digits");
        insta::assert_snapshot!(broken("signals", "signal"), @"read digest, line 2: expected 'signals …'");
        insta::assert_snapshot!(broken("rows 6", "rows six"), @"read digest, line 5: expected three counts");
        insta::assert_snapshot!(broken("rows", "row"), @"read digest, line 5: expected 'rows …'");
    }
}
