//! One job a GPU; what is in use, in quarantine or leased is not given.

use super::*;

struct Place {
    root: DriverRoot,
    folder: tempfile::TempDir,
    holds: Holds,
}

impl Place {
    fn new() -> Option<Place> {
        let root = root()?;
        root.write(
            "proc/driver/nvidia-caps/mig-minors",
            "gpu11/gi1/access 12\ngpu11/gi1/ci0/access 13\n",
        );
        let folder = tempfile::tempdir().unwrap();
        Some(Place {
            holds: Holds::at(folder.path()),
            folder,
            root,
        })
    }

    fn take(&self, says: &Says, uuids: &[&str], job: &str) -> Result<Grant, GpuError> {
        let granted = find(&self.root, says, uuids)?;
        self.holds.take(granted, says, Path::new("/jobs"), job)
    }
}

fn used(used_bytes: u64, pids: &[u32]) -> Result<Usage, NvmlError> {
    let process = |pid: &u32| OnGpu {
        pid: *pid,
        bytes: None,
    };
    Ok(Usage {
        used_bytes,
        processes: pids.iter().map(process).collect(),
    })
}

#[test]
fn a_gpu_is_one_jobs_until_it_is_released_and_not_when_that_one_is_gone() {
    let Some(place) = Place::new() else { return };
    let says = Says::idle();
    says.says(A, used(7, &[]));
    let grant = place.take(&says, &[A], "one").unwrap();
    let hold = place.holds.list().unwrap().remove(0);
    assert_eq!(
        (hold.uuid.as_str(), hold.job.as_str(), hold.baseline_bytes),
        (A, "one", 7)
    );
    assert_ne!(hold.taken_unix_ns, 0);
    assert_eq!(hold.taken_unix_ns, grant.granted.gpus()[0].taken_unix_ns);
    let refused = || match place.take(&says, &[A], "two").expect_err("held") {
        GpuError::Held { holder, .. } => assert_eq!(holder, "job \"one\""),
        other => panic!("{other}"),
    };
    refused();
    // All or nothing: the other one is free again.
    assert!(place.take(&says, &[B, A], "two").is_err());
    place.take(&says, &[B], "two").unwrap().release().unwrap();
    assert!(place.holds.is_kept(&hold).unwrap());
    grant.hand_over();
    assert!(!place.holds.is_kept(&hold).unwrap());
    refused();
    let held = place.holds.adopt(&hold).unwrap().expect("nobody has it");
    assert!(place.holds.adopt(&hold).unwrap().is_none());
    held.release().unwrap();
    assert!(place.holds.adopt(&hold).unwrap().is_none());
    place.take(&says, &[A], "two").unwrap();
}

#[test]
fn a_hold_is_not_taken_for_a_later_one_on_the_same_gpu() {
    let Some(place) = Place::new() else { return };
    let says = Says::idle();
    let first = place.take(&says, &[A], "one").unwrap();
    let hold = place.holds.list().unwrap().remove(0);
    first.release().unwrap();
    let second = place.take(&says, &[A], "one").unwrap();
    second.hand_over();
    assert!(place.holds.adopt(&hold).unwrap().is_none());
}

#[test]
fn the_whole_and_its_parts_exclude_each_other() {
    let Some(place) = Place::new() else { return };
    let part = place.take(&Says::cut(), &[PART], "part").unwrap();
    // Cut back together under the job's feet, say.
    let error = place
        .take(&Says::idle(), &[B], "whole")
        .expect_err("a part is held");
    assert!(matches!(error, GpuError::Held { .. }), "{error}");
    part.release().unwrap();
    let whole = place.take(&Says::idle(), &[B], "whole").unwrap();
    let error = place
        .take(&Says::cut(), &[PART], "part")
        .expect_err("the whole is held");
    assert!(matches!(error, GpuError::Held { .. }), "{error}");
    whole.release().unwrap();
}

#[test]
fn what_others_use_or_nobody_knows_of_is_not_given() {
    let Some(place) = Place::new() else { return };
    let says = Says::idle();
    says.says(A, used(7, &[4711]));
    match place.take(&says, &[A], "one").expect_err("in use") {
        GpuError::InUse { pids, .. } => assert_eq!(pids, [4711]),
        other => panic!("{other}"),
    }
    says.says(A, Err(NvmlError::Lost));
    let error = place.take(&says, &[A], "one").expect_err("lost");
    assert!(matches!(error, GpuError::Nvml { .. }), "{error}");
    assert_eq!(place.holds.list().unwrap(), []);
}

#[test]
fn an_evaluations_lease_excludes_a_job() {
    let Some(place) = Place::new() else { return };
    let leases = place.folder.path().join("leases");
    fs::create_dir(&leases).unwrap();
    let lock = fs::File::create(leases.join(format!("{A}.lock"))).unwrap();
    lock.lock().unwrap();
    let error = place.take(&Says::idle(), &[A], "one").expect_err("leased");
    assert!(matches!(error, GpuError::Held { .. }), "{error}");
    assert_eq!(place.holds.list().unwrap(), []);
    lock.unlock().unwrap();
    // A lease on an instance shares the whole, which a job with another instance may do too.
    let whole = fs::File::create(leases.join(format!("{B}.lock"))).unwrap();
    whole.lock_shared().unwrap();
    place
        .take(&Says::cut(), &[PART], "one")
        .unwrap()
        .release()
        .unwrap();
    let error = place
        .take(&Says::idle(), &[B], "one")
        .expect_err("shared by others");
    assert!(matches!(error, GpuError::Held { .. }), "{error}");
}

#[test]
fn a_gpu_in_quarantine_is_given_to_nobody_nor_are_its_parts() {
    let Some(place) = Place::new() else { return };
    let grant = place.take(&Says::idle(), &[B], "one").unwrap();
    let hold = place.holds.list().unwrap().remove(0);
    grant.hand_over();
    let held = place.holds.adopt(&hold).unwrap().unwrap();
    place
        .holds
        .quarantine(held, super::super::quarantine::Why::Lost)
        .unwrap();
    assert_eq!(place.holds.list().unwrap(), []);
    assert_eq!(place.holds.quarantines().len(), 1);
    for (says, uuid) in [(Says::idle(), B), (Says::cut(), PART)] {
        let error = place
            .take(&says, &[uuid], "two")
            .expect_err("in quarantine");
        assert!(matches!(error, GpuError::Quarantined { .. }), "{error}");
    }
    // A record that is damaged still is one.
    let path = place.folder.path().join(format!("quarantine/{B}.json"));
    fs::write(&path, "{").unwrap();
    assert!(place.take(&Says::idle(), &[B], "two").is_err());
    assert!(place.holds.release(B).unwrap());
    assert!(!place.holds.release(B).unwrap());
    place.take(&Says::idle(), &[B], "two").unwrap();
}
