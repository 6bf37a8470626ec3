//! The broker's REST interface: where the feed is today, and minutes out of the archive. Every call
//! has an end in time and size, and no error and no debug text has the token or the feed's address.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use serde_json::Value;
use ureq::http::HeaderValue;
use ureq::{Agent, Body};

use super::candles::{Candles, CandlesError};
use super::endpoint::{EndpointError, Endpoints};
use super::token::{Token, TokenError};
use super::value::words;
use crate::domain::time::Date;

/// How long a call may take, from looking up the host to the last byte.
const CALL_MAX: Duration = Duration::from_secs(20);
/// How long a connection may take of it.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer. A month of minutes has 700 kB.
const BODY_MAX: u64 = 8 << 20;
/// Bytes of an answer that says no.
const COMPLAINT_MAX: u64 = 64 << 10;

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// There is no token to call with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// 401. A new token is needed; asking again is of no use.
    #[error("the broker does not accept the token ({complaint}); put a new one in its place")]
    Unauthorized {
        /// What the broker says.
        complaint: Complaint,
    },
    /// 429.
    #[error("the broker was asked too often ({complaint}); ask again later")]
    TooMany {
        /// What the broker says.
        complaint: Complaint,
    },
    /// Any other no.
    #[error("the broker answered {status} ({complaint})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the broker says.
        complaint: Complaint,
    },
    /// An answer that cannot be used.
    #[error("the broker's answer cannot be used: {why}")]
    Reply {
        /// What is wrong with it.
        why: String,
    },
    /// No answer: no network, no trust in the certificate, no patience.
    #[error("the broker cannot be reached: {why}")]
    Unreachable {
        /// What happened.
        why: String,
    },
}

/// What the broker says about a no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// The code, such as `UDAPI100050`; may be empty.
    pub code: String,
    /// In words; may be empty.
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => f.write_str("no reason given"),
            ("", words) | (words, "") => f.write_str(words),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

/// Where the feed is, with a code that lets one in once: a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedAddress(String);

impl FeedAddress {
    /// The address itself.
    pub(super) fn url(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FeedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeedAddress(..)")
    }
}

/// The REST interface.
#[derive(Clone, Debug)]
pub struct Rest {
    agent: Agent,
    base: String,
}

impl Rest {
    /// The interface at `endpoints`.
    pub fn new(endpoints: &Endpoints) -> Result<Rest, EndpointError> {
        endpoints.check()?;
        let config = Agent::config_builder()
            .tls_config(endpoints.roots.rest_tls())
            .https_only(!endpoints.allow_plain_loopback)
            // Another host is told neither the token nor what is asked for.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(CALL_MAX))
            .timeout_connect(Some(CONNECT_MAX))
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
            .build();
        let base = endpoints.rest_base.trim_end_matches('/').to_owned();
        Ok(Rest { agent: Agent::new_with_config(config), base })
    }

    /// Asks where the feed is. The answer is good for one connection.
    pub fn authorize(&self, token: &Token) -> Result<FeedAddress, RestError> {
        let body = self.get(token, "/v3/feed/market-data-feed/authorize")?;
        let unusable = |why: &str| RestError::Reply { why: why.to_owned() };
        // Not into a struct: the errors of that show what is there, and here that is a secret.
        let reply: Value = serde_json::from_slice(&body).map_err(|_| unusable("not JSON"))?;
        let data = reply.get("data").unwrap_or(&Value::Null);
        let named = ["authorized_redirect_uri", "authorizedRedirectUri"];
        let address = named.into_iter().find_map(|name| data.get(name)?.as_str());
        let address = address.ok_or_else(|| unusable("no address of the feed in it"))?;
        Ok(FeedAddress(address.to_owned()))
    }

    /// Asks for the minutes of today, which may still change.
    pub fn intraday(&self, token: &Token, key: &str) -> Result<Candles, RestError> {
        let key = path_part(key);
        self.candles(token, &format!("/v3/historical-candle/intraday/{key}/minutes/1"))
    }

    /// Asks for the minutes of `first..=last`, which is one of [`months`]: of a longer time the
    /// broker gives none. It does not have today's.
    pub fn historical(
        &self,
        token: &Token,
        key: &str,
        (first, last): (Date, Date),
    ) -> Result<Candles, RestError> {
        let key = path_part(key);
        self.candles(token, &format!("/v3/historical-candle/{key}/minutes/1/{last}/{first}"))
    }

    /// Asks what the time is there, without a token: the header `Date` of whatever is answered.
    pub fn date(&self) -> Result<String, RestError> {
        let answer = self.agent.get(format!("{}/", self.base)).call().map_err(failed)?;
        let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
        date.map(words).ok_or_else(|| RestError::Reply { why: "it has no date".to_owned() })
    }

    fn candles(&self, token: &Token, path: &str) -> Result<Candles, RestError> {
        let body = self.get(token, path)?;
        let scrubbed = |error: CandlesError| RestError::Reply { why: token.scrubbed(&error.why) };
        Candles::parse(&body).map_err(scrubbed)
    }

    fn get(&self, token: &Token, path: &str) -> Result<Vec<u8>, RestError> {
        let mut bearer = HeaderValue::try_from(token.bearer())
            .map_err(|_| RestError::Reply { why: "the token is no header".to_owned() })?;
        bearer.set_sensitive(true);
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(url).header("authorization", bearer);
        let mut response = request.header("accept", "application/json").call().map_err(failed)?;
        let status = response.status().as_u16();
        if status == 200 {
            return read(response.body_mut(), BODY_MAX);
        }
        // Without a readable reason it is still a no.
        let body = read(response.body_mut(), COMPLAINT_MAX).unwrap_or_default();
        let complaint = complaint(&body, token);
        Err(match status {
            401 => RestError::Unauthorized { complaint },
            429 => RestError::TooMany { complaint },
            status => RestError::Refused { status, complaint },
        })
    }
}

fn read(body: &mut Body, limit: u64) -> Result<Vec<u8>, RestError> {
    body.with_config().limit(limit).read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => {
            RestError::Reply { why: format!("it is longer than {limit} bytes") }
        }
        other => failed(other),
    })
}

/// Says what failed without what was called: the library's own words may have the address in them.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: ureq::Error) -> RestError {
    let why = match &error {
        ureq::Error::Io(error) => io_words(error),
        ureq::Error::Timeout(what) => format!("it took too long ({what})"),
        ureq::Error::HostNotFound => "the host was not found".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Tls(why) => format!("TLS: {why}"),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Protocol(error) => format!("not HTTP: {error}"),
        ureq::Error::LargeResponseHeader(..) => "a header without end".to_owned(),
        _ => "the call failed".to_owned(),
    };
    RestError::Unreachable { why: words(&why) }
}

/// Says what an I/O error is; the errors of TLS come as such.
pub(super) fn io_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidData => format!("TLS: {error}"),
        ErrorKind::UnexpectedEof => "the other side hung up".to_owned(),
        _ => error.to_string(),
    }
}

/// What the broker says about a no.
fn complaint(body: &[u8], token: &Token) -> Complaint {
    let Ok(reply) = serde_json::from_slice::<Value>(body) else { return Complaint::default() };
    let first = reply.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&Value::Null);
    let said = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| first.get(name)?.as_str());
        words(&token.scrubbed(found.unwrap_or_default()))
    };
    Complaint { code: said(["errorCode", "error_code"]), message: said(["message", "error"]) }
}

/// The calendar months of `first..=last`, oldest first; the outer ones may be parts of one.
pub fn months(first: Date, last: Date) -> Vec<(Date, Date)> {
    let mut months = Vec::new();
    let mut from = first;
    while from <= last {
        let next = from.next_month();
        // The last month that the calendar knows has itself for its next one.
        let to = if next > from { next.plus_days(-1).min(last) } else { last };
        months.push((from, to));
        from = to.plus_days(1);
    }
    months
}

/// `text` as a part of a path: all but letters, digits and `-._~` in percent.
fn path_part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

#[cfg(test)]
mod tests;
