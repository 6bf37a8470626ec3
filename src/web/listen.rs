//! The door: how many may come in at a time, over what line, and how long they may take. Whoever
//! comes when all seats are taken is sent away at once; whoever asks slowly, or takes nothing of
//! what is sent, loses the seat.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::app::App;

/// Connections at a time.
const SEATS: u64 = 2_048;
/// Files that are left to everybody else in this process: journal, history, tables.
const FILES_LEFT: u64 = 256;
/// How long a client may take for its greeting, or for the head of its next request.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// How long a client may take nothing of what waits for it.
const TAKE_TIME: Duration = Duration::from_secs(60);
/// Bytes that one connection may hold unsent or unread.
const BUFFER_BYTES: usize = 64 * 1_024;

/// How many may be in at a time. A process may have few files open; then it is allowed more first,
/// and in the end enough are left for what matters more than pages.
fn seats() -> u64 {
    let wanted = SEATS + FILES_LEFT;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_short = current.is_some_and(|current| current < wanted);
    if is_short {
        let raised = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        // Where that is not allowed there are fewer seats.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: raised, maximum });
    }
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(SEATS, |files| files.saturating_sub(FILES_LEFT).clamp(16, SEATS))
}

/// Lets people in, for ever.
pub async fn open(app: App, listener: TcpListener, router: Router) {
    let seats = Arc::new(Semaphore::new(usize::try_from(seats()).unwrap_or(16)));
    let tls = app.options.remote.as_ref().map(|remote| TlsAcceptor::from(remote.tls.clone()));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No files are left, or the client is gone already.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        match Arc::clone(&seats).try_acquire_owned() {
            Ok(seat) => {
                tokio::spawn(welcome(stream, seat, tls.clone(), router.clone()));
            }
            Err(_) => {
                app.counters.sent_away.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Speaks with one client until one of the two is gone.
async fn welcome(
    stream: TcpStream,
    seat: OwnedSemaphorePermit,
    tls: Option<TlsAcceptor>,
    router: Router,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(Line { inner: stream, _seat: seat, stuck: None }, router).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HEAD_TIME, tls.accept(stream)).await {
                converse(Line { inner: stream, _seat: seat, stuck: None }, router).await;
            }
        }
    }
}

async fn converse(line: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
    // A client that breaks off is none of our errors.
    let _ = http.serve_connection(TokioIo::new(line), TowerToHyperService::new(router)).await;
}

/// A connection with its seat. It breaks off when the other side takes nothing for too long.
struct Line<T> {
    inner: T,
    _seat: OwnedSemaphorePermit,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<T> Line<T> {
    /// What a write came to; one that has to wait may not do so for ever.
    fn watch<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(TAKE_TIME)));
        match stuck.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Line<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Line<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn there_are_seats_for_a_thousand_listeners_and_files_for_the_journal() {
        assert!((16..=SEATS).contains(&seats()));
        let files = getrlimit(Resource::Nofile).current;
        assert!(files.is_none_or(|files| seats() + FILES_LEFT <= files.max(16 + FILES_LEFT)));
    }

    #[test]
    fn whoever_takes_nothing_for_a_minute_loses_the_seat() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            tokio::time::pause();
            let (near, far) = tokio::io::duplex(16);
            let seats = Arc::new(Semaphore::new(1));
            let seat = Arc::clone(&seats).try_acquire_owned().expect("it is free");
            let mut line = Line { inner: near, _seat: seat, stuck: None };
            line.write_all(&[0; 16]).await.expect("there is room for it");
            let stuck = line.write_all(&[0; 16]).await.expect_err("nobody takes it");
            assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
            drop((line, far));
            assert_eq!(seats.available_permits(), 1);
        });
    }
}
