//! System calls that no crate wraps: one safe function each, and all of this crate's `unsafe`.
//!
//! The program that calls them has one thread, so what holds "for the calling thread" holds for the process, and a clone without
//! shared memory copies all there is.

pub(crate) mod bpf;
mod bundled;
pub(crate) mod landlock;
mod loop_device;
mod mount;
mod process;
pub(crate) mod quota;
pub(crate) mod seccomp;
mod signal;

pub(crate) use bundled::{
    clone_behind_filters, new_time_namespace, see_32_bits, set_domain_name, set_io_priority,
    set_memory_policy, set_scheduling,
};
pub(crate) use loop_device::loop_device;
pub(crate) use mount::{MountAttributes, mount_setattr};
pub(crate) use process::{
    Cloned, clone_into_namespaces, clone_process, close_all_but, close_on_exec_from, execute,
    loopback_up, network_of, new_cgroup_namespace, new_network_namespace,
};
pub(crate) use signal::{
    block_signals, default_signals, next_signal, signal_descriptor, signal_from,
};

use std::io;

/// What a system call returned, or the error that it set.
fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
