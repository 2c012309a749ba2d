//! AMF3 by literal bytes, alone and inside AMF0, and what hostile input can do.

use amf0::amf3::{self, DecodeError, decode_all};
use amf0::{Limits, Object, Value};
use proptest::{collection::vec, prelude::*};

fn all(input: &[u8]) -> Result<Vec<Value>, DecodeError> {
    decode_all(input, &Limits::default())
}

fn one(input: &[u8]) -> Result<Value, DecodeError> {
    let (value, used) = amf3::decode(input, &Limits::default())?;
    assert_eq!(used, input.len());
    Ok(value)
}

fn numbers(numbers: &[f64]) -> Value {
    Value::StrictArray(numbers.iter().copied().map(Value::Number).collect())
}

#[test]
fn plain_markers() {
    assert_eq!(one(&[0]), Ok(Value::Undefined));
    assert_eq!(one(&[1]), Ok(Value::Null));
    assert_eq!(one(&[2]), Ok(Value::Boolean(false)));
    assert_eq!(one(&[3]), Ok(Value::Boolean(true)));
    assert_eq!(one(&[5, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), Ok(Value::Number(1.5)));
    assert_eq!(one(b"\x06\x09live"), Ok(Value::from("live")));
    assert_eq!(one(&[6, 1]), Ok(Value::from("")));
    assert_eq!(one(b"\x07\x09<a/>"), Ok(Value::XmlDocument("<a/>".into())));
    assert_eq!(one(b"\x0b\x09<a/>"), Ok(Value::XmlDocument("<a/>".into())));
    let date = Value::Date { millis: 1.5, timezone: 0 };
    assert_eq!(one(&[8, 1, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), Ok(date));
    assert_eq!(one(&[0x0c, 7, 1, 2, 3]), Ok(Value::ByteArray(vec![1, 2, 3])));
    for marker in [0x12, 0x7f, 0xff] {
        assert_eq!(one(&[marker]), Err(DecodeError::UnknownMarker { marker, at: 0 }));
    }
}

#[test]
fn integers_have_29_bits_and_a_sign() {
    for (bytes, number) in [
        (&[0x00][..], 0.0),
        (&[0x7f], 127.0),
        (&[0x81, 0x00], 128.0),
        (&[0xff, 0x7f], 16_383.0),
        (&[0x81, 0x80, 0x00], 16_384.0),
        (&[0xff, 0xff, 0x7f], 2_097_151.0),
        (&[0x80, 0xc0, 0x80, 0x00], 2_097_152.0),
        (&[0xbf, 0xff, 0xff, 0xff], 268_435_455.0),
        (&[0xc0, 0x80, 0x80, 0x00], -268_435_456.0),
        (&[0xff, 0xff, 0xff, 0xff], -1.0),
    ] {
        assert_eq!(one(&[&[4], bytes].concat()), Ok(Value::Number(number)));
    }
}

#[test]
fn arrays_dense_and_associative() {
    assert_eq!(one(&[9, 5, 1, 4, 1, 4, 2]), Ok(numbers(&[1.0, 2.0])));
    let mixed = Object::from([("a", Value::Null), ("0", true.into())]);
    assert_eq!(one(b"\x09\x03\x03a\x01\x01\x03"), Ok(Value::EcmaArray(mixed)));
    let named = Object::from([("a", 7.0)]);
    assert_eq!(one(b"\x09\x01\x03a\x04\x07\x01"), Ok(Value::EcmaArray(named)));
}

#[test]
fn objects_of_all_kinds() {
    // Anonymous and dynamic, as `{app: "live"}` is sent.
    let app = Value::from(Object::from([("app", "live")]));
    assert_eq!(one(b"\x0a\x0b\x01\x07app\x06\x09live\x01"), Ok(app));
    // Two sealed members, then a dynamic one.
    let properties = Object::from([("a", 1.0), ("b", 2.0), ("c", 3.0)]);
    let typed = Value::TypedObject { class: "C".into(), properties };
    assert_eq!(one(b"\x0a\x2b\x03C\x03a\x03b\x04\x01\x04\x02\x03c\x04\x03\x01"), Ok(typed));
    // The second of a class names it by reference.
    let point =
        |x: f64| Value::TypedObject { class: "P".into(), properties: Object::from([("x", x)]) };
    assert_eq!(
        all(b"\x0a\x13\x03P\x03x\x04\x05\x0a\x01\x04\x06"),
        Ok(vec![point(5.0), point(6.0)])
    );
    let class = "flex.C".to_owned();
    assert_eq!(
        one(b"\x0a\x07\x0dflex.C\x01\x02\x03"),
        Err(DecodeError::Externalizable { class, at: 0 })
    );
}

#[test]
fn vectors_and_dictionaries() {
    assert_eq!(one(&[0x0d, 5, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]), Ok(numbers(&[1.0, -1.0])));
    assert_eq!(one(&[0x0e, 3, 1, 0xff, 0xff, 0xff, 0xff]), Ok(numbers(&[4_294_967_295.0])));
    assert_eq!(one(&[0x0f, 3, 0, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), Ok(numbers(&[1.5])));
    let texts = Value::StrictArray(vec!["a".into(), "a".into()]);
    assert_eq!(one(b"\x10\x05\x00\x0dString\x06\x03a\x06\x02"), Ok(texts));
    let entries = Object::from([("a", Value::Null), ("7", true.into()), ("true", 1.0.into())]);
    assert_eq!(
        one(b"\x11\x07\x00\x06\x03a\x01\x04\x07\x03\x03\x04\x01"),
        Ok(Value::EcmaArray(entries))
    );
    assert_eq!(one(&[0x11, 3, 0, 1, 1]), Err(DecodeError::UnsupportedKey { at: 0 }));
}

#[test]
fn references_are_copies() {
    // Strings: the empty one is not counted.
    let texts = vec!["".into(), "ab".into(), "c".into(), "ab".into(), "c".into()];
    assert_eq!(all(b"\x06\x01\x06\x05ab\x06\x03c\x06\x00\x06\x02"), Ok(texts));
    // An array with a date, then both again.
    let date = || Value::Date { millis: 0.0, timezone: 0 };
    let array = || Value::StrictArray(vec![date()]);
    let input = [&[9, 3, 1, 8, 1][..], &[0; 8], &[9, 0, 8, 2]].concat();
    assert_eq!(all(&input), Ok(vec![array(), array(), date()]));
    // What is read again is not counted again: the string and the class after it keep their numbers.
    let object = || Value::from(Object::from([("k", "v")]));
    let input = b"\x0a\x0b\x01\x03k\x06\x03v\x01\x0a\x00\x06\x03z\x06\x04\x0a\x01\x00\x06\x02\x01";
    assert_eq!(all(input), Ok(vec![object(), object(), "z".into(), "z".into(), object()]));
}

#[test]
fn references_to_nothing_and_to_oneself() {
    let unknown = |what, at| Err(DecodeError::UnknownReference { what, index: 1, count: 0, at });
    assert_eq!(one(&[6, 2]), unknown("string", 1));
    assert_eq!(one(&[9, 2]), unknown("object", 0));
    let index = 1;
    let class = DecodeError::UnknownReference { what: "class", index, count: 0, at: 0 };
    assert_eq!(one(&[0x0a, 5]), Err(class));
    assert_eq!(one(&[9, 3, 1, 9, 0]), Err(DecodeError::Circular { index: 0, at: 3 }));
}

#[test]
fn nesting_counts_and_lengths_that_lie() {
    let deep = [9, 3, 1].repeat(10_000);
    assert_eq!(one(&deep), Err(DecodeError::TooDeep { at: 96, limit: 32 }));
    assert_eq!(
        one(&[9, 0xff, 0xff, 0xff, 0xff, 1]),
        Err(DecodeError::Truncated { at: 6, needed: 1 })
    );
    for marker in [6, 7, 0x0b, 0x0c] {
        let needed = 0x0fff_ffff;
        assert_eq!(
            one(&[marker, 0xff, 0xff, 0xff, 0xff]),
            Err(DecodeError::Truncated { at: 5, needed })
        );
    }
    let limits = Limits { bytes: 3, ..Limits::default() };
    assert_eq!(amf3::decode(&[1; 4], &limits), Err(DecodeError::TooLong { len: 4, limit: 3 }));
    let limits = Limits { values: 3, ..Limits::default() };
    assert_eq!(decode_all(&[1; 4], &limits), Err(DecodeError::TooManyValues { at: 3, limit: 3 }));
    let ints = [&[0x0d, 7, 0][..], &[0; 12]].concat();
    let too_many = DecodeError::TooManyValues { at: 11, limit: 3 };
    assert_eq!(amf3::decode(&ints, &limits), Err(too_many));
}

#[test]
fn a_few_bytes_do_not_become_a_gigabyte() {
    // Each array has the one before ten times: 10^8 values in 200 bytes.
    let mut input = vec![9, 1, 1];
    for index in 0..9 {
        input.extend([9, 21, 1]);
        input.extend([9, index * 2].repeat(10));
    }
    assert!(matches!(all(&input), Err(DecodeError::TooManyValues { limit: 16_384, .. })));
    // A long text, a thousand times.
    let mut input = vec![6, 0x87, 0xa1, 0x01];
    input.extend(vec![b'x'; (0x7 << 14 | 0x21 << 7 | 1) >> 1]);
    input.extend([6, 0].repeat(1000));
    let limit = Limits::default().bytes;
    assert!(matches!(all(&input), Err(DecodeError::TooMuchText { limit: l, .. }) if l == limit));
}

#[test]
fn amf0_switches_for_one_value() {
    // A name, an object in AMF3 that refers to a string of the object before, a number.
    let input =
        b"\x02\x00\x01x\x11\x0a\x0b\x01\x03a\x06\x03b\x01\x11\x06\x02\x00\x3f\xf0\0\0\0\0\0\0";
    let limits = Limits::default();
    let mut decoder = amf0::Decoder::new(input, &limits).unwrap();
    let mut values = Vec::new();
    while let Some(value) = decoder.decode_next().unwrap() {
        values.push(value);
    }
    let object = Value::from(Object::from([("a", "b")]));
    assert_eq!(values, ["x".into(), object, "b".into(), 1.0.into()]);
    assert!(decoder.has_amf3() && decoder.remaining().is_empty());
    // Inside an object of AMF0, too.
    let inside = amf0::decode(b"\x03\x00\x01a\x11\x03\x00\x00\x09", &limits).unwrap().0;
    assert_eq!(inside, Object::from([("a", true)]).into());
    // Limits and positions go on.
    let error = amf0::decode(b"\x0a\x00\x00\x00\x01\x11\xff", &limits);
    let expected = DecodeError::UnknownMarker { marker: 0xff, at: 6 };
    assert_eq!(error, Err(amf0::DecodeError::Amf3(expected)));
    let limits = Limits { values: 2, ..limits };
    let error = amf0::decode_all(&[5, 0x11, 1, 0x11, 1], &limits);
    let expected = DecodeError::TooManyValues { at: 4, limit: 2 };
    assert_eq!(error, Err(amf0::DecodeError::Amf3(expected)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        let _ = all(&bytes);
    }

    #[test]
    fn markers_and_small_numbers_are_a_value_or_an_error(bytes in vec(0u8..0x18, 0..300)) {
        if let Ok(values) = all(&bytes) {
            // What AMF3 says can be said again.
            let mut wire = bytes::BytesMut::new();
            amf0::encode_all(&values, &mut wire).unwrap();
            let limits = Limits { bytes: 16 << 20, ..Limits::default() };
            let again = amf0::decode_all(&wire, &limits).unwrap();
            prop_assert_eq!(format!("{values:?}"), format!("{again:?}"));
        }
    }

    #[test]
    fn a_cut_is_an_error(cut in 0usize..36) {
        let whole = b"\x0a\x2b\x03C\x03a\x03b\x04\x01\x0c\x05zz\x03c\x09\x03\x01\x08\x01\0\0\0\0\0\0\0\0\x01";
        let cut = cut.min(whole.len() - 1);
        let cut_off = matches!(one(&whole[..cut]), Err(DecodeError::Truncated { .. }));
        prop_assert!(cut_off);
        prop_assert!(one(whole).is_ok());
    }
}
