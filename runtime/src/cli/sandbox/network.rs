//! Arguments about what comes from the network: before a job runs, and while it does.

use crate::bytes::ByteSize;
use clap::Args;
use gradus_egress::policy::HostRule;
use gradus_fetch::git::ObjectId;
use gradus_fetch::registry::{Mirror, Reference};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `gradus sandbox pull`.
#[derive(Debug, Args)]
#[command(after_help = PULL_HELP)]
pub struct PullArgs {
    /// The image, such as ubuntu:24.04, ghcr.io/owner/image or name@sha256:DIGEST.
    #[arg(value_name = "REFERENCE")]
    pub reference: Reference,

    /// Where it comes from.
    #[command(flatten)]
    pub registries: RegistryArgs,

    /// Time for all of it, such as 90s, 30m, 2h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::values::parse_time)]
    pub time: Duration,

    /// Print nothing while it runs.
    #[arg(short, long)]
    pub quiet: bool,

    /// Print what was pulled as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How registries are asked.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// A server to ask before the registry, for Docker's registry or the one named. Repeat for more.
    #[arg(long = "mirror", value_name = "[REGISTRY=]URL")]
    pub mirrors: Vec<Mirror>,

    /// A registry without encryption, wherever it lies. Repeat for more.
    #[arg(long = "insecure-registry", value_name = "HOST[:PORT]", value_parser = super::values::parse_server)]
    pub insecure: Vec<String>,

    /// A server that may lie at an address which is not public. Repeat for more.
    #[arg(long = "trust", value_name = "HOST[:PORT]", value_parser = super::values::parse_server)]
    pub trusted: Vec<String>,

    /// Logins, as docker login writes them [default: DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, ~/.docker/config.json].
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
}

/// Hosts that a job, or a command of a build, may reach.
#[derive(Debug, Args)]
pub struct EgressArgs {
    /// A host that it may reach, through a proxy that its environment names: HOST or HOST:PORT, *.DOMAIN, or * for every host. Repeat.
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<HostRule>,

    /// Bytes from and to those hosts in all.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "16GiB",
        requires = "allow_hosts"
    )]
    pub egress: ByteSize,

    /// A file for a line of JSON for each request to them.
    #[arg(long, value_name = "FILE", requires = "allow_hosts")]
    pub egress_log: Option<PathBuf>,
}

/// Arguments of `gradus sandbox fetch`.
#[derive(Debug, Args)]
#[command(after_help = FETCH_HELP)]
pub struct FetchArgs {
    /// It has to do with no job: taken where scripts give it, and passed over.
    #[arg(long, value_name = "DIR", hide = true)]
    pub state: Option<PathBuf>,

    /// The repository, by an address of HTTPS.
    #[arg(value_name = "URL")]
    pub url: String,

    /// The commit's whole id: 40 or 64 hexadecimal digits.
    #[arg(value_name = "COMMIT")]
    pub commit: ObjectId,

    /// Where its files go: a directory that is not there yet.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// A variable that holds a token for a private repository.
    #[arg(long, value_name = "NAME")]
    pub token_env: Option<String>,

    /// A file that holds a token for a private repository.
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    pub token_file: Option<PathBuf>,

    /// A server that may lie at an address which is not public. Repeat for more.
    #[arg(long = "trust", value_name = "HOST[:PORT]", value_parser = super::values::parse_server)]
    pub trusted: Vec<String>,

    /// Ask a server on this machine without encryption.
    #[arg(long)]
    pub insecure_loopback: bool,

    /// Time for all of it, such as 90s, 30m, 2h.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = super::values::parse_time)]
    pub time: Duration,

    /// Print what was fetched as JSON.
    #[arg(long)]
    pub json: bool,
}

const PULL_HELP: &str = "\
Prints the image's name with the digest that its tag stood for, for a record of what was run.

Exit codes:
  0    the image is in the store
  1    there is no such image, or it is refused
  2    the command line cannot be read; nothing was tried
  70   this program is at fault
  125  gradus could not take it: what is named is not there or does not fit, or the way or this host fails
  130  interrupted

Example:
  gradus sandbox pull --mirror https://mirror.example.com python:3.12-slim";

const FETCH_HELP: &str = "\
Prints the id of the tree that was written. Submodules, large files' contents (LFS), hooks and filters are left alone.

Exit codes:
  0    the files are there, and are the commit's
  1    there is no such commit, or it is refused
  2    the command line cannot be read; nothing was tried
  70   this program is at fault
  125  gradus could not take it: DIR is there already, or the way or this host fails
  130  interrupted

Example:
  gradus sandbox fetch --token-env TOKEN https://github.com/owner/name ce013625030ba8dba906f756967f9e9ca394464a ./tree";
