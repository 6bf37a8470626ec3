//! Strategy bars as the Python system makes them (rules 8.1): it knows no calendar, so whatever
//! minute is there counts, and how much of a bar is there makes no difference.

use arrow::compute::{max, min, sum};

use crate::domain::fact::Bar15m;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp};
use crate::sources::columns::BarColumns;

use super::super::resample::take;

/// Minutes after midnight from which bars are counted in either direction.
const ORIGIN_MINUTES: i64 = 15;
/// Minutes after midnight before which the live path counts from midnight.
const OPEN_MINUTES: i64 = 9 * 60 + 15;

/// All bars of `columns`, an unfinished last one included, `width` minutes wide.
///
/// The history store of the Python system hands rows over in the order of time, so they are sorted
/// here (stable). It holds one row per minute; here, rows of one minute all count.
pub fn resampled(columns: &BarColumns, width: u32, instrument: InstrumentId) -> Vec<Bar15m> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|&row| columns.open_time.value(row));
    resample(columns, &order, width, instrument)
}

/// The bars that the live path hands to the strategy, in the order in which it does: each when the
/// first minute of a later bar arrives. So there is never a last bar. `columns` are in the order in
/// which the minutes arrive.
pub fn released(columns: &BarColumns, width: u32, instrument: InstrumentId) -> Vec<Bar15m> {
    let bucket = |row: usize| live_bucket(Timestamp(columns.open_time.value(row)), width);
    let (mut buffer, mut bars): (Vec<usize>, Vec<Bar15m>) = (Vec::new(), Vec::new());
    for row in 0..columns.len() {
        let is_trigger = buffer.last().is_some_and(|&before| bucket(row) > bucket(before));
        buffer.push(row);
        if !is_trigger {
            continue;
        }
        let newest = bucket(row);
        for bar in resample(columns, &buffer, width, instrument) {
            // What a late minute makes of a bar that was handed over before is dropped.
            let is_new = bars.last().is_none_or(|last| bar.open_time > last.open_time);
            if bar.open_time < newest && is_new {
                bars.push(bar);
            }
        }
        buffer.retain(|&row| columns.open_time.value(row) >= newest.0);
    }
    bars
}

/// The bars of the given rows, ascending by label; within a bar the rows keep their order.
fn resample(
    columns: &BarColumns,
    rows: &[usize],
    width: u32,
    instrument: InstrumentId,
) -> Vec<Bar15m> {
    let label = |&row: &usize| bucket(Timestamp(columns.open_time.value(row)), width);
    let mut rows = rows.to_vec();
    // By date first: the bins of a date may reach into the one before.
    let date = |row: &usize| Timestamp(columns.open_time.value(*row)).date();
    rows.sort_by_key(|row| (date(row), label(row)));
    rows.chunk_by(|one, next| (date(one), label(one)) == (date(next), label(next)))
        .map(|group| merge(&take(columns, group), label(&group[0]), width, instrument))
        .collect()
}

/// One bar of at least one row.
fn merge(minutes: &BarColumns, label: Timestamp, width: u32, instrument: InstrumentId) -> Bar15m {
    const FILLED: &str = "a bar without any minute does not exist";
    let last = minutes.len() - 1;
    Bar15m {
        instrument,
        open_time: label,
        close_time: label.plus_minutes(i64::from(width)),
        open: Price(minutes.open.value(0)),
        high: Price(max(&minutes.high).expect(FILLED)),
        low: Price(min(&minutes.low).expect(FILLED)),
        close: Price(minutes.close.value(last)),
        volume: Qty(sum(&minutes.volume).expect(FILLED)),
        minutes: minutes.len() as u32,
        minutes_expected: width,
    }
}

/// The label of the bar that holds `time`: `width` wide, counted from 00:15 of its date.
pub(super) fn bucket(time: Timestamp, width: u32) -> Timestamp {
    from_origin(time, ORIGIN_MINUTES, width)
}

/// The same as the live path has it: from midnight before 09:15, from 09:15 after it.
fn live_bucket(time: Timestamp, width: u32) -> Timestamp {
    let open = time.date().start().plus_minutes(OPEN_MINUTES);
    from_origin(time, if time < open { 0 } else { OPEN_MINUTES }, width)
}

fn from_origin(time: Timestamp, origin_minutes: i64, width: u32) -> Timestamp {
    let origin = time.date().start().plus_minutes(origin_minutes);
    let width_us = i64::from(width) * MINUTE_US;
    origin.plus_us((time.0 - origin.0).div_euclid(width_us) * width_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::testing::{minute, time};

    /// Minutes at 100, 101, .. in the order given, one share short of what a minute has else.
    fn columns(starts: &[&str]) -> BarColumns {
        let rows: Vec<_> = (100..)
            .zip(starts)
            .map(|(price, start)| minute(time(start), &[&*price.to_string(); 4].join(" ")))
            .collect();
        BarColumns::from_bars(rows.iter())
    }

    fn show(bars: &[Bar15m]) -> String {
        let line = |bar: &Bar15m| {
            let (label, open, close) = (bar.open_time, bar.open, bar.close);
            format!("{label} {open} to {close}, {} of {}", bar.volume, bar.minutes)
        };
        bars.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_minute_counts_whatever_the_clock_says() {
        let rows = columns(&["09:05", "09:15", "09:29", "15:29", "15:30", "2024-10-06T11:00"]);
        insta::assert_snapshot!(show(&resampled(&rows, 15, InstrumentId(0))), @r"
        2024-10-01T09:00 100.00 to 100.00, 100 of 1
        2024-10-01T09:15 101.00 to 102.00, 200 of 2
        2024-10-01T15:15 103.00 to 103.00, 100 of 1
        2024-10-01T15:30 104.00 to 104.00, 100 of 1
        2024-10-06T11:00 105.00 to 105.00, 100 of 1
        ");
    }

    #[test]
    fn two_rows_of_one_minute_both_count() {
        let rows = columns(&["09:15", "09:16", "09:16"]);
        insta::assert_snapshot!(
            show(&resampled(&rows, 15, InstrumentId(0))),
            @"2024-10-01T09:15 100.00 to 102.00, 300 of 3"
        );
    }

    #[test]
    fn other_widths_are_counted_from_a_quarter_past_midnight() {
        let label = |width, start: &str| bucket(time(start), width).to_string();
        assert_eq!(label(10, "09:20"), "2024-10-01T09:15");
        assert_eq!(label(10, "09:25"), "2024-10-01T09:25");
        assert_eq!(label(30, "09:44"), "2024-10-01T09:15");
        assert_eq!(label(60, "10:14"), "2024-10-01T09:15");
        assert_eq!(label(240, "09:15"), "2024-10-01T08:15");
        assert_eq!(label(240, "12:15"), "2024-10-01T12:15");
        assert_eq!(label(1_440, "09:15"), "2024-10-01T00:15");
    }

    #[test]
    fn live_hands_a_bar_over_when_a_later_one_begins_and_never_the_last() {
        let rows = columns(&["15:14", "15:29", "2024-10-02T09:15", "2024-10-02T09:31"]);
        insta::assert_snapshot!(show(&released(&rows, 15, InstrumentId(0))), @r"
        2024-10-01T15:00 100.00 to 100.00, 100 of 1
        2024-10-01T15:15 101.00 to 101.00, 100 of 1
        2024-10-02T09:15 102.00 to 102.00, 100 of 1
        ");
    }

    #[test]
    fn a_late_minute_is_lost_to_live_and_not_to_batch() {
        // 09:16 arrives inside the next bar, 09:32 once that one is over.
        let rows = columns(&["09:15", "09:30", "09:16", "09:31", "09:45", "09:32", "10:00"]);
        insta::assert_snapshot!(show(&released(&rows, 15, InstrumentId(0))), @r"
        2024-10-01T09:15 100.00 to 100.00, 100 of 1
        2024-10-01T09:30 101.00 to 103.00, 200 of 2
        2024-10-01T09:45 104.00 to 104.00, 100 of 1
        ");
        insta::assert_snapshot!(show(&resampled(&rows, 15, InstrumentId(0))), @r"
        2024-10-01T09:15 100.00 to 102.00, 200 of 2
        2024-10-01T09:30 101.00 to 105.00, 300 of 3
        2024-10-01T09:45 104.00 to 104.00, 100 of 1
        2024-10-01T10:00 106.00 to 106.00, 100 of 1
        ");
    }
}
