//! Calls that say of a rule whether it holds, with arguments that name no memory, descriptor, process or file: nothing happens where they are
//! made.

use gradus_sandbox::seccomp::Architecture;
use gradus_sandbox::seccomp::numbers::{Lookup, Numbers};
use gradus_sandbox::seccomp::policy::{Case, When};

/// Calls that cannot be made with arguments that mean nothing, and what speaks for them instead.
pub(crate) const APART: [(&str, &str); 10] = [
    ("exit", "every thread that ends, in `threads_begin_and_end`"),
    ("exit_group", "every child that ends"),
    ("fork", "`processes_begin`"),
    ("vfork", "programs that start programs, in `programs`"),
    ("pause", "`signal_handlers_run_and_return`"),
    ("rt_sigreturn", "`signal_handlers_run_and_return`"),
    ("kill", "made with a process that cannot be: `KILL`"),
    (
        "msgget",
        "made for a queue that is not there: -1 would make one",
    ),
    (
        "uretprobe",
        "nothing: the kernel ends a process that makes it without a probe; the compiled filters are asked instead",
    ),
    ("uprobe", "nothing, as uretprobe"),
];

/// Arguments of `kill` that name no process.
pub(crate) const KILL: [u64; 6] = [0x7FFF_FFFF, u64::MAX, 0, 0, 0, 0];

/// The number of a call here; absent for those of other architectures.
pub(crate) fn number(name: &str) -> Option<u32> {
    match Numbers::of(Architecture::host().unwrap()).find(name) {
        Lookup::Number(number) => Some(number),
        _ => None,
    }
}

/// What a case names, in the arguments that it names; -1, which means nothing, in the others.
pub(crate) fn meeting(when: &When, case: &Case) -> [u64; 6] {
    let mut arguments = [u64::MAX; 6];
    for argument in &case.arguments {
        arguments[usize::from(argument.index)] = u64::from(argument.is[0]);
    }
    if when.call == "clone" {
        // CLONE_SIGHAND without CLONE_VM, which clone refuses, so that nothing begins
        arguments[0] |= 0x800;
    }
    arguments
}
