//! Who may ask at all. Every request has to name this server as its host, so that a page elsewhere
//! cannot reach it under a name of its own; whoever wants to change something also has to come from
//! a page of this server and show the token that only such a page has.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::app::App;

/// Bytes that the body of a request may have.
pub const BODY_MAX: usize = 16 * 1_024;
/// The header that carries the token.
pub const TOKEN_HEADER: &str = "x-lockstep-token";

/// A secret of 256 bits, made anew at each start.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn random() -> io::Result<Token> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The token, for the pages of this server.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether that is the token. It takes as long wherever they differ.
    pub fn is(&self, other: &str) -> bool {
        let (mine, other) = (self.0.as_bytes(), other.as_bytes());
        let differing = mine.iter().zip(other).fold(0, |bits, (a, b)| bits | (a ^ b));
        mine.len() == other.len() && differing == 0
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names another host, or none.
    Host,
    /// It comes from a page elsewhere, or does not say from where.
    Origin,
    /// It shows no token, or an old one.
    Token,
    /// Its content is not JSON.
    ContentType,
}

impl Refusal {
    /// Every refusal, for the counters.
    pub const ALL: [Refusal; 4] =
        [Refusal::Host, Refusal::Origin, Refusal::Token, Refusal::ContentType];

    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Host => "host",
            Refusal::Origin => "origin",
            Refusal::Token => "token",
            Refusal::ContentType => "content-type",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Refusal::Host | Refusal::Origin => StatusCode::FORBIDDEN,
            Refusal::Token => StatusCode::UNAUTHORIZED,
            Refusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Refusal::Host => "this server has no such name; use 127.0.0.1 or localhost",
            Refusal::Origin => "only pages of this server may ask for that",
            Refusal::Token => "the token is missing or from an earlier start; load the page again",
            Refusal::ContentType => "the content has to be application/json",
        }
    }
}

/// The names that this server goes by, with its port.
fn hosts(addr: SocketAddr) -> [String; 4] {
    let port = addr.port();
    let own = addr.to_string();
    [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}"), own]
}

/// Whether a request names this server. What a proxy says it was called is not asked for.
fn is_host(headers: &HeaderMap, uri: &Uri, addr: SocketAddr) -> bool {
    let mut named = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let hosts = hosts(addr);
    let is_own = |name: &str| hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
    is_own(host) && uri.authority().is_none_or(|authority| is_own(authority.as_str()))
}

/// Whether a request that changes something may do so.
///
/// # Errors
/// Why not.
pub fn may_change(headers: &HeaderMap, addr: SocketAddr, token: &Token) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text("origin").and_then(|origin| origin.strip_prefix("http://"));
    // The page and the server go by the same name, whichever of its names it is.
    if !origin.is_some_and(|origin| hosts(addr).contains(&origin.to_owned()))
        || origin != text("host")
        || text("sec-fetch-site").is_some_and(|site| site != "same-origin")
    {
        return Err(Refusal::Origin);
    }
    let content = text("content-type").unwrap_or_default();
    let content = content.split(';').next().unwrap_or_default().trim();
    if !content.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType);
    }
    match text(TOKEN_HEADER) {
        Some(shown) if token.is(shown) => Ok(()),
        _ => Err(Refusal::Token),
    }
}

/// Lets a request through, or refuses it before anything is read of it.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let addr = app.addr;
    let refused = match is_host(request.headers(), request.uri(), addr) {
        false => Some(Refusal::Host),
        true if matches!(*request.method(), Method::GET | Method::HEAD) => None,
        // What is no GET is let in for its token, whether or not anything is there.
        true => may_change(request.headers(), addr, &app.token).err(),
    };
    let mut response = match refused {
        Some(refusal) => refuse(&app, refusal, request.method(), request.uri()),
        None => next.run(request).await,
    };
    app.counters.answered(response.status());
    protect(response.headers_mut());
    response
}

/// Says no, and says so where people see it.
fn refuse(app: &App, refusal: Refusal, method: &Method, uri: &Uri) -> Response {
    app.counters.refused(refusal);
    let path: String = uri.path().chars().take(80).filter(|c| !c.is_control()).collect();
    eprintln!("scanner: refused {method} {path}: {}", refusal.word());
    let body = serde_json::json!({ "success": false, "error": refusal.why() }).to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    (refusal.status(), json, Body::from(body)).into_response()
}

/// What a browser may do with an answer: nothing from elsewhere, in no frame, and nothing guessed.
const PROTECTION: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn protect(headers: &mut HeaderMap) {
    for (name, value) in PROTECTION {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let unless_said = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(unless_said);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr() -> SocketAddr {
        "127.0.0.1:5000".parse().unwrap()
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_servers_own_names_are_hosts() {
        let is = |pairs: &[(&str, &str)], uri: &str| {
            is_host(&headers(pairs), &uri.parse().unwrap(), addr())
        };
        for host in ["127.0.0.1:5000", "localhost:5000", "LOCALHOST:5000", "[::1]:5000"] {
            assert!(is(&[("host", host)], "/"), "{host}");
        }
        for host in [
            "evil.test",
            "127.0.0.1",
            "localhost:80",
            "127.0.0.1:5000.evil.test",
            "evil.test:5000",
            "127.0.0.1:5000@evil.test",
            "",
        ] {
            assert!(!is(&[("host", host)], "/"), "{host}");
        }
        let forwarded = [("host", "evil.test"), ("x-forwarded-host", "localhost:5000")];
        assert!(!is(&forwarded, "/"));
        assert!(!is(&[("host", "localhost:5000"), ("host", "evil.test")], "/"));
        assert!(!is(&[("host", "localhost:5000")], "http://evil.test/"));
        assert!(!is(&[], "/"));
    }

    #[test]
    fn a_change_needs_origin_json_and_token() {
        let token = Token::random().unwrap();
        let may = |change: &[(&str, &str)]| {
            let mut all = vec![
                ("host", "127.0.0.1:5000"),
                ("origin", "http://127.0.0.1:5000"),
                ("content-type", "application/json; charset=utf-8"),
                (TOKEN_HEADER, token.text()),
            ];
            for (name, value) in change {
                all.retain(|(had, _)| had != name);
                if !value.is_empty() {
                    all.push((name, value));
                }
            }
            may_change(&headers(&all), addr(), &token)
        };
        assert_eq!(may(&[]), Ok(()));
        assert_eq!(may(&[("sec-fetch-site", "same-origin")]), Ok(()));
        for origin in
            ["", "null", "https://127.0.0.1:5000", "http://evil.test", "http://localhost:5000"]
        {
            assert_eq!(may(&[("origin", origin)]), Err(Refusal::Origin), "{origin}");
        }
        assert_eq!(may(&[("sec-fetch-site", "cross-site")]), Err(Refusal::Origin));
        for content in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
        {
            assert_eq!(may(&[("content-type", content)]), Err(Refusal::ContentType), "{content}");
        }
        let old = Token::random().unwrap();
        for shown in ["", &old.0, &token.0[..63], &format!("{}0", token.0)] {
            assert_eq!(may(&[(TOKEN_HEADER, shown)]), Err(Refusal::Token), "{shown}");
        }
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.text().len(), 64);
        assert!(one.is(one.text()) && !one.is(two.text()));
    }
}
