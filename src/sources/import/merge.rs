//! Rows of all files in one order, each minute once.

use std::path::Path;
use std::sync::Arc;

use super::error::BadRow;
use crate::domain::fact::Bar;
use crate::domain::time::Timestamp;

/// A bar and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The bar. Until the label is known its time is the label's.
    pub bar: Bar,
    /// The file.
    pub path: Arc<Path>,
    /// The line or row in the file, from 1.
    pub line: u64,
}

impl Row {
    /// The row as a bad one.
    pub fn refused(&self, why: &str) -> BadRow {
        let Bar { open_time, open, high, low, close, volume, .. } = self.bar;
        let text = format!("{open_time},{open},{high},{low},{close},{volume}");
        BadRow { path: self.path.clone(), line: self.line, why: why.to_owned(), text }
    }
}

/// Rows by time, each minute once.
pub(super) struct Merged {
    /// The rows, ascending.
    pub rows: Vec<Row>,
    /// How many rows were left out because an earlier one says the very same.
    pub duplicates: usize,
    /// Rows of minutes for which the files say different things. Nobody can tell which is right, so
    /// all of them are here.
    pub conflicts: Vec<BadRow>,
}

/// How many rows of a file are before a row above them.
pub(super) fn count_out_of_order(rows: &[Row]) -> usize {
    let mut latest = Timestamp::MIN;
    let mut late = 0;
    for row in rows {
        late += usize::from(row.bar.open_time < latest);
        latest = latest.max(row.bar.open_time);
    }
    late
}

/// Sorts rows by time and settles minutes that occur more than once.
pub(super) fn merge(mut rows: Vec<Row>) -> Merged {
    rows.sort_by_key(|row| row.bar.open_time);
    let mut merged = Merged { rows: Vec::new(), duplicates: 0, conflicts: Vec::new() };
    for minute in rows.chunk_by(|a, b| a.bar.open_time == b.bar.open_time) {
        let first = &minute[0];
        match minute.iter().find(|row| row.bar != first.bar) {
            None => {
                merged.rows.push(first.clone());
                merged.duplicates += minute.len() - 1;
            }
            Some(other) => merged.conflicts.extend(minute.iter().map(|row| {
                let against = if row.bar == first.bar { other } else { first };
                let place = format!("{}:{}", against.path.display(), against.line);
                row.refused(&format!("conflicts with {place}, the same minute"))
            })),
        }
    }
    merged
}
