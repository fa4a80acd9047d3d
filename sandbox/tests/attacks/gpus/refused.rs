//! What a job with a GPU does not have: other GPUs (37), the driver's daemons (38), what its image leads to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use gradus_jail::cgroup::Backend;
use gradus_sandbox::job::Job;

use super::place::{A, Place};

#[test]
fn the_other_gpu_is_not_there() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("nodes", &["open-devices"]);
    let text = place.prints_as(&job);
    // Its own, and neither the other one nor displays nor tools; what has no device behind it opens for nobody.
    assert!(text.contains("\"detail\":\"nvidia3\""), "{text}");
    let job = place.arena.job("making", &["device-nodes"]);
    assert!(place.prints_as(&job).contains("\"got\":\"refused\""));
    place.is_free();
}

#[test]
fn the_other_gpu_is_refused_by_the_filter_wherever_its_node_is() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("filtered", &["wait-for", "ms=60000"]);
    let (mut started, grant) = place.start(&job, A, None);
    let plan = place.sandbox().state().plan("filtered").unwrap().unwrap();
    let mut groups = plan.cgroup.unwrap().groups.into_iter();
    let group = groups.find(|group| group.backend == Backend::V2);
    let Some(group) = group else {
        eprintln!("SKIPPED: without version 2 of control groups there is no filter of devices");
        place.end("filtered");
        return;
    };
    // As if a process of the job had found a way to the host's own nodes.
    let open = |node: &str, enters: bool| {
        let enter = format!("echo $$ > {}/cgroup.procs && ", group.path.display());
        let enter = if enters { enter.as_str() } else { "" };
        let node = place.root.path().join("dev").join(node);
        let script = format!("{enter}exec 3<> {}", node.display());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => "opened".to_owned(),
            false => said
                .rsplit(": ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }
    };
    assert_eq!(
        open("nvidia11", false),
        "opened",
        "it is there for the host"
    );
    assert_eq!(open("nvidia11", true), "Operation not permitted");
    assert_eq!(open("nvidia-modeset", true), "Operation not permitted");
    assert_eq!(open("nvidia-uvm-tools", true), "Operation not permitted");
    assert_eq!(open("nvidia3", true), "opened");
    // Allowed, and then there is no such device.
    for allowed in ["nvidiactl", "nvidia-uvm"] {
        assert_eq!(
            open(allowed, true),
            "No such device or address",
            "{allowed}"
        );
    }
    place.end("filtered");
    started.wait().unwrap();
    grant.hand_over();
    place.keep("filtered");
    place.arena.remove("filtered");
}

/// A name, and what puts it into the image's `/usr/local`.
type Planted<'a> = (&'a str, &'a dyn Fn(&Path));

/// What the image has where the driver goes, and on the way there.
#[test]
fn links_of_the_image_lead_the_driver_nowhere() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let outside = place.arena.path("outside");
    fs::create_dir(&outside).unwrap();
    let host = outside.display().to_string();
    let plant: [Planted<'_>; 6] = [
        ("absolute", &|local| {
            symlink(&host, local.join("nvidia")).unwrap()
        }),
        ("relative", &|local| {
            symlink("../../../../../../../..", local.join("nvidia")).unwrap()
        }),
        ("magic", &|local| {
            symlink("/proc/self/root", local.join("nvidia")).unwrap()
        }),
        ("etc", &|local| {
            symlink("/etc", local.join("nvidia")).unwrap()
        }),
        ("file", &|local| {
            fs::write(local.join("nvidia"), "a file").unwrap()
        }),
        ("library", &|local| {
            fs::create_dir_all(local.join("nvidia/lib64")).unwrap();
            symlink(&host, local.join("nvidia/lib64/libcuda.so.580.95.05")).unwrap();
        }),
    ];
    for (name, plant) in plant {
        let layer = place.arena.path(name);
        fs::create_dir_all(layer.join("usr/local")).unwrap();
        plant(&layer.join("usr/local"));
        let job = place.shell(
            name,
            "ls -A /etc; cat /usr/local/nvidia/lib64/libcuda.so.1; readlink /usr/local/nvidia; echo; ls -A /usr/local/nvidia",
        );
        let job = Job {
            layers: vec![layer, place.arena.path("root")],
            ..job
        };
        assert_eq!(place.prints_as(&job), "libcuda\nbin\nlib64\n", "{name}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
    place.is_free();
}

#[test]
fn no_daemon_of_the_driver_is_inside() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let text = place.prints(
        "daemons",
        "find / -xdev -name '*mps*' ; find / -name '*persistenced*' -o -name '*fabricmanager*' -o -name '*nvidia-mps*' \
         -o -name '*modeset*' -o -name '*uvm-tools*' -o -name 'dri' -path '/dev/*' 2>/dev/null; ls /run /tmp /var 2>/dev/null",
    );
    let found: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("/sys/") && !line.ends_with(':') && !line.is_empty())
        .collect();
    assert_eq!(found, [""; 0], "{text}");
}

#[test]
fn a_job_without_a_gpu_sees_nothing_of_the_driver() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let job = place.shell(
        "without",
        "ls -A /proc/driver; ls -d /dev/nvidia* /usr/local/nvidia",
    );
    let ran = place.arena.run(&job);
    assert_eq!(ran.text, "");
}
