//! A device filter in a real group: what it refuses and what it lets pass.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gradus_jail::device_filter::{Kind, Rule, attach, load};

const GROUP: &str = "GRADUS_DEVICE_FILTER_GROUP";
const PREFIX: &str = "gradus-device-filter-test-";

/// A group of version 2 below this process's own, removed at the end, also when the test fails.
struct Group(PathBuf);

impl Group {
    /// Nothing, and says so, where the host has none to give.
    fn new(name: &str) -> Option<Group> {
        let own = own_group().map_err(|why| skip(&why)).ok()?;
        sweep(&own);
        let path = own.join(format!("{PREFIX}{name}-{}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Some(Group(path)),
            Err(error) => {
                skip(&format!(
                    "no group can be made as {}: {error}",
                    path.display()
                ));
                None
            }
        }
    }

    /// Runs the test `child` inside and returns, for each of `nodes`, how opening it ended.
    fn open_inside(&self, nodes: &[&str]) -> Vec<String> {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(GROUP, &self.0)
            .env("GRADUS_DEVICE_FILTER_NODES", nodes.join(" "))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        let result = text.lines().find_map(|line| line.split_once("RESULT "));
        let (_, result) =
            result.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&child.stderr)));
        result.split(' ').map(str::to_owned).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // the kernel may still count a process that has just ended
        for _ in 0..200 {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                _ => return,
            }
        }
        skip(&format!("{} is still busy and stays", self.0.display()));
    }
}

/// The directory of this process's group of version 2.
fn own_group() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
    let mount = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4));
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    match (mount, own) {
        (Some(mount), Some(own)) => Ok(Path::new(mount).join(own)),
        _ => Err("no cgroup2 is mounted".to_owned()),
    }
}

/// Removes groups that a killed run of these tests has left.
fn sweep(own: &Path) {
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|it| it.rsplit('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Past the capture of what tests print, so that a skip is seen.
fn skip(why: &str) {
    std::io::stderr()
        .write_all(format!("SKIPPED: {why}\n").as_bytes())
        .unwrap();
}

#[test]
#[ignore = "run by the other tests, inside a group"]
fn child() {
    let Some(group) = std::env::var_os(GROUP) else {
        return;
    };
    fs::write(Path::new(&group).join("cgroup.procs"), "0").unwrap();
    let nodes = std::env::var("GRADUS_DEVICE_FILTER_NODES").unwrap();
    let open = |node: &str| match fs::OpenOptions::new().read(true).write(true).open(node) {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    let results: Vec<String> = nodes.split(' ').map(open).collect();
    println!("\nRESULT {}", results.join(" "));
}

fn attached(group: &Group, rules: &[Rule]) -> bool {
    let directory = fs::File::open(&group.0).unwrap();
    match load(rules).and_then(|filter| attach(directory.as_fd(), filter.as_fd())) {
        Ok(()) => true,
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            if rustix::process::geteuid().is_root() {
                panic!("{error}: {source:?}");
            }
            skip(&format!("{error}: {source:?}"));
            false
        }
    }
}

#[test]
fn a_node_in_the_rules_is_opened_and_no_other() {
    let Some(group) = Group::new("one") else {
        return;
    };
    assert_eq!(
        group.open_inside(&["/dev/null", "/dev/zero"]),
        ["opened", "opened"],
        "before"
    );
    if !attached(&group, &[Rule::open(Kind::Char, 1, Some(3))]) {
        return;
    }
    assert_eq!(
        group.open_inside(&["/dev/null", "/dev/zero"]),
        ["opened", "PermissionDenied"]
    );
}

#[test]
fn filters_of_a_group_add_up() {
    let Some(group) = Group::new("two") else {
        return;
    };
    let major = Rule::open(Kind::Char, 1, None);
    if !attached(&group, &[major]) {
        return;
    }
    assert_eq!(
        group.open_inside(&["/dev/null", "/dev/zero", "/dev/ptmx"]),
        ["opened", "opened", "PermissionDenied"]
    );
    assert!(attached(
        &group,
        &[
            Rule::open(Kind::Char, 1, Some(5)),
            Rule::open(Kind::Char, 5, Some(2))
        ]
    ));
    let expected = ["PermissionDenied", "opened", "PermissionDenied"];
    assert_eq!(
        group.open_inside(&["/dev/null", "/dev/zero", "/dev/ptmx"]),
        expected
    );
}

#[test]
fn the_base_list_is_taken_by_the_kernel() {
    let Some(group) = Group::new("base") else {
        return;
    };
    let nodes = [
        "/dev/null",
        "/dev/urandom",
        "/dev/ptmx",
        "/dev/kmsg",
        "/dev/fuse",
        "/dev/loop-control",
    ];
    let before = group.open_inside(&nodes);
    if !attached(&group, &gradus_jail::device_filter::base()) {
        return;
    }
    let after = group.open_inside(&nodes);
    assert_eq!(after[..3], ["opened", "opened", "opened"]);
    for (node, (before, after)) in nodes.iter().zip(before.iter().zip(&after)).skip(3) {
        if before == "opened" {
            assert_eq!(after, "PermissionDenied", "{node}");
        } else {
            skip(&format!("{node} is not opened here anyway: {before}"));
        }
    }
}

#[test]
fn what_is_no_group_is_refused_by_name() {
    let directory = fs::File::open("/").unwrap();
    let answer = load(&[]).and_then(|filter| attach(directory.as_fd(), filter.as_fd()));
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("device filter"), "{error}");
}
