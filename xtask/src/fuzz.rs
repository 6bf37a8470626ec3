//! `cargo xtask fuzz TARGET`: libFuzzer on one of the targets in `fuzz/`, from the committed seeds
//! and from what earlier runs found. Tests run the same bodies without it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{self, Done, Stop};

/// Where runs keep the inputs that they found worth keeping; nothing of it is committed.
const CORPUS: &str = "fuzz/target/corpus";
/// The committed inputs.
const SEEDS: &str = "fuzz/seeds";
/// A file system in memory, where there is one: some targets write files.
const MEMORY: &str = "/dev/shm";
/// Most memory that a target may take, in MB.
const MEMORY_MAX: u32 = 512;
/// Most seconds that one input may take.
const SECONDS_MAX: u32 = 5;

/// Runs one target for that long.
pub fn run(target: &str, seconds: u32) -> Done {
    let targets = targets()?;
    if !targets.iter().any(|name| name == target) {
        let why = format!("fuzz: no target `{target}`; there are {}", targets.join(", "));
        return Err(Stop { exit: 2, why });
    }
    has_cargo_fuzz()?;
    let corpus = format!("{CORPUS}/{target}");
    fs::create_dir_all(process::root().join(&corpus))
        .map_err(|error| format!("fuzz: failed to create {corpus}: {error}"))?;
    process::run(&mut command(target, &corpus, seconds))?;
    println!("fuzz: {target}: nothing found in {seconds} s");
    Ok(())
}

fn command(target: &str, corpus: &str, seconds: u32) -> Command {
    let mut command = process::cargo(["fuzz", "run", target, corpus]);
    command.arg(format!("{SEEDS}/{target}")).args(["--", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MAX}")).arg(format!("-timeout={SECONDS_MAX}"));
    // Sanitizers are unstable flags of a compiler that is otherwise the one of every build.
    command.env("RUSTC_BOOTSTRAP", "1");
    if Path::new(MEMORY).is_dir() {
        command.env("TMPDIR", MEMORY);
    }
    command
}

/// The targets, by the folders of their seeds.
fn targets() -> Result<Vec<String>, Stop> {
    let folder = process::root().join(SEEDS);
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| format!("fuzz: failed to read {SEEDS}: {error}"))?;
    let mut names: Vec<String> =
        entries.iter().map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn has_cargo_fuzz() -> Done {
    let mut asked = process::cargo(["fuzz", "--version"]);
    let status = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let why = "fuzz: cargo-fuzz is not installed; `cargo install cargo-fuzz` gets it, and it needs \
               a C++ compiler. Without it, `cargo test fuzz` runs the same targets over the seeds \
               and thousands of changed ones";
    Err(Stop { exit: 2, why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_there_is_named_with_those_that_are() {
        let stop = run("frames", 1).unwrap_err();
        let why = "fuzz: no target `frames`; there are candles, case, checkpoint, complaint, csv, \
                   feed, frame, header, judge, mark, payload, raw, reader, tape";
        assert_eq!((stop.exit, stop.why.as_str()), (2, why));
    }

    #[test]
    fn the_seeds_are_read_and_only_the_corpus_is_written() {
        let command = command("tape", "fuzz/target/corpus/tape", 7);
        let args: Vec<_> = command.get_args().map(|it| it.to_str().unwrap()).collect();
        let want = "fuzz run tape fuzz/target/corpus/tape fuzz/seeds/tape -- -print_final_stats=1 \
                    -max_total_time=7 -rss_limit_mb=512 -timeout=5";
        assert_eq!(args.join(" "), want);
    }
}
