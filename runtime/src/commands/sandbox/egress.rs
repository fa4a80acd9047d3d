//! The hosts that a job may reach.

use super::tell::Teller;
use super::{CommandError, NamedPath};
use crate::cli::sandbox::EgressArgs;
use gradus_builder::{Egress, Serving};
use gradus_egress::policy::Policy;
use gradus_egress::proxy::Proxy;
use gradus_egress::record::Report;
use gradus_image::dockerfile::ContentHash;
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a job finds its proxy: the port that proxies have by custom.
pub(super) const PORT: u16 = 3128;

/// The file for requests, made before anything runs.
pub(super) fn record(arguments: &EgressArgs) -> Result<Box<dyn Write + Send>, CommandError> {
    let Some(path) = &arguments.egress_log else {
        return Ok(Box::new(io::sink()));
    };
    let file = File::create(path).map_err(NamedPath::of(
        "--egress-log",
        path,
        "it names a file that can be written",
    ))?;
    Ok(Box::new(file))
}

/// Answers on the proxy's port of `started`, if it has one.
pub(super) fn serve(
    started: &mut Started,
    arguments: &EgressArgs,
    requests: Box<dyn Write + Send>,
) -> Result<Option<Proxy>, CommandError> {
    let Some(listener) = started.proxy.take() else {
        return Ok(None);
    };
    let proxy = Proxy::start(listener, policy(arguments), requests);
    proxy.map(Some).map_err(|source| CommandError::Io {
        what: "the job's proxy".to_owned(),
        source,
    })
}

/// Says what is not on record, or was cut off: the job's own words may not be enough to see why it failed.
pub(super) fn tell(teller: Teller, report: &Report) {
    let mut words = Vec::new();
    if report.refused > 0 {
        words.push(format!(
            "{} of {} requests refused",
            report.refused, report.requests
        ));
    }
    if report.exhausted {
        words.push("its limit of bytes is reached".to_owned());
    }
    if report.unrecorded > 0 {
        words.push(format!(
            "{} requests could not be written down",
            report.unrecorded
        ));
    }
    if !words.is_empty() {
        teller.note(&format!("the job's proxy: {}", words.join("; ")));
    }
}

/// Adds the variables by which programs find the proxy, but for those that are there.
pub(super) fn add_variables(env: &mut Vec<String>) {
    for variable in gradus_egress::proxy::variables(PORT) {
        let name = variable.split('=').next().unwrap_or_default();
        let is_it = |other: &String| other.split('=').next() == Some(name);
        if !env.iter().any(is_it) {
            env.push(variable);
        }
    }
}

fn policy(arguments: &EgressArgs) -> Policy {
    Policy {
        hosts: arguments.allow_hosts.clone(),
        bytes_max: arguments.egress.0,
        ..Policy::none()
    }
}

/// What the commands of a build may reach, all of them together.
pub(super) struct BuildEgress {
    policy: Policy,
    /// bytes of the commands that are over
    spent: Arc<AtomicU64>,
    requests: Arc<Mutex<Box<dyn Write + Send>>>,
    teller: Teller,
}

impl BuildEgress {
    /// None where they may reach nothing.
    pub(super) fn new(
        arguments: &EgressArgs,
        teller: Teller,
    ) -> Result<Option<BuildEgress>, CommandError> {
        if arguments.allow_hosts.is_empty() {
            return Ok(None);
        }
        Ok(Some(BuildEgress {
            policy: policy(arguments),
            spent: Arc::default(),
            requests: Arc::new(Mutex::new(record(arguments)?)),
            teller,
        }))
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
        let left = self.policy.bytes_max;
        let policy = Policy {
            bytes_max: left.saturating_sub(self.spent.load(Ordering::Relaxed)),
            ..self.policy.clone()
        };
        let proxy = Proxy::start(listener, policy, Shared(Arc::clone(&self.requests)))?;
        Ok(Box::new(Served {
            proxy: Some(proxy),
            spent: Arc::clone(&self.spent),
            teller: self.teller,
        }))
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

/// One file for the requests of all commands.
struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}
