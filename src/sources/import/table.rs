//! Rows out of CSV and Parquet files, with the columns found by name.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::NO_RUN;
use super::cell::{self, Cell, NaiveClock};
use super::error::{BadRow, ImportError};
use super::merge::Row;
use crate::domain::fact::Bar;
use crate::sources::shield::shielded;

/// The columns of a bar, each with the names it is known by.
const ROLES: [(&str, &[&str]); 6] = [
    ("time", &["timestamp", "datetime", "date", "time", "open_time"]),
    ("open", &["open", "o"]),
    ("high", &["high", "h"]),
    ("low", &["low", "l"]),
    ("close", &["close", "c"]),
    ("volume", &["volume", "vol", "v"]),
];

/// The six cells of a bar, in the order of [`ROLES`].
type Cells = [Cell; 6];

/// Names of columns; `None` to look for the usual names, whatever their case.
#[derive(Clone, Debug, Default)]
pub struct ColumnNames {
    /// When.
    pub time: Option<String>,
    /// First price.
    pub open: Option<String>,
    /// Highest price.
    pub high: Option<String>,
    /// Lowest price.
    pub low: Option<String>,
    /// Last price.
    pub close: Option<String>,
    /// Shares traded.
    pub volume: Option<String>,
}

impl ColumnNames {
    /// The places of the six columns among those of a file.
    fn places(&self, path: &Path, found: &[String]) -> Result<[usize; 6], ImportError> {
        let own = [&self.time, &self.open, &self.high, &self.low, &self.close, &self.volume];
        let mut places = [0; 6];
        for (slot, ((role, usual), own)) in places.iter_mut().zip(ROLES.into_iter().zip(own)) {
            let is_it = |name: &str| match own {
                Some(own) => name == own,
                None => usual.iter().any(|usual| usual.eq_ignore_ascii_case(name)),
            };
            let matches: Vec<usize> = (0..found.len()).filter(|&at| is_it(&found[at])).collect();
            let [place] = matches[..] else {
                let usual = || usual.iter().map(|&name| name.to_owned()).collect();
                return Err(ImportError::Column {
                    path: path.to_owned(),
                    role,
                    count: matches.len(),
                    names: own.as_ref().map_or_else(usual, |own| vec![own.clone()]),
                    found: found.to_vec(),
                });
            };
            *slot = place;
        }
        Ok(places)
    }
}

/// The rows of one file.
#[derive(Default)]
pub(super) struct Found {
    /// Rows that say when and how much, in the order of the file.
    pub rows: Vec<Row>,
    /// Rows that do not.
    pub bad: Vec<BadRow>,
}

impl Found {
    /// Adds a row: six cells, or why there are not six.
    fn add(
        &mut self,
        path: &Arc<Path>,
        line: u64,
        cells: Result<Cells, String>,
        naive: NaiveClock,
        text: impl FnOnce() -> String,
    ) {
        match cells.and_then(|cells| parse(&cells, naive)) {
            Ok(bar) => self.rows.push(Row { bar, path: path.clone(), line }),
            Err(why) => self.bad.push(BadRow { path: path.clone(), line, why, text: text() }),
        }
    }
}

/// The bar that six cells name. Its time is the label's.
fn parse(cells: &Cells, naive: NaiveClock) -> Result<Bar, String> {
    let [time, open, high, low, close, volume] = cells;
    Ok(Bar {
        instrument: NO_RUN,
        open_time: cell::time(time, naive)?,
        open: cell::price(open, "open")?,
        high: cell::price(high, "high")?,
        low: cell::price(low, "low")?,
        close: cell::price(close, "close")?,
        volume: cell::volume(volume)?,
    })
}

/// Reads the bars of a file.
pub(super) fn read(
    path: &Path,
    names: &ColumnNames,
    naive: NaiveClock,
) -> Result<Found, ImportError> {
    let shared: Arc<Path> = path.into();
    let mut found = Found::default();
    let places = |header: &[String]| names.places(path, header).map(|places| places.map(Some));
    rows(path, places, |line, cells, text| found.add(&shared, line, cells, naive, text))?;
    Ok(found)
}

/// Hands over every row of a file, Parquet if it begins like one and CSV otherwise: its line or row
/// from 1, the cells of the columns that `places` chooses (empty where it chooses none), or why
/// there are none, and the row as text.
pub(super) fn rows<const N: usize>(
    path: &Path,
    places: impl FnOnce(&[String]) -> Result<[Option<usize>; N], ImportError>,
    mut each: impl FnMut(u64, Result<[Cell; N], String>, &dyn Fn() -> String),
) -> Result<(), ImportError> {
    let io = |source| ImportError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut magic = [0; 4];
    let is_parquet = file.read_exact(&mut magic).is_ok() && &magic == b"PAR1";
    file.rewind().map_err(io)?;
    if is_parquet {
        read_parquet(path, file, places, &mut each)
    } else {
        read_csv(path, file, places, &mut each)
    }
}

fn read_csv<const N: usize>(
    path: &Path,
    file: File,
    places: impl FnOnce(&[String]) -> Result<[Option<usize>; N], ImportError>,
    each: &mut impl FnMut(u64, Result<[Cell; N], String>, &dyn Fn() -> String),
) -> Result<(), ImportError> {
    let unreadable = |error: csv::Error| {
        let why = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(source) => ImportError::Io { path: path.into(), source },
            _ => ImportError::Unreadable { path: path.into(), why },
        }
    };
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(file));
    let header: Vec<String> = reader.byte_headers().map_err(unreadable)?.iter().map(text).collect();
    let places = places(&header)?;
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, csv::Position::line);
        let cells = if record.len() == header.len() {
            Ok(places.map(|place| match place.map(|place| text(&record[place])) {
                Some(text) if !text.is_empty() => Cell::Text(text),
                _ => Cell::Empty,
            }))
        } else {
            Err(format!("{} fields where the header has {}", record.len(), header.len()))
        };
        let original = || record.iter().map(text).collect::<Vec<_>>().join(",");
        each(line, cells, &original);
    }
    Ok(())
}

fn read_parquet<const N: usize>(
    path: &Path,
    file: File,
    places: impl FnOnce(&[String]) -> Result<[Option<usize>; N], ImportError>,
    each: &mut impl FnMut(u64, Result<[Cell; N], String>, &dyn Fn() -> String),
) -> Result<(), ImportError> {
    let unreadable = |why: String| ImportError::Unreadable { path: path.to_owned(), why };
    let decode = || -> Result<(Vec<String>, Vec<RecordBatch>), String> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| e.to_string())?;
        let columns = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let reader = builder.build().map_err(|error| error.to_string())?;
        let batches = reader.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok((columns, batches))
    };
    let (columns, batches) = shielded(decode).and_then(|result| result).map_err(unreadable)?;
    let places = places(&columns)?;
    let mut line = 0;
    for batch in batches {
        let mut typed = Vec::with_capacity(places.len());
        for place in places {
            let column = place.map(|place| {
                Typed::new(batch.column(place)).map_err(|found| ImportError::ColumnType {
                    path: path.to_owned(),
                    column: columns[place].clone(),
                    found,
                })
            });
            typed.push(column.transpose()?);
        }
        let cell =
            |column: &Option<Typed>, row| column.as_ref().map_or(Cell::Empty, |it| it.cell(row));
        for row in 0..batch.num_rows() {
            line += 1;
            let cells = std::array::from_fn(|column| cell(&typed[column], row));
            let original = || {
                let cells = typed.iter().map(|column| cell(column, row).to_string());
                cells.collect::<Vec<_>>().join(",")
            };
            each(line, Ok(cells), &original);
        }
    }
    Ok(())
}

/// A Parquet column in one of few types.
struct Typed {
    array: ArrayRef,
    kind: Kind,
}

/// The types that cells are made of.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int,
    Float,
    Decimal(i8),
    Instant,
    Local,
}

impl Typed {
    /// The column, or the name of a type that nothing can be read from.
    fn new(array: &ArrayRef) -> Result<Typed, String> {
        use DataType::{
            Decimal32, Decimal64, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64,
            LargeUtf8, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
        };
        let (kind, target) = match array.data_type() {
            // A short float's shortest text is the price that was meant; its double is not.
            Utf8 | LargeUtf8 | Utf8View | Float16 | Float32 => (Kind::Text, Utf8),
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => (Kind::Int, Int64),
            Float64 => (Kind::Float, Float64),
            Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) => {
                (Kind::Decimal(*scale), Decimal128(38, *scale))
            }
            Timestamp(_, zone) => {
                let kind = if zone.is_some() { Kind::Instant } else { Kind::Local };
                (kind, Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            other => return Err(other.to_string()),
        };
        let array = cast(array, &target).map_err(|error| error.to_string())?;
        Ok(Typed { array, kind })
    }

    fn cell(&self, row: usize) -> Cell {
        if self.array.is_null(row) {
            return Cell::Empty;
        }
        let us = || self.array.as_primitive::<TimestampMicrosecondType>().value(row);
        match self.kind {
            Kind::Text => Cell::Text(self.array.as_string::<i32>().value(row).trim().to_owned()),
            Kind::Int => Cell::Int(self.array.as_primitive::<Int64Type>().value(row)),
            Kind::Float => Cell::Float(self.array.as_primitive::<Float64Type>().value(row)),
            Kind::Decimal(scale) => {
                Cell::Decimal(self.array.as_primitive::<Decimal128Type>().value(row), scale)
            }
            Kind::Instant => Cell::Instant(us()),
            Kind::Local => Cell::Local(us()),
        }
    }
}
