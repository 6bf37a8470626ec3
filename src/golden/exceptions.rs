//! Differences that somebody has approved for a while: `exceptions.toml` beside a golden. Each
//! names one fact to the letter, why it may differ, who says so, and the last day on which that
//! holds.
//!
//! A comparison takes approved differences out of those that count and shows them as such. An
//! exception whose day is over approves nothing, and one that no difference needs is a fault: both
//! make a comparison differ, so that nothing stays approved by forgetting it. Today is an argument.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::time::Date;

use super::compare::{Difference, DifferenceKind};
use super::error::Error;
use super::ledger::Acceptance;

/// The name of the file in a golden.
pub const FILE: &str = "exceptions.toml";

/// One approved difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The difference, as [`fact`] or [`inputs_fact`] words it.
    pub fact: String,
    /// Why it may differ.
    pub reason: String,
    /// Who approved it.
    pub by: String,
    /// The last day on which it is approved, `YYYY-MM-DD`.
    pub expires: String,
}

impl Exception {
    /// The last day on which it is approved.
    pub fn last_day(&self) -> Date {
        Date::parse(&self.expires).unwrap_or_default()
    }

    /// Whether its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        self.last_day() < today
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    #[serde(default)]
    exception: Vec<Exception>,
}

/// The exceptions of a ledger, in its order.
///
/// # Errors
/// When the text is no ledger, a field is blank, a day is none, or a fact is approved twice. `path`
/// is for the message.
pub fn parse(text: &str, path: &Path) -> Result<Vec<Exception>, Error> {
    let ledger: Ledger = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(0, |before| before.matches('\n').count() as u64 + 1);
        Error::malformed(path, line, error.message())
    })?;
    let mut facts = BTreeSet::new();
    for (number, one) in (1..).zip(&ledger.exception) {
        let wrong = match one {
            one if one.fact.trim().is_empty() => "it names no fact".to_owned(),
            one if one.reason.trim().is_empty() => "the reason is blank".to_owned(),
            one if one.by.trim().is_empty() => "nobody approved it".to_owned(),
            one if Date::parse(&one.expires).is_none() => {
                format!("'{}' is no day such as 2026-12-31", one.expires)
            }
            one if !facts.insert(&one.fact) => "its fact is approved already".to_owned(),
            _ => continue,
        };
        let heads = text.lines().zip(1..).filter(|(line, _)| line.trim() == "[[exception]]");
        let line = heads.map(|(_, line)| line).nth(number - 1).unwrap_or_default();
        return Err(Error::malformed(path, line, format!("exception {number}: {wrong}")));
    }
    Ok(ledger.exception)
}

/// A difference in one line that no other difference has: the table, what the row is about, and
/// both values of every field that differs. A row that one side lacks is named by the first eight
/// digits of the BLAKE3 of its cells, so that approving it approves no other row.
pub fn fact(difference: &Difference) -> String {
    worded(difference, false)
}

/// As [`fact`], read the other way round if `is_turned`.
fn worded(difference: &Difference, is_turned: bool) -> String {
    let Difference { table, cells, .. } = difference;
    let mut text = table.name().to_owned();
    for column in table.identity().iter().filter_map(|name| table.column(name)) {
        write!(text, " {}", cells.get(column).unwrap_or_default()).expect("to a String");
    }
    let row = || {
        let joined = cells.iter().collect::<Vec<_>>().join(",");
        blake3::hash(joined.as_bytes()).to_hex()[..8].to_owned()
    };
    match (&difference.kind, is_turned) {
        (DifferenceKind::Missing, false) | (DifferenceKind::Extra, true) => {
            text + &format!(": only in golden, row {}", row())
        }
        (DifferenceKind::Missing, true) | (DifferenceKind::Extra, false) => {
            text + &format!(": only in replay, row {}", row())
        }
        (DifferenceKind::Fields(fields), _) => {
            let one = |field: &super::compare::Field| {
                let (golden, replay) = in_turn(&field.golden, &field.replay, is_turned);
                format!("{} {golden} -> {replay}", field.name)
            };
            text + ": " + &fields.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

fn in_turn<'a>(one: &'a str, other: &'a str, is_turned: bool) -> (&'a str, &'a str) {
    if is_turned { (other, one) } else { (one, other) }
}

/// That the accepted minutes are others, in one line.
pub fn inputs_fact(golden: &str, replay: &str) -> String {
    format!("minutes: {golden:.16} -> {replay:.16}")
}

/// What a comparison holds against a ledger.
#[derive(Clone, Copy, Debug)]
pub struct Ruling<'a> {
    /// The exceptions.
    pub exceptions: &'a [Exception],
    /// The day that the comparison is made on.
    pub today: Date,
    /// Whether the golden whose exceptions they are is the second of the two that are compared.
    pub is_turned: bool,
}

impl<'a> Ruling<'a> {
    /// The exception that approves a difference today.
    pub fn approves(&self, difference: &Difference) -> Option<&'a Exception> {
        match self.exceptions.is_empty() {
            true => None,
            false => self.approves_fact(&worded(difference, self.is_turned)),
        }
    }

    /// The exception that approves today that the accepted minutes are others.
    pub fn approves_inputs(&self, golden: &str, replay: &str) -> Option<&'a Exception> {
        let (golden, replay) = in_turn(golden, replay, self.is_turned);
        self.approves_fact(&inputs_fact(golden, replay))
    }

    fn approves_fact(&self, fact: &str) -> Option<&'a Exception> {
        self.exceptions.iter().find(|one| one.fact == fact && !one.is_expired(self.today))
    }

    /// What is wrong with the ledger, where these exceptions were needed. Whether one was needed
    /// can only be said where all of the golden was compared.
    pub fn faults(&self, needed: &[&Exception], is_whole: bool) -> Vec<String> {
        let fault = |one: &Exception| {
            if let Some(fault) = expired(one, self.today) {
                return Some(fault);
            }
            let is_idle = is_whole && !needed.contains(&one);
            is_idle.then(|| format!("an exception matches no difference: {}", one.fact))
        };
        self.exceptions.iter().filter_map(fault).collect()
    }
}

/// That the day of an exception is over, in words, if it is.
pub fn expired(one: &Exception, today: Date) -> Option<String> {
    one.is_expired(today)
        .then(|| format!("an exception expired on {} ({}): {}", one.expires, one.by, one.fact))
}

/// The ledger's text with exceptions more.
///
/// # Errors
/// When the last day is over before it begins, or nobody is named.
pub(super) fn with_entries(
    text: &str,
    facts: Vec<String>,
    acceptance: &Acceptance,
    (today, last_day): (Date, Date),
) -> Result<String, Error> {
    let refused = |why: String| Err(Error::Refused { why });
    if last_day < today {
        return refused(format!("{last_day} is over; today is {today}"));
    }
    let Some(by) = acceptance.by() else {
        return refused("it is not known who approves: give --by NAME".to_owned());
    };
    let exception = |fact| Exception {
        fact,
        reason: acceptance.reason().to_owned(),
        by: by.to_owned(),
        expires: last_day.to_string(),
    };
    let entries = Ledger { exception: facts.into_iter().map(exception).collect() };
    let entries = toml::to_string(&entries);
    let entries = entries.expect("an exception is plain text, which TOML can hold");
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Ok(format!("{text}{gap}{entries}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(entry: &str) -> String {
        let error = parse(entry, Path::new(FILE)).unwrap_err();
        error.to_string()
    }

    fn one(changed: &str, to: &str) -> String {
        let entry = "[[exception]]\nfact = \"minutes: a -> b\"\nreason = \"why\"\nby = \"asha\"\n\
                     expires = \"2026-12-31\"\n";
        assert!(entry.contains(changed), "{changed}");
        entry.replace(changed, to)
    }

    #[test]
    fn a_ledger_that_says_too_little_is_refused() {
        let twice = one("x", "x").repeat(2);
        let said = [
            ledger(&one("\"why\"", "\" \"")),
            ledger(&one("\"asha\"", "\"\"")),
            ledger(&one("minutes: a -> b", "")),
            ledger(&one("2026-12-31", "31.12.2026")),
            ledger(&one("by = \"asha\"\n", "")),
            ledger(&one("reason", "because")),
            ledger(&twice),
        ];
        insta::assert_snapshot!(said.join("\n"), @"
        read exceptions.toml, line 1: exception 1: the reason is blank
        read exceptions.toml, line 1: exception 1: nobody approved it
        read exceptions.toml, line 1: exception 1: it names no fact
        read exceptions.toml, line 1: exception 1: '31.12.2026' is no day such as 2026-12-31
        read exceptions.toml, line 1: missing field `by`
        read exceptions.toml, line 3: unknown field `because`, expected one of `fact`, `reason`, `by`, `expires`
        read exceptions.toml, line 6: exception 2: its fact is approved already
        ");
    }

    #[test]
    fn the_last_day_still_counts() {
        let exceptions = parse(&one("x", "x"), Path::new(FILE)).unwrap();
        let at = |day: &str| {
            let today = Date::parse(day).unwrap();
            Ruling { exceptions: &exceptions, today, is_turned: false }
        };
        assert!(at("2026-12-31").approves_inputs("a", "b").is_some());
        assert!(at("2026-12-31").approves_inputs("a", "c").is_none());
        assert!(at("2026-12-31").approves_inputs("b", "a").is_none());
        assert!(at("2027-01-01").approves_inputs("a", "b").is_none());
        let needed = [&exceptions[0]];
        assert_eq!(at("2026-12-31").faults(&needed, true), Vec::<String>::new());
        assert_eq!(at("2026-12-31").faults(&[], false), Vec::<String>::new());
        assert_eq!(at("2026-12-31").faults(&[], true).len(), 1);
        assert_eq!(at("2027-01-01").faults(&needed, true).len(), 1);
        assert_eq!(at("2027-01-01").faults(&[], false).len(), 1, "expired is expired");
    }
}
