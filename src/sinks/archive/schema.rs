//! The columns of an archive's files, and everything else that their bytes depend on.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int64Array, Int64Builder,
    PrimitiveBuilder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::domain::event::EventId;
use crate::domain::time::Timestamp;
use crate::journal::Raw;

/// The columns that are read back: the record, its envelope included.
pub const TRUTH: [&str; 7] = ["seq", "index", "cause", "kind", "version", "received_ns", "payload"];

/// Level of the compression: beyond it the files hardly become smaller.
const ZSTD_LEVEL: i32 = 3;
/// Rows in one row group.
const ROW_GROUP_ROWS: usize = 65_536;

/// Name, type, and whether a value may be missing.
fn fields() -> Vec<Field> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        // The address: number of the input, place among its outputs, place of the cause.
        Field::new("seq", DataType::UInt64, false),
        Field::new("index", DataType::UInt32, false),
        Field::new("cause", DataType::UInt32, false),
        // Number and version in the registry (`journal::record`).
        Field::new("kind", DataType::UInt16, false),
        Field::new("version", DataType::UInt16, false),
        // When an input was received, ns since 1970 UTC; 0 in a replay and for outputs.
        Field::new("received_ns", DataType::Int64, false),
        // The bytes as they stand in the journal's frame.
        Field::new("payload", DataType::Binary, false),
        // From here on for people. Missing where this program does not know the kind.
        Field::new("word", DataType::Utf8, true),
        Field::new("instrument", DataType::Utf8, true),
        // The event's own time, or that of its input where it has none.
        Field::new("time", utc, true),
        // The line of `journal cat` without its address.
        Field::new("tape", DataType::Utf8, true),
    ]
}

/// The columns of a file.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(fields()))
}

/// How the files are written.
pub fn options() -> Result<ArrowWriterOptions, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_created_by("lockstep".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    // Numbers step evenly, and hardly any payload or line comes twice.
    for name in ["seq", "payload", "tape"] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    for name in ["payload", "tape"] {
        let column = ColumnPath::from(name);
        builder = builder.set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    let seq = ColumnPath::from("seq");
    builder = builder.set_column_encoding(seq, Encoding::DELTA_BINARY_PACKED);
    Ok(ArrowWriterOptions::new()
        .with_properties(builder.build())
        // The Parquet types say everything; a second copy of the schema could only contradict them.
        .with_skip_arrow_metadata(true))
}

/// What a row says to people.
#[derive(Debug, Default)]
pub struct Readable<'a> {
    /// The tape's word for the kind.
    pub word: Option<&'static str>,
    /// The instrument's key.
    pub instrument: Option<&'a str>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The event as a line.
    pub tape: Option<String>,
}

/// Rows that wait to be written.
#[derive(Default)]
pub struct Rows {
    seq: PrimitiveBuilder<UInt64Type>,
    index: PrimitiveBuilder<UInt32Type>,
    cause: PrimitiveBuilder<UInt32Type>,
    kind: PrimitiveBuilder<UInt16Type>,
    version: PrimitiveBuilder<UInt16Type>,
    received_ns: Int64Builder,
    payload: BinaryBuilder,
    word: StringBuilder,
    instrument: StringBuilder,
    time: TimestampMicrosecondBuilder,
    tape: StringBuilder,
    /// Rows and bytes of payload and tape.
    size: (usize, usize),
}

impl Rows {
    /// Adds a row.
    pub fn push(&mut self, raw: &Raw<'_>, readable: &Readable<'_>) {
        self.seq.append_value(raw.id.seq);
        self.index.append_value(raw.id.index);
        self.cause.append_value(raw.cause);
        self.kind.append_value(raw.kind);
        self.version.append_value(raw.version);
        self.received_ns.append_value(raw.received_ns);
        self.payload.append_value(raw.payload);
        self.word.append_option(readable.word);
        self.instrument.append_option(readable.instrument);
        self.time.append_option(readable.time.map(|time| time.0));
        self.tape.append_option(readable.tape.as_deref());
        let (rows, bytes) = self.size;
        let line = readable.tape.as_ref().map_or(0, String::len);
        self.size = (rows + 1, bytes + raw.payload.len() + line);
    }

    /// Rows, and bytes of their payloads and lines.
    pub const fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The rows as columns; none are left.
    pub fn take(&mut self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        self.size = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.seq.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.cause.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.received_ns.finish()),
            Arc::new(self.payload.finish()),
            Arc::new(self.word.finish()),
            Arc::new(self.instrument.finish()),
            Arc::new(self.time.finish().with_timezone("UTC")),
            Arc::new(self.tape.finish()),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    }
}

/// The columns of [`TRUTH`], as they were read.
pub struct Truth<'a> {
    seq: &'a UInt64Array,
    index: &'a UInt32Array,
    cause: &'a UInt32Array,
    kind: &'a UInt16Array,
    version: &'a UInt16Array,
    received_ns: &'a Int64Array,
    payload: &'a BinaryArray,
}

impl<'a> Truth<'a> {
    /// The columns of a batch.
    ///
    /// # Errors
    /// Names the first column that is missing, of another type, or has a gap.
    pub fn of(batch: &'a RecordBatch) -> Result<Truth<'a>, String> {
        let column = |name: &str| -> Result<&'a ArrayRef, String> {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| format!("the column {name} is missing"))?;
            match column.null_count() {
                0 => Ok(column),
                _ => Err(format!("the column {name} has gaps")),
            }
        };
        let other = |name: &str| format!("the column {name} is of another type");
        let [seq, index, cause, kind, version, received_ns, payload] = TRUTH;
        let of = |name| column(name).map(AsRef::as_ref);
        let array = |name| -> Result<&'a dyn Array, String> { of(name) };
        Ok(Truth {
            seq: array(seq)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| other(seq))?,
            index: array(index)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| other(index))?,
            cause: array(cause)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| other(cause))?,
            kind: array(kind)?.as_primitive_opt::<UInt16Type>().ok_or_else(|| other(kind))?,
            version: array(version)?
                .as_primitive_opt::<UInt16Type>()
                .ok_or_else(|| other(version))?,
            received_ns: array(received_ns)?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| other(received_ns))?,
            payload: array(payload)?.as_binary_opt::<i32>().ok_or_else(|| other(payload))?,
        })
    }

    /// The record in that row.
    ///
    /// # Panics
    /// When there are not so many rows.
    pub fn raw(&self, row: usize) -> Raw<'a> {
        Raw {
            kind: self.kind.value(row),
            version: self.version.value(row),
            id: EventId { seq: self.seq.value(row), index: self.index.value(row) },
            cause: self.cause.value(row),
            received_ns: self.received_ns.value(row),
            payload: self.payload.value(row),
        }
    }
}
