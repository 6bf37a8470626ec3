//! The system's keyring as a place for the token: on Linux the kernel's own, which keeps it in
//! memory until the machine is shut down and writes it nowhere. Other systems have none here yet.

#[cfg(target_os = "linux")]
use keyring_core::api::CredentialStoreApi as _;
#[cfg(target_os = "linux")]
use keyring_core::{Entry, Error};
#[cfg(target_os = "linux")]
use linux_keyutils::{KeyRing, KeyRingIdentifier};

/// Under which name a token lies where nobody says otherwise.
pub const ACCOUNT: &str = "upstox";

/// Whose entries they are.
#[cfg(target_os = "linux")]
const SERVICE: &str = "lockstep";

/// Why the keyring did not serve. No text has the token in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no keyring, or this program may not use it.
    #[error("there is no keyring to use here: {why}")]
    Unavailable {
        /// What the system says.
        why: String,
    },
    /// It has no such entry.
    #[error("the keyring has no token under the name {account}")]
    Empty {
        /// The name.
        account: String,
    },
    /// The entry cannot be read, written or removed.
    #[error("the keyring refuses: {why}")]
    Refused {
        /// What the system says.
        why: String,
    },
}

/// Reads what lies under `account`.
///
/// # Errors
/// See [`KeyringError`].
#[cfg(target_os = "linux")]
pub fn read(account: &str) -> Result<Vec<u8>, KeyringError> {
    entry(account)?.get_secret().map_err(|error| failed(account, error))
}

/// Puts `secret` under `account`, over what may lie there.
///
/// # Errors
/// See [`KeyringError`].
#[cfg(target_os = "linux")]
pub(super) fn write(account: &str, secret: &[u8]) -> Result<(), KeyringError> {
    let entry = entry(account)?;
    let set = entry.set_secret(secret).map_err(|error| failed(account, error));
    // What cannot be read again is not kept, and a part of it is not left behind.
    let kept = set.and_then(|()| entry.get_secret().map_err(|error| failed(account, error)));
    match kept {
        Ok(kept) if kept == secret => Ok(()),
        other => {
            let _ = entry.delete_credential();
            let why = "what it gives back is something else".to_owned();
            Err(other.err().unwrap_or(KeyringError::Refused { why }))
        }
    }
}

/// Removes what lies under `account`.
///
/// # Errors
/// See [`KeyringError`].
#[cfg(target_os = "linux")]
pub fn forget(account: &str) -> Result<(), KeyringError> {
    entry(account)?.delete_credential().map_err(|error| failed(account, error))
}

#[cfg(target_os = "linux")]
fn entry(account: &str) -> Result<Entry, KeyringError> {
    // A process outside of a login has no session keyring of its own, and of what lies in the one
    // that it is lent it may read nothing. With one of its own it reaches the lasting keyring.
    let session = KeyRing::from_special_id(KeyRingIdentifier::Session, true);
    session.map_err(|error| KeyringError::Unavailable { why: error.to_string() })?;
    let store = linux_keyutils_keyring_store::Store::new();
    let entry = store.and_then(|store| store.build(SERVICE, account, None));
    entry.map_err(|error| failed(account, error))
}

/// The library's own text of some errors has the secret in it, so each is put into words here.
#[cfg(target_os = "linux")]
fn failed(account: &str, error: Error) -> KeyringError {
    match error {
        Error::NoEntry => KeyringError::Empty { account: account.to_owned() },
        Error::NoStorageAccess(why) => KeyringError::Unavailable { why: why.to_string() },
        Error::PlatformFailure(why) => KeyringError::Unavailable { why: why.to_string() },
        Error::Invalid(what, why) => KeyringError::Refused { why: format!("{what} {why}") },
        Error::TooLong(what, most) => {
            KeyringError::Refused { why: format!("{what} is longer than {most}") }
        }
        _ => KeyringError::Refused { why: "it gives no reason that may be shown".to_owned() },
    }
}

#[cfg(not(target_os = "linux"))]
const NONE: &str = "this program knows only that of Linux";

/// There is none.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn read(_: &str) -> Result<Vec<u8>, KeyringError> {
    Err(KeyringError::Unavailable { why: NONE.to_owned() })
}

/// There is none.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(super) fn write(_: &str, _: &[u8]) -> Result<(), KeyringError> {
    Err(KeyringError::Unavailable { why: NONE.to_owned() })
}

/// There is none.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn forget(_: &str) -> Result<(), KeyringError> {
    Err(KeyringError::Unavailable { why: NONE.to_owned() })
}
