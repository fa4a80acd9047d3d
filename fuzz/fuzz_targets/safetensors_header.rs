//! A whole safetensors file. What we accept, the format's reference reader accepts too, with the same tensors.
#![no_main]

use gradus_checkpoint::header::{PREFIX_BYTES, header_len, parse_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Some(prefix) = file.first_chunk::<8>() else {
        return;
    };
    let Ok(len) = header_len(*prefix, file.len() as u64) else {
        return;
    };
    let data_begin = (PREFIX_BYTES + len) as usize;
    let Ok(entries) = parse_header(&file[PREFIX_BYTES as usize..data_begin], file.len() as u64)
    else {
        return;
    };
    let mut end = data_begin as u64;
    for entry in &entries {
        assert_eq!(entry.begin, end, "{entry:?} leaves a gap or overlaps");
        end = entry.end;
    }
    assert_eq!(end, file.len() as u64);
    let theirs = safetensors::SafeTensors::deserialize(file)
        .expect("the reference reader takes what we take");
    assert_eq!(theirs.len(), entries.len());
    for entry in &entries {
        let tensor = theirs.tensor(&entry.name).expect("the same names");
        assert_eq!(tensor.shape(), entry.shape);
        assert_eq!(tensor.data().len() as u64, entry.end - entry.begin);
        if cfg!(feature = "canary") {
            assert!(
                entry.shape.len() != 4 || entry.dtype != gradus_checkpoint::Dtype::BF16,
                "canary"
            );
        }
    }
});
