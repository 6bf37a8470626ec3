//! `lockstep live --feed sim:CASE` as a user has it: the broker's protocol over real sockets, from
//! a stand-in exchange inside the same process.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use crate::desk::Desk;

/// Two sessions of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-04\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n\
    [[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n";
const LIVE: &str = "live --feed sim:short";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk
}

fn runs(desk: &Desk) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(desk.at("runs")).unwrap();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    runs
}

fn live_run(desk: &Desk) -> PathBuf {
    let is_live = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("live-");
    runs(desk).into_iter().find(is_live).expect("a live run")
}

/// The live run has the facts of the case's replay.
fn is_like_its_replay(desk: &Desk) {
    desk.run(
        "replay --data replays/sample/data --symbols NSE_EQ|INE155A01022 \
        NSE_EQ|INE118H01025 --from 2024-10-03 --to 2024-10-04 --warmup-sessions 1",
    )
    .expect(0);
    let is_replay =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("data-");
    let replay = runs(desk).into_iter().find(is_replay).expect("a replay");
    let live = live_run(desk);
    let text = desk.run(&format!("diff {} {}", replay.display(), live.display())).expect(0);
    assert!(text.contains("equals"), "{text}");
}

/// Begins, and is killed after so many events.
fn killed_after(desk: &Desk, events: usize) {
    let words: Vec<&str> = "live --feed sim:short --format tape".split(' ').collect();
    let mut child = desk
        .command("", &words)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    assert_eq!(stdout.lines().take(events).filter_map(Result::ok).count(), events);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn two_days_over_the_protocol_are_two_days_of_replay() {
    let desk = desk();
    let text = desk.run(LIVE).expect(0);
    assert!(text.contains("PAPER") && text.contains("connections 1"), "{text}");
    is_like_its_replay(&desk);
    desk.run(&format!("verify {}", live_run(&desk).display())).expect(0);
}

#[test]
fn killed_in_the_middle_of_a_day_it_goes_on_as_if_nothing_had_been() {
    let desk = desk();
    for events in [2_000, 1_500] {
        killed_after(&desk, events);
    }
    let text = desk.run(LIVE).expect(0);
    assert!(text.contains("Taken up"), "{text}");
    is_like_its_replay(&desk);
}

#[test]
fn a_line_that_repeats_and_disorders_changes_nothing() {
    let desk = desk();
    desk.run(&format!("{LIVE} --faults dup=0.1,reorder=900ms@0.2,garbage=0.01 --seed 7")).expect(0);
    is_like_its_replay(&desk);
}

/// The rest of a day is heard whatever was lost, and each bar ends as the replay has it.
#[test]
fn what_a_line_loses_the_archive_has() {
    let desk = desk();
    let text = desk.run(&format!("{LIVE} --faults drop=0.003,half=0.002 --seed 7")).expect(0);
    assert!(text.contains("backfilled"), "{text}");
    let live = live_run(&desk);
    let cat = format!("journal cat {} --kind gap,backfill,session-ended", live.display());
    let tape = desk.run(&cat).expect(0);
    assert!(tape.contains("origin=intraday") && tape.contains("gap "), "{tape}");
    assert_eq!(tape.matches("session-ended").count(), 2, "{tape}");
    desk.run(&format!("verify {}", live.display())).expect(0);
    desk.run(
        "replay --data replays/sample/data --symbols NSE_EQ|INE155A01022 \
        NSE_EQ|INE118H01025 --from 2024-10-03 --to 2024-10-04 --warmup-sessions 1",
    )
    .expect(0);
    let is_replay =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("data-");
    let replay = runs(&desk).into_iter().find(is_replay).expect("a replay");
    let bars = format!("diff {} {} --only bars", replay.display(), live.display());
    let text = desk.run(&bars).expect(0);
    assert!(text.contains("bars_15m 100/100"), "{text}");
}

#[test]
fn a_token_that_is_not_accepted_stops_the_run_and_says_so() {
    let desk = desk();
    let ran = desk.run(&format!("{LIVE} --faults 401=1"));
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("does not accept the token"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the same command goes on"), "{}", ran.stderr);
}

#[test]
fn an_account_that_may_not_listen_stops_the_run_after_three_tries() {
    let desk = desk();
    let ran = desk.run(&format!("{LIVE} --faults 403=1"));
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let words = "the broker answered 403 (UDAPI100073: Client is inactive), 3 times in a row: \
                 the account may not listen to market data, or too many others listen with it";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert!(ran.stderr.contains("the same command goes on"), "{}", ran.stderr);
    let cat = format!("journal cat {} --kind notice", live_run(&desk).display());
    let told = desk.run(&cat).expect(0);
    assert_eq!(told.matches("feed-down - the broker answered 403").count(), 3, "{told}");
    // Somebody who is let in at last goes on from there.
    desk.run(LIVE).expect(0);
}

#[test]
fn a_kill_is_journalled_and_stays_over_restarts_until_it_is_released() {
    let desk = desk();
    killed_after(&desk, 2_000);
    let live = live_run(&desk);
    desk.run("control kill --reason stop").expect(0);
    let refused = desk.run("control release");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("not confirmed"), "{}", refused.stderr);
    let ran = desk.run(LIVE);
    assert!(ran.stderr.contains("stopped: killed at "), "{}", ran.stderr);
    let text = ran.expect(6);
    assert!(text.contains("killed"), "{text}");
    let cat = format!("journal cat {} --kind command,halt,order", live.display());
    let tape = desk.run(&cat).expect(0);
    let after: Vec<&str> = tape.lines().skip_while(|line| !line.contains(" kill")).collect();
    assert!(after.len() > 1, "{tape}");
    assert!(!after.iter().any(|line| line.contains(" entry ")), "{tape}");
    desk.run(&format!("verify {}", live.display())).expect(0);
}

#[test]
fn whoever_observes_places_nothing() {
    let desk = desk();
    let text = desk.run(&format!("{LIVE} --observe")).expect(0);
    assert!(text.contains("observing") && !text.contains("Trades   1"), "{text}");
    let tape = desk.run(&format!("journal cat {} --kind order", live_run(&desk).display()));
    assert_eq!((tape.code, tape.stdout.as_str()), (4, ""), "{}", tape.stderr);
}

#[test]
fn how_it_goes_is_told_at_the_end_and_in_a_file_meanwhile() {
    let desk = desk();
    let text = desk.run(&format!("{LIVE} --faults drop=0.003,dup=0.05 --seed 7")).expect(0);
    for label in ["Feed", "Last bar", "Latency", "Acks"] {
        assert!(text.contains(&format!("\n   {label:<8} ")), "{label}: {text}");
    }
    let path = live_run(&desk).join("health.json");
    let health: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).expect("a document");
    for counted in ["messages", "ticks", "repeated", "gaps", "backfilled", "connections"] {
        assert!(health["feed"][counted].as_u64().unwrap() > 0, "{counted}: {health}");
    }
    for timed in ["tick_to_signal", "journal_ack"] {
        assert!(health[timed]["count"].as_u64().unwrap() > 0, "{timed}: {health}");
        let ms = |name: &str| health[timed][name].as_f64().unwrap();
        assert!(ms("p50_ms") > 0.0 && ms("p50_ms") <= ms("p99_ms"), "{timed}: {health}");
        assert!(ms("p99_ms") <= ms("max_ms"), "{timed}: {health}");
    }
    assert!(health["feed_lag"].is_null(), "trades of 2024 are not on their way: {health}");
    assert_eq!(health["last_bar_end"], "2024-10-04T15:30");
    assert_eq!(health["last_bar_age_s"], 0);
    assert!(health["bars_incomplete"].as_u64().is_some() && health["declined"].is_object());
}

#[test]
fn the_users_own_words_are_understood() {
    let desk = desk();
    let words = "live --mode paper --symbols NSE_EQ|INE155A01022 NSE_EQ|INE118H01025 \
        --strategies pixityAI_meta --max-capital 100000 --max-daily-loss 5000.0";
    let ran = desk.run(&format!("{words} --feed sim:short"));
    let text = ran.expect(0);
    assert!(text.contains("--max-capital") && text.contains("changes the case"), "{text}");
    let ran = desk.run(&format!("{words} --warmup-sessions 0"));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("no access token"), "{}", ran.stderr);
    let error = desk.refuses(2, "live --feed sim:short --strategies other");
    assert!(error.contains("there is no strategy 'other'"), "{error}");
}
