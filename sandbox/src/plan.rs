//! From what is asked for to what is applied on this host. Pure: nothing is looked up here but in its arguments.

use std::path::PathBuf;

use gradus_jail::device_filter;
use gradus_jail::plan::{
    Capability, Deadline, Identity, Logs, Mount, Neighbour, Network, Plan, Rlimit, Scratch, Source,
    VERSION,
};
pub use gradus_jail::plan::{Process, Resource};

use crate::job::{BuildStep, Job, StepSource};

/// Device nodes that every job has. They hold no state and reach nothing.
const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Hidden below `/proc` and `/sys`: what tells about the host, or reaches its kernel. A loop device names the file behind it, which is in
/// the directory of another job; whoever writes to a file of `/proc/pressure` has the kernel measure for it.
const MASKED: [&str; 17] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/driver",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/pressure",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/block",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/ext4",
    "/sys/kernel/debug",
];

/// Below `/proc`: what may be read and not written.
const READ_ONLY: [&str; 4] = ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Of what is printed, bytes that are kept from the beginning and from the end.
const LOG_HEAD: u64 = 4 << 20;
const LOG_TAIL: u64 = 16 << 20;

/// What the host gives to a job's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// who the job is on the host
    pub identity: Identity,
    /// its control groups, if the host has some
    pub cgroup: Option<gradus_jail::cgroup::Plan>,
    /// an image with a file system for its writes; none for memory
    pub scratch_image: Option<PathBuf>,
    /// a directory that its file system bounds, instead
    pub scratch_directory: Option<PathBuf>,
    /// the seccomp policy's name
    pub seccomp: String,
    /// the job whose network it shares
    pub neighbour: Option<Neighbour>,
    /// limits that the host cannot keep
    pub shortfalls: Vec<gradus_jail::cgroup::Shortfall>,
    /// what it is given besides, if it is a step of a build
    pub step: Option<BuildStep>,
}

/// What user 0 may do in a step of a build, and in no other job: what `apt`, `dpkg`, `pip` and `useradd` do to files and processes of their own
/// image. Of what builders give as a rule it lacks NET_BIND_SERVICE and SETPCAP, which nothing needs here; SETFCAP, since no layer keeps such
/// attributes; SYS_CHROOT, MKNOD, NET_RAW and AUDIT_WRITE.
const BUILD_CAPABILITIES: [Capability; 7] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
];

/// The plan for `job`.
pub fn plan(job: &Job, given: Given) -> Plan {
    let limits = &job.limits;
    let tmpfs = |target: &str, bytes: u64, mode: u32| Mount {
        target: target.to_owned(),
        source: Source::Tmpfs {
            bytes,
            inodes: limits.disk_inodes,
            mode,
        },
    };
    let fixed = |target: &str, source: Source| Mount {
        target: target.to_owned(),
        source,
    };
    let scratch = match (given.scratch_image, given.scratch_directory) {
        (Some(image), _) => Scratch::Loop { image },
        (None, Some(path)) => Scratch::Directory { path },
        (None, None) => Scratch::Tmpfs {
            bytes: limits.disk_bytes,
            inodes: limits.disk_inodes,
        },
    };
    let mut mounts = vec![
        fixed("/proc", Source::Proc),
        fixed("/sys", Source::Sysfs),
        fixed("/dev", Source::Dev),
        fixed("/dev/mqueue", Source::Mqueue),
        tmpfs("/dev/shm", limits.shm_bytes, 0o1777),
    ];
    if !job.writable_root {
        mounts.push(tmpfs("/tmp", limits.disk_bytes, 0o1777));
    }
    mounts.extend(job.inputs.iter().map(|input| {
        fixed(
            &input.inside,
            Source::ReadOnly {
                path: input.host.clone(),
            },
        )
    }));
    mounts.extend(job.outputs.iter().map(|output| {
        fixed(
            &output.inside,
            Source::Output {
                name: output.name.clone(),
            },
        )
    }));
    for mount in given.step.iter().flat_map(|step| &step.mounts) {
        let source = match &mount.source {
            StepSource::ReadOnly(path) => Source::ReadOnly { path: path.clone() },
            StepSource::Memory { bytes } => Source::Tmpfs {
                bytes: *bytes,
                inodes: limits.disk_inodes,
                mode: 0o1777,
            },
            StepSource::Image {
                image,
                mode,
                uid,
                gid,
            } => Source::Image {
                image: image.clone(),
                mode: *mode,
                uid: *uid,
                gid: *gid,
            },
        };
        mounts.push(fixed(&mount.inside, source));
    }
    let rlimit = |resource, value| Rlimit {
        resource,
        value,
        soft: None,
    };
    let privileged = given.identity.is_range();
    let mut rlimits = vec![
        // 1 byte is too little for a file, and the kernel's word for "nor to the host's program for core dumps", which 0 is not.
        rlimit(Resource::Core, 1),
        rlimit(Resource::Nofile, limits.open_files),
        rlimit(Resource::Msgqueue, 819_200),
        rlimit(Resource::Sigpending, limits.pids.saturating_mul(4)),
        // The supervisor may have been given these; a realtime job would run past every share of processor time.
        rlimit(Resource::Nice, 0),
        rlimit(Resource::Rtprio, 0),
    ];
    if !privileged {
        // It counts a user's processes in a user namespace. With one user in it that is the job; of several each would have as many.
        rlimits.push(rlimit(Resource::Nproc, limits.pids));
    }
    Plan {
        version: VERSION,
        job: job.name.clone(),
        identity: given.identity,
        cgroup: given.cgroup,
        shortfalls: given.shortfalls,
        layers: job.layers.clone(),
        scratch,
        writable_root: job.writable_root,
        in_place: false,
        mounts,
        devices: DEVICES.map(PathBuf::from).to_vec(),
        // Only root may attach a filter; without one, devices are those that are mounted.
        device_rules: if privileged {
            device_filter::base()
        } else {
            Vec::new()
        },
        masked: MASKED.map(str::to_owned).to_vec(),
        read_only: READ_ONLY.map(str::to_owned).to_vec(),
        hostname: "job".to_owned(),
        network: Network {
            of: given.neighbour,
            proxy_port: job.network.proxy_port,
        },
        rlimits,
        process: Process {
            argv: job.argv.clone(),
            env: job.env.clone(),
            cwd: job.cwd.clone(),
            uid: job.uid,
            gid: job.gid,
            umask: 0o022,
        },
        capabilities: match given.step {
            Some(_) => BUILD_CAPABILITIES.to_vec(),
            None => Vec::new(),
        },
        held: false,
        bundled: None,
        keeps_root: given.step.is_some(),
        landlock: true,
        seccomp: Some(given.seccomp),
        records_refused: job.record_refused,
        deadline: limits.wall.map(|wall| Deadline {
            wall_ms: wall.as_millis() as u64,
            grace_ms: limits.grace.as_millis() as u64,
        }),
        logs: Logs {
            bytes_max: limits.log_bytes,
            head_bytes: LOG_HEAD,
            tail_bytes: LOG_TAIL,
            rate_bytes: limits.log_rate_bytes,
        },
        gpus: Vec::new(),
    }
}

/// Whether a job with this plan leaves outputs.
pub(crate) fn has_outputs(plan: &Plan) -> bool {
    let is_output = |mount: &Mount| matches!(mount.source, Source::Output { .. });
    plan.mounts.iter().any(is_output)
}
