//! Properties over arbitrary values and arbitrary bytes.

use amf0::{DecodeError, Limits, Object, Value, amf3, decode, decode_all, encode};
use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    vec((".{0,6}", value), 0..4).prop_map(Object::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::num::f64::NORMAL.prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,12}".prop_map(Value::String),
        Just(Value::String("long".repeat(20_000))),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<u16>().prop_map(Value::Reference),
        (prop::num::f64::NORMAL, any::<i16>())
            .prop_map(|(millis, timezone)| Value::Date { millis, timezone }),
        Just(Value::Unsupported),
        ".{0,12}".prop_map(Value::XmlDocument),
        vec(any::<u8>(), 0..300).prop_map(Value::ByteArray),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            object(inner.clone()).prop_map(Value::Object),
            object(inner.clone()).prop_map(Value::EcmaArray),
            vec(inner.clone(), 0..4).prop_map(Value::StrictArray),
            (".{0,6}", object(inner))
                .prop_map(|(class, properties)| Value::TypedObject { class, properties }),
        ]
    })
}

fn roomy() -> Limits {
    Limits { bytes: 16 << 20, ..Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_encoded_decodes_to_the_same(value in value()) {
        let mut wire = BytesMut::new();
        encode(&value, &mut wire).unwrap();
        prop_assert_eq!(decode(&wire, &roomy()).unwrap(), (value, wire.len()));
    }

    #[test]
    fn a_cut_is_an_error(value in value(), cut in any::<prop::sample::Index>()) {
        let mut wire = BytesMut::new();
        encode(&value, &mut wire).unwrap();
        let cut = cut.index(wire.len());
        match decode(&wire[..cut], &roomy()) {
            Err(
                DecodeError::Truncated { at, needed }
                | DecodeError::Amf3(amf3::DecodeError::Truncated { at, needed }),
            ) => prop_assert!(at <= cut && needed > 0),
            // The one cut that is tolerated: between the properties of the outermost object.
            Ok((short, used)) => {
                prop_assert!(short.as_object().is_some());
                prop_assert_eq!(used, cut);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_all(&bytes, &Limits::default());
    }

    #[test]
    fn markers_in_any_order_are_a_value_or_an_error(
        bytes in vec(prop_oneof![0u8..0x12, Just(0)], 0..300),
    ) {
        if let Ok(values) = decode_all(&bytes, &Limits::default()) {
            let mut wire = BytesMut::new();
            amf0::encode_all(&values, &mut wire).unwrap();
            let again = decode_all(&wire, &roomy()).unwrap();
            // Compared as text, for a number may be NaN.
            prop_assert_eq!(format!("{values:?}"), format!("{again:?}"));
        }
    }
}
