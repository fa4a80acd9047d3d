//! Trees of git commits.

mod hostile;
mod pack;
mod real;
mod secret;

use gradus_fetch::git::{FetchError, FetchOptions, Fetched, Fetcher};
use gradus_fetch::net::{NetLimits, Reach, Secret};
use gradus_servers::server::Server;
use std::path::PathBuf;
use std::time::Duration;

fn options(server: &Server) -> FetchOptions {
    FetchOptions {
        limits: NetLimits {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            stall: Duration::from_millis(1500),
            rate_bytes: 0,
            total: Duration::from_secs(60),
            retries: 1,
            retry_wait: Duration::from_millis(1),
        },
        reach: Reach::public().trust(server.address()),
        plain_loopback: true,
        ..FetchOptions::default()
    }
}

/// A directory for one fetch.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn fetch(
        &self,
        options: FetchOptions,
        server: &Server,
        commit: &str,
    ) -> Result<Fetched, FetchError> {
        self.fetch_with(options, server, commit, None)
    }

    fn fetch_with(
        &self,
        options: FetchOptions,
        server: &Server,
        commit: &str,
        token: Option<&Secret>,
    ) -> Result<Fetched, FetchError> {
        let url = format!("http://{}/repo", server.address());
        Fetcher::new(options).fetch(&url, &commit.parse().unwrap(), token, &self.dir())
    }

    #[track_caller]
    fn is_empty(&self) {
        let left: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
