//! `lockstep live` as a user has it: stopped politely or killed, locked, damaged, taken up again;
//! and the commands that look at what it left.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lockstep::journal::Files;
use lockstep::journal::mark::Mark;
use lockstep::journal::segment::{HEADER_BYTES, Header};

use crate::desk::Desk;

/// Two sessions of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-04\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n";
const LIVE: &str = "live --feed history:short";
const TAPE: &str = "live --feed history:short --format tape";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk
}

fn run_dir(desk: &Desk) -> PathBuf {
    let mut runs = fs::read_dir(desk.at("runs")).unwrap();
    runs.next().expect("there is a run").unwrap().path()
}

fn segment(desk: &Desk) -> PathBuf {
    let log = fs::read_dir(run_dir(desk).join("log")).unwrap().map(|entry| entry.unwrap().path());
    log.filter(|path| path.extension().is_some_and(|it| it == "evl")).min().unwrap()
}

/// Starts a live run that waits at its stdout, and reads so many events of it.
fn begun(desk: &Desk, events: usize) -> (Child, BufReader<std::process::ChildStdout>, Vec<String>) {
    let mut command = desk.command("", &TAPE.split(' ').collect::<Vec<_>>());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut lines = Vec::new();
    for _ in 0..events {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        lines.push(line.trim_end().to_owned());
    }
    (child, stdout, lines)
}

/// Leaves a live run in the middle.
fn killed(desk: &Desk) {
    let (mut child, rest, _) = begun(desk, 700);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(rest);
}

fn digest_of_replay(desk: &Desk) -> String {
    let words = "replay --case short --no-journal --symbols NSE_EQ|INE155A01022 --format json";
    desk.run(words).json(0)["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_live_run_is_durable_and_ends_like_its_replay() {
    let desk = desk();
    let text = desk.run(LIVE).expect(0);
    assert!(text.contains("PAPER"), "{text}");
    let verified = desk.run(&format!("verify {} --format json", run_dir(&desk).display())).json(0);
    assert_eq!(verified["digest"], digest_of_replay(&desk).as_str());
    let again = desk.run(LIVE);
    assert_eq!((again.code, again.stdout.as_str()), (2, ""));
    let said = "error: the run has ended, nothing can be added to it";
    assert!(again.stderr.contains(said), "{}", again.stderr);
}

#[test]
fn killed_it_goes_on_and_what_was_said_is_there() {
    let desk = desk();
    let (mut child, rest, mut said) = begun(&desk, 700);
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(rest.lines().map(Result::unwrap));
    let again = desk.run(TAPE).expect(0);
    let first: u64 = again.split([' ', '.']).next().unwrap().parse().unwrap();
    let last: u64 = said.last().unwrap().split([' ', '.']).next().unwrap().parse().unwrap();
    assert!(first > last, "nothing is said twice");
    let cat = desk.run(&format!("journal cat {}", run_dir(&desk).display())).expect(0);
    let recorded: Vec<&str> = cat.lines().collect();
    assert!(said.iter().all(|line| recorded.contains(&line.as_str())));
    let verified = desk.run(&format!("verify {} --format json", run_dir(&desk).display())).json(0);
    assert_eq!(verified["digest"], digest_of_replay(&desk).as_str());
}

#[test]
fn told_to_stop_it_says_so_and_goes_on_from_its_checkpoint() {
    let desk = desk();
    // The pipe is full long before the run is over, so it is there to be told.
    let (mut child, mut rest, _) = begun(&desk, 50);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    std::io::copy(&mut rest, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = desk.run(LIVE).expect(0);
    assert!(text.contains("Taken up"), "{text}");
    assert!(text.contains("core from the checkpoint at"), "{text}");
}

#[test]
fn a_second_one_is_told_who_holds_the_lock() {
    let desk = desk();
    let (mut child, rest, _) = begun(&desk, 50);
    let refused = desk.run(LIVE);
    assert_eq!((refused.code, refused.stdout.as_str()), (73, ""));
    assert!(refused.stderr.contains(&format!("process {}", child.id())), "{}", refused.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(rest);
    desk.run(LIVE).expect(0);
}

#[test]
fn recover_says_what_it_does_and_does_it_once() {
    let desk = desk();
    killed(&desk);
    let path = segment(&desk);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let torn = end.next_multiple_of(8) + 64;
    bytes[torn..torn + 9].copy_from_slice(b"torn here");
    fs::write(&path, &bytes).unwrap();
    let run = run_dir(&desk).display().to_string();

    let verified = desk.run(&format!("verify {run}"));
    assert_eq!(verified.code, 3, "a run that is not over is never passed off as whole");
    let before = desk.listing();
    let dry = desk.run(&format!("journal recover {run} --dry-run")).expect(0);
    assert!(dry.contains("not changed, would go on at input"), "{dry}");
    assert_eq!(desk.listing(), before);
    let done = desk.run(&format!("journal recover {run} --format json")).json(0);
    assert!(done["torn"]["bytes"].as_u64().unwrap() >= 9);
    assert!(done["done"]["quarantined"].as_str().unwrap().ends_with(".torn"));
    assert_eq!(fs::read(&path).unwrap(), bytes, "the torn file is as it was");
    let again = desk.run(&format!("journal recover {run}")).expect(0);
    assert!(again.contains("nothing to do, goes on at input"), "{again}");
    desk.run(LIVE).expect(0);
    let verified = desk.run(&format!("verify {run} --format json")).json(0);
    assert_eq!(verified["digest"], digest_of_replay(&desk).as_str());
}

#[test]
fn acknowledged_events_that_are_gone_stop_everything() {
    let desk = desk();
    killed(&desk);
    let path = segment(&desk);
    let mut bytes = fs::read(&path).unwrap();
    let header = Header::decode(&bytes[..HEADER_BYTES], &path).unwrap();
    let mark = Mark::read(&Files, path.parent().unwrap(), header.run_id).unwrap().unwrap();
    bytes[mark.offset as usize - 600..].fill(0);
    fs::write(&path, &bytes).unwrap();
    let run = run_dir(&desk).display().to_string();
    for line in [LIVE.to_owned(), format!("journal recover {run}")] {
        let ran = desk.run(&line);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("lost events that were acknowledged"), "{}", ran.stderr);
    }
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was changed");
    assert_eq!(desk.run(&format!("verify {run}")).code, 3);
}

#[test]
fn a_feed_that_is_none_is_refused() {
    let desk = desk();
    let error = desk.refuses(2, "live --feed zerodha");
    assert!(error.contains("sim:CASE"), "{error}");
    let error = desk.refuses(2, "live --feed history:nowhere");
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn states_are_shown_and_two_settings_are_parted_by_them() {
    let desk = desk();
    desk.run("replay --case short --symbols NSE_EQ|INE155A01022").expect(0);
    desk.write("replays/other/case.toml", format!("{CASE}[strategy]\nadx_gate = 24.0\n"));
    desk.run("replay --case other --symbols NSE_EQ|INE155A01022").expect(0);
    let mut runs: Vec<PathBuf> =
        fs::read_dir(desk.at("runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    let [other, short] = [&runs[0], &runs[1]].map(|path| path.display().to_string());
    let shown = desk.run(&format!("journal state {short} --at 700")).expect(0);
    let parts: Vec<&str> = shown.lines().map(|line| line.trim_end()).collect();
    assert_eq!(parts[0], "after input 700");
    let ema = parts.iter().find(|line| line.contains("indicator ema20")).expect("a part");
    assert!(ema.contains("NSE_EQ|INE155A01022"), "{ema}");
    let beyond = desk.run(&format!("journal state {short} --at 99999999"));
    assert_eq!(beyond.code, 4, "{}", beyond.stderr);

    let same = desk.run(&format!("diff {short} {other} --only states --format json"));
    let found = same.json(0);
    assert_eq!(found["settings"][0]["field"], "strategy.config.adx_gate");
    assert_eq!(found["same"], true, "the gate has changed no state in these two days");
}
