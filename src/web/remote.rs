//! Being reached from another machine: only over TLS, only with an access token, and only under
//! names that were given. Without all three nothing but this machine is served.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::guard::Token;

/// The shortest access token.
pub const TOKEN_MIN: usize = 24;
/// The longest file with a token or a certificate.
const FILE_MAX: u64 = 256 * 1_024;
/// The name that goes with the token where a browser asks for one.
pub const USER: &str = "lockstep";

/// How others may reach the server.
#[derive(Clone)]
pub struct Remote {
    /// Certificate and key.
    pub tls: Arc<ServerConfig>,
    /// What `Authorization` has to say: `Basic` for browsers, `Bearer` for programs.
    pub words: [Token; 2],
    /// Names without a port under which the server is reached.
    pub names: Vec<String>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Where certificate, key and token are.
#[derive(Clone, Debug)]
pub struct Files {
    /// The chain of certificates, PEM.
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
    /// The access token.
    pub token: PathBuf,
}

/// Why nobody can be let in from elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A secret could be read by others.
    #[error("{path}: others can read it (mode {mode:03o}); run `chmod 600`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file is not what it should be.
    #[error("{path}: {why}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without its content.
        why: String,
    },
}

impl Remote {
    /// Reads certificate, key and token.
    ///
    /// # Errors
    /// When one of them cannot be read, is no such thing, or could be read by others.
    pub fn load(files: &Files, names: Vec<String>) -> Result<Remote, RemoteError> {
        let bad = |path: &Path, why: String| RemoteError::Malformed { path: path.into(), why };
        let pem = read(&files.cert, false)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|error| bad(&files.cert, error.to_string()))?;
        if chain.is_empty() {
            return Err(bad(&files.cert, "there is no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&files.key, true)?);
        let key = key.map_err(|error| bad(&files.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(|error| bad(&files.cert, error.to_string()))?;
        let token = read(&files.token, true)?;
        let token = std::str::from_utf8(&token).unwrap_or_default().trim();
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() < TOKEN_MIN || !is_plain {
            let why = format!("a token has at least {TOKEN_MIN} letters and digits and no blanks");
            return Err(bad(&files.token, why));
        }
        Ok(Remote { tls: Arc::new(tls), words: words(token), names })
    }
}

/// The two ways in which a token may be shown.
fn words(token: &str) -> [Token; 2] {
    let basic = STANDARD.encode(format!("{USER}:{token}"));
    [Token::of(format!("Basic {basic}")), Token::of(format!("Bearer {token}"))]
}

fn read(path: &Path, is_secret: bool) -> Result<Vec<u8>, RemoteError> {
    let failed = |source| RemoteError::Unreadable { path: path.into(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if is_secret && mode & 0o077 != 0 {
        return Err(RemoteError::Exposed { path: path.into(), mode });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
