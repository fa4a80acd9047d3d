//! What this machine has, and what this process may use of it.
//!
//! Everything is read from text files under a root that tests replace; what a system does not tell stays `None`.

mod cpu;
mod disk;
mod gpu;
mod memory;

pub use cpu::Cpu;
pub use disk::free_space;
pub use gpu::Gpu;
pub use memory::Memory;

/// Of the memory that is available, this share is what an evaluation plans with unless told otherwise.
pub const DEFAULT_MEMORY_SHARE: f64 = 0.6;

/// What an evaluation plans with if nobody can say how much memory there is.
pub const FALLBACK_MEMORY: u64 = 2 << 30;

/// The default of `--memory`.
pub fn default_memory(memory: &Memory) -> u64 {
    match memory.available {
        Some(available) => (available as f64 * DEFAULT_MEMORY_SHARE) as u64,
        None => FALLBACK_MEMORY,
    }
}
