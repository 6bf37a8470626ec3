//! The check of every row at the door, written so that clean data costs next to nothing.

use std::path::Path;

use super::error::StoreError;
use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::time::{Date, MINUTE_US, Window};
use crate::sources::columns::BarSlices;

/// The time that a month covers on the Indian calendar.
pub(super) fn month_window(month: Date) -> Window {
    Window { open: month.first_of_month().start(), close: month.next_month().start() }
}

/// Checks that every row is a bar that a market can have printed and lies in `month`. `first_row`
/// is the place of the first in its file.
///
/// # Errors
/// [`StoreError::BadRow`] for the first row that does not.
pub(super) fn check_rows(
    path: &Path,
    bars: BarSlices<'_>,
    month: Date,
    first_row: usize,
) -> Result<(), StoreError> {
    let window = month_window(month);
    if prices_are_sound(bars) && times_are_sound(bars, window) {
        return Ok(());
    }
    // Something is wrong: find out what, without haste.
    for row in 0..bars.len() {
        let bar = bars.bar(row, InstrumentId::default());
        let why = match bar.defect() {
            Some(defect) => {
                let Bar { open, high, low, close, volume, .. } = bar;
                format!("{defect}, {open} {high} {low} {close}, volume {volume}")
            }
            None if window.contains(bar.open_time) => continue,
            None => format!("outside {}, the month of the file", month.month_name()),
        };
        let (path, row) = (path.to_owned(), first_row + row);
        return Err(StoreError::BadRow { path, row, time: bar.open_time, why });
    }
    Ok(())
}

/// Whether every row has sound prices and a sound volume, without a branch per row.
fn prices_are_sound(bars: BarSlices<'_>) -> bool {
    let rows = bars.open.iter().zip(bars.high).zip(bars.low).zip(bars.close).zip(bars.volume);
    let mut sound = true;
    for ((((&open, &high), &low), &close), &volume) in rows {
        sound &= Bar::are_sound([open, high, low, close, volume]);
    }
    sound
}

/// Whether every row begins on a whole minute inside `window`. Most rows follow the minute before
/// them, which spares the division.
fn times_are_sound(bars: BarSlices<'_>, window: Window) -> bool {
    let mut before = 0;
    let mut sound = true;
    for &time in bars.open_time {
        sound &= (window.open.0 <= time) & (time < window.close.0);
        sound &= time.wrapping_sub(before) == MINUTE_US || time % MINUTE_US == 0;
        before = time;
    }
    sound
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::{PRICE_MAX, Price, QTY_MAX, Qty};
    use crate::domain::time::DAY_US;
    use crate::sources::columns::BarColumns;

    fn bar(values: [i64; 4], volume: i64, offset_us: i64) -> Bar {
        let [open, high, low, close] = values.map(Price);
        let open_time = Date::from_ymd(2024, 10, 1).unwrap().start().plus_us(offset_us);
        let instrument = InstrumentId::default();
        Bar { instrument, open_time, open, high, low, close, volume: Qty(volume) }
    }

    /// Bars of 1 October 2024 or 40 days later, many of them not sound.
    fn any_bars() -> impl Strategy<Value = Vec<Bar>> {
        let prices = prop::array::uniform4(-1_i64..4);
        let lift = prop::sample::select(vec![0, PRICE_MAX.0, PRICE_MAX.0 + 1]);
        let volume = prop::sample::select(vec![-1, 0, QTY_MAX.0, QTY_MAX.0 + 1]);
        let offset_us = prop::sample::select(vec![0, 1, MINUTE_US, 40 * DAY_US]);
        let one = (prices, lift, volume, offset_us).prop_map(|(mut prices, lift, volume, us)| {
            prices[1] = prices[1].max(lift);
            bar(prices, volume, us)
        });
        prop::collection::vec(one, 1..4)
    }

    proptest! {
        #[test]
        fn the_fast_check_and_the_bar_agree(bars in any_bars()) {
            let month = Date::from_ymd(2024, 10, 1).unwrap();
            let window = month_window(month);
            let is_sound = |bar: &Bar| bar.defect().is_none() && window.contains(bar.open_time);
            let columns = BarColumns::from_bars(bars.iter());
            let answer = check_rows(Path::new("x"), columns.slices(), month, 0);
            prop_assert_eq!(answer.is_ok(), bars.iter().all(is_sound));
        }
    }

    #[test]
    fn the_first_bad_row_is_named() {
        let good = bar([5, 6, 4, 5], 10, 0);
        let low_above_open = bar([5, 6, 6, 5], 10, MINUTE_US);
        let columns = BarColumns::from_bars([good, low_above_open].iter());
        let month = Date::from_ymd(2024, 10, 1).unwrap();
        let error =
            check_rows(Path::new("2024-10.parquet"), columns.slices(), month, 0).unwrap_err();
        insta::assert_snapshot!(error, @"2024-10.parquet: row 1 (2024-10-01T00:01): ohlc-order, 0.0005 0.0006 0.0006 0.0005, volume 10");
        let error =
            check_rows(Path::new("x"), columns.slices(), month.next_month(), 7).unwrap_err();
        insta::assert_snapshot!(error, @"x: row 7 (2024-10-01T00:00): outside 2024-11, the month of the file");
    }
}
