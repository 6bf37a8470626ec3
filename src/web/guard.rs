//! Who may ask at all. Every request has to name this server as its host, so that a page elsewhere
//! cannot reach it under a name of its own; whoever wants to change something also has to come from
//! a page of this server and show the token that only such a page has, and may not do so all the
//! time. From another machine nothing is shown without the access token.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::app::App;
use super::pace::Pace;

/// Bytes that the body of a request may have.
pub const BODY_MAX: usize = 16 * 1_024;
/// How long a request that changes something may take to arrive whole.
const BODY_TIME: Duration = Duration::from_secs(10);
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

    /// A secret that was made elsewhere.
    pub const fn of(text: String) -> Token {
        Token(text)
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

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// How often something may be changed, and how often it may be tried in vain.
#[derive(Debug)]
pub struct Paces {
    /// Requests that were let in.
    changes: Pace,
    /// Kills that were let in: nothing else can use up their share.
    kills: Pace,
    /// Requests that were refused. After these nobody looks at them any more.
    vain: Pace,
}

impl Default for Paces {
    fn default() -> Paces {
        Paces { changes: Pace::new(12, 1), kills: Pace::new(12, 1), vain: Pace::new(40, 2) }
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
    /// It asks for a change in a way that changes nothing, such as GET.
    Method,
    /// There were too many before it.
    Pace,
    /// It took too long to arrive.
    Slow,
    /// It comes from another machine without the access token.
    Access,
}

impl Refusal {
    /// Every refusal, for the counters.
    pub const ALL: [Refusal; 8] = [
        Refusal::Host,
        Refusal::Origin,
        Refusal::Token,
        Refusal::ContentType,
        Refusal::Method,
        Refusal::Pace,
        Refusal::Slow,
        Refusal::Access,
    ];

    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Host => "host",
            Refusal::Origin => "origin",
            Refusal::Token => "token",
            Refusal::ContentType => "content-type",
            Refusal::Method => "method",
            Refusal::Pace => "pace",
            Refusal::Slow => "slow",
            Refusal::Access => "access",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Refusal::Host | Refusal::Origin => StatusCode::FORBIDDEN,
            Refusal::Token | Refusal::Access => StatusCode::UNAUTHORIZED,
            Refusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Pace => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Refusal::Host => "this server has no such name; use 127.0.0.1 or localhost",
            Refusal::Origin => "only pages of this server may ask for that",
            Refusal::Token => "the token is missing or from an earlier start; load the page again",
            Refusal::ContentType => "the content has to be application/json",
            Refusal::Method => "that has to be asked with POST, from the page",
            Refusal::Pace => "too many requests; wait a moment, or use `lockstep control`",
            Refusal::Slow => "the request took too long to arrive",
            Refusal::Access => "the access token is needed, as a password or as a bearer",
        }
    }
}

/// The names that this server goes by, as a browser writes them.
#[derive(Clone, Debug)]
pub struct Names {
    hosts: Vec<String>,
    scheme: &'static str,
}

impl Names {
    /// The names of this machine with the port, and those that were given besides; the latter
    /// without a port too where it is the usual one.
    pub fn new(addr: SocketAddr, others: Option<&[String]>) -> Names {
        let port = addr.port();
        let own = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        let mut hosts = own.to_vec();
        hosts.push(addr.to_string());
        for name in others.into_iter().flatten() {
            hosts.push(format!("{name}:{port}"));
            hosts.extend((port == 443).then(|| name.clone()));
        }
        Names { hosts, scheme: if others.is_some() { "https://" } else { "http://" } }
    }

    fn is_own(&self, name: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a request names this server. What a proxy says it was called is not asked for.
    fn is_host(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        self.is_own(host) && uri.authority().is_none_or(|name| self.is_own(name.as_str()))
    }
}

/// Whether a request that changes something may do so.
///
/// # Errors
/// Why not.
pub fn may_change(headers: &HeaderMap, names: &Names, token: &Token) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text("origin").and_then(|origin| origin.strip_prefix(names.scheme));
    // The page and the server go by the same name, whichever of its names it is.
    if !origin.is_some_and(|origin| names.is_own(origin))
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

/// Whether a request may see anything at all.
fn may_see(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(remote) = &app.options.remote else { return Ok(()) };
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match shown.is_some_and(|shown| remote.words.iter().any(|word| word.is(shown))) {
        true => Ok(()),
        false => Err(Refusal::Access),
    }
}

/// Whether a request is let in.
fn may_pass(app: &App, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if !app.names.is_host(headers, request.uri()) {
        return Err(Refusal::Host);
    }
    may_see(app, headers)?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    // What is no GET is let in for its token, whether or not anything is there.
    may_change(headers, &app.names, &app.token)?;
    let is_kill = request.uri().path().ends_with("/kill");
    let pace = if is_kill { &app.paces.kills } else { &app.paces.changes };
    if pace.takes((app.options.clock)()) { Ok(()) } else { Err(Refusal::Pace) }
}

/// Lets a request through, or refuses it before anything is read of it.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let passed = match may_pass(&app, &request) {
        Err(refusal) => Err(refusal),
        Ok(()) if method == Method::POST => {
            let answered = tokio::time::timeout(BODY_TIME, next.run(request)).await;
            answered.map_err(|_| Refusal::Slow)
        }
        Ok(()) => Ok(next.run(request).await),
    };
    let passed = passed.and_then(|response| match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Err(Refusal::Method),
        _ => Ok(response),
    });
    let mut response = passed.unwrap_or_else(|refusal| refuse(&app, refusal, &method, &path));
    app.counters.answered(response.status());
    protect(response.headers_mut());
    response
}

/// Says no, and says so where people see it.
fn refuse(app: &App, refusal: Refusal, method: &Method, path: &str) -> Response {
    app.counters.refused(refusal);
    app.refused.notify_one();
    let is_heard = app.paces.vain.takes((app.options.clock)());
    let refusal = if is_heard { refusal } else { Refusal::Pace };
    if is_heard {
        let path: String = path.chars().take(80).filter(|c| !c.is_control()).collect();
        eprintln!("scanner: refused {method} {path}: {}", refusal.word());
    }
    let body = serde_json::json!({ "success": false, "error": refusal.why() }).to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (refusal.status(), json, Body::from(body)).into_response();
    let mut set =
        |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    match refusal {
        Refusal::Access => set(header::WWW_AUTHENTICATE, "Basic realm=\"lockstep\""),
        Refusal::Pace => set(header::RETRY_AFTER, "2"),
        Refusal::Method => set(header::ALLOW, "GET, HEAD, POST"),
        _ => None,
    };
    response
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
        let names = Names::new(addr(), None);
        let is = |pairs: &[(&str, &str)], uri: &str| {
            names.is_host(&headers(pairs), &uri.parse().unwrap())
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
            may_change(&headers(&all), &Names::new(addr(), None), &token)
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
    fn names_that_were_given_come_with_tls() {
        let addr = "0.0.0.0:443".parse().unwrap();
        let names = Names::new(addr, Some(&["desk.example".to_owned()]));
        let pass = |origin: &str, host: &str| {
            let token = Token::of("t".into());
            let own = [("origin", origin), ("host", host), ("content-type", "application/json")];
            may_change(&headers(&[&own[..], &[(TOKEN_HEADER, "t")]].concat()), &names, &token)
        };
        assert_eq!(pass("https://desk.example", "desk.example"), Ok(()));
        assert_eq!(pass("https://desk.example:443", "desk.example:443"), Ok(()));
        assert_eq!(pass("http://desk.example", "desk.example"), Err(Refusal::Origin));
        assert_eq!(pass("https://evil.test", "evil.test"), Err(Refusal::Origin));
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.text().len(), 64);
        assert!(one.is(one.text()) && !one.is(two.text()));
    }
}
