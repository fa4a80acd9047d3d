//! Arguments of `gradus sandbox`.

mod build;

pub use build::{
    BuildArgs, ExportArgs, Given, ImageArgs, ImageCommand, ImageGcArgs, ImportArgs, ListArgs,
    RemoveArgs,
};
mod network;
mod oci;

pub use network::{EgressArgs, FetchArgs, PullArgs, RegistryArgs};
pub use oci::{
    CreateArgs, DeleteArgs, ExecArgs, IdArgs, OciArgs, OciCommand, OciKillArgs, OciListArgs,
};

use crate::bytes::ByteSize;
use clap::{Args, Subcommand};
use gradus_sandbox::job::ScratchKind;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Arguments of `gradus sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Directory of all jobs [default: sandbox in GRADUS_STATE_DIR, else in ~/.local/state/gradus].
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,

    /// Root below which the NVIDIA driver is found, such as /run/nvidia/driver [default: /].
    #[arg(long, value_name = "DIR", global = true)]
    pub driver_root: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: SandboxCommand,
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

/// Arguments of `gradus sandbox run`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// A directory under the job's root, never changed. Repeat for layers, the uppermost first.
    #[arg(long, value_name = "DIR", required_unless_present = "image")]
    pub rootfs: Vec<PathBuf>,

    /// An image by name or digest instead: its layers, environment, user, working directory and program.
    #[arg(long, value_name = "NAME", conflicts_with = "rootfs")]
    pub image: Option<String>,

    /// Name of the job [default: one that is free].
    #[arg(long)]
    pub name: Option<String>,

    /// Memory with page cache.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: ByteSize,

    /// Processes and threads.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub pids: u64,

    /// Processors, such as 1.5 [default: all].
    #[arg(long, value_name = "N", value_parser = parse_cpus)]
    pub cpus: Option<u64>,

    /// Processors by number, such as 0-3,8 [default: all].
    #[arg(long, value_name = "LIST")]
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

    /// Files that it writes.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
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
    #[arg(long = "output", value_name = "NAME:INSIDE")]
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
    #[arg(long, value_name = "JOB")]
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

    /// Where what it writes goes: memory, disk, quota (a directory that the state directory's file system bounds), or auto.
    #[arg(long, value_name = "PLACE", default_value = "auto", value_parser = parse_scratch)]
    pub scratch: ScratchKind,

    /// Run also where this host cannot keep some limit; the job's plan says which.
    #[arg(long)]
    pub best_effort: bool,

    /// A variable. Nothing of this process's environment is passed on.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// Working directory inside [default: the image's, else /].
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,

    /// User and group inside, by number [default: the image's, else 0:0].
    #[arg(long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub user: Option<(u32, u32)>,

    /// Program instead of the image's entrypoint; empty for none.
    #[arg(long, value_name = "PROGRAM", requires = "image")]
    pub entrypoint: Option<String>,

    /// Its root cannot be written, but for /tmp and its outputs.
    #[arg(long)]
    pub read_only: bool,

    /// Return when its program runs; print its name.
    #[arg(short, long, conflicts_with_all = ["keep", "allow_hosts"])]
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

/// Arguments of `gradus sandbox gpus`.
#[derive(Debug, Args)]
pub struct GpusArgs {
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
    /// The job.
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
    pub name: String,

    /// Time from SIGTERM until it is killed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub grace: Duration,
}

/// Arguments of `gradus sandbox gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Also jobs whose outputs nobody has taken: those are gone then.
    #[arg(long)]
    pub outputs: bool,
}

/// A job.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The job.
    pub name: String,
}

/// Arguments of `gradus sandbox doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Exit code 1 unless everything is ready that jobs of strangers need.
    #[arg(long, value_name = "LEVEL", value_parser = ["production"])]
    pub require: Option<String>,
}

/// `LEFT:RIGHT`, the right part absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// what is before the last colon
    pub left: String,
    /// what is behind it
    pub inside: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((left, inside)) if !left.is_empty() && inside.starts_with('/') => Ok(Self {
                left: left.to_owned(),
                inside: inside.to_owned(),
            }),
            _ => Err(format!(
                "{text:?}: two parts with `:` between are expected, the second an absolute path inside"
            )),
        }
    }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?}: a number with ms, s, m or h is expected, such as 90s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

fn parse_cpus(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(cpus) if (0.01..=4096.0).contains(&cpus) => Ok((cpus * 1000.0).round() as u64),
        _ => Err(format!("{text:?}: a number from 0.01 to 4096 is expected")),
    }
}

fn parse_scratch(text: &str) -> Result<ScratchKind, String> {
    match text {
        "auto" => Ok(ScratchKind::Auto),
        "disk" => Ok(ScratchKind::Disk),
        "memory" => Ok(ScratchKind::Memory),
        "quota" => Ok(ScratchKind::Quota),
        _ => Err(format!("{text:?}: auto, disk, memory or quota is expected")),
    }
}

fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| match text.parse::<u32>() {
        Ok(id) if id < 65_536 => Ok(id),
        _ => Err(format!("{text:?}: a number below 65536 is expected")),
    };
    Ok((number(uid)?, number(gid)?))
}

const EXIT_CODES: &str = "\
Exit codes:
  0-255  the program's own, when it ended by itself
  124    its time was over
  125    it was not started: arguments, plan or host
  126    its program cannot be run
  127    its program is not there
  128+N  signal N ended it; 137 with --json saying why when it used more than it was granted
  130    interrupted

Examples:
  gradus sandbox run --rootfs ./rootfs -- /bin/sh -c 'id; ls /'
  gradus sandbox run --rootfs ./rootfs --gpu GPU-8932f937 --gpu-memory 40GiB -- nvidia-smi
  gradus sandbox run --rootfs ./rootfs --memory 8GiB --time 30m --input ./data:/data --output model:/out -- train";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_time("5ms"), Ok(Duration::from_millis(5)));
        for wrong in [
            "90",
            "s",
            "",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_are_cut_at_the_last_colon() {
        let pair = "a:b:/c".parse::<Pair>().expect("two parts");
        assert_eq!((pair.left.as_str(), pair.inside.as_str()), ("a:b", "/c"));
        for wrong in ["a", ":/b", "a:b", ""] {
            assert!(wrong.parse::<Pair>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn users_and_processors_are_numbers_in_range() {
        assert_eq!(parse_user("7"), Ok((7, 7)));
        assert_eq!(parse_user("7:8"), Ok((7, 8)));
        assert!(parse_user("65536").is_err() && parse_user("root").is_err());
        assert_eq!(parse_cpus("1.5"), Ok(1500));
        assert!(parse_cpus("0").is_err() && parse_cpus("NaN").is_err());
    }
}
