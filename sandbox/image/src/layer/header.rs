//! One header block: its fields, and whether it is one.

use tar::Header;

/// Bytes of a block.
pub(crate) const BLOCK_BYTES: usize = 512;

pub(crate) type Block = [u8; BLOCK_BYTES];

/// A header's fields as they stand, before an extended header changes them.
pub(crate) struct Fields<'a> {
    pub(crate) header: &'a Header,
    pub(crate) flag: u8,
    pub(crate) size: u64,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mode: u32,
    pub(crate) mtime: u64,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(block: &'a Block) -> Result<Fields<'a>, String> {
        let header = Header::from_byte_slice(block);
        check_sum(block, header)?;
        let field = |what: &str, value: std::io::Result<u64>| {
            value.map_err(|_| format!("its {what} is not a number"))
        };
        Ok(Fields {
            header,
            flag: block[156],
            size: field("size", header.entry_size())?,
            uid: field("uid", header.uid())?,
            gid: field("gid", header.gid())?,
            mode: header
                .mode()
                .map_err(|_| "its mode is not a number".to_owned())?,
            mtime: field("time", header.mtime())?,
        })
    }

    pub(crate) fn name(&self) -> Vec<u8> {
        self.header.path_bytes().into_owned()
    }

    pub(crate) fn link_name(&self) -> Vec<u8> {
        self.header
            .link_name_bytes()
            .map_or_else(Vec::new, |name| name.into_owned())
    }
}

/// The sum of a header's bytes with its own field as blanks; some old writers summed signed bytes.
fn check_sum(block: &Block, header: &Header) -> Result<(), String> {
    let declared = header
        .cksum()
        .map_err(|_| "there is no header of an archive".to_owned())?;
    let mut unsigned = 0u32;
    let mut signed = 0i32;
    for (i, &byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&i) { b' ' } else { byte };
        unsigned += u32::from(byte);
        signed += i32::from(byte as i8);
    }
    if declared == unsigned || i64::from(declared) == i64::from(signed) {
        return Ok(());
    }
    Err(format!(
        "a header's checksum is {unsigned}, the header says {declared}"
    ))
}
