//! A state directory without room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gradus_sandbox::job::ScratchKind;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::sandbox::Sandbox;

use crate::busybox::Busybox;
use crate::leftovers;

/// A file system of 4 MiB in memory: the watcher's program takes a third of it.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Small {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=700", "small"])
            .arg(at)
            .status();
        assert!(mounted.unwrap().success());
        Small(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain);
    source.map_or(error.to_string(), |source| format!("{error}: {source}"))
}

#[test]
fn a_start_without_room_names_the_file_and_leaves_nothing() {
    let Some(mut busybox) = Busybox::new() else {
        return;
    };
    let small = Small::mount(&busybox.path().join("state"));
    busybox.sandbox = Sandbox::open(&small.0).unwrap();
    let (mut refused, mut lost, mut ran) = (0, 0, 0);
    for scratch in [ScratchKind::Memory, ScratchKind::Disk] {
        for free_kib in [0, 4, 8, 12, 16, 20, 24, 32, 48, 64, 128, 256] {
            let after = format!("{free_kib} KiB free, {scratch:?}");
            fill(&small.0, free_kib);
            let mut job = busybox.job("job", "head -c 100000 /dev/zero; exit 3");
            job.scratch = scratch;
            (job.limits.disk_bytes, job.limits.disk_inodes) = (8 << 20, 500);
            match busybox.sandbox.start(&job) {
                Err(error) => {
                    let text = chain(&error);
                    let named = text.contains(&*small.0.to_string_lossy());
                    assert!(named && text.contains("No space left"), "{after}: {text}");
                    println!("{after}: {text}");
                    refused += 1;
                }
                Ok(mut started) => match started.wait().map(|ended| ended.outcome) {
                    Ok(Outcome::Exited { code: 3 }) => ran += 1,
                    Ok(Outcome::Lost) | Err(_) => lost += 1,
                    other => panic!("{after}: {other:?}"),
                },
            }
            // Also while there is no room: it is how to get some.
            for name in busybox.sandbox.state().names().unwrap() {
                busybox.sandbox.remove(&name).unwrap();
            }
            leftovers::assert_none(&busybox, &after);
            fs::remove_file(small.0.join("filler")).unwrap();
            busybox.sandbox.recover().unwrap();
        }
    }
    eprintln!("little room: {refused} refused, {lost} lost for their output, {ran} ran");
    assert!(refused > 2 && ran > 2, "{refused} {lost} {ran}");
    let ended = busybox.run(&busybox.job("last", "exit 3"));
    assert_eq!(ended.outcome, Outcome::Exited { code: 3 });
    busybox.sandbox.remove("last").unwrap();
    leftovers::assert_none(&busybox, "with room");
}

/// Fills a file system but for `free_kib`.
fn fill(place: &Path, free_kib: u64) {
    let stat = rustix::fs::statvfs(place).unwrap();
    let free = stat.f_bfree * stat.f_frsize;
    let filler = vec![1; free.saturating_sub(free_kib << 10) as usize];
    fs::write(place.join("filler"), filler).unwrap();
}
