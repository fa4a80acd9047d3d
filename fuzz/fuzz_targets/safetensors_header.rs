//! A safetensors file: two bytes say how many bytes of data it has, the rest is its header. The length in front is made to fit,
//! else hardly any input would get past it; what it says when it lies is tried on the same bytes.
//!
//! What we accept, the format's reference reader accepts too, with the same tensors.
#![no_main]

use gradus_checkpoint::header::{header_len, parse_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(prefix) = input.first_chunk::<8>()
        && let Ok(len) = header_len(*prefix, input.len() as u64)
    {
        assert!(len + 8 <= input.len() as u64);
        let _ = parse_header(&input[8..8 + len as usize], input.len() as u64);
    }
    let Some((data, header)) = input.split_first_chunk::<2>() else {
        return;
    };
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    let data_begin = file.len();
    file.resize(data_begin + usize::from(u16::from_le_bytes(*data)), 0);
    let Ok(entries) = parse_header(header, file.len() as u64) else {
        return;
    };
    let mut end = data_begin as u64;
    for entry in &entries {
        assert_eq!(entry.begin, end, "{entry:?} leaves a gap or overlaps");
        end = entry.end;
    }
    assert_eq!(end, file.len() as u64);
    let theirs =
        safetensors::SafeTensors::deserialize(&file).expect("the reference takes what we take");
    assert_eq!(theirs.len(), entries.len());
    for entry in &entries {
        let tensor = theirs.tensor(&entry.name).expect("the same names");
        assert_eq!(tensor.shape(), entry.shape);
        assert_eq!(tensor.data().len() as u64, entry.end - entry.begin);
        if cfg!(feature = "canary") {
            assert!(entry.shape.len() != 3, "canary");
        }
    }
});
