//! A recorded day is played again by the stand-in exchange and lived again: the same messages make
//! the same facts, although nobody has the history behind them any more.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;

use lockstep::domain::event::{Event, Input, RunStarted};
use lockstep::domain::time::Timestamp;
use lockstep::driver::listen::second::SecondOpinion;
use lockstep::driver::listen::{Network, Plan, Pulse, Unopened, Wanted};
use lockstep::driver::live::live;
use lockstep::driver::plan::DateRange;
use lockstep::driver::run::Ended;
use lockstep::exchange::faults::Faults;
use lockstep::exchange::pace::Speed;
use lockstep::exchange::recording::Recording;
use lockstep::exchange::server::{Options, Play, Serving, serve};
use lockstep::journal::reader::Reader;
use lockstep::journal::writer::{Identity, Setup, Stamp};
use lockstep::sources::feed::Settings;
use lockstep::sources::feed::clock::Pace;
use lockstep::sources::store::Store;
use lockstep::sources::upstox::endpoint::{Endpoints, Roots};
use lockstep::sources::upstox::raw;
use lockstep::sources::upstox::socket;
use lockstep::sources::upstox::token::{Token, TokenSource};

use crate::desk::{DATA, Desk};
use crate::world::date;

/// Two sessions of the sample after one that warms up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-03\"\nto = \"2024-10-04\"\n\
    warmup_sessions = 1\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n\
    [[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n";

/// A desk with a live run over the stand-in's protocol, and the run's directory.
fn recorded() -> (Desk, PathBuf) {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    desk.run("live --feed sim:short").expect(0);
    let mut runs = std::fs::read_dir(desk.at("runs")).unwrap();
    let run = runs.next().unwrap().unwrap().path();
    (desk, run)
}

fn started(run: &Path) -> RunStarted {
    let first = Reader::open(run).unwrap().next().unwrap().unwrap();
    match first.event {
        Event::Input(Input::RunStarted(run)) => *run,
        other => panic!("{other:?}"),
    }
}

fn serve_again(run: &Path) -> Serving {
    let (frames, torn) = raw::read(run).unwrap();
    assert_eq!(torn, 0);
    let options = Options {
        play: Play::Recorded(Recording::new(frames).frames),
        port: 0,
        speed: Speed::Max,
        from: None,
        faults: Faults::default(),
        seed: 1,
        token: None,
        clock: || 0,
        log: Box::new(|_| {}),
    };
    serve(options).unwrap()
}

fn network(serving: Serving) -> Network {
    let endpoints =
        Endpoints { rest_base: serving.url(), roots: Roots::WebPki, allow_plain_loopback: true };
    let tokens = TokenSource::StandIn(Token::of_stand_in(&serving.token));
    let (sender, events) = sync_channel(64);
    let pace = socket::Pace::of_stand_in(None);
    let handle = socket::spawn(endpoints, tokens, || 1, sender, pace).unwrap();
    Network { handle, events, keeper: Some(Box::new(serving)) }
}

/// Lives what `run` once heard, into `again`.
fn live_again(desk: &Desk, run: &Path, again: &Path) {
    let started = started(run);
    let before = DateRange { first: started.sessions[0].date, last: date("2024-10-02") };
    let settings = Settings {
        pace: Pace::ByFrames,
        lateness_ms: 2_000,
        silence_ms: 90_000,
        has_own_time: true,
        tells_each_trade: true,
        archive_delay_ms: 0,
        seed: 1,
    };
    let stop = AtomicBool::new(false);
    let unopened = Unopened::new(Plan {
        run: &started,
        settings,
        warmup: Some((Store::open(desk.at(DATA)).unwrap(), before)),
        commands: Vec::new(),
        wishes: Box::new(Wanted::default),
        run_dir: again,
        wall: || Timestamp(0),
        steady_us: || 0,
        stop: &stop,
        second: Rc::new(RefCell::new(SecondOpinion::default())),
        pulse: Rc::new(Pulse::default()),
        connect: Box::new(|_| Ok(network(serve_again(run)))),
    });
    let setup = Setup::durable(again, Identity::of_replay(&started).unwrap(), Stamp::default);
    let lived = live(&started, &setup, true, unopened, &mut []).unwrap();
    assert!(matches!(lived.ended, Ended::Sealed(_)), "{lived:?}");
}

#[test]
fn a_recorded_run_that_is_served_and_lived_again_has_the_same_facts() {
    let (desk, run) = recorded();
    let again = desk.at("runs/again");
    live_again(&desk, &run, &again);
    let text = desk.run(&format!("diff {} {}", run.display(), again.display())).expect(0);
    assert!(text.contains("equals"), "{text}");
    desk.run(&format!("verify {}", again.display())).expect(0);
    let heard = |run: &Path| -> Vec<Vec<u8>> {
        raw::read(run).unwrap().0.into_iter().map(|frame| frame.bytes).collect()
    };
    assert_eq!(heard(&again), heard(&run), "it heard the same messages, byte for byte");
}

#[test]
fn a_run_without_a_recording_cannot_be_served() {
    let desk = Desk::new();
    desk.run("replay --from 2024-10-03 --to 2024-10-04").expect(0);
    let mut runs = std::fs::read_dir(desk.at("runs")).unwrap();
    let run = runs.next().unwrap().unwrap().path();
    let error = desk.refuses(2, &format!("feed serve --recorded {}", run.display()));
    assert!(error.contains("the run has no recording") && error.contains("raw"), "{error}");
    let error = desk.refuses(2, "feed serve");
    assert!(error.contains("CASE"), "{error}");
}
