//! What a build may reach: its commands through proxies, `ADD` by this program itself. Both keep to one policy, one limit of bytes, one record.

use super::CommandError;
use super::egress::{PORT, Shared, policy, record, tell};
use super::tell::Teller;
use crate::cli::sandbox::EgressArgs;
use gradus_builder::{Download, Egress, FetchError, Serving, Within};
use gradus_egress::direct::{Connection, Denied, Direct};
use gradus_egress::policy::Policy;
use gradus_egress::proxy::Proxy;
use gradus_fetch::download::{DownloadOptions, download};
use gradus_fetch::git::{FetchOptions, Fetcher, ObjectId};
use gradus_fetch::net::door::{Door, DoorError, Wire};
use gradus_fetch::net::{Authorities, NetLimits, Reach};
use gradus_image::Owner;
use gradus_image::dockerfile::ContentHash;
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the commands of a build may reach, all of them together.
pub(super) struct BuildEgress {
    policy: Policy,
    /// bytes of the commands that are over
    spent: Arc<AtomicU64>,
    requests: Shared,
    /// whom servers have to be vouched for by, where this program itself asks
    authorities: Authorities,
    teller: Teller,
}

impl BuildEgress {
    /// None where they may reach nothing.
    pub(super) fn new(
        arguments: &EgressArgs,
        authorities: Authorities,
        teller: Teller,
    ) -> Result<Option<BuildEgress>, CommandError> {
        if arguments.allow_hosts.is_empty() {
            return Ok(None);
        }
        Ok(Some(BuildEgress {
            policy: policy(arguments),
            spent: Arc::default(),
            requests: Shared::new(record(arguments)?),
            authorities,
            teller,
        }))
    }

    /// The policy with the bytes that are left.
    fn left(&self) -> Policy {
        let spent = self.spent.load(Ordering::Relaxed);
        Policy {
            bytes_max: self.policy.bytes_max.saturating_sub(spent),
            ..self.policy.clone()
        }
    }

    /// Does what this program itself fetches for a build.
    fn directly<T, E>(&self, fetch: impl FnOnce(Reach) -> Result<T, E>) -> Result<T, E> {
        let door = Arc::new(Through(Direct::new(
            self.left(),
            "ADD",
            self.requests.clone(),
        )));
        let reach = Reach::public()
            .vouched_by(self.authorities.clone())
            .through(door.clone());
        let fetched = fetch(reach);
        let report = door.0.report();
        self.spent.fetch_add(report.spent, Ordering::Relaxed);
        fetched
    }
}

/// A policy's connections, as what fetches wants them.
#[derive(Debug)]
struct Through(Direct);

impl Door for Through {
    fn connect(&self, host: &str, port: u16) -> Result<Box<dyn Wire>, DoorError> {
        match self.0.connect(host, port) {
            Ok(connection) => Ok(Box::new(Connected(connection))),
            Err(Denied::Refused(why)) => Err(DoorError::Refused(why)),
            Err(Denied::Failed(why)) => Err(DoorError::Failed(why)),
        }
    }
}

#[derive(Debug)]
struct Connected(Connection);

impl Read for Connected {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Connected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Wire for Connected {
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_timeouts(read, write)
    }
}

impl Egress for BuildEgress {
    fn policy(&self) -> ContentHash {
        Sha256::digest(serde_json::to_vec(&self.policy).expect("plain data")).into()
    }

    fn variables(&self) -> Vec<(String, String)> {
        gradus_egress::proxy::variables(PORT)
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn prepare(&self, job: &mut Job) {
        job.network.proxy_port = Some(PORT);
    }

    fn serve(&self, command: &mut Started) -> io::Result<Box<dyn Serving>> {
        let listener = command
            .proxy
            .take()
            .ok_or_else(|| io::Error::other("the command has no proxy's port"))?;
        let proxy = Proxy::start(listener, self.left(), self.requests.clone())?;
        Ok(Box::new(Served {
            proxy: Some(proxy),
            spent: Arc::clone(&self.spent),
            teller: self.teller,
        }))
    }

    fn names(&self, url: &str) -> Result<(), String> {
        let (host, port) =
            gradus_fetch::net::host_and_port(url).map_err(|error| error.to_string())?;
        gradus_egress::direct::check(&self.policy, &host, port).map_err(|denied| denied.to_string())
    }

    fn download(&self, url: &str, to: &mut File, within: Within) -> Result<Download, FetchError> {
        let mut limits = NetLimits::default();
        limits.total = within.time.unwrap_or(limits.total);
        let downloaded = self.directly(|reach| {
            let options = DownloadOptions {
                bytes_max: within.bytes,
                limits,
                reach,
            };
            download(url, to, &options)
        });
        match downloaded {
            Ok(file) => Ok(Download {
                digest: file.digest,
                bytes: file.bytes,
                modified_s: file.modified_s,
            }),
            Err(error) => Err(FetchError {
                owner: error.owner(),
                source: Box::new(error),
            }),
        }
    }

    fn checkout(
        &self,
        url: &str,
        commit: &str,
        dir: &Path,
        within: Within,
    ) -> Result<(), FetchError> {
        let id: ObjectId = commit.parse().map_err(|error| FetchError {
            owner: Owner::Submission,
            source: Box::<dyn std::error::Error + Send + Sync>::from(error),
        })?;
        let fetched = self.directly(|reach| {
            let mut options = FetchOptions {
                reach,
                ..FetchOptions::default()
            };
            let caps = &mut options.caps;
            caps.tree_bytes = caps.tree_bytes.min(within.bytes);
            caps.file_bytes = caps.file_bytes.min(within.bytes);
            caps.entries = caps.entries.min(within.entries);
            options.limits.total = within.time.unwrap_or(options.limits.total);
            Fetcher::new(options).fetch(url, &id, None, dir)
        });
        fetched.map(drop).map_err(|error| FetchError {
            owner: error.owner(),
            source: Box::new(error),
        })
    }
}

/// A command's proxy, which ends with it.
struct Served {
    proxy: Option<Proxy>,
    spent: Arc<AtomicU64>,
    teller: Teller,
}

impl Serving for Served {}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(report) = self.proxy.take().map(Proxy::finish) {
            self.spent.fetch_add(report.spent, Ordering::Relaxed);
            tell(self.teller, &report);
        }
    }
}
