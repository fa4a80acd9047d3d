//! Builds the watcher as a static program, whatever the profile and flags of the rest: it is started for every job, and what it is must
//! not depend on libraries of the host.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let target = env::var("TARGET").expect("cargo sets it");
    println!("cargo::rerun-if-changed=jail/src");
    println!("cargo::rerun-if-changed=jail/Cargo.toml");
    println!("cargo::rerun-if-changed=build.rs");

    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    // What the outer build was asked for (flags, wrappers such as clippy's, a target directory) is not for this one.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let of_the_outer_build = [
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTDOC",
        ];
        if of_the_outer_build.contains(&&*name)
            || name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_CFG_")
        {
            cargo.env_remove(&*name);
        }
    }
    // One folder for every profile of the outer build: the program is the same for all.
    let folder = out
        .ancestors()
        .nth(4)
        .expect("cargo's folders: target/PROFILE/build/PACKAGE/out")
        .join("jail");
    // With a target named, flags are not applied to macros that run in the compiler, which cannot be static.
    let built = cargo
        .current_dir(manifest.join("jail"))
        .args([
            "build",
            "--locked",
            "--release",
            "--bin",
            "gradus-jail",
            "--target",
            &target,
            "--target-dir",
        ])
        .arg(&folder)
        .env(
            "RUSTFLAGS",
            "-C target-feature=+crt-static -C relocation-model=static -C panic=abort",
        )
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "none")
        .status();
    match built {
        Ok(status) if status.success() => {}
        other => panic!(
            "the watcher (sandbox/jail) cannot be built: {other:?}\nhelp: a static C library is needed: libc6-dev has it"
        ),
    }
    let program = folder.join(&target).join("release/gradus-jail");
    let bytes = fs::read(&program).expect("the program that was just built can be read");
    fs::write(out.join("gradus-jail"), &bytes).expect("cargo's folder can be written");
    let build = gradus_jail::fnv1a(&bytes);
    println!("cargo::rustc-env=GRADUS_JAIL_BUILD={build:016x}");
}
