//! Reads the calendar: eras, holidays, special sessions and own hours become the sessions of every
//! listed year.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::Doubt;
use super::error::{Fault, MarketError};
use super::text::{Certainty, Day, File, FromText, Hours, Text, windows_on};
use crate::domain::session::{Calendar, OwnHours, Session, SessionKind};
use crate::domain::time::Date;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    exchange: String,
    version: String,
    years: Spanned<Vec<i32>>,
    eras: Spanned<Vec<Era>>,
    holidays: Vec<Holiday>,
    specials: Vec<Special>,
    own_hours: Vec<Own>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Era {
    from: Spanned<Day>,
    windows: Vec<Text<Hours>>,
    auction_windows: Option<Vec<Text<Hours>>>,
    source: String,
    certainty: Certainty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holiday {
    date: Spanned<Day>,
    name: String,
    source: String,
    certainty: Certainty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Special {
    date: Spanned<Day>,
    kind: Text<SessionKind>,
    windows: Vec<Text<Hours>>,
    source: String,
    certainty: Certainty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    date: Spanned<Day>,
    key: String,
    windows: Vec<Text<Hours>>,
    source: String,
    certainty: Certainty,
}

/// A kind of session other than the regular one, which no entry may claim.
impl FromText for SessionKind {
    fn from_text(text: &str) -> Result<SessionKind, String> {
        SessionKind::from_word(text)
            .filter(|kind| *kind != SessionKind::Regular)
            .ok_or_else(|| format!("'{text}' is no kind of special session"))
    }
}

/// Reads and validates the calendar; entries of certainty C go to `doubts`.
pub(super) fn read(file: File, doubts: &mut Vec<Doubt>) -> Result<Calendar, MarketError> {
    let data: CalendarFile = file.parse()?;
    check_order(file, &data)?;
    let holidays = holidays(file, &data)?;
    let mut sessions = specials(file, &data, &holidays)?;
    for date in data.years.get_ref().iter().flat_map(|year| days_of(*year)) {
        if !is_weekend(date) && !holidays.contains(&date) && !sessions.contains_key(&date) {
            sessions.insert(date, regular(file, &data, date)?);
        }
    }
    add_own_hours(file, &data, &mut sessions)?;
    collect_doubts(&data, doubts);
    Ok(Calendar {
        exchange: data.exchange,
        version: data.version,
        years: data.years.into_inner(),
        sessions: sessions.into_values().collect(),
    })
}

fn check_order(file: File, data: &CalendarFile) -> Result<(), MarketError> {
    let years = data.years.get_ref();
    let years_fault = |fault| Err(file.fault(data.years.span(), fault));
    let eras_fault = |fault| Err(file.fault(data.eras.span(), fault));
    let Some(first_day) = years.first().and_then(|year| Date::from_ymd(*year, 1, 1)) else {
        return years_fault(Fault::Nothing { what: "years" });
    };
    if !years.is_sorted_by(|a, b| a < b) {
        return years_fault(Fault::NotAscending { what: "years" });
    }
    let begins: Vec<Date> = data.eras.get_ref().iter().map(|era| date_of(&era.from)).collect();
    if !begins.is_sorted_by(|a, b| a < b) {
        return eras_fault(Fault::NotAscending { what: "eras" });
    }
    match begins.first() {
        None => eras_fault(Fault::Nothing { what: "eras" }),
        Some(&date) if date > first_day => eras_fault(Fault::EraMissing { date }),
        Some(_) => Ok(()),
    }
}

fn holidays(file: File, data: &CalendarFile) -> Result<BTreeSet<Date>, MarketError> {
    let mut dates = BTreeSet::new();
    for holiday in &data.holidays {
        let date = date_of(&holiday.date);
        let fault = if !is_listed(data, date) {
            Fault::YearNotListed { date }
        } else if is_weekend(date) {
            Fault::HolidayOnWeekend { date }
        } else if !dates.insert(date) {
            Fault::DuplicateDate { date }
        } else if holiday.name.is_empty() {
            Fault::Nothing { what: "name" }
        } else {
            continue;
        };
        return Err(file.fault(holiday.date.span(), fault));
    }
    Ok(dates)
}

fn specials(
    file: File,
    data: &CalendarFile,
    holidays: &BTreeSet<Date>,
) -> Result<BTreeMap<Date, Session>, MarketError> {
    let mut sessions = BTreeMap::new();
    for special in &data.specials {
        let (date, Text(kind)) = (date_of(&special.date), special.kind);
        let at = |fault| file.fault(special.date.span(), fault);
        if !is_listed(data, date) {
            return Err(at(Fault::YearNotListed { date }));
        }
        if holidays.contains(&date) {
            return Err(at(Fault::SpecialOnHoliday { date }));
        }
        if kind != SessionKind::Muhurat && !is_weekend(date) {
            return Err(at(Fault::SpecialOnWeekday { date, kind: kind.word() }));
        }
        let windows = windows_on(date, &special.windows).map_err(at)?;
        let session =
            Session { date, kind, windows, auction_windows: Vec::new(), own_hours: Vec::new() };
        if sessions.insert(date, session).is_some() {
            return Err(at(Fault::DuplicateDate { date }));
        }
    }
    Ok(sessions)
}

fn regular(file: File, data: &CalendarFile, date: Date) -> Result<Session, MarketError> {
    let eras = data.eras.get_ref();
    let after = eras.partition_point(|era| date_of(&era.from) <= date);
    let era = &eras[after.saturating_sub(1)];
    let windows =
        |hours| windows_on(date, hours).map_err(|fault| file.fault(era.from.span(), fault));
    Ok(Session {
        date,
        kind: SessionKind::Regular,
        windows: windows(&era.windows)?,
        auction_windows: era.auction_windows.as_deref().map_or(Ok(Vec::new()), windows)?,
        own_hours: Vec::new(),
    })
}

fn add_own_hours(
    file: File,
    data: &CalendarFile,
    sessions: &mut BTreeMap<Date, Session>,
) -> Result<(), MarketError> {
    for own in &data.own_hours {
        let date = date_of(&own.date);
        let at = |fault| file.fault(own.date.span(), fault);
        let session = sessions.get_mut(&date).ok_or_else(|| at(Fault::NoSession { date }))?;
        if session.own_hours.iter().any(|other| other.key == own.key) {
            return Err(at(Fault::DuplicateDate { date }));
        }
        let windows = windows_on(date, &own.windows).map_err(at)?;
        session.own_hours.push(OwnHours { key: own.key.clone(), windows });
    }
    Ok(())
}

fn collect_doubts(data: &CalendarFile, doubts: &mut Vec<Doubt>) {
    let mut add = |from: &Spanned<Day>, what: String, source: &str, certainty| {
        if certainty == Certainty::C {
            doubts.push(Doubt { from: date_of(from), what, source: source.to_owned() });
        }
    };
    for era in data.eras.get_ref() {
        add(&era.from, "hours of an ordinary day".to_owned(), &era.source, era.certainty);
    }
    for holiday in &data.holidays {
        let what = format!("holiday {}", holiday.name);
        add(&holiday.date, what, &holiday.source, holiday.certainty);
    }
    for special in &data.specials {
        let what = format!("{} session", special.kind.0.word());
        add(&special.date, what, &special.source, special.certainty);
    }
    for own in &data.own_hours {
        add(&own.date, format!("hours of {}", own.key), &own.source, own.certainty);
    }
}

fn date_of(day: &Spanned<Day>) -> Date {
    day.get_ref().0
}

fn is_listed(data: &CalendarFile, date: Date) -> bool {
    data.years.get_ref().contains(&date.ymd().0)
}

fn is_weekend(date: Date) -> bool {
    date.weekday() >= 5
}

fn days_of(year: i32) -> impl Iterator<Item = Date> {
    let first = Date::from_ymd(year, 1, 1);
    std::iter::successors(first, |date| Some(date.plus_days(1)))
        .take_while(move |date| date.ymd().0 == year)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Market;
    use super::*;
    use crate::domain::time::Window;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn count(from: &str, to: &str) -> usize {
        Market::embedded().unwrap().calendar.between(date(from), date(to)).unwrap().len()
    }

    fn session(day: &str) -> Option<Session> {
        Market::embedded().unwrap().calendar.session(date(day)).unwrap().cloned()
    }

    fn shown(windows: &[Window]) -> String {
        let clock = |window: &Window| {
            let [open, close] = [window.open, window.close]
                .map(|time| format!("{:02}:{:02}", time.hour(), time.minute()));
            format!("{open}-{close}")
        };
        windows.iter().map(clock).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn session_counts_equal_those_of_real_archives() {
        for (from, to, sessions) in [
            ("2023-01-01", "2023-12-31", 246),
            ("2024-01-01", "2024-12-31", 249),
            ("2025-01-01", "2025-12-31", 249),
            ("2026-01-01", "2026-12-31", 247),
            ("2023-01-02", "2026-09-11", 917),
            ("2023-01-02", "2026-08-24", 903),
            ("2023-01-02", "2024-11-30", 474),
            ("2024-12-01", "2025-12-31", 270),
            ("2026-08-03", "2026-09-11", 30),
            ("2024-10-01", "2024-12-31", 62),
        ] {
            assert_eq!(count(from, to), sessions, "{from}..{to}");
        }
    }

    #[test]
    fn special_days_have_their_own_hours() {
        let calendar = Market::embedded().unwrap().calendar;
        let special = calendar.sessions.iter().filter(|s| s.kind != SessionKind::Regular);
        let lines: Vec<String> = special
            .map(|s| format!("{} {} {}", s.date, s.kind.word(), shown(&s.windows)))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        2023-11-12 muhurat 18:15-19:15
        2024-01-20 weekend 09:15-15:30
        2024-03-02 split 09:15-10:00 11:30-12:30
        2024-05-18 split 09:15-10:00 11:30-12:30
        2024-11-01 muhurat 18:00-19:00
        2025-02-01 weekend 09:15-15:30
        2025-10-21 muhurat 13:45-14:45
        2026-02-01 weekend 09:15-15:30
        2026-11-08 muhurat 14:20-15:30
        ");
    }

    #[test]
    fn late_holidays_are_no_trading_days() {
        for day in ["2024-01-22", "2024-05-20", "2024-11-20", "2026-01-15", "2025-10-22"] {
            assert_eq!(session(day), None, "{day}");
        }
    }

    #[test]
    fn stocks_that_close_by_auction_stop_at_a_quarter_past_three() {
        let market = Market::embedded().unwrap();
        let tata_power = market.instrument("NSE_EQ|INE245A01021").unwrap();
        let hours = |day: &str| shown(session(day).unwrap().windows_of(tata_power));
        assert_eq!(hours("2026-07-31"), "09:15-15:30");
        assert_eq!(hours("2026-08-03"), "09:15-15:15");
        assert_eq!(shown(&session("2026-08-03").unwrap().windows), "09:15-15:30");
    }

    #[test]
    fn one_stock_opened_late_on_the_day_of_its_demerger() {
        let market = Market::embedded().unwrap();
        let day = session("2025-10-14").unwrap();
        let hours = |key| shown(day.windows_of(market.instrument(key).unwrap()));
        assert_eq!(hours("NSE_EQ|INE155A01022"), "10:00-15:30");
        assert_eq!(hours("NSE_EQ|INE118H01025"), "09:15-15:30");
    }

    #[test]
    fn a_year_that_is_not_listed_is_unknown() {
        let calendar = Market::embedded().unwrap().calendar;
        assert_eq!(
            calendar.between(date("2026-12-30"), date("2027-01-04")).unwrap_err().year,
            2027
        );
    }

    /// A small calendar with `entry` in the place of one of its parts, read.
    fn reading(part: &str, entry: &str) -> Result<Calendar, MarketError> {
        let mut parts = BTreeMap::from([
            ("years", "[2024]".to_owned()),
            ("eras", "[{ from = 2000-01-01, windows = [\"09:15-15:30\"] }]".to_owned()),
            ("holidays", "[{ date = 2024-01-26, name = \"Republic Day\" }]".to_owned()),
            ("specials", "[]".to_owned()),
            ("own_hours", "[]".to_owned()),
        ]);
        parts.insert(part, entry.to_owned());
        let mut text = String::from("exchange = \"NSE\"\nversion = \"test\"\n");
        for (name, value) in parts {
            let sourced = value.replace(" }", ", source = \"test\", certainty = \"A\" }");
            text.push_str(&format!("{name} = {sourced}\n"));
        }
        read(File { name: Path::new("c.toml"), text: &text }, &mut Vec::new())
    }

    #[test]
    fn contradictions_are_named_with_their_line() {
        let faults = [
            ("years", "[]"),
            ("years", "[2024, 2023]"),
            ("eras", "[]"),
            ("eras", "[{ from = 2024-01-02, windows = [\"09:15-15:30\"] }]"),
            ("eras", "[{ from = 2000-01-01, windows = [\"15:30-09:15\"] }]"),
            ("holidays", "[{ date = 2024-01-27, name = \"Saturday\" }]"),
            ("holidays", "[{ date = 2023-01-26, name = \"Republic Day\" }]"),
            (
                "holidays",
                "[{ date = 2024-01-25, name = \"a\" },\n { date = 2024-01-25, name = \"b\" }]",
            ),
            ("specials", "[{ date = 2024-01-26, kind = \"muhurat\", windows = [] }]"),
            ("specials", "[{ date = 2024-01-25, kind = \"weekend\", windows = [] }]"),
            ("specials", "[{ date = 2024-01-27, kind = \"split\", windows = [] }]"),
            (
                "specials",
                "[{ date = 2024-03-02, kind = \"split\", \
                 windows = [\"11:30-12:30\", \"09:15-10:00\"] }]",
            ),
            ("own_hours", "[{ date = 2024-01-26, key = \"k\", windows = [\"10:00-15:30\"] }]"),
        ];
        let errors = faults.map(|(part, entry)| reading(part, entry).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @r"
        c.toml, line 7: no years
        c.toml, line 7: years do not ascend
        c.toml, line 3: no eras
        c.toml, line 3: the first era begins on 2024-01-02, after the first listed year does
        c.toml, line 3: the windows of 2024-01-01 are not a sequence of stretches in order
        c.toml, line 4: holiday 2024-01-27 is on a weekend
        c.toml, line 4: 2023-01-26 is in a year that is not listed
        c.toml, line 5: 2024-01-25 is listed twice
        c.toml, line 6: special session 2024-01-26 is on a holiday
        c.toml, line 6: weekend session 2024-01-25 is not on a weekend
        c.toml, line 6: the windows of 2024-01-27 are not a sequence of stretches in order
        c.toml, line 6: the windows of 2024-03-02 are not a sequence of stretches in order
        c.toml, line 5: own hours on 2024-01-26, which is no trading day
        ");
    }

    #[test]
    fn what_is_badly_written_is_refused() {
        for (part, entry) in [
            ("holidays", "[{ date = \"2024-01-26\", name = \"a\" }]"),
            ("holidays", "[{ date = 2024-01-25T09:15:00, name = \"a\" }]"),
            ("holidays", "[{ date = 2024-01-25, name = \"a\", closed = true }]"),
            (
                "specials",
                "[{ date = 2024-01-27, kind = \"regular\", windows = [\"09:15-15:30\"] }]",
            ),
            ("specials", "[{ date = 2024-01-27, kind = \"weekend\", windows = [\"9:15-15:30\"] }]"),
        ] {
            let error = reading(part, entry).unwrap_err();
            assert!(matches!(error, MarketError::Parse { .. }), "{entry}: {error}");
        }
    }
}
