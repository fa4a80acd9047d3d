//! What only jobs that are bundles ask for: names and clocks that only they see, lower priorities, programs that are run before theirs.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::MountAttrFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, kill_process, waitpid};

use super::root::new_filesystem;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Before, Bundled};
use crate::step::{At, short};
use crate::syscalls::{self, Cloned};

/// How often is looked whether a program with a limit of time has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// In the first process, while it may: names, settings of its network.
pub(super) fn names(bundled: &Bundled) -> Result<(), LaunchError> {
    if let Some(name) = &bundled.domainname {
        syscalls::set_domain_name(name.as_bytes())
            .at(Stage::Namespaces, || format!("domain name {name:?}"))?;
    }
    if bundled.sysctls.is_empty() {
        return Ok(());
    }
    // One of its own: what the job sees of `/proc/sys` cannot be written.
    let proc = new_filesystem("proc", &[], MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    for (path, value) in &bundled.sysctls {
        write(proc.as_fd(), &format!("sys/{path}"), value)?;
    }
    Ok(())
}

/// In each process that programs come from: clocks and machine of what it starts or becomes from here on.
pub(super) fn views(bundled: &Bundled) -> Result<(), LaunchError> {
    if bundled.linux32 {
        syscalls::see_32_bits().at(Stage::Namespaces, || "a machine of 32 bits")?;
    }
    let Some(clocks) = &bundled.clocks else {
        return Ok(());
    };
    syscalls::new_time_namespace().at(Stage::Namespaces, || "a namespace of clocks")?;
    // Files of a process that nobody may look into are root's of the host. Nobody is there yet who could.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .at(Stage::Namespaces, || "its own clocks")?;
    let proc = new_filesystem("proc", &[], MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    let ((m_secs, m_nanos), (b_secs, b_nanos)) = (clocks.monotonic, clocks.boottime);
    let text = format!("monotonic {m_secs} {m_nanos}\nboottime {b_secs} {b_nanos}\n");
    let written = write(proc.as_fd(), "self/timens_offsets", &text);
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .at(Stage::Namespaces, || "its own clocks")?;
    written
}

fn write(proc: BorrowedFd<'_>, path: &str, value: &str) -> Result<(), LaunchError> {
    let named = || format!("/proc/{path} = {value:?}");
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(proc, path, flags, Mode::empty(), within).at(Stage::Namespaces, named)?;
    rustix::io::write(&file, value.as_bytes())
        .at(Stage::Namespaces, named)
        .map(drop)
}

/// In the program's process: how it is given processors, memory and disks.
pub(super) fn priorities(bundled: &Bundled) -> Result<(), LaunchError> {
    if let Some(scheduling) = bundled.scheduling {
        syscalls::set_scheduling(scheduling.policy, scheduling.nice)
            .at(Stage::Restrict, || format!("{scheduling:?}"))?;
    }
    if let Some(policy) = bundled.memory_policy {
        syscalls::set_memory_policy(policy.mode, policy.nodes)
            .at(Stage::Restrict, || format!("{policy:?}"))?;
    }
    if let Some((class, level)) = bundled.io_priority {
        syscalls::set_io_priority(class, level).at(Stage::Restrict, || {
            format!("class {class} and level {level} of disks")
        })?;
    }
    Ok(())
}

/// In the program's process, with all that it gives up given up: runs what is to be run before it.
pub(super) fn run_first(bundled: &Bundled) -> Result<(), LaunchError> {
    for before in &bundled.before {
        let failed = |what: String| LaunchError {
            stage: Stage::Exec,
            errno: 0,
            what: format!("{}, which is run first, {what}", short(&before.path)),
        };
        let named = || short(&before.path);
        let (input, ours) = pipe_with(PipeFlags::CLOEXEC).at(Stage::Exec, named)?;
        rustix::io::write(&ours, before.input.as_bytes()).at(Stage::Exec, named)?;
        drop(ours);
        let pid = match syscalls::clone_behind_filters().at(Stage::Exec, named)? {
            Cloned::Child => become_it(before, input.as_fd()),
            Cloned::Parent(pid) => Pid::from_raw(pid).expect("a clone's id is not 0"),
        };
        drop(input);
        let until = before
            .timeout_ms
            .map(|limit| Instant::now() + Duration::from_millis(limit));
        loop {
            let options = if until.is_some() {
                WaitOptions::NOHANG
            } else {
                WaitOptions::empty()
            };
            let ended = waitpid(Some(pid), options).at(Stage::Exec, named)?;
            if let Some((_, status)) = ended {
                match (status.exit_status(), status.terminating_signal()) {
                    (Some(0), _) => break,
                    (Some(code), _) => return Err(failed(format!("ended with code {code}"))),
                    (None, signal) => {
                        return Err(failed(format!(
                            "was ended by signal {}",
                            signal.unwrap_or(0)
                        )));
                    }
                }
            }
            if until.is_some_and(|until| Instant::now() > until) {
                let _ = kill_process(pid, Signal::KILL);
                return Err(failed("has taken too long".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

fn become_it(before: &Before, input: BorrowedFd<'_>) -> ! {
    let strings = |texts: &[String]| -> Vec<CString> {
        let texts = texts.iter().map(|text| CString::new(text.as_str()));
        texts.filter_map(Result::ok).collect()
    };
    let ready = rustix::stdio::dup2_stdin(input).is_ok() && syscalls::default_signals().is_ok();
    if let (true, Ok(path)) = (ready, CString::new(before.path.as_str())) {
        syscalls::execute(&path, &strings(&before.argv), &strings(&before.env));
    }
    std::process::exit(127)
}
