//! What all requests share.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Semaphore, broadcast};

use super::Options;
use super::assets::Assets;
use super::guard::Token;
use super::metrics::Counters;
use super::model::{Change, Model};
use super::parity::Parity;

/// Changes that a client may lie behind before it is told everything anew.
const CHANGES_KEPT: usize = 256;
/// Requests that may read the journal from its beginning at the same time.
const HEAVY_MAX: usize = 2;

/// Handle to what all requests share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What all requests share.
pub struct Shared {
    /// What is served.
    pub options: Options,
    /// Where.
    pub addr: SocketAddr,
    /// What a POST has to show.
    pub token: Token,
    /// Changes of the model, in their order.
    pub changes: broadcast::Sender<Arc<Change>>,
    /// What happened to requests.
    pub counters: Counters,
    /// Scripts and styles.
    pub assets: Assets,
    /// Held by those who read the journal from its beginning.
    pub heavy: Semaphore,
    /// The core again over the journal's inputs.
    pub parity: RwLock<Parity>,
    model: RwLock<Model>,
}

impl App {
    /// Before the first record.
    pub fn new(options: Options, addr: SocketAddr, token: Token) -> App {
        App(Arc::new(Shared {
            options,
            addr,
            token,
            changes: broadcast::Sender::new(CHANGES_KEPT),
            counters: Counters::default(),
            assets: Assets::new(),
            heavy: Semaphore::new(HEAVY_MAX),
            parity: RwLock::default(),
            model: RwLock::default(),
        }))
    }

    /// The model, to be read for a moment.
    pub fn model(&self) -> RwLockReadGuard<'_, Model> {
        self.0.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model, for its one writer.
    pub fn model_mut(&self) -> RwLockWriteGuard<'_, Model> {
        self.0.model.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Does something long on a thread of its own; others wait for their turn.
    ///
    /// # Errors
    /// When the server ends, or the work broke off.
    pub async fn heavily<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, super::api::Refused> {
        let _turn = self.heavy.acquire().await.map_err(|_| super::api::Refused::gone())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| super::api::Refused::gone())
    }
}
