//! Whether a user's name for a key is the right one. A check digit cannot notice that a key belongs
//! to another company, and prices may look alike, so the words are compared with the master's.

use super::Market;
use crate::domain::instrument::{Instrument, Listing};
use crate::domain::time::Date;

/// A company under its key, as it was called on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// The instrument's key.
    pub key: String,
    /// The exchange's symbol.
    pub symbol: String,
    /// The company.
    pub name: String,
}

/// A label that does not fit its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What the user calls the key.
    pub label: String,
    /// The day for which this was looked up.
    pub on: Date,
    /// What the key truly is.
    pub truth: Company,
    /// What the label fits instead, if the master has that.
    pub meant: Option<Company>,
}

impl Market {
    /// Whether `label` is a wrong name for `key` on the day `on`.
    ///
    /// A label is right if it equals the symbol, or if it and the company's name contain each other
    /// word by word; letter case, punctuation and words like Ltd do not count. Nothing is said
    /// about a key that the master does not list on that day, or about a label without words.
    pub fn disagreement(&self, key: &str, label: &str, on: Date) -> Option<Disagreement> {
        let instrument = self.instrument(key)?;
        let listing = instrument.at(on)?;
        let wanted = words(label);
        if wanted.is_empty() || fit(listing, &wanted) > Fit::None {
            return None;
        }
        let listed = |other: &'_ Instrument| other.at(on).map(|listing| fit(listing, &wanted));
        // Ties go to the instrument whose key is first.
        let meant = self.instruments.iter().rev().max_by_key(|other| listed(other));
        let meant = meant.filter(|other| listed(other) > Some(Fit::None));
        Some(Disagreement {
            label: label.to_owned(),
            on,
            truth: company(instrument, listing),
            meant: meant.and_then(|other| Some(company(other, other.at(on)?))),
        })
    }
}

/// How well a label fits a listing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    None,
    Part,
    Whole,
}

fn fit(listing: &Listing, wanted: &[String]) -> Fit {
    let name = words(&listing.name);
    let contains = |all: &[String], part: &[String]| {
        all.windows(part.len().max(1)).any(|stretch| stretch == part)
    };
    let is_symbol = wanted.concat() == words(&listing.symbol).concat();
    if is_symbol || name == wanted {
        Fit::Whole
    } else if contains(&name, wanted) || contains(wanted, &name) {
        Fit::Part
    } else {
        Fit::None
    }
}

/// The words of a name, in lower case, without those that every company has.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|word| !matches!(word.as_str(), "" | "ltd" | "limited" | "co" | "company"))
        .collect()
}

fn company(instrument: &Instrument, listing: &Listing) -> Company {
    Company {
        key: instrument.key.clone(),
        symbol: listing.symbol.clone(),
        name: listing.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(key: &str, label: &str, on: &str) -> Option<String> {
        let market = Market::embedded().unwrap();
        let found = market.disagreement(key, label, Date::parse(on).unwrap())?;
        let meant = found.meant.map_or("nothing known".to_owned(), |meant| meant.key);
        Some(format!("is {} {}, meant {meant}", found.truth.symbol, found.truth.name))
    }

    #[test]
    fn the_two_keys_of_the_first_user_are_other_companies() {
        let cases = [
            ("NSE_EQ|INE155A01022", "Tata Power", "2024-10-01"),
            ("NSE_EQ|INE155A01022", "tata-power co. ltd.", "2026-11-23"),
            ("NSE_EQ|INE155A01022", "TATAPOWER", "2024-10-01"),
            ("NSE_EQ|INE118H01025", "Bajaj Finance", "2024-10-01"),
            ("NSE_EQ|INE118H01025", "Bajaj Finance", "2026-11-23"),
            ("NSE_EQ|INE118H01025", "Infosys", "2026-11-23"),
        ];
        let found = cases.map(|(key, label, on)| look(key, label, on).unwrap());
        insta::assert_snapshot!(found.join("\n"), @r"
        is TATAMOTORS Tata Motors Ltd, meant NSE_EQ|INE245A01021
        is TMPV Tata Motors Passenger Vehicles Ltd, meant NSE_EQ|INE245A01021
        is TATAMOTORS Tata Motors Ltd, meant NSE_EQ|INE245A01021
        is BSE BSE Ltd, meant NSE_EQ|INE296A01024
        is BSE BSE Ltd, meant NSE_EQ|INE296A01032
        is BSE BSE Ltd, meant nothing known
        ");
    }

    #[test]
    fn right_labels_are_left_alone() {
        for (key, label, on) in [
            ("NSE_EQ|INE155A01022", "Tata Motors", "2024-10-01"),
            ("NSE_EQ|INE155A01022", "TATAMOTORS", "2025-10-23"),
            ("NSE_EQ|INE155A01022", "TMPV", "2025-10-24"),
            ("NSE_EQ|INE155A01022", "Tata Motors", "2026-11-23"),
            ("NSE_EQ|INE118H01025", "BSE Limited", "2024-10-01"),
            ("NSE_EQ|INE245A01021", "The Tata Power Company Limited", "2024-10-01"),
            ("NSE_EQ|INE296A01024", "Bajaj-Finance", "2024-10-01"),
        ] {
            assert_eq!(look(key, label, on), None, "{label}");
        }
    }

    #[test]
    fn a_symbol_is_right_only_while_it_holds() {
        let found = look("NSE_EQ|INE155A01022", "TATAMOTORS", "2026-11-23");
        assert!(found.is_some_and(|found| found.starts_with("is TMPV")));
    }

    #[test]
    fn nothing_is_said_about_what_is_not_listed() {
        assert_eq!(look("NSE_EQ|INE009A01021", "Tata Power", "2024-10-01"), None);
        assert_eq!(look("NSE_EQ|INE296A01024", "Tata Power", "2026-11-23"), None);
        assert_eq!(look("NSE_EQ|INE118H01025", "Ltd.", "2024-10-01"), None);
    }
}
