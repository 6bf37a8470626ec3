//! The project's scripts as one program, `cargo xtask <command>`: one command per file. It knows
//! Lockstep only through its command line, so it compiles in seconds.

mod bench;
mod browser;
mod ci;
mod codegen;
mod crash;
mod determinism;
mod faults;
mod feed;
mod fixture;
mod fuzz;
mod golden;
mod kill;
mod latency;
mod load;
mod process;
mod replay;
mod sabotage;
mod sample;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use process::Stop;

/// Builds, checks and runs Lockstep.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the release and run `lockstep replay` with these arguments.
    #[command(disable_help_flag = true)]
    Replay {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Make the sample's data again.
    Sample {
        /// What the random numbers start from.
        #[arg(long, default_value_t = sample::SEED)]
        seed: u64,
        /// Only compare with the data that is committed.
        #[arg(long)]
        check: bool,
    },
    /// Write the fixture journals anew; only while their format is not released.
    Fixture,
    /// Write the Rust of the feed's messages anew from `feed_v3.proto`.
    Codegen,
    /// Run a fuzz target with cargo-fuzz.
    Fuzz {
        /// Which: a folder of `fuzz/seeds`.
        target: String,
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Work with the accepted outputs.
    #[command(subcommand)]
    Golden(Golden),
    /// Run the sample under every build, thread count and time zone, and compare the digests.
    Determinism,
    /// Kill a live run at random moments, start it again, and look for what it lost.
    Kill {
        /// What the run is fed with.
        #[arg(long, value_name = "FEED", default_value = "history")]
        feed: kill::Feed,
        /// How many processes are killed.
        #[arg(long, default_value_t = 25)]
        kills: u64,
        /// What the random numbers start from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run the benchmark with these arguments.
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Try the tables in DuckDB: a C++ build of 20 minutes.
    Duckdb,
    /// Measure how soon a signal is kept and told, at the market's own speed.
    #[command(disable_help_flag = true)]
    Latency {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Tell the scanner's stories in a real Chromium, if there is one.
    Browser {
        /// Only stories whose names contain one of these.
        only: Vec<String>,
    },
    /// Live a session at 60x while pages and a thousand clients look on, and print what that costs.
    Load {
        /// Of a debug build, which is there sooner.
        #[arg(long)]
        debug: bool,
        /// What the benchmark is told, such as `-- --stretch 20 --clients 500`.
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Run the journal on a simulated disk that crashes, fails and decays.
    #[command(disable_help_flag = true)]
    Crash {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Live days of the calendar in every weather, in simulated time.
    #[command(disable_help_flag = true)]
    Feed {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Plant known bugs into a copy of the tree, one after the other; the tests must find each.
    Sabotage {
        /// Only the bugs whose names contain one of these.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Only a few, which change from commit to commit.
        #[arg(long, conflicts_with = "only")]
        ci: bool,
        /// Print the bugs and plant none.
        #[arg(long)]
        list: bool,
    },
    /// Plant known faults into lists of signals and runs; explanations must name each.
    #[command(disable_help_flag = true)]
    Faults {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check the style that a machine can check.
    Tidy,
    /// Everything that a submission has to pass, in order.
    Ci,
}

#[derive(Debug, Subcommand)]
enum Golden {
    /// Replay every case and compare it with its golden.
    Check,
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Replay { args } => replay::run(&args),
        Command::Sample { seed, check: false } => sample::write(seed),
        Command::Sample { seed, check: true } => sample::check(seed),
        Command::Fuzz { target, seconds } => fuzz::run(&target, seconds),
        Command::Fixture => fixture::write(),
        Command::Codegen => codegen::write(),
        Command::Golden(Golden::Check) => golden::check(),
        Command::Kill { feed, kills, seed } => kill::run(feed, kills, seed),
        Command::Determinism => determinism::run(),
        Command::Bench { args } => bench::run(&args),
        Command::Browser { only } => browser::run(&only),
        Command::Load { debug, args } => load::run(debug, &args),
        Command::Crash { args } => crash::run(&args),
        Command::Feed { args } => feed::run(&args),
        Command::Latency { args } => latency::run(&args),
        Command::Sabotage { only, ci, list } => sabotage::run(&only, ci, list),
        Command::Faults { args } => faults::run(&args),
        Command::Tidy => tidy::run(),
        Command::Duckdb => ci::duckdb(),
        Command::Ci => ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop { exit, why }) => {
            eprintln!("xtask: {why}");
            ExitCode::from(exit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_after_replay_is_passed_on() {
        let typed = ["xtask", "replay", "--from", "2024-10", "--help", "-v", "--", "x"];
        let Command::Replay { args } = Args::try_parse_from(typed).unwrap().command else {
            panic!("not a replay");
        };
        assert_eq!(args, ["--from", "2024-10", "--help", "-v", "--", "x"]);
    }

    #[test]
    fn the_sample_has_a_seed_of_its_own() {
        let Command::Sample { seed, check } =
            Args::try_parse_from(["xtask", "sample", "--check"]).unwrap().command
        else {
            panic!("not a sample");
        };
        assert_eq!((seed, check), (sample::SEED, true));
    }
}
