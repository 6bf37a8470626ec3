//! Rows by table and key: what has changed, or all there is. The last row of a key counts.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::schema::TableId;

/// One row: a cell for each column.
pub type Row = Vec<Cell>;

/// Rows by table and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    tables: BTreeMap<TableId, BTreeMap<Vec<Cell>, Row>>,
    count: usize,
}

impl Rows {
    /// Puts a row in the place of the one with its key, if there is one.
    pub fn put(&mut self, table: TableId, row: Row) {
        let key = row.iter().take(table.key()).cloned().collect();
        let before = self.tables.entry(table).or_default().insert(key, row);
        self.count += usize::from(before.is_none());
    }

    /// Puts all rows of `later` in their places.
    pub fn merge(&mut self, later: Rows) {
        for (table, rows) in later.tables {
            let mine = self.tables.entry(table).or_default();
            for (key, row) in rows {
                self.count += usize::from(mine.insert(key, row).is_none());
            }
        }
    }

    /// The rows of a table in order of their key.
    pub fn of(&self, table: TableId) -> impl ExactSizeIterator<Item = &Row> {
        static NONE: BTreeMap<Vec<Cell>, Row> = BTreeMap::new();
        self.tables.get(&table).unwrap_or(&NONE).values()
    }

    /// Rows of all tables.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The hash of all rows: see [`RowHash`].
    pub fn hash(&self) -> blake3::Hash {
        let mut hash = RowHash::default();
        for table in TableId::ALL {
            hash.table(table);
            self.of(table).for_each(|row| hash.row(row));
        }
        hash.finish()
    }
}

/// BLAKE3 over rows: the tables in order, and of each the rows in order of their key. It is the
/// same wherever the rows are kept.
#[derive(Default)]
pub struct RowHash(blake3::Hasher);

impl RowHash {
    /// The rows of that table follow.
    pub fn table(&mut self, table: TableId) {
        Cell::text(table.name()).hash_into(&mut self.0);
    }

    /// The next row.
    pub fn row(&mut self, row: &[Cell]) {
        row.iter().for_each(|cell| cell.hash_into(&mut self.0));
    }

    /// The hash.
    pub fn finish(&self) -> blake3::Hash {
        self.0.finalize()
    }
}
