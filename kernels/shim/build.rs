//! Compiles the emulator, and every kernel against it, into a library that is named as the CUDA driver's is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let kernels = manifest
        .parent()
        .expect("the shim lies beside the kernels")
        .to_owned();
    for watched in [
        "build.rs",
        "emulator",
        "cublaslt",
        "driver",
        "include",
        "../include",
        "../src",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            manifest.join(watched).display()
        );
    }
    println!("cargo::rerun-if-env-changed=GRADUS_SHIM_SANITIZE");
    let mut sources = files(&manifest.join("emulator"), "cpp");
    sources.extend(files(&manifest.join("driver"), "cpp"));
    sources.extend(files(&kernels.join("src"), "cu"));
    if let Some(extra) = env::var_os("GRADUS_SHIM_KERNELS") {
        sources.extend(files(Path::new(&extra), "cu"));
    }

    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++20")
        .opt_level(2)
        .debug(false)
        .pic(true)
        .warnings(false)
        .cargo_metadata(false)
        .include(manifest.join("include"))
        .include(kernels.join("include"))
        .flag("-fno-strict-aliasing")
        .flag("-Wno-unknown-pragmas")
        .flag("-fvisibility=hidden")
        // Contraction would change results from one processor to another; kernels say where they want it.
        .flag("-ffp-contract=off");
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        build.flag("-mfma").flag("-mf16c").flag("-mavx2");
    }
    let sanitize = env::var_os("GRADUS_SHIM_SANITIZE").is_some();
    if sanitize {
        build
            .flag("-fsanitize=address,undefined")
            .flag("-fno-omit-frame-pointer")
            .flag("-g1");
    }
    let compiler = build.get_compiler();
    let shared = files(&kernels.join("include"), "cuh");
    for (i, source) in sources.iter_mut().enumerate() {
        if source.extension().is_some_and(|e| e == "cu") {
            *source = wrap(source, &shared, &out.join(format!("kernel-{i}.cpp")));
        }
    }
    let objects: Vec<PathBuf> = sources
        .iter()
        .enumerate()
        .map(|(i, source)| {
            out.join(format!(
                "{i}-{}.o",
                source
                    .file_stem()
                    .and_then(|s| s.to_str())
                    .unwrap_or("kernel")
            ))
        })
        .collect();
    // Kernels take seconds each: all cores.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let (Some(source), Some(object)) = (sources.get(i), objects.get(i)) else {
                        return;
                    };
                    let mut command = compiler.to_command();
                    command
                        .args(["-x", "c++", "-c"])
                        .arg(source)
                        .arg("-o")
                        .arg(object);
                    run(&mut command, &source.display().to_string());
                }
            });
        }
    });
    let library = out.join("libcuda.so.1");
    let mut link = compiler.to_command();
    link.arg("-shared")
        .arg("-Wl,-soname,libcuda.so.1")
        .arg("-o")
        .arg(&library)
        .args(&objects)
        .arg("-pthread");
    if sanitize {
        link.arg("-fsanitize=address,undefined");
    }
    run(&mut link, "libcuda.so.1");
    let mut link = compiler.to_command();
    link.args(["-shared", "-Wl,-soname,libcublasLt.so.13", "-x", "c++"])
        .arg(manifest.join("cublaslt/cublaslt.cpp"))
        .arg("-o")
        .arg(out.join("libcublasLt.so.13"));
    run(&mut link, "libcublasLt.so.13");
    println!("cargo::rustc-env=GRADUS_SHIM_DIR={}", out.display());
}

/// Puts a kernel file into a namespace of its own: on a device every file is a module, while here templates and inline functions
/// of the same name in two families would be merged into one by the linker.
fn wrap(source: &Path, shared: &[PathBuf], out: &Path) -> PathBuf {
    let mut text = String::new();
    for header in shared {
        text += &format!("#include \"{}\"\n", header.display());
    }
    text += &format!("namespace {{\n#include \"{}\"\n}}\n", source.display());
    fs::write(out, text).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
    out.to_owned()
}

fn run(command: &mut Command, what: &str) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    assert!(status.success(), "{what} does not compile for the emulator");
}

/// Files below `dir` that end in `extension`, sorted.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return found;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
