//! Whom this program talks to, and how it knows that it is them. Always over TLS with certificate
//! checks, which nothing turns off; in the clear only to this machine itself, and only when asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The broker's servers.
const UPSTOX: &str = "https://api.upstox.com";

/// Whom to talk to.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Scheme and host of the REST interface, such as `https://api.upstox.com`. The feed's address
    /// comes from there.
    pub rest_base: String,
    /// Whose certificates are believed.
    pub roots: Roots,
    /// Whether `http` and `ws` are allowed to 127.0.0.1 and [::1], for a server of one's own.
    pub allow_plain_loopback: bool,
}

/// Whose certificates are believed.
#[derive(Clone, Debug)]
pub enum Roots {
    /// Those that browsers believe.
    WebPki,
    /// These and no others.
    Custom(Vec<CertificateDer<'static>>),
}

/// An address that is not talked to. It is not named: the feed's address is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address at all.
    #[error("not an address with a scheme and a host, such as {UPSTOX}")]
    Malformed,
    /// An address with a name and password in it.
    #[error("an address with a password in it; give one without")]
    Credentials,
    /// Neither `https` nor `wss`.
    #[error(
        "an address without TLS; only https and wss are talked to, and http and ws only to \
         127.0.0.1 and [::1], where that is switched on"
    )]
    Plain,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{}: the certificates cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is none in it, or one that is broken.
    #[error("{}: no certificates in PEM: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The certificates are not those of an authority.
    #[error("a certificate that cannot be a root: {0}")]
    Unusable(String),
}

impl Endpoints {
    /// The broker itself.
    pub fn upstox() -> Endpoints {
        Endpoints {
            rest_base: UPSTOX.to_owned(),
            roots: Roots::WebPki,
            allow_plain_loopback: false,
        }
    }

    /// Whether the REST interface may be talked to.
    pub fn check(&self) -> Result<(), EndpointError> {
        self.door(&self.rest_base, "https", "http").map(drop)
    }

    /// The address of the feed, if it may be talked to.
    pub(super) fn feed(&self, url: &str) -> Result<Uri, EndpointError> {
        self.door(url, "wss", "ws")
    }

    fn door(&self, url: &str, secure: &str, plain: &str) -> Result<Uri, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::Malformed);
        };
        if authority.host().is_empty() {
            return Err(EndpointError::Malformed);
        }
        if authority.as_str().contains('@') {
            return Err(EndpointError::Credentials);
        }
        let is_here = matches!(authority.host(), "127.0.0.1" | "[::1]");
        match scheme {
            scheme if scheme == secure => Ok(uri),
            scheme if scheme == plain && is_here && self.allow_plain_loopback => Ok(uri),
            _ => Err(EndpointError::Plain),
        }
    }
}

impl Roots {
    /// The certificates of a PEM file, and no others.
    pub fn read_pem(path: &Path) -> Result<Roots, RootsError> {
        let unreadable = |source| RootsError::Unreadable { path: path.to_owned(), source };
        let malformed = |why: String| RootsError::Malformed { path: path.to_owned(), why };
        let pem = fs::read(path).map_err(unreadable)?;
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| malformed(error.to_string()))?;
        if certificates.is_empty() {
            return Err(malformed("there is none".to_owned()));
        }
        Ok(Roots::Custom(certificates))
    }

    /// TLS for the feed.
    pub(super) fn feed_tls(&self) -> Result<Arc<ClientConfig>, RootsError> {
        let unusable = |error: rustls::Error| RootsError::Unusable(error.to_string());
        let mut store = RootCertStore::empty();
        match self {
            Roots::WebPki => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::Custom(certificates) => {
                for certificate in certificates {
                    store.add(certificate.clone()).map_err(unusable)?;
                }
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        Ok(Arc::new(config.with_root_certificates(store).with_no_client_auth()))
    }

    /// TLS for the REST interface.
    pub(super) fn rest_tls(&self) -> TlsConfig {
        let roots = match self {
            Roots::WebPki => RootCerts::WebPki,
            Roots::Custom(certificates) => {
                let certificates: Vec<Certificate<'static>> =
                    certificates.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
                RootCerts::new_with_certs(&certificates)
            }
        };
        let config = TlsConfig::builder().root_certs(roots);
        config.unversioned_rustls_crypto_provider(provider()).build()
    }
}

/// The cryptography of both, named here so that it depends on nobody's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rest_base: &str, allow_plain_loopback: bool) -> Result<(), EndpointError> {
        let roots = Roots::Custom(Vec::new());
        Endpoints { rest_base: rest_base.to_owned(), roots, allow_plain_loopback }.check()
    }

    #[test]
    fn only_this_machine_is_talked_to_in_the_clear_and_only_when_asked() {
        assert_eq!(Endpoints::upstox().check(), Ok(()));
        for here in ["http://127.0.0.1:8080", "http://[::1]:8080/"] {
            assert_eq!(at(here, true), Ok(()));
            assert_eq!(at(here, false), Err(EndpointError::Plain));
        }
        let elsewhere = [
            "http://api.upstox.com",
            "http://localhost:8080",
            "http://127.0.0.1.example.org",
            "http://127.0.0.2",
            "http://[::2]",
            "http://0.0.0.0",
            "ws://127.0.0.1",
            "wss://api.upstox.com",
            "ftp://127.0.0.1",
        ];
        for plain in elsewhere {
            assert_eq!(at(plain, true), Err(EndpointError::Plain), "{plain}");
        }
        assert_eq!(at("https://me:secret@api.upstox.com", true), Err(EndpointError::Credentials));
        assert_eq!(at("http://127.0.0.1@example.org", true), Err(EndpointError::Credentials));
        for text in ["", "api.upstox.com", "/v3", "https://", "https:///v3", "https://a b"] {
            assert_eq!(at(text, true), Err(EndpointError::Malformed), "{text}");
        }
    }

    #[test]
    fn the_feed_has_the_same_door() {
        let endpoints = Endpoints { allow_plain_loopback: true, ..Endpoints::upstox() };
        let wss = endpoints.feed("wss://wsfeeder-api.upstox.com/v3/feeds?requestId=a&code=b");
        assert_eq!(wss.unwrap().query(), Some("requestId=a&code=b"));
        assert!(endpoints.feed("ws://127.0.0.1:9/x?code=b").is_ok());
        for url in ["ws://example.org/?code=canary", "https://example.org/?code=canary", "canary"] {
            let error = endpoints.feed(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn roots_come_from_a_file_or_are_the_webs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        fs::write(&path, authority.pem()).unwrap();
        let Roots::Custom(certificates) = Roots::read_pem(&path).unwrap() else {
            panic!("not them")
        };
        assert_eq!(certificates, [authority.der().clone()]);
        assert!(Roots::Custom(certificates).feed_tls().is_ok());
        assert!(Roots::WebPki.feed_tls().is_ok());
        fs::write(&path, "no certificate").unwrap();
        let error = Roots::read_pem(&path).unwrap_err().to_string();
        assert!(error.ends_with("ca.pem: no certificates in PEM: there is none"), "{error}");
        let junk = CertificateDer::from(vec![1, 2, 3]);
        assert!(matches!(Roots::Custom(vec![junk]).feed_tls(), Err(RootsError::Unusable(_))));
    }
}
