//! What a process of the job gives up, before it runs anything that is not ours.

use std::os::fd::OwnedFd;

use rustix::process::{DumpableBehavior, Resource as Kernel, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets, Gid, Uid};

use crate::landlock;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Capability, Plan, Process, Resource};
use crate::seccomp;
use crate::step::{At, chain};

/// Becomes user 0 of its user namespace: until then its ids were the watcher's, which do not exist inside.
pub(super) fn become_root(ids: u32) -> Result<(), LaunchError> {
    let (root, group) = (Uid::ROOT, Gid::ROOT);
    // With one id there are no other groups to leave, and no right to.
    if ids > 1 {
        rustix::thread::set_thread_groups(&[]).at(Stage::Identity, || "leaving groups")?;
    }
    rustix::thread::set_thread_res_gid(group, group, group).at(Stage::Identity, || "group 0")?;
    rustix::thread::set_thread_res_uid(root, root, root).at(Stage::Identity, || "user 0")
}

/// From here on no program gains anything by being run, and nobody inside can look into this process. User 0 can have `kept` and nothing else.
pub(super) fn no_way_back(kept: &[Capability]) -> Result<(), LaunchError> {
    rustix::thread::set_no_new_privs(true).at(Stage::Restrict, || "no new privileges")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .at(Stage::Restrict, || "no look from inside")?;
    for capability in 0..64 {
        let set = CapabilitySet::from_bits_retain(1 << capability);
        if set_of(kept).contains(set) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(set) {
            Ok(()) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => {
                return Err(error).at(Stage::Restrict, || {
                    format!("dropping capability {capability}")
                });
            }
        }
    }
    rustix::thread::clear_ambient_capability_set()
        .at(Stage::Restrict, || "ambient capabilities")?;
    let mut locked = CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    // Where user 0 has rights, its programs have them too, and lose them by becoming somebody else: the kernel's old rules.
    if kept.is_empty() {
        locked |= CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_SETUID_FIXUP;
    }
    rustix::thread::set_capabilities_secure_bits(locked)
        .at(Stage::Restrict, || "what user 0 can be")
}

/// Lowers the limits of the plan; none is raised.
pub(super) fn limits(plan: &Plan) -> Result<(), LaunchError> {
    for limit in &plan.rlimits {
        let resource = match limit.resource {
            Resource::Core => Kernel::Core,
            Resource::Nofile => Kernel::Nofile,
            Resource::Nproc => Kernel::Nproc,
            Resource::Fsize => Kernel::Fsize,
            Resource::Memlock => Kernel::Memlock,
            Resource::Msgqueue => Kernel::Msgqueue,
            Resource::Sigpending => Kernel::Sigpending,
            Resource::Nice => Kernel::Nice,
            Resource::Rtprio => Kernel::Rtprio,
            Resource::As => Kernel::As,
            Resource::Data => Kernel::Data,
            Resource::Stack => Kernel::Stack,
            Resource::Rss => Kernel::Rss,
            Resource::Cpu => Kernel::Cpu,
            Resource::Locks => Kernel::Locks,
            Resource::Rttime => Kernel::Rttime,
        };
        let now = getrlimit(resource);
        let lowered = |now: Option<u64>| Some(now.map_or(limit.value, |now| now.min(limit.value)));
        let hard = lowered(now.maximum);
        let new = Rlimit {
            current: limit
                .soft
                .map_or(hard, |soft| hard.map(|hard| soft.min(hard))),
            maximum: hard,
        };
        setrlimit(resource, new).at(Stage::Restrict, || {
            format!("limit {:?} = {}", limit.resource, limit.value)
        })?;
    }
    Ok(())
}

/// Becomes the user that the program runs as.
pub(super) fn become_user(process: &Process, groups: &[u32]) -> Result<(), LaunchError> {
    if !groups.is_empty() {
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)
            .at(Stage::Identity, || format!("groups {groups:?}"))?;
    }
    let (uid, gid) = (Uid::from_raw(process.uid), Gid::from_raw(process.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)
        .at(Stage::Identity, || format!("group {}", process.gid))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
        .at(Stage::Identity, || format!("user {}", process.uid))
}

/// Gives up what the file system and the kernel offer beyond the plan, for this process and all that come from it. What landlock holds, if
/// the plan has it.
pub(super) fn apply_filters(
    plan: &Plan,
    filters: &[Vec<u8>],
) -> Result<Option<landlock::Held>, LaunchError> {
    let held = apply_landlock(plan)?;
    for filter in filters {
        seccomp::install(filter).map_err(|error| failed(&error))?;
    }
    Ok(held)
}

/// The same, but what the filter refuses is asked on the descriptor.
pub(super) fn apply_asking_filter(
    plan: &Plan,
    filters: &[Vec<u8>],
) -> Result<OwnedFd, LaunchError> {
    apply_landlock(plan)?;
    let [filter] = filters else {
        return Err(LaunchError {
            stage: Stage::Restrict,
            errno: 0,
            what: format!(
                "refusals are recorded of one filter, there are {}",
                filters.len()
            ),
        });
    };
    seccomp::install_asking(filter).map_err(|error| failed(&error))
}

fn apply_landlock(plan: &Plan) -> Result<Option<landlock::Held>, LaunchError> {
    if !plan.landlock {
        return Ok(None);
    }
    let root = if plan.writable_root {
        landlock::Root::Grows
    } else {
        landlock::Root::Fixed
    };
    let held = landlock::restrict(root).map_err(|error| failed(&error))?;
    Ok(Some(held))
}

fn failed(error: &dyn std::error::Error) -> LaunchError {
    LaunchError {
        stage: Stage::Restrict,
        errno: 0,
        what: chain(error),
    }
}

/// Gives up all capabilities but `kept`.
pub(super) fn keep_capabilities(kept: &[Capability]) -> Result<(), LaunchError> {
    let sets = CapabilitySets {
        effective: set_of(kept),
        permitted: set_of(kept),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).at(Stage::Restrict, || "dropping capabilities")
}

fn set_of(capabilities: &[Capability]) -> CapabilitySet {
    capabilities
        .iter()
        .fold(CapabilitySet::empty(), |set, capability| {
            set | match capability {
                Capability::Chown => CapabilitySet::CHOWN,
                Capability::DacOverride => CapabilitySet::DAC_OVERRIDE,
                Capability::Fowner => CapabilitySet::FOWNER,
                Capability::Fsetid => CapabilitySet::FSETID,
                Capability::Kill => CapabilitySet::KILL,
                Capability::Setgid => CapabilitySet::SETGID,
                Capability::Setuid => CapabilitySet::SETUID,
            }
        })
}
