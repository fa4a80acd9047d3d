//! What limits become.

use crate::cgroup::{
    Backend, Controller, Hierarchy, Host, IoLimit, LimitName, Limits, Missing, Plan, Support, Swap,
    plan,
};

pub(super) fn host(v2: &[Controller], v1: &[(&str, &[Controller])], swap: Swap) -> Host {
    let why = Missing {
        errno: 13,
        what: "cannot make the group /x".to_owned(),
        help: "run as root".to_owned(),
    };
    let backend = |one: Controller| {
        if v2.contains(&one) {
            Backend::V2
        } else if v1.iter().any(|(_, all)| all.contains(&one)) {
            Backend::V1
        } else {
            Backend::None
        }
    };
    let support = Controller::ALL.map(|one| {
        (
            one,
            Support {
                backend: backend(one),
                missing: vec![why.clone()],
            },
        )
    });
    Host {
        v2: (!v2.is_empty()).then(|| Hierarchy {
            parent: "/v2".into(),
            controllers: v2.to_vec(),
        }),
        v1: v1
            .iter()
            .map(|(parent, all)| Hierarchy {
                parent: parent.into(),
                controllers: all.to_vec(),
            })
            .collect(),
        support: support.into(),
        swap,
        cpus: "0-3".to_owned(),
        mems: "0".to_owned(),
        notes: vec![],
    }
}

fn all_limits() -> Limits {
    Limits {
        memory_bytes: Some(1 << 30),
        memory_low_bytes: Some(1 << 20),
        memory_min_bytes: Some(1 << 10),
        pids: Some(64),
        cpu_millis: Some(1500),
        cpuset: Some("0-1,3".to_owned()),
        io: vec![
            IoLimit {
                major: 254,
                minor: 0,
                read_bps: Some(1000),
                write_iops: Some(9),
                ..IoLimit::default()
            },
            IoLimit {
                major: 8,
                minor: 16,
                write_bps: Some(2000),
                read_iops: Some(7),
                ..IoLimit::default()
            },
        ],
    }
}

const V1: &[(&str, &[Controller])] = &[
    ("/pids", &[Controller::Pids]),
    ("/io", &[Controller::Io]),
    ("/frozen", &[Controller::Freezer]),
    ("/mem/own", &[Controller::Memory]),
    ("/set", &[Controller::Cpuset]),
    ("/cpu", &[Controller::Cpu, Controller::Accounting]),
];

#[test]
fn v2_writes_every_limit_into_one_group() {
    let (plan, shortfalls) = plan(
        "job-1",
        &all_limits(),
        &host(&Controller::ALL, &[], Swap::V2),
    )
    .expect("valid");
    assert_eq!(shortfalls, []);
    let expected = "mkdir /v2/job-1\n\
        echo '0' > /v2/job-1/memory.swap.max\n\
        echo '1073741824' > /v2/job-1/memory.max\n\
        echo '1024' > /v2/job-1/memory.min\n\
        echo '1048576' > /v2/job-1/memory.low\n\
        echo '1' > /v2/job-1/memory.oom.group\n\
        echo '64' > /v2/job-1/pids.max\n\
        echo '150000 100000' > /v2/job-1/cpu.max\n\
        echo '0-1,3' > /v2/job-1/cpuset.cpus\n\
        echo '254:0 rbps=1000 wiops=9' > /v2/job-1/io.max\n\
        echo '8:16 wbps=2000 riops=7' > /v2/job-1/io.max\n";
    assert_eq!(plan.to_string(), expected);
}

#[test]
fn hybrid_makes_an_empty_v2_group_and_only_the_v1_groups_that_limits_need() {
    let v2 = [
        Controller::Accounting,
        Controller::Devices,
        Controller::Freezer,
        Controller::Kill,
    ];
    let v1 = V1.map_hybrid();
    let host = host(&v2, &v1, Swap::V1);
    let (plan_all, shortfalls) = plan("j", &all_limits(), &host).expect("valid");
    assert_eq!(
        shortfalls.iter().map(|one| one.limit).collect::<Vec<_>>(),
        [LimitName::MemoryLowBytes, LimitName::MemoryMinBytes]
    );
    let expected = "mkdir /v2/j\n\
        mkdir /pids/j\n\
        echo '64' > /pids/j/pids.max\n\
        mkdir /io/j\n\
        echo '254:0 1000' > /io/j/blkio.throttle.read_bps_device\n\
        echo '254:0 9' > /io/j/blkio.throttle.write_iops_device\n\
        echo '8:16 2000' > /io/j/blkio.throttle.write_bps_device\n\
        echo '8:16 7' > /io/j/blkio.throttle.read_iops_device\n\
        mkdir /mem/own/j\n\
        echo '1073741824' > /mem/own/j/memory.limit_in_bytes\n\
        echo '1073741824' > /mem/own/j/memory.memsw.limit_in_bytes\n\
        mkdir /set/j\n\
        echo '0' > /set/j/cpuset.mems\n\
        echo '0-1,3' > /set/j/cpuset.cpus\n\
        mkdir /cpu/j\n\
        echo '100000' > /cpu/j/cpu.cfs_period_us\n\
        echo '150000' > /cpu/j/cpu.cfs_quota_us\n";
    assert_eq!(plan_all.to_string(), expected);
    let (plan_pids, _) = plan(
        "j",
        &Limits {
            pids: Some(5),
            ..Limits::default()
        },
        &host,
    )
    .expect("valid");
    assert_eq!(
        plan_pids.to_string(),
        "mkdir /v2/j\nmkdir /pids/j\necho '5' > /pids/j/pids.max\n"
    );
}

trait Hybrid {
    fn map_hybrid(&self) -> Vec<(&'static str, &'static [Controller])>;
}

impl Hybrid for [(&'static str, &'static [Controller])] {
    /// Without what version 2 does.
    fn map_hybrid(&self) -> Vec<(&'static str, &'static [Controller])> {
        let kept = self.iter().filter(|(path, _)| *path != "/frozen");
        kept.map(|(path, all)| {
            (
                *path,
                if *path == "/cpu" {
                    &[Controller::Cpu][..]
                } else {
                    all
                },
            )
        })
        .collect()
    }
}

#[test]
fn v1_alone_makes_groups_to_freeze_and_to_count() {
    let mut host = host(&[], V1, Swap::Unlimited);
    host.support
        .get_mut(&Controller::Kill)
        .expect("all are there")
        .backend = Backend::V1;
    let limits = Limits {
        memory_bytes: Some(4096),
        ..Limits::default()
    };
    let (plan_memory, shortfalls) = plan("j", &limits, &host).expect("valid");
    let expected = "mkdir /frozen/j\n\
        mkdir /mem/own/j\n\
        echo '4096' > /mem/own/j/memory.limit_in_bytes\n\
        echo '0' > /mem/own/j/memory.swappiness\n\
        mkdir /cpu/j\n";
    assert_eq!(plan_memory.to_string(), expected);
    assert_eq!(
        shortfalls.iter().map(|one| one.limit).collect::<Vec<_>>(),
        [LimitName::Swap]
    );
}

#[test]
fn host_that_can_only_list_processes_still_gets_a_group_to_kill() {
    let mut host = host(&[], &[("/pids", &[Controller::Pids])], Swap::Absent);
    host.support
        .get_mut(&Controller::Kill)
        .expect("all are there")
        .backend = Backend::V1;
    let (plan, shortfalls) = plan("j", &Limits::default(), &host).expect("valid");
    assert_eq!(
        (plan.to_string().as_str(), shortfalls),
        ("mkdir /pids/j\n", vec![])
    );
}

#[test]
fn host_without_groups_falls_short_of_everything_and_says_why() {
    let (plan, shortfalls) =
        plan("j", &all_limits(), &host(&[], &[], Swap::Unlimited)).expect("valid");
    assert_eq!(
        plan,
        Plan {
            name: "j".to_owned(),
            groups: vec![]
        }
    );
    let expected = [
        LimitName::MemoryBytes,
        LimitName::MemoryLowBytes,
        LimitName::MemoryMinBytes,
        LimitName::Pids,
        LimitName::CpuMillis,
        LimitName::Cpuset,
        LimitName::Io,
        LimitName::Kill,
    ];
    assert_eq!(
        shortfalls.iter().map(|one| one.limit).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(
        shortfalls[3].why,
        "no control group does pids here: cannot make the group /x (Permission denied (os error 13)): run as root"
    );
}

#[test]
fn processors_that_the_host_lacks_are_a_shortfall_and_not_written() {
    for (v2, v1) in [(&Controller::ALL[..], &[][..]), (&[][..], V1)] {
        let limits = Limits {
            cpuset: Some("2-4".to_owned()),
            ..Limits::default()
        };
        let (plan, shortfalls) = plan("j", &limits, &host(v2, v1, Swap::Absent)).expect("valid");
        assert!(
            shortfalls
                .iter()
                .any(|one| one.limit == LimitName::Cpuset && one.why.contains("0-3")),
            "{shortfalls:?}"
        );
        assert!(!plan.to_string().contains("cpuset"), "{plan}");
    }
}

#[test]
fn small_shares_of_a_processor_have_a_quota_that_the_kernel_takes() {
    for (millis, expected) in [
        (1, "1000 1000000"),
        (9, "9000 1000000"),
        (10, "1000 100000"),
        (64_000, "6400000 100000"),
    ] {
        let limits = Limits {
            cpu_millis: Some(millis),
            ..Limits::default()
        };
        let (plan, _) =
            plan("j", &limits, &host(&[Controller::Cpu], &[], Swap::Absent)).expect("valid");
        assert_eq!(plan.groups[0].writes[0].value, expected);
    }
}

#[test]
fn plan_host_and_limits_survive_json() {
    let host = host(&Controller::ALL, V1, Swap::V1);
    let (plan, shortfalls) = plan("j", &all_limits(), &host).expect("valid");
    fn same<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
        value: &T,
    ) {
        let text = serde_json::to_string(value).expect("plain data");
        assert_eq!(&serde_json::from_str::<T>(&text).expect(&text), value);
    }
    same(&plan);
    same(&plan.record());
    same(&host);
    same(&all_limits());
    same(&shortfalls);
    let limits: Limits = serde_json::from_str(r#"{"pids": 3}"#).expect("the others are absent");
    assert_eq!(
        limits,
        Limits {
            pids: Some(3),
            ..Limits::default()
        }
    );
    serde_json::from_str::<Limits>(r#"{"memory": 3}"#).expect_err("no such limit");
}
