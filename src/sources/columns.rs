//! Minute bars of one instrument as Arrow columns: the shape in which history is stored, decoded,
//! merged and handed to the oracle.

use arrow::array::Int64Array;

use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::Timestamp;

/// Minute bars of one instrument; all columns have the same length and no nulls.
#[derive(Clone, Debug)]
pub struct BarColumns {
    /// Start of the minute, microseconds since 1970 UTC.
    pub open_time: Int64Array,
    /// First price, 1/10,000 rupee; likewise the next three.
    pub open: Int64Array,
    /// Highest price.
    pub high: Int64Array,
    /// Lowest price.
    pub low: Int64Array,
    /// Last price.
    pub close: Int64Array,
    /// Shares traded.
    pub volume: Int64Array,
}

/// The same columns, wherever they are kept.
#[derive(Clone, Copy, Debug)]
pub struct BarSlices<'a> {
    /// As in [`BarColumns`].
    pub open_time: &'a [i64],
    /// As in [`BarColumns`].
    pub open: &'a [i64],
    /// As in [`BarColumns`].
    pub high: &'a [i64],
    /// As in [`BarColumns`].
    pub low: &'a [i64],
    /// As in [`BarColumns`].
    pub close: &'a [i64],
    /// As in [`BarColumns`].
    pub volume: &'a [i64],
}

impl BarSlices<'_> {
    /// Number of bars.
    pub const fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there is no bar.
    pub const fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// The bar in that row, as one of `instrument`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn bar(&self, row: usize, instrument: InstrumentId) -> Bar {
        Bar {
            instrument,
            open_time: Timestamp(self.open_time[row]),
            open: Price(self.open[row]),
            high: Price(self.high[row]),
            low: Price(self.low[row]),
            close: Price(self.close[row]),
            volume: Qty(self.volume[row]),
        }
    }
}

/// A copy.
impl From<BarSlices<'_>> for BarColumns {
    fn from(slices: BarSlices<'_>) -> BarColumns {
        let column = |values: &[i64]| Int64Array::from(values.to_vec());
        BarColumns {
            open_time: column(slices.open_time),
            open: column(slices.open),
            high: column(slices.high),
            low: column(slices.low),
            close: column(slices.close),
            volume: column(slices.volume),
        }
    }
}

/// No bars.
impl Default for BarColumns {
    fn default() -> BarColumns {
        BarColumns::from_bars([].iter())
    }
}

impl BarColumns {
    /// Columns from bars, in the order given. The bars' instrument is not kept.
    pub fn from_bars<'a>(bars: impl Iterator<Item = &'a Bar> + Clone) -> BarColumns {
        let column = |field: fn(&Bar) -> i64| bars.clone().map(field).collect::<Vec<i64>>().into();
        BarColumns {
            open_time: column(|bar| bar.open_time.0),
            open: column(|bar| bar.open.0),
            high: column(|bar| bar.high.0),
            low: column(|bar| bar.low.0),
            close: column(|bar| bar.close.0),
            volume: column(|bar| bar.volume.0),
        }
    }

    /// These columns as slices.
    pub fn slices(&self) -> BarSlices<'_> {
        BarSlices {
            open_time: self.open_time.values(),
            open: self.open.values(),
            high: self.high.values(),
            low: self.low.values(),
            close: self.close.values(),
            volume: self.volume.values(),
        }
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bars row by row, as those of `instrument`.
    pub fn bars(&self, instrument: InstrumentId) -> impl Iterator<Item = Bar> + '_ {
        (0..self.len()).map(move |row| self.bar(row, instrument))
    }

    /// The same bars by time; those of one minute stay in the order in which they came.
    #[must_use]
    pub fn by_time(self) -> BarColumns {
        let times = self.open_time.values();
        if times.is_sorted() {
            return self;
        }
        let mut rows: Vec<usize> = (0..self.len()).collect();
        rows.sort_by_key(|row| times[*row]);
        let column = |column: &Int64Array| rows.iter().map(|row| column.value(*row)).collect();
        BarColumns {
            open_time: column(&self.open_time),
            open: column(&self.open),
            high: column(&self.high),
            low: column(&self.low),
            close: column(&self.close),
            volume: column(&self.volume),
        }
    }

    /// The bar in that row, as one of `instrument`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn bar(&self, row: usize, instrument: InstrumentId) -> Bar {
        self.slices().bar(row, instrument)
    }
}
