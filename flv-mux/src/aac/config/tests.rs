use super::*;

fn check(bytes: &[u8], expected: &AudioSpecificConfig) {
    assert_eq!(AudioSpecificConfig::decode(bytes).as_ref(), Ok(expected), "{bytes:02x?}");
    let mut out = BytesMut::new();
    expected.encode(&mut out).unwrap();
    assert_eq!(out[..], *bytes);
}

#[test]
fn aac_lc_in_two_bytes() {
    let stereo = AudioSpecificConfig::lc(44_100, 2);
    check(&[0x12, 0x10], &stereo);
    assert_eq!((stereo.channels(), stereo.frame_len()), (Some(2), Some(1024)));
    check(&[0x11, 0x88], &AudioSpecificConfig::lc(48_000, 1));
    check(&[0x14, 0x08], &AudioSpecificConfig::lc(16_000, 1));
}

#[test]
fn ffmpeg_says_that_there_is_no_sbr() {
    let config = AudioSpecificConfig { sbr: Sbr::Absent, ..AudioSpecificConfig::lc(44_100, 2) };
    check(&[0x12, 0x10, 0x56, 0xe5, 0x00], &config);
    assert_eq!(config.output_sample_rate(), 44_100);
}

#[test]
fn he_aac_in_front_of_the_core() {
    let sbr = Sbr::Hierarchical { sample_rate: 44_100, ps: false };
    let config = AudioSpecificConfig { sbr, ..AudioSpecificConfig::lc(22_050, 2) };
    check(&[0x2b, 0x92, 0x08, 0x00], &config);
    assert_eq!(config.output_sample_rate(), 44_100);
    let sbr = Sbr::Hierarchical { sample_rate: 44_100, ps: true };
    let config = AudioSpecificConfig { sbr, ..AudioSpecificConfig::lc(22_050, 1) };
    check(&[0xeb, 0x8a, 0x08, 0x00], &config);
}

#[test]
fn he_aac_behind_the_core() {
    let sbr = Sbr::BackwardCompatible { sample_rate: 48_000, ps: None };
    let config = AudioSpecificConfig { sbr, ..AudioSpecificConfig::lc(24_000, 2) };
    check(&[0x13, 0x10, 0x56, 0xe5, 0x98], &config);
    assert_eq!(config.output_sample_rate(), 48_000);
    let sbr = Sbr::BackwardCompatible { sample_rate: 44_100, ps: Some(true) };
    let config = AudioSpecificConfig { sbr, ..AudioSpecificConfig::lc(22_050, 1) };
    check(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80], &config);
}

#[test]
fn an_explicit_rate_takes_24_bits() {
    let config = AudioSpecificConfig::lc(37_800, 2);
    check(&[0x17, 0x80, 0x49, 0xd4, 0x10], &config);
    // A rate that has an index may be explicit too.
    let explicit = AudioSpecificConfig::decode(&[0x17, 0x80, 0x56, 0x22, 0x10]).unwrap();
    assert_eq!(explicit, AudioSpecificConfig::lc(44_100, 2));
}

#[test]
fn short_frames_and_a_core_coder() {
    let ga = GaSpecificConfig { short_frames: true, core_coder_delay: Some(0x1555), program: None };
    let config = AudioSpecificConfig { ga: Some(ga), ..AudioSpecificConfig::lc(44_100, 2) };
    check(&[0x12, 0x16, 0xaa, 0xa8], &config);
    assert_eq!(config.frame_len(), Some(960));
}

#[test]
fn channel_configuration_0_has_a_program() {
    let front = vec![crate::ChannelElement { is_pair: true, tag: 0 }];
    let program = ProgramConfig {
        object_type: 1,
        sampling_index: 4,
        front,
        lfe: vec![0],
        ..ProgramConfig::default()
    };
    let ga = GaSpecificConfig { program: Some(program), ..GaSpecificConfig::default() };
    let config = AudioSpecificConfig { ga: Some(ga), ..AudioSpecificConfig::lc(44_100, 0) };
    let mut bytes = BytesMut::new();
    config.encode(&mut bytes).unwrap();
    check(&bytes, &config);
    assert_eq!(config.channels(), Some(3));
}

#[test]
fn channels_by_number() {
    let channels = |config| AudioSpecificConfig::lc(48_000, config).channels();
    let expected = [
        None,
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        Some(6),
        Some(8),
        None,
        None,
        None,
        Some(7),
        Some(8),
        Some(24),
        Some(8),
        None,
    ];
    for (config, expected) in (0..).zip(expected) {
        assert_eq!(channels(config), expected, "{config}");
    }
}

#[test]
fn other_object_types_are_named_and_no_more() {
    // 31 + 10: type 42, USAC, at 48 kHz, stereo.
    let config = AudioSpecificConfig::decode(&[0xf9, 0x46, 0x40]).unwrap();
    assert_eq!(config.object_type, AudioObjectType(42));
    assert_eq!((config.sample_rate, config.channel_config), (48_000, 2));
    assert_eq!((config.ga.as_ref(), config.frame_len()), (None, None));
    let refused = config.encode(&mut BytesMut::new());
    assert_eq!(refused, Err(AudioSpecificConfigError::ObjectType(42)));
}

#[test]
fn what_follows_and_a_cut_extension_are_ignored() {
    let plain = AudioSpecificConfig::lc(44_100, 2);
    for tail in [&[0x56][..], &[0x56, 0xe5], &[0x56, 0xe5, 0xf8], &[0xff, 0xff, 0xff]] {
        let bytes = [&[0x12, 0x10][..], tail].concat();
        assert_eq!(AudioSpecificConfig::decode(&bytes).as_ref(), Ok(&plain), "{tail:02x?}");
    }
}

#[test]
fn refuses_cut_configurations_and_rates_of_nothing() {
    for bytes in [&[][..], &[0x12], &[0xeb, 0x8a], &[0x12, 0x00], &[0x17, 0x80]] {
        let error = AudioSpecificConfigError::Truncated(bytes.len());
        assert_eq!(AudioSpecificConfig::decode(bytes), Err(error), "{bytes:02x?}");
    }
    for (bytes, index) in [([0x16, 0x90, 0, 0, 0], 13), ([0x17, 0x80, 0, 0, 0], 15)] {
        let error = AudioSpecificConfigError::SampleRate(index);
        assert_eq!(AudioSpecificConfig::decode(&bytes), Err(error));
    }
}
