//! One value of a table, and what it means as a time, a price or a volume.

use std::fmt;

use crate::domain::money::{Price, Qty};
use crate::domain::time::{IST_OFFSET_US, MINUTE_US, Timestamp};

/// What a time without an offset means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NaiveClock {
    /// What clocks in India show.
    #[default]
    India,
    /// Universal time.
    Utc,
}

impl NaiveClock {
    /// The instant of a naive time that was read as if it were Indian.
    fn instant(self, as_india: Timestamp) -> Timestamp {
        match self {
            NaiveClock::India => as_india,
            NaiveClock::Utc => as_india.plus_us(IST_OFFSET_US),
        }
    }
}

/// A value as the file has it.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// Text, trimmed.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A double.
    Float(f64),
    /// A decimal: digits and scale.
    Decimal(i128, i8),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Microseconds since 1970 on an unnamed clock.
    Local(i64),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Empty => Ok(()),
            Cell::Text(text) => f.write_str(text),
            Cell::Int(number) => number.fmt(f),
            Cell::Float(number) => number.fmt(f),
            Cell::Decimal(digits, scale) => write!(f, "{digits}e{}", -i32::from(*scale)),
            Cell::Instant(us) => Timestamp(*us).fmt(f),
            Cell::Local(us) => Timestamp(us.saturating_sub(IST_OFFSET_US)).fmt(f),
        }
    }
}

/// The instant that a cell names: `YYYY-MM-DD HH:MM[:SS]`, the same with `Z` or an offset, a typed
/// timestamp, or a whole number since 1970 in seconds, milliseconds, microseconds or nanoseconds,
/// told apart by its size (which is unique for years after 1973).
pub(super) fn time(cell: &Cell, naive: NaiveClock) -> Result<Timestamp, String> {
    let found = match cell {
        Cell::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().and_then(epoch)
        }
        Cell::Text(text) => text_time(text, naive),
        Cell::Int(number) => epoch(*number),
        Cell::Instant(us) => Some(Timestamp(*us)),
        Cell::Local(us) => Some(naive.instant(Timestamp(us.saturating_sub(IST_OFFSET_US)))),
        Cell::Empty | Cell::Float(_) | Cell::Decimal(..) => None,
    };
    found.ok_or_else(|| describe("time", cell, "a time"))
}

/// A count since 1970 in the unit that its size tells.
fn epoch(count: i64) -> Option<Timestamp> {
    const SMALLEST: i64 = 100_000_000;
    match count {
        ..SMALLEST => None,
        SMALLEST..100_000_000_000 => Some(Timestamp(count * 1_000_000)),
        100_000_000_000..100_000_000_000_000 => Some(Timestamp(count * 1_000)),
        100_000_000_000_000..100_000_000_000_000_000 => Some(Timestamp(count)),
        _ if count % 1_000 == 0 => Some(Timestamp(count / 1_000)),
        _ => None,
    }
}

fn text_time(text: &str, naive: NaiveClock) -> Option<Timestamp> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some(NaiveClock::Utc.instant(Timestamp::parse(clock.trim_end())?));
    }
    // A sign after the date's own two hyphens begins an offset.
    let sign = text.char_indices().skip(10).find(|(_, c)| matches!(c, '+' | '-'));
    let Some((at, sign)) = sign else {
        return Some(naive.instant(Timestamp::parse(text)?));
    };
    let digits: String = text[at + 1..].split(':').collect();
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let minutes = number / 100 * 60 + number % 100;
    let ahead_us = if sign == '+' { minutes } else { -minutes } * MINUTE_US;
    let as_india = Timestamp::parse(text[..at].trim_end())?;
    Some(as_india.plus_us(IST_OFFSET_US - ahead_us))
}

/// The price that a cell names, exact to four decimals.
pub(super) fn price(cell: &Cell, role: &str) -> Result<Price, String> {
    let found = match cell {
        Cell::Text(text) => Price::parse(text).or_else(|| Price::from_rupees(text.parse().ok()?)),
        Cell::Int(number) => number.checked_mul(10_000).map(Price),
        Cell::Float(rupees) => Price::from_rupees(*rupees),
        Cell::Decimal(digits, scale) => rescaled(*digits, *scale, 4).map(Price),
        Cell::Empty | Cell::Instant(_) | Cell::Local(_) => None,
    };
    found.ok_or_else(|| describe(role, cell, "a price of at most four decimals"))
}

/// The number of shares that a cell names; a double must be whole.
pub(super) fn volume(cell: &Cell) -> Result<Qty, String> {
    let whole = |number: f64| {
        let exact = number.abs() < 9e15 && number.fract() == 0.0;
        exact.then_some(Qty(number as i64))
    };
    let found = match cell {
        Cell::Text(text) => text.parse().ok().map(Qty).or_else(|| whole(text.parse().ok()?)),
        Cell::Int(number) => Some(Qty(*number)),
        Cell::Float(number) => whole(*number),
        Cell::Decimal(digits, scale) => rescaled(*digits, *scale, 0).map(Qty),
        Cell::Empty | Cell::Instant(_) | Cell::Local(_) => None,
    };
    found.ok_or_else(|| describe("volume", cell, "a whole number"))
}

/// `digits` of one scale at another, if nothing is lost.
fn rescaled(digits: i128, from: i8, to: i8) -> Option<i64> {
    let steps = i32::from(to) - i32::from(from);
    let factor = 10_i128.checked_pow(steps.unsigned_abs())?;
    let value = if steps >= 0 {
        digits.checked_mul(factor)?
    } else {
        (digits % factor == 0).then_some(digits / factor)?
    };
    i64::try_from(value).ok()
}

fn describe(role: &str, cell: &Cell, wanted: &str) -> String {
    match cell {
        Cell::Empty => format!("{role} is empty"),
        _ => format!("{role} `{cell}` is not {wanted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn one_minute_in_every_spelling() {
        let minute = Timestamp::parse("2024-10-01T09:15").unwrap();
        for spelling in [
            "2024-10-01 09:15",
            "2024-10-01T09:15:00",
            "2024-10-01 09:15:00.000",
            "2024-10-01T09:15:00+05:30",
            "2024-10-01 09:15:00+0530",
            "2024-10-01T03:45:00Z",
            "2024-09-30T22:45:00-05:00",
            "1727754300",
            "1727754300000",
            "1727754300000000",
            "1727754300000000000",
        ] {
            assert_eq!(time(&text(spelling), NaiveClock::India), Ok(minute), "{spelling}");
        }
        assert_eq!(time(&text("2024-10-01 03:45"), NaiveClock::Utc), Ok(minute));
        assert_eq!(time(&Cell::Int(1_727_754_300), NaiveClock::Utc), Ok(minute));
        assert_eq!(time(&Cell::Instant(minute.0), NaiveClock::India), Ok(minute));
        assert_eq!(time(&Cell::Local(minute.0 + IST_OFFSET_US), NaiveClock::India), Ok(minute));
        assert_eq!(time(&Cell::Local(minute.0), NaiveClock::Utc), Ok(minute));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for spelling in
            ["", "0", "20241001", "2024-10-01", "01/10/2024 09:15", "2024-10-01 09:15 PM"]
        {
            assert!(time(&text(spelling), NaiveClock::India).is_err(), "{spelling}");
        }
        for spelling in ["2024-10-01 09:15+5", "2024-10-01 09:15+05:3x", "é2024-10-01 09:15-é"] {
            assert!(time(&text(spelling), NaiveClock::India).is_err(), "{spelling}");
        }
        assert!(time(&Cell::Float(1.7e9), NaiveClock::India).is_err());
    }

    #[test]
    fn prices_are_exact_or_refused() {
        let wanted = Price::parse("394.95").unwrap();
        let exact =
            [text("394.95"), text("394.9500"), text("394.95000000000005"), text("39495e-2")];
        let typed = [Cell::Float(394.95), Cell::Decimal(39_495, 2), Cell::Decimal(39_495_000, 5)];
        for cell in exact.iter().chain(&typed) {
            assert_eq!(price(cell, "open"), Ok(wanted), "{cell}");
        }
        assert_eq!(price(&Cell::Int(395), "open"), Ok(Price(3_950_000)));
        let refused = [text("NaN"), text("394.95001"), text("-1"), text("1,000"), Cell::Empty];
        let typed = [Cell::Float(f64::INFINITY), Cell::Decimal(1, 5), Cell::Int(i64::MAX)];
        for cell in refused.iter().chain(&typed) {
            assert!(price(cell, "open").is_err(), "{cell}");
        }
        insta::assert_snapshot!(price(&text("NaN"), "open").unwrap_err(), @"open `NaN` is not a price of at most four decimals");
    }

    #[test]
    fn volumes_are_whole() {
        for cell in [text("1200"), text("1200.0"), Cell::Int(1200), Cell::Float(1200.0)] {
            assert_eq!(volume(&cell), Ok(Qty(1200)), "{cell}");
        }
        assert_eq!(volume(&Cell::Decimal(12, -2)), Ok(Qty(1200)));
        for cell in [text("12.5"), text("inf"), text(""), Cell::Float(0.5), Cell::Empty] {
            assert!(volume(&cell).is_err(), "{cell}");
        }
    }
}
