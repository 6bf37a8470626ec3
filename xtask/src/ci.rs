//! `cargo xtask ci`: everything that a submission has to pass, in order, up to the first step that
//! fails.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, Done, Stop};
use crate::{browser, crash, determinism, feed, golden, kill, sabotage, sample, tidy};

/// A step's name and what it does.
type Step = (&'static str, fn() -> Done);

const STEPS: &[Step] = &[
    ("format", || process::run(&mut process::cargo(["fmt", "--all", "--check"]))),
    ("clippy", clippy),
    ("tidy", tidy::run),
    ("tests", || counted(process::program("make").arg("test"))),
    ("sample", || sample::check(sample::SEED)),
    ("golden", golden::check),
    ("determinism", determinism::run),
    ("crash", || crash::run(&["--seeds", "20000"].map(Into::into))),
    ("feed", || feed::run(&["--seeds", "1400"].map(Into::into))),
    ("browser", || browser::run(&[])),
    ("kill", || kill::run(kill::Feed::History, 25, 1)),
    ("kill-feed", || kill::run(kill::Feed::Sim, 15, 1)),
    ("sabotage", || sabotage::run(&[], true, false)),
    ("replay", || process::run(process::program("make").arg("replay"))),
];

/// Runs every step up to the first that fails, and says how long each took.
pub fn run() -> Done {
    let mut times = Vec::new();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        println!("\n=== {}/{} {name}", number + 1, STEPS.len());
        let (done, time) = timed(*step);
        println!("=== {name}: {:.1} s", time.as_secs_f64());
        times.push((*name, time));
        if let Err(stop) = done {
            println!("\n=== {name} failed\n{}", table(&times));
            return Err(Stop { why: format!("{name}: {}", stop.why), ..stop });
        }
    }
    println!("\n=== all steps passed\n{}", table(&times));
    Ok(())
}

/// Where the time went.
fn table(times: &[(&str, Duration)]) -> String {
    let all = ("all", times.iter().map(|(_, time)| *time).sum());
    let line =
        |(name, time): &(&str, Duration)| format!("{name:<12} {:>7.1} s", time.as_secs_f64());
    let lines: Vec<String> = times.iter().chain([&all]).map(line).collect();
    lines.join("\n")
}

#[expect(clippy::disallowed_methods, reason = "how long a step takes is for people to read")]
fn timed(step: fn() -> Done) -> (Done, Duration) {
    let start = Instant::now();
    (step(), start.elapsed())
}

fn clippy() -> Done {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut process::cargo(args))
}

/// The tables in DuckDB, which neither the README's test command nor [`run`] tries: nothing that
/// decides needs them, and they want a C++ compiler for 20 minutes.
pub fn duckdb() -> Done {
    let args = ["test", "--workspace", "--features", "duckdb", "--lib", "--test", "it", "--"];
    counted(process::cargo(args).args(["duckdb", "tables"]))
}

/// Runs tests. That none ran is a failure too.
fn counted(tests: &mut Command) -> Done {
    let mut counts = Counts::default();
    process::watch(tests, |line| counts.add(line))?;
    let Counts { passed, failed, ignored } = counts;
    println!("tests: {passed} passed, {failed} failed, {ignored} skipped");
    if passed == 0 {
        return Err(Stop::from(String::from("no test ran")));
    }
    Ok(())
}

/// The sum over all test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds a closing line: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split([' ', ';', '.']).collect();
        for pair in words.windows(2) {
            let count = pair[0].parse::<u64>().unwrap_or(0);
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_ends_with_the_sum() {
        let times = [("tests", Duration::from_millis(81_200)), ("tidy", Duration::from_secs(1))];
        assert_eq!(
            table(&times),
            "tests           81.2 s\ntidy             1.0 s\nall             82.2 s"
        );
    }

    #[test]
    fn closing_lines_are_summed() {
        let mut counts = Counts::default();
        for line in [
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; \
             finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 14, failed: 1, ignored: 1 });
    }
}
