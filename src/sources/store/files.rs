//! The store as a directory: which instruments and months there are, and loading them.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array, Int64Array};
use arrow::compute::concat;
use arrow::error::ArrowError;

use super::error::StoreError;
use super::footer::Wanted;
use super::parts::Parts;
use super::read::{read_key, read_row_count, read_rows};
use super::schema::KEY;
use super::validate::{check_rows, month_window};
use crate::domain::event::DataHash;
use crate::domain::time::{Date, Window};
use crate::sources::columns::BarColumns;

/// A directory of minute bars.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// The files of one instrument.
#[derive(Debug)]
pub struct Folder {
    /// The folder's name below the store's directory.
    pub name: String,
    /// The instrument's key as the first readable file says it, or why none is readable.
    pub key: Result<String, StoreError>,
    /// The months that there are, ascending, each by its first day.
    pub months: Vec<Date>,
}

/// What a month's file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthFile {
    /// Rows, as the footer says.
    pub rows: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub hash: DataHash,
}

impl Store {
    /// The store in `dir`, which may be empty.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] when there is no such directory.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Store, StoreError> {
        let dir = dir.into();
        if dir.is_dir() { Ok(Store { dir }) } else { Err(StoreError::NoStore { dir }) }
    }

    /// The store's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The keys of all instruments, ascending.
    ///
    /// # Errors
    /// When a folder cannot be listed or none of its files can be read.
    pub fn keys(&self) -> Result<Vec<String>, StoreError> {
        let folders = self.folders()?.into_iter();
        let mut keys = folders.map(|folder| folder.key).collect::<Result<Vec<String>, _>>()?;
        keys.sort();
        Ok(keys)
    }

    /// The folders of all instruments, by name. Folders without a Parquet file are left out.
    ///
    /// # Errors
    /// When a directory cannot be listed, or holds a Parquet file whose name is no month.
    pub fn folders(&self) -> Result<Vec<Folder>, StoreError> {
        let mut folders = Vec::new();
        for name in entries(&self.dir)? {
            let path = self.dir.join(&name);
            if !path.is_dir() {
                continue;
            }
            let months = months_in(&path)?;
            let mut keys = months.iter().map(|month| own_key(&name, &path.join(file_name(*month))));
            let Some(mut key) = keys.next() else { continue };
            if key.is_err() {
                key = keys.find(Result::is_ok).unwrap_or(key);
            }
            folders.push(Folder { name, key, months });
        }
        Ok(folders)
    }

    /// The months of an instrument, ascending, each by its first day. Empty for an unknown key.
    ///
    /// # Errors
    /// When the folder cannot be listed, or holds a Parquet file whose name is no month.
    pub fn months(&self, key: &str) -> Result<Vec<Date>, StoreError> {
        let folder = self.dir.join(folder_name(key));
        if folder.is_dir() { months_in(&folder) } else { Ok(Vec::new()) }
    }

    /// The path of an instrument's month.
    pub fn path(&self, key: &str, month: Date) -> PathBuf {
        month_path(&self.dir, key, month)
    }

    /// The bars of an instrument from `from` to `to`, both inclusive, in the order of the files.
    /// Empty when the range lies outside the instrument's history.
    ///
    /// # Errors
    /// When the instrument has no file, a month is missing between its first and last, or a file
    /// is damaged or holds a row that is no bar.
    pub fn load(&self, key: &str, from: Date, to: Date) -> Result<BarColumns, StoreError> {
        let window = Window { open: from.start(), close: to.plus_days(1).start() };
        let months = self.months_between(key, from, to)?.into_iter();
        let parts = months.map(|month| self.load_month(key, month, window));
        let parts = parts.collect::<Result<Vec<BarColumns>, StoreError>>()?;
        concat_columns(&parts).map_err(|error| StoreError::Unreadable {
            path: self.dir.join(folder_name(key)),
            why: error.to_string(),
        })
    }

    /// What [`Store::load`] loads at once, part by part in order of time.
    pub fn parts(&self, key: &str, from: Date, to: Date) -> Parts {
        Parts::new(self.clone(), key, from, to)
    }

    /// The bars of one month's file that lie in `window`, in the order of the file.
    ///
    /// # Errors
    /// When the file is absent, damaged, or holds a row that is no bar of that month.
    pub fn load_month(
        &self,
        key: &str,
        month: Date,
        window: Window,
    ) -> Result<BarColumns, StoreError> {
        let path = self.path(key, month);
        let bars = read_rows(&path, key, Some(Wanted { window, month: month_window(month) }))?;
        check_rows(&path, bars.slices(), month, 0)?;
        Ok(bars)
    }

    /// All rows of one month's file as they are, sound or not, in the order of the file.
    ///
    /// # Errors
    /// When the file is absent, damaged, or has other columns.
    pub fn load_month_raw(&self, key: &str, month: Date) -> Result<BarColumns, StoreError> {
        read_rows(&self.path(key, month), key, None)
    }

    /// The files that [`Store::load`] reads for the same arguments, with BLAKE3 of their bytes.
    ///
    /// # Errors
    /// When the instrument has no file, a month is missing, or a file cannot be read.
    pub fn hashes(&self, key: &str, from: Date, to: Date) -> Result<Vec<DataHash>, StoreError> {
        let months = self.months_between(key, from, to)?.into_iter();
        months.map(|month| Ok(self.hash(key, month)?.0)).collect()
    }

    /// What a month's file says about itself.
    ///
    /// # Errors
    /// When the file cannot be read or has no Parquet footer.
    pub fn month_file(&self, key: &str, month: Date) -> Result<MonthFile, StoreError> {
        let (hash, bytes) = self.hash(key, month)?;
        Ok(MonthFile { rows: read_row_count(&self.path(key, month))?, bytes, hash })
    }

    /// BLAKE3 of a month's file, and its size.
    fn hash(&self, key: &str, month: Date) -> Result<(DataHash, u64), StoreError> {
        let path = self.path(key, month);
        let bytes = fs::read(&path).map_err(StoreError::io(&path))?;
        let name = format!("{}/{}", folder_name(key), file_name(month));
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        Ok((DataHash { name, blake3 }, bytes.len() as u64))
    }

    /// The months of an instrument that a range of days touches, none missing.
    pub(super) fn months_between(
        &self,
        key: &str,
        from: Date,
        to: Date,
    ) -> Result<Vec<Date>, StoreError> {
        let months = self.months(key)?;
        let (Some(&first), Some(&last)) = (months.first(), months.last()) else {
            let (key, dir) = (key.to_owned(), self.dir.clone());
            return Err(StoreError::UnknownKey { key, dir, available: self.keys()? });
        };
        let mut wanted = Vec::new();
        let mut month = from.first_of_month().max(first);
        while month <= to.min(last) {
            if months.binary_search(&month).is_err() {
                return Err(StoreError::MissingMonth {
                    path: self.path(key, month),
                    first: first.month_name(),
                    last: last.month_name(),
                });
            }
            wanted.push(month);
            month = month.next_month();
        }
        Ok(wanted)
    }
}

/// The folder of an instrument: the key with `_` for every character outside `[A-Za-z0-9-]`.
fn folder_name(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    key.chars().map(plain).collect()
}

/// The key that a file names, which must be one of its folder.
fn own_key(folder: &str, path: &Path) -> Result<String, StoreError> {
    let key = read_key(path)?;
    if folder_name(&key) == folder {
        return Ok(key);
    }
    Err(StoreError::Metadata {
        path: path.to_owned(),
        entry: KEY,
        wanted: format!("a key of {folder}"),
        found: format!("`{key}`"),
    })
}

/// The file of a month.
fn file_name(month: Date) -> String {
    format!("{}.parquet", month.month_name())
}

/// The path of an instrument's month below `dir`.
pub(super) fn month_path(dir: &Path, key: &str, month: Date) -> PathBuf {
    dir.join(folder_name(key)).join(file_name(month))
}

/// The names in a directory, ascending.
fn entries(dir: &Path) -> Result<Vec<String>, StoreError> {
    let listing = fs::read_dir(dir).map_err(StoreError::io(dir))?;
    let names = listing.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>, _>>().map_err(StoreError::io(dir))?;
    names.sort();
    Ok(names)
}

/// The months that a folder has files of, ascending.
fn months_in(folder: &Path) -> Result<Vec<Date>, StoreError> {
    let mut months = Vec::new();
    for name in entries(folder)? {
        let Some(stem) = name.strip_suffix(".parquet") else { continue };
        match Date::parse(&format!("{stem}-01")) {
            Some(month) => months.push(month),
            None => return Err(StoreError::Stray { path: folder.join(name) }),
        }
    }
    Ok(months)
}

/// Columns end to end. A single part keeps its buffers.
pub(crate) fn concat_columns(parts: &[BarColumns]) -> Result<BarColumns, ArrowError> {
    if let [only] = parts {
        return Ok(only.clone());
    }
    let column = |field: fn(&BarColumns) -> &Int64Array| -> Result<Int64Array, ArrowError> {
        let arrays: Vec<&dyn Array> = parts.iter().map(|part| field(part) as &dyn Array).collect();
        if arrays.is_empty() {
            return Ok(Int64Array::from(Vec::<i64>::new()));
        }
        Ok(concat(&arrays)?.to_data().into())
    };
    Ok(BarColumns {
        open_time: column(|part| &part.open_time)?,
        open: column(|part| &part.open)?,
        high: column(|part| &part.high)?,
        low: column(|part| &part.low)?,
        close: column(|part| &part.close)?,
        volume: column(|part| &part.volume)?,
    })
}
