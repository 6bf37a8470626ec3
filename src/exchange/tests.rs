//! A client over real sockets on loopback.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::faults::Faults;
use super::fixture::{BSE, TATA, at, decoded, last, ltpc, market, minutes, played, short, trades};
use super::frames::{Frames, Sent};
use super::market::Market;
use super::pace::Speed;
use super::server::{Options, Play, ServeError, Serving, serve};
use super::ticker::Mode;
use crate::domain::time::Timestamp;
use crate::sources::upstox::proto::Type;

const AUTHORIZE: &str = "/v3/feed/market-data-feed/authorize";

type Log = Arc<Mutex<Vec<String>>>;

/// A clock that stands still; at the speed `max` nobody looks at it.
fn no_clock() -> i64 {
    0
}

fn options(market: &Arc<Market>, faults: &str) -> (Options, Log) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let options = Options {
        play: Play::Market(Arc::clone(market)),
        port: 0,
        speed: Speed::Max,
        from: None,
        faults: Faults::parse(faults).unwrap(),
        seed: 5,
        token: None,
        clock: no_clock,
        log: Box::new(move |line| told.lock().unwrap().push(line.to_owned())),
    };
    (options, log)
}

fn open(market: &Arc<Market>, faults: &str) -> Serving {
    serve(options(market, faults).0).unwrap()
}

/// What the exchange answers over HTTP.
fn get(serving: &Serving, path: &str, token: &str) -> (u16, Value) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let request = agent.get(format!("{}{path}", serving.url()));
    let mut response = request.header("Authorization", format!("Bearer {token}")).call().unwrap();
    let status = response.status().as_u16();
    let location = response.headers().get("location").cloned();
    let body = response.body_mut().read_to_string().unwrap();
    let value = serde_json::from_str(&body).unwrap_or(Value::Null);
    (status, location.map_or(value, |it| json!(it.to_str().unwrap())))
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["errors"][0]["errorCode"].as_str().unwrap())
}

/// An address that opens the feed once.
fn address(serving: &Serving) -> String {
    loop {
        let (status, body) = get(serving, AUTHORIZE, &serving.token);
        match status {
            200 => return body["data"]["authorized_redirect_uri"].as_str().unwrap().to_owned(),
            _ => assert_eq!(status, 429, "{body}"),
        }
    }
}

/// Somebody on the line.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// How a line ended: with that close code, or without a word.
type End = Option<u16>;

impl Client {
    async fn connect(serving: &Serving) -> Client {
        Client(connect_async(address(serving)).await.unwrap().0)
    }

    async fn ask(&mut self, method: &str, mode: Option<&str>, keys: &[&str]) {
        let mut data = json!({"instrumentKeys": keys});
        if let Some(mode) = mode {
            data["mode"] = json!(mode);
        }
        let text = json!({"guid": "a-test", "method": method, "data": data}).to_string();
        self.0.send(Message::Binary(text.into())).await.unwrap();
    }

    /// The next frame, or the end.
    async fn frame(&mut self) -> Result<Bytes, End> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    // The answer goes out with the next read.
                    drop(self.0.next().await);
                    return Err(code);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Every frame to the end.
    async fn all(&mut self) -> (Vec<Bytes>, End) {
        let mut frames = Vec::new();
        loop {
            match self.frame().await {
                Ok(bytes) => frames.push(bytes),
                Err(end) => return (frames, end),
            }
        }
    }
}

fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(story)
}

#[test]
fn an_authorization_takes_the_token_and_opens_once() {
    let serving = open(&short(), "");
    assert_eq!(code(&get(&serving, AUTHORIZE, "other")), (401, "UDAPI100050"));
    let uri = address(&serving);
    assert!(uri.starts_with(&format!("ws://{}/", serving.addr)), "{uri}");
    assert!(!uri.contains(&serving.token));
    let refused = |uri: String| match run(connect_async(uri)) {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    };
    drop(run(connect_async(uri.clone())).unwrap());
    assert_eq!(refused(uri.clone()), 403, "a code is good once");
    assert_eq!(refused(uri.replace("code=", "code=0")), 403);
    let (status, location) = get(&serving, "/v3/feed/market-data-feed", &serving.token);
    assert_eq!(status, 302);
    drop(run(connect_async(location.as_str().unwrap())).unwrap());
}

#[test]
fn refusals_are_those_of_the_api() {
    let serving = open(&short(), "401=1");
    assert_eq!(code(&get(&serving, AUTHORIZE, &serving.token)), (401, "UDAPI100050"));
    let serving = open(&short(), "429=1");
    assert_eq!(code(&get(&serving, AUTHORIZE, &serving.token)), (429, "UDAPI10005"));
    assert_eq!(code(&get(&serving, AUTHORIZE, "other")), (401, "UDAPI100050"));
    assert_eq!(code(&get(&serving, "/v2/feed", &serving.token)), (404, "UDAPI10000"));
}

#[test]
fn the_market_at_full_speed_is_the_history_to_the_last_bar() {
    let market = market();
    let (options, log) = options(&market, "");
    let serving = serve(options).unwrap();
    let (frames, end) = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA, BSE]).await;
        client.all().await
    });
    assert_eq!(end, Some(1000));
    assert_eq!(decoded(&frames[0]).r#type(), Type::MarketInfo);
    let snapshot = decoded(&frames[1]);
    assert_eq!(snapshot.r#type(), Type::InitialFeed);
    assert_eq!(snapshot.feeds.keys().collect::<Vec<_>>(), [BSE, TATA]);
    assert_eq!(minutes(&trades(&frames)), played(&market));
    let log = log.lock().unwrap();
    assert!(log.contains(&"connection 1: sub full, 2 keys, 0 unknown".to_owned()), "{log:?}");
    assert!(log.iter().all(|line| !line.contains(&serving.token)));
}

#[test]
fn what_cannot_be_heard_is_ignored_and_what_is_not_understood_is_said() {
    let market = short();
    let (options, log) = options(&market, "");
    let serving = serve(options).unwrap();
    run(async {
        let mut client = Client::connect(&serving).await;
        assert_eq!(decoded(&client.frame().await.unwrap()).r#type(), Type::MarketInfo);
        let text = json!({"method": "sub", "data": {"instrumentKeys": [TATA]}}).to_string();
        client.0.send(Message::text(text)).await.unwrap();
        client.ask("sub", Some("full_d30"), &[TATA]).await;
        client.ask("sub", Some("full"), &["NSE_EQ|INE000000000"]).await;
        client.ask("sub", Some("louder"), &[TATA]).await;
        let said = loop {
            match client.0.next().await.unwrap().unwrap() {
                Message::Text(text) => break serde_json::from_str::<Value>(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("nothing is subscribed, but {other:?}"),
            }
        };
        assert_eq!((&said["status"], &said["method"]), (&json!("failed"), &json!("sub")));
        client.ask("sub", None, &[TATA, "NSE_EQ|INE000000000"]).await;
        let snapshot = decoded(&client.frame().await.unwrap());
        assert_eq!(snapshot.feeds.keys().collect::<Vec<_>>(), [TATA]);
        assert_eq!(snapshot.feeds[TATA].request_mode, 0, "ltpc where no mode is named");
    });
    let log = log.lock().unwrap();
    assert!(log.iter().any(|line| line.contains("a text message is ignored")), "{log:?}");
}

#[test]
fn modes_change_and_keys_go_in_the_middle_of_a_day() {
    let market = short();
    let serving = open(&market, "");
    let heard = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA, BSE]).await;
        let mut heard = Vec::new();
        for _ in 0..60 {
            heard.push(client.frame().await.unwrap());
        }
        client.ask("unsub", None, &[BSE]).await;
        client.ask("change_mode", Some("ltpc"), &[TATA, BSE]).await;
        heard.extend(client.all().await.0);
        heard
    });
    let responses: Vec<_> = heard.iter().map(decoded).collect();
    let change = responses.iter().rposition(|it| it.r#type() == Type::InitialFeed).unwrap();
    assert!(change > 60 && change < 60 + 64, "not much was on its way: {change}");
    assert!(responses[..change].iter().any(|it| it.feeds.contains_key(BSE)));
    let after = &responses[change..];
    assert!(after.len() > 20);
    assert!(after.iter().all(|it| it.feeds.keys().all(|key| key == TATA)));
    assert!(after.iter().flat_map(|it| it.feeds.values()).all(|feed| feed.request_mode == 0));
    // Every trade of the whole run is there once at least.
    let mut times: Vec<i64> = responses
        .iter()
        .filter(|it| it.r#type() == Type::LiveFeed)
        .filter_map(|it| it.feeds.get(TATA).map(|feed| ltpc(feed).ltt))
        .collect();
    times.dedup();
    let whole: Vec<Bytes> =
        Frames::new(&market, [TATA], Mode::Full, market.start()).map(|sent| sent.bytes).collect();
    let mut whole: Vec<i64> =
        trades(&whole)[TATA].iter().map(|trade| trade.time.0 / 1_000).collect();
    whole.dedup();
    assert_eq!(times, whole);
}

#[test]
fn the_market_waits_for_whoever_went_away() {
    let market = market();
    let serving = open(&market, "");
    let mut heard: Vec<Bytes> = Vec::new();
    let first = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA, BSE]).await;
        for _ in 0..1_000 {
            heard.push(client.frame().await.unwrap());
        }
        Timestamp(decoded(&heard[999]).current_ts * 1_000)
    });
    // The client is gone without a word; the market is not far ahead of what it read.
    assert!(serving.market_time() <= first.plus_minutes(15), "{first}");
    let (rest, end) = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA, BSE]).await;
        client.all().await
    });
    heard.extend(rest);
    assert_eq!(end, Some(1000));
    assert_eq!(minutes(&trades(&heard)), played(&market));
}

#[test]
fn a_newer_connection_drives_the_market() {
    let serving = open(&short(), "");
    run(async {
        let mut old = Client::connect(&serving).await;
        old.ask("sub", Some("full"), &[TATA]).await;
        old.frame().await.unwrap();
        let mut new = Client::connect(&serving).await;
        assert_eq!(old.all().await.1, Some(1001));
        new.ask("sub", Some("full"), &[TATA]).await;
        assert_eq!(new.all().await.1, Some(1000));
    });
}

#[test]
fn lines_are_cut_and_nothing_is_lost_but_what_the_fault_says() {
    let market = short();
    for (faults, is_whole) in [("disconnect=0.03,429=0.3", true), ("disconnect=1m@0.03", false)] {
        let serving = open(&market, faults);
        let mut heard = Vec::new();
        let mut ends: BTreeMap<End, usize> = BTreeMap::new();
        while !ends.contains_key(&Some(1000)) {
            let (frames, end) = run(async {
                let mut client = Client::connect(&serving).await;
                client.ask("sub", Some("full"), &[TATA, BSE]).await;
                client.all().await
            });
            heard.extend(frames);
            *ends.entry(end).or_default() += 1;
        }
        assert!(ends.len() > 2, "cut with a code and without: {ends:?}");
        assert_eq!(minutes(&trades(&heard)) == played(&market), is_whole, "{faults}");
    }
}

#[test]
fn candles_go_as_far_as_the_market_has_come() {
    let serving = open(&short(), "");
    let key = TATA.replace('|', "%7C");
    let ask = |path: &str| get(&serving, &format!("/v3/historical-candle/{path}"), &serving.token);
    let count = |path: &str| {
        let (status, body) = ask(path);
        assert_eq!(status, 200, "{body}");
        body["data"]["candles"].as_array().unwrap().len()
    };
    let intraday = format!("intraday/{key}/minutes/1");
    assert_eq!(count(&intraday), 0, "it is nine in the morning");
    let range = format!("{key}/minutes/1/2024-10-01/2024-09-30");
    let history = count(&range);
    assert!(history > 0);
    assert_eq!(count(&format!("{key}/minutes/1/2024-10-01")), history);
    let until = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA]).await;
        let mut last = Timestamp::MIN;
        while last < at("2024-10-01T09:19") {
            last = Timestamp(decoded(&client.frame().await.unwrap()).current_ts * 1_000);
        }
        assert!(count(&intraday) >= 3);
        last
    });
    assert!(until < at("2024-10-01T09:20"));
    assert_eq!(count(&range), history, "today is not history");
    let wrong = ask(&format!("{key}/weeks/1/2024-10-01"));
    assert_eq!(code(&wrong), (400, "UDAPI1146"));
    let stranger = get(&serving, &format!("/v3/historical-candle/{intraday}"), "other");
    assert_eq!(code(&stranger), (401, "UDAPI100050"));
}

/// A clock that goes on by a fifth of a millisecond whenever somebody looks.
fn quick_clock() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(0);
    NOW.fetch_add(200, Ordering::Relaxed)
}

#[test]
fn a_market_that_goes_by_itself() {
    let market = short();
    let (options, _) = options(&market, "");
    let options = Options { speed: Speed::Times(100_000), clock: quick_clock, ..options };
    let serving = serve(options).unwrap();
    let (frames, end) = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA, BSE]).await;
        client.all().await
    });
    assert_eq!(end, Some(1000));
    let is_live = |bytes: &&Bytes| decoded(bytes).r#type() == Type::LiveFeed;
    let traded = frames.iter().filter(is_live).find_map(|bytes| {
        decoded(bytes).feeds.values().filter_map(last).map(|last| last.ltt * 1_000).min()
    });
    let since = traded.expect("something is traded");
    // From the next minute on it is all there.
    let since = Timestamp(since).floor_to(60_000_000).plus_minutes(1);
    let (mut heard, mut want) = (minutes(&trades(&frames)), played(&market));
    heard.retain(|(_, minute), _| *minute >= since);
    want.retain(|(_, minute), _| *minute >= since);
    assert!(!want.is_empty());
    assert_eq!(heard, want);
}

#[test]
fn a_recording_is_played_as_it_was() {
    let market = short();
    let sent: Vec<Sent> = Frames::new(&market, [TATA], Mode::Full, market.start()).collect();
    let (recorded, _) = options(&market, "");
    let recorded = Options { play: Play::Recorded(sent.clone().into()), ..recorded };
    let serving = serve(recorded).unwrap();
    let (frames, end) = run(async {
        let mut client = Client::connect(&serving).await;
        client.ask("sub", Some("full"), &[TATA]).await;
        client.all().await
    });
    assert_eq!(end, Some(1000));
    assert!(frames.iter().eq(sent.iter().map(|sent| &sent.bytes)));
    let (empty, _) = options(&market, "");
    let empty = serve(Options { play: Play::Recorded(Vec::new().into()), ..empty });
    assert!(matches!(empty.err(), Some(ServeError::Empty)));
}

#[test]
fn it_closes_politely_and_gives_its_port_back() {
    let market = short();
    let serving = open(&market, "");
    let port = serving.addr.port();
    let (taken, _) = options(&market, "");
    let error = serve(Options { port, ..taken }).err().unwrap().to_string();
    assert!(error.starts_with(&format!("listen on 127.0.0.1:{port}")), "{error}");
    run(async {
        let mut client = Client::connect(&serving).await;
        client.frame().await.unwrap();
        // It waits for the client's answer, which takes the client.
        let closing = std::thread::spawn(|| serving.stop());
        assert_eq!(client.all().await.1, Some(1001));
        closing.join().unwrap();
    });
}
