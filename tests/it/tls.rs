//! A server on this machine that shows a certificate, good or bad, and notes every byte that it
//! gets: as it came over the wire, and what the TLS made of it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Whose certificate the server shows.
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
    /// One of another authority for this machine.
    OtherAuthority,
}

/// An authority that tests believe.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn config(&self, shows: Shows) -> ServerConfig {
        let host = if shows == Shows::OtherHost { "example.org" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if shows == Shows::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let other = Authority::new();
        let certificate = match shows {
            Shows::SelfSigned => params.self_signed(&key),
            Shows::OtherAuthority => params.signed_by(&key, &other.0),
            _ => params.signed_by(&key, &self.0),
        };
        let chain = vec![certificate.expect("a certificate").der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("a key that fits")
    }
}

/// What a server got.
#[derive(Debug, Default)]
pub struct Got {
    /// Bytes of the wire.
    pub wire: Vec<u8>,
    /// What they said once the TLS was taken off.
    pub said: String,
}

/// A server for one connection.
pub struct Server {
    pub url: String,
    thread: JoinHandle<Got>,
}

impl Server {
    /// Answers one request with `answer`, if the handshake gets that far.
    pub fn start(authority: &Authority, shows: Shows, answer: &str) -> Server {
        let (config, answer) = (Arc::new(authority.config(shows)), answer.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody comes");
            // Only so that nobody waits for ever; however slow the machine is, this is longer.
            stream.set_read_timeout(Some(Duration::from_secs(300))).expect("a time-out");
            let tap = Tap { stream, wire: Vec::new() };
            let connection = ServerConnection::new(config).expect("a connection");
            let mut tls = StreamOwned::new(connection, tap);
            let said = converse(&mut tls, &answer);
            // Whoever was refused may still send; all of it is wanted.
            let _ = io::copy(&mut tls.sock, &mut io::sink());
            Got { wire: tls.sock.wire, said }
        });
        Server { url, thread }
    }

    pub fn got(self) -> Got {
        self.thread.join().expect("the server ends")
    }
}

/// Reads the head of a request and answers it. An alert ends that early.
fn converse(tls: &mut StreamOwned<ServerConnection, Tap>, answer: &str) -> String {
    let mut said = Vec::new();
    let mut bytes = [0; 1_024];
    while !said.windows(4).any(|end| end == b"\r\n\r\n") {
        match tls.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(read) => said.extend_from_slice(&bytes[..read]),
        }
    }
    if !said.is_empty() {
        let answered = tls.write_all(answer.as_bytes()).and_then(|()| tls.flush());
        answered.expect("it is still there");
        tls.conn.send_close_notify();
        let _ = tls.flush();
        let _ = tls.sock.stream.shutdown(std::net::Shutdown::Write);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// A stream that notes what is read from it.
struct Tap {
    stream: TcpStream,
    wire: Vec<u8>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.wire.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
