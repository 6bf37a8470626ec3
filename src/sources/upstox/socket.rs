//! The connection to the feed, on a thread of its own. It says what it hears and does what it is
//! told; when to connect, when to try again and what to subscribe is for others to decide.

use std::future;
use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_blocking;
use tokio::time::{Interval, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};

use super::endpoint::{EndpointError, Endpoints, RootsError};
use super::fetch::{CandleReply, CandleRequest, Fetcher};
use super::frame::MESSAGE_MAX;
use super::rest::{Rest, RestError, io_words};
use super::token::TokenSource;
use super::value::words;

/// Places for events between this thread and who listens: at a hundred messages a second, ten
/// minutes in which nobody listens.
pub const EVENTS: usize = 65_536;

/// The longest piece of a message; those of the feed come in one.
const PIECE_MAX: usize = 1 << 20;
/// How long it may take to get from the feed's address to an open connection.
const OPEN_MAX: Duration = Duration::from_secs(15);
/// How long it may take to get rid of a message.
const SEND_MAX: Duration = Duration::from_secs(5);
/// How long it may take to say goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// How long to wait before looking again for a place for an event.
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// Something that was heard.
#[derive(Debug)]
pub struct Event {
    /// When, by the clock that was handed in: nanoseconds since 1970 UTC.
    pub received_ns: i64,
    /// What.
    pub heard: Heard,
}

/// What can be heard.
#[derive(Debug)]
pub enum Heard {
    /// The connection is open. Nothing is subscribed.
    Up,
    /// A binary message, for [`super::frame::decode`].
    Frame(Vec<u8>),
    /// A text message, for [`super::message::complaint`].
    Text(String),
    /// A ping or a pong: the connection lives although there is nothing to say.
    Alive,
    /// There is no connection any more, or none came to be.
    Down(Down),
    /// Minutes out of the archive.
    Candles(CandleReply),
}

/// Why there is no connection. The words have neither the token nor the feed's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Down {
    /// There is no token to connect with.
    #[error("{0}")]
    NoToken(String),
    /// The broker does not accept the token. To try again with the same is of no use.
    #[error("the broker does not accept the token ({0}); put a new one in its place")]
    Unauthorized(String),
    /// The broker said no.
    #[error("the broker answered {status} ({why})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the broker says; may be empty.
        why: String,
    },
    /// The other side closed the connection.
    #[error("the feed closed the connection{}", closing_words(*code, reason))]
    Closed {
        /// Its code, such as 1011.
        code: Option<u16>,
        /// What it says; may be empty.
        reason: String,
    },
    /// No way through, no trust in the certificate, no patience.
    #[error("{0}")]
    Broken(String),
    /// It was told to.
    #[error("disconnected as told")]
    Told,
}

fn closing_words(code: Option<u16>, reason: &str) -> String {
    match (code, reason) {
        (None, _) => String::new(),
        (Some(code), "") => format!(" ({code})"),
        (Some(code), reason) => format!(" ({code}: {reason})"),
    }
}

/// What the thread can be told.
#[derive(Debug)]
pub enum Say {
    /// Ask where the feed is and connect, unless there is a connection or one on the way.
    Connect,
    /// Send this as a binary message. Without a connection it is dropped.
    Send(Vec<u8>),
    /// Close the connection, or give it up on the way.
    Disconnect,
    /// Get minutes out of the archive.
    Fetch(CandleRequest),
    /// End the thread.
    Quit,
}

/// Why the thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The address of the broker cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The system has no thread or no network for us.
    #[error("the network thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// The running thread. Dropping it ends the thread and waits for that.
#[derive(Debug)]
pub struct Handle {
    says: UnboundedSender<Say>,
    quits: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Tells the thread what to do. After its end this does nothing.
    pub fn say(&self, say: Say) {
        if matches!(say, Say::Quit) {
            self.quits.store(true, Ordering::Relaxed);
        }
        let _ = self.says.send(say);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.say(Say::Quit);
        if let Some(thread) = self.thread.take() {
            // If it panicked, who listens has seen the end of the events.
            let _ = thread.join();
        }
    }
}

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A ping, when nothing was heard for so long.
    ping: Duration,
    /// A call of the archive at most.
    fetch: Duration,
}

impl Pace {
    /// What the broker allows: it counts calls in its own time.
    pub const BROKER: Pace =
        Pace { ping: Duration::from_secs(10), fetch: Duration::from_millis(100) };

    /// The same in the time of a market that goes so many times as fast, or that waits for its
    /// reader. A timer knows no less than a millisecond.
    pub fn of_stand_in(times: Option<u32>) -> Pace {
        let least = Duration::from_millis(1);
        let fetch = times.map_or(least, |times| Pace::BROKER.fetch / times.max(1));
        Pace { fetch: fetch.max(least), ..Pace::BROKER }
    }
}

/// Starts the thread. It ends when it is told to or when nobody listens to `events` any more;
/// `wall_ns` is the clock of what it hears.
pub fn spawn(
    endpoints: Endpoints,
    tokens: TokenSource,
    wall_ns: fn() -> i64,
    events: SyncSender<Event>,
    pace: Pace,
) -> Result<Handle, SpawnError> {
    let rest = Rest::new(&endpoints)?;
    let connector = Connector::Rustls(endpoints.roots.feed_tls()?);
    let (said, says) = unbounded_channel();
    let quits = Arc::new(AtomicBool::new(false));
    let out = Out { events, wall_ns, quits: Arc::clone(&quits) };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("upstox".to_owned()).spawn(move || {
        let way = Way { endpoints, rest, tokens, connector };
        run(&runtime, way, says, out, pace);
        // A call that is under way ends by itself; nobody waits for it.
        runtime.shutdown_background();
    })?;
    Ok(Handle { says: said, quits, thread: Some(thread) })
}

fn run(runtime: &Runtime, way: Way, says: UnboundedReceiver<Say>, out: Out, pace: Pace) {
    runtime.block_on(async {
        let fetcher = Fetcher::new(way.rest.clone(), way.tokens.clone(), pace.fetch);
        let line = Line::Idle;
        let ended = Net { way, says, out, pace, fetcher, line }.run().await;
        debug_assert!(ended.is_break());
    });
}

/// Where events go.
struct Out {
    events: SyncSender<Event>,
    wall_ns: fn() -> i64,
    quits: Arc<AtomicBool>,
}

impl Out {
    /// Hands an event on. If there is no place for it this waits, and the connection with it; a
    /// break means that nobody listens.
    async fn tell(&self, heard: Heard) -> ControlFlow<()> {
        let mut event = Event { received_ns: (self.wall_ns)(), heard };
        loop {
            event = match self.events.try_send(event) {
                Ok(()) => return Continue(()),
                Err(TrySendError::Disconnected(_)) => return Break(()),
                Err(TrySendError::Full(event)) => event,
            };
            if self.quits.load(Ordering::Relaxed) {
                return Break(());
            }
            sleep(FULL_PAUSE).await;
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Opening = Pin<Box<dyn Future<Output = Result<Box<Socket>, Down>>>>;

/// Everything that a connection needs.
struct Way {
    endpoints: Endpoints,
    rest: Rest,
    tokens: TokenSource,
    connector: Connector,
}

impl Way {
    /// A connection on the way: ask where the feed is, then go there.
    fn open(&self) -> Opening {
        let (rest, tokens) = (self.rest.clone(), self.tokens.clone());
        let (endpoints, connector) = (self.endpoints.clone(), self.connector.clone());
        Box::pin(async move {
            let asked = spawn_blocking(move || rest.authorize(&tokens.read()?)).await;
            let address = match asked {
                Ok(address) => address.map_err(not_authorized)?,
                Err(_) => return Err(Down::Broken("asking for the feed failed".to_owned())),
            };
            let uri = endpoints
                .feed(address.url())
                .map_err(|error| Down::Broken(format!("the feed's address is {error}")))?;
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_MAX))
                .max_frame_size(Some(PIECE_MAX));
            let going = connect_async_tls_with_config(uri, Some(config), true, Some(connector));
            match timeout(OPEN_MAX, going).await {
                Ok(Ok((socket, _))) => Ok(Box::new(socket)),
                Ok(Err(error)) => Err(down(&error)),
                Err(_) => Err(Down::Broken("the feed did not answer in time".to_owned())),
            }
        })
    }
}

/// Why there is no address of the feed.
fn not_authorized(error: RestError) -> Down {
    match error {
        RestError::Token(error) => Down::NoToken(error.to_string()),
        RestError::Unauthorized { complaint } => Down::Unauthorized(complaint.to_string()),
        RestError::TooMany { complaint } => {
            Down::Refused { status: 429, why: complaint.to_string() }
        }
        RestError::Refused { status, complaint } => {
            Down::Refused { status, why: complaint.to_string() }
        }
        other => Down::Broken(other.to_string()),
    }
}

/// Why the connection is gone, without the address, which the library's own words may have in them.
fn down(error: &tungstenite::Error) -> Down {
    use tungstenite::Error;

    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => {
            Down::Closed { code: None, reason: String::new() }
        }
        Error::Http(response) => match response.status().as_u16() {
            401 => Down::Unauthorized("401 from the feed".to_owned()),
            status => Down::Refused { status, why: "from the feed".to_owned() },
        },
        Error::Io(error) => broke(&io_words(error)),
        Error::Tls(_) | Error::Url(_) | Error::HttpFormat(_) => {
            Down::Broken("the feed's address cannot be used".to_owned())
        }
        Error::Capacity(error) => broke(&error.to_string()),
        Error::Protocol(error) => broke(&error.to_string()),
        _ => Down::Broken("the feed does not speak WebSocket".to_owned()),
    }
}

fn broke(why: &str) -> Down {
    Down::Broken(format!("the connection to the feed broke: {}", words(why)))
}

/// The connection.
enum Line {
    Idle,
    Opening(Opening),
    Open { socket: Box<Socket>, quiet: Interval },
}

/// What comes from the connection.
enum News {
    Opened(Result<Box<Socket>, Down>),
    Heard(Option<tungstenite::Result<Message>>),
    Quiet,
}

impl Line {
    /// What comes next; nothing as long as there is no connection. May be dropped at any point.
    async fn next(&mut self) -> News {
        match self {
            Line::Idle => future::pending().await,
            Line::Opening(opening) => News::Opened(opening.await),
            Line::Open { socket, quiet } => tokio::select! {
                message = socket.next() => {
                    quiet.reset();
                    News::Heard(message)
                }
                _ = quiet.tick() => News::Quiet,
            },
        }
    }

    /// Sends, if there is a connection.
    async fn send(&mut self, message: Message) -> Result<(), Down> {
        let Line::Open { socket, .. } = self else { return Ok(()) };
        match timeout(SEND_MAX, socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| down(&error)),
            Err(_) => Err(Down::Broken("the feed does not take what is sent".to_owned())),
        }
    }

    /// Ends the connection; false if there was none.
    async fn close(&mut self) -> bool {
        match std::mem::replace(self, Line::Idle) {
            Line::Idle => false,
            Line::Opening(_) => true,
            Line::Open { mut socket, .. } => {
                // A goodbye that fails changes nothing.
                let _ = timeout(GOODBYE_MAX, socket.close(None)).await;
                true
            }
        }
    }
}

/// All that the thread has.
struct Net {
    way: Way,
    says: UnboundedReceiver<Say>,
    out: Out,
    pace: Pace,
    fetcher: Fetcher,
    line: Line,
}

impl Net {
    /// Goes on until it is told to quit or nobody listens.
    async fn run(mut self) -> ControlFlow<()> {
        loop {
            let flow = tokio::select! {
                said = self.says.recv() => self.told(said.unwrap_or(Say::Quit)).await,
                news = self.line.next() => self.heard(news).await,
                reply = self.fetcher.next() => self.out.tell(Heard::Candles(reply)).await,
            };
            if flow.is_break() {
                self.line.close().await;
                return flow;
            }
        }
    }

    async fn told(&mut self, say: Say) -> ControlFlow<()> {
        match say {
            Say::Connect => {
                if matches!(self.line, Line::Idle) {
                    self.line = Line::Opening(self.way.open());
                }
                Continue(())
            }
            Say::Send(bytes) => {
                let sent = self.line.send(Message::Binary(bytes.into())).await;
                self.after(sent).await
            }
            Say::Disconnect => match self.line.close().await {
                true => self.out.tell(Heard::Down(Down::Told)).await,
                false => Continue(()),
            },
            Say::Fetch(request) => {
                self.fetcher.ask(request);
                Continue(())
            }
            Say::Quit => Break(()),
        }
    }

    async fn heard(&mut self, news: News) -> ControlFlow<()> {
        let message = match news {
            News::Opened(Ok(socket)) => {
                let mut quiet = interval(self.pace.ping);
                quiet.reset();
                self.line = Line::Open { socket, quiet };
                return self.out.tell(Heard::Up).await;
            }
            News::Opened(Err(down)) => return self.after(Err(down)).await,
            News::Quiet => {
                let sent = self.line.send(Message::Ping(Vec::new().into())).await;
                return self.after(sent).await;
            }
            News::Heard(None) => return self.after(Err(down(&closed()))).await,
            News::Heard(Some(Err(error))) => return self.after(Err(down(&error))).await,
            News::Heard(Some(Ok(message))) => message,
        };
        let heard = match message {
            Message::Binary(bytes) => Heard::Frame(bytes.into()),
            Message::Text(text) => Heard::Text(text.as_str().to_owned()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Heard::Alive,
            Message::Close(frame) => {
                let code = frame.as_ref().map(|frame| frame.code.into());
                let reason = frame.map(|frame| words(&frame.reason)).unwrap_or_default();
                return self.after(Err(Down::Closed { code, reason })).await;
            }
        };
        self.out.tell(heard).await
    }

    /// If something has gone wrong, the connection is gone.
    async fn after(&mut self, result: Result<(), Down>) -> ControlFlow<()> {
        match result {
            Ok(()) => Continue(()),
            Err(down) => {
                self.line.close().await;
                self.out.tell(Heard::Down(down)).await
            }
        }
    }
}

/// The end of the stream as the library says it elsewhere.
fn closed() -> tungstenite::Error {
    tungstenite::Error::ConnectionClosed
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
