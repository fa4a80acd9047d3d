//! Where a kernel's code comes from.
//!
//! In this order: an image embedded in the program, if it was compiled from the source that is embedded too; NVRTC, cached on
//! disk. Images are for exact architectures, or for the next lower one of the same generation; later generations take PTX, which
//! the driver compiles. The emulator has compiled the kernels itself and takes any image.

use super::cache::Cache;
use super::compile::{self, Compile, CompileError, Nvrtc};
use super::embedded;
use super::error::{Code, DeviceError};
use super::gpu::GpuInfo;
use super::source::{self, SOURCES, Source};
use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::Ptx;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// CUDA version of the driver that images are compiled for.
const DRIVER_NEEDED: u32 = 13000;

static NOTES: Mutex<Notes> = Mutex::new(Notes {
    all: Vec::new(),
    taken: 0,
});

/// What an operator may want to know of kernels loaded until now, e.g. that the cache takes no files. Each is given once, whatever the
/// number of kernels that it is about.
pub fn take_notes() -> Vec<String> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Notes of this process, those that were taken first.
struct Notes {
    all: Vec<String>,
    taken: usize,
}

impl Notes {
    fn add(&mut self, note: String) {
        if !self.all.contains(&note) {
            self.all.push(note);
        }
    }

    fn take(&mut self) -> Vec<String> {
        let new = self.all[self.taken..].to_vec();
        self.taken = self.all.len();
        new
    }
}

/// Loads module `name` for the device.
pub(crate) fn load(
    context: &Arc<CudaContext>,
    info: &GpuInfo,
    name: &'static str,
) -> Result<Arc<CudaModule>, DeviceError> {
    let refused = |reason| DeviceError::Module {
        kernel: format!("module {name}"),
        reason,
    };
    let source = source::find(name).ok_or_else(|| refused(unknown(name)))?;
    let driver = |image: Vec<u8>| context.load_module(Ptx::from_binary(image));
    let failed = |error| DeviceError::call(format!("loading module {name}"), info.ordinal, error);
    // An image that the driver does not take is no reason to give up: another may do.
    let (mut reasons, mut refused_by_driver) = (Vec::new(), false);
    for arch in architectures(info.capability, source.is_hopper()) {
        match embedded::image(arch, name) {
            Ok(Some(image)) if image.source == source.hash => {
                // PTX is a string and ends with NUL.
                let bytes = [image.bytes, &[0]].concat();
                match driver(bytes) {
                    Ok(module) => return Ok(module),
                    Err(error) if is_refusal(error.0) => {
                        refused_by_driver = true;
                        reasons.push(format!(
                            "the driver refuses the image for {arch}: {}{}",
                            Code(error.0),
                            too_old(info.driver_version)
                        ));
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
            Ok(Some(_)) => reasons.push(format!(
                "the image for {arch} is of another version of {}: run kernels/cubins/build.py and build again",
                source.path
            )),
            Ok(None) => reasons.push(format!("the program has no image for {arch}")),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    // The emulator needs no image; where a test lets it refuse one, it is as good as a driver that does.
    if is_emulated(info) && !refused_by_driver {
        return driver(b"\x7fELF".to_vec()).map_err(failed);
    }
    if source.is_hopper() && info.capability != (9, 0) {
        return Err(refused(format!(
            "it is for compute capability 9.0, {} has {}.{}",
            info.name, info.capability.0, info.capability.1
        )));
    }
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(error) => {
            reasons.push(error.to_string());
            return Err(refused(reasons.join("\n")));
        }
    };
    let why = reasons.join("; ").replace('\n', "; ");
    let mut notes = vec![format!("kernels are compiled here, by {nvrtc}: {why}")];
    let cache = Cache::of_user();
    let image = compiled(source, info.capability, &nvrtc, &cache, &mut notes);
    let mut told = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.into_iter().for_each(|note| told.add(note));
    drop(told);
    let image = image.map_err(|error| {
        reasons.push(error.to_string());
        refused(reasons.join("\n"))
    })?;
    driver(image).map_err(|error| {
        if is_refusal(error.0) {
            let (code, old) = (Code(error.0), too_old(info.driver_version));
            refused(format!(
                "the driver refuses what {nvrtc} compiled: {code}{old}"
            ))
        } else {
            failed(error)
        }
    })
}

/// Architectures whose embedded images may run, best first.
fn architectures(capability: (u32, u32), hopper: bool) -> &'static [&'static str] {
    match (capability, hopper) {
        ((9, 0), true) => &["sm_90a"],
        (_, true) => &[],
        ((8, 0..=5), _) => &["sm_80", "compute_80"],
        ((8, _), _) => &["sm_86", "compute_80"],
        ((9, 0), _) => &["sm_90a", "compute_80"],
        _ => &["compute_80"],
    }
}

/// A cubin by the compiler, or from the cache.
fn compiled(
    source: &Source,
    (major, minor): (u32, u32),
    compiler: &dyn Compile,
    cache: &Cache,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, CompileError> {
    let accelerated = if (major, minor) == (9, 0) { "a" } else { "" };
    let arch = format!("sm_{major}{minor}{accelerated}");
    let version = compiler.version();
    let key = format!("{:?} {} {arch} {version:?}", source.hash, compile::FLAG);
    let key = Sha256::digest(key.as_bytes()).into();
    cache.get(&key, notes, || compiler.compile(source, &arch))
}

/// Errors about the image, not about the device.
fn is_refusal(code: CUresult) -> bool {
    use CUresult as E;
    matches!(
        code,
        E::CUDA_ERROR_INVALID_IMAGE
            | E::CUDA_ERROR_NO_BINARY_FOR_GPU
            | E::CUDA_ERROR_INVALID_PTX
            | E::CUDA_ERROR_UNSUPPORTED_PTX_VERSION
            | E::CUDA_ERROR_JIT_COMPILER_NOT_FOUND
            | E::CUDA_ERROR_INVALID_SOURCE
    )
}

/// What to do if the driver is older than the images.
fn too_old(version: u32) -> String {
    if version == 0 || version >= DRIVER_NEEDED {
        return String::new();
    }
    let text = |v: u32| format!("{}.{}", v / 1000, v % 1000 / 10);
    format!(
        "; it is for CUDA {}, the images need {}\nhelp: update the NVIDIA driver to 580 or newer",
        text(version),
        text(DRIVER_NEEDED)
    )
}

/// Whether the driver is the emulator, which says so in the devices' names.
fn is_emulated(info: &GpuInfo) -> bool {
    info.name.starts_with("Emulated sm_")
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = SOURCES.iter().map(|source| source.name).collect();
    format!("there is no module {name}; there are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Notes what it is asked for.
    #[derive(Default)]
    struct Stand(RefCell<Vec<String>>);

    impl Compile for Stand {
        fn version(&self) -> (i32, i32) {
            (13, 0)
        }
        fn compile(&self, source: &Source, arch: &str) -> Result<Vec<u8>, CompileError> {
            self.0.borrow_mut().push(format!("{} {arch}", source.name));
            Ok(arch.as_bytes().to_vec())
        }
    }

    #[test]
    fn a_gpu_takes_its_own_image_or_the_next_lower_one_or_ptx() {
        let first = |capability| architectures(capability, false)[0];
        for (capability, arch) in [
            ((8, 0), "sm_80"),
            ((8, 6), "sm_86"),
            ((8, 7), "sm_86"),
            ((8, 9), "sm_86"),
            ((9, 0), "sm_90a"),
            ((10, 0), "compute_80"),
            ((12, 0), "compute_80"),
        ] {
            assert_eq!(first(capability), arch, "{capability:?}");
        }
        assert_eq!(architectures((9, 0), true), ["sm_90a"]);
        assert!(architectures((10, 0), true).is_empty());
    }

    #[test]
    fn what_was_compiled_for_one_architecture_is_not_given_to_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache(Some(folder.path().to_owned()));
        let (stand, source) = (
            Stand::default(),
            source::find("rms_norm").expect("a module"),
        );
        let get = |capability| {
            let image = compiled(source, capability, &stand, &cache, &mut Vec::new());
            String::from_utf8(image.expect("compiles")).expect("text")
        };
        assert_eq!(get((8, 6)), "sm_86");
        assert_eq!(get((9, 0)), "sm_90a");
        assert_eq!(get((8, 6)), "sm_86");
        assert_eq!(*stand.0.borrow(), ["rms_norm sm_86", "rms_norm sm_90a"]);
    }

    #[test]
    fn a_note_is_given_once_however_often_it_is_made() {
        let (all, taken) = (Vec::new(), 0);
        let mut notes = Notes { all, taken };
        notes.add("a".into());
        notes.add("a".into());
        assert_eq!(notes.take(), ["a"]);
        notes.add("a".into());
        notes.add("b".into());
        assert_eq!(notes.take(), ["b"]);
        assert!(notes.take().is_empty());
    }

    #[test]
    fn an_old_driver_is_told_which_version_is_needed() {
        let text = too_old(12040);
        assert!(
            text.contains("CUDA 12.4") && text.contains("13.0") && text.contains("580"),
            "{text}"
        );
        assert_eq!(too_old(13000), "");
    }

    #[test]
    fn an_unknown_module_is_refused_with_those_that_there_are() {
        let text = unknown("nonsense");
        assert!(
            text.contains("nonsense") && text.contains("rms_norm"),
            "{text}"
        );
    }
}
