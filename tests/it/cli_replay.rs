//! `lockstep replay` as a user has it: the sample is identical to its golden, with any number of
//! threads, under every clock, from everywhere; and what it writes is complete or not there.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::desk::{BSE, DATA, Desk, LOCKSTEP, TATA, repository};

/// A line of the summary without what is measured, and without hashes over the market's facts.
fn redacted(line: &str) -> String {
    match line.split_whitespace().next() {
        Some("Replay") => line.rsplitn(3, " · ").last().unwrap_or_default().to_owned(),
        Some("Journal" | "Digest") => {
            let is_id = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let word = |word: &str| match word.rsplit_once('-') {
                Some((name, id)) if is_id(id) => format!("{name}-[id]"),
                None if word.len() == 12 && is_id(word) => "[id]".to_owned(),
                _ => word.to_owned(),
            };
            line.split(' ').map(word).collect::<Vec<_>>().join(" ")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn the_sample_is_identical_to_its_golden() {
    let desk = Desk::new();
    let ran = desk.run("replay");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: Vec<String> = ran.stdout.lines().map(redacted).collect();
    insta::assert_snapshot!(summary.join("\n"), @"
    Data     sample · BSE, TATAMOTORS · 62,362 1m bars · blake3 39e8452c
    Days     2024-10-01 to 2024-12-31 · 62 sessions (1 Muhurat) after 22 that warm up
    Config   pixityAI_meta 15m · causal · honest execution · fees nse · core 2
    Replay   4,150 strategy bars (67 incomplete)
    Refused  300 bars · outside-session 300
    Signals  212 · BUY TREND 61 · SELL TREND 74 · BUY REVERSION 37 · SELL REVERSION 40
    Declined 94 · incomplete-bar 6 · position-open 19 · cooldown 10 · entry-cutoff 9 ·
             daily-loss 49 · paused 1
    Trades   118 · win 36.4 % · stop 51 · target 31 · time-stop 5 · session-end 8 · daily-loss 22 ·
             command 1
    Profit   net ₹ -4,528.00 · gross ₹ 5,977.05 · fees ₹ 10,505.05
    Equity   ▃▄▄▅▆▆▇▇███▇▇▆▆▆▆▆▇▆▆▆▆▅▆▇▇▆▆▅▅▅▅▆▆▅▆▆▅▄▄▄▄▄▃▃▃▄▃▃▃▃▂▃▃▃▂▂▁▁▁▁
    Golden   identical · bars_15m 3,051/3,051 · signals 212/212 · fills 236/236 · golden/sample
    Journal  runs/sample-[id] · 74,146 events · 2.8 MB
    Digest   run [id] · all events [id]
    ");
    insta::assert_snapshot!(ran.stderr, @"
    warning: NSE_EQ|INE155A01022 is not Tata Power but Tata Motors Ltd (TATAMOTORS)
       = the instrument master says so for 2024-10-01
       = Tata Power is NSE_EQ|INE245A01021 (Tata Power Co Ltd, TATAPOWER)
      help: carrying on as TATAMOTORS; correct the label or the key
    warning: NSE_EQ|INE118H01025 is not Bajaj Finance but BSE Ltd (BSE)
       = the instrument master says so for 2024-10-01
       = Bajaj Finance is NSE_EQ|INE296A01024 (Bajaj Finance Ltd, BAJFINANCE)
      help: carrying on as BSE; correct the label or the key
    ");
    let runs = fs::read_dir(desk.at("runs")).unwrap();
    assert_eq!(runs.count(), 1, "one run, and nothing half made beside it");
}

#[test]
fn json_has_the_digest_and_csv_the_signals() {
    let desk = Desk::new();
    let json = desk.run("replay --format json").json(0);
    assert_eq!(json["exit"], 0);
    assert_eq!(json["signals_total"], 212);
    assert_eq!(json["golden"]["same"], true);
    assert_eq!(json["digest"].as_str().unwrap().len(), 64);
    assert_eq!(json["symbols"], serde_json::json!([BSE, TATA]));
    let journal = json["journal"].as_str().unwrap();
    assert!(desk.at(journal).join("log").is_dir(), "{journal}");
    // The same run again takes the place of the first.
    let ran = desk.run("replay --format csv");
    assert_eq!(ran.stdout, desk.read("golden/sample/signals.csv"));
    assert!(ran.stderr.contains("identical"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(desk.at("runs")).unwrap().count(), 1);
}

#[test]
fn a_month_of_the_case_is_identical_to_its_part_of_the_golden() {
    let desk = Desk::new();
    let ran = desk.run("replay --from 2024-11 --to 2024-11 --format csv");
    assert_eq!(ran.code, 0);
    let golden = desk.read("golden/sample/signals.csv");
    let mut lines = golden.lines();
    let header = lines.next().into_iter();
    let november = header.chain(lines.filter(|line| line.starts_with("2024-11-")));
    assert_eq!(ran.stdout, november.collect::<Vec<_>>().join("\n") + "\n");
    let json = desk.run("replay --from 2024-10-04 --to 2024-10-04 --format json").json(0);
    assert_eq!((&json["sessions"], &json["golden"]["same"]), (&1.into(), &true.into()));
}

#[test]
fn order_of_symbols_threads_clock_and_place_change_nothing() {
    let mut desk = Desk::new();
    fs::create_dir(desk.at("elsewhere")).unwrap();
    let digest = |desk: &Desk, folder: &str, words: &[&str]| {
        let common = ["replay", "--to", "2024-10-09", "--no-journal", "--format", "json"];
        let json = desk.run_in(folder, &[&common, words].concat()).json(0);
        (json["digest"].clone(), json["run_id"].clone())
    };
    let expected = digest(&desk, "", &[]);
    for words in [
        &["--symbols", TATA, BSE][..],
        &["--symbols", BSE, TATA, "--threads", "1"],
        &["--symbols", TATA, "--symbols", BSE, "--symbols", TATA],
        &["--threads", "1"],
        &["--threads", "2"],
        &["--threads", "8"],
    ] {
        assert_eq!(digest(&desk, "", words), expected, "{words:?}");
    }
    let paths = ["--replays", "../replays", "--golden", "../golden/sample"];
    assert_eq!(digest(&desk, "elsewhere", &paths), expected, "from elsewhere");
    for zone in ["America/New_York", "Asia/Kolkata", "UTC+14", "nonsense"] {
        desk.env = vec![("TZ", zone), ("LANG", "de_DE.UTF-8"), ("CI", "true")];
        assert_eq!(digest(&desk, "", &[]), expected, "TZ={zone}");
    }
}

/// The summary's lines that begin with these words.
fn lines_of(summary: &str, words: &[&str]) -> String {
    let is_wanted = |line: &&str| words.contains(&line.split_whitespace().next().unwrap_or(""));
    summary.lines().filter(is_wanted).map(redacted).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_live_profile_brings_its_execution_and_is_not_held_against_another_profiles_golden() {
    let desk = Desk::new();
    let run = |flags: &str| desk.run(&format!("replay --profile compat-live {flags}"));
    let words = ["Config", "Replay", "Signals", "Trades", "Golden"];
    insta::assert_snapshot!(lines_of(&run("").expect(0), &words), @"
    Config   pixityAI_meta 15m · compat-live, so compat execution · fees nse · core 2
    Replay   4,148 strategy bars (67 incomplete)
    Signals  191 · BUY TREND 52 · SELL TREND 64 · BUY REVERSION 36 · SELL REVERSION 39
    Trades   3 · win 33.3 % · stop 2 · target 1
    Golden   not compared: golden/sample is for the profile causal, and this run has compat-live
    ");
    let run_dir = fs::read_dir(desk.at("runs")).unwrap().next().unwrap().unwrap().file_name();
    desk.run(&format!("verify runs/{}", run_dir.display())).expect(0);
    // The fees are the case's; execution is nobody's, so the profile brings it.
    let summary = run("--execution honest --fees plan --no-journal").expect(0);
    insta::assert_snapshot!(lines_of(&summary, &["Config", "Golden"]), @"
    Config   pixityAI_meta 15m · compat-live · honest execution · fees plan · core 2
    Golden   not compared: golden/sample is for the profile causal, and this run has compat-live
    ");
    let summary = desk.run("replay --profile causal --no-journal").expect(0);
    assert!(summary.contains("identical"), "the profile of the case changes nothing");
}

#[test]
fn a_case_of_the_live_profile_says_what_it_brings() {
    let desk = Desk::new();
    let case = "replays/sample/case.toml";
    desk.edit(case, "fees = \"nse\"\n", "");
    desk.edit(case, "[execution]", "[strategy]\nprofile = \"compat-live\"\n\n[execution]");
    let data = format!("--data {DATA} --warmup-sessions 0 --from 2024-10 --to 2024-10");
    for flags in ["--golden golden/sample", &format!("{data} --profile compat-live")] {
        let ran = desk.run(&format!("replay --no-journal {flags}"));
        let config = lines_of(&ran.stdout, &["Config"]);
        let brought = "compat-live, so compat execution and fees compat";
        assert_eq!(config, format!("   Config   pixityAI_meta 15m · {brought} · core 2"));
    }
    let shown = desk.run("config show --case sample").expect(0);
    assert!(shown.contains("fees = \"compat\"               # default"), "{shown}");
    assert!(shown.contains("profile = \"compat\"            # default"), "{shown}");
}

#[test]
fn a_run_with_other_commands_is_another_run() {
    let desk = Desk::new();
    let run = |to: &str| desk.run(&format!("replay --format json --to {to}"));
    let quiet = run("2024-12-17").json(0);
    let loud = run("2024-12-18").json(0);
    desk.edit(
        "replays/sample/case.toml",
        "time = \"2024-12-18T14:00:30\"",
        "time = \"2024-12-18T10:00\"",
    );
    let moved = run("2024-12-18").json(1);
    assert_eq!(run("2024-12-17").json(0), quiet, "a command of a later day is not heard");
    assert_ne!(moved["run_id"], loud["run_id"]);
    assert_ne!(moved["digest"], loud["digest"]);
    assert_eq!(fs::read_dir(desk.at("runs")).unwrap().count(), 3);
}

#[test]
fn wrong_labels_are_said_and_the_run_goes_on() {
    let desk = Desk::new();
    let line = "replay --to 2024-10-04 --no-journal --format json";
    let ran = desk.run(line);
    assert_eq!(ran.stderr.matches("warning:").count(), 2, "{}", ran.stderr);
    desk.edit("replays/sample/case.toml", "\"Tata Power\"", "\"Tata Motors\"");
    desk.edit("replays/sample/case.toml", "label = \"Bajaj Finance\"\n", "");
    let corrected = desk.run(line);
    assert_eq!(corrected.stderr, "");
    assert_eq!(corrected.json(0)["digest"], ran.json(0)["digest"], "labels decide nothing");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let desk = Desk::new();
    for words in [
        &["replay", "--to", "2024-10-09", "--no-journal", "--format", "csv"][..],
        &["data", "check", DATA, "--format", "csv"],
        &["completions", "bash"],
    ] {
        let mut child =
            desk.command("", words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let out = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(0), "{words:?}: {stderr}");
        assert!(!stderr.contains("error"), "{words:?}: {stderr}");
    }
}

#[test]
fn a_closed_stderr_does_not_end_the_run() {
    let desk = Desk::new();
    let words = ["replay", "--to", "2024-10-09", "--no-journal", "--format", "csv"];
    let mut command = desk.command("", &words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(text.starts_with("time,known,key,"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let desk = Desk::new();
    for words in [
        &["replay", "--to", "2024-10-09", "--no-journal"][..],
        &["data", "info", DATA],
        &["completions", "zsh"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let out = desk.command("", words).stdout(full).output().unwrap();
        assert_eq!(out.status.code(), Some(74), "{words:?}");
    }
}

#[test]
fn a_file_where_a_folder_should_be_leaves_nothing_behind() {
    let desk = Desk::new();
    desk.write("way", "");
    let error = desk.refuses(74, "replay --to 2024-10-04 --journal way");
    let building = error.find("way/.sample-").map(|at| &error[at..]).unwrap();
    let building = building.split('/').nth(1).unwrap();
    insta::assert_snapshot!(error.replace(building, "[building]"), @"
    error: failed to write the journal
       = way/[building]/log: creating failed: Not a directory (os error 20)
      help: check the space and the rights of the folder given by --journal
    ");
    let run = desk.run("replay --to 2024-10-04 --no-journal --format json").json(0);
    let name = format!("runs/sample-{}", &run["run_id"].as_str().unwrap()[..12]);
    desk.write(&name, "");
    insta::assert_snapshot!(desk.refuses(74, "replay --to 2024-10-04").replace(&name, "[run]"), @"
    error: failed to put the run into its folder
      --> [run]
       = Not a directory (os error 20)
    ");
}

#[test]
fn a_run_that_breaks_off_leaves_no_journal() {
    let desk = Desk::new();
    // The last month: the journal has been written for two months when this is read.
    let path = desk.month(BSE, "2024-12");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(&path, bytes).unwrap();
    desk.refuses(3, "replay --journal new/runs");
    fs::create_dir(desk.at("runs")).unwrap();
    desk.refuses(3, "replay");
}

#[test]
fn the_binary_names_itself_and_its_commands() {
    let out = Command::new(LOCKSTEP).arg("--version").env_clear().output().unwrap();
    let version = String::from_utf8(out.stdout).unwrap();
    assert_eq!(version, format!("lockstep {}\n", env!("CARGO_PKG_VERSION")));
    let desk = Desk::empty();
    let help = desk.run("--help").expect(0);
    for word in ["replay", "data", "diff", "golden", "Exit codes"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    // Nothing on the desk but the words of the command line.
    let replays = repository().join("replays");
    let golden = repository().join("golden/sample");
    let words = ["replay", "--no-journal", "--to", "2024-10-01", "--format", "json", "--replays"];
    let paths = [replays.to_str().unwrap(), "--golden", golden.to_str().unwrap()];
    let json = desk.run_in("", &[&words[..], &paths].concat()).json(0);
    assert_eq!(json["golden"]["same"], true);
}
