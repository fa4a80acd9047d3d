//! Images of registries.

mod auth;
mod hostile;
mod real;
mod resume;
mod reuse;

use gradus_fetch::net::{NetLimits, Reach};
use gradus_fetch::registry::{PullError, PullOptions, Pulled, Puller, Reference};
use gradus_image::store::Store;
use gradus_servers::server::Server;
use std::path::Path;
use std::time::Duration;

/// Times that suit a test.
fn limits() -> NetLimits {
    NetLimits {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        stall: Duration::from_millis(400),
        rate_bytes: 1000,
        total: Duration::from_secs(20),
        retries: 2,
        retry_wait: Duration::from_millis(1),
    }
}

fn options(server: &Server) -> PullOptions {
    PullOptions {
        limits: limits(),
        reach: Reach::public().trust(server.address()),
        ..PullOptions::default()
    }
}

/// A store that lasts as long as a test.
struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_unflushed(&folder.path().join("store")).unwrap();
        Place { folder, store }
    }

    fn pull(&self, options: PullOptions, name: &str) -> Result<Pulled, PullError> {
        let pin = self.store.pin().unwrap();
        let reference: Reference = name.parse().unwrap();
        Puller::new(options).pull(&self.store, &pin, &reference, &|_| {})
    }

    /// Nothing that is whole, nothing that is half.
    #[track_caller]
    fn is_empty(&self) {
        for part in ["blobs/sha256", "layers", "images", "names"] {
            let found = entries(&self.store.root().join(part));
            assert_eq!(found, Vec::<String>::new(), "{part}");
        }
        self.has_no_halves();
    }

    #[track_caller]
    fn has_no_halves(&self) {
        for scratch in entries(&self.store.root().join("tmp")) {
            let found = entries(&self.store.root().join("tmp").join(scratch));
            assert_eq!(found, Vec::<String>::new());
        }
        assert_eq!(entries(self.folder.path()), ["store"]);
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let read = std::fs::read_dir(dir).unwrap();
    read.map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
