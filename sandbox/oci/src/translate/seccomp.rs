//! Which system calls a bundle makes: those of every job, and of these fewer.

use gradus_sandbox::bundle::Calls;

use super::most;
use crate::config::Seccomp;
use crate::error::OciError;

const EPERM: u32 = 1;

/// What is left of the calls that jobs make.
pub(super) fn calls(seccomp: &Seccomp) -> Result<Calls, OciError> {
    let refused = |property: &str, why: &str| {
        Err(OciError::refused(format!("linux.seccomp.{property}"), why))
    };
    if seccomp
        .listener_path
        .as_ref()
        .is_some_and(|path| !path.is_empty())
    {
        return refused(
            "listenerPath",
            "nobody outside is asked about a job's system calls",
        );
    }
    if !seccomp.flags.is_empty() {
        return refused("flags", "the filters are installed as those of every job");
    }
    most("linux.seccomp.syscalls", seccomp.syscalls.len())?;
    let allows = |property: &str, action: &str, errno: Option<u32>| match action {
        "SCMP_ACT_ALLOW" => Ok(true),
        "SCMP_ACT_ERRNO" if errno.is_none_or(|errno| errno == EPERM) => Ok(false),
        "SCMP_ACT_ERRNO" => Err(OciError::refused(
            property,
            "what is refused answers EPERM here",
        )),
        _ => Err(OciError::refused(
            property,
            format!("{action:?}, expected SCMP_ACT_ALLOW or SCMP_ACT_ERRNO"),
        )),
    };
    let by_default = allows(
        "linux.seccomp.defaultAction",
        &seccomp.default_action,
        seccomp.default_errno_ret,
    )?;
    let mut named = Vec::new();
    for (index, call) in seccomp.syscalls.iter().enumerate() {
        let property = format!("linux.seccomp.syscalls[{index}]");
        most(&property, call.names.len())?;
        let allowed = allows(&property, &call.action, call.errno_ret)?;
        // Made less narrow than it says, or narrower: neither is what is meant.
        if !call.args.is_empty() {
            return Err(OciError::refused(
                property,
                "calls are named here whatever their arguments",
            ));
        }
        if allowed != by_default {
            named.extend(call.names.iter().cloned());
        }
    }
    named.sort();
    named.dedup();
    Ok(match (by_default, named.is_empty()) {
        (true, true) => Calls::All,
        (true, false) => Calls::Without(named),
        (false, _) => Calls::Only(named),
    })
}
