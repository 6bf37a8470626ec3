//! `lockstep serve RUN`: a run in the browser, finished or under way.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::journal::reader::Reader;
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
    /// The address to listen on; only addresses of this machine are served
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,
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
        clock: clock::now,
    };
    let serving = serve(options).map_err(failure)?;
    terminal::print(&format!("http://{}/scanner\n", serving.addr))?;
    say(format_args!("serving {} · {} · Ctrl-C ends it", args.run.display(), mode.band()));
    serving.wait();
    Ok(Exit::Same)
}

/// Words for what cannot be served.
pub fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::NotLoopback(_) => Failure::new(Exit::Usage, error.to_string())
            .because("whoever reaches the pages could stop the run, and there is no TLS here")
            .hint("`ssh -L 5000:127.0.0.1:5000 HOST` brings them to another machine"),
        ServeError::Listen { ref source, .. } => Failure::new(Exit::Io, error.to_string())
            .because(source)
            .hint("--port 0 takes any port that is free"),
        ServeError::Start(ref source) => Failure::new(Exit::Io, error.to_string()).because(source),
    }
}
