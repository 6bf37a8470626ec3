//! `lockstep config market`: the built-in market facts, as tables and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{charges, charges_json, table};
use crate::domain::session::{Session, SessionKind};
use crate::domain::time::Window;
use crate::sources::market::{ActionKind, Market};

/// Tables that fit `width`.
pub(super) fn human(market: &Market, width: Option<u16>) -> String {
    let calendar = &market.calendar;
    let mut text = String::new();
    let mut section = |title: String, table: String| {
        let gap = if text.is_empty() { "" } else { "\n" };
        writeln!(text, "{gap}{title}\n{table}").expect("a String takes everything");
    };
    let title = format!("Calendar of {} · {}", calendar.exchange, calendar.version);
    let rows = years(market).map(|year| year.row());
    section(title, table(&["year", "sessions", "regular", "special"], rows, 0, width));
    let rows = specials(market).map(|it| [it.date, it.kind.to_owned(), it.hours.join(" "), it.of]);
    let header = ["date", "kind", "hours", "of"];
    section("Special sessions".to_owned(), table(&header, rows, 2, width));
    let header = ["key", "symbol", "name", "tick", "from", "to"];
    section("Instruments".to_owned(), table(&header, listings(market), 2, width));
    let rows = market.actions.iter().map(|action| {
        let (after, before) = action.price_ratio;
        let (date, ratio) = (action.ex_date.to_string(), format!("{after}/{before}"));
        [date, kind_of(action.kind).to_owned(), ratio, action.key.clone()]
    });
    let header = ["ex date", "kind", "price ratio", "key"];
    section("Corporate actions".to_owned(), table(&header, rows, 1, width));
    for fees in &market.fees {
        let periods: Vec<_> = fees.periods.iter().collect();
        section(format!("Fees {} · {}", fees.name, fees.version), charges(&periods, width));
    }
    let doubts = market.doubts.iter();
    let rows = doubts.map(|it| [it.from.to_string(), it.what.clone(), it.source.clone()]);
    section("Doubts".to_owned(), table(&["from", "what", "source"], rows, 2, width));
    text
}

/// The same as one object.
pub(super) fn json(market: &Market) -> Value {
    let calendar = &market.calendar;
    let years = years(market)
        .map(|it| json!({ "year": it.year, "sessions": it.sessions, "special": it.special }));
    let specials = specials(market)
        .map(|it| json!({ "date": it.date, "kind": it.kind, "hours": it.hours, "of": it.of }));
    let instruments = market.instruments.iter().map(|instrument| {
        let listings = instrument.listings.iter().map(|it| {
            json!({
                "from": it.from.to_string(),
                "to": it.to.map(|to| to.to_string()),
                "symbol": it.symbol,
                "name": it.name,
                "tick": it.tick.to_string(),
                "lot": it.lot,
                "closing_auction": it.closing_auction,
            })
        });
        let listings = listings.collect::<Vec<_>>();
        json!({ "key": instrument.key, "isin": instrument.isin, "listings": listings })
    });
    let actions = market.actions.iter().map(|it| {
        json!({
            "key": it.key,
            "ex_date": it.ex_date.to_string(),
            "kind": kind_of(it.kind),
            "price_ratio": it.price_ratio,
        })
    });
    let fees = market.fees.iter().map(|it| {
        let periods = it.periods.iter().map(charges_json).collect::<Vec<_>>();
        json!({ "name": it.name, "version": it.version, "periods": periods })
    });
    let doubts = market
        .doubts
        .iter()
        .map(|it| json!({ "from": it.from.to_string(), "what": it.what, "source": it.source }));
    json!({
        "calendar": {
            "exchange": calendar.exchange,
            "version": calendar.version,
            "years": years.collect::<Vec<_>>(),
            "special_sessions": specials.collect::<Vec<_>>(),
        },
        "instruments": instruments.collect::<Vec<_>>(),
        "actions": actions.collect::<Vec<_>>(),
        "fees": fees.collect::<Vec<_>>(),
        "doubts": doubts.collect::<Vec<_>>(),
    })
}

/// The sessions of a year in numbers.
struct Year {
    year: i32,
    sessions: usize,
    special: usize,
}

impl Year {
    fn row(&self) -> Vec<String> {
        let Year { year, sessions, special } = self;
        let regular = sessions - special;
        [year.to_string(), sessions.to_string(), regular.to_string(), special.to_string()].into()
    }
}

fn years(market: &Market) -> impl Iterator<Item = Year> {
    market.calendar.years.iter().map(|&year| {
        let own = market.calendar.sessions.iter().filter(|it| it.date.ymd().0 == year);
        let special = own.clone().filter(|it| it.kind != SessionKind::Regular).count();
        Year { year, sessions: own.count(), special }
    })
}

/// A session that is not an ordinary one, or not for everybody.
struct Special {
    date: String,
    kind: &'static str,
    hours: Vec<String>,
    /// `all`, or the key of the only instrument with these hours.
    of: String,
}

fn specials(market: &Market) -> impl Iterator<Item = Special> {
    market.calendar.sessions.iter().flat_map(|session| {
        let Session { date, kind, windows, own_hours, .. } = session;
        let special = |windows: &[Window], of: &str| Special {
            date: date.to_string(),
            kind: kind.word(),
            hours: windows.iter().map(hours).collect(),
            of: of.to_owned(),
        };
        let whole = (*kind != SessionKind::Regular).then(|| special(windows, "all"));
        let own = own_hours.iter().map(move |own| special(&own.windows, &own.key));
        whole.into_iter().chain(own)
    })
}

/// `09:15-15:30`.
pub(in crate::cli) fn hours(window: &Window) -> String {
    let [open, close] =
        [window.open, window.close].map(|time| format!("{:02}:{:02}", time.hour(), time.minute()));
    format!("{open}-{close}")
}

/// The key stands at the first listing only.
fn listings(market: &Market) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for instrument in &market.instruments {
        let mut key = instrument.key.clone();
        for it in &instrument.listings {
            let to = it.to.map_or_else(String::new, |to| to.to_string());
            let (symbol, name) = (it.symbol.clone(), it.name.clone());
            let key = std::mem::take(&mut key);
            rows.push(vec![key, symbol, name, it.tick.to_string(), it.from.to_string(), to]);
        }
    }
    rows
}

fn kind_of(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Split => "split",
        ActionKind::Bonus => "bonus",
        ActionKind::Demerger => "demerger",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_listed_in_sections() {
        let text = human(&Market::embedded().unwrap(), None);
        let calendar = text.lines().take(10).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(calendar, @"
        Calendar of NSE · nse-2026-11-23
         year  sessions  regular  special
         2023  246       245      1
         2024  249       245      4
         2025  249       247      2
         2026  247       245      2

        Special sessions
         date        kind     hours                    of
         2023-11-12  muhurat  18:15-19:15              all
        ");
        let sections: Vec<&str> = text.split("\n\n").filter_map(|it| it.lines().next()).collect();
        insta::assert_snapshot!(sections.join("\n"), @"
        Calendar of NSE · nse-2026-11-23
        Special sessions
        Instruments
        Corporate actions
        Fees nse · fees-2026-11-23
        Fees plan · fees-2026-11-23
        Fees compat · fees-2026-11-23
        Doubts
        ");
        assert!(text.contains("2025-10-14  regular  10:00-15:30              NSE_EQ|INE155A01022"));
    }

    #[test]
    fn tables_fit_the_terminal() {
        let text = human(&Market::embedded().unwrap(), Some(80));
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= 80), "{text}");
        for whole in ["NSE_EQ|INE155A01022", "NSE_EQ|INE1TAE01010", "2020-07-01", "18 % + IPFT"] {
            assert!(text.contains(whole), "{whole} is torn:\n{text}");
        }
    }

    #[test]
    fn json_has_every_section() {
        let market = Market::embedded().unwrap();
        let json = json(&market);
        let lengths = ["instruments", "actions", "fees", "doubts"]
            .map(|name| json[name].as_array().map_or(0, Vec::len));
        let Market { instruments, actions, fees, doubts, .. } = &market;
        assert_eq!(lengths, [instruments.len(), actions.len(), fees.len(), doubts.len()]);
        assert_eq!(
            json["calendar"]["years"][1],
            json!({ "year": 2024, "sessions": 249, "special": 4 })
        );
    }
}
