//! Control groups of a job: limits, kill, events.
//!
//! | part | is about |
//! |---|---|
//! | `layout` | which hierarchies this process sees and where it is in them; pure, from the texts of `/proc` |
//! | `host`, `probe`, `parent` | which of them can be used: [`Host::discover`] tries every controller in a throw-away group |
//! | `limits`, `plan` | [`Limits`] and a [`Host`] become a [`Plan`]: directories, files, values; pure |
//! | `v1`, `v2` | how each version spells a limit, and how it is probed |
//! | `group` | [`Group`]: made from a plan all or nothing, entered, recorded, opened again, removed |
//! | `ending` | freeze, kill, wait until nothing runs |
//! | `counters` | what was refused, what was used, and a descriptor that tells of a lack of memory |
//! | `sweep` | what an earlier supervisor left behind |
//!
//! # Where groups are made
//!
//! Version 1: below the group that this process is in, in each hierarchy, and only in hierarchies that a limit needs.
//!
//! Version 2 is used where it is mounted, even when it offers no controller: kill, freeze, `populated`, processor time and entering by
//! `CLONE_INTO_CGROUP` need none. Only a group without processes of its own can hand controllers to its children. (It could hand `pids`,
//! `cpu` and `cpuset` to threads of its own, and would then be of no use for jobs; so a group with processes is never asked.) The first that
//! works is taken of
//!
//! 1. the group that [`Settings::delegated`] names, and then no other;
//! 2. the own group, where it is the root of the hierarchy, or neither it nor the one above has a controller;
//! 3. `gradus` beside the own group. With systemd, set `Delegate=yes` and `DelegateSubgroup=supervisor`, and this stays within the service;
//! 4. the own group, after its processes were moved into `supervisor` below it, if [`Settings::may_move`] allows that;
//! 5. the own group without controllers; [`Host::support`] says why.
//!
//! # What differs between the versions
//!
//! With version 2 a lack of memory ends the whole group at once. Version 1 ends one process of it: watch [`Group::oom_watch`] and call
//! [`Group::kill`]. Version 1 limits direct and synchronous writes to a device, but not what the page cache writes later.
//!
//! # Entering
//!
//! To move another process ([`Group::add`]) waits for a grace period of the kernel, 8 to 14 ms here. A process that is started by
//! `CLONE_INTO_CGROUP` with [`Group::v2_fd`] and moves itself with [`Entrance::enter`] waits for nothing.

mod counters;
mod ending;
mod error;
mod files;
mod group;
mod host;
mod layout;
mod limits;
mod parent;
mod plan;
mod probe;
mod sweep;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

pub use counters::{Events, OomWatch, Usage};
pub use error::CgroupError;
pub use group::{Entrance, Group, Record, RecordedGroup};
pub use host::{Backend, Controller, Hierarchy, Host, Missing, Settings, Support, Swap};
pub use layout::{Layout, Place};
pub use limits::{IoLimit, Limits};
pub use plan::{LimitName, Plan, PlannedGroup, Shortfall, Write, plan};
pub use probe::THROWAWAY;
pub use sweep::{Swept, sweep, sweep_throwaways};
