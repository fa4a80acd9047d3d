//! Loop devices: a file as a block device, for as long as something is mounted from it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::checked;

const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_DIRECT_IO: u32 = 16;

/// `struct loop_config` of the kernel's `linux/loop.h`, with `struct loop_info64` in it.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    /// device, inode, rdevice, offset, size limit: all 0 for the whole file
    place: [u64; 5],
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    /// file name, crypt name, key: for people and for nobody
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

const _: () = assert!(
    size_of::<LoopConfig>() == 304,
    "the kernel's struct loop_config"
);

/// A loop device over `file`, and its path. It is given back when the last mount and descriptor of it is gone.
pub(crate) fn loop_device(file: BorrowedFd<'_>) -> io::Result<(File, String)> {
    let control = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/loop-control")?;
    loop {
        // SAFETY: this command takes no argument.
        let number =
            checked(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) }.into())?;
        let path = format!("/dev/loop{number}");
        let device = OpenOptions::new().read(true).write(true).open(&path)?;
        match configure(
            device.as_fd(),
            file,
            LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
        ) {
            Ok(()) => return Ok((device, path)),
            // Another process was quicker.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            // The file system under the image cannot bypass its cache.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                configure(device.as_fd(), file, LO_FLAGS_AUTOCLEAR)?;
                return Ok((device, path));
            }
            Err(error) => return Err(error),
        }
    }
}

fn configure(device: BorrowedFd<'_>, file: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
    let config = LoopConfig {
        fd: file.as_raw_fd() as u32,
        block_size: 0,
        place: [0; 5],
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags,
        names: [0; 160],
        init: [0; 2],
        reserved: [0; 8],
    };
    // SAFETY: both descriptors are open, and `config` has the layout and size that this command reads.
    checked(
        unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) }.into(),
    )
    .map(drop)
}
