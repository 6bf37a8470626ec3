//! Words for people. One command per file; each turns what was typed into what is meant once, and
//! only this room turns errors into words, hints and exit codes.
//!
//! Results go to stdout, everything else to stderr.

pub mod broker;
pub mod check;
pub mod clock;
pub mod config;
pub mod control;
pub mod data;
pub mod diff;
pub mod divergence;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod facts;
pub mod failure;
pub mod feed;
pub mod golden;
pub mod journal;
pub mod live;
pub mod prepare;
pub mod progress;
pub mod project;
pub mod replay;
pub mod report;
pub mod serve;
pub mod terminal;
pub mod token;
pub mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use exit::Exit;
use failure::Failure;

/// Runs a trading strategy over history or live on paper through one core, journals every event,
/// and proves that both did the same.
#[derive(Parser)]
#[command(name = "lockstep", version, after_help = WORDS_AND_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const WORDS_AND_CODES: &str = "\
Words:
  case    a folder below replays/: history, days, symbols, settings (case.toml)
  run     a folder below runs/, from `replay` or `live`; its journal is in log/
  facts   strategy bars with their indicators, signals, fills
  golden  a folder below golden/: facts of a case that somebody accepted
  key     an instrument, such as 'NSE_EQ|INE155A01022'; quoted, because of the |

Exit codes:
    0  same, or done
    1  finished, and differs
    2  usage, configuration or missing data
    3  damaged data or journal
    4  nothing selected
    5  not deterministic
    6  lived to the end; the day's loss or a kill had stopped trading
   73  locked
   74  reading or writing failed
  130  interrupted, can go on

`lockstep COMMAND --help` says more of each command.";

#[derive(clap::Subcommand)]
enum Command {
    /// Replay history through the core and hold the facts against golden
    Replay(Box<replay::ReplayArgs>),
    /// Run live on paper: durable, taken up where it stopped
    Live(Box<live::LiveArgs>),
    /// Show a run in the browser, finished or under way
    Serve(serve::ServeArgs),
    /// Ask a live run to pause, resume, flatten, kill or release
    Control(control::ControlArgs),
    /// Play a case as an exchange that a live run can connect to
    Feed(Box<feed::FeedArgs>),
    /// Keep the broker's access token in the system's keyring, check it, forget it
    Token(token::TokenCommand),
    /// Bring history in, look at it, list it, make it up
    Data(data::DataArgs),
    /// Compare two runs, or a run and a golden
    Diff(diff::DiffArgs),
    /// Take stock of goldens, review, accept, approve differences; signals of your own program
    Golden(golden::GoldenArgs),
    /// Run the core again over a recorded run and compare every output
    Verify(verify::VerifyArgs),
    /// Put the rules on trial: what they know in advance, how much history they need
    Check(Box<check::CheckArgs>),
    /// Explain one bar of a run: its conditions, what it was made of, what would have changed it
    Explain(explain::ExplainArgs),
    /// What people decide by: a run's economics, days of looking on, all of it on one page
    Report(report::ReportArgs),
    /// Look into a run's journal
    Journal(journal::JournalArgs),
    /// Make the tables of a run from its journal: a DuckDB file, or CSV files
    Project(project::ProjectArgs),
    /// Show the settings of a case, look for mistakes in cases, list the built-in market facts
    Config(config::ConfigArgs),
    /// Check what is around here: token, clock, calendar, keys, cases, goldens, disk, port
    Doctor(doctor::DoctorArgs),
    /// Write a completion script for a shell to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments, runs the command, and maps its end to an exit code.
pub fn main() -> ExitCode {
    let exit = match run(Cli::parse().command) {
        Ok(exit) => exit,
        Err(failure) => {
            terminal::say(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Replay(args) => replay::run(&args, &prepare::market()?),
        Command::Live(args) => live::run(&args, &prepare::market()?),
        Command::Serve(args) => serve::run(&args),
        Command::Control(args) => control::run(&args),
        Command::Feed(args) => feed::run(&args, &prepare::market()?),
        Command::Token(args) => token::run(&args),
        Command::Data(args) => data::run(args, &prepare::market()?),
        Command::Diff(args) => diff::run(&args, &prepare::book_of_run),
        Command::Golden(args) => {
            let bench =
                prepare::CaseBench { market: prepare::market()?, replays: args.replays.clone() };
            golden::run(&args, &bench)
        }
        Command::Verify(args) => verify::run(&args),
        Command::Check(args) => check::run(&args, &prepare::market()?),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args, &prepare::market()?),
        Command::Journal(args) => journal::run(args),
        Command::Project(args) => project::run(&args),
        Command::Config(args) => config::run(&args, &prepare::market()?),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lockstep", &mut script);
            terminal::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Same)
        }
    }
}
