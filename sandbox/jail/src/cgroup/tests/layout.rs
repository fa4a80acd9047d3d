//! What the texts of `/proc` say.

use std::path::Path;

use crate::cgroup::{Layout, Place};

fn place(mount: &str, own: Option<&str>, controllers: &[&str]) -> Place {
    Place {
        mount: mount.into(),
        own: own.map(Into::into),
        controllers: controllers.iter().map(|one| (*one).to_owned()).collect(),
    }
}

#[test]
fn v2_alone_is_found_with_the_own_group() {
    let mounts = "23 20 0:22 / /sys rw - sysfs sysfs rw\n\
         29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
    let layout = Layout::parse("0::/system.slice/gradus.service\n", mounts);
    assert_eq!(
        layout,
        Layout {
            v2: Some(place(
                "/sys/fs/cgroup",
                Some("/sys/fs/cgroup/system.slice/gradus.service"),
                &[]
            )),
            v1: vec![]
        }
    );
}

#[test]
fn hybrid_has_both_and_skips_named_hierarchies() {
    let own = "9:name=systemd:/init\n8:pids:/\n4:memory:/box/0ad4\n2:cpu,cpuacct:/\n0::/\n";
    let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
         32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
         39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
         40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let layout = Layout::parse(own, mounts);
    assert_eq!(
        layout.v2,
        Some(place(
            "/sys/fs/cgroup/unified",
            Some("/sys/fs/cgroup/unified"),
            &[]
        ))
    );
    let expected = vec![
        place(
            "/sys/fs/cgroup/pids",
            Some("/sys/fs/cgroup/pids"),
            &["pids"],
        ),
        place(
            "/sys/fs/cgroup/memory",
            Some("/sys/fs/cgroup/memory/box/0ad4"),
            &["memory"],
        ),
        place(
            "/sys/fs/cgroup/cpu,cpuacct",
            Some("/sys/fs/cgroup/cpu,cpuacct"),
            &["cpu", "cpuacct"],
        ),
    ];
    assert_eq!(layout.v1, expected);
}

#[test]
fn v1_alone_has_no_v2() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    let layout = Layout::parse("4:memory:/a:b\n0::/\n", mounts);
    assert_eq!(layout.v2, None);
    assert_eq!(
        layout.v1,
        [place(
            "/sys/fs/cgroup/memory",
            Some("/sys/fs/cgroup/memory/a:b"),
            &["memory"]
        )]
    );
}

#[test]
fn container_without_namespace_sees_its_group_at_the_top_of_the_mount() {
    let mounts =
        "35 31 0:32 /docker/f00 /sys/fs/cgroup/memory ro master:11 - cgroup cgroup rw,memory\n";
    let layout = Layout::parse("4:memory:/docker/f00/job\n", mounts);
    assert_eq!(
        layout.v1[0].own.as_deref(),
        Some(Path::new("/sys/fs/cgroup/memory/job"))
    );
}

#[test]
fn group_that_the_mount_does_not_show_is_none() {
    let mounts = "35 31 0:32 /docker/f00 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    for own in ["0::/docker/f0\n", "0::/\n"] {
        assert_eq!(
            Layout::parse(own, mounts).v2,
            Some(place("/sys/fs/cgroup", None, &[])),
            "{own}"
        );
    }
}

#[test]
fn cgroup_namespace_has_its_root_and_nothing_outside_it() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    assert_eq!(
        Layout::parse("0::/\n", mounts).v2,
        Some(place("/sys/fs/cgroup", Some("/sys/fs/cgroup"), &[]))
    );
    assert_eq!(
        Layout::parse("0::/../user.slice\n", mounts).v2,
        Some(place("/sys/fs/cgroup", None, &[]))
    );
    // mounted from outside the namespace
    let mounts = "35 31 0:32 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    assert_eq!(
        Layout::parse("0::/\n", mounts).v2,
        Some(place("/sys/fs/cgroup", None, &[]))
    );
}

#[test]
fn removed_own_group_is_none() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    assert_eq!(
        Layout::parse("0::/gone (deleted)\n", mounts).v2,
        Some(place("/sys/fs/cgroup", None, &[]))
    );
}

#[test]
fn mount_that_shows_the_own_group_is_preferred() {
    let mounts = "35 31 0:32 /other /mnt/a rw - cgroup2 cgroup rw\n36 31 0:32 /mine /mnt/b rw - cgroup2 cgroup rw\n";
    assert_eq!(
        Layout::parse("0::/mine/x\n", mounts).v2,
        Some(place("/mnt/b", Some("/mnt/b/x"), &[]))
    );
}

#[test]
fn hidden_mounts_do_not_count_and_spaces_are_read() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n\
         36 31 0:40 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
         37 31 0:41 / /with\\040space rw - cgroup cgroup rw,memory\n\
         38 31 0:42 / / rw - overlay overlay rw\n";
    let layout = Layout::parse("4:memory:/\n0::/\n", mounts);
    assert_eq!(layout.v2, None);
    assert_eq!(
        layout.v1,
        [place("/with space", Some("/with space"), &["memory"])]
    );
}

#[test]
fn broken_lines_are_skipped() {
    let layout = Layout::parse(
        "\n:\n7\nx:y\n0::/\n",
        "\n - \n1 2 - cgroup2\n35 31 0:32 / /c rw - cgroup2 c rw\n",
    );
    assert_eq!(
        layout,
        Layout {
            v2: Some(place("/c", Some("/c"), &[])),
            v1: vec![]
        }
    );
}
