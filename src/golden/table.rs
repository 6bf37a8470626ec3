//! Rows of text with a time and an address, read from and written as CSV. Text is what is compared
//! and what stands in a golden: doubles are printed so that equal text means equal bits.

use std::path::Path;

use csv::StringRecord;

use crate::domain::event::EventId;
use crate::domain::time::Timestamp;

use super::error::Error;

/// The tables of a book. Their order is the order of causes at one instant: bars make signals, and
/// signals make fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// Strategy bars with their indicators.
    Bars,
    /// Signals.
    Signals,
    /// Fills.
    Fills,
}

impl TableKind {
    /// All tables, in the order of causes.
    pub const ALL: [TableKind; 3] = [TableKind::Bars, TableKind::Signals, TableKind::Fills];

    /// The table's name.
    pub const fn name(self) -> &'static str {
        match self {
            TableKind::Bars => "bars_15m",
            TableKind::Signals => "signals",
            TableKind::Fills => "fills",
        }
    }

    /// The table's file in a golden.
    pub const fn file(self) -> &'static str {
        match self {
            TableKind::Bars => "bars_15m.csv",
            TableKind::Signals => "signals.csv",
            TableKind::Fills => "fills.csv",
        }
    }

    /// What one row is called on the tape.
    pub const fn event(self) -> &'static str {
        match self {
            TableKind::Bars => "bar-15m",
            TableKind::Signals => "signal",
            TableKind::Fills => "fill",
        }
    }

    /// The columns, in order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            TableKind::Bars => &[
                "time",
                "known",
                "key",
                "open",
                "high",
                "low",
                "close",
                "volume",
                "minutes",
                "expected",
                "ema20",
                "ema50",
                "atr",
                "adx",
                "vwap",
                "vol_z",
                "swing_high",
                "swing_low",
                "check",
            ],
            TableKind::Signals => &[
                "time",
                "known",
                "key",
                "symbol",
                "side",
                "type",
                "price",
                "quantity",
                "stop",
                "target",
                "atr",
                "vwap_dist",
                "ema_slope",
                "atr_pct",
                "adx",
                "vol_z",
                "margins",
                "signal_id",
            ],
            TableKind::Fills => &[
                "time",
                "key",
                "symbol",
                "side",
                "quantity",
                "price",
                "fee",
                "reason",
                "signal_id",
            ],
        }
    }

    /// The columns that say what a row is about. Rows of two tables with the same text in them are
    /// compared; several such rows of one table are paired in their order.
    pub const fn identity(self) -> &'static [&'static str] {
        match self {
            TableKind::Bars => &["time", "key"],
            TableKind::Signals => &["time", "key", "side", "type"],
            TableKind::Fills => &["time", "key", "reason", "side"],
        }
    }

    /// The column with the time from which on a row could be known.
    pub const fn known(self) -> &'static str {
        match self {
            TableKind::Bars | TableKind::Signals => "known",
            TableKind::Fills => "time",
        }
    }

    /// The place of a column.
    pub fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| *column == name)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The text of each column.
    pub cells: StringRecord,
    /// The time from which on the row could be known.
    pub known: Timestamp,
    /// Its line in the file, from 1; the header is line 1.
    pub line: u64,
    /// The event behind it; `EventId::NONE` where that is not known.
    pub event: EventId,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which table.
    pub kind: TableKind,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
}

impl Table {
    /// A table without rows.
    pub const fn new(kind: TableKind) -> Table {
        Table { kind, rows: Vec::new() }
    }

    /// Adds a row at the end.
    pub(super) fn push(&mut self, known: Timestamp, event: EventId, cells: StringRecord) {
        let line = self.rows.len() as u64 + 2;
        self.rows.push(Row { cells, known, line, event });
    }

    /// The text of a column, and nothing where there is no such column.
    pub fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        self.kind.column(column).and_then(|place| row.cells.get(place)).unwrap_or_default()
    }

    /// The table as CSV, header included.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let into_memory = "writing CSV into memory cannot fail: all rows have the same columns";
        writer.write_record(self.kind.columns()).expect(into_memory);
        for row in &self.rows {
            writer.write_record(&row.cells).expect(into_memory);
        }
        writer.into_inner().expect(into_memory)
    }

    /// Reads what [`Table::to_csv`] writes.
    ///
    /// # Errors
    /// When the header or a row is not of this table; names the line. `path` is for the message.
    pub fn from_csv(kind: TableKind, bytes: &[u8], path: &Path) -> Result<Table, Error> {
        let mut table = Table::new(kind);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        for (number, record) in reader.records().enumerate() {
            let cells = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                Error::malformed(path, line, error.to_string())
            })?;
            let line = cells.position().map_or(0, csv::Position::line);
            if number == 0 {
                if cells != *kind.columns() {
                    let what = format!("expected the columns {}", kind.columns().join(","));
                    return Err(Error::malformed(path, line, what));
                }
                continue;
            }
            let known = table.time_of(&cells, kind.known());
            let (Some(known), Some(_)) = (known, table.time_of(&cells, "time")) else {
                let what = "expected times such as 2024-10-01T09:15 in 'time' and 'known'";
                return Err(Error::malformed(path, line, what));
            };
            table.rows.push(Row { cells, known, line, event: EventId::NONE });
        }
        if reader.position().record() == 0 {
            return Err(Error::malformed(path, 1, "the file is empty, not even a header"));
        }
        Ok(table)
    }

    fn time_of(&self, cells: &StringRecord, column: &str) -> Option<Timestamp> {
        cells.get(self.kind.column(column)?).and_then(Timestamp::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: TableKind, text: &str) -> Result<Table, String> {
        Table::from_csv(kind, text.as_bytes(), Path::new("x.csv")).map_err(|e| e.to_string())
    }

    #[test]
    fn every_table_has_its_identity_and_its_time() {
        for kind in TableKind::ALL {
            for column in kind.identity().iter().chain([&kind.known()]) {
                assert!(kind.column(column).is_some(), "{column} of {}", kind.name());
            }
        }
    }

    #[test]
    fn a_table_survives_its_file() {
        let text = "time,key,symbol,side,quantity,price,fee,reason,signal_id\n\
                    2024-10-01T10:00,\"K,1\",S,BUY,5,10.00,1.2345,entry,ab\n\
                    2024-10-01T10:07:30,K,S,SELL,5,10.50,0.00,stop,ab\n";
        let table = read(TableKind::Fills, text).unwrap();
        assert_eq!(String::from_utf8(table.to_csv()).unwrap(), text);
        assert_eq!(table.rows[1].line, 3);
        assert_eq!(table.rows[1].known, Timestamp::parse("2024-10-01T10:07:30").unwrap());
        assert_eq!(table.cell(&table.rows[0], "key"), "K,1");
    }

    #[test]
    fn what_is_no_such_table_is_refused_with_its_line() {
        let header = "time,key,symbol,side,quantity,price,fee,reason,signal_id\n";
        let refused = |text: &str| read(TableKind::Fills, text).unwrap_err();
        insta::assert_snapshot!(refused(""), @"read x.csv, line 1: the file is empty, not even a header");
        insta::assert_snapshot!(
            refused("time,key\n"),
            @"read x.csv, line 1: expected the columns time,key,symbol,side,quantity,price,fee,reason,signal_id"
        );
        insta::assert_snapshot!(
            refused(&format!("{header}yesterday,K,S,BUY,5,10.00,1.00,entry,ab\n")),
            @"read x.csv, line 2: expected times such as 2024-10-01T09:15 in 'time' and 'known'"
        );
        insta::assert_snapshot!(
            refused(&format!("{header}2024-10-01T10:00,K,S\n")),
            @"read x.csv, line 2: CSV error: record 1 (line: 2, byte: 57): found record with 3 fields, but the previous record has 9 fields"
        );
    }
}
