//! A local Extracta server: for rehearsal (`retentiond sandbox`), for the demo, and for every test that speaks HTTP.
//!
//! An independent reading of the vendor's contract. It shares no type with the client or the model, so that one
//! mistake cannot hide in both. Each endpoint's doc says where its behaviour is from: **D** documented by the vendor,
//! **C** seen in public client code, **I** inferred; what is inferred has a knob in [`SandboxConfig`].
//!
//! One exchange runs through: `server` (socket) → `route` → `call` (the request, read) → `faults` → `serve` (key,
//! spacing) → `parents` / `uploads` / `reads` / `deletions` over `state` → `journal` → `bodies`.
//! [`SandboxHandle`] and `/_sandbox/…` script and inspect.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use retentiond::sandbox::{Endpoint, Fault, Module, Sandbox, SandboxConfig};
//!
//! let sandbox = Sandbox::start(SandboxConfig::unpaced()).await?;
//! let handle = sandbox.handle();
//! let classification = handle.seed_classification("applications", &[]);
//! let batch = handle.seed_batch(Module::Classification, &classification)?;
//! let files = handle.seed_files(&classification, &batch, 100)?;
//! handle.add_fault(Fault::at(Endpoint::DeleteFiles).always().poison(&files[7]).status(500))?;
//! // … run a daemon against `sandbox.base_url()` …
//! assert!(!handle.deleted().iter().any(|gone| gone.file_id == files[7]));
//! sandbox.stop().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod bodies;
mod call;
mod config;
mod control;
mod deletions;
mod exchange;
mod faults;
mod handle;
mod ids;
mod journal;
mod links;
mod parents;
mod reads;
mod route;
mod serve;
mod server;
mod state;
mod stock;
#[cfg(test)]
mod tests;
mod uploads;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::config::{
    AbsentFile, DEFAULT_KEY, Processing, SandboxClock, SandboxConfig, SecondDelete, UnknownIds,
};
pub use self::faults::{Apply, Close, Fault, Hits, InvalidFault, PlantedFault, Reset, Shape, Target};
pub use self::handle::{NotHeld, SandboxFile, SandboxHandle};
pub use self::journal::{Applied, Cause, DeletedFile, RequestRecord};
pub use self::route::{Endpoint, Module};
pub use self::state::{DocumentType, FileStatus};
pub use self::stock::BadStock;

use self::exchange::Shared;
use self::state::World;

/// A running sandbox. Dropping it ends the server.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: DropGuard,
    ended: CancellationToken,
}

impl Sandbox {
    /// Binds and starts. Needs a tokio runtime with net and time. An address that is not loopback is refused with
    /// [`io::ErrorKind::InvalidInput`]: the sandbox's key is public.
    pub async fn start(config: SandboxConfig) -> io::Result<Self> {
        if !config.addr.ip().is_loopback() {
            let why = format!("the sandbox listens on loopback only, not on {}", config.addr);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(config.addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(World::new(config)));
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let serving = server::listen(listener, Arc::clone(&shared), stop.clone());
        let ending = ended.clone().drop_guard();
        tokio::spawn(async move {
            // Dropped after the listener and all connections, however the task ends.
            let _ending = ending;
            serving.await;
        });
        Ok(Self {
            addr,
            shared,
            stop: stop.drop_guard(),
            ended,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client is given as base URL, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.addr, route::BASE_PATH)
    }

    /// For scripting and inspection; outlives the server.
    pub fn handle(&self) -> SandboxHandle {
        SandboxHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Stops; returns when the port is free and all connections are closed.
    pub async fn stop(self) {
        let Self { stop, ended, .. } = self;
        stop.disarm().cancel();
        ended.cancelled().await;
    }

    /// Waits until the server has ended, which by itself it never does: meant for one arm of a `select!` with the
    /// signals.
    pub async fn wait(&self) {
        self.ended.cancelled().await;
    }
}
