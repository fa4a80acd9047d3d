//! What the kernel's texts say.

use crate::cgroup::counters::{field, io_service, io_stat};
use crate::cgroup::v2::disk;

#[test]
fn fields_are_whole_words() {
    let text = "low 1\noom 2\noom_kill 3\noom_group_kill 4\nmax 18446744073709551615\n";
    assert_eq!(field(text, "oom_kill"), Some(3));
    assert_eq!(field(text, "oom"), Some(2));
    assert_eq!(field(text, "max"), Some(u64::MAX));
    assert_eq!(field(text, "kill"), None);
    assert_eq!(field("oom_kill", "oom_kill"), None);
}

#[test]
fn bytes_are_summed_over_devices() {
    let v2 =
        "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=5 dios=6\n254:0 rbytes=1 wbytes=2 rios=3\n";
    assert_eq!(io_stat(v2), (101, 22));
    let v1 =
        "254:0 Read 100\n254:0 Write 20\n254:0 Total 120\n8:0 Read 1\n8:0 Write 2\nTotal 123\n";
    assert_eq!(io_service(v1), (101, 22));
    assert_eq!((io_stat(""), io_service("Total 0\n")), ((0, 0), (0, 0)));
}

#[test]
fn disk_is_a_real_one() {
    let text = "major minor  #blocks  name\n\n   7        0  1 loop0\n 253        0  0 zram0\n 254        0  268435456 vda\n 254 1 5 vda1\n";
    assert_eq!(disk(text).as_deref(), Some("254:0"));
    assert_eq!(disk("major minor  #blocks  name\n"), None);
}
