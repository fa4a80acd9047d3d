//! Arguments of `gradus sandbox run`.

use super::values::{
    INODES_MAX, PIDS_MAX, Pair, parse_cpus, parse_cpuset, parse_image, parse_inside, parse_job,
    parse_output, parse_scratch, parse_time, parse_user, parse_variable,
};
use super::{DriverArgs, EgressArgs};
use crate::bytes::ByteSize;
use clap::{ArgGroup, Args};
use gradus_sandbox::job::ScratchKind;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `gradus sandbox run`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[command(group(ArgGroup::new("files").args(["rootfs", "image"]).required(true)))]
pub struct RunArgs {
    /// A directory under the job's root, never changed. Repeat for layers, the uppermost first.
    #[arg(long, value_name = "DIR")]
    pub rootfs: Vec<PathBuf>,

    /// An image by name or digest instead: its layers, environment, user, working directory and program.
    #[arg(long, value_name = "NAME", value_parser = parse_image)]
    pub image: Option<String>,

    /// Name of the job [default: one that is free].
    #[arg(long, value_name = "NAME", value_parser = parse_job)]
    pub name: Option<String>,

    /// Memory with page cache.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: ByteSize,

    /// Processes and threads.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=PIDS_MAX))]
    pub pids: u64,

    /// Processors, such as 1.5 [default: all].
    #[arg(long, value_name = "N", value_parser = parse_cpus)]
    pub cpus: Option<u64>,

    /// Processors by number, such as 0-3,8 [default: all].
    #[arg(long, value_name = "LIST", value_parser = parse_cpuset)]
    pub cpuset: Option<String>,

    /// What it reads a second from each disk under its layers, inputs and writes [default: any].
    #[arg(long, value_name = "SIZE")]
    pub io_read_bps: Option<ByteSize>,

    /// What it writes a second to each of them [default: any].
    #[arg(long, value_name = "SIZE")]
    pub io_write_bps: Option<ByteSize>,

    /// What it writes.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub disk: ByteSize,

    /// Files that it writes; no more than one for each KiB of --disk.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=INODES_MAX))]
    pub inodes: u64,

    /// Size of /dev/shm, part of its memory.
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub shm: ByteSize,

    /// Time until SIGTERM, such as 90s, 30m, 2h [default: any].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub time: Option<Duration>,

    /// Time from SIGTERM until it is killed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub grace: Duration,

    /// What it may print in all.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub log: ByteSize,

    /// A file or directory that it may read.
    #[arg(long = "input", value_name = "HOST:INSIDE")]
    pub inputs: Vec<Pair>,

    /// A directory inside that is taken when it has ended.
    #[arg(long = "output", value_name = "NAME:INSIDE", value_parser = parse_output)]
    pub outputs: Vec<Pair>,

    /// Where outputs are taken: DIR/NAME for each, whole or not at all.
    #[arg(
        long,
        value_name = "DIR",
        requires = "outputs",
        conflicts_with = "detach"
    )]
    pub take: Option<PathBuf>,

    /// What it may reach.
    #[command(flatten)]
    pub egress: EgressArgs,

    /// A job that runs and whose loopback it shares.
    #[arg(long, value_name = "JOB", value_parser = parse_job)]
    pub next_to: Option<String>,

    /// A GPU, or an instance of one (MIG), that it has to itself, by UUID or how only one of those begins. Repeat for more.
    #[arg(long = "gpu", value_name = "UUID")]
    pub gpus: Vec<String>,

    /// Memory of each GPU that it may take [default: all].
    #[arg(long, value_name = "SIZE", requires = "gpus")]
    pub gpu_memory: Option<ByteSize>,

    /// How long a GPU may take to come back when the job has ended, before it goes into quarantine.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub gpu_wait: Duration,

    /// Where the driver is.
    #[command(flatten)]
    pub driver: DriverArgs,

    /// Where what it writes goes: memory, disk, quota (a directory that the state directory's file system bounds), or auto.
    #[arg(long, value_name = "PLACE", default_value = "auto", value_parser = parse_scratch)]
    pub scratch: ScratchKind,

    /// Run also where this host cannot keep some limit; the job's plan says which.
    #[arg(long)]
    pub best_effort: bool,

    /// A variable. Nothing of this process's environment is passed on.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub env: Vec<String>,

    /// Working directory inside [default: the image's, else /].
    #[arg(long, value_name = "DIR", value_parser = parse_inside)]
    pub cwd: Option<String>,

    /// User and group inside, by number [default: the image's, else 0:0].
    #[arg(long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub user: Option<(u32, u32)>,

    /// Program instead of the image's entrypoint; empty for none.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "rootfs")]
    pub entrypoint: Option<String>,

    /// Its root cannot be written, but for /tmp and its outputs.
    #[arg(long)]
    pub read_only: bool,

    /// Return when its program runs; print its name.
    #[arg(short, long, conflicts_with_all = ["keep", "allow_hosts", "json"])]
    pub detach: bool,

    /// Leave the job's record and outputs when it has ended.
    #[arg(long)]
    pub keep: bool,

    /// Print every mount, id, limit and rule as JSON, and exit.
    #[arg(long)]
    pub dry_run: bool,

    /// Write how it ended to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Program and arguments; of an image, arguments of its entrypoint instead of its own.
    #[arg(
        required_unless_present = "image",
        trailing_var_arg = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<String>,
}

const HELP: &str = "\
Exit codes:
  0-255  the program's own, when it ended by itself
  2      the command line cannot be read; nothing was tried
  124    its time was over
  125    gradus could not run it: what is named is not there or does not fit, or this host fails
  126    its program cannot be run
  127    its program is not there
  128+N  signal N ended it; 137 with --json saying why when it used more than it was granted
  130    interrupted

Examples:
  gradus sandbox run --rootfs ./rootfs -- /bin/sh -c 'id; ls /'
  gradus sandbox run --rootfs ./rootfs --gpu GPU-8932f937 --gpu-memory 40GiB -- nvidia-smi
  gradus sandbox run --rootfs ./rootfs --memory 8GiB --time 30m --input ./data:/data --output model:/out -- train";
