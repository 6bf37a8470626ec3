//! Reads the instrument master: what a key stands for, what it was called when, on which price grid
//! it trades, and which corporate actions moved its price level.

use serde::Deserialize;
use toml::Spanned;

use super::Doubt;
use super::error::{Fault, MarketError};
use super::text::{Certainty, Day, File, Text};
use crate::domain::instrument::{Instrument, Listing, is_valid_isin};
use crate::domain::money::Price;
use crate::domain::time::Date;

/// A corporate action that changed a price level overnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The instrument's key.
    pub key: String,
    /// The first day at the new level.
    pub ex_date: Date,
    /// What happened.
    pub kind: ActionKind,
    /// Price after over price before, as numerator and denominator. Exact for splits and bonuses,
    /// what the market found for demergers.
    pub price_ratio: (u32, u32),
}

/// What a company did to its shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// One share became several of a lower face value.
    Split,
    /// Holders were given shares.
    Bonus,
    /// A part of the company became a company of its own.
    Demerger,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MasterFile {
    #[serde(rename = "version")]
    _version: String,
    instrument: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    isin: Spanned<String>,
    key: Spanned<String>,
    listings: Vec<ListingEntry>,
    #[serde(default)]
    actions: Vec<ActionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListingEntry {
    from: Spanned<Day>,
    to: Option<Day>,
    symbol: String,
    name: String,
    tick: Text<Price>,
    lot: u32,
    closing_auction: bool,
    source: String,
    certainty: Certainty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionEntry {
    ex_date: Spanned<Day>,
    kind: ActionKind,
    price_ratio: (u32, u32),
    source: String,
    certainty: Certainty,
}

/// Reads and validates the master; entries of certainty C go to `doubts`.
pub(super) fn read(
    file: File,
    doubts: &mut Vec<Doubt>,
) -> Result<(Vec<Instrument>, Vec<Action>), MarketError> {
    let data: MasterFile = file.parse()?;
    let (mut instruments, mut actions) = (Vec::<Instrument>::new(), Vec::new());
    for entry in data.instrument {
        let instrument = instrument(file, &entry, doubts)?;
        if instruments.iter().any(|other| other.key == instrument.key) {
            let name = instrument.key;
            return Err(file.fault(entry.key.span(), Fault::DuplicateName { name }));
        }
        for action in entry.actions {
            actions.push(self::action(file, &instrument.key, action, doubts)?);
        }
        instruments.push(instrument);
    }
    instruments.sort_by(|a, b| a.key.cmp(&b.key));
    actions.sort_by(|a: &Action, b| (&a.key, a.ex_date).cmp(&(&b.key, b.ex_date)));
    Ok((instruments, actions))
}

fn instrument(
    file: File,
    entry: &Entry,
    doubts: &mut Vec<Doubt>,
) -> Result<Instrument, MarketError> {
    let (isin, key) = (entry.isin.get_ref().clone(), entry.key.get_ref().clone());
    if !is_valid_isin(&isin) {
        return Err(file.fault(entry.isin.span(), Fault::NotAnIsin { isin }));
    }
    if key.strip_prefix("NSE_EQ|") != Some(&isin) {
        return Err(file.fault(entry.key.span(), Fault::KeyIsNotIsin { key, isin }));
    }
    if entry.listings.is_empty() {
        return Err(file.fault(entry.key.span(), Fault::Nothing { what: "listings" }));
    }
    let mut listings = Vec::<Listing>::with_capacity(entry.listings.len());
    for listed in &entry.listings {
        let listing = listing(listed);
        if let Some(fault) = fault_of(&listing, listings.last()) {
            return Err(file.fault(listed.from.span(), fault));
        }
        if listed.certainty == Certainty::C {
            let (what, source) = (format!("listing of {key}"), listed.source.clone());
            doubts.push(Doubt { from: listing.from, what, source });
        }
        listings.push(listing);
    }
    Ok(Instrument { key, isin, listings })
}

fn listing(entry: &ListingEntry) -> Listing {
    Listing {
        from: entry.from.get_ref().0,
        to: entry.to.map(|Day(to)| to),
        symbol: entry.symbol.clone(),
        name: entry.name.clone(),
        tick: entry.tick.0,
        lot: entry.lot,
        closing_auction: entry.closing_auction,
    }
}

fn fault_of(listing: &Listing, before: Option<&Listing>) -> Option<Fault> {
    let from = listing.from;
    if listing.to.is_some_and(|to| to < from) {
        Some(Fault::ListingEndsEarly { from })
    } else if before.is_some_and(|before| before.to.is_none_or(|to| to >= from)) {
        Some(Fault::ListingOverlaps { from })
    } else if listing.lot == 0 {
        Some(Fault::Zero { what: "a lot" })
    } else if listing.symbol.is_empty() || listing.name.is_empty() {
        Some(Fault::Nothing { what: "symbol or name" })
    } else {
        None
    }
}

fn action(
    file: File,
    key: &str,
    entry: ActionEntry,
    doubts: &mut Vec<Doubt>,
) -> Result<Action, MarketError> {
    let ex_date = entry.ex_date.get_ref().0;
    if entry.price_ratio.0 == 0 || entry.price_ratio.1 == 0 {
        return Err(file.fault(entry.ex_date.span(), Fault::Zero { what: "a part of a ratio" }));
    }
    if entry.certainty == Certainty::C {
        let what = format!("corporate action of {key}");
        doubts.push(Doubt { from: ex_date, what, source: entry.source });
    }
    let (kind, price_ratio) = (entry.kind, entry.price_ratio);
    Ok(Action { key: key.to_owned(), ex_date, kind, price_ratio })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Market;
    use super::*;

    #[test]
    fn identity_follows_the_date() {
        let market = Market::embedded().unwrap();
        let mut lines = Vec::new();
        for instrument in &market.instruments {
            for listing in &instrument.listings {
                let to = listing.to.map_or(String::from("..."), |to| to.to_string());
                let Listing { from, symbol, name, tick, .. } = listing;
                lines.push(format!("{} {from} {to:10} {symbol} {tick} {name}", instrument.key));
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        NSE_EQ|INE118H01025 2023-01-01 2025-04-14 BSE 0.05 BSE Ltd
        NSE_EQ|INE118H01025 2025-04-15 2025-05-22 BSE 0.50 BSE Ltd
        NSE_EQ|INE118H01025 2025-05-23 ...        BSE 0.10 BSE Ltd
        NSE_EQ|INE155A01022 2023-01-01 2025-10-12 TATAMOTORS 0.05 Tata Motors Ltd
        NSE_EQ|INE155A01022 2025-10-13 2025-10-23 TATAMOTORS 0.05 Tata Motors Passenger Vehicles Ltd
        NSE_EQ|INE155A01022 2025-10-24 ...        TMPV 0.05 Tata Motors Passenger Vehicles Ltd
        NSE_EQ|INE1TAE01010 2025-11-12 ...        TMCV 0.05 Tata Motors Ltd
        NSE_EQ|INE245A01021 2023-01-01 ...        TATAPOWER 0.05 Tata Power Co Ltd
        NSE_EQ|INE296A01024 2023-01-01 2025-04-14 BAJFINANCE 0.05 Bajaj Finance Ltd
        NSE_EQ|INE296A01024 2025-04-15 2025-06-15 BAJFINANCE 0.50 Bajaj Finance Ltd
        NSE_EQ|INE296A01032 2025-06-16 2025-11-30 BAJFINANCE 0.05 Bajaj Finance Ltd
        NSE_EQ|INE296A01032 2025-12-01 2025-12-31 BAJFINANCE 0.10 Bajaj Finance Ltd
        NSE_EQ|INE296A01032 2026-01-01 ...        BAJFINANCE 0.05 Bajaj Finance Ltd
        ");
    }

    #[test]
    fn actions_that_moved_a_price_level() {
        let market = Market::embedded().unwrap();
        let lines: Vec<String> = market
            .actions
            .iter()
            .map(|a| format!("{} {} {:?} {:?}", a.key, a.ex_date, a.kind, a.price_ratio))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        NSE_EQ|INE118H01025 2025-05-23 Bonus (1, 3)
        NSE_EQ|INE155A01022 2025-10-14 Demerger (400, 661)
        NSE_EQ|INE296A01032 2025-06-16 Split (1, 10)
        ");
    }

    /// A master of one instrument, read. `listings` are days from and to; an empty day is left out.
    fn reading(isin: &str, key: &str, listings: &[(&str, &str)]) -> Result<usize, MarketError> {
        let listed = |(from, to): &(&str, &str)| {
            let to = if to.is_empty() { String::new() } else { format!("to = {to}, ") };
            format!(
                "{{ from = {from}, {to}symbol = \"S\", name = \"N\", tick = \"0.05\", lot = 1, \
                 closing_auction = true, source = \"test\", certainty = \"A\" }}"
            )
        };
        let listings: Vec<String> = listings.iter().map(listed).collect();
        let text = format!(
            "version = \"test\"\n[[instrument]]\nisin = \"{isin}\"\nkey = \"{key}\"\n\
             listings = [\n{}]",
            listings.join(",\n")
        );
        let file = File { name: Path::new("i.toml"), text: &text };
        read(file, &mut Vec::new()).map(|(instruments, _)| instruments.len())
    }

    #[test]
    fn contradictions_are_named_with_their_line() {
        let (isin, key) = ("INE155A01022", "NSE_EQ|INE155A01022");
        assert_eq!(reading(isin, key, &[("2024-01-01", "")]).unwrap(), 1);
        let errors = [
            reading("INE155A01023", key, &[]),
            reading(isin, "NSE_EQ|INE118H01025", &[]),
            reading(isin, key, &[]),
            reading(isin, key, &[("2024-01-02", "2024-01-01")]),
            reading(isin, key, &[("2024-01-01", "2024-01-05"), ("2024-01-05", "")]),
            reading(isin, key, &[("2024-01-01", ""), ("2024-02-01", "")]),
        ]
        .map(|result| result.unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @r"
        i.toml, line 3: 'INE155A01023' is no ISIN
        i.toml, line 4: the key 'NSE_EQ|INE118H01025' is not NSE_EQ| and the ISIN INE155A01022
        i.toml, line 4: no listings
        i.toml, line 6: the listing from 2024-01-02 ends before it begins
        i.toml, line 7: the listing from 2024-01-05 begins before the one before has ended
        i.toml, line 7: the listing from 2024-02-01 begins before the one before has ended
        ");
    }
}
