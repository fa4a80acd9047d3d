//! Arguments of `gradus sandbox`.

mod build;
mod network;
mod oci;
mod run;
mod values;

pub use build::{
    BuildArgs, ExportArgs, Given, ImageArgs, ImageCommand, ImageGcArgs, ImportArgs, ListArgs,
    RemoveArgs,
};
pub use network::{EgressArgs, FetchArgs, PullArgs, RegistryArgs};
pub use oci::{
    CreateArgs, DeleteArgs, ExecArgs, IdArgs, OciArgs, OciCommand, OciKillArgs, OciListArgs,
};
pub use run::RunArgs;
pub use values::Pair;

use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use values::{parse_job, parse_time};

/// Arguments of `gradus sandbox`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SandboxArgs {
    /// Directory of all jobs and images [default: sandbox in GRADUS_STATE_DIR, else in ~/.local/state/gradus].
    #[arg(long, value_name = "DIR", global = true, display_order = 1000)]
    pub state: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: SandboxCommand,
}

/// Where the NVIDIA driver is.
#[derive(Debug, Args)]
pub struct DriverArgs {
    /// Root below which the NVIDIA driver is found, such as /run/nvidia/driver.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/",
        global = true,
        display_order = 999
    )]
    pub driver_root: PathBuf,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Run a program so that it reaches nothing it was not given.
    Run(Box<RunArgs>),
    /// Build an image from a Dockerfile, each command in the sandbox.
    Build(Box<BuildArgs>),
    /// List images, take them in, write them out, remove them.
    Image(ImageArgs),
    /// Take an image from a registry.
    Pull(Box<PullArgs>),
    /// Take the files of one commit from a git server.
    Fetch(Box<FetchArgs>),
    /// List jobs.
    Ps(PsArgs),
    /// Print what a job has printed.
    Logs(LogsArgs),
    /// End a job.
    Kill(KillArgs),
    /// Print a job's plan and state as JSON.
    Inspect(NameArgs),
    /// Remove jobs that have ended, and what is left of those whose watcher died.
    Gc(GcArgs),
    /// Run bundles of the Open Container Initiative, for tools and test suites that know runtimes.
    Oci(Box<OciArgs>),
    /// List GPUs: which are free, which a job has, which are in quarantine and why.
    Gpus(GpusArgs),
    /// Watch a job's GPUs until they are back; `run` starts it.
    #[command(hide = true)]
    KeepGpus(KeepArgs),
    /// Say what this host offers for keeping jobs apart, by running one.
    Doctor(DoctorArgs),
}

/// Arguments of `gradus sandbox gpus`.
#[derive(Debug, Args)]
pub struct GpusArgs {
    /// Where the driver is.
    #[command(flatten)]
    pub driver: DriverArgs,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<GpusCommand>,
}

/// What to do with GPUs.
#[derive(Debug, Subcommand)]
pub enum GpusCommand {
    /// End a GPU's quarantine, after somebody has looked at it.
    Release {
        /// The GPU.
        uuid: String,
    },
}

/// Arguments of `gradus sandbox keep-gpus`.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Where the driver is.
    #[command(flatten)]
    pub driver: DriverArgs,

    /// The job.
    #[arg(value_parser = parse_job)]
    pub name: String,

    /// As of `run`.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub gpu_wait: Duration,
}

/// Arguments of `gradus sandbox ps`.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// Also jobs that have ended.
    #[arg(short, long)]
    pub all: bool,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus sandbox logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The job.
    #[arg(value_parser = parse_job)]
    pub name: String,

    /// Go on until the job has ended.
    #[arg(short, long)]
    pub follow: bool,

    /// The bytes as they were printed. Without it, what could move a terminal's cursor is shown as an escape.
    #[arg(long)]
    pub raw: bool,
}

/// Arguments of `gradus sandbox kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// The job.
    #[arg(value_parser = parse_job)]
    pub name: String,

    /// Time from SIGTERM until it is killed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub grace: Duration,
}

/// Arguments of `gradus sandbox gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Where the driver is.
    #[command(flatten)]
    pub driver: DriverArgs,

    /// Also jobs whose outputs nobody has taken: those are gone then.
    #[arg(long)]
    pub outputs: bool,
}

/// A job.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The job.
    #[arg(value_parser = parse_job)]
    pub name: String,
}

/// Arguments of `gradus sandbox doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where the driver is.
    #[command(flatten)]
    pub driver: DriverArgs,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Exit code 1 unless everything is ready that jobs of strangers need.
    #[arg(long, value_name = "LEVEL", value_parser = ["production"])]
    pub require: Option<String>,
}

const EXIT_CODES: &str = "\
Exit codes, but for those of the program that `run` runs:
  0    it is done
  1    what was submitted is at fault (Dockerfile, image, commit), or `doctor --require` fails
  2    the command line cannot be read; nothing was tried
  70   this program is at fault
  125  gradus could not do it: what is named is not there or does not fit, or this host fails
  130  interrupted";
