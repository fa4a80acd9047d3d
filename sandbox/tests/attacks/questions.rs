//! Everything that is asked once, from inside, by a job with user 0 and a root that it may write to: the most that a submission can have.

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use gradus_sandbox::job::Job;
use gradus_sandbox::protocol::KillReason;
use serde_json::Value;

use super::arena::{Arena, HOSTS_SECRET, OTHERS_SECRET};

/// Answers by question: what was got, and the detail.
pub(crate) type Answers = BTreeMap<String, (String, String)>;

/// One job has asked all of them, while another ran beside it.
fn answers() -> Option<&'static Answers> {
    static ANSWERS: OnceLock<Option<Answers>> = OnceLock::new();
    ANSWERS
        .get_or_init(|| Beside::new().map(|beside| beside.ask()))
        .as_ref()
}

/// What the questions are about, there while they are asked: another job, listeners of the host, secrets.
pub(crate) struct Beside {
    pub(crate) arena: Arena,
    /// what the probe is told
    pub(crate) words: Vec<String>,
    _listeners: (UnixListener, TcpListener),
}

impl Beside {
    pub(crate) fn new() -> Option<Beside> {
        let arena = Arena::new()?;
        let other = Job {
            layers: vec![arena.path("other"), arena.path("root")],
            ..arena.job("other-miner", &["wait-for", "ms=60000"])
        };
        let other = arena.sandbox.start(&other).unwrap();
        let abstract_name = format!("gradus-attacks-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let unix = UnixListener::bind_addr(&address).unwrap();
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        // Nothing is sent: which address would be used is asked.
        let own_address = UdpSocket::bind("0.0.0.0:0")
            .and_then(|socket| {
                socket.connect("198.51.100.1:9")?;
                socket.local_addr()
            })
            .map(|address| format!("tcp={}:{port}", address.ip()));
        let read = |path: &str| std::fs::read_to_string(path).unwrap().trim().to_owned();
        let plan = arena.directory("other-miner").join("plan.json");
        let words = vec![
            "all-static".to_owned(),
            format!("host-file={}", arena.path("host-canary").display()),
            format!("host-file={}", plan.display()),
            format!("host-file={}", arena.path("other/secret").display()),
            "host-file=/etc/shadow".to_owned(),
            format!("canary={HOSTS_SECRET}"),
            format!("canary={OTHERS_SECRET}"),
            format!("abstract={abstract_name}"),
            format!("tcp=127.0.0.1:{port}"),
            own_address.unwrap_or_default(),
            format!("host-pid={}", std::process::id()),
            format!("host-command={}", read("/proc/self/comm")),
            format!("watcher-pid={}", other.processes.watcher),
            format!("host-name={}", read("/proc/sys/kernel/hostname")),
        ];
        Some(Beside {
            arena,
            words,
            _listeners: (unix, tcp),
        })
    }

    /// All questions, by a job.
    pub(crate) fn ask(&self) -> Answers {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let ran = self.arena.run(&self.arena.job("questions", &words));
        ran.exited(0);
        self.arena
            .sandbox
            .kill("other-miner", KillReason::Cancelled, Duration::ZERO)
            .unwrap();
        self.arena.sandbox.wait("other-miner").unwrap();
        self.arena.remove("other-miner");
        parsed(&ran.text)
    }
}

/// The probe's lines.
pub(crate) fn parsed(text: &str) -> Answers {
    let answers = text.lines().map(|line| {
        let answer: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| answer[key].as_str().expect("a text").to_owned();
        (text("attack"), (text("got"), text("detail")))
    });
    answers.collect()
}

#[track_caller]
fn assert_all(names: &[&str], expected: &str) {
    let Some(answers) = answers() else { return };
    for name in names {
        let (got, detail) = answers
            .get(*name)
            .unwrap_or_else(|| panic!("{name} was not asked"));
        assert_eq!(got, expected, "{name}: {detail}");
    }
}

#[track_caller]
fn assert_refused(names: &[&str]) {
    assert_all(names, "refused");
}

#[track_caller]
fn assert_contained(names: &[&str]) {
    assert_all(names, "contained");
}

#[test]
fn user_0_inside_is_nobody_outside_and_has_no_power() {
    assert_refused(&[
        "capabilities",
        "no-new-privileges",
        "seccomp",
        "landlock",
        "host-root",
        "other-user",
    ]);
}

/// As a user without a right: user 0 of the image would be more.
#[test]
fn a_set_user_id_program_gains_nothing() {
    assert_refused(&["setuid-program"]);
    let Some(arena) = Arena::new() else { return };
    let job = Job {
        uid: 1000,
        gid: 1000,
        ..arena.job("setuid", &["setuid-program"])
    };
    let ran = arena.run(&job);
    ran.exited(0)
        .says(r#""got":"refused","detail":"stays 1000"#);
}

#[test]
fn nothing_is_inherited() {
    assert_refused(&["leaked-descriptors", "leaked-environment", "host-name"]);
}

#[test]
fn no_realtime_and_no_limit_is_raised() {
    assert_refused(&["realtime", "raised-limits"]);
}

#[test]
fn no_core_is_dumped_not_even_through_the_host() {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    if hard == Some(0) {
        eprintln!("SKIPPED: the limit is 0 here already, and cannot be raised to 1");
        return;
    }
    assert_refused(&["core-dumps"]);
}

/// Whether this process has CAP_SYS_RESOURCE of the host.
fn may_raise_limits() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
    effective & 1 << 24 != 0
}

#[test]
fn the_oom_killer_does_not_spare_it() {
    let Some(answers) = answers() else { return };
    let answer = answers["spared-by-the-oom-killer"].0.as_str();
    // Where the watcher lacks CAP_SYS_RESOURCE, a job can go back to what everybody has.
    let expected: &[&str] = match may_raise_limits() {
        true => &["refused"],
        false => &["refused", "contained"],
    };
    assert!(expected.contains(&answer), "{answer}");
}

#[test]
fn no_namespace_is_made_or_entered() {
    assert_refused(&["namespaces"]);
}

#[test]
fn nothing_is_mounted_or_unmounted() {
    assert_refused(&["mounting"]);
}

#[test]
fn no_system_call_beyond_the_policy_is_made() {
    assert_refused(&[
        "kernel-code",
        "keys",
        "bpf",
        "perf",
        "userfaultfd",
        "io-uring",
        "tracing",
        "handles",
        "clocks",
        "swap-and-accounting",
        "kernel-log",
        "ports",
        "other-architectures",
        "terminal-injection",
        "unusual-calls",
        "asynchronous-files",
    ]);
}

#[test]
fn no_device_is_made_or_opened() {
    assert_refused(&[
        "device-nodes",
        "open-devices",
        "device-filter",
        "device-attributes",
    ]);
}

#[test]
fn terminals_are_few() {
    assert_contained(&["terminals"]);
}

#[test]
fn canaries_of_the_host_and_of_another_job_are_not_found() {
    assert_refused(&["host-files", "canaries"]);
}

#[test]
fn inputs_cannot_be_changed() {
    assert_refused(&["read-only-inputs"]);
    assert_contained(&["input-memory"]);
}

#[test]
fn it_writes_to_its_own_mounts_alone() {
    assert_contained(&["writable-mounts"]);
    assert_refused(&["shared-mounts", "mount-flags"]);
}

#[test]
fn marks_of_overlay_file_systems_have_no_effect() {
    assert_contained(&["overlay-attributes"]);
}

#[test]
fn kernel_files_are_read_only_and_tell_nothing() {
    assert_refused(&[
        "proc-sys",
        "proc-secrets",
        "proc-writable",
        "sys-writable",
        "binfmt",
    ]);
}

#[test]
fn it_does_not_learn_which_jobs_there_are() {
    assert_refused(&["sys-other-jobs"]);
}

#[test]
fn control_groups_are_out_of_reach() {
    assert_refused(&["control-groups"]);
}

#[test]
fn nobody_outside_is_seen_or_signalled() {
    assert_refused(&["host-processes"]);
    assert_contained(&["signals-outside"]);
}

#[test]
fn the_first_process_cannot_be_looked_into() {
    assert_refused(&["first-process"]);
}

/// A job may do to its own copy what it likes, but not while it runs; the layer that others run from stays as it is.
#[test]
fn its_own_program_cannot_be_changed() {
    assert_refused(&["own-program"]);
}

#[test]
fn no_socket_reaches_a_subsystem_that_nobody_needs() {
    assert_refused(&["vsock", "socket-families"]);
}

#[test]
fn the_network_is_the_jobs_own_loopback() {
    assert_refused(&["abstract-socket", "host-loopback", "internet", "names"]);
    assert_contained(&["interfaces"]);
}

#[test]
fn no_daemon_listens_inside() {
    assert_refused(&["daemons-sockets"]);
}

/// A root that is not written to leaves landlock more to say: nothing may be let through there either.
#[test]
fn a_fixed_root_lets_nothing_more_through() {
    let Some(arena) = Arena::new() else { return };
    let job = Job {
        writable_root: false,
        uid: 1000,
        gid: 1000,
        ..arena.job(
            "fixed",
            &[
                "all-static",
                &format!("host-file={}", Path::new("/etc/passwd").display()),
            ],
        )
    };
    let ran = arena.run(&job);
    ran.exited(0);
    let allowed: Vec<&str> = ran
        .text
        .lines()
        .filter(|line| line.contains(r#""got":"allowed""#))
        .collect();
    assert!(allowed.is_empty(), "{allowed:#?}");
}
