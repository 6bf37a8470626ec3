//! The access token: where it is kept, and nothing that could show it. It comes from a file that
//! only its owner can read, from the environment or from the system's keyring, never from the
//! command line, where every user of the machine could see it.
//!
//! - [`expiry`] until when it is good
//! - [`keyring`] the system's keyring

pub mod expiry;
pub mod keyring;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use keyring::KeyringError;

/// The environment variable with the token.
pub const VARIABLE: &str = "LOCKSTEP_UPSTOX_TOKEN";

/// The longest token that is read; real ones have a few hundred bytes.
const BYTES_MAX: usize = 8_192;

/// An access token. It can be sent, and it cannot be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of a stand-in exchange. It opens nothing else.
    pub fn of_stand_in(text: &str) -> Token {
        Token(text.to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Where the token is, read again for every connection: a new one works without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A file with nothing else in it, which nobody but its owner may read.
    File(PathBuf),
    /// An environment variable, in practice [`VARIABLE`].
    Variable(&'static str),
    /// The system's keyring, under this name.
    Keyring(String),
    /// The token of a stand-in exchange inside this program.
    StandIn(Token),
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("{}: the token cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others could read the file.
    #[error(
        "{}: others can read the token (mode {mode:03o}); run `chmod 600` on the file, and if \
         other people use this machine, have a new token made",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The variable is not set.
    #[error("{variable} is not set; put the token there or into a file")]
    Unset {
        /// The variable.
        variable: &'static str,
    },
    /// The keyring has none, or does not give it.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was found cannot be a token.
    #[error("{place}: not a token: {why}; copy it again from the broker's page")]
    Malformed {
        /// The file or variable.
        place: String,
        /// What is wrong, without the text itself.
        why: &'static str,
    },
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenSource::File(path) => write!(f, "the file {}", path.display()),
            TokenSource::Variable(variable) => write!(f, "the variable {variable}"),
            TokenSource::Keyring(account) => write!(f, "the keyring, under {account}"),
            TokenSource::StandIn(_) => f.write_str("the stand-in exchange"),
        }
    }
}

impl TokenSource {
    /// Reads the token anew.
    pub fn read(&self) -> Result<Token, TokenError> {
        match self {
            TokenSource::File(path) => read_file(path),
            TokenSource::StandIn(token) => Ok(token.clone()),
            TokenSource::Keyring(account) => {
                let place = format!("keyring, {account}");
                Token::of_bytes(keyring::read(account)?, &place)
            }
            TokenSource::Variable(variable) => {
                let text = env::var_os(variable).ok_or(TokenError::Unset { variable })?;
                let text = OsString::into_string(text).map_err(|_| TokenError::Malformed {
                    place: (*variable).to_owned(),
                    why: "it is not text",
                })?;
                Token::new(&text, variable)
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Token, TokenError> {
    let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
    // One open file for both looks: it cannot be exchanged in between.
    let file = File::open(path).map_err(unreadable)?;
    check_mode(&file, path)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Token::of_bytes(bytes, &path.display().to_string())
}

/// Nobody but the owner may read the file.
#[cfg(unix)]
fn check_mode(file: &File, path: &Path) -> Result<(), TokenError> {
    use std::os::unix::fs::PermissionsExt;

    let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(TokenError::Exposed { path: path.to_owned(), mode }),
    }
}

/// Elsewhere the permissions of a file are not told by a mode.
#[cfg(not(unix))]
fn check_mode(_: &File, _: &Path) -> Result<(), TokenError> {
    Ok(())
}

impl Token {
    /// Puts what somebody typed into the keyring, under `account`. Blanks around it do not count.
    ///
    /// # Errors
    /// When it cannot be a token, or the keyring does not take it.
    pub fn keep(text: &str, account: &str) -> Result<Token, TokenError> {
        let token = Token::new(text, "what was typed")?;
        keyring::write(account, token.0.as_bytes())?;
        Ok(token)
    }

    fn of_bytes(bytes: Vec<u8>, place: &str) -> Result<Token, TokenError> {
        let not_text = |_| TokenError::Malformed { place: place.to_owned(), why: "it is not text" };
        Token::new(&String::from_utf8(bytes).map_err(not_text)?, place)
    }

    /// The token in `text`, which was found at `place`; blanks around it do not count.
    fn new(text: &str, place: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        let why = if text.is_empty() {
            "it is empty"
        } else if text.len() > BYTES_MAX {
            "it is too long"
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            "there is something in it that is neither letter, digit nor sign"
        } else {
            return Ok(Token(text.to_owned()));
        };
        Err(TokenError::Malformed { place: place.to_owned(), why })
    }

    /// The value of the header `Authorization`.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` without the token, should somebody have sent it back.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CANARY: &str = "eyJ0eXAi.canary-4f1c.Zz_9";

    fn file(text: impl AsRef<[u8]>, mode: u32) -> (tempfile::TempDir, TokenSource) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        (dir, TokenSource::File(path))
    }

    #[test]
    fn a_token_is_read_anew_and_sent_but_never_shown() {
        let (dir, source) = file(format!("  {CANARY}\n"), 0o600);
        let token = source.read().unwrap();
        assert_eq!(token.bearer(), format!("Bearer {CANARY}"));
        assert_eq!(format!("{token:?} {token:#?} {source:?}").find("canary"), None);
        assert_eq!(token.scrubbed(&format!("bad {CANARY}!")), "bad [token]!");
        fs::write(dir.path().join("token"), "another").unwrap();
        assert_eq!(source.read().unwrap().bearer(), "Bearer another");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o666] {
            let (_dir, source) = file(CANARY, mode);
            let error = source.read().unwrap_err();
            assert!(matches!(error, TokenError::Exposed { .. }), "{mode:o}: {error}");
            assert!(error.to_string().contains(&format!("(mode {mode:03o}); run `chmod 600`")));
            assert_eq!(format!("{error} {error:?}").find("canary"), None);
        }
        for mode in [0o600, 0o400, 0o700] {
            let (_dir, source) = file(CANARY, mode);
            assert!(source.read().is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_shown() {
        let long = "canary".repeat(BYTES_MAX);
        let texts = [b"".as_slice(), b" \n", b"canary canary", b"canary\n2", b"canary\xFF"];
        for text in texts.into_iter().chain([long.as_bytes()]) {
            let (_dir, source) = file(text, 0o600);
            let error = source.read().unwrap_err();
            assert!(matches!(error, TokenError::Malformed { .. }), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary") && shown.len() < 1_000, "{shown}");
        }
        let missing = TokenSource::File(PathBuf::from("no/such/file")).read().unwrap_err();
        assert!(missing.to_string().starts_with("no/such/file: the token cannot be read: "));
    }

    /// Containers and strict kernels have no keyring; then that is what has to be said.
    #[test]
    fn the_keyring_keeps_a_token_until_it_is_told_to_forget() {
        let account = format!("test-{}", std::process::id());
        let source = TokenSource::Keyring(account.clone());
        match Token::keep(&format!(" {CANARY} "), &account) {
            Ok(_) => {
                assert_eq!(source.read().unwrap().bearer(), format!("Bearer {CANARY}"));
                Token::keep("another", &account).unwrap();
                assert_eq!(source.read().unwrap().bearer(), "Bearer another");
                keyring::forget(&account).unwrap();
                let error = source.read().unwrap_err();
                assert!(matches!(error, TokenError::Keyring(KeyringError::Empty { .. })));
                let error = keyring::forget(&account).unwrap_err();
                assert!(matches!(error, KeyringError::Empty { .. }), "{error}");
            }
            Err(error) => {
                let is_none =
                    matches!(error, TokenError::Keyring(KeyringError::Unavailable { .. }));
                assert!(is_none, "{error}");
                assert_eq!(format!("{error} {error:?}").find("canary"), None);
            }
        }
        let error = Token::keep("canary canary", &account).unwrap_err();
        assert!(error.to_string().starts_with("what was typed: not a token: "), "{error}");
    }

    #[test]
    fn the_environment_is_a_place_too() {
        // Cargo sets this one for every test.
        let token = TokenSource::Variable("CARGO_PKG_NAME").read().unwrap();
        assert_eq!(token.bearer(), "Bearer lockstep");
        let error = TokenSource::Variable("LOCKSTEP_NO_SUCH_VARIABLE").read().unwrap_err();
        let want = "LOCKSTEP_NO_SUCH_VARIABLE is not set; put the token there or into a file";
        assert_eq!(error.to_string(), want);
    }
}
