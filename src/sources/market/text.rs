//! How dates, hours, amounts and rates are written in the market files, and places in a file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use super::error::{Fault, MarketError, Place};
use crate::domain::money::{Cash, Price, Rate};
use crate::domain::time::{Date, Timestamp, Window};

/// One market file: its name for messages, and its text.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) name: &'a Path,
    pub(super) text: &'a str,
}

impl File<'_> {
    /// Reads the whole file as `T`.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, MarketError> {
        toml::from_str(self.text)
            .map_err(|source| MarketError::Parse { file: PathBuf::from(self.name), source })
    }

    /// `fault` at the line where `span` begins.
    pub(super) fn fault(&self, span: Range<usize>, fault: Fault) -> MarketError {
        let before = self.text.bytes().take(span.start);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        MarketError::Entry { at: Place { file: PathBuf::from(self.name), line }, fault }
    }
}

/// How certain an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) enum Certainty {
    /// A primary source, measured, or two independent sources that agree.
    A,
    /// One good source.
    B,
    /// Unsure.
    C,
}

/// A TOML date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(pub(super) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        let value = toml::value::Datetime::deserialize(deserializer)?;
        let date = match (value.date, value.time, value.offset) {
            (Some(day), None, None) => {
                Date::from_ymd(day.year.into(), day.month.into(), day.day.into())
            }
            _ => None,
        };
        date.map(Day).ok_or_else(|| D::Error::custom(format!("{value} is not a date YYYY-MM-DD")))
    }
}

/// What is written as a string and read exactly.
pub(super) trait FromText: Sized {
    /// The value, or a fragment that says what the text is not.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A value of a market file that is written as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_text(&text).map(Text).map_err(D::Error::custom)
    }
}

/// Hours of a day, in minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    open: u32,
    close: u32,
}

/// `09:15-15:30`.
impl FromText for Hours {
    fn from_text(text: &str) -> Result<Hours, String> {
        let minutes = |clock: &str| {
            let whole = format!("2000-01-01T{clock}");
            let time = Timestamp::parse(&whole).filter(|_| clock.len() == 5)?;
            Some(time.hour() * 60 + time.minute())
        };
        text.split_once('-')
            .and_then(|(open, close)| Some(Hours { open: minutes(open)?, close: minutes(close)? }))
            .ok_or_else(|| format!("'{text}' is not HH:MM-HH:MM"))
    }
}

/// The windows that `hours` are on `date`: at least one, none empty, in order, without overlap.
pub(super) fn windows_on(date: Date, hours: &[Text<Hours>]) -> Result<Vec<Window>, Fault> {
    let at = |minutes: u32| Timestamp::from_ist(date, minutes / 60, minutes % 60);
    let window =
        |Text(hours): &Text<Hours>| Window { open: at(hours.open), close: at(hours.close) };
    let windows: Vec<Window> = hours.iter().map(window).collect();
    let none_empty = windows.iter().all(|window| window.open < window.close);
    let in_order = windows.windows(2).all(|pair| pair[0].close <= pair[1].open);
    if windows.is_empty() || !none_empty || !in_order {
        return Err(Fault::WindowsOutOfOrder { date });
    }
    Ok(windows)
}

/// Rupees of a price, with at most four decimals.
impl FromText for Price {
    fn from_text(text: &str) -> Result<Price, String> {
        Price::parse(text).filter(|price| price.0 > 0).ok_or_else(|| not_rupees(text))
    }
}

/// Rupees of a charge, with at most four decimals.
impl FromText for Cash {
    fn from_text(text: &str) -> Result<Cash, String> {
        Cash::parse(text).filter(|cash| cash.0 >= 0).ok_or_else(|| not_rupees(text))
    }
}

fn not_rupees(text: &str) -> String {
    format!("'{text}' is not an amount of rupees with at most four decimals")
}

/// Percent, `0.00297 %` or `0.00297`, with at most five decimals: what a [`Rate`] can say.
impl FromText for Rate {
    fn from_text(text: &str) -> Result<Rate, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        Some(format!("{whole}{fraction:0<5}"))
            .filter(|_| digits(whole) && digits(fraction) && fraction.len() <= 5)
            .and_then(|parts| parts.parse().ok().map(Rate))
            .filter(|rate| *rate <= Rate::ONE)
            .ok_or_else(|| {
                format!("'{text}' is not a percentage up to 100 with at most five decimals")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_read_exactly_or_not_at_all() {
        for (text, parts) in
            [("0.00297 %", 297), ("0.00297", 297), ("18 %", 1_800_000), ("100%", 10_000_000)]
        {
            assert_eq!(Rate::from_text(text), Ok(Rate(parts)), "{text}");
        }
        for text in ["0.000001 %", "100.00001 %", "-1 %", "1e-3", ".5 %", "1.", "", "%", "1 % %"] {
            assert!(Rate::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hours_are_two_clock_times() {
        assert_eq!(Hours::from_text("09:15-15:30"), Ok(Hours { open: 555, close: 930 }));
        for text in ["9:15-15:30", "09:15", "09:15-24:00", "09:15:00-15:30", "09:15 - 15:30"] {
            assert!(Hours::from_text(text).is_err(), "{text}");
        }
    }
}
