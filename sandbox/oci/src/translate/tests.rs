//! Each property: kept, withheld or refused by name.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use gradus_jail::plan::{Capability, Clocks, MemoryPolicy, Resource, Scheduling, Source};
use gradus_sandbox::bundle::Calls;
use serde_json::{Value, json};

use super::{Translated, translate};
use crate::config::Config;
use crate::error::OciError;

/// A bundle in a directory of its own, and a configuration that asks for nothing much.
struct Bundle {
    folder: tempfile::TempDir,
    config: Value,
}

impl Bundle {
    fn new() -> Bundle {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(folder.path().join("rootfs/proc")).unwrap();
        let namespaces = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"];
        let config = json!({
            "ociVersion": "1.0.2",
            "root": { "path": "rootfs", "readonly": true },
            "process": { "args": ["/bin/true"], "cwd": "/", "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 } },
            "linux": { "namespaces": namespaces.map(|kind| json!({ "type": kind })) },
        });
        Bundle { folder, config }
    }

    /// With `value` at the pointer `at`, in whatever objects it takes.
    fn with(mut self, at: &str, value: Value) -> Bundle {
        let mut place = &mut self.config;
        for part in at.trim_start_matches('/').split('/') {
            place = match part.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[part],
            };
        }
        *place = value;
        self
    }

    fn translate(&self) -> Result<Translated, OciError> {
        let text = self.config.to_string();
        let config = Config::parse(text.as_bytes()).expect("well-formed");
        translate(&config, self.folder.path(), "job", "{}")
    }

    #[track_caller]
    fn kept(&self) -> Translated {
        self.translate().expect("kept")
    }

    #[track_caller]
    fn refused(&self, property: &str) {
        match self.translate() {
            Err(OciError::Refused {
                property: found, ..
            }) => assert_eq!(found, property),
            other => panic!("{property}: expected a refusal, found {other:?}"),
        }
    }
}

#[test]
fn a_bundle_is_a_job_that_waits() {
    let bundle = Bundle::new();
    let translated = bundle.kept();
    let root = bundle.folder.path().canonicalize().unwrap().join("rootfs");
    assert_eq!(translated.job.layers, [root]);
    assert_eq!(translated.job.argv, ["/bin/true"]);
    assert!(!translated.job.writable_root && !translated.bundle.in_place);
    assert_eq!(translated.withheld, Vec::<String>::new());
}

#[test]
fn what_no_job_does_is_refused_by_name() {
    for (at, value, property) in [
        ("/ociVersion", json!("invalid"), "ociVersion"),
        ("/ociVersion", json!("2.0.0"), "ociVersion"),
        ("/root", json!(null), "root"),
        ("/process", json!(null), "process"),
        ("/windows", json!({}), "windows"),
        ("/vm", json!({}), "vm"),
        ("/hostname", json!("x".repeat(65)), "hostname"),
        ("/process/terminal", json!(true), "process.terminal"),
        ("/process/args", json!([]), "process.args"),
        ("/process/args", json!(["a\u{0}b"]), "process.args"),
        ("/process/env", json!(["NOVALUE"]), "process.env"),
        ("/process/cwd", json!("relative"), "process.cwd"),
        ("/process/user/uid", json!(65_536), "process.user.uid"),
        (
            "/process/user/additionalGids",
            json!([70_000]),
            "process.user.additionalGids",
        ),
        ("/process/user/umask", json!(0o1000), "process.user.umask"),
        (
            "/process/apparmorProfile",
            json!("mine"),
            "process.apparmorProfile",
        ),
        (
            "/process/selinuxLabel",
            json!("mine"),
            "process.selinuxLabel",
        ),
        (
            "/process/execCPUAffinity",
            json!({"initial": "0"}),
            "process.execCPUAffinity",
        ),
        ("/process/oomScoreAdj", json!(-1), "process.oomScoreAdj"),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_FIFO", "priority": 1}),
            "process.scheduler",
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_OTHER", "nice": -1}),
            "process.scheduler",
        ),
        (
            "/process/ioPriority",
            json!({"class": "IOPRIO_CLASS_RT", "priority": 1}),
            "process.ioPriority",
        ),
        (
            "/process/capabilities",
            json!({"bounding": ["TEST_CAP"]}),
            "process.capabilities.bounding",
        ),
        (
            "/process/capabilities",
            json!({"effective": ["CAP_KILL"]}),
            "process.capabilities.effective",
        ),
        (
            "/hooks",
            json!({"prestart": [{"path": "sh"}]}),
            "hooks.prestart[0]",
        ),
        (
            "/hooks",
            json!({"poststop": [{"path": "/sh", "timeout": 0}]}),
            "hooks.poststop[0]",
        ),
        (
            "/linux/uidMappings",
            json!([{"containerID": 0, "hostID": 0, "size": 1}]),
            "linux.uidMappings, linux.gidMappings",
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/kmsg", "type": "c"}]),
            "linux.devices",
        ),
        ("/linux/netDevices", json!({"eth0": {}}), "linux.netDevices"),
        ("/linux/intelRdt", json!({}), "linux.intelRdt"),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "64"}),
            "linux.memoryPolicy",
        ),
        (
            "/linux/personality",
            json!({"domain": "BSD"}),
            "linux.personality",
        ),
        ("/linux/mountLabel", json!("mine"), "linux.mountLabel"),
        (
            "/linux/rootfsPropagation",
            json!("shared"),
            "linux.rootfsPropagation",
        ),
        (
            "/linux/maskedPaths",
            json!(["../relative"]),
            "linux.maskedPaths",
        ),
        (
            "/linux/readonlyPaths",
            json!(["relative"]),
            "linux.readonlyPaths",
        ),
        (
            "/linux/timeOffsets",
            json!({"boottime": {"secs": 1}}),
            "linux.timeOffsets",
        ),
        (
            "/linux/sysctl",
            json!({"kernel.panic": "1"}),
            "linux.sysctl.kernel.panic",
        ),
        (
            "/linux/sysctl",
            json!({"net/../../kernel/panic": "1"}),
            "linux.sysctl.net/../../kernel/panic",
        ),
        (
            "/linux/sysctl",
            json!({"net...kernel": "1"}),
            "linux.sysctl.net...kernel",
        ),
        (
            "/linux/resources",
            json!({"devices": [{"allow": true, "access": "rwm"}]}),
            "linux.resources.devices[0]",
        ),
        (
            "/linux/resources",
            json!({"devices": [{"allow": true, "type": "c", "major": 1, "minor": 1, "access": "r"}]}),
            "linux.resources.devices[0]",
        ),
        (
            "/linux/resources",
            json!({"blockIO": {"weight": 10}}),
            "linux.resources.blockIO",
        ),
        (
            "/linux/resources",
            json!({"network": {"classID": 1}}),
            "linux.resources.network",
        ),
        (
            "/linux/resources",
            json!({"rdma": {"mlx": {}}}),
            "linux.resources.rdma",
        ),
        (
            "/linux/resources",
            json!({"hugepageLimits": [{}]}),
            "linux.resources.hugepageLimits",
        ),
        (
            "/linux/resources",
            json!({"unified": {"memory.high": "1"}}),
            "linux.resources.unified",
        ),
        (
            "/linux/resources",
            json!({"memory": {"reservation": 1}}),
            "linux.resources.memory.reservation",
        ),
        (
            "/linux/resources",
            json!({"memory": {"disableOOMKiller": true}}),
            "linux.resources.memory.disableOOMKiller",
        ),
        (
            "/linux/resources",
            json!({"memory": {"limit": 20, "swap": 10}}),
            "linux.resources.memory.swap",
        ),
        (
            "/linux/resources",
            json!({"cpu": {"shares": 512}}),
            "linux.resources.cpu.shares",
        ),
        (
            "/linux/resources",
            json!({"cpu": {"realtimeRuntime": 1}}),
            "linux.resources.cpu.realtimeRuntime",
        ),
        (
            "/linux/resources",
            json!({"cpu": {"mems": "0"}}),
            "linux.resources.cpu.mems",
        ),
        (
            "/linux/resources",
            json!({"cpu": {"quota": 1, "period": 100_000}}),
            "linux.resources.cpu.quota",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_LOG"}),
            "linux.seccomp.defaultAction",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"}),
            "linux.seccomp.listenerPath",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}),
            "linux.seccomp.flags",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{}]}]}),
            "linux.seccomp.syscalls[0]",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}),
            "linux.seccomp.syscalls[0]",
        ),
    ] {
        Bundle::new().with(at, value).refused(property);
    }
}

#[test]
fn a_job_has_namespaces_of_its_own_and_never_anothers() {
    let all = ["pid", "network", "ipc", "uts", "mount"];
    for missing in all {
        let rest: Vec<Value> = all
            .iter()
            .filter(|kind| **kind != missing)
            .map(|kind| json!({ "type": kind }))
            .collect();
        Bundle::new()
            .with("/linux/namespaces", json!(rest))
            .refused("linux.namespaces");
    }
    for wrong in [
        json!({ "type": "network", "path": "/proc/1/ns/net" }),
        json!({ "type": "pid" }),
        json!({ "type": "moon" }),
    ] {
        let mut kinds: Vec<Value> = all.iter().map(|kind| json!({ "type": kind })).collect();
        if wrong.get("path").is_some() {
            kinds.retain(|kind| kind["type"] != wrong["type"]);
        }
        kinds.push(wrong);
        Bundle::new()
            .with("/linux/namespaces", json!(kinds))
            .refused("linux.namespaces");
    }
}

#[test]
fn limits_are_kept() {
    let resources = json!({
        "devices": [
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw" },
        ],
        "memory": { "limit": 64 << 20, "swap": 128 << 20, "swappiness": 10 },
        "pids": { "limit": 7 },
        "cpu": { "quota": 150_000, "period": 100_000, "cpus": "0", "shares": 1024 },
    });
    let job = Bundle::new().with("/linux/resources", resources).kept().job;
    assert_eq!(job.limits.memory_bytes, 64 << 20);
    assert_eq!(job.limits.pids, 7);
    assert_eq!(job.limits.cpu_millis, Some(1500));
    assert_eq!(job.limits.cpuset.as_deref(), Some("0"));
    let none = json!({ "pids": { "limit": 0 }, "memory": { "limit": -1 } });
    let job = Bundle::new().with("/linux/resources", none).kept().job;
    assert_eq!((job.limits.pids, job.limits.memory_bytes), (1024, 1 << 30));
}

#[test]
fn limits_of_processes_have_both_values_and_no_core_dumps() {
    let limit =
        |kind: &str, soft: u64, hard: u64| json!([{ "type": kind, "soft": soft, "hard": hard }]);
    let kept = Bundle::new()
        .with("/process/rlimits", limit("RLIMIT_NOFILE", 3000, 4000))
        .kept();
    assert_eq!(kept.job.limits.open_files, 4000);
    let rlimit = &kept.bundle.rlimits[0];
    assert_eq!(
        (rlimit.resource, rlimit.value, rlimit.soft),
        (Resource::Nofile, 4000, Some(3000))
    );
    for (kind, soft, hard) in [
        ("RLIMIT_CORE", 3, 4),
        ("RLIMIT_NOFILE", 0, u64::MAX),
        ("RLIMIT_CPU", 2, 1),
        ("RLIMIT_RTPRIO", 1, 1),
        ("RLIMIT_TEST", 1, 1),
    ] {
        Bundle::new()
            .with("/process/rlimits", limit(kind, soft, hard))
            .refused("process.rlimits[0]");
    }
    let twice = json!([{ "type": "RLIMIT_CPU", "soft": 1, "hard": 1 }, { "type": "RLIMIT_CPU", "soft": 1, "hard": 1 }]);
    Bundle::new()
        .with("/process/rlimits", twice)
        .refused("process.rlimits[1]");
}

#[test]
fn rights_are_those_of_a_step_of_a_build_and_others_are_withheld() {
    let some = json!(["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_BIND_SERVICE"]);
    let sets = json!({ "bounding": some, "effective": some, "permitted": some });
    let kept = Bundle::new().with("/process/capabilities", sets).kept();
    assert_eq!(kept.bundle.capabilities, [Capability::Chown]);
    assert_eq!(
        kept.withheld,
        [
            "process.capabilities.effective: CAP_SYS_ADMIN",
            "process.capabilities.effective: CAP_NET_BIND_SERVICE"
        ]
    );
    let only_bounding = json!({ "bounding": ["CAP_CHOWN"] });
    let kept = Bundle::new()
        .with("/process/capabilities", only_bounding)
        .kept();
    assert_eq!(kept.bundle.capabilities, []);
}

#[test]
fn what_only_the_job_sees_is_kept() {
    let mut bundle = Bundle::new()
        .with("/hostname", json!("here"))
        .with("/domainname", json!("there"))
        .with(
            "/process/user",
            json!({ "uid": 5, "gid": 6, "umask": 0o77, "additionalGids": [7, 8] }),
        )
        .with("/process/oomScoreAdj", json!(500))
        .with(
            "/process/scheduler",
            json!({ "policy": "SCHED_BATCH", "nice": 3, "flags": [] }),
        )
        .with(
            "/process/ioPriority",
            json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 3 }),
        )
        .with("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))
        .with("/linux/personality", json!({ "domain": "LINUX32" }))
        .with(
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_BIND", "nodes": "0-1,3", "flags": ["MPOL_F_STATIC_NODES"] }),
        )
        .with("/linux/maskedPaths", json!(["/secret"]))
        .with("/linux/readonlyPaths", json!(["/fixed"]))
        .with(
            "/linux/timeOffsets",
            json!({ "boottime": { "secs": 5, "nanosecs": 6 } }),
        );
    let kinds = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    kinds.push(json!({ "type": "time" }));
    let kept = bundle.kept();
    let (ours, only) = (&kept.bundle, &kept.bundle.bundled);
    assert_eq!(ours.hostname.as_deref(), Some("here"));
    assert_eq!(only.domainname.as_deref(), Some("there"));
    assert_eq!((kept.job.uid, kept.job.gid, ours.umask), (5, 6, Some(0o77)));
    assert_eq!(
        only.memory_policy,
        Some(MemoryPolicy {
            mode: 2 | 1 << 15,
            nodes: 0b1011
        })
    );
    assert!(only.linux32);
    assert_eq!(only.groups, [7, 8]);
    assert_eq!(only.oom_score_adj, Some(500));
    assert_eq!(only.scheduling, Some(Scheduling { policy: 3, nice: 3 }));
    assert_eq!(only.io_priority, Some((3, 3)));
    assert_eq!(
        only.sysctls,
        [("net/ipv4/ip_forward".to_owned(), "1".to_owned())]
    );
    assert_eq!(
        only.clocks,
        Some(Clocks {
            monotonic: (0, 0),
            boottime: (5, 6)
        })
    );
    assert_eq!(
        (ours.masked.as_slice(), ours.read_only.as_slice()),
        (&["/secret".to_owned()][..], &["/fixed".to_owned()][..])
    );
}

#[test]
fn fewer_system_calls_are_kept_and_more_are_none() {
    let call = |name: &str, action: &str| json!({ "names": [name], "action": action });
    let without = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call("getcwd", "SCMP_ACT_ERRNO")] });
    let kept = Bundle::new().with("/linux/seccomp", without).kept();
    assert_eq!(kept.bundle.calls, Calls::Without(vec!["getcwd".to_owned()]));
    let only = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [call("read", "SCMP_ACT_ALLOW"), call("bpf", "SCMP_ACT_ALLOW")] });
    let kept = Bundle::new().with("/linux/seccomp", only).kept();
    assert_eq!(
        kept.bundle.calls,
        Calls::Only(vec!["bpf".to_owned(), "read".to_owned()])
    );
}

#[test]
fn directories_of_the_host_are_shown_read_only() {
    let bundle = Bundle::new();
    let data = bundle.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mount = |options: &[&str]| json!([{ "destination": "/data", "type": "bind", "source": "data", "options": options }]);
    let bundle = bundle.with(
        "/mounts",
        mount(&["rbind", "ro", "rnoexec", "rnosymfollow"]),
    );
    let kept = bundle.kept();
    let Source::Bind { path, how } = &kept.bundle.mounts[0].source else {
        panic!("{:?}", kept.bundle.mounts);
    };
    assert_eq!(*path, data.canonicalize().unwrap());
    assert!(how.recursive && how.noexec && how.nosymfollow && !how.noatime);
    assert_eq!(kept.withheld, Vec::<String>::new());
    let bundle = bundle.with("/mounts", mount(&["bind"]));
    assert_eq!(
        bundle.kept().withheld,
        [format!(
            "mounts[0]: writing to {}",
            data.canonicalize().unwrap().display()
        )]
    );
    let mut bundle = bundle;
    for option in [
        "rw", "rrw", "suid", "rsuid", "dev", "rdev", "idmap", "shared", "rslave", "nonsense",
    ] {
        bundle = bundle.with("/mounts", mount(&["bind", option]));
        bundle.refused("mounts[0]");
    }
}

#[test]
fn file_systems_are_those_of_every_job_and_memory() {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!([{ "destination": destination, "type": kind, "source": "x", "options": options }]);
    for (destination, kind) in [
        ("/proc", "proc"),
        ("/sys", "sysfs"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/mqueue", "mqueue"),
    ] {
        let kept = Bundle::new()
            .with(
                "/mounts",
                mount(destination, kind, &["nosuid", "noexec", "nodev"]),
            )
            .kept();
        assert!(kept.bundle.mounts.is_empty(), "{destination}");
    }
    let kept = Bundle::new()
        .with(
            "/mounts",
            mount("/dev/shm", "tmpfs", &["noexec", "mode=1777", "size=65536k"]),
        )
        .kept();
    assert_eq!(kept.job.limits.shm_bytes, 65_536 << 10);
    assert_eq!(kept.bundle.bundled.no_exec, ["/dev/shm"]);
    let kept = Bundle::new()
        .with(
            "/mounts",
            mount("/run", "tmpfs", &["ro", "size=1m", "mode=755"]),
        )
        .kept();
    assert_eq!(
        kept.bundle.mounts[0].source,
        Source::Tmpfs {
            bytes: 1 << 20,
            inodes: 100_000,
            mode: 0o755
        }
    );
    assert_eq!(kept.bundle.read_only, ["/run"]);
    let kept = Bundle::new()
        .with("/mounts", mount("/sys/fs/cgroup", "cgroup", &["ro"]))
        .kept();
    assert_eq!(kept.withheld.len(), 1);
    for (destination, kind) in [
        ("/proc", "tmpfs"),
        ("/data", "ext4"),
        ("/data", "overlay"),
        ("/x", "proc"),
        ("relative", "tmpfs"),
    ] {
        Bundle::new()
            .with("/mounts", mount(destination, kind, &[]))
            .refused("mounts[0]");
    }
}

#[test]
fn links_in_place_of_file_systems_are_refused() {
    let bundle = Bundle::new();
    let proc = bundle.folder.path().join("rootfs/proc");
    std::fs::remove_dir(&proc).unwrap();
    symlink("/elsewhere", &proc).unwrap();
    let bundle = bundle.with(
        "/mounts",
        json!([{ "destination": "/proc", "type": "proc" }]),
    );
    let error = bundle.translate().expect_err("a link").to_string();
    assert!(error.contains("ordinary directory"), "{error}");
}

#[test]
fn a_root_is_written_in_place_only_where_nobody_else_comes() {
    let bundle = Bundle::new().with("/root/readonly", json!(false));
    assert!(bundle.kept().bundle.in_place);
    let mut place = PathBuf::from(bundle.folder.path());
    let mut open = Vec::new();
    // Everything above it is open as a rule; where it is not, there is nothing to try.
    while place.pop() {
        let mode = std::fs::metadata(&place).unwrap().permissions().mode();
        open.push(mode & 0o077 != 0);
    }
    if !open.iter().all(|open| *open) {
        println!(
            "skipped: a directory above {} is private",
            bundle.folder.path().display()
        );
        return;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::set_permissions(elsewhere.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let bundle = bundle.with("/root/path", json!(elsewhere.path()));
    bundle.refused("root.readonly = false");
    let bundle = bundle.with("/root/path", json!("rootfs"));
    std::fs::set_permissions(bundle.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    bundle.refused("root.readonly = false");
}

#[test]
fn a_container_that_could_write_its_own_configuration_is_refused() {
    Bundle::new()
        .with("/root/readonly", json!(false))
        .with("/root/path", json!("."))
        .refused("root.path");
}

#[test]
fn programs_run_first_inside_have_the_programs_variables_or_their_own() {
    let hooks = json!({ "startContainer": [
        { "path": "/bin/one", "args": ["one"] },
        { "path": "/bin/two", "args": ["two"], "env": ["A=b"], "timeout": 3 },
    ] });
    let kept = Bundle::new().with("/hooks", hooks).kept();
    let before = &kept.bundle.bundled.before;
    assert_eq!(before[0].env, ["PATH=/bin"]);
    assert_eq!(
        (before[1].env.as_slice(), before[1].timeout_ms),
        (&["A=b".to_owned()][..], Some(3000))
    );
}

#[test]
fn hostile_configurations_are_refused_and_cost_little() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let deep = "[".repeat(100_000);
    let started = std::time::Instant::now();
    for text in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        format!("{{\"ociVersion\":\"1.0.0\",\"mounts\":{deep}"),
        format!("{{\"ociVersion\":\"1.0.0\",\"vm\":{}1{}}}", "[".repeat(200), "]".repeat(200)),
        r#"{"ociVersion":1}"#.to_owned(),
        r#"{"ociVersion":"1.0.0","process":{"args":"sh","cwd":"/"}}"#.to_owned(),
        r#"{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/","user":{"uid":-1}}}"#.to_owned(),
        r#"{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/","rlimits":[{"type":"RLIMIT_CPU","soft":1e99,"hard":1}]}}"#.to_owned(),
        "\u{0}\u{1}\u{2}".to_owned(),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = Config::read(folder.path()).expect_err(&text[..text.len().min(80)]);
        assert!(matches!(error, OciError::Json { .. }), "{error:?}");
    }
    std::fs::write(&path, vec![b' '; 10 << 20]).unwrap();
    assert!(matches!(
        Config::read(folder.path()),
        Err(OciError::Size { found, .. }) if found == 10 << 20
    ));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(
        Config::read(folder.path()),
        Err(OciError::Io { .. })
    ));
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}
