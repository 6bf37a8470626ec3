//! Minute bars of one instrument, packed row by row: what waits in memory for its turn. A row is 16
//! bytes, a third of what it takes as columns, and stands in one place, so that a walk over many
//! instruments finds each bar with one look instead of six.

use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::steps::{PAISA, Ways};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::columns::{BarColumns, BarSlices};

/// Minute bars of one instrument by time; those of one minute stay in the order they came in.
#[derive(Clone, Debug)]
pub struct Rows(Layout);

/// How they are kept.
#[derive(Clone, Debug)]
enum Layout {
    /// Where every value fits, as those of a real market do.
    Narrow { base: Base, rows: Vec<Narrow> },
    /// Otherwise, which is seldom.
    Wide(Box<BarColumns>),
}

/// What the numbers of packed rows are counted in.
#[derive(Clone, Copy, Debug)]
struct Base {
    /// Start of the first minute.
    first: Timestamp,
    /// What one step from price to price is worth.
    step: u32,
}

/// Minutes of a session.
const SESSION_ROWS: usize = 375;

/// A bar: its minute counted from the first one's, its prices in steps from each other.
#[derive(Clone, Copy, Debug, Default)]
struct Narrow {
    minute: u16,
    ways: Ways,
    open: u32,
    volume: u32,
}

/// No rows.
impl Default for Rows {
    fn default() -> Rows {
        let base = Base { first: Timestamp::MIN, step: PAISA };
        Rows(Layout::Narrow { base, rows: Vec::new() })
    }
}

impl From<BarColumns> for Rows {
    fn from(columns: BarColumns) -> Rows {
        Rows::packed(columns.slices(), Rows::default())
    }
}

impl Rows {
    /// Packs bars into the memory of rows that have served, which may be none.
    #[must_use]
    pub fn packed(bars: BarSlices<'_>, spent: Rows) -> Rows {
        if !bars.open_time.is_sorted() {
            return Rows::packed(BarColumns::from(bars).by_time().slices(), spent);
        }
        let mut rows = match spent.0 {
            Layout::Narrow { rows, .. } => rows,
            Layout::Wide(_) => Vec::new(),
        };
        let base = narrow::<PAISA>(bars, &mut rows).or_else(|| narrow::<1>(bars, &mut rows));
        Rows(match base {
            Some(base) => Layout::Narrow { base, rows },
            None => Layout::Wide(Box::new(bars.into())),
        })
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Narrow { rows, .. } => rows.len(),
            Layout::Wide(columns) => columns.len(),
        }
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the bar in that row begins, if there is one.
    #[inline]
    pub fn open_time(&self, row: usize) -> Option<Timestamp> {
        match &self.0 {
            Layout::Narrow { base, rows } => rows.get(row).map(|bar| bar.open_time(*base)),
            Layout::Wide(columns) => columns.open_time.values().get(row).copied().map(Timestamp),
        }
    }

    /// When the last bar begins, if there is one.
    pub fn last_open_time(&self) -> Option<Timestamp> {
        self.open_time(self.len().wrapping_sub(1))
    }

    /// The bar in that row, as one of `instrument`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn bar(&self, row: usize, instrument: InstrumentId) -> Bar {
        match &self.0 {
            Layout::Narrow { base, rows } => rows[row].unpacked(*base, instrument),
            Layout::Wide(columns) => columns.bar(row, instrument),
        }
    }
}

impl Narrow {
    #[inline]
    fn open_time(self, base: Base) -> Timestamp {
        base.first.plus_us(i64::from(self.minute) * MINUTE_US)
    }

    #[inline]
    fn unpacked(self, base: Base, instrument: InstrumentId) -> Bar {
        let [high, low, close] = self.ways.prices(self.open, base.step);
        Bar {
            instrument,
            open_time: self.open_time(base),
            open: Price(self.open.into()),
            high,
            low,
            close,
            volume: Qty(i64::from(self.volume)),
        }
    }
}

/// All bars in steps of `STEP` and what they count from, if every value fits.
fn narrow<const STEP: u32>(bars: BarSlices<'_>, rows: &mut Vec<Narrow>) -> Option<Base> {
    let len = bars.len();
    // Of one length, as the compiler now knows too.
    let [time, open, high] = [bars.open_time, bars.open, bars.high].map(|it| &it[..len]);
    let [low, close, volume] = [bars.low, bars.close, bars.volume].map(|it| &it[..len]);
    let first = time.first().copied().unwrap_or_default();
    // Most parts are whole sessions but for a few minutes. What one leaves should fit the next.
    rows.reserve_exact(len.next_multiple_of(SESSION_ROWS).saturating_sub(rows.len()));
    rows.resize(len, Narrow::default());
    // One look at all rows in the end is faster than one at each. In a closure the sum would be in
    // memory, and each row would wait for the one before.
    let mut misfit = 0;
    for (row, packed) in rows.iter_mut().enumerate() {
        let minute = time[row].wrapping_sub(first) / MINUTE_US;
        let (ways, no_way) = Ways::between::<STEP>(open[row], high[row], low[row], close[row]);
        misfit |= minute >> 16 | (open[row] | volume[row]) >> 32;
        misfit |= first.wrapping_add(minute * MINUTE_US) ^ time[row];
        misfit |= no_way;
        *packed = Narrow {
            minute: minute as u16,
            ways,
            open: open[row] as u32,
            volume: volume[row] as u32,
        };
    }
    (misfit == 0).then_some(Base { first: Timestamp(first), step: STEP })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NINE: i64 = 1_727_754_300_000_000;

    /// Values at and around what fits into 32 bits, negative ones too, most of them near enough
    /// to each other to be packed, in paise or not.
    fn value() -> impl Strategy<Value = i64> {
        let edge = i64::from(u32::MAX);
        prop_oneof![
            40 => (0..60_000_i64).prop_map(|paise| 8_000_000 + paise * 100),
            10 => 8_000_000..8_060_000_i64,
            1 => 0..edge,
            1 => edge - 1..edge + 3,
            1 => Just(-1),
        ]
    }

    fn bar() -> impl Strategy<Value = Bar> {
        let time =
            prop_oneof![9 => (0..500_i64).prop_map(|minute| minute * MINUTE_US), 1 => 0..500_i64];
        (time, prop::array::uniform5(value())).prop_map(|(time, values)| Bar {
            instrument: InstrumentId(3),
            open_time: Timestamp(NINE + time),
            open: Price(values[0]),
            high: Price(values[1]),
            low: Price(values[2]),
            close: Price(values[3]),
            volume: Qty(values[4]),
        })
    }

    proptest! {
        /// Whether they fit or not, and whatever their memory served for before, rows say what the
        /// columns say.
        #[test]
        fn rows_say_what_columns_say(
            bars in prop::collection::vec(bar(), 0..12),
            before in prop::collection::vec(bar(), 0..12),
        ) {
            let columns = BarColumns::from_bars(bars.iter());
            let sorted: Vec<Bar> = columns.clone().by_time().bars(InstrumentId(3)).collect();
            let spent = Rows::from(BarColumns::from_bars(before.iter()));
            let rows = Rows::packed(columns.slices(), spent);
            prop_assert_eq!(rows.len(), bars.len());
            let times: Vec<_> = (0..bars.len() + 1).map(|row| rows.open_time(row)).collect();
            let expected = sorted.iter().map(|bar| Some(bar.open_time)).chain([None]);
            prop_assert_eq!(times, expected.collect::<Vec<_>>());
            let told = (0..rows.len()).map(|row| rows.bar(row, InstrumentId(3)));
            prop_assert_eq!(told.collect::<Vec<_>>(), sorted);
        }
    }

    #[test]
    fn what_fits_is_narrow_and_what_does_not_is_kept_as_it_is() {
        let bar = |price: i64, more: i64| Bar {
            instrument: InstrumentId(0),
            open_time: Timestamp(NINE),
            open: Price(price),
            high: Price(price + more),
            low: Price(price),
            close: Price(price),
            volume: Qty(1),
        };
        let step = |price: i64, more: i64| {
            let rows = Rows::from(BarColumns::from_bars([bar(price, more)].iter()));
            match rows.0 {
                Layout::Narrow { base, .. } => Some(base.step),
                Layout::Wide(_) => None,
            }
        };
        let (edge, paisa) = (i64::from(u32::MAX), i64::from(PAISA));
        assert_eq!(step(edge, 0), Some(PAISA));
        assert_eq!(step(edge + 1, 0), None);
        assert_eq!(step(-1, 0), None);
        assert_eq!(step(500, 65_535 * paisa), Some(PAISA));
        assert_eq!(step(500, 65_536 * paisa), None);
        assert_eq!(step(500, 65_535), Some(1), "not a whole number of paise");
        assert_eq!(step(500, 65_537), None);
    }
}
