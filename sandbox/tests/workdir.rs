//! A job's working directory, which its image may name, is looked up below its own root, whenever that happens.

mod busybox;

use std::os::unix::fs::symlink;

use busybox::Busybox;
use gradus_sandbox::job::Job;
use gradus_sandbox::logs::Reader;
use gradus_sandbox::outcome::Outcome;

/// While a job is started the host's root lies over the new one for a moment, and `..` at the root leads to whatever lies over it.
#[test]
fn up_from_the_root_is_the_root() {
    let Some(box_) = Busybox::new() else { return };
    let rootfs = box_.path().join("rootfs");
    symlink("..", rootfs.join("up")).unwrap();
    symlink("/../../", rootfs.join("bin/far")).unwrap();
    for turn in 0..40 {
        for cwd in ["/..", "/up", "/bin/far", "/bin/../../.."] {
            let job = Job {
                cwd: cwd.to_owned(),
                outputs: Vec::new(),
                ..box_.job("up", "[ -x ./bin/nc ] && ! [ -e ./boot ] && echo inside")
            };
            let ended = box_.run(&job);
            let mut log = Reader::open(&box_.directory("up")).unwrap();
            let mut printed = Vec::new();
            while let Some(record) = log.next().unwrap() {
                printed.extend(record.bytes);
            }
            box_.sandbox.remove("up").unwrap();
            let printed = String::from_utf8_lossy(&printed);
            assert_eq!(
                (ended.outcome, &*printed),
                (Outcome::Exited { code: 0 }, "inside\n"),
                "{cwd}, turn {turn}"
            );
        }
    }
}
