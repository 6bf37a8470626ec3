//! What is traded, and what it was called on a given day. A key outlives names, ticks and even the
//! company behind a symbol, so identity is a list of dated listings and never a single label.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::money::Price;
use super::time::Date;

/// An instrument's number within one run: its place in `RunStarted::instruments`, which is sorted
/// by key, so that the order in which a user names symbols changes nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// The place in a list of all the run's instruments.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One instrument of an exchange under its stable key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The broker's key, such as `NSE_EQ|INE155A01022`.
    pub key: String,
    /// The ISIN: twelve characters, check digit included.
    pub isin: String,
    /// What held when, oldest first, without overlaps.
    pub listings: Vec<Listing>,
}

/// What held for an instrument from one day on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// First day.
    pub from: Date,
    /// Last day, if there is one.
    pub to: Option<Date>,
    /// The exchange's symbol, such as `TATAMOTORS`.
    pub symbol: String,
    /// The company.
    pub name: String,
    /// The price grid.
    pub tick: Price,
    /// Shares in one lot.
    pub lot: u32,
    /// Whether the stock has derivatives, so that since 2026-08-03 it closes by auction.
    pub closing_auction: bool,
}

impl Listing {
    /// Whether the listing holds on `date`.
    pub fn covers(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date <= to)
    }
}

impl Instrument {
    /// The listing that holds on `date`.
    pub fn at(&self, date: Date) -> Option<&Listing> {
        self.listings.iter().rev().find(|listing| listing.covers(date))
    }

    /// The exchange's symbol on `date`, or the key where nothing is listed.
    pub fn symbol_at(&self, date: Date) -> &str {
        self.at(date).map_or(&self.key, |listing| &listing.symbol)
    }
}

/// Whether `isin` has the right form and check digit (Luhn over the digits after A = 10 .. Z = 35).
///
/// A right check digit does not make it the right company: both keys of the first user passed.
pub fn is_valid_isin(isin: &str) -> bool {
    let bytes = isin.as_bytes();
    let form = bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..11].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && bytes[11].is_ascii_digit();
    if !form {
        return false;
    }
    let mut digits = Vec::with_capacity(24);
    for &byte in bytes {
        if byte.is_ascii_digit() {
            digits.push(u32::from(byte - b'0'));
        } else {
            let value = u32::from(byte - b'A') + 10;
            digits.extend([value / 10, value % 10]);
        }
    }
    let luhn = |(place, digit): (usize, &u32)| match place % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.iter().rev().enumerate().map(luhn).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::is_valid_isin;

    #[test]
    fn check_digits() {
        for isin in ["INE155A01022", "INE118H01025", "INE245A01021", "INE296A01032", "INE1TAE01010"]
        {
            assert!(is_valid_isin(isin), "{isin}");
        }
        for isin in ["INE155A01023", "INE155A0102", "ine155a01022", "INE155A01202", ""] {
            assert!(!is_valid_isin(isin), "{isin}");
        }
    }
}
