//! GPUs while their job runs and when it has ended: memory (36), strangers, quarantine.

use std::time::{Duration, Instant};

use gradus_sandbox::gpu::driver::Driver;
use gradus_sandbox::gpu::keeper::recover;
use gradus_sandbox::gpu::notes::{Note, Seen};
use gradus_sandbox::gpu::quarantine::Why;
use gradus_sandbox::gpu::told::{OnGpu, Usage};
use gradus_sandbox::gpu::{Granted, NvmlError, Request};
use gradus_sandbox::outcome::Outcome;

use super::place::{A, BASELINE, GIB, Place, SETTINGS, last};

#[test]
fn who_takes_more_memory_than_granted_is_ended_for_it() {
    let Some(place) = Place::new() else { return };
    let (outcome, noted) = place.kept("greedy", Some(2 * GIB), |pid| {
        place.says.used(&[(pid, 2 * GIB)]);
        std::thread::sleep(Duration::from_millis(100));
        place.says.used(&[(pid, 2 * GIB + 1)]);
        place.wait_for("greedy", |seen| matches!(seen, Seen::OverLimit { .. }));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
    let peak = |note: &Note| {
        note.seen
            == Seen::Peak {
                used_bytes: 2 * GIB + 1,
            }
    };
    assert!(noted.iter().any(peak), "{noted:?}");
    assert!(matches!(last(&noted), Seen::Returned { .. }), "{noted:?}");
    place.is_free();
}

#[test]
fn memory_that_is_not_told_by_process_is_the_jobs_all_the_same() {
    let Some(place) = Place::new() else { return };
    let (outcome, _) = place.kept("hidden", Some(GIB), |pid| {
        let hidden = OnGpu { pid, bytes: None };
        place.says.says(Ok(Usage {
            used_bytes: BASELINE + GIB + 1,
            processes: vec![hidden],
        }));
        place.wait_for("hidden", |seen| matches!(seen, Seen::OverLimit { .. }));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
}

#[test]
fn a_stranger_on_a_granted_gpu_is_an_alarm_in_the_record_and_not_the_jobs_memory() {
    let Some(place) = Place::new() else { return };
    let own = std::process::id();
    let (outcome, noted) = place.kept("beside", Some(GIB), |pid| {
        place
            .says
            .used(&[(pid, 1 << 20), (own, 60 * GIB), (4_000_000, 60 * GIB)]);
        place.wait_for("beside", |seen| matches!(seen, Seen::Foreign { .. }));
        // One that cannot be seen may just have ended: it is noted when it is still there.
        place.wait_for("beside", |seen| {
            matches!(seen, Seen::Unseen { pid: 4_000_000 })
        });
        place.says.used(&[(pid, 1 << 20)]);
        std::thread::sleep(Duration::from_millis(100));
        place.end("beside");
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::Cancelled, "the memory was not its own");
    let foreign: Vec<&Note> = noted
        .iter()
        .filter(|note| matches!(note.seen, Seen::Foreign { .. } | Seen::Unseen { .. }))
        .collect();
    assert_eq!(foreign.len(), 2, "once each: {noted:?}");
    assert!(matches!(&foreign[0].seen, Seen::Foreign { pid, .. } if *pid == own));
    place.is_free();
}

#[test]
fn memory_that_is_held_after_the_end_puts_the_gpu_into_quarantine() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("held", None, |_| {
        place.says.says(Ok(Usage {
            used_bytes: BASELINE + GIB,
            processes: Vec::new(),
        }));
        place.end("held");
    });
    let why = Why::MemoryNotReturned {
        before: BASELINE,
        after: BASELINE + GIB,
    };
    assert_eq!(last(&noted), &Seen::Quarantined { why: why.clone() });
    assert_eq!(place.holds.list().unwrap(), []);
    assert_eq!(place.holds.quarantined(A.uuid).unwrap().why, why);
    // Also when it is idle again: somebody has to look first.
    place.says.used(&[]);
    let driver = Driver::find(place.root.path()).unwrap();
    let request = Request {
        uuid: A.uuid.to_owned(),
        memory_bytes: None,
    };
    let granted = Granted::find(driver, &place.says, &[request]).unwrap();
    let state = place.sandbox().state().root();
    place
        .holds
        .take(granted, &place.says, state, "next")
        .expect_err("in quarantine");
    assert!(place.holds.release(A.uuid).unwrap());
    place.take(A, "next", None).release().unwrap();
    place.is_free();
}

#[test]
fn a_gpu_that_takes_a_while_to_come_back_is_waited_for() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("slow", None, |pid| {
        place.says.used(&[(pid, GIB)]);
        place.end("slow");
        // No process of it is left, and the driver has not noticed yet.
        std::thread::sleep(Duration::from_millis(150));
        place.says.used(&[]);
    });
    assert!(
        matches!(last(&noted), Seen::Returned { after_ms } if *after_ms >= 50),
        "{noted:?}"
    );
    place.is_free();
}

#[test]
fn a_process_that_stays_on_the_gpu_keeps_it_from_others() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("stays", None, |_| {
        place.says.used(&[(4_000_001, GIB)]);
        place.end("stays");
    });
    let why = Why::ProcessesLeft {
        pids: vec![4_000_001],
    };
    assert_eq!(last(&noted), &Seen::Quarantined { why });
}

#[test]
fn a_library_that_fails_for_a_while_is_noted_and_asked_again() {
    let Some(place) = Place::new() else { return };
    let (outcome, noted) = place.kept("reloaded", Some(GIB), |pid| {
        place.says.says(Err(NvmlError::Absent(
            "the driver is not loaded".to_owned(),
        )));
        place.wait_for("reloaded", |seen| matches!(seen, Seen::Unwatched { .. }));
        place.says.used(&[(pid, 2 * GIB)]);
        place.wait_for("reloaded", |seen| matches!(seen, Seen::OverLimit { .. }));
        // Also after the end.
        place.says.says(Err(NvmlError::Other("unknown".to_owned())));
        std::thread::sleep(Duration::from_millis(100));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
    assert!(noted.iter().any(|note| note.seen == Seen::WatchedAgain));
    assert!(matches!(last(&noted), Seen::Returned { .. }), "{noted:?}");
    place.is_free();
}

#[test]
fn a_gpu_that_is_gone_or_says_nothing_goes_into_quarantine() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("gone", None, |_| {
        place.says.says(Err(NvmlError::Lost));
        place.wait_for("gone", |seen| *seen == Seen::Lost);
        place.end("gone");
    });
    assert_eq!(last(&noted), &Seen::Quarantined { why: Why::Lost });
    place.holds.release(A.uuid).unwrap();
    place.says.used(&[]);
    let (_, noted) = place.kept("silent", None, |_| {
        place.says.says(Err(NvmlError::Other("unknown".to_owned())));
        place.end("silent");
    });
    assert!(
        matches!(
            last(&noted),
            Seen::Quarantined {
                why: Why::Unknown { .. }
            }
        ),
        "{noted:?}"
    );
}

#[test]
fn a_hold_that_nobody_looks_after_is_taken_up_by_whoever_recovers() {
    let Some(place) = Place::new() else { return };
    let mut tell = |_: &Note| {};
    let job = place.arena.job("orphan", &["wait-for", "ms=60000"]);
    let (mut started, grant) = place.start(&job, A, None);
    let mut recovered = || {
        recover(
            place.sandbox(),
            &place.holds,
            &place.says,
            SETTINGS,
            &mut tell,
        )
        .unwrap()
    };
    assert_eq!(recovered(), [""; 0], "whoever starts it looks after it");
    grant.hand_over();
    // It runs: somebody has to be started who watches.
    assert_eq!(recovered(), ["orphan"]);
    assert_eq!(place.holds.list().unwrap().len(), 1);
    place.end("orphan");
    started.wait().unwrap();
    assert_eq!(recovered(), [""; 0]);
    place.is_free();
    place.arena.remove("orphan");

    // And if memory is held, and its watcher was killed, and the job is removed, and another one has its name: into quarantine.
    let (started, grant) = place.start(&job, A, None);
    let watcher = rustix::process::Pid::from_raw(started.processes.watcher).unwrap();
    rustix::process::kill_process(watcher, rustix::process::Signal::KILL).unwrap();
    drop(started);
    grant.hand_over();
    let until = Instant::now() + Duration::from_secs(20);
    while !place
        .sandbox()
        .recover()
        .unwrap()
        .contains(&"orphan".to_owned())
    {
        assert!(Instant::now() < until, "its watcher was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    place.arena.remove("orphan");
    let mut next = place.sandbox().start(&job).unwrap();
    place.says.used(&[(4_000_002, GIB)]);
    assert_eq!(recovered(), [""; 0], "the one that runs has no GPU");
    assert!(place.holds.quarantined(A.uuid).is_some());
    place.end("orphan");
    next.wait().unwrap();
    place.arena.remove("orphan");
}
