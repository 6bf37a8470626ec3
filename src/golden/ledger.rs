//! Who accepted which golden when, and why: `accepted.toml`. Entries are only ever added; what
//! stands in the file stays as it is, byte by byte.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::time::Date;

use super::digest::Digest;
use super::error::Error;

/// The name of the file in a golden.
pub const FILE: &str = "accepted.toml";

/// The right to write a golden. There is no such thing in CI, nor without a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    date: Date,
    by: Option<String>,
    reason: String,
}

impl Acceptance {
    /// The right to write a golden, for a stated reason. `ci` is the environment's `CI`.
    ///
    /// # Errors
    /// When CI asks, or the reason is blank.
    pub fn new(
        date: Date,
        by: Option<String>,
        reason: &str,
        ci: Option<&str>,
    ) -> Result<Acceptance, Error> {
        if matches!(ci, Some("true" | "1")) {
            return Err(Error::Refused {
                why: "CI only checks goldens, it never writes them".into(),
            });
        }
        let reason = reason.trim().to_string();
        if reason.is_empty() {
            return Err(Error::Refused { why: "the reason is blank".into() });
        }
        Ok(Acceptance { date, by, reason })
    }

    /// Who takes the right, where that is known.
    pub(super) fn by(&self) -> Option<&str> {
        self.by.as_deref().map(str::trim).filter(|by| !by.is_empty())
    }

    /// Why.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// The day.
    pub(super) const fn date(&self) -> Date {
        self.date
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// Who, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// The root of the digest that was replaced; nothing for a first golden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The root of the digest that was accepted.
    pub after: String,
    /// Strategy bars in the golden.
    pub bars_15m: usize,
    /// Signals in the golden.
    pub signals: usize,
    /// Fills in the golden.
    pub fills: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    #[serde(default)]
    accepted: Vec<Entry>,
}

/// The entries, oldest first.
///
/// # Errors
/// When the text is no ledger. `path` is for the message.
pub fn parse(text: &str, path: &Path) -> Result<Vec<Entry>, Error> {
    let ledger: Ledger = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(0, |before| before.matches('\n').count() as u64 + 1);
        Error::malformed(path, line, error.message())
    })?;
    Ok(ledger.accepted)
}

/// The ledger's text with one entry more.
pub(super) fn with_entry(
    text: &str,
    acceptance: &Acceptance,
    before: Option<String>,
    digest: &Digest,
) -> String {
    let [bars_15m, signals, fills] = digest.rows;
    let entry = Entry {
        date: acceptance.date.to_string(),
        by: acceptance.by.clone(),
        reason: acceptance.reason.clone(),
        before,
        after: digest.root(),
        bars_15m,
        signals,
        fills,
    };
    let entry = toml::to_string(&Ledger { accepted: vec![entry] });
    let entry = entry.expect("an entry is plain text and counts, which TOML can hold");
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{entry}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Date {
        Date::from_ymd(2026, 11, 23).unwrap()
    }

    #[test]
    fn nobody_accepts_in_ci_or_without_a_reason() {
        let accept = |reason, ci| Acceptance::new(today(), None, reason, ci).is_ok();
        assert!(accept("ADX was fixed", None));
        assert!(accept("ADX was fixed", Some("false")));
        assert!(!accept("ADX was fixed", Some("true")));
        assert!(!accept("ADX was fixed", Some("1")));
        assert!(!accept("  ", None));
    }

    #[test]
    fn entries_are_added_and_what_stood_there_stays() {
        let digest = |rows| Digest { tables: Default::default(), inputs: String::new(), rows };
        let (old, new) = (digest([4, 2, 1]), digest([5, 2, 1]));
        let by = Some("asha".to_string());
        let first = Acceptance::new(today(), by, "the first golden", None).unwrap();
        let second = Acceptance::new(today().plus_days(1), None, "one \"bar\" more", None).unwrap();
        let one = with_entry("# keep me", &first, None, &old);
        let two = with_entry(&one, &second, Some(old.root()), &new);
        assert!(two.starts_with(&one));
        insta::assert_snapshot!(two, @r#"
        # keep me

        [[accepted]]
        date = "2026-11-23"
        by = "asha"
        reason = "the first golden"
        after = "b519263e8502dcf72922b437b352be808da068b4b3e70b51ddc644f669d47089"
        bars_15m = 4
        signals = 2
        fills = 1

        [[accepted]]
        date = "2026-11-24"
        reason = 'one "bar" more'
        before = "b519263e8502dcf72922b437b352be808da068b4b3e70b51ddc644f669d47089"
        after = "b9c809bdba399fabaa1ad93c95b444034e1e0fbf3a6041c87c6fd012673b86ce"
        bars_15m = 5
        signals = 2
        fills = 1
        "#);
        let entries = parse(&two, Path::new(FILE)).unwrap();
        assert_eq!(entries[1].before.as_ref(), Some(&entries[0].after));
        assert_eq!(entries[1].reason, "one \"bar\" more");
    }

    #[test]
    fn a_broken_ledger_is_reported_with_its_line() {
        let error = parse("[[accepted]]\ndate = 5\n", Path::new(FILE)).unwrap_err();
        insta::assert_snapshot!(error, @"read accepted.toml, line 2: invalid type: integer `5`, expected a string");
    }
}
