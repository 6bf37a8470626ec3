//! Reading an instrument's history part by part, so that no more of it is in memory than is about
//! to be used: row group by row group where a file's rows come in order of time, as they do in
//! every well-made file, and a whole month at once where they do not.

use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::error::StoreError;
use super::files::Store;
use super::footer::{Columns, Footer, Group, Wanted};
use super::read::{Decoded, Decoding, guarded};
use super::validate::{check_rows, month_window};
use crate::domain::time::{Date, Window};
use crate::sources::columns::BarSlices;

/// The bars of an instrument over a range of days, part by part.
#[derive(Debug)]
pub struct Parts {
    store: Store,
    key: String,
    first: Date,
    last: Date,
    /// The months that were not opened yet; none before the first is asked for.
    months: Option<std::vec::IntoIter<Date>>,
    /// The month that is being read.
    month: Option<Month>,
}

impl Parts {
    pub(super) fn new(store: Store, key: &str, first: Date, last: Date) -> Parts {
        Parts { store, key: key.to_owned(), first, last, months: None, month: None }
    }

    /// The next part: one bar at least, in any order, all of them later than those of the parts
    /// before. `None` when there is nothing more.
    ///
    /// # Errors
    /// As [`Store::load`], once the part that is at fault is due.
    pub fn next_part<'a>(
        &mut self,
        decoded: &'a mut Decoded,
    ) -> Result<Option<BarSlices<'a>>, StoreError> {
        loop {
            while let Some(month) = &mut self.month
                && month.next_part(decoded)?
            {
                if !decoded.slices().is_empty() {
                    return Ok(Some(decoded.slices()));
                }
            }
            let months = match &mut self.months {
                Some(months) => months,
                months => {
                    let between = self.store.months_between(&self.key, self.first, self.last)?;
                    months.insert(between.into_iter())
                }
            };
            let Some(month) = months.next() else { return Ok(None) };
            let window = Window { open: self.first.start(), close: self.last.plus_days(1).start() };
            let path = self.store.path(&self.key, month);
            self.month = Some(Month::open(path, &self.key, month, window)?);
        }
    }
}

/// One month's file, of which only the footer is in memory.
#[derive(Debug)]
struct Month {
    path: PathBuf,
    month: Date,
    wanted: Wanted,
    columns: Columns,
    /// Length of the file in bytes.
    len: u64,
    /// The runs that were not read yet.
    runs: std::vec::IntoIter<Run>,
}

/// Row groups that are read together: all that the file holds after them is later, if what the
/// footer says is true.
#[derive(Debug)]
struct Run {
    groups: Vec<Group>,
    /// First and last time; none where the whole file is one run, so that nothing depends on it.
    times: Option<(i64, i64)>,
}

impl Month {
    fn open(path: PathBuf, key: &str, month: Date, window: Window) -> Result<Month, StoreError> {
        let file = File::open(&path).map_err(StoreError::io(&path))?;
        let wanted = Wanted { window, month: month_window(month) };
        let footer = guarded(&path, || Footer::checked(&path, key, Some(wanted), &file))?;
        let Footer { columns, groups } = footer;
        let (len, runs) = (file.len(), runs(groups).into_iter());
        Ok(Month { path, month, wanted, columns, len, runs })
    }

    /// Decodes the next part, which may hold no wanted row; false when there is none.
    fn next_part(&mut self, decoded: &mut Decoded) -> Result<bool, StoreError> {
        let Some(Run { groups, times }) = self.runs.next() else { return Ok(false) };
        let path = &self.path;
        // Opened for each part: a run has more instruments than a process may have open files.
        let file = File::open(path).map_err(StoreError::io(path))?;
        guarded(path, || {
            let (start, len) = span(self.len, &groups)?;
            let bytes = decoded.read(&file, start, len).map_err(ParquetError::from)?;
            decoded.fill(Span { start, bytes }, &self.columns, &groups)?;
            check_times(decoded.slices().open_time, times)?;
            decoded.cut(self.wanted);
            Ok(())
        })?;
        let first_row = groups.first().map_or(0, |group| group.first_row);
        check_rows(path, decoded.slices(), self.month, first_row)?;
        Ok(true)
    }
}

/// Cuts row groups into runs wherever all before is earlier than all behind.
fn runs(groups: Vec<Group>) -> Vec<Run> {
    let times = groups.iter().map(|group| group.times);
    let Some(times) = times.collect::<Option<Vec<(i64, i64)>>>() else {
        return vec![Run { groups, times: None }];
    };
    let mut runs: Vec<Run> = Vec::new();
    for (group, (min, max)) in groups.into_iter().zip(times) {
        let mut run = Run { groups: vec![group], times: Some((min, max)) };
        // A group that begins before the end of a run belongs to it, and to all runs in between.
        while let Some(before) = runs.pop_if(|before| before.times.is_some_and(|it| it.1 >= min)) {
            run.groups.splice(0..0, before.groups);
            let all = run.times.into_iter().chain(before.times);
            run.times = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        }
        runs.push(run);
    }
    if let [only] = runs.as_mut_slice() {
        only.times = None;
    }
    runs
}

/// Refuses a run whose rows are not of the times that its place among the runs depends on.
fn check_times(rows: &[i64], times: Option<(i64, i64)>) -> Result<(), Decoding> {
    let Some((min, max)) = times else { return Ok(()) };
    match rows.iter().all(|time| (min..=max).contains(time)) {
        true => Ok(()),
        false => Err(Decoding::Failed("a row lies outside the times of its row group".to_owned())),
    }
}

/// Where the bytes of row groups lie in a file of that length.
fn span(len: u64, groups: &[Group]) -> Result<(u64, usize), ParquetError> {
    let mut all: Option<(u64, u64)> = None;
    for chunk in groups.iter().flat_map(|group| &group.chunks) {
        let (start, end) = chunk.span()?;
        all = Some(all.map_or((start, end), |all| (all.0.min(start), all.1.max(end))));
    }
    let (start, end) = all.unwrap_or_default();
    if end > len {
        return Err(ParquetError::EOF("a row group ends behind the file's end".to_owned()));
    }
    Ok((start, usize::try_from(end - start)?))
}

/// A stretch of a file, under its offset in the file.
struct Span {
    start: u64,
    bytes: Bytes,
}

impl Span {
    fn within(&self, place: u64) -> Result<u64, ParquetError> {
        let before = || ParquetError::EOF("a page lies before its row group".to_owned());
        place.checked_sub(self.start).ok_or_else(before)
    }
}

impl Length for Span {
    fn len(&self) -> u64 {
        self.start + Length::len(&self.bytes)
    }
}

impl ChunkReader for Span {
    type T = <Bytes as ChunkReader>::T;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.bytes.get_read(self.within(start)?)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        ChunkReader::get_bytes(&self.bytes, self.within(start)?, length)
    }
}
