//! Jobs of another boot of the host.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::Report;
use gradus_sandbox::state::Phase;
use rustix::process::{Pid, Signal, kill_process};

use crate::busybox::Busybox;
use crate::leftovers;

/// A process of the host that is where the job's processes were: in its control groups.
struct Successor {
    process: Child,
    groups: Vec<PathBuf>,
}

impl Successor {
    fn in_groups_of(busybox: &Busybox, name: &str) -> Successor {
        let plan = busybox.sandbox.state().plan(name).unwrap().unwrap();
        let groups: Vec<PathBuf> = plan
            .cgroup
            .expect("root has control groups")
            .groups
            .into_iter()
            .map(|group| group.path)
            .collect();
        let process = Command::new("sleep").arg("60").spawn().unwrap();
        for group in &groups {
            if !group.exists() {
                fs::create_dir(group).unwrap();
            }
            // A group of version 1 that was just made may have no processors yet.
            let _ = fs::write(group.join("cgroup.procs"), process.id().to_string());
        }
        Successor { process, groups }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let until = Instant::now() + Duration::from_secs(5);
        for group in &self.groups {
            while group.exists() && fs::remove_dir(group).is_err() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// What is left of a job whose host was switched off, with somebody else behind its names and numbers: `boot_id` is when it was started.
fn after_a_boot(busybox: &Busybox, boot_id: impl Fn(&str) -> String) -> Successor {
    let name = "rebooted";
    let started = busybox
        .sandbox
        .start(&busybox.job(name, "sleep 60"))
        .unwrap();
    let mut processes = started.processes.clone();
    let watcher = Pid::from_raw(processes.watcher).unwrap();
    kill_process(watcher, Signal::KILL).unwrap();
    drop(started);
    let until = Instant::now() + Duration::from_secs(10);
    while busybox.sandbox.state().record(name).unwrap().phase != Phase::Lost
        || fs::metadata(format!("/proc/{}", processes.init)).is_ok()
    {
        assert!(Instant::now() < until, "its watcher was killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    let successor = Successor::in_groups_of(busybox, name);
    processes.init = successor.process.id() as i32;
    processes.init_start_ticks = gradus_jail::watcher::process_start_ticks(processes.init).unwrap();
    processes.boot_id = boot_id(&processes.boot_id);
    let line = serde_json::to_string(&Report::Started(processes)).unwrap();
    fs::write(busybox.directory(name).join("journal"), line + "\n").unwrap();
    successor
}

#[test]
fn of_a_job_of_another_boot_only_files_are_removed() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut successor = after_a_boot(&busybox, |_| {
        "00000000-0000-4000-8000-000000000000".to_owned()
    });
    let begun = Instant::now();
    assert_eq!(busybox.sandbox.recover().unwrap(), ["rebooted"]);
    let ended = busybox.sandbox.wait("rebooted").unwrap();
    assert_eq!((&ended.outcome, &ended.left[..]), (&Outcome::Lost, &[][..]));
    busybox.sandbox.remove("rebooted").unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        successor.process.try_wait().unwrap().is_none(),
        "what has its numbers now was ended"
    );
    drop(successor);
    leftovers::assert_none(&busybox, "another boot");
}

/// A state directory on a network's file system may come with locks of a host that is not there any more.
#[test]
fn a_job_of_another_boot_does_not_run_whoever_holds_its_lock() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let successor = after_a_boot(&busybox, |_| "another".to_owned());
    let lock = fs::File::open(busybox.directory("rebooted").join("journal")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let record = busybox.sandbox.state().record("rebooted").unwrap();
    assert_eq!(record.phase, Phase::Lost);
    drop(successor);
    busybox.sandbox.remove("rebooted").unwrap();
    leftovers::assert_none(&busybox, "a lock of another boot");
}

/// The same without a boot in between: what is in the job's groups is the job's, and is ended.
#[test]
fn of_a_job_of_this_boot_the_groups_are_ended() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut successor = after_a_boot(&busybox, str::to_owned);
    assert_eq!(
        successor.process.try_wait().unwrap(),
        None,
        "it lives until somebody recovers"
    );
    std::thread::scope(|scope| {
        // Reaped, or the job's process would seem to be there.
        scope.spawn(|| successor.process.wait().unwrap());
        assert_eq!(busybox.sandbox.recover().unwrap(), ["rebooted"]);
    });
    busybox.sandbox.remove("rebooted").unwrap();
    leftovers::assert_none(&busybox, "this boot");
}
