//! What a user reads who asks why two runs differ, or why his signals are not those of a run that
//! was lived: each difference with the one part of the data, the settings or the commands that
//! makes it, and that part made again.

use serde_json::Value;

use crate::desk::{BSE, Desk, TATA};

/// A stretch of the sample, for the sake of time.
const STRETCH: &str = "--from 2024-10-01 --to 2024-10-14";

/// Records a run into a folder of its own and returns its directory.
fn record(desk: &Desk, folder: &str, more: &str) -> String {
    let ran = desk.run(&format!("replay {STRETCH} --journal {folder} {more}"));
    assert!(ran.code <= 1, "{}", ran.stderr);
    only_run(desk, folder)
}

fn only_run(desk: &Desk, folder: &str) -> String {
    let mut runs = std::fs::read_dir(desk.at(folder)).expect("a run was made");
    let run = runs.next().expect("one run").expect("an entry").file_name();
    format!("{folder}/{}", run.to_string_lossy())
}

/// The classes of an explanation in which everything was made again and is gone.
fn classes(found: &Value) -> String {
    assert_eq!(found["gone"], found["witnessed"], "{found}");
    let classes = found["classes"].as_object().expect("classes");
    let word = |(class, count): (&String, &Value)| format!("{class} {}", count.as_u64() > Some(0));
    classes.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn explain(desk: &Desk, a: &str, b: &str, code: i32) -> Value {
    desk.run(&format!("diff {a} {b} --explain --format json")).json(code)
}

#[test]
fn minutes_that_a_feed_lost_are_named_as_the_cause_of_all_that_follows() {
    let desk = Desk::new();
    let whole = record(&desk, "whole", "");
    desk.rewrite(TATA, "2024-10", |bars| {
        bars.retain(|bar| {
            let time = bar.open_time.to_string();
            !("2024-10-08T11:05".."2024-10-08T11:12").contains(&time.as_str())
        });
    });
    let holed = record(&desk, "holed", "");
    let found = explain(&desk, &whole, &holed, 1);
    assert_eq!(classes(&found), "UNEXPLAINED false, data-gap true");
    let witness = "live has the golden's 7 minutes 2024-10-08T11:05 to 2024-10-08T11:11 of";
    assert_eq!(found["differences"][0]["witness"][0], format!("{witness} {TATA}"));
    // The other way round the minutes are too many, and go away.
    assert_eq!(classes(&explain(&desk, &holed, &whole, 1)), "UNEXPLAINED false, data-gap true");
}

#[test]
fn causes_on_top_of_each_other_are_taken_apart() {
    let desk = Desk::new();
    let whole = record(&desk, "whole", "");
    desk.rewrite(BSE, "2024-10", |bars| {
        for bar in bars.iter_mut() {
            match &*bar.open_time.to_string() {
                "2024-10-08T11:05" => bar.high.0 += 200_000,
                "2024-10-09T10:20" => bar.volume.0 *= 3,
                _ => {}
            }
        }
    });
    let other = record(&desk, "other", "");
    let found = explain(&desk, &whole, &other, 1);
    let expected = "UNEXPLAINED false, data-revision true, feed-volume true";
    assert_eq!(classes(&found), expected);
    let layers = found["differences"].as_array().expect("a list").iter();
    assert!(layers.clone().any(|it| it["witness"].as_array().map(Vec::len) == Some(1)));
    assert!(layers.clone().any(|it| it["witness"].as_array().map(Vec::len) == Some(2)));
}

#[test]
fn a_run_is_held_against_a_golden_and_the_setting_is_named() {
    let desk = Desk::new();
    desk.edit("replays/sample/case.toml", "daily_loss_max = 800", "daily_loss_max = 300");
    let run = record(&desk, "other", "");
    desk.edit("replays/sample/case.toml", "daily_loss_max = 300", "daily_loss_max = 800");
    // The golden is of three months and the run of two weeks: what it lacks is said as coverage.
    let found = explain(&desk, "golden/sample", &run, 1);
    assert_eq!(classes(&found), "UNEXPLAINED false, coverage true, limits true");
    let text = desk.run(&format!("diff golden/sample {run} --explain")).expect(1);
    assert!(text.contains("execution.daily_loss_max = 800"), "{text}");
}

#[test]
fn another_profile_is_one_setting_and_its_rules_are_named() {
    let desk = Desk::new();
    let causal = record(&desk, "causal", "");
    let live = record(&desk, "live", "--profile compat-live --execution honest --fees nse");
    let text = desk.run(&format!("diff {causal} {live} --explain")).expect(1);
    assert!(text.contains("Profile  is one setting of many rules; of "), "{text}");
    let found = explain(&desk, &causal, &live, 1);
    assert_eq!(found["classes"]["UNEXPLAINED"], 0, "the profile as a whole explains all");
    let rules = found["profile"].as_object().expect("rules");
    assert!(rules["window-length"].as_u64() > Some(0), "{rules:?}");
    // Another setting is no profile.
    let other = record(&desk, "other", "--execution compat");
    assert!(explain(&desk, &causal, &other, 1)["profile"].is_null());
}

#[test]
fn a_cell_that_somebody_edited_is_unexplained_and_that_is_said() {
    let desk = Desk::new();
    let run = record(&desk, "run", "");
    desk.edit_lines("golden/sample/signals.csv", |lines| {
        let fields: Vec<&str> = lines[3].split(',').collect();
        let quantity = fields[7].parse::<u32>().expect("a quantity") + 1;
        lines[3] = lines[3].replacen(&format!(",{},", fields[7]), &format!(",{quantity},"), 1);
    });
    let text = desk.run(&format!("diff golden/sample {run} --explain")).expect(1);
    assert!(text.contains("UNEXPLAINED 1"), "{text}");
    assert!(text.contains("makes 1 rows of A otherwise"), "{text}");
}

#[test]
fn what_cannot_be_run_again_is_refused() {
    let desk = Desk::new();
    let run = record(&desk, "run", "");
    let error = desk.refuses(2, &format!("diff {run} golden/sample --explain"));
    assert!(error.contains("B must be a run"), "{error}");
    let alone = record(&desk, "alone", &format!("--symbols {TATA}"));
    let error = desk.refuses(2, &format!("diff {run} {alone} --explain"));
    assert!(error.contains("about other symbols"), "{error}");
    let same = desk.run(&format!("diff {run} {} --explain", record(&desk, "again", ""))).expect(0);
    assert!(same.contains("UNEXPLAINED 0"), "{same}");
}

/// The sample's own signals as somebody else's file.
fn foreign(desk: &Desk) -> String {
    let own = desk.read("golden/sample/signals.csv");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [&[fields[2], fields[0]][..], &fields[4..10]].concat().join(",")
    };
    let header = "symbol,ts,side,type,price,quantity,stop,target".to_owned();
    [header].into_iter().chain(own.lines().skip(1).map(line)).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn signals_are_held_against_what_really_ran() {
    let desk = Desk::new();
    desk.write("his.csv", foreign(&desk));
    let whole = record(&desk, "whole", "");
    let text = desk.run(&format!("golden align his.csv --run {whole}")).expect(0);
    assert!(text.contains("rows lie outside the days of the run"), "{text}");
    let keep = std::fs::read(desk.month(TATA, "2024-10")).expect("a month");
    desk.rewrite(TATA, "2024-10", |bars| {
        bars.retain(|bar| bar.open_time.date() != crate::world::date("2024-10-08"));
    });
    let holed = record(&desk, "holed", "");
    std::fs::write(desk.month(TATA, "2024-10"), keep).expect("the month is put back");
    let found = desk.run(&format!("golden align his.csv --run {holed} --format json")).json(1);
    assert_eq!(found["classes"]["UNEXPLAINED"], 0, "{found}");
    assert!(found["classes"]["data-gap"].as_u64() > Some(0), "{found}");
    let witness = found["differences"][0]["witness"].as_str().expect("a witness");
    assert!(witness.contains("minutes 2024-10-08T09:15"), "{witness}");
}

#[test]
fn a_case_of_the_live_profile_has_a_golden_like_any_other() {
    let desk = Desk::new();
    let case = desk.read("replays/sample/case.toml");
    let case = case.replace("data = \"data\"", "data = \"../sample/data\"");
    let case = case.replace("to = \"2024-12\"", "to = \"2024-10-14\"");
    let case = format!("strategy.profile = 'compat-live'\n{case}");
    desk.write("replays/old/case.toml", case);
    let accepted = desk.run("golden accept --case old --reason trial").expect(0);
    assert!(accepted.starts_with("accepted old: "), "{accepted}");
    let text = desk.run("replay --case old --no-journal").expect(0);
    assert!(text.contains("identical"), "{text}");
    desk.run("golden review --case old").expect(0);
}

/// A case of four days with a golden of its own, one of whose minutes is another since: what
/// differs is approved until 2099. Returns the golden, a run before that and one after.
fn approved(desk: &Desk) -> (&'static str, String, String) {
    let case = desk.read("replays/sample/case.toml");
    let case = case.replace("data = \"data\"", "data = \"../sample/data\"");
    desk.write("replays/small/case.toml", case.replace("to = \"2024-12\"", "to = \"2024-10-04\""));
    desk.run("golden accept --case small --reason trial --by asha").expect(0);
    desk.run("replay --case small --journal before").expect(0);
    desk.change(TATA, "2024-10-03T10:20", |bar| bar.volume.0 *= 2);
    desk.run("golden except --case small --reason revised --by asha --until 2099-12-31").expect(0);
    desk.run("replay --case small --journal runs").expect(0);
    ("golden/small", only_run(desk, "before"), only_run(desk, "runs"))
}

#[test]
fn what_is_approved_is_no_difference_of_a_golden_and_a_run_and_is_explained_all_the_same() {
    let desk = Desk::new();
    let (golden, before, run) = approved(&desk);
    let text = desk.run(&format!("diff {golden} {run} --max-diffs 2")).expect(0);
    assert!(text.starts_with("B equals A but for "), "{text}");
    assert_eq!(text.matches("approved until 2099-12-31: ").count(), 2, "{text}");
    assert!(text.contains("(asha: revised)") && text.contains(" more approved\n"), "{text}");
    desk.run(&format!("diff {run} {golden}")).expect(0);
    // The minute was changed on the disk, so the case itself no longer makes the golden's rows.
    let found = desk.run(&format!("diff {golden} {run} --explain --format json")).json(0);
    let differences = found["differences"].as_array().expect("a list");
    assert_eq!(found["approved_total"], differences.len());
    assert!(differences.iter().all(|one| one["approved"]["expires"] == "2099-12-31"), "{found}");
    let text = desk.run(&format!("diff {golden} {run} --explain")).expect(0);
    assert!(
        text.contains("Approved") && text.contains("until 2099-12-31 (asha: revised)"),
        "{text}"
    );
    // Two runs have a golden only if somebody says so, and then each difference its cause too.
    desk.run(&format!("diff {before} {run}")).expect(1);
    let text = desk.run(&format!("diff {before} {run} --golden {golden}")).expect(0);
    assert!(text.contains("approved until 2099-12-31: "), "{text}");
    let line = format!("diff {before} {run} --golden {golden} --explain --format json");
    let found = desk.run(&line).json(0);
    assert_eq!(found["classes"]["feed-volume"], found["approved_total"], "{found}");
    let error = desk.refuses(2, &format!("diff {golden} {run} --golden {golden}"));
    assert!(error.contains("brings its own exceptions"), "{error}");
    desk.refuses(2, &format!("diff {before} {run} --golden {golden} --only events"));
    // Their day is over: they differ, and why that was good once is said.
    let ledger = desk.read("golden/small/exceptions.toml").replace("2099-12-31", "2024-12-31");
    desk.write("golden/small/exceptions.toml", ledger);
    for words in ["", "--explain", "--only bars"] {
        let text = desk.run(&format!("diff {golden} {run} {words}")).expect(1);
        assert!(text.contains("expired on 2024-12-31 (asha)"), "{words}: {text}");
    }
}
