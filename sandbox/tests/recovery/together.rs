//! Several supervisors of one state directory.

use crate::busybox::Busybox;
use crate::child::Supervisor;
use crate::leftovers;

#[test]
fn supervisors_that_start_list_recover_and_remove_at_once_lose_and_double_nothing() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut all: Vec<Supervisor> = ["one", "two", "three"]
        .map(|who| Supervisor::play(busybox.path(), &format!("churn {who}")))
        .into();
    for supervisor in &mut all {
        supervisor.hear().unwrap();
    }
    all.iter_mut().for_each(Supervisor::go);
    for supervisor in &mut all {
        assert_eq!(
            supervisor.hear().as_deref(),
            Some("12"),
            "jobs that ended well"
        );
        assert!(supervisor.process.wait().unwrap().success());
    }
    for job in busybox.sandbox.jobs().unwrap() {
        busybox.sandbox.remove(&job.name).unwrap();
    }
    leftovers::assert_none(&busybox, "all removed");
}
