//! A state directory without room.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use gradus_sandbox::job::ScratchKind;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectLimits, Owner, collect};
use gradus_sandbox::sandbox::Sandbox;
use gradus_sandbox::store::Store;

use crate::busybox::Busybox;
use crate::leftovers;

/// A file system in memory: the watcher's program takes more than a megabyte of it.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, mib: u32) -> Small {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mib}m,mode=700"),
                "small",
            ])
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
    let small = Small::mount(&busybox.path().join("state"), 4);
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

/// A job's file system is a file with holes: what it writes may find no room when nobody is told any more.
#[test]
fn what_the_hosts_disk_does_not_take_is_not_handed_over() {
    let Some(mut busybox) = Busybox::new() else {
        return;
    };
    let small = Small::mount(&busybox.path().join("state"), 16);
    busybox.sandbox = Sandbox::open(&small.0).unwrap();
    for (name, bytes) in [("fits", 2_000_000), ("does-not", 30_000_000)] {
        // It does not notice itself: the last word of what it runs is a success.
        let script = format!("head -c {bytes} /dev/urandom > /out/model; ls -l /out; exit 0");
        let mut job = busybox.job(name, &script);
        job.scratch = ScratchKind::Disk;
        (job.limits.disk_bytes, job.limits.disk_inodes) = (64 << 20, 500);
        let ended = busybox.run(&job);
        let outputs = busybox.sandbox.outputs(name).unwrap();
        if name == "fits" {
            assert_eq!(ended.outcome, Outcome::Exited { code: 0 });
            assert!(outputs.is_some() && ended.left.is_empty(), "{ended:?}");
        } else {
            let is_the_hosts = matches!(ended.outcome, Outcome::NotWritten { .. });
            assert!(is_the_hosts && outputs.is_none(), "{ended:?}");
            assert!(ended.left[0].contains("make room"), "{ended:?}");
        }
        drop(outputs);
        busybox.sandbox.remove(name).unwrap();
        leftovers::assert_none(&busybox, name);
    }
}

#[test]
fn outputs_are_taken_whole_or_not_at_all() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let script = "for i in 1 2 3; do head -c 400000 /dev/urandom > /out/$i; done";
    let job = busybox.job("full", script);
    busybox.run(&job);
    let small = Small::mount(&busybox.path().join("taken"), 1);
    let store = Store::open(&small.0.join("store")).unwrap();
    let take = || {
        let outputs = busybox.sandbox.outputs("full").unwrap().unwrap();
        collect(outputs.as_fd(), &CollectLimits::default(), &store)
    };
    let files = || {
        let mut count = 0;
        let mut open = vec![small.0.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.metadata().unwrap().len() > 1000 {
                    count += 1;
                }
            }
        }
        count
    };
    let error = take().unwrap_err();
    assert_eq!(error.owner(), Owner::Host, "{}", chain(&error));
    assert!(chain(&error).contains("No space left"), "{}", chain(&error));
    // Without room it is how to get some.
    store.gc().unwrap();
    assert_eq!(files(), 0, "of what was taken nothing is left");
    // They wait still, and are taken where there is room.
    drop(store);
    let store = Store::open(&busybox.path().join("store")).unwrap();
    let outputs = busybox.sandbox.outputs("full").unwrap().unwrap();
    let collected = collect(outputs.as_fd(), &CollectLimits::default(), &store).unwrap();
    assert_eq!(collected.outputs().len(), 1);
    drop((collected, outputs));
    busybox.sandbox.remove("full").unwrap();
    leftovers::assert_none(&busybox, "taken");
}

/// The journal's last line finds room in what it has already, or it does not: either way the job is lost, and nothing of it runs on.
#[test]
fn a_job_whose_output_finds_no_room_is_ended() {
    let Some(mut busybox) = Busybox::new() else {
        return;
    };
    let small = Small::mount(&busybox.path().join("state"), 4);
    busybox.sandbox = Sandbox::open(&small.0).unwrap();
    let mut job = busybox.job("talks", "sleep 1; while true; do echo 0123456789; done");
    job.scratch = ScratchKind::Memory;
    job.outputs.clear();
    let mut started = busybox.sandbox.start(&job).unwrap();
    fill(&small.0, 0);
    if let Ok(ended) = started.wait() {
        assert_eq!(ended.outcome, Outcome::Lost, "{ended:?}");
        assert!(ended.left[0].contains("No space left"), "{ended:?}");
    }
    let groups = leftovers::group_prefix(&busybox);
    assert_eq!(
        leftovers::processes(&groups),
        0,
        "of a job that nobody watches"
    );
    // What needs no room is done: nothing runs, and it can be removed.
    busybox.sandbox.remove("talks").unwrap();
    leftovers::assert_none(&busybox, "talked into a full disk");
}
