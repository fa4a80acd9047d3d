//! Writes to a directory that its file system bounds.

#[path = "busybox/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod busybox;

use std::os::fd::AsFd;

use busybox::Busybox;
use gradus_sandbox::guarantees::guarantees;
use gradus_sandbox::job::{Job, Limits, ScratchKind};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectLimits, collect};
use gradus_sandbox::sandbox::SandboxError;
use gradus_sandbox::scratch::ScratchError;
use gradus_sandbox::store::Store;

const MIB: u64 = 1 << 20;

/// A job that may write 8 MiB and 100 files, ended: how. None, said aloud, where the file system bounds no projects.
fn ended(busybox: &Busybox, name: &str, script: &str) -> Option<Outcome> {
    let job = busybox.job(name, script);
    let job = Job {
        scratch: ScratchKind::Quota,
        limits: Limits {
            disk_bytes: 8 * MIB,
            disk_inodes: 100,
            ..job.limits
        },
        ..job
    };
    match busybox.sandbox.start(&job) {
        Err(
            error @ SandboxError::Scratch {
                source: ScratchError::NoQuota { .. },
                ..
            },
        ) => {
            assert_eq!(busybox.sandbox.state().names().unwrap(), [""; 0], "{error}");
            eprintln!("SKIPPED: no file system with project quota: {error:?}");
            None
        }
        started => Some(started.unwrap().wait().unwrap().outcome),
    }
}

#[test]
fn a_quota_bounds_what_a_job_writes_and_ends_with_it() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let fits = "dd if=/dev/zero of=/out/file bs=1M count=6 2>/dev/null && echo x > /etc-file";
    let Some(outcome) = ended(&busybox, "fits", fits) else {
        return;
    };
    assert_eq!(outcome, Outcome::Exited { code: 0 });
    let plan = busybox.sandbox.state().plan("fits").unwrap().unwrap();
    let disk = guarantees(&plan, None);
    let disk = disk.iter().find(|one| one.what == "limit of disk").unwrap();
    assert!(disk.holds && disk.by.contains("quota"), "{disk:?}");
    let outputs = busybox.sandbox.outputs("fits").unwrap().unwrap();
    let store = Store::open(&busybox.sandbox.state().store()).unwrap();
    let taken = collect(outputs.as_fd(), &CollectLimits::default(), &store).unwrap();
    assert_eq!(taken.outputs().len(), 1);
    drop((taken, outputs));

    let more = "dd if=/dev/zero of=/out/file bs=1M count=9 2>/dev/null";
    assert_eq!(ended(&busybox, "more", more), Some(Outcome::DiskFull));
    let files = "i=0; while echo x > /$i; do i=$((i+1)); done 2>/dev/null; exit 3";
    assert_eq!(ended(&busybox, "files", files), Some(Outcome::DiskFull));
    for name in ["fits", "more", "files"] {
        let directory = busybox.directory(name);
        assert!(directory.join("scratch").exists());
        busybox.sandbox.remove(name).unwrap();
        assert!(!directory.exists());
    }
    // With the same ids, and so the same project: what the ones before had is not counted.
    assert_eq!(
        ended(&busybox, "again", fits),
        Some(Outcome::Exited { code: 0 })
    );
    busybox.sandbox.remove("again").unwrap();
}
