//! What all requests share.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Notify, Semaphore, broadcast, watch};

use super::Options;
use super::api::{Prepared, Refused};
use super::assets::Assets;
use super::guard::{Names, Paces, Token};
use super::metrics::Counters;
use super::model::{Change, Model};
use super::parity::Parity;
use super::runs::Outcomes;
use super::shelf::Shelf;

/// Changes that a client may lie behind before it is told what it lacks.
const CHANGES_KEPT: usize = 256;
/// Requests that may read a journal or explain a bar at the same time.
const HEAVY_MAX: usize = 2;

/// Handle to what all requests share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What all requests share.
pub struct Shared {
    /// What is served.
    pub options: Options,
    /// Names that the server goes by.
    pub names: Names,
    /// What a POST has to show.
    pub token: Token,
    /// How often something may be asked for.
    pub paces: Paces,
    /// Changes of the model, in their order.
    pub changes: broadcast::Sender<Arc<Change>>,
    /// What happened to requests.
    pub counters: Counters,
    /// Told of every request that is refused.
    pub refused: Notify,
    /// Scripts and styles.
    pub assets: Assets,
    /// The state as it was written last.
    pub state: Prepared,
    /// The same for those who know the Python system's page.
    pub contract: Prepared,
    /// The runs that were looked at last.
    pub shelf: Shelf,
    /// What runs came to that were read through once.
    pub outcomes: Outcomes,
    /// The core again over the journal's inputs.
    pub parity: watch::Sender<Arc<Parity>>,
    /// Held by those who do something long.
    heavy: Semaphore,
    model: RwLock<Model>,
}

impl App {
    /// Before the first record.
    pub fn new(options: Options, addr: SocketAddr, token: Token) -> App {
        let others = options.remote.as_ref().map(|remote| remote.names.as_slice());
        App(Arc::new(Shared {
            names: Names::new(addr, others),
            options,
            token,
            paces: Paces::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            counters: Counters::default(),
            refused: Notify::new(),
            assets: Assets::new(),
            state: Prepared::default(),
            contract: Prepared::default(),
            shelf: Shelf::default(),
            outcomes: Outcomes::default(),
            parity: watch::Sender::new(Arc::default()),
            heavy: Semaphore::new(HEAVY_MAX),
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

    /// Shows what is new in the model to all who listen.
    pub fn show(&self, model: &mut Model) {
        if let Some(change) = model.show() {
            // Without listeners there is nobody to tell.
            let _ = self.changes.send(Arc::new(change));
        }
    }

    /// Does something long on a thread of its own; others wait for their turn.
    ///
    /// # Errors
    /// When the server ends, or the work broke off.
    pub async fn heavily<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let _turn = self.heavy.acquire().await.map_err(|_| Refused::gone())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Refused::gone())
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
