//! What is inside runs in a child, this test program again with `CHILD` set, since a thread that is restricted stays so.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use rustix::fs::{FileType, makedev, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use super::*;

const CHILD: &str = "GRADUS_LANDLOCK_CHILD";

/// Runs `body` restricted as `abi` would, in a child, and returns what it printed after `RESULT `.
fn in_child(test: &str, root: Root, abi: u32, arguments: &[&str]) -> String {
    let name = format!("landlock::tests::{test}");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(
            CHILD,
            format!("{} {abi} {}", root == Root::Fixed, arguments.join(" ")),
        )
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    let result = text
        .lines()
        .find_map(|line| line.split_once("RESULT "))
        .map(|(_, result)| result.to_owned());
    result.unwrap_or_else(|| {
        panic!(
            "{test}: {:?}\n{text}\n{}",
            child.status,
            String::from_utf8_lossy(&child.stderr)
        )
    })
}

/// In the child: restricts itself, then says what `body` answers. In the parent: nothing, and false.
fn child(body: impl FnOnce(&[&str]) -> String) -> bool {
    let Ok(setting) = std::env::var(CHILD) else {
        return false;
    };
    let words: Vec<&str> = setting.split(' ').collect();
    let root = if words[0] == "true" {
        Root::Fixed
    } else {
        Root::Grows
    };
    rustix::thread::set_no_new_privs(true).unwrap();
    let held = restrict_as(root, words[1].parse().unwrap()).unwrap();
    assert_eq!(held.abi.to_string(), words[1]);
    println!("\nRESULT {}", body(&words[2..]));
    true
}

/// The kernel's version, where it has one that is used; says so where not.
fn kernel() -> Option<u32> {
    match version() {
        Ok(abi) if abi >= ABI_MIN => Some(abi.min(ABI_MAX)),
        answer => {
            skip(&format!("landlock is not usable here: {answer:?}"));
            None
        }
    }
}

/// Past the capture of what tests print, so that a skip is seen.
fn skip(why: &str) {
    std::io::stderr()
        .write_all(format!("SKIPPED: {why}\n").as_bytes())
        .unwrap();
}

fn answer<T>(result: Result<T, Errno>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(Errno::ACCESS) => "EACCES".to_owned(),
        Err(Errno::PERM) => "EPERM".to_owned(),
        Err(Errno::NOTTY) => "ENOTTY".to_owned(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn every_version_knows_the_rights_of_those_before_it() {
    assert_eq!(all_rights(1), 0x1FFF);
    assert_eq!(all_rights(2), 0x3FFF);
    assert_eq!((all_rights(3), all_rights(4)), (0x7FFF, 0x7FFF));
    assert_eq!((all_rights(5), all_rights(7)), (0xFFFF, 0xFFFF));
    assert_eq!(
        all_rights(99),
        0xFFFF,
        "a newer kernel is used as far as it is known"
    );
}

#[test]
fn without_landlock_and_with_its_first_version_nothing_holds() {
    for abi in [0, 1] {
        let nothing = Held {
            abi,
            device_nodes: false,
            sys: false,
            device_commands: false,
            scope: false,
        };
        assert_eq!(restrict_as(Root::Fixed, abi).unwrap(), nothing);
    }
    let held = held(Root::Fixed, 4);
    assert!(held.device_nodes && held.sys && !held.device_commands && !held.scope);
}

#[test]
fn the_newest_version_of_the_kernel_holds() {
    let newest = |_: &[&str]| format!("{:?}", restrict(Root::Grows).unwrap());
    if child(newest) {
        return;
    }
    let Some(newest) = kernel() else { return };
    let expected = Held {
        abi: version().unwrap(),
        device_nodes: true,
        sys: false,
        device_commands: newest >= 5,
        scope: newest >= 6,
    };
    let found = in_child(
        "the_newest_version_of_the_kernel_holds",
        Root::Grows,
        newest,
        &[],
    );
    assert_eq!(found, format!("{expected:?}"));
}

#[test]
fn device_nodes_are_not_made_and_pipes_are() {
    let make = |arguments: &[&str]| {
        let directory = Path::new(arguments[0]);
        let make = |name: &str, kind, device| {
            answer(mknodat(CWD, directory.join(name), kind, Mode::RUSR, device))
        };
        [
            make("char", FileType::CharacterDevice, makedev(1, 3)),
            make("whiteout", FileType::CharacterDevice, 0),
            make("block", FileType::BlockDevice, makedev(7, 0)),
            make("pipe", FileType::Fifo, 0),
        ]
        .join(" ")
    };
    if child(make) {
        return;
    }
    let Some(newest) = kernel() else { return };
    for abi in ABI_MIN..=newest {
        for root in [Root::Fixed, Root::Grows] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().to_str().unwrap();
            let found = in_child(
                "device_nodes_are_not_made_and_pipes_are",
                root,
                abi,
                &[path],
            );
            // A whiteout is no device: kernels of 2026 count it as a file, older ones as a device. Nothing can be opened through it.
            let answers = ["EACCES EACCES EACCES done", "EACCES done EACCES done"];
            assert!(
                answers.contains(&found.as_str()),
                "{found}: {root:?}, ABI {abi}"
            );
        }
    }
}

#[test]
fn ordinary_work_is_done() {
    let work = |arguments: &[&str]| {
        let at = |name: &str| Path::new(arguments[0]).join(name);
        std::fs::create_dir(at("a")).unwrap();
        std::fs::create_dir(at("b")).unwrap();
        std::fs::write(at("a/file"), "text").unwrap();
        std::fs::rename(at("a/file"), at("b/file")).expect("between directories");
        std::fs::hard_link(at("b/file"), at("a/link")).unwrap();
        std::os::unix::fs::symlink("b/file", at("symlink")).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(at("b/file"))
            .unwrap()
            .set_len(1)
            .unwrap();
        assert_eq!(std::fs::read_to_string(at("symlink")).unwrap(), "t");
        UnixListener::bind(at("socket")).unwrap();
        UnixStream::connect(at("socket")).expect_err("nobody accepts");
        std::fs::remove_dir_all(at("a")).unwrap();
        assert!(
            Command::new("/bin/sh")
                .args(["-c", "exit 0"])
                .status()
                .unwrap()
                .success()
        );
        std::fs::write("/dev/null", "x").unwrap();
        std::fs::write("/proc/self/comm", "renamed").expect("as glibc names a thread");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // within the job abstract sockets and signals work
        let name = SocketAddr::from_abstract_name(format!("gradus-inside-{}", std::process::id()))
            .unwrap();
        let listener = UnixListener::bind_addr(&name).unwrap();
        UnixStream::connect_addr(&name).unwrap();
        drop(listener);
        let mut sleeper = Command::new("sleep").arg("100").spawn().unwrap();
        kill_process(Pid::from_child(&sleeper), Signal::KILL).unwrap();
        sleeper.wait().unwrap();
        "done".to_owned()
    };
    if child(work) {
        return;
    }
    let Some(newest) = kernel() else { return };
    for abi in ABI_MIN..=newest {
        for root in [Root::Fixed, Root::Grows] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().to_str().unwrap();
            assert_eq!(
                in_child("ordinary_work_is_done", root, abi, &[path]),
                "done",
                "{root:?}, ABI {abi}"
            );
        }
    }
}

#[test]
fn abstract_sockets_and_signals_stay_inside() {
    let reach = |arguments: &[&str]| {
        let name = SocketAddr::from_abstract_name(arguments[0]).unwrap();
        let connected =
            UnixStream::connect_addr(&name).map_err(|it| Errno::from_io_error(&it).unwrap());
        let pid = Pid::from_raw(arguments[1].parse().unwrap()).unwrap();
        format!(
            "{} {}",
            answer(connected),
            answer(kill_process(pid, Signal::CONT))
        )
    };
    if child(reach) {
        return;
    }
    let Some(newest) = kernel() else { return };
    let name = format!("gradus-outside-{}", std::process::id());
    let _listener =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut outside = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = outside.id().to_string();
    for abi in ABI_MIN..=newest {
        let found = in_child(
            "abstract_sockets_and_signals_stay_inside",
            Root::Fixed,
            abi,
            &[&name, &pid],
        );
        let expected = if abi >= 6 { "EPERM EPERM" } else { "done done" };
        assert_eq!(found, expected, "ABI {abi}");
    }
    drop(outside.stdin.take());
    outside.wait().unwrap();
}

#[test]
fn device_commands_pass_below_dev_alone() {
    // this command is the driver's, and /dev/null's has none: ENOTTY says that it was asked
    let command = |arguments: &[&str]| match std::fs::File::open(arguments[0]) {
        Ok(device) => answer(rustix::io::ioctl_fionread(&device)),
        Err(error) => error.to_string(),
    };
    if child(command) {
        return;
    }
    let Some(newest) = kernel() else { return };
    if newest < 5 {
        skip(&format!("landlock ABI {newest} does not know ioctl"));
        return;
    }
    let name = "device_commands_pass_below_dev_alone";
    assert_eq!(
        in_child(name, Root::Fixed, newest, &["/dev/null"]),
        "ENOTTY"
    );
    assert_eq!(
        in_child(name, Root::Grows, newest, &["/dev/null"]),
        "ENOTTY"
    );
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("null");
    if let Err(errno) = mknodat(
        CWD,
        &elsewhere,
        FileType::CharacterDevice,
        Mode::RUSR,
        makedev(1, 3),
    ) {
        skip(&format!(
            "no node can be made here to ask elsewhere: {errno}"
        ));
        return;
    }
    let elsewhere = elsewhere.to_str().unwrap();
    if std::fs::File::open(elsewhere).is_err() {
        skip("nodes below the temporary directory cannot be opened");
        return;
    }
    assert_eq!(in_child(name, Root::Fixed, newest, &[elsewhere]), "EACCES");
    assert_eq!(in_child(name, Root::Grows, newest, &[elsewhere]), "EACCES");
    assert_eq!(in_child(name, Root::Grows, 4, &[elsewhere]), "ENOTTY");
}

#[test]
fn sys_is_read_and_not_written_where_the_root_is_fixed() {
    let open = |_: &[&str]| {
        let mut text = String::new();
        std::fs::File::open("/sys/kernel/mm/transparent_hugepage/enabled")
            .and_then(|mut it| it.read_to_string(&mut text))
            .unwrap();
        // opened for writing, and nothing written
        let opened = openat(
            CWD,
            "/sys/kernel/mm/transparent_hugepage/enabled",
            OFlags::WRONLY,
            Mode::empty(),
        );
        answer(opened)
    };
    if child(open) {
        return;
    }
    let Some(newest) = kernel() else { return };
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    if let Err(error) = std::fs::OpenOptions::new().write(true).open(path) {
        skip(&format!("{path} cannot be written here anyway: {error}"));
        return;
    }
    let name = "sys_is_read_and_not_written_where_the_root_is_fixed";
    assert_eq!(in_child(name, Root::Fixed, newest, &[]), "EACCES");
    assert_eq!(in_child(name, Root::Grows, newest, &[]), "done");
}
