//! The same attacks by jobs, and one job that does what it should.

use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use gradus_sandbox::job::BuildStep;
use gradus_sandbox::logs::{Lines, Reader};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectError, CollectLimits, Collected, Owner, collect};
use gradus_sandbox::store::Store;

use super::busybox::Busybox;
use super::{HELLO, assert_nothing_is_stored};

/// Runs `script`, whose output must be there, and takes what it has written.
fn run(
    box_: &Busybox,
    name: &str,
    script: &str,
    store: &Store,
) -> (Result<Collected, CollectError>, Duration) {
    let ended = box_.run(&box_.job(name, script));
    let printed = printed(box_, name);
    assert_eq!(ended.outcome, Outcome::Exited { code: 0 }, "{printed}");
    let outputs = box_
        .sandbox
        .outputs(name)
        .unwrap()
        .expect("the watcher keeps the outputs");
    let started = Instant::now();
    let collected = collect(outputs.as_fd(), &CollectLimits::default(), store);
    let took = started.elapsed();
    drop(outputs);
    box_.sandbox.remove(name).unwrap();
    (collected, took)
}

fn printed(box_: &Busybox, name: &str) -> String {
    let mut reader = Reader::open(&box_.directory(name)).unwrap();
    let (mut lines, mut text) = (Lines::new(), String::new());
    while let Some(record) = reader.next().unwrap() {
        lines.push(&record, &mut text);
    }
    lines.finish(&mut text);
    text
}

#[test]
fn outputs_that_jobs_have_planted_are_refused_whole() {
    let Some(box_) = Busybox::new() else {
        return;
    };
    let root = box_.path().join("store");
    let store = Store::open(&root).unwrap();
    type Check = fn(&CollectError) -> bool;
    let attacks: [(&str, &str, Check); 7] = [
        (
            "link",
            "ln -s /etc/shadow /out/planted",
            |error| matches!(error, CollectError::Kind { path, found: "symbolic link" } if path == "model/planted"),
        ),
        (
            "directory-link",
            "ln -s /proc/self/root /out/planted",
            |error| matches!(error, CollectError::Kind { path, found: "symbolic link" } if path == "model/planted"),
        ),
        (
            "fifo",
            "mkfifo /out/planted",
            |error| matches!(error, CollectError::Kind { path, found: "fifo" } if path == "model/planted"),
        ),
        (
            "hard-link",
            "ln /out/a-good-one /out/planted",
            |error| matches!(error, CollectError::HardLink { path, links: 2 } if path == "model/a-good-one"),
        ),
        (
            "sparse",
            "truncate -s 8796093022208 /out/planted",
            |error| matches!(error, CollectError::FileBytes { path, bytes, .. } if path == "model/planted" && *bytes == 8 << 40),
        ),
        (
            "escape",
            "echo > \"/out/$(printf 'planted\\033[2J')\"",
            |error| matches!(error, CollectError::Name { path, .. } if path == r"model/planted\x1b[2J"),
        ),
        // A whiteout is a device that a job can make.
        (
            "device",
            "mknod /out/planted c 0 0 || ln -s x /out/planted",
            |error| matches!(error, CollectError::Kind { path, .. } if path == "model/planted"),
        ),
    ];
    for (name, script, expected) in attacks {
        let script = format!("set -e; printf hello > /out/a-good-one; {script}");
        let (collected, took) = run(&box_, name, &script, &store);
        let error = collected.expect_err(name);
        assert!(expected(&error), "{name}: {error}");
        assert_eq!(error.owner(), Owner::Submission, "{name}: {error}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
        assert_nothing_is_stored(&root);
    }
}

#[test]
fn a_job_cannot_make_devices_and_what_it_wrote_instead_is_taken() {
    let Some(box_) = Busybox::new() else {
        return;
    };
    let store = Store::open(&box_.path().join("store")).unwrap();
    let script = "for device in 'b 254 0' 'b 8 0' 'c 1 1' 'c 1 5'; do mknod /out/device $device && exit 1; done; \
        printf hello > /out/weights; mkdir -p /out/sub; printf '{}' > /out/sub/config.json; \
        truncate -s 64M /out/hole; chmod 6755 /out/weights; chmod 0 /out/sub/config.json";
    let (collected, _) = run(&box_, "good", script, &store);
    let collected = collected.unwrap();
    let tree = &collected.outputs()["model"];
    let files: Vec<(&str, u64)> = tree
        .files
        .iter()
        .map(|file| (&*file.path, file.bytes))
        .collect();
    assert_eq!(
        files,
        [("hole", 64 << 20), ("sub/config.json", 2), ("weights", 5)]
    );
    assert_eq!(tree.get("weights").unwrap().sha256.to_string(), HELLO);
    // printf '{}' | sha256sum
    let config = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(
        tree.get("sub/config.json").unwrap().sha256.to_string(),
        config
    );
    // head -c 67108864 /dev/zero | sha256sum
    let zeros = "3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351";
    assert_eq!(tree.get("hole").unwrap().sha256.to_string(), zeros);
    let made = box_.path().join("made");
    store.materialise(tree, &made).unwrap();
    assert_eq!(fs::read(made.join("weights")).unwrap(), b"hello");
    let manifest = collected.keep(&store, "good").unwrap();
    assert_eq!(store.gc().unwrap().objects, 0);
    assert_eq!(store.kept("good").unwrap(), Some(manifest));
}

#[test]
fn only_a_step_of_a_build_has_rights_and_hands_over_its_root() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut job = busybox.job("plain", "echo x > /x");
    let plan = busybox.sandbox.plan(&job).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert!(plan.capabilities.is_empty() && !plan.keeps_root);
    assert!(!json.contains("capabilities") && !json.contains("keeps_root"));
    assert_eq!(plan.seccomp.as_deref(), Some("trainer"));
    busybox.run(&job);
    assert!(busybox.sandbox.written("plain").unwrap().is_none());
    assert!(busybox.sandbox.outputs("plain").unwrap().is_some());

    job.name = "step".to_owned();
    job.outputs.clear();
    let mut started = busybox
        .sandbox
        .start_step(&job, &BuildStep::default())
        .unwrap();
    started.wait().unwrap();
    let plan = busybox.sandbox.state().plan("step").unwrap().unwrap();
    assert_eq!(plan.capabilities.len(), 7);
    assert_eq!(plan.seccomp.as_deref(), Some("build"));
    assert!(busybox.sandbox.outputs("step").unwrap().is_none());
    let (upper, ids) = busybox.sandbox.written("step").unwrap().unwrap();
    let stat = rustix::fs::statat(&upper, "x", rustix::fs::AtFlags::empty()).unwrap();
    assert_eq!((stat.st_uid, stat.st_size), (ids.uid, 2));
    assert_eq!((ids.uid, ids.count), (plan.identity.uid, 65_536));
}
