//! The market facts that are built in: whether they reach far enough, and which companies the keys
//! are.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::config::market::hours;
use super::super::failure::Failure;
use super::report::{Line, State};
use crate::domain::session::Session;
use crate::domain::time::Date;
use crate::driver::case::{self, Case, Symbol};
use crate::sources::market::Market;

/// Days ahead that the calendar should know.
const DAYS_AHEAD: i32 = 30;

/// The built-in facts contradict themselves.
pub fn unreadable(failure: &Failure) -> Line {
    let fact = format!("{}: {}", failure.what, failure.why.join("; "));
    Line::new("Market", State::Problem, fact).hint("take market/ from version control and rebuild")
}

/// Whether the market facts cover the days that a live run needs.
pub fn market(facts: &Market, today: Date) -> Vec<Line> {
    let calendar = &facts.calendar;
    let listed: Vec<String> = calendar.years.iter().map(i32::to_string).collect();
    let fact = format!("{} · lists {}", calendar.version, listed.join(", "));
    let ahead = today.plus_days(DAYS_AHEAD);
    let line = match calendar.between(today, ahead) {
        Ok(sessions) => {
            let fact = format!("{fact} · {} sessions from {today} to {ahead}", sessions.len());
            Line::new("Calendar", State::Ok, fact)
        }
        Err(unlisted) => {
            let year = unlisted.year;
            let when = match year == today.ymd().0 {
                true => "this year".to_owned(),
                false => format!("less than {DAYS_AHEAD} days ahead"),
            };
            let fact = format!("{fact} · not {year}, {when}: nothing can run in it");
            Line::new("Calendar", State::Note, fact)
                .hint(format!("add {year} to market/nse_calendar.toml from the exchange's list"))
        }
    };
    let next = calendar.sessions.iter().find(|session| session.date >= today);
    let next = next.map(|session| Line::new("Session", State::Ok, session_words(session, today)));
    let doubts = match facts.doubts.iter().filter(|doubt| doubt.from >= today).count() {
        0 => None,
        count => Some(
            Line::new("Doubts", State::Note, format!("{count} market facts ahead are unsure"))
                .hint("`lockstep config market` lists them"),
        ),
    };
    [Some(line), next, doubts].into_iter().flatten().collect()
}

fn session_words(session: &Session, today: Date) -> String {
    let windows: Vec<String> = session.windows.iter().map(hours).collect();
    let (date, kind) = (session.date, session.kind);
    let day = match date == today {
        true => format!("today {date}"),
        false => format!("today {today} is closed · next {date}"),
    };
    format!("{day} {} · {kind}", windows.join(" "))
}

/// Which companies the keys are, those of the cases with their labels and `others` without.
pub fn identities(facts: &Market, replays: &Path, others: &[String], today: Date) -> Vec<Line> {
    let names = case::names(replays).unwrap_or_default();
    let cases = names.iter().filter_map(|name| Case::load(replays, name).ok());
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for case in cases {
        for symbol in &case.symbols {
            let line = identity(facts, symbol, (case.range.first, today));
            let is_told = lines.get(&symbol.key).is_some_and(|told| told.state != State::Ok);
            if !is_told {
                lines.insert(symbol.key.clone(), line);
            }
        }
    }
    for key in others {
        let symbol = Symbol { key: key.clone(), label: None };
        let line = identity(facts, &symbol, (today, today));
        lines.entry(key.clone()).or_insert(line);
    }
    lines.into_values().collect()
}

fn identity(facts: &Market, symbol: &Symbol, (on, today): (Date, Date)) -> Line {
    let Symbol { key, label } = symbol;
    let Some(instrument) = facts.instrument(key) else {
        return Line::new("Key", State::Problem, format!("{key} is not in the instrument master"))
            .hint("check it for a typing error; `lockstep config market` lists the instruments");
    };
    let Some(listing) = instrument.at(today).or_else(|| instrument.listings.last()) else {
        return Line::new("Key", State::Problem, format!("{key} was never listed"));
    };
    let truth = format!("{key} is {} ({})", listing.name, listing.symbol);
    let wrong = label.as_deref().and_then(|label| facts.disagreement(key, label, on));
    if let Some(wrong) = wrong {
        let help = match &wrong.meant {
            Some(meant) => format!("{} is {} ({})", wrong.label, meant.key, meant.symbol),
            None => "correct the label in the case's file".to_owned(),
        };
        return Line::new("Key", State::Note, format!("{truth}, not {}", wrong.label)).hint(help);
    }
    match listing.covers(today) {
        true => Line::new("Key", State::Ok, truth),
        false => Line::new("Key", State::Note, format!("{truth}, and is not listed any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::text;
    use super::*;
    use crate::golden::render::Paint;

    #[test]
    fn the_calendar_has_to_reach_a_month_ahead() {
        let facts = Market::embedded().unwrap();
        let on = |day: &str| text(&market(&facts, Date::parse(day).unwrap()), Paint::Plain, None);
        let days = ["2024-11-01", "2026-11-22", "2026-11-23", "2026-12-10", "2027-01-05"].map(on);
        insta::assert_snapshot!(days.join("\n"), @"
        Calendar  ok    nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · 19 sessions from 2024-11-01 to 2024-12-01
        Session   ok    today 2024-11-01 18:00-19:00 · muhurat
        Doubts    note  3 market facts ahead are unsure
                        help: `lockstep config market` lists them

        Calendar  ok  nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · 21 sessions from 2026-11-22 to 2026-12-22
        Session   ok  today 2026-11-22 is closed · next 2026-11-23 09:15-15:30 · regular

        Calendar  ok  nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · 22 sessions from 2026-11-23 to 2026-12-23
        Session   ok  today 2026-11-23 09:15-15:30 · regular

        Calendar  note  nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · not 2027, less than 30 days ahead: nothing can run in it
                        help: add 2027 to market/nse_calendar.toml from the exchange's list
        Session   ok    today 2026-12-10 09:15-15:30 · regular

        Calendar  note  nse-2026-11-23 · lists 2023, 2024, 2025, 2026 · not 2027, this year: nothing can run in it
                        help: add 2027 to market/nse_calendar.toml from the exchange's list
        ");
    }

    #[test]
    fn a_key_says_which_company_it_is() {
        let facts = Market::embedded().unwrap();
        let today = Date::parse("2026-11-25").unwrap();
        let look = |key: &str, label: Option<&str>| {
            let symbol = Symbol { key: key.to_owned(), label: label.map(str::to_owned) };
            identity(&facts, &symbol, (Date::parse("2024-10-01").unwrap(), today))
        };
        let lines = [
            look("NSE_EQ|INE155A01022", Some("Tata Power")),
            look("NSE_EQ|INE118H01025", Some("Bajaj Finance")),
            look("NSE_EQ|INE118H01025", Some("BSE")),
            look("NSE_EQ|INE155A01022", None),
            look("NSE_EQ|INE296A01024", None),
            look("NSE_EQ|INE000000000", None),
        ];
        insta::assert_snapshot!(text(&lines, Paint::Plain, Some(80)), @"
        Key  note     NSE_EQ|INE155A01022 is Tata Motors Passenger Vehicles Ltd
                      (TMPV), not Tata Power
                      help: Tata Power is NSE_EQ|INE245A01021 (TATAPOWER)
        Key  note     NSE_EQ|INE118H01025 is BSE Ltd (BSE), not Bajaj Finance
                      help: Bajaj Finance is NSE_EQ|INE296A01024 (BAJFINANCE)
        Key  ok       NSE_EQ|INE118H01025 is BSE Ltd (BSE)
        Key  ok       NSE_EQ|INE155A01022 is Tata Motors Passenger Vehicles Ltd (TMPV)
        Key  note     NSE_EQ|INE296A01024 is Bajaj Finance Ltd (BAJFINANCE), and is
                      not listed any more
        Key  problem  NSE_EQ|INE000000000 is not in the instrument master
                      help: check it for a typing error; `lockstep config market`
                      lists the instruments
        ");
    }

    #[test]
    fn each_key_of_the_cases_is_told_once() {
        let facts = Market::embedded().unwrap();
        let replays = Path::new(env!("CARGO_MANIFEST_DIR")).join("replays");
        let others = ["NSE_EQ|INE155A01022", "NSE_EQ|INE245A01021"].map(str::to_owned);
        let lines = identities(&facts, &replays, &others, Date::parse("2026-11-25").unwrap());
        let states: Vec<(State, &str)> =
            lines.iter().map(|line| (line.state, &line.fact[..19])).collect();
        let want = [
            (State::Note, "NSE_EQ|INE118H01025"),
            (State::Note, "NSE_EQ|INE155A01022"),
            (State::Ok, "NSE_EQ|INE245A01021"),
        ];
        assert_eq!(states, want);
    }
}
