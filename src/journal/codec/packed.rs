//! Bars in less than half the bytes. A bar is packed if it begins on a minute, its open and its
//! volume fit into 32 bits (4,29,496 rupees, four billion shares), and its other prices lie within
//! 65,535 steps of each other: 655 rupees in paise. Where they are no whole paise, as in histories
//! that were adjusted, a step is the smallest unit. A bar that can be packed has no other form, so
//! its length tells what it is.

use serde::{Deserialize, Serialize};

use crate::domain::fact::{Bar, Bar15m};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::steps::{PAISA, Ways};
use crate::domain::time::{MINUTE_US, Timestamp};

/// The bit beside a minute that says that a step is not a paisa but the smallest unit.
const IN_UNITS: u32 = 1 << 31;

/// A minute bar.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct PackedBar {
    pub instrument: u16,
    /// Its minute, counted from 1970 UTC, and what its steps are.
    pub minute: u32,
    pub open: u32,
    pub ways: Ways,
    pub volume: u32,
}

impl PackedBar {
    /// The bar, if it can be packed.
    #[inline]
    pub fn of(bar: &Bar) -> Option<PackedBar> {
        PackedBar::in_steps::<PAISA>(bar, 0).or_else(|| PackedBar::in_units(bar))
    }

    #[cold]
    #[inline(never)]
    fn in_units(bar: &Bar) -> Option<PackedBar> {
        PackedBar::in_steps::<1>(bar, IN_UNITS)
    }

    #[inline]
    fn in_steps<const STEP: u32>(bar: &Bar, unit: u32) -> Option<PackedBar> {
        let Bar { instrument, open_time, open, high, low, close, volume } = *bar;
        let minute = open_time.0 / MINUTE_US;
        let (ways, mut misfit) = Ways::between::<STEP>(open.0, high.0, low.0, close.0);
        misfit |= minute >> 31 | (open.0 | volume.0) >> 32;
        misfit |= (minute * MINUTE_US) ^ open_time.0;
        (misfit == 0).then_some(PackedBar {
            instrument: instrument.0,
            minute: minute as u32 | unit,
            open: open.0 as u32,
            ways,
            volume: volume.0 as u32,
        })
    }

    /// Whether it is packed in paise. Then it is a bar's one form, else paise may have done too.
    #[inline]
    pub const fn is_in_paise(&self) -> bool {
        self.minute & IN_UNITS == 0
    }

    /// The bar.
    #[inline]
    pub fn unpacked(self) -> Bar {
        let step = if self.is_in_paise() { PAISA } else { 1 };
        let [high, low, close] = self.ways.prices(self.open, step);
        Bar {
            instrument: InstrumentId(self.instrument),
            open_time: Timestamp(i64::from(self.minute & !IN_UNITS) * MINUTE_US),
            open: Price(self.open.into()),
            high,
            low,
            close,
            volume: Qty(self.volume.into()),
        }
    }
}

/// A strategy bar: it ends on a minute too.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct PackedBar15m {
    pub instrument: u16,
    /// As that of a minute bar.
    pub minute: u32,
    /// Minutes from its start to its end.
    pub length: u16,
    pub open: u32,
    pub ways: Ways,
    pub volume: u32,
    pub minutes: u16,
    pub minutes_expected: u16,
}

impl PackedBar15m {
    /// The bar, if it can be packed.
    pub fn of(bar: &Bar15m) -> Option<PackedBar15m> {
        let Bar15m { instrument, open_time, open, high, low, close, volume, .. } = *bar;
        let prices = Bar { instrument, open_time, open, high, low, close, volume };
        let PackedBar { instrument, minute, open, ways, volume } = PackedBar::of(&prices)?;
        let time = bar.close_time.0.checked_sub(open_time.0)?;
        let length = u16::try_from(time / MINUTE_US).ok()?;
        let [minutes, minutes_expected] = [bar.minutes, bar.minutes_expected].map(u16::try_from);
        (i64::from(length) * MINUTE_US == time).then_some(PackedBar15m {
            instrument,
            minute,
            length,
            open,
            ways,
            volume,
            minutes: minutes.ok()?,
            minutes_expected: minutes_expected.ok()?,
        })
    }

    /// The bar.
    pub fn unpacked(self) -> Bar15m {
        let PackedBar15m { instrument, minute, open, ways, volume, .. } = self;
        let prices = PackedBar { instrument, minute, open, ways, volume }.unpacked();
        let Bar { instrument, open_time, open, high, low, close, volume } = prices;
        Bar15m {
            instrument,
            open_time,
            close_time: open_time.plus_us(i64::from(self.length) * MINUTE_US),
            open,
            high,
            low,
            close,
            volume,
            minutes: self.minutes.into(),
            minutes_expected: self.minutes_expected.into(),
        }
    }
}
