//! `cargo xtask determinism`: the same inputs give the same outputs, whatever the build, the number
//! of threads and the time zone.

use std::process::Command;

use crate::process::{self, Build, Done, Stop};

const THREADS: [&str; 2] = ["1", "8"];
const ZONES: [&str; 3] = ["UTC", "Asia/Kolkata", "America/New_York"];

/// One run and what came out.
struct Run {
    build: Build,
    threads: &'static str,
    zone: &'static str,
    digest: String,
}

/// Replays the sample under every combination and compares the digests.
pub fn run() -> Done {
    for build in Build::ALL {
        process::build(build)?;
    }
    println!("{:<8} {:>7} {:<17} digest", "build", "threads", "TZ");
    let mut runs = Vec::new();
    for build in Build::ALL {
        for threads in THREADS {
            for zone in ZONES {
                let run = replay(build, threads, zone)?;
                println!("{build:<8} {threads:>7} {zone:<17} {}", run.digest);
                runs.push(run);
            }
        }
    }
    for build in Build::ALL {
        let run = Run { build, threads: "live", zone: "-", digest: live(build)? };
        println!("{build:<8} {:>7} {:<17} {}", run.threads, run.zone, run.digest);
        runs.push(run);
    }
    compare(&runs).map_err(Stop::from)?;
    println!("determinism: {} runs, one digest", runs.len());
    Ok(())
}

/// The program that was built above.
fn lockstep(build: Build) -> Command {
    process::program(process::executable(build))
}

fn replay(build: Build, threads: &'static str, zone: &'static str) -> Result<Run, Stop> {
    let args = ["replay", "--case", "sample", "--format", "json", "--threads", threads];
    let json = process::output(lockstep(build).args(args).env("TZ", zone))?;
    let digest = process::json_string(&json, "digest")
        .ok_or_else(|| format!("`lockstep {}` printed no \"digest\"", args.join(" ")))?;
    Ok(Run { build, threads, zone, digest: digest.to_owned() })
}

/// The digest of a durable run over the same history, as its own journal has it.
fn live(build: Build) -> Result<String, Stop> {
    let folder = process::executable(build).with_file_name("xtask-live");
    process::remove(&folder)?;
    let args = ["live", "--feed", "history:sample", "--journal"];
    process::output(lockstep(build).args(args).arg(&folder))?;
    let mut runs = std::fs::read_dir(&folder).map_err(|error| format!("a live run: {error}"))?;
    let run = runs.next().ok_or_else(|| String::from("a live run left no journal"))?;
    let run = run.map_err(|error| format!("a live run: {error}"))?.path();
    let json = process::output(lockstep(build).args(["verify", "--format", "json"]).arg(run))?;
    let digest = process::json_string(&json, "digest").unwrap_or_default().to_owned();
    process::remove(&folder)?;
    Ok(digest)
}

/// Fails on the first run with another digest than the first run of all.
fn compare(runs: &[Run]) -> Result<(), String> {
    let first = runs.first().ok_or("no run, so nothing was compared")?;
    match runs.iter().find(|run| run.digest != first.digest) {
        None => Ok(()),
        Some(run) => {
            let Run { build, threads, zone, .. } = run;
            Err(format!(
                "not deterministic: {build} with {threads} threads in {zone} \
                 differs from {} with {} threads in {}",
                first.build, first.threads, first.zone
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_that_differs_is_named() {
        let run =
            |build, zone, digest: &str| Run { build, threads: "8", zone, digest: digest.into() };
        let same = [run(Build::Debug, "UTC", "a"), run(Build::Release, "UTC", "a")];
        assert_eq!(compare(&same), Ok(()));
        let differ = [run(Build::Debug, "UTC", "a"), run(Build::Release, "Asia/Kolkata", "b")];
        let want = "not deterministic: release with 8 threads in Asia/Kolkata \
                    differs from debug with 8 threads in UTC";
        assert_eq!(compare(&differ), Err(String::from(want)));
        assert_eq!(compare(&[]), Err(String::from("no run, so nothing was compared")));
    }
}
