//! The hostile program, built as it runs inside: static.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Its path, after cargo has made sure that it is up to date; or what `GRADUS_PROBE` says where there is no cargo.
pub(crate) fn probe() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("GRADUS_PROBE").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    // In a folder of its own: the outer cargo holds the lock of the target directory's profile.
    let folder = test
        .ancestors()
        .nth(3)
        .expect("tests lie in <target>/<profile>/deps")
        .join("probe");
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_the_outer_build = text.starts_with("CARGO_PROFILE_")
            || text.starts_with("CARGO_CFG_")
            || [
                "CARGO_TARGET_DIR",
                "CARGO_ENCODED_RUSTFLAGS",
                "RUSTC",
                "RUSTC_WRAPPER",
                "RUSTC_WORKSPACE_WRAPPER",
            ]
            .contains(&&*text);
        if of_the_outer_build {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("probe"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            &target,
            "--target-dir",
        ])
        .arg(&folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .status()
        .expect("cargo runs");
    assert!(
        status.success(),
        "the probe (sandbox/probe) cannot be built: {status}"
    );
    folder.join(target).join("release/gradus-probe")
}
