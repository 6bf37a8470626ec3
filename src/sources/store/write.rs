//! Writing a month of history: the same bars always make the same bytes, and no file is ever there
//! by halves.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{Decimal64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::error::StoreError;
use super::files::month_path;
use super::schema::{KEY, LABEL, VERSION, arrow_schema};
use super::validate::check_rows;
use crate::domain::time::Date;
use crate::sources::columns::BarColumns;

/// Rows in one row group: five full sessions, so that a range of days leaves most of a month
/// unread.
const ROW_GROUP_ROWS: usize = 5 * 375;

/// Writes the bars of one instrument and month and returns the file's path. What was there before
/// is replaced in one step.
///
/// # Errors
/// [`StoreError::BadRow`] when a bar is none or is not of `month`; [`StoreError::Io`].
pub fn write_month(
    dir: &Path,
    key: &str,
    month: Date,
    bars: &BarColumns,
) -> Result<PathBuf, StoreError> {
    let path = month_path(dir, key, month);
    check_rows(&path, bars.slices(), month, 0)?;
    let bytes = encode(key, bars).map_err(|error| {
        // The encoder writes to memory, so what it refuses are columns of unequal length.
        StoreError::Unreadable { path: path.clone(), why: error.to_string() }
    })?;
    replace_file(&path, &bytes)?;
    Ok(path)
}

/// The bytes of a history file with these bars, sound or not.
pub(crate) fn encode(key: &str, bars: &BarColumns) -> Result<Vec<u8>, ParquetError> {
    let price = |column: &Int64Array| -> Result<ArrayRef, ParquetError> {
        Ok(Arc::new(column.reinterpret_cast::<Decimal64Type>().with_precision_and_scale(14, 4)?))
    };
    let time = bars.open_time.reinterpret_cast::<TimestampMicrosecondType>().with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(time),
        price(&bars.open)?,
        price(&bars.high)?,
        price(&bars.low)?,
        price(&bars.close)?,
        Arc::new(bars.volume.clone()),
    ];
    let schema = arrow_schema();
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let options = ArrowWriterOptions::new()
        .with_properties(properties(key))
        // The Parquet types say everything; a second copy of the schema could only contradict them.
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// Everything that the bytes depend on besides the bars.
fn properties(key: &str) -> WriterProperties {
    let entries = [VERSION, LABEL, (KEY, key)];
    let entries = entries.map(|(name, value)| KeyValue::new(name.to_owned(), value.to_owned()));
    let mut builder = WriterProperties::builder()
        .set_created_by("lockstep".to_owned())
        .set_key_value_metadata(Some(entries.to_vec()))
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    // Prices repeat, so a dictionary serves them; times step evenly and volumes hardly repeat.
    for name in ["open_time", "volume"] {
        let column = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

/// Puts `bytes` at `path` in one step: to a temporary name beside it, to the disk, then renamed.
/// Makes the directory if need be.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    // Two processes that write the same file must not share a temporary one.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // The first error is the one to report; the leftover is removed as well as can be.
        let _ = fs::remove_file(&temporary);
        StoreError::Io { path: path.to_owned(), source: error }
    })
}
