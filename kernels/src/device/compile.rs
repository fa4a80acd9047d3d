//! Compiles a kernel on this host by NVRTC, where no embedded image fits. Headers come from the program: no include path.

use super::source::Source;
use cudarc::nvrtc::result::{self, NvrtcError};
use cudarc::nvrtc::sys;
use std::ffi::{CString, c_char};
use std::fmt;
use std::ptr;
use thiserror::Error;

/// What images are compiled with; `kernels/cubins/build.py` gives nvcc the same language.
pub(super) const FLAG: &str = "--std=c++17";

/// NVRTC has neither `offsetof` nor the builtin behind it.
const OFFSETOF: &str = "--define-macro=offsetof(t,m)=((size_t)__INTADDR__(&(((t*)0)->m)))";

/// Why a kernel was not compiled.
#[derive(Debug, Error)]
pub(super) enum CompileError {
    /// No library.
    #[error(
        "there is no NVRTC: libnvrtc.so cannot be loaded\nhelp: install the CUDA toolkit's nvrtc package, or put its folder into LD_LIBRARY_PATH"
    )]
    Missing,
    /// The library is not what it should be.
    #[error(
        "NVRTC is incomplete: {library} has no {symbol}\nhelp: install the CUDA toolkit's nvrtc package anew, {} or newer, or put another one's folder into LD_LIBRARY_PATH",
        text(NEEDED)
    )]
    Incomplete {
        /// The library's file.
        library: String,
        /// Function that it lacks.
        symbol: &'static str,
    },
    /// The library is from before the kernels.
    #[error(
        "NVRTC {} is too old, {} or newer is needed: {library}\nhelp: install a newer CUDA toolkit's nvrtc package, or put its folder into LD_LIBRARY_PATH", text(*.version), text(NEEDED)
    )]
    TooOld {
        /// The library's file.
        library: String,
        /// Its version.
        version: (i32, i32),
    },
    /// NVRTC failed by itself.
    #[error("NVRTC {} ({library}) cannot {op}: {code}{log}\nhelp: {}", text(*.version), help(*.code, *.version, .arch))]
    Call {
        /// What it was to do.
        op: &'static str,
        /// The library's file.
        library: String,
        /// Its version.
        version: (i32, i32),
        /// What it says.
        code: NvrtcError,
        /// Behind it, on its own lines.
        log: String,
        /// Architecture asked for.
        arch: String,
    },
    /// The source is wrong.
    #[error("{path} does not compile for {arch}:\n{log}")]
    Source {
        /// The file.
        path: &'static str,
        /// Architecture asked for.
        arch: String,
        /// The compiler's words, with the lines.
        log: String,
    },
}

/// The oldest version that knows every architecture that has images.
const NEEDED: (i32, i32) = (12, 0);

fn text((major, minor): (i32, i32)) -> String {
    format!("{major}.{minor}")
}

/// What to do about an error of a call.
fn help(code: NvrtcError, version: (i32, i32), arch: &str) -> String {
    match code.0 {
        sys::nvrtcResult::NVRTC_ERROR_BUILTIN_OPERATION_FAILURE => format!(
            "libnvrtc-builtins must be there in the same version, {}: install the toolkit's nvrtc package anew",
            text(version)
        ),
        sys::nvrtcResult::NVRTC_ERROR_INVALID_OPTION => {
            format!("it may be too old for {arch}: install a newer CUDA toolkit's nvrtc package")
        }
        _ => format!("libnvrtc and libnvrtc-builtins must be of one version, and know {arch}"),
    }
}

/// Compiles for an architecture; tests put something else in its place.
pub(super) trait Compile {
    /// Major and minor version.
    fn version(&self) -> (i32, i32);
    /// A cubin for `arch`, e.g. `sm_86`.
    fn compile(&self, source: &Source, arch: &str) -> Result<Vec<u8>, CompileError>;
}

/// A loaded NVRTC that has all that is called.
#[derive(Debug)]
pub(super) struct Nvrtc {
    version: (i32, i32),
    library: String,
}

/// All functions called here. cudarc panics at the call of one that is missing, so they are looked up first.
const SYMBOLS: [&str; 8] = [
    "nvrtcVersion",
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcDestroyProgram",
    "nvrtcGetCUBINSize",
    "nvrtcGetCUBIN",
    "nvrtcGetProgramLogSize",
    "nvrtcGetProgramLog",
];

impl Nvrtc {
    /// The host's.
    pub(super) fn find() -> Result<Self, CompileError> {
        // SAFETY: opening a library runs its initialisers; this is NVIDIA's compiler.
        if !unsafe { sys::is_culib_present() } {
            return Err(CompileError::Missing);
        }
        for symbol in SYMBOLS {
            // SAFETY: the address is only compared with nothing, never called at this type.
            let found = unsafe { sys::culib().get::<unsafe extern "C" fn()>(symbol.as_bytes()) };
            if found.is_err() {
                let library = loaded();
                return Err(CompileError::Incomplete { library, symbol });
            }
        }
        let library = loaded();
        let (mut major, mut minor) = (0, 0);
        // SAFETY: writes two integers.
        let code = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
        let version = (major, minor);
        if let Err(code) = code.result() {
            return Err(CompileError::Call {
                op: "say its version",
                library,
                version,
                code,
                log: String::new(),
                arch: "this GPU".into(),
            });
        }
        if version < NEEDED {
            return Err(CompileError::TooOld { library, version });
        }
        Ok(Self { version, library })
    }
}

/// The loaded library's file; its name where the system does not say.
fn loaded() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let path = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| path.contains("/libnvrtc") && !path.contains("builtins"));
    path.unwrap_or("libnvrtc.so").to_owned()
}

impl fmt::Display for Nvrtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NVRTC {} ({})", text(self.version), self.library)
    }
}

/// Destroys what it holds.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by nvrtcCreateProgram, destroyed once. A failure leaks memory, nothing else.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

impl Compile for Nvrtc {
    fn version(&self) -> (i32, i32) {
        self.version
    }

    fn compile(&self, source: &Source, arch: &str) -> Result<Vec<u8>, CompileError> {
        let failed = |op, log| {
            move |code| CompileError::Call {
                op,
                library: self.library.clone(),
                version: self.version,
                code,
                log,
                arch: arch.to_owned(),
            }
        };
        let c = |text: &str| CString::new(text).expect("sources and options have no NUL");
        let (text, path) = (c(source.text), c(source.path));
        let (names, texts): (Vec<_>, Vec<_>) = source
            .headers()
            .map(|(name, text)| (c(name), c(text)))
            .unzip();
        let pointers = |all: &[CString]| all.iter().map(|t| t.as_ptr()).collect::<Vec<_>>();
        let (names_at, texts_at) = (pointers(&names), pointers(&texts));
        let mut program = ptr::null_mut();
        // SAFETY: all strings outlive the program, which is dropped first; the two arrays are equally long.
        let code = unsafe {
            sys::nvrtcCreateProgram(
                &raw mut program,
                text.as_ptr(),
                path.as_ptr(),
                names.len() as i32,
                texts_at.as_ptr(),
                names_at.as_ptr(),
            )
        };
        code.result()
            .map_err(failed("take the source", String::new()))?;
        let program = Program(program);
        let mut options = vec![format!("--gpu-architecture={arch}")];
        options.push(FLAG.to_owned());
        options.push(OFFSETOF.to_owned());
        // SAFETY: the program is alive.
        if let Err(code) = unsafe { result::compile_program(program.0, &options) } {
            // SAFETY: the program is alive.
            let log = unsafe { result::get_program_log(program.0) }.unwrap_or_default();
            let log: Vec<u8> = log.iter().map(|&c: &c_char| c as u8).collect();
            let log = String::from_utf8_lossy(&log)
                .trim_end_matches('\0')
                .trim_end()
                .to_owned();
            if code.0 == sys::nvrtcResult::NVRTC_ERROR_COMPILATION {
                let (path, arch) = (source.path, arch.to_owned());
                return Err(CompileError::Source { path, arch, log });
            }
            return Err(failed("compile", format!("\n{log}"))(code));
        }
        let mut size = 0;
        // SAFETY: the program is alive and compiled.
        unsafe { sys::nvrtcGetCUBINSize(program.0, &raw mut size) }
            .result()
            .map_err(failed("give the image", String::new()))?;
        let mut image = vec![0u8; size];
        // SAFETY: the buffer has the size that was asked for.
        unsafe { sys::nvrtcGetCUBIN(program.0, image.as_mut_ptr().cast()) }
            .result()
            .map_err(failed("give the image", String::new()))?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::SOURCES;
    use super::*;

    fn nvrtc() -> Option<Nvrtc> {
        match Nvrtc::find() {
            Ok(nvrtc) => Some(nvrtc),
            Err(error) if std::env::var_os("GRADUS_REQUIRE_NVRTC").is_none() => {
                println!("SKIPPED: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn nvrtc_compiles_every_kernel_from_the_embedded_sources() {
        let Some(nvrtc) = nvrtc() else { return };
        for source in SOURCES {
            let archs: &[&str] = if source.is_hopper() {
                &["sm_90a"]
            } else {
                &["sm_80", "sm_90a"]
            };
            for arch in archs {
                let image = nvrtc
                    .compile(source, arch)
                    .unwrap_or_else(|e| panic!("{e}"));
                assert!(image.starts_with(b"\x7fELF"), "{} for {arch}", source.name);
            }
        }
    }

    #[test]
    fn an_error_of_the_source_names_file_and_line() {
        let Some(nvrtc) = nvrtc() else { return };
        let source = Source {
            name: "broken",
            path: "src/broken/kernel.cu",
            text: "extern \"C\" __global__ void f() {\n  int x = missing_name;\n}\n",
            includes: &[],
            hash: [0; 32],
        };
        let error = nvrtc
            .compile(&source, "sm_80")
            .expect_err("broken")
            .to_string();
        assert!(
            error.contains("src/broken/kernel.cu(2)") && error.contains("missing_name"),
            "{error}"
        );
        let unknown = nvrtc
            .compile(&source, "sm_1")
            .expect_err("no such architecture");
        assert!(matches!(unknown, CompileError::Call { .. }), "{unknown}");
    }
}
