//! Calls of a server that answers what the test wants, on this machine and in the clear. What TLS
//! adds is told by the stories of the socket.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::{fs, iter};

use super::*;
use crate::sources::upstox::endpoint::Roots;
use crate::sources::upstox::token::TokenSource;

const CANARY: &str = "canary-7d21";

fn token() -> Token {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(&path).unwrap();
    file.write_all(CANARY.as_bytes()).unwrap();
    TokenSource::File(path).read().unwrap()
}

/// A server for one call; it gives back what it was asked.
fn server(answer: impl Into<Vec<u8>>) -> (Rest, JoinHandle<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rest_base = format!("http://{}/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut bytes = [0; 1_024];
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut bytes).unwrap();
            asked.extend_from_slice(&bytes[..read]);
            assert!(read > 0, "a whole request");
        }
        // Who asked may have heard enough.
        let _ = stream.write_all(&answer);
        String::from_utf8(asked).unwrap()
    });
    let endpoints = Endpoints { rest_base, roots: Roots::WebPki, allow_plain_loopback: true };
    (Rest::new(&endpoints).unwrap(), served)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// Nothing of the error shows the token or the address.
fn shown(error: &RestError) -> String {
    let all = format!("{error} {error:?} {error:#?}");
    assert!(!all.contains("canary") && !all.contains("127.0.0.1"), "{all}");
    error.to_string()
}

#[test]
fn the_feeds_address_is_asked_for_with_the_token() {
    for name in ["authorized_redirect_uri", "authorizedRedirectUri"] {
        let url = "wss://feed.example/v3?code=canary-code";
        let body = format!(r#"{{"status":"success","data":{{"{name}":"{url}"}}}}"#);
        let (rest, served) = server(http("200 OK", &body));
        let address = rest.authorize(&token()).unwrap();
        assert_eq!(address.url(), url);
        assert_eq!(format!("{address:?} {rest:?}").find("canary"), None);
        let asked = served.join().unwrap();
        let first = "GET /v3/feed/market-data-feed/authorize HTTP/1.1\r\n";
        assert!(asked.starts_with(first), "{asked}");
        assert!(asked.contains(&format!("authorization: Bearer {CANARY}\r\n")), "{asked}");
        assert!(asked.contains("accept: application/json\r\n"), "{asked}");
    }
}

#[test]
fn an_answer_without_an_address_is_an_error_that_shows_nothing_of_it() {
    for body in ["", "{", "[]", r#"{"data":"canary"}"#, r#"{"data":{"uri":"canary"}}"#] {
        let (rest, served) = server(http("200 OK", body));
        let error = rest.authorize(&token()).unwrap_err();
        assert!(shown(&error).starts_with("the broker's answer cannot be used: "), "{error}");
        served.join().unwrap();
    }
}

#[test]
fn minutes_are_asked_for_with_the_last_day_first() {
    let body =
        r#"{"status":"success","data":{"candles":[["2026-08-24T15:14:00+05:30",5,5,5,5,7,0]]}}"#;
    let (rest, served) = server(http("200 OK", body));
    let span = (date("2026-08-01"), date("2026-08-31"));
    let candles = rest.historical(&token(), "NSE_EQ|INE245A01021", span).unwrap();
    assert_eq!(candles.minutes.len(), 1);
    let want =
        "GET /v3/historical-candle/NSE_EQ%7CINE245A01021/minutes/1/2026-08-31/2026-08-01 HTTP/1.1";
    assert_eq!(served.join().unwrap().lines().next(), Some(want));

    let (rest, served) = server(http("200 OK", body));
    rest.intraday(&token(), "NSE_INDEX|Nifty 50/../x").unwrap();
    let want =
        "GET /v3/historical-candle/intraday/NSE_INDEX%7CNifty%2050%2F..%2Fx/minutes/1 HTTP/1.1";
    assert_eq!(served.join().unwrap().lines().next(), Some(want));
}

#[test]
fn the_date_is_asked_for_without_the_token() {
    let date = "Tue, 24 Nov 2026 22:32:47 GMT";
    let (rest, served) =
        server(format!("HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(rest.date().unwrap(), date);
    let asked = served.join().unwrap();
    assert!(asked.starts_with("GET / HTTP/1.1\r\n") && !asked.contains("uthorization"), "{asked}");
    let (rest, served) = server(http("200 OK", ""));
    assert!(shown(&rest.date().unwrap_err()).contains("it has no date"));
    served.join().unwrap();
}

#[test]
fn every_no_says_what_it_is() {
    let body = |code: &str, message: &str| {
        format!(r#"{{"status":"error","errors":[{{"errorCode":"{code}","message":"{message}"}}]}}"#)
    };
    let twin = r#"{"errors":[{"error_code":"UDAPI1148","error":"Invalid date range"}]}"#;
    let answers = [
        http("401 Unauthorized", &body("UDAPI100050", "Invalid token")),
        http("401 Unauthorized", &body("UDAPI100050", &format!("Invalid token {CANARY}"))),
        http("429 Too Many Requests", &body("UDAPI10005", "Too Many Request Sent")),
        http("400 Bad Request", twin),
        http("403 Forbidden", "<html>no</html>"),
        http("500 Internal Server Error", &body("", "")),
        http("302 Found", ""),
        http("400 Bad Request", &"x".repeat(100_000)),
    ];
    let errors: Vec<String> = answers
        .into_iter()
        .map(|answer| {
            let (rest, served) = server(answer);
            let error = rest.intraday(&token(), "K").unwrap_err();
            served.join().unwrap();
            shown(&error)
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r"
    the broker does not accept the token (UDAPI100050: Invalid token); put a new one in its place
    the broker does not accept the token (UDAPI100050: Invalid token [token]); put a new one in its place
    the broker was asked too often (UDAPI10005: Too Many Request Sent); ask again later
    the broker answered 400 (UDAPI1148: Invalid date range)
    the broker answered 403 (no reason given)
    the broker answered 500 (no reason given)
    the broker answered 302 (no reason given)
    the broker answered 400 (no reason given)
    ");
}

#[test]
fn another_host_is_not_asked_although_this_one_says_so() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let to = format!("location: http://{}/", trap.local_addr().unwrap());
    let (rest, served) = server(format!("HTTP/1.1 302 Found\r\n{to}\r\ncontent-length: 0\r\n\r\n"));
    let error = rest.intraday(&token(), "K").unwrap_err();
    assert!(matches!(error, RestError::Refused { status: 302, .. }), "{error}");
    served.join().unwrap();
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came");
}

#[test]
fn what_is_no_answer_is_an_error() {
    let candles = |rows: &str| http("200 OK", &format!(r#"{{"data":{{"candles":{rows}}}}}"#));
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n";
    let long: Vec<u8> = long.bytes().chain(iter::repeat_n(b' ', 9_000_000)).collect();
    let answers: [Vec<u8>; 6] = [
        Vec::new(),
        b"SSH-2.0-OpenSSH\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
        long,
        candles("7").into_bytes(),
        candles(&"[".repeat(10_000)).into_bytes(),
    ];
    for answer in answers {
        let (rest, served) = server(answer);
        let error = rest.intraday(&token(), "K").unwrap_err();
        let words = shown(&error);
        assert!(words.len() < 400, "{words}");
        assert!(
            matches!(error, RestError::Reply { .. } | RestError::Unreachable { .. }),
            "{error:?}"
        );
        served.join().unwrap();
    }
}

#[test]
fn nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rest_base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let endpoints = Endpoints { rest_base, allow_plain_loopback: true, ..Endpoints::upstox() };
    let error = Rest::new(&endpoints).unwrap().authorize(&token()).unwrap_err();
    assert!(matches!(error, RestError::Unreachable { .. }), "{error:?}");
    shown(&error);
    let plain = Endpoints { rest_base: "http://example.org".to_owned(), ..endpoints };
    assert_eq!(Rest::new(&plain).unwrap_err(), EndpointError::Plain);
}

#[test]
fn a_long_time_is_asked_for_month_by_month() {
    let shown = |first, last| {
        let months = months(date(first), date(last)).into_iter();
        months.map(|(from, to)| format!("{from}..{to}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown("2026-01-15", "2026-03-02"),
        "2026-01-15..2026-01-31 2026-02-01..2026-02-28 2026-03-01..2026-03-02"
    );
    assert_eq!(shown("2026-08-24", "2026-08-24"), "2026-08-24..2026-08-24");
    assert_eq!(shown("2026-08-24", "2026-08-23"), "");
    assert_eq!(months(date("2199-11-30"), date("2199-12-31")).len(), 2, "the calendar's end");
}
