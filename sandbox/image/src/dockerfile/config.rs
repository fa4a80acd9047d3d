//! What an image's configuration becomes.

use std::collections::{BTreeMap, BTreeSet};

/// `PATH` where no image and no `ENV` sets one.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image says about how it is run: the part of OCI's configuration that a Dockerfile reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Environment, in order.
    pub env: Vec<(String, String)>,
    /// Working directory, absolute; empty stands for the root.
    pub working_dir: String,
    /// User; empty stands for root.
    pub user: String,
    /// What runs commands in shell form; `/bin/sh -c` if none.
    pub shell: Option<Vec<String>>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports, each with its protocol.
    pub exposed_ports: BTreeSet<String>,
    /// Directories that are volumes.
    pub volumes: BTreeSet<String>,
    /// Program that is run.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, or the program itself.
    pub cmd: Option<Vec<String>>,
    /// Health check.
    pub healthcheck: Option<Healthcheck>,
    /// Signal that stops it.
    pub stop_signal: Option<String>,
    /// Author.
    pub author: Option<String>,
    /// `ONBUILD` triggers that the image carries. Not supported: building on such an image is refused.
    pub on_build: Vec<String>,
}

/// A health check as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", text]`.
    pub test: Vec<String>,
    /// Time between checks in nanoseconds; 0 inherits. So do the others.
    pub interval_ns: u64,
    /// Time after which a check has failed.
    pub timeout_ns: u64,
    /// Time in which failures do not count.
    pub start_period_ns: u64,
    /// Time between checks in that time.
    pub start_interval_ns: u64,
    /// Failures in a row.
    pub retries: u32,
}

/// One change of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // they are called as the fields that they set
pub enum Change {
    Env(String, String),
    WorkingDir(String),
    User(String),
    Shell(Vec<String>),
    Label(String, String),
    ExposedPort(String),
    Volume(String),
    Entrypoint(Option<Vec<String>>),
    Cmd(Option<Vec<String>>),
    Healthcheck(Healthcheck),
    StopSignal(String),
    Author(String),
}

impl ImageConfig {
    /// What an image from nothing begins with.
    pub fn scratch() -> Self {
        ImageConfig {
            env: vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())],
            working_dir: "/".to_owned(),
            ..ImageConfig::default()
        }
    }

    /// Makes one change. A variable that is there keeps its place.
    pub fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Env(name, value) => match self.env.iter_mut().find(|(n, _)| *n == name) {
                Some(found) => found.1 = value,
                None => self.env.push((name, value)),
            },
            Change::WorkingDir(path) => self.working_dir = path,
            Change::User(user) => self.user = user,
            Change::Shell(shell) => self.shell = Some(shell),
            Change::Label(name, value) => {
                self.labels.insert(name, value);
            }
            Change::ExposedPort(port) => {
                self.exposed_ports.insert(port);
            }
            Change::Volume(path) => {
                self.volumes.insert(path);
            }
            Change::Entrypoint(entrypoint) => self.entrypoint = entrypoint,
            Change::Cmd(cmd) => self.cmd = cmd,
            Change::Healthcheck(check) => self.healthcheck = Some(check),
            Change::StopSignal(signal) => self.stop_signal = Some(signal),
            Change::Author(author) => self.author = Some(author),
        }
    }

    /// What runs commands in shell form.
    pub fn shell(&self) -> Vec<String> {
        let default = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
        self.shell.clone().unwrap_or_else(default)
    }

    /// The working directory, absolute.
    pub fn directory(&self) -> &str {
        match self.working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }
}
