//! `lockstep token`: the access token into the system's keyring, out of it, and whether it is good.
//! It is read from the terminal without being shown, or from a pipe, and never printed.

use std::io::{self, IsTerminal as _, Read as _};

use crate::domain::time::{MINUTE_US, Timestamp};
use crate::sources::upstox::token::expiry::Expiry;
use crate::sources::upstox::token::keyring::{self, ACCOUNT, KeyringError};
use crate::sources::upstox::token::{Token, TokenError};

use super::broker::{BrokerArgs, TokenArgs, account, rest_failure, token_failure};
use super::exit::Exit;
use super::failure::Failure;
use super::{clock, terminal};

/// What `lockstep token` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenCommand {
    #[command(subcommand)]
    command: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Ask for the token, or read it from a pipe, and put it into the system's keyring
    Set(AccountArgs),
    /// Look whether there is a token, where it is and until when it is good
    Check(CheckArgs),
    /// Remove the token from the system's keyring
    Forget(AccountArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct AccountArgs {
    /// Name of the token in the system's keyring
    #[arg(long, value_name = "NAME", default_value = ACCOUNT, value_parser = account)]
    account: String,
}

#[derive(Clone, Debug, clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    token: TokenArgs,
    /// Ask the broker as well whether it accepts the token
    #[arg(long)]
    ask: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// Bytes that are read from a pipe; a token has a few hundred.
const PIPE_MAX: u64 = 16_384;

/// Runs `lockstep token`.
///
/// # Errors
/// When there is no token or no keyring, or the broker does not accept it.
pub fn run(args: &TokenCommand) -> Result<Exit, Failure> {
    match &args.command {
        What::Set(args) => set(&args.account),
        What::Check(args) => check(args),
        What::Forget(args) => forget(&args.account),
    }
}

fn set(account: &str) -> Result<Exit, Failure> {
    let text = typed()
        .map_err(|error| Failure::new(Exit::Io, "failed to read the token").because(error))?;
    let token = Token::keep(&text, account).map_err(kept_failure)?;
    let now = clock::now();
    let facts = [
        ("Token", format!("kept in the keyring, under {account}")),
        ("Good", until(token.expiry(), now)),
        ("Lost", "when this machine is shut down; a file for --token-file stays".to_owned()),
    ];
    say(&facts)?;
    Ok(ending(token.expiry(), now))
}

/// What is typed at the terminal, unseen, or comes through a pipe.
fn typed() -> io::Result<String> {
    if io::stdin().is_terminal() {
        terminal::say("paste the access token and press Enter; it is not shown:");
        return console::Term::stderr().read_secure_line();
    }
    let mut text = String::new();
    io::stdin().lock().take(PIPE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Words for a token that was not kept.
fn kept_failure(error: TokenError) -> Failure {
    let failure = Failure::new(Exit::Usage, "the token was not kept").because(&error);
    match error {
        TokenError::Keyring(KeyringError::Unavailable { .. }) => failure
            .hint("put it into a file that only you can read, and name that with --token-file"),
        _ => failure,
    }
}

fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let source = args.token.source();
    let token = source.read().map_err(token_failure)?;
    let now = clock::now();
    let expiry = token.expiry();
    let mut facts = vec![("Token", format!("in {source}")), ("Good", until(expiry, now))];
    if args.ask {
        // The address that comes back is a secret, good for one connection; it is let go.
        let asked = args.broker.rest()?.authorize(&token);
        asked.map_err(|error| rest_failure("the broker did not let the token in", error))?;
        facts.push(("Broker", "accepts it for market data".to_owned()));
    }
    say(&facts)?;
    Ok(ending(expiry, now))
}

fn forget(account: &str) -> Result<Exit, Failure> {
    match keyring::forget(account) {
        Ok(()) => say(&[("Token", format!("forgotten, under {account}"))]).map(|()| Exit::Same),
        Err(error @ KeyringError::Empty { .. }) => {
            let failure = Failure::new(Exit::Nothing, "there is nothing to forget");
            Err(failure.because(error))
        }
        Err(error) => Err(Failure::new(Exit::Io, "the token was not forgotten").because(error)),
    }
}

fn say(facts: &[(&str, String)]) -> Result<(), Failure> {
    let text: String = facts.iter().map(|(label, fact)| terminal::fact(label, fact)).collect();
    terminal::print(&text)
}

fn ending(expiry: Expiry, now: Timestamp) -> Exit {
    match expiry {
        Expiry::At(end) if end <= now => Exit::Usage,
        _ => Exit::Same,
    }
}

/// Until when a token is good, in words.
pub fn until(expiry: Expiry, now: Timestamp) -> String {
    let end = match expiry {
        Expiry::Unknown(why) => return format!("not known: {why}"),
        Expiry::At(end) => end,
    };
    let minutes = (end.0 - now.0).abs() / MINUTE_US;
    let long = match minutes {
        0..=119 => format!("{minutes} minutes"),
        120..=2_879 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    let minute = end.floor_to(MINUTE_US);
    match end > now {
        true => format!("until {minute} IST, {long} from now"),
        false => format!("EXPIRED at {minute} IST, {long} ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_token_is_good_is_said_in_a_unit_that_fits() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let now = at("2026-11-24T09:00");
        let said = |end: &str| until(Expiry::At(at(end)), now);
        let lines = [
            said("2026-11-24T10:30"),
            said("2026-11-25T03:30"),
            said("2027-11-24T09:00"),
            said("2026-11-24T08:59"),
            said("2026-11-24T09:00"),
            until(Expiry::Unknown("it has no exp"), now),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        until 2026-11-24T10:30 IST, 90 minutes from now
        until 2026-11-25T03:30 IST, 18 hours from now
        until 2027-11-24T09:00 IST, 365 days from now
        EXPIRED at 2026-11-24T08:59 IST, 1 minutes ago
        EXPIRED at 2026-11-24T09:00 IST, 0 minutes ago
        not known: it has no exp
        ");
        assert_eq!(ending(Expiry::At(now), now), Exit::Usage);
        assert_eq!(ending(Expiry::At(now.plus_us(1)), now), Exit::Same);
        assert_eq!(ending(Expiry::Unknown("why"), now), Exit::Same);
    }
}
