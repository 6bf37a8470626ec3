//! Decoding one history file: columns in, checked at the door, nothing copied that need not be.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::Int64Array;
use bytes::{Bytes, BytesMut};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::Int64Type;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use super::error::StoreError;
use super::footer::{Columns, Footer, Group, Wanted, read_metadata};
use super::schema::{KEY, SCHEMA, metadata_entry};
use crate::sources::columns::{BarColumns, BarSlices};
use crate::sources::shield::shielded;

/// Decoded rows, and what they were decoded from. The buffers serve again and again, so that what
/// is decoded next finds memory that is near.
#[derive(Debug, Default)]
pub struct Decoded {
    /// In the order of [`SCHEMA`].
    columns: [Vec<i64>; SCHEMA.len()],
    bytes: BytesMut,
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
        let footer = Footer::checked(path, key, wanted, &bytes)?;
        let mut decoded = Decoded::default();
        decoded.fill(bytes, &footer.columns, &footer.groups)?;
        wanted.into_iter().for_each(|wanted| decoded.cut(wanted));
        Ok(decoded.into())
    })
}

impl Decoded {
    /// A stretch of a file.
    pub(super) fn read(&mut self, file: &File, start: u64, len: usize) -> io::Result<Bytes> {
        self.bytes.resize(len, 0);
        file.read_exact_at(&mut self.bytes, start)?;
        Ok(self.bytes.split().freeze())
    }

    /// Takes all rows of these row groups and forgets those of before.
    pub(super) fn fill<R: ChunkReader + 'static>(
        &mut self,
        bytes: R,
        columns: &Columns,
        groups: &[Group],
    ) -> Result<(), Decoding> {
        let bytes = Arc::new(bytes);
        for (place, (values, column)) in self.columns.iter_mut().zip(columns).enumerate() {
            values.clear();
            for group in groups {
                let (rows, chunk) = (group.rows, group.chunks[place].metadata(column)?);
                let pages = SerializedPageReader::new(bytes.clone(), &chunk, rows, None)?;
                let pages = Box::new(pages);
                let mut reader = ColumnReaderImpl::<Int64Type>::new(column.clone(), pages);
                let (read, ..) = reader.read_records(rows, None, None, values)?;
                if read != rows {
                    let text = format!("{read} rows where the footer says {rows}");
                    return Err(Decoding::Failed(text));
                }
            }
        }
        Ok(())
    }

    /// Keeps only the wanted rows.
    pub(super) fn cut(&mut self, wanted: Wanted) {
        let times = &self.columns[0];
        if times.iter().all(|time| wanted.is(*time)) {
            return;
        }
        let is_wanted: Vec<bool> = times.iter().map(|time| wanted.is(*time)).collect();
        for values in &mut self.columns {
            let mut rows = is_wanted.iter();
            values.retain(|_| rows.next() == Some(&true));
        }
    }

    /// The rows.
    pub fn slices(&self) -> BarSlices<'_> {
        let [open_time, open, high, low, close, volume] = &self.columns;
        BarSlices { open_time, open, high, low, close, volume }
    }
}

/// The very buffers, as columns.
impl From<Decoded> for BarColumns {
    fn from(decoded: Decoded) -> BarColumns {
        let [open_time, open, high, low, close, volume] = decoded.columns.map(Int64Array::from);
        BarColumns { open_time, open, high, low, close, volume }
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
