//! The few kinds that make nearly all of a journal, written with plain stores: nine records in ten
//! are minute bars, and of the rest most are strategy bars, indicators and watermarks. The bytes
//! are those of the codec's long way, which tests hold against these.

use serde::{Deserialize, Serialize};

use crate::domain::fact::{Bar, Bar15m, Indicators};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp};
use crate::journal::buffer::Buffer;
use crate::journal::frame::array;

/// Bytes of a packed minute bar.
const BAR_BYTES: usize = 26;
/// Bytes of a minute bar that cannot be packed.
pub const WIDE_BAR_BYTES: usize = 50;
/// Bytes of a strategy bar.
const BAR_15M_BYTES: usize = 66;
/// Bytes of a row of indicators with both swings.
const INDICATORS_BYTES: usize = 76;

/// A minute bar that begins on a minute and whose every value fits into 32 bits: prices up to
/// 4,29,496 rupees, four billion shares. A bar that can be packed has no other form, so its length
/// tells what it is.
#[derive(Serialize, Deserialize)]
pub struct Packed {
    instrument: u16,
    /// Its minute, counted from 1970 UTC.
    minute: u32,
    open: u32,
    high: u32,
    low: u32,
    close: u32,
    volume: u32,
}

impl Packed {
    /// The bar, if it can be packed.
    #[inline]
    fn of(bar: &Bar) -> Option<Packed> {
        let Bar { instrument, open_time, open, high, low, close, volume } = *bar;
        let minute = open_time.0 / MINUTE_US;
        let all = minute | open.0 | high.0 | low.0 | close.0 | volume.0;
        let fits = all >> 32 == 0 && minute * MINUTE_US == open_time.0;
        fits.then_some(Packed {
            instrument: instrument.0,
            minute: minute as u32,
            open: open.0 as u32,
            high: high.0 as u32,
            low: low.0 as u32,
            close: close.0 as u32,
            volume: volume.0 as u32,
        })
    }

    /// The bar.
    #[inline]
    pub fn unpacked(self) -> Bar {
        let price = |value: u32| Price(i64::from(value));
        Bar {
            instrument: InstrumentId(self.instrument),
            open_time: Timestamp(i64::from(self.minute) * MINUTE_US),
            open: price(self.open),
            high: price(self.high),
            low: price(self.low),
            close: price(self.close),
            volume: Qty(i64::from(self.volume)),
        }
    }
}

/// Writes a minute bar.
#[inline]
pub fn put_bar(bar: &Bar, out: &mut Buffer) {
    let Some(Packed { instrument, minute, open, high, low, close, volume }) = Packed::of(bar)
    else {
        return put_wide_bar(bar, out);
    };
    let room = out.room::<BAR_BYTES>();
    room[0..2].copy_from_slice(&instrument.to_le_bytes());
    put_words(&mut room[2..], [minute, open, high, low, close, volume].map(u32::to_le_bytes));
    out.advance(BAR_BYTES);
}

#[cold]
#[inline(never)]
fn put_wide_bar(bar: &Bar, out: &mut Buffer) {
    let Bar { instrument, open_time, open, high, low, close, volume } = *bar;
    let room = out.room::<WIDE_BAR_BYTES>();
    room[0..2].copy_from_slice(&instrument.0.to_le_bytes());
    let words = [open_time.0, open.0, high.0, low.0, close.0, volume.0];
    put_words(&mut room[2..], words.map(i64::to_le_bytes));
    out.advance(WIDE_BAR_BYTES);
}

/// Reads what [`put_bar`] has packed; `None` where the long way has to look.
#[inline]
pub fn get_bar(payload: &[u8]) -> Option<Bar> {
    let payload: &[u8; BAR_BYTES] = payload.try_into().ok()?;
    let word = |place: usize| u32::from_le_bytes(array(payload, 2 + 4 * place));
    let packed = Packed {
        instrument: u16::from_le_bytes(array(payload, 0)),
        minute: word(0),
        open: word(1),
        high: word(2),
        low: word(3),
        close: word(4),
        volume: word(5),
    };
    Some(packed.unpacked())
}

/// Writes a strategy bar.
pub fn put_bar_15m(bar: &Bar15m, out: &mut Buffer) {
    let Bar15m { instrument, open_time, close_time, open, high, low, close, volume, .. } = *bar;
    let room = out.room::<BAR_15M_BYTES>();
    room[0..2].copy_from_slice(&instrument.0.to_le_bytes());
    let words = [open_time.0, close_time.0, open.0, high.0, low.0, close.0, volume.0];
    put_words(&mut room[2..], words.map(i64::to_le_bytes));
    room[58..62].copy_from_slice(&bar.minutes.to_le_bytes());
    room[62..66].copy_from_slice(&bar.minutes_expected.to_le_bytes());
    out.advance(BAR_15M_BYTES);
}

/// Writes a row of indicators.
pub fn put_indicators(row: &Indicators, out: &mut Buffer) {
    let Indicators { instrument, open_time, ema20, ema50, atr, adx, vwap, vol_z, .. } = *row;
    let room = out.room::<INDICATORS_BYTES>();
    room[0..2].copy_from_slice(&instrument.0.to_le_bytes());
    room[2..10].copy_from_slice(&open_time.0.to_le_bytes());
    put_words(&mut room[10..], [ema20, ema50, atr, adx, vwap, vol_z].map(f64::to_le_bytes));
    let mut end = 58;
    for swing in [row.swing_high, row.swing_low] {
        room[end] = u8::from(swing.is_some());
        end += 1;
        if let Some(price) = swing {
            room[end..end + 8].copy_from_slice(&price.0.to_le_bytes());
            end += 8;
        }
    }
    out.advance(end);
}

/// Writes a time.
#[inline]
pub fn put_time(time: Timestamp, out: &mut Buffer) {
    *out.room() = time.0.to_le_bytes();
    out.advance(8);
}

/// Words of equal length, one after the other.
#[inline]
fn put_words<const N: usize, const BYTES: usize>(room: &mut [u8], words: [[u8; BYTES]; N]) {
    room[..BYTES * N].copy_from_slice(words.as_flattened());
}
