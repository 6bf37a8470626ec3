//! Numbers and words from the network as the program's own: what is absurd is refused here, before
//! anyone reckons with it.

use crate::domain::money::{PRICE_MAX, Price, QTY_MAX, Qty, UNITS_PER_RUPEE};
use crate::domain::time::{Date, MINUTE_US, Timestamp};

/// The first day whose times are believed; it refuses the stamp 0 of a feed that has no time.
const FIRST_DATE: &str = "2000-01-01";
/// The first day whose times are not believed any more.
const END_DATE: &str = "2100-01-01";
/// Characters of a foreign word that are kept.
const WORDS_MAX: usize = 200;
/// Characters of an instrument key or of the name of a segment.
const NAME_MAX: usize = 64;

/// A minute of trading, as the broker tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Start of the minute, a whole one.
    pub open_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Shares traded.
    pub volume: Qty,
}

/// A value that cannot be what it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Absurd {
    /// Not a price.
    #[error("{what} {rupees:?} is no price; prices are above 0 and at most {PRICE_MAX} rupees")]
    Price {
        /// Which price.
        what: &'static str,
        /// What was sent.
        rupees: f64,
    },
    /// Not a number of shares.
    #[error("{what} {shares} is no number of shares; it is 0 to {QTY_MAX}")]
    Quantity {
        /// Which number.
        what: &'static str,
        /// What was sent.
        shares: i64,
    },
    /// Not a time of this age.
    #[error("{what} {ms} ms is no time between {FIRST_DATE} and {END_DATE}")]
    Time {
        /// Which time.
        what: &'static str,
        /// What was sent: milliseconds since 1970 UTC.
        ms: i64,
    },
    /// Not the start of a minute.
    #[error("a minute begins at {0}, which is not a whole minute")]
    Start(Timestamp),
    /// The prices of a minute contradict each other.
    #[error("low {low} <= open {open}, close {close} <= high {high} does not hold")]
    Order {
        /// First price.
        open: Price,
        /// Highest price.
        high: Price,
        /// Lowest price.
        low: Price,
        /// Last price.
        close: Price,
    },
}

impl Minute {
    /// The minute that begins at `open_time`, if its prices (in rupees: open, high, low, close) and
    /// its volume (in shares) can be true.
    pub fn new(open_time: Timestamp, ohlc: [f64; 4], volume: i64) -> Result<Minute, Absurd> {
        if !open_time.is_whole_minute() {
            return Err(Absurd::Start(open_time));
        }
        let [open, high, low, close] = ohlc;
        let (open, high) = (price("open", open)?, price("high", high)?);
        let (low, close) = (price("low", low)?, price("close", close)?);
        if open.min(close) < low || open.max(close) > high {
            return Err(Absurd::Order { open, high, low, close });
        }
        Ok(Minute { open_time, open, high, low, close, volume: quantity("volume", volume)? })
    }

    /// The first instant after the minute.
    pub const fn close_time(&self) -> Timestamp {
        self.open_time.plus_us(MINUTE_US)
    }
}

/// The price nearest to so many rupees.
pub fn price(what: &'static str, rupees: f64) -> Result<Price, Absurd> {
    let units = (rupees * UNITS_PER_RUPEE as f64).round();
    if !(units >= 1.0 && units <= PRICE_MAX.0 as f64) {
        return Err(Absurd::Price { what, rupees });
    }
    Ok(Price(units as i64))
}

/// The price nearest to so many rupees, none for 0: a field that is not on the wire reads as 0.
pub fn price_if_any(what: &'static str, rupees: f64) -> Result<Option<Price>, Absurd> {
    if rupees == 0.0 { Ok(None) } else { price(what, rupees).map(Some) }
}

/// A number of shares.
pub fn quantity(what: &'static str, shares: i64) -> Result<Qty, Absurd> {
    match Qty(shares) {
        quantity if (Qty::ZERO..=QTY_MAX).contains(&quantity) => Ok(quantity),
        _ => Err(Absurd::Quantity { what, shares }),
    }
}

/// The time that is so many milliseconds after 1970 UTC.
pub fn time(what: &'static str, ms: i64) -> Result<Timestamp, Absurd> {
    let day = |text: &str| Date::parse(text).map(Date::start);
    let time = ms.checked_mul(1_000).map(Timestamp).filter(|time| {
        day(FIRST_DATE).is_some_and(|first| first <= *time)
            && day(END_DATE).is_some_and(|end| *time < end)
    });
    time.ok_or(Absurd::Time { what, ms })
}

/// Whether a text can be an instrument key or the name of a segment: short, and one can see it.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(|byte| matches!(byte, 32..=126))
}

/// Somebody else's words, safe to show: no control characters, not endless.
pub fn words(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let mut words: String = text.trim().chars().take(WORDS_MAX).map(shown).collect();
    if text.trim().chars().count() > WORDS_MAX {
        words.push_str("...");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_the_nearest_ten_thousandth() {
        for (rupees, units) in
            [(365.1, 3_651_000), (0.000_05, 1), (0.1 + 0.2, 3_000), (1e8, PRICE_MAX.0)]
        {
            assert_eq!(price("ltp", rupees), Ok(Price(units)), "{rupees}");
        }
        for rupees in [0.0, -0.05, 0.000_04, 1e8 + 0.01, f64::NAN, f64::INFINITY, -f64::INFINITY] {
            assert!(price("ltp", rupees).is_err(), "{rupees}");
        }
        assert_eq!(price_if_any("iep", -0.0), Ok(None));
        let error = price("ltp", f64::NAN).unwrap_err().to_string();
        assert_eq!(
            error,
            "ltp NaN is no price; prices are above 0 and at most 100000000.00 rupees"
        );
    }

    #[test]
    fn every_price_of_the_exchange_survives_the_way_over_a_double() {
        for units in (1..3_000_000_000_i64).step_by(99_991).chain([PRICE_MAX.0 - 1, PRICE_MAX.0]) {
            assert_eq!(price("ltp", Price(units).rupees()), Ok(Price(units)));
        }
    }

    #[test]
    fn times_of_another_age_are_refused() {
        assert_eq!(
            time("ltt", 1_780_285_830_118).unwrap().to_string(),
            "2026-06-01T09:20:30.118000"
        );
        for ms in [0, -1, i64::MIN, i64::MAX, 1_780_285_830_118_000, 1_780_285_830] {
            assert!(time("ltt", ms).is_err(), "{ms}");
        }
    }

    #[test]
    fn a_minute_has_to_be_possible() {
        let start = Timestamp::parse("2026-06-01T09:30").unwrap();
        let minute = Minute::new(start, [365.8, 366.2, 365.75, 366.0], 18_342).unwrap();
        assert_eq!((minute.low, minute.volume), (Price(3_657_500), Qty(18_342)));
        assert_eq!(minute.close_time().to_string(), "2026-06-01T09:31");
        let above = Minute::new(start, [366.3, 366.2, 365.75, 366.0], 1).unwrap_err();
        let want = "low 365.75 <= open 366.30, close 366.00 <= high 366.20 does not hold";
        assert_eq!(above.to_string(), want);
        assert!(Minute::new(start.plus_us(1), [1.0; 4], 1).is_err());
        assert!(Minute::new(start, [1.0; 4], -1).is_err());
        assert!(Minute::new(start, [1.0; 4], QTY_MAX.0 + 1).is_err());
    }

    #[test]
    fn words_of_others_do_not_steer_a_terminal() {
        assert_eq!(words(" no\x1b[2J\nmore "), "no [2J more");
        assert_eq!(words(&"x".repeat(1_000)).len(), WORDS_MAX + 3);
        assert!(is_name("NSE_INDEX|Nifty 50") && !is_name("") && !is_name("a\nb"));
    }
}
