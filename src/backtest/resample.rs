//! From a file's rows to strategy bars: which minutes count (rules 1.4) and what a quarter hour
//! makes of them (rules 2).

use arrow::array::Int64Array;
use arrow::compute::{max, min, sum};

use super::hours::Hours;
use crate::domain::fact::{Bar15m, RejectReason};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp, Window};
use crate::sources::columns::BarColumns;

/// One instrument's minutes in the order of time, each with the reason why it does not count.
pub struct Minutes {
    /// Sorted by time; rows of one minute keep the order of the file.
    pub columns: BarColumns,
    /// Why the row in that place was refused, if it was.
    pub refused: Vec<Option<RejectReason>>,
}

impl Minutes {
    /// Sorts the rows and judges each.
    ///
    /// In sorted order no row can be late or out of order: a watermark comes after all that closes
    /// until then. So only two of the four reasons are left.
    pub fn admit(columns: &BarColumns, hours: &Hours<'_>) -> Minutes {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|&row| columns.open_time.value(row));
        let columns = take(columns, &order);
        let times = columns.open_time.values();
        let refused = (0..times.len())
            .map(|row| {
                if !is_inside(Timestamp(times[row]), hours) {
                    Some(RejectReason::OutsideSession)
                } else if row > 0 && times[row] == times[row - 1] {
                    Some(RejectReason::Duplicate)
                } else {
                    None
                }
            })
            .collect();
        Minutes { columns, refused }
    }

    /// The rows that count.
    pub fn accepted(&self) -> BarColumns {
        let rows = (0..self.columns.len()).filter(|&row| self.refused[row].is_none());
        take(&self.columns, &rows.collect::<Vec<usize>>())
    }
}

/// Whether the minute that starts then lies wholly in one window.
fn is_inside(start: Timestamp, hours: &Hours<'_>) -> bool {
    let end = start.plus_minutes(1);
    hours.on(start.date()).iter().any(|window| window.open <= start && end <= window.close)
}

/// The given rows, in the given order.
pub fn take(columns: &BarColumns, rows: &[usize]) -> BarColumns {
    let pick =
        |column: &Int64Array| Int64Array::from_iter_values(rows.iter().map(|&r| column.value(r)));
    BarColumns {
        open_time: pick(&columns.open_time),
        open: pick(&columns.open),
        high: pick(&columns.high),
        low: pick(&columns.low),
        close: pick(&columns.close),
        volume: pick(&columns.volume),
    }
}

/// The strategy bars of accepted minutes, `width` minutes wide.
pub fn strategy_bars(
    minutes: &BarColumns,
    hours: &Hours<'_>,
    width: u32,
    instrument: InstrumentId,
) -> Vec<Bar15m> {
    let width_us = i64::from(width) * MINUTE_US;
    let labels: Vec<Timestamp> = minutes
        .open_time
        .values()
        .iter()
        .map(|&start| Timestamp(start).floor_to(width_us))
        .collect();
    let mut first = 0;
    let mut bars = Vec::new();
    for group in labels.chunk_by(|one, next| one == next) {
        let quarter = Window { open: group[0], close: group[0].plus_us(width_us) };
        bars.push(merge(minutes, first, group.len(), quarter, hours, instrument));
        first += group.len();
    }
    bars
}

/// The bar of the `count` minutes from row `first` on, all of them in `quarter`.
fn merge(
    minutes: &BarColumns,
    first: usize,
    count: usize,
    quarter: Window,
    hours: &Hours<'_>,
    instrument: InstrumentId,
) -> Bar15m {
    const FILLED: &str = "a bar without any minute does not exist";
    let part = |column: &Int64Array| column.slice(first, count);
    let reaching = || {
        let windows = hours.on(quarter.open.date()).iter();
        windows.filter(|window| window.minutes_shared(&quarter) > 0)
    };
    let end = reaching().next_back().map_or(quarter.close, |window| window.close);
    Bar15m {
        instrument,
        open_time: quarter.open,
        close_time: quarter.close.min(end),
        open: Price(minutes.open.value(first)),
        high: Price(max(&part(&minutes.high)).expect(FILLED)),
        low: Price(min(&part(&minutes.low)).expect(FILLED)),
        close: Price(minutes.close.value(first + count - 1)),
        volume: Qty(sum(&part(&minutes.volume)).expect(FILLED)),
        minutes: count as u32,
        minutes_expected: reaching().map(|window| window.minutes_shared(&quarter)).sum(),
    }
}
