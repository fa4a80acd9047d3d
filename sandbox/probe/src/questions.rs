//! Questions with one answer.
//!
//! | module | asks about |
//! |---|---|
//! | [`identity`] | who it is, what it has inherited |
//! | [`kernel`] | system calls |
//! | [`namespaces`] | namespaces and mounts |
//! | [`devices`] | device nodes, terminals |
//! | [`files`] | the host's files, inputs, overlays |
//! | [`kernel_files`] | `/proc` and `/sys` |
//! | [`processes`] | others than its own |
//! | [`network`] | sockets and whom they reach |

pub(crate) mod devices;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod kernel;
pub(crate) mod kernel_files;
pub(crate) mod namespaces;
pub(crate) mod network;
pub(crate) mod processes;

use crate::arguments::Arguments;
use crate::call::isolated;
use crate::verdict::Verdict;

pub(crate) use identity::descriptors_at_start;

/// Something that is asked once.
pub(crate) struct Question {
    /// what it is called
    pub(crate) name: &'static str,
    ask: fn(&Arguments) -> Verdict,
}

impl Question {
    const fn new(name: &'static str, ask: fn(&Arguments) -> Verdict) -> Question {
        Question { name, ask }
    }

    /// Asks it in a process of its own.
    pub(crate) fn ask(&self, arguments: &Arguments) -> Verdict {
        isolated(|| (self.ask)(arguments))
    }
}

/// All of them, in the order in which they are asked.
pub(crate) const ALL: &[Question] = &[
    Question::new("capabilities", identity::capabilities),
    Question::new("no-new-privileges", identity::no_new_privileges),
    Question::new("seccomp", identity::seccomp),
    Question::new("host-root", identity::host_root),
    Question::new("setuid-program", identity::setuid_program),
    Question::new("other-user", identity::other_user),
    Question::new("leaked-descriptors", identity::leaked_descriptors),
    Question::new("leaked-environment", identity::leaked_environment),
    Question::new("host-name", identity::host_name),
    Question::new("raised-limits", identity::raised_limits),
    Question::new("core-dumps", identity::core_dumps),
    Question::new("realtime", identity::realtime),
    Question::new("spared-by-the-oom-killer", identity::spared),
    Question::new("landlock", identity::landlock),
    Question::new("namespaces", namespaces::namespaces),
    Question::new("mounting", namespaces::mounting),
    Question::new("kernel-code", kernel::kernel_code),
    Question::new("keys", kernel::keys),
    Question::new("bpf", kernel::bpf),
    Question::new("perf", kernel::perf),
    Question::new("asynchronous-files", kernel::asynchronous_files),
    Question::new("userfaultfd", kernel::userfaultfd),
    Question::new("io-uring", kernel::io_uring),
    Question::new("tracing", kernel::tracing),
    Question::new("handles", kernel::handles),
    Question::new("clocks", kernel::clocks),
    Question::new("swap-and-accounting", kernel::swap_and_accounting),
    Question::new("kernel-log", kernel::kernel_log),
    Question::new("ports", kernel::ports),
    Question::new("other-architectures", kernel::other_architectures),
    Question::new("terminal-injection", kernel::terminal_injection),
    Question::new("unusual-calls", kernel::unusual_calls),
    Question::new("device-nodes", devices::device_nodes),
    Question::new("open-devices", devices::open_devices),
    Question::new("device-filter", devices::device_filter),
    Question::new("device-attributes", devices::device_attributes),
    Question::new("terminals", devices::terminals),
    Question::new("host-files", files::host_files),
    Question::new("canaries", files::canaries),
    Question::new("read-only-inputs", files::read_only_inputs),
    Question::new("input-memory", files::input_memory),
    Question::new("writable-mounts", files::writable_mounts),
    Question::new("mount-flags", files::mount_flags),
    Question::new("shared-mounts", files::shared_mounts),
    Question::new("overlay-attributes", files::overlay_attributes),
    Question::new("proc-sys", kernel_files::proc_sys),
    Question::new("proc-secrets", kernel_files::proc_secrets),
    Question::new("proc-writable", kernel_files::proc_writable),
    Question::new("sys-writable", kernel_files::sys_writable),
    Question::new("sys-other-jobs", kernel_files::sys_other_jobs),
    Question::new("control-groups", kernel_files::control_groups),
    Question::new("binfmt", kernel_files::binfmt),
    Question::new("host-processes", processes::host_processes),
    Question::new("signals-outside", processes::signals_outside),
    Question::new("first-process", processes::first_process),
    Question::new("own-program", processes::own_program),
    Question::new("vsock", network::vsock),
    Question::new("socket-families", network::families),
    Question::new("abstract-socket", network::abstract_socket),
    Question::new("host-loopback", network::host_loopback),
    Question::new("internet", network::internet),
    Question::new("names", network::names),
    Question::new("interfaces", network::interfaces),
    Question::new("daemons-sockets", network::daemons_sockets),
];
