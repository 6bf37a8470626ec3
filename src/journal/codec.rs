//! Payloads: one flat struct into bytes and back. The only file that names bincode, so that it can
//! be replaced by another encoder of the same bytes.
//!
//! Integers are little-endian and of fixed width, lengths are u64, an option is one byte and its
//! value. Bars are packed into less than half the bytes where every value fits
//! (`codec/packed.rs`). A payload is accepted only if encoding what was read gives the same bytes
//! again, and if what was read could have been written: no bar with a defect, no number that is not
//! finite.
//!
//! When the fields of a kind change, what was written before stays readable:
//!
//! 1. Its row in [`record`](super::record) gets the next version, and `tests/fixtures/registry.txt`
//!    one line more. [`Kind::known`] knows both versions.
//! 2. The old struct moves, word for word, into `codec/v1.rs` (or the version that it had), where
//!    nothing is ever changed, with one pure function to the next version: no clock, no look at
//!    other records, no default that a setting could move. Versions are climbed one step at a time.
//! 3. [`decode`] is given the version and takes that way. Re-encoding is checked against the *old*
//!    struct, since only its bytes have to come back.
//! 4. The golden bytes of the old version stay in the test below, beside those of the new one, and
//!    a fixture journal is added, beside those before it (`fixture.rs`).
//!
//! So far every kind has one version, so there is nothing to climb, and a record of another version
//! is refused: [`Damage::UnknownKind`](super::error::Damage::UnknownKind).

mod packed;
mod plain;

use bincode::config;
use bincode::enc::write::Writer as Sink;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::domain::defect::Defect;
use crate::domain::event::{Event, Input, Output, RunStarted};
use crate::domain::fact::{Bar, Bar15m, Gap, Indicators, Signal, Tick};
use crate::domain::time::Timestamp;

use super::buffer::Buffer;
use super::record::Kind;
use packed::{PackedBar, PackedBar15m};

/// The codec's number in a segment's header.
pub const CODEC_ID: u8 = 1;
/// The largest payload, in bytes.
pub const PAYLOAD_MAX: usize = 1_048_576;
/// The only NaN that is written. Processors disagree about the bits of a computed NaN.
pub const NAN_BITS: u64 = 0x7FF8_0000_0000_0000;

const CONFIG: config::Configuration<
    config::LittleEndian,
    config::Fixint,
    config::Limit<PAYLOAD_MAX>,
> = config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<PAYLOAD_MAX>();

/// The same for states, which may be longer than any record.
const STATE_CONFIG: config::Configuration<
    config::LittleEndian,
    config::Fixint,
    config::Limit<STATE_MAX>,
> = config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<STATE_MAX>();
/// The largest state, in bytes: some thousands of instruments.
const STATE_MAX: usize = 1 << 30;

/// Why an event is no payload, or a payload no event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// Longer than [`PAYLOAD_MAX`].
    #[error("a payload of {len} bytes is longer than the {PAYLOAD_MAX} that are allowed")]
    TooLong {
        /// Bytes of the payload.
        len: usize,
    },
    /// The bytes do not follow the kind's fields.
    #[error("the payload does not follow its fields ({0})")]
    Layout(String),
    /// There are bytes after the last field.
    #[error("{0} bytes follow the payload's last field")]
    Trailing(usize),
    /// Other bytes mean the same.
    #[error("the payload is not in its one canonical form")]
    NotCanonical,
    /// No market printed that.
    #[error("a bar or tick that cannot be: {0}")]
    Defect(Defect),
    /// A gap that ends before it begins.
    #[error("a gap without any time in it")]
    NoGap,
    /// A detail that would not fit into one line.
    #[error("a notice's detail that is not one line without blanks around it")]
    NoLine,
    /// A double is infinite, or NaN where none is allowed, or an odd NaN.
    #[error("{0} is not a finite number")]
    NotFinite(&'static str),
}

/// For payloads of any size.
struct Tail<'a>(&'a mut Buffer);

impl Sink for Tail<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.append(bytes);
        Ok(())
    }
}

/// Bytes that hold every payload of fixed size.
const FIXED_MAX: usize = 128;

/// For payloads of fixed size: written in place.
#[inline]
fn put_fixed<T: Serialize>(value: &T, out: &mut Buffer) -> Result<(), CodecError> {
    let room = out.room::<FIXED_MAX>();
    match bincode::serde::encode_into_slice(value, room, CONFIG) {
        Ok(len) => {
            out.advance(len);
            Ok(())
        }
        Err(error) => Err(layout(&error)),
    }
}

fn put<T: Serialize>(value: &T, out: &mut Buffer) -> Result<(), CodecError> {
    let start = out.len();
    bincode::serde::encode_into_writer(value, Tail(out), CONFIG).map_err(|error| layout(&error))?;
    match out.len() - start {
        len if len > PAYLOAD_MAX => Err(CodecError::TooLong { len }),
        _ => Ok(()),
    }
}

#[cold]
fn layout(error: &dyn std::error::Error) -> CodecError {
    CodecError::Layout(error.to_string())
}

fn get<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CodecError> {
    let (value, used) =
        bincode::serde::decode_from_slice(payload, CONFIG).map_err(|error| layout(&error))?;
    match payload.len() - used {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

/// A minute bar in either of its forms.
fn get_bar(payload: &[u8]) -> Result<Bar, CodecError> {
    match payload.len() < plain::WIDE_BAR_BYTES {
        true => get(payload).map(PackedBar::unpacked),
        false => get(payload),
    }
}

/// A strategy bar in either of its forms.
fn get_bar_15m(payload: &[u8]) -> Result<Bar15m, CodecError> {
    match payload.len() < plain::WIDE_BAR_15M_BYTES {
        true => get(payload).map(PackedBar15m::unpacked),
        false => get(payload),
    }
}

/// Appends the payload of an input to `out`. After an error `out` may end in a part of it.
///
/// # Errors
/// When the input is too long or breaks a rule of its kind.
#[inline(always)]
pub fn encode_input(input: &Input, out: &mut Buffer) -> Result<(), CodecError> {
    match input {
        Input::Bar(bar) => {
            check_bar(bar)?;
            plain::put_bar(bar, out);
            Ok(())
        }
        Input::Watermark(time) => {
            plain::put_time(*time, out);
            Ok(())
        }
        Input::RunStarted(run) => encode_run_started(run, out),
        Input::Tick(tick) => encode_tick(tick, out),
        Input::Command(command) => encode_seldom(command, out),
        Input::Backfill(minute) => check_bar(&minute.bar).and_then(|()| encode_seldom(minute, out)),
        Input::Gap(gap) => check_gap(gap).and_then(|()| encode_seldom(gap, out)),
        Input::Notice(notice) => check_detail(&notice.detail).and_then(|()| put(&**notice, out)),
        Input::RunEnded(end) => encode_seldom(end, out),
    }
}

/// Out of the way, so that what is left of [`encode_input`] is small where it is called.
#[inline(never)]
fn encode_tick(tick: &Tick, out: &mut Buffer) -> Result<(), CodecError> {
    check_tick(tick).and_then(|()| put_fixed(tick, out))
}

#[cold]
#[inline(never)]
fn encode_seldom<T: Serialize>(value: &T, out: &mut Buffer) -> Result<(), CodecError> {
    put_fixed(value, out)
}

/// Appends the payload of a run's description to `out`.
///
/// # Errors
/// As [`encode_input`].
pub fn encode_run_started(run: &RunStarted, out: &mut Buffer) -> Result<(), CodecError> {
    check_run(run).and_then(|()| put(run, out))
}

/// Appends the payload of an output to `out`. After an error `out` may end in a part of it.
///
/// # Errors
/// When the output is too long or breaks a rule of its kind.
#[inline]
pub fn encode_output(output: &Output, out: &mut Buffer) -> Result<(), CodecError> {
    match output {
        Output::Bar1m(bar) => {
            plain::put_bar(bar, out);
            Ok(())
        }
        Output::Bar15m(bar) | Output::BarRevised(bar) => {
            plain::put_bar_15m(bar, out);
            Ok(())
        }
        Output::Indicators(row) => {
            check_indicators(row)?;
            plain::put_indicators(row, out);
            Ok(())
        }
        Output::Signal(signal) => check_signal(signal).and_then(|()| put(&**signal, out)),
        Output::Order(order) => put_fixed(order, out),
        Output::Rejection(rejection) => put_fixed(rejection, out),
        Output::Fill(fill) => put_fixed(fill, out),
        Output::Position(position) => put_fixed(position, out),
        Output::Halt(halt) => put_fixed(halt, out),
        Output::SessionEnded(session) => put_fixed(session, out),
    }
}

/// The kind under which an input is written.
pub const fn input_kind(input: &Input) -> Kind {
    match input {
        Input::RunStarted(_) => Kind::RunStarted,
        Input::Bar(_) => Kind::Bar,
        Input::Tick(_) => Kind::Tick,
        Input::Watermark(_) => Kind::Watermark,
        Input::Command(_) => Kind::Command,
        Input::Backfill(_) => Kind::Backfill,
        Input::Gap(_) => Kind::Gap,
        Input::Notice(_) => Kind::Notice,
        Input::RunEnded(_) => Kind::RunEnded,
    }
}

/// The kind under which an output is written.
pub const fn output_kind(output: &Output) -> Kind {
    match output {
        Output::Bar1m(_) => Kind::Bar1m,
        Output::Bar15m(_) => Kind::Bar15m,
        Output::BarRevised(_) => Kind::BarRevised,
        Output::Indicators(_) => Kind::Indicators,
        Output::Signal(_) => Kind::Signal,
        Output::Order(_) => Kind::Order,
        Output::Rejection(_) => Kind::Rejection,
        Output::Fill(_) => Kind::Fill,
        Output::Position(_) => Kind::Position,
        Output::Halt(_) => Kind::Halt,
        Output::SessionEnded(_) => Kind::SessionEnded,
    }
}

/// Reads a payload. `scratch` is overwritten; handing in the same buffer saves its allocation.
///
/// # Errors
/// When the bytes are not exactly what encoding some event of that kind gives.
#[inline]
pub fn decode(kind: Kind, payload: &[u8], scratch: &mut Buffer) -> Result<Event, CodecError> {
    if let (Kind::Bar, Some(bar)) = (kind, plain::get_bar(payload)) {
        return check_bar(&bar).map(|()| Event::Input(Input::Bar(bar)));
    }
    if let (Kind::Watermark, Ok(payload)) = (kind, payload.try_into()) {
        return Ok(Event::Input(Input::Watermark(Timestamp(i64::from_le_bytes(payload)))));
    }
    decode_by_fields(kind, payload, scratch)
}

fn decode_by_fields(kind: Kind, payload: &[u8], scratch: &mut Buffer) -> Result<Event, CodecError> {
    let event = match kind {
        Kind::RunStarted => Event::Input(Input::RunStarted(Box::new(get(payload)?))),
        Kind::Bar => Event::Input(Input::Bar(get_bar(payload)?)),
        Kind::Tick => Event::Input(Input::Tick(get(payload)?)),
        Kind::Watermark => Event::Input(Input::Watermark(get(payload)?)),
        Kind::Command => Event::Input(Input::Command(get(payload)?)),
        Kind::Backfill => Event::Input(Input::Backfill(get(payload)?)),
        Kind::Gap => Event::Input(Input::Gap(get(payload)?)),
        Kind::Notice => Event::Input(Input::Notice(Box::new(get(payload)?))),
        Kind::RunEnded => Event::Input(Input::RunEnded(get(payload)?)),
        Kind::Bar1m => Event::Output(Output::Bar1m(get_bar(payload)?)),
        Kind::Bar15m => Event::Output(Output::Bar15m(get_bar_15m(payload)?)),
        Kind::BarRevised => Event::Output(Output::BarRevised(get_bar_15m(payload)?)),
        Kind::Indicators => Event::Output(Output::Indicators(get(payload)?)),
        Kind::Signal => Event::Output(Output::Signal(Box::new(get(payload)?))),
        Kind::Order => Event::Output(Output::Order(get(payload)?)),
        Kind::Rejection => Event::Output(Output::Rejection(get(payload)?)),
        Kind::Fill => Event::Output(Output::Fill(get(payload)?)),
        Kind::Position => Event::Output(Output::Position(get(payload)?)),
        Kind::Halt => Event::Output(Output::Halt(get(payload)?)),
        Kind::SessionEnded => Event::Output(Output::SessionEnded(get(payload)?)),
    };
    scratch.truncate(0);
    match &event {
        Event::Input(input) => encode_input(input, scratch)?,
        Event::Output(output) => encode_output(output, scratch)?,
    }
    if scratch.as_slice() == payload { Ok(event) } else { Err(CodecError::NotCanonical) }
}

/// Appends the state of a machine to `out`, for a checkpoint. It has no frame and no limit, and is
/// read by the program that wrote it only.
///
/// # Errors
/// When it holds what has no fixed form.
pub fn encode_state<T: Serialize>(state: &T, out: &mut Buffer) -> Result<(), CodecError> {
    let written = bincode::serde::encode_into_writer(state, Tail(out), STATE_CONFIG);
    written.map_err(|error| layout(&error))
}

/// Reads what [`encode_state`] wrote.
///
/// # Errors
/// When the bytes are not exactly that.
pub fn decode_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let read = bincode::serde::decode_from_slice(bytes, STATE_CONFIG);
    let (value, used) = read.map_err(|error| layout(&error))?;
    match bytes.len() - used {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

fn finite(name: &'static str, value: f64) -> Result<(), CodecError> {
    if value.is_finite() { Ok(()) } else { Err(CodecError::NotFinite(name)) }
}

fn check_run(run: &RunStarted) -> Result<(), CodecError> {
    finite("reversion_k", run.config.strategy.reversion_k)?;
    finite("adx_gate", run.config.strategy.adx_gate)
}

fn check_bar(bar: &Bar) -> Result<(), CodecError> {
    bar.defect().map_or(Ok(()), |defect| Err(CodecError::Defect(defect)))
}

fn check_tick(tick: &Tick) -> Result<(), CodecError> {
    tick.defect().map_or(Ok(()), |defect| Err(CodecError::Defect(defect)))
}

fn check_gap(gap: &Gap) -> Result<(), CodecError> {
    if gap.from < gap.to { Ok(()) } else { Err(CodecError::NoGap) }
}

/// A detail is the rest of a line of tape.
fn check_detail(detail: &str) -> Result<(), CodecError> {
    let is_line = detail.trim() == detail && !detail.contains(char::is_control);
    if is_line { Ok(()) } else { Err(CodecError::NoLine) }
}

/// An indicator that is not known yet is NaN, and always the same NaN.
fn check_indicators(row: &Indicators) -> Result<(), CodecError> {
    let Indicators { ema20, ema50, atr, adx, vwap, vol_z, .. } = *row;
    let named = [("ema20", ema20), ("ema50", ema50), ("atr", atr), ("adx", adx)];
    for (name, value) in named.into_iter().chain([("vwap", vwap), ("vol_z", vol_z)]) {
        if value.to_bits() != NAN_BITS {
            finite(name, value)?;
        }
    }
    Ok(())
}

fn check_signal(signal: &Signal) -> Result<(), CodecError> {
    finite("atr", signal.atr)?;
    finite("vwap_dist", signal.vwap_dist)?;
    finite("ema_slope", signal.ema_slope)?;
    finite("atr_pct", signal.atr_pct)?;
    finite("adx", signal.adx)?;
    finite("vol_z", signal.vol_z)?;
    signal.margins.iter().try_for_each(|margin| finite("a margin", *margin))
}

#[cfg(test)]
mod tests;
