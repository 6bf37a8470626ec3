//! What a user reads who puts the rules on trial, and who asks why a bar did what it did.

use lockstep::driver::explain::{Recorded, Target};
use lockstep::journal::reader::Reader;

use crate::desk::{BSE, Desk, TATA};

/// A short stretch of the sample, for the sake of time.
const STRETCH: &str = "--from 2024-10-01 --to 2024-10-09 --warmup-sessions 8";

#[test]
fn the_look_ahead_is_found_with_its_length_and_the_others_are_not_accused() {
    let desk = Desk::new();
    let few = format!("check causality {STRETCH} --walk-sessions 200 --shuffles 2 --format json");
    let found = desk.run(&few).json(0);
    let trials = found["trials"].as_array().expect("a list");
    assert_eq!(trials.len(), 6);
    for trial in trials {
        let is_batch = trial["profile"] == "compat-batch";
        let want = if is_batch { "5" } else { "none" };
        assert_eq!(trial["bars_ahead"], want, "{trial}");
        assert_eq!(trial["witness"].is_null(), !is_batch, "{trial}");
        assert_eq!(trial["core_differs"].is_null(), is_batch, "{trial}");
        if !is_batch {
            assert_eq!(trial["core_differs"], 0);
        }
    }
    let placebo = found["placebo"].as_array().expect("a list");
    assert_eq!(placebo.len(), 6);
    assert!(placebo.iter().all(|dose| dose["trades"].as_u64() > Some(20)), "{placebo:?}");
}

#[test]
fn who_asks_for_the_backtest_alone_is_told_no() {
    let line = format!("check causality {STRETCH} --walk-sessions 100 --shuffles 1");
    let text = Desk::new().run(&format!("{line} --profile compat-batch")).expect(1);
    assert!(text.contains("READS THE FUTURE"), "{text}");
}

#[test]
fn a_trial_that_saw_nothing_does_not_end_well() {
    let desk = Desk::new();
    let line = "check causality --from 2024-10-01 --to 2024-10-01 --warmup-sessions 0";
    let error = desk.refuses(4, &format!("{line} --walk-sessions 100 --shuffles 1"));
    assert!(error.contains("made no signal to look at"), "{error}");
    let error = desk.refuses(4, "check warmup --first 2030-01-01 --to 2024-10-09");
    assert!(error.contains("has no bars before 2030-01-01, or none from it on"), "{error}");
}

#[test]
fn warm_up_is_measured_and_one_bar_less_fails() {
    let line = "check warmup --to 2024-10-09 --first 2024-10-03 --format json";
    let found = Desk::new().run(line).json(1);
    for symbol in found["symbols"].as_array().expect("a list") {
        let history = symbol["history_bars"].as_u64();
        for need in symbol["indicators"].as_array().expect("a list") {
            let bars = need["bars"].as_u64();
            match need["name"].as_str() {
                Some("vol_z") => assert_eq!(bars, Some(99)),
                Some("vwap") => assert_eq!(bars, Some(0)),
                // 575 bars are too few for a mean of span 50, and that is said.
                Some("ema50") => assert_eq!(bars, history),
                _ => assert!(bars > Some(0) && bars <= history, "{need}"),
            }
            assert_eq!(need["one_bar_less_fails"].is_null(), bars == Some(0), "{need}");
        }
        assert_eq!(symbol["is_settled"], false);
    }
}

#[test]
fn the_live_window_needs_its_hundred_bars() {
    let line = "check warmup --to 2024-10-04 --warmup-sessions 8 --first 2024-10-03 \
                --profile compat-live --format json";
    let found = Desk::new().run(line).json(0);
    for symbol in found["symbols"].as_array().expect("a list") {
        let indicators = symbol["indicators"].as_array().expect("a list");
        let ema50 = indicators.iter().find(|need| need["name"] == "ema50").expect("it is there");
        assert_eq!(ema50["bars"], 99);
    }
}

#[test]
fn every_way_to_run_a_case_has_one_digest() {
    let text = Desk::new().run("check determinism --to 2024-10-04 --splits 50").expect(0);
    assert!(text.contains("one digest") && text.contains("cargo xtask determinism"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("state written")).count(), 2);
}

/// Two weeks of the sample, recorded.
fn two_weeks(profile: &str) -> (Desk, String) {
    record(profile, "2024-10-14")
}

fn record(profile: &str, to: &str) -> (Desk, String) {
    let desk = Desk::new();
    desk.run(&format!("replay --to {to} --profile {profile} --journal runs"));
    let mut runs = std::fs::read_dir(desk.at("runs")).expect("a run was made");
    let run = runs.next().expect("one run").expect("an entry").file_name();
    (desk, format!("runs/{}", run.to_string_lossy()))
}

fn recorded(desk: &Desk, run: &str) -> Recorded {
    use lockstep::domain::event::{Event, Input};
    let mut reader = Reader::open(&desk.at(run)).expect("a journal");
    let mut recorded = None;
    while let Some(record) = reader.next_record().expect("a record") {
        match (&record.event, &mut recorded) {
            (Event::Input(Input::RunStarted(run)), None) => recorded = Some(Recorded::new(run)),
            (_, Some(recorded)) => recorded.take(&record),
            (_, None) => {}
        }
    }
    recorded.expect("a run")
}

/// Signals and near misses of the whole sample, every n-th of them: the flip flips, and neither one
/// tick less does nor 99 % of the smallest change; and what is shown leads to what the core decided
/// and recorded. `lockstep explain RUN all` tries all of them.
fn flips(profile: &str, to: &str, every: usize) {
    let (desk, run) = record(profile, to);
    let recorded = recorded(&desk, &run);
    let (mut signals, mut misses) = (0, 0);
    recorded.notable(every, |_, seen| {
        let time = seen.bar.open_time;
        assert!(seen.agrees(), "{profile} {time}");
        if let Some((_, _, told)) = &seen.signal {
            let decided = seen.decision.as_ref();
            assert_eq!(decided.map(|signal| signal.origin()), Some(told.origin()));
        }
        let as_it_was = seen.decision.as_ref().map(|signal| (signal.side, signal.kind));
        match &seen.flip {
            Some(flip) => {
                assert_ne!(flip.decision, as_it_was, "{time}");
                assert_eq!(flip.one_less, as_it_was, "{time}");
                assert_eq!(flip.with_99_percent, as_it_was, "{time}");
                assert_eq!(flip.exact.0.signum(), flip.ticks.signum(), "{time}");
                misses += usize::from(as_it_was.is_none());
                signals += usize::from(as_it_was.is_some());
            }
            None => assert!(as_it_was.is_none(), "a signal always has an end"),
        }
    });
    assert!(signals > 0 && misses > 4, "{profile}: {signals} signals, {misses} near misses");
}

#[test]
fn the_smallest_change_flips_and_99_percent_of_it_does_not() {
    flips("causal", "2024-12-31", 25);
}

#[test]
fn so_it_is_under_compat_live() {
    flips("compat-live", "2024-12-31", 120);
}

#[test]
fn every_signal_and_near_miss_is_told_in_a_line_and_tried() {
    let (desk, run) = record("causal", "2024-10-04");
    let found = desk.run(&format!("explain {run} all --format json")).json(0);
    let signals = desk.run("replay --to 2024-10-04 --format json").json(0);
    assert_eq!(found["signals"], signals["signals_total"]);
    assert_eq!((&found["flips_wrong"], &found["conditions_apart"]), (&0.into(), &0.into()));
    let bars = found["bars"].as_array().expect("a list");
    let all = found["signals"].as_u64().zip(found["near_misses"].as_u64());
    assert_eq!(bars.len() as u64, all.map_or(0, |(signals, misses)| signals + misses));
    let text = desk.run(&format!("explain {run} all")).expect(0);
    assert!(text.contains("all flip, and 99 % of the change does not"), "{text}");
    assert!(text.lines().count() > bars.len());
}

#[test]
fn a_fill_is_followed_back_to_its_bar() {
    let (desk, run) = two_weeks("causal");
    let signals = desk.read("golden/sample/signals.csv");
    let listed = desk.run(&format!("journal cat {run} --kind fill")).expect(0);
    let fill = listed.split(['<', ' ']).next().expect("a fill has an address").to_owned();
    let seen = desk.run_in("", &["explain", &run, &fill, "--format", "json"]).json(0);
    let fills = seen["fills"].as_array().expect("a list");
    assert!(fills.iter().any(|it| it["event"] == fill.as_str()), "{seen}");
    assert!(!seen["orders"].as_array().expect("a list").is_empty());
    assert!(!seen["minutes"].as_array().expect("a list").is_empty());
    assert_eq!(seen["conditions_agree_with_core"], true);
    // The same bar by the signal's name and by its own.
    let name = seen["signal"]["id"].as_str().expect("a fill has a signal");
    let by_name = desk.run_in("", &["explain", &run, name, "--format", "json"]).json(0);
    let bar = format!("{}@{}", seen["symbol"].as_str().unwrap(), seen["bar"].as_str().unwrap());
    let by_bar = desk.run_in("", &["explain", &run, &bar, "--format", "json"]).json(0);
    assert_eq!((&by_name, &by_bar), (&seen, &seen));
    assert!(signals.contains(seen["bar"].as_str().unwrap()), "the golden has that signal too");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let (desk, run) = two_weeks("causal");
    let error = desk.refuses(2, &format!("explain {run} tomorrow"));
    assert!(error.contains("'tomorrow' names nothing that can be explained"), "{error}");
    let error = desk.refuses(4, &format!("explain {run} {TATA}@2024-10-02T10:30"));
    assert!(error.contains("no strategy bar behind"), "{error}");
}

#[test]
fn targets_are_read_as_they_are_meant() {
    let read = |text: &str| Target::parse(text);
    assert!(matches!(read("5117.3"), Some(Target::Event(id)) if (id.seq, id.index) == (5117, 3)));
    assert!(matches!(read("5117"), Some(Target::Event(_))));
    assert!(matches!(read("0f3a9c21"), Some(Target::Signal(_))));
    assert!(matches!(read("12345678"), Some(Target::Signal(_))));
    let bar = format!("{BSE}@2024-11-04T10:30");
    assert!(matches!(read(&bar), Some(Target::Bar(key, _)) if key == BSE));
    assert_eq!(read("tomorrow"), None);
    assert_eq!(read("x@y"), None);
}
