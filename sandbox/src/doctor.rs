//! What this host offers for keeping jobs apart, found by running one.

use std::fs;
use std::path::Path;

use gradus_jail::cgroup::{Backend, Controller};
use gradus_jail::landlock::{self, Root};
use gradus_jail::outcome::Outcome;
use serde::Serialize;

use crate::guarantees::{Guarantee, guarantees, missing};
use crate::job::{Job, Limits, Network, ScratchKind};
use crate::sandbox::{Sandbox, SandboxError};

/// Something that jobs need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// what
    pub what: String,
    /// how much of it is here
    pub state: State,
    /// what was found, and where it falls short what to do
    pub detail: String,
    /// whether jobs of strangers must not be run without it
    pub required: bool,
}

/// How much of something is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// all of it
    Ready,
    /// some
    Limited,
    /// nothing
    Absent,
}

/// Looks, and runs a job with everything on.
pub fn look(sandbox: &Sandbox) -> Vec<Finding> {
    let mut findings = vec![identity(), launch(sandbox)];
    findings.extend(control_groups(sandbox));
    findings.push(fences());
    findings.push(disk());
    findings
}

/// Whether jobs of strangers can be run: everything that is required is ready.
pub fn is_production(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| !finding.required || finding.state == State::Ready)
}

fn finding(what: &str, state: State, detail: impl Into<String>, required: bool) -> Finding {
    Finding {
        what: what.to_owned(),
        state,
        detail: detail.into(),
        required,
    }
}

fn identity() -> Finding {
    let what = "user ids";
    if rustix::process::geteuid().is_root() {
        return finding(
            what,
            State::Ready,
            "65536 for each job, which no other has",
            true,
        );
    }
    let detail = "one for all jobs, this user's own: run as root for a range of ids for each job";
    finding(what, State::Limited, detail, true)
}

fn launch(sandbox: &Sandbox) -> Finding {
    let what = "a job";
    let tried = match try_out(sandbox, false) {
        // What is missing then is told line by line below.
        Err(SandboxError::Shortfall { .. }) => try_out(sandbox, true),
        other => other,
    };
    match tried {
        Ok((Outcome::Exited { .. }, guarantees)) => {
            let lacks: Vec<&str> = missing(&guarantees).map(|one| one.what).collect();
            if lacks.is_empty() {
                let detail = "ran in namespaces of its own, with all fences and limits";
                return finding(what, State::Ready, detail, true);
            }
            let detail = format!(
                "ran in namespaces of its own, but without: {}",
                lacks.join(", ")
            );
            finding(what, State::Limited, detail, true)
        }
        Ok((other, _)) => finding(
            what,
            State::Absent,
            format!("ended otherwise than expected: {other}"),
            true,
        ),
        Err(error) => {
            let mut detail = error.to_string();
            let mut next = std::error::Error::source(&error);
            while let Some(cause) = next {
                detail = format!("{detail}: {cause}");
                next = cause.source();
            }
            finding(what, State::Absent, detail.replace('\n', "; "), true)
        }
    }
}

/// Runs the one program that is always at hand, the watcher's: it ends by itself, since nobody has told it what to watch.
fn try_out(
    sandbox: &Sandbox,
    best_effort: bool,
) -> Result<(Outcome, Vec<Guarantee>), SandboxError> {
    let host = |source| SandboxError::Host {
        what: "a root for a job to try".to_owned(),
        source,
    };
    let root = sandbox.state().templates().join("root-to-try");
    fs::create_dir_all(&root).map_err(host)?;
    // Anew: one of before may be another build's, and is read-only.
    let program = root.join("try");
    let _ = fs::remove_file(&program);
    fs::copy(sandbox.program(), program).map_err(host)?;
    let job = Job {
        name: format!("doctor-{}", std::process::id()),
        layers: vec![root],
        writable_root: true,
        argv: vec!["/try".to_owned()],
        env: Vec::new(),
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        network: Network::default(),
        scratch: ScratchKind::Auto,
        limits: Limits {
            disk_bytes: 16 << 20,
            disk_inodes: 256,
            ..Limits::default()
        },
        best_effort,
        record_refused: false,
    };
    let mut started = sandbox.start(&job)?;
    let plan = sandbox.state().plan(started.name())?;
    let guarantees = plan.map_or_else(Vec::new, |plan| guarantees(&plan, Some(&started.processes)));
    let ended = started.wait()?;
    sandbox.remove(started.name())?;
    Ok((ended.outcome, guarantees))
}

/// Controllers that limits need, with whether strangers' jobs need them.
const CONTROLLERS: [(Controller, &str, bool); 7] = [
    (Controller::Memory, "memory limit", true),
    (Controller::Pids, "limit of processes", true),
    (Controller::Cpu, "limit of processors", false),
    (Controller::Cpuset, "choice of processors", false),
    (Controller::Io, "rates of disks", false),
    (Controller::Devices, "filter of devices", true),
    (Controller::Kill, "kill as a whole", true),
];

fn control_groups(sandbox: &Sandbox) -> Vec<Finding> {
    let host = sandbox.control_groups();
    let found =
        |(controller, what, required): (Controller, &str, bool)| match host.backend(controller) {
            Backend::V2 => finding(what, State::Ready, "control groups, version 2", required),
            Backend::V1 => finding(what, State::Ready, "control groups, version 1", required),
            Backend::None => match kept_otherwise(controller) {
                Some(by) => {
                    let detail = format!("{by}; {}", host.why(controller));
                    finding(what, State::Limited, detail, required)
                }
                None => finding(what, State::Absent, host.why(controller), required),
            },
        };
    CONTROLLERS.map(found).into()
}

/// What does it where no control group does.
fn kept_otherwise(controller: Controller) -> Option<&'static str> {
    match controller {
        Controller::Kill => Some("a job's namespace of processes ends as a whole"),
        Controller::Pids if !rustix::process::geteuid().is_root() => {
            Some("RLIMIT_NPROC in a job's user namespace")
        }
        _ => None,
    }
}

fn fences() -> Finding {
    let what = "landlock";
    let held = landlock::offered(Root::Grows);
    match held.abi {
        abi if held.scope => finding(
            what,
            State::Ready,
            format!("ABI {abi}: devices, sockets and signals"),
            false,
        ),
        abi if held.device_nodes => {
            let detail =
                format!("ABI {abi}: no fence around sockets and signals, which needs Linux 6.12");
            finding(what, State::Limited, detail, false)
        }
        abi => {
            let detail = format!(
                "ABI {abi}; Linux 5.19 has what is used, and `landlock` must be in its `lsm=`"
            );
            finding(what, State::Absent, detail, false)
        }
    }
}

fn disk() -> Finding {
    let what = "limit of disk";
    if !rustix::process::geteuid().is_root() {
        let detail =
            "writes go to memory, which is bounded: only root can mount a file system for them";
        return finding(what, State::Limited, detail, true);
    }
    let mkfs = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join("mkfs.ext4").exists())
    });
    match (mkfs, Path::new("/dev/loop-control").exists()) {
        (true, true) => finding(
            what,
            State::Ready,
            "a file system in a file for each job",
            true,
        ),
        (false, _) => finding(
            what,
            State::Limited,
            "writes go to memory: install e2fsprogs for mkfs.ext4",
            true,
        ),
        (true, false) => finding(
            what,
            State::Limited,
            "writes go to memory: there are no loop devices (/dev/loop-control)",
            true,
        ),
    }
}
