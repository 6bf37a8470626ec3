//! A broker on this machine for the stories: certificates of its own, a REST interface and a feed
//! that follow a script, and a note of every byte that came through the TLS.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::Write;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;

/// In every token and every address here; nobody may show it.
pub const CANARY: &str = "canary-52b7";

/// Whose certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// One of the authority for this machine.
    Right,
    /// One that it made itself.
    SelfSigned,
    /// One of the authority that was good until long ago.
    Expired,
    /// One of the authority for another host.
    OtherHost,
}

/// An authority and what it signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// TLS of a server.
    fn acceptor(&self, shows: Shows) -> TlsAcceptor {
        let host = if shows == Shows::OtherHost { "example.org" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if shows == Shows::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match shows {
            Shows::SelfSigned => params.self_signed(&key).unwrap(),
            _ => params.signed_by(&key, &self.0).unwrap(),
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection that was accepted, with TLS taken off.
pub type Stream = Box<dyn Wire>;
type Script = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server for some connections, one after the other.
pub struct Server {
    pub port: u16,
    /// What came through the TLS, or without any.
    pub seen: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<usize>>,
}

impl Server {
    /// Plays `script` on each of `count` connections. A handshake that fails counts as one.
    pub fn start<F>(tls: Option<(&Authority, Shows)>, count: usize, script: F) -> Server
    where
        F: Fn(usize, Stream) -> Script + Send + 'static,
    {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tls.map(|(authority, shows)| authority.acceptor(shows));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let serve = async move {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            let mut greeted = 0;
            for number in 0..count {
                let (stream, _) = listener.accept().await.unwrap();
                let noting = |stream| Noting { stream, seen: Arc::clone(&noted) };
                let Some(stream) = greet(stream, acceptor.as_ref(), noting).await else { continue };
                greeted += 1;
                script(number, stream).await;
            }
            greeted
        };
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(serve)
        });
        Server { port, seen, thread: Some(thread) }
    }

    /// Waits for the end of the script; how many connections got through the TLS.
    pub fn join(mut self) -> usize {
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }
}

async fn greet(
    stream: TcpStream,
    acceptor: Option<&TlsAcceptor>,
    noting: impl Fn(Stream) -> Noting,
) -> Option<Stream> {
    let stream: Stream = match acceptor {
        None => Box::new(stream),
        Some(acceptor) => Box::new(acceptor.accept(stream).await.ok()?),
    };
    Some(Box::new(noting(stream)))
}

/// A stream that notes what is read from it.
struct Noting {
    stream: Stream,
    seen: Arc<Mutex<Vec<u8>>>,
}

mod noting {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Noting;

    impl AsyncRead for Noting {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let before = buffer.filled().len();
            let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
            self.seen.lock().unwrap().extend_from_slice(&buffer.filled()[before..]);
            polled
        }
    }

    impl AsyncWrite for Noting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}

/// Reads the head of a request and gives this answer.
pub async fn answer(stream: &mut Stream, answer: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// A REST interface that always answers the same.
pub fn rest(tls: Option<(&Authority, Shows)>, count: usize, said: String) -> Server {
    Server::start(tls, count, move |_, mut stream| {
        let said = said.clone();
        Box::pin(async move { answer(&mut stream, &said).await })
    })
}

/// The answer to the question where the feed is.
pub fn authorized(scheme: &str, port: u16) -> String {
    let url = format!("{scheme}://127.0.0.1:{port}/feed?requestId=1&code={CANARY}");
    http("200 OK", &format!(r#"{{"data":{{"authorized_redirect_uri":"{url}"}}}}"#))
}

pub fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Takes a connection as that of a feed.
pub async fn feed(stream: Stream) -> WebSocketStream<Stream> {
    tokio_tungstenite::accept_async(stream).await.unwrap()
}

/// Writes a token that only its owner can read.
pub fn write_token(path: &Path) {
    let mut options: OpenOptions = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(path).unwrap();
    file.write_all(CANARY.as_bytes()).unwrap();
}
