//! CUDA without a GPU: kernels compiled for the CPU, behind the driver's interface, for tests.
//!
//! [`install`] before the first use of a device makes `libcuda.so.1` the emulated one, unless the machine has a driver: the same
//! tests then run on its GPU. `README.md` beside this says what is modelled and which environment variables plan faults.

mod program;

pub use program::compile_program;
use std::path::Path;
use std::sync::Once;

/// Folder of the emulated `libcuda.so.1`, for `LD_LIBRARY_PATH` of other processes.
#[must_use]
pub fn library_dir() -> &'static Path {
    Path::new(env!("GRADUS_SHIM_DIR"))
}

/// Whether [`install`] uses the machine's own driver.
#[must_use]
pub fn uses_real_driver() -> bool {
    std::env::var_os("GRADUS_DEVICE").is_none_or(|device| device != "emulated")
        && Path::new("/proc/driver/nvidia/version").exists()
}

/// Makes the emulated driver the one that this process finds, unless the machine has its own. `GRADUS_DEVICE=emulated` prefers
/// the emulated one in any case.
///
/// # Panics
/// If an emulated library cannot be loaded.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if uses_real_driver() {
            return;
        }
        for name in ["libcuda.so.1", "libcublasLt.so.13"] {
            let path = library_dir().join(name);
            // SAFETY: the library is ours; its initialisers register kernels. Once loaded, its SONAME answers for its name.
            let library = unsafe { libloading::Library::new(&path) }
                .unwrap_or_else(|error| panic!("{} cannot be loaded: {error}", path.display()));
            std::mem::forget(library);
        }
    });
}
