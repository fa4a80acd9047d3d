//! TEMPORARY
use serde::{Deserialize, Serialize};
use std::os::fd::BorrowedFd;
use std::time::Duration;
/// A job's groups and what is written into them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// the group's name, below this process's own groups
    pub name: String,
}
#[derive(Debug)]
pub struct Group;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct E;
impl E {
    pub fn errno(&self) -> i32 {
        0
    }
}
#[derive(Debug, Default)]
pub struct Events {
    pub oom_kills: u64,
    pub pids_refused: u64,
}
#[derive(Debug, Default)]
pub struct Used {
    pub cpu_us: Option<u64>,
    pub memory_peak_bytes: Option<u64>,
}
impl Group {
    pub fn end(_: &Plan) -> Result<(), E> {
        Ok(())
    }
    pub fn create(_: &Plan) -> Result<Group, E> {
        Ok(Group)
    }
    pub fn v2_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    pub fn oom_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    pub fn add(&self, _: i32) -> Result<(), E> {
        Ok(())
    }
    pub fn kill(&self) -> Result<(), E> {
        Ok(())
    }
    pub fn wait_empty(&self, _: Duration) -> Result<bool, E> {
        Ok(true)
    }
    pub fn events(&self) -> Result<Events, E> {
        Ok(Events::default())
    }
    pub fn usage(&self) -> Result<Used, E> {
        Ok(Used::default())
    }
    pub fn remove(&self) -> Result<(), E> {
        Ok(())
    }
}
