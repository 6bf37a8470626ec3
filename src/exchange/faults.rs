//! How a line may fail: what is lost, doubled, late, mute, torn or cut, by chance and repeatable.
//! Each kind of fault draws from a stream of its own, so one more kind changes nothing about the
//! others.
//!
//! As text: `drop=0.01,reorder=500ms,stall=30s@0.001`, each a kind with a length of market time, a
//! chance, or both as `length@chance`.

use std::fmt;

use crate::domain::time::{MINUTE_US, SECOND_US};

const MS_US: i64 = 1_000;
const HOUR_US: i64 = 60 * MINUTE_US;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A frame is lost.
    Drop,
    /// A frame comes twice.
    Dup,
    /// A frame comes up to so much later than it was sent, and others may pass it.
    Reorder,
    /// The same, meant for longer.
    Delay,
    /// Nothing comes for so long, although the line stands. What was said meanwhile is lost.
    Stall,
    /// The end of a frame is missing.
    Half,
    /// Before a frame comes one that means nothing.
    Garbage,
    /// The line is cut, with a close code or without a word. Whoever comes back finds the market
    /// so much later; without a length nothing is lost.
    Disconnect,
    /// An authorization is refused as if the token were wrong.
    Unauthorized,
    /// An authorization is refused as if the account might not listen.
    Forbidden,
    /// An authorization is refused because there were too many.
    Busy,
    /// A key is missing in a snapshot.
    Missing,
    /// For a minute the frames say another time than it is, by up to so much either way.
    Skew,
    /// Before a frame comes one that tells of the order book alone, with fields, a mode and a
    /// segment that nobody knows yet.
    Book,
}

/// What a kind takes in its text form.
struct Form {
    kind: Kind,
    word: &'static str,
    /// The longest length in microseconds, 0 where there is none.
    span_max_us: i64,
    /// The chance where only a length is given.
    chance: Option<f64>,
    /// Whether a chance alone is enough although there is a length.
    is_span_optional: bool,
}

const fn rate(kind: Kind, word: &'static str) -> Form {
    Form { kind, word, span_max_us: 0, chance: None, is_span_optional: true }
}

/// How many kinds there are.
const KINDS: usize = 14;

const FORMS: [Form; KINDS] = [
    rate(Kind::Drop, "drop"),
    rate(Kind::Dup, "dup"),
    Form {
        span_max_us: MINUTE_US,
        chance: Some(1.0),
        is_span_optional: false,
        ..rate(Kind::Reorder, "reorder")
    },
    Form {
        span_max_us: 2 * MINUTE_US,
        chance: Some(1.0),
        is_span_optional: false,
        ..rate(Kind::Delay, "delay")
    },
    Form { span_max_us: HOUR_US, is_span_optional: false, ..rate(Kind::Stall, "stall") },
    rate(Kind::Half, "half"),
    rate(Kind::Garbage, "garbage"),
    Form { span_max_us: 8 * HOUR_US, ..rate(Kind::Disconnect, "disconnect") },
    rate(Kind::Unauthorized, "401"),
    rate(Kind::Forbidden, "403"),
    rate(Kind::Busy, "429"),
    rate(Kind::Missing, "missing"),
    Form { span_max_us: HOUR_US, is_span_optional: false, ..rate(Kind::Skew, "skew") },
    rate(Kind::Book, "book"),
];

/// One kind as it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fault {
    /// Its length in microseconds; 0 where the kind has none.
    pub span_us: i64,
    /// Its chance, `0.0..=1.0`: for each frame, for each key of a snapshot, or for each
    /// authorization.
    pub chance: f64,
}

/// All kinds, each as it is asked for. By default nothing goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults([Fault; KINDS]);

/// Why faults cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is no fault: {why}")]
pub struct FaultsError {
    /// The part of the text.
    pub word: String,
    /// What is wrong with it, and what it must be.
    pub why: String,
}

impl Kind {
    /// Its name in text.
    pub const fn word(self) -> &'static str {
        FORMS[self as usize].word
    }
}

impl Faults {
    /// The same with one more kind, or with another length and chance of it.
    #[must_use]
    pub const fn with(mut self, kind: Kind, span_us: i64, chance: f64) -> Faults {
        self.0[kind as usize] = Fault { span_us, chance };
        self
    }

    /// What is asked for of that kind.
    pub const fn of(&self, kind: Kind) -> Fault {
        self.0[kind as usize]
    }

    /// Reads faults with commas between. Nothing is no fault.
    ///
    /// # Errors
    /// Names the first word that is none.
    pub fn parse(text: &str) -> Result<Faults, FaultsError> {
        let mut faults = Faults::default();
        let mut seen = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let no = |why: String| FaultsError { word: word.to_owned(), why };
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let Some(form) = FORMS.iter().find(|form| form.word == name.trim()) else {
                let known: Vec<&str> = FORMS.iter().map(|form| form.word).collect();
                return Err(no(format!("the faults are {}", known.join(", "))));
            };
            let fault = form.fault(value.trim()).ok_or_else(|| no(form.must_be()))?;
            if seen.contains(&name.trim()) {
                return Err(no("it is there twice".to_owned()));
            }
            seen.push(name.trim());
            faults.0[form.kind as usize] = fault;
        }
        Ok(faults)
    }
}

impl Form {
    fn fault(&self, value: &str) -> Option<Fault> {
        let fault = match value.split_once('@') {
            Some((span, chance)) => Fault { span_us: span_us(span)?, chance: chance_of(chance)? },
            None => match (chance_of(value), span_us(value)) {
                (Some(chance), _) if self.is_span_optional => Fault { span_us: 0, chance },
                (None, Some(span_us)) => Fault { span_us, chance: self.chance? },
                _ => return None,
            },
        };
        let range = if self.is_span_optional { 0..=self.span_max_us } else { 1..=self.span_max_us };
        range.contains(&fault.span_us).then_some(fault)
    }

    fn must_be(&self) -> String {
        let Form { word, span_max_us, .. } = self;
        let longest = shown(*span_max_us);
        match (self.span_max_us, self.chance, self.is_span_optional) {
            (0, ..) => format!("it must be like {word}=0.01, a chance from 0 to 1"),
            (_, _, true) => format!(
                "it must be like {word}=0.01 or {word}={longest}@0.01, at most {longest} and \
                 a chance from 0 to 1"
            ),
            (_, Some(_), _) => format!(
                "it must be like {word}={longest} or {word}={longest}@0.01, at most {longest} and \
                 a chance from 0 to 1"
            ),
            _ => format!(
                "it must be like {word}={longest}@0.01, at most {longest} and a chance from 0 to 1"
            ),
        }
    }
}

fn chance_of(text: &str) -> Option<f64> {
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let chance: f64 = text.parse().ok().filter(|_| is_plain)?;
    (0.0..=1.0).contains(&chance).then_some(chance)
}

const UNITS: [(&str, i64); 4] = [("ms", MS_US), ("s", SECOND_US), ("m", MINUTE_US), ("h", HOUR_US)];

fn span_us(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let (_, unit_us) = UNITS.iter().find(|(word, _)| *word == unit)?;
    count.parse::<i64>().ok()?.checked_mul(*unit_us)
}

fn shown(us: i64) -> String {
    let fits = UNITS.iter().rev().find(|(_, unit_us)| us % unit_us == 0);
    fits.map_or_else(|| format!("{us}us"), |(word, unit_us)| format!("{}{word}", us / unit_us))
}

/// What [`Faults::parse`] reads.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = FORMS.iter().map(|form| (form, self.of(form.kind)));
        for (place, (form, fault)) in asked.filter(|(_, it)| it.chance > 0.0).enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}=", form.word)?;
            if fault.span_us > 0 {
                write!(f, "{}@", shown(fault.span_us))?;
            }
            write!(f, "{}", fault.chance)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_stand_at_the_places_of_their_kinds() {
        for (place, form) in FORMS.iter().enumerate() {
            assert_eq!((form.kind as usize, form.kind.word()), (place, form.word));
        }
    }

    #[test]
    fn faults_are_read_and_shown() {
        let shown = |text| Faults::parse(text).map(|faults| faults.to_string());
        assert_eq!(shown(""), Ok(String::new()));
        let all = "drop=0.01,dup=0.05,reorder=500ms@1,delay=2m@0.001,stall=30s@0.001,half=0.1,\
                   garbage=0.1,disconnect=0.0005,401=0.5,403=0.5,429=1,missing=0.25,\
                   skew=1h@0.0001,book=0.5";
        assert_eq!(shown(all), Ok(all.to_owned()));
        let also = shown(" reorder=500ms , disconnect=20s@0.001");
        assert_eq!(also, Ok("reorder=500ms@1,disconnect=20s@0.001".to_owned()));
    }

    #[test]
    fn a_word_that_is_no_fault_is_named() {
        let wrong = |text| Faults::parse(text).unwrap_err().to_string();
        let lines = [
            "dorp=0.1",
            "drop",
            "drop=1.5",
            "drop=-1",
            "drop=1e-3",
            "dup=0.1,stall=30s",
            "reorder=0.5",
            "delay=3m",
            "delay=0s",
            "disconnect=9h@0.1",
            "drop=0.1,drop=0.2",
            "skew=1y@0.1",
        ];
        insta::assert_snapshot!(lines.map(wrong).join("\n"), @r"
        'dorp=0.1' is no fault: the faults are drop, dup, reorder, delay, stall, half, garbage, disconnect, 401, 403, 429, missing, skew, book
        'drop' is no fault: it must be like drop=0.01, a chance from 0 to 1
        'drop=1.5' is no fault: it must be like drop=0.01, a chance from 0 to 1
        'drop=-1' is no fault: it must be like drop=0.01, a chance from 0 to 1
        'drop=1e-3' is no fault: it must be like drop=0.01, a chance from 0 to 1
        'stall=30s' is no fault: it must be like stall=1h@0.01, at most 1h and a chance from 0 to 1
        'reorder=0.5' is no fault: it must be like reorder=1m or reorder=1m@0.01, at most 1m and a chance from 0 to 1
        'delay=3m' is no fault: it must be like delay=2m or delay=2m@0.01, at most 2m and a chance from 0 to 1
        'delay=0s' is no fault: it must be like delay=2m or delay=2m@0.01, at most 2m and a chance from 0 to 1
        'disconnect=9h@0.1' is no fault: it must be like disconnect=0.01 or disconnect=8h@0.01, at most 8h and a chance from 0 to 1
        'drop=0.2' is no fault: it is there twice
        'skew=1y@0.1' is no fault: it must be like skew=1h@0.01, at most 1h and a chance from 0 to 1
        ");
    }
}
