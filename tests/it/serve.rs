//! The scanner's server as a browser and as its enemies meet it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use lockstep::domain::event::{Derived, Event, Record};
use lockstep::domain::time::Timestamp;
use lockstep::driver::control::{Kind, pending};
use lockstep::journal::writer::Stamp;
use lockstep::journal::{Identity, Setup, Writer};
use lockstep::web::{Mode, Options, Serving, serve};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::world::World;

/// A run that is written while it is served.
pub struct Stage {
    pub dir: tempfile::TempDir,
    pub world: World,
    pub writer: Writer,
    pub serving: Serving,
}

/// A writer whose batches can be read as soon as they are settled.
pub fn writer(run_dir: &Path, world: &World) -> Writer {
    let identity = Identity::of_replay(&world.run).unwrap();
    let still = || Stamp { wall_ns: 1, mono_ns: 1, boot_id: [0; 16] };
    Writer::begin(&Setup::durable(run_dir, identity, still)).unwrap()
}

fn noon() -> Timestamp {
    Timestamp(1_700_000_000_000_000)
}

pub fn options(run_dir: &Path, control: bool) -> Options {
    Options {
        run_dir: run_dir.to_path_buf(),
        address: "127.0.0.1".parse().unwrap(),
        port: 0,
        mode: Mode::Paper,
        control: control.then(|| run_dir.join("control")),
        remote: None,
        clock: noon,
    }
}

impl Stage {
    pub fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = dir.path().join("live-small");
        let world = World::new();
        let writer = writer(&run_dir, &world);
        let serving = serve(options(&run_dir, true)).unwrap();
        Stage { dir, world, writer, serving }
    }

    pub fn control(&self) -> std::path::PathBuf {
        self.dir.path().join("live-small/control")
    }

    /// Writes what comes of these lines, and gives the position after them.
    pub fn tell(&mut self, story: &str) -> u64 {
        let records = self.world.journal(story);
        records.iter().for_each(|record| write(&mut self.writer, record));
        self.writer.settle(true).unwrap();
        records.last().unwrap().id.seq
    }

    pub fn get(&self, path: &str) -> Answer {
        ask(&self.serving, "GET", path, &[], "")
    }

    /// The state once the server has read up to there.
    pub fn state_at(&self, position: u64) -> Value {
        let mut stream = Listener::open(&self.serving, None);
        while stream.next().0 != Some(position) {}
        self.get("/api/v1/state").json()["state"].clone()
    }

    pub fn post(&self, kind: &str, change: &[(&str, &str)], body: &str) -> Answer {
        let origin = format!("http://{}", self.serving.addr);
        let mut headers = vec![
            ("origin", origin.as_str()),
            ("content-type", "application/json"),
            ("x-lockstep-token", self.serving.token.as_str()),
        ];
        for (name, value) in change {
            headers.retain(|(had, _)| had != name);
            headers.push((name, value));
        }
        headers.retain(|(_, value)| !value.is_empty());
        ask(&self.serving, "POST", &format!("/api/v1/control/{kind}"), &headers, body)
    }
}

pub fn write(writer: &mut Writer, record: &Record) {
    match &record.event {
        Event::Input(input) => writer.input(record.id.seq, record.received_ns, input),
        Event::Output(output) => {
            let derived = Derived { cause: record.cause, output: output.clone() };
            writer.output(record.id.seq, record.id.index, &derived)
        }
    }
    .unwrap();
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(had, _)| had.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request, with these headers besides (or instead of) the right host.
pub fn ask(
    serving: &Serving,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = connect(serving.addr);
    let own = serving.addr.to_string();
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += &format!("host: {own}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if method == "POST" {
        text += &format!("content-length: {}\r\n", body.len());
    }
    // Whoever is refused before the end of its body may find the door shut; what counts is the
    // answer.
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// What is known of parity once the comparison has come up to what the table shows. Each answer
/// waits for that, but not for ever: how long it takes is the machine's affair.
pub fn compared(serving: &Serving) -> Value {
    let mut answers = (0..40).map(|_| ask(serving, "GET", "/api/v1/parity", &[], "").json());
    answers.find(|parity| parity["behind"] == 0).expect("the comparison comes up to the table")
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A client of the stream.
pub struct Listener(BufReader<TcpStream>);

impl Listener {
    pub fn open(serving: &Serving, last: Option<u64>) -> Listener {
        Listener::at(serving.addr, last)
    }

    pub fn at(addr: SocketAddr, last: Option<u64>) -> Listener {
        let mut stream = connect(addr);
        let last = last.map_or_else(String::new, |last| format!("last-event-id: {last}\r\n"));
        let text = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {addr}\r\n{last}\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        Listener(BufReader::new(stream))
    }

    /// The next message with an id, and its data.
    pub fn next(&mut self) -> (Option<u64>, Value) {
        let (mut id, mut data) = (None, None);
        // A sign of life comes every two seconds, so nobody waits for ever.
        for _ in 0..200 {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().ok();
            } else if let Some(text) = line.strip_prefix("data: ") {
                data = serde_json::from_str(text).ok();
            } else if line.is_empty() && id.is_some() {
                return (id, data.take().unwrap_or_default());
            }
        }
        panic!("nothing came but signs of life");
    }

    /// The next message that leads away from `position`. Before it there may be word of parity,
    /// which is computed beside all this: at the same position, without events.
    pub fn beyond(&mut self, position: u64) -> (Option<u64>, Value) {
        loop {
            let (id, message) = self.next();
            if id != Some(position) {
                return (id, message);
            }
            assert_eq!(addresses(&message), [""; 0], "nothing happened at {position}");
        }
    }

    /// Waits for a sign of life, which comes after two seconds without news.
    pub fn beat(&mut self) {
        let mut line = String::new();
        while !line.starts_with(": alive") {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
        }
    }
}

pub fn addresses(message: &Value) -> Vec<String> {
    let events = message["events"].as_array().unwrap();
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

pub const QUIET: &str =
    "quiet A 100\n day 2024-10-02\n 09:15-09:28 A 100.50\n 09:29 A 100.50 101 99.50 101";

#[test]
fn the_table_is_the_python_systems_and_knows_whether_it_changed() {
    let mut stage = Stage::new();
    let position = stage.tell(QUIET);
    let position = stage.tell("w 09:30").max(position);
    stage.state_at(position);
    let answer = stage.get("/api/scanner-state");
    let want = json!({
        "success": true,
        "data": [
            {
                "symbol": "A", "trading_symbol": "A", "strategy_id": "pixityAI_meta",
                "strategy_name": "pixityAI_meta", "timeframe": "15m", "current_bias": "BUY",
                "signal_state": "TRIGGERED", "confidence": 0.5,
                "last_bar_ts": "2024-10-02 09:15:00", "status": "RUNNING"
            },
            {
                "symbol": "B", "trading_symbol": "B", "strategy_id": "pixityAI_meta",
                "strategy_name": "pixityAI_meta", "timeframe": "15m", "current_bias": "NEUTRAL",
                "signal_state": "PENDING", "confidence": 0.0, "last_bar_ts": null,
                "status": "RUNNING"
            }
        ],
        "count": 2,
        "updated_at": "2024-10-02T04:00:00Z"
    });
    assert_eq!(answer.json(), want);
    let tag = answer.header("etag").unwrap().to_owned();
    assert!(tag.ends_with(&format!("-{position}\"")), "{tag}");
    let again = |stage: &Stage| {
        ask(&stage.serving, "GET", "/api/scanner-state", &[("if-none-match", &tag)], "")
    };
    let known = again(&stage);
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let position = stage.tell("09:30 A 101");
    stage.state_at(position);
    assert_eq!(again(&stage).status, 200);
}

#[test]
fn the_stream_goes_on_just_where_it_was_left() {
    let mut stage = Stage::new();
    let quiet = stage.tell(QUIET);
    stage.state_at(quiet);
    let mut listener = Listener::open(&stage.serving, None);
    let (first, state) = listener.next();
    assert_eq!(first, Some(quiet));
    assert_eq!(state["rows"].as_array().unwrap().len(), 2);
    let signal = stage.tell("w 09:30");
    let (position, message) = listener.beyond(quiet);
    assert_eq!(position, Some(signal));
    assert_eq!(addresses(&message), [format!("{signal}.3"), format!("{signal}.4")]);
    let rows = message["rows"].as_array().unwrap();
    assert_eq!(rows[0]["signal_state"], "TRIGGERED");
    drop(listener);
    let filled = stage.tell("09:30 A 101.20 101.40 101.10 101.30");
    let over = stage.tell("09:31 A 101.30 101.30 99.95 100");
    stage.state_at(over);
    let mut again = Listener::open(&stage.serving, Some(signal));
    let (position, message) = again.next();
    assert_eq!(position, Some(over));
    let want = [format!("{filled}.1"), format!("{over}.1"), format!("{over}.2")];
    assert_eq!(addresses(&message), want);
    let (_, nothing) = Listener::open(&stage.serving, Some(over)).next();
    assert_eq!((addresses(&nothing).len(), nothing["rows"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_kill_is_asked_in_one_step_and_a_release_is_typed() {
    let mut stage = Stage::new();
    let position = stage.tell("09:15 A 100");
    stage.state_at(position);
    let answer = stage.post("kill", &[], "{\"reason\":\"prices look wrong\"}");
    assert_eq!((answer.status, answer.json()["request"].clone()), (202, json!(1)));
    let waiting = pending(&stage.control()).unwrap();
    assert_eq!((waiting[0].kind, waiting[0].reason.as_str()), (Kind::Kill, "prices look wrong"));
    assert_eq!(stage.post("release", &[], "{}").status, 400);
    assert_eq!(stage.post("release", &[], "{\"confirm\":\"yes\"}").status, 400);
    assert_eq!(pending(&stage.control()).unwrap().len(), 1);
    assert_eq!(stage.post("release", &[], "{\"confirm\":\"release\"}").status, 202);
    assert_eq!(pending(&stage.control()).unwrap()[1].kind, Kind::Release);
}

#[test]
fn whoever_is_not_the_page_changes_nothing() {
    let mut stage = Stage::new();
    let position = stage.tell("09:15 A 100");
    let before = stage.state_at(position);
    let (port, old) = (stage.serving.addr.port(), "0".repeat(64));
    let rebound = format!("evil.test:{port}");
    let large = format!("{{\"reason\":\"{}\"}}", "x".repeat(17 * 1_024));
    type Case<'a> = (&'a str, u16, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        ("a page elsewhere", 403, &[("origin", "https://evil.test")], "{}"),
        ("a page of another port", 403, &[("origin", "http://127.0.0.1:1")], "{}"),
        ("no origin", 403, &[("origin", "")], "{}"),
        ("a sandboxed page", 403, &[("origin", "null")], "{}"),
        ("another site", 403, &[("sec-fetch-site", "cross-site")], "{}"),
        ("another host", 403, &[("host", "evil.test")], "{}"),
        ("a name that was bound anew", 403, &[("host", &rebound)], "{}"),
        ("a proxy's word", 403, &[("host", "evil.test"), ("x-forwarded-host", "localhost")], "{}"),
        ("no token", 401, &[("x-lockstep-token", "")], "{}"),
        ("an old token", 401, &[("x-lockstep-token", &old)], "{}"),
        ("a form", 415, &[("content-type", "text/plain")], "{}"),
        ("no type", 415, &[("content-type", "")], "{}"),
        ("too much", 413, &[], &large),
        ("no JSON", 400, &[], "kill"),
        ("more than is known", 400, &[], "{\"quantity\":1}"),
    ];
    for (who, status, change, body) in cases {
        assert_eq!(stage.post("kill", change, body).status, *status, "{who}");
    }
    let get = stage.get("/api/v1/control/kill");
    assert_eq!((get.status, get.header("allow")), (405, Some("GET, HEAD, POST")));
    assert_eq!(stage.post("sell", &[], "{}").status, 404);
    let host = ask(&stage.serving, "GET", "/api/v1/state", &[("host", &rebound)], "");
    assert_eq!(host.status, 403, "not even reading");
    assert_eq!(pending(&stage.control()).unwrap(), []);
    // Of the whole answer, parity is computed beside all this and may say another word by now.
    assert_eq!(stage.get("/api/v1/state").json()["state"], before);
    assert_eq!(stage.serving.refused(), 14);
    let metrics = stage.get("/metrics").body;
    for line in ["host\"} 4", "origin\"} 5", "token\"} 2", "content-type\"} 2", "method\"} 1"] {
        let line = format!("lockstep_http_refused_total{{reason=\"{line}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

#[test]
fn every_answer_forbids_what_browsers_need_not_do() {
    let stage = Stage::new();
    for path in ["/scanner", "/api/v1/state", "/nothing", "/symbol/A", "/assets/0/app.js"] {
        let answer = stage.get(path);
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
    for path in ["/scanner", "/health"] {
        let body = stage.get(path).body;
        assert!(
            !body.contains("style=") && !body.contains("onclick"),
            "{path} needs no inline code"
        );
    }
}

#[test]
fn only_this_machine_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let all = Options { address: "0.0.0.0".parse().unwrap(), ..options(dir.path(), false) };
    assert!(serve(all).is_err());
    let desk = Desk::empty();
    desk.write("runs/x/log/note", "");
    let error = desk.refuses(2, "serve runs/y");
    assert!(error.contains("found no journal"), "{error}");
}

#[test]
fn a_run_without_a_journal_yet_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let serving = serve(options(dir.path(), false)).unwrap();
    let health = ask(&serving, "GET", "/api/v1/health", &[], "").json();
    assert_eq!((&health["journal"], &health["position"]), (&json!("absent"), &json!(0)));
    let mut world = World::new();
    let mut listener = Listener::open(&serving, None);
    listener.next();
    let mut writer = writer(dir.path(), &world);
    world.journal("09:15 A 100\n w 09:16").iter().for_each(|record| write(&mut writer, record));
    writer.seal().unwrap();
    while listener.next().1["journal"] != "sealed" {}
    let health = ask(&serving, "GET", "/api/v1/health", &[], "").json();
    assert_eq!((&health["journal"], &health["position"]), (&json!("sealed"), &json!(2)));
    serving.stop();
}

#[test]
fn what_a_live_run_measures_is_on_the_page_of_its_health() {
    let dir = tempfile::tempdir().unwrap();
    let serving = serve(options(dir.path(), false)).unwrap();
    let health = || ask(&serving, "GET", "/api/v1/health", &[], "").json();
    assert_eq!(health()["measured"], json!(null));
    fs::write(dir.path().join("health.json"), r#"{"feed": {"gaps": 3}}"#).unwrap();
    assert_eq!(health()["measured"]["feed"]["gaps"], 3);
    let page = ask(&serving, "GET", "/health", &[], "").body;
    assert!(page.contains("measured: feed: gaps"), "{page}");
    serving.stop();
}

#[test]
fn every_page_and_list_is_there() {
    let mut stage = Stage::new();
    stage.tell(QUIET);
    stage.tell("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30");
    let over = stage.tell("09:31 A 101.30 101.30 99.95 100\n w 09:32");
    stage.state_at(over);
    compared(&stage.serving);
    for (path, has) in [
        ("/scanner", "PAPER · no real orders"),
        ("/symbol/A", "Why · bar 2024-10-02 09:15"),
        ("/symbol/B", "There is no such strategy bar yet"),
        ("/symbol/A?bar=2024-10-02T09:15", "BUY TREND"),
        ("/events?kind=fill", "stop"),
        ("/runs", "live-small"),
        ("/runs/live-small", "Equity by day"),
        ("/replay/live-small?at=0&to=signal", "TRIGGERED"),
        ("/replay/live-small?at=3", "data-position=\"3\""),
        ("/health", "following"),
        ("/parity", "data-verdict=\"same\""),
    ] {
        let answer = stage.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(has), "{path} has no {has}\n{}", answer.body);
        assert!(answer.body.contains("PAPER · no real orders"), "{path} says what it is");
    }
    let list = |path: &str| stage.get(path).json();
    let signals = list("/api/v1/signals?key=A");
    assert_eq!((&signals["total"], &signals["data"][0]["kind"]), (&json!(1), &json!("TREND")));
    assert_eq!(list("/api/v1/trades")["data"][0]["reason"], "stop");
    assert_eq!(list("/api/v1/trades")["data"][0]["net"], -602.5);
    let bars = list("/api/v1/bars?key=A&limit=3");
    assert_eq!((&bars["total"], bars["data"].as_array().unwrap().len()), (&json!(26), 3));
    let why = list("/api/v1/symbols/A?bar=2024-10-02T09:15");
    assert_eq!((&why["why"]["signal"], &why["why"]["agrees"]), (&json!("BUY TREND"), &json!(true)));
    assert_eq!(list("/api/v1/parity")["verdict"], "same");
    for path in [
        "/symbol/C",
        "/api/v1/symbols/C",
        "/runs/..",
        "/runs/%2e%2e%2fx",
        "/replay/x",
        "/api/v1/runs/x",
    ] {
        assert_eq!(stage.get(path).status, 404, "{path}");
    }
    for path in [
        "/api/v1/bars",
        "/api/v1/events?kind=x",
        "/api/v1/signals?limit=0",
        "/api/v1/bars?key=A&from=x",
    ] {
        assert_eq!(stage.get(path).status, 400, "{path}");
    }
}

#[test]
fn events_are_paged_in_both_directions_without_a_gap() {
    let mut stage = Stage::new();
    stage.tell(QUIET);
    let last = stage.tell("w 09:30");
    stage.state_at(last);
    let page = |query: &str| stage.get(&format!("/api/v1/events?{query}")).json();
    let ids = |page: &Value| -> Vec<String> { addresses(page) };
    let all = ids(&page("kind=bar-15m&limit=500"));
    assert_eq!(all.len(), 26);
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let part = page(&format!("kind=bar-15m&limit=10&before={before}"));
        paged.extend(ids(&part));
        before = paged.last().unwrap().clone();
        if part["has_more"] == false {
            break;
        }
    }
    assert_eq!(paged, all);
    let mut forward = ids(&page("kind=bar-15m&limit=500&after=0"));
    forward.reverse();
    assert_eq!(forward, all);
}

#[test]
fn parity_is_red_where_the_journal_says_what_the_core_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("live-planted");
    let mut world = World::new();
    let mut records = world.journal(QUIET);
    records.extend(world.journal("w 09:30"));
    let planted = records.iter_mut().find_map(|record| match &mut record.event {
        Event::Output(lockstep::domain::event::Output::Signal(signal)) => Some(signal),
        _ => None,
    });
    planted.unwrap().quantity.0 += 1;
    let mut writer = writer(&run_dir, &world);
    records.iter().for_each(|record| write(&mut writer, record));
    writer.seal().unwrap();
    let serving = serve(options(&run_dir, false)).unwrap();
    let mut listener = Listener::open(&serving, None);
    while listener.next().1["journal"] != "sealed" {}
    let parity = compared(&serving);
    assert_eq!((&parity["verdict"], &parity["steps_differing"]), (&json!("differs"), &json!(1)));
    let lane = &parity["symbols"][0];
    assert_eq!((&lane["symbol"], &lane["differing"]), (&json!("A"), &json!(1)));
    let slot = &lane["bars"][0];
    assert_eq!((&parity["bars"][0], &slot["verdict"]), (&json!("09:15"), &json!("differs")));
    assert_eq!(slot["signal"], "BUY TREND");
    assert_eq!(lane["bars"][1]["verdict"], "not-yet");
    assert_eq!(parity["symbols"][1]["differing"], 0, "only A has another signal");
    let page = ask(&serving, "GET", "/parity", &[], "").body;
    assert!(page.contains("data-verdict=\"differs\""), "{page}");
    assert!(fs::exists(run_dir.join("log")).unwrap());
}

#[test]
fn a_server_that_was_started_again_shows_the_same() {
    let mut stage = Stage::new();
    stage.tell(QUIET);
    let last = stage.tell("w 09:30\n 09:30 A 101.20 101.40 101.10 101.30\n w 09:31");
    stage.state_at(last);
    let paths = ["/api/scanner-state", "/api/v1/signals", "/api/v1/trades", "/api/v1/bars?key=A"];
    let before = paths.map(|path| stage.get(path).body);
    let state = stage.get("/api/v1/state").json()["state"].clone();
    let run_dir = stage.dir.path().join("live-small");
    let again = serve(options(&run_dir, true)).unwrap();
    let mut stream = Listener::open(&again, None);
    while stream.next().0 != Some(last) {}
    assert_eq!(paths.map(|path| ask(&again, "GET", path, &[], "").body), before);
    assert_eq!(ask(&again, "GET", "/api/v1/state", &[], "").json()["state"], state);
    let old = stage.serving.token.clone();
    assert_ne!(old, again.token, "the token is made anew");
}
