//! The few kinds that make nearly all of a journal, written with plain stores: nine records in ten
//! are minute bars, and of the rest most are strategy bars, indicators and watermarks. The bytes
//! are those of the codec's long way, which tests hold against these.

use crate::domain::fact::{Bar, Bar15m, Indicators};
use crate::domain::steps::Ways;
use crate::domain::time::Timestamp;
use crate::journal::buffer::Buffer;
use crate::journal::frame::array;

use super::packed::{PackedBar, PackedBar15m};

/// Bytes of a packed minute bar.
const BAR_BYTES: usize = 20;
/// Bytes of a minute bar that cannot be packed.
pub const WIDE_BAR_BYTES: usize = 50;
/// Bytes of a packed strategy bar.
const BAR_15M_BYTES: usize = 26;
/// Bytes of a strategy bar that cannot be packed.
pub const WIDE_BAR_15M_BYTES: usize = 66;
/// Bytes of a row of indicators with both swings.
const INDICATORS_BYTES: usize = 76;

/// Writes a minute bar.
#[inline]
pub fn put_bar(bar: &Bar, out: &mut Buffer) {
    let Some(packed) = PackedBar::of(bar) else { return put_wide_bar(bar, out) };
    let PackedBar { instrument, minute, open, ways, volume } = packed;
    let room = out.room::<BAR_BYTES>();
    // One by one: put together in memory they would be read back before all are there.
    room[0..2].copy_from_slice(&instrument.to_le_bytes());
    room[2..6].copy_from_slice(&minute.to_le_bytes());
    room[6..10].copy_from_slice(&open.to_le_bytes());
    room[10..12].copy_from_slice(&ways.up.to_le_bytes());
    room[12..14].copy_from_slice(&ways.down.to_le_bytes());
    room[14..16].copy_from_slice(&ways.close.to_le_bytes());
    room[16..20].copy_from_slice(&volume.to_le_bytes());
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

/// Reads what [`put_bar`] has packed in paise; `None` where the long way has to look.
#[inline]
pub fn get_bar(payload: &[u8]) -> Option<Bar> {
    let payload: &[u8; BAR_BYTES] = payload.try_into().ok()?;
    let [minute, open, volume] = [2, 6, 16].map(|at| u32::from_le_bytes(array(payload, at)));
    let [up, down, close] = [10, 12, 14].map(|at| u16::from_le_bytes(array(payload, at)));
    let instrument = u16::from_le_bytes(array(payload, 0));
    let ways = Ways { up, down, close };
    let packed = PackedBar { instrument, minute, open, ways, volume };
    packed.is_in_paise().then(|| packed.unpacked())
}

/// Writes a strategy bar.
pub fn put_bar_15m(bar: &Bar15m, out: &mut Buffer) {
    let Some(packed) = PackedBar15m::of(bar) else { return put_wide_bar_15m(bar, out) };
    let PackedBar15m { instrument, minute, length, open, ways, volume, .. } = packed;
    let room = out.room::<BAR_15M_BYTES>();
    room[0..2].copy_from_slice(&instrument.to_le_bytes());
    room[2..6].copy_from_slice(&minute.to_le_bytes());
    room[6..8].copy_from_slice(&length.to_le_bytes());
    room[8..12].copy_from_slice(&open.to_le_bytes());
    put_words(&mut room[12..], [ways.up, ways.down, ways.close].map(u16::to_le_bytes));
    room[18..22].copy_from_slice(&volume.to_le_bytes());
    let minutes = [packed.minutes, packed.minutes_expected];
    put_words(&mut room[22..], minutes.map(u16::to_le_bytes));
    out.advance(BAR_15M_BYTES);
}

#[cold]
#[inline(never)]
fn put_wide_bar_15m(bar: &Bar15m, out: &mut Buffer) {
    let Bar15m { instrument, open_time, close_time, open, high, low, close, volume, .. } = *bar;
    let room = out.room::<WIDE_BAR_15M_BYTES>();
    room[0..2].copy_from_slice(&instrument.0.to_le_bytes());
    let words = [open_time.0, close_time.0, open.0, high.0, low.0, close.0, volume.0];
    put_words(&mut room[2..], words.map(i64::to_le_bytes));
    room[58..62].copy_from_slice(&bar.minutes.to_le_bytes());
    room[62..66].copy_from_slice(&bar.minutes_expected.to_le_bytes());
    out.advance(WIDE_BAR_15M_BYTES);
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
