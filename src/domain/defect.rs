//! What no market has printed: the rules that bars and ticks keep, wherever they come from.

use super::fact::{Bar, Tick};
use super::money::{PRICE_MAX, QTY_MAX, Qty};
use super::tags::tagged;

tagged! {
    /// Why a bar or tick cannot be what a market printed.
    Defect {
        /// A price is zero, negative or absurdly high.
        PriceOutOfRange = 1 "price-out-of-range",
        /// Not low <= open, close <= high.
        OhlcOrder = 2 "ohlc-order",
        /// A volume is negative or absurdly high.
        VolumeOutOfRange = 3 "volume-out-of-range",
        /// A bar does not begin on a whole minute.
        NotAMinute = 4 "not-a-whole-minute",
    }
}

impl Bar {
    /// Whether these can be the open, high, low, close and volume of a minute: all of the rules at
    /// once, for those who look at many.
    #[inline]
    pub const fn are_sound([open, high, low, close, volume]: [i64; 5]) -> bool {
        let range = (low > 0) & (high <= PRICE_MAX.0);
        let order = (low <= open) & (open <= high) & (low <= close) & (close <= high);
        range & order & (0 <= volume) & (volume <= QTY_MAX.0)
    }

    /// What is wrong with the bar, if anything is.
    #[inline]
    pub fn defect(&self) -> Option<Defect> {
        let Bar { open, high, low, close, volume, .. } = *self;
        let values = [open.0, high.0, low.0, close.0, volume.0];
        match Bar::are_sound(values) & self.open_time.is_whole_minute() {
            true => None,
            false => Some(self.first_defect()),
        }
    }

    /// Which rule a bar breaks that breaks one.
    #[cold]
    fn first_defect(&self) -> Defect {
        let prices = [self.open, self.high, self.low, self.close];
        let in_range = prices.iter().all(|price| price.0 > 0 && *price <= PRICE_MAX);
        let in_order = prices.iter().all(|price| self.low <= *price && *price <= self.high);
        match (in_range, in_order, (Qty::ZERO..=QTY_MAX).contains(&self.volume)) {
            (false, ..) => Defect::PriceOutOfRange,
            (true, false, _) => Defect::OhlcOrder,
            (true, true, false) => Defect::VolumeOutOfRange,
            (true, true, true) => Defect::NotAMinute,
        }
    }
}

impl Tick {
    /// What is wrong with the tick, if anything is.
    pub fn defect(&self) -> Option<Defect> {
        if self.price.0 <= 0 || self.price > PRICE_MAX {
            return Some(Defect::PriceOutOfRange);
        }
        let is_possible = |shares: Qty| (Qty::ZERO..=QTY_MAX).contains(&shares);
        let are_possible = is_possible(self.quantity) && is_possible(self.day_volume);
        (!are_possible).then_some(Defect::VolumeOutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::Price;
    use crate::domain::time::Timestamp;

    /// The rules one after the other.
    fn by_the_book(bar: &Bar) -> Option<Defect> {
        let prices = [bar.open, bar.high, bar.low, bar.close];
        if prices.iter().any(|price| *price <= Price(0) || *price > PRICE_MAX) {
            return Some(Defect::PriceOutOfRange);
        }
        if bar.open.max(bar.close) > bar.high || bar.open.min(bar.close) < bar.low {
            return Some(Defect::OhlcOrder);
        }
        if bar.volume < Qty(0) || bar.volume > QTY_MAX {
            return Some(Defect::VolumeOutOfRange);
        }
        (bar.open_time.0 % 60_000_000 != 0).then_some(Defect::NotAMinute)
    }

    fn price() -> impl Strategy<Value = Price> {
        let edges = vec![i64::MIN, -1, 0, 1, PRICE_MAX.0, PRICE_MAX.0 + 1, i64::MAX];
        prop_oneof![8 => 100..104_i64, 1 => prop::sample::select(edges)].prop_map(Price)
    }

    proptest! {
        #[test]
        fn a_bar_has_the_first_defect_of_the_book(
            prices in prop::array::uniform4(price()),
            volume in prop::sample::select(vec![i64::MIN, -1, 0, 7, QTY_MAX.0, QTY_MAX.0 + 1]),
            time in prop::sample::select(vec![-60_000_000, -1, 0, 1, 60_000_000, 90_000_000]),
        ) {
            let [open, high, low, close] = prices;
            let (open_time, volume) = (Timestamp(time), Qty(volume));
            let instrument = InstrumentId(0);
            let bar = Bar { instrument, open_time, open, high, low, close, volume };
            prop_assert_eq!(bar.defect(), by_the_book(&bar));
        }
    }
}
