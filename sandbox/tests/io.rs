//! Rates of disks.

#[path = "busybox/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod busybox;

use std::fs::{self, File};
use std::time::Duration;

use busybox::Busybox;
use gradus_sandbox::guarantees::guarantees;
use gradus_sandbox::job::{Input, Job, Limits, ScratchKind};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::sandbox::SandboxError;

const MIB: u64 = 1 << 20;

/// Runs a job with the input `/in/data`, of 3 MiB that are not in memory, at these rates: how long it took. None, said aloud, where this host has
/// no disk or nobody who limits it.
fn timed(
    name: &str,
    script: &str,
    read_bps: Option<u64>,
    write_bps: Option<u64>,
) -> Option<Duration> {
    let busybox = Busybox::new()?;
    let device = rustix::fs::stat(busybox.path()).unwrap().st_dev;
    if rustix::fs::major(device) == 0 {
        eprintln!("SKIPPED: {} lies on no disk", busybox.path().display());
        return None;
    }
    let data = busybox.path().join("input/data");
    fs::create_dir(busybox.path().join("input")).unwrap();
    fs::write(&data, vec![b'x'; 3 * MIB as usize]).unwrap();
    let file = File::open(&data).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let job = busybox.job(name, script);
    let job = Job {
        scratch: ScratchKind::Disk,
        inputs: vec![Input {
            host: busybox.path().join("input"),
            inside: "/in".to_owned(),
        }],
        limits: Limits {
            io_read_bps: read_bps,
            io_write_bps: write_bps,
            disk_bytes: 16 * MIB,
            disk_inodes: 100,
            ..job.limits
        },
        ..job
    };
    let mut started = match busybox.sandbox.start(&job) {
        Err(SandboxError::Shortfall { shortfalls, .. }) => {
            eprintln!("SKIPPED: {shortfalls:?}");
            return None;
        }
        other => other.unwrap_or_else(|error| panic!("{error:?}")),
    };
    let ended = started.wait().unwrap();
    assert_eq!(ended.outcome, Outcome::Exited { code: 0 });
    let plan = busybox.sandbox.state().plan(name).unwrap().unwrap();
    let all = guarantees(&plan, None);
    let rates = all.iter().find(|one| one.what == "rates of disks");
    assert_eq!(
        rates.map(|rates| rates.holds),
        (read_bps.is_some() || write_bps.is_some()).then_some(true)
    );
    Some(Duration::from_millis(ended.usage.wall_ms))
}

#[test]
fn what_a_job_reads_from_a_disk_stays_within_the_rate() {
    let script = "cat /in/data > /dev/null";
    let Some(slow) = timed("reads", script, Some(MIB), None) else {
        return;
    };
    assert!(
        slow >= Duration::from_millis(1900),
        "3 MiB at 1 MiB/s took {slow:?}"
    );
    let free = timed("reads-freely", script, None, Some(MIB)).unwrap();
    assert!(
        free < slow / 2,
        "{free:?} without a limit of reads, {slow:?} with one"
    );
}

/// Waited for, so that it is the job that writes and not the kernel behind it.
#[test]
fn what_a_job_writes_to_a_disk_stays_within_the_rate() {
    let script = "dd if=/dev/zero of=/out/file bs=1M count=3 conv=fsync 2>/dev/null";
    let Some(slow) = timed("writes", script, None, Some(MIB)) else {
        return;
    };
    assert!(
        slow >= Duration::from_millis(1900),
        "3 MiB at 1 MiB/s took {slow:?}"
    );
    let free = timed("writes-freely", script, None, None).unwrap();
    assert!(
        free < slow / 2,
        "{free:?} without a limit, {slow:?} with one"
    );
}
