//! `lockstep feed`: a case, or what a run once heard, as an exchange. It speaks the protocol of
//! Upstox V3 on this machine, for tests, for demonstrations, and for anybody's own client.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;
use crate::driver::case::Case;
use crate::driver::replay::Replay;
use crate::exchange::faults::Faults;
use crate::exchange::market::Market as Exchange;
use crate::exchange::pace::Speed;
use crate::exchange::recording::Recording;
use crate::exchange::server::{Options, Play, ServeError, Serving, serve};
use crate::sources::market::Market;
use crate::sources::upstox::raw;

use super::exit::Exit;
use super::failure::Failure;
use super::terminal;
use super::{clock, prepare};

/// What `lockstep feed` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: FeedCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum FeedCommand {
    /// Play the history of a case, or what a run once heard, as a market on this machine, until
    /// Ctrl-C
    Serve(ServeArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct ServeArgs {
    /// The case whose history is played: a folder below the replays directory; needed without
    /// --recorded
    #[arg(required_unless_present = "recorded")]
    case: Option<String>,
    /// Play the messages again that a live run once heard: its directory
    #[arg(long, value_name = "RUN", conflicts_with = "case")]
    recorded: Option<PathBuf>,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// The port on 127.0.0.1; 0 for one that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// How fast market time goes: max (as fast as the client reads), 60x (a session in about six
    /// minutes), 1x
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = Speed::parse)]
    speed: Speed,
    /// Market time to begin at, such as 2024-10-01T09:15; the first morning without it
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// What goes wrong, with commas between [default: nothing]. A number is a chance from 0 to 1,
    /// one with ms or s a length of market time. Like drop=0.01, for each message: drop, dup, half,
    /// garbage, book (one more that tells of the order book alone); for each key of a snapshot:
    /// missing; for each authorization: 401, 403, 429. Like reorder=500ms or delay=60s@0.01:
    /// reorder, delay. Like stall=30s@0.001: stall, skew, disconnect
    #[arg(long, value_name = "FAULTS", default_value = "", hide_default_value = true)]
    #[arg(value_parser = Faults::parse)]
    faults: Faults,
    /// What the chances of faults are drawn from: the same number, the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// File with the token that opens the exchange; one that is not there is made
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let must_be = "must be a time in India like 2024-10-01T09:15";
    Timestamp::parse(text).ok_or_else(|| must_be.to_owned())
}

/// Runs `lockstep feed`.
///
/// # Errors
/// When the case cannot be played, the token's file cannot be used, or the port is taken.
pub fn run(args: &FeedArgs, market: &Market) -> Result<Exit, Failure> {
    let FeedCommand::Serve(args) = &args.command;
    let token = args.token_file.as_deref().map(token_of).transpose()?.flatten();
    let played = match &args.recorded {
        Some(run) => recorded(run)?,
        None => of_case(args, market)?,
    };
    let (stop, stopped) = mpsc::channel();
    let told = move || stop.send(()).unwrap_or(());
    let set = ctrlc::set_handler(told);
    set.map_err(|error| Failure::new(Exit::Io, "failed to listen for Ctrl-C").because(error))?;
    let options = Options {
        play: played.play.clone(),
        port: args.port,
        speed: args.speed,
        from: args.from,
        faults: args.faults,
        seed: args.seed,
        token,
        clock: monotonic_us,
        log: Box::new(|line| terminal::say(line)),
    };
    let serving = serve(options).map_err(failure)?;
    keep_token(args, &serving)?;
    terminal::print(&words(args, &played, &serving))?;
    // An error would mean that nobody can say stop any more.
    stopped.recv().unwrap_or(());
    serving.stop();
    terminal::say("the exchange is closed");
    Ok(Exit::Same)
}

/// A clock that only goes forward, for [`Options::clock`].
pub fn monotonic_us() -> i64 {
    clock::stamp().mono_ns / 1_000
}

/// The market that the history of a replay makes, played from its first traded day on.
///
/// # Errors
/// When the history cannot be read, or there is nothing to play.
pub fn market_of(replay: &Replay) -> Result<Arc<Exchange>, Failure> {
    let columns = replay.columns().map_err(prepare::broken_off)?;
    let instruments = replay.run.instruments.iter().zip(columns);
    let lanes = instruments.map(|(instrument, columns)| {
        (instrument.clone(), columns.by_time().bars(InstrumentId::default()).collect())
    });
    let first = replay.run.config.active_from.date();
    Exchange::new(lanes.collect(), replay.run.sessions.clone(), first)
        .map(Arc::new)
        .map_err(|error| Failure::new(Exit::Nothing, error.to_string()))
}

/// What is played, and how people call it.
struct Played {
    name: String,
    play: Play,
    keys: Vec<String>,
}

fn of_case(args: &ServeArgs, market: &Market) -> Result<Played, Failure> {
    let name = args.case.clone().unwrap_or_default();
    let case = Case::load(&args.replays, &name)
        .map_err(|error| prepare::case_failure(error, &args.replays))?;
    let replay = Replay::prepare(&case.request(), market, &case.data)
        .map_err(|error| prepare::failure(error, &case.data))?;
    let exchange = market_of(&replay)?;
    for left_out in &exchange.left_out {
        let what = left_out.defect.map_or("the minute is there twice", |defect| defect.word());
        terminal::say(format!("left out {} {}: {what}", left_out.key, left_out.time));
    }
    let keys = exchange.keys().map(str::to_owned).collect();
    Ok(Played { name, play: Play::Market(exchange), keys })
}

/// What a live run once heard.
fn recorded(run: &Path) -> Result<Played, Failure> {
    let (frames, torn) = raw::read(run).map_err(|error| {
        Failure::new(Exit::Usage, "the run has no recording")
            .at(run.join(raw::FOLDER).display())
            .because(error)
            .hint("`lockstep live` over upstox or sim:CASE keeps what it hears")
    })?;
    if frames.is_empty() {
        return Err(Failure::new(Exit::Nothing, "the recording is empty")
            .at(run.join(raw::FOLDER).display()));
    }
    if torn > 0 {
        let files = if torn == 1 { "file ends" } else { "files end" };
        terminal::say(format!("{torn} {files} in the middle of a message, which is left out"));
    }
    let Recording { frames, keys } = Recording::new(frames);
    let name = format!("{} messages of {}", terminal::grouped(frames.len() as u64), run.display());
    Ok(Played { name, play: Play::Recorded(frames), keys })
}

/// The token that opens a stand-in exchange, if its file is there.
///
/// # Errors
/// When the file cannot be read or holds no token.
pub fn token_of(path: &Path) -> Result<Option<String>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let failure = Failure::new(Exit::Io, "failed to read the token's file");
            return Err(failure.at(path.display()).because(error));
        }
    };
    let token = text.trim();
    match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Some(token.to_owned())),
        false => Err(Failure::new(Exit::Usage, "the token's file holds no token")
            .at(path.display())
            .because("a token is one word of ASCII")
            .hint("remove the file, and one with a new token is made")),
    }
}

/// Writes the token to its file where that is not there yet, for its owner alone.
fn keep_token(args: &ServeArgs, serving: &Serving) -> Result<(), Failure> {
    let Some(path) = &args.token_file else { return Ok(()) };
    match write_new(path, &serving.token) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let failure = Failure::new(Exit::Io, "failed to write the token's file");
            Err(failure.at(path.display()).because(error))
        }
        _ => Ok(()),
    }
}

fn write_new(path: &Path, token: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")
}

fn words(args: &ServeArgs, played: &Played, serving: &Serving) -> String {
    let faults = match args.faults.to_string() {
        none if none.is_empty() => "none".to_owned(),
        faults => format!("{faults} · seed {}", args.seed),
    };
    let token = match &args.token_file {
        Some(path) => format!("in {}", path.display()),
        // It opens nothing but this exchange, as long as it is open.
        None => serving.token.clone(),
    };
    let (begin, speed) = (serving.market_time(), args.speed);
    let all = [
        ("Exchange", serving.url()),
        ("Market", format!("{} · from {begin} · speed {speed}", played.name)),
        ("Keys", played.keys.join(" · ")),
        ("Faults", faults),
        ("Token", token),
        ("Connect", "GET /v3/feed/market-data-feed/authorize with `Authorization: Bearer`".into()),
    ];
    all.iter().map(|(label, fact)| terminal::fact(label, fact)).collect()
}

/// Words for an exchange that cannot be opened.
pub fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::Listen { port, source } => {
            Failure::new(Exit::Io, "failed to open the exchange")
                .at(format!("127.0.0.1:{port}"))
                .because(source)
                .hint("--port 0 takes one that is free")
        }
        ServeError::NoRandomness => Failure::new(Exit::Io, "failed to open the exchange")
            .because(ServeError::NoRandomness)
            .hint("--token-file with a token in it needs no randomness"),
        ServeError::Empty => Failure::new(Exit::Nothing, ServeError::Empty.to_string()),
    }
}
