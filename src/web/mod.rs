//! The scanner: pages and an interface over HTTP that show a run from its journal on the disk, and
//! take what people ask of it. It reads what is committed and nothing else, in a thread of its own,
//! so a run is never slower for being watched, and goes on when this stops.
//!
//! - [`follow`] the journal as it grows
//! - [`model`] what is kept of it in memory
//! - [`facts`] bars, signals, trades and days, folded
//! - [`routes`] every address in one table, and its OpenAPI description
//! - [`api`] the answers in JSON
//! - [`stream`] changes as they come, as server-sent events
//! - [`index`] where in a journal what stands
//! - [`shelf`] runs that were looked at, read once
//! - [`events`] the journal itself, filtered and paged
//! - [`runs`] the runs beside this one
//! - [`parity`] the core again over the journal's inputs
//! - [`control`] what people ask of a run
//! - [`listen`] the door: seats, lines and patience
//! - [`guard`] who may ask at all
//! - [`pace`] how often something may happen
//! - [`remote`] being reached from another machine
//! - [`refusals`] who was refused, for the journal
//! - [`metrics`] numbers for Prometheus
//! - [`assets`] scripts and styles, built in
//! - [`pages`] what people see

pub mod api;
pub mod app;
pub mod assets;
pub mod control;
pub mod events;
pub mod facts;
pub mod follow;
pub mod guard;
pub mod index;
pub mod listen;
pub mod metrics;
pub mod model;
pub mod pace;
pub mod pages;
pub mod parity;
pub mod refusals;
pub mod remote;
pub mod routes;
pub mod runs;
pub mod shelf;
pub mod stream;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::domain::time::Timestamp;

use app::App;
use guard::Token;
use remote::Remote;

/// What a run is, so that nobody takes paper for real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Fills are made up; no order leaves the machine.
    Paper,
    /// History is told once more.
    Replay,
    /// Orders go to an exchange.
    Live,
}

impl Mode {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Paper => "PAPER",
            Mode::Replay => "REPLAY",
            Mode::Live => "LIVE",
        }
    }

    /// What the band on every page says.
    pub const fn band(self) -> &'static str {
        match self {
            Mode::Paper => "PAPER · no real orders",
            Mode::Replay => "REPLAY · history, no real orders",
            Mode::Live => "LIVE · real orders",
        }
    }
}

/// What is to be served, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The run's directory, with `log/` in it.
    pub run_dir: PathBuf,
    /// The address to listen on; one of this machine, unless others are let in.
    pub address: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// What the run is.
    pub mode: Mode,
    /// Where requests go; none where nobody would take them.
    pub control: Option<PathBuf>,
    /// How others are let in; none where only this machine is served.
    pub remote: Option<Remote>,
    /// What the machine's clock shows: for how long nothing has come, and how much was asked.
    pub clock: fn() -> Timestamp,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Whoever can reach the address could command the run.
    #[error("{0} can be reached from elsewhere, and nothing says who may come")]
    NotLoopback(IpAddr),
    /// The port cannot be had.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address with its port.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system gives no random numbers or no threads.
    #[error("failed to start serving")]
    Start(#[source] io::Error),
}

/// A server under way. It stops when this is dropped.
pub struct Serving {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What a POST has to show; made anew at each start.
    pub token: String,
    app: App,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Requests that were refused so far.
    pub fn refused(&self) -> u64 {
        self.app.counters.refused_total()
    }

    /// Stops serving and waits for the end of it.
    pub fn stop(mut self) {
        self.end();
    }

    /// Serves until somebody else ends the process or [`Serving::stop`] is called elsewhere.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was said over there.
            let _ = thread.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// Serves a run from a thread of its own, and returns once it can be reached.
///
/// # Errors
/// When the address is not of this machine and nothing says who may come, or it cannot be listened
/// on. That the run has no journal yet is no error: the pages say so, and follow it when it comes.
pub fn serve(options: Options) -> Result<Serving, ServeError> {
    if !options.address.is_loopback() && options.remote.is_none() {
        return Err(ServeError::NotLoopback(options.address));
    }
    let address = SocketAddr::new(options.address, options.port);
    let listen = |source| ServeError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;
    let token = Token::random().map_err(ServeError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .map_err(ServeError::Start)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let app = App::new(options, addr, token.clone());
    let shared = app.clone();
    let thread = std::thread::Builder::new().name("scanner".into()).spawn(move || {
        step_back();
        // These end when their side of the channel goes.
        let workers = [
            worker("scanner-journal", &app, follow::follow),
            worker("scanner-parity", &app, parity::follow),
        ];
        runtime.block_on(async {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            tokio::spawn(refusals::pass_on(app.clone()));
            tokio::select! {
                () = listen::open(app.clone(), listener, routes::router(&app)) => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
        for (ended, thread) in workers.into_iter().flatten() {
            drop(ended);
            let _ = thread.join();
        }
    });
    let thread = Some(thread.map_err(ServeError::Start)?);
    let token = token.text().to_owned();
    Ok(Serving { addr, token, app: shared, stop: Some(stop), thread })
}

/// Puts this thread, and those that it starts, behind those of the run that it looks at, and off
/// one core, so that the run finds that one free of them. On Linux each thread has a priority of
/// its own; elsewhere the whole process would go behind others.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        // Where that is not allowed, all are alike as before.
        let _ = rustix::process::nice(10);
        let Ok(mut cores) = sched_getaffinity(None) else { return };
        let first = (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core));
        if let Some(first) = first.filter(|_| cores.count() > 1) {
            cores.unset(first);
            let _ = sched_setaffinity(None, &cores);
        }
    }
}

/// A thread that looks on until the sender goes.
fn worker(
    name: &str,
    app: &App,
    work: fn(&App, &mpsc::Receiver<()>),
) -> Option<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (going, ended) = mpsc::channel::<()>();
    let app = app.clone();
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || work(&app, &ended));
    thread.ok().map(|thread| (going, thread))
}
