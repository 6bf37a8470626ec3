//! What a history file's footer says, checked, and cut down to what decoding needs: a run keeps it
//! for each of its instruments.

use std::path::Path;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::read::Decoding;
use super::schema::{SCHEMA, check_columns, check_metadata};
use crate::domain::time::Window;

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
    pub(super) fn is(self, time: i64) -> bool {
        let within = |window: Window| window.open.0 <= time && time < window.close.0;
        within(self.window) || !within(self.month)
    }

    /// Whether a row group of these times can hold wanted rows: its statistics may rule that out.
    fn may_hold(self, times: Option<(i64, i64)>) -> bool {
        let Wanted { window, month } = self;
        times.is_none_or(|(min, max)| {
            let overlaps = min < window.close.0 && window.open.0 <= max;
            overlaps || min < month.open.0 || month.close.0 <= max
        })
    }
}

/// The columns of a file in the order of [`SCHEMA`].
pub(super) type Columns = [ColumnDescPtr; SCHEMA.len()];

/// A footer.
#[derive(Debug)]
pub(super) struct Footer {
    pub columns: Columns,
    /// The row groups that can hold wanted rows.
    pub groups: Vec<Group>,
}

/// A row group.
#[derive(Debug)]
pub(super) struct Group {
    /// Its rows.
    pub rows: usize,
    /// The place of its first row in the file.
    pub first_row: usize,
    /// Its first and its last time, if its statistics say so.
    pub times: Option<(i64, i64)>,
    /// Its columns in the order of [`SCHEMA`].
    pub chunks: [Chunk; SCHEMA.len()],
}

/// One column of a row group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    compression: Compression,
    dictionary_page: Option<i64>,
    data_page: i64,
    bytes: i64,
}

impl Footer {
    /// The footer of a file of `key` that has the store's columns.
    pub(super) fn checked<R: ChunkReader>(
        path: &Path,
        key: &str,
        wanted: Option<Wanted>,
        bytes: &R,
    ) -> Result<Footer, Decoding> {
        let metadata = read_metadata(bytes)?;
        let places = check_columns(path, metadata.file_metadata())?;
        check_metadata(path, metadata.file_metadata(), key)?;
        let (mut groups, mut first_row) = (Vec::new(), 0_usize);
        for group in metadata.row_groups() {
            let rows = usize::try_from(group.num_rows()).unwrap_or(ROWS_MAX + 1);
            let times = times(group);
            if wanted.is_none_or(|wanted| wanted.may_hold(times)) {
                let chunks = places.map(|place| Chunk::of(group.column(place)));
                groups.push(Group { rows, first_row, times, chunks });
            }
            first_row = first_row.saturating_add(rows);
        }
        let rows = groups.iter().map(|group| group.rows);
        let schema = metadata.file_metadata().schema_descr();
        match rows.fold(0, usize::saturating_add) {
            ..=ROWS_MAX => Ok(Footer { columns: places.map(|it| schema.column(it)), groups }),
            _ => Err(Decoding::Failed(format!("more than {ROWS_MAX} rows"))),
        }
    }
}

impl Chunk {
    fn of(column: &ColumnChunkMetaData) -> Chunk {
        Chunk {
            compression: column.compression(),
            dictionary_page: column.dictionary_page_offset(),
            data_page: column.data_page_offset(),
            bytes: column.compressed_size(),
        }
    }

    /// The same in the library's words, which take ten times the memory.
    pub(super) fn metadata(
        &self,
        column: &ColumnDescPtr,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        ColumnChunkMetaData::builder(column.clone())
            .set_compression(self.compression)
            .set_dictionary_page_offset(self.dictionary_page)
            .set_data_page_offset(self.data_page)
            .set_total_compressed_size(self.bytes)
            .build()
    }

    /// Where it begins and ends in the file.
    pub(super) fn span(&self) -> Result<(u64, u64), ParquetError> {
        let start = u64::try_from(self.dictionary_page.unwrap_or(self.data_page))?;
        Ok((start, start.saturating_add(u64::try_from(self.bytes)?)))
    }
}

/// The metadata of a file. Of its statistics only those of the first column are read, the time in
/// every well-made file.
pub(super) fn read_metadata<R: ChunkReader>(bytes: &R) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::skip_except(&[0]))
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::new().with_metadata_options(Some(options)).parse_and_finish(bytes)
}

/// The first and the last time of a row group, if its statistics say so.
fn times(group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let mut columns = group.columns().iter();
    let time = columns.find(|column| column.column_path().string() == "open_time")?;
    match time.statistics()? {
        Statistics::Int64(range) => Some((*range.min_opt()?, *range.max_opt()?)),
        _ => None,
    }
}
