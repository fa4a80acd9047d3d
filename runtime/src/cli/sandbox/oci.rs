//! Arguments of `gradus sandbox oci`: those of runtimes of the Open Container Initiative, as tools give them.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `gradus sandbox oci`.
#[derive(Debug, Args)]
pub struct OciArgs {
    /// Directory of containers [default: oci in the directory of all jobs].
    #[arg(long, value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,

    /// Write errors and what a bundle is not given to this file too.
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,

    /// How: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"], global = true)]
    pub log_format: String,

    /// Taken, and of no effect.
    #[arg(long, global = true)]
    pub debug: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: OciCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum OciCommand {
    /// Make a container from a bundle; its program waits to be started.
    Create(CreateArgs),
    /// Start a container's program.
    Start(IdArgs),
    /// Make a container, start it, wait for its end, delete it.
    Run(CreateArgs),
    /// Print a container's state as JSON.
    State(IdArgs),
    /// Send a signal to a container's program.
    Kill(OciKillArgs),
    /// Delete a container that has ended, or was never started.
    Delete(DeleteArgs),
    /// Run a program beside a container's own, with no more rights.
    Exec(ExecArgs),
    /// Stop all processes of a container where they are.
    Pause(IdArgs),
    /// Let them go on.
    Resume(IdArgs),
    /// List containers.
    #[command(alias = "ps")]
    List(OciListArgs),
    /// Print what bundles can ask for, as JSON.
    Features,
    /// Pass on what a container prints; `create` starts it.
    #[command(hide = true)]
    Attend(IdArgs),
}

/// Arguments of `create` and `run`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The container's name.
    pub id: String,

    /// Its bundle: a directory with config.json.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,

    /// Write the id of its first process to this file.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Descriptors from 3 on that it is given. No job is given any: refused where they are open.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,

    /// Taken, and of no effect: the host's root is always exchanged for the job's.
    #[arg(long)]
    pub no_pivot: bool,

    /// Taken, and of no effect: no job has a session keyring.
    #[arg(long)]
    pub no_new_keyring: bool,
}

/// A container.
#[derive(Debug, Args)]
pub struct IdArgs {
    /// The container.
    pub id: String,
}

/// Arguments of `kill`.
#[derive(Debug, Args)]
pub struct OciKillArgs {
    /// The container.
    pub id: String,

    /// The signal by name or number.
    #[arg(default_value = "TERM")]
    pub signal: String,

    /// To all of its processes; with KILL, which ends all of them anyhow.
    #[arg(short, long)]
    pub all: bool,
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The container.
    pub id: String,

    /// End it first, if it runs; it need not exist.
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct OciListArgs {
    /// How: table or json.
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    pub format: String,

    /// Ids alone.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The container.
    pub id: String,

    /// A file with the program, as JSON, as a bundle's `process`.
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub process: Option<PathBuf>,

    /// A variable besides those of the container's program.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// Working directory inside [default: the container's].
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,

    /// Its control group inside: `/`, where all of a job's processes are.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub cgroup: String,

    /// Wait until a container that stands still goes on.
    #[arg(long)]
    pub ignore_paused: bool,

    /// As of `create`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,

    /// Write the id of its process to this file: refused, a job's processes have none outside.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// The program and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<String>,
}
