//! The same questions under other sandboxes, as they are usually started: which lets what through.
//!
//! `cargo test -p gradus-sandbox --test attacks -- --ignored --nocapture compare`

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::questions::{Answers, Beside, parsed};

/// As Docker's default: its capabilities, its hidden and read-only files, and the calls that its filter refuses. User 0 is the host's.
fn runc_config(root: &Path, input: &Path, out: &Path, words: &[String]) -> Value {
    let capabilities = [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
    .map(|name| format!("CAP_{name}"));
    let refused = [
        "acct",
        "add_key",
        "bpf",
        "clock_settime",
        "settimeofday",
        "delete_module",
        "fanotify_init",
        "finit_module",
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "init_module",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "ioperm",
        "iopl",
        "kcmp",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mbind",
        "migrate_pages",
        "mount",
        "mount_setattr",
        "move_mount",
        "move_pages",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "pidfd_getfd",
        "pivot_root",
        "process_madvise",
        "quotactl",
        "reboot",
        "request_key",
        "setdomainname",
        "sethostname",
        "setns",
        "swapoff",
        "swapon",
        "syslog",
        "umount2",
        "unshare",
        "userfaultfd",
        "vhangup",
    ];
    let refuse = |call: &str, index: u32, value: u64, operation: &str| json!({"names": [call], "action": "SCMP_ACT_ERRNO", "args": [{"index": index, "value": value, "valueTwo": value, "op": operation}]});
    let mut rules = vec![
        json!({"names": refused.as_slice(), "action": "SCMP_ACT_ERRNO"}),
        json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}),
        refuse("socket", 0, 40, "SCMP_CMP_EQ"),
        refuse("personality", 0, 0x0040_0000, "SCMP_CMP_EQ"),
    ];
    // One rule for each flag of a namespace.
    for bit in [17, 25, 26, 27, 28, 29, 30] {
        rules.push(refuse("clone", 0, 1 << bit, "SCMP_CMP_MASKED_EQ"));
    }
    let mount = |target: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": target, "type": kind, "source": source, "options": options});
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": words,
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "noNewPrivileges": false,
        },
        "root": {"path": root, "readonly": false},
        "hostname": "container",
        "mounts": [
            mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid", "noexec", "nodev"]),
            mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
            mount("/in", "bind", &input.display().to_string(), &["rbind", "ro", "rprivate"]),
            mount("/out", "bind", &out.display().to_string(), &["rbind", "rprivate"]),
        ],
        "linux": {
            "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules},
        },
    })
}

fn output(command: &mut Command) -> Option<Answers> {
    let output = command.env_remove("LD_PRELOAD").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.is_empty() {
        eprintln!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(parsed(&text))
}

fn under_runc(beside: &Beside) -> Option<Answers> {
    let bundle = beside.arena.path("bundle");
    let out = beside.arena.path("runc-out");
    fs::create_dir_all(&out).unwrap();
    fs::create_dir_all(&bundle).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(beside.arena.path("root"))
        .arg(bundle.join("root"))
        .status();
    assert!(copied.unwrap().success());
    let mut words = vec!["/bin/probe".to_owned()];
    words.extend(beside.words.clone());
    let config = runc_config(
        &bundle.join("root"),
        &beside.arena.path("input"),
        &out,
        &words,
    );
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let name = format!("gradus-compare-{}", std::process::id());
    let mut runc = Command::new("runc");
    let answers = output(
        runc.arg("--root")
            .arg(beside.arena.path("runc-state"))
            .args(["run", "--bundle"])
            .arg(&bundle)
            .arg(&name),
    );
    let _ = Command::new("runc")
        .arg("--root")
        .arg(beside.arena.path("runc-state"))
        .args(["delete", "--force", &name])
        .output();
    answers
}

/// By a user without privileges, as it is meant to be used.
fn under_bubblewrap(beside: &Beside) -> Option<Answers> {
    let path = |name: &str| beside.arena.path(name);
    fs::create_dir_all(path("bwrap-out")).unwrap();
    chown(path("bwrap-out"), Some(1000), Some(1000)).unwrap();
    fs::set_permissions(path("bwrap-out"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut bwrap = Command::new("setpriv");
    bwrap.args([
        "--reuid=1000",
        "--regid=1000",
        "--clear-groups",
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ]);
    bwrap.arg("--ro-bind").arg(path("root")).arg("/");
    bwrap.arg("--ro-bind").arg(path("input")).arg("/in");
    bwrap.arg("--bind").arg(path("bwrap-out")).arg("/out");
    bwrap
        .args([
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--tmpfs",
            "/tmp",
            "/bin/probe",
        ])
        .args(&beside.words);
    output(&mut bwrap)
}

#[test]
#[ignore = "a comparison: cargo test -p gradus-sandbox --test attacks -- --ignored --nocapture compare"]
fn compare_with_runc_and_bubblewrap() {
    let Some(beside) = Beside::new() else { return };
    // A host that lets itself be changed shows it here, so ours is last.
    let columns: [(&str, Option<Answers>); 3] = [
        ("runc", under_runc(&beside)),
        ("bubblewrap", under_bubblewrap(&beside)),
        ("gradus", Some(beside.ask())),
    ];
    let mut rows: BTreeMap<String, [String; 3]> = BTreeMap::new();
    for (index, (_, answers)) in columns.iter().enumerate() {
        for (attack, (got, detail)) in answers.iter().flatten() {
            let text = if got == "allowed" {
                format!("**allowed**: {}", detail.replace('|', "/"))
            } else {
                got.clone()
            };
            rows.entry(attack.clone()).or_default()[index] = text;
        }
    }
    println!("| question | gradus | runc, as Docker | bubblewrap |\n|---|---|---|---|");
    for (attack, [runc, bubblewrap, ours]) in &rows {
        println!("| {attack} | {ours} | {runc} | {bubblewrap} |");
    }
    for (index, (name, _)) in columns.iter().enumerate() {
        let allowed = rows
            .values()
            .filter(|row| row[index].starts_with("**"))
            .count();
        println!("{name}: {allowed} of {} let through", rows.len());
    }
}
