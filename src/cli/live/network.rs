//! The network of a live run: the broker's, or that of a stand-in exchange inside this program.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::domain::time::Timestamp;
use crate::driver::listen::Network;
use crate::driver::replay::Replay;
use crate::exchange::pace::Speed;
use crate::exchange::server::{Options, Play, Serving, serve};
use crate::sources::feed::Settings;
use crate::sources::feed::clock::Pace as MarketPace;
use crate::sources::upstox::endpoint::{Endpoints, Roots};
use crate::sources::upstox::socket::{EVENTS, Pace, spawn};
use crate::sources::upstox::token::{Token, TokenSource, VARIABLE};

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{clock, feed, prepare, terminal};
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
        trusts_first: is_stand_in,
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

/// Where the token is.
fn tokens(args: &LiveArgs) -> TokenSource {
    match &args.token_file {
        Some(path) => TokenSource::File(path.clone()),
        None => TokenSource::Variable(VARIABLE),
    }
}

/// Looks whether there is a token, before anything is begun.
///
/// # Errors
/// When the broker is the feed and there is none.
pub fn check_token(args: &LiveArgs) -> Result<(), Failure> {
    if args.feed != Feed::Upstox {
        return Ok(());
    }
    let read = tokens(args).read().map(|_| ());
    read.map_err(|error| {
        Failure::new(Exit::Usage, "there is no access token for Upstox")
            .because(error)
            .hint(format!("put it into the variable {VARIABLE}, or into a file for --token-file"))
            .hint("an Analytics Token is enough: it reads the market and cannot trade")
            .hint("without an account, `--feed sim:sample` plays the sample over the same protocol")
    })
}

fn broker(args: &LiveArgs) -> Result<Network, String> {
    let tokens = tokens(args);
    let (sender, events) = sync_channel(EVENTS);
    let handle = spawn(Endpoints::upstox(), tokens, wall_ns, sender, Pace::BROKER);
    let handle = handle.map_err(|error| prepare::chain(&error))?;
    Ok(Network { handle, events, keeper: None })
}

fn stand_in(args: &LiveArgs, replay: &Replay, from: Timestamp) -> Result<Network, String> {
    let market = feed::market_of(replay).map_err(|failure| failure.to_string())?;
    let start = replay.run.config.active_from;
    let options = Options {
        play: Play::Market(Arc::clone(&market)),
        port: 0,
        speed: args.speed,
        from: (from > start).then_some(from),
        faults: args.faults,
        seed: args.seed,
        token: None,
        clock: feed::monotonic_us,
        log: Box::new(|_| {}),
    };
    let serving: Serving =
        serve(options).map_err(|error| format!("the stand-in exchange cannot open: {error}"))?;
    let endpoints =
        Endpoints { rest_base: serving.url(), roots: Roots::WebPki, allow_plain_loopback: true };
    let tokens = TokenSource::StandIn(Token::of_stand_in(&serving.token));
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

/// Says what the run looks at.
pub fn announce(args: &LiveArgs, name: &str) {
    match args.feed {
        Feed::Upstox => terminal::say(format!("PAPER · no real orders · Upstox, {name}")),
        Feed::Sim(_) | Feed::History(_) => {}
    }
}
