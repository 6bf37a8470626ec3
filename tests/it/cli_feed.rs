//! `lockstep feed serve` as a user has it: it says where it is, opens with its token, and ends when
//! it is told to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::desk::{Desk, TATA};

/// One session of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-03\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk
}

/// An exchange that does not outlive its test, whatever becomes of that.
struct Exchange(Child);

impl Drop for Exchange {
    fn drop(&mut self) {
        // It may have ended politely before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts an exchange and reads what it says of itself.
fn opened(desk: &Desk, more: &[&str]) -> (Exchange, BufReader<ChildStdout>, String) {
    serving(desk, &[&["short"], more].concat())
}

fn serving(desk: &Desk, words: &[&str]) -> (Exchange, BufReader<ChildStdout>, String) {
    let mut command = desk.command("", &[&["feed", "serve"], words].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut child = Exchange(child);
    let mut stdout = BufReader::new(child.0.stdout.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains("   Connect") {
        assert_ne!(stdout.read_line(&mut said).expect("it is text"), 0, "it ended: {said}");
    }
    (child, stdout, said)
}

/// Tells it to stop, and returns what went to stderr.
fn closed(mut child: Exchange) -> String {
    let child = &mut child.0;
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(told.expect("there is kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("it is text");
    stderr
}

fn fact<'a>(said: &'a str, label: &str) -> &'a str {
    let line = said.lines().find(|line| line.trim_start().starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no {label} in {said}"));
    line.trim_start()[label.len()..].trim()
}

fn status(url: &str, token: &str) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.get(format!("{url}/v3/feed/market-data-feed/authorize"));
    let response = request.header("Authorization", format!("Bearer {token}")).call();
    response.expect("it answers").status().as_u16()
}

#[test]
fn it_says_where_it_is_and_ends_politely() {
    let desk = desk();
    let (child, _stdout, said) = opened(&desk, &[]);
    let (url, token) = (fact(&said, "Exchange"), fact(&said, "Token"));
    assert_eq!((status(url, token), status(url, "other")), (200, 401));
    assert_eq!(fact(&said, "Keys"), TATA);
    assert!(fact(&said, "Market").contains("from 2024-10-03T09:00 · speed max"), "{said}");
    let stderr = closed(child);
    assert!(stderr.contains("the exchange is closed"), "{stderr}");
    assert!(!stderr.contains(token), "{stderr}");
}

#[test]
fn a_token_is_made_once_and_kept_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk();
    let flags = ["--token-file", "token", "--from", "2024-10-03T11:00", "--faults", "429=1"];
    let (child, _stdout, said) = opened(&desk, &flags);
    let token = desk.read("token");
    assert!(!said.contains(token.trim()), "{said}");
    assert!(said.contains("from 2024-10-03T11:00"), "{said}");
    assert!(said.contains("429=1 · seed 1"), "{said}");
    let mode = std::fs::metadata(desk.at("token")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(status(fact(&said, "Exchange"), token.trim()), 429);
    closed(child);
    let (child, _stdout, _) = opened(&desk, &flags);
    assert_eq!(desk.read("token"), token);
    closed(child);
}

#[test]
fn what_a_run_heard_is_served_again() {
    let desk = desk();
    desk.run("live --feed sim:short").expect(0);
    let run = std::fs::read_dir(desk.at("runs")).expect("runs").next().expect("a run");
    let run = run.expect("an entry").path();
    let run = run.to_str().expect("it is text");
    let (child, _stdout, said) = serving(&desk, &["--recorded", run]);
    let market = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(market.contains("messages of"), "{said}");
    assert!(market.contains("from 2024-10-03T09:00 · speed max"), "{said}");
    assert_eq!(fact(&said, "Keys"), TATA);
    assert_eq!(status(fact(&said, "Exchange"), fact(&said, "Token")), 200);
    closed(child);
}

#[test]
fn what_cannot_be_served_is_refused() {
    let desk = desk();
    desk.write("blank", "\n");
    let error = desk.refuses(2, "feed serve nowhere");
    assert!(error.contains("no such case"), "{error}");
    let error = desk.refuses(2, "feed serve short --token-file blank");
    assert!(error.contains("holds no token"), "{error}");
    let error = desk.refuses(2, "feed serve short --faults drop=0.1,dorp=0.1");
    assert!(error.contains("'dorp=0.1' is no fault"), "{error}");
    let error = desk.refuses(2, "feed serve short --speed fast");
    assert!(error.contains("must be max, 1x, 60x"), "{error}");
    let error = desk.refuses(2, "feed serve short --from 2024-10-03");
    assert!(error.contains("2024-10-01T09:15"), "{error}");
}
