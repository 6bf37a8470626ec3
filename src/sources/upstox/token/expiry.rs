//! Until when a token is good, by its own words. The broker's tokens are JSON Web Tokens; whether
//! the words are true is the broker's to say, so nothing is verified here and nothing else is read.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::Token;
use crate::domain::time::Timestamp;

/// Until when a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Its `exp`: from this moment on it is refused.
    At(Timestamp),
    /// It does not say, and why.
    Unknown(&'static str),
}

/// Seconds since 1970 that are believed: to the year 2200.
const SECONDS_MAX: i64 = 230 * 366 * 86_400;

impl Token {
    /// Until when it is good (`exp` of RFC 7519, seconds since 1970 UTC).
    pub fn expiry(&self) -> Expiry {
        let mut parts = self.0.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Expiry::Unknown("it is no JSON Web Token");
        };
        let payload = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes());
        let claims: Option<Value> =
            payload.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(claims) = claims else {
            return Expiry::Unknown("its payload cannot be read");
        };
        // Some issuers write seconds with a fraction, which does not matter here.
        let seconds = claims
            .get("exp")
            .and_then(|exp| exp.as_i64().or_else(|| exp.as_f64().map(|seconds| seconds as i64)));
        match seconds {
            Some(seconds @ 0..=SECONDS_MAX) => Expiry::At(Timestamp(seconds * 1_000_000)),
            Some(_) => Expiry::Unknown("its exp is no time"),
            None => Expiry::Unknown("it has no exp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &[u8]) -> Token {
        let [head, payload, seal] = [b"{}".as_slice(), payload, b"seal"];
        let parts = [head, payload, seal].map(|part| BASE64URL_NOPAD.encode(part));
        Token::of_stand_in(&parts.join("."))
    }

    #[test]
    fn a_token_says_until_when_it_is_good() {
        let at = |text: &str| Expiry::At(Timestamp::parse(text).unwrap());
        let good = br#"{"sub":"AB1234","jti":"x","iat":1795545000,"iss":"udapi","exp":1795557600}"#;
        assert_eq!(token(good).expiry(), at("2026-11-25T03:30"));
        assert_eq!(token(br#"{"exp":1795557600.9}"#).expiry(), at("2026-11-25T03:30"));
        let padded = format!("e30.{}==.c2VhbA", BASE64URL_NOPAD.encode(br#"{"exp":1795557600}"#));
        assert_eq!(Token::of_stand_in(&padded).expiry(), at("2026-11-25T03:30"));
    }

    #[test]
    fn what_does_not_say_so_is_unknown_and_never_a_guess() {
        for payload in [b"{}".as_slice(), br#"{"exp":"soon"}"#, br#"{"exp":null}"#, b"[1]"] {
            assert_eq!(token(payload).expiry(), Expiry::Unknown("it has no exp"));
        }
        for payload in [br#"{"exp":-1}"#.as_slice(), br#"{"exp":9999999999999}"#] {
            assert_eq!(token(payload).expiry(), Expiry::Unknown("its exp is no time"));
        }
        for payload in [b"".as_slice(), b"{", b"\xFF\xFE"] {
            assert_eq!(token(payload).expiry(), Expiry::Unknown("its payload cannot be read"));
        }
        for text in ["canary", "a.b", "a.b.c.d"] {
            let expiry = Token::of_stand_in(text).expiry();
            assert_eq!(expiry, Expiry::Unknown("it is no JSON Web Token"));
        }
        assert!(matches!(Token::of_stand_in("a.!!.c").expiry(), Expiry::Unknown(_)));
    }
}
