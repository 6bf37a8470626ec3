//! A token that is a canary: every command that has it is run in every way that works or fails, and
//! then everything that it printed or wrote is searched. And no server gets to see it that cannot
//! prove who it is.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lockstep::sources::upstox::token::{Token, TokenSource};

use crate::desk::{Desk, Ran, TATA};
use crate::tls::{Authority, Server, Shows};

const CANARY: &str = "CANARY-9f3e51c7d0a84b26";
/// Two sessions of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-04\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n";
const VARIABLE: &str = "LOCKSTEP_UPSTOX_TOKEN";

/// A desk with the canary in the file `token`, readable by its owner alone, and with everything
/// switched on that makes programs talk.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk.write("token", format!("{CANARY}\n"));
    private(&desk.at("token"));
    desk.env = vec![("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("PATH", "/usr/bin:/bin")];
    desk
}

fn private(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|it| it == word.as_bytes())
}

/// Files below `dir` that have the word in them, the token's own file aside.
fn files_with(dir: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, word));
        } else if path.file_name().unwrap() != "token" && has(&fs::read(&path).unwrap(), word) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn is_silent(ran: &Ran) {
    assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "it was printed");
}

/// What `/proc` shows of a process.
fn proc_file(child: &Child, name: &str) -> Vec<u8> {
    fs::read(format!("/proc/{}/{name}", child.id())).unwrap()
}

/// Each way over the protocol: smooth, broken, refused, asked too often.
#[test]
fn no_live_run_shows_it_however_it_goes() {
    let ways = [
        ("", 0),
        ("--faults dup=0.05,garbage=0.02,half=0.002", 0),
        ("--faults 401=1", 130),
        ("--faults 403=1", 130),
        ("--observe --faults 429=0.5 --seed 3", 0),
    ];
    for (way, code) in ways {
        let desk = desk();
        let line = format!("live --feed sim:short --token-file token --csv out {way}");
        let ran = desk.run(&line);
        assert_eq!(ran.code, code, "{way}: {}", ran.stderr);
        is_silent(&ran);
        assert_eq!(files_with(&desk.at("runs"), CANARY), Vec::<String>::new(), "{way}");
        assert_eq!(files_with(&desk.at("."), CANARY), Vec::<String>::new(), "{way}");
        let seen = files_with(&desk.at("runs"), TATA);
        // The search finds what is there: the description has the key, and so have raw messages.
        assert!(seen.iter().any(|path| path.contains("/log/")), "{seen:?}");
        assert_eq!(seen.iter().any(|path| path.contains("/raw/")), code == 0, "{seen:?}");
    }
}

/// What a panic prints is what it was given, and where it was: here a token in all its forms. The
/// panic is in a process of its own, which is this test once more.
#[test]
fn no_panic_shows_it_nor_does_its_backtrace() {
    const CHILD: &str = "LOCKSTEP_TEST_PANICS_WITH";
    if let Some(path) = std::env::var_os(CHILD) {
        let source = TokenSource::File(path.into());
        let token = source.read().expect("the file is there");
        assert!(token == Token::of_stand_in(CANARY), "it is the token");
        let (kept, again) = (Some(&token), Ok::<_, ()>((token.clone(), source.clone())));
        let _ = std::panic::catch_unwind(|| again.expect_err("it is there"));
        panic!("with {token:?}, {token:#?}, {kept:?} and {source:?}");
    }
    let (desk, program) = (desk(), std::env::current_exe().unwrap());
    let name = "canary::no_panic_shows_it_nor_does_its_backtrace";
    let mut child = Command::new(program);
    child.args([name, "--exact", "--nocapture"]).env(CHILD, desk.at("token"));
    let out = child.env("RUST_BACKTRACE", "full").output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert_eq!(out.status.code(), Some(101), "{text}");
    assert_eq!(text.matches("panicked at").count(), 2, "{text}");
    assert!(text.contains("stack backtrace:") && text.contains("Token(..)"), "{text}");
    assert!(!text.contains(CANARY), "it was printed");
}

/// A path is in the process list, and never what is in the file.
#[test]
fn no_process_list_shows_it_while_the_run_goes_on() {
    let desk = desk();
    let words = "live --feed sim:short --token-file token --format tape";
    let mut command = desk.command("", &words.split(' ').collect::<Vec<_>>());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    // By then the feed was authorized, and the run waits at its stdout.
    assert_eq!(stdout.lines().take(1_500).filter_map(Result::ok).count(), 1_500);
    let (words, variables) = (proc_file(&child, "cmdline"), proc_file(&child, "environ"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has(&words, "--token-file") && !has(&words, CANARY));
    assert!(has(&variables, "RUST_LOG") && !has(&variables, CANARY));
    assert_eq!(files_with(&desk.at("."), CANARY), Vec::<String>::new());
}

/// The variable is there for this user to see and no one else; nothing carries it further.
#[test]
fn a_token_of_the_environment_is_found_and_not_shown() {
    let mut desk = desk();
    desk.env.push((VARIABLE, CANARY));
    let ran = desk.run("token check");
    let text = format!("{}{}", ran.stdout, ran.stderr);
    is_silent(&ran);
    assert!(text.contains("the variable LOCKSTEP_UPSTOX_TOKEN"), "{text}");
    let ran = desk.run("doctor --offline --json");
    is_silent(&ran);
    assert_eq!(files_with(&desk.at("."), CANARY), Vec::<String>::new());
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_no_byte_of_it() {
    let authority = Authority::new();
    let desk = desk();
    desk.write("ca.pem", authority.pem());
    let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let lines = [
        "token check --ask --token-file token".to_owned(),
        format!("data fetch --symbol {TATA} --from 2024-10-03 --to 2024-10-04 --token-file token"),
    ];
    let bad = [Shows::SelfSigned, Shows::Expired, Shows::OtherHost, Shows::OtherAuthority];
    for shows in bad.into_iter().chain([Shows::Right]) {
        for line in &lines {
            let server = Server::start(&authority, shows, answer);
            let line = format!("{line} --broker {} --broker-roots ca.pem", server.url);
            let ran = desk.run(&line);
            let got = server.got();
            is_silent(&ran);
            assert!(
                !got.wire.is_empty() && !has(&got.wire, CANARY),
                "{shows:?}: never in the clear"
            );
            if shows == Shows::Right {
                assert!(got.said.contains(&format!("Bearer {CANARY}")), "{}", got.said);
                assert!(ran.stderr.contains("does not accept the token"), "{}", ran.stderr);
                assert_eq!(ran.code, 2, "{}", ran.stderr);
            } else {
                assert_eq!(got.said, "", "{shows:?}: {line}");
                assert!(ran.stderr.contains("TLS: "), "{shows:?}: {}", ran.stderr);
                assert_eq!(ran.code, 74, "{shows:?}: {}", ran.stderr);
            }
        }
    }
    assert_eq!(files_with(&desk.at("."), CANARY), Vec::<String>::new());
}

/// Servers like to repeat what they were sent.
#[test]
fn a_no_that_repeats_the_token_is_told_without_it() {
    let authority = Authority::new();
    let desk = desk();
    desk.write("ca.pem", authority.pem());
    for status in
        ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests", "500 Oops", "302 X"]
    {
        let body = format!(
            r#"{{"errors":[{{"errorCode":"{CANARY}","message":"Bearer {CANARY} is bad"}}]}}"#
        );
        let head = format!("location: https://example.org/?t={CANARY}\r\nconnection: close");
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        let server = Server::start(&authority, Shows::Right, &answer);
        let flags = format!("--broker {} --broker-roots ca.pem", server.url);
        let ran = desk.run(&format!("token check --ask --token-file token {flags}"));
        assert!(server.got().said.contains(CANARY));
        is_silent(&ran);
        assert!(ran.code != 0 && ran.stderr.contains("[token]"), "{status}: {}", ran.stderr);
    }
}

/// From the pipe into the keyring, used, and forgotten. Where there is no keyring, that is said.
#[test]
fn the_keyring_takes_it_from_a_pipe_and_shows_it_to_nobody() {
    let desk = desk();
    let account = format!("canary-{}", std::process::id());
    let words = ["token", "set", "--account", &account];
    let mut child = desk
        .command("", &words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{CANARY}\n").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert!(!text.contains(CANARY), "it was printed");
    if out.status.code() == Some(2) {
        assert!(text.contains("there is no keyring to use here"), "{text}");
        assert!(text.contains("--token-file"), "{text}");
        return;
    }
    assert!(text.contains(&format!("kept in the keyring, under {account}")), "{text}");
    let authority = Authority::new();
    desk.write("ca.pem", authority.pem());
    let body = r#"{"data":{"authorized_redirect_uri":"wss://127.0.0.1/?code=canary"}}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Server::start(&authority, Shows::Right, &answer);
    let flags = format!("--account {account} --broker {} --broker-roots ca.pem", server.url);
    let checked = desk.run(&format!("token check --ask {flags}"));
    assert!(server.got().said.contains(&format!("Bearer {CANARY}")));
    is_silent(&checked);
    let checked = checked.expect(0);
    assert!(checked.contains("accepts it") && !checked.contains("code="), "{checked}");
    desk.run(&format!("token forget --account {account}")).expect(0);
    let again = desk.run(&format!("token forget --account {account}"));
    assert_eq!(again.code, 4, "{}", again.stderr);
    let gone = desk.run(&format!("token check --account {account}"));
    assert_eq!(gone.code, 2, "{}", gone.stderr);
    assert!(gone.stderr.contains("`lockstep token set`"), "{}", gone.stderr);
    assert_eq!(files_with(&desk.at("."), CANARY), Vec::<String>::new());
}

#[test]
fn a_token_that_others_can_read_or_that_is_over_is_refused() {
    let desk = desk();
    fs::set_permissions(desk.at("token"), fs::Permissions::from_mode(0o644)).unwrap();
    for line in ["token check --token-file token", "live --feed sim:short --token-file token"] {
        let error = desk.refuses(2, line);
        assert!(error.contains("others can read the token (mode 644)"), "{error}");
    }
    // {"alg":"none"} · {"exp":1700000000} · CANARY, which was good until 2023.
    let over = format!("eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.{CANARY}");
    desk.write("token", &over);
    private(&desk.at("token"));
    let checked = desk.run("token check --token-file token");
    is_silent(&checked);
    let text = checked.expect(2);
    assert!(text.contains("EXPIRED at 2023-11-15T03:43 IST"), "{text}");
    let error = desk.refuses(2, "live --feed sim:short --token-file token");
    assert!(error.contains("is not good any more"), "{error}");
    let ran = desk.run("doctor --offline --token-file token");
    is_silent(&ran);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("EXPIRED"), "{}", ran.stdout);
}

#[test]
fn a_broker_elsewhere_is_not_talked_to() {
    let desk = desk();
    let elsewhere =
        ["http://example.org", "https://api.upstox.example", "http://127.0.0.1@evil.test"];
    for url in elsewhere {
        let error =
            desk.refuses(2, &format!("token check --ask --token-file token --broker {url}"));
        assert!(error.contains("--broker is not on this machine"), "{error}");
    }
    let error = desk.refuses(2, "token set --account a@b");
    assert!(error.contains("letters, digits"), "{error}");
}

/// A stand-in as an archive: what was fetched is what it has, and a second time nothing is asked.
#[test]
fn history_is_fetched_from_an_archive_and_goes_on_where_it_stopped() {
    let desk = desk();
    let case = CASE.replace("warmup_sessions = 1", "warmup_sessions = 8");
    desk.write("replays/long/case.toml", case);
    let words = ["feed", "serve", "long", "--token-file", "token"];
    let mut exchange =
        desk.command("", &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(exchange.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("   Connect") {
        assert_ne!(stdout.read_line(&mut said).unwrap(), 0, "it ended: {said}");
    }
    let url = said.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let fetch = |from: &str, more: &str| {
        let (to, flags) = ("--to 2024-10-01 --token-file token", format!("--broker {url} {more}"));
        desk.run(&format!("data fetch --symbol {TATA} --out h --from {from} {to} {flags}"))
    };
    let first = fetch("2024-09-30", "").expect(0);
    assert!(first.contains("TATAMOTORS: fetched "), "{first}");
    assert!(first.contains("wrote h/NSE_EQ_INE155A01022/2024-10.parquet"), "{first}");
    assert!(first.contains("0 errors"), "{first}");
    let october = fs::read(desk.at("h/NSE_EQ_INE155A01022/2024-10.parquet")).unwrap();
    let more = fetch("2024-09-26", "").expect(0);
    assert!(more.contains("2024-09.parquet") && !more.contains("2024-10.parquet"), "{more}");
    let again = fetch("2024-09-26", "").expect(0);
    assert!(again.contains("is there already"), "{again}");
    let replaced = fetch("2024-10-01", "--replace").expect(0);
    assert!(replaced.contains("replaced, as --replace says"), "{replaced}");
    let same = fs::read(desk.at("h/NSE_EQ_INE155A01022/2024-10.parquet")).unwrap();
    assert!(same == october, "the same answer makes the same file");
    let told = Command::new("kill").args(["-INT", &exchange.id().to_string()]).status();
    assert!(told.unwrap().success());
    let mut stderr = String::new();
    exchange.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    exchange.wait().unwrap();
    assert!(!stderr.contains(CANARY) && !said.contains(CANARY));
    let stored = desk.run("data info h").expect(0);
    assert!(stored.contains("2024-09-26T09:15"), "{stored}");
    let days = "--from 2024-10-01 --to 2024-10-01 --warmup-sessions 3 --no-journal --format json";
    let bars = |data: &str| {
        desk.run(&format!("replay --data {data} --symbols {TATA} {days}")).json(0)["digest"].clone()
    };
    assert!(bars("h").is_string(), "it can be replayed");
    let gone = fetch("2024-09-02", "");
    assert_eq!(gone.code, 74, "{}", gone.stderr);
    assert!(gone.stderr.contains("the same command goes on"), "{}", gone.stderr);
    assert_eq!(files_with(&desk.at("h"), CANARY), Vec::<String>::new());
}

#[test]
fn a_fetch_that_makes_no_sense_is_refused() {
    let desk = desk();
    let fetch = "data fetch --token-file token --out h";
    let error = desk.refuses(2, &format!("{fetch} --symbol NSE_EQ|INE000000000"));
    assert!(error.contains("is not in the instrument master"), "{error}");
    let error = desk.refuses(2, &format!("{fetch} --symbol {TATA} --to 2099-01-01"));
    assert!(error.contains("2099-01-01 is not over"), "{error}");
    let error =
        desk.refuses(4, &format!("{fetch} --symbol {TATA} --from 2024-10-03 --to 2024-10-01"));
    assert!(error.contains("is after"), "{error}");
    let error =
        desk.refuses(2, &format!("{fetch} --symbol {TATA} --from 2019-01-01 --to 2019-02-01"));
    assert!(error.contains("does not list the year 2019"), "{error}");
}
