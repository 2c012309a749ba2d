//! A typical `onMetaData` object, decoded and encoded.

use amf0::{Limits, Object, Value, decode, encode};
use bytes::BytesMut;

fn main() {
    divan::main();
}

fn metadata() -> Value {
    let mut object = Object::new();
    for key in ["duration", "width", "height", "videodatarate", "framerate", "videocodecid"] {
        object.push(key, 25.0);
    }
    for key in ["audiodatarate", "audiosamplerate", "audiosamplesize", "audiocodecid", "filesize"] {
        object.push(key, 44_100.0);
    }
    object.push("stereo", true);
    object.push("encoder", "Lavf60.3.100");
    Value::EcmaArray(object)
}

#[divan::bench]
fn decode_metadata(bencher: divan::Bencher) {
    let mut wire = BytesMut::new();
    if encode(&metadata(), &mut wire).is_err() {
        return;
    }
    let limits = Limits::default();
    bencher.bench(|| decode(divan::black_box(&wire), &limits));
}

#[divan::bench]
fn encode_metadata(bencher: divan::Bencher) {
    let value = metadata();
    let mut out = BytesMut::with_capacity(1024);
    bencher.bench_local(|| {
        out.clear();
        encode(divan::black_box(&value), &mut out)
    });
}
