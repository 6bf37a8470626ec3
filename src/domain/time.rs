//! Time as data: points in time, calendar dates, half-open windows. India keeps one offset, +05:30,
//! all year, so an exchange-local date is plain arithmetic and no time-zone database is needed.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds in one second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in one minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds in one day.
pub const DAY_US: i64 = 86_400 * SECOND_US;
/// India Standard Time less UTC, in microseconds.
pub const IST_OFFSET_US: i64 = 19_800 * SECOND_US;

/// A point in time: microseconds since 1970-01-01 00:00 UTC. Shown in IST.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every event.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every event.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The instant at which clocks in India show `date` and `hour:minute`.
    pub const fn from_ist(date: Date, hour: u32, minute: u32) -> Timestamp {
        let minutes = (hour * 60 + minute) as i64;
        Timestamp(date.0 as i64 * DAY_US + minutes * MINUTE_US - IST_OFFSET_US)
    }

    /// The calendar date in India.
    pub const fn date(self) -> Date {
        Date(self.0.saturating_add(IST_OFFSET_US).div_euclid(DAY_US) as i32)
    }

    /// Microseconds since midnight in India, `0..DAY_US`.
    pub const fn time_of_day_us(self) -> i64 {
        self.0.saturating_add(IST_OFFSET_US).rem_euclid(DAY_US)
    }

    /// Hour of the day in India, `0..24`.
    pub const fn hour(self) -> u32 {
        (self.time_of_day_us() / (60 * MINUTE_US)) as u32
    }

    /// Minute of the hour in India, `0..60`.
    pub const fn minute(self) -> u32 {
        (self.time_of_day_us() / MINUTE_US % 60) as u32
    }

    /// This instant moved by `us` microseconds, stopping at the ends of the range.
    pub const fn plus_us(self, us: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(us))
    }

    /// This instant moved by `minutes`, stopping at the ends of the range.
    pub const fn plus_minutes(self, minutes: i64) -> Timestamp {
        self.plus_us(minutes.saturating_mul(MINUTE_US))
    }

    /// The start of the `width_us` wide bucket that holds this instant, counted from midnight in
    /// India. For 15 minutes this is quarter-hour flooring. `width_us` must be positive.
    pub const fn floor_to(self, width_us: i64) -> Timestamp {
        Timestamp(self.0 - self.time_of_day_us() % width_us)
    }

    /// Whether the instant is the start of a minute.
    pub const fn is_whole_minute(self) -> bool {
        self.0.rem_euclid(MINUTE_US) == 0
    }

    /// Reads `YYYY-MM-DDTHH:MM[:SS[.ffffff]]` (or a blank for the `T`) as an instant in IST.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, clock) = text.split_once(['T', ' '])?;
        let date = Date::parse(date)?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut parts = clock.split(':');
        let hour = two_digits(parts.next()?, 23)?;
        let minute = two_digits(parts.next()?, 59)?;
        let second = parts.next().map_or(Some(0), |part| two_digits(part, 59))?;
        if parts.next().is_some() || fraction.len() > 6 {
            return None;
        }
        let mut us = 0;
        for position in 0..6 {
            let digit = match fraction.as_bytes().get(position) {
                Some(byte) if byte.is_ascii_digit() => i64::from(byte - b'0'),
                Some(_) => return None,
                None => 0,
            };
            us = us * 10 + digit;
        }
        Some(Timestamp::from_ist(date, hour, minute).plus_us(i64::from(second) * SECOND_US + us))
    }
}

fn two_digits(text: &str, max: u32) -> Option<u32> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= max)
}

/// `2024-10-01T09:15`, with seconds and microseconds only where they are not zero.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (second, us) = (self.time_of_day_us() / SECOND_US % 60, self.0.rem_euclid(SECOND_US));
        write!(f, "{}T{:02}:{:02}", self.date(), self.hour(), self.minute())?;
        if second != 0 || us != 0 {
            write!(f, ":{second:02}")?;
        }
        if us != 0 {
            write!(f, ".{us:06}")?;
        }
        Ok(())
    }
}

/// A calendar date in India: days since 1970-01-01.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Date(pub i32);

impl Date {
    /// The date of that year, month (1..=12) and day, if the calendar has it (years 1900..=2199).
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Date> {
        let in_range = (1900..=2199).contains(&year) && (1..=12).contains(&month);
        if !in_range || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        // Days from civil: count in years that begin in March, so that the leap day comes last.
        let year_from_march = i64::from(year) - i64::from(month <= 2);
        let era = year_from_march.div_euclid(400);
        let year_of_era = year_from_march.rem_euclid(400);
        let month_from_march = (i64::from(month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Date((era * 146_097 + day_of_era - 719_468) as i32))
    }

    /// Year, month (1..=12) and day (1..=31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = ((month_from_march + 2) % 12 + 1) as u32;
        ((year_of_era + era * 400 + i64::from(month <= 2)) as i32, month, day)
    }

    /// Day of the week, Monday = 0 .. Sunday = 6.
    pub const fn weekday(self) -> u32 {
        (self.0 as i64 + 3).rem_euclid(7) as u32
    }

    /// The date `days` later.
    pub const fn plus_days(self, days: i32) -> Date {
        Date(self.0.saturating_add(days))
    }

    /// The first day of the month after this date's month.
    pub fn next_month(self) -> Date {
        let (year, month, _) = self.ymd();
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Date::from_ymd(year, month, 1).unwrap_or(self)
    }

    /// The first day of this date's month.
    pub fn first_of_month(self) -> Date {
        let (_, _, day) = self.ymd();
        self.plus_days(1 - day as i32)
    }

    /// `YYYY-MM`.
    pub fn month_name(self) -> String {
        let (year, month, _) = self.ymd();
        alloc::format!("{year:04}-{month:02}")
    }

    /// Midnight in India at the start of this date.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_ist(self, 0, 0)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let year = parts.next().filter(|part| part.len() == 4)?.parse().ok()?;
        let month = two_digits(parts.next()?, 12)?;
        let day = two_digits(parts.next()?, 31)?;
        if parts.next().is_some() {
            return None;
        }
        Date::from_ymd(year, month, day)
    }
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `2024-10-01`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A half-open stretch of time, `[open, close)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub open: Timestamp,
    /// First instant outside.
    pub close: Timestamp,
}

impl Window {
    /// Whether `time` lies in `[open, close)`.
    pub const fn contains(&self, time: Timestamp) -> bool {
        self.open.0 <= time.0 && time.0 < self.close.0
    }

    /// Whole minutes that this window shares with `other`.
    pub fn minutes_shared(&self, other: &Window) -> u32 {
        let open = self.open.max(other.open);
        let close = self.close.min(other.close);
        ((close.0 - open.0).max(0) / MINUTE_US) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_round_and_keep_the_week() {
        let mut date = Date::from_ymd(1999, 12, 31).unwrap();
        for _ in 0..20_000 {
            let (year, month, day) = date.ymd();
            assert_eq!(Date::from_ymd(year, month, day), Some(date));
            assert_eq!(Date::parse(&alloc::format!("{date}")), Some(date));
            date = date.plus_days(1);
        }
        assert_eq!(Date::from_ymd(2024, 11, 1).unwrap().weekday(), 4, "a Friday");
        assert_eq!(Date::from_ymd(2023, 2, 29), None);
    }

    #[test]
    fn a_timestamp_is_shown_in_india_and_read_back() {
        for text in ["2024-10-01T09:15", "2024-10-01T09:15:07", "2024-02-29T00:00:00.000250"] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(alloc::format!("{time}"), text);
        }
        assert_eq!(Timestamp::parse("2025-02-28 00:00"), Some(Timestamp(1_740_681_000_000_000)));
        assert_eq!(Timestamp::parse("2024-10-01T9:15"), None);
        assert_eq!(Timestamp::parse("2024-10-01T09:60"), None);
    }

    #[test]
    fn quarters_are_floored_on_the_indian_clock() {
        let time = Timestamp::parse("2024-10-01T09:29:59.999999").unwrap();
        let quarter = time.floor_to(15 * MINUTE_US);
        assert_eq!(alloc::format!("{quarter}"), "2024-10-01T09:15");
    }
}
