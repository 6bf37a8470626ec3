//! The access token, and the clock against somebody else's. What cannot be looked at is said to be
//! not checked, and why.

use std::process::{Command, Stdio};

use super::super::broker::{BrokerArgs, TokenArgs};
use super::super::clock;
use super::super::token::until;
use super::report::{Line, State};
use crate::domain::time::{SECOND_US, Timestamp};
use crate::sources::upstox::token::expiry::Expiry;
use crate::sources::upstox::token::keyring::KeyringError;
use crate::sources::upstox::token::{TokenError, VARIABLE};

/// Skew that nobody need know of, and skew at which certificates and tokens begin to fail.
const SKEW_US_SMALL: i64 = 2 * SECOND_US;
const SKEW_US_LARGE: i64 = 60 * SECOND_US;

/// Whether there is a token, whether others can read it, and until when it is good.
pub fn token(args: &TokenArgs, now: Timestamp) -> Line {
    let source = args.source();
    let token = match source.read() {
        Ok(token) => token,
        Err(error) => return no_token(&error),
    };
    let expiry = token.expiry();
    let fact = format!("in {source} · good {}", until(expiry, now));
    match expiry {
        Expiry::At(end) if end <= now => Line::new("Token", State::Problem, fact)
            .hint("`lockstep token set` replaces it; a token of the day ends at 03:30"),
        Expiry::At(_) => Line::new("Token", State::Ok, fact),
        Expiry::Unknown(_) => Line::new("Token", State::Note, fact)
            .hint("`lockstep token check --ask` asks the broker"),
    }
}

fn no_token(error: &TokenError) -> Line {
    match error {
        TokenError::Keyring(KeyringError::Empty { .. } | KeyringError::Unavailable { .. })
        | TokenError::Unset { .. } => {
            let fact = "none: runs over the broker's feed need one, all others do not";
            let help = format!("`lockstep token set`, the variable {VARIABLE}, or --token-file");
            Line::new("Token", State::Note, fact).hint(help)
        }
        error => Line::new("Token", State::Problem, error.to_string()),
    }
}

/// How far this machine's clock is off.
pub fn skew(args: &BrokerArgs, is_offline: bool) -> Line {
    if is_offline {
        return skew_unasked("--offline");
    }
    let rest = match args.rest() {
        Ok(rest) => rest,
        Err(failure) => return Line::new("Clock", State::Problem, failure.what),
    };
    let before = clock::now();
    let told = rest.date();
    let after = clock::now();
    match told.map(|text| (clock::http_date(&text), text)) {
        Ok((Some(told), _)) => skewed(before, told, after),
        Ok((None, text)) => skew_unasked(&format!("the broker's date is '{text}'")),
        Err(error) => skew_unasked(&error.to_string()),
    }
}

/// The other side's time has whole seconds and was taken somewhere between `before` and `after`.
fn skewed(before: Timestamp, told: Timestamp, after: Timestamp) -> Line {
    let (least, most) = (before.0 - (told.0 + SECOND_US), after.0 - told.0);
    // How far it is off at least; 0 where it may be right.
    let off = if least > 0 { least } else { most.min(0) };
    let seconds = off.abs() as f64 / SECOND_US as f64;
    let side = if off > 0 { "ahead of" } else { "behind" };
    let help = "set the clock by the network, as with `timedatectl set-ntp true`";
    match off.abs() {
        0 => Line::new("Clock", State::Ok, "as the broker's, to the second"),
        1..=SKEW_US_SMALL => {
            Line::new("Clock", State::Ok, format!("{seconds:.1} s {side} the broker's"))
        }
        skew => {
            let state = if skew < SKEW_US_LARGE { State::Note } else { State::Problem };
            Line::new("Clock", state, format!("{seconds:.1} s {side} the broker's")).hint(help)
        }
    }
}

/// Nobody could be asked; the system may know whether the network sets its clock.
fn skew_unasked(why: &str) -> Line {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .output();
    let says = asked.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    unasked(why, says.as_deref())
}

fn unasked(why: &str, says: Option<&str>) -> Line {
    let fact = format!("not checked against the broker's: {why}");
    match says {
        Some("yes") => {
            Line::new("Clock", State::Ok, format!("{fact} · the system says the network sets it"))
        }
        Some("no") => {
            let fact = format!("{fact} · the system says that the network does not set it");
            Line::new("Clock", State::Note, fact).hint("`timedatectl set-ntp true` has it set")
        }
        _ => Line::new("Clock", State::Note, format!("{fact} · the system does not say either"))
            .hint("compare it by hand with a clock that you trust"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::text;
    use super::*;
    use crate::golden::render::Paint;

    #[test]
    fn a_skew_is_at_least_what_cannot_be_the_second_or_the_way() {
        let told = Timestamp::parse("2026-11-25T10:00").unwrap();
        let at = |ms: i64| told.plus_us(ms * 1_000);
        let lines = [
            skewed(at(0), told, at(40)),
            skewed(at(-300), told, at(900)),
            skewed(at(2_500), told, at(2_600)),
            skewed(at(-2_100), told, at(-2_050)),
            skewed(at(95_000), told, at(95_100)),
            skewed(at(-3_600_000), told, at(-3_599_000)),
            unasked("the host was not found", None),
            unasked("the host was not found", Some("yes")),
            unasked("--offline", Some("no")),
        ];
        insta::assert_snapshot!(text(&lines, Paint::Plain, Some(80)), @"
        Clock  ok       as the broker's, to the second
        Clock  ok       as the broker's, to the second
        Clock  ok       1.5 s ahead of the broker's
        Clock  note     2.0 s behind the broker's
                        help: set the clock by the network, as with `timedatectl
                        set-ntp true`
        Clock  problem  94.0 s ahead of the broker's
                        help: set the clock by the network, as with `timedatectl
                        set-ntp true`
        Clock  problem  3599.0 s behind the broker's
                        help: set the clock by the network, as with `timedatectl
                        set-ntp true`
        Clock  note     not checked against the broker's: the host was not found · the
                        system does not say either
                        help: compare it by hand with a clock that you trust
        Clock  ok       not checked against the broker's: the host was not found · the
                        system says the network sets it
        Clock  note     not checked against the broker's: --offline · the system says
                        that the network does not set it
                        help: `timedatectl set-ntp true` has it set
        ");
    }

    #[test]
    fn a_broker_that_cannot_be_asked_is_no_answer() {
        let line = skew(&BrokerArgs::default(), true);
        assert!(line.fact.starts_with("not checked against the broker's: --offline"), "{line:?}");
    }
}
