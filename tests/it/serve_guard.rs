//! The scanner's server and those who should not change anything: what they are told, what the
//! journal is told of them, and what being reached from elsewhere takes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use lockstep::driver::control::{Kind, notes, pending};
use lockstep::web::remote::{Files, Remote};
use lockstep::web::{Options, serve};
use rustls::pki_types::ServerName;

use crate::desk::Desk;
use crate::serve::{Listener, Stage, options};

#[test]
fn requests_that_go_on_and_on_are_slowed_down_but_for_a_kill() {
    let mut stage = Stage::new();
    stage.tell("09:15 A 100");
    let statuses: Vec<u16> = (0..14).map(|_| stage.post("pause", &[], "{}").status).collect();
    assert_eq!(statuses, [[202; 12].as_slice(), &[429; 2]].concat(), "the clock stands here");
    let over = stage.post("resume", &[], "{}");
    assert_eq!((over.status, over.header("retry-after")), (429, Some("2")));
    assert_eq!(stage.post("kill", &[], "{}").status, 202, "nobody uses up a kill's share");
    let asked = pending(&stage.control()).unwrap();
    assert_eq!((asked.len(), asked[12].kind), (13, Kind::Kill));
}

#[test]
fn whoever_knocks_without_end_is_not_heard_any_more_and_others_are() {
    let mut stage = Stage::new();
    stage.tell("09:15 A 100");
    let knock = || stage.post("kill", &[("origin", "https://evil.test")], "{}").status;
    let statuses: Vec<u16> = (0..45).map(|_| knock()).collect();
    assert_eq!(statuses, [[403; 40].as_slice(), &[429; 5]].concat());
    assert_eq!(stage.serving.refused(), 45);
    assert_eq!(stage.post("kill", &[], "{}").status, 202);
    assert_eq!(stage.get("/scanner").status, 200);
}

/// What notes say was refused, by reason. Those who come within a moment share a note, and what a
/// moment is depends on the machine, so notes are added up.
fn reasons<'a>(notes: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::new();
    for note in notes {
        let (all, listed) = note
            .split_once("the scanner refused ")
            .and_then(|(_, rest)| rest.split_once(", nothing changed: "))
            .unwrap_or_else(|| panic!("{note}"));
        let all: u64 = all.split(' ').next().unwrap().parse().unwrap();
        let counted = listed.trim_end_matches('"').split(", ").map(|one| {
            let (reason, count) = one.rsplit_once(' ').unwrap_or_else(|| panic!("{note}"));
            let count: u64 = count.parse().unwrap_or_else(|_| panic!("{note}"));
            *reasons.entry(reason.to_owned()).or_default() += count;
            count
        });
        assert_eq!(counted.sum::<u64>(), all, "{note}");
    }
    reasons
}

fn by_reason<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect()
}

/// The notes that wait, once they tell of so many refusals. The server's signs of life are the
/// clock: there is one every two seconds, and notes come five seconds apart.
fn noted(control: &Path, addr: SocketAddr, refusals: u64) -> BTreeMap<String, u64> {
    let mut listener = Listener::at(addr, None);
    for _ in 0..60 {
        let notes = notes(control).unwrap();
        let reasons = reasons(notes.iter().map(|(_, text)| text.as_str()));
        if reasons.values().sum::<u64>() >= refusals {
            return reasons;
        }
        listener.beat();
    }
    panic!("no note of {refusals} refusals came in two minutes");
}

#[test]
fn refusals_become_notes_for_the_journal() {
    let stage = Stage::new();
    stage.post("kill", &[("origin", "https://evil.test")], "{}");
    stage.post("kill", &[("x-lockstep-token", "")], "{}");
    stage.get("/api/v1/control/kill");
    let noted = noted(&stage.control(), stage.serving.addr, 3);
    assert_eq!(noted, by_reason([("origin", 1), ("token", 1), ("method", 1)]));
}

/// Sends a request as it stands and gives the status.
fn raw(addr: &str, request: &str) -> u16 {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// The whole way: a run that is lived, its own scanner, and six who try.
#[test]
fn six_ways_to_kill_a_run_from_elsewhere_are_refused_and_journalled() {
    let desk = Desk::new();
    let case = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-04\"\n\
        warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n";
    desk.write("replays/short/case.toml", case);
    let words: Vec<&str> = "live --feed sim:short --format tape --port 0".split(' ').collect();
    let mut child = desk.command("", &words);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut tape = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let scanner = said.find_map(|line| {
        line.unwrap().strip_prefix("scanner: http://").map(|url| url.replace("/scanner", ""))
    });
    let addr = scanner.expect("it says where the scanner is");
    // The run waits at its stdout from here on.
    tape.by_ref().take(5).for_each(drop);
    let page =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    let port = addr.rsplit(':').next().unwrap();
    let post = |host: &str, origin: &str, kind: &str, token: &str| {
        format!(
            "POST /api/v1/control/kill HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\
             content-type: {kind}\r\n{token}content-length: 2\r\nconnection: close\r\n\r\n{{}}"
        )
    };
    let (own, json) = (format!("http://{addr}"), "application/json");
    let old = format!("x-lockstep-token: {}\r\n", "0".repeat(64));
    assert_eq!(raw(&addr, &post(&addr, "https://evil.test", json, &old)), 403, "foreign origin");
    assert_eq!(raw(&addr, &post("evil.test", &own, json, &old)), 403, "wrong host");
    let rebound = format!("evil.test:{port}");
    let origin = format!("http://{rebound}");
    assert_eq!(raw(&addr, &post(&rebound, &origin, json, &old)), 403, "a name bound anew");
    assert_eq!(raw(&addr, &post(&addr, &own, json, "")), 401, "no token");
    assert_eq!(raw(&addr, &post(&addr, &own, "text/plain", &old)), 415, "a form");
    assert_eq!(raw(&addr, &page("/api/v1/control/kill")), 405, "GET");
    let run = fs::read_dir(desk.at("runs")).unwrap().next().unwrap().unwrap().path();
    let control = run.join("control");
    let addr = addr.parse().unwrap();
    let want =
        by_reason([("host", 2), ("origin", 1), ("token", 1), ("content-type", 1), ("method", 1)]);
    assert_eq!(noted(&control, addr, 6), want, "the scanner leaves notes");
    assert_eq!(pending(&control).unwrap(), [], "nobody asked for anything");
    let mut told = Vec::new();
    for line in tape.map(Result::unwrap).filter(|line| line.contains("the scanner refused")) {
        told.push(line);
        if reasons(told.iter().map(String::as_str)) == want {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(reasons(told.iter().map(String::as_str)), want, "all of it is journalled");
    let stats = desk.run_in("", &["journal", "cat", &run.to_string_lossy()]);
    let journalled = stats.stdout.lines().filter(|line| line.contains("the scanner refused"));
    assert_eq!(reasons(journalled), want, "it is in the journal");
    assert!(!stats.stdout.contains(" command "), "and no command is");
}

/// Certificate, key and token in a folder, and the certificate for whoever checks.
fn papers(dir: &Path) -> (Files, rustls::pki_types::CertificateDer<'static>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["desk.example".to_owned()];
    let cert = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let files =
        Files { cert: dir.join("cert.pem"), key: dir.join("key.pem"), token: dir.join("token") };
    fs::write(&files.cert, cert.pem()).unwrap();
    for (path, text) in [(&files.key, key.serialize_pem()), (&files.token, format!("{TOKEN}\n"))] {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    (files, cert.der().clone())
}

const TOKEN: &str = "a-long-token-of-32-letters-00001";
/// `lockstep:` and the token, in base 64.
const BASIC: &str = "Basic bG9ja3N0ZXA6YS1sb25nLXRva2VuLW9mLTMyLWxldHRlcnMtMDAwMDE=";

#[test]
fn from_elsewhere_nothing_is_seen_without_tls_token_and_the_right_name() {
    let dir = tempfile::tempdir().unwrap();
    let (files, cert) = papers(dir.path());
    let remote = Remote::load(&files, vec!["desk.example".to_owned()]).unwrap();
    let address = "0.0.0.0".parse().unwrap();
    let all = Options { remote: Some(remote), address, ..options(dir.path(), true) };
    let serving = serve(all).unwrap();
    let port = serving.addr.port();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let ask = |text: String| {
        let name = ServerName::try_from("desk.example").unwrap();
        let client = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut stream = rustls::StreamOwned::new(client, stream);
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let get = |host: &str, more: &str| {
        ask(format!("GET /scanner HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n"))
    };
    let own = format!("desk.example:{port}");
    let closed = get(&own, "");
    assert!(closed.starts_with("HTTP/1.1 401"), "{closed}");
    assert!(closed.contains("www-authenticate: Basic realm=\"lockstep\""), "{closed}");
    assert!(!closed.contains("lockstep-token"), "nothing of the page is shown");
    let wrong = get(&own, &format!("authorization: {}\r\n", BASIC.replace("bG9j", "bG9k")));
    assert!(wrong.starts_with("HTTP/1.1 401"));
    let basic = format!("authorization: {BASIC}\r\n");
    assert!(get(&own, &basic).starts_with("HTTP/1.1 200"));
    assert!(get(&own, &format!("authorization: Bearer {TOKEN}\r\n")).starts_with("HTTP/1.1 200"));
    assert!(get(&format!("evil.test:{port}"), &basic).starts_with("HTTP/1.1 403"));
    let post = |origin: &str| {
        ask(format!(
            "POST /api/v1/control/kill HTTP/1.1\r\nhost: {own}\r\norigin: {origin}\r\n{basic}\
             content-type: application/json\r\nx-lockstep-token: {}\r\ncontent-length: 2\r\n\
             connection: close\r\n\r\n{{}}",
            serving.token
        ))
    };
    assert!(post(&format!("http://{own}")).starts_with("HTTP/1.1 403"), "not over TLS");
    assert!(post(&format!("https://{own}")).starts_with("HTTP/1.1 202"));
    let plain = raw(&format!("127.0.0.1:{port}"), "GET / HTTP/1.1\r\nhost: desk.example\r\n\r\n");
    assert_eq!(plain, 0, "there is no answer in the clear");
}

#[test]
fn papers_that_anybody_could_read_let_nobody_in() {
    let dir = tempfile::tempdir().unwrap();
    let (files, _) = papers(dir.path());
    let why = || Remote::load(&files, Vec::new()).unwrap_err().to_string();
    fs::set_permissions(&files.token, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(why().contains("others can read it (mode 644)"), "{}", why());
    fs::set_permissions(&files.token, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&files.token, "short").unwrap();
    assert!(why().contains("at least 24") && !why().contains("short"), "{}", why());
    fs::write(&files.token, TOKEN).unwrap();
    fs::write(&files.cert, "no certificate").unwrap();
    assert!(why().contains("cert.pem"), "{}", why());
    let desk = Desk::empty();
    desk.write("runs/x/log/note", "");
    let error = desk.refuses(2, "serve runs/x --tls-cert cert.pem");
    assert!(error.contains("--tls-key"), "{error}");
}
