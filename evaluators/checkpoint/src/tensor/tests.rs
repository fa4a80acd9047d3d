use crate::testing::{file_bytes, llama_config, llama_dir, write};
use crate::{Checkpoint, Dtype, Owner, ReadTensorError};

#[test]
fn rows_come_from_their_place_and_widen_exactly() {
    let dir = llama_dir();
    let model = Checkpoint::open(dir.path()).expect("valid");
    let up = model
        .tensor("model.layers.1.mlp.up_proj.weight")
        .expect("there");
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    up.read_rows_f32(4..6, &mut bytes, &mut values)
        .expect("read");
    assert_eq!(values, [2.0, 2.125, 2.25, 2.375, 2.5, 2.625, 2.75, 2.875]);
    assert_eq!(bytes.len(), 16);
    up.read_rows(6..6, &mut bytes).expect("nothing");
    assert!(bytes.is_empty());
    let error = up.read_rows(5..7, &mut bytes).expect_err("past the end");
    assert!(matches!(error, ReadTensorError::Rows { rows: 6, .. }) && error.owner() == Owner::Bug);
}

#[test]
fn an_open_tensor_reads_any_rows_by_several_threads_and_names_those_that_are_not_there() {
    let dir = llama_dir();
    let model = Checkpoint::open(dir.path()).expect("valid");
    let up = model
        .tensor("model.layers.1.mlp.up_proj.weight")
        .expect("there");
    let mut all = Vec::new();
    up.read_rows(0..6, &mut all).expect("read");
    let reader = up.reader().expect("opened");
    let row = reader.row_bytes();
    std::thread::scope(|scope| {
        for first in 0..5 {
            let (reader, all) = (&reader, &all);
            scope.spawn(move || {
                let mut two = vec![0; 2 * row];
                reader
                    .read_finite(first..first + 2, &mut two)
                    .expect("read");
                assert_eq!(two, all[first * row..(first + 2) * row]);
            });
        }
    });
    let error = reader
        .read_rows(5..7, &mut vec![0; 2 * row])
        .expect_err("past the end");
    assert!(matches!(error, ReadTensorError::Rows { rows: 6, .. }));
}

#[test]
fn each_parameter_type_widens_to_the_value_it_stands_for_and_others_are_refused_by_name() {
    let dir = llama_dir();
    let header = r#"{"f32":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"f16":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},
        "i16":{"dtype":"I16","shape":[2],"data_offsets":[12,16]},"empty":{"dtype":"F32","shape":[1125899906842624,0],"data_offsets":[16,16]}}"#;
    let mut data = [1.5f32.to_le_bytes(), (-1e-40f32).to_le_bytes()].concat();
    data.extend(
        [
            half::f16::from_f32(-65504.0).to_le_bytes(),
            half::f16::from_bits(1).to_le_bytes(),
        ]
        .concat(),
    );
    data.extend([0; 4]);
    write(
        dir.path(),
        &[("model.safetensors", &file_bytes(header, &data))],
    );
    let model = Checkpoint::open(dir.path()).expect("valid");
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    let mut read = |name: &str| {
        let tensor = model.tensor(name).expect("there");
        tensor
            .read_rows_f32(0..tensor.num_rows(), &mut bytes, &mut values)
            .map(|()| values.clone())
    };
    assert_eq!(read("empty").expect("nothing"), [0f32; 0]);
    assert_eq!(read("f32").expect("read"), [1.5, -1e-40]);
    assert_eq!(read("f16").expect("read"), [-65504.0, 2f32.powi(-24)]);
    let error = read("i16").expect_err("an integer");
    assert!(
        matches!(
            error,
            ReadTensorError::Dtype {
                dtype: Dtype::I16,
                ..
            }
        ) && error.owner() == Owner::Submission
    );
    assert!(model.expect_shape("i16", &[2]).is_err());
}

#[test]
fn a_nan_is_refused_with_its_place() {
    let dir = llama_dir();
    let path = dir.path().join("model.safetensors");
    let mut file = std::fs::read(&path).expect("written");
    let end = file.len();
    file[end - 10..end - 8].copy_from_slice(&half::bf16::NAN.to_le_bytes()); // fifth element from the end of lm_head
    std::fs::write(&path, file).expect("written");
    let model = Checkpoint::open(dir.path()).expect("headers are fine");
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    let head = model.tensor("lm_head.weight").expect("there");
    head.read_rows_f32(0..9, &mut bytes, &mut values)
        .expect("before it");
    let error = head
        .read_rows_f32(8..11, &mut bytes, &mut values)
        .expect_err("a NaN");
    let message = error.to_string();
    assert!(
        message.starts_with("lm_head.weight[9, 3] is NaN"),
        "{message}"
    );
    assert_eq!(error.owner(), Owner::Submission);
}

#[test]
fn a_directory_that_vanishes_midway_fails_the_read_and_is_the_hosts_fault() {
    let dir = llama_dir();
    let model = Checkpoint::open(dir.path()).expect("valid");
    let head = model.tensor("lm_head.weight").expect("there").clone();
    let mut bytes = Vec::new();
    head.read_rows(0..1, &mut bytes).expect("still there");
    drop(dir);
    let error = head.read_rows(0..1, &mut bytes).expect_err("gone");
    assert!(matches!(error, ReadTensorError::File { .. }) && error.owner() == Owner::Host);
}

#[test]
fn a_file_cut_off_after_opening_fails_the_read() {
    let dir = llama_dir();
    let model = Checkpoint::open(dir.path()).expect("valid");
    let path = dir.path().join("model.safetensors");
    let file = std::fs::read(&path).expect("written");
    std::fs::write(&path, &file[..file.len() - 1]).expect("written");
    let read = |model: &Checkpoint| {
        let norm = model.tensor("model.norm.weight").expect("there");
        norm.read_rows(0..4, &mut Vec::new())
    };
    let error = read(&model).expect_err("cut off");
    assert_eq!(error.owner(), Owner::Host);
    assert!(Checkpoint::open(dir.path()).is_err());
    let config = llama_config().to_string();
    write(
        dir.path(),
        &[
            ("model.safetensors", &file),
            ("config.json", config.as_bytes()),
        ],
    );
    read(&Checkpoint::open(dir.path()).expect("whole again")).expect("read");
}
