//! Outputs that are a trap for whoever takes them. All kinds by `sandbox/tests/outputs.rs`; here those that jobs can make.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use gradus_sandbox::job::{Job, ScratchKind};
use gradus_sandbox::outputs::{CollectError, CollectLimits, Owner, collect};
use gradus_sandbox::store::Store;

use super::arena::Arena;
use super::remains::Traces;

/// What is said of outputs in which a job has planted `kind`. In memory: there files may be larger than on disk.
fn refusal(arena: &Arena, kind: &str) -> CollectError {
    let job = arena.job(
        kind,
        &[
            "hostile-outputs",
            &format!("kind={kind}"),
            "to=/proc/self/root/etc/passwd",
        ],
    );
    let job = Job {
        scratch: ScratchKind::Memory,
        ..job
    };
    let mut started = arena.sandbox.start(&job).unwrap();
    started.wait().unwrap();
    assert!(
        arena.printed(kind).contains("planted") && !arena.printed(kind).contains("not planted"),
        "{}",
        arena.printed(kind)
    );
    let outputs = arena
        .sandbox
        .outputs(kind)
        .unwrap()
        .expect("it has outputs");
    let store = Store::open(&arena.path("store")).unwrap();
    let begun = Instant::now();
    let error = collect(outputs.as_fd(), &CollectLimits::default(), &store).expect_err(kind);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(error.owner(), Owner::Submission, "{error}");
    drop(outputs);
    arena.remove(kind);
    error
}

#[test]
fn a_sparse_output_is_refused_by_its_size() {
    let Some(arena) = Arena::new() else { return };
    let error = refusal(&arena, "sparse");
    assert!(
        matches!(error, CollectError::FileBytes { bytes, .. } if bytes == 8 << 40),
        "{error}"
    );
}

#[test]
fn links_are_refused() {
    let Some(arena) = Arena::new() else { return };
    let error = refusal(&arena, "symlink");
    assert!(
        matches!(
            error,
            CollectError::Kind {
                found: "symbolic link",
                ..
            }
        ),
        "{error}"
    );
    let error = refusal(&arena, "hard-link");
    assert!(
        matches!(error, CollectError::HardLink { links: 2, .. }),
        "{error}"
    );
    let ran = arena.run(&arena.job(
        "hard-link-in",
        &["hostile-outputs", "kind=hard-link-to-input"],
    ));
    ran.exited(0).says("not planted: EXDEV");
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let Some(arena) = Arena::new() else { return };
    for (kind, name) in [("fifo", "fifo"), ("socket", "socket")] {
        let error = refusal(&arena, kind);
        assert!(
            matches!(&error, CollectError::Kind { found, .. } if *found == name),
            "{error}"
        );
    }
}

#[test]
fn nobody_is_left_to_change_outputs_while_they_are_taken() {
    let Some(arena) = Arena::new() else { return };
    let job = arena.job("racer", &["daemons", "processes=20"]);
    let mut started = arena.sandbox.start(&job).unwrap();
    started.wait().unwrap();
    // From the moment that outputs are given out, no process of the job is there.
    let outputs = arena
        .sandbox
        .outputs("racer")
        .unwrap()
        .expect("it has outputs");
    assert_eq!(Traces::of(&arena.sandbox, "racer").processes(), [0; 0]);
    drop(outputs);
    arena.remove("racer");
}
