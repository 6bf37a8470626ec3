//! Whom a command talks to, and with which token: the same flags for every command that does.

use std::env;
use std::path::PathBuf;

use ureq::http::Uri;

use crate::sources::upstox::endpoint::{Endpoints, Roots};
use crate::sources::upstox::rest::{Rest, RestError};
use crate::sources::upstox::token::keyring::ACCOUNT;
use crate::sources::upstox::token::{TokenError, TokenSource, VARIABLE};

use super::exit::Exit;
use super::failure::Failure;

/// Where the access token is.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenArgs {
    /// File that holds the access token, readable by you alone [default: the variable
    /// LOCKSTEP_UPSTOX_TOKEN, else the system's keyring]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Name of the token in the system's keyring
    #[arg(long, value_name = "NAME", default_value = ACCOUNT, value_parser = account)]
    pub account: String,
}

/// A name that an entry of the keyring may have.
///
/// # Errors
/// In words, when it is none.
pub fn account(text: &str) -> Result<String, String> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match (1..=64).contains(&text.len()) && text.chars().all(is_sign) {
        true => Ok(text.to_owned()),
        false => Err("must be a name of letters, digits and - _ .".to_owned()),
    }
}

impl TokenArgs {
    /// The first place that was named: the flag, the variable, the keyring.
    pub fn source(&self) -> TokenSource {
        match &self.token_file {
            Some(path) => TokenSource::File(path.clone()),
            None if env::var_os(VARIABLE).is_some() => TokenSource::Variable(VARIABLE),
            None => TokenSource::Keyring(self.account.clone()),
        }
    }
}

/// Words for a token that is not to be had.
pub fn token_failure(error: TokenError) -> Failure {
    let failure = Failure::new(Exit::Usage, "there is no access token for Upstox").because(&error);
    match error {
        TokenError::Exposed { .. } | TokenError::Malformed { .. } => failure,
        _ => failure
            .hint("`lockstep token set` asks for it and puts it into the system's keyring")
            .hint(format!("or put it into the variable {VARIABLE}, or a file for --token-file"))
            .hint("an Analytics Token is enough: it reads the market and cannot trade"),
    }
}

/// Which servers are talked to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct BrokerArgs {
    /// Another server of the same interface, on this machine only, such as the address that
    /// `lockstep feed serve` prints
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Certificates in PEM that are believed instead of the usual ones; only with --broker
    #[arg(long, value_name = "FILE", requires = "broker")]
    broker_roots: Option<PathBuf>,
}

impl BrokerArgs {
    /// The servers.
    ///
    /// # Errors
    /// When the address is not on this machine, or the certificates cannot be read.
    pub fn endpoints(&self) -> Result<Endpoints, Failure> {
        let Some(url) = &self.broker else { return Ok(Endpoints::upstox()) };
        let uri: Option<Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host);
        if !matches!(host, Some("127.0.0.1" | "[::1]")) {
            return Err(Failure::new(Exit::Usage, "--broker is not on this machine")
                .because("the token would go to whoever is there")
                .hint("give http://127.0.0.1:PORT or https://127.0.0.1:PORT"));
        }
        let roots = self.broker_roots.as_deref().map(Roots::read_pem).transpose();
        let roots = roots.map_err(|error| {
            Failure::new(Exit::Usage, "the certificates cannot be used").because(error)
        })?;
        Ok(Endpoints {
            rest_base: url.clone(),
            roots: roots.unwrap_or(Roots::WebPki),
            allow_plain_loopback: true,
        })
    }

    /// Their REST interface.
    ///
    /// # Errors
    /// As [`BrokerArgs::endpoints`], or when it is no address.
    pub fn rest(&self) -> Result<Rest, Failure> {
        Rest::new(&self.endpoints()?).map_err(|error| {
            Failure::new(Exit::Usage, "--broker is no address to talk to").because(error)
        })
    }
}

/// Words for a call that brought nothing.
pub fn rest_failure(what: &str, error: RestError) -> Failure {
    match error {
        RestError::Token(error) => token_failure(error),
        RestError::Unauthorized { .. } => Failure::new(Exit::Usage, what)
            .because(error)
            .hint("`lockstep token set` replaces it; a token of the day ends at 03:30"),
        RestError::Unreachable { .. } => Failure::new(Exit::Io, what)
            .because(error)
            .hint("`lockstep doctor` looks at the network and the clock"),
        error => Failure::new(Exit::Io, what).because(error),
    }
}
