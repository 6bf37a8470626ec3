//! A small made-up market for tests: October and November 2024, with a holiday, a Saturday in two
//! blocks and the evening session of Diwali.

use crate::domain::instrument::{Instrument, Listing};
use crate::domain::money::Price;
use crate::domain::session::{Calendar, Session, SessionKind};
use crate::domain::time::{Date, Timestamp, Window};

/// The key of [`instrument`].
pub const KEY: &str = "NSE_EQ|INE155A01022";

/// The date of that text.
pub fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// The instant of that text.
pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// An instrument with a grid of five paise.
pub fn instrument() -> Instrument {
    let listing = Listing {
        from: date("2004-01-01"),
        to: None,
        symbol: "TATAMOTORS".into(),
        name: "Tata Motors Ltd".into(),
        tick: Price(500),
        lot: 1,
        closing_auction: false,
    };
    Instrument { key: KEY.into(), isin: "INE155A01022".into(), listings: vec![listing] }
}

/// Weekdays of October and November 2024; closed on the 2nd of October, in two blocks on Saturday
/// the 5th, an evening hour on the 1st of November.
pub fn calendar() -> Calendar {
    let mut sessions = Vec::new();
    let mut day = date("2024-10-01");
    while day < date("2024-12-01") {
        let hours: &[(u32, u32)] = match day {
            _ if day == date("2024-10-02") => &[],
            _ if day == date("2024-10-05") => &[(555, 600), (690, 750)],
            _ if day == date("2024-11-01") => &[(1080, 1140)],
            _ if day.weekday() >= 5 => &[],
            _ => &[(555, 930)],
        };
        let clock = |minute: u32| Timestamp::from_ist(day, minute / 60, minute % 60);
        let windows: Vec<Window> = hours
            .iter()
            .map(|&(open, close)| Window { open: clock(open), close: clock(close) })
            .collect();
        if !windows.is_empty() {
            let kind = SessionKind::Regular;
            let (auction_windows, own_hours) = (Vec::new(), Vec::new());
            sessions.push(Session { date: day, kind, windows, auction_windows, own_hours });
        }
        day = day.plus_days(1);
    }
    Calendar { exchange: "NSE".into(), version: "test".into(), years: vec![2024], sessions }
}
