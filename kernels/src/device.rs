//! GPUs: contexts, streams, memory, launches. Nothing here knows an operation; a family's `device.rs` does.
//!
//! The CUDA driver is loaded at run time, so that one program runs on hosts with and without a GPU.
//!
//! | module | is about |
//! |---|---|
//! | [`gpu`] | a device: opened, named, measured |
//! | [`stream`] | ordered work: copies, launches, events, graphs |
//! | [`buffer`] | device memory and views of it |
//! | [`rows`] | matrices in device memory: rows at a stride |
//! | [`pinned`] | host memory that copies without staging |
//! | [`ring`] | weights on their way while the device computes |
//! | [`module`] | where a kernel's code comes from |
//! | [`tensor_map`] | matrices as Hopper loads them |
//! | [`error`] | what can fail, and whether the device is lost |
//!
//! **Order.** Work on one [`Stream`] runs in the order in which it was given, and memory is freed in the order of the stream
//! that it was allocated on. Whoever uses a buffer on a second stream orders the two with [`Stream::wait`].
//!
//! **Lost devices.** An error that poisons the context (an illegal access, an uncorrectable memory error, a GPU that fell off
//! the bus) makes every later call fail: [`DeviceError::is_lost`] says so, and whoever drives the device gives its work to another.

pub mod buffer;
mod cache;
pub(crate) mod check;
mod compile;
mod embedded;
pub mod error;
pub mod gpu;
pub mod module;
pub mod pinned;
pub mod ring;
pub mod rows;
mod source;
pub mod stream;
pub mod tensor_map;

pub use buffer::{DeviceBuffer, DeviceView, DeviceViewMut};
pub use cudarc::driver::DeviceRepr as DeviceParams;
pub use error::DeviceError;
pub use gpu::{Gpu, GpuInfo};
pub use pinned::Pinned;
pub use ring::{Sent, Staged, Staging, UploadRing};
pub use rows::{DeviceRows, DeviceRowsMut, aligned_stride};
pub use stream::{Event, Graph, Grid, KernelName, Stream};
