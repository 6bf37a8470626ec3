//! `cargo xtask kill`: a live run is killed (`kill -9`) at random moments and started again, over
//! and over. Everything that it said was on the disk must be in its journal, just so, and the run
//! must end as a replay that nobody disturbed: with its digest where it was told minutes, and with
//! its facts where it heard trades over the broker's protocol (`--feed sim`).

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::process::{self, Build, Done, Stop};

/// What the run is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Feed {
    /// The minutes of a case.
    History,
    /// The same as trades, from a stand-in exchange over the broker's protocol.
    Sim,
}

impl Feed {
    const fn word(self) -> &'static str {
        match self {
            Feed::History => "history:kill",
            Feed::Sim => "sim:kill",
        }
    }

    /// Lines that a process says at most before it is killed: about a session.
    const fn lines_max(self) -> u64 {
        match self {
            Feed::History => 1_500,
            Feed::Sim => 5_000,
        }
    }
}

/// What the loop has seen.
#[derive(Default)]
struct Seen {
    kills: u64,
    runs: u64,
    acknowledged: u64,
    lost: u64,
}

/// Kills `kills` processes, beginning with `seed`.
pub fn run(feed: Feed, kills: u64, seed: u64) -> Done {
    process::build(Build::Release)?;
    let desk = Desk::new(feed)?;
    let want = desk.replay()?;
    let mut random = Random(seed);
    let mut seen = Seen::default();
    println!(
        "seed {seed}: six sessions of the sample as {}, after three that warm up, killed {kills} \
         times",
        feed.word()
    );
    while seen.kills < kills {
        one_run(&desk, &mut random, kills, &want, &mut seen)?;
        seen.runs += 1;
    }
    let Seen { kills, runs, acknowledged, lost } = seen;
    println!(
        "kill: {kills} kills in {runs} runs · {acknowledged} events acknowledged · {lost} lost · \
         every run ended as its replay, {}",
        want.digest
    );
    match lost {
        0 => Ok(()),
        _ => Err(Stop::from(format!("{lost} acknowledged events were lost"))),
    }
}

/// A run from its beginning to its seal, in as many lives as it takes.
fn one_run(desk: &Desk, random: &mut Random, kills: u64, want: &Replay, seen: &mut Seen) -> Done {
    let mut acknowledged = BTreeSet::new();
    loop {
        let patience =
            if seen.kills < kills { random.below(desk.feed.lines_max()) } else { u64::MAX };
        let (lines, is_over) = life(&mut desk.live(), patience)?;
        acknowledged.extend(lines);
        if is_over {
            break;
        }
        seen.kills += 1;
    }
    let journal = desk.journal()?;
    let recorded = process::output(desk.lockstep(["journal", "cat"]).arg(&journal))?;
    let recorded: BTreeSet<&str> = recorded.lines().collect();
    seen.acknowledged += acknowledged.len() as u64;
    for line in acknowledged.iter().filter(|line| !recorded.contains(line.as_str())) {
        eprintln!("lost: {line}");
        seen.lost += 1;
    }
    let verified = process::output(desk.lockstep(["verify", "--format", "json"]).arg(&journal))?;
    let got = process::json_string(&verified, "digest").unwrap_or_default();
    match desk.feed {
        Feed::History if got != want.digest => {
            let want = &want.digest;
            return Err(Stop::from(format!("the run ended with {got}, its replay with {want}")));
        }
        Feed::History => {}
        // Trades are other inputs than minutes, so that only the facts can be the same.
        Feed::Sim => {
            process::output(desk.lockstep(["diff"]).arg(&want.journal).arg(&journal))?;
        }
    }
    process::remove(&journal)
}

/// One process up to its end, or to so many lines and a kill: what it said, and whether it ended by
/// itself.
fn life(command: &mut Command, patience: u64) -> Result<(Vec<String>, bool), Stop> {
    let failed = |error: std::io::Error| Stop::from(format!("a live run: {error}"));
    let mut child: Child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let stdout = child.stdout.take().expect("stdout is piped right above");
    let (mut said, mut text) = (Vec::new(), String::new());
    let mut stdout = BufReader::new(stdout);
    loop {
        if said.len() as u64 == patience {
            child.kill().map_err(failed)?;
        }
        text.clear();
        // What it had said before it died was said.
        if stdout.read_line(&mut text).map_err(failed)? == 0 {
            break;
        }
        if let Some(line) = text.strip_suffix('\n') {
            said.push(line.to_owned());
        }
    }
    let status = child.wait().map_err(failed)?;
    match status.code() {
        // 6: its last day ended with the day's loss, which is no matter here.
        Some(0 | 6) => Ok((said, true)),
        Some(code) => Err(Stop::from(format!("a live run ended with exit code {code}"))),
        None => Ok((said, false)),
    }
}

/// A folder with a short case and the runs over it.
struct Desk {
    dir: PathBuf,
    program: PathBuf,
    feed: Feed,
}

/// The run that nobody disturbed.
struct Replay {
    digest: String,
    journal: PathBuf,
}

impl Desk {
    fn new(feed: Feed) -> Result<Desk, Stop> {
        let program = process::executable(Build::Release);
        let dir = program.with_file_name("xtask-kill");
        let case = dir.join("replays/kill");
        let failed = |error: std::io::Error| Stop::from(format!("{}: {error}", dir.display()));
        let desk = Desk { program, dir: dir.clone(), feed };
        fs::create_dir_all(&case).map_err(failed)?;
        let data = process::root().join("replays/sample/data");
        let data = fs::canonicalize(data).map_err(failed)?;
        let text = format!(
            "data = '{}'\nfrom = \"2024-10-01\"\nto = \"2024-10-08\"\nwarmup_sessions = 3\n\
             fees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n\
             [[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n",
            data.display()
        );
        fs::write(case.join("case.toml"), text).map_err(failed)?;
        process::remove(&dir.join("runs"))?;
        Ok(desk)
    }

    fn lockstep<const N: usize>(&self, words: [&str; N]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.dir);
        command
    }

    fn live(&self) -> Command {
        self.lockstep(["live", "--feed", self.feed.word(), "--format", "tape"])
    }

    fn replay(&self) -> Result<Replay, Stop> {
        let words = ["replay", "--case", "kill", "--format", "json"];
        let json = process::output(self.lockstep(words).arg("--symbols").args(KEYS))?;
        let digest = process::json_string(&json, "digest").map(str::to_owned);
        let digest = digest.ok_or_else(|| String::from("the replay printed no digest"))?;
        Ok(Replay { digest, journal: self.run_of(|name| !is_live(name))? })
    }

    fn journal(&self) -> Result<PathBuf, Stop> {
        self.run_of(is_live)
    }

    /// The one run with such a name.
    fn run_of(&self, is_it: fn(&str) -> bool) -> Result<PathBuf, Stop> {
        let runs = self.dir.join("runs");
        let failed = |error: std::io::Error| Stop::from(format!("{}: {error}", runs.display()));
        let mut found = None;
        for entry in fs::read_dir(&runs).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if is_it(&entry.file_name().to_string_lossy()) {
                found = Some(entry.path());
            }
        }
        found.ok_or_else(|| Stop::from(format!("there is no run in {}", runs.display())))
    }
}

fn is_live(name: &str) -> bool {
    name.starts_with("live-")
}

/// Naming the symbols makes a replay that is held against no golden.
const KEYS: [&str; 2] = ["NSE_EQ|INE155A01022", "NSE_EQ|INE118H01025"];

/// SplitMix64: the same seed kills after the same lines.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}
