//! What jobs are run on: a root file system of one program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The program; none, said aloud, where jobs cannot be run: nobody else's root is used.
pub(crate) fn busybox() -> Option<&'static Path> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists());
    let root = fs::read_to_string("/proc/self/status")
        .unwrap()
        .contains("\nUid:\t0\t0\t");
    if !root || busybox.is_none() {
        println!("skipped: jobs are tried as root, with busybox (package busybox-static)");
        return None;
    }
    busybox
}

/// Puts it into the directory `bin`, which is made, under these names too.
pub(crate) fn install(busybox: &Path, bin: &Path, applets: &[&str]) {
    fs::create_dir_all(bin).unwrap();
    fs::copy(busybox, bin.join("busybox")).unwrap();
    for name in applets {
        symlink("busybox", bin.join(name)).unwrap();
    }
}
