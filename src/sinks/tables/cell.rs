//! One value of a table, with an order and bytes of its own, so that rows can be keys, be compared
//! by bits and be hashed wherever they are kept.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::domain::money::{Cash, Price};
use crate::domain::time::{IST_OFFSET_US, Timestamp};

/// One value of a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Not known, or not there yet.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A count, or a number of shares.
    Int(i64),
    /// Rupees, or what an indicator says. Never NaN.
    Double(f64),
    /// What a clock on the wall shows, in microseconds since it showed 1970-01-01 00:00.
    Time(i64),
    /// A word.
    Text(Arc<str>),
}

impl Cell {
    /// A word.
    pub fn text(text: impl AsRef<str>) -> Cell {
        Cell::Text(Arc::from(text.as_ref()))
    }

    /// The nearest double to a price, in rupees. It is the one that the price's decimal text is
    /// read as, so every paisa comes back exactly.
    pub fn price(price: Price) -> Cell {
        Cell::Double(price.rupees())
    }

    /// The nearest double to an amount, in rupees.
    pub fn cash(cash: Cash) -> Cell {
        Cell::Double(cash.rupees())
    }

    /// What an indicator says; NaN is nothing.
    pub fn number(number: f64) -> Cell {
        if number.is_nan() { Cell::Null } else { Cell::Double(number) }
    }

    /// What clocks in India show at that instant.
    pub const fn ist(time: Timestamp) -> Cell {
        Cell::Time(time.plus_us(IST_OFFSET_US).0)
    }

    /// What a clock on UTC shows at that instant.
    pub const fn utc(time: Timestamp) -> Cell {
        Cell::Time(time.0)
    }

    /// Feeds the value to a hash, so that no two rows have the same bytes.
    pub fn hash_into(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&[self.rank()]);
        match self {
            Cell::Null => {}
            Cell::Flag(flag) => {
                hasher.update(&[u8::from(*flag)]);
            }
            Cell::Int(number) | Cell::Time(number) => {
                hasher.update(&number.to_le_bytes());
            }
            Cell::Double(number) => {
                hasher.update(&number.to_bits().to_le_bytes());
            }
            Cell::Text(text) => {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Cell::Null => 0,
            Cell::Flag(_) => 1,
            Cell::Int(_) => 2,
            Cell::Double(_) => 3,
            Cell::Time(_) => 4,
            Cell::Text(_) => 5,
        }
    }
}

impl Ord for Cell {
    fn cmp(&self, other: &Cell) -> Ordering {
        match (self, other) {
            (Cell::Flag(a), Cell::Flag(b)) => a.cmp(b),
            (Cell::Int(a), Cell::Int(b)) | (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
            (Cell::Double(a), Cell::Double(b)) => a.total_cmp(b),
            (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Cell) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By bits, where it is a double.
impl PartialEq for Cell {
    fn eq(&self, other: &Cell) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

/// As it stands in a CSV file: nothing for what is not known, `YYYY-MM-DD HH:MM:SS` for a time,
/// with microseconds where there are any, and doubles so that reading gives the same bits.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => Ok(()),
            Cell::Flag(flag) => flag.fmt(f),
            Cell::Int(number) => number.fmt(f),
            Cell::Double(number) => number.fmt(f),
            Cell::Text(text) => text.fmt(f),
            Cell::Time(wall) => {
                // A time prints itself as India's wall clock.
                let text = Timestamp(wall.saturating_sub(IST_OFFSET_US)).to_string();
                let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
                let seconds = if clock.len() == 5 { ":00" } else { "" };
                write!(f, "{date} {clock}{seconds}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_the_wall_clock_it_is() {
        let time = Timestamp::parse("2024-10-01T09:30").unwrap();
        assert_eq!(Cell::ist(time).to_string(), "2024-10-01 09:30:00");
        assert_eq!(Cell::utc(time).to_string(), "2024-10-01 04:00:00");
        assert_eq!(Cell::ist(time.plus_us(7_000_250)).to_string(), "2024-10-01 09:30:07.000250");
    }

    #[test]
    fn cells_of_other_kinds_and_bits_are_other_cells_and_hash_so() {
        let cells = [
            Cell::Null,
            Cell::Flag(false),
            Cell::Int(0),
            Cell::Double(-0.0),
            Cell::Double(0.0),
            Cell::Time(0),
            Cell::text(""),
            Cell::text("0"),
        ];
        let hash = |cell: &Cell| {
            let mut hasher = blake3::Hasher::new();
            cell.hash_into(&mut hasher);
            hasher.finalize()
        };
        for (place, a) in cells.iter().enumerate() {
            for (other, b) in cells.iter().enumerate() {
                assert_eq!(a == b, place == other);
                assert_eq!(a.cmp(b), place.cmp(&other));
                assert_eq!(hash(a) == hash(b), place == other);
            }
        }
    }
}
