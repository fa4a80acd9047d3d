//! Kernels compiled on the host: an emulated driver that takes no embedded image, and an NVRTC that the test makes, whole or damaged.

use crate::binary::{Finished, command, finish};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What an NVRTC does that compiles nothing, and gives what the emulated driver takes for an image.
const WHOLE: &str = r#"
#include <stdlib.h>
#include <string.h>
#ifndef MAJOR
#define MAJOR 13
#endif
#ifndef COMPILE
#define COMPILE 0
#endif
static const char log_text[] = "nvrtc: error: failed to open libnvrtc-builtins.so.13.0.";
int nvrtcVersion(int* major, int* minor) { *major = MAJOR; *minor = 0; return 0; }
int nvrtcCreateProgram(void** p, const char* s, const char* n, int c, const char* const* h, const char* const* i) { *p = malloc(1); return 0; }
int nvrtcCompileProgram(void* p, int n, const char* const* options) { return COMPILE; }
int nvrtcDestroyProgram(void** p) { free(*p); return 0; }
int nvrtcGetProgramLogSize(void* p, size_t* n) { *n = sizeof log_text; return 0; }
int nvrtcGetProgramLog(void* p, char* to) { memcpy(to, log_text, sizeof log_text); return 0; }
int nvrtcGetCUBINSize(void* p, size_t* n) { *n = 4; return 0; }
#ifndef NO_CUBIN
int nvrtcGetCUBIN(void* p, char* to) { memcpy(to, "\177ELF", 4); return 0; }
#endif
"#;

/// The first images of the first module that is loaded: for the GPU, and PTX.
const REFUSED: &str = "cuModuleLoadData:1,cuModuleLoadData:2";

struct Host {
    directory: TempDir,
}

impl Host {
    /// With an NVRTC that is compiled with `flags`.
    fn new(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("nvrtc.c");
        std::fs::write(&source, WHOLE).unwrap();
        let compiled = Command::new("cc")
            .args(["-w", "-shared", "-fPIC", "-Wl,-soname,libnvrtc.so"])
            .args(flags)
            .arg("-o")
            .arg(directory.path().join("libnvrtc.so"))
            .arg(&source)
            .status()
            .expect("a C compiler: the emulator needs one, too");
        assert!(compiled.success());
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs gradus, whose kernels are to be kept in `cache`.
    fn run(&self, cache: &Path, arguments: &[&str]) -> Finished {
        let shim = gradus_shim::library_dir().display();
        let libraries = format!("{shim}:{}", self.path().display());
        let mut command = command();
        command
            .env("LD_LIBRARY_PATH", libraries)
            .env("GRADUS_SHIM_FAIL", REFUSED)
            .env("XDG_CACHE_HOME", cache)
            .env("GRADUS_SHIM_LOST", "0:40")
            .args(arguments);
        finish(&mut command)
    }

    /// The notes of an evaluation of the example. It ends soon, for the device is lost: notes do not wait for a result.
    #[track_caller]
    fn notes(&self, cache: &Path) -> Vec<String> {
        let done = self.run(cache, &["eval", "--device", "cuda:0"]);
        done.complains(1, &["GPU 0 is lost"]);
        let events = done.events().into_iter();
        events
            .filter(|event| event["event"] == "note")
            .map(|event| event["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn kernels_compiled_on_the_host_are_a_note_and_so_is_a_cache_that_takes_none() {
    let host = Host::new(&[]);
    let kept = host.path().join("cache");
    let notes = host.notes(&kept);
    assert_eq!(notes.len(), 1, "{notes:?}");
    for text in ["compiled here", "NVRTC 13.0", "libnvrtc.so", "sm_90a"] {
        assert!(notes[0].contains(text), "{text}: {notes:?}");
    }
    let kernel = || {
        let folder = std::fs::read_dir(kept.join("gradus/kernels")).unwrap();
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    };
    let sound = std::fs::read(kernel()).unwrap();
    std::fs::write(kernel(), &sound[1..]).unwrap();
    let notes = host.notes(&kept);
    assert!(
        notes.len() == 2 && notes[1].contains("is damaged"),
        "{notes:?}"
    );
    assert_eq!(std::fs::read(kernel()).unwrap(), sound, "made again");
    // A folder below a file: nobody can write there, root neither.
    let notes = host.notes(&host.path().join("nvrtc.c"));
    assert!(
        notes.len() == 2 && notes[1].contains("are not kept in"),
        "{notes:?}"
    );
}

#[test]
fn a_bench_says_the_notes_beside_its_result() {
    let host = Host::new(&[]);
    let cache = host.path().join("nvrtc.c");
    let bench = ["bench", "kernels", "--device", "cuda:0", "--tiny"];
    let done = host.run(&cache, &[&bench[..], &["--only", "rms_norm"]].concat());
    let notes: Vec<&str> = done.stderr.lines().collect();
    assert!(
        notes.len() == 2
            && notes[0].starts_with("note: kernels are compiled here")
            && notes[1].contains("are not kept in"),
        "{}",
        done.stderr
    );
    assert!(!done.stdout.contains("note:"), "{}", done.stdout);
}

#[test]
fn an_nvrtc_that_is_old_or_lacks_something_is_named_with_what_to_do() {
    let complains = |flags: &[&str], texts: &[&str]| {
        let host = Host::new(flags);
        let done = host.run(host.path(), &["eval", "--quiet", "--device", "cuda:0"]);
        done.complains(1, texts);
        let library = host.path().join("libnvrtc.so");
        done.complains(1, &[library.to_str().unwrap(), "refuses the image"]);
    };
    complains(
        &["-DMAJOR=11"],
        &["NVRTC 11.0 is too old, 12.0 or newer", "\"help\":\"install"],
    );
    complains(
        &["-DNO_CUBIN"],
        &[
            "NVRTC is incomplete",
            "has no nvrtcGetCUBIN",
            "\"help\":\"install",
        ],
    );
    complains(
        &["-DCOMPILE=7"],
        &[
            "cannot compile",
            "failed to open libnvrtc-builtins.so.13.0",
            "libnvrtc-builtins must be there in the same version, 13.0",
        ],
    );
    complains(&["-DCOMPILE=5"], &["too old for sm_90a"]);
}
