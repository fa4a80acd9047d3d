//! Attacks on the launch itself: what of a job is said by its image, and names files and directories while the host's are near.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use gradus_sandbox::job::{Input, Job};
use gradus_sandbox::outcome::{Outcome, Stage};
use gradus_sandbox::sandbox::SandboxError;

use super::arena::Arena;

/// As CVE-2024-21626 had it: a working directory that is a descriptor of the launcher, from which `..` leads to the host's root.
#[test]
fn a_working_directory_in_a_descriptor_leads_nowhere() {
    let Some(arena) = Arena::new() else { return };
    for fd in 0..40 {
        for path in ["/proc/self/fd", "/dev/fd", "/proc/thread-self/fd"] {
            let job = Job {
                cwd: format!("{path}/{fd}"),
                ..arena.job("descriptor", &["who-am-i"])
            };
            match arena.sandbox.start(&job) {
                // Nothing is there, or what the program has of its own: not "you may not", which says that something is there.
                Err(SandboxError::Launch { source, .. }) => assert!(
                    source.stage == Stage::WorkingDirectory
                        && [libc::ENOENT, libc::ENOTDIR].contains(&source.errno),
                    "{source}"
                ),
                other => panic!("{} is a working directory: {other:?}", job.cwd),
            }
        }
    }
}

/// What they are is refused, the launcher itself included: its file belongs to the host's user, and nobody else may run it.
#[test]
fn a_program_in_a_descriptor_is_none_of_the_hosts() {
    let Some(arena) = Arena::new() else { return };
    let through = |fd: i32| format!("/proc/self/fd/{fd}/../../../../../../../bin/true");
    let fixed = [
        "/proc/1/exe",
        "/proc/self/exe",
        "/proc/self/fd/0",
        "/proc/1/root/bin/probe",
        "/proc/self/cwd/../bin/true",
    ];
    for program in fixed
        .map(str::to_owned)
        .into_iter()
        .chain((3..24).map(through))
    {
        let mut job = arena.job("program", &[]);
        job.argv[0].clone_from(&program);
        match arena.sandbox.start(&job) {
            Err(SandboxError::Launch { source, .. }) => {
                assert_eq!(source.stage, Stage::Exec, "{source}")
            }
            Ok(mut started) => panic!("{program} ran: {:?}", started.wait()),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Texts of an image's configuration, as long as somebody likes: the answer is an error that says so, and no program that "ran".
#[test]
fn long_arguments_are_refused_with_words() {
    let Some(arena) = Arena::new() else { return };
    let long = |bytes: usize| "x".repeat(bytes);
    let jobs = [
        (
            "argument",
            Job {
                argv: vec!["/bin/probe".to_owned(), long(2 << 20)],
                ..arena.job("long", &[])
            },
        ),
        (
            "variable",
            Job {
                env: vec![format!("A={}", long(2 << 20))],
                ..arena.job("long", &["who-am-i"])
            },
        ),
        (
            "many",
            Job {
                env: (0..40)
                    .map(|number| format!("A{number}={}", long(100_000)))
                    .collect(),
                ..arena.job("long", &["who-am-i"])
            },
        ),
        (
            "program",
            Job {
                argv: vec![format!("/{}", long(1 << 20))],
                ..arena.job("long", &[])
            },
        ),
        (
            "directory",
            Job {
                cwd: format!("/{}", long(1 << 20)),
                ..arena.job("long", &["who-am-i"])
            },
        ),
    ];
    for (what, job) in jobs {
        match arena.sandbox.start(&job) {
            Err(SandboxError::Launch { source, .. }) => {
                let stage = match what {
                    "directory" => Stage::WorkingDirectory,
                    _ => Stage::Exec,
                };
                assert_eq!(source.stage, stage, "{what}");
                assert!(
                    source.what.len() < 1000,
                    "{what}: {} bytes",
                    source.what.len()
                );
            }
            other => panic!("{what}: {:?}", other.map(|mut started| started.wait())),
        }
    }
}

/// What is hidden and locked in them would be looked for where the link leads, and they would lie over the root.
#[test]
fn an_image_with_links_where_the_fences_stand_is_refused() {
    let Some(arena) = Arena::new() else { return };
    for (name, target) in [
        ("proc", "/"),
        ("sys", "/"),
        ("dev", "/"),
        ("proc", "etc"),
        ("in", "/"),
    ] {
        let layer = arena.path(&format!("links-{name}-{}", target.len()));
        fs::create_dir(&layer).unwrap();
        std::os::unix::fs::symlink(target, layer.join(name)).unwrap();
        let mut job = arena.job("links", &["who-am-i"]);
        job.layers.insert(0, layer);
        match arena.sandbox.start(&job) {
            Err(SandboxError::Launch { source, .. }) => {
                assert_eq!(source.stage, Stage::Mount, "{name}");
                assert!(source.what.contains("the image"), "{name}: {}", source.what);
            }
            other => panic!("{name}: {:?}", other.map(|mut started| started.wait())),
        }
    }
}

#[test]
fn variables_of_the_image_reach_nothing_but_its_program() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("preload", &["leaked-environment"]);
    job.env
        .extend(["LD_PRELOAD=/bin/evil.so", "LD_LIBRARY_PATH=/in", "GIVEN=1"].map(str::to_owned));
    let ran = arena.run_with(&job, |sandbox| {
        let processes = sandbox.state().record("preload").unwrap().processes;
        // The watcher's environment is empty, whatever the supervisor's or the job's is.
        if let Some(environment) = processes
            .and_then(|processes| fs::read(format!("/proc/{}/environ", processes.watcher)).ok())
        {
            assert_eq!(String::from_utf8_lossy(&environment), "");
        }
    });
    // Those that were given are there, and no others.
    ran.exited(0).says("LD_LIBRARY_PATH\"");
}

/// Undone whatever happens.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(arguments: &[&str], at: &std::path::Path) -> Mounted {
        let status = Command::new("mount")
            .args(arguments)
            .arg(at)
            .status()
            .unwrap();
        assert!(status.success(), "mount {arguments:?}");
        Mounted(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Most hosts share mounts between namespaces, so that a disk which is plugged in later appears in a job too, writable.
#[test]
fn a_mount_on_the_host_does_not_appear_inside() {
    let Some(arena) = Arena::new() else { return };
    let shared = arena.path("shared");
    fs::create_dir_all(shared.join("later")).unwrap();
    let source = shared.display().to_string();
    let _shared = Mounted::new(&["--bind", &source], &shared);
    assert!(
        Command::new("mount")
            .arg("--make-shared")
            .arg(&shared)
            .status()
            .unwrap()
            .success()
    );
    let mut job = arena.job(
        "propagation",
        &[
            "wait-for",
            "path=/shared/later/secret",
            "text=disk",
            "ms=1500",
        ],
    );
    job.inputs.push(Input {
        host: shared.clone(),
        inside: "/shared".to_owned(),
    });
    let ran = arena.run_with(&job, |_| {
        let later = Mounted::new(&["-t", "tmpfs", "tmpfs"], &shared.join("later"));
        fs::write(shared.join("later/secret"), "a disk of the host").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1000));
        drop(later);
    });
    ran.exited(0).says("did not come");
}

/// Links of an image where inputs and outputs are mounted, and where `/proc` and `/dev` go.
#[test]
fn links_in_the_image_do_not_lead_mounts_out() {
    let Some(arena) = Arena::new() else { return };
    let layer = arena.path("links");
    fs::create_dir(&layer).unwrap();
    let up = "../../../../../../../../..";
    let target = format!("{up}{}", arena.path("victim").display());
    fs::create_dir(arena.path("victim")).unwrap();
    for name in ["linked-out", "linked-in"] {
        symlink(&target, layer.join(name)).unwrap();
    }
    symlink("/proc/self/root", layer.join("magic")).unwrap();
    let mut job = arena.job("links", &["writable-mounts"]);
    job.layers.insert(0, layer);
    job.inputs[0].inside = "/linked-in".to_owned();
    job.outputs[0].inside = "/linked-out/x".to_owned();
    match arena.sandbox.start(&job) {
        // Made inside, where the link leads when the job's root is the only one there is, or refused.
        Ok(mut started) => {
            started.wait().unwrap();
            arena.remove("links");
        }
        Err(SandboxError::Launch { source, .. }) => {
            assert_eq!(source.stage, Stage::Mount, "{source}")
        }
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(arena.path("victim")).unwrap().count(), 0);
    // Through a link of /proc, which is no path, nothing is mounted.
    job.outputs[0].inside = "/magic/tmp/x".to_owned();
    let refused = arena.sandbox.start(&job).map(|mut started| started.wait());
    assert!(
        !matches!(refused, Ok(Ok(ref ended)) if ended.outcome == Outcome::Lost),
        "{refused:?}"
    );
}
