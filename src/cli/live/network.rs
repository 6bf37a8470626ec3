//! The network of a live run: the broker's, or that of a stand-in exchange inside this program.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::domain::session::Session;
use crate::domain::time::{MINUTE_US, Timestamp};
use crate::driver::listen::Network;
use crate::driver::replay::Replay;
use crate::exchange::pace::Speed;
use crate::exchange::server::{Options, Play, Serving, serve};
use crate::sources::feed::Settings;
use crate::sources::feed::clock::Pace as MarketPace;
use crate::sources::upstox::endpoint::{Endpoints, Roots};
use crate::sources::upstox::socket::{EVENTS, Pace, spawn};
use crate::sources::upstox::token::expiry::Expiry;
use crate::sources::upstox::token::{Token, TokenSource};

use super::super::broker::token_failure;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::token::until;
use super::super::{clock, feed, prepare, terminal};
use super::resolve::Life;
use super::{Feed, LiveArgs};

/// Events of a stand-in that wait at a time.
const STAND_IN_EVENTS: usize = 64;

/// How the feed is judged.
pub fn settings(args: &LiveArgs) -> Settings {
    let is_stand_in = args.feed != Feed::Upstox;
    let pace = match (is_stand_in, args.speed) {
        (false, _) => MarketPace::Times(1),
        (true, Speed::Max) => MarketPace::ByFrames,
        (true, Speed::Times(times)) => MarketPace::Times(times),
    };
    // What takes a moment here takes longer on a market that runs faster.
    let lateness_ms = match pace {
        MarketPace::Times(times) => args.lateness_ms.max(times.saturating_mul(250)),
        MarketPace::ByFrames => args.lateness_ms,
    };
    Settings {
        pace,
        lateness_ms,
        // A stand-in speaks when somebody trades, the broker also when somebody asks or bids.
        silence_ms: if is_stand_in { 90_000 } else { 15_000 },
        has_own_time: is_stand_in,
        tells_each_trade: is_stand_in,
        archive_delay_ms: if is_stand_in { 0 } else { 5_000 },
        seed: args.seed,
    }
}

/// Opens it. The market of a stand-in goes on from `from`.
///
/// # Errors
/// In words, when it cannot be opened.
pub fn open(args: &LiveArgs, replay: Option<&Replay>, from: Timestamp) -> Result<Network, String> {
    match replay {
        Some(replay) => stand_in(args, replay, from),
        None => broker(args),
    }
}

/// Looks whether there is a token that is good long enough, before anything is begun.
///
/// # Errors
/// When the broker is the feed and there is none, or it has expired.
pub fn check_token(args: &LiveArgs, life: &Life, now: Timestamp) -> Result<(), Failure> {
    // A stand-in makes its own token, unless there is one to go by.
    let is_asked = match args.feed {
        Feed::Upstox => true,
        Feed::Sim(_) => args.token.token_file.is_some(),
        Feed::History(_) => false,
    };
    if !is_asked {
        return Ok(());
    }
    let source = args.token.source();
    let token = source.read().map_err(|error| {
        let help =
            "without an account, `--feed sim:sample` plays the sample over the same protocol";
        token_failure(error).hint(help)
    })?;
    let Expiry::At(end) = token.expiry() else { return Ok(()) };
    let good = until(Expiry::At(end), now);
    if end <= now {
        return Err(Failure::new(Exit::Usage, "the access token is not good any more")
            .at(source)
            .because(good)
            .hint("`lockstep token set` replaces it; a token of the day ends at 03:30"));
    }
    let windows = life.run.sessions.iter().flat_map(|session| &session.windows);
    if windows.map(|window| window.close).max().is_some_and(|close| end < close) {
        terminal::say(format!("warning: the access token ends before the session does: {good}"));
        terminal::say(
            "  help: put a new one in its place in time; it is read with each connection",
        );
    }
    Ok(())
}

fn broker(args: &LiveArgs) -> Result<Network, String> {
    let tokens = args.token.source();
    let (sender, events) = sync_channel(EVENTS);
    let handle = spawn(Endpoints::upstox(), tokens, wall_ns, sender, Pace::BROKER);
    let handle = handle.map_err(|error| prepare::chain(&error))?;
    Ok(Network { handle, events, keeper: None })
}

fn stand_in(args: &LiveArgs, replay: &Replay, from: Timestamp) -> Result<Network, String> {
    let market = feed::market_of(replay).map_err(|failure| failure.to_string())?;
    let start = replay.run.config.active_from;
    // A file with a token opens the stand-in too, so that it goes the way that it goes to a broker.
    let file = args.token.token_file.as_deref();
    let token = file.map(feed::token_of).transpose().map_err(|failure| failure.to_string())?;
    let token = token.flatten();
    let options = Options {
        play: Play::Market(Arc::clone(&market)),
        port: 0,
        speed: args.speed,
        from: (from > start).then_some(from),
        faults: args.faults,
        seed: args.seed,
        token,
        clock: feed::monotonic_us,
        log: Box::new(|_| {}),
    };
    let serving: Serving =
        serve(options).map_err(|error| format!("the stand-in exchange cannot open: {error}"))?;
    let endpoints =
        Endpoints { rest_base: serving.url(), roots: Roots::WebPki, allow_plain_loopback: true };
    let tokens = match file {
        Some(path) => TokenSource::File(path.to_owned()),
        None => TokenSource::StandIn(Token::of_stand_in(&serving.token)),
    };
    // A market that waits for its reader is not to run ahead of what is judged.
    let (sender, events) = sync_channel(STAND_IN_EVENTS);
    let times = match args.speed {
        Speed::Max => None,
        Speed::Times(times) => Some(times),
    };
    let handle = spawn(endpoints, tokens, wall_ns, sender, Pace::of_stand_in(times));
    let handle = handle.map_err(|error| prepare::chain(&error))?;
    Ok(Network { handle, events, keeper: Some(Box::new(serving)) })
}

fn wall_ns() -> i64 {
    clock::stamp().wall_ns
}

/// Whether market time passes as people's does, or some times as quickly.
pub fn is_paced(args: &LiveArgs) -> bool {
    match args.feed {
        Feed::Upstox => true,
        Feed::Sim(_) => args.speed != Speed::Max,
        Feed::History(_) => false,
    }
}

/// Says what the run looks at, where it is kept and how it is stopped.
pub fn announce(args: &LiveArgs, life: &Life, run_dir: &Path, now: Timestamp) {
    let since = life.run.config.active_from;
    let days: Vec<&Session> =
        life.run.sessions.iter().filter(|session| session.date >= since.date()).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
    let days = match days.len() {
        1 => format!("session of {}", first.date),
        count => format!("{count} sessions from {} to {}", first.date, last.date),
    };
    let speed = match args.feed {
        Feed::Sim(_) => format!(" · speed {}", args.speed),
        Feed::Upstox | Feed::History(_) => String::new(),
    };
    terminal::say(format!("PAPER · no real orders · {} · {days}{speed}", args.feed));
    let open = first.windows.first().map_or(now, |window| window.open);
    if args.feed == Feed::Upstox && now < open {
        let minutes = (open.0 - now.0) / MINUTE_US;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        terminal::say(format!("it opens at {open} IST, in {hours} h {minutes:02} min"));
    }
    terminal::say(format!("{} · Ctrl-C stops, the same command goes on", run_dir.display()));
}
