//! `lockstep serve RUN`: a run in the browser, finished or under way.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::journal::reader::Reader;
use crate::web::remote::{Files, Remote};
use crate::web::{Mode, Options, ServeError, serve};

use super::clock;
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::{self, say};

/// What `lockstep serve` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The run's directory
    pub run: PathBuf,
    /// The port to listen on; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    pub port: u16,
    /// The address to listen on; one that others can reach needs --tls-cert, --tls-key and
    /// --access-token-file
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,
    /// Certificates for HTTPS, PEM
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "access_token_file"])]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, PEM, readable by you alone
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// File with the token that browsers ask for as a password of the user `lockstep`, readable by
    /// you alone
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub access_token_file: Option<PathBuf>,
    /// A name under which the server is reached, besides this machine's own
    #[arg(long = "name", value_name = "HOST", requires = "tls_cert")]
    pub names: Vec<String>,
}

/// How others are let in, if the flags say so.
fn remote(args: &ServeArgs) -> Result<Option<Remote>, Failure> {
    let files = args.tls_cert.clone().zip(args.tls_key.clone()).zip(args.access_token_file.clone());
    let Some(((cert, key), token)) = files else { return Ok(None) };
    let mut names = args.names.clone();
    if !args.listen.is_unspecified() {
        names.push(args.listen.to_string());
    }
    let remote = Remote::load(&Files { cert, key, token }, names);
    remote.map(Some).map_err(|error| {
        Failure::new(Exit::Usage, "nobody can be let in from elsewhere").because(error)
    })
}

/// Serves a run until it is interrupted.
///
/// # Errors
/// When there is no run, or the port cannot be had.
pub fn run(args: &ServeArgs) -> Result<Exit, Failure> {
    let reader = Reader::open(&args.run)?;
    // A replay has no time of creation, so that it can be repeated bit by bit.
    let mode = if reader.header().created_ns == 0 { Mode::Replay } else { Mode::Paper };
    drop(reader);
    let options = Options {
        run_dir: args.run.clone(),
        address: args.listen,
        port: args.port,
        mode,
        control: (mode == Mode::Paper).then(|| args.run.join("control")),
        remote: remote(args)?,
        clock: clock::now,
    };
    let scheme = if options.remote.is_some() { "https" } else { "http" };
    let serving = serve(options).map_err(failure)?;
    terminal::print(&format!("{scheme}://{}/scanner\n", serving.addr))?;
    say(format_args!("serving {} · {} · Ctrl-C ends it", args.run.display(), mode.band()));
    serving.wait();
    Ok(Exit::Same)
}

/// Words for what cannot be served.
pub fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::NotLoopback(_) => Failure::new(Exit::Usage, error.to_string())
            .because("whoever reaches the pages could stop the run")
            .hint("--tls-cert, --tls-key and --access-token-file let those in who have the token")
            .hint("`ssh -L 5000:127.0.0.1:5000 HOST` brings the pages to another machine"),
        ServeError::Listen { ref source, .. } => Failure::new(Exit::Io, error.to_string())
            .because(source)
            .hint("--port 0 takes any port that is free"),
        ServeError::Start(ref source) => Failure::new(Exit::Io, error.to_string()).because(source),
    }
}
