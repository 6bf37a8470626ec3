//! Decoding one history file: columns in, checked at the door, nothing copied that need not be.

use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Decimal64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;

use super::error::StoreError;
use super::schema::{KEY, check_columns, check_metadata, metadata_entry};
use crate::domain::time::Window;
use crate::sources::columns::BarColumns;
use crate::sources::shield::shielded;

/// More rows than a month of minutes can have by far. A damaged footer must not make the decoder
/// ask for all the memory there is.
const ROWS_MAX: usize = 1_000_000;

/// Which rows of a month's file are wanted: those of a window, and those that are not of the month
/// at all, or they would go unseen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The rows that were asked for.
    pub window: Window,
    /// The file's month.
    pub month: Window,
}

impl Wanted {
    fn is(self, time: i64) -> bool {
        let within = |window: Window| window.open.0 <= time && time < window.close.0;
        within(self.window) || !within(self.month)
    }

    /// Whether a row of times from `min` to `max` can be wanted.
    fn may_be(self, min: i64, max: i64) -> bool {
        let Wanted { window, month } = self;
        let overlaps = min < window.close.0 && window.open.0 <= max;
        overlaps || min < month.open.0 || month.close.0 <= max
    }
}

/// The key that a file's metadata name.
pub(super) fn read_key(path: &Path) -> Result<String, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    let metadata = guarded(path, || Ok(read_metadata(&file)?))?;
    let key = metadata_entry(metadata.file_metadata(), KEY);
    key.map(str::to_owned).ok_or_else(|| StoreError::Metadata {
        path: path.to_owned(),
        entry: KEY,
        wanted: "the instrument's key".to_owned(),
        found: "absent".to_owned(),
    })
}

/// The number of rows that a file's metadata name.
pub(super) fn read_row_count(path: &Path) -> Result<u64, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    let metadata = guarded(path, || Ok(read_metadata(&file)?))?;
    Ok(u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0))
}

/// The rows of a file, or only those that are wanted, in the order of the file. Row groups that
/// hold none of them are not decoded. The rows are not yet checked.
pub(super) fn read_rows(
    path: &Path,
    key: &str,
    wanted: Option<Wanted>,
) -> Result<BarColumns, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    guarded(path, || {
        // One read for the whole file: a month is small, and the decoder then slices it freely.
        let length = file.metadata().map_err(ParquetError::from)?.len();
        let bytes = file.get_bytes(0, usize::try_from(length).unwrap_or(usize::MAX))?;
        decode(path, key, wanted, bytes)
    })
}

/// A file's footer. Of its statistics only those of the first column are kept, the time in every
/// well-made file: a run holds a footer for each of its instruments.
fn read_metadata<R: ChunkReader>(bytes: &R) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::skip_except(&[0]))
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::new().with_metadata_options(Some(options)).parse_and_finish(bytes)
}

fn decode<R: ChunkReader + 'static>(
    path: &Path,
    key: &str,
    wanted: Option<Wanted>,
    bytes: R,
) -> Result<BarColumns, Decoding> {
    let metadata = checked_metadata(path, key, &bytes)?;
    let groups = wanted_groups(metadata.metadata(), wanted)?;
    let batch = decode_groups(bytes, &metadata, groups)?;
    Ok(columns(&match wanted {
        Some(wanted) => cut(batch, wanted)?,
        None => batch,
    }))
}

/// The metadata of a file of `key` that has the store's columns.
pub(super) fn checked_metadata<R: ChunkReader>(
    path: &Path,
    key: &str,
    bytes: &R,
) -> Result<ArrowReaderMetadata, Decoding> {
    let metadata = read_metadata(bytes)?;
    let schema = check_columns(path, metadata.file_metadata())?;
    check_metadata(path, metadata.file_metadata(), key)?;
    let options = ArrowReaderOptions::new().with_schema(schema);
    Ok(ArrowReaderMetadata::try_new(metadata.into(), options)?)
}

/// The row groups that can hold wanted rows.
pub(super) fn wanted_groups(
    metadata: &ParquetMetaData,
    wanted: Option<Wanted>,
) -> Result<Vec<usize>, Decoding> {
    let is_wanted = |group: &RowGroupMetaData| wanted.is_none_or(|wanted| may_hold(group, wanted));
    let groups = metadata.row_groups().iter().enumerate().filter(|(_, group)| is_wanted(group));
    let groups: Vec<usize> = groups.map(|(index, _)| index).collect();
    match row_count(metadata, &groups) {
        ..=ROWS_MAX => Ok(groups),
        _ => Err(Decoding::Failed(format!("more than {ROWS_MAX} rows"))),
    }
}

/// Rows of these row groups, as the footer says.
pub(super) fn row_count(metadata: &ParquetMetaData, groups: &[usize]) -> usize {
    let rows = |group: &usize| usize::try_from(metadata.row_group(*group).num_rows());
    groups.iter().map(|group| rows(group).unwrap_or(ROWS_MAX + 1)).fold(0, usize::saturating_add)
}

/// All rows of these row groups, every column one buffer.
pub(super) fn decode_groups<R: ChunkReader + 'static>(
    bytes: R,
    metadata: &ArrowReaderMetadata,
    groups: Vec<usize>,
) -> Result<RecordBatch, Decoding> {
    let rows = row_count(metadata.metadata(), &groups);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata.clone())
        .with_row_groups(groups)
        .with_batch_size(rows.max(1))
        .build()?;
    let batches = reader.collect::<Result<Vec<RecordBatch>, ArrowError>>()?;
    let schema = metadata.schema();
    let batch = match batches.as_slice() {
        [] => RecordBatch::new_empty(schema.clone()),
        [batch] => batch.clone(),
        batches => arrow::compute::concat_batches(schema, batches)?,
    };
    if batch.num_rows() != rows {
        let text = format!("{} rows where the footer says {rows}", batch.num_rows());
        return Err(Decoding::Failed(text));
    }
    Ok(batch)
}

/// Whether a row group can hold wanted rows: its statistics may rule that out.
fn may_hold(group: &RowGroupMetaData, wanted: Wanted) -> bool {
    times(group).is_none_or(|(min, max)| wanted.may_be(min, max))
}

/// The first and the last time of a row group, if its statistics say so.
pub(super) fn times(group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let mut columns = group.columns().iter();
    let time = columns.find(|column| column.column_path().string() == "open_time")?;
    match time.statistics()? {
        Statistics::Int64(range) => Some((*range.min_opt()?, *range.max_opt()?)),
        _ => None,
    }
}

/// Only the wanted rows.
pub(super) fn cut(batch: RecordBatch, wanted: Wanted) -> Result<RecordBatch, ArrowError> {
    let time = column(&batch, "open_time");
    if time.values().iter().all(|time| wanted.is(*time)) {
        return Ok(batch);
    }
    let mask: BooleanArray = time.values().iter().map(|time| Some(wanted.is(*time))).collect();
    filter_record_batch(&batch, &mask)
}

/// The batch as columns of integers: every column keeps its buffer.
pub(super) fn columns(batch: &RecordBatch) -> BarColumns {
    BarColumns {
        open_time: column(batch, "open_time"),
        open: column(batch, "open"),
        high: column(batch, "high"),
        low: column(batch, "low"),
        close: column(batch, "close"),
        volume: column(batch, "volume"),
    }
}

fn column(batch: &RecordBatch, name: &str) -> Int64Array {
    let array = batch.column_by_name(name).expect("the reader was given a schema with this column");
    match name {
        "open_time" => array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(),
        "volume" => array.as_primitive::<Int64Type>().clone(),
        _ => array.as_primitive::<Decimal64Type>().reinterpret_cast(),
    }
}

/// Runs a decoder: whatever it says, panics included, becomes an error with the file's path.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, Decoding>,
) -> Result<T, StoreError> {
    let unreadable = |why| StoreError::Unreadable { path: path.to_owned(), why };
    match shielded(work).map_err(unreadable)? {
        Ok(value) => Ok(value),
        Err(Decoding::Refused(error)) => Err(error),
        Err(Decoding::Failed(why)) => Err(unreadable(why)),
    }
}

/// Why decoding stopped.
pub(super) enum Decoding {
    /// The file is not what it should be.
    Refused(StoreError),
    /// The decoder could not make sense of it.
    Failed(String),
}

impl From<StoreError> for Decoding {
    fn from(error: StoreError) -> Decoding {
        Decoding::Refused(error)
    }
}

impl From<ParquetError> for Decoding {
    fn from(error: ParquetError) -> Decoding {
        Decoding::Failed(error.to_string())
    }
}

impl From<ArrowError> for Decoding {
    fn from(error: ArrowError) -> Decoding {
        Decoding::Failed(error.to_string())
    }
}
