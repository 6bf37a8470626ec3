//! The sockets of the stand-in exchange, on loopback and nowhere else: an authorization that is
//! good once, the market data feed, and history over REST. It runs in a thread of its own.
//!
//! At the speed `max` one connection drives the market, and a newer one takes it over. After every
//! few frames it is sent a WebSocket ping, and the market goes on when the pong is there: so market
//! time is never far ahead of what was read, and stands still while nobody reads. What was sent and
//! not confirmed is told again to whoever comes next.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::domain::time::Timestamp;

use super::connection::Tape;
use super::faults::Faults;
use super::frames::Sent;
use super::line::Dice;
use super::market::Market;
use super::pace::{Speed, Timeline};
use super::routes;

/// How long connections have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Connections at a time where the market goes on by itself.
const CONNECTIONS_MAX: usize = 2;

/// What is played.
#[derive(Clone, Debug)]
pub enum Play {
    /// A market made of history.
    Market(Arc<Market>),
    /// Frames as they were once received, ascending. There is no history over REST then, and
    /// whoever listens hears all of them, whatever was subscribed.
    Recorded(Arc<[Sent]>),
}

/// How the exchange is to be.
pub struct Options {
    /// What is played.
    pub play: Play,
    /// The port on loopback; 0 for one that is free.
    pub port: u16,
    /// How fast market time goes.
    pub speed: Speed,
    /// Market time at the start; without it, the begin of the first day.
    pub from: Option<Timestamp>,
    /// What goes wrong.
    pub faults: Faults,
    /// What chances are drawn from.
    pub seed: u64,
    /// The token that opens everything; without it, one is made up.
    pub token: Option<String>,
    /// A clock that only goes forward, in microseconds from anywhere. It paces market time.
    pub clock: fn() -> i64,
    /// Told one line for each connection, subscription and fault that ends one.
    pub log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Why the exchange cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or there are no more threads or files.
    #[error("listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random numbers, of which tokens are made.
    #[error("the system has no random numbers to make a token of")]
    NoRandomness,
    /// There is nothing to play.
    #[error("there is nothing to play: the recording is empty")]
    Empty,
}

/// An exchange that is open. It closes when this is dropped.
pub struct Serving {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The token that opens it.
    pub token: String,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Opens an exchange.
///
/// # Errors
/// When it cannot listen there, or there is nothing to play.
pub fn serve(options: Options) -> Result<Serving, ServeError> {
    let port = options.port;
    let listen = |source| ServeError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(listen)?;
    let (stop, stopped) = watch::channel(false);
    let (goodbye, gone) = mpsc::channel(1);
    let shared = Arc::new(Shared::new(options, addr, stopped)?);
    let (token, served) = (shared.token.clone(), Arc::clone(&shared));
    let thread = std::thread::Builder::new().name("exchange".to_owned());
    let thread = thread.spawn(move || runtime.block_on(run(listener, served, goodbye, gone)));
    let thread = Some(thread.map_err(listen)?);
    Ok(Serving { addr, token, shared, stop, thread })
}

impl Serving {
    /// The address for HTTP, such as `http://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Which time it is on the market.
    pub fn market_time(&self) -> Timestamp {
        self.shared.now()
    }

    /// Says goodbye to whoever is connected, and closes.
    pub fn stop(mut self) {
        self.close();
    }

    fn close(&mut self) {
        // Nobody is there to hear it if the thread has ended already.
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}

async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    goodbye: mpsc::Sender<()>,
    mut gone: mpsc::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return (shared.log)(&format!("the exchange cannot listen: {error}")),
    };
    let mut stopped = shared.stopped.clone();
    let router = routes::router(Arc::clone(&shared), goodbye);
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => if let Err(error) = ended {
            (shared.log)(&format!("the exchange is closed: {error}"));
        },
        _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
    }
    // Every connection holds a sender, so that this is over when the last one is.
    drop(tokio::time::timeout(GOODBYE, gone.recv()).await);
}

/// What all connections have in common.
pub(super) struct Shared {
    pub(super) play: Play,
    pub(super) addr: SocketAddr,
    pub(super) speed: Speed,
    pub(super) faults: Faults,
    pub(super) seed: u64,
    pub(super) token: String,
    pub(super) log: Box<dyn Fn(&str) + Send + Sync>,
    pub(super) stopped: watch::Receiver<bool>,
    /// The number of the connection that drives the market.
    pub(super) driver: watch::Sender<u64>,
    pub(super) clock: Clock,
    desk: Mutex<Desk>,
}

/// What changes.
struct Desk {
    /// At the speed `max`: which time it is, and from when on nothing is known to have been read.
    now: Timestamp,
    untold: Timestamp,
    /// Codes that are good for one connection.
    codes: BTreeSet<String>,
    gate: Dice,
    /// Connections so far, and those that stand.
    opened: u64,
    open: usize,
    /// Nobody gets through before that.
    closed_until: Timestamp,
}

impl Shared {
    fn new(
        options: Options,
        addr: SocketAddr,
        stopped: watch::Receiver<bool>,
    ) -> Result<Shared, ServeError> {
        let Options { play, speed, from, faults, seed, token, clock, log, .. } = options;
        let timeline = Tape::timeline(&play);
        let start = timeline.start().ok_or(ServeError::Empty)?;
        let from = from.map_or(start, |from| from.max(start));
        let desk = Desk {
            now: from,
            untold: from,
            codes: BTreeSet::new(),
            gate: Dice::gate(faults, seed),
            opened: 0,
            open: 0,
            closed_until: Timestamp::MIN,
        };
        let times = match speed {
            Speed::Max => 1,
            Speed::Times(times) => i64::from(times),
        };
        let played = timeline.played_at(from);
        Ok(Shared {
            play,
            addr,
            speed,
            faults,
            seed,
            token: token.map_or_else(random_name, Ok)?,
            log,
            stopped,
            driver: watch::channel(0).0,
            clock: Clock { clock, began: clock(), played, times, timeline },
            desk: Mutex::new(desk),
        })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which time it is on the market.
    pub(super) fn now(&self) -> Timestamp {
        match self.speed {
            Speed::Max => self.desk().now,
            Speed::Times(_) => self.clock.now(),
        }
    }

    /// The HTTP status with which somebody is refused who has the right token, if so.
    pub(super) fn refusal(&self) -> Option<u16> {
        let now = self.now();
        let mut desk = self.desk();
        desk.gate.refusal().or((now < desk.closed_until).then_some(503))
    }

    /// A new code.
    pub(super) fn code(&self) -> Result<String, ServeError> {
        let code = random_name()?;
        self.desk().codes.insert(code.clone());
        Ok(code)
    }

    /// The number of a new connection, if the code is good and there is room.
    pub(super) fn admit(&self, code: &str) -> Option<u64> {
        let mut desk = self.desk();
        let is_good = desk.codes.remove(code);
        let is_full = self.speed != Speed::Max && desk.open >= CONNECTIONS_MAX;
        (is_good && !is_full).then(|| {
            desk.opened += 1;
            desk.open += 1;
            self.driver.send_replace(desk.opened);
            desk.opened
        })
    }

    /// From when on a new connection hears the market.
    pub(super) fn untold(&self) -> Timestamp {
        match self.speed {
            Speed::Max => self.desk().untold,
            Speed::Times(_) => self.clock.now(),
        }
    }

    /// Whether this connection drives the market.
    pub(super) fn drives(&self, number: u64) -> bool {
        self.speed == Speed::Max && *self.driver.borrow() == number
    }

    /// Where this connection has brought the market, and what of it is not known to have been read.
    pub(super) fn advance(&self, number: u64, now: Timestamp, untold: Timestamp) {
        if self.drives(number) {
            let mut desk = self.desk();
            desk.now = desk.now.max(now);
            desk.untold = untold;
        }
    }

    /// The connection is cut, and nobody gets through until then.
    pub(super) fn cut(&self, number: u64, until: Timestamp) {
        match self.speed {
            Speed::Max => self.advance(number, until, until),
            Speed::Times(_) => self.desk().closed_until = until,
        }
    }

    pub(super) fn left(&self) {
        self.desk().open -= 1;
    }
}

/// Market time that goes on by itself.
pub(super) struct Clock {
    clock: fn() -> i64,
    began: i64,
    /// How much was played when it began.
    played: i64,
    times: i64,
    timeline: Timeline,
}

impl Clock {
    fn played(&self) -> i64 {
        self.played + ((self.clock)() - self.began).saturating_mul(self.times)
    }

    fn now(&self) -> Timestamp {
        self.timeline.time_at(self.played())
    }

    /// How long it takes here until that market time.
    pub(super) fn until(&self, time: Timestamp) -> Duration {
        let rest = (self.timeline.played_at(time) - self.played()).max(0);
        Duration::from_micros((rest / self.times).unsigned_abs())
    }
}

/// A name that nobody guesses, in the form of a UUID.
pub(super) fn random_name() -> Result<String, ServeError> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| ServeError::NoRandomness)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
    Ok(parts.join("-"))
}
