//! Supervisors and watchers that are killed, many at once, disks that are full, hosts that lack something: nothing is lost, nothing is left.

#[path = "../busybox/mod.rs"]
mod busybox;
mod child;
mod ended;
mod full_disk;
mod hosts;
mod hundred;
mod ids;
mod killed;
mod leftovers;
mod memory;
mod rebooted;
mod stopped;
mod together;
