//! The tape: one line of text per event, both ways. Tests, goldens, error messages and
//! `journal cat` all use this notation.
//!
//! ```text
//! 17        bar NSE_EQ|INE155A01022 2024-10-01T09:15 974.50 975.20 974.10 975.00 18342
//! 18        watermark 2024-10-01T09:30
//! 18.1<0    bar-15m NSE_EQ|INE155A01022 2024-10-01T09:15 2024-10-01T09:30 974.50 …
//! ```
//!
//! The address comes first, then for outputs `<` and the index of the cause, then a word for the
//! kind and the fields in the order of their declaration. Fields after the first few are named.
//! Doubles are printed so that reading gives the same bits.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::event::{
    Command, CommandKind, EndReason, Event, EventId, Input, Output, Record, RunEnded, RunStarted,
};
use super::fact::{
    Backfill, BackfillOrigin, Bar, Bar15m, Fill, Gap, Halt, Indicators, Notice, NoticeKind, Order,
    OrderReason, Position, RejectReason, Rejection, SessionEnded, Signal, SignalKind, SignalRef,
    Tick,
};
use super::instrument::InstrumentId;
use super::money::{Cash, Price, Qty, Side};
use super::time::{Date, Timestamp};

/// The keys that stand for the instruments of a run, by [`InstrumentId`].
#[derive(Clone, Debug, Default)]
pub struct Names {
    keys: Vec<String>,
}

impl Names {
    /// Names from keys in the order of their ids. Blanks become `_`, since a tape splits on them.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Names {
        Names { keys: keys.into_iter().map(|key| key.replace(' ', "_")).collect() }
    }

    /// Names as a run declares them.
    pub fn of(run: &RunStarted) -> Names {
        Names::new(run.instruments.iter().map(|instrument| instrument.key.as_str()))
    }
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeError {
    /// What was expected, as a fragment after "expected".
    pub expected: String,
    /// What stood there; empty at the end of the line.
    pub found: String,
}

impl TapeError {
    fn new(expected: &str, found: &str) -> TapeError {
        TapeError { expected: expected.into(), found: found.into() }
    }
}

impl core::fmt::Display for TapeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.found.as_str() {
            "" => write!(f, "expected {} but the line ends", self.expected),
            found => write!(f, "expected {} but found '{found}'", self.expected),
        }
    }
}

impl core::error::Error for TapeError {}

/// The record as one line.
pub fn write_record(record: &Record, names: &Names) -> String {
    let address = match record.id.index {
        0 => record.id.to_string(),
        _ => format!("{}<{}", record.id, record.cause),
    };
    format!("{address:<9} {}", write_event(&record.event, names))
}

/// Reads one line of `write_record`. The time of receipt is not part of a tape.
///
/// # Errors
/// Names what was expected and what stood there.
pub fn read_record(line: &str, names: &Names) -> Result<Record, TapeError> {
    let line = line.trim();
    let (address, event) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (id, cause) = address.split_once('<').unwrap_or((address, "0"));
    let bad = || TapeError::new("an address such as 17.1<0", address);
    let id = EventId::parse(id).ok_or_else(bad)?;
    let cause = cause.parse().map_err(|_| bad())?;
    let event = read_event(event, names)?;
    if (id.index == 0) != matches!(event, Event::Input(_)) {
        return Err(TapeError::new("index 0 for inputs only", address));
    }
    Ok(Record { id, cause, received_ns: 0, event })
}

/// Declares the words of all events once, for writing and for reading.
macro_rules! events {
    ($($side:ident :: $variant:ident $word:literal $payload:ty,)+) => {
        /// The event as text, without its address.
        pub fn write_event(event: &Event, names: &Names) -> String {
            let mut line = String::new();
            match event {
                $(Event::$side($side::$variant(payload)) => {
                    line.push_str($word);
                    payload.write(&mut line, names);
                })+
            }
            line
        }

        /// Reads what `write_event` writes.
        ///
        /// # Errors
        /// Names what was expected and what stood there.
        pub fn read_event(line: &str, names: &Names) -> Result<Event, TapeError> {
            let line = line.trim();
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let mut fields = Fields { rest: rest.trim() };
            let event = match word {
                $($word => {
                    let payload = <$payload as Line>::read(&mut fields, names)?;
                    Event::$side($side::$variant(payload.into()))
                })+
                _ => return Err(TapeError::new("an event's word", word)),
            };
            match fields.rest {
                "" => Ok(event),
                rest => Err(TapeError::new("the end of the line", rest)),
            }
        }
    };
}

events! {
    Input::RunStarted "run-started" RunStarted,
    Input::Bar "bar" Bar,
    Input::Tick "tick" Tick,
    Input::Watermark "watermark" Timestamp,
    Input::Command "command" Command,
    Input::Backfill "backfill" Backfill,
    Input::Gap "gap" Gap,
    Input::Notice "notice" Notice,
    Input::RunEnded "run-ended" RunEnded,
    Output::Bar1m "bar-1m" Bar,
    Output::Bar15m "bar-15m" Bar15m,
    Output::BarRevised "bar-15m-revised" Bar15m,
    Output::Indicators "indicators" Indicators,
    Output::Signal "signal" Signal,
    Output::Order "order" Order,
    Output::Rejection "rejection" Rejection,
    Output::Fill "fill" Fill,
    Output::Position "position" Position,
    Output::Halt "halt" Halt,
    Output::SessionEnded "session-ended" SessionEnded,
}

/// A payload as a row of fields.
trait Line: Sized {
    fn write(&self, line: &mut String, names: &Names);
    fn read(fields: &mut Fields<'_>, names: &Names) -> Result<Self, TapeError>;
}

/// What is left of a line.
struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> &'a str {
        let (field, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        field
    }

    /// The next field as a `T`; `label` is its name in messages, and in the line where `named`.
    fn word<T: Word>(&mut self, label: &str, named: bool, names: &Names) -> Result<T, TapeError> {
        let field = self.next();
        let value = match named {
            false => Some(field),
            true => field.strip_prefix(label).and_then(|rest| rest.strip_prefix('=')),
        };
        value.and_then(|value| T::read_word(value, names)).ok_or_else(|| TapeError {
            expected: format!("{label} ({})", T::WHAT),
            found: field.into(),
        })
    }
}

/// One field as one word without blanks.
trait Word: Sized {
    const WHAT: &'static str;
    fn write_word(&self, names: &Names) -> String;
    fn read_word(word: &str, names: &Names) -> Option<Self>;
}

/// Rows of positional fields, then `;`, then fields with their names before them.
macro_rules! line {
    ($type:ident { $($plain:ident),* ; $($named:ident),* }) => {
        impl Line for $type {
            fn write(&self, line: &mut String, names: &Names) {
                $(line.push(' '); line.push_str(&self.$plain.write_word(names));)*
                $(line.push_str(concat!(" ", stringify!($named), "="));
                  line.push_str(&self.$named.write_word(names));)*
            }
            fn read(fields: &mut Fields<'_>, names: &Names) -> Result<$type, TapeError> {
                Ok($type {
                    $($plain: fields.word(stringify!($plain), false, names)?,)*
                    $($named: fields.word(stringify!($named), true, names)?,)*
                })
            }
        }
    };
}

line!(Bar { instrument, open_time, open, high, low, close, volume; });
line!(Tick { instrument, time, price, quantity; day_volume });
line!(Gap { instrument, from, to; });
line!(Command { time, kind; });
line!(RunEnded { time, reason; });
line!(Bar15m { instrument, open_time, close_time, open, high, low, close, volume;
    minutes, minutes_expected });
line!(Indicators {
    instrument, open_time; ema20, ema50, atr, adx, vwap, vol_z, swing_high, swing_low
});
line!(Signal {
    instrument, bar_time, time, side, kind, price, quantity;
    stop, target, atr, vwap_dist, ema_slope, atr_pct, adx, vol_z, margins
});
line!(Order { instrument, time, side, quantity, reason; origin });
line!(Rejection { instrument, time, reason; });
line!(Fill { instrument, time, side, quantity, price, reason; fee, order, origin });
line!(Position { instrument, quantity; cost, realized, cash });
line!(Halt { time, reason; day_profit });
line!(SessionEnded { date; gross, fees, equity });

impl Line for Timestamp {
    fn write(&self, line: &mut String, names: &Names) {
        line.push(' ');
        line.push_str(&self.write_word(names));
    }
    fn read(fields: &mut Fields<'_>, names: &Names) -> Result<Timestamp, TapeError> {
        fields.word("time", false, names)
    }
}

impl Line for Backfill {
    fn write(&self, line: &mut String, names: &Names) {
        self.bar.write(line, names);
        line.push_str(" origin=");
        line.push_str(self.origin.word());
    }
    fn read(fields: &mut Fields<'_>, names: &Names) -> Result<Backfill, TapeError> {
        let bar = Bar::read(fields, names)?;
        Ok(Backfill { bar, origin: fields.word("origin", true, names)? })
    }
}

/// The words are the rest of the line.
impl Line for Notice {
    fn write(&self, line: &mut String, names: &Names) {
        let Notice { time, kind, instrument, detail } = self;
        let instrument = instrument.write_word(names);
        *line += &format!(" {time} {kind} {instrument}");
        if !detail.is_empty() {
            *line += &format!(" {detail}");
        }
    }
    fn read(fields: &mut Fields<'_>, names: &Names) -> Result<Notice, TapeError> {
        Ok(Notice {
            time: fields.word("time", false, names)?,
            kind: fields.word("kind", false, names)?,
            instrument: fields.word("instrument", false, names)?,
            detail: core::mem::take(&mut fields.rest).into(),
        })
    }
}

/// The only payload that is a tree: compact JSON.
impl Line for RunStarted {
    fn write(&self, line: &mut String, _: &Names) {
        line.push(' ');
        line.push_str(&serde_json::to_string(self).expect("plain data is always JSON"));
    }
    fn read(fields: &mut Fields<'_>, _: &Names) -> Result<RunStarted, TapeError> {
        let json = core::mem::take(&mut fields.rest);
        serde_json::from_str(json).map_err(|error| TapeError {
            expected: format!("the run's description as JSON ({error})"),
            found: json.chars().take(40).collect(),
        })
    }
}

/// Types whose `Display` is their word, with the function that reads it.
macro_rules! words {
    ($($type:ty, $what:literal, $read:expr;)+) => {$(
        impl Word for $type {
            const WHAT: &'static str = $what;
            fn write_word(&self, _: &Names) -> String {
                self.to_string()
            }
            fn read_word(word: &str, _: &Names) -> Option<$type> {
                ($read)(word)
            }
        }
    )+};
}

words! {
    Timestamp, "a time such as 2024-10-01T09:15", Timestamp::parse;
    Date, "a date such as 2024-10-01", Date::parse;
    Price, "a price such as 974.50", Price::parse;
    Cash, "an amount such as -12.50", Cash::parse;
    Qty, "a whole number", |word: &str| word.parse().ok().map(Qty);
    u32, "a whole number", |word: &str| word.parse().ok();
    EventId, "an event's address", EventId::parse;
    Side, "BUY or SELL", Side::from_word;
    SignalKind, "TREND or REVERSION", SignalKind::from_word;
    OrderReason, "an order's reason", OrderReason::from_word;
    RejectReason, "a reason to say no", RejectReason::from_word;
    CommandKind, "a command", CommandKind::from_word;
    EndReason, "why the run ended", EndReason::from_word;
    BackfillOrigin, "an archive", BackfillOrigin::from_word;
    NoticeKind, "what happened at the feed", NoticeKind::from_word;
}

impl Word for InstrumentId {
    const WHAT: &'static str = "a key of this run";
    fn write_word(&self, names: &Names) -> String {
        names.keys.get(self.index()).cloned().unwrap_or_else(|| format!("#{}", self.0))
    }
    fn read_word(word: &str, names: &Names) -> Option<InstrumentId> {
        let place = match word.strip_prefix('#') {
            Some(number) => return number.parse().ok().map(InstrumentId),
            None => names.keys.iter().position(|key| key == word)?,
        };
        u16::try_from(place).ok().map(InstrumentId)
    }
}

impl Word for Option<InstrumentId> {
    const WHAT: &'static str = "a key of this run or -";
    fn write_word(&self, names: &Names) -> String {
        self.map_or_else(|| String::from("-"), |instrument| instrument.write_word(names))
    }
    fn read_word(word: &str, names: &Names) -> Option<Option<InstrumentId>> {
        if word == "-" { Some(None) } else { InstrumentId::read_word(word, names).map(Some) }
    }
}

impl Word for f64 {
    const WHAT: &'static str = "a number";
    fn write_word(&self, _: &Names) -> String {
        if self.is_nan() { String::from("nan") } else { self.to_string() }
    }
    fn read_word(word: &str, _: &Names) -> Option<f64> {
        if word == "nan" {
            Some(f64::NAN)
        } else {
            word.parse().ok().filter(|x: &f64| x.is_finite())
        }
    }
}

impl Word for Option<Price> {
    const WHAT: &'static str = "a price or -";
    fn write_word(&self, names: &Names) -> String {
        self.map_or_else(|| String::from("-"), |price| price.write_word(names))
    }
    fn read_word(word: &str, names: &Names) -> Option<Option<Price>> {
        if word == "-" { Some(None) } else { Price::read_word(word, names).map(Some) }
    }
}

impl Word for Vec<f64> {
    const WHAT: &'static str = "numbers with commas between";
    fn write_word(&self, names: &Names) -> String {
        let words: Vec<String> = self.iter().map(|number| number.write_word(names)).collect();
        words.join(",")
    }
    fn read_word(word: &str, names: &Names) -> Option<Vec<f64>> {
        if word.is_empty() {
            return Some(Vec::new());
        }
        word.split(',').map(|number| f64::read_word(number, names)).collect()
    }
}

impl Word for SignalRef {
    const WHAT: &'static str = "a signal such as 2024-10-01T09:15/BUY/TREND";
    fn write_word(&self, _: &Names) -> String {
        format!("{}/{}/{}", self.bar_time, self.side, self.kind)
    }
    fn read_word(word: &str, _: &Names) -> Option<SignalRef> {
        let mut parts = word.split('/');
        let origin = SignalRef {
            bar_time: Timestamp::parse(parts.next()?)?,
            side: Side::from_word(parts.next()?)?,
            kind: SignalKind::from_word(parts.next()?)?,
        };
        parts.next().is_none().then_some(origin)
    }
}
