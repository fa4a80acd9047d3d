//! A store under two processes, and under SIGKILL.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gradus_image::Digest;
use gradus_image::layer::LayerCaps;
use gradus_image::store::{GcPolicy, Store};

use crate::store::{archive, built, expected, opened, put};
use crate::tree::listing;

const CHILD: &str = "GRADUS_IMAGE_TEST_CHILD";

fn child(store: &Path, what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crashes::another_process", "--nocapture"])
        .env(CHILD, format!("{what} {}", store.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Kills its own process when so many bytes were read, or at the end of them.
struct Deadly<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Read for Deadly<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let wanted = buf.len().min(self.left);
        let n = self.inner.read(&mut buf[..wanted])?;
        self.left -= n;
        if n == 0 {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
        }
        Ok(n)
    }
}

/// Not a test of its own: what the other processes do.
#[test]
fn another_process() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (what, root) = task.split_once(' ').unwrap();
    let store = Store::open_unflushed(Path::new(root)).unwrap();
    let pin = store.pin().unwrap();
    if let Some(at) = what.strip_prefix("die:") {
        let archive = archive(7);
        let input = Deadly {
            inner: &archive[..],
            left: at.parse().unwrap(),
        };
        let _ = store.put_layer(&pin, input, &expected(&archive), &LayerCaps::default());
        unreachable!("it was to be killed");
    }
    let seed: u32 = what.parse().unwrap();
    let nothing = GcPolicy {
        bytes_max: Some(1),
        age_max: None,
    };
    for round in 0..u32::MAX {
        let pin = store.pin().unwrap();
        let layers: Vec<Digest> = (0..3)
            .map(|n| put(&store, &pin, &archive((round * seed + n) % 11)))
            .collect();
        let image = built(&store, &pin, &layers);
        store.tag("latest", &image.config).unwrap();
        for dir in store.layer_dirs(&image).unwrap() {
            assert_eq!(listing(&dir).len(), 80, "what is pinned is whole");
        }
        store.collect(&nothing).unwrap();
        if round >= 12 && seed < 100 {
            return;
        }
    }
}

/// Whatever has a name is complete, and nothing else is there.
fn check(root: &Path) {
    let store = Store::open_unflushed(root).unwrap();
    let tmp: Vec<_> = root.join("tmp").read_dir().unwrap().collect();
    assert_eq!(tmp.len(), 1, "only the directory of who looks: {tmp:?}");
    assert_eq!(root.join("pins").read_dir().unwrap().count(), 0);
    for entry in root.join("layers").read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let diff_id = Digest::from_hex(&name).unwrap();
        let record = store.layer(&diff_id).unwrap().expect("a record");
        assert_eq!(record.diff_id, diff_id);
        assert_eq!(listing(&store.layer_dir(&diff_id)).len(), 80);
    }
    for image in store.images().unwrap() {
        store.layer_dirs(&image).unwrap();
        gradus_image::layout::read_config(&store, &image).unwrap();
    }
    store.resolve("latest").unwrap();
    store
        .collect(&GcPolicy {
            bytes_max: Some(0),
            age_max: None,
        })
        .unwrap();
    assert_eq!(root.join("layers").read_dir().unwrap().count(), 0);
}

#[test]
fn a_process_killed_while_it_applies_leaves_what_the_next_start_removes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("s");
    let len = archive(7).len();
    for at in [0, 1, 512, 700, len / 3, len / 2, len - 1, len] {
        let status = child(&root, &format!("die:{at}")).status().unwrap();
        assert_eq!(status.signal(), Some(9), "killed at byte {at}");
        let left = root.join("tmp").read_dir().unwrap().count();
        assert_eq!(left, 1, "garbage is in tmp");
        check(&root);
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_whole_store() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("s");
    for round in 0..12 {
        let mut process = child(&root, "101").spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 37));
        process.kill().unwrap();
        process.wait().unwrap();
        check(&root);
    }
}

#[test]
fn two_processes_share_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("s");
    let mut processes: Vec<_> = [3, 7]
        .map(|seed| child(&root, &seed.to_string()).spawn().unwrap())
        .into();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    check(&root);
}

#[test]
fn a_living_process_keeps_its_temporary_files_when_another_starts() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let second = Store::open_unflushed(store.root()).unwrap();
    assert_eq!(store.root().join("tmp").read_dir().unwrap().count(), 2);
    let layer = put(&store, &pin, &archive(1));
    drop(second);
    assert_eq!(store.root().join("tmp").read_dir().unwrap().count(), 1);
    assert!(store.layer(&layer).unwrap().is_some());
}
