//! Stories of a connection, with a broker on this machine.

use std::sync::mpsc::{Receiver, sync_channel};

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::fake::{
    Authority, CANARY, Server, Shows, answer, authorized, feed, http, rest, write_token,
};
use super::*;
use crate::domain::time::Date;
use crate::sources::upstox::endpoint::Roots;
use crate::sources::upstox::fetch::CandleSpan;

/// Longer than anything here takes; who waits so long has found a bug.
const PATIENCE: Duration = Duration::from_secs(20);
const PACE: Pace = Pace { ping: Duration::from_secs(10), fetch: Duration::from_millis(1) };

/// The thread and what it says.
struct Desk {
    handle: Option<Handle>,
    events: Receiver<Event>,
    dir: TempDir,
}

impl Desk {
    fn new(rest_base: String, roots: Roots, places: usize, pace: Pace) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        write_token(&dir.path().join("token"));
        let tokens = TokenSource::File(dir.path().join("token"));
        let (told, events) = sync_channel(places);
        let endpoints = Endpoints { rest_base, roots, allow_plain_loopback: true };
        let handle = Some(spawn(endpoints, tokens, || 77, told, pace).unwrap());
        Desk { handle, events, dir }
    }

    /// A desk that talks in the clear.
    fn plain(rest: &Server) -> Desk {
        Desk::new(format!("http://127.0.0.1:{}", rest.port), Roots::WebPki, EVENTS, PACE)
    }

    /// A desk that believes this authority.
    fn trusting(authority: &Authority, rest: &Server) -> Desk {
        let roots = Roots::Custom(vec![authority.certificate()]);
        Desk::new(format!("https://127.0.0.1:{}", rest.port), roots, EVENTS, PACE)
    }

    fn say(&self, say: Say) {
        self.handle.as_ref().unwrap().say(say);
    }

    /// What is heard next. It never shows the token or the code in the feed's address.
    fn hear(&self) -> Heard {
        let event = self.events.recv_timeout(PATIENCE).unwrap();
        assert_eq!(event.received_ns, 77);
        let mut shown = format!("{event:?} {event:#?} {:?}", self.handle);
        match &event.heard {
            Heard::Down(down) => shown.push_str(&down.to_string()),
            Heard::Candles(CandleReply { result: Err(error), .. }) => {
                shown.push_str(&format!("{error} {error:?}"));
            }
            _ => {}
        }
        assert!(!shown.contains("canary"), "{shown}");
        event.heard
    }

    fn down(&self) -> Down {
        match self.hear() {
            Heard::Down(down) => down,
            other => panic!("{other:?}"),
        }
    }

    fn connect(&self) {
        self.say(Say::Connect);
        let heard = self.hear();
        assert!(matches!(heard, Heard::Up), "{heard:?}");
    }

    /// Nothing is left to hear, and the thread ends.
    fn quit(mut self) {
        drop(self.handle.take());
        let left = self.events.recv_timeout(PATIENCE);
        assert!(left.is_err(), "{left:?}");
        drop(self.dir);
    }
}

fn binary(bytes: &[u8]) -> Message {
    Message::Binary(bytes.to_vec().into())
}

#[test]
fn over_tls_a_day_goes_from_connect_to_close() {
    let authority = Authority::new();
    let tls = Some((&authority, Shows::Right));
    let server = Server::start(tls, 1, |_, stream| {
        Box::pin(async move {
            let mut feed = feed(stream).await;
            feed.send(binary(b"phases")).await.unwrap();
            let asked = feed.next().await.unwrap().unwrap();
            assert_eq!(asked, binary(b"sub"));
            feed.send(Message::Text("{}".into())).await.unwrap();
            feed.send(Message::Ping(vec![1].into())).await.unwrap();
            assert_eq!(feed.next().await.unwrap().unwrap(), Message::Pong(vec![1].into()));
            let code = CloseCode::from(1011);
            let frame = CloseFrame { code, reason: "keepalive\nping timeout".into() };
            feed.close(Some(frame)).await.unwrap();
            while feed.next().await.is_some_and(|message| message.is_ok()) {}
        })
    });
    let rest = rest(tls, 1, authorized("wss", server.port));
    let desk = Desk::trusting(&authority, &rest);
    desk.connect();
    assert!(matches!(desk.hear(), Heard::Frame(bytes) if bytes == b"phases"));
    desk.say(Say::Connect);
    desk.say(Say::Send(b"sub".to_vec()));
    assert!(matches!(desk.hear(), Heard::Text(text) if text == "{}"));
    assert!(matches!(desk.hear(), Heard::Alive));
    let down = desk.down();
    let want = "the feed closed the connection (1011: keepalive ping timeout)";
    assert_eq!(down.to_string(), want);
    assert!(rest.seen().contains(&format!("Bearer {CANARY}")), "the broker gets the token");
    assert!(!server.seen().contains("Bearer"), "the feed does not");
    assert_eq!((rest.join(), server.join()), (1, 1));
    desk.quit();
}

#[test]
fn a_server_that_cannot_prove_who_it_is_never_sees_a_byte() {
    for shows in [Shows::SelfSigned, Shows::Expired, Shows::OtherHost] {
        let authority = Authority::new();
        let rest = rest(Some((&authority, shows)), 1, authorized("wss", 1));
        let desk = Desk::trusting(&authority, &rest);
        desk.say(Say::Connect);
        let down = desk.down();
        let words = down.to_string();
        assert!(matches!(down, Down::Broken(_)) && words.contains("certificate"), "{words}");
        assert_eq!(rest.seen(), "", "{shows:?}");
        assert_eq!(rest.join(), 0, "{shows:?}: it did not get through the handshake");
        desk.quit();
    }
}

/// The feed has a certificate to show as well, and browsers' authorities did not sign ours.
#[test]
fn a_feed_that_cannot_prove_who_it_is_is_not_joined() {
    let authority = Authority::new();
    for shows in [Shows::SelfSigned, Shows::Expired, Shows::OtherHost] {
        let wrong = rest(Some((&authority, shows)), 1, http("500 No", ""));
        let rest = rest(Some((&authority, Shows::Right)), 1, authorized("wss", wrong.port));
        let desk = Desk::trusting(&authority, &rest);
        desk.say(Say::Connect);
        let words = desk.down().to_string();
        assert!(words.contains("certificate"), "{words}");
        assert_eq!((wrong.seen(), wrong.join()), (String::new(), 0), "{shows:?}");
        desk.quit();
    }
    let rest = rest(Some((&authority, Shows::Right)), 1, authorized("wss", 1));
    let base = format!("https://127.0.0.1:{}", rest.port);
    let desk = Desk::new(base, Roots::WebPki, EVENTS, PACE);
    desk.say(Say::Connect);
    assert!(desk.down().to_string().contains("certificate"));
    assert_eq!((rest.seen(), rest.join()), (String::new(), 0));
    desk.quit();
}

#[test]
fn a_token_that_is_not_accepted_is_told_apart() {
    let no = r#"{"errors":[{"errorCode":"UDAPI100050","message":"Invalid token"}]}"#;
    let rest = rest(None, 3, http("401 Unauthorized", no));
    let desk = Desk::plain(&rest);
    let want = Down::Unauthorized("UDAPI100050: Invalid token".to_owned());
    for _ in 0..3 {
        desk.say(Say::Connect);
        assert_eq!(desk.down(), want, "and it may be tried again");
    }
    std::fs::remove_file(desk.dir.path().join("token")).unwrap();
    desk.say(Say::Connect);
    let down = desk.down();
    assert!(matches!(&down, Down::NoToken(why) if why.contains("token cannot be read")), "{down}");
    assert_eq!(rest.join(), 3, "without a token nobody is asked");
    desk.quit();
}

#[test]
fn a_feed_that_says_no_is_told_apart() {
    let server = Server::start(None, 3, |number, mut stream| {
        let status = ["401 Unauthorized", "403 Forbidden", "302 Found"][number];
        Box::pin(async move { answer(&mut stream, &http(status, "")).await })
    });
    let rest = rest(None, 3, authorized("ws", server.port));
    let desk = Desk::plain(&rest);
    let mut downs = Vec::new();
    for _ in 0..3 {
        desk.say(Say::Connect);
        downs.push(desk.down());
    }
    let refused = |status| Down::Refused { status, why: "from the feed".to_owned() };
    let unauthorized = Down::Unauthorized("401 from the feed".to_owned());
    assert_eq!(downs, [unauthorized, refused(403), refused(302)]);
    assert_eq!((rest.join(), server.join()), (3, 3), "a new address for each");
    desk.quit();
}

#[test]
fn an_address_in_the_clear_or_none_at_all_is_not_gone_to() {
    for url in [format!("ws://example.org/?code={CANARY}"), CANARY.to_owned()] {
        let said = format!(r#"{{"data":{{"authorized_redirect_uri":"{url}"}}}}"#);
        let rest = rest(None, 1, http("200 OK", &said));
        let desk = Desk::plain(&rest);
        desk.say(Say::Connect);
        let words = desk.down().to_string();
        assert!(words.starts_with("the feed's address is "), "{words}");
        rest.join();
        desk.quit();
    }
    let (told, _events) = sync_channel(1);
    let plain = Endpoints { rest_base: "http://example.org".to_owned(), ..Endpoints::upstox() };
    let tokens = TokenSource::Variable("CARGO_PKG_NAME");
    let error = spawn(plain, tokens, || 0, told, PACE).unwrap_err();
    assert!(matches!(error, SpawnError::Endpoint(EndpointError::Plain)), "{error}");
}

#[test]
fn what_hangs_up_or_talks_too_much_is_broken() {
    let server = Server::start(None, 2, |number, stream| {
        Box::pin(async move {
            let mut feed = feed(stream).await;
            if number == 0 {
                return;
            }
            // It may hang up on us before we are done.
            let _ = feed.send(binary(&vec![0; PIECE_MAX + 1])).await;
        })
    });
    let rest = rest(None, 2, authorized("ws", server.port));
    let desk = Desk::plain(&rest);
    let mut words = Vec::new();
    for _ in 0..2 {
        desk.connect();
        words.push(desk.down().to_string());
    }
    insta::assert_snapshot!(words.join("\n"), @r"
    the connection to the feed broke: Connection reset without closing handshake
    the connection to the feed broke: Message too long: 1048577 > 1048576
    ");
    assert_eq!((rest.join(), server.join()), (2, 2));
    desk.quit();
}

#[test]
fn a_quiet_connection_is_asked_whether_it_lives() {
    let server = Server::start(None, 1, |_, stream| {
        Box::pin(async move {
            let mut feed = feed(stream).await;
            for _ in 0..3 {
                let message = feed.next().await.unwrap().unwrap();
                assert!(message.is_ping(), "{message:?}");
            }
            while feed.next().await.is_some_and(|message| message.is_ok()) {}
        })
    });
    let rest = rest(None, 1, authorized("ws", server.port));
    let pace = Pace { ping: Duration::from_millis(5), ..PACE };
    let base = format!("http://127.0.0.1:{}", rest.port);
    let desk = Desk::new(base, Roots::WebPki, EVENTS, pace);
    desk.connect();
    for _ in 0..3 {
        assert!(matches!(desk.hear(), Heard::Alive), "the pong");
    }
    desk.say(Say::Disconnect);
    while !matches!(desk.hear(), Heard::Down(Down::Told)) {}
    assert_eq!((rest.join(), server.join()), (1, 1));
    desk.quit();
}

#[test]
fn who_listens_slowly_loses_nothing_and_can_still_leave() {
    let server = Server::start(None, 1, |_, stream| {
        Box::pin(async move {
            let mut feed = feed(stream).await;
            for number in 0..200_u8 {
                feed.send(binary(&[number])).await.unwrap();
            }
            while feed.next().await.is_some_and(|message| message.is_ok()) {}
        })
    });
    let rest = rest(None, 1, authorized("ws", server.port));
    let base = format!("http://127.0.0.1:{}", rest.port);
    let desk = Desk::new(base, Roots::WebPki, 2, PACE);
    desk.connect();
    for number in 0..100_u8 {
        assert!(matches!(desk.hear(), Heard::Frame(bytes) if bytes == [number]), "{number}");
    }
    // A hundred are left for two places, and nobody takes them.
    let Desk { handle, .. } = desk;
    drop(handle);
    assert_eq!((rest.join(), server.join()), (1, 1));
}

#[test]
fn a_connection_on_the_way_can_be_given_up() {
    let (reached, reaches) = sync_channel(1);
    let leaves = Arc::new(Notify::new());
    let left = Arc::clone(&leaves);
    let rest = Server::start(None, 1, move |_, mut stream| {
        let (reached, left) = (reached.clone(), Arc::clone(&left));
        Box::pin(async move {
            stream.read_u8().await.unwrap();
            reached.send(()).unwrap();
            // No answer.
            left.notified().await;
        })
    });
    let desk = Desk::plain(&rest);
    desk.say(Say::Disconnect);
    desk.say(Say::Send(b"dropped".to_vec()));
    desk.say(Say::Connect);
    reaches.recv_timeout(PATIENCE).unwrap();
    desk.say(Say::Disconnect);
    assert_eq!(desk.down(), Down::Told);
    // The call still hangs; nobody waits for it.
    desk.quit();
    leaves.notify_one();
    rest.join();
}

fn wish(id: u64, what: CandleSpan) -> Say {
    Say::Fetch(CandleRequest { id, key: "NSE_EQ|INE245A01021".to_owned(), what })
}

fn row(time: &str) -> String {
    let body = format!(r#"{{"data":{{"candles":[["{time}:00+05:30",5,5,5,5,1,0]]}}}}"#);
    http("200 OK", &body)
}

#[test]
fn minutes_are_fetched_month_by_month_and_a_no_is_an_answer() {
    let rest = Server::start(None, 5, |number, mut stream| {
        let said = [
            row("2026-01-30T09:15"),
            row("2026-02-27T09:15"),
            row("2026-03-02T09:15"),
            http("429 Too Many Requests", ""),
            row("2026-11-24T09:15"),
        ][number]
            .clone();
        Box::pin(async move { answer(&mut stream, &said).await })
    });
    let desk = Desk::plain(&rest);
    let day = |text| Date::parse(text).unwrap();
    let span = CandleSpan::Historical { first: day("2026-01-15"), last: day("2026-03-02") };
    let backwards = CandleSpan::Historical { first: day("2026-03-02"), last: day("2026-01-15") };
    desk.say(wish(1, span));
    desk.say(wish(2, span));
    desk.say(wish(3, CandleSpan::Intraday));
    desk.say(wish(4, backwards));
    let mut heard = Vec::new();
    for _ in 0..4 {
        let Heard::Candles(reply) = desk.hear() else { panic!("not minutes") };
        let times = reply.result.map(|candles| {
            let times = candles.minutes.iter().map(|minute| minute.open_time.to_string());
            times.collect::<Vec<_>>().join(" ")
        });
        heard.push(match times {
            Ok(times) => format!("{}: [{times}]", reply.request.id),
            Err(error) => format!("{}: {error}", reply.request.id),
        });
    }
    insta::assert_snapshot!(heard.join("\n"), @r"
    1: [2026-01-30T09:15 2026-02-27T09:15 2026-03-02T09:15]
    2: the broker was asked too often (no reason given); ask again later
    3: [2026-11-24T09:15]
    4: []
    ");
    let seen = rest.seen();
    let asked: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix("GET ")).collect();
    insta::assert_snapshot!(asked.join("\n"), @r"
    /v3/historical-candle/NSE_EQ%7CINE245A01021/minutes/1/2026-01-31/2026-01-15 HTTP/1.1
    /v3/historical-candle/NSE_EQ%7CINE245A01021/minutes/1/2026-02-28/2026-02-01 HTTP/1.1
    /v3/historical-candle/NSE_EQ%7CINE245A01021/minutes/1/2026-03-02/2026-03-01 HTTP/1.1
    /v3/historical-candle/NSE_EQ%7CINE245A01021/minutes/1/2026-01-31/2026-01-15 HTTP/1.1
    /v3/historical-candle/intraday/NSE_EQ%7CINE245A01021/minutes/1 HTTP/1.1
    ");
    assert_eq!(rest.join(), 5);
    desk.quit();
}
