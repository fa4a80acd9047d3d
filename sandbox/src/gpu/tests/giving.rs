//! What a job is given, as its plan says it.

use super::*;
use crate::job::{Job, Limits, Network, ScratchKind};
use crate::plan::{Given, plan};
use gradus_jail::plan::Identity;

fn job() -> Job {
    Job {
        name: "a".to_owned(),
        layers: vec!["/root".into()],
        writable_root: true,
        argv: vec!["train".to_owned()],
        env: vec![
            "PATH=/bin".to_owned(),
            "LD_LIBRARY_PATH=/usr/local/cuda/compat".to_owned(),
        ],
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        network: Network::default(),
        scratch: ScratchKind::Memory,
        limits: Limits::default(),
        best_effort: false,
        record_refused: false,
    }
}

/// The plan of a job without GPUs for `ids` user ids, and the same with `granted`.
fn plans(ids: u32, granted: &Granted) -> (Plan, Plan) {
    let given = Given {
        identity: Identity {
            uid: 1000,
            gid: 1000,
            count: ids,
        },
        cgroup: None,
        scratch_image: None,
        scratch_directory: None,
        neighbour: None,
        step: None,
        seccomp: "trainer".to_owned(),
        shortfalls: Vec::new(),
    };
    let before = plan(&job(), given);
    let mut after = before.clone();
    granted.add_to(&mut after);
    (before, after)
}

fn tree<'a>(plan: &'a Plan, target: &str) -> &'a [Entry] {
    let mount = plan.mounts.iter().find(|mount| mount.target == target);
    match &mount.expect(target).source {
        Source::Tree { entries } => entries,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_is_given_its_gpu_and_nothing_of_the_others() {
    let Some(root) = root() else { return };
    let granted = find(&root, &Says::idle(), &[A]).unwrap();
    let (before, after) = plans(65_536, &granted);
    let nodes: Vec<&str> = after.mounts[before.mounts.len()..]
        .iter()
        .filter(|mount| matches!(mount.source, Source::Device { .. }))
        .map(|mount| mount.target.as_str())
        .collect();
    assert_eq!(nodes, ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia3"]);
    let rules: Vec<String> = after.device_rules[before.device_rules.len()..]
        .iter()
        .map(ToString::to_string)
        .collect();
    // Opened, not made.
    assert_eq!(rules, ["c 1:255 rw", "c 120:0 rw", "c 1:3 rw"]);
    assert_eq!(after.seccomp.as_deref(), Some("trainer+gpu"));
    assert_eq!(after.gpus, granted.gpus());
    let text = serde_json::to_string(&after).unwrap();
    for never in [
        B,
        "nvidia11",
        "0000:2a:00.0",
        "modeset",
        "uvm-tools",
        "/dev/dri",
        "persistenced",
        "fabricmanager",
        "nvidia-mps",
        "cudadebugger",
        "nvidia-cap",
    ] {
        assert!(!text.contains(never), "{never}");
    }
    let proc_driver: Vec<&str> = tree(&after, "/proc/driver")
        .iter()
        .map(|entry| entry.path.as_str())
        .collect();
    assert_eq!(
        proc_driver,
        [
            "nvidia/version",
            "nvidia/params",
            "nvidia/gpus/0000:1a:00.0/information"
        ]
    );
    assert!(before.masked.contains(&"/proc/driver".to_owned()));
    assert!(!after.masked.contains(&"/proc/driver".to_owned()));
}

#[test]
fn libraries_are_files_of_the_host_under_names_of_ours() {
    let Some(root) = root() else { return };
    let granted = find(&root, &Says::idle(), &[A]).unwrap();
    let (_, after) = plans(65_536, &granted);
    let entries = tree(&after, "/usr/local/nvidia");
    for entry in entries {
        match &entry.content {
            Content::File { path } => {
                assert_eq!(*path, path.canonicalize().unwrap());
                assert!(fs::metadata(path).unwrap().is_file());
            }
            Content::Link { to } => {
                let target = format!("lib64/{to}");
                assert!(
                    entries.iter().any(|other| other.path == target
                        && matches!(other.content, Content::File { .. }))
                );
            }
            Content::Text { .. } => panic!("{entry:?}"),
        }
    }
    let has = |path: &str| entries.iter().any(|entry| entry.path == path);
    assert!(has("lib64/libcuda.so.1") && has("lib64/libcuda.so") && has("bin/nvidia-smi"));
    assert!(has("lib64/libnvidia-nvvm.so.4"));
    let env = &after.process.env;
    assert!(
        env.contains(&"LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/local/cuda/compat".to_owned()),
        "{env:?}"
    );
    assert!(env.contains(&"PATH=/bin:/usr/local/nvidia/bin".to_owned()));
    assert_eq!(env.len(), 2);
}

#[test]
fn without_privileges_there_is_no_filter_that_rules_could_be_added_to() {
    let Some(root) = root() else { return };
    let granted = find(&root, &Says::idle(), &[A]).unwrap();
    assert_eq!(plans(1, &granted).1.device_rules, []);
}

#[test]
fn an_instance_comes_with_the_nodes_that_give_rights_on_it_alone() {
    let Some(root) = root() else { return };
    let minors =
        "config 1\nmonitor 2\ngpu11/gi1/access 12\ngpu11/gi1/ci0/access 13\ngpu11/gi2/access 14\n";
    root.write("proc/driver/nvidia-caps/mig-minors", minors);
    let granted = find(&root, &Says::cut(), &[PART]).unwrap();
    let instance = granted.gpus()[0].instance.clone().unwrap();
    assert_eq!(
        (
            instance.of.as_str(),
            instance.gpu_instance,
            instance.compute_instance
        ),
        (B, 1, 0)
    );
    let (before, after) = plans(65_536, &granted);
    let rules: Vec<String> = after.device_rules[before.device_rules.len()..]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        rules,
        [
            "c 1:255 rw",
            "c 120:0 rw",
            "c 1:11 rw",
            "c 121:12 rw",
            "c 121:13 rw"
        ]
    );
    let shown = tree(&after, "/proc/driver");
    let text = |path: &str| match shown.iter().find(|entry| entry.path == path) {
        Some(Entry {
            content: Content::Text { text },
            ..
        }) => text.as_str(),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(
        text("nvidia-caps/mig-minors"),
        "gpu11/gi1/access 12\ngpu11/gi1/ci0/access 13\n"
    );
    assert!(text("nvidia/capabilities/gpu11/mig/gi1/access").starts_with("DeviceFileMinor: 12\n"));
    assert!(text("nvidia/capabilities/gpu11/mig/gi1/ci0/access").contains("DeviceFileModify: 0\n"));
    // What is not told, or not listed, is refused.
    let mut untold = Says::cut();
    untold.gpus[0].instances[0].numbers = None;
    let error = find(&root, &untold, &[PART]).expect_err("untold");
    assert!(error.to_string().contains("nvidia-smi"), "{error}");
    root.write("proc/driver/nvidia-caps/mig-minors", "config 1\n");
    let error = find(&root, &Says::cut(), &[PART]).expect_err("not listed");
    assert!(error.to_string().contains("does not list gpu11/gi1/access"));
}

#[test]
fn no_memory_at_all_is_no_grant() {
    let Some(root) = root() else { return };
    let request = Request {
        memory_bytes: Some(0),
        ..ask(A)
    };
    let driver = Driver::find(root.path()).unwrap();
    let error = Granted::find(driver, &Says::idle(), &[request]).expect_err("0 bytes");
    assert!(matches!(error, GpuError::Request(_)), "{error}");
}
