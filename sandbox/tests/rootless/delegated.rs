//! A group of control groups that a service manager has given to a user, on a host with version 2 alone.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use gradus_sandbox::guarantees::{guarantees, missing};
use gradus_sandbox::job::Job;
use gradus_sandbox::outcome::Outcome;

use crate::user::{USER, as_user_in};

/// A group of the user, with its controllers and one group below it, removed with this.
struct Delegated {
    group: PathBuf,
}

impl Delegated {
    /// None, said aloud, where version 2 is not alone or this process may not.
    fn new() -> Option<Delegated> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.trim_end().strip_prefix("0::/");
        let parent = own.filter(|own| !own.contains('\n')).and_then(|own| {
            let own = Path::new("/sys/fs/cgroup").join(own);
            own.parent().map(Path::to_owned)
        });
        let Some(parent) = parent.filter(|_| rustix::process::geteuid().is_root()) else {
            eprintln!(
                "SKIPPED: a group is delegated by root, with version 2 of control groups alone"
            );
            return None;
        };
        let group = parent.join(format!("gradus-delegated-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        let delegated = Delegated { group };
        let all = "+memory +pids +cpu +cpuset +io";
        fs::write(parent.join("cgroup.subtree_control"), all).unwrap();
        fs::create_dir(delegated.leaf()).unwrap();
        // As the kernel's guide says what a delegatee is given.
        for path in [delegated.group.clone(), delegated.leaf()] {
            for file in [
                "",
                "cgroup.procs",
                "cgroup.subtree_control",
                "cgroup.threads",
            ] {
                chown(path.join(file), Some(USER), Some(USER)).unwrap();
            }
        }
        Some(delegated)
    }

    fn leaf(&self) -> PathBuf {
        self.group.join("supervisor")
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let below = fs::read_dir(&self.group).into_iter().flatten().flatten();
        for entry in below.filter(|entry| entry.path().is_dir()) {
            for nested in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(nested.path());
            }
            let _ = fs::remove_dir(entry.path());
        }
        let _ = fs::remove_dir(&self.group);
    }
}

#[test]
fn a_delegated_group_keeps_limits_without_root() {
    let test = "delegated::a_delegated_group_keeps_limits_without_root";
    let delegated = if rustix::process::geteuid().is_root()
        && std::env::var_os("GRADUS_ROOTLESS_PLACE").is_none()
    {
        match Delegated::new() {
            Some(delegated) => Some(delegated),
            None => return,
        }
    } else {
        None
    };
    let leaf = delegated.as_ref().map(Delegated::leaf);
    as_user_in(leaf.as_deref(), test, |home| {
        let hungry = "dd if=/dev/zero of=/dev/null bs=96M count=1";
        // Nothing is left out: without leave to.
        let job = Job {
            best_effort: false,
            record_refused: false,
            ..home.job("hungry", hungry)
        };
        let (ended, _) = home.run(&job);
        assert_eq!(ended.outcome, Outcome::OutOfMemory);
        assert!(ended.usage.memory_peak_bytes.is_some(), "{ended:?}");
        let record = home.sandbox.state().record("hungry").unwrap();
        let plan = home.sandbox.state().plan("hungry").unwrap().unwrap();
        let all = guarantees(&plan, record.processes.as_ref());
        let lacks: Vec<&str> = missing(&all).map(|one| one.what).collect();
        assert_eq!(
            lacks,
            ["user ids that nobody else has", "devices by number"],
            "{all:#?}"
        );
    });
}
